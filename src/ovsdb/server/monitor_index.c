#include "ovsdb/server/monitor_index.h"

#include <stdlib.h>

#include "base/hash.h"

/* A spec wants to hear of rows with some value, or of all of a table. */
struct watch {
    struct hmap_node node;     /* In monitor_index.values, unless it is for all. */
    struct list always_node;   /* In table_watch.always, if it is. */
    struct monitor_spec *spec;
    unsigned *count;           /* In struct table_watch; null if it is for all. */
};

struct table_watch {
    struct list always;           /* Of struct watch. */
    unsigned *n_equal;            /* For each column: watches for values, ... */
    unsigned *n_includes;         /* ... and for elements. */
};

struct monitor_index {
    struct hmap values;           /* Of struct watch, by table, column, function and value. */
    struct table_watch *tables;
    size_t n_tables;
    size_t n_specs;
};

static struct monitor_index *
index_create(const struct schema *schema)
{
    struct monitor_index *index = xzalloc(sizeof *index);

    hmap_init(&index->values);
    index->n_tables = schema->n_tables;
    index->tables = xcalloc(schema->n_tables, sizeof *index->tables);
    for (size_t i = 0; i < schema->n_tables; i++) {
        list_init(&index->tables[i].always);
        index->tables[i].n_equal = xcalloc(schema->tables[i].n_columns, sizeof(unsigned));
        index->tables[i].n_includes = xcalloc(schema->tables[i].n_columns, sizeof(unsigned));
    }
    return index;
}

static void
index_destroy(struct monitor_index *index)
{
    for (size_t i = 0; i < index->n_tables; i++) {
        free(index->tables[i].n_equal);
        free(index->tables[i].n_includes);
    }
    hmap_uninit(&index->values);
    free(index->tables);
    free(index);
}

/* --- Values --- */

static uint32_t
basis(const struct table_schema *table, const struct column *c, enum cond_function f)
{
    return hash_u64((uint64_t) table->index << 32 | c->index << 1 | (f == COND_EQ), 0);
}

static uint32_t
element_hash(const struct datum *d, size_t i, const struct col_type *type, uint32_t hash)
{
    hash = atom_hash(&datum_keys(d)[i], type->key.type, hash);
    return type_is_map(type) ? atom_hash(&datum_values(d)[i], type->value.type, hash) : hash;
}

static uint32_t
value_hash(const struct datum *d, const struct col_type *type, uint32_t hash)
{
    for (size_t i = 0; i < d->n; i++) {
        hash = element_hash(d, i, type, hash);
    }
    return hash_u32(d->n, hash);
}

/* Whether the clause can be watched for by value; one that never holds needs no watch, which says 'never'. */
static bool
is_indexed(const struct clause *c, bool *never)
{
    *never = c->function == COND_FALSE;
    return *never || c->function == COND_EQ || (c->function == COND_INCLUDES && c->arg.n == 1);
}

static bool
all_indexed(const struct condition *where)
{
    bool never, all = where->n > 0;

    for (size_t i = 0; i < where->n && all; i++) {
        all = is_indexed(&where->clauses[i], &never);
    }
    return all;
}

/* --- Entering --- */

static void
watch_value(struct monitor_index *index, struct watch *w, const struct monitor_table *mt, const struct clause *c)
{
    const struct table_schema *schema = mt->table->schema;
    struct table_watch *tw = &index->tables[schema->index];
    uint32_t hash = basis(schema, c->column, c->function);

    if (c->function == COND_EQ) {
        hash = value_hash(&c->arg, &c->column->type, hash);
        w->count = &tw->n_equal[c->column->index];
    } else {
        hash = element_hash(&c->arg, 0, &c->column->type, hash);
        w->count = &tw->n_includes[c->column->index];
    }
    ++*w->count;
    hmap_insert(&index->values, &w->node, hash);
}

static void
watch_table(struct monitor_index *index, struct monitor_spec *spec, struct monitor_table *mt)
{
    bool by_value = all_indexed(&mt->where), never;

    mt->watches = xcalloc(MAX(mt->where.n, 1), sizeof *mt->watches);
    for (size_t i = 0; i < (by_value ? mt->where.n : 1); i++) {
        struct watch *w = &mt->watches[mt->n_watches];

        w->spec = spec;
        list_init(&w->always_node);
        if (!by_value) {
            list_push_back(&index->tables[mt->table->schema->index].always, &w->always_node);
        } else if (is_indexed(&mt->where.clauses[i], &never) && never) {
            continue;
        } else {
            watch_value(index, w, mt, &mt->where.clauses[i]);
        }
        mt->n_watches++;
    }
}

void
monitor_index_add(struct monitor_spec *spec)
{
    struct served_db *db = spec->db;

    if (!db->monitor_index) {
        db->monitor_index = index_create(db->db->schema);
    }
    db->monitor_index->n_specs++;
    list_init(&spec->found_node);
    for (size_t i = 0; i < db->monitor_index->n_tables; i++) {
        if (spec->tables[i].table) {
            watch_table(db->monitor_index, spec, &spec->tables[i]);
        }
    }
}

void
monitor_index_remove(struct monitor_spec *spec)
{
    struct monitor_index *index = spec->db->monitor_index;

    for (size_t i = 0; i < index->n_tables; i++) {
        struct monitor_table *mt = &spec->tables[i];

        for (size_t j = 0; j < mt->n_watches; j++) {
            struct watch *w = &mt->watches[j];

            if (w->count) {
                --*w->count;
                hmap_remove(&index->values, &w->node);
            } else {
                list_remove(&w->always_node);
            }
        }
        free(mt->watches);
        mt->watches = NULL;
        mt->n_watches = 0;
    }
    list_remove(&spec->found_node);
    if (!--index->n_specs) {
        index_destroy(index);
        spec->db->monitor_index = NULL;
    }
}

/* --- Finding --- */

static void
note(struct monitor_spec *spec, struct list *found)
{
    if (list_is_empty(&spec->found_node)) {
        list_push_back(found, &spec->found_node);
    }
}

static void
find_hash(const struct monitor_index *index, uint32_t hash, struct list *found)
{
    HMAP_FOR_EACH_WITH_HASH (w, struct watch, node, hash, &index->values) {
        note(w->spec, found);
    }
}

static void
find_tuple(const struct monitor_index *index, const struct table_schema *schema, const struct tuple *t,
           struct list *found)
{
    const struct table_watch *tw = &index->tables[schema->index];

    for (size_t i = 0; t && i < schema->n_columns; i++) {
        const struct column *c = &schema->columns[i];
        const struct datum *d = &t->fields[i];

        if (tw->n_equal[i]) {
            find_hash(index, value_hash(d, &c->type, basis(schema, c, COND_EQ)), found);
        }
        for (size_t j = 0; tw->n_includes[i] && j < d->n; j++) {
            find_hash(index, element_hash(d, j, &c->type, basis(schema, c, COND_INCLUDES)), found);
        }
    }
}

void
monitor_index_find(struct served_db *db, const struct change_set *set, struct list *found)
{
    const struct monitor_index *index = db->monitor_index;
    const struct table_schema *last = NULL;

    if (!index) {
        return;
    }
    LIST_FOR_EACH (c, struct change, node, &set->changes) {
        const struct table_schema *schema = c->table->schema;

        if (schema != last) { /* Changes of a table stand together. */
            LIST_FOR_EACH (w, struct watch, always_node, &index->tables[schema->index].always) {
                note(w->spec, found);
            }
            last = schema;
        }
        find_tuple(index, schema, c->old, found);
        find_tuple(index, schema, c->new, found);
    }
}
