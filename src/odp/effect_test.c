#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "odp/effect.h"
#include "odp/text.h"

/* Of what all of the cases are about: a packet of which these bits are known. */
static const char packet[] =
    "recirc_id(0),in_port(1),eth(dst=00:00:00:00:00:05),eth_type(0x0800),"
    "ipv4(src=10.0.0.1/255.255.255.0,proto=17,ttl=64,frag=no),udp(dst=53)";

static const struct {
    const char *a, *b;
    bool same;
} cases[] = {
    { "2", "2", true },
    { "2", "3", false },
    { "2", "2,3", false },
    { "drop", "drop", true },
    { "drop", "2", false },
    /* Bits that the packet has already. */
    { "set(eth(dst=00:00:00:00:00:05)),2", "2", true },
    { "set(ipv4(src=10.0.0.9,ttl=64)),2", "set(ipv4(src=0.0.0.9/0.0.0.255)),2", true },
    { "set(ipv4(src=10.0.1.9)),2", "set(ipv4(src=0.0.0.9/0.0.0.255)),2", false },
    { "set(eth(dst=00:00:00:00:00:06)),2", "2", false },
    /* Bits of which nothing is known. */
    { "set(eth(src=00:00:00:00:00:05)),2", "2", false },
    { "set(ipv4(src=0.0.0.9/0.0.0.255)),2", "set(ipv4(src=0.0.0.9/0.0.0.15)),2", false },
    { "set(udp(src=0)),2", "2", false },
    /* The order of sets, and what later ones take back. */
    { "set(eth(dst=00:00:00:00:00:06)),set(udp(dst=54)),2", "set(udp(dst=54)),set(eth(dst=00:00:00:00:00:06)),2",
      true },
    { "set(udp(dst=54)),set(udp(dst=53)),2", "2", true },
    { "set(udp(dst=54)),2,set(udp(dst=53)),3", "2,set(udp(dst=53)),3", false },
    { "set(udp(dst=54)),2,set(udp(dst=53)),3", "set(udp(dst=54)),2,set(udp(dst=53)),3", true },
    /* What was set is known, until something may have changed it. */
    { "set(eth(src=00:00:00:00:00:05)),2,set(eth(src=00:00:00:00:00:05)),3", "set(eth(src=00:00:00:00:00:05)),2,3",
      true },
    { "push_vlan(vid=5,pcp=0),set(udp(dst=53)),2", "push_vlan(vid=5,pcp=0),2", true },
    { "push_vlan(vid=5,pcp=0),2", "push_vlan(vid=6,pcp=0),2", false },
    { "ct(nat),set(udp(dst=53)),2", "ct(nat),2", false },
    { "pop_vlan,set(vlan(vid=5,pcp=0)),2", "pop_vlan,2", false },
    /* Nested lists. */
    { "clone(set(udp(dst=54)),2),3", "clone(set(udp(dst=54)),2),3", true },
    { "clone(set(udp(dst=54)),2),3", "clone(2),3", false },
    /* A clone leaves the packet as it is. */
    { "clone(set(udp(dst=54)),2),set(udp(dst=53)),3", "clone(set(udp(dst=54)),2),3", true },
};

static void
parse(const char *text, struct bytes *b)
{
    bytes_clear(b);
    assert_null(odp_actions_parse(text, NULL, b));
}

static void
lists_are_compared_by_what_they_do_to_a_packet(void **state UNUSED)
{
    struct bytes a = BYTES_INIT, b = BYTES_INIT;
    struct flow key, mask;

    assert_null(odp_flow_parse(packet, NULL, &key, &mask));
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        parse(cases[i].a, &a);
        parse(cases[i].b, &b);
        for (int swap = 0; swap < 2; swap++) {
            const struct bytes *x = swap ? &b : &a, *y = swap ? &a : &b;

            if (odp_same_effect(x->data, x->len, y->data, y->len, &key, &mask) != cases[i].same) {
                fail_msg("%s and %s: not %s", cases[i].a, cases[i].b, cases[i].same ? "the same" : "different");
            }
        }
    }
    bytes_uninit(&a);
    bytes_uninit(&b);
}

static void
without_a_mask_nothing_is_known(void **state UNUSED)
{
    struct bytes a = BYTES_INIT, b = BYTES_INIT;
    struct flow key, mask;

    assert_null(odp_flow_parse(packet, NULL, &key, &mask));
    memset(&mask, 0, sizeof mask);
    parse("set(udp(dst=53)),2", &a);
    parse("2", &b);
    assert_false(odp_same_effect(a.data, a.len, b.data, b.len, &key, &mask));
    bytes_uninit(&a);
    bytes_uninit(&b);
}

static void
a_malformed_list_is_the_same_as_no_other(void **state UNUSED)
{
    struct bytes a = BYTES_INIT;
    struct flow key = { 0 }, mask = { 0 };

    parse("2,3", &a);
    assert_false(odp_same_effect(a.data, a.len - 1, a.data, a.len - 1, &key, &mask));
    assert_false(odp_same_effect(a.data, a.len - 1, a.data, a.len, &key, &mask));
    bytes_uninit(&a);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_are_compared_by_what_they_do_to_a_packet),
        cmocka_unit_test(without_a_mask_nothing_is_known),
        cmocka_unit_test(a_malformed_list_is_the_same_as_no_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
