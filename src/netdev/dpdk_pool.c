#include "netdev/dpdk_pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <rte_mempool.h>

#include "base/list.h"
#include "base/num.h"
#include "packet/mbuf.h"
#include "packet/pcap.h"
#include "packet/pool.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "sys/work.h"

LOG_MODULE(netdev_dpdk)

enum { POOL_SHARES = 2, POOL_EXTRA = 8192, ROOM_STEP = 1024, FRAME_OVERHEAD = 18, MAX_SHARED = 64,
       ALL_NODES = -1, PREPARED_MS = 10000 };

/* What a pool is made for. */
struct kind {
    unsigned int room; /* Bytes of a frame. */
    int node;
    char *owner; /* The devargs of the only device that may use it; null: it is shared. */
};

struct dpdk_pool {
    struct list node; /* In 'pools'. */
    struct rte_mempool *mempool;
    struct kind kind;
    unsigned int n_free; /* Not in anybody's share. */
    unsigned int n_shares;
};

static struct list pools = LIST_INIT(&pools);

/* Those of them that were made beforehand last and that nobody has come for: they stay for PREPARED_MS.  A device that
 * does not begin with the MTU that it is to have needs two. */
static struct dpdk_pool *prepared[2];
static int64_t prepared_at_ms;

static struct {
    bool per_port;
    char *text; /* As configured. */
    unsigned int n;
    struct { int mtu, node; } shared[MAX_SHARED];
} settings;

/* One pool at a time is made beside. */
static struct {
    pthread_mutex_t mutex;
    struct dpdk_pool *pool; /* Null: none is ready. */
    bool is_being_made, has_failed;
    struct kind kind;       /* Of the one that is being made. */
    unsigned int n;
    void (*done)(void *aux);
    void *aux;
} spare = { .mutex = PTHREAD_MUTEX_INITIALIZER };

/* --- Settings --- */

/* "MTU" or "MTU:NODE"; what is no number behind the colon counts as not given, like the reference's.  Null, or what is
 * wrong. */
static const char *
parse_shared(const char *text, int *mtu, int *node)
{
    char *number = xstrndup(text, strcspn(text, ":"));
    const char *colon = strchr(text, ':');
    bool is_mtu = num_parse_int(number, 10, mtu) && *mtu > 0;

    free(number);
    if (!colon || !num_parse_int(colon + 1, 10, node)) {
        *node = ALL_NODES;
    } else if (*node < 0) {
        return "NUMA";
    }
    return is_mtu ? NULL : "MTU";
}

static void
configure_shared(const char *text)
{
    char *copy = xstrdup(text), *save = NULL;

    settings.n = 0;
    for (char *word = strtok_r(copy, ", ", &save); word && settings.n < MAX_SHARED;
         word = strtok_r(NULL, ", ", &save)) {
        int mtu, node;
        const char *wrong = parse_shared(word, &mtu, &node);

        if (wrong) {
            log_warn("Invalid user configured shared mempool %s.", wrong);
            log_warn("User configured shared mempools will not be used.");
            settings.n = 0;
            break;
        }
        if (node == ALL_NODES) {
            log_info("User configured shared mempool set for: MTU %d, NUMA ALL.", mtu);
        } else {
            log_info("User configured shared mempool set for: MTU %d, NUMA %d.", mtu, node);
        }
        settings.shared[settings.n].mtu = mtu;
        settings.shared[settings.n++].node = node;
    }
    free(copy);
}

void
dpdk_pool_configure(const struct dpdk_pool_settings *s)
{
    const char *text = s->shared ? s->shared : "";

    if (s->per_port != settings.per_port) {
        settings.per_port = s->per_port;
        log_info("Per port memory for DPDK devices %s.", s->per_port ? "enabled" : "disabled");
    }
    if (strcmp(text, settings.text ? settings.text : "")) {
        free(settings.text);
        settings.text = xstrdup(text);
        configure_shared(text);
    }
}

/* --- Kinds --- */

/* The lowest configured MTU that suffices. */
static int
rounded_mtu(int mtu, int node)
{
    int best = 0;

    for (unsigned int i = 0; i < settings.n; i++) {
        int m = settings.shared[i].mtu, at = settings.shared[i].node;

        if (m >= mtu && (at == ALL_NODES || at == node) && (!best || m < best)) {
            best = m;
        }
    }
    return best ? best : mtu;
}

static bool
replays(const char *devargs)
{
    return strstr(devargs, "rx_pcap=") && strstr(devargs, "infinite_rx=1");
}

static struct kind
kind_of(const struct dpdk_pool_size *size)
{
    bool is_private = settings.per_port || replays(size->devargs);
    int mtu = is_private ? size->mtu : rounded_mtu(size->mtu, size->node);

    return (struct kind) { .room = MAX(ROUND_UP(mtu + FRAME_OVERHEAD, ROOM_STEP), PACKET_ROOM), .node = size->node,
                           .owner = is_private ? xstrdup(size->devargs) : NULL };
}

/* Whether a pool of one kind may be used for what wants the other. */
static bool
kind_serves(const struct kind *has, const struct kind *wants)
{
    bool is_same_owner = has->owner ? wants->owner && !strcmp(has->owner, wants->owner) : !wants->owner;

    return is_same_owner && has->room == wants->room && has->node == wants->node;
}

/* --- Making --- */

/* A replayed capture stays in the pool as a whole. */
static unsigned int
n_replayed(const char *devargs)
{
    const char *at = devargs && replays(devargs) ? strstr(devargs, "rx_pcap=") + strlen("rx_pcap=") : NULL;
    struct bytes frame = BYTES_INIT;
    struct pcap_file *file;
    unsigned int n = 0;
    char *path;

    if (!at) {
        return 0;
    }
    path = xstrndup(at, strcspn(at, ","));
    if (!pcap_open(path, "r", &file)) {
        while (pcap_read(file, &frame) > 0) {
            n++;
        }
        pcap_close(file);
    }
    bytes_uninit(&frame);
    free(path);
    return n;
}

/* Null with rte_errno set. */
static struct dpdk_pool *
make_pool(const struct kind *kind, unsigned int n)
{
    static _Atomic unsigned int n_made;
    unsigned int extra = POOL_EXTRA + n_replayed(kind->owner), most = kind->owner ? 1 : POOL_SHARES, shares = most;
    int node = kind->node;
    char name[RTE_MEMPOOL_NAMESIZE];
    struct rte_mempool *mempool;
    struct dpdk_pool *pool;

    snprintf(name, sizeof name, "weft_%s%u", kind->owner ? "port" : "shared", atomic_fetch_add(&n_made, 1));
    /* A smaller one rather than none; and ordinary memory knows of no nodes. */
    while (!(mempool = packet_pool_create(name, extra + shares * n, kind->room, node))) {
        if (--shares) {
            continue;
        }
        if (node == PACKET_ANY_NODE) {
            return NULL;
        }
        node = PACKET_ANY_NODE;
        shares = most;
    }
    pool = xzalloc(sizeof *pool);
    pool->mempool = mempool;
    pool->kind = *kind;
    pool->kind.owner = kind->owner ? xstrdup(kind->owner) : NULL;
    pool->n_free = shares * n;
    return pool;
}

static void
free_pool(struct dpdk_pool *pool)
{
    packet_pool_destroy(pool->mempool);
    free(pool->kind.owner);
    free(pool);
}

static void
make_spare(void *unused UNUSED)
{
    struct dpdk_pool *pool = make_pool(&spare.kind, spare.n);

    pthread_mutex_lock(&spare.mutex);
    spare.pool = pool;
    spare.has_failed = !pool;
    spare.is_being_made = false;
    spare.done(spare.aux);
    pthread_mutex_unlock(&spare.mutex);
}

/* --- Shares --- */

/* How many packets of 'pool' the holder of 'share' may have. */
static unsigned int
available(const struct dpdk_pool *pool, const struct dpdk_share *share)
{
    return pool->n_free + (share && share->pool == pool ? share->n : 0);
}

static bool
pool_serves(const struct dpdk_pool *pool, const struct dpdk_share *has, const struct kind *wants, unsigned int n)
{
    return kind_serves(&pool->kind, wants) && available(pool, has) >= n;
}

/* That which it has, or else another one. */
static struct dpdk_pool *
find_pool(const struct dpdk_share *has, const struct kind *wants, unsigned int n)
{
    if (has && has->pool && pool_serves(has->pool, has, wants, n)) {
        return has->pool;
    }
    LIST_FOR_EACH (pool, struct dpdk_pool, node, &pools) {
        if (pool_serves(pool, has, wants, n)) {
            return pool;
        }
    }
    return NULL;
}

/* The pool that was made beside, if one was, is there for whoever wants a share. */
static void
adopt_spare(void)
{
    struct dpdk_pool *pool;

    pthread_mutex_lock(&spare.mutex);
    pool = spare.pool;
    spare.pool = NULL;
    pthread_mutex_unlock(&spare.mutex);
    if (pool) {
        list_push_back(&pools, &pool->node);
        memmove(prepared + 1, prepared, sizeof prepared - sizeof *prepared);
        prepared[0] = pool;
        prepared_at_ms = clock_now_ms();
    }
}

/* Whether it is known that there is no memory for it. */
static bool
has_failed_locked(const struct kind *kind, unsigned int n)
{
    return spare.has_failed && kind_serves(&spare.kind, kind) && n >= spare.n;
}

/* Takes 'kind' over. */
static void
begin_spare_locked(struct kind *kind, unsigned int n, void (*done)(void *aux), void *aux)
{
    free(spare.kind.owner);
    spare.kind = *kind;
    spare.n = n;
    spare.is_being_made = true;
    spare.done = done;
    spare.aux = aux;
    kind->owner = NULL;
    work_start(make_spare, NULL);
}

bool
dpdk_pool_prepare(const struct dpdk_share *has, const struct dpdk_pool_size *size, void (*done)(void *aux), void *aux)
{
    struct kind kind = kind_of(size);
    bool is_ready;

    adopt_spare();
    is_ready = find_pool(has, &kind, size->n) != NULL;
    pthread_mutex_lock(&spare.mutex);
    if (!is_ready && !spare.is_being_made) {
        is_ready = has_failed_locked(&kind, size->n);
        if (!is_ready) {
            begin_spare_locked(&kind, size->n, done, aux);
        }
    }
    pthread_mutex_unlock(&spare.mutex);
    free(kind.owner);
    return is_ready;
}

static void
forget_failure(void)
{
    pthread_mutex_lock(&spare.mutex);
    spare.has_failed = false;
    pthread_mutex_unlock(&spare.mutex);
}

/* Somebody has come for it. */
static void
is_wanted(const struct dpdk_pool *pool)
{
    for (size_t i = 0; i < ARRAY_SIZE(prepared); i++) {
        if (prepared[i] == pool) {
            prepared[i] = NULL;
        }
    }
}

bool
dpdk_share_fit(struct dpdk_share *share, const struct dpdk_pool_size *size)
{
    struct kind kind = kind_of(size);
    struct dpdk_pool *pool;

    adopt_spare();
    forget_failure();
    pool = find_pool(share, &kind, size->n);
    if (!pool) {
        pool = make_pool(&kind, size->n);
        if (pool) {
            list_push_back(&pools, &pool->node);
        }
    }
    free(kind.owner);
    if (!pool) {
        return false;
    }
    is_wanted(pool);
    pool->n_shares++;
    dpdk_share_release(share);
    pool->n_free -= size->n;
    *share = (struct dpdk_share) { pool, size->n };
    return true;
}

void
dpdk_share_release(struct dpdk_share *share)
{
    if (share->pool) {
        share->pool->n_free += share->n;
        share->pool->n_shares--;
        *share = (struct dpdk_share) { NULL, 0 };
        dpdk_pools_sweep();
    }
}

struct rte_mempool *
dpdk_share_mempool(const struct dpdk_share *share)
{
    return share->pool ? share->pool->mempool : NULL;
}

static bool
is_prepared(const struct dpdk_pool *pool)
{
    return pool == prepared[0] || pool == prepared[1];
}

void
dpdk_pools_sweep(void)
{
    if (clock_now_ms() > prepared_at_ms + PREPARED_MS) {
        memset(prepared, 0, sizeof prepared);
    }
    LIST_FOR_EACH_SAFE (pool, struct dpdk_pool, node, &pools) {
        if (!pool->n_shares && !is_prepared(pool) && rte_mempool_full(pool->mempool)) {
            list_remove(&pool->node);
            free_pool(pool);
        }
    }
}
