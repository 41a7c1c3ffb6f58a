#include "sys/rcu.h"

#include <stdlib.h>
#include <urcu-qsbr.h>

struct deferred {
    struct rcu_head head;
    void (*func)(void *);
    void *arg;
};

void
rcu_thread_register(void)
{
    rcu_register_thread();
}

void
rcu_thread_unregister(void)
{
    rcu_unregister_thread();
}

void
rcu_quiescent(void)
{
    rcu_quiescent_state();
}

void
rcu_offline(void)
{
    rcu_thread_offline();
}

void
rcu_online(void)
{
    rcu_thread_online();
}

static void
run_deferred(struct rcu_head *head)
{
    struct deferred *d = CONTAINER_OF(head, struct deferred, head);

    d->func(d->arg);
    free(d);
}

void
rcu_defer(void (*func)(void *), void *arg)
{
    struct deferred *d = xmalloc(sizeof *d);

    d->func = func;
    d->arg = arg;
    call_rcu(&d->head, run_deferred);
}

void
rcu_synchronize(void)
{
    synchronize_rcu();
}

void
rcu_barrier_all(void)
{
    rcu_barrier();
}
