#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "sys/stream.h"
#include "sys/tls.h"

static char dir[] = "/tmp/weft-stream-test-XXXXXX";

struct end {
    struct stream *stream;
    struct str got;
    size_t to_send;   /* Bytes still to write: 'x' each. */
    bool opened, ended;
    int error;
};

static void
on_event(struct stream *s, int events, void *end_)
{
    struct end *end = end_;
    char buf[5000];
    ssize_t n;

    if (events & STREAM_OPEN) {
        end->opened = true;
        end->error = stream_status(s);
        if (!end->error) {
            stream_want(s, LOOP_READ | (end->to_send ? LOOP_WRITE : 0));
        }
        return;
    }
    if (events & LOOP_WRITE) {
        memset(buf, 'x', sizeof buf);
        n = stream_write(s, buf, MIN(end->to_send, sizeof buf));
        if (n > 0) {
            end->to_send -= n;
        }
        stream_want(s, LOOP_READ | (end->to_send ? LOOP_WRITE : 0));
    }
    if (events & LOOP_READ) {
        n = stream_read(s, buf, sizeof buf);
        if (n > 0) {
            str_putn(&end->got, buf, n);
        } else if (n != -EAGAIN) {
            end->ended = true;
            stream_want(s, 0);
        }
    }
}

static void
on_accept(struct stream_listener *l UNUSED, struct stream *s, void *end_)
{
    struct end *end = end_;

    end->stream = s;
    stream_set_callback(s, on_event, end);
    stream_want(s, LOOP_READ);
}

#define RUN_UNTIL(LOOP, COND) \
    for (int turns = 0; !(COND); turns++) { assert_true(turns < 100000); loop_run_once(LOOP, true); }

static void
end_uninit(struct end *end)
{
    stream_close(end->stream);
    str_uninit(&end->got);
}

/* Sends 300 kB from a client to a server and 1 byte back, then closes. */
static void
exchange(const char *passive, const char *active_format)
{
    struct loop *loop = loop_create();
    struct end client = { .to_send = 300000 }, server = { .to_send = 0 };
    struct stream_listener *l;
    char *active;

    assert_int_equal(stream_listen(loop, passive, 0, on_accept, &server, &l), 0);
    active = xasprintf(active_format, stream_listener_port(l));
    assert_int_equal(stream_open(loop, active, 0, on_event, &client, &client.stream), 0);
    assert_int_equal(stream_status(client.stream), strncmp(active, "unix", 4) ? -EINPROGRESS : 0);
    RUN_UNTIL(loop, server.got.len == 300000);
    assert_true(client.opened);
    assert_int_equal(client.error, 0);
    assert_int_equal(stream_write(server.stream, "y", 1), 1);
    RUN_UNTIL(loop, client.got.len == 1);
    stream_close(client.stream);
    client.stream = NULL;
    RUN_UNTIL(loop, server.ended);
    end_uninit(&client);
    end_uninit(&server);
    stream_listener_close(l);
    loop_destroy(loop);
    free(active);
}

static void
bytes_pass_over_tcp(void **state UNUSED)
{
    exchange("ptcp:0:127.0.0.1", "tcp:127.0.0.1:%u");
    exchange("ptcp:0:[::1]", "tcp:[::1]:%u");
}

static void
names_are_looked_up(void **state UNUSED)
{
    exchange("ptcp:0:127.0.0.1", "tcp:localhost:%u");
}

static void
a_stream_may_be_closed_while_its_name_is_looked_up(void **state UNUSED)
{
    struct loop *loop = loop_create();
    struct end client = { .to_send = 0 };

    assert_int_equal(stream_open(loop, "tcp:localhost:1", 0, on_event, &client, &client.stream), 0);
    stream_close(client.stream);
    loop_run_once(loop, false);
    loop_destroy(loop);
    usleep(50000); /* Lets the thread end before the leak check. */
}

static void
bytes_pass_over_unix_sockets_of_any_path_length(void **state UNUSED)
{
    char *deep = xasprintf("%s/%0150d", dir, 1);
    char *passive = xasprintf("punix:%s/sock", deep), *active = xasprintf("unix:%s/sock", deep);
    struct stat st;
    char *path = xasprintf("%s/sock", deep);

    setenv("OVS_RUNDIR", dir, 1);
    exchange("punix:sock", "unix:sock");
    assert_int_equal(mkdir(deep, 0700), 0);
    exchange(passive, active);
    assert_int_equal(stat(path, &st), -1); /* Removed at the end. */
    rmdir(deep);
    free(path);
    free(active);
    free(passive);
    free(deep);
}

static int
open_error(const char *target)
{
    struct loop *loop = loop_create();
    struct end client = { .to_send = 0 };
    int error = stream_open(loop, target, 0, on_event, &client, &client.stream);

    if (!error) {
        RUN_UNTIL(loop, client.opened);
        error = client.error;
    }
    end_uninit(&client);
    loop_destroy(loop);
    return error;
}

static void
failures_are_reported(void **state UNUSED)
{
    assert_int_equal(open_error("unix:/nonexistent/x"), -ENOENT);
    assert_int_equal(open_error("tcp:127.0.0.1:1"), -ECONNREFUSED);
    assert_int_equal(open_error("tcp:127.0.0.1"), -EAFNOSUPPORT);
    assert_int_equal(open_error("foo:bar"), -EAFNOSUPPORT);
    assert_int_equal(open_error("ptcp:1"), -EAFNOSUPPORT);
    assert_int_equal(open_error("ssl:127.0.0.1:1"), -ENOPROTOOPT); /* No keys yet. */
}

static char *
in_dir(const char *name)
{
    return xasprintf("%s/%s", dir, name);
}

static void
bytes_pass_over_tls(void **state UNUSED)
{
    char *key = in_dir("key.pem"), *cert = in_dir("cert.pem"), *boot = in_dir("boot.pem");
    char *command = xasprintf("openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=weft-test -days 2 -keyout %s -out "
                              "%s "
                              ">/dev/null 2>&1", key, cert);
    char *other_key = xasprintf("openssl genrsa -out %s 2048 >/dev/null 2>&1", boot);

    assert_int_equal(system(command), 0);
    tls_set_private_key(key);
    tls_set_certificate(cert);
    tls_set_ca_cert(cert, false);
    assert_true(tls_is_configured());
    exchange("pssl:0:127.0.0.1", "ssl:127.0.0.1:%u");

    /* Of files that cannot be read, or do not fit, the last good ones stay in use. */
    tls_set_certificate(boot);
    exchange("pssl:0:127.0.0.1", "ssl:127.0.0.1:%u");
    tls_set_certificate(cert);
    tls_set_ca_cert(key, false);
    exchange("pssl:0:127.0.0.1", "ssl:127.0.0.1:%u");
    tls_set_ca_cert(cert, false);
    assert_int_equal(system(other_key), 0);
    tls_set_private_key(boot);
    exchange("pssl:0:127.0.0.1", "ssl:127.0.0.1:%u");
    tls_set_private_key(NULL);
    assert_false(tls_is_configured());
    unlink(key);
    unlink(cert);
    unlink(boot);
    free(other_key);
    free(command);
    free(boot);
    free(cert);
    free(key);
}

static void
protocol_ranges_are_checked(void **state UNUSED)
{
    static const char *const good[] = { "TLSv1.2", "TLSv1.3", "TLSv1.2,TLSv1.3", "TLSv1.2 TLSv1.3", "TLSv1.2+",
                                        "TLSv1.2-TLSv1.3" };
    static const char *const bad[] = { "", "TLSv1", "tlsv1.2", "TLSv1.3-TLSv1.2", "TLSv1.2,x", "TLSv1.2-" };

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct error *e = tls_set_protocols(bad[i]);

        assert_non_null(e);
        error_free(e);
    }
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        assert_null(tls_set_protocols(good[i]));
    }
    assert_null(tls_set_protocols("TLSv1.2+"));
}

static void
lists_of_targets_are_cut_at_commas_that_a_method_follows(void **state UNUSED)
{
    static const struct { const char *list, *targets[4]; } cases[] = {
        { "tcp:h:1", { "tcp:h:1" } },
        { "tcp:h:1,ssl:[::1]:2", { "tcp:h:1", "ssl:[::1]:2" } },
        { " tcp:a , unix:/b\t,\tssl:c ", { "tcp:a", "unix:/b", "ssl:c" } },
        { "unix:/a,b c/d,unix:e", { "unix:/a,b c/d", "unix:e" } },
        { "unix:a unix:b", { "unix:a unix:b" } },
        { "unix:a,", { "unix:a" } },
        { "x", { "x" } },
        { "", { NULL } },
        { " , ", { NULL } },
        { ",,unix:a,,unix:b,, ", { "unix:a", "unix:b" } },
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *rest = cases[i].list;

        for (size_t j = 0; cases[i].targets[j]; j++) {
            char *target = stream_targets_take(&rest);

            assert_string_equal(target, cases[i].targets[j]);
            free(target);
        }
        assert_null(stream_targets_take(&rest));
    }
}

static int
set_up(void **state UNUSED)
{
    return mkdtemp(dir) ? 0 : -1;
}

static int
tear_down(void **state UNUSED)
{
    return rmdir(dir);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_pass_over_tcp),
        cmocka_unit_test(names_are_looked_up),
        cmocka_unit_test(a_stream_may_be_closed_while_its_name_is_looked_up),
        cmocka_unit_test(bytes_pass_over_unix_sockets_of_any_path_length),
        cmocka_unit_test(failures_are_reported),
        cmocka_unit_test(protocol_ranges_are_checked),
        cmocka_unit_test(lists_of_targets_are_cut_at_commas_that_a_method_follows),
        cmocka_unit_test(bytes_pass_over_tls),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
