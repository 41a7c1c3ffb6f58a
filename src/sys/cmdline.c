#include "sys/cmdline.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "base/str.h"
#include "sys/daemon.h"
#include "sys/daemon_private.h"
#include "sys/dirs.h"
#include "sys/log.h"
#include "sys/signals.h"
#include "sys/stream.h"
#include "sys/tls.h"

#include "config.h"

LOG_MODULE(command_line)

enum { BUILT_IN = 0x10000 }; /* Ids from here are ours; smaller ones are the program's. */

struct built_in {
    struct cmdline_option option; /* 'id' is not used. */
    int group;                    /* CMDLINE_* that has it; 0: every program. */
    void (*handle)(const char *arg);
};

struct cmdline_impl {
    const struct cmdline_option *options; /* The program's. */
    size_t n_options;
    struct option *longs;
    int *ids;           /* Parallel to 'longs': what it stands for. */
    char *shorts;
    int letters[256];   /* Id by short option; -1: none. */
    void (*usage)(void);
};

static struct cmdline_impl impl;
static const char *version_note;
static void (*describe_commands)(const void *aux);
static const void *describe_aux;

/* The options every program has. */

static void
do_help(const char *arg UNUSED)
{
    impl.usage();
    exit(EXIT_SUCCESS);
}

static void
do_version(const char *arg UNUSED)
{
    cmdline_print_version();
    exit(EXIT_SUCCESS);
}

static void
do_verbose(const char *arg)
{
    struct error *error = log_configure(arg ? arg : "");

    cmdline_fatal_error(error_wrap(error, "processing \"%s\"", arg ? arg : ""));
}

static void
do_log_file(const char *arg)
{
    int error;
    char *path = arg ? xstrdup(arg) : xasprintf("%s/%s.log", dirs_log(), log_program());

    error = log_open_file(path);
    free(path);
    if (error) {
        exit(EXIT_FAILURE); /* The log has said why. */
    }
}

static void
do_syslog_method(const char *arg)
{
    cmdline_fatal_error(log_set_syslog_method(arg));
}

static void
do_syslog_target(const char *arg)
{
    cmdline_fatal_error(log_set_syslog_target(arg));
}

static void do_detach(const char *arg UNUSED) { daemon_set_detach(true); }
static void do_no_chdir(const char *arg UNUSED) { daemon_set_chdir(false); }
static void do_pidfile(const char *arg) { daemon_set_pidfile(arg); }
static void do_overwrite(const char *arg UNUSED) { daemon_set_overwrite_pidfile(true); }
static void do_monitor(const char *arg UNUSED) { daemon_set_monitor(true); }
static void do_user(const char *arg) { daemon_set_user(arg); }
static void do_nothing(const char *arg UNUSED) { }
static void do_ca_cert(const char *arg) { tls_set_ca_cert(arg, false); }
static void do_bootstrap(const char *arg) { tls_set_ca_cert(arg, true); }
static void do_protocols(const char *arg) { cmdline_fatal_error(tls_set_protocols(arg)); }
static void do_ciphers(const char *arg) { cmdline_fatal_error(tls_set_ciphers(arg)); }
static void do_ciphersuites(const char *arg) { cmdline_fatal_error(tls_set_ciphersuites(arg)); }

static const struct built_in built_ins[] = {
    { { "help", 'h', CMDLINE_NO_ARG, 0 }, 0, do_help },
    { { "version", 'V', CMDLINE_NO_ARG, 0 }, 0, do_version },
    { { "verbose", 'v', CMDLINE_OPTIONAL_ARG, 0 }, 0, do_verbose },
    { { "log-file", 0, CMDLINE_OPTIONAL_ARG, 0 }, 0, do_log_file },
    { { "syslog-method", 0, CMDLINE_ARG, 0 }, 0, do_syslog_method },
    { { "syslog-target", 0, CMDLINE_ARG, 0 }, 0, do_syslog_target },
    { { "detach", 0, CMDLINE_NO_ARG, 0 }, CMDLINE_DAEMON, do_detach },
    { { "no-chdir", 0, CMDLINE_NO_ARG, 0 }, CMDLINE_DAEMON, do_no_chdir },
    { { "pidfile", 0, CMDLINE_OPTIONAL_ARG, 0 }, CMDLINE_DAEMON, do_pidfile },
    { { "overwrite-pidfile", 0, CMDLINE_NO_ARG, 0 }, CMDLINE_DAEMON, do_overwrite },
    { { "monitor", 0, CMDLINE_NO_ARG, 0 }, CMDLINE_DAEMON, do_monitor },
    { { "user", 0, CMDLINE_ARG, 0 }, CMDLINE_DAEMON, do_user },
    { { "no-self-confinement", 0, CMDLINE_NO_ARG, 0 }, CMDLINE_DAEMON, do_nothing },
    { { "private-key", 'p', CMDLINE_ARG, 0 }, CMDLINE_TLS, tls_set_private_key },
    { { "certificate", 'c', CMDLINE_ARG, 0 }, CMDLINE_TLS, tls_set_certificate },
    { { "ca-cert", 'C', CMDLINE_ARG, 0 }, CMDLINE_TLS, do_ca_cert },
    { { "ssl-protocols", 0, CMDLINE_ARG, 0 }, CMDLINE_TLS, do_protocols },
    { { "ssl-ciphers", 0, CMDLINE_ARG, 0 }, CMDLINE_TLS, do_ciphers },
    { { "ssl-ciphersuites", 0, CMDLINE_ARG, 0 }, CMDLINE_TLS, do_ciphersuites },
    { { "ssl-server-name", 0, CMDLINE_ARG, 0 }, CMDLINE_TLS, tls_set_server_name },
    { { "peer-ca-cert", 0, CMDLINE_ARG, 0 }, CMDLINE_TLS_PEER_CA, tls_set_peer_ca_cert },
    { { "bootstrap-ca-cert", 0, CMDLINE_ARG, 0 }, CMDLINE_TLS_BOOTSTRAP, do_bootstrap },
};

/* Building getopt's tables. */

static void
add_option(const struct cmdline_option *o, int id, size_t *n, struct str *shorts)
{
    if (o->name) {
        /* Distinct values, or getopt() takes an ambiguous abbreviation for the first of its options. */
        impl.longs[*n] = (struct option) { o->name, o->arg, NULL, 0x1000 + (int) *n };
        impl.ids[(*n)++] = id;
    }
    if (o->letter) {
        impl.letters[o->letter & 0xff] = id;
        str_putf(shorts, "%c%s", o->letter, o->arg == CMDLINE_ARG ? ":" : o->arg ? "::" : "");
    }
}

void
cmdline_init(struct cmdline *cl, int argc, char *argv[], int flags, const struct cmdline_option *options, size_t n,
             void (*usage)(void))
{
    struct str shorts = STR_INIT;
    size_t n_longs = 0;

    daemon_title_init(argc, argv);
    log_set_program(xstrdup(argv[0])); /* A title would overwrite it. */
    signals_init();
    argv[0] = (char *) log_program(); /* getopt() prints it in its messages. */
    impl = (struct cmdline_impl) { .options = options, .n_options = n, .usage = usage };
    impl.longs = xcalloc(n + ARRAY_SIZE(built_ins) + 1, sizeof *impl.longs);
    impl.ids = xcalloc(n + ARRAY_SIZE(built_ins) + 1, sizeof *impl.ids);
    memset(impl.letters, -1, sizeof impl.letters);
    str_puts(&shorts, flags & CMDLINE_STOP_AT_ARG ? "+" : "");
    for (size_t i = 0; i < ARRAY_SIZE(built_ins); i++) {
        const struct built_in *b = &built_ins[i];

        if (!b->group || b->group & flags) {
            add_option(&b->option, BUILT_IN + i, &n_longs, &shorts);
        }
    }
    for (size_t i = 0; i < n; i++) {
        add_option(&options[i], i, &n_longs, &shorts);
    }
    impl.shorts = str_steal(&shorts);
    *cl = (struct cmdline) { .argc = argc, .argv = argv, .impl = &impl };
    optind = 0; /* Also resets getopt() where it has run before. */
}

static void
finish(struct cmdline *cl)
{
    cl->argc -= optind;
    cl->argv += optind;
    cl->arg = cl->option = NULL;
    free(impl.longs);
    free(impl.ids);
    free(impl.shorts);
    impl.longs = NULL;
    impl.ids = NULL;
    impl.shorts = NULL;
}

/* What completion wants to know. */

void
cmdline_set_describe(void (*commands)(const void *aux), const void *aux)
{
    describe_commands = commands;
    describe_aux = aux;
}

void
cmdline_describe_command(const char *name, const char *options, const char *arguments)
{
    printf("command %s,", name);
    for (const char *p = options; *p; p++) {
        putchar(*p == ',' ? ' ' : *p);
    }
    printf(",%s\n", arguments ? arguments : "");
}

void
cmdline_describe_words(const char *placeholder, cmdline_words *words)
{
    struct str s = STR_INIT;

    words(&s);
    printf("words %s %s\n", placeholder, str_text(&s));
    str_uninit(&s);
}

/* What the program's own options take. */
static void
describe_option_words(void)
{
    for (size_t i = 0; i < impl.n_options; i++) {
        const struct cmdline_option *o = &impl.options[i];
        char name[64];

        if (o->words && o->name) {
            snprintf(name, sizeof name, "--%s", o->name);
            cmdline_describe_words(name, o->words);
        }
        if (o->words && o->letter) {
            snprintf(name, sizeof name, "-%c", o->letter);
            cmdline_describe_words(name, o->words);
        }
    }
}

void
cmdline_describe_commands(const struct cmdline_command *commands, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        cmdline_describe_command(commands[i].name, "", commands[i].usage);
    }
}

static void NORETURN
describe(void)
{
    static const char *const args[] = { "", "=", "=?" };

    for (const struct option *o = impl.longs; o->name; o++) {
        printf("option --%s%s\n", o->name, args[o->has_arg]);
    }
    for (const char *s = impl.shorts; *s; s++) {
        if (*s != ':' && *s != '+') {
            printf("option -%c%s\n", *s, args[(s[1] == ':') + (s[1] == ':' && s[2] == ':')]);
        }
    }
    describe_option_words();
    if (describe_commands) {
        describe_commands(describe_aux);
    }
    exit(EXIT_SUCCESS);
}

int
cmdline_next(struct cmdline *cl)
{
    if (getenv("WEFT_DESCRIBE")) {
        describe();
    }
    for (;;) {
        int index = -1, id;
        int c = getopt_long(cl->argc, cl->argv, impl.shorts, impl.longs, &index);

        if (c == -1) {
            finish(cl);
            return CMDLINE_END;
        }
        if (c == '?') {
            exit(EXIT_FAILURE); /* getopt() has said why. */
        }
        id = index >= 0 ? impl.ids[index] : impl.letters[c & 0xff];
        cl->arg = optarg;
        cl->option = index >= 0 ? impl.longs[index].name : NULL;
        if (id < BUILT_IN) {
            return impl.options[id].id;
        }
        built_ins[id - BUILT_IN].handle(optarg);
    }
}

void
cmdline_set_version_note(const char *line)
{
    version_note = line;
}

char *
cmdline_version_text(void)
{
    return xasprintf("%s (Open vSwitch) %s\n", log_program(), WEFT_COMPAT_VERSION);
}

void
cmdline_print_version(void)
{
    printf("%s (Open vSwitch) %s\n", log_program(), WEFT_COMPAT_VERSION);
    if (version_note) {
        printf("%s\n", version_note);
    }
}

/* Messages. */

static void
complain(int error, const char *format, va_list args)
{
    fprintf(stderr, "%s: ", log_program());
    vfprintf(stderr, format, args);
    if (error) {
        fprintf(stderr, " (%s)", stream_strerror(error));
    }
    putc('\n', stderr);
}

void
cmdline_complain(int error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    complain(error, format, args);
    va_end(args);
}

void
cmdline_fatal(int error, const char *format, ...)
{
    va_list args;

    fflush(stdout);
    va_start(args, format);
    complain(error, format, args);
    va_end(args);
    exit(EXIT_FAILURE);
}

void
cmdline_fatal_error(struct error *error)
{
    if (error) {
        fflush(stdout);
        fprintf(stderr, "%s: %s\n", log_program(), error_text(error));
        error_free(error);
        exit(EXIT_FAILURE);
    }
}

void
cmdline_timeout(const char *arg, const char *names)
{
    unsigned int seconds;

    if (!num_parse_u32(arg, 10, &seconds)) {
        cmdline_fatal(0, "value %s on %s is invalid", arg, names);
    }
    alarm(seconds);
}

/* Sub-commands. */

void
cmdline_run(const struct cmdline *cl, const struct cmdline_command *commands, size_t n, void *aux)
{
    struct cmdline_ctx ctx = { cl->argc, cl->argv, aux };

    if (!cl->argc) {
        cmdline_fatal(0, "missing command name; use --help for help");
    }
    for (size_t i = 0; i < n; i++) {
        const struct cmdline_command *c = &commands[i];

        if (!strcmp(c->name, cl->argv[0])) {
            if (cl->argc - 1 < c->min_args) {
                cmdline_fatal(0, "'%s' command requires at least %d arguments", c->name, c->min_args);
            } else if (cl->argc - 1 > c->max_args) {
                cmdline_fatal(0, "'%s' command takes at most %d arguments", c->name, c->max_args);
            }
            c->run(&ctx);
            return;
        }
    }
    cmdline_fatal(0, "unknown command '%s'; use --help for help", cl->argv[0]);
}
