/* Commands on a database from a command line: what ovs-vsctl, vtep-ctl and the like have in common.
 *
 * What it is
 * ----------
 * A program gives dbctl_main() its class: the schema, its own commands, how records may be named, what "show" shows,
 * and some hooks.  dbctl_main() reads the command line ("[options] [--opt] command [args] -- ..."), asks every command
 * which columns it needs, connects, runs all commands as one transaction, prints what they put out, and exits.
 *
 * How a run goes
 * --------------
 *   parse        options and commands; mistakes are found before there is a connection
 *   prepare()    of each command: which columns and rows it needs, dbctl_add_column() and its like
 *   attempt:     begin() hook, run() of each command; if one says try_again, or the commit fails because the database
 *                has changed meanwhile, wait for a change and attempt again: commands must not keep state
 *   finish()     of each command, with the final uuids of new rows
 *   committed()  hook: wait for the daemon
 *
 * A command costs what it touches: prepare() asks for few rows (level 0).  If run() finds that these do not tell
 * everything, it calls dbctl_need_more(), and all starts again at the next level, where prepare() asks for more; at
 * DBCTL_LEVEL_ALL it must ask for everything.
 *
 * Where the run waits for something for more than three seconds it says on stderr for what.
 *
 * Errors: functions return 'struct error *', which ends the program with status 1 and "PROGRAM: TEXT".
 *
 * Threads: main thread. */
#ifndef CMD_DBCTL_DBCTL_H
#define CMD_DBCTL_DBCTL_H 1

#include <limits.h>

#include "cmd/table.h"
#include "ovsdb/idl/idl.h"
#include "sys/cmdline.h"
#include "sys/log.h"

struct dbctl;
struct dbctl_class;

/* A command of the command line. */
struct dbctl_ctx {
    struct dbctl *ctl;
    const struct dbctl_command *command;
    int argc;               /* argv[0] is the command's name. */
    char **argv;
    struct strmap options;  /* "--may-exist" to its argument ("" if it takes none); char *. */
    struct str output;      /* What it prints; or ... */
    struct table *table;    /* ... a table; null if none. */
};

struct dbctl_command {
    const char *name;
    int min_args, max_args;  /* max_args INT_MAX: any number. */
    const char *arguments;   /* For --commands: '!' needed, '?' optional, '*' any number, '+' at least one. */
    const char *options;     /* "--may-exist,--id=": '=' takes an argument. */
    bool writes;             /* May change the database. */
    struct error *(*prepare)(struct dbctl_ctx *); /* May be null. */
    struct error *(*run)(struct dbctl_ctx *);
    void (*finish)(struct dbctl_ctx *);           /* May be null. */
};

/* Commands of one file. */
struct dbctl_part {
    const struct dbctl_command *commands;
    size_t n;
};

/* For completion: what the arguments called 'placeholder' may be. */
struct dbctl_words {
    const char *placeholder;
    cmdline_words *put;
};

/* One way to name a record of 'table', beside its uuid. */
struct dbctl_name {
    unsigned table;
    enum { DBCTL_BY_COLUMN, DBCTL_ONLY_ROW, DBCTL_BY_REFERENCE } kind;
    unsigned name_table, name_column; /* Where the name stands (BY_COLUMN: in 'table' itself). */
    unsigned uuid_column;             /* BY_REFERENCE: the column of 'name_table' that refers to the record. */
};

/* How "show" prints the rows of a table; the first one is the top. */
struct dbctl_show {
    unsigned table;
    int name_column;     /* -1: the uuid. */
    int columns[8];      /* Up to a 0. */
};

struct dbctl_class {
    struct schema *(*schema)(void);
    const struct dbctl_part *parts;             /* Its own commands; those that all programs have come behind. */
    size_t n_parts;
    const struct dbctl_name *names;
    size_t n_names;
    const struct dbctl_show *show;
    size_t n_show;
    const struct dbctl_words *words;            /* Without a placeholder behind the last. */
    bool is_plain;                              /* No daemon to wait for, no clusters, no completion: without the global
                                                 * options for these. */
    struct log_module *log;                     /* For "Called as ...". */
    void (*usage)(const struct dbctl_class *);  /* Prints the help text. */
    void (*prepare)(struct dbctl *);            /* Columns that every run needs; may be null. */
    struct error *(*begin)(struct dbctl *);     /* At the start of each attempt; may be null. */
    void (*end)(struct dbctl *);                /* At its end: drop what was built from rows; may be null. */
    /* After the commands of an attempt and before the commit; may be null. */
    void (*before_commit)(struct dbctl *);
    /* After a successful commit that changed something; returns the exit status.  May be null. */
    int (*committed)(struct dbctl *);
};

struct dbctl {
    const struct dbctl_class *class;
    struct idl *idl;
    const struct schema *schema;
    struct loop *loop;
    struct idl_txn *txn;       /* Null outside attempts. */
    struct symtab symtab;      /* "@name"; new for each attempt. */
    struct dbctl_ctx *commands;
    size_t n_commands;
    char *db;
    bool dry_run, oneline, retry, wait, leader_only;
    struct table_style style;
    unsigned level;            /* How much prepare() is to ask for. */
    bool need_more;            /* dbctl_need_more() was called. */
    struct dbctl_rows *rows;   /* Per table: the rows asked for. */
    /* Set by a command: this attempt is of no use until the database changes; why, for messages (owned). */
    bool try_again;
    char *waiting_for;
    int exit_status;           /* Not 0: stop at once, without a message. */
    struct loop_timer hint;
    char *(*hint_text)(struct dbctl *); /* What is being waited for; null: not waiting. */
    void *aux;                 /* The program's. */
};

/* Runs the program and returns its exit status. */
int dbctl_main(const struct dbctl_class *class, int argc, char *argv[]);

/* For usage(): the sections that all programs share. */
void dbctl_usage_database_commands(void);
void dbctl_usage_names(const struct dbctl_class *class);
void dbctl_usage_options(const struct dbctl_class *class, const char *wait_help);

/* Whether an option was given; its argument, null if it was not. */
static inline bool
dbctl_has(const struct dbctl_ctx *ctx, const char *option)
{
    return strmap_find(&ctx->options, option);
}
static inline const char *
dbctl_option(const struct dbctl_ctx *ctx, const char *option)
{
    return strmap_get(&ctx->options, option);
}

/* In prepare(): 'column' of all rows of 'table' is needed (COL_UUID: only which rows there are). */
void dbctl_add_column(struct dbctl *ctl, unsigned table, unsigned column);
/* The same of the rows that others ask for: with the next ones, of those where 'column' is 'value' (taken over). */
void dbctl_add_column_only(struct dbctl *ctl, unsigned table, unsigned column);
void dbctl_add_rows_take(struct dbctl *ctl, unsigned table, unsigned column, struct json *value);
/* What dbctl_find_row() needs to find 'record'. */
void dbctl_add_record(struct dbctl *ctl, const struct table_schema *table, const char *record);
/* In run(): what this attempt does is of no use, more rows are needed. */
void dbctl_need_more(struct dbctl *ctl);
enum { DBCTL_LEVEL_ALL = 2 };

/* From now on, after three seconds, 'text' says what is being waited for (null: nothing). */
void dbctl_wait_hint(struct dbctl *ctl, char *(*text)(struct dbctl *));

/* ---- names (names.c) ---- */

/* Find by a name or its unique abbreviation, case and hyphens aside. */
struct error *dbctl_find_table(const struct schema *schema, const char *name, const struct table_schema **table)
    MUST_CHECK;
struct error *dbctl_find_column(const struct table_schema *table, const char *name, const struct column **column)
    MUST_CHECK;
/* The row that 'record' names; null (and no error) if there is none and 'must_exist' is false. */
struct error *dbctl_find_row(struct dbctl *ctl, const struct table_schema *table, const char *record, bool must_exist,
                             const struct idl_row **row) MUST_CHECK;

/* ---- terms (term.c): COLUMN[:KEY][OP VALUE] ---- */

enum dbctl_term_kind { DBCTL_TERM_COLUMN, DBCTL_TERM_SET, DBCTL_TERM_CONDITION };
struct dbctl_term {
    const struct column *column;
    char *key;          /* As written; null if none. */
    int op;             /* In the table of operators. */
    const char *value;  /* As written; points into the argument. */
};
struct error *dbctl_term_parse(struct dbctl_term *term, const struct table_schema *table, const char *text,
                               enum dbctl_term_kind kind) MUST_CHECK;
void dbctl_term_uninit(struct dbctl_term *term);
/* Whether the row satisfies a condition. */
struct error *dbctl_term_holds(struct dbctl *ctl, const struct dbctl_term *term, const struct idl_row *row, bool *holds)
    MUST_CHECK;
/* Does what COLUMN[:KEY]=VALUE says.  A read-only column can be set in a new row only. */
struct error *dbctl_set(struct dbctl *ctl, const struct idl_row *row, const char *text) MUST_CHECK;
/* prepare() for any term: there must be such a column; the rest is looked at by run(). */
struct error *dbctl_prepare_term(struct dbctl *ctl, const struct table_schema *table, const char *text,
                                 const struct column **column) MUST_CHECK;
/* A column that a command may change, by a name that is all of an argument. */
struct error *dbctl_find_settable_column(const struct table_schema *table, const char *name,
                                         const struct column **column) MUST_CHECK;

/* ---- controllers and managers (targets.c): a column of references to rows that have a target ---- */

struct dbctl_targets {
    unsigned column;                      /* Of the row that has them. */
    unsigned table;                       /* Where they are. */
    unsigned target_column, probe_column; /* There. */
};
/* Prints their targets; deletes them; replaces them by the arguments from 'first' on, with --inactivity-probe. */
void dbctl_put_targets(struct dbctl_ctx *ctx, const struct idl_row *row, const struct dbctl_targets *);
void dbctl_delete_targets(const struct idl_row *row, const struct dbctl_targets *);
void dbctl_set_targets(struct dbctl_ctx *ctx, const struct idl_row *row, const struct dbctl_targets *, int first);

/* Sorted names with line ends; 'strings' of 'n', put into ctx->output. */
void dbctl_put_sorted(struct dbctl_ctx *ctx, const char **strings, size_t n);

/* ---- the generic commands (read.c, write.c, show.c) ---- */
extern const struct dbctl_command dbctl_read_commands[], dbctl_write_commands[];
extern const size_t dbctl_n_read_commands, dbctl_n_write_commands;
struct error *dbctl_show_prepare(struct dbctl_ctx *ctx) MUST_CHECK;
struct error *dbctl_show_run(struct dbctl_ctx *ctx) MUST_CHECK;

/* Rows of a table in the order of their uuids; null-terminated, to be released with free(). */
const struct idl_row **dbctl_rows(struct dbctl *ctl, unsigned table) MUST_CHECK;

#endif
