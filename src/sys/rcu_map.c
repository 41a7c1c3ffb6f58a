#include "sys/rcu_map.h"

#include <stdlib.h>

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
    free_all(rcu_get_protected(&m->buckets));
    rcu_map_init(m);
}

static void
push(struct rcu_map_buckets *b, void *element, uint32_t hash)
{
    struct rcu_map_link *l = xmalloc(sizeof *l);

    l->element = element;
    l->hash = hash;
    rcu_set(&l->next, rcu_get_protected(&b->heads[hash & b->mask]));
    rcu_set(&b->heads[hash & b->mask], l);
}

/* Readers may be walking the old links, so the new table gets links of its own. */
static void
resize(struct rcu_map *m, size_t mask)
{
    struct rcu_map_buckets *old = rcu_get_protected(&m->buckets);
    struct rcu_map_buckets *b = xzalloc(sizeof *b + (mask + 1) * sizeof b->heads[0]);

    b->mask = mask;
    for (size_t i = 0; old && i <= old->mask; i++) {
        for (struct rcu_map_link *l = rcu_get_protected(&old->heads[i]); l; l = rcu_get_protected(&l->next)) {
            push(b, l->element, l->hash);
        }
    }
    rcu_set(&m->buckets, b);
    if (old) {
        rcu_defer(free_all_deferred, old);
    }
}

void
rcu_map_insert(struct rcu_map *m, void *element, uint32_t hash)
{
    struct rcu_map_buckets *b = rcu_get_protected(&m->buckets);

    if (!b || m->n > b->mask) {
        resize(m, b ? b->mask * 2 + 1 : 3);
        b = rcu_get_protected(&m->buckets);
    }
    push(b, element, hash);
    m->n++;
}

static RCU_PTR(struct rcu_map_link) *
find_slot(struct rcu_map *m, const void *element, uint32_t hash)
{
    struct rcu_map_buckets *b = rcu_get_protected(&m->buckets);
    RCU_PTR(struct rcu_map_link) *slot = &b->heads[hash & b->mask];

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

void *
rcu_map_next_rcu(const struct rcu_map *m, struct rcu_map_position *p)
{
    if (!p->buckets) {
        p->buckets = rcu_get(&m->buckets);
        if (!p->buckets) {
            return NULL;
        }
        p->link = rcu_get(&p->buckets->heads[0]);
    } else if (p->link) {
        p->link = rcu_get(&p->link->next);
    }
    while (!p->link) {
        if (p->bucket >= p->buckets->mask) {
            return NULL;
        }
        p->link = rcu_get(&p->buckets->heads[++p->bucket]);
    }
    return p->link->element;
}
