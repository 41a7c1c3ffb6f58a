#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "openflow/error.h"
#include "openflow/port.h"
#include "openflow/protocol.h"

static void
every_code_decodes_to_an_error_with_that_code(void **state UNUSED)
{
    for (enum ofperr e = 1; e < OFPERR_N; e++) {
        bool anywhere = false;

        for (enum of_version v = OF10; v <= OF15; v++) {
            struct ofperr_code code, again;
            enum ofperr back;

            if (ofperr_encode(e, v, &code)) {
                anywhere = true;
                back = ofperr_decode(v, &code);
                assert_true(ofperr_encode(back, v, &again));
                assert_memory_equal(&code, &again, sizeof code);
            }
        }
        assert_true(anywhere);
        assert_int_equal(ofperr_by_name(ofperr_name(e)), e);
    }
}

static void
an_error_has_the_numbers_of_its_version(void **state UNUSED)
{
    struct ofperr_code code;

    assert_true(ofperr_encode(OFPERR_OFPBRC_BAD_TABLE_ID, OF10, &code));
    assert_int_equal(code.vendor, OF_VENDOR_NX);
    assert_int_equal(code.type, 1);
    assert_int_equal(code.code, 512);
    assert_true(ofperr_encode(OFPERR_OFPBRC_BAD_TABLE_ID, OF13, &code));
    assert_int_equal(code.vendor, 0);
    assert_int_equal(code.code, 9);
    assert_false(ofperr_encode(OFPERR_OFPMMFC_UNKNOWN, OF10, &code));
}

static void
sets_of_protocols_are_named_by_groups(void **state UNUSED)
{
    struct str s = STR_INIT;
    char *bad;

    proto_put_set(&s, PROTO_NXM_OXM_ANY);
    assert_string_equal(str_text(&s), "NXM,OXM");
    str_clear(&s);
    proto_put_set(&s, PROTO_ANY);
    assert_string_equal(str_text(&s), "any");
    str_clear(&s);
    proto_put_set(&s, PROTO_OF10_TID | PROTO_OF11_UP);
    assert_string_equal(str_text(&s), "OXM,OpenFlow10+table_id,OpenFlow11");
    str_uninit(&s);
    assert_int_equal(proto_parse_set("nxm,OpenFlow11", &bad), PROTO_OF10_NXM_ANY | PROTO_OF11);
    assert_null(bad);
}

static void
ports_of_16_bits_map_to_32(void **state UNUSED)
{
    ofp_port p;

    assert_true(ofp_port_from_u16(0xfffe) == OFPP_LOCAL);
    assert_int_equal(ofp_port_to_u16(OFPP_IN_PORT), 0xfff8);
    assert_int_equal(ofp_port_from_wire32(0xff00, &p), OFPERR_OFPBAC_BAD_OUT_PORT);
    assert_int_equal(ofp_port_from_wire32(0xfffffffd, &p), OFPERR_NONE);
    assert_true(ofp_port_parse("65534", NULL, &p));
    assert_true(p == OFPP_LOCAL);
    assert_false(ofp_port_parse("eth0", NULL, &p));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_decodes_to_an_error_with_that_code),
        cmocka_unit_test(an_error_has_the_numbers_of_its_version),
        cmocka_unit_test(sets_of_protocols_are_named_by_groups),
        cmocka_unit_test(ports_of_16_bits_map_to_32),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
