#include "ovsdb/server/kept.h"

#include <stdlib.h>

struct kept *
kept_create(const struct schema *schema)
{
    struct kept *k = xzalloc(sizeof *k);

    k->schema = schema;
    k->tables = xcalloc(schema->n_tables, sizeof *k->tables);
    for (size_t i = 0; i < schema->n_tables; i++) {
        hmap_init(&k->tables[i]);
    }
    return k;
}

static void
row_free(struct kept_row *row, const struct table_schema *schema)
{
    tuple_unref(row->old, schema);
    tuple_unref(row->new, schema);
    free(row);
}

void
kept_destroy(struct kept *k)
{
    if (!k) {
        return;
    }
    for (size_t i = 0; i < k->schema->n_tables; i++) {
        HMAP_FOR_EACH_SAFE (row, struct kept_row, node, &k->tables[i]) {
            hmap_remove(&k->tables[i], &row->node);
            row_free(row, &k->schema->tables[i]);
        }
        hmap_uninit(&k->tables[i]);
    }
    free(k->tables);
    free(k);
}

static struct kept_row *
find(const struct kept *k, size_t table, const struct uuid *uuid)
{
    HMAP_FOR_EACH_WITH_HASH (row, struct kept_row, node, uuid_hash(uuid), &k->tables[table]) {
        if (uuid_equal(&row->uuid, uuid)) {
            return row;
        }
    }
    return NULL;
}

const struct kept_row *
kept_find(const struct kept *k, size_t table, const struct uuid *uuid)
{
    return hmap_count(&k->tables[table]) ? find(k, table, uuid) : NULL;
}

void
kept_add(struct kept *k, const struct change *c, bool is_late)
{
    size_t table = c->table->schema->index;
    struct kept_row *row = find(k, table, &c->uuid);

    if (!row) {
        row = xzalloc(sizeof *row);
        row->uuid = c->uuid;
        row->is_late = is_late;
        row->old = c->old ? tuple_ref(c->old) : NULL;
        hmap_insert(&k->tables[table], &row->node, uuid_hash(&row->uuid));
    } else {
        tuple_unref(row->new, c->table->schema);
    }
    row->new = c->new ? tuple_ref(c->new) : NULL;
    if (!row->old && !row->new) {
        hmap_remove(&k->tables[table], &row->node); /* Came and went meanwhile. */
        row_free(row, c->table->schema);
    }
}

struct shared_text *
kept_encode(const struct kept *k, const struct monitor_spec *spec)
{
    struct update_writer w;

    update_writer_init(&w, spec);
    for (size_t i = 0; i < k->schema->n_tables; i++) {
        HMAP_FOR_EACH (row, struct kept_row, node, &k->tables[i]) {
            struct row_change rc = { .uuid = &row->uuid, .old = row->old, .new = row->new };

            update_writer_put(&w, &spec->tables[i], &rc);
        }
    }
    return update_writer_finish(&w);
}
