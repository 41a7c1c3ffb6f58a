#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

#include "flow/match_text.h"

/* Two ports with names. */
static const char *
test_name(const struct port_names *n UNUSED, ofp_port port)
{
    return port == OFP_PORT(1) ? "eth0" : port == OFP_PORT(2) ? "a port" : NULL;
}

static bool
test_find(const struct port_names *n UNUSED, const char *name, ofp_port *port)
{
    *port = OFP_PORT(!strcmp(name, "eth0") ? 1 : 2);
    return !strcmp(name, "eth0") || !strcmp(name, "a port");
}

static const struct port_names test_names = { test_name, test_find };

/* Adds "NAME=VALUE" and checks how the match reads then. */
static void
check(const char *name, const char *value, const char *expected)
{
    union field_value mask;
    struct str s = STR_INIT;
    struct error *e;
    struct match m;

    match_init_catchall(&m);
    e = match_parse_field(&m, field_by_name(name), value, &test_names, &mask);
    if (e) {
        str_puts(&s, error_text(e));
        error_free(e);
    } else {
        match_format(&s, &m, &test_names, MATCH_DEFAULT_PRIORITY);
    }
    assert_string_equal(str_text(&s), expected);
    str_uninit(&s);
}

static void
ports_have_names(void **state UNUSED)
{
    check("in_port", "eth0", "in_port=eth0");
    check("in_port", "\"a port\"", "in_port=\"a port\"");
    check("in_port", "3", "in_port=3");
    check("in_port", "local", "in_port=LOCAL");
    check("in_port", "eth1", "eth1: invalid or unknown port for in_port");
}

static void
options_are_as_long_as_their_text(void **state UNUSED)
{
    check("tun_metadata0", "0x00001234", "tun_metadata0=0x1234");
    check("tun_metadata7", "0", "tun_metadata7=0");
    check("tun_metadata63", "0x1ff/0xf", "tun_metadata63=0xf/0xf");
    check("tun_metadata63", "5/0xff", "tun_metadata63=0x5/0xff");
    check("tun_metadata1", "0/0", "tun_metadata1");
    check("tun_metadata1", "*", "tun_metadata1");
    check("tun_metadata1", "5/x", "5/x: bad syntax for tun_metadata1 mask");
}

static void
a_vlan_id_implies_a_tag(void **state UNUSED)
{
    check("dl_vlan", "5", "dl_vlan=5");
    check("dl_vlan", "0xffff", "vlan_tci=0x0000");
    check("dl_vlan_pcp", "3", "dl_vlan_pcp=3");
    check("vlan_tci", "0x1000/0x1000", "vlan_tci=0x1000/0x1000");
}

static void
wrong_values_are_refused_with_the_reason(void **state UNUSED)
{
    check("reg0", "4294967296", "4294967296: value too large for 4-byte field reg0");
    check("nw_proto", "6/3", "6/3: invalid mask for field nw_proto");
    check("ip_frag", "maybe", "maybe: unknown fragment type (valid types are \"no\", \"yes\", \"first\", \"later\", "
                              "\"not_later\"");
    check("packet_type", "(7,1)", "(7,1): no packet can have this packet type");
}

static void
what_lacks_its_prerequisite_is_dropped(void **state UNUSED)
{
    struct match m;

    match_init_catchall(&m);
    match_set_u64(&m, FIELD_TCP_DST, 80);
    match_set_u64(&m, FIELD_REG1, 7);
    assert_true(match_drop_unmet(&m, NULL));
    assert_false(m.mask.tp_dst);
    assert_true(m.mask.regs[1] == BE32_MAX);
    assert_false(match_drop_unmet(&m, NULL));

    assert_true(match_parse_shorthand(&m, "tcp"));
    match_set_u64(&m, FIELD_TCP_DST, 80);
    assert_false(match_drop_unmet(&m, NULL));
    assert_false(match_parse_shorthand(&m, "tcp7"));
}

static void
writing_the_lower_half_of_a_port_sets_the_upper(void **state UNUSED)
{
    const struct subfield all = { field_of(FIELD_IN_PORT), 0, 16 };
    struct flow flow;

    memset(&flow, 0, sizeof flow);
    subfield_set_u64(&all, &flow, 0xfffe);
    assert_int_equal(be32_to_cpu(flow.in_port), 0xfffffffe);
    assert_int_equal(subfield_get_u64(&all, &flow), 0xfffe);
    subfield_set_u64(&all, &flow, 7);
    assert_int_equal(be32_to_cpu(flow.in_port), 7);
}

static void
an_opcode_of_sixteen_bits_does_not_spill(void **state UNUSED)
{
    const struct subfield op = { field_of(FIELD_ARP_OP), 0, 16 };
    struct flow flow;

    memset(&flow, 0, sizeof flow);
    flow.nw_frag = 3;
    subfield_set_u64(&op, &flow, 0x102);
    assert_int_equal(flow.nw_proto, 2);
    assert_int_equal(flow.nw_frag, 3);
    assert_int_equal(subfield_get_u64(&op, &flow), 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ports_have_names),
        cmocka_unit_test(options_are_as_long_as_their_text),
        cmocka_unit_test(a_vlan_id_implies_a_tag),
        cmocka_unit_test(wrong_values_are_refused_with_the_reason),
        cmocka_unit_test(what_lacks_its_prerequisite_is_dropped),
        cmocka_unit_test(writing_the_lower_half_of_a_port_sets_the_upper),
        cmocka_unit_test(an_opcode_of_sixteen_bits_does_not_spill),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
