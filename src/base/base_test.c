#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/hmap.h"
#include "base/list.h"
#include "base/num.h"
#include "base/str.h"
#include "base/strmap.h"
#include "base/uuid.h"

static void
strings_grow_and_shrink(void **state UNUSED)
{
    struct str s = STR_INIT;

    assert_string_equal(str_text(&s), "");
    for (int i = 0; i < 100; i++) {
        str_putf(&s, "%d,", i);
    }
    assert_int_equal(s.len, 290);
    assert_true(str_chomp(&s, ','));
    assert_true(str_chomp_text(&s, ",98,99"));
    assert_true(str_ends_with(&s, "96,97"));
    str_clear(&s);
    str_put_hex(&s, "\x01\xab", 2);
    assert_string_equal(str_text(&s), "01ab");
    str_uninit(&s);
}

/* What str_putf() writes by itself is what printf() writes. */
#define ASSERT_LIKE_PRINTF(...) \
    do { \
        struct str s_ = STR_INIT; \
        char text_[256]; \
        str_puts(&s_, "before "); \
        str_putf(&s_, __VA_ARGS__); \
        snprintf(text_, sizeof text_, __VA_ARGS__); \
        assert_string_equal(str_text(&s_) + strlen("before "), text_); \
        assert_int_equal(s_.len, strlen("before ") + strlen(text_)); \
        str_uninit(&s_); \
    } while (0)

static void
formatted_text_is_that_of_printf(void **state UNUSED)
{
    struct str s = STR_INIT;

    ASSERT_LIKE_PRINTF("%d %d %d %u", 0, INT_MIN, INT_MAX, UINT_MAX);
    ASSERT_LIKE_PRINTF("%ld %lld %lld %zu", LONG_MIN, LLONG_MIN, LLONG_MAX, SIZE_MAX);
    ASSERT_LIKE_PRINTF("%lu %llu %"PRIu64" %"PRIx64, ULONG_MAX, ULLONG_MAX, UINT64_MAX, UINT64_MAX);
    ASSERT_LIKE_PRINTF("%x %#x %#x %#llx %#llx", 0xabcu, 0u, 0xffu, 0ull, ULLONG_MAX);
    ASSERT_LIKE_PRINTF("%02x:%02x:%04x:%08x:%03u:%09u:%06x", 0x5u, 0xabu, 0xabcdeu, 1u, 7u, 123456789u, 0xfffffffu);
    ASSERT_LIKE_PRINTF("%s|%s|%c|%%|%s", "", "text", 'c', "end");
    ASSERT_LIKE_PRINTF("%% at the end %%");
    ASSERT_LIKE_PRINTF("%.3s %-5s| %5s| %*d %.*s", "abcdef", "ab", "cd", 4, 5, 2, "xyz");
    ASSERT_LIKE_PRINTF("%d %02d %05d %#06x %X %o %hhx %hu %i", 1, -2, 3, 0x12u, 0xabu, 8u,
                       (unsigned char) 200, (unsigned short) 4464, -5);
    ASSERT_LIKE_PRINTF("%u %.2f %s", 12u, 1.5, "after what is left to printf");
    ASSERT_LIKE_PRINTF("%200u", 7u);
    str_putf(&s, "%s", "");
    assert_non_null(s.text);
    str_uninit(&s);
}

static void
a_cursor_never_leaves_its_bytes(void **state UNUSED)
{
    static const uint8_t raw[] = { 1, 2, 3, 4, 5 };
    struct cursor c = cursor_make(raw, sizeof raw), sub;
    uint32_t v32;
    uint16_t v16;

    assert_true(cursor_take_be32(&c, &v32));
    assert_int_equal(v32, 0x01020304);
    assert_false(cursor_take_be16(&c, &v16));
    assert_int_equal(c.left, 1);
    assert_true(cursor_take_sub(&c, 1, &sub));
    assert_null(cursor_take(&c, 1));
    assert_non_null(cursor_take(&c, 0));
}

static void
errors_gather_context_from_inside_out(void **state UNUSED)
{
    struct error *e = error_wrap(error_new("bad %s", "port"), "line %d", 3);

    assert_string_equal(error_text(e), "line 3: bad port");
    error_free(e);
    assert_null(error_wrap(NULL, "line"));
}

static void
a_string_table_agrees_with_an_array(void **state UNUSED)
{
    enum { N = 500 };
    struct strmap m = STRMAP_INIT(&m);
    struct strmap_entry **sorted;
    intptr_t values[N] = { 0 };
    struct random r;
    size_t n = 0;

    random_seed(&r, 1);
    for (int i = 0; i < 10000; i++) {
        int k = random_below(&r, N);
        char key[16];

        snprintf(key, sizeof key, "%03d", k);
        if (random_below(&r, 2)) {
            assert_int_equal((intptr_t) strmap_put(&m, key, (void *) (intptr_t) (i + 1)), values[k]);
            n += !values[k];
            values[k] = i + 1;
        } else {
            assert_int_equal((intptr_t) strmap_remove(&m, key), values[k]);
            n -= !!values[k];
            values[k] = 0;
        }
        assert_int_equal(strmap_count(&m), n);
    }
    sorted = strmap_sorted(&m);
    for (size_t i = 1; i < n; i++) {
        assert_true(strcmp(sorted[i - 1]->key, sorted[i]->key) < 0);
    }
    free(sorted);
    strmap_uninit(&m);
}

static void
uuids_survive_their_text_form(void **state UNUSED)
{
    struct uuid a, b;
    struct random r;
    char text[UUID_LEN + 1];

    random_seed(&r, 7);
    uuid_generate(&a, &r);
    uuid_format(&a, text);
    assert_int_equal(text[14], '4');
    assert_true(uuid_parse(&b, text));
    assert_true(uuid_equal(&a, &b));
    text[35] = 'g';
    assert_false(uuid_parse(&b, text));
    assert_true(uuid_is_zero(&b));
    assert_int_equal(uuid_abbreviation_len("3c4d"), 4);
    assert_int_equal(uuid_abbreviation_len("3c4d-"), 0);
    assert_int_equal(uuid_abbreviation_len("01234567-89"), 10);
}

static void
numbers_are_whole_or_nothing(void **state UNUSED)
{
    uint16_t v16;
    uint64_t v64;
    int64_t s64;
    double d;

    assert_true(num_parse_u16("65535", 0, &v16));
    assert_false(num_parse_u16("65536", 0, &v16));
    assert_false(num_parse_u16("-1", 0, &v16));
    assert_false(num_parse_u16("1x", 0, &v16));
    assert_false(num_parse_u16("", 0, &v16));
    assert_false(num_parse_u16(" 1", 0, &v16));
    assert_true(num_parse_u64("0xffffffffffffffff", 0, &v64));
    assert_true(num_parse_s64("-9", 10, &s64));
    assert_int_equal(s64, -9);
    assert_true(num_parse_double("1.5", &d));
    assert_false(num_parse_double("nan", &d));
}

struct element {
    struct hmap_node node;
    uint32_t key;
    bool in, seen;
};

static bool
hmap_has(const struct hmap *map, uint32_t key)
{
    HMAP_FOR_EACH_WITH_HASH (e, struct element, node, key / 3 * 7, map) {
        if (e->key == key) {
            return true;
        }
    }
    return false;
}

/* Keys come and go at random; three share a hash each. */
static void
a_hash_table_agrees_with_an_array(void **state UNUSED)
{
    enum { N = 3000 };
    static struct element all[N];
    struct hmap map = HMAP_INIT(&map);
    uint32_t x = 1;
    size_t n = 0;

    for (int step = 0; step < 30000; step++) {
        x = hash_u32(x, step);
        struct element *e = &all[x % N];

        e->key = x % N;
        assert_int_equal(hmap_has(&map, e->key), e->in);
        if (e->in) {
            hmap_remove(&map, &e->node);
        } else {
            hmap_insert(&map, &e->node, e->key / 3 * 7);
        }
        e->in = !e->in;
        n += e->in ? 1 : -1;
        assert_int_equal(hmap_count(&map), n);
    }
    HMAP_FOR_EACH_SAFE (e, struct element, node, &map) {
        assert_true(e->in && !e->seen);
        e->seen = true;
        n--;
        hmap_remove(&map, &e->node);
    }
    assert_int_equal(n, 0);
    hmap_uninit(&map);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hash_table_agrees_with_an_array),
        cmocka_unit_test(strings_grow_and_shrink),
        cmocka_unit_test(formatted_text_is_that_of_printf),
        cmocka_unit_test(a_cursor_never_leaves_its_bytes),
        cmocka_unit_test(errors_gather_context_from_inside_out),
        cmocka_unit_test(a_string_table_agrees_with_an_array),
        cmocka_unit_test(uuids_survive_their_text_form),
        cmocka_unit_test(numbers_are_whole_or_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
