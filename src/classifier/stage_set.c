#include "classifier/stage_set.h"

void
cls_stage_set_uninit(struct cls_stage_set *s)
{
    slot_table_uninit(&s->table);
}

uint32_t
cls_stage_set_get_rcu(const struct cls_stage_set *s, uint64_t hash)
{
    const struct slot_array *set = slot_table_get_rcu(&s->table);
    uint32_t h = cls_stage_set_key(hash);

    if (!set) {
        return 0;
    }
    for (size_t i = h >> 1 & set->mask;; i = (i + 1) & set->mask) {
        uint64_t slot = slot_at(set, i);

        if (!slot || slot >> 32 == h) {
            return slot;
        }
    }
}

void
cls_stage_set_prefetch_rcu(const struct cls_stage_set *s, uint64_t hash)
{
    const struct slot_array *set = slot_table_get_rcu(&s->table);

    if (set) {
        __builtin_prefetch(&set->slots[(uint32_t) hash >> 1 & set->mask]);
    }
}

/* Adds to the number of a hash; returns its slot. */
static size_t
add_to_slot(struct slot_array *set, uint64_t hash, uint32_t number, uint32_t *n_used)
{
    uint32_t h = cls_stage_set_key(hash);

    for (size_t i = h >> 1 & set->mask;; i = (i + 1) & set->mask) {
        uint64_t slot = slot_at(set, i);

        if (!slot || slot >> 32 == h) {
            *n_used += !slot;
            atomic_store_explicit(&set->slots[i], (uint64_t) h << 32 | ((uint32_t) slot + number),
                                  memory_order_release);
            return i;
        }
    }
}

/* Moves some slots to the next set.  Asks for where those of the next step go. */
static void
move_some(struct slot_table *t)
{
    const struct slot_array *now = rcu_get_protected(&t->now);
    size_t end = slot_table_end_of_step(t);

    for (size_t i = end; i < MIN(end + SLOT_TABLE_MOVES, now->mask + 1); i++) {
        uint32_t h = slot_at(now, i) >> 32;

        __builtin_prefetch(&t->next->slots[h >> 1 & t->next->mask], 1);
    }
    for (size_t i = t->n_moved; i < end; i++) {
        uint64_t slot = slot_at(now, i);

        if ((uint32_t) slot) {
            add_to_slot(t->next, slot >> 32, slot, &t->n_next_used);
        }
    }
    slot_table_have_moved(t, end);
}

static void
add(struct slot_table *t, uint64_t hash, uint32_t number)
{
    struct slot_array *now = rcu_get_protected(&t->now);
    size_t at = add_to_slot(now, hash, number, &t->n_used);
    uint32_t sum = slot_at(now, at);

    if (slot_table_has_moved(t, at)) {
        add_to_slot(t->next, hash, number, &t->n_next_used);
    }
    t->n_live += sum == number;
    t->n_live -= !sum;
}

void
cls_stage_set_add(struct cls_stage_set *s, uint64_t hash, uint32_t number)
{
    if (slot_table_make_room(&s->table, (struct slot_growth) { .part = 2, .whole = 3, .each = 2 })) {
        move_some(&s->table);
    }
    add(&s->table, hash, number);
}

void
cls_stage_set_subtract(struct cls_stage_set *s, uint64_t hash, uint32_t number)
{
    add(&s->table, hash, -number);
}
