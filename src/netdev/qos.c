#include "netdev/qos.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netdev/tc.h"
#include "packet/mbuf.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "sys/rcu.h"

/* As the reference's: who looks for these messages does so there. */
LOG_MODULE(netdev_dpdk)

enum qos_kind { EGRESS_POLICER, TRTCM_POLICER };

const char *const netdev_policer_types[] = {
    [EGRESS_POLICER] = "egress-policer", [TRTCM_POLICER] = "trtcm-policer", NULL,
};

struct queue {
    struct trtcm meter;
    _Atomic uint64_t n_packets, n_bytes, n_dropped; /* Bytes: as they count for the rates. */
    _Atomic unsigned int n_refs;
    int64_t created_ms;
};

struct qos {
    enum qos_kind kind;
    struct trtcm_config rates;
    struct policer policer;             /* EGRESS_POLICER */
    struct trtcm meter;                 /* TRTCM_POLICER: of the port, and its queues, of which the first is 0. */
    size_t n_queues;
    struct netdev_queue_config *configs;
    struct queue **queues;
    _Atomic uint64_t *n_dropped;        /* In 'struct netdev_rates'. */
};

/* What a netdev keeps for good, once it had a rate. */
struct netdev_rates {
    struct policer policer;
    struct netdev_policing policing;
    _Atomic uint64_t n_tx_dropped;
    /* What was asked for last, whether or not there is such a QoS. */
    char *wanted_type;
    struct netdev_qos_config wanted;
    int result;
};

static struct netdev_rates *
rates_of(struct netdev *n)
{
    if (!n->rates) {
        n->rates = xzalloc_cacheline(sizeof *n->rates);
    }
    return n->rates;
}

/* --- Receiving --- */

static void
set_bucket(struct token_bucket *b, uint64_t rate, uint64_t burst, uint64_t default_burst, uint64_t numerator,
           uint64_t denominator)
{
    uint64_t most = UINT64_MAX / numerator;

    if (rate) {
        burst = burst ? burst : default_burst;
        token_bucket_set(b, MIN(rate, most) * numerator / denominator, MIN(burst, most) * numerator / denominator);
    } else {
        token_bucket_set_unlimited(b);
    }
}

void
netdev_set_policing(struct netdev *n, const struct netdev_policing *p)
{
    static const struct netdev_policing none;
    const struct netdev_policing *old = n->rates ? &n->rates->policing : &none;
    bool bytes_changed = p->kbps_rate != old->kbps_rate || p->kb_burst != old->kb_burst;
    bool packets_changed = p->kpps_rate != old->kpps_rate || p->kpkts_burst != old->kpkts_burst;
    struct netdev_rates *r;

    if (!bytes_changed && !packets_changed) {
        return;
    }
    r = rates_of(n);
    if (bytes_changed) {
        set_bucket(&r->policer.bytes, p->kbps_rate, p->kb_burst, NETDEV_POLICING_DEFAULT_KB, 1000, 8);
    }
    if (packets_changed) {
        set_bucket(&r->policer.packets, p->kpps_rate, p->kpkts_burst, NETDEV_POLICING_DEFAULT_KPKTS, 1000, 1);
    }
    r->policing = *p;
    atomic_store_explicit(&n->policer, p->kbps_rate || p->kpps_rate ? &r->policer : NULL, memory_order_release);
}

/* --- Sending --- */

static const struct queue *
find_queue(const struct qos *q, uint32_t number, size_t *at)
{
    size_t low = 0, high = q->n_queues;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (q->configs[middle].number < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *at = low;
    return low < q->n_queues && q->configs[low].number == number ? q->queues[low] : NULL;
}

static struct queue *
queue_of_packet(struct qos *q, const struct packet *p)
{
    size_t at;

    return packet_has_queue(p) && p->queue && find_queue(q, p->queue, &at) ? q->queues[at] : q->queues[0];
}

/* The packets of 'todo' that are for the queue which the first of them is for; '*queue': that. */
static uint32_t
same_queue(struct qos *q, struct packet *const *packets, uint32_t todo, struct queue **queue)
{
    uint32_t same = 0;

    *queue = queue_of_packet(q, packets[__builtin_ctz(todo)]);
    for (uint32_t left = todo; left; left &= left - 1) {
        unsigned int i = __builtin_ctz(left);

        same |= (uint32_t) (queue_of_packet(q, packets[i]) == *queue) << i;
    }
    return same;
}

/* Marks those of 'todo' on copies; which are not red, and their bytes. */
static uint32_t
mark(struct trtcm_look *queue, struct trtcm_look *port, struct packet *const *packets, uint32_t todo, uint64_t *n_bytes)
{
    uint32_t passed = 0;

    *n_bytes = 0;
    for (; todo; todo &= todo - 1) {
        unsigned int i = __builtin_ctz(todo);
        uint32_t size = policer_size(packet_size(packets[i]));

        if (trtcm_mark(port, trtcm_mark(queue, TRTCM_GREEN, size), size) != TRTCM_RED) {
            passed |= UINT32_C(1) << i;
            *n_bytes += size;
        }
    }
    return passed;
}

static uint32_t
mark_queue(struct qos *q, struct queue *queue, struct packet *const *packets, uint32_t todo, int64_t now_ns)
{
    struct trtcm_look of_queue, of_port;
    unsigned int n_passed, n_dropped;
    uint64_t n_bytes;
    uint32_t passed;

    do {
        of_queue = trtcm_look(&queue->meter, now_ns);
        of_port = trtcm_look(&q->meter, now_ns);
        passed = mark(&of_queue, &of_port, packets, todo, &n_bytes);
    } while (!trtcm_commit(&q->meter, &of_port, now_ns));
    trtcm_settle(&queue->meter, &of_queue, now_ns);
    n_passed = __builtin_popcount(passed);
    n_dropped = __builtin_popcount(todo) - n_passed;
    if (n_passed) {
        atomic_fetch_add_explicit(&queue->n_packets, n_passed, memory_order_relaxed);
        atomic_fetch_add_explicit(&queue->n_bytes, n_bytes, memory_order_relaxed);
    }
    if (n_dropped) {
        atomic_fetch_add_explicit(&queue->n_dropped, n_dropped, memory_order_relaxed);
    }
    return passed;
}

static uint32_t
mark_all(struct qos *q, struct packet *const *packets, unsigned int n, int64_t now_ns)
{
    uint32_t todo = UINT32_MAX >> (POLICER_BURST - n), passed = 0;
    struct queue *queue;

    while (todo) {
        uint32_t same = same_queue(q, packets, todo, &queue);

        passed |= mark_queue(q, queue, packets, same, now_ns);
        todo &= ~same;
    }
    return passed;
}

uint32_t
qos_pass_rcu(struct qos *q, struct packet *const *packets, unsigned int n, int64_t now_ns)
{
    uint32_t passed = q->kind == EGRESS_POLICER ? policer_pass(&q->policer, packets, n, now_ns)
                      : mark_all(q, packets, n, now_ns);
    unsigned int n_dropped = n - __builtin_popcount(passed);

    if (n_dropped) {
        atomic_fetch_add_explicit(q->n_dropped, n_dropped, memory_order_relaxed);
    }
    return passed;
}

static struct queue *
queue_create(const struct trtcm_config *c)
{
    struct queue *q = xzalloc_cacheline(sizeof *q);

    trtcm_set(&q->meter, c);
    q->n_refs = 1;
    q->created_ms = clock_now_ms();
    return q;
}

static void
queue_unref(struct queue *q)
{
    if (atomic_fetch_sub(&q->n_refs, 1) == 1) {
        free(q);
    }
}

static void
qos_free(void *q_)
{
    struct qos *q = q_;

    for (size_t i = 0; i < q->n_queues; i++) {
        queue_unref(q->queues[i]);
    }
    free(q->queues);
    free(q->configs);
    free(q);
}

static bool
same_rates(const struct trtcm_config *a, const struct trtcm_config *b)
{
    return a->cir == b->cir && a->cbs == b->cbs && a->eir == b->eir && a->ebs == b->ebs;
}

/* The queue goes on where nothing of it changes. */
static void
add_queue(struct qos *q, const struct qos *old, const struct netdev_queue_config *c)
{
    size_t i = q->n_queues++, at;

    q->configs[i] = *c;
    if (old && find_queue(old, c->number, &at) && same_rates(&old->configs[at].rates, &c->rates)) {
        q->queues[i] = old->queues[at];
        atomic_fetch_add(&q->queues[i]->n_refs, 1);
    } else {
        q->queues[i] = queue_create(&c->rates);
    }
}

static void
add_queues(struct netdev *n, struct qos *q, const struct qos *old, const struct netdev_qos_config *c)
{
    static const struct trtcm_config none;
    const struct netdev_queue_config by_default = { 0, c->rates };

    q->configs = xcalloc(c->n_queues + 1, sizeof *q->configs);
    q->queues = xcalloc(c->n_queues + 1, sizeof *q->queues);
    if (!c->n_queues || c->queues[0].number || same_rates(&c->queues[0].rates, &none) ||
        !trtcm_is_possible(&c->queues[0].rates)) {
        add_queue(q, old, &by_default);
    }
    for (size_t i = 0; i < c->n_queues; i++) {
        const struct netdev_queue_config *queue = &c->queues[i];

        if (!trtcm_is_possible(&queue->rates)) {
            log_err("Failed to set QoS queue %u on port %s: %s", queue->number, n->name, strerror(EINVAL));
        } else if (queue->number || !q->n_queues) {
            add_queue(q, old, queue);
        }
    }
}

static struct qos *
qos_create(struct netdev *n, enum qos_kind kind, const struct netdev_qos_config *c, const struct qos *old)
{
    struct qos *q = xzalloc_cacheline(sizeof *q);

    q->kind = kind;
    q->rates = c->rates;
    q->n_dropped = &rates_of(n)->n_tx_dropped;
    if (kind == EGRESS_POLICER) {
        token_bucket_set(&q->policer.bytes, c->rates.cir, c->rates.cbs);
        return q;
    }
    old = old && old->kind == kind && same_rates(&old->rates, &c->rates) ? old : NULL;
    trtcm_set(&q->meter, &c->rates);
    add_queues(n, q, old, c);
    return q;
}

static int
kind_of(const struct netdev *n, const char *type)
{
    const char *const *types = netdev_qos_types(n);

    for (int i = 0; types[i]; i++) {
        if (!strcmp(types[i], type)) {
            return i;
        }
    }
    return -EOPNOTSUPP;
}

static int
check(const struct netdev *n, const struct netdev_qos_config *c)
{
    int kind = kind_of(n, c->type);

    if (kind == EGRESS_POLICER && (!c->rates.cir || !c->rates.cbs)) {
        log_err("Could not create rte meter for egress policer");
        return -EINVAL;
    }
    return kind == TRTCM_POLICER && !trtcm_is_possible(&c->rates) ? -EINVAL : kind;
}

static bool
same_config(const struct netdev_rates *r, const struct netdev_qos_config *c)
{
    const struct netdev_qos_config *w = &r->wanted;

    if (!w->type || strcmp(w->type, c->type) || !same_rates(&w->rates, &c->rates) || w->n_queues != c->n_queues) {
        return false;
    }
    for (size_t i = 0; i < c->n_queues; i++) {
        if (w->queues[i].number != c->queues[i].number || !same_rates(&w->queues[i].rates, &c->queues[i].rates)) {
            return false;
        }
    }
    return true;
}

static void
remember(struct netdev_rates *r, const struct netdev_qos_config *c)
{
    struct netdev_queue_config *queues = NULL;

    if (c->n_queues) {
        queues = xcalloc(c->n_queues, sizeof *queues);
        memcpy(queues, c->queues, c->n_queues * sizeof *queues);
    }
    free(r->wanted_type);
    free((void *) r->wanted.queues);
    r->wanted = *c;
    r->wanted.type = r->wanted_type = xstrdup(c->type);
    r->wanted.queues = queues;
}

static void
publish(struct netdev *n, struct qos *new)
{
    struct qos *old = rcu_get_protected(&n->qos);

    rcu_set(&n->qos, new);
    if (old) {
        rcu_defer(qos_free, old);
    }
}

/* Only the queues change, or nothing: the port's bucket goes on. */
static bool
keeps_meter(const struct qos *old, int kind, const struct netdev_qos_config *c)
{
    return old && old->kind == TRTCM_POLICER && kind == TRTCM_POLICER && same_rates(&old->rates, &c->rates);
}

static int
make(struct netdev *n, const struct netdev_qos_config *c)
{
    struct qos *old = rcu_get_protected(&n->qos), *new;
    int kind = check(n, c);

    if (kind < 0) {
        if (netdev_qos_types(n)[0]) {
            log_err("Failed to set QoS type %s on port %s: %s", c->type, n->name, strerror(-kind));
        }
        publish(n, NULL);
        return kind;
    }
    if (kind == EGRESS_POLICER && old && old->kind == EGRESS_POLICER && old->rates.cir == c->rates.cir &&
        old->rates.cbs == c->rates.cbs) {
        return 0; /* The others mean nothing to it. */
    }
    new = qos_create(n, kind, c, old);
    if (keeps_meter(old, kind, c)) {
        atomic_store(&new->meter.committed.full_at, atomic_load(&old->meter.committed.full_at));
        atomic_store(&new->meter.excess.full_at, atomic_load(&old->meter.excess.full_at));
    }
    publish(n, new);
    return 0;
}

int
netdev_set_qos(struct netdev *n, const struct netdev_qos_config *config)
{
    static const struct netdev_qos_config none = { .type = "" };
    const struct netdev_qos_config *c = config && config->type[0] ? config : &none;
    struct netdev_rates *r;

    if (n->class->set_qos) {
        return n->class->set_qos(n, c == &none ? NULL : c);
    }
    if (!n->rates && c == &none) {
        return 0;
    }
    r = rates_of(n);
    if (same_config(r, c)) {
        return r->result;
    }
    remember(r, c);
    if (c == &none) {
        publish(n, NULL);
        r->result = 0;
    } else {
        r->result = make(n, c);
    }
    return r->result;
}

bool
netdev_get_qos(const struct netdev *n, struct netdev_qos_config *c)
{
    const struct qos *q = rcu_get_protected(&((struct netdev *) n)->qos);

    if (n->class->get_qos) {
        return n->class->get_qos(n, c);
    }
    if (!q) {
        return false;
    }
    *c = (struct netdev_qos_config) {
        .type = netdev_policer_types[q->kind], .rates = q->rates, .n_queues = q->n_queues, .queues = q->configs,
    };
    return true;
}

bool
netdev_finish_qos(const struct loop_slice *slice)
{
    return tc_finish(slice);
}

const char *const *
netdev_qos_types(const struct netdev *n)
{
    static const char *const none[] = { NULL };

    return n->class->qos_types ? n->class->qos_types : none;
}

/* --- Counters --- */

int
netdev_get_queue_stats(const struct netdev *n, uint32_t number, struct netdev_queue_stats *s)
{
    const struct qos *q = rcu_get_protected(&((struct netdev *) n)->qos);
    const struct queue *queue;
    size_t at;

    if (!n->class->qos_types) {
        return -EOPNOTSUPP;
    }
    if (n->class->get_queue_stats) {
        return n->class->get_queue_stats(n, number, s);
    }
    queue = q ? find_queue(q, number, &at) : NULL;
    if (!queue) {
        return -ENOENT;
    }
    *s = (struct netdev_queue_stats) {
        .tx_packets = atomic_load(&queue->n_packets), .tx_bytes = atomic_load(&queue->n_bytes),
        .tx_errors = atomic_load(&queue->n_dropped), .created_ms = queue->created_ms,
    };
    return 0;
}

void
netdev_rates_each_queue(const struct netdev *n, netdev_queue_cb *cb, void *aux)
{
    const struct qos *q = rcu_get_protected(&((struct netdev *) n)->qos);

    for (size_t i = 0; q && i < q->n_queues; i++) {
        cb(aux, q->configs[i].number);
    }
}

uint64_t
netdev_rates_rx_drops(const struct netdev *n)
{
    return n->rates ? atomic_load(&n->rates->policer.n_dropped) : 0;
}

uint64_t
netdev_rates_tx_drops(const struct netdev *n)
{
    return n->rates ? atomic_load(&n->rates->n_tx_dropped) : 0;
}

static void
add(uint64_t *counter, uint64_t n)
{
    if (n) {
        *counter = *counter == UINT64_MAX ? n : *counter + n;
    }
}

void
netdev_rates_add(const struct netdev *n, struct netdev_stats *stats)
{
    add(&stats->rx_dropped, netdev_rates_rx_drops(n));
    add(&stats->tx_dropped, netdev_rates_tx_drops(n));
}

void
netdev_rates_destroy(struct netdev *n)
{
    struct qos *q = rcu_get_protected(&n->qos);

    if (q) {
        qos_free(q);
    }
    if (n->rates) {
        free(n->rates->wanted_type);
        free((void *) n->rates->wanted.queues);
        free(n->rates);
    }
}
