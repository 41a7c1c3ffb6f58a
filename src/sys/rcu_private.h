/* Between rcu.c (or rcu_plain.c) and rcu_release.c.
 *
 * Time is cut into periods, numbered from 1 on; they have nothing to do with liburcu's.  A thread that reads has one of
 * its own: the one in which it last said that it holds nothing. */
#ifndef SYS_RCU_PRIVATE_H
#define SYS_RCU_PRIVATE_H 1

#include "sys/rcu.h"

/* The oldest one that some other thread has that reads at the moment; UINT64_MAX: none reads; 0: it cannot be told.
 * Who comes online after the call sees what the caller has published before. */
uint64_t rcu_oldest_period(void);
/* Begins another one, and returns it.  Who has it holds nothing that the caller had replaced before. */
uint64_t rcu_begin_period(void);
/* Whether the calling thread reads. */
bool rcu_is_online(void);

/* What the calling thread has released and is still kept for others is left to rcu_defer(): before the thread says that
 * it holds nothing. */
void rcu_release_defer_all(void);

#endif
