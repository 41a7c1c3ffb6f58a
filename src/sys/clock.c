#include "sys/clock.h"

#include <stdatomic.h>
#include <time.h>

/* 'frozen_at' is the time shown while stopped, or CLOCK_NEVER; 'offset' is what warps have added. */
static _Atomic int64_t frozen_at = CLOCK_NEVER;
static _Atomic int64_t offset;

static int64_t
read_clock(clockid_t id, int64_t per_second)
{
    struct timespec t;

    clock_gettime(id, &t);
    return t.tv_sec * per_second + t.tv_nsec / (1000000000 / per_second);
}

int64_t
clock_now_ms(void)
{
    int64_t frozen = atomic_load_explicit(&frozen_at, memory_order_relaxed);

    if (UNLIKELY(frozen != CLOCK_NEVER)) {
        return frozen;
    }
    return read_clock(CLOCK_MONOTONIC, 1000) + atomic_load_explicit(&offset, memory_order_relaxed);
}

int64_t
clock_now_ns(void)
{
    int64_t frozen = atomic_load_explicit(&frozen_at, memory_order_relaxed);

    if (UNLIKELY(frozen != CLOCK_NEVER)) {
        return frozen * 1000000;
    }
    return read_clock(CLOCK_MONOTONIC, 1000000000) + atomic_load_explicit(&offset, memory_order_relaxed) * 1000000;
}

int64_t
clock_unwarped_ms(int64_t ms)
{
    return ms - atomic_load_explicit(&offset, memory_order_relaxed);
}

int64_t
clock_real_us(void)
{
    return read_clock(CLOCK_MONOTONIC, 1000000);
}

int64_t
clock_wall_ms(void)
{
    return read_clock(CLOCK_REALTIME, 1000);
}

int64_t
clock_wall_us(void)
{
    return read_clock(CLOCK_REALTIME, 1000000);
}

int64_t
clock_thread_cpu_us(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID, 1000000);
}

void
clock_stop(void)
{
    frozen_at = clock_now_ms();
}

bool
clock_is_stopped(void)
{
    return frozen_at != CLOCK_NEVER;
}

void
clock_warp(int64_t ms)
{
    if (clock_is_stopped()) {
        frozen_at += ms;
    } else {
        offset += ms;
    }
}
