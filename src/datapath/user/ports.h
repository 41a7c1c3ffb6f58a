/* Adding and removing ports.  Queues that can be waited for go to sleeping workers, the others to polling ones
 * (pollers.h).  Main thread. */
#ifndef DATAPATH_USER_PORTS_H
#define DATAPATH_USER_PORTS_H 1

#include "datapath/user/dp.h"

/* The port functions of struct datapath_class; main thread. */
int dp_port_add(struct dp *, struct netdev *, odp_port *number);
int dp_port_del(struct dp *, odp_port number);
void dp_ports_remove_all(struct dp *);

/* Offers the port's device its megaflows, if they are to be and it is not yet; main thread. */
void dp_port_offload(struct dp *, struct port *);
/* Interface.other_config:hw-offload-priority; null: not set.  It counts at once. */
void dp_port_set_offload_priority(struct dp *, struct port *, const char *providers);

#endif
