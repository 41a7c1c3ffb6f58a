#include "sys/heap.h"

#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/util.h"

#define HUGE_PAGE ((uintptr_t) 2 << 20)

enum {
    STEP = 64 << 20, /* The heap grows by at least so much: at the end of each step small pages are left. */
    FIRST = 4 << 20, /* So much of it stays in small pages. */
};

static bool is_loading;
static char *begin; /* Of what comes into the heap while it is loaded. */
static char *end;   /* Of the heap when last seen. */

void
heap_set_up_loading(void)
{
    mallopt(M_MMAP_THRESHOLD, 4 << 20);
    mallopt(M_TRIM_THRESHOLD, 2 * STEP);
    mallopt(M_TOP_PAD, STEP);
    begin = end = sbrk(0);
    is_loading = true;
}

void
heap_set_up_serving(void)
{
    mallopt(M_MMAP_THRESHOLD, 128 << 10);
    mallopt(M_TRIM_THRESHOLD, 2 << 20);
    mallopt(M_TOP_PAD, 128 << 10);
    is_loading = false;
}

/* Asks for huge pages from 'from' on; what has been touched of them already stays in small ones. */
static void
advise(uintptr_t from, uintptr_t to)
{
    from = (from + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
    to &= ~(HUGE_PAGE - 1);
    if (from < to) {
        (void) madvise((void *) from, to - from, MADV_HUGEPAGE); /* It goes without, too. */
    }
}

void
heap_advise(void *p, size_t n)
{
    advise((uintptr_t) p, (uintptr_t) p + n);
}

char *
heap_release(char *from, const char *to)
{
    const uintptr_t first = ((uintptr_t) from + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
    const uintptr_t last = (uintptr_t) to & ~(HUGE_PAGE - 1);

    if (first >= last) {
        return from;
    }
    (void) madvise((void *) first, last - first, MADV_DONTNEED); /* It stays where it is otherwise. */
    return (char *) last;
}

void
heap_check(void)
{
    char *now = sbrk(0); /* No system call. */

    if (now == end || !is_loading) {
        return;
    }
    if (now > end && now - begin > FIRST) {
        /* The last huge page of before may be complete now. */
        advise(MAX((uintptr_t) begin + FIRST, (uintptr_t) end - HUGE_PAGE), (uintptr_t) now);
    }
    end = now;
}
