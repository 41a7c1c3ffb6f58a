/* Each call to the system that moves bytes of a connection fails once, in each way that it can.
 *
 * The linker puts our send() and recv() in the place of the system's (--wrap). */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "jsonrpc/conn.h"
#include "sys/log.h"

enum { N_MESSAGES = 12, BIG = 12000 };

static int calls_until_failure = -1; /* Negative: never. */
static int failure;                  /* An errno value; 0: end of the stream; negative: moves only a part. */

ssize_t __real_send(int fd, const void *p, size_t n, int flags);
ssize_t __real_recv(int fd, void *p, size_t n, int flags);
ssize_t __wrap_send(int fd, const void *p, size_t n, int flags);
ssize_t __wrap_recv(int fd, void *p, size_t n, int flags);

static bool
fails_now(void)
{
    return calls_until_failure >= 0 && calls_until_failure-- == 0;
}

ssize_t
__wrap_send(int fd, const void *p, size_t n, int flags)
{
    if (fails_now()) {
        if (failure < 0) {
            return __real_send(fd, p, (n + 1) / 2, flags);
        }
        errno = failure ? failure : EPIPE;
        return -1;
    }
    return __real_send(fd, p, n, flags);
}

ssize_t
__wrap_recv(int fd, void *p, size_t n, int flags)
{
    if (fails_now()) {
        if (failure < 0) {
            return __real_recv(fd, p, 1, flags);
        }
        errno = failure;
        return failure ? -1 : 0;
    }
    return __real_recv(fd, p, n, flags);
}

/* One end: sends N_MESSAGES, some of them big, and counts those that it gets, which must come in order. */
struct end {
    struct jsonrpc_conn *conn; /* Null once closed. */
    int n_received, n_closed, error;
};

static void
on_message(struct jsonrpc_conn *c UNUSED, struct jsonrpc_msg *m, void *e_)
{
    struct end *e = e_;

    assert_int_equal(m->type, JSONRPC_NOTIFY);
    assert_string_equal(m->method, "n");
    assert_int_equal(js_int_value(js_at(m->params, 0)), e->n_received);
    assert_int_equal(js_str_len(js_at(m->params, 1)), e->n_received % 3 ? 10 : BIG);
    e->n_received++;
    jsonrpc_msg_free(m);
}

static void
on_closed(struct jsonrpc_conn *c, int error, void *e_)
{
    struct end *e = e_;

    e->n_closed++;
    e->error = error;
    jsonrpc_conn_destroy(c);
    e->conn = NULL;
}

static const struct jsonrpc_conn_ops ops = { .message = on_message, .closed = on_closed };

static void
send_one(struct end *e, int i)
{
    struct json *params = js_array();
    struct str s = STR_INIT;

    str_put_fill(&s, 'z', i % 3 ? 10 : BIG);
    js_append_take(params, js_int(i));
    js_append_take(params, js_str(str_text(&s)));
    str_uninit(&s);
    if (e->conn) {
        jsonrpc_conn_send(e->conn, jsonrpc_notify("n", params));
    } else {
        js_unref(params);
    }
}

static bool
is_over(const struct end ends[2])
{
    bool all = ends[0].n_received == N_MESSAGES && ends[1].n_received == N_MESSAGES;

    return all || (!ends[0].conn && !ends[1].conn);
}

/* The n-th call fails.  Returns whether there were so many. */
static bool
exchange(int n, struct end ends[2])
{
    struct loop *loop = loop_create();
    int fds[2], size = 4096;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
        ends[i] = (struct end) { .conn = jsonrpc_conn_create(loop, stream_from_fd(loop, fds[i], i ? "b" : "a"), &ops,
                                                             &ends[i]) };
    }
    calls_until_failure = n;
    for (int i = 0; i < N_MESSAGES; i++) {
        send_one(&ends[0], i);
        send_one(&ends[1], i);
    }
    for (int turns = 0; !is_over(ends); turns++) {
        assert_true(turns < 100000);
        loop_run_once(loop, true);
    }
    n = calls_until_failure;
    calls_until_failure = -1;
    for (int i = 0; i < 2; i++) {
        jsonrpc_conn_destroy(ends[i].conn);
    }
    loop_destroy(loop);
    return n < 0;
}

/* What is no error, and a part, loses nothing. */
static void
each_call_may_be_interrupted_or_do_less(void **state UNUSED)
{
    static const int failures[] = { EINTR, EAGAIN, -1 };

    for (size_t i = 0; i < ARRAY_SIZE(failures); i++) {
        struct end ends[2];
        int n = 0;

        failure = failures[i];
        while (exchange(n, ends)) {
            for (int j = 0; j < 2; j++) {
                assert_int_equal(ends[j].n_received, N_MESSAGES);
                assert_int_equal(ends[j].n_closed, 0);
            }
            n++;
        }
        assert_true(n > 30);
    }
}

/* An error ends the connection: each end is told once, one of them why, and has got whole messages in order. */
static void
each_call_may_end_the_connection(void **state UNUSED)
{
    static const int failures[] = { ECONNRESET, EPIPE, ETIMEDOUT, ENOMEM, 0 };

    for (size_t i = 0; i < ARRAY_SIZE(failures); i++) {
        struct end ends[2];
        int n = 0;

        failure = failures[i];
        while (exchange(n, ends)) {
            if (ends[0].n_received < N_MESSAGES || ends[1].n_received < N_MESSAGES) {
                assert_int_equal(ends[0].n_closed, 1);
                assert_int_equal(ends[1].n_closed, 1);
                assert_true(!failures[i] || ends[0].error == -failures[i] || ends[1].error == -failures[i]);
            }
            n++;
        }
        assert_true(n > 30);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_call_may_be_interrupted_or_do_less),
        cmocka_unit_test(each_call_may_end_the_connection),
    };

    error_free(log_configure("ANY:ANY:off"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
