#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "sys/clock.h"
#include "sys/heap.h"

enum { N = 64 << 10, SIZE = 700, WAIT_MS = 5000 };

static bool
huge_pages_are_given(void)
{
    FILE *f = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "re");
    char line[80] = "";

    if (f) {
        (void) !fgets(line, sizeof line, f);
        fclose(f);
    }
    return strstr(line, "[always]") || strstr(line, "[madvise]");
}

/* KB of huge pages in the heap; -1 if there is no such heap. */
static long
huge_kb(void)
{
    FILE *f = fopen("/proc/self/smaps", "re");
    char line[256];
    bool in_heap = false, found = false;
    long sum = 0, kb;

    while (f && fgets(line, sizeof line, f)) {
        if (strchr(line, '-') && strchr(line, '-') < strchr(line, ' ')) {
            in_heap = strstr(line, "[heap]") != NULL;
            found |= in_heap;
        } else if (in_heap && sscanf(line, "AnonHugePages: %ld", &kb) == 1) {
            sum += kb;
        }
    }
    if (f) {
        fclose(f);
    }
    return found ? sum : -1;
}

static unsigned char
value_of(size_t i)
{
    return (unsigned char) (i * 7 + (i >> 8));
}

/* A heap that grows by small things is in huge pages, and what was put there stays.  Without such pages, or with the
 * sanitizers' malloc(), the latter only. */
static void
a_heap_that_grows_little_by_little_is_made_ready(void **state UNUSED)
{
    static unsigned char *p[N], want[SIZE];
    bool expected = huge_pages_are_given();
    char *before = sbrk(0);
    int64_t until;

    heap_set_up_loading();
    heap_set_up_serving();
    for (size_t i = 0; i < N; i++) {
        p[i] = xmalloc(SIZE);
        memset(p[i], value_of(i), SIZE);
        heap_keep_ahead(p[i]);
        if (!(i % 256)) {
            usleep(100); /* Others need the processor to make a page. */
        }
    }
    expected = expected && (char *) p[N - 1] > before && (char *) p[N - 1] < (char *) sbrk(0);
    until = clock_real_us() + WAIT_MS * 1000;
    while (expected && huge_kb() < 4096 && clock_real_us() < until) {
        usleep(1000);
    }
    if (expected) {
        assert_true(huge_kb() >= 4096);
    }
    for (size_t i = 0; i < N; i++) {
        memset(want, value_of(i), SIZE);
        assert_memory_equal(p[i], want, SIZE);
        free(p[i]);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_heap_that_grows_little_by_little_is_made_ready),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
