/* Polling workers: on which cores there are some, and which queues each has.
 *
 * What it is
 * ----------
 * There are polling workers as long as there are queues that can only be polled.  Which cores have one is a matter of
 * pmd-cpu-mask; which queues it gets, of assign.h.  Whenever ports, queues or settings have changed, everything is
 * dealt out anew, once for all changes of one turn of the main loop.
 *
 * How it works
 * ------------
 * New workers are started, queues go from one to the other, then those are stopped whose core is no longer wanted: each
 * queue is without a worker no longer than it takes to know that the old one has left it.
 *
 * With pmd-auto-lb a timer looks whether dealing out anew would help (auto_lb.h).
 *
 * Threads: main thread. */
#ifndef DATAPATH_USER_POLLERS_H
#define DATAPATH_USER_POLLERS_H 1

#include "datapath/user/dp.h"

void pollers_init(struct dp *);
void pollers_uninit(struct dp *);

/* Ports or queues have changed: they are dealt out before the main loop waits again; where there is no loop, now. */
void pollers_changed(struct dp *);

/* Deals out now, if something has changed, or with 'force'. */
void pollers_settle(struct dp *, bool force);

/* Reads settings (poll_settings.h). */
void pollers_configure(struct dp *, const char *const *keys, const char *const *values, size_t n);

/* Sets pmd-rxq-affinity of a port. */
void pollers_set_affinity(struct dp *, struct port *, const char *text);

/* Stops a worker and releases it; its counts go to those of the datapath. */
void pollers_stop_worker(struct dp *, struct worker *);

/* A worker's id that no other one has. */
struct worker *pollers_start_worker(struct dp *, bool polling, int core, unsigned int node);

#endif
