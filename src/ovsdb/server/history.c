#include "ovsdb/server/history.h"

#include <stdlib.h>

#include "ovsdb/server/kept.h"

struct history_entry {
    struct list node;
    struct uuid id;
    struct change_set *set; /* May be null. */
    uint64_t n_atoms;
};

static void
remove_entry(struct history *h, struct history_entry *e)
{
    list_remove(&e->node);
    h->n--;
    h->n_atoms -= e->n_atoms;
    change_set_unref(e->set);
    free(e);
}

void
history_init(struct history *h)
{
    *h = (struct history) { .n = 0 };
    list_init(&h->entries);
}

void
history_clear(struct history *h)
{
    LIST_FOR_EACH_SAFE (e, struct history_entry, node, &h->entries) {
        remove_entry(h, e);
    }
}

static uint64_t
atoms_of_tuple(const struct tuple *t, const struct table_schema *schema)
{
    uint64_t n = COL_N_STD;

    for (size_t i = COL_N_STD; i < schema->n_columns; i++) {
        n += (uint64_t) t->fields[i].n * (type_is_map(&schema->columns[i].type) ? 2 : 1);
    }
    return n;
}

/* Of the rows that would not be there any more without the change; of new ones, too, since these may go. */
static uint64_t
atoms_of_set(const struct change_set *set)
{
    uint64_t n = 0;

    LIST_FOR_EACH (c, struct change, node, &set->changes) {
        n += atoms_of_tuple(c->old ? c->old : c->new, c->table->schema);
    }
    return n;
}

static uint64_t
atoms_of_db(const struct db *db)
{
    uint64_t n = 0;

    for (size_t i = 0; i < db->schema->n_tables; i++) {
        n += db->tables[i].n_atoms;
    }
    return n;
}

void
history_add(struct history *h, const struct db *db, const struct uuid *id, struct change_set *set)
{
    struct history_entry *e = xzalloc(sizeof *e);

    e->id = *id;
    e->set = set ? change_set_ref(set) : NULL;
    e->n_atoms = set ? atoms_of_set(set) : 0;
    list_push_back(&h->entries, &e->node);
    h->n++;
    h->n_atoms += e->n_atoms;
    while (h->n > 1 && (h->n > HISTORY_MAX || h->n_atoms > atoms_of_db(db))) {
        remove_entry(h, CONTAINER_OF(h->entries.next, struct history_entry, node));
    }
}

bool
history_ends_with(const struct history *h, const struct uuid *id)
{
    return h->n && uuid_equal(&CONTAINER_OF(h->entries.prev, struct history_entry, node)->id, id);
}

struct kept *
history_since(const struct history *h, const struct db *db, const struct uuid *id)
{
    struct kept *kept = NULL;

    LIST_FOR_EACH (e, struct history_entry, node, &h->entries) {
        if (kept && e->set) {
            LIST_FOR_EACH (c, struct change, node, &e->set->changes) {
                kept_add(kept, c, false);
            }
        } else if (!kept && uuid_equal(&e->id, id)) {
            kept = kept_create(db->schema);
        }
    }
    return kept;
}
