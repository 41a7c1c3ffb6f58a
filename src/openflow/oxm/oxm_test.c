#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

#include "base/random.h"
#include "flow/match_text.h"
#include "openflow/oxm/registry.h"
#include "openflow/protocol.h"

static void
every_number_leads_to_its_field(void **state UNUSED)
{
    for (const struct field *f = fields; f < fields + FIELD_N; f++) {
        const struct oxm_row *row = oxm_row_first(f);

        if (row) {
            assert_int_equal(oxm_row_by_number(row->class, row->number, row->experimenter)->field, f->id);
            assert_ptr_equal(oxm_field_by_name(row->name, strlen(row->name)), f);
        }
    }
}

static void
the_newest_number_of_a_version_is_sent(void **state UNUSED)
{
    assert_string_equal(oxm_name(field_of(FIELD_TCP_FLAGS), OF10), "NXM_NX_TCP_FLAGS");
    assert_string_equal(oxm_name(field_of(FIELD_TCP_FLAGS), OF13), "ONFOXM_ET_TCP_FLAGS");
    assert_string_equal(oxm_name(field_of(FIELD_TCP_FLAGS), OF15), "OXM_OF_TCP_FLAGS");
    assert_string_equal(oxm_name(field_of(FIELD_METADATA), OF10), "OXM_OF_METADATA");
    assert_string_equal(oxm_text_name(field_of(FIELD_ETH_SRC)), "NXM_OF_ETH_SRC");
    assert_int_equal(oxm_header32(field_of(FIELD_REG17), OF10), 0);
    assert_int_equal(oxm_header_size(field_of(FIELD_REG17), OF10), 8);
}

/* Random matches of fields without prerequisites survive each version. */
static void
random_matches_come_back(void **state UNUSED)
{
    struct random r;

    random_seed(&r, 11);
    for (int round = 0; round < 2000; round++) {
        enum of_version v = OF10 + random_u64(&r) % 6;
        struct bytes b = BYTES_INIT;
        struct match m, again;

        match_init_catchall(&m);
        for (int i = 0; i < 5; i++) {
            const struct field *f = &fields[random_u64(&r) % FIELD_N];
            union field_value x, mask, ones;

            field_value_all_ones(f, &ones);
            for (size_t k = 0; k < sizeof x; k++) {
                x.bytes[k] = random_u64(&r) & ones.bytes[k];
                mask.bytes[k] = f->maskable ? random_u64(&r) : 0xff;
            }
            if (f->prereq == PREREQ_NONE && oxm_row_first(f) && f->format != FORMAT_PORT10 &&
                f->format != FORMAT_PORT && f->format != FORMAT_PACKET_TYPE) {
                match_set_field(&m, f, &x, &mask);
            }
        }
        oxm_encode_match(&m, v, NULL, &b);
        assert_int_equal(oxm_decode_match(b.data, b.len, OXM_STRICT, &again, NULL), OFPERR_NONE);
        assert_true(match_equal(&m, &again));
        bytes_uninit(&b);
    }
}

static void
a_match_structure_is_padded_and_counted_without(void **state UNUSED)
{
    struct bytes b = BYTES_INIT;
    struct match m, again;
    struct cursor c;

    match_init_catchall(&m);
    match_set_u64(&m, FIELD_IN_PORT_OXM, 5);
    oxm_put_match_struct(&b, &m, OF13);
    assert_int_equal(b.len, 16);
    assert_int_equal(get_be16(b.data + 2), 12);
    c = cursor_make(b.data, b.len);
    assert_int_equal(oxm_take_match_struct(&c, OXM_STRICT, &again), OFPERR_NONE);
    assert_int_equal(c.left, 0);
    assert_true(match_equal(&m, &again));
    for (size_t n = 0; n < b.len; n++) {
        c = cursor_make(b.data, n);
        assert_int_equal(oxm_take_match_struct(&c, OXM_STRICT, &again), OFPERR_OFPBMC_BAD_LEN);
    }
    bytes_uninit(&b);
}

static void
a_cookie_travels_beside_the_match(void **state UNUSED)
{
    const struct oxm_cookie cookie = { 0x1234, 0xffff };
    struct oxm_cookie again;
    struct bytes b = BYTES_INIT;
    struct match m;

    match_init_catchall(&m);
    oxm_encode_match(&m, OF10, &cookie, &b);
    assert_int_equal(oxm_decode_match(b.data, b.len, OXM_STRICT, &m, &again), OFPERR_NONE);
    assert_true(again.value == cookie.value && again.mask == cookie.mask);
    assert_int_equal(oxm_decode_match(b.data, b.len, OXM_STRICT, &m, NULL), OFPERR_OFPBMC_BAD_FIELD);
    bytes_uninit(&b);
}

static void
masks_decide_which_protocols_can_say_it(void **state UNUSED)
{
    const struct field *ip = field_of(FIELD_IP_SRC);
    union field_value mask;

    field_value_from_u64(ip, 0xffffff00, &mask);
    assert_int_equal(oxm_match_protocols(ip, &mask), PROTO_ANY);
    field_value_from_u64(ip, 0xff00ff00, &mask);
    assert_int_equal(oxm_match_protocols(ip, &mask), PROTO_NXM_OXM_ANY | PROTO_OF11);
    field_value_all_ones(field_of(FIELD_REG0), &mask);
    assert_int_equal(oxm_match_protocols(field_of(FIELD_REG0), &mask), PROTO_NXM_OXM_ANY);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_number_leads_to_its_field),
        cmocka_unit_test(the_newest_number_of_a_version_is_sent),
        cmocka_unit_test(random_matches_come_back),
        cmocka_unit_test(a_match_structure_is_padded_and_counted_without),
        cmocka_unit_test(a_cookie_travels_beside_the_match),
        cmocka_unit_test(masks_decide_which_protocols_can_say_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
