#include "cmd/dbctl/cmdparse.h"

#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "sys/dirs.h"
#include "sys/stream.h"

enum {
    OPT_DB = 1000, OPT_NO_SYSLOG, OPT_NO_WAIT, OPT_DRY_RUN, OPT_ONELINE, OPT_TIMEOUT, OPT_RETRY, OPT_COMMANDS,
    OPT_OPTIONS, OPT_LEADER_ONLY, OPT_NO_LEADER_ONLY, OPT_SHUFFLE, OPT_NO_SHUFFLE,
    OPT_OF_COMMAND = 10000, /* From here on: options of commands. */
};

static const struct cmdline_option global_options[] = {
    { "db", 0, CMDLINE_ARG, OPT_DB, stream_put_methods },
    { "no-syslog", 0, CMDLINE_NO_ARG, OPT_NO_SYSLOG },
    { "no-wait", 0, CMDLINE_NO_ARG, OPT_NO_WAIT },
    { "dry-run", 0, CMDLINE_NO_ARG, OPT_DRY_RUN },
    { "oneline", 0, CMDLINE_NO_ARG, OPT_ONELINE },
    { "timeout", 't', CMDLINE_ARG, OPT_TIMEOUT },
    { "retry", 0, CMDLINE_NO_ARG, OPT_RETRY },
    { "commands", 0, CMDLINE_NO_ARG, OPT_COMMANDS },
    { "options", 0, CMDLINE_NO_ARG, OPT_OPTIONS },
    { "leader-only", 0, CMDLINE_NO_ARG, OPT_LEADER_ONLY },
    { "no-leader-only", 0, CMDLINE_NO_ARG, OPT_NO_LEADER_ONLY },
    { "shuffle-remotes", 0, CMDLINE_NO_ARG, OPT_SHUFFLE },
    { "no-shuffle-remotes", 0, CMDLINE_NO_ARG, OPT_NO_SHUFFLE },
    TABLE_OPTIONS,
};

const struct dbctl_command *
dbctl_command_at(const struct dbctl_class *class, size_t i)
{
    const struct dbctl_part shared[] = { { dbctl_read_commands, dbctl_n_read_commands },
                                         { dbctl_write_commands, dbctl_n_write_commands } };

    for (size_t k = 0; k < class->n_parts + ARRAY_SIZE(shared); k++) {
        const struct dbctl_part *part = k < class->n_parts ? &class->parts[k] : &shared[k - class->n_parts];

        if (i < part->n) {
            return &part->commands[i];
        }
        i -= part->n;
    }
    return NULL;
}

static const struct dbctl_command *
find_command(const struct dbctl_class *class, const char *name)
{
    const struct dbctl_command *c;

    for (size_t i = 0; (c = dbctl_command_at(class, i)) != NULL; i++) {
        if (!strcmp(c->name, name)) {
            return c;
        }
    }
    return NULL;
}

/* How a command takes the option "--name": -1 not at all, 0 without an argument, 1 with one. */
static int
command_option_kind(const struct dbctl_command *c, const char *name, size_t len)
{
    for (const char *p = c->options; *p;) {
        const size_t n = strcspn(p, ",="), end = strcspn(p, ",");

        if (n == len && !strncmp(p, name, n)) {
            return end > n;
        }
        p += end + (p[end] == ',');
    }
    return -1;
}

/* ---- Options ---- */

/* The global options and those of all commands, which may stand before the first command. */
struct option_list {
    struct cmdline_option *options;
    size_t n, capacity;
    size_t n_global;        /* These come first. */
};

/* Whether programs without a daemon of their own (is_plain) have a global option too. */
static bool
is_for_all(int id)
{
    return (id >= TABLE_OPT_FIRST && id < TABLE_OPT_LAST) || id == OPT_DB || id == OPT_NO_SYSLOG || id == OPT_DRY_RUN
           || id == OPT_ONELINE || id == OPT_TIMEOUT;
}

static bool
list_has(const struct option_list *l, const char *name, size_t len)
{
    for (size_t i = 0; i < l->n; i++) {
        if (strlen(l->options[i].name) == len && !strncmp(l->options[i].name, name, len)) {
            return true;
        }
    }
    return false;
}

static void
list_add(struct option_list *l, struct cmdline_option o)
{
    if (l->n >= l->capacity) {
        l->options = x2nrealloc(l->options, &l->capacity, sizeof *l->options);
    }
    l->options[l->n++] = o;
}

/* The names that this makes live as long as the process. */
static struct option_list
all_options(const struct dbctl_class *class)
{
    struct option_list l = { .n = 0 };
    const struct dbctl_command *c;

    for (size_t i = 0; i < ARRAY_SIZE(global_options); i++) {
        if (!class->is_plain || is_for_all(global_options[i].id)) {
            list_add(&l, global_options[i]);
            l.n_global = l.n;
        }
    }
    for (size_t i = 0; (c = dbctl_command_at(class, i)) != NULL; i++) {
        for (const char *p = c->options; *p;) {
            const size_t n = strcspn(p, ",="), end = strcspn(p, ",");

            if (!list_has(&l, p + 2, n - 2)) {
                list_add(&l, (struct cmdline_option) { .name = xstrndup(p + 2, n - 2), .id = OPT_OF_COMMAND + (int) l.n,
                                                       .arg = end > n ? CMDLINE_ARG : CMDLINE_NO_ARG });
            }
            p += end + (p[end] == ',');
        }
    }
    return l;
}

static void
list_free(struct option_list *l)
{
    for (size_t i = l->n_global; i < l->n; i++) {
        free((char *) l->options[i].name);
    }
    free(l->options);
}

static void
put_arguments(const char *words)
{
    putchar(',');
    fputs(words, stdout);
    putchar('\n');
}

/* --commands: "[--option] ,NAME,ARGUMENTS", for completion. */
static void
print_commands(const struct dbctl_class *class)
{
    const struct dbctl_command *c;

    for (size_t i = 0; (c = dbctl_command_at(class, i)) != NULL; i++) {
        char *options = xstrdup(c->options), *save = NULL;

        for (char *o = strtok_r(options, ",", &save); o; o = strtok_r(NULL, ",", &save)) {
            printf("[%s] ", o);
        }
        printf(",%s", c->name);
        put_arguments(c->arguments);
        free(options);
    }
    exit(EXIT_SUCCESS);
}

static void
print_option(const char *name, int letter, bool arg)
{
    printf("--%s%s\n", name, arg ? "=ARG" : "");
    if (letter) {
        printf("-%c%s\n", letter, arg ? " ARG" : "");
    }
}

/* --options: the global ones, for completion. */
static void
print_options(void)
{
    static const struct { const char *name; int letter; bool arg; } others[] = {
        { "help", 'h', false }, { "version", 'V', false }, { "verbose", 'v', true }, { "log-file", 0, true },
        { "syslog-method", 0, true }, { "syslog-target", 0, true }, { "private-key", 'p', true },
        { "certificate", 'c', true }, { "ca-cert", 'C', true }, { "ssl-protocols", 0, true },
        { "ssl-ciphers", 0, true }, { "ssl-ciphersuites", 0, true },
        { "ssl-server-name", 0, true }, { "bootstrap-ca-cert", 0, true },
        { "peer-ca-cert", 0, true },
    };

    for (size_t i = 0; i < ARRAY_SIZE(global_options); i++) {
        print_option(global_options[i].name, global_options[i].letter, global_options[i].arg == CMDLINE_ARG);
    }
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        print_option(others[i].name, others[i].letter, others[i].arg);
    }
    exit(EXIT_SUCCESS);
}

static void
set_timeout(const char *arg)
{
    uint32_t seconds;

    if (!num_parse_u32(arg, 10, &seconds) || !seconds) {
        cmdline_fatal(0, "value %s on -t or --timeout is invalid", arg);
    }
    cmdline_timeout(arg, "-t or --timeout");
}

static void
no_syslog(const struct dbctl *ctl)
{
    char *spec = xasprintf("%s:syslog:warn", ctl->class->log->name);
    struct error *e = log_configure(spec);

    free(spec);
    cmdline_fatal_error(e);
}

static void
global_option(struct dbctl *ctl, int id, const char *arg)
{
    switch (id) {
    case OPT_DB: free(ctl->db); ctl->db = xstrdup(arg); break;
    case OPT_NO_SYSLOG: no_syslog(ctl); break;
    case OPT_NO_WAIT: ctl->wait = false; break;
    case OPT_DRY_RUN: ctl->dry_run = true; break;
    case OPT_ONELINE: ctl->oneline = true; break;
    case OPT_TIMEOUT: set_timeout(arg); break;
    case OPT_RETRY: ctl->retry = true; break;
    case OPT_COMMANDS: print_commands(ctl->class); break;
    case OPT_OPTIONS: print_options(); break;
    case OPT_LEADER_ONLY: ctl->leader_only = true; break;
    case OPT_NO_LEADER_ONLY: ctl->leader_only = false; break;
    case OPT_SHUFFLE: case OPT_NO_SHUFFLE: break; /* The remotes are tried in the order given. */
    default: cmdline_fatal_error(table_style_set(&ctl->style, id, arg)); break;
    }
}

/* ---- Commands ---- */

static struct error *
put_option(struct dbctl_ctx *ctx, const char *option, const char *value)
{
    if (strmap_find(&ctx->options, option)) {
        return error_new("'%s' option specified multiple times", option);
    }
    strmap_put(&ctx->options, option, value ? xstrdup(value) : NULL);
    return NULL;
}

/* Options in front of a command, as "--name" or "--name=value". */
static struct error *
take_options(struct dbctl_ctx *ctx)
{
    struct error *e = NULL;

    while (ctx->argc && ctx->argv[0][0] == '-' && !e) {
        const char *equals = strchr(ctx->argv[0], '=');
        char *name = equals ? xstrndup(ctx->argv[0], equals - ctx->argv[0]) : xstrdup(ctx->argv[0]);

        e = put_option(ctx, name, equals ? equals + 1 : NULL);
        free(name);
        ctx->argc--;
        ctx->argv++;
    }
    return e;
}

static struct error *
check_options(const struct dbctl_ctx *ctx)
{
    const struct dbctl_command *c = ctx->command;
    struct strmap_entry **options = strmap_sorted(&ctx->options);
    struct error *e = NULL;

    for (size_t i = 0; i < strmap_count(&ctx->options) && !e; i++) {
        const int kind = command_option_kind(c, options[i]->key, strlen(options[i]->key));

        if (kind < 0) {
            e = error_new("'%s' command has no '%s' option", c->name, options[i]->key);
        } else if (kind && !options[i]->value) {
            e = error_new("missing argument to '%s' option on '%s' command", options[i]->key, c->name);
        } else if (!kind && options[i]->value) {
            e = error_new("'%s' option on '%s' does not accept an argument", options[i]->key, c->name);
        }
    }
    free(options);
    return e;
}

static struct error *
check_command(struct dbctl *ctl, struct dbctl_ctx *ctx)
{
    struct error *e;

    if (!ctx->argc) {
        return error_new("missing command name (use --help for help)");
    }
    ctx->command = find_command(ctl->class, ctx->argv[0]);
    if (!ctx->command) {
        return error_new("unknown command '%s'; use --help for help", ctx->argv[0]);
    }
    e = check_options(ctx);
    if (!e && ctx->argc - 1 < ctx->command->min_args) {
        e = error_new("'%s' command requires at least %d arguments", ctx->argv[0], ctx->command->min_args);
    } else if (!e && ctx->argc - 1 > ctx->command->max_args) {
        e = error_new("'%s' command takes at most %d arguments", ctx->argv[0], ctx->command->max_args);
    }
    return e;
}

/* Adds the command in the words up to the next "--"; 'first' has the options given with the global ones. */
static struct error *
add_command(struct dbctl *ctl, int argc, char **argv, struct strmap *first)
{
    struct dbctl_ctx *ctx;
    struct error *e;

    ctx = &ctl->commands[ctl->n_commands++];
    *ctx = (struct dbctl_ctx) { .ctl = ctl, .argc = argc, .argv = argv };
    strmap_init(&ctx->options);
    str_init(&ctx->output);
    STRMAP_FOR_EACH (o, first) {
        strmap_put(&ctx->options, o->key, o->value);
        o->value = NULL;
    }
    strmap_uninit(first);
    strmap_init(first);
    e = take_options(ctx);
    return e ? e : check_command(ctl, ctx);
}

static struct error *
add_commands(struct dbctl *ctl, int argc, char **argv, struct strmap *first)
{
    struct error *e = NULL;
    int start = 0;

    ctl->commands = xcalloc(argc + 1, sizeof *ctl->commands); /* Never moved: they hold tables. */
    for (int i = 0; i <= argc && !e; i++) {
        if (i == argc || !strcmp(argv[i], "--")) {
            if (i > start) {
                e = add_command(ctl, i - start, &argv[start], first);
            }
            start = i + 1;
        }
    }
    return e || ctl->n_commands ? e : error_new("missing command name (use --help for help)");
}

/* usage() of sys/cmdline.h has no argument. */
static const struct dbctl_class *usage_class;

static void
print_usage(void)
{
    usage_class->usage(usage_class);
}

static void
describe(const void *class)
{
    const struct dbctl_command *c;

    for (size_t i = 0; (c = dbctl_command_at(class, i)) != NULL; i++) {
        cmdline_describe_command(c->name, c->options, c->arguments);
    }
    for (const struct dbctl_words *w = ((const struct dbctl_class *) class)->words; w && w->placeholder; w++) {
        cmdline_describe_words(w->placeholder, w->put);
    }
}

void
dbctl_parse(struct dbctl *ctl, int argc, char *argv[])
{
    struct option_list options = all_options(ctl->class);
    struct strmap first;
    struct cmdline cl;
    struct error *e = NULL;
    int id;

    strmap_init(&first);
    usage_class = ctl->class;
    cmdline_init(&cl, argc, argv, CMDLINE_TLS | CMDLINE_TLS_PEER_CA | CMDLINE_TLS_BOOTSTRAP | CMDLINE_STOP_AT_ARG,
                 options.options, options.n, print_usage);
    cmdline_set_describe(describe, ctl->class);
    while ((id = cmdline_next(&cl)) != CMDLINE_END) {
        if (id >= OPT_OF_COMMAND) {
            char *name = xasprintf("--%s", cl.option);

            if (!strmap_find(&first, name)) { /* Given twice, the first counts. */
                strmap_put(&first, name, cl.arg ? xstrdup(cl.arg) : NULL);
            }
            free(name);
        } else {
            global_option(ctl, id, cl.arg);
        }
    }
    list_free(&options);
    if (!ctl->db) {
        ctl->db = dirs_db_remote();
    }
    e = add_commands(ctl, cl.argc, cl.argv, &first);
    strmap_uninit_free(&first);
    cmdline_fatal_error(e);
}

void
dbctl_commands_free(struct dbctl *ctl)
{
    for (size_t i = 0; i < ctl->n_commands; i++) {
        strmap_uninit_free(&ctl->commands[i].options);
        str_uninit(&ctl->commands[i].output);
        table_destroy(ctl->commands[i].table);
    }
    free(ctl->commands);
}

char *
dbctl_escape_args(int argc, char *const argv[])
{
    struct str s = STR_INIT;

    for (int i = 0; i < argc; i++) {
        const bool quote = strpbrk(argv[i], " \t\r\n\v\\'\"");

        str_puts(&s, i ? " " : "");
        str_puts(&s, quote ? "\"" : "");
        for (const char *p = argv[i]; *p; p++) {
            str_puts(&s, *p == '\\' || *p == '"' ? "\\" : "");
            str_putc(&s, *p);
        }
        str_puts(&s, quote ? "\"" : "");
    }
    return str_steal(&s);
}
