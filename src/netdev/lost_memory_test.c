/* Files that are made shorter while they are mapped. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/util.h"
#include "netdev/lost_memory.h"
#include "sys/counter.h"

enum { PAGE = 4096, N_PAGES = 16, LARGE_PAGE = 2 << 20, N_THREADS = 4 };

static uint64_t
n_lost(void)
{
    uint64_t n;

    assert_true(counter_read("netdev_memory_lost", &n));
    return n;
}

/* cmocka has a handler of its own during each test. */
static void
survive(void)
{
    static struct sigaction sa;

    lost_memory_survive();
    if (!sa.sa_sigaction) {
        sigaction(SIGBUS, NULL, &sa);
    }
    sigaction(SIGBUS, &sa, NULL);
}

static volatile uint8_t *
map(int flags, int prot, int *fd)
{
    void *p;

    *fd = memfd_create("peer", 0);
    assert_true(*fd >= 0);
    assert_int_equal(ftruncate(*fd, N_PAGES * PAGE), 0);
    p = mmap(NULL, N_PAGES * PAGE, prot, flags, *fd, 0);
    assert_ptr_not_equal(p, MAP_FAILED);
    return p;
}

static void
unmap(volatile uint8_t *p, int fd)
{
    assert_int_equal(munmap((void *) p, N_PAGES * PAGE), 0);
    close(fd);
}

static void
test_what_is_lost_is_zeros(void **state UNUSED)
{
    uint64_t before = n_lost();
    int fd;
    volatile uint8_t *p = map(MAP_SHARED, PROT_READ | PROT_WRITE, &fd);

    survive();
    for (int i = 0; i < N_PAGES; i++) {
        p[i * PAGE] = i + 1;
    }
    assert_int_equal(ftruncate(fd, 5 * PAGE), 0);
    assert_int_equal(p[9 * PAGE + 7], 0); /* Reading, and writing. */
    p[9 * PAGE] = 99;
    assert_int_equal(p[9 * PAGE], 99);
    assert_int_equal(p[15 * PAGE], 0);
    assert_int_equal(n_lost(), before + 1); /* All behind it at once. */
    p[6 * PAGE] = 66;
    assert_int_equal(p[6 * PAGE], 66);
    assert_int_equal(p[9 * PAGE], 99);
    assert_int_equal(n_lost(), before + 2);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(p[i * PAGE], i + 1); /* What is there stays the peer's. */
    }
    unmap(p, fd);
    assert_int_equal(n_lost(), before + 2);
}

/* Also where the last one was. */
static void
test_it_happens_again(void **state UNUSED)
{
    uint64_t before = n_lost();

    survive();
    for (unsigned int i = 1; i <= 20; i++) {
        int fd;
        volatile uint8_t *p = map(MAP_SHARED, PROT_READ | PROT_WRITE, &fd);

        p[PAGE] = 1;
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(p[PAGE], 0);
        assert_int_equal(n_lost(), before + i);
        unmap(p, fd);
    }
}

static pthread_barrier_t barrier;

/* ThreadSanitizer takes it for a race that another one's handler maps what is read here. */
__attribute__((no_sanitize("thread"))) static void *
read_all(void *p_)
{
    volatile uint8_t *p = p_;
    uintptr_t sum = 0;

    pthread_barrier_wait(&barrier);
    for (int i = 0; i < N_PAGES; i++) {
        sum += p[i * PAGE];
    }
    return (void *) sum;
}

static void
test_threads_lose_it_at_once(void **state UNUSED)
{
    pthread_t threads[N_THREADS];
    void *sum;

    survive();
    for (int round = 0; round < 50; round++) {
        int fd;
        volatile uint8_t *p = map(MAP_SHARED, PROT_READ | PROT_WRITE, &fd);

        p[0] = 1;
        assert_int_equal(ftruncate(fd, 0), 0);
        pthread_barrier_init(&barrier, NULL, N_THREADS);
        for (int i = 0; i < N_THREADS; i++) {
            assert_int_equal(pthread_create(&threads[i], NULL, read_all, (void *) p), 0);
        }
        for (int i = 0; i < N_THREADS; i++) {
            assert_int_equal(pthread_join(threads[i], &sum), 0);
            assert_null(sum);
        }
        pthread_barrier_destroy(&barrier);
        unmap(p, fd);
    }
}

static void
test_large_pages(void **state UNUSED)
{
    int fd = memfd_create("peer", MFD_HUGETLB);
    volatile uint8_t *p;

    if (fd < 0 || ftruncate(fd, 2 * LARGE_PAGE)
        || (p = mmap(NULL, 2 * LARGE_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)) == MAP_FAILED) {
        skip(); /* The machine has none. */
    }
    survive();
    p[LARGE_PAGE] = 1;
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(p[LARGE_PAGE + PAGE], 0);
    assert_int_equal(p[0], 0);
    assert_int_equal(munmap((void *) p, 2 * LARGE_PAGE), 0);
    close(fd);
}

/* How a process ends that does this. */
static int
end_of(void (*f)(void))
{
    struct rlimit none = { 0, 0 };
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (!pid) {
        signal(SIGBUS, SIG_DFL); /* The sanitizers', which is what there was before. */
        setrlimit(RLIMIT_CORE, &none);
        f();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void
lose(int flags, int prot)
{
    int fd;
    volatile uint8_t *p = map(flags, prot, &fd);

    lost_memory_survive();
    (void) ftruncate(fd, 0);
    (void) p[PAGE];
}

static void lose_shared(void) { lose(MAP_SHARED, PROT_READ | PROT_WRITE); }
static void lose_private(void) { lose(MAP_PRIVATE, PROT_READ | PROT_WRITE); }
static void lose_unwritable(void) { lose(MAP_SHARED, PROT_READ); }

static void
send_signal(void)
{
    lost_memory_survive();
    raise(SIGBUS);
}

static void
test_other_faults_are_what_they_were(void **state UNUSED)
{
    assert_int_equal(end_of(lose_shared), 0);
    assert_int_equal(WTERMSIG(end_of(lose_private)), SIGBUS);
    assert_int_equal(WTERMSIG(end_of(lose_unwritable)), SIGBUS);
    assert_int_equal(WTERMSIG(end_of(send_signal)), SIGBUS);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_other_faults_are_what_they_were), /* Before this process has the handler. */
        cmocka_unit_test(test_what_is_lost_is_zeros),
        cmocka_unit_test(test_it_happens_again),
        cmocka_unit_test(test_threads_lose_it_at_once),
        cmocka_unit_test(test_large_pages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
