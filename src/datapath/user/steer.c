#include "datapath/user/steer.h"

#include "datapath/user/capture.h"
#include "datapath/user/exec.h"

static unsigned int
queue_of(const struct packet *p, unsigned int n_queues)
{
    static const struct odp_hash l4 = { 0, 0 };
    struct flow_offsets offsets;
    struct flow key;

    (void) flow_extract_full(packet_at(p), packet_size(p), NULL, &key, &offsets);
    return exec_hash(&key, &l4) % n_queues;
}

/* Sends all of them on one queue. */
static void
send_on(struct worker *w, const struct port *port, unsigned int queue, unsigned int n_queues, struct packet **packets,
        unsigned int n)
{
    if (rcu_get(&((struct port *) port)->captures)) {
        capture_burst_rcu(port, w->id, true, queue % n_queues, packets, n);
    }
    port->send(port->netdev, queue, packets, n);
}

void
steer_and_send(struct worker *w, const struct port *port, struct packet **packets, unsigned int n)
{
    const struct netdev_class *class = port->netdev->class;
    unsigned int n_queues = MAX(class->n_txq ? class->n_txq(port->netdev) : 1, 1u), queues[BURST], n_left = n;

    if (n_queues < 2 || !atomic_load_explicit(&port->hashes_tx, memory_order_relaxed)) {
        send_on(w, port, w->id, n_queues, packets, n);
        return;
    }
    for (unsigned int i = 0; i < n; i++) {
        queues[i] = queue_of(packets[i], n_queues);
    }
    while (n_left) {
        unsigned int queue = queues[0], n_same = 0, kept = 0;
        struct packet *same[BURST];

        for (unsigned int i = 0; i < n_left; i++) {
            if (queues[i] == queue) {
                same[n_same++] = packets[i];
            } else {
                queues[kept] = queues[i];
                packets[kept++] = packets[i];
            }
        }
        send_on(w, port, queue, n_queues, same, n_same);
        n_left = kept;
    }
}
