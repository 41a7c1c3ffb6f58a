#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/str.h"
#include "sys/stream.h"

/* A server's stream whose peer is 'client', a plain socket. */
struct pair {
    struct loop *loop;
    struct stream *stream;
    int client;
};

static void
pair_init(struct pair *p)
{
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    p->loop = loop_create();
    p->stream = stream_from_fd(p->loop, fds[0], "server");
    stream_expect_requests(p->stream);
    p->client = fds[1];
}

static void
pair_uninit(struct pair *p)
{
    stream_close(p->stream);
    close(p->client);
    loop_destroy(p->loop);
}

static void
client_sends(const struct pair *p, const char *text, size_t len)
{
    assert_int_equal(send(p->client, text, len, MSG_DONTWAIT), len);
}

static void
server_reads(struct pair *p, const char *expected)
{
    char buf[100];
    ssize_t n = stream_read(p->stream, buf, sizeof buf);

    assert_int_equal(n, strlen(expected));
    assert_memory_equal(buf, expected, n);
}

static void
server_finds_nothing(struct pair *p)
{
    char buf[100];

    assert_int_equal(stream_read(p->stream, buf, sizeof buf), -EAGAIN);
}

/* Bytes that the kernel charges the client for what is still in the server's socket. */
static int
charge(const struct pair *p)
{
    int n;

    assert_int_equal(ioctl(p->client, SIOCOUTQ, &n), 0);
    return n;
}

static bool
is_held(const struct pair *p)
{
    return charge(p) > 0;
}

/* The peer's next request is there when the server looks again. */
static void
peer_shares_processor(struct pair *p)
{
    for (int i = 0; i < 2; i++) {
        client_sends(p, "in time", 7);
        server_reads(p, "in time");
    }
    server_finds_nothing(p);
}

static void
requests_that_come_in_time_stay_until_there_are_no_more(void **state UNUSED)
{
    struct pair p;

    pair_init(&p);
    peer_shares_processor(&p);
    client_sends(&p, "one", 3);
    server_reads(&p, "one");
    assert_true(is_held(&p));
    client_sends(&p, "two", 3);
    server_reads(&p, "two");
    assert_true(is_held(&p));
    server_finds_nothing(&p);
    assert_false(is_held(&p));
    pair_uninit(&p);
}

static void
requests_that_are_waited_for_do_not_stay(void **state UNUSED)
{
    struct pair p;

    pair_init(&p);
    peer_shares_processor(&p);
    for (int i = 0; i < 10; i++) {
        client_sends(&p, "one", 3);
        server_reads(&p, "one");
        assert_int_equal(is_held(&p), i < 1); /* Of what was learnt before, one look in vain is left. */
        server_finds_nothing(&p);
        assert_false(is_held(&p));
    }
    pair_uninit(&p);
}

/* Of requests of 'size' bytes. */
static void
check_most_that_stay(size_t size, size_t min, size_t max)
{
    static char request[4000], buf[5000];
    size_t most = 0, n = 0;
    struct pair p;
    socklen_t len = sizeof(int);
    int room, most_charged = 0;

    pair_init(&p);
    assert_int_equal(getsockopt(p.client, SOL_SOCKET, SO_SNDBUF, &room, &len), 0);
    for (int i = 0; i < 300; i++) {
        client_sends(&p, request, size);
        assert_int_equal(stream_read(p.stream, buf, sizeof buf), size);
        n = is_held(&p) ? n + size : 0;
        most = MAX(most, n);
        most_charged = MAX(most_charged, charge(&p));
    }
    assert_in_range(most, min, max);
    assert_in_range(most_charged, 1, room / 2);
    pair_uninit(&p);
}

static void
no_more_than_some_kilobytes_stay_in_no_more_than_some_dozen_pieces(void **state UNUSED)
{
    check_most_that_stay(10, 300, 640);
    check_most_that_stay(1000, 8000, 16384);
    check_most_that_stay(4000, 8000, 16384);
}

static void
long_message_does_not_stay(struct pair *p)
{
    static char request[100000], buf[50000];

    client_sends(p, request, sizeof request);
    for (size_t n = 0; n < sizeof request; ) {
        ssize_t got = stream_read(p->stream, buf, sizeof buf);

        assert_true(got > 0);
        n += got;
    }
    assert_false(is_held(p));
}

static void
long_messages_do_not_stay(void **state UNUSED)
{
    struct pair p;

    pair_init(&p);
    for (int i = 0; i < 3; i++) {
        long_message_does_not_stay(&p);
        server_finds_nothing(&p);
    }
    peer_shares_processor(&p);
    client_sends(&p, "short", 5);
    server_reads(&p, "short");
    assert_true(is_held(&p));
    long_message_does_not_stay(&p);
    pair_uninit(&p);
}

/* The oracle: what was sent, byte for byte. */
static void
nothing_is_lost_or_read_twice(void **state UNUSED)
{
    static char out[20000], in[30000];
    uint64_t sent = 0, read = 0;
    struct pair p;

    srandom(1);
    pair_init(&p);
    for (int i = 0; i < 20000; i++) {
        size_t n = random() % (random() % 8 ? 900 : sizeof out) + 1;
        ssize_t got;

        if (random() % 2 && sent - read < 30000) {
            for (size_t j = 0; j < n; j++) {
                out[j] = (sent + j) * 2654435761u >> 24;
            }
            client_sends(&p, out, n);
            sent += n;
        } else {
            got = stream_read(p.stream, in, n);
            if (sent == read) {
                assert_int_equal(got, -EAGAIN);
                assert_false(is_held(&p));
            } else {
                assert_in_range(got, 1, n);
                for (ssize_t j = 0; j < got; j++) {
                    assert_int_equal(in[j], (char) ((read + j) * 2654435761u >> 24));
                }
                read += got;
            }
        }
    }
    assert_true(read > 1000000);
    pair_uninit(&p);
}

static void
the_end_is_seen_behind_what_stays(void **state UNUSED)
{
    char buf[10];
    struct pair p;

    pair_init(&p);
    peer_shares_processor(&p);
    client_sends(&p, "last", 4);
    server_reads(&p, "last");
    assert_int_equal(shutdown(p.client, SHUT_WR), 0);
    assert_true(is_held(&p));
    assert_int_equal(stream_read(p.stream, buf, sizeof buf), 0);
    pair_uninit(&p);
}

static void
the_peer_of_a_stream_that_is_closed_sees_its_end(void **state UNUSED)
{
    char c;
    struct pair p;

    pair_init(&p);
    peer_shares_processor(&p);
    client_sends(&p, "request", 7);
    server_reads(&p, "request");
    assert_true(is_held(&p));
    stream_close(p.stream);
    p.stream = NULL;
    assert_int_equal(read(p.client, &c, 1), 0); /* Not ECONNRESET. */
    pair_uninit(&p);
}

static void
send_descriptor(const struct pair *p, const char *text)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int))];
    } control = { .room = "" };
    struct iovec data = { (char *) text, strlen(text) };
    struct msghdr m = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = control.room,
                        .msg_controllen = sizeof control.room };
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &p->client, sizeof(int));
    assert_int_equal(sendmsg(p->client, &m, MSG_DONTWAIT), strlen(text));
}

/* They end a read of the system early; nobody wants them. */
static void
descriptors_that_come_along_do_no_harm(void **state UNUSED)
{
    struct pair p;

    pair_init(&p);
    for (int i = 0; i < 5; i++) {
        peer_shares_processor(&p);
        send_descriptor(&p, "a");
        server_reads(&p, "a");
        send_descriptor(&p, "b");
        send_descriptor(&p, "c");
        for (const char *rest = "bc"; *rest; ) {
            char buf[10];
            ssize_t n = stream_read(p.stream, buf, sizeof buf);

            assert_true(n > 0 || n == -EAGAIN); /* In the latter case there is more at once. */
            if (n > 0) {
                assert_memory_equal(buf, rest, n);
                rest += n;
            }
        }
        server_finds_nothing(&p);
        assert_false(is_held(&p));
    }
    pair_uninit(&p);
}

/* Urgent bytes upset the count of what was read; whatever becomes of the connection, it neither hangs nor grows. */
static void
urgent_bytes_do_no_harm(void **state UNUSED)
{
    char buf[100];
    struct pair p;

    for (int i = 0; i < 64; i++) {
        ssize_t n = 0;

        pair_init(&p);
        peer_shares_processor(&p);
        for (int j = 0; j < 6 && (n >= 0 || n == -EAGAIN); j++) {
            (void) !send(p.client, "request", 7, MSG_DONTWAIT | (i >> j & 1 ? MSG_OOB : 0));
            n = stream_read(p.stream, buf, sizeof buf);
        }
        for (int j = 0; j < 10 && n > 0; j++) {
            n = stream_read(p.stream, buf, sizeof buf);
        }
        assert_true(n < 0);
        pair_uninit(&p);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_that_come_in_time_stay_until_there_are_no_more),
        cmocka_unit_test(requests_that_are_waited_for_do_not_stay),
        cmocka_unit_test(no_more_than_some_kilobytes_stay_in_no_more_than_some_dozen_pieces),
        cmocka_unit_test(long_messages_do_not_stay),
        cmocka_unit_test(nothing_is_lost_or_read_twice),
        cmocka_unit_test(the_end_is_seen_behind_what_stays),
        cmocka_unit_test(the_peer_of_a_stream_that_is_closed_sees_its_end),
        cmocka_unit_test(descriptors_that_come_along_do_no_harm),
        cmocka_unit_test(urgent_bytes_do_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
