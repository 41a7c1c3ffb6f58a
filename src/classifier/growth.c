#include "classifier/growth.h"

#include <stdlib.h>

/* Slots for a table with 'n' entries that is to take the place of one with 'n_old' slots: those come too that are added
 * while it is made, unless it is made at once. */
static size_t
size_for(size_t n, size_t n_old, size_t each)
{
    size_t n_slots = CLS_MIN_SLOTS, added = n_old <= CLS_SMALL ? 0 : n_old / CLS_MOVES;

    while (n_slots < (n + 1 + added) * each) {
        n_slots *= 2;
    }
    return n_slots;
}

static struct cls_slots *
make_slots(size_t n_slots)
{
    struct cls_slots *slots = xzalloc(sizeof *slots + n_slots * sizeof slots->slots[0]);

    slots->mask = n_slots - 1;
    return slots;
}

/* Writes to the next page of slots, none of which is in use yet; true once it has written to all. */
static bool
touch(struct cls_slots *slots)
{
    size_t size = (slots->mask + 1) * sizeof slots->slots[0];

    if (slots->n_touched < size) {
        ((volatile char *) slots->slots)[slots->n_touched] = 0;
        slots->n_touched += CLS_PAGE;
    }
    return slots->n_touched >= size;
}

bool
cls_table_make_room(struct cls_table *t, struct cls_growth g)
{
    struct cls_slots *now = rcu_get_protected(&t->now);

    if (!now) {
        rcu_set(&t->now, make_slots(CLS_MIN_SLOTS));
        return false;
    }
    if (!t->next && (t->n_used + 1) * g.whole > (now->mask + 1) * g.part) {
        t->next = make_slots(size_for(t->n_live, now->mask + 1, g.each));
        t->n_next_used = t->n_moved = 0;
    }
    return t->next && touch(t->next);
}

size_t
cls_table_end_of_step(const struct cls_table *t)
{
    size_t n_slots = rcu_get_protected(&((struct cls_table *) t)->now)->mask + 1;

    return n_slots <= CLS_SMALL ? n_slots : MIN(t->n_moved + CLS_MOVES, n_slots);
}

/* Publishes the next one once it is whole. */
void
cls_table_have_moved(struct cls_table *t, size_t end)
{
    struct cls_slots *now = rcu_get_protected(&t->now);

    t->n_moved = end;
    if (end > now->mask) {
        t->n_used = t->n_next_used;
        rcu_set(&t->now, t->next);
        t->next = NULL;
        rcu_defer(free, now);
    }
}

void
cls_table_uninit(struct cls_table *t)
{
    free(rcu_get_protected(&t->now));
    free(t->next);
}
