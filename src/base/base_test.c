#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <ctype.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/addr.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/hmap.h"
#include "base/list.h"
#include "base/num.h"
#include "base/pqueue.h"
#include "base/random.h"
#include "base/str.h"
#include "base/strmap.h"
#include "base/uuid.h"
#include "base/words.h"

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
numbers_are_appended_as_printf_would(void **state UNUSED)
{
    static const uint64_t values[] = { 0, 1, 9, 10, 15, 16, 99, 100, 0xffff, UINT32_MAX, INT64_MAX, UINT64_MAX };
    struct str s = STR_INIT;
    char text[128];

    for (unsigned int i = 0; i < ARRAY_SIZE(values); i++) {
        str_clear(&s);
        str_put_uint(&s, values[i]);
        str_putc(&s, ' ');
        str_put_int(&s, (int64_t) values[i]);
        str_putc(&s, ' ');
        str_put_xint(&s, values[i], 0);
        str_putc(&s, ' ');
        str_put_xint(&s, values[i], 7);
        snprintf(text, sizeof text, "%"PRIu64" %"PRId64" %"PRIx64" %07"PRIx64, values[i], (int64_t) values[i],
                 values[i], values[i]);
        assert_string_equal(str_text(&s), text);
    }
    str_uninit(&s);
}

/* Groups are zero half of the time, so that there are runs of them. */
static struct ipv6_addr
random_ipv6(struct random *r)
{
    struct ipv6_addr ip;

    for (int i = 0; i < 8; i++) {
        uint32_t x = (uint32_t) random_u64(r);

        put_be16(ip.s6 + 2 * i, x & 1 ? 0 : x & 2 ? 0xffff : x >> 16 >> (x >> 2 & 15));
    }
    return ip;
}

static void
addresses_are_written_as_the_library_writes_them(void **state UNUSED)
{
    struct str s = STR_INIT;
    struct random r;

    random_seed(&r, 1);
    for (int i = 0; i < 20000; i++) {
        struct ipv6_addr ip = random_ipv6(&r);
        char text[INET6_ADDRSTRLEN];
        be32 ip4;

        str_clear(&s);
        ipv6_put(&s, &ip);
        assert_string_equal(str_text(&s), inet_ntop(AF_INET6, &ip, text, sizeof text));
        memcpy(&ip4, ip.s6 + i % 12, sizeof ip4);
        str_clear(&s);
        ipv4_put(&s, ip4);
        assert_string_equal(str_text(&s), inet_ntop(AF_INET, &ip4, text, sizeof text));
    }
    str_clear(&s);
    eth_addr_put(&s, (const uint8_t[]) { 0, 1, 0x1f, 0xab, 0xff, 0x10 });
    assert_string_equal(str_text(&s), "00:01:1f:ab:ff:10");
    str_uninit(&s);
}

static void
a_mask_is_a_prefix_only_if_its_ones_come_first(void **state UNUSED)
{
    struct ipv6_addr mask;

    for (int n = 0; n <= 128; n++) {
        mask = ipv6_prefix_mask(n);
        assert_int_equal(ipv6_mask_to_prefix(&mask), n);
        for (int bit = n + 1; bit < 128; bit++) {
            mask.s6[bit / 8] ^= 0x80 >> bit % 8;
            assert_int_equal(ipv6_mask_to_prefix(&mask), -1);
            mask.s6[bit / 8] ^= 0x80 >> bit % 8;
        }
    }
    assert_int_equal(ipv4_mask_to_prefix(BE32(0xfffff000)), 20);
    assert_int_equal(ipv4_mask_to_prefix(BE32(0xff00ff00)), -1);
}

/* Random words of few letters, of which many are equal or differ in case, against a search from front to back. */
static void
a_table_of_words_agrees_with_an_array(void **state UNUSED)
{
    enum { N = 300 };
    static char texts[N][6];
    struct words w = WORDS_INIT;
    struct random r;

    random_seed(&r, 2);
    assert_int_equal(words_find(&w, "a", 1), -1);
    for (int i = 0; i < N; i++) {
        int len = random_below(&r, 1000) % 5, expected = -1, expected_any = -1;

        for (int k = 0; k < len; k++) {
            texts[i][k] = "aAbB_"[random_below(&r, 1000) % 5];
        }
        for (int k = 0; k < i && expected < 0; k++) {
            expected = !strcmp(texts[k], texts[i]) ? k : -1;
        }
        for (int k = 0; k < i && expected_any < 0; k++) {
            expected_any = !strcasecmp(texts[k], texts[i]) ? k : -1;
        }
        assert_int_equal(words_find(&w, texts[i], len), expected);
        /* Which of several it is is not said. */
        assert_int_equal(words_find_any_case(&w, texts[i], len) < 0, expected_any < 0);
        words_add(&w, texts[i], i);
    }
    free(w.slots);
}

static void
bytes_are_all_alike_or_not(void **state UNUSED)
{
    uint8_t zeros[80] = { 0 }, ones[80];

    memset(ones, 0xff, sizeof ones);
    for (size_t n = 0; n <= sizeof zeros; n++) {
        assert_true(is_all_zeros(zeros, n));
        assert_true(is_all_ones(ones, n));
        for (size_t i = 0; i < n; i++) {
            zeros[i] = 1;
            ones[i] = 0x7f;
            assert_false(is_all_zeros(zeros, n));
            assert_false(is_all_ones(ones, n));
            zeros[i] = 0;
            ones[i] = 0xff;
        }
    }
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

/* The text of a UUID as printf() makes it, byte by byte. */
static void
format_slowly(const struct uuid *uuid, char text[UUID_LEN + 1])
{
    for (int i = 0; i < 16; i++) {
        text += sprintf(text, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", uuid->bytes[i]);
    }
}

static void
uuids_are_written_and_read_as_byte_by_byte(void **state UNUSED)
{
    char text[UUID_LEN + 1], expected[UUID_LEN + 1];
    struct uuid a, b;
    struct random r;

    random_seed(&r, 8);
    for (int i = 0; i < 1000; i++) {
        uuid_generate(&a, &r);
        a.bytes[i % 16] = i;
        uuid_format(&a, text);
        format_slowly(&a, expected);
        assert_string_equal(text, expected);
        if (i % 2) {
            for (int j = 0; j < UUID_LEN; j++) {
                text[j] = toupper(text[j]);
            }
        }
        assert_true(uuid_parse(&b, text));
        assert_true(uuid_equal(&a, &b));
    }
}

static void
only_digits_and_hyphens_in_their_places_make_a_uuid(void **state UNUSED)
{
    const char *good = "0123ABcd-4567-89ef-cdef-0123456789af";
    char text[UUID_LEN + 1];
    struct uuid uuid;

    for (int i = 0; i < UUID_LEN; i++) {
        for (int c = 0; c < 256; c++) {
            strcpy(text, good);
            text[i] = c;
            assert_int_equal(uuid_parse_prefix(&uuid, text), good[i] == '-' ? c == '-' : isxdigit(c) != 0);
            assert_true(isxdigit(c) || c == '-' || uuid_is_zero(&uuid));
        }
    }
}

static void
check_decimal(uint64_t v)
{
    struct str s = STR_INIT;
    char expected[32];

    str_put_decimal(&s, v, 0);
    snprintf(expected, sizeof expected, "%" PRIu64, v);
    assert_string_equal(str_text(&s), expected);
    str_uninit(&s);
}

static void
numbers_are_as_printf_writes_them(void **state UNUSED)
{
    struct random r;

    random_seed(&r, 9);
    for (int i = 0; i < 20000; i++) {
        check_decimal(random_u64(&r) >> i % 64);
    }
    for (uint64_t power = 1; power < UINT64_MAX / 10; power *= 10) {
        check_decimal(power - 1);
        check_decimal(power);
        check_decimal(power * 10 - 1);
    }
    check_decimal(UINT64_C(10000000000000000000));
    check_decimal(UINT64_MAX);
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

struct waiting {
    struct pqueue_node node;
    uint32_t key;
    bool in;
};

static bool
key_is_less(const struct pqueue_node *a, const struct pqueue_node *b)
{
    return CONTAINER_OF(a, struct waiting, node)->key < CONTAINER_OF(b, struct waiting, node)->key;
}

static uint32_t
least_key(const struct waiting *all, size_t n)
{
    uint32_t least = UINT32_MAX;

    for (size_t i = 0; i < n; i++) {
        least = all[i].in ? MIN(least, all[i].key) : least;
    }
    return least;
}

/* Elements come, change and go at random; keys repeat. */
static void
a_queue_agrees_with_a_search(void **state UNUSED)
{
    enum { N = 100 };
    struct pqueue q = PQUEUE_INIT(key_is_less);
    struct waiting all[N] = { 0 };
    struct random random;

    random_seed(&random, 1);
    for (int step = 0; step < 20000; step++) {
        struct waiting *w = &all[random_below(&random, N)];

        if (w->in && random_below(&random, 2)) {
            pqueue_remove(&q, &w->node);
            w->in = false;
        } else {
            w->key = random_below(&random, 50);
            (w->in ? pqueue_fix : pqueue_insert)(&q, &w->node);
            w->in = true;
        }
        assert_int_equal(q.n ? CONTAINER_OF(pqueue_first(&q), struct waiting, node)->key : UINT32_MAX,
                         least_key(all, N));
    }
    pqueue_uninit(&q);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hash_table_agrees_with_an_array),
        cmocka_unit_test(a_queue_agrees_with_a_search),
        cmocka_unit_test(strings_grow_and_shrink),
        cmocka_unit_test(formatted_text_is_that_of_printf),
        cmocka_unit_test(numbers_are_appended_as_printf_would),
        cmocka_unit_test(addresses_are_written_as_the_library_writes_them),
        cmocka_unit_test(a_mask_is_a_prefix_only_if_its_ones_come_first),
        cmocka_unit_test(a_table_of_words_agrees_with_an_array),
        cmocka_unit_test(bytes_are_all_alike_or_not),
        cmocka_unit_test(a_cursor_never_leaves_its_bytes),
        cmocka_unit_test(errors_gather_context_from_inside_out),
        cmocka_unit_test(a_string_table_agrees_with_an_array),
        cmocka_unit_test(uuids_survive_their_text_form),
        cmocka_unit_test(uuids_are_written_and_read_as_byte_by_byte),
        cmocka_unit_test(only_digits_and_hyphens_in_their_places_make_a_uuid),
        cmocka_unit_test(numbers_are_as_printf_writes_them),
        cmocka_unit_test(numbers_are_whole_or_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
