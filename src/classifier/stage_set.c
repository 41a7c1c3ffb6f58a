#include "classifier/stage_set.h"

#include <stdlib.h>

#include "classifier/growth.h"

void
cls_stage_set_uninit(struct cls_stage_set *s)
{
    free(rcu_get_protected(&s->set));
    free(s->next);
}

static uint64_t
slot_at(const struct cls_set *set, size_t i)
{
    return atomic_load_explicit(&((struct cls_set *) set)->slots[i], memory_order_relaxed);
}

uint32_t
cls_stage_set_get_rcu(const struct cls_stage_set *s, uint64_t hash)
{
    const struct cls_set *set = rcu_get(&((struct cls_stage_set *) s)->set);
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
    const struct cls_set *set = rcu_get(&((struct cls_stage_set *) s)->set);

    if (set) {
        __builtin_prefetch(&set->slots[(uint32_t) hash >> 1 & set->mask]);
    }
}

/* Adds to the number of a hash; returns its slot. */
static size_t
add_to_slot(struct cls_set *set, uint64_t hash, uint32_t number, size_t *n_used)
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

static struct cls_set *
make_set(size_t n_slots)
{
    struct cls_set *set = xzalloc(sizeof *set + n_slots * sizeof set->slots[0]);

    set->mask = n_slots - 1;
    return set;
}

/* Moves some slots to the next set, and publishes it once it is whole.  Asks for where those of the next step go. */
static void
move_some(struct cls_stage_set *s, struct cls_set *now)
{
    size_t end = cls_end_of_step(s->n_moved, now->mask + 1);

    for (size_t i = end; i < MIN(end + CLS_MOVES, now->mask + 1); i++) {
        uint32_t h = slot_at(now, i) >> 32;

        __builtin_prefetch(&s->next->slots[h >> 1 & s->next->mask], 1);
    }
    for (; s->n_moved < end; s->n_moved++) {
        uint64_t slot = slot_at(now, s->n_moved);

        if ((uint32_t) slot) {
            add_to_slot(s->next, slot >> 32, slot, &s->next_n);
        }
    }
    if (s->n_moved > now->mask) {
        s->n = s->next_n;
        rcu_set(&s->set, s->next);
        s->next = NULL;
        rcu_defer(free, now);
    }
}

/* Makes room for one more. */
static void
make_room(struct cls_stage_set *s)
{
    struct cls_set *now = rcu_get_protected(&s->set);

    if (!now) {
        rcu_set(&s->set, make_set(CLS_MIN_SLOTS));
        return;
    }
    if (!s->next && s->n * 3 > now->mask * 2) {
        s->next = make_set(cls_size_for(s->n_live, now->mask + 1, 2));
        s->next_n = s->n_moved = 0;
    }
    if (s->next && CLS_TOUCH(s->next)) {
        move_some(s, now);
    }
}

static void
add(struct cls_stage_set *s, uint64_t hash, uint32_t number)
{
    struct cls_set *now = rcu_get_protected(&s->set);
    size_t at = add_to_slot(now, hash, number, &s->n);
    uint32_t sum = slot_at(now, at);

    if (s->next && at < s->n_moved) {
        add_to_slot(s->next, hash, number, &s->next_n);
    }
    s->n_live += sum == number;
    s->n_live -= !sum;
}

void
cls_stage_set_add(struct cls_stage_set *s, uint64_t hash, uint32_t number)
{
    make_room(s);
    add(s, hash, number);
}

void
cls_stage_set_subtract(struct cls_stage_set *s, uint64_t hash, uint32_t number)
{
    add(s, hash, -number);
}
