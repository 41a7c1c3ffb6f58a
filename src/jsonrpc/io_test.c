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
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "jsonrpc/conn.h"
#include "sys/log.h"

enum { N_MESSAGES = 12, BIG = 12000 };

static int calls_until_failure = -1; /* Negative: never. */
static int n_sends;
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
    n_sends++;
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

/* --- Answers to many requests at once --- */

struct answerer {
    struct jsonrpc_conn *conn;
    int n_answered, destroy_after; /* 0: never. */
    size_t len;                    /* Of each answer's text. */
};

static void
answer(struct jsonrpc_conn *c, struct jsonrpc_msg *m, void *a_)
{
    struct answerer *a = a_;
    struct str s = STR_INIT;

    str_put_fill(&s, 'z', a->len);
    jsonrpc_conn_send(c, jsonrpc_reply(js_str(str_text(&s)), m->id));
    str_uninit(&s);
    jsonrpc_msg_free(m);
    if (++a->n_answered == a->destroy_after) {
        jsonrpc_conn_destroy(c);
        a->conn = NULL;
    }
}

static void
answerer_closed(struct jsonrpc_conn *c, int error UNUSED, void *a_)
{
    struct answerer *a = a_;

    jsonrpc_conn_destroy(c);
    a->conn = NULL;
}

/* Sends 'input' all at once, to one that answers with 'len' bytes and, after 'destroy_after', is no more.  Returns the
 * number of answers that come back; sets n_sends to that of the system's calls for them. */
static int
answers_to(const char *input, size_t len, int destroy_after)
{
    static const struct jsonrpc_conn_ops answer_ops = { .message = answer, .closed = answerer_closed };
    struct answerer a = { .len = len, .destroy_after = destroy_after };
    struct loop *loop = loop_create();
    static char got[1 << 20];
    int fds[2], n_answers = 0;
    ssize_t n;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    a.conn = jsonrpc_conn_create(loop, stream_from_fd(loop, fds[0], "a"), &answer_ops, &a);
    assert_int_equal(__real_send(fds[1], input, strlen(input), 0), strlen(input));
    n_sends = 0;
    for (int i = 0; i < 3; i++) {
        loop_run_once(loop, false);
    }
    n = __real_recv(fds[1], got, sizeof got - 1, 0);
    got[MAX(n, 0)] = '\0';
    for (const char *p = got; (p = strstr(p, "\"id\":")); p++) {
        n_answers++;
    }
    jsonrpc_conn_destroy(a.conn);
    close(fds[1]);
    loop_run_once(loop, false);
    loop_destroy(loop);
    return n_answers;
}

#define REQUEST "{\"id\":1,\"method\":\"m\",\"params\":[]}"

/* Some go out before, where the machine is so busy that they have been held back for long. */
static void
answers_to_what_came_together_go_out_together(void **state UNUSED)
{
    enum { N = 100 };
    struct str input = STR_INIT;

    assert_int_equal(answers_to(REQUEST, 10, 0), 1);
    assert_int_equal(n_sends, 1);
    for (int i = 0; i < N; i++) {
        str_puts(&input, REQUEST);
    }
    assert_int_equal(answers_to(str_text(&input), 10, 0), N);
    assert_true(n_sends < N / 2);
    str_puts(&input, "{\"id\":1,\"meth");
    assert_int_equal(answers_to(str_text(&input), 10, 0), N);
    assert_true(n_sends < N / 2);
    str_uninit(&input);
}

static void
large_answers_go_out_before_the_next_request(void **state UNUSED)
{
    assert_int_equal(answers_to(REQUEST REQUEST REQUEST, 20000, 0), 3);
    assert_int_equal(n_sends, 3);
}

static void
answers_go_out_before_an_end(void **state UNUSED)
{
    assert_int_equal(answers_to(REQUEST REQUEST "{\"nonsense\"]" REQUEST, 10, 0), 2);
    assert_int_equal(answers_to(REQUEST REQUEST REQUEST, 10, 2), 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_call_may_be_interrupted_or_do_less),
        cmocka_unit_test(each_call_may_end_the_connection),
        cmocka_unit_test(answers_to_what_came_together_go_out_together),
        cmocka_unit_test(large_answers_go_out_before_the_next_request),
        cmocka_unit_test(answers_go_out_before_an_end),
    };

    error_free(log_configure("ANY:ANY:off"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
