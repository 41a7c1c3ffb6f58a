#include "netdev/lost_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include <rte_memory.h>

#include "base/num.h"
#include "base/util.h"
#include "sys/counter.h"
#include "sys/log.h"

LOG_MODULE(netdev_dpdk)
COUNTER(netdev_memory_lost)

static struct sigaction before;
static atomic_flag lock = ATOMIC_FLAG_INIT; /* Two threads may have lost the same mapping. */

/* --- Mappings: a line each in proc(5), /proc/pid/maps.  All of this is done in a signal handler. --- */

struct mapping {
    uintptr_t start, end;
    bool is_writable, is_shared, has_file;
};

struct reader {
    int fd;
    char buf[1024];
    ssize_t n, at;
};

/* A negative value at the end. */
static int
next(struct reader *r)
{
    if (r->at == r->n) {
        r->at = 0;
        r->n = read(r->fd, r->buf, sizeof r->buf);
        if (r->n <= 0) {
            r->n = 0;
            return -1;
        }
    }
    return r->buf[r->at++];
}

/* And what ends it. */
static uintptr_t
read_number(struct reader *r, int base)
{
    uintptr_t value = 0;

    for (;;) {
        int digit = num_hex_digit(next(r));

        if (digit < 0 || digit >= base) {
            return value;
        }
        value = value * base + digit;
    }
}

static bool
read_mapping(struct reader *r, struct mapping *m)
{
    int c;

    m->start = read_number(r, 16);
    m->end = read_number(r, 16);
    (void) next(r); /* Whether it may be read. */
    m->is_writable = next(r) == 'w';
    (void) next(r);
    m->is_shared = next(r) == 's';
    (void) next(r);
    (void) read_number(r, 16); /* Where in the file it begins, and the two numbers of the device. */
    (void) read_number(r, 16);
    (void) read_number(r, 16);
    m->has_file = read_number(r, 10) != 0;
    do {
        c = next(r);
    } while (c >= 0 && c != '\n');
    return m->end > m->start;
}

static bool
find_mapping(uintptr_t at, struct mapping *m)
{
    struct reader r = { .fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC) };
    bool found = false;

    while (r.fd >= 0 && !found && read_mapping(&r, m)) {
        found = m->start <= at && at < m->end;
    }
    if (r.fd >= 0) {
        close(r.fd);
    }
    return found;
}

/* --- What is lost --- */

/* In whole pages, which may be large. */
static bool
put_zeros(uintptr_t at, const struct mapping *m)
{
    static const uintptr_t page_sizes[] = { UINT64_C(4) << 10, UINT64_C(2) << 20, UINT64_C(1) << 30 };

    for (size_t i = 0; i < ARRAY_SIZE(page_sizes); i++) {
        uintptr_t start = at & ~(page_sizes[i] - 1);

        if (start >= m->start
            && mmap((void *) start, m->end - start, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) != MAP_FAILED) {
            return true;
        }
    }
    return false;
}

static void
tell(void)
{
    uint64_t n = counter_netdev_memory_lost.total;

    if (!(n & (n - 1))) { /* Somebody may do it again and again. */
        log_write_from_signal(&log_this, LOG_LEVEL_WARN, "a peer has taken back memory that it shares: it is zeros now",
                              "its file has become shorter");
    }
}

/* False if 'at' is not in a peer's memory. */
static bool
replace(uintptr_t at)
{
    bool is_there = false;
    struct mapping m;

    while (atomic_flag_test_and_set(&lock)) {
    }
    if (!rte_mem_virt2memseg_list((void *) at) && find_mapping(at, &m) && m.is_writable) {
        if (!m.is_shared && !m.has_file) {
            is_there = true; /* Another thread was faster. */
        } else if (m.is_shared && m.has_file && put_zeros(at, &m)) {
            is_there = true;
            counter_inc(netdev_memory_lost);
            tell();
        }
    }
    atomic_flag_clear(&lock);
    return is_there;
}

static void
on_bus_error(int signo, siginfo_t *info, void *context UNUSED)
{
    int saved_errno = errno;

    if (info->si_code != BUS_ADRERR || !replace((uintptr_t) info->si_addr)) {
        sigaction(signo, &before, NULL);
        if (info->si_code <= 0) {
            raise(signo); /* It was sent; otherwise it comes again by itself. */
        }
    }
    errno = saved_errno;
}

void
lost_memory_survive(void)
{
    static bool is_done;
    struct sigaction sa = { .sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO | SA_RESTART };

    if (!is_done) {
        is_done = true;
        sigfillset(&sa.sa_mask);
        sigaction(SIGBUS, &sa, &before);
    }
}
