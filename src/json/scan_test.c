#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "json/scan.h"
#include "json/test_json.h"

static struct json *rebuild(struct js_scan *s);

static void
rebuild_object(struct js_scan *s, struct json *object)
{
    char *name;
    bool first;

    js_scan_enter(s, '{', &first);
    while ((name = js_scan_member(s, &first))) {
        js_set_take(object, name, rebuild(s));
        free(name);
    }
}

static void
rebuild_array(struct js_scan *s, struct json *array)
{
    bool first;

    js_scan_enter(s, '[', &first);
    while (js_scan_element(s, &first)) {
        js_append_take(array, rebuild(s));
    }
}

/* The value at the scanner, gone into as deep as it goes; null where it is none. */
static struct json *
rebuild(struct js_scan *s)
{
    struct error *error;
    struct json *json;

    if (js_scan_peek(s) == '{') {
        json = js_object();
        rebuild_object(s, json);
    } else if (js_scan_peek(s) == '[') {
        json = js_array();
        rebuild_array(s, json);
    } else {
        json = js_scan_json(s, &error);
        error_free(error);
    }
    return json ? json : js_null();
}

static const char *const texts[] = {
    "{}", "[]", " { \"a\" : 1 , \"b\\n\\\"\" : [ \"x]\\\"}\" , { } , [ [ ] ] , null ] } ",
    "[1,-2.5e3,true,\"\\u20ac\"]",
    "{\"t\":{\"u\":{\"initial\":{\"c\":[\"set\",[1,2]]}}}}",
};

static void
what_is_taken_apart_is_what_a_parser_reads(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct js_scan s = js_scan_init(texts[i], strlen(texts[i]));
        struct json *expected, *json = rebuild(&s);

        assert_null(js_parse_string(texts[i], &expected));
        assert_false(s.bad);
        assert_true(js_scan_at_end(&s));
        assert_true(js_equal(json, expected));
        js_unref(json);
        js_unref(expected);
    }
}

static void
a_text_that_is_cut_off_is_bad(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        size_t len = strlen(texts[i]) - (i == 2); /* That ends with a blank. */

        for (size_t n = 0; n < len; n++) {
            char *copy = xstrndup(texts[i], n); /* Of its own length, so that reading beyond is found. */
            struct js_scan s = js_scan_init(copy, n);

            js_unref(rebuild(&s));
            assert_true(s.bad);
            free(copy);
        }
    }
}

static void
what_is_no_json_is_bad(void **state UNUSED)
{
    static const char *const bad[] = {
        "{,}", "{'a':1,}", "[1,]", "[,1]", "[1 2]", "{'a' 1}", "{'a':}", "{a:1}",
        "{'a':1]", "[1}", "[tru]", "{'\\q':1}",
    };

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        char *text = json_unquote(bad[i]);
        struct js_scan s = js_scan_init(text, strlen(text));

        js_unref(rebuild(&s));
        assert_true(s.bad || !js_scan_at_end(&s));
        free(text);
    }
}

static void
a_value_can_be_passed_by(void **state UNUSED)
{
    static const char text[] = "[{\"a\":[1,\"]}\\\"\"]} ,\"x\", 12 ]";
    struct js_scan s = js_scan_init(text, strlen(text));
    const char *value;
    size_t len;
    bool first;

    js_scan_enter(&s, '[', &first);
    assert_true(js_scan_element(&s, &first));
    js_scan_text(&s, &value, &len);
    assert_memory_equal(value, "{\"a\":[1,\"]}\\\"\"]}", len);
    assert_int_equal(len, 16);
    assert_true(js_scan_element(&s, &first));
    js_scan_text(&s, &value, &len);
    assert_int_equal(len, 3);
    assert_true(js_scan_element(&s, &first));
    js_scan_text(&s, &value, &len);
    assert_memory_equal(value, "12", 2);
    assert_false(js_scan_element(&s, &first));
    assert_false(s.bad);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_taken_apart_is_what_a_parser_reads),
        cmocka_unit_test(a_text_that_is_cut_off_is_bad),
        cmocka_unit_test(what_is_no_json_is_bad),
        cmocka_unit_test(a_value_can_be_passed_by),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
