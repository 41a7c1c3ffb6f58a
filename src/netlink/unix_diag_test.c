/* Connections between sockets of this process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/util.h"
#include "netlink/unix_diag.h"

static char directory[] = "/tmp/weft-unix-diag-XXXXXX";
enum { ONE, OTHER, MOVED, N_PATHS };
static char paths[N_PATHS][64];

static int
make_directory(void **state UNUSED)
{
    if (!mkdtemp(directory)) {
        return -1;
    }
    for (int i = 0; i < N_PATHS; i++) {
        snprintf(paths[i], sizeof paths[i], "%s/%d", directory, i);
    }
    return 0;
}

static int
remove_directory(void **state UNUSED)
{
    for (int i = 0; i < N_PATHS; i++) {
        unlink(paths[i]);
    }
    return rmdir(directory);
}

static int
listen_at(const struct sockaddr_un *un)
{
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    assert_false(bind(fd, (const struct sockaddr *) un, sizeof *un) || listen(fd, 1));
    return fd;
}

static void
a_connection_leads_to_the_file_by_whatever_name(void **state UNUSED)
{
    struct sockaddr_un one = { .sun_family = AF_UNIX }, other = { .sun_family = AF_UNIX };
    struct stat at_one, at_other;
    int listeners[2], from, to;

    snprintf(one.sun_path, sizeof one.sun_path, "%s", paths[ONE]);
    snprintf(other.sun_path, sizeof other.sun_path, "%s", paths[OTHER]);
    listeners[0] = listen_at(&one);
    listeners[1] = listen_at(&other);
    from = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_false(stat(one.sun_path, &at_one) || stat(other.sun_path, &at_other));
    assert_int_equal(unix_diag_leads_to(from, &at_one), -ENOTCONN);
    assert_false(connect(from, (struct sockaddr *) &one, sizeof one));
    to = accept(listeners[0], NULL, NULL);
    assert_true(to >= 0);
    assert_false(rename(one.sun_path, paths[MOVED]) || stat(paths[MOVED], &at_one));
    assert_int_equal(unix_diag_leads_to(from, &at_one), 0);
    assert_int_equal(unix_diag_leads_to(from, &at_other), -EXDEV);
    assert_int_equal(unix_diag_leads_to(to, &at_one), -ENOENT); /* The other side has no file. */
    close(to);
    close(from);
    close(listeners[0]);
    close(listeners[1]);
}

static void
what_is_no_connection_leads_nowhere(void **state UNUSED)
{
    struct stat at;
    int pair[2], tcp = socket(AF_INET, SOCK_STREAM, 0);

    assert_false(stat("/", &at));
    assert_false(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    assert_int_equal(unix_diag_leads_to(STDIN_FILENO, &at), -ENOTCONN);
    assert_int_equal(unix_diag_leads_to(tcp, &at), -ENOTCONN);
    assert_int_equal(unix_diag_leads_to(pair[0], &at), -ENOENT);
    close(tcp);
    close(pair[0]);
    close(pair[1]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_leads_to_the_file_by_whatever_name),
        cmocka_unit_test(what_is_no_connection_leads_nowhere),
    };

    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
