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
