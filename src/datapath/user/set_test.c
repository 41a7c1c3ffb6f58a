/* Changes of headers against a slow oracle: the frame must parse to the changed flow, and every checksum must be what a
 * sum over the whole frame gives. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/random.h"
#include "datapath/user/exec.h"
#include "datapath/user/segment.h"
#include "flow/compose.h"
#include "packet/csum.h"
#include "packet/env.h"
#include "packet/headers.h"
#include "packet/pool.h"

static struct random r;

static struct flow
random_ip_flow(void)
{
    static const uint8_t protos[] = { IP_PROTO_TCP, IP_PROTO_UDP, IP_PROTO_SCTP, IP_PROTO_ICMP, IP_PROTO_ICMPV6 };
    bool ipv6 = random_below(&r, 2);
    struct flow f = { .eth_type = ipv6 ? BE16(ETH_TYPE_IPV6) : BE16(ETH_TYPE_IP) };

    do {
        f.nw_proto = protos[random_below(&r, ARRAY_SIZE(protos))];
    } while (f.nw_proto == (ipv6 ? IP_PROTO_ICMP : IP_PROTO_ICMPV6));
    f.eth_dst = eth_addr_from_u64(random_u64(&r));
    f.nw_ttl = random_u64(&r);
    f.nw_tos = random_u64(&r);
    if (ipv6) {
        for (int i = 0; i < 16; i++) {
            f.ipv6_src.s6[i] = random_u64(&r);
            f.ipv6_dst.s6[i] = random_u64(&r);
        }
        f.ipv6_label = cpu_to_be32(random_below(&r, 1 << 20));
    } else {
        f.nw_src = cpu_to_be32(random_u64(&r));
        f.nw_dst = cpu_to_be32(random_u64(&r));
    }
    f.tp_src = cpu_to_be16(f.nw_proto == IP_PROTO_ICMPV6 ? 128 : f.nw_proto == IP_PROTO_ICMP ? 8 : random_u64(&r));
    f.tp_dst = f.nw_proto == IP_PROTO_ICMP || f.nw_proto == IP_PROTO_ICMPV6 ? 0 : cpu_to_be16(random_u64(&r));
    if (random_below(&r, 2)) {
        f.vlan_tpid = BE16(ETH_TYPE_VLAN);
        f.vlan_tci = BE16(VLAN_PRESENT | 7);
    }
    return f;
}

/* The sum over the transport part with its pseudo-header: 0 where the checksum is right. */
static bool
checksums_are_right(const uint8_t *frame, size_t n, const struct flow *f)
{
    struct flow_offsets o;
    struct flow unused;
    size_t l4_len;
    be32 crc;

    flow_extract_full(frame, n, NULL, &unused, &o);
    l4_len = n - o.l4;
    if (f->eth_type == BE16(ETH_TYPE_IP) && csum_bytes(frame + o.l3, IP_HEADER_LEN)) {
        return false;
    }
    switch (f->nw_proto) {
    case IP_PROTO_SCTP:
        memcpy(&crc, frame + o.l4 + 8, sizeof crc);
        return crc == csum_sctp(frame + o.l4, l4_len);
    case IP_PROTO_ICMP:
        return !csum_bytes(frame + o.l4, l4_len);
    default:
        return !csum_finish(csum_add(f->eth_type == BE16(ETH_TYPE_IP)
                                     ? csum_pseudo_ipv4(f->nw_src, f->nw_dst, f->nw_proto, l4_len)
                                     : csum_pseudo_ipv6(&f->ipv6_src, &f->ipv6_dst, f->nw_proto, l4_len),
                                     frame + o.l4, l4_len));
    }
}

/* Gives 'n' bytes of value and mask at random and applies them to those at 'field'. */
static void
change(void *field, void *value, void *mask, size_t n)
{
    uint8_t *f = field, *v = value, *m = mask;

    for (size_t i = 0; i < n; i++) {
        v[i] = random_u64(&r);
        m[i] = random_below(&r, 3) ? 0xff : random_u64(&r);
        f[i] = (f[i] & ~m[i]) | (v[i] & m[i]);
    }
}

/* A random action for a packet of flow 'f', whose effect goes into 'f'. */
static enum odp_key
random_action(struct flow *f, uint8_t value[OP_SET_MAX], uint8_t mask[OP_SET_MAX])
{
    memset(value, 0, OP_SET_MAX);
    memset(mask, 0, OP_SET_MAX);
    switch (random_below(&r, 4)) {
    case 0: {
        struct odp_key_ethernet *v = (void *) value, *m = (void *) mask;

        change(&f->eth_src, &v->src, &m->src, 6);
        return ODP_KEY_ETHERNET;
    }
    case 1:
        if (f->nw_proto == IP_PROTO_TCP || f->nw_proto == IP_PROTO_UDP || f->nw_proto == IP_PROTO_SCTP) {
            change(&f->tp_src, value, mask, 4);
            return f->nw_proto == IP_PROTO_TCP ? ODP_KEY_TCP : f->nw_proto == IP_PROTO_UDP ? ODP_KEY_UDP : ODP_KEY_SCTP;
        }
        value[1] = random_u64(&r);
        mask[1] = 0xff;
        f->tp_dst = cpu_to_be16(value[1]);
        return f->nw_proto == IP_PROTO_ICMP ? ODP_KEY_ICMP : ODP_KEY_ICMPV6;
    default:
        if (f->eth_type == BE16(ETH_TYPE_IP)) {
            struct odp_key_ipv4 *v = (void *) value, *m = (void *) mask;

            change(&f->nw_src, &v->src, &m->src, 4);
            change(&f->nw_dst, &v->dst, &m->dst, 4);
            change(&f->nw_tos, &v->tos, &m->tos, 1);
            change(&f->nw_ttl, &v->ttl, &m->ttl, 1);
            return ODP_KEY_IPV4;
        } else {
            struct odp_key_ipv6 *v = (void *) value, *m = (void *) mask;

            change(&f->ipv6_src, &v->src, &m->src, 16);
            change(&f->ipv6_dst, &v->dst, &m->dst, 16);
            change(&f->ipv6_label, &v->label, &m->label, 4);
            f->ipv6_label &= BE32(0xfffff);
            change(&f->nw_tos, &v->tclass, &m->tclass, 1);
            change(&f->nw_ttl, &v->hlimit, &m->hlimit, 1);
            return ODP_KEY_IPV6;
        }
    }
}

/* Turns the whole checksum into a partial one, as a sender with offload leaves it. */
static void
make_partial(struct packet *p, const struct flow *f, const struct flow_offsets *o)
{
    uint16_t at = f->nw_proto == IP_PROTO_TCP ? 16 : 6, sum;
    size_t n = packet_len(p) - o->l4;

    sum = csum_fold(f->eth_type == BE16(ETH_TYPE_IP) ? csum_pseudo_ipv4(f->nw_src, f->nw_dst, f->nw_proto, n)
                                                     : csum_pseudo_ipv6(&f->ipv6_src, &f->ipv6_dst, f->nw_proto, n));
    memcpy((uint8_t *) packet_data(p) + o->l4 + at, &sum, sizeof sum);
    packet_set_offload(p, &(struct packet_offload) { .flags = PACKET_CSUM_PARTIAL, .csum_start = o->l4,
                                                     .csum_offset = at });
}

static void
what_is_set_is_there_and_the_checksums_are_right(void **state UNUSED)
{
    for (int i = 0; i < 20000; i++) {
        struct flow f = random_ip_flow(), before = f, out, key;
        struct bytes frame = BYTES_INIT;
        struct flow_offsets o;
        struct packet *p;

        flow_compose_default(&f, &frame);
        p = packet_new(frame.data, frame.len);
        flow_extract_full(frame.data, frame.len, NULL, &key, &o);
        assert_true(checksums_are_right(frame.data, frame.len, &before));
        if (random_below(&r, 2) && (f.nw_proto == IP_PROTO_TCP || f.nw_proto == IP_PROTO_UDP)) {
            make_partial(p, &f, &o);
        }
        for (unsigned int k = random_below(&r, 3); k < 3; k++) {
            uint8_t value[OP_SET_MAX] ALIGNED(8), mask[OP_SET_MAX] ALIGNED(8);
            enum odp_key field = random_action(&f, value, mask);

            assert_true(set_field(p, &key, &o, field, value, mask));
        }
        packet_finish_csum(p);
        f.tcp_flags = key.tcp_flags;
        flow_extract_full(packet_data(p), packet_len(p), NULL, &out, NULL);
        assert_memory_equal(&out, &f, sizeof f);
        assert_true(checksums_are_right(packet_data(p), packet_len(p), &f));
        packet_free(p);
        bytes_uninit(&frame);
    }
    assert_int_equal(packet_pool_in_use(packet_pool()), 0);
}

static void
fields_that_a_packet_lacks_are_left_alone(void **state UNUSED)
{
    static const uint8_t value[OP_SET_MAX], mask[OP_SET_MAX] = { 255, 255, 255, 255, 255, 255, 255, 255 };

    for (size_t n = 0; n <= 60; n++) {
        struct flow f = { .eth_type = BE16(ETH_TYPE_IP), .nw_proto = IP_PROTO_TCP }, key;
        struct bytes frame = BYTES_INIT;
        struct flow_offsets o;
        struct packet *p;

        flow_compose_default(&f, &frame);
        p = packet_new(frame.data, n);
        flow_extract_full(packet_data(p), n, NULL, &key, &o);
        for (int field = 0; field < 32; field++) {
            set_field(p, &key, &o, field, value, mask);
        }
        assert_int_equal(packet_len(p), n);
        packet_free(p);
        bytes_uninit(&frame);
    }
}

static void
segments_add_up_to_the_frame(void **state UNUSED)
{
    for (int i = 0; i < 300; i++) {
        struct flow f, out;
        struct bytes frame = BYTES_INIT, joined = BYTES_INIT;
        uint8_t payload[9000];
        struct packet *p, *segments[300];
        struct flow_offsets o;
        size_t size = 100 + random_below(&r, 1400), total = 1 + random_below(&r, sizeof payload);
        int n;

        do {
            f = random_ip_flow();
        } while (f.nw_proto != IP_PROTO_TCP && f.nw_proto != IP_PROTO_UDP);
        f.tcp_flags = f.nw_proto == IP_PROTO_TCP ? BE16(TCP_ACK | TCP_PSH) : 0;
        for (size_t k = 0; k < total; k++) {
            payload[k] = random_u64(&r);
        }
        flow_compose(&f, payload, total, false, &frame);
        p = packet_new(frame.data, frame.len);
        packet_set_offload(p, &(struct packet_offload) { .flags = PACKET_CSUM_PARTIAL, .gso_size = size,
            .gso_type = f.nw_proto == IP_PROTO_UDP ? PACKET_GSO_UDP_L4 : PACKET_GSO_TCPV4 });
        n = segment_packet(p, segments, ARRAY_SIZE(segments));
        assert_int_equal(n, (total + size - 1) / size);
        for (int k = 0; k < n; k++) {
            const uint8_t *data = packet_data(segments[k]);
            size_t at, len = packet_len(segments[k]);

            flow_extract_full(data, len, NULL, &out, &o);
            at = o.l4 + (f.nw_proto == IP_PROTO_TCP ? TCP_HEADER_LEN : UDP_HEADER_LEN);
            assert_true(checksums_are_right(data, len, &f));
            assert_int_equal(out.tcp_flags, k == n - 1 ? f.tcp_flags : f.tcp_flags & ~BE16(TCP_PSH));
            if (f.nw_proto == IP_PROTO_TCP) {
                assert_int_equal(get_be32(data + o.l4 + 4), k * size);
            }
            bytes_put(&joined, data + at, len - at);
            packet_free(segments[k]);
        }
        assert_int_equal(joined.len, total);
        assert_memory_equal(joined.data, payload, total);
        packet_free(p);
        bytes_uninit(&frame);
        bytes_uninit(&joined);
    }
}

/* --- Output --- */

static unsigned int n_sent, n_bursts;

static void
take(struct netdev *n UNUSED, unsigned int txq UNUSED, struct packet **packets, unsigned int n_packets)
{
    n_sent += n_packets;
    n_bursts++;
    for (unsigned int i = 0; i < n_packets; i++) {
        packet_free(packets[i]);
    }
}

/* A TCP frame to be cut into 4. */
static struct packet *
long_frame(bool is_v6, bool has_extension)
{
    struct flow f = { .eth_type = is_v6 ? BE16(ETH_TYPE_IPV6) : BE16(ETH_TYPE_IP), .nw_proto = IP_PROTO_TCP,
                      .nw_ttl = 64, .nw_src = BE32(1), .nw_dst = BE32(2), .tcp_flags = BE16(TCP_ACK) };
    struct bytes frame = BYTES_INIT;
    struct flow_offsets o;
    struct flow key;
    struct packet *p;

    flow_compose(&f, NULL, 4000, false, &frame);
    p = packet_new(frame.data, frame.len);
    flow_extract_full(frame.data, frame.len, NULL, &key, &o);
    packet_set_offload(p, &(struct packet_offload) { .flags = PACKET_CSUM_PARTIAL, .csum_start = o.l4,
        .csum_offset = 16, .gso_type = is_v6 ? PACKET_GSO_TCPV6 : PACKET_GSO_TCPV4, .gso_size = 1000 });
    if (has_extension) {
        uint8_t *ip;

        assert_true(packet_insert(p, o.l4, 8));
        ip = (uint8_t *) packet_at(p) + o.l3;
        put_be16(ip + 4, get_be16(ip + 4) + 8);
        ip[6] = 60; /* Destination options. */
        memset(ip + IPV6_HEADER_LEN, 0, 8);
        ip[IPV6_HEADER_LEN] = IP_PROTO_TCP;
    }
    bytes_uninit(&frame);
    return p;
}

static void
what_the_port_takes_goes_whole_and_together(void **state UNUSED)
{
    enum { V4 = 0, V6 = 1, EXTENSION = 2 };
    static const struct { unsigned int takes, kind; bool is_whole; } cases[] = {
        { 0, V4, false }, { NETDEV_TAKES_CSUM, V4, false }, { NETDEV_TAKES_CSUM | NETDEV_TAKES_TCP_SEGMENTS, V4, true },
        { NETDEV_TAKES_CSUM | NETDEV_TAKES_TCP_SEGMENTS, V6, true },
        { NETDEV_TAKES_CSUM | NETDEV_TAKES_TCP_SEGMENTS, V6 | EXTENSION, false },
        { NETDEV_TAKES_CSUM | NETDEV_TAKES_TCP_SEGMENTS | NETDEV_TAKES_EXTENSIONS, V6 | EXTENSION, true },
        { NETDEV_TAKES_CSUM | NETDEV_TAKES_UDP_SEGMENTS, V4, false },
    };
    struct worker *w = xzalloc_cacheline(sizeof *w);
    char name[] = "p";
    struct netdev n = { .name = name };
    struct port port = { .netdev = &n, .send = take };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct packet *packets[] = { packet_new("first", 5), long_frame(cases[i].kind & V6, cases[i].kind & EXTENSION),
                                     packet_new("last", 4) };

        n_sent = n_bursts = 0;
        n.offloads = cases[i].takes;
        segment_and_send(w, &port, packets, ARRAY_SIZE(packets));
        assert_int_equal(n_sent, cases[i].is_whole ? 3 : 6);
        assert_int_equal(n_bursts, cases[i].is_whole ? 1 : 3);
    }
    free(w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_set_is_there_and_the_checksums_are_right),
        cmocka_unit_test(fields_that_a_packet_lacks_are_left_alone),
        cmocka_unit_test(segments_add_up_to_the_frame),
        cmocka_unit_test(what_the_port_takes_goes_whole_and_together),
    };
    struct error *e = env_start();

    if (e) {
        fprintf(stderr, "%s\n", error_text(e));
        error_free(e);
        return EXIT_FAILURE;
    }
    random_seed(&r, 3);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
