#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <limits.h>
#include <stdlib.h>

#include "base/random.h"
#include "json/json.h"
#include "json/private.h"

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
        { "100000.0", "100000" }, { "-0.0", "0" },
        { "1e15", "1000000000000000" }, { "9007199254740993.0", "9007199254740993" }, { "1e19", "1e+19" },
        { "1e-5", "1e-05" }, { "0.30000000000000004", "0.3" },
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

/* The two parsers agree, in their results and on what is an error; built and parsed values are handled alike. */
static void
both_parsers_agree_if(const char *text, size_t n, bool take)
{
    struct json *usual, *library = NULL, *clone;
    char *copy = xmalloc(n + 1), *a, *b;
    struct error *e = json_parse_library(text, n, &library);

    memcpy(copy, text, n);
    copy[n] = '\0';
    usual = take ? json_parse_usual(copy, n) : json_parse_copy(text, n, UINT_MAX, NULL);
    if (usual) {
        assert_null(e);
        a = js_to_string(usual, JS_COMPACT);
        b = js_to_string(library, JS_COMPACT);
        assert_string_equal(a, b);
        assert_true(js_equal(usual, library) && js_equal(library, usual));
        clone = js_clone(usual);
        assert_true(js_equal(clone, usual));
        js_unref(clone);
        free(a);
        free(b);
    }
    if (!usual || !take) {
        assert_memory_equal(copy, text, n);
        free(copy);
    }
    error_free(e);
    js_unref(usual);
    js_unref(library);
}

static void
both_parsers_agree_on(const char *text, size_t n)
{
    both_parsers_agree_if(text, n, false);
    both_parsers_agree_if(text, n, true);
}

static void
a_text_can_be_taken_over(void **state UNUSED)
{
    const char *good = "{\"a\\n\":[\"\\u00e9b\"]}", *bad = "[\"a\", \"\\n\" x";
    struct error *e, *same;
    struct json *json;

    assert_null(js_parse_take(xstrdup(good), strlen(good), &json));
    assert_string_equal(js_str_value(js_at(js_get(json, "a\n"), 0)), "\xc3\xa9" "b");
    js_unref(json);
    e = js_parse_take(xstrdup(bad), strlen(bad), &json);
    same = js_parse_string(bad, &json);
    assert_string_equal(error_text(e), error_text(same));
    error_free(e);
    error_free(same);
}

/* More values than half the bytes; the last closes an object that is large enough for an index. */
static void
a_text_that_breaks_off_is_an_error(void **state UNUSED)
{
    static const char *const repeated[] = { "[", "[1,", "[[],", "{\"a\":", "[\"\"," };

    for (size_t i = 0; i < ARRAY_SIZE(repeated); i++) {
        for (size_t n = 1; n < 1500; n = n * 3 / 2 + 1) {
            struct str s = STR_INIT;
            struct json *json;

            for (size_t k = 0; k < n; k++) {
                str_puts(&s, repeated[i]);
            }
            str_puts(&s, "{");
            for (int k = 0; k < 17; k++) {
                str_putf(&s, "%s\"%d\":0", k ? "," : "", k);
            }
            str_puts(&s, "}");
            error_free(js_parse(s.text, s.len, &json));
            assert_null(json);
            assert_int_equal(js_parse_first(s.text, s.len, 2000, &json), 0);
            assert_null(json);
            str_uninit(&s);
        }
    }
}

static void
the_first_of_several_values_is_read(void **state UNUSED)
{
    static const struct { const char *text; unsigned max_depth; size_t used; } cases[] = {
        { "{\"a\":[1,\"\\n\"]}", 9, 14 }, { "{\"a\":1}{\"b\":2}", 9, 7 }, { "[1] [2]", 9, 3 }, { "[1]]", 9, 3 },
        { "[[1]]", 2, 5 }, { "[[1]]", 1, 0 }, { "[1", 9, 0 }, { "[\"a", 9, 0 }, { "[\"a\\", 9, 0 }, { "1", 9, 0 },
        { "\"a\"", 9, 0 }, { "[01]", 9, 0 }, { "[}", 9, 0 }, { "", 9, 0 },
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct json *json;

        assert_int_equal(js_parse_first(cases[i].text, strlen(cases[i].text), cases[i].max_depth, &json),
                         cases[i].used);
        if (cases[i].used) {
            struct json *same;

            assert_null(js_parse(cases[i].text, cases[i].used, &same));
            assert_true(js_equal(json, same));
            js_unref(same);
        }
        js_unref(json);
    }
}

static void
put_random_value(struct str *s, struct random *r, int depth)
{
    static const char *const scalars[] = {
        "0", "-1", "1.5", "-0.0", "1e3", "100.0", "9223372036854775807", "-9223372036854775808", "1e400", "01", "-",
        "9223372036854775808", "true", "false", "null", "nul", "\"\"", "\"a\"", "\"\xc3\xa9\"", "\"\xff\"",
        "\"\\n\\\"\\u00e9\\ud83d\\ude00\"", "\"\\ud800\"", "\"\\u0000\"", "\"a long text, longer than a word\"",
        "\"a\tb\"", "\"\xed\xa0\x80\"", "\"\\q\"", "\"open", "x",
    };
    uint64_t kind = random_below(r, depth > 4 ? 2 : 5);
    size_t n = random_below(r, random_below(r, 10) ? 4 : 60);

    if (kind < 2) {
        /* Those at odd places are mostly wrong: seldom. */
        str_puts(s, scalars[random_below(r, random_below(r, 200) ? 8 : ARRAY_SIZE(scalars))]);
        return;
    }
    str_putc(s, kind == 2 ? '[' : '{');
    for (size_t i = 0; i < n; i++) {
        str_puts(s, i ? random_below(r, 2) ? "," : " ,\n" : "");
        if (kind != 2) {
            str_putf(s, "\"n%d\"%s:", (int) random_below(r, 40), random_below(r, 2) ? " " : "");
        }
        put_random_value(s, r, depth + 1);
    }
    str_puts(s, random_below(r, 500) ? kind == 2 ? "]" : "}" : "");
}

static void
both_parsers_agree(void **state UNUSED)
{
    struct random r;

    random_seed(&r, 1);
    for (int i = 0; i < 3000; i++) {
        struct str s = STR_INIT;

        put_random_value(&s, &r, 0);
        both_parsers_agree_on(str_text(&s), s.len);
        for (int j = 0; j < 3 && s.len; j++) {
            s.text[random_below(&r, s.len)] = "\"[]{},:\\ 1\xc3\x00"[random_below(&r, 12)];
            both_parsers_agree_on(str_text(&s), s.len);
        }
        str_uninit(&s);
    }
}

static void
large_objects_find_their_members(void **state UNUSED)
{
    struct json *built = js_object(), *parsed;
    char *text;

    for (int i = 0; i < 1000; i++) {
        char *name = xasprintf("%d", i % 700);

        js_set_take(built, name, js_int(i));
        free(name);
    }
    text = js_to_string(built, JS_COMPACT);
    assert_null(js_parse_string(text, &parsed));
    for (int i = 0; i < 700; i++) {
        char *name = xasprintf("%d", i);

        assert_int_equal(js_int_value(js_get(built, name)), i < 300 ? i + 700 : i);
        assert_int_equal(js_int_value(js_get(parsed, name)), i < 300 ? i + 700 : i);
        free(name);
    }
    assert_null(js_get(parsed, "700"));
    js_remove(built, "0");
    assert_null(js_get(built, "0"));
    assert_int_equal(js_int_value(js_get(built, "699")), 699);
    free(text);
    js_unref(parsed);
    js_unref(built);
}

static void
a_part_holds_its_document(void **state UNUSED)
{
    struct json *whole, *part;

    assert_null(js_parse_string("{\"a\":[1,\"text\"],\"b\":{}}", &whole));
    part = js_ref(js_at(js_get(whole, "a"), 1));
    js_unref(whole);
    assert_string_equal(js_str_value(part), "text");
    js_unref(part);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_survives_a_round_trip),
        cmocka_unit_test(numbers_have_the_text_that_they_had_before),
        cmocka_unit_test(numbers_beyond_a_double_are_errors), cmocka_unit_test(control_characters_are_escaped),
        cmocka_unit_test(an_error_says_where), cmocka_unit_test(both_parsers_agree),
        cmocka_unit_test(a_text_can_be_taken_over),
        cmocka_unit_test(a_text_that_breaks_off_is_an_error),
        cmocka_unit_test(the_first_of_several_values_is_read),
        cmocka_unit_test(large_objects_find_their_members), cmocka_unit_test(a_part_holds_its_document),
        cmocka_unit_test(bytes_that_are_not_utf8_are_replaced),
        cmocka_unit_test(pretty_text_has_a_line_for_each_member),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
