#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "sys/address.h"

static void
check(int (*parse)(const char *, uint16_t, struct address *), const char *text, const char *ip, int port)
{
    struct address a;
    char *got;

    assert_int_equal(parse(text, 6640, &a), 0);
    got = address_format_ip(&a.sa, true);
    assert_string_equal(got, ip);
    assert_int_equal(address_port(&a.sa), port);
    free(got);
}

static void
active_targets_are_read(void **state UNUSED)
{
    struct address a;

    check(address_parse_active, "127.0.0.1", "127.0.0.1", 6640);
    check(address_parse_active, "127.0.0.1:", "127.0.0.1", 6640);
    check(address_parse_active, "127.0.0.1:99", "127.0.0.1", 99);
    check(address_parse_active, "[::1]:99", "[::1]", 99);
    check(address_parse_active, "[fe80::2]", "[fe80::2]", 6640);
    assert_int_equal(address_parse_active("db.example.org:77", 1, &a), 0);
    assert_int_equal(a.sa.ss_family, AF_UNSPEC);
    assert_string_equal(a.host, "db.example.org");
    assert_int_equal(a.port, 77);
}

static void
passive_targets_are_read(void **state UNUSED)
{
    check(address_parse_passive, "", "0.0.0.0", 6640);
    check(address_parse_passive, "0", "0.0.0.0", 0);
    check(address_parse_passive, "77", "0.0.0.0", 77);
    check(address_parse_passive, "77:127.0.0.1", "127.0.0.1", 77);
    check(address_parse_passive, "77:[::1]", "[::1]", 77);
    check(address_parse_passive, ":127.0.0.1", "127.0.0.1", 6640);
}

static void
bad_targets_are_refused(void **state UNUSED)
{
    static const char *const active[] = { "", ":", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:0", "[::1", "[::1]x",
                                          "a b:1",
                                          "::1", "[]:1", "1.2.3.4:5:6" };
    static const char *const passive[] = { "x", "65536", "1:host", "1:[::1", "1:127.0.0.1:2", "-1", "999999999" };
    struct address a;

    for (size_t i = 0; i < ARRAY_SIZE(active); i++) {
        assert_int_equal(address_parse_active(active[i], 6640, &a), -EAFNOSUPPORT);
    }
    for (size_t i = 0; i < ARRAY_SIZE(passive); i++) {
        assert_int_equal(address_parse_passive(passive[i], 6640, &a), -EAFNOSUPPORT);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(active_targets_are_read),
        cmocka_unit_test(passive_targets_are_read),
        cmocka_unit_test(bad_targets_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
