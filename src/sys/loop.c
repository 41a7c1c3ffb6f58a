#include "sys/loop.h"

#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <uv.h>

#include "sys/counter.h"
#include "sys/rcu.h"

/* Of the loops that use RCU (those of daemons). */
COUNTER(loop_longest_turn_us)
COUNTER(loop_longest_turn_cpu_us)

#define LONGEST_WAIT_MS INT64_C(86400000)

static struct loop_turns turns;

struct loop {
    uv_loop_t uv;
    uv_poll_t sleep;  /* Of 'timer_fd', which ends the wait at the next timer, ... */
    int timer_fd;
    int64_t armed;    /* ... at this time at the latest, ms on the system's clock; CLOCK_NEVER: not set. */
    struct list tasks, next_turn; /* struct loop_task: to be run in this turn; in the next one. */
    struct pqueue timers;     /* struct loop_timer, the soonest first. */
    bool stopping;
    bool uses_rcu, offline;
    int64_t turn_began;       /* us, if it uses RCU; 0: not yet. */
    int64_t turn_began_cpu;   /* us of the thread's processor time. */
    uv_prepare_t before_wait;
};

/* libuv's handles outlive their closing by one turn of the loop, so they are apart from the caller's structs. */
struct loop_poll {
    uv_poll_t uv;
    struct loop *loop;
    struct loop_fd *owner;
    int uv_events;  /* What libuv waits for: telling it again costs it two system calls. */
};

struct loop_async {
    uv_async_t uv;
    _Atomic unsigned int n_signals; /* What came before a signal has happened for its callback. */
    struct loop *loop;
    struct loop_wake *owner;
};

static void
free_handle(uv_handle_t *h)
{
    free(h);
}

/* The end of a wait; loop_run_once() sees which timers are due. */
static void
on_sleep_end(uv_poll_t *p, int status UNUSED, int events UNUSED)
{
    struct loop *loop = p->data;
    uint64_t n;

    (void) !read(loop->timer_fd, &n, sizeof n);
    loop->armed = CLOCK_NEVER;
    uv_unref((uv_handle_t *) p);
}

static void
count_turn(const struct loop *loop)
{
    uint64_t us = clock_real_us() - loop->turn_began, cpu = clock_thread_cpu_us() - loop->turn_began_cpu;

    counter_raise(loop_longest_turn_us, us);
    counter_raise(loop_longest_turn_cpu_us, cpu);
    turns.n++;
    turns.n_long += us > LOOP_LONG_TURN_US;
    turns.n_long_cpu += cpu > LOOP_LONG_TURN_US;
    turns.longest_us = MAX(turns.longest_us, us);
    turns.longest_cpu_us = MAX(turns.longest_cpu_us, cpu);
}

void
loop_get_turns(struct loop_turns *t)
{
    *t = turns;
}

void
loop_clear_turns(void)
{
    turns = (struct loop_turns) { .n = 0 };
}

int64_t
loop_turn_began_us(const struct loop *loop)
{
    return loop->turn_began ? loop->turn_began : clock_real_us();
}

/* libuv calls this just before it waits; the first callback after the wait goes online again. */
static void
on_before_wait(uv_prepare_t *p)
{
    struct loop *loop = p->data;

    if (loop->turn_began) {
        count_turn(loop);
    }
    rcu_offline();
    loop->offline = true;
}

static void
go_online(struct loop *loop)
{
    if (loop->offline) {
        loop->offline = false;
        loop->turn_began = clock_real_us();
        loop->turn_began_cpu = clock_thread_cpu_us();
        rcu_online();
    }
}

void
loop_use_rcu(struct loop *loop)
{
    loop->uses_rcu = true;
    rcu_thread_register();
    uv_prepare_init(&loop->uv, &loop->before_wait);
    loop->before_wait.data = loop;
    uv_prepare_start(&loop->before_wait, on_before_wait);
    uv_unref((uv_handle_t *) &loop->before_wait);
}

static bool
is_sooner(const struct pqueue_node *a, const struct pqueue_node *b)
{
    return CONTAINER_OF(a, struct loop_timer, node)->when < CONTAINER_OF(b, struct loop_timer, node)->when;
}

struct loop *
loop_create(void)
{
    struct loop *loop = xzalloc(sizeof *loop);

    loop->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    loop->armed = CLOCK_NEVER;
    loop->timers = (struct pqueue) PQUEUE_INIT(is_sooner);
    if (loop->timer_fd < 0 || uv_loop_init(&loop->uv) || uv_poll_init(&loop->uv, &loop->sleep, loop->timer_fd)) {
        out_of_memory();
    }
    loop->sleep.data = loop;
    uv_poll_start(&loop->sleep, UV_READABLE, on_sleep_end);
    uv_unref((uv_handle_t *) &loop->sleep);
    list_init(&loop->tasks);
    list_init(&loop->next_turn);
    return loop;
}

void
loop_destroy(struct loop *loop)
{
    uv_close((uv_handle_t *) &loop->sleep, NULL);
    if (loop->uses_rcu) {
        uv_close((uv_handle_t *) &loop->before_wait, NULL);
    }
    while (uv_run(&loop->uv, UV_RUN_NOWAIT)) {
        continue;
    }
    uv_loop_close(&loop->uv);
    close(loop->timer_fd);
    if (loop->uses_rcu) {
        go_online(loop);
        rcu_thread_unregister();
    }
    pqueue_uninit(&loop->timers);
    free(loop);
}

/* Timers. */

/* Null: none is set. */
static struct loop_timer *
next_timer(const struct loop *loop)
{
    struct pqueue_node *first = pqueue_first(&loop->timers);

    return first ? CONTAINER_OF(first, struct loop_timer, node) : NULL;
}

void
loop_timer_init(struct loop *loop, struct loop_timer *t, void (*cb)(struct loop_timer *), void *aux)
{
    *t = (struct loop_timer) { .loop = loop, .cb = cb, .aux = aux, .when = CLOCK_NEVER };
}

void
loop_timer_set(struct loop_timer *t, int64_t when_ms)
{
    bool was_set = loop_timer_is_set(t);

    if (when_ms == CLOCK_NEVER) {
        loop_timer_cancel(t);
        return;
    }
    t->when = when_ms;
    (was_set ? pqueue_fix : pqueue_insert)(&t->loop->timers, &t->node);
}

void
loop_timer_cancel(struct loop_timer *t)
{
    if (loop_timer_is_set(t)) {
        pqueue_remove(&t->loop->timers, &t->node);
        t->when = CLOCK_NEVER;
    }
}

/* These two return whether they ran anything. */

static bool
run_timers(struct loop *loop, int64_t now)
{
    struct loop_timer *t;
    bool any = false;

    while ((t = next_timer(loop)) != NULL && t->when <= now && !loop->stopping) {
        loop_timer_cancel(t);
        t->cb(t);
        any = true;
    }
    return any;
}

/* Tasks. */

void
loop_task_init(struct loop *loop, struct loop_task *t, void (*cb)(struct loop_task *), void *aux)
{
    *t = (struct loop_task) { .loop = loop, .cb = cb, .aux = aux };
    list_init(&t->node);
}

void
loop_task_post(struct loop_task *t)
{
    if (list_is_empty(&t->node)) {
        list_push_back(&t->loop->tasks, &t->node);
    }
}

void
loop_task_post_next_turn(struct loop_task *t)
{
    if (list_is_empty(&t->node)) {
        list_push_back(&t->loop->next_turn, &t->node);
    }
}

void
loop_task_cancel(struct loop_task *t)
{
    list_remove(&t->node);
}

static bool
run_tasks(struct loop *loop)
{
    bool any = false;

    while (!list_is_empty(&loop->tasks) && !loop->stopping) {
        struct loop_task *t = CONTAINER_OF(list_pop_front(&loop->tasks), struct loop_task, node);

        t->cb(t);
        any = true;
    }
    return any;
}

/* Descriptors. */

static void
on_poll(uv_poll_t *uv, int status, int events)
{
    struct loop_fd *f = ((struct loop_poll *) uv)->owner;
    int ready = (events & UV_READABLE ? LOOP_READ : 0) | (events & UV_WRITABLE ? LOOP_WRITE : 0);

    if (status < 0) {
        ((struct loop_poll *) uv)->uv_events = 0; /* libuv has stopped. */
        ready = LOOP_READ | LOOP_WRITE; /* The callback's own system call will say what is wrong. */
    }
    go_online(((struct loop_poll *) uv)->loop);
    f->cb(f, ready);
}

void
loop_fd_start(struct loop *loop, struct loop_fd *f, int fd, int events, void (*cb)(struct loop_fd *, int), void *aux)
{
    *f = (struct loop_fd) { .poll = xzalloc(sizeof *f->poll), .cb = cb, .aux = aux };
    f->poll->owner = f;
    f->poll->loop = loop;
    if (uv_poll_init(&loop->uv, &f->poll->uv, fd)) {
        abort(); /* Not a descriptor that can be waited for: a defect of the caller. */
    }
    loop_fd_change(f, events);
}

void
loop_fd_change(struct loop_fd *f, int events)
{
    int uv_events = (events & LOOP_READ ? UV_READABLE : 0) | (events & LOOP_WRITE ? UV_WRITABLE : 0);

    if (uv_events == f->poll->uv_events) {
        return;
    }
    f->poll->uv_events = uv_events;
    if (uv_events) {
        uv_poll_start(&f->poll->uv, uv_events, on_poll);
    } else {
        uv_poll_stop(&f->poll->uv);
    }
}

void
loop_fd_stop(struct loop_fd *f)
{
    if (f->poll) {
        uv_close((uv_handle_t *) &f->poll->uv, free_handle);
        f->poll = NULL;
    }
}

/* Wake-ups. */

static void
on_async(uv_async_t *uv)
{
    struct loop_async *a = (struct loop_async *) uv;
    struct loop_wake *w = a->owner;

    (void) atomic_load_explicit(&a->n_signals, memory_order_acquire);
    go_online(a->loop);
    w->cb(w);
}

void
loop_wake_init(struct loop *loop, struct loop_wake *w, void (*cb)(struct loop_wake *), void *aux)
{
    *w = (struct loop_wake) { .async = xzalloc(sizeof *w->async), .cb = cb, .aux = aux };
    w->async->owner = w;
    w->async->loop = loop;
    if (uv_async_init(&loop->uv, &w->async->uv, on_async)) {
        out_of_memory();
    }
}

void
loop_wake_signal(struct loop_wake *w)
{
    struct loop_async *a = w->async;

    atomic_fetch_add_explicit(&a->n_signals, 1, memory_order_release);
    uv_async_send(&a->uv);
}

void
loop_wake_uninit(struct loop_wake *w)
{
    if (w->async) {
        uv_close((uv_handle_t *) &w->async->uv, free_handle);
        w->async = NULL;
    }
}

/* The loop. */

/* Makes the next wait end when the next timer is due, or before: a timer that is put off again and again, as those of
 * connections are with each message, costs nothing until the time that it was first set to.  While the clock is
 * stopped, time passes only by warps. */
static void
arm_sleep(struct loop *loop, int64_t now)
{
    const struct loop_timer *next = next_timer(loop);
    int64_t wait, at;

    if (!next || clock_is_stopped()) {
        return;
    }
    wait = MIN(MAX(next->when - now, 0), LONGEST_WAIT_MS);
    at = clock_unwarped_ms(now + wait);
    if (at < loop->armed) {
        struct itimerspec t = { .it_value = { wait / 1000, wait % 1000 * 1000000 } };

        t.it_value.tv_nsec += !wait; /* 0 would unset it. */
        timerfd_settime(loop->timer_fd, 0, &t, NULL);
        loop->armed = at;
        uv_ref((uv_handle_t *) &loop->sleep);
    }
}

void
loop_run_once(struct loop *loop, bool block)
{
    int64_t now = clock_now_ms();

    /* What ran here may be what the caller waits for.  If nothing did, no timer is due now, and no time has passed. */
    if (run_timers(loop, now) | run_tasks(loop)) {
        block = false;
    }
    if (loop->stopping) {
        return;
    }
    if (!list_is_empty(&loop->next_turn)) {
        list_splice(&loop->tasks, &loop->next_turn);
        block = false;
    }
    if (block) {
        arm_sleep(loop, now);
    }
    uv_run(&loop->uv, block ? UV_RUN_ONCE : UV_RUN_NOWAIT);
    go_online(loop);
    run_timers(loop, clock_now_ms());
    run_tasks(loop);
}

void
loop_run(struct loop *loop)
{
    loop->stopping = false;
    while (!loop->stopping) {
        loop_run_once(loop, true);
    }
}

void
loop_stop(struct loop *loop)
{
    loop->stopping = true;
}
