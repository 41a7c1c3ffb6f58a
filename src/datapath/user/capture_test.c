/* The ring of captures against a list, and their files: what they take, and how they end where no more goes in. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/random.h"
#include "datapath/user/capture_file.h"
#include "datapath/user/capture_ring.h"
#include "packet/pcapng.h"

static uint8_t frame[PACKET_MAX];

/* --- Ring --- */

static void
put(struct capture_ring *r, uint32_t length, uint64_t ns)
{
    capture_ring_put(r, &(struct capture_record) { .ns = ns, .captured = length, .length = length }, frame);
}

static void
records_come_out_as_they_were_put(void **state UNUSED)
{
    enum { N = 20000, MAX_HELD = 1000 };
    struct capture_ring *r = xzalloc(sizeof *r);
    uint32_t *lengths = xcalloc(N, sizeof *lengths);
    unsigned int n_put = 0, n_taken = 0;
    struct random random;

    random_seed(&random, 5);
    while (n_taken < N) {
        const struct capture_record *c;

        if (n_put < N && n_put - n_taken < MAX_HELD && random_below(&random, 2)) {
            lengths[n_put] = random_below(&random, random_below(&random, 20) ? 2000 : PACKET_MAX);
            frame[0] = n_put;
            put(r, lengths[n_put], n_put);
            n_put += !r->n_left_out;
            r->n_left_out = 0;
            continue;
        }
        c = capture_ring_first(r, capture_ring_end(r));
        assert_true(!c == (n_put == n_taken));
        if (c) {
            assert_int_equal(c->ns, n_taken);
            assert_int_equal(c->captured, lengths[n_taken]);
            assert_true(!c->captured || c->frame[0] == (uint8_t) n_taken);
            capture_ring_take(r, c);
            n_taken++;
        }
    }
    assert_int_equal(tally_get(&r->n_put), N);
    free(lengths);
    free(r);
}

static void
a_full_ring_counts_what_it_leaves_out(void **state UNUSED)
{
    struct capture_ring *r = xzalloc(sizeof *r);
    const struct capture_record *c;
    uint64_t n_in_ring, end;

    for (int i = 0; i < CAPTURE_RING_SIZE / 1000; i++) {
        put(r, 1000, i);
    }
    n_in_ring = tally_get(&r->n_put);
    assert_in_range(n_in_ring, CAPTURE_RING_SIZE / 1100, CAPTURE_RING_SIZE / 1000 - 1);
    assert_int_equal(tally_get(&r->n_dropped), CAPTURE_RING_SIZE / 1000 - n_in_ring);
    end = capture_ring_end(r);
    capture_ring_take(r, capture_ring_first(r, end));
    capture_ring_take(r, capture_ring_first(r, end));
    put(r, 1000, UINT64_MAX);
    while ((c = capture_ring_first(r, capture_ring_end(r))) != NULL && c->ns != UINT64_MAX) {
        assert_int_equal(c->n_dropped, 0);
        capture_ring_take(r, c);
    }
    assert_non_null(c);
    assert_int_equal(c->n_dropped, tally_get(&r->n_dropped));
    free(r);
}

enum { N_THREAD = 300000 };

static void *
put_many(void *ring)
{
    for (unsigned int i = 1; i <= N_THREAD; i++) {
        put(ring, 60 + i % 1000, i);
    }
    return NULL;
}

static void
one_thread_puts_while_another_takes(void **state UNUSED)
{
    struct capture_ring *r = xzalloc(sizeof *r);
    uint64_t last = 0, n_taken = 0, n_dropped = 0;
    const struct capture_record *c;
    bool is_done = false;
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, put_many, r), 0);
    while (!is_done) {
        is_done = tally_get(&r->n_put) + tally_get(&r->n_dropped) == N_THREAD;
        while ((c = capture_ring_first(r, capture_ring_end(r))) != NULL) {
            assert_int_equal(c->ns, last + c->n_dropped + 1);
            assert_int_equal(c->captured, 60 + c->ns % 1000);
            last = c->ns;
            n_dropped += c->n_dropped;
            n_taken++;
            capture_ring_take(r, c);
        }
    }
    pthread_join(thread, NULL);
    assert_int_equal(n_taken, tally_get(&r->n_put));
    assert_int_equal(n_taken + tally_get(&r->n_dropped), N_THREAD);
    assert_true(n_dropped <= tally_get(&r->n_dropped));
    free(r);
}

/* --- File --- */

struct place {
    char dir[32], path[48];
};

static int
setup(void **state)
{
    struct place *p = xzalloc(sizeof *p);

    *p = (struct place) { .dir = "/tmp/capture.XXXXXX" };
    assert_non_null(mkdtemp(p->dir));
    snprintf(p->path, sizeof p->path, "%s/f", p->dir);
    *state = p;
    return 0;
}

static int
teardown(void **state)
{
    struct place *p = *state;

    unlink(p->path);
    rmdir(p->dir);
    free(p);
    return 0;
}

static void
assert_refused(const char *path, bool overwrites, const char *why)
{
    struct capture_file f;
    struct error *e = capture_file_open(&f, path, overwrites, 0);

    assert_non_null(e);
    assert_non_null(strstr(error_text(e), why));
    error_free(e);
}

static void
put_packets(struct capture_file *f, unsigned int n)
{
    for (unsigned int i = 0; i < n; i++) {
        pcapng_put_packet(&f->buffer, 0, &(struct pcapng_packet) { .frame = frame, .captured = 100, .length = 100 });
    }
}

static void
names_that_are_taken_are_left_alone(void **state)
{
    struct place *p = *state;
    struct capture_file f;
    struct stat s;

    assert_null(capture_file_open(&f, p->path, false, 0));
    assert_false(stat(p->path, &s));
    assert_int_equal(s.st_mode & 0137, 0); /* Nobody else reads it, nobody runs it. */
    assert_int_equal(capture_file_close(&f), 0);
    assert_refused(p->path, false, "exists already");
    assert_null(capture_file_open(&f, p->path, true, 0));
    assert_int_equal(capture_file_close(&f), 0);
    assert_refused(p->dir, true, "Is a directory");
    assert_refused("/dev/full", true, "neither a file nor a FIFO");
    assert_refused("/dev/full/f", false, "Not a directory");
    unlink(p->path);
    assert_int_equal(symlink("/dev/null", p->path), 0);
    assert_refused(p->path, false, "exists already");
    assert_refused(p->path, true, "symbolic links");
}

static void
a_fifo_is_opened_when_somebody_reads_it_and_never_waits_for_long(void **state)
{
    struct place *p = *state;
    struct capture_file f;
    uint64_t n_lost;
    int reader;

    assert_int_equal(mkfifo(p->path, 0600), 0);
    assert_null(capture_file_open(&f, p->path, false, 0));
    assert_true(f.is_fifo);
    assert_int_equal(capture_file_open_fifo(&f), -EAGAIN);
    reader = open(p->path, O_RDONLY | O_NONBLOCK);
    assert_int_equal(capture_file_open_fifo(&f), 0);
    put_packets(&f, 2000); /* More than goes into it. */
    atomic_store(&f.hurries, true);
    assert_int_equal(capture_file_flush(&f, &n_lost), -ETIMEDOUT);
    assert_in_range(n_lost, 1, 1999);
    close(reader);
    put_packets(&f, 1);
    assert_int_equal(capture_file_flush(&f, &n_lost), -EPIPE);
    assert_int_equal(n_lost, 1);
    assert_int_equal(capture_file_close(&f), 0);
}

/* With each limit of the file's size around the end of a flush. */
static void
a_file_that_can_take_no_more_ends_with_a_whole_block_and_room_for_the_last(void **state)
{
    enum { RESERVE = PCAPNG_STATISTICS_SIZE, N = 3 };
    struct place *p = *state;
    struct rlimit before, limit;
    uint32_t packet;

    assert_false(getrlimit(RLIMIT_FSIZE, &before));
    signal(SIGXFSZ, SIG_IGN);
    {
        struct capture_file f = { .buffer = BYTES_INIT };

        put_packets(&f, 1);
        packet = f.buffer.len;
        bytes_uninit(&f.buffer);
    }
    for (uint32_t max = packet * N; max < packet * 2 * N; max++) {
        struct capture_file f;
        uint64_t n_lost, n_packets;
        struct stat s;

        assert_null(capture_file_open(&f, p->path, true, RESERVE));
        assert_int_equal(capture_file_empty(&f), 0);
        put_packets(&f, N);
        assert_int_equal(capture_file_flush(&f, &n_lost), 0);
        limit = (struct rlimit) { max, before.rlim_max };
        assert_false(setrlimit(RLIMIT_FSIZE, &limit));
        put_packets(&f, N);
        assert_int_equal(capture_file_flush(&f, &n_lost), -EFBIG);
        n_packets = 2 * N - n_lost;
        assert_int_equal(atomic_load(&f.n_bytes), n_packets * packet);
        assert_true(max - atomic_load(&f.n_bytes) >= RESERVE);
        pcapng_put_statistics(&f.buffer, 0, &(struct pcapng_statistics) { .n_written = n_packets });
        assert_int_equal(capture_file_flush(&f, &n_lost), 0);
        assert_int_equal(n_lost, 0);
        assert_int_equal(capture_file_close(&f), 0);
        assert_false(setrlimit(RLIMIT_FSIZE, &before));
        assert_false(stat(p->path, &s));
        assert_int_equal(s.st_size, n_packets * packet + RESERVE);
    }
}

int
main(void)
{
#define FILE_TEST(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_come_out_as_they_were_put),
        cmocka_unit_test(a_full_ring_counts_what_it_leaves_out),
        cmocka_unit_test(one_thread_puts_while_another_takes),
        FILE_TEST(names_that_are_taken_are_left_alone),
        FILE_TEST(a_fifo_is_opened_when_somebody_reads_it_and_never_waits_for_long),
        FILE_TEST(a_file_that_can_take_no_more_ends_with_a_whole_block_and_room_for_the_last),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
