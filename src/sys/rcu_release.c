/* Releases that wait for other threads, not for the end of the calling one's turn. */
#include "sys/rcu_private.h"

#include <stdlib.h>

/* For so many a period is begun, at least: each makes all readers look at a line of memory that has changed.  More than
 * ROOM are left to RCU's thread: then a reader takes its time. */
enum { TOGETHER = 8, ROOM = 126 };

struct pile {
    size_t n;
    struct { void (*func)(void *); void *arg; } all[ROOM];
};

/* One is filled while the one before waits for the others to have the period that was begun for it.  Null: empty. */
static __thread struct pile *filling, *waiting;
static __thread uint64_t awaited;

static void
put(void (*func)(void *), void *arg)
{
    if (!filling) {
        filling = xmalloc(sizeof *filling);
        filling->n = 0;
    }
    filling->all[filling->n].func = func;
    filling->all[filling->n++].arg = arg;
}

/* Functions may release more. */
static void
run(struct pile *p)
{
    for (size_t i = 0; p && i < p->n; i++) {
        p->all[i].func(p->all[i].arg);
    }
    free(p);
}

static void
run_both(void)
{
    struct pile *first = waiting, *second = filling;

    filling = waiting = NULL;
    run(first);
    run(second);
}

static void
begin_next(void)
{
    struct pile *over = waiting;

    waiting = filling;
    filling = NULL;
    awaited = rcu_begin_period();
    run(over);
}

static void
defer(struct pile **at)
{
    struct pile *p = *at;

    *at = NULL;
    for (size_t i = 0; p && i < p->n; i++) {
        rcu_defer(p->all[i].func, p->all[i].arg);
    }
    free(p);
}

void
rcu_release_defer_all(void)
{
    defer(&waiting);
    defer(&filling);
}

void
rcu_release(void (*func)(void *), void *arg)
{
    uint64_t oldest;

    if (filling && filling->n < TOGETHER - 1) {
        put(func, arg);
        return;
    }
    oldest = rcu_oldest_period();
    if (oldest == UINT64_MAX) {
        run_both();
        func(arg);
        return;
    }
    if (!rcu_is_online()) { /* Who is not reading will not say soon that it has read. */
        rcu_defer(func, arg);
        return;
    }
    put(func, arg);
    if (filling->n >= TOGETHER && (!waiting || oldest >= awaited)) {
        begin_next();
    } else if (filling->n == ROOM) {
        rcu_release_defer_all();
    }
}
