#include "ovsdb/engine/db.h"

#include <stdlib.h>

#include "base/hash.h"
#include "ovsdb/engine/internal.h"
#include "sys/heap.h"

#define ROWS_PER_CHECK 256 /* Of the heap, while rows are added. */

static void
table_init(struct table *t, struct db *db, const struct table_schema *schema)
{
    t->schema = schema;
    t->db = db;
    hmap_init(&t->rows);
    t->indexes = xcalloc(schema->n_indexes + 1, sizeof *t->indexes);
    for (size_t i = 0; i < schema->n_indexes; i++) {
        hmap_init(&t->indexes[i]);
    }
    list_init(&t->changes);
    list_init(&t->touched);
}

void
table_enter_row(struct table *t, struct row *row)
{
    if (t->n_free_slots) {
        row->slot = t->free_slots[--t->n_free_slots];
    } else {
        if (t->n_slots == t->slot_capacity) {
            t->slots = x2nrealloc(t->slots, &t->slot_capacity, sizeof *t->slots);
        }
        row->slot = t->n_slots++;
    }
    t->slots[row->slot] = row;
    if (!(row->slot % ROWS_PER_CHECK)) {
        heap_check();
    }
    hmap_insert(&t->rows, &row->node, uuid_hash(&row->uuid));
}

void
table_leave_row(struct row *row)
{
    struct table *t = row->table;

    if (t->n_free_slots == t->free_slot_capacity) {
        t->free_slots = x2nrealloc(t->free_slots, &t->free_slot_capacity, sizeof *t->free_slots);
    }
    t->slots[row->slot] = NULL;
    t->free_slots[t->n_free_slots++] = row->slot;
    hmap_remove(&t->rows, &row->node);
}

static void
table_uninit(struct table *t)
{
    for (uint32_t i = 0; i < t->n_slots; i++) {
        if (t->slots[i]) {
            row_unindex(t->slots[i]);
            row_free(t->slots[i]);
        }
    }
    free(t->slots);
    free(t->free_slots);
    for (size_t i = 0; i < t->schema->n_indexes; i++) {
        hmap_uninit(&t->indexes[i]);
    }
    free(t->indexes);
    hmap_uninit(&t->rows);
}

struct db *
db_create(struct schema *schema)
{
    struct db *db = xzalloc(sizeof *db);

    db->schema = schema_ref(schema);
    db->tables = xcalloc(schema->n_tables + 1, sizeof *db->tables);
    for (size_t i = 0; i < schema->n_tables; i++) {
        table_init(&db->tables[i], db, &schema->tables[i]);
    }
    list_init(&db->listeners);
    hmap_init(&db->weak_refs);
    return db;
}

void
db_destroy(struct db *db)
{
    if (!db) {
        return;
    }
    HMAP_FOR_EACH_SAFE (w, struct weak_ref, node, &db->weak_refs) {
        hmap_remove(&db->weak_refs, &w->node);
        free(w);
    }
    hmap_uninit(&db->weak_refs);
    for (size_t i = 0; i < db->schema->n_tables; i++) {
        table_uninit(&db->tables[i]);
    }
    while (!list_is_empty(&db->listeners)) {
        list_pop_front(&db->listeners);
    }
    free(db->tables);
    free(db->spare_txn);
    schema_unref(db->schema);
    free(db);
}

void
db_add_listener(struct db *db, struct db_listener *l, void (*commit)(struct db_listener *, struct change_set *))
{
    l->commit = commit;
    list_push_back(&db->listeners, &l->node);
}

void
db_remove_listener(struct db_listener *l)
{
    list_remove(&l->node);
}

struct table *
db_table(const struct db *db, const char *name)
{
    struct table_schema *t = schema_table(db->schema, name);

    return t ? &db->tables[t->index] : NULL;
}

size_t
db_n_rows(const struct db *db)
{
    size_t n = 0;

    for (size_t i = 0; i < db->schema->n_tables; i++) {
        n += db->tables[i].n_rows;
    }
    return n;
}

/* --- Rows and tuples --- */

struct row *
table_row_even_deleted(const struct table *t, const struct uuid *uuid)
{
    HMAP_FOR_EACH_WITH_HASH (row, struct row, node, uuid_hash(uuid), &t->rows) {
        if (uuid_equal(&row->uuid, uuid)) {
            return row;
        }
    }
    return NULL;
}

struct row *
table_row(const struct table *t, const struct uuid *uuid)
{
    struct row *row = table_row_even_deleted(t, uuid);

    return row && row->tuple ? row : NULL;
}

void
row_free(struct row *row)
{
    tuple_unref(row->tuple, row->table->schema);
    free(row);
}

static struct tuple *
tuple_alloc(const struct table_schema *schema)
{
    struct tuple *t = xmalloc(sizeof *t + schema->n_columns * sizeof t->fields[0]);

    t->refs = 1;
    return t;
}

struct tuple *
tuple_create(const struct table_schema *schema, const struct uuid *uuid)
{
    struct tuple *t = tuple_alloc(schema);

    table_schema_init_row(schema, t->fields);
    t->fields[COL_UUID].one.uuid = *uuid;
    return t;
}

struct tuple *
tuple_clone(const struct tuple *from, const struct table_schema *schema)
{
    struct tuple *t = tuple_alloc(schema);

    for (size_t i = 0; i < schema->n_columns; i++) {
        datum_clone(&t->fields[i], &from->fields[i], &schema->columns[i].type);
    }
    return t;
}

void
tuple_unref(struct tuple *t, const struct table_schema *schema)
{
    if (t && !--t->refs) {
        for (size_t i = 0; i < schema->n_columns; i++) {
            datum_uninit(&t->fields[i], &schema->columns[i].type);
        }
        free(t);
    }
}

struct json *
tuple_to_json(const struct tuple *t, const struct table_schema *schema, const struct column **columns, size_t n)
{
    struct json *json = js_object();

    for (size_t i = 0; i < (columns ? n : schema->n_columns); i++) {
        const struct column *c = columns ? columns[i] : &schema->columns[i];

        js_set_take(json, c->name, datum_to_json(&t->fields[c->index], &c->type));
    }
    return json;
}

size_t
tuple_memory(const struct tuple *t, const struct table_schema *schema)
{
    size_t n = sizeof *t + schema->n_columns * sizeof t->fields[0];

    for (size_t i = 0; i < schema->n_columns; i++) {
        n += datum_memory(&t->fields[i], &schema->columns[i].type);
    }
    return n;
}

/* --- Indexes --- */

uint32_t
index_hash(const struct index_schema *index, const struct datum *fields)
{
    uint32_t hash = 0;

    for (size_t i = 0; i < index->n; i++) {
        const struct column *c = index->columns[i];

        hash = datum_hash(&fields[c->index], &c->type, hash);
    }
    return hash;
}

bool
index_equal(const struct index_schema *index, const struct datum *a, const struct datum *b)
{
    for (size_t i = 0; i < index->n; i++) {
        const struct column *c = index->columns[i];

        if (!datum_equal(&a[c->index], &b[c->index], &c->type)) {
            return false;
        }
    }
    return true;
}

void
row_unindex(struct row *row)
{
    for (size_t i = 0; i < row->table->schema->n_indexes; i++) {
        struct index_node *n = &row->index_nodes[i];

        if (n->row) {
            hmap_remove(&row->table->indexes[i], &n->node);
            n->row = NULL;
        }
    }
}

void
row_index(struct row *row)
{
    const struct table_schema *schema = row->table->schema;

    for (size_t i = 0; i < schema->n_indexes; i++) {
        uint32_t hash = index_hash(&schema->indexes[i], row->tuple->fields);
        struct index_node *n = &row->index_nodes[i];

        if (n->row && n->node.hash == hash) {
            continue;
        }
        if (n->row) {
            hmap_remove(&row->table->indexes[i], &n->node);
        }
        n->row = row;
        hmap_insert(&row->table->indexes[i], &n->node, hash);
    }
}

/* --- Weak references --- */

static uint32_t
weak_ref_hash(const struct row *src, unsigned column, const struct row *dst)
{
    return hash_pointer(dst, hash_pointer(src, column));
}

static struct weak_ref *
weak_ref_find(struct row *src, unsigned column, const struct row *dst)
{
    HMAP_FOR_EACH_WITH_HASH (w, struct weak_ref, node, weak_ref_hash(src, column, dst), &src->table->db->weak_refs) {
        if (w->src == src && w->dst == dst && w->column == column) {
            return w;
        }
    }
    return NULL;
}

void
weak_ref_add(struct row *src, unsigned column, struct row *dst)
{
    struct weak_ref *w = weak_ref_find(src, column, dst);

    if (!w) {
        w = xzalloc(sizeof *w);
        w->src = src;
        w->dst = dst;
        w->column = column;
        list_push_back(&dst->weak_refs, &w->dst_node);
        hmap_insert(&src->table->db->weak_refs, &w->node, weak_ref_hash(src, column, dst));
    }
    w->n++;
}

void
weak_ref_remove(struct row *src, unsigned column, const struct row *dst)
{
    struct weak_ref *w = weak_ref_find(src, column, dst);

    if (w && !--w->n) {
        hmap_remove(&src->table->db->weak_refs, &w->node);
        list_remove(&w->dst_node);
        free(w);
    }
}
