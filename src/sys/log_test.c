#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sys/log.h"

LOG_MODULE(jsonrpc)

static char path[] = "/tmp/weft-log-test-XXXXXX";

static char *
read_log(void)
{
    static char text[4096];
    FILE *f = fopen(path, "r");

    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    return text;
}

static void
refuse(const char *spec, const char *expected)
{
    struct error *e = log_configure(spec);

    assert_non_null(e);
    assert_string_equal(error_text(e), expected);
    error_free(e);
}

static void
bad_specifications_are_refused_with_the_documented_texts(void **state UNUSED)
{
    refuse("foo", "no destination, level, or module \"foo\"");
    refuse("file:info:foo", "no destination, level, or module \"foo\"");
    refuse("info:dbg", "cannot specify multiple levels");
    refuse("jsonrpc:timeval", "cannot specify multiple modules");
    refuse("file,console", "cannot specify multiple destinations");
    refuse("PATTERN:x:y", "unknown destination \"x\"");
    refuse("FACILITY:x", "invalid facility");
    refuse("FACILITY", "invalid facility");
    refuse("syslog:info:PATTERN", "no destination, level, or module \"PATTERN\"");
}

static void
levels_apply_to_the_module_that_a_documented_name_stands_for(void **state UNUSED)
{
    assert_null(log_configure("any:off"));
    assert_null(log_configure("jsonrpc:file:dbg"));
    assert_int_equal(log_this.levels[LOG_TO_FILE], LOG_LEVEL_DBG);
    assert_int_equal(log_this.levels[LOG_TO_CONSOLE], LOG_LEVEL_OFF);
    assert_null(log_configure("ovs_numa:dbg"));
    assert_int_equal(log_this.levels[LOG_TO_CONSOLE], LOG_LEVEL_OFF);
    assert_null(log_configure("file file"));
}

static void
a_pattern_shapes_the_line(void **state UNUSED)
{
    assert_null(log_configure("console:off"));
    assert_null(log_configure("file:info"));
    assert_null(log_configure("PATTERN:file:%-9c|%010p|%5p|%q|%T|%t|%%|%A|%m"));
    log_set_program("/x/prog");
    assert_int_equal(truncate(path, 0), 0);
    log_info("hello %d", 3);
    assert_string_equal(read_log(), "jsonrpc  |000000INFO| INFO|q||main|%|prog|hello 3\n");
}

static void
a_limit_lets_a_burst_through_and_counts_the_rest(void **state UNUSED)
{
    struct log_limit limit = LOG_LIMIT_INIT(1, 3);
    int lines = 0;

    assert_null(log_configure("PATTERN:file:%m"));
    assert_int_equal(truncate(path, 0), 0);
    for (int i = 0; i < 10; i++) {
        log_info_rl(&limit, "again");
    }
    for (const char *p = read_log(); *p; p++) {
        lines += *p == '\n';
    }
    assert_int_equal(lines, 3);
    assert_int_equal(limit.n_dropped, 7);
    assert_true(log_honor_limits("jsonrpc", false));
    log_info_rl(&limit, "again");
    assert_true(log_honor_limits(NULL, true));
    assert_false(log_honor_limits("nonsense", true));
}

static void
lists_have_the_documented_form(void **state UNUSED)
{
    char *levels = log_list_text(), *patterns;

    assert_null(log_configure("PATTERN:console:%m"));
    patterns = log_list_pattern_text();
    assert_non_null(strstr(levels, "                 console    syslog    file\n                 -------    ------    "
                                   "------\n"));
    assert_non_null(strstr(levels, "\nbfd                OFF        OFF        DBG\n"));
    assert_non_null(strstr(patterns, "\nCONSOLE  none                              %m\n"));
    free(levels);
    free(patterns);
}

static int
set_up(void **state UNUSED)
{
    int fd = mkstemp(path);

    close(fd);
    assert_null(log_configure("PATTERN:console:%m"));
    return fd < 0 || log_open_file(path) ? -1 : 0;
}

static int
tear_down(void **state UNUSED)
{
    return unlink(path);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_specifications_are_refused_with_the_documented_texts),
        cmocka_unit_test(levels_apply_to_the_module_that_a_documented_name_stands_for),
        cmocka_unit_test(lists_have_the_documented_form),
        cmocka_unit_test(a_pattern_shapes_the_line),
        cmocka_unit_test(a_limit_lets_a_burst_through_and_counts_the_rest),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
