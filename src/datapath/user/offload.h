/* Megaflows given to the devices where their packets come in (other_config:hw-offload).
 *
 * What it is
 * ----------
 * A port whose device takes rules (netdev/rules.h) is offered each megaflow of its packets.  The device marks the
 * packets ("partly offloaded"), which then find their megaflow by the mark instead of by their headers; those of a
 * megaflow that drops it drops itself, if it can, and counts ("fully offloaded").  What a device does not take stays as
 * it was: a mark is a hint, and a packet without one is looked up.
 *
 * How it works
 * ------------
 * Whoever installs, changes or removes a megaflow puts a note of that into the queue of one of the offload threads,
 * which alone talk to devices.  A note ('struct offloaded') says what is wanted; the thread compares this with what the
 * device has, so that changes which follow each other fast become one.  Every port has a table of its marks.
 *
 * When a mark may be believed
 * ---------------------------
 * A packet is the megaflow's if (1) its mark leads to a megaflow in the table of the port where it came in, and (2)
 * that megaflow is live, which is the same test that any lookup makes: what is stale, in doubt or gone is looked up.  A
 * megaflow leaves the table of marks when it is removed, before its memory may become another's.  Its rule is destroyed
 * later, and packets that were marked before may still wait in the device: its mark is given to no other megaflow for
 * OFFLOAD_QUARANTINE_MS after that.  When a port's queues are closed all of its rules and marks go, before the device
 * is stopped.
 *
 * A megaflow that is nothing but an output needs no headers: its packets are not parsed, but for the TCP flags that it
 * counts.  For all others the packet is parsed, as actions need that, and compared with the megaflow.
 *
 * A port may be left out (hw-offload-priority): it pauses, which withdraws its rules one by one.
 *
 * Counters: all is counted in the megaflow, as ever.  What a device has dropped is asked for every OFFLOAD_COUNT_MS; of
 * a megaflow that goes, what came since the last time is not counted.
 *
 * Threads: workers call offload_flow_*() with the table's mutex; that waits for no device.  Ports: main thread, which
 * waits at most for the one call that is under way at each thread, and for the device to forget its rules.
 * Limits: 1,048,575 marks a port, those of the last OFFLOAD_QUARANTINE_MS included; what is above stays in software. */
#ifndef DATAPATH_USER_OFFLOAD_H
#define DATAPATH_USER_OFFLOAD_H 1

#include "datapath/datapath.h"
#include "datapath/user/megaflow.h"

enum { OFFLOAD_MAX_THREADS = 10, OFFLOAD_QUARANTINE_MS = 10000, OFFLOAD_COUNT_MS = 500 };

struct netdev;
struct offload;
struct offload_port;
struct offloaded;

/* From a mark to a megaflow. */
struct marks {
    uint32_t n;
    _Atomic(struct dp_flow *) flows[]; /* Null: nobody's. */
};
typedef RCU_PTR(struct marks) marks_ptr;

/* The live megaflow of a mark; null: there is none. */
static ALWAYS_INLINE struct dp_flow *
marks_find_rcu(const struct marks *m, uint32_t mark, uint64_t epoch)
{
    struct dp_flow *f = mark < m->n ? atomic_load_explicit(&m->flows[mark], memory_order_acquire) : NULL;

    return f && atomic_load_explicit(&f->state, memory_order_acquire) >= epoch ? f : NULL;
}

/* Begins with the megaflows of 'flows'.  'threads' is n-offload-threads, null if that is not set: what is no number
 * from 1 to OFFLOAD_MAX_THREADS counts as 1.  Null: no thread could be started.  Main thread. */
struct offload *offload_create(struct megaflow_table *flows, const char *threads);
/* All ports have been closed and all megaflows removed.  Waits for the threads. */
void offload_destroy(struct offload *);

/* A port's queues have been opened: it is offered the megaflows of 'in_port' that there are and will be.  'published':
 * where workers find its marks, null until its device has taken a rule.  Null: the device takes no rules. */
struct offload_port *offload_port_open(struct offload *, struct netdev *, be32 in_port, marks_ptr *published);
/* Before its queues are closed.  Null: nothing to do. */
void offload_port_close(struct offload_port *);
/* Whether the port is offered nothing for now, though its queues are open: what its device has is withdrawn soon.  As
 * the device goes on, marks are kept back as those of any rule that goes. */
void offload_port_set_paused(struct offload_port *, bool is_paused);

/* A megaflow has come, has other actions, goes.  With the table's mutex. */
void offload_flow_put(struct offload *, struct dp_flow *);
void offload_flow_changed(struct dp_flow *);
void offload_flow_gone(struct dp_flow *);

/* What the device does for the megaflow.  Any reader. */
enum dp_offloaded offload_flow_state_rcu(const struct dp_flow *);

/* Main thread. */
unsigned int offload_n_threads(const struct offload *);
void offload_get_figures(struct offload *, unsigned int thread, struct dp_offload_figures *);

#endif
