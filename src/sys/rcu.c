#include "sys/rcu.h"

#include <stdlib.h>
#include <urcu-qsbr.h>

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
}

void
rcu_thread_unregister(void)
{
    hand_over();
    is_reader = false;
    rcu_unregister_thread();
}

void
rcu_quiescent(void)
{
    hand_over();
    rcu_quiescent_state();
}

void
rcu_offline(void)
{
    hand_over();
    rcu_thread_offline();
}

void
rcu_online(void)
{
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
    if (batch->n == BATCH || !is_reader || !rcu_read_ongoing()) {
        hand_over();
    }
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
    hand_over();
    synchronize_rcu(); /* The others have handed over theirs. */
    rcu_barrier();
}
