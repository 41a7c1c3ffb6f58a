/* Counters that a kind of device has beyond 'struct netdev_stats', collected and told in order of their names. */
#ifndef NETDEV_COUNTER_LIST_H
#define NETDEV_COUNTER_LIST_H 1

#include "netdev/netdev.h"

struct counter_list {
    size_t n, capacity;
    struct counter {
        char *name;
        uint64_t value;
    } *all;
};

#define COUNTER_LIST_INIT { 0 }

/* Takes 'name' over. */
void counter_list_add(struct counter_list *, char *name, uint64_t value);
/* Tells 'cb' of all, and empties the list. */
void counter_list_tell(struct counter_list *, netdev_counter_cb *cb, void *aux);

#endif
