#include "sys/rcu_private.h"

#include <pthread.h>
#include <stdlib.h>
#include <urcu-qsbr.h>

#include "base/list.h"
#include "sys/slab.h"

/* What a reader defers is handed over together, when it says that it holds nothing or when there is this much. */
enum { BATCH = 126 };

struct batch {
    struct rcu_head head;
    size_t n;
    struct deferred {
        void (*func)(void *);
        void *arg;
    } all[BATCH];
};

static __thread struct batch *batch; /* Null: nothing deferred. */
static __thread bool is_reader;

/* The registered threads.  What liburcu knows of them is its own.  In a line of its own, since others look at it. */
struct reader {
    struct list node;        /* In 'readers'. */
    _Atomic uint64_t period; /* 0: offline; not so for a moment before and after. */
} ALIGNED(CACHE_LINE);
static pthread_mutex_t readers_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct list readers = LIST_INIT(&readers);
static __thread struct reader self;
static struct { _Atomic uint64_t number; } ALIGNED(CACHE_LINE) period = { 1 };

static void
run_batch(struct rcu_head *head)
{
    struct batch *b = CONTAINER_OF(head, struct batch, head);

    for (size_t i = 0; i < b->n; i++) {
        b->all[i].func(b->all[i].arg);
    }
    free(b);
    slab_empty_hands();
}

static void
hand_over(void)
{
    if (batch) {
        call_rcu(&batch->head, run_batch);
        batch = NULL;
    }
}

void
rcu_thread_register(void)
{
    rcu_register_thread();
    is_reader = true;
    atomic_init(&self.period, atomic_load(&period.number));
    pthread_mutex_lock(&readers_mutex);
    list_push_back(&readers, &self.node);
    pthread_mutex_unlock(&readers_mutex);
}

void
rcu_thread_unregister(void)
{
    rcu_release_defer_all();
    hand_over();
    is_reader = false;
    pthread_mutex_lock(&readers_mutex);
    list_remove(&self.node);
    pthread_mutex_unlock(&readers_mutex);
    rcu_unregister_thread();
}

void
rcu_quiescent(void)
{
    /* Whoever has begun this period had published before what is read from now on. */
    uint64_t now = atomic_load_explicit(&period.number, memory_order_acquire);

    rcu_release_defer_all();
    hand_over();
    if (now != atomic_load_explicit(&self.period, memory_order_relaxed)) {
        atomic_store_explicit(&self.period, now, memory_order_release);
    }
    rcu_quiescent_state();
}

void
rcu_offline(void)
{
    rcu_release_defer_all();
    hand_over();
    rcu_thread_offline();
    atomic_store_explicit(&self.period, 0, memory_order_release);
}

void
rcu_online(void)
{
    atomic_store(&self.period, atomic_load(&period.number)); /* Before it reads, which rcu_oldest_period() relies on. */
    rcu_thread_online();
}

void
rcu_defer(void (*func)(void *), void *arg)
{
    if (!batch) {
        batch = xmalloc(sizeof *batch);
        batch->n = 0;
    }
    batch->all[batch->n++] = (struct deferred) { func, arg };
    /* Who is not reading will not say soon that it has read. */
    if (batch->n == BATCH || !rcu_is_online()) {
        hand_over();
    }
}

/* A thread that comes online later either sees what was published before the call, or is seen here to be online. */
uint64_t
rcu_oldest_period(void)
{
    uint64_t oldest = UINT64_MAX;

    atomic_thread_fence(memory_order_seq_cst);
    pthread_mutex_lock(&readers_mutex);
    LIST_FOR_EACH (r, struct reader, node, &readers) {
        uint64_t its = r == &self ? 0 : atomic_load_explicit(&r->period, memory_order_acquire);

        oldest = its ? MIN(oldest, its) : oldest;
    }
    pthread_mutex_unlock(&readers_mutex);
    return oldest;
}

uint64_t
rcu_begin_period(void)
{
    return atomic_fetch_add(&period.number, 1) + 1;
}

bool
rcu_is_online(void)
{
    return is_reader && rcu_read_ongoing();
}

void
rcu_synchronize(void)
{
    hand_over();
    synchronize_rcu();
}

void
rcu_barrier_all(void)
{
    rcu_release_defer_all();
    hand_over();
    synchronize_rcu(); /* The others have handed over theirs. */
    rcu_barrier();
}
