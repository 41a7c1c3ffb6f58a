/* The same interface as rcu.c, in plain C11 atomics, for builds with ThreadSanitizer, which does not understand
 * liburcu's barriers.  Slower to write with, as fast to read.
 *
 * A reader that is online holds the number of the grace period in which it last was quiescent; 0 means offline.  A
 * grace period is over when every reader is offline or has seen its number. */
#include "sys/rcu_private.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "base/list.h"
#include "sys/slab.h"

struct reader {
    struct list node; /* In 'readers'. */
    _Atomic uint64_t seen;
};

struct deferred {
    struct list node;
    void (*func)(void *);
    void *arg;
};

static pthread_mutex_t readers_mutex = PTHREAD_MUTEX_INITIALIZER; /* 'readers', and one grace period at a time. */
static struct list readers = LIST_INIT(&readers);
static _Atomic uint64_t period = 1;
static _Thread_local struct reader self;
static _Thread_local bool is_registered;

static pthread_mutex_t queue_mutex = PTHREAD_MUTEX_INITIALIZER; /* Guards all that follows. */
static pthread_cond_t queue_changed = PTHREAD_COND_INITIALIZER;
static struct list queue = LIST_INIT(&queue);
static uint64_t n_queued, n_done;
static bool thread_started;

void
rcu_thread_register(void)
{
    if (!is_registered) {
        is_registered = true;
        pthread_mutex_lock(&readers_mutex);
        list_push_back(&readers, &self.node);
        pthread_mutex_unlock(&readers_mutex);
        rcu_online();
    }
}

void
rcu_thread_unregister(void)
{
    if (is_registered) {
        is_registered = false;
        rcu_offline();
        pthread_mutex_lock(&readers_mutex);
        list_remove(&self.node);
        pthread_mutex_unlock(&readers_mutex);
    }
}

void
rcu_quiescent(void)
{
    rcu_release_defer_all();
    atomic_store(&self.seen, atomic_load(&period));
}

void
rcu_offline(void)
{
    rcu_release_defer_all();
    atomic_store(&self.seen, 0);
}

void
rcu_online(void)
{
    rcu_quiescent();
}

void
rcu_synchronize(void)
{
    bool was_online = rcu_is_online();
    uint64_t now;

    rcu_offline();
    pthread_mutex_lock(&readers_mutex);
    now = atomic_fetch_add(&period, 1) + 1;
    LIST_FOR_EACH (r, struct reader, node, &readers) {
        for (uint64_t seen; (seen = atomic_load(&r->seen)) && seen < now;) {
            sched_yield();
        }
    }
    pthread_mutex_unlock(&readers_mutex);
    if (was_online) {
        rcu_online();
    }
}

static void *
run_deferred(void *arg UNUSED)
{
    rcu_thread_register();
    for (;;) {
        struct list batch = LIST_INIT(&batch);
        uint64_t n = 0;

        rcu_offline();
        pthread_mutex_lock(&queue_mutex);
        while (list_is_empty(&queue)) {
            pthread_cond_wait(&queue_changed, &queue_mutex);
        }
        list_splice(&batch, &queue);
        pthread_mutex_unlock(&queue_mutex);
        rcu_synchronize();
        rcu_online();
        while (!list_is_empty(&batch)) {
            struct deferred *d = CONTAINER_OF(list_pop_front(&batch), struct deferred, node);

            d->func(d->arg);
            free(d);
            n++;
        }
        slab_empty_hands();
        pthread_mutex_lock(&queue_mutex);
        n_done += n;
        pthread_cond_broadcast(&queue_changed);
        pthread_mutex_unlock(&queue_mutex);
    }
    return NULL;
}

void
rcu_defer(void (*func)(void *), void *arg)
{
    struct deferred *d = xmalloc(sizeof *d);
    pthread_t thread;

    d->func = func;
    d->arg = arg;
    pthread_mutex_lock(&queue_mutex);
    list_push_back(&queue, &d->node);
    n_queued++;
    if (!thread_started) {
        thread_started = true;
        if (pthread_create(&thread, NULL, run_deferred, NULL)) {
            abort();
        }
        pthread_detach(thread);
    }
    pthread_cond_broadcast(&queue_changed);
    pthread_mutex_unlock(&queue_mutex);
}

uint64_t
rcu_oldest_period(void)
{
    uint64_t oldest = UINT64_MAX;

    if (pthread_mutex_trylock(&readers_mutex)) {
        return 0; /* Whoever has it may be waiting for this thread. */
    }
    atomic_fetch_add(&period, 0); /* What was published before is seen by who comes online later. */
    LIST_FOR_EACH (r, struct reader, node, &readers) {
        uint64_t its = r == &self ? 0 : atomic_load(&r->seen);

        oldest = its ? MIN(oldest, its) : oldest;
    }
    pthread_mutex_unlock(&readers_mutex);
    return oldest;
}

uint64_t
rcu_begin_period(void)
{
    return atomic_fetch_add(&period, 1) + 1;
}

bool
rcu_is_online(void)
{
    return is_registered && atomic_load(&self.seen);
}

void
rcu_barrier_all(void)
{
    bool was_online = rcu_is_online();
    uint64_t until;

    rcu_offline();
    pthread_mutex_lock(&queue_mutex);
    for (until = n_queued; n_done < until;) {
        pthread_cond_wait(&queue_changed, &queue_mutex);
    }
    pthread_mutex_unlock(&queue_mutex);
    if (was_online) {
        rcu_online();
    }
}
