#include "netdev/dpdk_pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <rte_mempool.h>

#include "base/list.h"
#include "packet/mbuf.h"
#include "packet/pcap.h"
#include "packet/pool.h"
#include "sys/work.h"

/* One pool at a time. */
static struct {
    pthread_mutex_t mutex;
    struct rte_mempool *pool; /* Null: none is ready. */
    bool is_being_made, has_failed;
    struct dpdk_pool_size size; /* Of the one that is being made; the text is ours. */
    void (*done)(void *aux);
    void *aux;
} spare = { .mutex = PTHREAD_MUTEX_INITIALIZER };

/* Given back, with packets on their way. */
struct retired {
    struct list node;
    struct rte_mempool *pool;
};

static struct list retired = LIST_INIT(&retired);

/* A replayed capture stays in the pool as a whole. */
static unsigned int
n_replayed(const char *devargs)
{
    const char *at = strstr(devargs, "rx_pcap=");
    struct bytes frame = BYTES_INIT;
    struct pcap_file *file;
    unsigned int n = 0;
    char *path;

    if (!at || !strstr(devargs, "infinite_rx=1")) {
        return 0;
    }
    at += strlen("rx_pcap=");
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

static struct rte_mempool *
make_pool(const struct dpdk_pool_size *size)
{
    static _Atomic unsigned int n_made;
    char name[RTE_MEMPOOL_NAMESIZE];

    snprintf(name, sizeof name, "weft_port%u", atomic_fetch_add(&n_made, 1));
    return packet_pool_create(name, size->n + n_replayed(size->devargs), MAX(size->frame, PACKET_ROOM));
}

static void
make_spare(void *unused UNUSED)
{
    struct rte_mempool *pool = make_pool(&spare.size);

    pthread_mutex_lock(&spare.mutex);
    spare.pool = pool;
    spare.has_failed = !pool;
    spare.is_being_made = false;
    spare.done(spare.aux);
    pthread_mutex_unlock(&spare.mutex);
}

bool
dpdk_pool_is_enough(const struct dpdk_pool_size *has, const struct dpdk_pool_size *wants)
{
    return has->n >= wants->n && MAX(has->frame, PACKET_ROOM) >= wants->frame;
}

static bool
spare_is_for(const struct dpdk_pool_size *wants)
{
    return spare.pool && dpdk_pool_is_enough(&spare.size, wants) && !strcmp(spare.size.devargs, wants->devargs);
}

bool
dpdk_pool_prepare(const struct dpdk_pool_size *size, void (*done)(void *aux), void *aux)
{
    bool is_ready;

    pthread_mutex_lock(&spare.mutex);
    is_ready = !spare.is_being_made
               && (spare.has_failed || spare_is_for(size));
    if (!is_ready && !spare.is_being_made) {
        packet_pool_destroy(spare.pool); /* Of a device that did not come. */
        spare.pool = NULL;
        free((char *) spare.size.devargs);
        spare.size = *size;
        spare.size.devargs = xstrdup(size->devargs);
        spare.is_being_made = true;
        spare.done = done;
        spare.aux = aux;
        work_start(make_spare, NULL);
    }
    pthread_mutex_unlock(&spare.mutex);
    return is_ready;
}

struct rte_mempool *
dpdk_pool_get(const struct dpdk_pool_size *size)
{
    struct rte_mempool *pool = NULL;

    dpdk_pools_sweep();
    pthread_mutex_lock(&spare.mutex);
    if (spare_is_for(size)) {
        pool = spare.pool;
        spare.pool = NULL;
    }
    spare.has_failed = false;
    pthread_mutex_unlock(&spare.mutex);
    return pool ? pool : make_pool(size);
}

void
dpdk_pool_put(struct rte_mempool *pool)
{
    if (pool && !rte_mempool_full(pool)) {
        struct retired *r = xmalloc(sizeof *r);

        r->pool = pool;
        list_push_back(&retired, &r->node);
    } else {
        packet_pool_destroy(pool);
    }
}

void
dpdk_pools_sweep(void)
{
    LIST_FOR_EACH_SAFE (r, struct retired, node, &retired) {
        if (rte_mempool_full(r->pool)) {
            list_remove(&r->node);
            packet_pool_destroy(r->pool);
            free(r);
        }
    }
}
