#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "json/test_json.h"
#include "jsonrpc/client.h"
#include "jsonrpc/parser.h"
#include "jsonrpc/session.h"

/* Parsing. */

/* Feeds 'text' in pieces of 'piece' bytes; returns the values, one a line, and "error" at the first error. */
static char *
parse_in_pieces(const char *text, size_t piece, size_t max)
{
    struct jsonrpc_parser p;
    struct str out = STR_INIT;
    size_t n = strlen(text);

    jsonrpc_parser_init(&p, max);
    for (size_t i = 0; i < n;) {
        struct json *json;
        struct error *error;

        i += jsonrpc_parser_feed(&p, text + i, MIN(piece, n - i), &json, &error);
        if (json) {
            js_put(&out, json, JS_COMPACT);
            str_putc(&out, '\n');
            js_unref(json);
        }
        if (error) {
            str_puts(&out, "error");
            error_free(error);
            break;
        }
    }
    jsonrpc_parser_uninit(&p);
    return str_steal(&out);
}

static void
values_are_cut_alike_whatever_the_pieces(void **state UNUSED)
{
    static const char text[] = " {\"a\":\"}\\\"]\\\\\"}[1,[2]]\n\n{}  [\"{\"]";

    for (size_t piece = 1; piece < sizeof text; piece++) {
        char *got = parse_in_pieces(text, piece, 1000);

        assert_string_equal(got, "{\"a\":\"}\\\"]\\\\\"}\n[1,[2]]\n{}\n[\"{\"]\n");
        free(got);
    }
}

static void
bad_input_is_refused(void **state UNUSED)
{
    static const char *const bad[] = { "x", "1", "\"a\"", "}", "{]", "{\"a\"}", "[1,]", "{\"a\":tru}", "[\"\x80\"]" };
    char *deep = xmalloc(JSONRPC_MAX_DEPTH + 2), *got;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        got = parse_in_pieces(bad[i], 1000, 1000);
        assert_string_equal(got, "error");
        free(got);
    }
    memset(deep, '[', JSONRPC_MAX_DEPTH + 1);
    deep[JSONRPC_MAX_DEPTH + 1] = '\0';
    got = parse_in_pieces(deep, 100, 100000);
    assert_string_equal(got, "error");
    free(got);
    got = parse_in_pieces(deep, 10, 50);
    assert_string_equal(got, "error");
    free(got);
    free(deep);
}

static void
check_message(const char *text, const char *expected)
{
    struct jsonrpc_msg *msg;
    struct error *error;
    struct json *json;
    struct str s = STR_INIT;

    assert_null(js_parse_string(text, &json));
    error = jsonrpc_msg_from_json(json, &msg);
    if (error) {
        assert_string_equal(error_text(error), expected);
    } else {
        jsonrpc_msg_put(&s, msg);
        assert_string_equal(str_text(&s), expected);
    }
    error_free(error);
    jsonrpc_msg_free(msg);
    str_uninit(&s);
}

static void
messages_are_checked_member_by_member(void **state UNUSED)
{
    check_message("{\"id\":1,\"method\":\"m\",\"params\":[]}", "{\"id\":1,\"method\":\"m\",\"params\":[]}");
    check_message("{\"id\":null,\"method\":\"m\",\"params\":[]}", "{\"id\":null,\"method\":\"m\",\"params\":[]}");
    check_message("{\"id\":1,\"result\":2,\"error\":null}", "{\"error\":null,\"id\":1,\"result\":2}");
    check_message("{\"id\":1,\"result\":null,\"error\":null}", "{\"error\":null,\"id\":1,\"result\":null}");
    check_message("{\"id\":1,\"error\":\"e\"}", "{\"error\":\"e\",\"id\":1}");
    check_message("{\"id\":1,\"method\":\"m\",\"params\":null}", "request must have \"params\"");
    check_message("{\"id\":1,\"method\":\"m\",\"params\":{}}", "\"params\" must be JSON array");
    check_message("{\"id\":1,\"method\":3,\"params\":[]}", "method is not a JSON string");
    check_message("{\"id\":1,\"result\":2,\"error\":3}", "reply must not have \"error\"");
    check_message("{\"id\":null,\"error\":3}", "error must have \"id\"");
    check_message("{\"x\":1}", "message has unexpected member \"x\"");
    check_message("[]", "message is not a JSON object");
}

/* Sessions: a server that answers "sum" and can be told to close; a client. */

struct world {
    struct loop *loop;
    struct stream_listener *listener;
    struct jsonrpc_session *server, *client;
    char *target;
    int n_connected, n_disconnected, n_replies, server_error;
    int64_t last_result;
    struct json *last_params;
    bool close_on_message;
};

static void
server_message(struct jsonrpc_session *s, struct jsonrpc_msg *msg, void *w_)
{
    struct world *w = w_;

    if (w->close_on_message) {
        jsonrpc_session_close(s);
        w->server = NULL;
    } else if (msg->type == JSONRPC_REQUEST) {
        int64_t sum = 0;

        for (size_t i = 0; i < js_array_len(msg->params); i++) {
            sum += js_int_value(js_at(msg->params, i));
        }
        jsonrpc_session_send(s, jsonrpc_reply(js_int(sum), msg->id));
    }
    jsonrpc_msg_free(msg);
}

static void
server_disconnected(struct jsonrpc_session *s, int error, void *w_)
{
    struct world *w = w_;

    w->server_error = error ? error : 1;
    jsonrpc_session_close(s);
    w->server = NULL;
}

static const struct jsonrpc_session_ops server_ops = { .message = server_message, .disconnected = server_disconnected };

static void
client_connected(struct jsonrpc_session *s UNUSED, void *w_)
{
    ((struct world *) w_)->n_connected++;
}

static void
client_disconnected(struct jsonrpc_session *s UNUSED, int error UNUSED, void *w_)
{
    ((struct world *) w_)->n_disconnected++;
}

static void
client_message(struct jsonrpc_session *s UNUSED, struct jsonrpc_msg *msg, void *w_)
{
    struct world *w = w_;

    if (msg->type == JSONRPC_REPLY) {
        w->last_result = js_int_value(msg->result);
        w->n_replies++;
    } else {
        js_unref(w->last_params);
        w->last_params = js_ref(msg->params);
    }
    jsonrpc_msg_free(msg);
}

static const struct jsonrpc_session_ops client_ops = {
    .connected = client_connected, .disconnected = client_disconnected, .message = client_message,
};

static void
on_accept(struct stream_listener *l UNUSED, struct stream *stream, void *w_)
{
    struct world *w = w_;

    jsonrpc_session_close(w->server);
    w->server = jsonrpc_session_accept(w->loop, stream, &server_ops, w);
    jsonrpc_session_set_max_message(w->server, 5000000);
}

#define RUN_UNTIL(W, COND) \
    for (int turns = 0; !(COND); turns++) { assert_true(turns < 200000); loop_run_once((W)->loop, true); }

static int
set_up(void **state)
{
    struct world *w = xzalloc(sizeof *w);

    w->loop = loop_create();
    assert_int_equal(stream_listen(w->loop, "ptcp:0:127.0.0.1", 0, on_accept, w, &w->listener), 0);
    w->target = xasprintf("tcp:127.0.0.1:%u", stream_listener_port(w->listener));
    w->client = jsonrpc_session_open(w->loop, w->target, 0, &client_ops, w);
    RUN_UNTIL(w, w->n_connected == 1 && w->server);
    *state = w;
    return 0;
}

static int
tear_down(void **state)
{
    struct world *w = *state;

    jsonrpc_session_close(w->client);
    jsonrpc_session_close(w->server);
    stream_listener_close(w->listener);
    loop_destroy(w->loop);
    js_unref(w->last_params);
    free(w->target);
    free(w);
    return 0;
}

static void
send_sum(struct world *w, int a, int b)
{
    struct json *params = js_array();

    js_append_take(params, js_int(a));
    js_append_take(params, js_int(b));
    jsonrpc_session_send(w->client, jsonrpc_request("sum", params, NULL));
}

static void
a_request_gets_its_reply(void **state)
{
    struct world *w = *state;

    send_sum(w, 20, 22);
    RUN_UNTIL(w, w->n_replies == 1);
    assert_int_equal(w->last_result, 42);
}

static void
many_large_messages_pass_in_order_and_the_backlog_is_counted(void **state)
{
    struct world *w = *state;
    struct str text = STR_INIT;
    struct shared_text *shared;

    str_putc(&text, '"');
    str_put_fill(&text, 'z', 1000000);
    str_putc(&text, '"');
    shared = shared_text_take(&text);
    for (int i = 0; i < 20; i++) {
        char *suffix = xasprintf(",%d]}", i);

        jsonrpc_session_send_shared(w->server, "{\"id\":null,\"method\":\"n\",\"params\":[", &shared, 1, suffix);
        free(suffix);
    }
    shared_text_unref(shared);
    assert_true(jsonrpc_session_backlog(w->server) > 10000000);
    RUN_UNTIL(w, w->last_params && js_int_value(js_at(w->last_params, 1)) == 19);
    assert_int_equal(js_str_len(js_at(w->last_params, 0)), 1000000);
    RUN_UNTIL(w, jsonrpc_session_backlog(w->server) == 0);
    str_uninit(&text);
}

static void
a_lost_connection_is_made_again(void **state)
{
    struct world *w = *state;

    w->close_on_message = true;
    send_sum(w, 1, 1);
    RUN_UNTIL(w, w->n_disconnected == 1);
    w->close_on_message = false;
    RUN_UNTIL(w, w->n_connected == 2);
    send_sum(w, 2, 3);
    RUN_UNTIL(w, w->n_replies == 1);
    assert_int_equal(w->last_result, 5);
}

static void
probes_keep_a_silent_session_alive(void **state)
{
    struct world *w = *state;
    int64_t until = clock_now_ms() + 300;

    jsonrpc_session_set_probe_interval(w->client, 20);
    jsonrpc_session_set_probe_interval(w->server, 20);
    while (clock_now_ms() < until) {
        loop_run_once(w->loop, true);
    }
    assert_int_equal(w->n_disconnected, 0);
    assert_int_equal(w->n_replies, 0);
    assert_int_equal(w->server_error, 0);
}

/* Without probes nobody notes when something came last. */
static void
the_first_probe_comes_an_interval_after_they_are_turned_on(void **state)
{
    struct world *w = *state;
    const struct reconnect *fsm = jsonrpc_session_state(w->server);

    jsonrpc_session_set_probe_interval(w->server, 0);
    send_sum(w, 1, 1);
    RUN_UNTIL(w, w->n_replies == 1);
    usleep(60000);
    jsonrpc_session_set_probe_interval(w->server, 50);
    assert_int_equal(fsm->state, RECONNECT_ACTIVE);
    RUN_UNTIL(w, fsm->state == RECONNECT_IDLE);
    RUN_UNTIL(w, fsm->state == RECONNECT_ACTIVE);
    assert_int_equal(w->server_error, 0);
}

static void
garbage_ends_the_session_alone(void **state)
{
    struct world *w = *state;
    struct stream *raw;

    assert_int_equal(stream_open(w->loop, w->target, 0, NULL, NULL, &raw), 0);
    RUN_UNTIL(w, w->server && stream_status(raw) == 0 && w->n_disconnected);
    w->server_error = 0;
    assert_int_equal(stream_write(raw, "{\"id\":1}garbage", 15), 15);
    RUN_UNTIL(w, w->server_error);
    assert_int_equal(w->server_error, -EPROTO);
    stream_close(raw);
}

static void
a_message_beyond_the_limit_ends_the_session(void **state)
{
    struct world *w = *state;
    struct str text = STR_INIT;
    struct json *params = js_array();

    str_put_fill(&text, 'z', 6000000);
    js_append_take(params, js_strn(text.text, text.len));
    jsonrpc_session_send(w->client, jsonrpc_request("sum", params, NULL));
    RUN_UNTIL(w, w->server_error);
    assert_int_equal(w->server_error, -EPROTO);
    str_uninit(&text);
}

static void *
run_server(void *w_)
{
    struct world *w = w_;

    while (!w->server_error) {
        loop_run_once(w->loop, true);
    }
    return NULL;
}

static void
the_blocking_client_calls(void **state)
{
    struct world *w = *state;
    struct jsonrpc_client *c;
    struct jsonrpc_msg *reply;
    struct json *params = js_array();
    pthread_t thread;

    jsonrpc_session_close(w->client);
    w->client = NULL;
    RUN_UNTIL(w, w->server_error);
    w->server_error = 0;
    assert_int_equal(pthread_create(&thread, NULL, run_server, w), 0);
    assert_int_equal(jsonrpc_client_open(w->target, 0, &c), 0);
    js_append_take(params, js_int(7));
    assert_int_equal(jsonrpc_client_call(c, "sum", params, &reply), 0);
    assert_int_equal(reply->type, JSONRPC_REPLY);
    assert_int_equal(js_int_value(reply->result), 7);
    jsonrpc_msg_free(reply);
    assert_int_equal(jsonrpc_client_try_receive(c, &reply), -EAGAIN);
    jsonrpc_client_close(c);
    pthread_join(thread, NULL);
    assert_int_equal(jsonrpc_client_open("unix:/nonexistent/x", 0, &c), -ENOENT);
}

/* A long reply as text: what is found in it, and that it can still be read as a value. */
static void
a_long_reply_may_stay_text(void **state UNUSED)
{
    static const struct { const char *text, *result; enum jsonrpc_type type; } cases[] = {
        { "{'id':7,'error':null,'result':{'a':[1,'}']} }", "{\"a\":[1,\"}\"]}", JSONRPC_REPLY },
        { "{'result':[1],'id':'x','error':null}", "[1]", JSONRPC_REPLY },
        { "{'id':7,'error':null,'result':5}", NULL, JSONRPC_REPLY },
        { "{'id':7,'error':{'x':1},'result':null}", NULL, JSONRPC_ERROR },
        { "{'id':7,'method':'m','params':[]}", NULL, JSONRPC_REQUEST },
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char *text = json_unquote(cases[i].text);
        struct jsonrpc_msg *msg;

        assert_null(jsonrpc_msg_from_text(text, strlen(text), NULL, &msg));
        assert_int_equal(msg->type, cases[i].type);
        assert_true((msg->result_text != NULL) == (cases[i].result != NULL));
        if (cases[i].result) {
            assert_int_equal(msg->result_len, strlen(cases[i].result));
            assert_memory_equal(msg->result_text, cases[i].result, msg->result_len);
            assert_null(jsonrpc_msg_read_result(msg));
            assert_non_null(msg->result);
            assert_null(msg->text);
        }
        jsonrpc_msg_free(msg);
    }
}

/* A long request likewise, if its parameters are its end. */
static void
a_long_request_may_have_its_parameters_as_text(void **state UNUSED)
{
    static const struct { const char *text, *params; } cases[] = {
        { "{'id':7,'method':'m','params':[1,'}]'] } ", "[1,\"}]\"]" },
        { "{'method':'m','id':'x','params':[]}", "[]" },
        { "{'id':7,'params':[1],'method':'m'}", NULL },
        { "{'id':7,'method':'other','params':[1]}", NULL },
        { "{'id':null,'method':'m','params':[1]}", NULL },
        { "{'id':7,'method':'m','params':[1],'error':null}", NULL },
    };
    static const char *const bad[] = {
        "{'id':7,'method':'m','params':[x]}", "{'id':7,'method':'m','params':[],'error':[]}",
    };
    struct jsonrpc_msg *msg;
    struct error *error;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char *text = json_unquote(cases[i].text);

        assert_null(jsonrpc_msg_from_text(text, strlen(text), "m", &msg));
        assert_true((msg->params_text != NULL) == (cases[i].params != NULL));
        if (cases[i].params) {
            assert_int_equal(msg->type, JSONRPC_REQUEST);
            assert_string_equal(msg->method, "m");
            assert_non_null(msg->id);
            assert_null(msg->params);
            assert_int_equal(msg->params_len, strlen(cases[i].params));
            assert_memory_equal(msg->params_text, cases[i].params, msg->params_len);
        }
        assert_null(jsonrpc_msg_read_params(msg));
        assert_null(msg->text);
        assert_true(js_is(msg->params, JS_ARRAY));
        jsonrpc_msg_free(msg);
    }
    /* What is inside, and whether there is more, is looked at later. */
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        char *text = json_unquote(bad[i]);

        assert_null(jsonrpc_msg_from_text(text, strlen(text), "m", &msg));
        assert_non_null(msg->params_text);
        error = jsonrpc_msg_read_params(msg);
        assert_non_null(error);
        error_free(error);
        jsonrpc_msg_free(msg);
    }
}

static void
a_long_reply_that_is_none_is_an_error(void **state UNUSED)
{
    static const char *const bad[] = {
        "{'id':7,'error':null,'result':{'a':1}", "{'id':7,'error':null,'result':{'a':1}}x", "{'id':null,'result':{}}",
        "{'id':7,'error':'e','result':{}}", "{'id':7,'result':{},'what':1}", "[]",
    };
    struct jsonrpc_msg *msg;
    struct error *error;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        char *text = json_unquote(bad[i]);

        error = jsonrpc_msg_from_text(text, strlen(text), NULL, &msg);
        assert_non_null(error);
        assert_null(msg);
        error_free(error);
    }
    /* What is inside is looked at later. */
    assert_null(jsonrpc_msg_from_text(xstrdup("{\"id\":7,\"error\":null,\"result\":{nothing}}"), 40, NULL, &msg));
    error = jsonrpc_msg_read_result(msg);
    assert_non_null(error);
    error_free(error);
    jsonrpc_msg_free(msg);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_reply_may_stay_text),
        cmocka_unit_test(a_long_reply_that_is_none_is_an_error),
        cmocka_unit_test(a_long_request_may_have_its_parameters_as_text),
        cmocka_unit_test(values_are_cut_alike_whatever_the_pieces),
        cmocka_unit_test(bad_input_is_refused),
        cmocka_unit_test(messages_are_checked_member_by_member),
        cmocka_unit_test_setup_teardown(a_request_gets_its_reply, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_large_messages_pass_in_order_and_the_backlog_is_counted, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_lost_connection_is_made_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(probes_keep_a_silent_session_alive, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_first_probe_comes_an_interval_after_they_are_turned_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(garbage_ends_the_session_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_message_beyond_the_limit_ends_the_session, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_blocking_client_calls, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
