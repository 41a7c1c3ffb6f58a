#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

#include "json/json.h"

static void
text_survives_a_round_trip(void **state UNUSED)
{
    static const char text[] = "{\"b\":[1,-2.5,\"x\\ny\",null,true],\"a\":{}}";
    struct json *json;
    char *again;

    assert_null(js_parse_string(text, &json));
    again = js_to_string(json, JS_COMPACT);
    assert_string_equal(again, text);
    free(again);
    again = js_to_string(json, JS_SORTED);
    assert_string_equal(again, "{\"a\":{},\"b\":[1,-2.5,\"x\\ny\",null,true]}");
    free(again);
    js_unref(json);
}

static void
numbers_have_the_text_that_they_had_before(void **state UNUSED)
{
    static const struct { const char *in, *out; } cases[] = {
        { "9223372036854775807", "9223372036854775807" }, { "-9223372036854775808", "-9223372036854775808" },
        { "9223372036854775808", "9.22337203685478e+18" }, { "-9223372036854775809", "-9.22337203685478e+18" },
        { "123456789012345678901234567890", "1.23456789012346e+29" }, { "1e22", "1e+22" }, { "0.5", "0.5" },
        { "100000.0", "100000" }, { "-0.0", "0" }, { "1e-5", "1e-05" }, { "0.30000000000000004", "0.3" },
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char *in = xasprintf("{\"x99999999999999999999\":[\"\\\"99999999999999999999\",%s]}", cases[i].in);
        char *expected = xasprintf("{\"x99999999999999999999\":[\"\\\"99999999999999999999\",%s]}", cases[i].out);
        struct json *json;
        char *out;

        assert_null(js_parse_string(in, &json));
        out = js_to_string(json, JS_COMPACT);
        assert_string_equal(out, expected);
        js_unref(json);
        free(in);
        free(out);
        free(expected);
    }
}

static void
numbers_beyond_a_double_are_errors(void **state UNUSED)
{
    char digits[401] = "";
    struct json *json;
    struct error *e;

    memset(digits, '1', sizeof digits - 1);
    e = js_parse_string(digits, &json);
    assert_non_null(e);
    error_free(e);
    e = js_parse_string("[1, 1e400]", &json);
    assert_non_null(e);
    error_free(e);
    e = js_parse_string("[99999999999999999999, x]", &json);
    assert_non_null(e);
    error_free(e);
}

static void
control_characters_are_escaped(void **state UNUSED)
{
    struct json *s = js_str("\b\t\n\v\f\r\x1f \"\\/\x7f");
    char *text = js_to_string(s, JS_COMPACT);

    assert_string_equal(text, "\"\\b\\t\\n\\u000b\\f\\r\\u001f \\\"\\\\/\x7f\"");
    js_unref(s);
    free(text);
}

static void
an_error_says_where(void **state UNUSED)
{
    struct json *json;
    struct error *e = js_parse_string("{\"a\": 1,\n  x}", &json);

    assert_null(json);
    assert_non_null(strstr(error_text(e), "line 2"));
    error_free(e);
}

static void
bytes_that_are_not_utf8_are_replaced(void **state UNUSED)
{
    struct json *s = js_str("a\xff\xc3\xa9");

    assert_string_equal(js_str_value(s), "a\xef\xbf\xbd\xc3\xa9");
    js_unref(s);
}

static void
pretty_text_has_a_line_for_each_member(void **state UNUSED)
{
    struct json *json;
    char *text;

    assert_null(js_parse_string("{\"b\":[[1],{\"x\":[]}],\"a\":{}}", &json));
    text = js_to_string(json, JS_PRETTY | JS_SORTED);
    assert_string_equal(text, "{\n  \"a\": {},\n  \"b\": [\n    [\n      1],\n    {\n      \"x\": []}]}");
    free(text);
    js_unref(json);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_survives_a_round_trip),
        cmocka_unit_test(numbers_have_the_text_that_they_had_before),
        cmocka_unit_test(numbers_beyond_a_double_are_errors), cmocka_unit_test(control_characters_are_escaped),
        cmocka_unit_test(an_error_says_where),
        cmocka_unit_test(bytes_that_are_not_utf8_are_replaced),
        cmocka_unit_test(pretty_text_has_a_line_for_each_member),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
