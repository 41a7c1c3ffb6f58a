/* Adding and removing ports, and dealing their queues out to workers.  Main thread. */
#ifndef DATAPATH_USER_PORTS_H
#define DATAPATH_USER_PORTS_H 1

#include "datapath/user/dp.h"

/* The port functions of struct datapath_class; main thread. */
int dp_port_add(struct dp *, struct netdev *, odp_port *number);
int dp_port_del(struct dp *, odp_port number);
void dp_ports_remove_all(struct dp *);

/* pmd-cpu-mask: which cores may have polling workers; "" is the default (one worker on the last core). */
struct error *dp_workers_set_mask(struct dp *, const char *mask) MUST_CHECK;
/* See dp_user_rebalance(). */
void dp_workers_rebalance(struct dp *);
void dp_workers_stop(struct dp *);

#endif
