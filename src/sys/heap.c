#include "sys/heap.h"

#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/util.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#define HUGE_PAGE ((uintptr_t) 2 << 20)

enum {
    STEP = 64 << 20, /* The heap grows by at least so much: at the end of each step small pages are left. */
    FIRST = 4 << 20, /* So much of it stays in small pages. */
    SERVING_STEP = 16 << 20, /* The same while serving. */
    LEAD = 256 << 10, /* So long before the heap gets there, a huge page is made ready. */
};

static bool is_loading, is_serving;
static char *begin; /* Of what comes into the heap while it is loaded. */
static char *end;   /* Of the heap when last seen. */
static uintptr_t ahead; /* Up to here the next huge page is not made ready any more, or begins one that has been. */

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
    mallopt(M_TOP_PAD, SERVING_STEP);
    (void) malloc_trim(128 << 10); /* What was asked for ahead would come in huge pages while somebody waits. */
    ahead = (uintptr_t) sbrk(0);
    is_loading = false;
    is_serving = true;
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

static void *
make_page(void *page)
{
    if (!madvise(page, HUGE_PAGE, MADV_HUGEPAGE)) {
        (void) madvise(page, 1, MADV_POPULATE_WRITE); /* Else it comes when it is touched. */
    }
    return NULL;
}

/* The host of a virtual machine may take milliseconds for a huge page; nobody is to wait for that. */
static void
make_page_aside(uintptr_t page)
{
    pthread_attr_t attr;
    pthread_t thread;

    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    (void) pthread_create(&thread, &attr, make_page, (void *) page); /* It goes without, too. */
    pthread_attr_destroy(&attr);
}

void
heap_keep_ahead(const void *newest)
{
    const uintptr_t at = (uintptr_t) newest, now = (uintptr_t) sbrk(0);
    const uintptr_t next = (at + HUGE_PAGE) & ~(HUGE_PAGE - 1);

    ahead = MIN(ahead, now); /* It may have been given back. */
    if (is_serving && next > ahead && next - at <= LEAD && at >= (uintptr_t) begin + FIRST
        && next + HUGE_PAGE <= now) {
        ahead = next;
        make_page_aside(next);
    }
}
