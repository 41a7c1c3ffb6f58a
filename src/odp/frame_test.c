/* A frame composed of one flow, changed by the committed difference to another, is the frame composed of the other. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/random.h"
#include "flow/compose.h"
#include "flow/extract.h"
#include "odp/commit.h"
#include "odp/frame.h"
#include "odp/text.h"

static struct eth_addr
random_mac(struct random *r)
{
    return eth_addr_from_u64(UINT64_C(0x020000000000) | random_below(r, 1 << 24));
}

static void
random_ipv6(struct random *r, struct ipv6_addr *ip)
{
    for (int i = 0; i < 16; i++) {
        ip->s6[i] = random_u64(r);
    }
}

/* ICMP messages other than echo and neighbour discovery, which have more in them. */
static void
random_ports(struct random *r, struct flow *f)
{
    bool is_icmp = f->nw_proto == 1 || f->nw_proto == 58;

    f->tp_src = cpu_to_be16(is_icmp ? 40 + random_below(r, 80) : random_u64(r));
    f->tp_dst = cpu_to_be16(is_icmp ? random_below(r, 200) : random_u64(r));
}

/* Values that a set may change. */
static void
random_values(struct random *r, struct flow *f)
{
    f->eth_src = random_mac(r);
    f->eth_dst = random_mac(r);
    if (flow_is_ip(f) || f->eth_type == BE16(0x0806)) {
        f->nw_src = (be32) random_u64(r);
        f->nw_dst = (be32) random_u64(r);
    }
    if (f->eth_type == BE16(0x86dd)) {
        f->nw_src = f->nw_dst = 0;
        random_ipv6(r, &f->ipv6_src);
        random_ipv6(r, &f->ipv6_dst);
        f->ipv6_label = cpu_to_be32(random_below(r, 1 << 20));
    }
    if (flow_is_ip(f)) {
        f->nw_tos = random_u64(r);
        f->nw_ttl = random_u64(r);
        random_ports(r, f);
    } else if (f->eth_type == BE16(0x0806)) {
        f->nw_proto = 1 + random_below(r, 2);
        f->arp_sha = random_mac(r);
        f->arp_tha = random_mac(r);
    } else if (f->eth_type == BE16(0x8847)) {
        f->mpls_lse[0] = cpu_to_be32((random_u64(r) & 0xfffffeff) | 0x100);
    }
}

static void
random_tags(struct random *r, struct flow *f)
{
    f->vlan_tci = f->vlan_tpid = f->vlan2_tci = f->vlan2_tpid = 0;
    if (random_below(r, 2)) {
        f->vlan_tci = cpu_to_be16(VLAN_PRESENT | (random_u64(r) & 0xefff));
        f->vlan_tpid = random_below(r, 2) ? BE16(0x8100) : BE16(0x88a8);
        if (random_below(r, 2)) {
            f->vlan2_tci = cpu_to_be16(VLAN_PRESENT | (random_u64(r) & 0xefff));
            f->vlan2_tpid = BE16(0x8100);
        }
    }
}

static void
random_flow(struct random *r, struct flow *f)
{
    static const uint16_t types[] = { 0x0800, 0x0800, 0x86dd, 0x0806, 0x8847, 0x1234 };
    static const uint8_t v4_protos[] = { 1, 6, 17, 132, 99 }, v6_protos[] = { 58, 6, 17, 132, 99 };

    memset(f, 0, sizeof *f);
    f->eth_type = cpu_to_be16(types[random_below(r, ARRAY_SIZE(types))]);
    if (flow_is_ip(f)) {
        f->nw_proto = (f->eth_type == BE16(0x0800) ? v4_protos : v6_protos)[random_below(r, ARRAY_SIZE(v4_protos))];
    }
    random_values(r, f);
    random_tags(r, f);
}

static void
check(const struct flow *before, const struct flow *after)
{
    struct bytes frame = BYTES_INIT, expected = BYTES_INIT, actions = BYTES_INIT;
    struct odp_base base = { .flow = *before };
    struct odp_below below = { .n = 0 };
    struct flow wc;
    static const uint8_t l7[64] = { 1, 2, 3 };

    memset(&wc, 0, sizeof wc);
    odp_commit(after, &below, &base, &wc, &actions);
    flow_compose(before, l7, sizeof l7, false, &frame);
    flow_compose(after, l7, sizeof l7, false, &expected);
    odp_apply_to_frame(&frame, actions.data, actions.len);
    if (frame.len != expected.len || memcmp(frame.data, expected.data, frame.len)) {
        struct str s = STR_INIT;

        odp_flow_format(&s, before, NULL, NULL, false);
        str_puts(&s, " -> ");
        odp_actions_format(&s, actions.data, actions.len, NULL);
        str_puts(&s, "\nexpected ");
        str_put_hex(&s, expected.data, expected.len);
        str_puts(&s, "\ngot      ");
        str_put_hex(&s, frame.data, frame.len);
        fprintf(stderr, "%s\n", str_text(&s));
        str_uninit(&s);
        fail_msg("frames differ");
    }
    bytes_uninit(&frame);
    bytes_uninit(&expected);
    bytes_uninit(&actions);
}

static void
committed_changes_make_the_frame_of_the_other_flow(void **state UNUSED)
{
    struct random r;

    random_seed(&r, 3);
    for (int i = 0; i < 20000; i++) {
        struct flow before, after;

        random_flow(&r, &before);
        after = before;
        random_values(&r, &after);
        if (random_below(&r, 2)) {
            random_tags(&r, &after);
        }
        if (random_below(&r, 4) == 0) {
            after.nw_ttl = before.nw_ttl;
            after.eth_src = before.eth_src;
        }
        check(&before, &after);
    }
}

static void
labels_go_on_and_off_again(void **state UNUSED)
{
    struct bytes frame = BYTES_INIT, original = BYTES_INIT, actions = BYTES_INIT;
    struct error *e = odp_actions_parse("push_mpls(label=5,tc=1,ttl=7,bos=1,eth_type=0x8847),pop_mpls(eth_type=0x800),"
                                        "push_vlan(vid=5,pcp=1),push_mpls(label=5,tc=1,ttl=7,bos=1,eth_type=0x8847),"
                                        "pop_vlan,pop_mpls(eth_type=0x800)", NULL, &actions);
    struct random r;
    struct flow flow;

    assert_null(e);
    random_seed(&r, 9);
    do {
        random_flow(&r, &flow);
    } while (flow.eth_type != BE16(0x0800) || flow.vlan2_tci);
    flow_compose_default(&flow, &frame);
    bytes_put(&original, frame.data, frame.len);
    odp_apply_to_frame(&frame, actions.data, actions.len);
    assert_int_equal(frame.len, original.len);
    assert_memory_equal(frame.data, original.data, frame.len);
    bytes_uninit(&frame);
    bytes_uninit(&original);
    bytes_uninit(&actions);
}

static void
short_frames_are_left_alone(void **state UNUSED)
{
    static const char text[] = "set(eth(src=00:00:00:00:00:01)),set(ipv4(ttl=5)),set(ipv6(hlimit=1)),set(tcp(src=5)),"
                               "set(nd(target=::1,sll=00:00:00:00:00:01)),set(arp(op=2)),set(icmp(type=1)),pop_vlan,"
                               "set(mpls(label=1,tc=0,ttl=1,bos=1)),pop_mpls(eth_type=0x800),push_vlan(vid=1,pcp=1)";
    struct bytes actions = BYTES_INIT;
    struct random r;
    struct flow flow;

    assert_null(odp_actions_parse(text, NULL, &actions));
    random_seed(&r, 7);
    for (int i = 0; i < 3000; i++) {
        struct bytes frame = BYTES_INIT, exact = BYTES_INIT;

        random_flow(&r, &flow);
        flow_compose_default(&flow, &frame);
        bytes_put(&exact, frame.data, random_below(&r, frame.len + 1));
        odp_apply_to_frame(&exact, actions.data, actions.len);
        bytes_uninit(&frame);
        bytes_uninit(&exact);
    }
    bytes_uninit(&actions);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(committed_changes_make_the_frame_of_the_other_flow),
        cmocka_unit_test(labels_go_on_and_off_again),
        cmocka_unit_test(short_frames_are_left_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
