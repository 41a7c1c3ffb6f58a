/* Read-copy-update: how the main thread publishes immutable structures to the workers.
 *
 * What it is
 * ----------
 * Quiescent-state-based RCU (liburcu's QSBR).  A reader pays nothing: it loads a pointer with rcu_get() and uses what
 * it points to until it next says rcu_quiescent() or goes offline.  A writer replaces the pointer with rcu_set() and
 * hands the old structure to rcu_defer(), which calls a function on it once every reader has passed a quiescent state.
 *
 * Rules
 * -----
 * Every thread that reads registers itself, calls rcu_quiescent() between units of work (a burst, a turn of the loop)
 * and surrounds every wait with rcu_offline() and rcu_online().  While offline it must not hold pointers from
 * rcu_get().  Functions with the suffix _rcu expect a registered, online caller.
 *
 * Limits: deferred functions mostly run on a thread of their own; they must not wait for RCU themselves. */
#ifndef SYS_RCU_H
#define SYS_RCU_H 1

#include <stdatomic.h>

#include "base/util.h"

/* A pointer that is published: declare as 'RCU_PTR(struct foo) foo'. */
#define RCU_PTR(TYPE) _Atomic(TYPE *)

/* Loads a published pointer, for a reader; publishes a new one, for the writer. */
#define rcu_get(PTR) atomic_load_explicit(PTR, memory_order_acquire)
#define rcu_set(PTR, VALUE) atomic_store_explicit(PTR, VALUE, memory_order_release)
/* The present value, for the only writer. */
#define rcu_get_protected(PTR) atomic_load_explicit(PTR, memory_order_relaxed)

/* The calling thread becomes a reader, or is one no longer; it says that it holds nothing at the moment; it holds
 * nothing until further notice (before a wait), or reads again. */
void rcu_thread_register(void);
void rcu_thread_unregister(void);
void rcu_quiescent(void);
void rcu_offline(void);
void rcu_online(void);

/* Calls 'func(arg)' after all present readers are done.  Any registered thread. */
void rcu_defer(void (*func)(void *), void *arg);

/* The same for a caller that holds nothing of it itself, so that what is replaced time and again does not wait for the
 * end of the caller's turn: where no other thread reads at the moment at once, before this returns; else in a later
 * call of this, by when those have said that they hold nothing, or after the caller has. */
void rcu_release(void (*func)(void *), void *arg);

/* Waits until all present readers are done. */
void rcu_synchronize(void);

/* Waits until every function deferred so far has run (for an orderly end, and for leak checks). */
void rcu_barrier_all(void);

#endif
