/* Finding rows: by UUID, through an index, or by looking at each. */
#include <stdlib.h>

#include "ovsdb/engine/internal.h"

struct found {
    struct row **rows;
    size_t n, capacity;
};

static void
consider(struct found *f, struct row *row, const struct condition *where)
{
    if (row->tuple && condition_all(where, row->tuple->fields)) {
        if (f->n >= f->capacity) {
            f->rows = x2nrealloc(f->rows, &f->capacity, sizeof *f->rows);
        }
        f->rows[f->n++] = row;
    }
}

/* The argument of a clause that wants 'column' equal to something; null if there is none. */
static const struct datum *
equality(const struct condition *where, const struct column *column)
{
    for (size_t i = 0; i < where->n; i++) {
        if (where->clauses[i].column == column && where->clauses[i].function == COND_EQ) {
            return &where->clauses[i].arg;
        }
    }
    return NULL;
}

/* Hashes what the clauses want of the index's columns; false if they do not fix all of them. */
static bool
wanted_hash(const struct index_schema *index, const struct condition *where, uint32_t *hash)
{
    *hash = 0;
    for (size_t i = 0; i < index->n; i++) {
        const struct datum *d = equality(where, index->columns[i]);

        if (!d) {
            return false;
        }
        *hash = datum_hash(d, &index->columns[i]->type, *hash);
    }
    return true;
}

static bool
find_by_index(const struct table *t, const struct condition *where, struct found *f)
{
    for (size_t i = 0; i < t->schema->n_indexes; i++) {
        uint32_t hash;

        if (wanted_hash(&t->schema->indexes[i], where, &hash)) {
            HMAP_FOR_EACH_WITH_HASH (n, struct index_node, node, hash, &t->indexes[i]) {
                consider(f, n->row, where);
            }
            return true;
        }
    }
    return false;
}

struct row **
table_find(const struct table *t, const struct condition *where, size_t *n)
{
    const struct datum *uuid = where->n ? equality(where, &t->schema->columns[COL_UUID]) : NULL;
    struct found f = { NULL, 0, 0 };

    if (uuid) {
        struct row *row = table_row(t, &datum_keys(uuid)->uuid);

        if (row) {
            consider(&f, row, where);
        }
    } else if (!where->n || !find_by_index(t, where, &f)) {
        TABLE_FOR_EACH_ROW (row, t) {
            consider(&f, row, where);
        }
    }
    *n = f.n;
    return f.rows;
}
