#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <rte_interrupts.h>
#include <rte_pause.h>

#include "netdev/dpdk_device.h"
#include "netdev/dpdk_peer.h"
#include "netdev/lost_memory.h"
#include "sys/counter.h"

COUNTER(netdev_dpdk_peer_gone)
COUNTER(netdev_dpdk_forgotten_callback)

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct list watched = LIST_INIT(&watched); /* Of struct dpdk_device, by 'peer_node'. */

void
dpdk_peer_watch(struct dpdk_device *d, const char *driver_name)
{
    d->peer = !strcmp(driver_name, "net_memif")     ? DPDK_PEER_DIRECT
              : !strcmp(driver_name, "net_bonding") ? DPDK_PEER_OF_MEMBER
                                                    : DPDK_PEER_NONE;
    if (d->peer != DPDK_PEER_NONE) {
        lost_memory_survive();
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

/* The library's functions in whose place those below are, also for its drivers: see the header. */

typedef int register_fn(const struct rte_intr_handle *, rte_intr_callback_fn, void *);
typedef int unregister_pending_fn(const struct rte_intr_handle *, rte_intr_callback_fn, void *,
                                  rte_intr_unregister_callback_fn);
typedef void free_fn(struct rte_intr_handle *);

#define VISIBLE __attribute__((visibility("default")))
#define LIBRARY_S(NAME, TYPE) ((TYPE *) dlsym(RTLD_NEXT, NAME))

static int
unregister(const struct rte_intr_handle *handle, rte_intr_callback_fn callback, void *aux)
{
    return LIBRARY_S("rte_intr_callback_unregister", register_fn)(handle, callback, aux);
}

struct registration {
    struct list node;
    const struct rte_intr_handle *handle;
    rte_intr_callback_fn callback;
    void *aux;
};

/* Apart from 'mutex': the library frees handles with a lock of its own. */
static pthread_mutex_t registrations_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct list registrations = LIST_INIT(&registrations);

/* Of the handle's, with this callback if it is not null; the caller's from now on.  Null if there is none. */
static struct registration *
take_registration(const struct rte_intr_handle *handle, rte_intr_callback_fn callback)
{
    struct registration *found = NULL;

    pthread_mutex_lock(&registrations_mutex);
    LIST_FOR_EACH (r, struct registration, node, &registrations) {
        if (r->handle == handle && (!callback || r->callback == callback)) {
            found = r;
            list_remove(&r->node);
            break;
        }
    }
    pthread_mutex_unlock(&registrations_mutex);
    return found;
}

static void
drop_registrations(const struct rte_intr_handle *handle, rte_intr_callback_fn callback, int n)
{
    for (int i = 0; i < n; i++) {
        free(take_registration(handle, callback));
    }
}

VISIBLE int
rte_intr_callback_register(const struct rte_intr_handle *handle, rte_intr_callback_fn callback, void *aux)
{
    struct registration *r = xmalloc(sizeof *r);
    int error;

    *r = (struct registration) { .handle = handle, .callback = callback, .aux = aux };
    pthread_mutex_lock(&registrations_mutex);
    list_push_back(&registrations, &r->node); /* First: it may be called, and ended, at once. */
    pthread_mutex_unlock(&registrations_mutex);
    error = LIBRARY_S("rte_intr_callback_register", register_fn)(handle, callback, aux);
    drop_registrations(handle, callback, !!error);
    return error;
}

VISIBLE int
rte_intr_callback_unregister(const struct rte_intr_handle *handle, rte_intr_callback_fn callback, void *aux)
{
    int n;

    pthread_mutex_lock(&mutex);
    LIST_FOR_EACH (d, struct dpdk_device, peer_node, &watched) {
        wait_until_free(d->rx_locks);
        wait_until_free(d->tx_locks);
        counter_inc(netdev_dpdk_peer_gone);
    }
    pthread_mutex_unlock(&mutex);
    n = unregister(handle, callback, aux);
    drop_registrations(handle, callback, n);
    return n;
}

VISIBLE int
rte_intr_callback_unregister_pending(const struct rte_intr_handle *handle, rte_intr_callback_fn callback, void *aux,
                                     rte_intr_unregister_callback_fn then)
{
    int n = LIBRARY_S("rte_intr_callback_unregister_pending", unregister_pending_fn)(handle, callback, aux, then);

    drop_registrations(handle, callback, n);
    return n;
}

VISIBLE void
rte_intr_instance_free(struct rte_intr_handle *handle)
{
    struct registration *r;
    int n;

    while (handle && (r = take_registration(handle, NULL)) != NULL) {
        while ((n = unregister(handle, r->callback, r->aux)) == -EAGAIN && !rte_thread_is_intr()) {
            rte_pause(); /* It is being called. */
        }
        counter_add(netdev_dpdk_forgotten_callback, MAX(n, 0));
        free(r);
    }
    LIBRARY_S("rte_intr_instance_free", free_fn)(handle);
}
