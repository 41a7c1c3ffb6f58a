/* Sorted indexes: skip lists, so that a change costs the logarithm of the number of rows. */
#include <assert.h>
#include <stdlib.h>

#include "ovsdb/idl/idl_private.h"
#include "sys/random.h"

enum { MAX_LEVELS = 20 }; /* A quarter of the nodes of a level are in the next: enough for any memory. */

struct index_node {
    const struct idl_row *row;
    struct index_node *next[]; /* Per level. */
};

struct idl_index {
    struct list node;          /* In the table's indexes. */
    struct idl_table *table;
    struct idl_order *columns;
    size_t n_columns;
    size_t n_levels;           /* In use. */
    struct index_node *head[MAX_LEVELS];
    uint64_t coins;            /* Random bits that are left for the levels of new nodes. */
};

/* What the server has of the first 'n' columns of 'row', compared with 'values'. */
static int
compare_values(const struct idl_index *index, const struct idl_row *row, const struct datum *const *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const unsigned column = index->columns[i].column;
        const int c = datum_compare(&row->fields[column], values[i], &index->table->schema->columns[column].type);

        if (c) {
            return index->columns[i].descending ? -c : c;
        }
    }
    return 0;
}

static int
compare_rows(const struct idl_index *index, const struct idl_row *a, const struct idl_row *b)
{
    for (size_t i = 0; i < index->n_columns; i++) {
        const unsigned column = index->columns[i].column;
        const struct datum *value = &b->fields[column];
        const int c = datum_compare(&a->fields[column], value, &index->table->schema->columns[column].type);

        if (c) {
            return index->columns[i].descending ? -c : c;
        }
    }
    return memcmp(&a->uuid, &b->uuid, sizeof a->uuid);
}

/* The places, per level, after which 'row' is or would be. */
static void
find_row(struct idl_index *index, const struct idl_row *row, struct index_node **places[MAX_LEVELS])
{
    struct index_node **next = index->head;

    for (size_t level = index->n_levels; level-- > 0;) {
        while (next[level] && compare_rows(index, next[level]->row, row) < 0) {
            next = next[level]->next;
        }
        places[level] = &next[level];
    }
}

static size_t
random_levels(struct idl_index *index)
{
    size_t n = 1;

    do {
        if (index->coins < 4) {
            index->coins = random_u64(sys_random()) | UINT64_C(1) << 63;
        }
        index->coins >>= 2;
    } while (!(index->coins & 3) && ++n < MAX_LEVELS);
    return n;
}

static void
index_add(struct idl_index *index, const struct idl_row *row)
{
    const size_t n = random_levels(index);
    struct index_node **places[MAX_LEVELS], *new = xmalloc(sizeof *new + n * sizeof *new->next);

    new->row = row;
    for (; index->n_levels < n; index->n_levels++) {
        index->head[index->n_levels] = NULL;
    }
    find_row(index, row, places);
    for (size_t i = 0; i < n; i++) {
        new->next[i] = *places[i];
        *places[i] = new;
    }
}

static void
index_remove(struct idl_index *index, const struct idl_row *row)
{
    struct index_node **places[MAX_LEVELS], *found;

    find_row(index, row, places);
    found = *places[0];
    assert(found && found->row == row);
    for (size_t i = 0; i < index->n_levels && *places[i] == found; i++) {
        *places[i] = found->next[i];
    }
    free(found);
}

void
idl_indexes_add(const struct idl_row *row)
{
    LIST_FOR_EACH (index, struct idl_index, node, &row->table->indexes) {
        index_add(index, row);
    }
}

void
idl_indexes_remove(const struct idl_row *row)
{
    LIST_FOR_EACH (index, struct idl_index, node, &row->table->indexes) {
        index_remove(index, row);
    }
}

static bool
has_column(const struct idl_index *index, unsigned column)
{
    for (size_t i = 0; i < index->n_columns; i++) {
        if (index->columns[i].column == column) {
            return true;
        }
    }
    return false;
}

void
idl_indexes_column(const struct idl_row *row, unsigned column, bool add)
{
    LIST_FOR_EACH (index, struct idl_index, node, &row->table->indexes) {
        if (has_column(index, column)) {
            (add ? index_add : index_remove)(index, row);
        }
    }
}

void
idl_indexes_destroy(struct idl_table *t)
{
    LIST_FOR_EACH_SAFE (index, struct idl_index, node, &t->indexes) {
        for (struct index_node *node = index->n_levels ? index->head[0] : NULL, *next; node; node = next) {
            next = node->next[0];
            free(node);
        }
        list_remove(&index->node);
        free(index->columns);
        free(index);
    }
}

struct idl_index *
idl_index_create(struct idl *idl, unsigned table, const struct idl_order *columns, size_t n_columns)
{
    struct idl_table *t = &idl->tables[table];
    struct idl_index *index = xzalloc(sizeof *index);

    index->table = t;
    index->n_columns = n_columns;
    index->columns = xmalloc(n_columns * sizeof *columns);
    memcpy(index->columns, columns, n_columns * sizeof *columns);
    list_push_back(&t->indexes, &index->node);
    HMAP_FOR_EACH (row, struct idl_row, node, &t->rows) {
        if (!(row->overlay && row->overlay->inserted)) {
            index_add(index, row);
        }
    }
    return index;
}

/* ---- Searching ---- */

static const struct idl_row *
current(struct idl_range *r)
{
    const struct idl_row *row = r->node ? r->node->row : NULL;

    return row && compare_values(r->index, row, r->to, r->n_to) <= 0 ? row : NULL;
}

const struct idl_row *
idl_range_first(struct idl_range *r, const struct idl_index *index, const struct datum *const *from, size_t n_from,
                const struct datum *const *to, size_t n_to)
{
    struct index_node *const *next = index->head;

    *r = (struct idl_range) { .index = index, .to = to, .n_to = n_to };
    for (size_t level = index->n_levels; level-- > 0;) {
        while (next[level] && compare_values(index, next[level]->row, from, n_from) < 0) {
            next = next[level]->next;
        }
        r->node = next[level];
    }
    return current(r);
}

const struct idl_row *
idl_range_next(struct idl_range *r)
{
    r->node = r->node->next[0];
    return current(r);
}

const struct idl_row *
idl_index_find(const struct idl_index *index, const struct datum *const *values, size_t n)
{
    struct idl_range range;

    return idl_range_first(&range, index, values, n, values, n);
}
