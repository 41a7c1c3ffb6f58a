#include "netdev/counter_list.h"

#include <stdlib.h>
#include <string.h>

void
counter_list_add(struct counter_list *c, char *name, uint64_t value)
{
    if (c->n == c->capacity) {
        c->all = x2nrealloc(c->all, &c->capacity, sizeof *c->all);
    }
    c->all[c->n++] = (struct counter) { name, value };
}

static int
compare_counters(const void *a_, const void *b_)
{
    const struct counter *a = a_, *b = b_;

    return strcmp(a->name, b->name);
}

void
counter_list_tell(struct counter_list *c, netdev_counter_cb *cb, void *aux)
{
    if (c->n) {
        qsort(c->all, c->n, sizeof *c->all, compare_counters);
    }
    for (size_t i = 0; i < c->n; i++) {
        cb(aux, c->all[i].name, c->all[i].value);
        free(c->all[i].name);
    }
    free(c->all);
    *c = (struct counter_list) COUNTER_LIST_INIT;
}
