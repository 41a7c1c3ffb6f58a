/* Time.
 *
 * Every timer and age in Weft is measured on one monotonic clock in milliseconds, clock_now_ms().  Tests and the
 * control commands time/stop and time/warp can freeze it and push it forward, so code never asks the system for the
 * time directly.  Wall-clock time is for people and files only.
 *
 * Threads: reading is safe from any thread; clock_stop() and clock_warp() belong to the main thread. */
#ifndef SYS_CLOCK_H
#define SYS_CLOCK_H 1

#include "base/util.h"

/* Never reached: the time of what is not scheduled. */
#define CLOCK_NEVER INT64_MAX

/* Monotonic milliseconds since an arbitrary start; frozen after clock_stop(). */
int64_t clock_now_ms(void);

/* The same clock in nanoseconds, for rates that are shorter than a millisecond. */
int64_t clock_now_ns(void);

/* What the system's clock says, in milliseconds, when clock_now_ms() is 'ms' and not frozen: without what warps have
 * added so far. */
int64_t clock_unwarped_ms(int64_t ms);

/* Monotonic microseconds, never virtual: for measuring, not for scheduling. */
int64_t clock_real_us(void);

/* Milliseconds and microseconds since the epoch, never virtual. */
int64_t clock_wall_ms(void);
int64_t clock_wall_us(void);

/* Microseconds of processor time that the calling thread has taken. */
int64_t clock_thread_cpu_us(void);

/* Freezes the clock; from now on only clock_warp() moves it. */
void clock_stop(void);
bool clock_is_stopped(void);

/* Moves the clock forward by 'ms' (stopped or not). */
void clock_warp(int64_t ms);

#endif
