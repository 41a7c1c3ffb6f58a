/* Sending through one of several transmit queues of a port.
 *
 * What it is
 * ----------
 * The last step before a port's send(): what its QoS does not let pass is dropped here.
 *
 * By default a worker sends all through one queue, its own as far as there are so many (tx-steering=thread).  With
 * tx-steering=hash packets go to the queue that the hash of their addresses, protocol and ports says: those of a
 * connection stay in order, and one worker fills all queues.
 *
 * Threads: those of the worker. */
#ifndef DATAPATH_USER_STEER_H
#define DATAPATH_USER_STEER_H 1

#include "datapath/user/worker.h"

/* Sends by hash, or what is captured. */
void steer_and_send(struct worker *, const struct port *port, struct packet **packets, unsigned int n);

/* Sends 'n' packets (taken over), at most BURST. */
static inline void
steer(struct worker *w, const struct port *port, struct packet **packets, unsigned int n)
{
    struct qos *qos = atomic_load_explicit(&port->netdev->qos, memory_order_acquire);

    if (UNLIKELY(qos != NULL)) {
        n = worker_police_sent_rcu(w, qos, packets, n);
        if (!n) {
            return;
        }
    }
    if (UNLIKELY(atomic_load_explicit(&port->hashes_tx, memory_order_relaxed) || rcu_get(&port->captures) != NULL)) {
        steer_and_send(w, port, packets, n);
    } else {
        port->send(port->netdev, w->id, packets, n);
    }
}

#endif
