#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "base/random.h"
#include "flow/extract.h"
#include "flow/field.h"
#include "netdev/dpdk_flow.h"

#include "classify.h"

enum { FRAME = 128, ROUNDS = 20000, FRAMES = 64 };

static struct random rng;

static uint32_t
pick(uint32_t n)
{
    return random_u64(&rng) % n;
}

/* --- Frames of few values, so that many of them are alike --- */

static size_t
put_ports(uint8_t *p, uint8_t proto)
{
    size_t n = proto == 6 ? 20 : proto == 132 ? 12 : 8;

    memset(p, 0, 32);
    p[1] = pick(2);
    p[3] = pick(2);
    if (proto == 1 || proto == 58) {
        p[0] = proto == 1 ? pick(2) * 8 : 128 + pick(10);
        p[1] = pick(2);
        n = proto == 58 ? 24 : 8;
    } else if (proto == 6) {
        p[12] = 0x50 | pick(2);
        p[13] = pick(4);
    } else if (proto == 17) {
        p[5] = n;
    }
    return n;
}

static size_t
put_ipv4(uint8_t *p)
{
    static const uint8_t protos[] = { 1, 2, 6, 17, 47, 132 };
    uint8_t proto = protos[pick(sizeof protos)];
    size_t n;

    memset(p, 0, 20);
    p[0] = 0x45;
    p[1] = pick(2) * 0x11;
    p[6] = pick(4) ? 0x40 : pick(2) * 0x20;
    p[7] = pick(4) ? 0 : 3;
    p[8] = 64 - pick(2);
    p[9] = proto;
    p[12] = p[16] = 10;
    p[15] = pick(3);
    p[19] = pick(3);
    n = 20 + put_ports(p + 20, proto);
    p[3] = n;
    return n;
}

static size_t
put_ipv6(uint8_t *p)
{
    static const uint8_t protos[] = { 6, 17, 47, 58, 132, 44 };
    uint8_t proto = protos[pick(sizeof protos)];
    size_t n;

    memset(p, 0, 40);
    p[0] = 0x60 | pick(2);
    p[1] = pick(2) * 0x15;
    p[3] = pick(2);
    p[6] = proto;
    p[7] = 64 - pick(2);
    p[8] = p[24] = 0xfd;
    p[23] = pick(3);
    p[39] = pick(3);
    if (proto == 44) {
        memset(p + 40, 0, 8);
        p[40] = 17;
        p[43] = pick(2) ? 8 : 1;
        n = 8 + put_ports(p + 48, 17);
    } else {
        n = put_ports(p + 40, proto);
    }
    p[5] = n;
    return 40 + n;
}

static size_t
make_frame(uint8_t frame[FRAME])
{
    static const uint16_t types[] = { 0x0800, 0x0800, 0x0800, 0x86dd, 0x86dd, 0x0806, 0x88b5, 0x8847, 0x0010 };
    uint16_t type = types[pick(ARRAY_SIZE(types))];
    uint8_t *p = frame + 12;

    memset(frame, 0, FRAME);
    frame[0] = frame[6] = 2;
    frame[5] = pick(3);
    frame[11] = pick(2);
    for (unsigned int n = pick(4) ? pick(2) : 2; n; n--) {
        put_be16(p, pick(4) ? 0x8100 : 0x88a8);
        put_be16(p + 2, pick(2) << 13 | pick(3));
        p += 4;
    }
    put_be16(p, type);
    p += 2;
    p += type == 0x0800 ? put_ipv4(p) : type == 0x86dd ? put_ipv6(p) : 28;
    return MAX(p - frame, 60);
}

static size_t
make_flow(struct flow *key, uint8_t frame[FRAME])
{
    const struct flow md = { .in_port = BE32(7) };
    struct flow_offsets offsets;
    size_t n = make_frame(frame);

    flow_extract_full(frame, n, &md, key, &offsets);
    return n;
}

/* What most megaflows match, and any of the other fields. */
static void
make_mask(struct flow *mask)
{
    static const char *const names[] = {
        "dl_src", "dl_dst", "nw_src", "nw_dst", "nw_proto", "nw_tos", "nw_ttl", "tp_src", "tp_dst", "tcp_flags",
        "ipv6_src", "ipv6_dst", "ipv6_label", "nd_target", "ct_state", "ct_mark", "vlan_tci", "pkt_mark", "dl_vlan",
    };

    memset(mask, 0, sizeof *mask);
    mask->in_port = mask->recirc_id = BE32_MAX;
    mask->eth_type = pick(8) ? BE16_MAX : BE16(pick(2) * 0xff00);
    mask->nw_frag = pick(4) ? 0xff : pick(4);
    mask->nw_proto = pick(3) ? 0xff : 0;
    mask->vlan_tci = pick(2) ? BE16(VLAN_PRESENT | pick(0x10000)) : BE16(0);
    mask->vlan_tpid = pick(2) ? BE16_MAX : BE16(0);
    for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
        const struct field *f = pick(5) ? NULL : field_by_name(names[i]);

        if (f) {
            field_set_ones(f, mask);
        }
    }
    if (!pick(8)) {
        mask->tp_dst = BE16(0xfffe);
        mask->nw_src = BE32(0xffffff00);
        mask->tcp_flags = BE16(pick(0x1000));
    }
    if (!pick(20)) {
        memset(&mask->lines[0], 0xff, sizeof mask->lines[0]);
    }
}

static bool
covers(const struct pattern *p, const uint8_t *frame, size_t n)
{
    struct header h[MAX_ITEMS];
    unsigned int n_headers = frame_headers(frame, n, h);

    return pattern_covers(p, h, n_headers);
}

static size_t
first_difference(const struct flow *a, const struct flow *b, const struct flow *mask)
{
    const uint8_t *x = (const uint8_t *) a, *y = (const uint8_t *) b, *m = (const uint8_t *) mask;
    size_t i = 0;

    while (!((x[i] ^ y[i]) & m[i])) {
        i++;
    }
    return i;
}

static unsigned int n_covered, n_said;

static void
one_round(void)
{
    struct dpdk_flow_pattern made;
    struct pattern p;
    uint8_t frame[FRAME];
    struct flow key, mask, other;
    size_t n = make_flow(&key, frame);

    make_mask(&mask);
    if (dpdk_flow_pattern_make(&made, &key, &mask)) {
        return;
    }
    n_said++;
    assert_null(pattern_read(&p, made.items));
    n_covered += covers(&p, frame, n);
    for (int i = 0; i < FRAMES; i++) {
        n = make_flow(&other, frame);
        if (covers(&p, frame, n) && !flow_equal_masked(&key, &other, &mask)) {
            fail_msg("byte %zu of the key differs", first_difference(&key, &other, &mask));
        }
    }
}

static void
a_rule_never_covers_what_the_megaflow_does_not(void **state UNUSED)
{
    random_seed(&rng, 1);
    flow_set_vlan_limit(1);
    n_said = n_covered = 0;
    for (int i = 0; i < ROUNDS; i++) {
        flow_set_vlan_limit(1 + i % 2);
        one_round();
    }
    flow_set_vlan_limit(1);
    assert_true(n_said > ROUNDS / 4);
    assert_true(n_covered > n_said / 2); /* And mostly the packet that it was made for. */
}

/* --- What is said --- */

static struct flow
udp_key(void)
{
    return (struct flow) {
        .in_port = BE32(1), .eth_type = BE16(0x0800), .nw_proto = 17, .nw_src = BE32(0x0a000001),
        .tp_src = BE16(5), .tp_dst = BE16(53), .nw_ttl = 64,
    };
}

static struct flow
udp_mask(void)
{
    return (struct flow) {
        .in_port = BE32_MAX, .recirc_id = BE32_MAX, .eth_type = BE16_MAX, .nw_proto = 0xff, .nw_frag = 0xff,
        .nw_src = BE32(0xffff0000), .tp_dst = BE16(0xfffe), .packet_ns = 0xff,
    };
}

static void
a_match_has_an_item_for_each_header(void **state UNUSED)
{
    struct flow key = udp_key(), mask = udp_mask();
    struct dpdk_flow_pattern p;

    assert_null(dpdk_flow_pattern_make(&p, &key, &mask));
    assert_int_equal(p.n, 3);
    assert_int_equal(p.items[0].type, RTE_FLOW_ITEM_TYPE_ETH);
    assert_int_equal(p.eth[0].type, RTE_BE16(0x0800));
    assert_int_equal(p.eth[1].type, 0xffff);
    assert_int_equal(p.items[1].type, RTE_FLOW_ITEM_TYPE_IPV4);
    assert_int_equal(p.ipv4[0].hdr.src_addr, RTE_BE32(0x0a000000));
    assert_int_equal(p.ipv4[1].hdr.src_addr, RTE_BE32(0xffff0000));
    assert_int_equal(p.ipv4[0].hdr.fragment_offset, 0);
    assert_int_equal(p.ipv4[1].hdr.fragment_offset, RTE_BE16(0x3fff));
    assert_int_equal(p.ipv4[1].hdr.time_to_live, 0);
    assert_int_equal(p.items[2].type, RTE_FLOW_ITEM_TYPE_UDP);
    assert_int_equal(p.transport[0].udp.hdr.dst_port, RTE_BE16(52));
    assert_int_equal(p.transport[1].udp.hdr.dst_port, RTE_BE16(0xfffe));
    assert_int_equal(p.transport[1].udp.hdr.src_port, 0);
    assert_int_equal(p.items[3].type, RTE_FLOW_ITEM_TYPE_END);
}

static void
a_tag_is_an_item_without_the_bit_that_says_that_it_is_there(void **state UNUSED)
{
    struct flow key = udp_key(), mask = udp_mask();
    struct dpdk_flow_pattern p;

    key.vlan_tpid = BE16(0x8100);
    key.vlan_tci = BE16(0x7005);
    mask.vlan_tci = BE16(0xffff);
    mask.vlan_tpid = BE16_MAX;
    assert_null(dpdk_flow_pattern_make(&p, &key, &mask));
    assert_int_equal(p.eth[0].type, RTE_BE16(0x8100));
    assert_int_equal(p.items[1].type, RTE_FLOW_ITEM_TYPE_VLAN);
    assert_int_equal(p.vlan[0].tci, RTE_BE16(0x6005));
    assert_int_equal(p.vlan[1].tci, RTE_BE16(0xefff));
    assert_int_equal(p.vlan[0].inner_type, RTE_BE16(0x0800));
}

static void
what_no_item_says_is_no_rule(void **state UNUSED)
{
    struct dpdk_flow_pattern p;
    struct flow key, mask;

#define CANNOT(CHANGE) \
    key = udp_key(); mask = udp_mask(); CHANGE; assert_non_null(dpdk_flow_pattern_make(&p, &key, &mask))
    CANNOT(key.recirc_id = BE32(1));
    CANNOT(key.ct_state = CT_TRK; mask.ct_state = CT_TRK);
    CANNOT(key.tun_id = BE64(1); mask.tun_id = BE64_MAX);
    CANNOT(key.nw_frag = FLOW_FRAG_ANY);
    CANNOT(key.nw_frag = FLOW_FRAG_ANY | FLOW_FRAG_LATER);
    CANNOT(mask.nw_proto = 0); /* Whose ports? */
    CANNOT(key.eth_type = BE16(0x0806); key.nw_proto = 1);
    CANNOT(key.eth_type = BE16(0x8847));
    CANNOT(key.eth_type = BE16(0x05ff));
    CANNOT(key.packet_ns = 1);
    CANNOT(key.vlan2_tci = BE16(0x1005); mask.vlan2_tci = BE16_MAX);
    CANNOT(mask.eth_type = BE16(0xff00));
#undef CANNOT
    key = udp_key();
    mask = udp_mask();
    mask.ct_state = CT_TRK; /* That no packet of a device has been tracked needs no saying. */
    mask.tun_id = BE64_MAX;
    assert_null(dpdk_flow_pattern_make(&p, &key, &mask));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_match_has_an_item_for_each_header),
        cmocka_unit_test(a_tag_is_an_item_without_the_bit_that_says_that_it_is_there),
        cmocka_unit_test(what_no_item_says_is_no_rule),
        cmocka_unit_test(a_rule_never_covers_what_the_megaflow_does_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
