/* The database engine: tables of rows in memory, changed by transactions.
 *
 * What it is
 * ----------
 * A 'struct db' holds a table for each table of its schema.  It knows nothing of files, sockets or clients: the log
 * (ovsdb/store) and the monitors (ovsdb/server) are listeners that get every committed change.
 *
 *   db.h      databases, tables, rows, listeners, finding rows
 *   txn.h     changing rows, commit and abort, the change set
 *   exec.h    the operations of the protocol (RFC 7047 section 5.2), as JSON
 *   convert.h the same data under another schema
 *
 * How it works
 * ------------
 * A row is a 'struct row' for its lifetime: identity, reference count, place in the indexes.  Its value is a 'struct
 * tuple', one datum for each column of the table, counted and never changed once committed, so that anyone may keep
 * one (tuple_ref()): a monitor's initial dump, a change set, a compaction.  A transaction gives the rows that it
 * touches new tuples; columns that it does not touch share their data with the old ones (copy on write).
 *
 * A row has a number, its slot, for as long as it exists.  So a long walk over a table can stop anywhere, let
 * transactions change the table, and go on: what is behind its slot has been seen, and change sets name the slots.
 *
 * The rows seen through the tables are those of the transaction in progress; there is at most one at a time and it
 * lasts from txn_begin() to txn_commit() or txn_abort() without returning to the event loop.
 *
 * Rows are found by UUID, and by the columns of each index of the schema, through hash tables; other conditions look at
 * every row.  Weak references are kept the other way round too, from the row referred to; so are, as counts, strong
 * ones.  A commit looks only at rows that the transaction touched, and at those that refer to rows it deleted.
 *
 * Threads and locks
 * -----------------
 * Everything on one thread.
 *
 * Standards
 * ---------
 * RFC 7047 sections 3 and 5; the extensions of ovsdb-server(7). */
#ifndef OVSDB_ENGINE_DB_H
#define OVSDB_ENGINE_DB_H 1

#include "base/list.h"
#include "ovsdb/data/cond.h"

struct change;
struct change_set;
struct row;
struct txn;

/* The value of a row: as many fields as the table has columns. */
struct tuple {
    uint32_t refs;
    struct datum fields[];
};

struct index_node {
    struct hmap_node node; /* In table.indexes[]; hash of the index's columns. */
    struct row *row;
};

struct row {
    struct hmap_node node;  /* In table.rows. */
    struct table *table;
    struct uuid uuid;
    uint32_t slot;          /* Its place in table.slots. */
    struct tuple *tuple;    /* Null if the transaction in progress deleted it. */
    struct change *change;  /* By the transaction in progress; null if it did not touch the row. */
    size_t n_refs;          /* Strong references from other rows. */
    struct list weak_refs;  /* Of struct weak_ref, to this row. */
    struct index_node index_nodes[]; /* One for each index of the table. */
};

struct table {
    const struct table_schema *schema;
    struct db *db;
    struct hmap rows;     /* By UUID; deleted ones too until the transaction ends. */
    struct row **slots;   /* The same rows, in the order in which they came; a row keeps its slot, which is null once
                           * it is gone and is then used again. */
    uint32_t n_slots;     /* In use, or free in between. */
    size_t slot_capacity;
    uint32_t *free_slots; /* 'n_free_slots' of them. */
    size_t n_free_slots, free_slot_capacity;
    size_t n_rows;        /* Without the deleted ones. */
    uint64_t n_atoms;     /* In the committed rows; a set has as many as elements, a map twice as many. */
    struct hmap *indexes; /* Of struct index_node, one for each index in the schema. */
    struct list changes;  /* Of struct change, by the transaction in progress. */
    struct list touched;  /* In txn.tables while 'changes' is not empty. */
};

/* Told of every commit.  The callback must not start a transaction. */
struct db_listener {
    struct list node; /* In db.listeners. */
    void (*commit)(struct db_listener *, struct change_set *); /* Borrowed; change_set_ref() to keep it. */
};

struct db {
    struct schema *schema;
    struct table *tables;  /* In the order of schema->tables. */
    struct list listeners;
    struct txn *txn;       /* In progress, or null. */
    struct txn *spare_txn; /* The last one's memory, or null. */
    struct hmap weak_refs; /* Of struct weak_ref, by source, column and destination. */
    uint64_t n_commits;    /* That changed something. */
};

/* Makes an empty database; takes a reference to the schema. */
struct db *db_create(struct schema *schema) MUST_CHECK;
/* Releases it with its rows; no transaction may be in progress. */
void db_destroy(struct db *db);

/* Listeners are called in the order in which they were added. */
void db_add_listener(struct db *db, struct db_listener *l, void (*commit)(struct db_listener *, struct change_set *));
void db_remove_listener(struct db_listener *l);

/* The table of that name; null if there is none. */
struct table *db_table(const struct db *db, const char *name);

/* The row, unless it is deleted; null if there is none. */
struct row *table_row(const struct table *t, const struct uuid *uuid);
/* The same with a deleted one. */
struct row *table_row_even_deleted(const struct table *t, const struct uuid *uuid);

/* The row in the first used slot from 'slot' on, unless it is deleted; null at the end. */
static inline struct row *
table_row_from_slot(const struct table *t, uint32_t slot)
{
    while (slot < t->n_slots && !(t->slots[slot] && t->slots[slot]->tuple)) {
        slot++;
    }
    return slot < t->n_slots ? t->slots[slot] : NULL;
}

/* Asks for the memory that looking for the row, or entering it, will read first: for one who has something else to do
 * before that. */
static inline void
table_prefetch_row(const struct table *t, const struct uuid *uuid)
{
    hmap_prefetch_bucket(&t->rows, uuid_hash(uuid));
}

/* Walks the rows; the walk must not change the table. */
#define TABLE_FOR_EACH_ROW(VAR, TABLE) \
    for (struct row *VAR = table_row_from_slot(TABLE, 0); VAR; VAR = table_row_from_slot(TABLE, VAR->slot + 1))

/* Finds the rows for which all clauses hold, through an index where the clauses allow it.  Returns a new array of '*n'
 * rows, to be released with free(). */
struct row **table_find(const struct table *t, const struct condition *where, size_t *n) MUST_CHECK;

static inline struct tuple *tuple_ref(struct tuple *t) { t->refs++; return t; }
void tuple_unref(struct tuple *t, const struct table_schema *schema);

/* The columns of a row as JSON; null 'columns' gives all. */
struct json *tuple_to_json(const struct tuple *t, const struct table_schema *schema, const struct column **columns,
                           size_t n) MUST_CHECK;

/* Approximate heap bytes of a tuple, for limits. */
size_t tuple_memory(const struct tuple *t, const struct table_schema *schema);

/* Number of rows in all tables. */
size_t db_n_rows(const struct db *db);

#endif
