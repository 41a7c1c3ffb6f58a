#include "sys/rcu_map.h"

#include <stdlib.h>

/* So many buckets grow at once; of more, so many are moved with each insertion.  The next growth is due after as many
 * insertions as there were buckets. */
enum { SMALL = 1024, MOVED_AT_ONCE = 4 };

void
rcu_map_init(struct rcu_map *m)
{
    rcu_set(&m->buckets, NULL);
    m->n = 0;
}

static void
free_all(struct rcu_map_buckets *b)
{
    for (size_t i = 0; b && i <= b->mask; i++) {
        struct rcu_map_link *next;

        for (struct rcu_map_link *l = rcu_get(&b->heads[i]); l; l = next) {
            next = rcu_get(&l->next);
            free(l);
        }
    }
    free(b);
}

static void
free_all_deferred(void *b)
{
    free_all(b);
}

void
rcu_map_uninit(struct rcu_map *m)
{
    struct rcu_map_buckets *b = rcu_get_protected(&m->buckets);

    if (b) {
        free_all(rcu_get_protected(&b->old));
        free_all(b);
    }
    rcu_map_init(m);
}

static void
push(RCU_PTR(struct rcu_map_link) *head, void *element, uint32_t hash)
{
    struct rcu_map_link *l = xmalloc(sizeof *l);

    l->element = element;
    l->hash = hash;
    rcu_set(&l->next, rcu_get_protected(head));
    rcu_set(head, l);
}

/* Moves up to 'n' buckets of the old array.  Readers may be walking the old links, so the new ones get links of their
 * own. */
static void
move(struct rcu_map_buckets *b, size_t n)
{
    struct rcu_map_buckets *old = rcu_get_protected(&b->old);
    size_t i = atomic_load_explicit(&b->n_moved, memory_order_relaxed);

    for (; n-- && i <= old->mask; i++) {
        for (struct rcu_map_link *l = rcu_get_protected(&old->heads[i]); l; l = rcu_get_protected(&l->next)) {
            push(&b->heads[l->hash & b->mask], l->element, l->hash);
        }
        atomic_store_explicit(&b->n_moved, i + 1, memory_order_release);
    }
    if (i > old->mask) {
        rcu_set(&b->old, NULL);
        rcu_defer(free_all_deferred, old);
    }
}

static struct rcu_map_buckets *
grow(struct rcu_map *m)
{
    struct rcu_map_buckets *old = rcu_get_protected(&m->buckets), *b;
    size_t mask = old ? old->mask * 2 + 1 : 3;

    b = xzalloc(sizeof *b + (mask + 1) * sizeof b->heads[0]);
    b->mask = mask;
    rcu_set(&b->old, old);
    rcu_set(&m->buckets, b);
    if (old && old->mask < SMALL) {
        move(b, SIZE_MAX);
    }
    return b;
}

void
rcu_map_insert(struct rcu_map *m, void *element, uint32_t hash)
{
    struct rcu_map_buckets *b = rcu_get_protected(&m->buckets);

    if (!b || m->n > b->mask) {
        b = grow(m);
    }
    if (rcu_get_protected(&b->old)) {
        move(b, MOVED_AT_ONCE);
    }
    push(rcu_map_head_rcu(b, hash), element, hash);
    m->n++;
}

static RCU_PTR(struct rcu_map_link) *
find_slot(struct rcu_map *m, const void *element, uint32_t hash)
{
    RCU_PTR(struct rcu_map_link) *slot = rcu_map_head_rcu(rcu_get_protected(&m->buckets), hash);

    while (rcu_get_protected(slot)->element != element) {
        slot = &rcu_get_protected(slot)->next;
    }
    return slot;
}

void
rcu_map_remove(struct rcu_map *m, const void *element, uint32_t hash)
{
    RCU_PTR(struct rcu_map_link) *slot = find_slot(m, element, hash);
    struct rcu_map_link *l = rcu_get_protected(slot);

    rcu_set(slot, rcu_get_protected(&l->next));
    rcu_defer(free, l);
    m->n--;
}

void
rcu_map_replace(struct rcu_map *m, const void *element, void *with, uint32_t hash)
{
    RCU_PTR(struct rcu_map_link) *slot = find_slot(m, element, hash);
    struct rcu_map_link *old = rcu_get_protected(slot), *l = xmalloc(sizeof *l);

    l->element = with;
    l->hash = hash;
    rcu_set(&l->next, rcu_get_protected(&old->next));
    rcu_set(slot, l);
    rcu_defer(free, old);
}

/* The first link of the bucket that the walk is at. */
static struct rcu_map_link *
chain_at(struct rcu_map_position *p)
{
    size_t i = p->bucket;

    if (!p->old) {
        return rcu_get(&p->buckets->heads[i]);
    }
    if (i % 2 == 0) {
        p->is_old = i / 2 >= atomic_load_explicit(&p->buckets->n_moved, memory_order_acquire);
    }
    if (p->is_old) {
        return i % 2 ? NULL : rcu_get(&p->old->heads[i / 2]);
    }
    return rcu_get(&p->buckets->heads[i % 2 ? i / 2 + p->old->mask + 1 : i / 2]);
}

void *
rcu_map_next_rcu(const struct rcu_map *m, struct rcu_map_position *p)
{
    if (!p->buckets) {
        p->buckets = rcu_get(&m->buckets);
        if (!p->buckets) {
            return NULL;
        }
        p->old = rcu_get(&p->buckets->old);
        p->link = chain_at(p);
    } else if (p->link) {
        p->link = rcu_get(&p->link->next);
    }
    while (!p->link) {
        if (p->bucket >= p->buckets->mask) {
            return NULL;
        }
        p->bucket++;
        p->link = chain_at(p);
    }
    return p->link->element;
}
