#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/random.h"
#include "flow/match_text.h"
#include "flow/tun_metadata.h"

static const struct field *
option(unsigned int i)
{
    return field_of(FIELD_TUN_METADATA0 + i);
}

static union field_value
value(uint64_t x)
{
    union field_value v = { { 0 } };

    put_be64(v.bytes + TUN_OPTION_MAX - 8, x);
    return v;
}

static union field_value
exact(void)
{
    union field_value v = { { 0 } };

    memset(v.bytes, 0xff, TUN_OPTION_MAX);
    return v;
}

static void
assert_text(const struct match *m, const char *text)
{
    struct str s = STR_INIT;

    match_format(&s, m, NULL, MATCH_DEFAULT_PRIORITY);
    assert_string_equal(str_text(&s), text);
    str_uninit(&s);
}

/* 0: 4 bytes; 1: 8 bytes; 2: 124 bytes. */
static struct tun_map
small_map(void)
{
    struct tun_map map = { .bound = 0 };

    assert_true(tun_map_add(&map, 0, 0xffff, 0, 4));
    assert_true(tun_map_add(&map, 1, 0xffff, 1, 8));
    assert_true(tun_map_add(&map, 2, 0x102, 0x80, 124));
    return map;
}

static void
places_do_not_overlap_and_are_used_again(void **state UNUSED)
{
    struct tun_map map = { .bound = 0 };
    struct flow flow;

    for (unsigned int i = 0; i < TUN_N_OPTIONS; i++) {
        assert_true(tun_map_add(&map, i, 1, i, 4));
    }
    tun_map_remove(&map, 7);
    assert_false(tun_map_add(&map, 7, 1, 7, 8));
    assert_true(tun_map_add(&map, 7, 1, 7, 4));
    memset(&flow, 0, sizeof flow);
    for (unsigned int i = 0; i < TUN_N_OPTIONS; i++) {
        const struct field *f = tun_map_field(&map, option(i));

        assert_false(field_is_any(f, &flow));
        field_set_ones(f, &flow);
        assert_true(field_is_exact(f, &flow));
    }
    assert_true(is_all_ones(flow.tun_metadata, sizeof flow.tun_metadata));
    assert_null(tun_map_field(NULL, option(0)));
    assert_ptr_equal(tun_map_field(NULL, field_of(FIELD_REG0)), field_of(FIELD_REG0));
}

/* Options 1 and 3 hold 4 bytes each, behind 100 and 124 that are free again: 2 goes before and between them. */
static struct tun_map
map_with_an_option_in_pieces(void)
{
    struct tun_map map = { .bound = 0 };

    assert_true(tun_map_add(&map, 0, 1, 0, 64));
    assert_true(tun_map_add(&map, 1, 1, 1, 4));
    assert_true(tun_map_add(&map, 2, 1, 2, 64));
    assert_true(tun_map_add(&map, 3, 1, 3, 4));
    assert_true(tun_map_add(&map, 4, 1, 4, 120));
    tun_map_remove(&map, 0);
    tun_map_remove(&map, 2);
    assert_true(tun_map_add(&map, 2, 1, 2, 124));
    assert_int_not_equal(map.options[2].field.words, 0);
    assert_false(tun_map_add(&map, 0, 1, 0, 8));
    return map;
}

static void
an_option_in_pieces_is_like_one_in_one(void **state UNUSED)
{
    struct tun_map pieces = map_with_an_option_in_pieces(), whole = { .bound = 0 };
    const struct field *f = &pieces.options[2].field, *g = &whole.options[2].field;
    struct random r;
    struct flow a, b;

    random_seed(&r, 7);
    assert_true(tun_map_add(&whole, 2, 1, 2, 124));
    memset(&a, 0, sizeof a);
    memset(&b, 0, sizeof b);
    for (int i = 0; i < 10000; i++) {
        unsigned int n = 1 + random_below(&r, 900), ofs = random_below(&r, 8 * 124 - n + 1);
        const struct subfield sf = { f, ofs, n }, sg = { g, ofs, n };
        union field_value v = { { 0 } }, w = { { 0 } };

        for (size_t j = 0; j < sizeof v.bytes; j++) {
            v.bytes[j] = random_below(&r, 4) ? random_below(&r, 256) : 0xff;
        }
        switch (random_below(&r, 5)) {
        case 0: field_set(f, &a, &v); field_set(g, &b, &v); break;
        case 1: subfield_set(&sf, &a, &v); subfield_set(&sg, &b, &v); break;
        case 2: subfield_set_ones(&sf, &a); subfield_set_ones(&sg, &b); break;
        case 3: field_set_ones(f, &a); field_set_ones(g, &b); break;
        case 4: field_set_zeros(f, &a); field_set_zeros(g, &b); break;
        }
        assert_int_equal(field_is_any(f, &a), field_is_any(g, &b));
        assert_int_equal(field_is_exact(f, &a), field_is_exact(g, &b));
        memset(&v, 0, sizeof v);
        field_get(f, &a, &v);
        field_get(g, &b, &w);
        assert_memory_equal(&v, &w, sizeof v);
        memset(&v, 0, sizeof v);
        memset(&w, 0, sizeof w);
        subfield_get(&sf, &a, &v);
        subfield_get(&sg, &b, &w);
        assert_memory_equal(&v, &w, sizeof v);
        assert_false(field_is_any(&pieces.options[1].field, &a));
        assert_false(field_is_any(&pieces.options[3].field, &a));
        assert_false(field_is_any(&pieces.options[4].field, &a));
    }
}

static void
a_loose_match_says_what_was_asked(void **state UNUSED)
{
    union field_value none = { { 0 } }, all = exact(), v = value(0x1234), m12 = value(0xfff);
    struct match m;

    match_init_catchall(&m);
    assert_true(match_set_field(&m, option(5), &v, &all));
    assert_true(match_set_field(&m, option(1), &v, &m12));
    assert_true(match_set_field(&m, option(63), &none, &none));
    assert_text(&m, "tun_metadata1=0x234/0xfff,tun_metadata5=0x1234,tun_metadata63");
    v = value(0);
    assert_true(match_set_field(&m, option(5), &v, &all));
    assert_text(&m, "tun_metadata1=0x234/0xfff,tun_metadata5=0,tun_metadata63");
}

static void
a_match_has_room_for_all_that_a_map_can_have_and_no_more(void **state UNUSED)
{
    union field_value all = exact(), v = exact();
    struct match m;

    match_init_catchall(&m);
    assert_true(match_set_field(&m, option(3), &v, &all));
    assert_true(match_set_field(&m, option(9), &v, &all));
    v = value(0x1122334455667788);
    assert_true(match_set_field(&m, option(5), &v, &all));
    assert_false(match_set_field(&m, option(4), &v, &all));
    v = value(7);
    assert_false(match_set_field(&m, option(4), &v, &all));
    assert_true(match_set_field(&m, option(5), &v, &all));
    assert_true(match_set_field(&m, option(4), &v, &all));
}

static void
binding_needs_the_option_and_room_for_the_value(void **state UNUSED)
{
    struct tun_map map = small_map();
    union field_value all = exact(), v = value(0x123456789);
    struct match m, again;

    match_init_catchall(&m);
    assert_true(match_set_field(&m, option(0), &v, &all));
    again = m;
    assert_int_equal(tun_match_bind(&map, &again, false), TUN_TOO_LONG);
    again = m;
    assert_int_equal(tun_match_bind(NULL, &again, false), TUN_NOT_IN_MAP);
    again = m;
    assert_int_equal(tun_match_bind(&map, &again, true), TUN_BOUND);
    tun_match_unbind(&map, &again);
    assert_text(&again, "tun_metadata0=0x23456789");
    again = m;
    assert_int_equal(tun_match_bind(NULL, &again, true), TUN_BOUND);
    assert_text(&again, "");
}

/* All of a map's bits are an exact match; an exact match of the wire is one whatever length it has there. */
static void
a_mask_of_all_that_there_is_is_exact(void **state UNUSED)
{
    struct tun_map map = small_map();
    union field_value all = exact(), ones32 = value(0xffffffff), v = value(5);
    struct match a, b;

    match_init_catchall(&a);
    assert_true(match_set_field(&a, option(0), &v, &all));
    match_init_catchall(&b);
    assert_true(match_set_field(&b, option(0), &v, &ones32));
    assert_false(match_equal(&a, &b));
    assert_int_equal(tun_match_bind(&map, &a, false), TUN_BOUND);
    assert_int_equal(tun_match_bind(&map, &b, false), TUN_BOUND);
    assert_true(match_equal(&a, &b));
    tun_match_unbind(&map, &b);
    assert_text(&b, "tun_metadata0=0x5");
}

static void
random_bound_matches_come_back(void **state UNUSED)
{
    struct tun_map map = small_map();
    struct random r;

    random_seed(&r, 5);
    for (int round = 0; round < 500; round++) {
        struct match m, again;

        match_init_catchall(&m);
        for (unsigned int i = 0; i < 3; i++) {
            const struct field *f = tun_map_field(&map, option(i));
            union field_value v = { { 0 } }, mask = { { 0 } };

            for (int k = TUN_OPTION_MAX - f->wire_bytes; k < TUN_OPTION_MAX; k++) {
                v.bytes[k] = random_u64(&r);
                mask.bytes[k] = round & 1 ? 0xff : random_u64(&r);
            }
            if (random_u64(&r) & 1) {
                assert_true(match_set_field(&m, option(i), &v, &mask));
            }
        }
        assert_int_equal(tun_match_bind(&map, &m, false), TUN_BOUND);
        again = m;
        tun_match_unbind(&map, &again);
        assert_int_equal(tun_match_bind(&map, &again, false), TUN_BOUND);
        assert_true(match_equal(&m, &again));
    }
}

/* class, type, length in words, value. */
static const uint8_t raw[] = {
    0xff, 0xff, 9, 1, 1, 2, 3, 4,                       /* Not in the map. */
    0xff, 0xff, 0, 1, 0, 0, 0, 5,                       /* tun_metadata0. */
    0xff, 0xff, 1, 1, 1, 1, 1, 1,                       /* tun_metadata1's, of another length. */
};

static void
raw_options_go_to_their_places_and_masks_back(void **state UNUSED)
{
    struct tun_map map = small_map();
    const struct field *f0 = tun_map_field(&map, option(0));
    struct flow key, flow, mask;

    memset(&key, 0, sizeof key);
    memcpy(key.tun_metadata, raw, sizeof raw);
    key.tun_opt_len = sizeof raw;
    flow = key;
    tun_flow_from_raw(&map, &flow);
    assert_int_equal(field_get_u64(f0, &flow), 5);
    assert_true(tun_option_is_present(&flow, f0));
    assert_false(tun_option_is_present(&flow, option(1)));
    assert_int_equal(flow.tun_opt_len, 0);

    memset(&mask, 0, sizeof mask);
    tun_mask_to_raw(&map, &key, &mask);
    assert_int_equal(mask.tun_opt_len, 0);
    field_set_u64(f0, &mask, 0xff);
    tun_option_set_present(&mask, f0);
    tun_mask_to_raw(&map, &key, &mask);
    assert_int_equal(mask.tun_opt_len, UINT8_MAX);
    for (size_t i = 0; i < sizeof raw; i++) {
        assert_int_equal(mask.tun_metadata[i], i % 8 < 4 || i == 15 ? 0xff : 0);
    }

    tun_option_delete(&flow, f0);
    assert_false(tun_option_is_present(&flow, f0));
    assert_int_equal(field_get_u64(f0, &flow), 0);
}

static void
options_that_are_cut_off_are_left_out(void **state UNUSED)
{
    struct tun_map map = small_map();

    for (size_t n = 0; n <= sizeof raw; n++) {
        struct flow flow;

        memset(&flow, 0, sizeof flow);
        memcpy(flow.tun_metadata, raw, sizeof raw);
        flow.tun_opt_len = n;
        tun_flow_from_raw(&map, &flow);
        assert_int_equal(tun_option_is_present(&flow, option(0)), n >= 16);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_do_not_overlap_and_are_used_again),
        cmocka_unit_test(an_option_in_pieces_is_like_one_in_one),
        cmocka_unit_test(a_loose_match_says_what_was_asked),
        cmocka_unit_test(a_match_has_room_for_all_that_a_map_can_have_and_no_more),
        cmocka_unit_test(binding_needs_the_option_and_room_for_the_value),
        cmocka_unit_test(a_mask_of_all_that_there_is_is_exact),
        cmocka_unit_test(random_bound_matches_come_back),
        cmocka_unit_test(raw_options_go_to_their_places_and_masks_back),
        cmocka_unit_test(options_that_are_cut_off_are_left_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
