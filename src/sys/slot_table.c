#include "sys/slot_table.h"

#include <stdlib.h>
#include <string.h>

/* Slots for a table with 'n' entries that is to take the place of one with 'n_old' slots: those come too that are added
 * while it is made, unless it is made at once. */
static size_t
size_for(size_t n, size_t n_old, size_t each)
{
    size_t n_slots = SLOT_TABLE_MIN, added = n_old <= SLOT_TABLE_SMALL ? 0 : n_old / SLOT_TABLE_MOVES;

    while (n_slots < (n + 1 + added) * each) {
        n_slots *= 2;
    }
    return n_slots;
}

/* None of them may be used before clear_some() has cleared all. */
static struct slot_array *
make_slots(size_t n_slots)
{
    struct slot_array *slots = xmalloc(sizeof *slots + n_slots * sizeof slots->slots[0]);

    slots->mask = n_slots - 1;
    slots->n_cleared = 0;
    return slots;
}

/* Clears the next page of slots; true once all are clear. */
static bool
clear_some(struct slot_array *slots)
{
    size_t size = (slots->mask + 1) * sizeof slots->slots[0];
    size_t n = MIN(size - slots->n_cleared, (size_t) SLOT_TABLE_PAGE);

    memset((char *) slots->slots + slots->n_cleared, 0, n);
    slots->n_cleared += n;
    return slots->n_cleared == size;
}

bool
slot_table_make_room(struct slot_table *t, struct slot_growth g)
{
    struct slot_array *now = rcu_get_protected(&t->now);

    if (!now) {
        now = make_slots(SLOT_TABLE_MIN);
        (void) !clear_some(now);
        rcu_set(&t->now, now);
        return false;
    }
    if (!t->next && ((size_t) t->n_used + 1) * g.whole > (now->mask + 1) * g.part) {
        t->next = make_slots(size_for(t->n_live, now->mask + 1, g.each));
        t->n_next_used = t->n_moved = 0;
    }
    return t->next && clear_some(t->next);
}

size_t
slot_table_end_of_step(const struct slot_table *t)
{
    size_t n_slots = rcu_get_protected(&((struct slot_table *) t)->now)->mask + 1;

    return n_slots <= SLOT_TABLE_SMALL ? n_slots : MIN(t->n_moved + SLOT_TABLE_MOVES, n_slots);
}

/* Publishes the next one once it is whole. */
void
slot_table_have_moved(struct slot_table *t, size_t end)
{
    struct slot_array *now = rcu_get_protected(&t->now);

    t->n_moved = end;
    if (end > now->mask) {
        t->n_used = t->n_next_used;
        rcu_set(&t->now, t->next);
        t->next = NULL;
        if (now->mask < SLOT_TABLE_SMALL) {
            rcu_release(free, now);
        } else {
            rcu_defer(free, now); /* What takes the system long is done by the other thread. */
        }
    }
}

void
slot_table_uninit(struct slot_table *t)
{
    free(rcu_get_protected(&t->now));
    free(t->next);
}
