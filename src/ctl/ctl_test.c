#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "ctl/ctl.h"
#include "ctl/job.h"
#include "ctl/memory.h"
#include "jsonrpc/conn.h"
#include "sys/clock.h"
#include "sys/counter.h"
#include "sys/log.h"

COUNTER(ctl_test_events)

static char dir[] = "/tmp/weft-ctl-test-XXXXXX";
static struct loop *loop;
static struct ctl_server *server;
static struct jsonrpc_conn *conn;
static struct ctl_request *deferred;
static int number = 7;
static char *answer; /* All answers since the last command: text, JSON, or "error: ...". */

static void
on_message(struct jsonrpc_conn *c UNUSED, struct jsonrpc_msg *msg, void *aux UNUSED)
{
    char *before = answer, *this;

    if (msg->type == JSONRPC_ERROR) {
        this = xasprintf("error: %s", js_str_value(msg->error));
    } else {
        this = js_is(msg->result, JS_STRING) ? xstrdup(js_str_value(msg->result))
                                            : js_to_string(msg->result, JS_SORTED);
    }
    answer = xasprintf("%s%s", before ? before : "", this);
    free(before);
    free(this);
    jsonrpc_msg_free(msg);
}

static void
on_closed(struct jsonrpc_conn *c UNUSED, int error UNUSED, void *aux UNUSED)
{
    free(answer);
    answer = xstrdup("closed");
}

static const struct jsonrpc_conn_ops ops = { .message = on_message, .closed = on_closed };

static void
send_command(const char *method, const char *params)
{
    struct json *json;

    free(answer);
    answer = NULL;
    assert_null(js_parse_string(params, &json));
    jsonrpc_conn_send(conn, jsonrpc_request(method, json, NULL));
}

static const char *
command(const char *method, const char *params)
{
    send_command(method, params);
    while (!answer) {
        loop_run_once(loop, true);
    }
    return answer;
}

static void
echo_args(struct ctl_request *r, int argc, const char *argv[], void *aux)
{
    struct str s = STR_INIT;

    for (int i = 0; i < argc; i++) {
        str_putf(&s, "%s,", argv[i]);
    }
    ctl_replyf(r, "%s%d", str_text(&s), aux ? *(int *) aux : 0);
    str_uninit(&s);
}

static void
defer(struct ctl_request *r, int argc UNUSED, const char *argv[] UNUSED, void *aux UNUSED)
{
    deferred = r;
}

static void
commands_get_their_arguments_and_wrong_numbers_are_refused(void **state UNUSED)
{
    ctl_register("test/args", "ONE [TWO]", 1, 2, echo_args, &number);
    assert_string_equal(command("test/args", "[\"a\"]"), "test/args,a,7\n");
    assert_string_equal(command("test/args", "[\"a\",\"b\"]"), "test/args,a,b,7\n");
    assert_string_equal(command("test/args", "[]"), "error: \"test/args\" command requires at least 1 arguments\n");
    assert_string_equal(command("test/args", "[\"\",\"\",\"\"]"),
                        "error: \"test/args\" command takes at most 2 arguments\n");
    assert_string_equal(command("test/args", "[1]"), "error: \"test/args\" command has non-string argument\n");
    assert_string_equal(command("foo", "[]"), "error: \"foo\" is not a valid command (use \"list-commands\" to see a "
                                              "list "
                                              "of valid commands)\n");
}

static void
hidden_commands_are_not_listed(void **state UNUSED)
{
    ctl_register("test/hidden", NULL, 0, 0, echo_args, NULL);
    assert_string_equal(command("test/hidden", "[]"), "test/hidden,0\n");
    assert_null(strstr(command("list-commands", "[]"), "test/hidden"));
    assert_non_null(strstr(answer, "The available commands are:\n  coverage/read-counter   COUNTER\n  coverage/show    "
                                   "       \n"));
}

static void
a_reply_may_come_later_and_requests_wait_for_it(void **state UNUSED)
{
    ctl_register("test/defer", "", 0, 0, defer, NULL);
    send_command("test/defer", "[]");
    send_command("version", "[]");
    for (int i = 0; i < 10; i++) {
        loop_run_once(loop, false);
    }
    assert_null(answer);
    assert_non_null(deferred);
    ctl_reply_error(deferred, "later");
    while (!answer || !strstr(answer, "Open vSwitch")) {
        loop_run_once(loop, true);
    }
    assert_int_equal(strncmp(answer, "error: later\n", 13), 0);
}

static void
a_reply_to_a_connection_that_is_gone_is_dropped(void **state UNUSED)
{
    ctl_register("test/defer", "", 0, 0, defer, NULL);
    deferred = NULL;
    send_command("test/defer", "[]");
    while (!deferred) {
        loop_run_once(loop, true);
    }
    jsonrpc_conn_destroy(conn);
    conn = NULL;
    /* The server does not read while it works on the request, so it learns of the end when it writes. */
    ctl_reply(deferred, "nobody listens");
    for (int i = 0; i < 10; i++) {
        loop_run_once(loop, false);
    }
}

/* Lines of 100 bytes, with all that JSON escapes; a thousand a step. */
enum { LINES_A_STEP = 1000, LINE = 100 };

struct lines {
    struct ctl_job job;
    size_t n, i;
};

static size_t n_lines_made, n_line_jobs;

static void
put_line(struct str *s, size_t i)
{
    str_putf(s, "%8zu \"\\\t\303\274%*s\n", i, LINE - 15, "");
}

static bool
step_lines(struct ctl_job *job, struct str *out)
{
    struct lines *l = CONTAINER_OF(job, struct lines, job);

    for (size_t end = MIN(l->n, l->i + LINES_A_STEP); l->i < end; l->i++) {
        put_line(out, l->i);
        n_lines_made++;
    }
    return l->i == l->n;
}

static void
destroy_lines(struct ctl_job *job)
{
    n_line_jobs--;
    free(CONTAINER_OF(job, struct lines, job));
}

static void
print_lines(struct ctl_request *r, int argc UNUSED, const char *argv[], void *on)
{
    static const struct ctl_job_ops lines_ops = { step_lines, destroy_lines };
    struct lines *l = xzalloc(sizeof *l);

    l->job = (struct ctl_job) { .ops = &lines_ops, .on = on };
    l->n = atoi(argv[1]);
    n_line_jobs++;
    n_lines_made = 0;
    ctl_reply_by_job(r, &l->job);
}

static void
check_lines(const char *text, size_t n)
{
    struct str s = STR_INIT;

    for (size_t i = 0; i < n; i++) {
        put_line(&s, i);
    }
    assert_string_equal(text, str_text(&s));
    str_uninit(&s);
}

static void
an_answer_made_in_steps_is_one_answer_however_long_it_is(void **state UNUSED)
{
    struct json *json;

    ctl_register("test/args", "ONE [TWO]", 1, 2, echo_args, &number);
    ctl_register("test/lines", "N", 1, 1, print_lines, NULL);
    check_lines(command("test/lines", "[\"0\"]"), 0);
    check_lines(command("test/lines", "[\"1\"]"), 1);
    check_lines(command("test/lines", "[\"20000\"]"), 20000);
    assert_string_equal(command("test/args", "[\"a\"]"), "test/args,a,7\n");
    command("set-options", "[\"--format\",\"json\"]");
    assert_null(js_parse_string(command("test/lines", "[\"20000\"]"), &json));
    assert_string_equal(js_get_str(json, "reply-format"), "plain");
    check_lines(js_get_str(json, "reply"), 20000);
    js_unref(json);
    assert_int_equal(n_line_jobs, 0);
}

static void
a_turn_makes_a_part_and_others_are_served_between_them(void **state UNUSED)
{
    size_t n_turns = 0, before = 0;

    ctl_register("test/lines", "N", 1, 1, print_lines, NULL);
    n_lines_made = 0;
    send_command("test/lines", "[\"20000\"]");
    while (!answer) {
        loop_run_once(loop, false);
        assert_true(n_lines_made - before <= 4 * LINES_A_STEP); /* Two steps are a part; the first turn makes two. */
        n_turns += n_lines_made > before;
        before = n_lines_made;
    }
    assert_true(n_turns >= 10);
}

static void
a_client_that_does_not_read_holds_up_its_answer_only(void **state UNUSED)
{
    size_t n;

    ctl_register("test/lines", "N", 1, 1, print_lines, NULL);
    send_command("test/lines", "[\"100000\"]");
    jsonrpc_conn_set_reading(conn, false);
    for (int i = 0; i < 200; i++) {
        loop_run_once(loop, false);
    }
    n = n_lines_made;
    assert_true(n > 0 && n < 50000);
    for (int i = 0; i < 20; i++) {
        loop_run_once(loop, false);
    }
    assert_int_equal(n_lines_made, n);
    jsonrpc_conn_set_reading(conn, true);
    while (!answer) {
        loop_run_once(loop, true);
    }
    check_lines(answer, 100000);
}

static void
a_client_that_leaves_ends_the_making_of_its_answer(void **state UNUSED)
{
    ctl_register("test/lines", "N", 1, 1, print_lines, NULL);
    n_lines_made = 0;
    send_command("test/lines", "[\"1000000\"]");
    while (!n_lines_made) {
        loop_run_once(loop, true);
    }
    assert_int_equal(n_line_jobs, 1);
    jsonrpc_conn_destroy(conn);
    conn = NULL;
    while (n_line_jobs) {
        loop_run_once(loop, true);
    }
    assert_true(n_lines_made < 1000000);
}

static void
an_answer_ends_where_it_is_when_what_it_tells_of_goes(void **state UNUSED)
{
    ctl_register("test/lines", "N", 1, 1, print_lines, &number);
    send_command("test/lines", "[\"100000\"]");
    jsonrpc_conn_set_reading(conn, false);
    for (int i = 0; i < 50; i++) {
        loop_run_once(loop, false);
    }
    ctl_jobs_end(&loop);
    assert_int_equal(n_line_jobs, 1);
    ctl_jobs_end(&number);
    assert_int_equal(n_line_jobs, 0);
    jsonrpc_conn_set_reading(conn, true);
    while (!answer) {
        loop_run_once(loop, true);
    }
    check_lines(answer, n_lines_made);
    assert_true(n_lines_made < 100000);
}

static void
json_is_asked_for_with_set_options(void **state UNUSED)
{
    assert_string_equal(command("set-options", "[\"--format\",\"xml\"]"),
                        "error: option format has invalid value xml\n");
    assert_string_equal(command("set-options", "[\"--foo\"]"), "error: unrecognized option '--foo'\n");
    assert_string_equal(command("set-options", "[\"--format=JSON\"]"), "{\"reply\":\"\",\"reply-format\":\"plain\"}");
    assert_non_null(strstr(command("list-commands", "[]"), "\"memory/show\":\"\""));
    assert_string_equal(command("foo", "[]"), "error: \"foo\" is not a valid command (use \"list-commands\" to see a "
                                              "list "
                                              "of valid commands)\n");
    assert_string_equal(command("set-options", "[\"--format\",\"text\"]"), "");
}

static void
report_some(struct memory_report *report, void *n)
{
    memory_add(report, "cells", *(int *) n);
    memory_add(report, "atoms", 1);
}

static void
counts_are_shown(void **state UNUSED)
{
    int n = 40;

    memory_register(report_some, &n);
    memory_register(report_some, &n);
    assert_string_equal(command("memory/show", "[]"), "atoms:2 cells:80\n");
    memory_unregister(report_some, &n);
    counter_add(ctl_test_events, 60);
    counter_sample();
    assert_string_equal(command("coverage/read-counter", "[\"ctl_test_events\"]"), "60\n");
    assert_string_equal(command("coverage/read-counter", "[\"foo\"]"), "error: No such counter\n");
    assert_string_equal(command("coverage/read-counter", "[\"dp_packet_batch_grow\"]"), "0\n");
    assert_non_null(strstr(command("coverage/show", "[]"), "\nctl_test_events           12.0/sec     1.000/sec        "
                                                           "0.0167/sec   total: 60\n"));
}

static char *
warp_and_read(const char *path, int64_t ms)
{
    struct str s = STR_INIT;
    FILE *f;
    int c;

    clock_warp(ms);
    loop_run_once(loop, false);
    f = fopen(path, "r");
    assert_non_null(f);
    while ((c = getc(f)) != EOF) {
        str_putc(&s, c);
    }
    fclose(f);
    assert_int_equal(truncate(path, 0), 0);
    return str_steal(&s);
}

/* How much memory there is can be anything: what matters is when something is said of it. */
static void
the_log_says_when_memory_grows(void **state UNUSED)
{
    char *path = xasprintf("%s/log", dir), *text, *big;
    struct rusage usage;
    int n = 40;

    assert_int_equal(log_open_file(path), 0);
    clock_stop();
    memory_register(report_some, &n);
    text = warp_and_read(path, 9000);
    assert_null(strstr(text, "resident"));
    free(text);
    text = warp_and_read(path, 1000);
    assert_non_null(strstr(text, " kB peak resident set size after 10.0 seconds\n"));
    assert_non_null(strstr(text, "|memory|INFO|atoms:1 cells:40\n"));
    free(text);
    text = warp_and_read(path, 10000);
    assert_null(strstr(text, "resident"));
    free(text);
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    big = xmalloc(usage.ru_maxrss * INT64_C(2000));
    for (int64_t i = 0; i < usage.ru_maxrss * INT64_C(2000); i += 1024) {
        ((volatile char *) big)[i] = 1;
    }
    text = warp_and_read(path, 10000);
    assert_non_null(strstr(text, "|memory|INFO|peak resident set size grew "));
    assert_non_null(strstr(text, "% in last 20.0 seconds, from "));
    assert_non_null(strstr(text, "|memory|INFO|atoms:1 cells:40\n"));
    free(text);
    free(big);
    memory_unregister(report_some, &n);
    free(path);
}

static void
the_log_is_set(void **state UNUSED)
{
    assert_string_equal(command("vlog/set", "[\"syslog:err\"]"), "");
    assert_non_null(strstr(command("vlog/list", "[]"), "\nunixctl           INFO        ERR       INFO\n"));
    assert_string_equal(command("vlog/set", "[\"foo\"]"), "error: no destination, level, or module \"foo\"\n");
    assert_string_equal(command("vlog/disable-rate-limit", "[\"foo\"]"), "error: unknown module\n");
}

static void
anything_but_a_request_ends_the_connection(void **state UNUSED)
{
    jsonrpc_conn_send(conn, jsonrpc_notify("version", js_array()));
    free(answer);
    answer = NULL;
    while (!answer) {
        loop_run_once(loop, true);
    }
    assert_string_equal(answer, "closed");
}

static int
set_up(void **state UNUSED)
{
    struct stream *stream;
    const char *path;
    char *target;

    loop = loop_create();
    if (ctl_server_create(loop, NULL, &server, &path)) {
        return -1;
    }
    assert_int_equal(strncmp(path, dir, strlen(dir)), 0);
    target = xasprintf("unix:%s", path);
    assert_int_equal(stream_open(loop, target, 0, NULL, NULL, &stream), 0);
    free(target);
    conn = jsonrpc_conn_create(loop, stream, &ops, NULL);
    return 0;
}

static int
tear_down(void **state UNUSED)
{
    jsonrpc_conn_destroy(conn);
    conn = NULL;
    ctl_server_destroy(server);
    loop_destroy(loop);
    free(answer);
    answer = NULL;
    return 0;
}

int
main(void)
{
#define T(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(commands_get_their_arguments_and_wrong_numbers_are_refused),
        T(hidden_commands_are_not_listed),
        T(a_reply_may_come_later_and_requests_wait_for_it),
        T(a_reply_to_a_connection_that_is_gone_is_dropped),
        T(an_answer_made_in_steps_is_one_answer_however_long_it_is),
        T(a_turn_makes_a_part_and_others_are_served_between_them),
        T(a_client_that_does_not_read_holds_up_its_answer_only),
        T(a_client_that_leaves_ends_the_making_of_its_answer),
        T(an_answer_ends_where_it_is_when_what_it_tells_of_goes),
        T(json_is_asked_for_with_set_options),
        T(counts_are_shown),
        T(the_log_says_when_memory_grows),
        T(the_log_is_set),
        T(anything_but_a_request_ends_the_connection),
    };
    char *log;
    int failed;

    if (!mkdtemp(dir)) {
        return 1;
    }
    setenv("OVS_RUNDIR", dir, 1);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    log = xasprintf("%s/log", dir);
    unlink(log);
    free(log);
    return rmdir(dir) || failed;
}
