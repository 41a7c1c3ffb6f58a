/* The event loop of a thread: file descriptors, timers, wake-ups from other threads, work for later.
 *
 * What it is
 * ----------
 * One loop per thread that waits.  It is a thin layer over libuv (uv_poll and uv_async), with timers of our
 * own on clock_now_ms(), so that a test can stop and warp time.  Four kinds of event, each a small struct embedded in
 * the object that wants it, with a callback and an 'aux' pointer:
 *
 *   loop_fd     a descriptor became readable or writable (level triggered: fires until the cause is gone);
 *   loop_timer  a point in time has come (fires once; set it again for the next);
 *   loop_wake   another thread called loop_wake_signal();
 *   loop_task   something to do before the loop sleeps again, or in its next turn, posted by this thread.
 *
 * How it works
 * ------------
 * loop_run() repeats: run due timers, run posted tasks until none is left, sleep until a descriptor, a wake-up or the
 * next timer.  A callback may start, stop, or free any event, its own included.
 *
 * Threads and locks
 * -----------------
 * Everything is for the loop's own thread but loop_wake_signal().  Create the loop after any fork.
 *
 * Limits
 * ------
 * One loop_fd per descriptor.  Timers have millisecond resolution. */
#ifndef SYS_LOOP_H
#define SYS_LOOP_H 1

#include "base/list.h"
#include "base/pqueue.h"
#include "sys/clock.h"

struct loop;

enum { LOOP_READ = 1, LOOP_WRITE = 2 };

struct loop_fd {
    struct loop_poll *poll; /* Null while stopped. */
    void (*cb)(struct loop_fd *, int events);
    void *aux;
};

struct loop_timer {
    struct loop *loop;
    void (*cb)(struct loop_timer *);
    void *aux;
    int64_t when;    /* ms on clock_now_ms(); CLOCK_NEVER while not set. */
    struct pqueue_node node; /* In the loop's queue while set. */
};

struct loop_task {
    struct list node; /* In the loop's list while posted. */
    struct loop *loop;
    void (*cb)(struct loop_task *);
    void *aux;
};

struct loop_wake {
    struct loop_async *async;
    void (*cb)(struct loop_wake *);
    void *aux;
};

struct loop *loop_create(void) MUST_CHECK;
/* Releases the loop; every event must have been stopped before. */
void loop_destroy(struct loop *);

/* Makes the loop's thread an RCU reader: registered now, online while callbacks run, offline while the loop waits. */
void loop_use_rcu(struct loop *);

/* What the turns of a daemon's loop (one that uses RCU) have taken, from the end of one wait to the beginning of the
 * next, since loop_clear_turns().  While one runs nobody else is served, so they are to be short. */
#define LOOP_LONG_TURN_US 10000
struct loop_turns {
    uint64_t n, n_long, n_long_cpu;      /* Long: more than LOOP_LONG_TURN_US, by the clock; of processor time. */
    uint64_t longest_us, longest_cpu_us; /* By the clock; of the thread's processor time. */
};
void loop_get_turns(struct loop_turns *);
void loop_clear_turns(void);
/* Since when the present turn goes on, on clock_real_us(); now, for a loop that does not use RCU. */
int64_t loop_turn_began_us(const struct loop *);

/* How long something may go on before the others get their turn.  A null slice never ends. */
struct loop_slice {
    int64_t until_us;
    unsigned int n;
};
enum { LOOP_SLICE_US = 2000 };
static inline struct loop_slice
loop_slice_begin(void)
{
    return (struct loop_slice) { .until_us = clock_real_us() + LOOP_SLICE_US };
}
/* To be asked after a piece of work that may take long, or (the other one) for every small one: 100 nanoseconds. */
static inline bool
loop_slice_has_ended(const struct loop_slice *s)
{
    return s && clock_real_us() >= s->until_us;
}
static inline bool
loop_slice_is_over(struct loop_slice *s)
{
    return s && ++s->n % 32 == 0 && loop_slice_has_ended(s);
}

/* Runs until loop_stop() is called from a callback. */
void loop_run(struct loop *);
void loop_stop(struct loop *);

/* Handles what is ready now; with 'block', waits for at least one event first. */
void loop_run_once(struct loop *, bool block);

/* Runs 'cb' whenever 'fd' is ready for one of 'events' (LOOP_READ, LOOP_WRITE; errors and hang-ups report as the
 * events asked for).  The descriptor stays the caller's. */
void loop_fd_start(struct loop *, struct loop_fd *, int fd, int events, void (*cb)(struct loop_fd *, int events),
                   void *aux);
void loop_fd_change(struct loop_fd *, int events); /* 0 pauses. */
void loop_fd_stop(struct loop_fd *);               /* Before closing the descriptor.  Twice does no harm. */

/* Prepares a timer, not set.  loop_timer_set() (re)schedules it, in the past means now; loop_timer_cancel() unsets
 * it. */
void loop_timer_init(struct loop *, struct loop_timer *, void (*cb)(struct loop_timer *), void *aux);
void loop_timer_set(struct loop_timer *, int64_t when_ms);
void loop_timer_cancel(struct loop_timer *);
static inline bool loop_timer_is_set(const struct loop_timer *t) { return t->when != CLOCK_NEVER; }

/* Prepares a task; loop_task_post() runs it once before the next sleep, posting it twice runs it once. */
void loop_task_init(struct loop *, struct loop_task *, void (*cb)(struct loop_task *), void *aux);
void loop_task_post(struct loop_task *);
/* The same in the next turn, which begins without a wait, after what is ready then: for the rest of what takes long.
 * No effect on a task that is posted. */
void loop_task_post_next_turn(struct loop_task *);
void loop_task_cancel(struct loop_task *);

/* Prepares a wake-up from other threads.  Several signals before the callback runs count as one. */
void loop_wake_init(struct loop *, struct loop_wake *, void (*cb)(struct loop_wake *), void *aux);
void loop_wake_signal(struct loop_wake *); /* Any thread, also a signal handler. */
void loop_wake_uninit(struct loop_wake *);

#endif
