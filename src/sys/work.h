/* Work that takes long and that the caller does not wait for, such as releasing a million things: each piece runs on a
 * thread of its own, which is an RCU reader.  Whoever is to know of its end is told by the piece itself.
 *
 * Threads: any. */
#ifndef SYS_WORK_H
#define SYS_WORK_H 1

/* Calls 'func(arg)' beside the caller. */
void work_start(void (*func)(void *), void *arg);

/* Waits until all that was started is done: for an orderly end.  A registered RCU reader. */
void work_wait_all(void);

#endif
