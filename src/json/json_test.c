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
        cmocka_unit_test(an_error_says_where),
        cmocka_unit_test(bytes_that_are_not_utf8_are_replaced),
        cmocka_unit_test(pretty_text_has_a_line_for_each_member),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
