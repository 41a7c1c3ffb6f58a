#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

#include "json/test_json.h"
#include "ovsdb/data/cond.h"
#include "ovsdb/data/text.h"

static struct col_type
T(const char *text)
{
    struct json *json = J(text);
    struct col_type t;

    assert_null(col_type_from_json(&t, json));
    js_unref(json);
    return t;
}

static struct datum
D(const struct col_type *t, const char *text)
{
    struct json *json = J(text);
    struct datum d;

    assert_null(datum_from_json(&d, t, json, NULL));
    js_unref(json);
    return d;
}

static void
expect_json(const struct datum *d, const struct col_type *t, const char *expected)
{
    struct str s = STR_INIT;
    struct json *want = J(expected), *direct = datum_to_json(d, t), *parsed;

    datum_put_json(&s, d, t);
    assert_null(js_parse_string(str_text(&s), &parsed));
    assert_true(js_equal(want, direct));
    assert_true(js_equal(want, parsed));
    js_unref(want);
    js_unref(direct);
    js_unref(parsed);
    str_uninit(&s);
}

#define SET_OF_STRINGS "{'key':'string','min':0,'max':'unlimited'}"
#define MAP_OF_STRINGS "{'key':'string','value':'string','min':0,'max':'unlimited'}"

static void
a_set_is_sorted_and_survives_a_round_trip(void **state UNUSED)
{
    struct col_type t = T(SET_OF_STRINGS);
    struct datum d = D(&t, "['set',['c','a','b\\n']]");

    expect_json(&d, &t, "['set',['a','b\\n','c']]");
    datum_uninit(&d, &t);
    d = D(&t, "'one'");
    expect_json(&d, &t, "'one'");
    datum_uninit(&d, &t);
    col_type_uninit(&t);
}

static void
reals_are_written_as_short_as_they_are(void **state UNUSED)
{
    static const char *const texts[] = { "0", "1", "-2.5", "1e+300", "0.1" };
    struct col_type t = T("'real'");

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct datum d = D(&t, texts[i]);
        struct json *json = datum_to_json(&d, &t);
        struct str s = STR_INIT;
        char *text;

        datum_put_json(&s, &d, &t);
        assert_string_equal(str_text(&s), texts[i]);
        str_uninit(&s);
        text = js_to_string(json, JS_COMPACT);
        assert_string_equal(text, texts[i]);
        free(text);
        js_unref(json);
        datum_uninit(&d, &t);
    }
}

static void
a_copy_does_not_see_changes(void **state UNUSED)
{
    struct col_type t = T(MAP_OF_STRINGS);
    struct datum d = D(&t, "['map',[['a','1'],['b','2']]]"), copy;
    union atom value = atom_string("9"), key = atom_string("a");

    datum_clone(&copy, &d, &t);
    assert_ptr_equal(copy.block, d.block);
    datum_put_take(&copy, &t, key, &value);
    expect_json(&d, &t, "['map',[['a','1'],['b','2']]]");
    expect_json(&copy, &t, "['map',[['a','9'],['b','2']]]");
    assert_string_equal(datum_map_get(&copy, "a"), "9");
    assert_null(datum_map_get(&copy, "zz"));
    datum_uninit(&d, &t);
    datum_uninit(&copy, &t);
    col_type_uninit(&t);
}

/* new == apply(old, diff(old, new)), whatever they are. */
static void
expect_diff(const char *type, const char *old_text, const char *new_text, const char *diff_text)
{
    struct col_type t = T(type);
    struct datum old = D(&t, old_text), new = D(&t, new_text), diff, again;

    datum_diff(&diff, &old, &new, &t);
    expect_json(&diff, &t, diff_text);
    datum_apply_diff(&again, &old, &diff, &t);
    assert_true(datum_equal(&again, &new, &t));
    datum_uninit(&old, &t);
    datum_uninit(&new, &t);
    datum_uninit(&diff, &t);
    datum_uninit(&again, &t);
    col_type_uninit(&t);
}

static void
differences_are_as_the_log_has_them(void **state UNUSED)
{
    expect_diff(SET_OF_STRINGS, "['set',['a','b']]", "['set',['b','c']]", "['set',['a','c']]");
    expect_diff(SET_OF_STRINGS, "['set',[]]", "['set',['b']]", "'b'");
    expect_diff("{'key':'integer','min':0,'max':1}", "5", "['set',[]]", "['set',[]]");
    expect_diff(MAP_OF_STRINGS, "['map',[['a','1'],['b','2'],['c','3']]]", "['map',[['a','1'],['b','9'],['d','4']]]",
                "['map',[['b','9'],['c','3'],['d','4']]]");
    expect_diff("{'key':'integer','min':0,'max':'unlimited'}", "['set',[1,2,3,4,5,6,7,8,9,10]]",
                "['set',[11,12,13,14,15,16,17,18,19,20]]",
                "['set',[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20]]");
}

/* Set operations against a bit mask as the oracle. */
static void
set_operations_agree_with_bit_masks(void **state UNUSED)
{
    struct col_type t = T("{'key':'integer','min':0,'max':'unlimited'}");
    struct random r;

    random_seed(&r, 1);
    for (int round = 0; round < 2000; round++) {
        uint32_t masks[2], want[3];
        struct datum d[2], x;

        for (int i = 0; i < 2; i++) {
            masks[i] = random_u64(&r) & (round % 2 ? UINT32_MAX : random_u64(&r) & random_u64(&r));
            datum_init_empty(&d[i]);
            for (int bit = 31; bit >= 0; bit--) {
                if (masks[i] & (1u << bit)) {
                    datum_append_take(&d[i], &t, (union atom) { .integer = bit }, NULL);
                }
            }
            assert_null(datum_sort(&d[i], &t));
        }
        want[0] = masks[0] | masks[1];
        want[1] = masks[0] & ~masks[1];
        want[2] = masks[0] ^ masks[1];
        for (int op = 0; op < 3; op++) {
            uint32_t got = 0;

            if (op == 2) {
                datum_diff(&x, &d[0], &d[1], &t);
            } else {
                datum_clone(&x, &d[0], &t);
                if (op) {
                    datum_subtract(&x, &t, &d[1], &t);
                } else {
                    datum_union(&x, &d[1], &t, false);
                }
            }
            for (size_t i = 0; i < x.n; i++) {
                assert_true(!i || datum_keys(&x)[i].integer > datum_keys(&x)[i - 1].integer);
                got |= 1u << datum_keys(&x)[i].integer;
            }
            assert_int_equal(got, want[op]);
            datum_uninit(&x, &t);
        }
        assert_int_equal(datum_includes(&d[0], &d[1], &t), !(masks[1] & ~masks[0]));
        assert_int_equal(datum_excludes(&d[0], &d[1], &t), !(masks[1] & masks[0]));
        datum_uninit(&d[0], &t);
        datum_uninit(&d[1], &t);
    }
}

/* Expects the error "SYNTAX|TAG|DETAILS" from reading 'value' as 'type'. */
static void
expect_error(const char *type, const char *value, const char *expected)
{
    struct col_type t = T(type);
    struct json *json = J(value);
    struct datum d;
    struct dberr *e = datum_from_json(&d, &t, json, NULL);
    char *text;

    assert_non_null(e);
    text = dberr_to_string(e);
    assert_string_equal(text, expected);
    free(text);
    dberr_free(e);
    js_unref(json);
    col_type_uninit(&t);
}

static void
wrong_values_get_the_documented_errors(void **state UNUSED)
{
    expect_error("'integer'", "1.5", "syntax \"1.5\": syntax error: expected integer");
    expect_error("'integer'", "['set',[1,2]]",
                 "syntax \"[\"set\",[1,2]]\": syntax error: set must have exactly one member but 2 are present");
    expect_error("{'key':{'type':'integer','minInteger':1,'maxInteger':10}}", "11",
                 "constraint violation: 11 is not in the valid range 1 to 10 (inclusive)");
    expect_error("{'key':{'type':'string','enum':['set',['x','y']]}}", "'q'",
                 "constraint violation: q is not one of the allowed values ([x, y])");
    expect_error("{'key':'string','value':'string','min':0,'max':2}", "['map',[['a']]]",
                 "syntax \"[\"a\"]\": syntax error: expected 2-element array");
    expect_error(SET_OF_STRINGS, "['set',['a','a']]", "ovsdb error: set contains duplicate");
}

static void
reals_come_back_exactly_from_their_exact_text(void **state UNUSED)
{
    static const double reals[] = { 0.1 + 0.2, 0.3, 1e15, 1e15 + 0.5, -1e-7, 5e-324, 1.7976931348623157e308, 0 };
    struct col_type t = T("'real'");

    for (size_t i = 0; i < ARRAY_SIZE(reals); i++) {
        struct str s = STR_INIT;
        union atom a = { .real = reals[i] };

        atom_put_json_exact(&s, &a, ATOM_REAL);
        assert_true(strtod(s.text, NULL) == reals[i]);
        assert_true(i || !strcmp(s.text, "0.30000000000000004"));
        assert_true(i != 1 || !strcmp(s.text, "0.3"));
        str_uninit(&s);
    }
    col_type_uninit(&t);
}

static void
in_a_difference_reals_that_were_rounded_to_the_same_cancel(void **state UNUSED)
{
    struct col_type t = T("{'key':'real','min':0,'max':'unlimited'}");
    struct json *json = J("['set',[0.3,1,0.3,2,2,2]]");
    struct datum d;

    assert_null(datum_from_json_diff(&d, &t, json));
    assert_int_equal(d.n, 2);
    assert_true(datum_keys(&d)[0].real == 1 && datum_keys(&d)[1].real == 2);
    datum_uninit(&d, &t);
    js_unref(json);
    col_type_uninit(&t);
}

static void
expect_text(const char *type, const char *text, const char *expected)
{
    struct col_type t = T(type);
    struct str s = STR_INIT;
    struct symtab symtab;
    struct random r;
    struct datum d;
    struct error *e;

    random_seed(&r, 1);
    symtab_init(&symtab, &r);
    e = datum_from_text(&d, &t, text, &symtab);
    if (e) {
        str_puts(&s, error_text(e));
        error_free(e);
    } else {
        datum_put_text(&s, &d, &t);
        datum_uninit(&d, &t);
    }
    assert_string_equal(str_text(&s), expected);
    str_uninit(&s);
    symtab_uninit(&symtab);
    col_type_uninit(&t);
}

#define VLANS "{'key':{'type':'integer','minInteger':0,'maxInteger':4095},'min':0,'max':4096}"

static void
command_line_values_are_read_and_written(void **state UNUSED)
{
    expect_text(VLANS, "3,1 2", "[1, 2, 3]");
    expect_text(VLANS, "1-3,7", "[1, 2, 3, 7]");
    expect_text(VLANS, "[]", "[]");
    expect_text(VLANS, "[1,2", "[1,2: missing \"]\" at end of data");
    expect_text(VLANS, "[1,2]x", "[1,2]x: trailing garbage after \"]\"");
    expect_text(VLANS, "1,,2", "1,,2: unexpected \",\" parsing set of up to 4096 integers");
    expect_text(VLANS, "1,x", "\"x\" is not a valid integer or range");
    expect_text(VLANS, "3-1", "\"3-1\" is not a valid range. Range end cannot be before start.");
    expect_text(VLANS, "5000", "constraint violation: 5000 is not in the valid range 0 to 4095 (inclusive)");
    expect_text(VLANS, "1,1", "1,1: set contains duplicate value");
    expect_text(MAP_OF_STRINGS, "{a=b,c=\"d e\"}", "{a=b, c=\"d e\"}");
    expect_text(MAP_OF_STRINGS, "x=true", "{x=\"true\"}");
    expect_text(MAP_OF_STRINGS, "a:b", "a:b: syntax error at \":\" expecting \"=\"");
    expect_text(MAP_OF_STRINGS, "{a=b,a=c}", "{a=b,a=c}: map contains duplicate key");
    expect_text(MAP_OF_STRINGS, "{=b}", "{=b}: unexpected \"=\" parsing map of (string, string) pairs");
    expect_text("'string'", "\"x y\"", "\"x y\"");
    expect_text("'string'", "a,b", "a,b: 2 value(s) specified but the maximum number is 1");
    expect_text("'string'", "[]", "[]: 0 value(s) specified but the minimum number is 1");
    expect_text("'string'", "\"a", "\"a: quoted string extends past end of argument");
    expect_text("'string'", "\"a\\q\"", "\"a\\q\": bad escape \\q");
    expect_text("'boolean'", "maybe", "\"maybe\" is not a valid boolean (use \"true\" or \"false\")");
    expect_text("'boolean'", "true=", "true=: unexpected \"=\" parsing boolean");
    expect_text("'uuid'", "foo", "\"foo\" is not a valid UUID");
}

static const char schema_text[] =
    "{'name':'T','version':'1.2.3','cksum':'1 2','tables':{"
    "'A':{'columns':{'n':{'type':'integer'},'o':{'type':{'key':'integer','min':0}},"
    "'s':{'type':{'key':'string','min':0,'max':'unlimited'},'ephemeral':true},"
    "'w':{'type':{'key':{'type':'uuid','refTable':'B','refType':'weak'},'min':0}}},"
    "'isRoot':true,'indexes':[['n']],'maxRows':5},"
    "'B':{'columns':{'c':{'type':{'key':{'type':'real','minReal':0.5},'value':'boolean','max':3},"
    "'mutable':false}}}}}";

static void
a_schema_survives_a_round_trip(void **state UNUSED)
{
    struct json *json = J(schema_text), *again;
    struct schema *s;

    assert_null(schema_from_json(&s, json));
    again = schema_to_json(s);
    assert_true(js_equal(json, again));
    assert_true(schema_table(s, "A")->n_weak);
    assert_false(schema_table(s, "B")->is_root);
    assert_int_equal(table_schema_column(schema_table(s, "A"), "n")->index, COL_N_STD);
    schema_unref(s);
    js_unref(json);
    js_unref(again);
}

static void
versions_compare_as_numbers(void **state UNUSED)
{
    assert_true(schema_compare_versions("1.10.0", "1.9.9") > 0);
    assert_true(schema_compare_versions("1.2.3", "1.2.3") == 0);
    assert_true(schema_compare_versions("0.9.9", "1.0.0") < 0);
    assert_false(schema_is_version("1.2"));
    assert_false(schema_is_version("1.2.3.4"));
    assert_false(schema_is_version("a.2.3"));
}

/* Whether the condition holds for the row n=5, o=[], s={a,b}. */
static bool
holds(const struct table_schema *t, struct datum *row, const char *where, bool all)
{
    struct json *json = J(where);
    struct condition c;
    bool result;

    assert_null(condition_from_json(&c, t, json, NULL));
    result = all ? condition_all(&c, row) : condition_any(&c, row);
    condition_uninit(&c);
    js_unref(json);
    return result;
}

static void
conditions_and_mutations_work_on_rows(void **state UNUSED)
{
    struct json *json = J(schema_text);
    struct table_schema *t;
    struct mutations m;
    struct datum row[8];
    struct schema *s;

    assert_null(schema_from_json(&s, json));
    js_unref(json);
    t = schema_table(s, "A");
    for (size_t i = 0; i < t->n_columns; i++) {
        datum_init_default(&row[i], &t->columns[i].type);
    }
    json = J("[['n','+=',5],['s','insert',['set',['a','b','c']]],['s','delete','c']]");
    assert_null(mutations_from_json(&m, t, json, NULL));
    assert_null(mutations_apply(&m, row));
    mutations_uninit(&m);
    js_unref(json);
    assert_true(holds(t, row, "[['n','==',5],['s','includes','a']]", true));
    assert_false(holds(t, row, "[['n','==',5],['s','includes','x']]", true));
    assert_true(holds(t, row, "[['n','==',6],['s','includes','a']]", false));
    assert_true(holds(t, row, "[['s','excludes',['set',['x','y']]]]", true));
    assert_false(holds(t, row, "[['o','<',7]]", true));
    assert_false(holds(t, row, "[['o','>=',7]]", true));
    assert_true(holds(t, row, "[true]", true));
    assert_false(holds(t, row, "[false]", false));
    assert_true(holds(t, row, "[]", false));
    for (size_t i = 0; i < t->n_columns; i++) {
        datum_uninit(&row[i], &t->columns[i].type);
    }
    schema_unref(s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_set_is_sorted_and_survives_a_round_trip),
        cmocka_unit_test(reals_are_written_as_short_as_they_are),
        cmocka_unit_test(a_copy_does_not_see_changes),
        cmocka_unit_test(differences_are_as_the_log_has_them),
        cmocka_unit_test(set_operations_agree_with_bit_masks),
        cmocka_unit_test(wrong_values_get_the_documented_errors),
        cmocka_unit_test(reals_come_back_exactly_from_their_exact_text),
        cmocka_unit_test(in_a_difference_reals_that_were_rounded_to_the_same_cancel),
        cmocka_unit_test(command_line_values_are_read_and_written),
        cmocka_unit_test(a_schema_survives_a_round_trip),
        cmocka_unit_test(versions_compare_as_numbers),
        cmocka_unit_test(conditions_and_mutations_work_on_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
