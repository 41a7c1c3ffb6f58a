/* What a monitor shows: tables, columns, conditions; and how changes of rows are written for it.
 *
 * Specs are counted and shared: two monitors that ask for the same thing have the same one. */
#ifndef OVSDB_SERVER_MONITOR_SPEC_H
#define OVSDB_SERVER_MONITOR_SPEC_H 1

#include "ovsdb/server/internal.h"

enum { SELECT_INITIAL = 1, SELECT_INSERT = 2, SELECT_DELETE = 4, SELECT_MODIFY = 8, SELECT_ALL = 15 };

struct monitor_column {
    const struct column *column;
    unsigned select;             /* Kinds of change in which it is shown. */
};

struct monitor_table {
    struct table *table;         /* Null if it is not monitored. */
    struct monitor_column *columns;
    size_t n_columns;
    unsigned select;             /* Of any column, or of the table's requests. */
    struct condition where;      /* Any clause; none: every row. */
    struct watch *watches;       /* In the index: 'n_watches' of them. */
    size_t n_watches;
};

struct monitor_spec {
    struct hmap_node node;       /* In served_db.specs. */
    char *key;                   /* Canonical text. */
    unsigned refs;
    struct served_db *db;
    bool old_style;              /* "monitor": updates have "old" and "new". */
    struct monitor_table *tables; /* One for each table of the schema. */
    struct list monitors;        /* Of struct monitor. */
    struct list found_node;      /* See monitor_index_find(). */
    struct snapshot *snapshot;       /* Under way, or null. */
    struct snapshot_text *initial;   /* The last one, until the next commit; null if it is not to be had. */
};

/* A change of one row: 'old' is null for an insert, 'new' for a deletion.  'change' tells which columns differ if it is
 * not null. */
struct row_change {
    const struct uuid *uuid;
    const struct tuple *old, *new;
    const struct change *change;
};

/* Reads the requests of "monitor" and its like: the object {table: request or array of requests}. */
struct dberr *monitor_spec_parse(struct served_db *, bool old_style, const struct json *requests,
                                 struct monitor_spec **)
    MUST_CHECK;
/* A copy of 'old' with the conditions that {table: [{"where": ...}]} names; tables that it does not name
 * keep theirs. */
struct dberr *monitor_spec_change(const struct monitor_spec *old, const struct json *requests, struct monitor_spec **)
    MUST_CHECK;
struct monitor_spec *monitor_spec_ref(struct monitor_spec *);
void monitor_spec_unref(struct monitor_spec *);

/* Writing an object {table: {uuid: update}}: begin, any number of rows with those of a table together, end. */
struct update_writer {
    const struct monitor_spec *spec;
    struct str text;
    const struct monitor_table *open; /* The table whose object is begun. */
};
void update_writer_init(struct update_writer *, const struct monitor_spec *);
/* Writes a change as the spec shows it, which may be nothing. */
void update_writer_put(struct update_writer *, const struct monitor_table *, const struct row_change *);
/* Writes a row as it is at the beginning. */
void update_writer_put_initial(struct update_writer *, const struct monitor_table *, const struct uuid *,
                               const struct tuple *);
/* Writes what the change from the conditions of 'before' makes of a row. */
void update_writer_put_condition(struct update_writer *, const struct monitor_table *before,
                                 const struct monitor_table *,
                                 const struct row *);
/* Ends the text, which may be an empty object. */
void update_writer_close(struct update_writer *);
/* Ends it and returns it, for the caller; null if nothing was put. */
struct shared_text *update_writer_finish(struct update_writer *) MUST_CHECK;

#endif
