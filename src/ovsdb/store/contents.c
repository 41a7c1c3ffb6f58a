#include "ovsdb/store/contents.h"

#include <stdlib.h>

#include "ovsdb/store/record.h"
#include "sys/clock.h"

enum { ROWS_BETWEEN = 64 }; /* Looks at the clock and at the length. */

/* A row that changed before the walk came to it. */
struct noted {
    struct hmap_node node; /* In contents.noted. */
    size_t table;
    uint32_t slot;
    struct tuple *tuple;   /* What was there when the walk began; null: nothing. */
};

struct contents {
    const struct db *db;
    char *comment;
    bool has_begun;
    size_t table;                    /* Where the walk is. */
    uint32_t slot;
    const struct table_schema *open; /* See record.h. */
    uint32_t *n_slots;               /* Of each table, at the beginning. */
    struct hmap noted;               /* Of struct noted, those that are ahead. */
};

struct contents *
contents_begin(const struct db *db, const char *comment)
{
    struct contents *c = xzalloc(sizeof *c);

    c->db = db;
    c->comment = comment ? xstrdup(comment) : NULL;
    c->n_slots = xcalloc(db->schema->n_tables + 1, sizeof *c->n_slots);
    for (size_t i = 0; i < db->schema->n_tables; i++) {
        c->n_slots[i] = db->tables[i].n_slots;
    }
    hmap_init(&c->noted);
    return c;
}

static void
forget(struct contents *c, struct noted *n)
{
    hmap_remove(&c->noted, &n->node);
    if (n->tuple) {
        tuple_unref(n->tuple, c->db->tables[n->table].schema);
    }
    free(n);
}

void
contents_end(struct contents *c)
{
    if (c) {
        HMAP_FOR_EACH_SAFE (n, struct noted, node, &c->noted) {
            forget(c, n);
        }
        hmap_uninit(&c->noted);
        free(c->n_slots);
        free(c->comment);
        free(c);
    }
}

static uint32_t
hash_slot(size_t table, uint32_t slot)
{
    return (slot * UINT32_C(0x9e3779b1)) ^ (uint32_t) table * UINT32_C(0x85ebca6b);
}

static struct noted *
find_noted(const struct contents *c, size_t table, uint32_t slot)
{
    HMAP_FOR_EACH_WITH_HASH (n, struct noted, node, hash_slot(table, slot), &c->noted) {
        if (n->table == table && n->slot == slot) {
            return n;
        }
    }
    return NULL;
}

static bool
is_ahead(const struct contents *c, size_t table, uint32_t slot)
{
    return slot < c->n_slots[table] && (table > c->table || (table == c->table && slot >= c->slot));
}

/* A slot that is used again belongs to another row, but what counts is what was in it at the beginning, and the first
 * change since tells that. */
void
contents_note(struct contents *c, const struct change_set *set)
{
    LIST_FOR_EACH (change, struct change, node, &set->changes) {
        size_t table = change->table->schema->index;

        if (is_ahead(c, table, change->slot) && !find_noted(c, table, change->slot)) {
            struct noted *n = xzalloc(sizeof *n);

            n->table = table;
            n->slot = change->slot;
            n->tuple = change->old ? tuple_ref(change->old) : NULL;
            hmap_insert(&c->noted, &n->node, hash_slot(table, change->slot));
        }
    }
}

static void
put_row(struct contents *c, struct str *s, const struct tuple *tuple)
{
    record_put_snapshot_row(s, &c->open, c->db->tables[c->table].schema, tuple);
}

static void
put_slot(struct contents *c, struct str *s)
{
    struct noted *n = hmap_count(&c->noted) ? find_noted(c, c->table, c->slot) : NULL;
    const struct row *row = c->db->tables[c->table].slots[c->slot];

    if (n) {
        if (n->tuple) {
            put_row(c, s, n->tuple);
        }
        forget(c, n);
    } else if (row) {
        put_row(c, s, row->tuple);
    }
    c->slot++;
}

/* Some slots of the present table; false at its end. */
static bool
put_slots(struct contents *c, struct str *s)
{
    for (int i = 0; i < ROWS_BETWEEN; i++) {
        if (c->slot >= c->n_slots[c->table]) {
            return false;
        }
        put_slot(c, s);
    }
    return true;
}

bool
contents_step(struct contents *c, struct str *s, size_t max_len, int64_t until_us)
{
    if (!c->has_begun) {
        record_put_snapshot_begin(s);
        c->has_begun = true;
    }
    while (c->table < c->db->schema->n_tables) {
        if (!put_slots(c, s)) {
            c->table++;
            c->slot = 0;
        } else if (s->len >= max_len || (until_us != INT64_MAX && clock_real_us() >= until_us)) {
            return false;
        }
    }
    record_put_snapshot_end(s, c->open, c->comment);
    return true;
}
