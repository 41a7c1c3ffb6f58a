#include "netdev/dummy.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/num.h"
#include "base/tally.h"
#include "netdev/dummy_stream.h"
#include "packet/mbuf.h"
#include "packet/pcap.h"
#include "sys/log.h"
#include "sys/random.h"

LOG_MODULE(netdev_dummy)

enum { QUEUE_MAX = 100, MAX_CLASSES = 32, MAX_QUEUES = 128 };

struct frame {
    struct list node;
    size_t n;
    uint8_t data[];
};

/* A receive queue. */
struct queue {
    struct list frames;
    size_t n;
};

struct dummy {
    struct list node; /* In 'dummies'. */
    struct netdev *netdev;
    struct eth_addr mac;
    int mtu, ifindex;
    unsigned int flags, numa_node, n_rxq;
    be32 ip4, ip4_mask;
    struct ipv6_addr ip6, ip6_mask;
    bool has_ip4, has_ip6;

    pthread_mutex_t mutex; /* Guards what follows. */
    struct queue queues[MAX_QUEUES]; /* 'n_rxq' of them; those that can be waited for have one. */
    int event;             /* Readable while the first queue is not empty. */
    struct pcap_file *tx_pcap, *rx_pcap;
    char *tx_path, *rx_path;
    bool one_file;         /* Received frames go into tx_pcap too. */
    void (*hook)(void *aux, struct netdev *, const void *frame, size_t len);
    void *hook_aux;
    struct dummy_stream *stream; /* Null: none.  Changed by the main thread. */

    _Atomic uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes, tx_dropped, rx_dropped;
};

static struct list dummies = LIST_INIT(&dummies);
static void (*pump)(void *aux);
static void *pump_aux;

static void
count(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static int
dummy_construct(struct netdev *n)
{
    static unsigned int seq = 1; /* The reference's first is the datapath's own port, which is no device here. */
    struct dummy *d = xzalloc(sizeof *d);

    d->netdev = n;
    d->mac = (struct eth_addr) { { 0xaa, 0x55, 0xaa, 0x55, seq >> 8, seq } };
    seq++;
    d->mtu = 1500;
    d->flags = NETDEV_UP;
    d->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (d->event < 0) {
        int error = -errno;

        free(d);
        return error;
    }
    pthread_mutex_init(&d->mutex, NULL);
    d->n_rxq = 1;
    for (unsigned int i = 0; i < MAX_QUEUES; i++) {
        list_init(&d->queues[i].frames);
    }
    list_push_back(&dummies, &d->node);
    n->priv = d;
    return 0;
}

static void
clear_queue(struct queue *q)
{
    while (!list_is_empty(&q->frames)) {
        free(CONTAINER_OF(list_pop_front(&q->frames), struct frame, node));
    }
    q->n = 0;
}

static void
dummy_destruct(struct netdev *n)
{
    struct dummy *d = n->priv;

    list_remove(&d->node);
    dummy_stream_destroy(d->stream);
    for (unsigned int i = 0; i < MAX_QUEUES; i++) {
        clear_queue(&d->queues[i]);
    }
    close(d->event);
    pcap_close(d->tx_pcap);
    pcap_close(d->rx_pcap);
    free(d->tx_path);
    free(d->rx_path);
    pthread_mutex_destroy(&d->mutex);
    free(d);
}

/* Lets '*file' be a capture to 'path' (null: none); reopens only if the path changed. */
static struct error *
configure_capture(struct pcap_file **file, char **old_path, const char *path)
{
    int error;

    if ((!path && !*old_path) || (path && *old_path && !strcmp(path, *old_path))) {
        return NULL;
    }
    pcap_close(*file);
    *file = NULL;
    free(*old_path);
    *old_path = xstrdup(path);
    if (!path) {
        return NULL;
    }
    error = pcap_open(path, "w", file);
    return error ? error_from_errno(error, "cannot open capture file %s", path) : NULL;
}

static void
receive_from_stream(void *netdev, const void *frame, size_t n)
{
    (void) !netdev_dummy_receive(netdev, 0, frame, n); /* A full queue drops, as a device does. */
}

static bool
leads_to(const struct dummy_stream *s, const char *target)
{
    return s && target && !strcmp(target, dummy_stream_target(s));
}

static void
configure_stream(struct netdev *n, const char *active, const char *passive)
{
    struct dummy *d = n->priv;
    const char *target = active ? active : passive;
    struct dummy_stream *old = d->stream, *new;

    if (leads_to(old, target) || (!old && !target)) {
        return;
    }
    /* The old one first: it may hold the new one's socket. */
    pthread_mutex_lock(&d->mutex);
    d->stream = NULL;
    pthread_mutex_unlock(&d->mutex);
    dummy_stream_destroy(old);
    new = target && netdev_loop() ? dummy_stream_create(netdev_loop(), target, !active, receive_from_stream, n) : NULL;
    pthread_mutex_lock(&d->mutex);
    d->stream = new;
    pthread_mutex_unlock(&d->mutex);
}

/* Options that only those have which are polled. */
static void
configure_queues(struct netdev *n, const struct strmap *options)
{
    const char *n_rxq_text = strmap_get(options, "n_rxq"), *node_text = strmap_get(options, "numa_id");
    struct dummy *d = n->priv;
    uint32_t n_rxq = 1;
    uint16_t node = 0;

    if (n_rxq_text && (!num_parse_u32(n_rxq_text, 10, &n_rxq) || !n_rxq || n_rxq > MAX_QUEUES)) {
        n_rxq = 1;
    }
    if (node_text && !num_parse_u16(node_text, 10, &node)) {
        node = 0;
    }
    if (n_rxq != d->n_rxq || node != d->numa_node) {
        netdev_release_queues(n);
        d->n_rxq = n_rxq;
        d->numa_node = node;
        netdev_take_queues(n);
    }
}

static struct error *
dummy_set_config(struct netdev *n, const struct strmap *options)
{
    const char *both = strmap_get(options, "pcap"), *ifindex = strmap_get(options, "ifindex");
    const char *tx = strmap_get(options, "tx_pcap"), *rx = strmap_get(options, "rxq_pcap");
    struct dummy *d = n->priv;
    struct error *e;

    if (ifindex && !num_parse_int(ifindex, 10, &d->ifindex)) {
        return error_new("%s: bad ifindex '%s'", n->name, ifindex);
    }
    pthread_mutex_lock(&d->mutex);
    e = configure_capture(&d->tx_pcap, &d->tx_path, tx ? tx : both);
    if (!e) {
        e = configure_capture(&d->rx_pcap, &d->rx_path, rx);
    }
    d->one_file = both && !tx && !rx;
    pthread_mutex_unlock(&d->mutex);
    configure_stream(n, strmap_get(options, "stream"), strmap_get(options, "pstream"));
    if (n->class->is_pollable_only) {
        configure_queues(n, options);
    }
    return e;
}

static int
dummy_set_flags(struct netdev *n, unsigned int off, unsigned int on, unsigned int *now)
{
    struct dummy *d = n->priv;
    unsigned int flags = (d->flags & ~off) | on;

    if (flags != d->flags) {
        d->flags = flags;
        netdev_changed(n);
    }
    *now = flags;
    return 0;
}

static int
dummy_get_etheraddr(const struct netdev *n, struct eth_addr *mac)
{
    *mac = ((struct dummy *) n->priv)->mac;
    return 0;
}

static int
dummy_set_etheraddr(struct netdev *n, struct eth_addr mac)
{
    struct dummy *d = n->priv;

    if (!eth_addr_equal(d->mac, mac)) {
        d->mac = mac;
        netdev_changed(n);
    }
    return 0;
}

static int
dummy_get_mtu(const struct netdev *n, int *mtu)
{
    *mtu = ((struct dummy *) n->priv)->mtu;
    return 0;
}

static int
dummy_set_mtu(struct netdev *n, int mtu)
{
    struct dummy *d = n->priv;

    if (mtu < 68 || mtu > 65535) {
        return -EINVAL;
    }
    if (d->mtu != mtu) {
        d->mtu = mtu;
        netdev_changed(n);
    }
    return 0;
}

static bool
dummy_get_carrier(const struct netdev *n)
{
    return ((struct dummy *) n->priv)->flags & NETDEV_UP;
}

static int
dummy_get_ifindex(const struct netdev *n)
{
    return ((struct dummy *) n->priv)->ifindex;
}

static int
dummy_get_stats(const struct netdev *n, struct netdev_stats *stats)
{
    struct dummy *d = n->priv;

    stats->rx_packets = tally_get(&d->rx_packets);
    stats->rx_bytes = tally_get(&d->rx_bytes);
    stats->tx_packets = tally_get(&d->tx_packets);
    stats->tx_bytes = tally_get(&d->tx_bytes);
    return 0;
}

/* Made up, so that tests can see that counters of a device of its own kind arrive. */
static void
dummy_each_counter(const struct netdev *n, netdev_counter_cb *cb, void *aux)
{
    struct dummy *d = n->priv;
    uint64_t rx_packets = tally_get(&d->rx_packets);

    cb(aux, "rx_custom_packets_1", rx_packets);
    cb(aux, "rx_custom_packets_2", rx_packets);
    cb(aux, "rx_q0_bytes", tally_get(&d->rx_bytes));
    cb(aux, "rx_q0_packets", rx_packets);
    cb(aux, "tx_q0_bytes", tally_get(&d->tx_bytes));
    cb(aux, "tx_q0_packets", tally_get(&d->tx_packets));
}

static void
dummy_each_queue(const struct netdev *n UNUSED, netdev_queue_cb *cb, void *aux)
{
    cb(aux, 0);
}

static unsigned int
dummy_n_rxq(const struct netdev *n)
{
    return ((struct dummy *) n->priv)->n_rxq;
}

static unsigned int
dummy_get_node(const struct netdev *n)
{
    return ((struct dummy *) n->priv)->numa_node;
}

static int
dummy_rxq_fd(const struct netdev_rxq *rxq)
{
    return ((struct dummy *) rxq->netdev->priv)->event;
}

static struct packet *
take_frame(struct dummy *d, unsigned int queue)
{
    struct queue *q = &d->queues[queue];
    struct frame *f = NULL;
    struct packet *p;

    pthread_mutex_lock(&d->mutex);
    if (!list_is_empty(&q->frames)) {
        f = CONTAINER_OF(list_pop_front(&q->frames), struct frame, node);
        q->n--;
    }
    if (f && !queue && !q->n) {
        eventfd_t unused;

        (void) !eventfd_read(d->event, &unused);
    }
    pthread_mutex_unlock(&d->mutex);
    if (!f) {
        return NULL;
    }
    p = packet_new(f->data, f->n);
    if (p) {
        count(&d->rx_packets, 1);
        count(&d->rx_bytes, f->n);
    } else {
        count(&d->rx_dropped, 1);
    }
    free(f);
    return p;
}

static int
dummy_rxq_recv(struct netdev_rxq *rxq, struct packet **packets, unsigned int max)
{
    unsigned int n = 0;

    while (n < max && (packets[n] = take_frame(rxq->netdev->priv, rxq->queue)) != NULL) {
        n++;
    }
    return n;
}

static void
dummy_send(struct netdev *n, unsigned int txq UNUSED, struct packet **packets, unsigned int n_packets)
{
    struct dummy *d = n->priv;

    pthread_mutex_lock(&d->mutex);
    for (unsigned int i = 0; i < n_packets; i++) {
        struct packet *p = packets[i];

        if (packet_csum_is_partial(p) && (p = packet_unshare(p)) != NULL) {
            packet_finish_csum(p);
        }
        if (!p) {
            count(&d->tx_dropped, 1);
            continue;
        }
        count(&d->tx_packets, 1);
        count(&d->tx_bytes, packet_size(p));
        if (d->tx_pcap) {
            pcap_write(d->tx_pcap, packet_at(p), packet_size(p));
        }
        if (d->stream) {
            dummy_stream_send(d->stream, packet_at(p), packet_size(p));
        }
        if (d->hook) {
            d->hook(d->hook_aux, n, packet_at(p), packet_size(p));
        }
        packet_free(p);
    }
    pthread_mutex_unlock(&d->mutex);
}

static const struct netdev_class dummy_class = {
    .type = "dummy",
    .has_packets = true,
    .construct = dummy_construct,
    .destruct = dummy_destruct,
    .set_config = dummy_set_config,
    .set_flags = dummy_set_flags,
    .get_etheraddr = dummy_get_etheraddr,
    .set_etheraddr = dummy_set_etheraddr,
    .get_mtu = dummy_get_mtu,
    .set_mtu = dummy_set_mtu,
    .get_carrier = dummy_get_carrier,
    .get_ifindex = dummy_get_ifindex,
    .get_node = dummy_get_node,
    .get_stats = dummy_get_stats,
    .each_counter = dummy_each_counter,
    .each_queue = dummy_each_queue,
    .n_rxq = dummy_n_rxq,
    .rxq_open = netdev_plain_rxq_open,
    .rxq_close = netdev_plain_rxq_close,
    .rxq_fd = dummy_rxq_fd,
    .rxq_recv = dummy_rxq_recv,
    .send = dummy_send,
};

static void
register_as(const char *type)
{
    static struct netdev_class classes[MAX_CLASSES];
    static size_t n;

    for (size_t i = 0; i < n; i++) {
        if (!strcmp(classes[i].type, type)) {
            netdev_class_register(&classes[i]);
            return;
        }
    }
    if (n < MAX_CLASSES) {
        classes[n] = dummy_class;
        classes[n].type = type;
        if (!strcmp(type, "dummy-pmd")) {
            classes[n].is_pollable_only = true;
            classes[n].rxq_fd = netdev_no_rxq_fd;
        }
        netdev_class_register(&classes[n++]);
    }
}

void
netdev_dummy_register(const char *how, const char *const *types)
{
    if (!strcmp(how, "override")) {
        for (size_t i = 0; types[i]; i++) {
            if (strcmp(types[i], "patch")) {
                register_as(types[i]);
            }
        }
    } else if (!strcmp(how, "system")) {
        register_as("system");
    }
    register_as("dummy");
    register_as("dummy-internal");
    register_as("dummy-pmd");
}

bool
netdev_is_dummy(const struct netdev *n)
{
    return n->class->construct == dummy_construct;
}

int
netdev_dummy_receive(struct netdev *n, unsigned int queue, const void *frame, size_t len)
{
    struct dummy *d = n->priv;
    struct queue *q = &d->queues[queue < d->n_rxq ? queue : 0];
    struct frame *f;

    f = xmalloc(sizeof *f + len);
    f->n = len;
    memcpy(f->data, frame, len);
    pthread_mutex_lock(&d->mutex);
    if (q->n >= QUEUE_MAX) {
        pthread_mutex_unlock(&d->mutex);
        free(f);
        count(&d->rx_dropped, 1);
        return -ENOBUFS;
    }
    list_push_back(&q->frames, &f->node);
    q->n++;
    if (d->rx_pcap || (d->one_file && d->tx_pcap)) {
        pcap_write(d->rx_pcap ? d->rx_pcap : d->tx_pcap, frame, len);
    }
    if (q == d->queues) {
        (void) !eventfd_write(d->event, 1);
    }
    pthread_mutex_unlock(&d->mutex);
    if (pump) {
        pump(pump_aux);
    }
    return 0;
}

void
netdev_dummy_set_pump(void (*new_pump)(void *aux), void *aux)
{
    pump = new_pump;
    pump_aux = aux;
}

void
netdev_dummy_set_tx_hook(struct netdev *n, void (*hook)(void *aux, struct netdev *, const void *frame, size_t len),
                         void *aux)
{
    struct dummy *d = n->priv;

    pthread_mutex_lock(&d->mutex);
    d->hook = hook;
    d->hook_aux = aux;
    pthread_mutex_unlock(&d->mutex);
}

void
netdev_dummy_set_admin_state(struct netdev *n, bool up)
{
    unsigned int now;

    if (n) {
        dummy_set_flags(n, up ? 0 : NETDEV_UP, up ? NETDEV_UP : 0, &now);
        return;
    }
    LIST_FOR_EACH_SAFE (d, struct dummy, node, &dummies) {
        dummy_set_flags(d->netdev, up ? 0 : NETDEV_UP, up ? NETDEV_UP : 0, &now);
    }
}

const char *
netdev_dummy_conn_state(const struct netdev *n)
{
    const struct dummy *d = n->priv;

    return d->stream ? dummy_stream_state(d->stream) : NULL;
}

void
netdev_dummy_set_ip4(struct netdev *n, be32 address, be32 mask)
{
    struct dummy *d = n->priv;

    d->ip4 = address;
    d->ip4_mask = mask;
    d->has_ip4 = true;
    netdev_changed(n);
}

bool
netdev_dummy_get_ip4(const struct netdev *n, be32 *address, be32 *mask)
{
    const struct dummy *d = n->priv;

    *address = d->ip4;
    *mask = d->ip4_mask;
    return d->has_ip4;
}

void
netdev_dummy_set_ip6(struct netdev *n, const struct ipv6_addr *address, const struct ipv6_addr *mask)
{
    struct dummy *d = n->priv;

    d->ip6 = *address;
    d->ip6_mask = *mask;
    d->has_ip6 = true;
    netdev_changed(n);
}

bool
netdev_dummy_get_ip6(const struct netdev *n, struct ipv6_addr *address, struct ipv6_addr *mask)
{
    const struct dummy *d = n->priv;

    *address = d->ip6;
    *mask = d->ip6_mask;
    return d->has_ip6;
}

void
netdev_dummy_for_each(void (*cb)(void *aux, struct netdev *), void *aux)
{
    LIST_FOR_EACH_SAFE (d, struct dummy, node, &dummies) {
        cb(aux, d->netdev);
    }
}
