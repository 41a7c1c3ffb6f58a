#include "netdev/vhost.h"

#include <errno.h>
#include <linux/virtio_net.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <rte_spinlock.h>
#include <rte_vhost.h>

#include "base/num.h"
#include "base/tally.h"
#include "netdev/lost_memory.h"
#include "netdev/qos.h"
#include "netdev/vhost_announce.h"
#include "netdev/vhost_counters.h"
#include "netdev/vhost_faults.h"
#include "netdev/vhost_machine.h"
#include "packet/env.h"
#include "packet/mbuf.h"
#include "packet/pool.h"
#include "sys/dirs.h"
#include "sys/log.h"
#include "sys/loop.h"
#include "sys/rcu.h"

LOG_MODULE(netdev_dpdk)

enum {
    MAX_PAIRS = 128,
    DEFAULT_RETRIES = 8,
    MAX_RETRIES = 32,
    DEFAULT_MTU = 1500,
    FRAME_OVERHEAD = 18, /* Beyond the MTU: Ethernet header and one tag, or the check sequence. */
    NO_DEVICE = -1,
    PATH_ROOM = sizeof ((struct sockaddr_un *) 0)->sun_path,
};

struct pair {
    rte_spinlock_t lock; /* Of sending into it. */
    _Atomic bool rx_enabled, tx_enabled;
} ALIGNED(CACHE_LINE);

struct vhost {
    struct netdev *netdev;
    struct list node;            /* In 'vhosts'. */
    bool is_client;
    char *path;                  /* Null until the socket is there. */
    struct loop_wake wake;       /* Something of the following has changed. */
    unsigned int n_rxq;          /* Main thread. */
    uint64_t carrier_resets;
    int mtu;                     /* What the datapath was asked for; 0: nothing. */
    bool had_link;
    bool may_postcopy;           /* What its socket was opened with. */

    /* Written by the library's thread. */
    _Atomic int vid;             /* NO_DEVICE: nobody is there. */
    _Atomic(struct vhost_machine *) machine; /* Null: nobody, or its queues may not be touched now. */
    struct vhost_announce announce;
    struct vhost_faults faults;
    _Atomic unsigned int n_pairs;
    _Atomic unsigned int n_links; /* How often somebody came. */

    _Atomic bool up;
    _Atomic unsigned int retries;
    _Atomic unsigned int max_frame;
    _Atomic uint64_t tx_failed, tx_too_long, tx_retried, rx_lost;
    struct pair pairs[MAX_PAIRS];
    int counted_vid;             /* Whose 'counters' they are; the library's thread. */
    struct virtqueue_counters counters[MAX_PAIRS * 2]; /* By the machine's numbers. */
};

/* The devices, for the library's thread, which knows them by the names of their sockets. */
static struct list vhosts = LIST_INIT(&vhosts);
static pthread_mutex_t vhosts_mutex = PTHREAD_MUTEX_INITIALIZER;

static struct {
    char *sock_dir;
    bool iommu, postcopy, tso;
} settings;

void
netdev_vhost_configure(const struct netdev_vhost_settings *s)
{
    free(settings.sock_dir);
    settings.sock_dir = s->sock_dir ? xstrdup(s->sock_dir) : NULL;
    settings.iommu = s->iommu;
    settings.postcopy = s->postcopy;
    settings.tso = s->tso;
}

static struct vhost *
vhost(const struct netdev *n)
{
    return n->priv;
}

/* --- Called by the library --- */

/* Its socket's name is in 'path'. */
static struct vhost *
find_locked(int vid, char path[PATH_ROOM])
{
    if (rte_vhost_get_ifname(vid, path, PATH_ROOM)) {
        return NULL;
    }
    LIST_FOR_EACH (v, struct vhost, node, &vhosts) {
        if (v->path && !strcmp(v->path, path)) {
            return v;
        }
    }
    return NULL;
}

static unsigned int
offloads_of(int vid)
{
    uint64_t features = 0;

    if (rte_vhost_get_negotiated_features(vid, &features) || !(features >> VIRTIO_NET_F_GUEST_CSUM & 1)) {
        return 0;
    }
    return NETDEV_TAKES_CSUM | (features >> VIRTIO_NET_F_GUEST_TSO4 & 1 && features >> VIRTIO_NET_F_GUEST_TSO6 & 1
                                ? NETDEV_TAKES_TCP_SEGMENTS | NETDEV_TAKES_EXTENSIONS : 0);
}

/* Without notifications: our workers look by themselves. */
static void
no_kicks(int vid, unsigned int n_pairs)
{
    for (unsigned int i = 0; i < n_pairs; i++) {
        rte_vhost_enable_guest_notification(vid, VRING_RX(i), 0);
    }
}

/* Nobody is at its queues any more then, nor will be until it is shown again.  Only the library's thread shows and
 * hides. */
static void
hide_machine(struct vhost *v)
{
    struct vhost_machine *m = atomic_exchange(&v->machine, NULL);

    if (m) {
        rcu_synchronize();
        vhost_machine_free(m);
    }
}

/* The one that is shown is that of 'vid': two may have connected to a socket that listens, and the last that has set up
 * its queues has the port. */
static bool
is_shown(struct vhost *v, int vid)
{
    const struct vhost_machine *m = atomic_load(&v->machine);

    return m && m->vid == vid;
}

static void
show_machine(struct vhost *v, int vid)
{
    atomic_store(&v->machine, vhost_machine_new(vid, MAX_PAIRS * 2, v->counters, settings.tso));
}

static struct vhost *
find(int vid)
{
    char path[PATH_ROOM];
    struct vhost *v;

    pthread_mutex_lock(&vhosts_mutex);
    v = find_locked(vid, path);
    pthread_mutex_unlock(&vhosts_mutex);
    return v;
}

/* Each message may change the machine's memory and rings.  Where the library serves them, it has locks of its own,
 * which it may hold here.  The library does not ask whether post-copy was agreed on. */
static enum rte_vhost_msg_result
before_message(int vid, void *message)
{
    struct vhost *v = find(vid);

    if (v && vhost_faults_are_asked_for(message) && !v->may_postcopy) {
        log_warn("vHost Device '%s': post-copy is refused: it is not allowed", v->path);
        return RTE_VHOST_MSG_RESULT_ERR;
    }
    if (v) {
        vhost_faults_before(&v->faults, message);
    }
    if (v && is_shown(v, vid) && !atomic_load(&v->machine)->is_served_by_library) {
        hide_machine(v);
    }
    return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

static enum rte_vhost_msg_result
after_message(int vid, void *message)
{
    struct vhost *v = find(vid);

    if (v && atomic_load(&v->vid) == vid && !atomic_load(&v->machine)) {
        show_machine(v, vid);
    }
    if (v) {
        vhost_announce_note(&v->announce, message);
        vhost_faults_after(&v->faults, vid, v->path, message);
    }
    return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

static const struct rte_vhost_user_extern_ops around_messages = { before_message, after_message };

/* From the first message on: that the machine is to be announced may be asked for before its queues are set up. */
static int
new_connection(int vid)
{
    struct vhost *v = find(vid);

    if (v) {
        vhost_announce_forget(&v->announce);
        vhost_faults_begin(&v->faults);
    }
    return rte_vhost_extern_callback_register(vid, &around_messages, NULL);
}

static void
count_for(struct vhost *v, int vid)
{
    if (v->counted_vid != vid) {
        memset(v->counters, 0, sizeof v->counters); /* The library's begin anew, too. */
        v->counted_vid = vid;
    }
}

static int
new_device(int vid)
{
    char path[PATH_ROOM];
    struct vhost *v = find(vid);

    if (v) {
        hide_machine(v); /* Of another one that is still there. */
    }
    pthread_mutex_lock(&vhosts_mutex);
    v = find_locked(vid, path);
    if (v) {
        unsigned int n = MIN(rte_vhost_get_vring_num(vid) / 2, MAX_PAIRS);

        no_kicks(vid, n);
        atomic_store(&v->netdev->offloads, offloads_of(vid));
        atomic_store(&v->n_pairs, n);
        count_for(v, vid);
        show_machine(v, vid);
        atomic_store(&v->vid, vid);
        atomic_fetch_add(&v->n_links, 1);
        log_info("vHost Device '%s' has been added on numa node %d", path, MAX(rte_vhost_get_numa_node(vid), 0));
        loop_wake_signal(&v->wake);
    }
    pthread_mutex_unlock(&vhosts_mutex);
    return v ? 0 : -1;
}

static void
destroy_device(int vid)
{
    char path[PATH_ROOM];
    struct vhost *v;

    pthread_mutex_lock(&vhosts_mutex);
    v = find_locked(vid, path);
    if (v && atomic_load(&v->vid) == vid) {
        atomic_store(&v->vid, NO_DEVICE);
        for (unsigned int i = 0; i < MAX_PAIRS; i++) {
            atomic_store(&v->pairs[i].rx_enabled, false);
            atomic_store(&v->pairs[i].tx_enabled, false);
        }
        loop_wake_signal(&v->wake);
    }
    pthread_mutex_unlock(&vhosts_mutex);
    if (v) {
        if (is_shown(v, vid)) {
            hide_machine(v);
        }
        log_info("vHost Device '%s' has been removed", path);
    }
}

static int
vring_state_changed(int vid, uint16_t vring, int enable)
{
    unsigned int pair = vring / 2;
    bool is_rx = vring == VRING_RX(pair);
    char path[PATH_ROOM];
    struct vhost *v;

    if (pair >= MAX_PAIRS) {
        return 0;
    }
    pthread_mutex_lock(&vhosts_mutex);
    v = find_locked(vid, path);
    if (v && !enable && atomic_load(&v->vid) != vid && atomic_load(&v->vid) != NO_DEVICE) {
        pthread_mutex_unlock(&vhosts_mutex);
        return 0; /* One that another has taken the port over from. */
    }
    if (v) {
        atomic_store(is_rx ? &v->pairs[pair].rx_enabled : &v->pairs[pair].tx_enabled, enable != 0);
        log_info("State of queue %u ( %s_qid %u ) of vhost device '%s' changed to '%s'", vring, is_rx ? "rx" : "tx",
                 pair, path, enable ? "enabled" : "disabled");
        loop_wake_signal(&v->wake);
    }
    pthread_mutex_unlock(&vhosts_mutex);
    return v ? 0 : -1;
}

static void
destroy_connection(int vid)
{
    char path[PATH_ROOM];
    struct vhost *v;

    pthread_mutex_lock(&vhosts_mutex);
    v = find_locked(vid, path);
    if (v) {
        if (v->counted_vid == vid) {
            count_for(v, NO_DEVICE);
        }
        vhost_faults_end(&v->faults);
        log_info("vHost Device '%s' connection has been destroyed", path);
    }
    pthread_mutex_unlock(&vhosts_mutex);
}

static const struct rte_vhost_device_ops ops = {
    .new_device = new_device,
    .destroy_device = destroy_device,
    .vring_state_changed = vring_state_changed,
    .new_connection = new_connection,
    .destroy_connection = destroy_connection,
};

/* --- The main loop hears of it --- */

static void
apply_n_rxq(struct vhost *v, unsigned int n)
{
    if (n && n != v->n_rxq) {
        netdev_release_queues(v->netdev);
        v->n_rxq = n;
        netdev_take_queues(v->netdev);
    }
}

static void
device_changed(struct loop_wake *wake)
{
    struct vhost *v = wake->aux;
    bool has_link = atomic_load(&v->vid) != NO_DEVICE;

    if (has_link) {
        apply_n_rxq(v, atomic_load(&v->n_pairs));
    }
    if (has_link != v->had_link) {
        v->had_link = has_link;
        v->carrier_resets++;
    }
    netdev_changed(v->netdev);
}

/* --- The socket --- */

/* One of a listener that has not ended as it should is in the way. */
static void
remove_stale_socket(const char *path)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    str_copy_cut(un.sun_path, path, sizeof un.sun_path);
    if (fd >= 0 && connect(fd, (struct sockaddr *) &un, sizeof un) && errno == ECONNREFUSED) {
        unlink(path);
    }
    if (fd >= 0) {
        close(fd);
    }
}

static uint64_t
flags_of(const struct vhost *v)
{
    uint64_t flags = RTE_VHOST_USER_LINEARBUF_SUPPORT | RTE_VHOST_USER_EXTBUF_SUPPORT | RTE_VHOST_USER_NET_STATS_ENABLE;

    if (v->is_client) {
        flags |= RTE_VHOST_USER_CLIENT | (settings.iommu ? RTE_VHOST_USER_IOMMU_SUPPORT : 0)
                 | (v->may_postcopy ? RTE_VHOST_USER_POSTCOPY_SUPPORT : 0);
    }
    return flags;
}

static uint64_t
unwanted_features(void)
{
    uint64_t udp = UINT64_C(1) << VIRTIO_NET_F_HOST_UFO;

    return settings.tso ? udp : udp | UINT64_C(1) << VIRTIO_NET_F_HOST_TSO4 | UINT64_C(1) << VIRTIO_NET_F_HOST_TSO6;
}

/* Takes 'path' over. */
static struct error *
open_socket(struct vhost *v, char *path)
{
    const char *name = v->netdev->name;
    struct error *e = NULL;

    if (strlen(path) >= PATH_ROOM) {
        e = error_new("%s: %s: the name of the socket is longer than %d bytes", name, path, (int) PATH_ROOM - 1);
        free(path);
        return e;
    }
    if (!v->is_client) {
        remove_stale_socket(path);
    }
    v->may_postcopy = v->is_client && settings.postcopy;
    if (rte_vhost_driver_register(path, flags_of(v))) {
        e = error_new("vhost-user device setup failure for device %s: socket %s cannot be made", name, path);
        free(path);
        return e;
    }
    pthread_mutex_lock(&vhosts_mutex);
    v->path = path;
    pthread_mutex_unlock(&vhosts_mutex);
    if (rte_vhost_driver_callback_register(path, &ops) || rte_vhost_driver_disable_features(path, unwanted_features())
        || rte_vhost_driver_start(path)) {
        return error_new("vhost-user device setup failure for device %s: socket %s cannot be started", name, path);
    }
    if (v->is_client) {
        log_info("vHost User device '%s' created in 'client' mode, using client socket '%s'", name, path);
    } else {
        log_info("Socket %s created for vhost-user port %s", path, name);
    }
    return NULL;
}

/* The library's thread may be waiting until we hold nothing, and we wait for it. */
static void
close_socket(struct vhost *v)
{
    char *path = v->path;

    if (!path) {
        return;
    }
    rcu_offline();
    if (rte_vhost_driver_unregister(path)) {
        log_warn("%s: socket %s cannot be closed", v->netdev->name, path);
    }
    rcu_online();
    vhost_faults_end(&v->faults); /* The library does not say that a connection is over which we have ended. */
    pthread_mutex_lock(&vhosts_mutex);
    v->path = NULL;
    pthread_mutex_unlock(&vhosts_mutex);
    if (!v->is_client) {
        unlink(path);
    }
    free(path);
}

/* The setting is below the run directory, also if it begins with a slash. */
static char *
server_path(const char *name)
{
    const char *dir = settings.sock_dir ? settings.sock_dir : "";

    if (strstr(dir, "..")) {
        log_err("vhost-user sock directory request '%s/%s' has invalid characters '..' - using %s instead.", dirs_run(),
                dir, dirs_run());
        dir = "";
    }
    return dir[0] ? xasprintf("%s/%s/%s", dirs_run(), dir, name) : xasprintf("%s/%s", dirs_run(), name);
}

/* --- A device --- */

static int
construct(struct netdev *n, bool is_client)
{
    struct error *e = env_start();
    struct vhost *v;

    if (!e && !is_client && strpbrk(n->name, "/\\")) {
        log_err("\"%s\" is not a valid name for a vhost-user port. A valid name must not include '/' or '\\'", n->name);
        return -EINVAL;
    }
    if (e) {
        log_err("%s: %s", n->name, error_text(e));
        error_free(e);
        return -ENODEV;
    }
    lost_memory_survive();
    v = xzalloc_cacheline(sizeof *v);
    v->netdev = n;
    v->is_client = is_client;
    v->n_rxq = 1;
    v->vid = v->counted_vid = NO_DEVICE;
    v->retries = DEFAULT_RETRIES;
    v->max_frame = DEFAULT_MTU + FRAME_OVERHEAD;
    v->up = true;
    vhost_faults_init(&v->faults);
    for (int i = 0; i < MAX_PAIRS; i++) {
        rte_spinlock_init(&v->pairs[i].lock);
    }
    n->priv = v;
    loop_wake_init(netdev_loop(), &v->wake, device_changed, v);
    pthread_mutex_lock(&vhosts_mutex);
    list_push_back(&vhosts, &v->node);
    pthread_mutex_unlock(&vhosts_mutex);
    return 0;
}

static void
vhost_destruct(struct netdev *n)
{
    struct vhost *v = vhost(n);

    close_socket(v);
    pthread_mutex_lock(&vhosts_mutex);
    list_remove(&v->node);
    pthread_mutex_unlock(&vhosts_mutex);
    loop_wake_uninit(&v->wake);
    free(v);
}

static int
client_construct(struct netdev *n)
{
    return construct(n, true);
}

static int
server_construct(struct netdev *n)
{
    int error = construct(n, false);
    struct error *e;

    if (error) {
        return error;
    }
    e = open_socket(vhost(n), server_path(n->name));
    if (e) {
        log_err("%s", error_text(e));
        error_free(e);
        vhost_destruct(n);
        return -EINVAL;
    }
    log_warn("dpdkvhostuser ports are considered deprecated;  please migrate to dpdkvhostuserclient ports.");
    return 0;
}

static struct error *
server_set_config(struct netdev *n UNUSED, const struct strmap *options UNUSED)
{
    return NULL;
}

static void
set_retries(struct vhost *v, const struct strmap *options)
{
    const char *text = strmap_get(options, "tx-retries-max");
    uint32_t n = DEFAULT_RETRIES;

    if (text && (!num_parse_u32(text, 10, &n) || n > MAX_RETRIES)) {
        log_info("%s: tx-retries-max: '%s' is not a number from 0 to %d; it stays at %d", v->netdev->name, text,
                 MAX_RETRIES, DEFAULT_RETRIES);
        n = DEFAULT_RETRIES;
    }
    if (n != atomic_load(&v->retries)) {
        atomic_store(&v->retries, n);
        log_info("Max Tx retries for vhost device '%s' set to %u", v->netdev->name, n);
    }
}

static struct error *
client_set_config(struct netdev *n, const struct strmap *options)
{
    const char *path = strmap_get(options, "vhost-server-path");
    struct vhost *v = vhost(n);
    struct error *e;

    set_retries(v, options);
    if (!path || !path[0]) {
        close_socket(v); /* It has no machine to go to; that is no error, the path may come. */
        return NULL;
    }
    if (v->path && !strcmp(v->path, path)) {
        return NULL;
    }
    close_socket(v);
    e = open_socket(v, xstrdup(path));
    if (e) {
        close_socket(v);
    }
    netdev_changed(n);
    return e;
}

static int
vhost_set_flags(struct netdev *n, unsigned int off, unsigned int on, unsigned int *now)
{
    struct vhost *v = vhost(n);
    bool up = (v->up && !(off & NETDEV_UP)) || on & NETDEV_UP;

    if (up != v->up) {
        v->up = up;
        netdev_changed(n);
    }
    *now = v->up ? NETDEV_UP : 0;
    return 0;
}

/* The machine has its own address, which nobody tells us. */
static int
vhost_get_etheraddr(const struct netdev *n UNUSED, struct eth_addr *mac)
{
    *mac = (struct eth_addr) { { 0 } };
    return 0;
}

static int
vhost_get_mtu(const struct netdev *n, int *mtu)
{
    struct vhost *v = vhost(n);

    *mtu = !v->had_link ? 0 : v->mtu ? v->mtu : DEFAULT_MTU;
    return 0;
}

static int
vhost_set_mtu(struct netdev *n, int mtu)
{
    struct vhost *v = vhost(n);

    if (mtu < 68 || mtu + FRAME_OVERHEAD > PACKET_MAX) {
        return -EINVAL;
    }
    v->mtu = mtu;
    atomic_store(&v->max_frame, mtu + FRAME_OVERHEAD);
    netdev_changed(n);
    return 0;
}

static bool
vhost_get_carrier(const struct netdev *n)
{
    return atomic_load(&vhost(n)->vid) != NO_DEVICE;
}

static uint64_t
vhost_get_carrier_resets(const struct netdev *n)
{
    return vhost(n)->carrier_resets;
}

static void
vhost_get_status(const struct netdev *n, struct strmap *status)
{
    struct vhost *v = vhost(n);
    int vid = atomic_load(&v->vid);
    unsigned int n_vrings = atomic_load(&v->n_pairs) * 2;
    bool is_client = v->is_client && v->path;
    struct rte_vhost_vring vring;
    uint64_t features;

    strmap_put_free(status, "mode", xstrdup(is_client ? "client" : "server"));
    strmap_put_free(status, "status", xstrdup(vid == NO_DEVICE ? "disconnected" : "connected"));
    if (vid == NO_DEVICE || rte_vhost_get_negotiated_features(vid, &features)) {
        return;
    }
    strmap_put_free(status, "features", xasprintf("0x%016llx", (unsigned long long) features));
    strmap_put_free(status, "socket", xstrdup(v->path));
    strmap_put_free(status, "numa", xasprintf("%d", MAX(rte_vhost_get_numa_node(vid), 0)));
    strmap_put_free(status, "num_of_vrings", xasprintf("%u", n_vrings));
    strmap_put_free(status, "n_rxq", xasprintf("%u", v->n_rxq));
    strmap_put_free(status, "n_txq", xasprintf("%u", n_vrings / 2));
    strmap_put_free(status, "userspace-tso", xstrdup(settings.tso ? "enabled" : "disabled"));
    for (unsigned int i = 0; i < n_vrings; i++) {
        if (!rte_vhost_get_vhost_vring(vid, i, &vring)) {
            char *key = xasprintf("vring_%u_size", i);

            strmap_put_free(status, key, xasprintf("%u", vring.size));
            free(key);
        }
    }
}

/* --- Counters --- */

static struct vhost_own_counters
own_counters(struct vhost *v)
{
    return (struct vhost_own_counters) {
        .tx_failed = tally_get(&v->tx_failed),
        .tx_too_long = tally_get(&v->tx_too_long),
        .tx_retried = tally_get(&v->tx_retried),
        .rx_lost = tally_get(&v->rx_lost),
        .rx_policed = netdev_rates_rx_drops(v->netdev),
        .tx_policed = netdev_rates_tx_drops(v->netdev),
    };
}

static struct vhost_counted
counted(struct vhost *v)
{
    const struct vhost_machine *m = atomic_load(&v->machine);

    return (struct vhost_counted) { .vid = atomic_load(&v->vid), .n_pairs = atomic_load(&v->n_pairs),
                                    .rings = v->counters, .by_library = m && m->is_served_by_library };
}

static int
vhost_get_stats(const struct netdev *n, struct netdev_stats *stats)
{
    struct vhost *v = vhost(n);
    struct vhost_own_counters own = own_counters(v);
    struct vhost_counted of = counted(v);

    if (of.vid == NO_DEVICE) {
        return 0; /* None is known. */
    }
    vhost_counters_sum(&of, stats);
    stats->rx_dropped = own.rx_lost;
    stats->tx_dropped = own.tx_failed + own.tx_too_long;
    return 0;
}

static void
vhost_each_counter(const struct netdev *n, netdev_counter_cb *cb, void *aux)
{
    struct vhost *v = vhost(n);
    struct vhost_own_counters own = own_counters(v);
    struct vhost_counted of = counted(v);

    vhost_counters_each(&of, &own, cb, aux);
}

/* --- Packets --- */

static unsigned int
vhost_n_rxq(const struct netdev *n)
{
    return vhost(n)->n_rxq;
}

/* The memory that they were read from was not there. */
static void
lose_received(struct vhost *v, struct packet **packets, unsigned int n)
{
    atomic_fetch_add_explicit(&v->rx_lost, n, memory_order_relaxed);
    rte_pktmbuf_free_bulk((struct rte_mbuf **) packets, n);
}

static int
vhost_rxq_recv(struct netdev_rxq *rxq, struct packet **packets, unsigned int max)
{
    struct vhost *v = vhost(rxq->netdev);
    struct vhost_machine *m = atomic_load_explicit(&v->machine, memory_order_acquire);
    unsigned int n;

    if (UNLIKELY(!m || !atomic_load_explicit(&v->up, memory_order_relaxed)
                 || !atomic_load_explicit(&v->pairs[rxq->queue].rx_enabled, memory_order_relaxed))) {
        return 0;
    }
    if (UNLIKELY(vhost_announce_is_wanted(&v->announce)) && !m->is_served_by_library) {
        packets[0] = vhost_announce_take(&v->announce);
        return packets[0] != NULL;
    }
    n = vhost_machine_recv(m, rxq->queue, packets, max);
    if (UNLIKELY(n && vhost_faults_are_given_up(&v->faults))) {
        lose_received(v, packets, n);
        return 0;
    }
    return n;
}

static unsigned int
vhost_rxq_length(const struct netdev_rxq *rxq)
{
    const struct vhost_machine *m = atomic_load_explicit(&vhost(rxq->netdev)->machine, memory_order_acquire);

    return m ? vhost_machine_rx_length(m, rxq->queue) : 0;
}

/* That of the caller, or another one if the machine does not use it; -1: it uses none. */
static int
choose_pair(struct vhost *v, unsigned int txq)
{
    unsigned int n = atomic_load_explicit(&v->n_pairs, memory_order_relaxed);

    for (unsigned int i = 0; i < n; i++) {
        unsigned int pair = (txq + i) % n;

        if (LIKELY(atomic_load_explicit(&v->pairs[pair].tx_enabled, memory_order_relaxed))) {
            return pair;
        }
    }
    return -1;
}

/* The number of those that the machine took. */
static unsigned int
enqueue(struct vhost *v, struct vhost_machine *m, unsigned int pair, struct packet *const *packets, unsigned int n)
{
    unsigned int left = atomic_load_explicit(&v->retries, memory_order_relaxed), done = 0, retried = 0, n_failed = 0;

    rte_spinlock_lock(&v->pairs[pair].lock);
    for (;;) {
        unsigned int now = vhost_machine_send(m, pair, packets + done, n - done, &n_failed);

        done += now;
        if (LIKELY(done == n) || !now || retried == left) {
            break;
        }
        retried += now != VIRTQUEUE_BURST; /* No more are taken at once. */
    }
    rte_spinlock_unlock(&v->pairs[pair].lock);
    if (UNLIKELY(retried)) {
        atomic_fetch_add_explicit(&v->tx_retried, retried, memory_order_relaxed);
    }
    return done - n_failed;
}

static void
vhost_send(struct netdev *netdev, unsigned int txq, struct packet **packets, unsigned int n_packets)
{
    struct vhost *v = vhost(netdev);
    struct vhost_machine *m = atomic_load_explicit(&v->machine, memory_order_acquire);
    int pair = choose_pair(v, txq);
    unsigned int n = packets_up_to(packets, n_packets, atomic_load_explicit(&v->max_frame, memory_order_relaxed));
    unsigned int sent = 0;

    if (UNLIKELY(n < n_packets)) {
        atomic_fetch_add_explicit(&v->tx_too_long, n_packets - n, memory_order_relaxed);
    }
    if (LIKELY(m && pair >= 0 && atomic_load_explicit(&v->up, memory_order_relaxed))) {
        sent = enqueue(v, m, pair, packets, n);
        sent = UNLIKELY(vhost_faults_are_given_up(&v->faults)) ? 0 : sent;
    }
    if (UNLIKELY(sent < n)) {
        atomic_fetch_add_explicit(&v->tx_failed, n - sent, memory_order_relaxed);
    }
    rte_pktmbuf_free_bulk((struct rte_mbuf **) packets, n); /* The machine has copies of those that it took. */
}

static unsigned int
vhost_n_txq(const struct netdev *netdev)
{
    return atomic_load_explicit(&vhost(netdev)->n_pairs, memory_order_relaxed);
}

#define VHOST_CLASS(TYPE, CONSTRUCT, SET_CONFIG) \
    { \
        .type = TYPE, \
        .is_pollable_only = true, \
        .has_packets = true, \
        .construct = CONSTRUCT, \
        .destruct = vhost_destruct, \
        .n_txq = vhost_n_txq, \
        .qos_types = netdev_policer_types, \
        .set_config = SET_CONFIG, \
        .set_flags = vhost_set_flags, \
        .get_etheraddr = vhost_get_etheraddr, \
        .get_mtu = vhost_get_mtu, \
        .set_mtu = vhost_set_mtu, \
        .get_carrier = vhost_get_carrier, \
        .get_carrier_resets = vhost_get_carrier_resets, \
        .get_stats = vhost_get_stats, \
        .get_status = vhost_get_status, \
        .each_counter = vhost_each_counter, \
        .n_rxq = vhost_n_rxq, \
        .rxq_open = netdev_plain_rxq_open, \
        .rxq_close = netdev_plain_rxq_close, \
        .rxq_fd = netdev_no_rxq_fd, \
        .rxq_recv = vhost_rxq_recv, \
        .rxq_length = vhost_rxq_length, \
        .send = vhost_send, \
    }

static const struct netdev_class server_class = VHOST_CLASS("dpdkvhostuser", server_construct, server_set_config);
static const struct netdev_class client_class = VHOST_CLASS("dpdkvhostuserclient", client_construct, client_set_config);

void
netdev_vhost_register(void)
{
    netdev_class_register(&server_class);
    netdev_class_register(&client_class);
}
