#include "cmd/dbctl/dbctl.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/dbctl/cmdparse.h"
#include "sys/random.h"

enum { HINT_AFTER_MS = 3000 };

/* ---- What to replicate ---- */

struct dbctl_rows {
    bool all;
    struct json *where; /* Clauses, of which one must hold; null if there are none. */
};

void
dbctl_add_column_only(struct dbctl *ctl, unsigned table, unsigned column)
{
    idl_add_column(ctl->idl, table, column, IDL_ALERT);
}

void
dbctl_add_column(struct dbctl *ctl, unsigned table, unsigned column)
{
    ctl->rows[table].all = true;
    dbctl_add_column_only(ctl, table, column);
}

void
dbctl_add_rows_take(struct dbctl *ctl, unsigned table, unsigned column, struct json *value)
{
    struct dbctl_rows *rows = &ctl->rows[table];
    struct json *clause = js_array();

    js_append_take(clause, js_str(ctl->schema->tables[table].columns[column].name));
    js_append_take(clause, js_str("=="));
    js_append_take(clause, value);
    rows->where = rows->where ? rows->where : js_array();
    js_append_take(rows->where, clause);
}

void
dbctl_need_more(struct dbctl *ctl)
{
    ctl->need_more = ctl->level < DBCTL_LEVEL_ALL;
}

/* Turns the rows asked for into conditions and forgets them. */
static void
set_conditions(struct dbctl *ctl)
{
    for (size_t i = 0; i < ctl->schema->n_tables; i++) {
        struct dbctl_rows *rows = &ctl->rows[i];

        if (rows->all) {
            js_unref(rows->where);
            continue;
        }
        if (!rows->where) {
            rows->where = js_array();
            js_append_take(rows->where, js_bool(false));
        }
        idl_set_condition_take(ctl->idl, i, rows->where);
    }
    free(ctl->rows);
    ctl->rows = NULL;
}

/* ---- Hints ---- */

static void
print_hint(struct loop_timer *timer)
{
    struct dbctl *ctl = timer->aux;
    char *text = ctl->hint_text ? ctl->hint_text(ctl) : NULL;

    if (text) {
        fflush(stdout);
        cmdline_complain(0, "still waiting for %s", text);
        free(text);
    }
}

void
dbctl_wait_hint(struct dbctl *ctl, char *(*text)(struct dbctl *))
{
    if (text && text != ctl->hint_text) {
        loop_timer_set(&ctl->hint, clock_now_ms() + HINT_AFTER_MS);
    } else if (!text) {
        loop_timer_cancel(&ctl->hint);
    }
    ctl->hint_text = text;
}

static char *
connection_hint(struct dbctl *ctl)
{
    return idl_is_filled(ctl->idl) && ctl->waiting_for ? xstrdup(ctl->waiting_for)
                                                       : xasprintf("the database: %s", idl_state_text(ctl->idl));
}

/* ---- An attempt ---- */

/* "PROGRAM (invoked by PARENT): ARGS", as the log of the database shows it. */
static char *
comment_text(const char *args)
{
    char *path = xasprintf("/proc/%d/comm", (int) getppid()), name[64] = "";
    FILE *f = fopen(path, "r");
    char *text;

    if (f) {
        if (fgets(name, sizeof name, f)) {
            name[strcspn(name, "\n")] = '\0';
        }
        fclose(f);
    }
    free(path);
    text = *name ? xasprintf("%s (invoked by %s): %s", log_program(), name, args)
                 : xasprintf("%s: %s", log_program(), args);
    return text;
}

static struct error *
check_symbols(struct dbctl *ctl)
{
    struct strmap_entry **symbols = strmap_sorted(&ctl->symtab.map);
    struct error *e = NULL;

    for (size_t i = 0; i < strmap_count(&ctl->symtab.map) && !e; i++) {
        const struct symbol *s = symbols[i]->value;
        const char *name = symbols[i]->key;

        if (!s->created) {
            e = error_new("row id \"%s\" is referenced but never created (e.g. with \"-- --id=%s create ...\")", name,
                          name);
        } else if (!s->strong_ref) {
            log_write(ctl->class->log, LOG_LEVEL_WARN, "row id \"%s\" was created but %s reference to it was inserted, "
                      "so it will not actually appear in the database", name, s->weak_ref ? "only a weak" : "no");
        }
    }
    free(symbols);
    return e;
}

static void
reset_output(struct dbctl_ctx *ctx)
{
    str_clear(&ctx->output);
    table_destroy(ctx->table);
    ctx->table = NULL;
}

static struct error *
run_commands(struct dbctl *ctl)
{
    struct error *e = ctl->class->begin ? ctl->class->begin(ctl) : NULL;

    for (size_t i = 0; i < ctl->n_commands && !e && !ctl->try_again && !ctl->exit_status && !ctl->need_more; i++) {
        reset_output(&ctl->commands[i]);
        e = ctl->commands[i].command->run(&ctl->commands[i]);
    }
    if (ctl->need_more) { /* What the commands made of too little does not count. */
        error_free(e);
        ctl->exit_status = 0;
        return NULL;
    }
    if (!e && !ctl->try_again && !ctl->exit_status) {
        if (ctl->class->before_commit) {
            ctl->class->before_commit(ctl);
        }
        e = check_symbols(ctl);
    }
    return e;
}

static void
put_oneline(const char *text, size_t len)
{
    len -= len && text[len - 1] == '\n';
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\n') {
            fputs("\\n", stdout);
        } else if (text[i] == '\\') {
            fputs("\\\\", stdout);
        } else {
            putchar(text[i]);
        }
    }
    putchar('\n');
}

static void
print_output(struct dbctl *ctl)
{
    for (size_t i = 0; i < ctl->n_commands; i++) {
        struct dbctl_ctx *ctx = &ctl->commands[i];

        if (ctx->command->finish) {
            ctx->command->finish(ctx);
        }
        if (ctx->table) {
            table_print(ctx->table, &ctl->style);
        } else if (ctl->oneline) {
            put_oneline(str_text(&ctx->output), ctx->output.len);
        } else {
            fwrite(str_text(&ctx->output), 1, ctx->output.len, stdout);
        }
    }
    fflush(stdout);
}

static struct error *
commit(struct dbctl *ctl)
{
    switch (idl_txn_commit_block(ctl->txn)) {
    case IDL_SUCCESS:
        print_output(ctl);
        if (ctl->wait && !ctl->dry_run && ctl->class->committed) {
            ctl->exit_status = ctl->class->committed(ctl);
        }
        return NULL;
    case IDL_UNCHANGED:
        print_output(ctl);
        return NULL;
    case IDL_TRY_AGAIN:
        ctl->try_again = true;
        return NULL;
    case IDL_ABORTED:
        return error_new("transaction aborted");
    case IDL_NOT_LOCKED:
        return error_new("database not locked");
    case IDL_ERROR:
        return error_new("transaction error: %s", idl_txn_error(ctl->txn));
    case IDL_UNCOMMITTED:
    case IDL_INCOMPLETE:
        break;
    }
    return error_new("unexpected state of the transaction");
}

/* Runs everything once; with ctl->try_again it was in vain. */
static struct error *
attempt(struct dbctl *ctl, const char *comment)
{
    struct error *e;

    ctl->try_again = false;
    free(ctl->waiting_for);
    ctl->waiting_for = NULL;
    symtab_init(&ctl->symtab, sys_random());
    ctl->txn = idl_txn_create(ctl->idl);
    idl_txn_add_comment(ctl->txn, "%s", comment);
    if (ctl->dry_run) {
        idl_txn_set_dry_run(ctl->txn);
    }
    e = run_commands(ctl);
    if (!e && !ctl->try_again && !ctl->exit_status && !ctl->need_more) {
        e = commit(ctl);
    }
    if (ctl->class->end) {
        ctl->class->end(ctl);
    }
    idl_txn_destroy(ctl->txn);
    ctl->txn = NULL;
    symtab_uninit(&ctl->symtab);
    idl_clear_changes(ctl->idl);
    return e;
}

static struct error *
run_until_done(struct dbctl *ctl, const char *comment)
{
    struct error *e;

    idl_start(ctl->idl);
    dbctl_wait_hint(ctl, connection_hint);
    for (;;) {
        const unsigned seqno = idl_seqno(ctl->idl);

        if (idl_error(ctl->idl)) {
            return error_new("%s", idl_error(ctl->idl));
        }
        if (idl_is_filled(ctl->idl)) {
            e = attempt(ctl, comment);
            if (e || !ctl->try_again || ctl->need_more) {
                return e;
            }
        }
        idl_block(ctl->idl, seqno, CLOCK_NEVER);
    }
}

/* ---- The program ---- */

static bool
any_writes(const struct dbctl *ctl)
{
    for (size_t i = 0; i < ctl->n_commands; i++) {
        if (ctl->commands[i].command->writes) {
            return true;
        }
    }
    return false;
}

static struct error *
prepare_all(struct dbctl *ctl)
{
    struct error *e = NULL;

    if (ctl->class->prepare) {
        ctl->class->prepare(ctl);
    }
    for (size_t i = 0; i < ctl->n_commands && !e; i++) {
        if (ctl->commands[i].command->prepare) {
            e = ctl->commands[i].command->prepare(&ctl->commands[i]);
        }
    }
    return e;
}

/* Connects, runs the commands, and disconnects; again with more rows if they need it. */
static struct error *
run_levels(struct dbctl *ctl, struct schema *schema, const char *comment)
{
    struct error *e;

    do {
        ctl->level += ctl->need_more;
        ctl->need_more = false;
        ctl->rows = xcalloc(schema->n_tables, sizeof *ctl->rows);
        ctl->idl = idl_create(ctl->loop, schema, ctl->db, ctl->retry || *ctl->db == 'p');
        e = prepare_all(ctl);
        set_conditions(ctl);
        e = e ? e : run_until_done(ctl, comment);
        dbctl_wait_hint(ctl, NULL);
        if (!ctl->need_more) {
            dbctl_commands_free(ctl); /* Their tables refer to the schema. */
        }
        idl_destroy(ctl->idl);
    } while (!e && ctl->need_more);
    return e;
}

int
dbctl_main(const struct dbctl_class *class, int argc, char *argv[])
{
    struct dbctl ctl = { .class = class, .wait = true, .leader_only = true, .style = TABLE_STYLE_INIT(TABLE_LIST) };
    char *args = dbctl_escape_args(argc, argv), *comment;
    struct schema *schema = class->schema();
    char *note = xasprintf("DB Schema %s", schema->version);
    struct error *e;

    cmdline_set_version_note(note);
    error_free(log_configure("console:warn")); /* Options may say otherwise. */
    error_free(log_configure("reconnect:warn"));
    dbctl_parse(&ctl, argc, argv);
    log_write(class->log, any_writes(&ctl) ? LOG_LEVEL_INFO : LOG_LEVEL_DBG, "Called as %s", args);
    comment = comment_text(args);
    ctl.schema = schema;
    ctl.loop = loop_create();
    loop_timer_init(ctl.loop, &ctl.hint, print_hint, &ctl);
    e = run_levels(&ctl, schema, comment);
    loop_destroy(ctl.loop);
    schema_unref(schema);
    free(ctl.waiting_for);
    free(ctl.db);
    free(args);
    free(comment);
    free(note);
    cmdline_fatal_error(e);
    return ctl.exit_status;
}
