/* Each allocation of two ends that talk fails once, in a child: the program ends with the message and nothing else. */
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

#include "jsonrpc/session.h"
#include "sys/alloc_fault.h"
#include "sys/log.h"

enum { N_REQUESTS = 4, BIG = 5000 };

static char directory[] = "/tmp/weft-jsonrpc-XXXXXX";

struct world {
    struct loop *loop;
    struct jsonrpc_session *client, *server;
    int n_answered, server_error;
    bool server_gone;
};

/* The server answers with the parameters, or with an error. */
static void
answer(struct jsonrpc_session *s, struct jsonrpc_msg *m, void *w UNUSED)
{
    assert_int_equal(m->type, JSONRPC_REQUEST);
    jsonrpc_session_send(s, strcmp(m->method, "same") ? jsonrpc_error(js_str("no such method"), m->id)
                                                      : jsonrpc_reply(js_ref(m->params), m->id));
    jsonrpc_msg_free(m);
}

static void
server_gone(struct jsonrpc_session *s UNUSED, int error, void *w_)
{
    struct world *w = w_;

    w->server_gone = true;
    w->server_error = error;
}

static const struct jsonrpc_session_ops server_ops = { .message = answer, .disconnected = server_gone };

static void
accept_client(struct stream_listener *l UNUSED, struct stream *stream, void *w_)
{
    struct world *w = w_;

    w->server = jsonrpc_session_accept(w->loop, stream, &server_ops, w);
}

static struct json *
params(int i)
{
    struct json *array = js_array(), *object = js_object();
    struct str s = STR_INIT;

    str_put_fill(&s, 'z', i == 1 ? BIG : 10);
    js_set_take(object, str_text(&s), js_real(i + 0.5));
    js_append_take(array, object);
    js_append_take(array, js_int(i));
    str_uninit(&s);
    return array;
}

static void
send_requests(struct jsonrpc_session *s, void *w UNUSED)
{
    for (int i = 0; i < N_REQUESTS; i++) {
        jsonrpc_session_send(s, jsonrpc_request(i % 2 ? "same" : "other", params(i), NULL));
    }
}

static void
check_answer(struct jsonrpc_session *s UNUSED, struct jsonrpc_msg *m, void *w_)
{
    struct world *w = w_;

    if (w->n_answered % 2) {
        struct json *expected = params(w->n_answered);

        assert_int_equal(m->type, JSONRPC_REPLY);
        assert_true(js_equal(m->result, expected));
        js_unref(expected);
    } else {
        assert_int_equal(m->type, JSONRPC_ERROR);
    }
    w->n_answered++;
    jsonrpc_msg_free(m);
}

static const struct jsonrpc_session_ops client_ops = { .connected = send_requests, .message = check_answer };

static void
exchange(void)
{
    struct world w = { .loop = loop_create() };
    char *target = xasprintf("punix:%s/socket", directory);
    struct stream_listener *listener;

    assert_int_equal(stream_listen(w.loop, target, 0, accept_client, &w, &listener), 0);
    w.client = jsonrpc_session_open(w.loop, target + 1, 0, &client_ops, &w);
    while (w.n_answered < N_REQUESTS) {
        loop_run_once(w.loop, true);
    }
    jsonrpc_session_close(w.client);
    jsonrpc_session_close(w.server);
    stream_listener_close(listener);
    loop_destroy(w.loop);
    free(target);
}

/* What is wrong with a text the library says, which takes memory as we do. */
static void
refuse(void)
{
    static const char text[] = "{\"id\":1,\"method\":\"same\",\"params\":[tru]}";
    struct world w = { .loop = loop_create() };
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(send(fds[0], text, strlen(text), 0), strlen(text));
    accept_client(NULL, stream_from_fd(w.loop, fds[1], "peer"), &w);
    while (!w.server_gone) {
        loop_run_once(w.loop, true);
    }
    assert_int_equal(w.server_error, -EPROTO);
    jsonrpc_session_close(w.server);
    loop_destroy(w.loop);
    close(fds[0]);
}

static void
each_allocation_fails(void (*scenario)(void))
{
    int n_failed, n_ended = alloc_fault_each(NULL, scenario, NULL, &n_failed);

    print_message("%d of %d allocations that failed ended the program\n", n_ended, n_failed);
    assert_in_range(n_ended, 20, n_failed);
    assert_int_equal(n_ended, n_failed);
}

static void
requests_and_answers(void **state UNUSED)
{
    each_allocation_fails(exchange);
}

static void
a_malformed_message(void **state UNUSED)
{
    each_allocation_fails(refuse);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_and_answers),
        cmocka_unit_test(a_malformed_message),
    };
    char *socket;
    int status;

    if (!mkdtemp(directory)) {
        perror(directory);
        return 1;
    }
    error_free(log_configure("ANY:ANY:off"));
    status = cmocka_run_group_tests(tests, NULL, NULL);
    socket = xasprintf("%s/socket", directory);
    unlink(socket);
    free(socket);
    return rmdir(directory) || status;
}
