/* What a client may make the server hold (server.h, Limits), on a clock that only the test moves. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/str.h"
#include "ctl/memory.h"
#include "ovsdb/server/internal.h"
#include "sys/clock.h"
#include "sys/log.h"

static char dir[] = "/tmp/weft-limits-XXXXXX";
static char *path;
static struct loop *loop;
static struct ovsdb_server *server;
static int client;

static void
turn(int n)
{
    for (int i = 0; i < n; i++) {
        loop_run_once(loop, false);
    }
}

/* Time passes, at least as much as it takes the server to look at its clients once. */
static void
pass(int64_t ms)
{
    clock_warp(ms);
    turn(20);
}

/* A count of memory/show. */
static size_t
count(const char *name)
{
    struct str s = STR_INIT;
    char *key = xasprintf("%s:", name);
    const char *at;
    size_t n;

    memory_format(&s);
    at = strstr(str_text(&s), key);
    n = at ? strtoul(at + strlen(key), NULL, 10) : 0;
    free(key);
    str_uninit(&s);
    return n;
}

static int
set_up(void **state UNUSED)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    char *remote = xasprintf("punix:%s", path);

    loop = loop_create();
    server = ovsdb_server_create(loop);
    assert_null(ovsdb_server_add_remote(server, remote));
    free(remote);
    memcpy(un.sun_path, path, strlen(path));
    client = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(client, (struct sockaddr *) &un, sizeof un), 0);
    turn(20);
    assert_int_equal(count("sessions"), 1);
    return 0;
}

static int
tear_down(void **state UNUSED)
{
    close(client);
    turn(20);
    ovsdb_server_destroy(server);
    loop_destroy(loop);
    return 0;
}

/* Sends as much of the text as the server takes; returns whether that was all. */
static bool
offer(const struct str *s)
{
    size_t sent = 0;

    for (int idle = 0; sent < s->len && idle < 100; idle++) {
        ssize_t n = send(client, s->text + sent, s->len - sent, MSG_NOSIGNAL);

        if (n > 0) {
            sent += n;
            idle = 0;
        }
        turn(1);
    }
    turn(20);
    return sent == s->len;
}

/* Asks for answers, of which it reads none, until the server stops reading. */
static void
stuff(void)
{
    struct str s = STR_INIT;

    for (int i = 0; i < 200; i++) {
        str_puts(&s, "{\"id\":1,\"method\":\"echo\",\"params\":[\"");
        str_put_fill(&s, 'x', 100000);
        str_puts(&s, "\"]}");
    }
    assert_false(offer(&s));
    assert_true(count("backlog") > LAG_BYTES);
    assert_true(count("backlog") < 2 * PAUSE_BYTES);
    str_uninit(&s);
}

static void
who_reads_nothing_is_dropped_after_the_time(void **state UNUSED)
{
    stuff();
    pass(STATUS_MS); /* The server sees that it moved. */
    pass(STALL_MS - 1000);
    assert_int_equal(count("sessions"), 1);
    pass(STATUS_MS);
    assert_int_equal(count("sessions"), 0);
}

static void
who_reads_a_little_is_kept(void **state UNUSED)
{
    char *buffer = xmalloc(1 << 20);

    stuff();
    pass(STATUS_MS);
    for (int i = 0; i < 5; i++) {
        pass(STALL_MS - 10000);
        assert_true(recv(client, buffer, 1 << 20, 0) > 0);
        turn(20);
        pass(STATUS_MS);
        assert_true(count("backlog") > LAG_BYTES);
        assert_int_equal(count("sessions"), 1);
    }
    pass(STALL_MS);
    assert_int_equal(count("sessions"), 0);
    free(buffer);
}

static void
who_stops_amid_a_large_request_is_dropped_after_the_time(void **state UNUSED)
{
    struct str s = STR_INIT;

    str_puts(&s, "{\"id\":1,\"method\":\"echo\",\"params\":[\"");
    str_put_fill(&s, 'x', LAG_BYTES);
    assert_true(offer(&s));
    pass(STATUS_MS);
    pass(STALL_MS - 1000);
    assert_int_equal(count("sessions"), 1);
    pass(STATUS_MS);
    assert_int_equal(count("sessions"), 0);
    str_uninit(&s);
}

static void
who_is_silent_and_owes_little_is_kept(void **state UNUSED)
{
    struct str s = STR_INIT;

    str_puts(&s, "{\"id\":1,\"method\":\"echo\",\"params\":[\"");
    str_put_fill(&s, 'x', LAG_BYTES / 2);
    assert_true(offer(&s));
    for (int i = 0; i < 100; i++) {
        pass(STALL_MS);
    }
    assert_int_equal(count("sessions"), 1);
    str_uninit(&s);
}

static void
one_waiting_transaction_too_many_ends_the_session(void **state UNUSED)
{
    static const char wait[] = "{\"id\":1,\"method\":\"transact\",\"params\":[\"_Server\",{\"op\":\"wait\",\"table\":"
                               "\"Database\",\"where\":[],\"columns\":[\"name\"],\"until\":\"==\",\"rows\":[]}]}";
    struct str s = STR_INIT;

    for (int i = 0; i < MAX_PENDING; i++) {
        str_puts(&s, wait);
    }
    assert_true(offer(&s));
    assert_int_equal(count("sessions"), 1);
    assert_int_equal(count("triggers"), MAX_PENDING);
    str_clear(&s);
    str_puts(&s, wait);
    assert_true(offer(&s));
    assert_int_equal(count("sessions"), 0);
    assert_int_equal(count("triggers"), 0);
    str_uninit(&s);
}

/* What the server has sent so far. */
static char *
answers(void)
{
    struct str s = STR_INIT;
    char buffer[4096];
    ssize_t n;

    for (int idle = 0; idle < 20; idle++) {
        while ((n = recv(client, buffer, sizeof buffer, 0)) > 0) {
            str_putn(&s, buffer, n);
            idle = 0;
        }
        turn(1);
    }
    return str_steal(&s);
}

/* Sends requests number 'from' to 'to' (exclusive), made by 'format' of their number; returns how many were refused for
 * want of resources. */
static int PRINTF_FORMAT(3, 0)
n_refused(int from, int to, const char *format)
{
    int n = 0;

    for (int i = from; i < to;) {
        struct str s = STR_INIT;
        char *text;

        for (int end = MIN(to, i + 500); i < end; i++) {
            str_putf(&s, format, i);
        }
        assert_true(offer(&s));
        text = answers();
        for (const char *p = text; (p = strstr(p, "\"resources exhausted\"")); p++) {
            n++;
        }
        free(text);
        str_uninit(&s);
    }
    return n;
}

static void
one_lock_too_many_is_refused(void **state UNUSED)
{
    static const char lock[] = "{\"id\":1,\"method\":\"lock\",\"params\":[\"l%d\"]}";

    assert_int_equal(n_refused(0, MAX_LOCKS, lock), 0);
    assert_int_equal(n_refused(MAX_LOCKS, MAX_LOCKS + 3, lock), 3);
    assert_int_equal(strmap_count(&server->locks), MAX_LOCKS);
    assert_int_equal(n_refused(7, 8, "{\"id\":1,\"method\":\"unlock\",\"params\":[\"l%d\"]}"), 0);
    assert_int_equal(n_refused(MAX_LOCKS, MAX_LOCKS + 2, lock), 1);
    assert_int_equal(count("sessions"), 1);
}

static void
one_monitor_too_many_is_refused(void **state UNUSED)
{
    static const char monitor[] = "{\"id\":1,\"method\":\"monitor\",\"params\":[\"_Server\",\"m%d\","
                                  "{\"Database\":{\"columns\":[\"name\"]}}]}";

    assert_int_equal(n_refused(0, MAX_MONITORS, monitor), 0);
    assert_int_equal(n_refused(MAX_MONITORS, MAX_MONITORS + 3, monitor), 3);
    assert_int_equal(n_refused(7, 8, "{\"id\":1,\"method\":\"monitor_cancel\",\"params\":[\"m%d\"]}"), 0);
    assert_int_equal(n_refused(MAX_MONITORS, MAX_MONITORS + 2, monitor), 1);
    assert_int_equal(count("sessions"), 1);
}

int
main(void)
{
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(who_reads_nothing_is_dropped_after_the_time),
        TEST(who_reads_a_little_is_kept),
        TEST(who_stops_amid_a_large_request_is_dropped_after_the_time),
        TEST(who_is_silent_and_owes_little_is_kept),
        TEST(one_waiting_transaction_too_many_ends_the_session),
        TEST(one_lock_too_many_is_refused),
        TEST(one_monitor_too_many_is_refused),
    };
    int status;

    if (!mkdtemp(dir)) {
        perror(dir);
        return 1;
    }
    path = xasprintf("%s/sock", dir);
    clock_stop();
    error_free(log_configure("ANY:ANY:off"));
    status = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    rmdir(dir);
    free(path);
    return status;
}
