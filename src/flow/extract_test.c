#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/random.h"
#include "flow/compose.h"
#include "flow/extract.h"
#include "flow/field.h"
#include "packet/headers.h"

/* Extracts from a copy of exactly 'n' bytes, so that AddressSanitizer sees every byte read beyond. */
static uint16_t
extract_exactly(const void *frame, size_t n, const struct flow *md, struct flow *out, struct flow_offsets *offsets)
{
    uint8_t *copy = malloc(n ? n : 1);
    uint16_t lines;

    memcpy(copy, frame, n);
    lines = flow_extract_full(n ? copy : copy + 1, n, md, out, offsets);
    free(copy);
    return lines;
}

static struct flow
hex_flow(const char *hex, struct flow_offsets *offsets)
{
    struct bytes b = BYTES_INIT;
    struct flow flow;

    bytes_put_from_hex(&b, hex);
    extract_exactly(b.data, b.len, NULL, &flow, offsets);
    bytes_uninit(&b);
    return flow;
}

#define ETH "112233445566 778899aabbcc "
#define IP4(PROTO, LEN, FRAG) "4500" LEN "0000" FRAG "40" PROTO "0000 0a000001 0a000002 "

static void
tcp_over_ipv4(void **state UNUSED)
{
    struct flow_offsets o;
    struct flow f =
        hex_flow(ETH "0800 " IP4("06", "0028", "4000") "0050 1f90 00000001 00000002 5012 ffff 0000 0000", &o);

    assert_int_equal(f.eth_type, BE16(ETH_TYPE_IP));
    assert_int_equal(f.nw_proto, 6);
    assert_int_equal(f.nw_ttl, 64);
    assert_int_equal(f.nw_src, BE32(0x0a000001));
    assert_int_equal(f.tp_src, BE16(80));
    assert_int_equal(f.tp_dst, BE16(8080));
    assert_int_equal(f.tcp_flags, BE16(0x012));
    assert_int_equal(o.l3, 14);
    assert_int_equal(o.l4, 34);
}

static void
tags_are_taken_and_a_third_is_payload(void **state UNUSED)
{
    struct flow_offsets o;
    struct flow f = hex_flow(ETH "88a8 2005 8100 0006 8100 0007 0800 ", &o);

    assert_int_equal(f.vlan_tpid, BE16(ETH_TYPE_QINQ));
    assert_int_equal(f.vlan_tci, BE16(0x3005));
    assert_int_equal(f.vlan2_tpid, BE16(ETH_TYPE_VLAN));
    assert_int_equal(f.vlan2_tci, BE16(0x1006));
    assert_int_equal(f.eth_type, BE16(ETH_TYPE_VLAN));
}

static void
a_length_is_not_a_type(void **state UNUSED)
{
    struct flow_offsets o;

    assert_int_equal(hex_flow(ETH "0026 424203 0000", &o).eth_type, BE16(ETH_TYPE_NOT));
    assert_int_equal(hex_flow(ETH "0026 aaaa03 000000 0806", &o).eth_type, BE16(ETH_TYPE_ARP));
    assert_int_equal(hex_flow(ETH "0026 aaaa03 000001 0806", &o).eth_type, BE16(ETH_TYPE_NOT));
}

static void
later_fragments_have_no_ports(void **state UNUSED)
{
    struct flow_offsets o;
    struct flow f = hex_flow(ETH "0800 " IP4("11", "001c", "2001") "0050 1f90 0008 0000", &o);

    assert_int_equal(f.nw_frag, FLOW_FRAG_ANY | FLOW_FRAG_LATER);
    assert_int_equal(f.tp_src, 0);
    f = hex_flow(ETH "0800 " IP4("11", "001c", "2000") "0050 1f90 0008 0000", &o);
    assert_int_equal(f.nw_frag, FLOW_FRAG_ANY);
    assert_int_equal(f.tp_src, BE16(80));
}

static void
impossible_ip_lengths_leave_the_fields_zero(void **state UNUSED)
{
    struct flow_offsets o;

    assert_int_equal(hex_flow(ETH "0800 " IP4("11", "0013", "0000"), &o).nw_proto, 0);
    assert_int_equal(hex_flow(ETH "0800 " IP4("11", "0015", "0000"), &o).nw_proto, 0);
    assert_int_equal(hex_flow(ETH "0800 " IP4("11", "0014", "0000"), &o).nw_proto, 17);
    assert_int_equal(hex_flow(ETH "0800 44000014 00000000 40110000 0a000001 0a000002", &o).nw_proto, 0);
}

static void
padding_after_the_ip_packet_is_measured(void **state UNUSED)
{
    struct flow_offsets o;

    hex_flow(ETH "0800 " IP4("11", "001c", "0000") "0050 1f90 0008 0000 000000", &o);
    assert_int_equal(o.l3_pad, 3);
}

static void
ipv6_extension_headers_are_walked(void **state UNUSED)
{
    static const char base[] = ETH "86dd 60012345 0028 %s 40 "
                               "fe800000000000000000000000000001 fe800000000000000000000000000002 %s";
    struct flow_offsets o;
    struct flow f;
    char *text;

    /* Hop-by-hop, routing, first fragment, UDP. */
    text = xasprintf(base, "00",
                     "2b00000000000000 2c00000000000000 1100000100000001 0050 1f90 0010 0000 0000000000000000");
    f = hex_flow(text, &o);
    free(text);
    assert_int_equal(f.nw_proto, IP_PROTO_UDP);
    assert_int_equal(f.nw_frag, FLOW_FRAG_ANY);
    assert_int_equal(f.tp_dst, BE16(8080));
    assert_int_equal(f.ipv6_label, BE32(0x12345));
    assert_int_equal(o.l4, 14 + 40 + 24);

    /* An extension header that points beyond the packet. */
    text = xasprintf(base, "00",
                     "11ff000000000000 2c00000000000000 1100000100000001 0050 1f90 0010 0000 0000000000000000");
    f = hex_flow(text, &o);
    free(text);
    assert_int_equal(f.nw_proto, 0);
    assert_int_equal(o.l4, FLOW_NO_OFFSET);
}

static void
metadata_is_kept_and_headers_are_not(void **state UNUSED)
{
    struct flow md, out;
    struct flow_offsets o;

    memset(&md, 0xff, sizeof md);
    md.packet_ns = 0;
    extract_exactly("\0\0\0\0\0\1\0\0\0\0\0\2\x12\x34", 14, &md, &out, &o);
    assert_int_equal(out.in_port, BE32_MAX);
    assert_int_equal(out.ct_mark, BE32_MAX);
    assert_int_equal(out.skb_priority, BE32_MAX);
    assert_int_equal(out.ct_state, 0xff);
    assert_int_equal(out.regs[31], BE32_MAX);
    assert_int_equal(out.eth_type, BE16(0x1234));
    assert_int_equal(out.tcp_flags, 0);
    assert_int_equal(out.tp_dst, 0);
    assert_true(is_all_zeros(&out.lines[1], FLOW_LINE));
    assert_true(is_all_zeros(&out.lines[9], FLOW_LINE));
}

/* A random flow that a packet can have. */
static struct flow
random_flow(struct random *r)
{
    static const uint16_t types[] = { ETH_TYPE_IP, ETH_TYPE_IP, ETH_TYPE_IPV6, ETH_TYPE_IPV6, ETH_TYPE_ARP,
                                      ETH_TYPE_RARP, ETH_TYPE_MPLS, ETH_TYPE_NSH, 0x1234, ETH_TYPE_NOT };
    static const uint8_t protos[] = { 1, 2, 6, 17, 58, 132, 200 };
    struct flow f;

    memset(&f, 0, sizeof f);
    f.eth_dst = eth_addr_from_u64(random_u64(r));
    f.eth_src = eth_addr_from_u64(random_u64(r));
    f.eth_type = cpu_to_be16(types[random_below(r, ARRAY_SIZE(types))]);
    if (random_below(r, 2)) {
        f.vlan_tpid = BE16(ETH_TYPE_VLAN);
        f.vlan_tci = cpu_to_be16(random_u64(r) | VLAN_PRESENT);
    }
    if (flow_is_ip(&f)) {
        bool ipv6 = f.eth_type == BE16(ETH_TYPE_IPV6);

        f.nw_proto = protos[random_below(r, ARRAY_SIZE(protos))];
        f.nw_tos = random_u64(r);
        f.nw_ttl = random_u64(r);
        if (ipv6) {
            f.ipv6_label = cpu_to_be32(random_below(r, 1 << 20));
            f.ipv6_src.s6[random_below(r, 16)] = random_u64(r);
            f.ipv6_dst.s6[random_below(r, 16)] = random_u64(r);
        } else {
            f.nw_src = cpu_to_be32(random_u64(r));
            f.nw_dst = cpu_to_be32(random_u64(r));
        }
        if (f.nw_proto == 6 || f.nw_proto == 17 || f.nw_proto == 132) {
            f.tp_src = cpu_to_be16(random_u64(r));
            f.tp_dst = cpu_to_be16(random_u64(r));
            f.tcp_flags = f.nw_proto == 6 ? cpu_to_be16(random_below(r, 1 << 12)) : 0;
        } else if ((f.nw_proto == 58) == ipv6 && f.nw_proto != 200 && (f.nw_proto != 2 || !ipv6)) {
            f.tp_src = cpu_to_be16(random_below(r, 256));
            f.tp_dst = f.nw_proto == 58 ? cpu_to_be16(1) : cpu_to_be16(random_below(r, 256));
        }
    } else if (f.eth_type == BE16(ETH_TYPE_ARP) || f.eth_type == BE16(ETH_TYPE_RARP)) {
        f.nw_proto = random_u64(r);
        f.nw_src = cpu_to_be32(random_u64(r));
        f.nw_dst = cpu_to_be32(random_u64(r));
        f.arp_sha = eth_addr_from_u64(random_u64(r));
        f.arp_tha = eth_addr_from_u64(random_u64(r));
    } else if (f.eth_type == BE16(ETH_TYPE_MPLS)) {
        int n = 1 + random_below(r, 3);

        for (int i = 0; i < n; i++) {
            f.mpls_lse[i] = (cpu_to_be32(random_u64(r)) & ~BE32(0x100)) | (i == n - 1 ? BE32(0x100) : 0);
        }
    } else if (f.eth_type == BE16(ETH_TYPE_NSH)) {
        f.nsh_mdtype = NSH_M_TYPE1;
        f.nsh_ttl = random_below(r, 64);
        f.nsh_np = random_u64(r);
        f.nsh_path = cpu_to_be32(random_u64(r));
        f.nsh_context[2] = cpu_to_be32(random_u64(r));
    }
    return f;
}

static void
what_is_composed_extracts_to_the_same_flow(void **state UNUSED)
{
    struct random r;

    random_seed(&r, 42);
    for (int i = 0; i < 20000; i++) {
        struct flow f = random_flow(&r), again;
        struct bytes b = BYTES_INIT;
        struct flow_offsets o;

        if (f.nw_proto == 58 && f.tp_dst == 0 && (f.tp_src == BE16(135) || f.tp_src == BE16(136))) {
            continue;
        }
        flow_compose_default(&f, &b);
        extract_exactly(b.data, b.len, NULL, &again, &o);
        for (const struct field *field = fields; field < fields + FIELD_N; field++) {
            union field_value x, y;

            field_get(field, &f, &x);
            field_get(field, &again, &y);
            if (memcmp(&x, &y, field->wire_bytes)) {
                fail_msg("%s differs in flow %d", field->name, i);
            }
        }
        bytes_uninit(&b);
    }
}

static void
frames_cut_at_every_length_are_harmless(void **state UNUSED)
{
    struct random r;

    random_seed(&r, 7);
    for (int i = 0; i < 300; i++) {
        struct flow f = random_flow(&r), out;
        struct bytes b = BYTES_INIT;
        struct flow_offsets o;

        flow_compose_default(&f, &b);
        for (size_t n = 0; n <= b.len; n++) {
            uint16_t lines = extract_exactly(b.data, n, NULL, &out, &o);

            assert_int_equal(flow_used_lines(&out, FLOW_LINES_ALL) & ~lines, 0);
            assert_true(o.l4 == FLOW_NO_OFFSET || o.l4 <= n);
            assert_true(o.l3 == FLOW_NO_OFFSET || o.l3 <= n);
        }
        bytes_uninit(&b);
    }
}

static void
random_bytes_behind_valid_beginnings_are_harmless(void **state UNUSED)
{
    struct random r;

    random_seed(&r, 8);
    for (int i = 0; i < 30000; i++) {
        struct flow f = random_flow(&r), out;
        struct bytes b = BYTES_INIT;
        struct flow_offsets o;

        flow_compose_default(&f, &b);
        for (int k = 0; k < 4; k++) {
            b.data[12 + random_below(&r, b.len - 12)] = random_u64(&r);
        }
        extract_exactly(b.data, b.len, NULL, &out, &o);
        assert_true(o.l4 == FLOW_NO_OFFSET || o.l4 <= b.len);
        bytes_uninit(&b);
    }
}

static void
resizing_keeps_the_packet_valid(void **state UNUSED)
{
    struct flow f = { .eth_type = BE16(ETH_TYPE_IP), .nw_proto = 17, .tp_dst = BE16(53) }, out;
    struct bytes b = BYTES_INIT;
    struct flow_offsets o;

    flow_compose_default(&f, &b);
    flow_compose_resize(&f, 200, &b);
    extract_exactly(b.data, b.len, NULL, &out, &o);
    assert_int_equal(b.len, 200);
    assert_int_equal(o.l3_pad, 0);
    assert_int_equal(out.tp_dst, BE16(53));
    bytes_uninit(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tcp_over_ipv4),
        cmocka_unit_test(tags_are_taken_and_a_third_is_payload),
        cmocka_unit_test(a_length_is_not_a_type),
        cmocka_unit_test(later_fragments_have_no_ports),
        cmocka_unit_test(impossible_ip_lengths_leave_the_fields_zero),
        cmocka_unit_test(padding_after_the_ip_packet_is_measured),
        cmocka_unit_test(ipv6_extension_headers_are_walked),
        cmocka_unit_test(metadata_is_kept_and_headers_are_not),
        cmocka_unit_test(what_is_composed_extracts_to_the_same_flow),
        cmocka_unit_test(frames_cut_at_every_length_are_harmless),
        cmocka_unit_test(random_bytes_behind_valid_beginnings_are_harmless),
        cmocka_unit_test(resizing_keeps_the_packet_valid),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
