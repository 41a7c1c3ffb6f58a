#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

#include <rte_interrupts.h>

#include "netdev/dpdk_device.h"
#include "netdev/dpdk_peer.h"
#include "sys/counter.h"

COUNTER(netdev_dpdk_peer_gone)

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct list watched = LIST_INIT(&watched); /* Of struct dpdk_device, by 'peer_node'. */

void
dpdk_peer_watch(struct dpdk_device *d, const char *driver_name)
{
    d->peer = !strcmp(driver_name, "net_memif")     ? DPDK_PEER_DIRECT
              : !strcmp(driver_name, "net_bonding") ? DPDK_PEER_OF_MEMBER
                                                    : DPDK_PEER_NONE;
    if (d->peer != DPDK_PEER_NONE) {
        pthread_mutex_lock(&mutex);
        list_push_back(&watched, &d->peer_node);
        pthread_mutex_unlock(&mutex);
    }
}

void
dpdk_peer_unwatch(struct dpdk_device *d)
{
    if (d->peer != DPDK_PEER_NONE) {
        pthread_mutex_lock(&mutex);
        list_remove(&d->peer_node);
        pthread_mutex_unlock(&mutex);
        d->peer = DPDK_PEER_NONE;
    }
}

static void
wait_until_free(struct dpdk_queue_lock *locks)
{
    for (int i = 0; i < DPDK_MAX_QUEUES; i++) {
        rte_spinlock_lock(&locks[i].lock);
        rte_spinlock_unlock(&locks[i].lock);
    }
}

/* In the place of the library's, for its drivers, too: see the header. */
__attribute__((visibility("default"))) int
rte_intr_callback_unregister(const struct rte_intr_handle *handle, rte_intr_callback_fn callback, void *aux)
{
    typedef int unregister_fn(const struct rte_intr_handle *, rte_intr_callback_fn, void *);
    unregister_fn *library_s = (unregister_fn *) dlsym(RTLD_NEXT, "rte_intr_callback_unregister");

    pthread_mutex_lock(&mutex);
    LIST_FOR_EACH (d, struct dpdk_device, peer_node, &watched) {
        wait_until_free(d->rx_locks);
        wait_until_free(d->tx_locks);
        counter_inc(netdev_dpdk_peer_gone);
    }
    pthread_mutex_unlock(&mutex);
    return library_s(handle, callback, aux);
}
