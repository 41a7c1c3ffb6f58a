/* Database schemas (RFC 7047 section 3.2).
 *
 * A schema owns its tables and they their columns; all live until the last schema_unref().  Tables are sorted by name,
 * and columns too, but for columns 0 and 1, which are always "_uuid" and "_version".  A row is an array of datums in
 * the order of its table's columns. */
#ifndef OVSDB_DATA_SCHEMA_H
#define OVSDB_DATA_SCHEMA_H 1

#include "ovsdb/data/datum.h"

enum { COL_UUID = 0, COL_VERSION = 1, COL_N_STD = 2 };

struct column {
    char *name;
    char *member;         /* The name as it is in JSON objects, with quotes and colon, ... */
    size_t member_len;    /* ... and the length of that. */
    unsigned index;       /* In table_schema.columns and in rows. */
    bool is_mutable;      /* False: set on insert only. */
    bool is_persistent;   /* False: "ephemeral", not in the log. */
    bool default_is_valid; /* The type's default satisfies its constraints. */
    struct col_type type;
};

struct index_schema {
    const struct column **columns;
    size_t n;
};

struct table_schema {
    char *name;
    unsigned index;         /* In schema.tables. */
    bool is_root;           /* As the server goes by it: true for all, if the schema never says "isRoot". */
    bool says_root;         /* "isRoot": true in the text. */
    uint32_t max_rows;      /* UINT32_MAX: no limit. */
    struct column *columns; /* n_columns of them. */
    size_t n_columns;
    struct strmap by_name;  /* Name to struct column. */
    uint32_t *followers;    /* See table_schema_column_after(): index of the column behind column i - 1. */
    struct index_schema *indexes;
    size_t n_indexes;
    const struct column **strong, **weak; /* The columns that hold such references, ... */
    size_t n_strong, n_weak;              /* ... so many. */
    struct datum *defaults; /* Of each column; see table_schema_init_row(). */
    unsigned *counted;      /* Those of them that are counted, 'n_counted'. */
    size_t n_counted;
};

struct schema {
    unsigned refs;
    char *name;
    char *version; /* "x.y.z" or "". */
    char *cksum;   /* Text, "" if none. */
    struct table_schema *tables;
    size_t n_tables;
    struct strmap by_name; /* Name to struct table_schema. */
};

/* Reads a schema and checks it as a whole.  Sets '*schema', null on error. */
struct dberr *schema_from_json(struct schema **schema, const struct json *json) MUST_CHECK;

/* Reads a schema file; errors name it. */
struct dberr *schema_from_file(struct schema **schema, const char *path) MUST_CHECK;

/* The schema as JSON, a new reference. */
struct json *schema_to_json(const struct schema *schema) MUST_CHECK;

static inline struct schema *schema_ref(struct schema *s) { s->refs++; return s; }
void schema_unref(struct schema *schema);

/* Equal in everything (and for one table). */
bool schema_equal(const struct schema *a, const struct schema *b);

/* The table, or column, of that name; null if there is none. */
struct table_schema *schema_table(const struct schema *schema, const char *name);
struct column *table_schema_column(const struct table_schema *t, const char *name);
/* The same for one who looks for several, one after the other: 'before' is the one found last, null if there is
 * none.  Quick if the two came in this order the last time, too, as in rows that a program makes all alike. */
struct column *table_schema_column_after(const struct table_schema *t, const struct column *before, const char *name);
/* The same with the errors that clients get ("unknown column": "No column X in table Y."). */
struct dberr *table_schema_get_column(const struct table_schema *t, const struct json *name,
                                      const struct column **column) MUST_CHECK;

/* Sets the fields of a row, as many as the table has columns and uninitialised, to the defaults. */
void table_schema_init_row(const struct table_schema *t, struct datum *fields);

/* Whether 'text' is a version "x.y.z". */
bool schema_is_version(const char *text);
/* Compares two versions (numbers, not text). */
int schema_compare_versions(const char *a, const char *b);

/* Reads "columns" of select, wait and monitors: an array of distinct names, null for all.  Sets '*columns' to a new
 * array of '*n', to be released with free(); null on error. */
struct dberr *schema_columns_from_json(const struct table_schema *t, const struct json *json,
                                       const struct column ***columns, size_t *n) MUST_CHECK;

#endif
