#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/random.h"
#include "flow/match.h"
#include "flow/match_text.h"

static void
every_field_reads_back_what_was_written(void **state UNUSED)
{
    struct random r;

    random_seed(&r, 5);
    for (const struct field *f = fields; f < fields + FIELD_N; f++) {
        struct flow flow, before;
        union field_value v, ones, again;

        for (size_t i = 0; i < FLOW_N_WORDS; i++) {
            *flow_word_ptr(&flow, i) = random_u64(&r);
        }
        before = flow;
        field_value_all_ones(f, &ones);
        for (int i = 0; i < f->wire_bytes; i++) {
            v.bytes[i] = random_u64(&r) & ones.bytes[i];
        }
        field_set(f, &flow, &v);
        field_get(f, &flow, &again);
        assert_memory_equal(&v, &again, f->wire_bytes);
        /* Nothing beside the field has changed. */
        field_set_zeros(f, &flow);
        field_set_zeros(f, &before);
        assert_memory_equal(&flow, &before, sizeof flow);
    }
}

/* The bits of a field that are set, one by one. */
static unsigned int
count_bits(const struct field *f, const struct flow *flow)
{
    unsigned int n = 0;

    for (unsigned int i = f->id == FIELD_NW_TOS ? 2 : 0; i < f->n_bits; i++) {
        const struct subfield bit = { f, i, 1 };

        n += subfield_get_u64(&bit, flow);
    }
    return n;
}

static void
a_mask_has_none_some_or_all_bits_of_a_field(void **state UNUSED)
{
    struct random r;

    random_seed(&r, 6);
    for (const struct field *f = fields; f < fields + FIELD_N; f++) {
        unsigned int n_bits = f->id == FIELD_NW_TOS ? 6 : f->n_bits;

        for (unsigned int i = 0; i < 20 && !field_is_option(f) && f->id != FIELD_PACKET_TYPE; i++) {
            struct subfield bit = { f, random_below(&r, f->n_bits), 1 };
            struct flow mask;

            memset(&mask, i % 2 ? 0xff : 0, sizeof mask);
            i % 2 ? field_set_zeros(f, &mask) : field_set_ones(f, &mask);
            assert_int_equal(count_bits(f, &mask), i % 2 ? 0 : n_bits);
            assert_int_equal(field_is_any(f, &mask), i % 2 == 0);
            assert_int_equal(field_is_exact(f, &mask), i % 2 == 0);
            subfield_set_u64(&bit, &mask, i % 2);
            assert_int_equal(field_is_any(f, &mask), count_bits(f, &mask) > 0);
            assert_int_equal(field_is_exact(f, &mask), count_bits(f, &mask) == n_bits);
        }
    }
}

static void
a_masked_condition_keeps_the_bits_that_matter(void **state UNUSED)
{
    struct random r;

    random_seed(&r, 7);
    for (const struct field *f = fields; f < fields + FIELD_N; f++) {
        union field_value v = { { 0 } }, mask = { { 0 } }, ones, got, got_mask;
        struct match m;

        if (field_is_option(f)) {
            continue;
        }
        field_value_all_ones(f, &ones);
        for (int i = 0; i < f->wire_bytes; i++) {
            v.bytes[i] = random_u64(&r) & ones.bytes[i];
            mask.bytes[i] = random_u64(&r) & ones.bytes[i];
        }
        match_init_catchall(&m);
        match_set_masked(&m, f, &v, &mask);
        field_get(f, &m.flow, &got);
        field_get(f, &m.mask, &got_mask);
        assert_memory_equal(&got_mask, &mask, f->wire_bytes);
        for (int i = 0; i < f->wire_bytes; i++) {
            assert_int_equal(got.bytes[i], v.bytes[i] & mask.bytes[i]);
        }
    }
}

static void
fields_are_found_by_name_and_alias(void **state UNUSED)
{
    assert_ptr_equal(field_by_name("nw_src"), field_of(FIELD_IP_SRC));
    assert_ptr_equal(field_by_name("ip_src"), field_of(FIELD_IP_SRC));
    assert_null(field_by_name("nw_sr"));
    assert_null(field_by_name(""));
    assert_ptr_equal(field_by_name_len("reg1[..]", 4), field_of(FIELD_REG1));
}

static void
an_xreg_is_two_regs(void **state UNUSED)
{
    struct flow flow;

    memset(&flow, 0, sizeof flow);
    field_set_u64(field_of(FIELD_XREG1), &flow, UINT64_C(0x0102030405060708));
    assert_int_equal(be32_to_cpu(flow.regs[2]), 0x01020304);
    assert_int_equal(be32_to_cpu(flow.regs[3]), 0x05060708);
}

static void
a_subfield_moves_bits_between_fields(void **state UNUSED)
{
    struct subfield src = { field_of(FIELD_VLAN_TCI), 0, 12 }, dst = { field_of(FIELD_REG0), 4, 12 };
    union field_value v;
    struct flow flow;

    memset(&flow, 0, sizeof flow);
    flow.vlan_tci = BE16(0x3abc);
    flow.regs[0] = BE32(0xffffffff);
    subfield_get(&src, &flow, &v);
    subfield_set(&dst, &flow, &v);
    assert_int_equal(be32_to_cpu(flow.regs[0]), 0xffffabcf);
    assert_int_equal(subfield_get_u64(&dst, &flow), 0xabc);
}

static void
randomize(struct random *r, struct flow *flow)
{
    for (size_t i = 0; i < FLOW_N_WORDS; i++) {
        *flow_word_ptr(flow, i) = random_u64(r);
    }
}

/* The oracle copies bits: of a field those are at its end, counted from the end of the flow. */
static void
a_subfield_is_a_range_of_the_flows_bits(void **state UNUSED)
{
    struct random r;

    random_seed(&r, 8);
    for (int i = 0; i < 20000; i++) {
        const struct field *f = field_of(random_below(&r, FIELD_N));
        unsigned int end = sizeof(struct flow) * 8 - f->offset - f->n_bits, ofs = random_below(&r, f->n_bits);
        struct subfield sf = { f, ofs, 1 + random_below(&r, f->n_bits - ofs) };
        union field_value v = { { 0 } }, expected = { { 0 } };
        struct flow flow, other;

        if (field_is_option(f) || f->id == FIELD_NW_TOS || f->id == FIELD_IN_PORT || f->id == FIELD_PACKET_TYPE) {
            continue; /* More than bits of the flow. */
        }
        randomize(&r, &flow);
        randomize(&r, &other);
        subfield_get(&sf, &flow, &v);
        bits_copy(&flow, sizeof flow, end + ofs, &expected, sizeof expected, 0, sf.n_bits);
        assert_memory_equal(v.bytes + sizeof v - 16, expected.bytes + sizeof v - 16, 16);
        assert_int_equal(subfield_get_u64(&sf, &flow), get_be64(expected.bytes + sizeof v - 8));

        flow = other;
        v.bytes[sizeof v - 16] ^= 0x80; /* Beyond most fields. */
        subfield_set(&sf, &flow, &v);
        bits_copy(&v, sizeof v, 0, &other, sizeof other, end + ofs, sf.n_bits);
        assert_memory_equal(&flow, &other, sizeof flow);

        memset(&v, 0xff, sizeof v);
        subfield_set_ones(&sf, &flow);
        bits_copy(&v, sizeof v, 0, &other, sizeof other, end + ofs, sf.n_bits);
        assert_memory_equal(&flow, &other, sizeof flow);
    }
}

static void
a_field_is_set_under_a_mask(void **state UNUSED)
{
    struct random r;

    random_seed(&r, 9);
    for (const struct field *f = fields; f < fields + FIELD_N; f++) {
        union field_value v, mask, ones, was, is;
        struct flow flow, wc;

        field_value_all_ones(f, &ones);
        for (int i = 0; i < f->wire_bytes; i++) {
            v.bytes[i] = random_u64(&r) & ones.bytes[i];
            mask.bytes[i] = random_u64(&r) & ones.bytes[i];
        }
        randomize(&r, &flow);
        wc = flow;
        field_get(f, &flow, &was);
        field_set_masked(f, &flow, &v, &mask);
        field_get(f, &flow, &is);
        for (int i = 0; i < f->wire_bytes; i++) {
            assert_int_equal(is.bytes[i], (was.bytes[i] & ~mask.bytes[i]) | (v.bytes[i] & mask.bytes[i]));
        }
        field_add_bits(f, &wc, &mask);
        field_get(f, &wc, &is);
        for (int i = 0; i < f->wire_bytes; i++) {
            assert_int_equal(is.bytes[i], was.bytes[i] | mask.bytes[i]);
        }
        field_set_zeros(f, &flow);
        field_set_zeros(f, &wc);
        assert_memory_equal(&flow, &wc, sizeof flow);
    }
}

/* Namespace and type are in two places, and the type is one only where there is no Ethernet header. */
static void
a_packet_type_is_read_of_two_places(void **state UNUSED)
{
    struct subfield whole = { field_of(FIELD_PACKET_TYPE), 0, 32 }, middle = { whole.field, 8, 16 };
    union field_value v = { { 0 } };
    struct match m;
    struct flow flow;

    memset(&flow, 0, sizeof flow);
    flow.eth_type = BE16(0x894f);
    assert_int_equal(subfield_get_u64(&whole, &flow), 0);
    flow.packet_ns = 1;
    assert_int_equal(subfield_get_u64(&whole, &flow), 0x1894f);
    assert_int_equal(subfield_get_u64(&middle, &flow), 0x189);

    match_init_catchall(&m);
    put_be64(v.bytes + sizeof v - 8, 0x189);
    assert_true(match_set_subfield(&m, &middle, &v));
    assert_int_equal(m.flow.packet_ns, 1);
    assert_int_equal(m.mask.packet_ns, 0xff);
    assert_int_equal(be16_to_cpu(m.flow.eth_type), 0x8900);
    assert_int_equal(be16_to_cpu(m.mask.eth_type), 0xff00);
    assert_false(match_has_packet_type(&m));
    put_be64(v.bytes + sizeof v - 8, 0x18847);
    assert_true(match_set_subfield(&m, &whole, &v));
    assert_int_equal(be16_to_cpu(m.flow.eth_type), 0x8847);
    assert_true(match_has_packet_type(&m));

    match_init_catchall(&m);
    put_be64(v.bytes + sizeof v - 8, 0);
    assert_true(match_set_subfield(&m, &whole, &v));
    assert_int_equal(m.mask.packet_ns, 0xff);
    assert_int_equal(m.mask.eth_type, 0);
    put_be64(v.bytes + sizeof v - 8, 5);
    assert_false(match_set_subfield(&m, &whole, &v));
    put_be64(v.bytes + sizeof v - 8, 0x20800);
    assert_false(match_set_subfield(&m, &whole, &v));
}

/* NXM's nw_tos has no lower two bits, and writing its in_port all of the number. */
static void
subfields_of_two_fields_are_more_than_bits(void **state UNUSED)
{
    struct subfield tos = { field_of(FIELD_NW_TOS), 0, 8 }, port = { field_of(FIELD_IN_PORT), 0, 16 };
    struct flow flow;

    memset(&flow, 0xff, sizeof flow);
    assert_int_equal(subfield_get_u64(&tos, &flow), 0xfc);
    subfield_set_u64(&tos, &flow, 0);
    assert_int_equal(flow.nw_tos, 3);
    subfield_set_ones(&tos, &flow);
    assert_int_equal(flow.nw_tos, 0xff);
    subfield_set_u64(&port, &flow, 7);
    assert_int_equal(be32_to_cpu(flow.in_port), 7);
    subfield_set_u64(&port, &flow, 0xfffe);
    assert_int_equal(be32_to_cpu(flow.in_port), 0xfffffffe);
    assert_int_equal(subfield_get_u64(&port, &flow), 0xfffe);
}

static void
prerequisites_look_at_value_and_mask(void **state UNUSED)
{
    struct match m;

    match_init_catchall(&m);
    assert_false(field_prereqs_met_by_match(field_of(FIELD_TCP_DST), &m.flow, &m.mask));
    match_set_u64(&m, FIELD_ETH_TYPE, 0x0800);
    match_set_u64(&m, FIELD_NW_PROTO, 6);
    assert_true(field_prereqs_met_by_match(field_of(FIELD_TCP_DST), &m.flow, &m.mask));
    assert_false(field_prereqs_met_by_match(field_of(FIELD_UDP_DST), &m.flow, &m.mask));
    assert_false(field_prereqs_met_by_match(field_of(FIELD_CT_NW_SRC), &m.flow, &m.mask));
    m.flow.ct_state = m.mask.ct_state = CT_TRK;
    assert_false(field_prereqs_met_by_match(field_of(FIELD_CT_NW_SRC), &m.flow, &m.mask));
    m.mask.ct_state |= CT_INV;
    assert_true(field_prereqs_met_by_match(field_of(FIELD_CT_NW_SRC), &m.flow, &m.mask));
}

static void
matches_nest_and_overlap(void **state UNUSED)
{
    struct match all, a, b;

    match_init_catchall(&all);
    match_init_catchall(&a);
    match_init_catchall(&b);
    match_set_u64(&a, FIELD_IN_PORT_OXM, 1);
    match_set_u64(&b, FIELD_ETH_TYPE, 0x800);
    assert_true(match_is_inside(&a, &all));
    assert_false(match_is_inside(&all, &a));
    assert_true(match_overlaps(&a, &b));
    match_set_u64(&b, FIELD_IN_PORT_OXM, 2);
    assert_false(match_overlaps(&a, &b));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_reads_back_what_was_written),
        cmocka_unit_test(a_mask_has_none_some_or_all_bits_of_a_field),
        cmocka_unit_test(a_masked_condition_keeps_the_bits_that_matter),
        cmocka_unit_test(fields_are_found_by_name_and_alias),
        cmocka_unit_test(an_xreg_is_two_regs),
        cmocka_unit_test(a_subfield_moves_bits_between_fields),
        cmocka_unit_test(a_subfield_is_a_range_of_the_flows_bits),
        cmocka_unit_test(a_field_is_set_under_a_mask),
        cmocka_unit_test(subfields_of_two_fields_are_more_than_bits),
        cmocka_unit_test(a_packet_type_is_read_of_two_places),
        cmocka_unit_test(prerequisites_look_at_value_and_mask),
        cmocka_unit_test(matches_nest_and_overlap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
