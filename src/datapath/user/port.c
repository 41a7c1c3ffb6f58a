#include "datapath/user/port.h"

#include <stdlib.h>
#include <string.h>

void
port_table_set(port_table_ptr *table, uint32_t number, struct port *port)
{
    struct port_table *old = rcu_get_protected(table), *new;
    uint32_t n = MAX(old ? old->n : 0, number + 1);

    new = xzalloc(sizeof *new + n * sizeof new->ports[0]);
    if (old) {
        memcpy(new->ports, old->ports, old->n * sizeof old->ports[0]);
    }
    new->ports[number] = port;
    while (n && !new->ports[n - 1]) {
        n--;
    }
    new->n = n;
    rcu_set(table, new);
    if (old) {
        rcu_defer(free, old);
    }
}
