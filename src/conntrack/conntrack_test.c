#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>

#include "conntrack/conntrack.h"
#include "conntrack/info.h"
#include "conntrack/ipf.h"
#include "conntrack/zone.h"
#include "packet/csum.h"
#include "packet/env.h"
#include "packet/mbuf.h"
#include "sys/rcu_cmocka.h"

enum { A = 0x0a000001, B = 0x0a000002, X = 0x0a090909, L2 = ETH_HEADER_LEN, L4 = L2 + IP_HEADER_LEN };

static struct conntrack *ct;
static int64_t now;

/* The last packet that went through. */
static struct flow key;
static uint8_t out[2048];
static size_t out_len;

static size_t
make_frame(uint8_t *f, uint32_t src, uint32_t dst, uint8_t proto, const void *l4, size_t n)
{
    static const uint8_t eth[L2] = { 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0 };
    struct ip_header ip = { .ihl_ver = 0x45, .tot_len = cpu_to_be16(IP_HEADER_LEN + n), .ttl = 64, .proto = proto,
                            .src = cpu_to_be32(src), .dst = cpu_to_be32(dst) };
    size_t at = proto == IP_PROTO_TCP ? 16 : proto == IP_PROTO_UDP ? 6 : 2;
    be16 csum;

    ip.csum = csum_bytes(&ip, sizeof ip);
    memcpy(f, eth, L2);
    memcpy(f + L2, &ip, sizeof ip);
    memcpy(f + L4, l4, n);
    csum = csum_finish(csum_add(proto == IP_PROTO_ICMP ? 0 : csum_pseudo_ipv4(ip.src, ip.dst, proto, n), f + L4, n));
    memcpy(f + L4 + at, &csum, sizeof csum);
    return L4 + n;
}

/* What the device says of the packets' checksums. */
static uint64_t rx_flags;

/* Tracks a frame; the key's state. */
static uint8_t
track(const struct ct_action *a, const uint8_t *f, size_t n)
{
    struct packet *p = packet_new(f, n);
    struct flow_offsets offsets;
    uint16_t lines = flow_extract_full(f, n, NULL, &key, &offsets);
    struct ct_packet k = { p, &key, &lines, &offsets };

    p->mbuf.ol_flags |= rx_flags;
    conntrack_run_rcu(ct, a, &k, 1, now);
    assert_non_null(k.packet);
    out_len = packet_size(k.packet);
    memcpy(out, packet_at(k.packet), out_len);
    packet_free(k.packet);
    return key.ct_state;
}

static uint8_t
tcp(const struct ct_action *a, uint32_t src, uint16_t sport, uint32_t dst, uint16_t dport, uint8_t flags, uint32_t seq,
    uint32_t ack, const char *text)
{
    uint8_t l4[512] = { 0 }, f[1024];

    put_be16(l4, sport);
    put_be16(l4 + 2, dport);
    put_be32(l4 + 4, seq);
    put_be32(l4 + 8, ack);
    l4[12] = 5 << 4;
    l4[13] = flags;
    put_be16(l4 + 14, 8192);
    memcpy(l4 + TCP_HEADER_LEN, text, strlen(text));
    return track(a, f, make_frame(f, src, dst, IP_PROTO_TCP, l4, TCP_HEADER_LEN + strlen(text)));
}

static uint8_t
udp(const struct ct_action *a, uint32_t src, uint16_t sport, uint32_t dst, uint16_t dport, const void *data, size_t n)
{
    uint8_t l4[128] = { 0 }, f[256];

    put_be16(l4, sport);
    put_be16(l4 + 2, dport);
    put_be16(l4 + 4, UDP_HEADER_LEN + n);
    memcpy(l4 + UDP_HEADER_LEN, data, n);
    return track(a, f, make_frame(f, src, dst, IP_PROTO_UDP, l4, UDP_HEADER_LEN + n));
}

static void
assert_checksums(void)
{
    const struct ip_header *ip = (const void *) (out + L2);
    size_t n = be16_to_cpu(ip->tot_len) - IP_HEADER_LEN;

    assert_int_equal(csum_bytes(out + L2, IP_HEADER_LEN), 0);
    assert_int_equal(csum_finish(csum_add(csum_pseudo_ipv4(ip->src, ip->dst, ip->proto, n), out + L4, n)), 0);
}

static uint32_t out_src(void) { return get_be32(out + L2 + 12); }
static uint32_t out_dst(void) { return get_be32(out + L2 + 16); }
static const char *out_text(void) { out[out_len] = 0; return (char *) out + L4 + TCP_HEADER_LEN; }

static struct ct_action
nat(uint8_t flags, uint32_t min, uint32_t max, uint16_t port_min, uint16_t port_max)
{
    struct ct_action a = { .zone = 1, .commit = true, .has_nat = true };

    a.nat = (struct ct_nat) { .flags = flags, .has_address = true, .port_min = port_min, .port_max = port_max };
    a.nat.min.s6[10] = a.nat.min.s6[11] = a.nat.max.s6[10] = a.nat.max.s6[11] = 0xff;
    put_be32(a.nat.min.s6 + 12, min);
    put_be32(a.nat.max.s6 + 12, max);
    return a;
}

static const struct ct_action look = { .zone = 1, .has_nat = true }, commit = { .zone = 1, .commit = true },
                              ftp = { .zone = 1, .commit = true, .helper = CT_HELPER_FTP };

static int
begin(void **state UNUSED)
{
    ct = conntrack_create();
    now = 1000000;
    return 0;
}

static int
end(void **state UNUSED)
{
    rcu_barrier_all();
    conntrack_destroy(ct);
    return 0;
}

/* SYN, SYN and ACK, ACK between A:port and B:21. */
static void
open_ftp(const struct ct_action *a, uint16_t port)
{
    assert_int_equal(tcp(a, A, port, B, 21, TCP_SYN, 100, 0, "") & (CT_TRK | CT_NEW), CT_TRK | CT_NEW);
    assert_int_equal(tcp(&look, B, 21, A, port, TCP_SYN | TCP_ACK, 500, 101, ""), CT_TRK | CT_EST | CT_RPL);
    assert_int_equal(tcp(&look, A, port, B, 21, TCP_ACK, 101, 501, ""), CT_TRK | CT_EST);
}

static void
a_port_that_is_taken_is_replaced(void **state UNUSED)
{
    struct ct_action a = nat(CT_NAT_SRC, X, X, 0, 0);

    udp(&a, A, 1000, B, 53, "a", 1);
    assert_int_equal(out_src(), X);
    assert_int_equal(get_be16(out + L4), 1000);
    assert_checksums();
    udp(&a, A + 7, 1000, B, 53, "a", 1); /* The same port of another host. */
    assert_int_equal(out_src(), X);
    assert_int_equal(get_be16(out + L4), 1001);
    assert_checksums();
    assert_int_equal(key.ct_state & CT_SNAT, CT_SNAT);
    assert_int_equal(udp(&look, B, 53, X, 1000, "b", 1), CT_TRK | CT_EST | CT_RPL | CT_DNAT);
    assert_int_equal(out_dst(), A);
    assert_checksums();
}

static void
a_port_gives_way_to_the_next_of_its_kind(void **state UNUSED)
{
    struct ct_action a = nat(CT_NAT_SRC, X, X, 0, 0);
    static const uint16_t ports[][3] = { { 1, 2, 3 }, { 511, 1, 2 }, { 512, 600, 601 }, { 1023, 600, 601 },
                                         { 1024, 1025, 1026 }, { 65535, 1024, 1025 } };

    for (unsigned int i = 0; i < ARRAY_SIZE(ports); i++) {
        for (unsigned int k = 0; k < 3; k++) {
            udp(&a, A + k, ports[i][0], B, 53 + i, "a", 1);
            assert_int_equal(get_be16(out + L4), ports[i][k]);
            assert_checksums();
        }
    }
}

/* Also beyond those that are tried in order. */
static void
most_ports_of_a_kind_are_found(void **state UNUSED)
{
    struct ct_action a = nat(CT_NAT_SRC, X, X, 0, 0);
    bool taken[512] = { false };

    for (unsigned int i = 0; i < 380; i++) {
        uint16_t port;

        assert_int_equal(udp(&a, A + i, 400, B, 53, "a", 1) & CT_NEW, CT_NEW);
        port = get_be16(out + L4);
        assert_in_range(port, 1, 511);
        assert_false(taken[port]);
        taken[port] = true;
    }
}

static void
destinations_that_become_one_are_told_apart_by_the_source_port(void **state UNUSED)
{
    struct ct_action a = nat(CT_NAT_DST, X, X, 99, 99);

    for (unsigned int i = 0; i < 3; i++) {
        assert_int_equal(udp(&a, A, 5, B + i, 53, "a", 1), CT_TRK | CT_NEW | CT_DNAT);
        assert_int_equal(out_dst(), X);
        assert_int_equal(get_be16(out + L4), 5 + i);
        assert_int_equal(get_be16(out + L4 + 2), 99);
    }
    assert_int_equal(udp(&look, X, 99, A, 7, "b", 1), CT_TRK | CT_EST | CT_RPL | CT_SNAT);
    assert_int_equal(out_src(), B + 2);
    assert_int_equal(get_be16(out + L4 + 2), 5);
    assert_checksums();
}

/* A frame with a wrong transport checksum. */
static uint8_t
track_wrong(uint8_t proto)
{
    uint8_t l4[TCP_HEADER_LEN] = { 3, 0xe8, 0, 53, 0, TCP_HEADER_LEN }, f[256];
    size_t n;

    if (proto == IP_PROTO_ICMP) {
        memcpy(l4, "\x08\0\0\0\1\2\3\4", 8);
    } else if (proto == IP_PROTO_TCP) {
        put_be32(l4 + 4, 1);
        l4[12] = 5 << 4;
        l4[13] = TCP_SYN;
    }
    n = make_frame(f, A, B, proto, l4, sizeof l4);
    f[n - 1] ^= 1;
    return track(&look, f, n);
}

/* It says nothing of ICMP; and what it calls wrong is looked at, since some err. */
static void
a_checksum_that_the_device_found_right_is_not_looked_at_again(void **state UNUSED)
{
    static const struct { uint64_t flags; bool is_trusted; } cases[] = {
        { 0, false }, { RTE_MBUF_F_RX_L4_CKSUM_BAD, false }, { RTE_MBUF_F_RX_L4_CKSUM_NONE, false },
        { RTE_MBUF_F_RX_IP_CKSUM_GOOD, false }, { RTE_MBUF_F_RX_L4_CKSUM_GOOD, true },
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uint8_t expected = cases[i].is_trusted ? CT_TRK | CT_NEW : CT_TRK | CT_INV;

        rx_flags = cases[i].flags;
        assert_int_equal(track_wrong(IP_PROTO_TCP), expected);
        assert_int_equal(track_wrong(IP_PROTO_UDP), expected);
        assert_int_equal(track_wrong(IP_PROTO_ICMP), CT_TRK | CT_INV);
    }
    rx_flags = RTE_MBUF_F_RX_L4_CKSUM_BAD;
    assert_int_equal(udp(&look, A, 1000, B, 53, "a", 1), CT_TRK | CT_NEW);
    rx_flags = 0;
}

static void
a_full_range_makes_new_connections_invalid(void **state UNUSED)
{
    struct ct_action a = nat(CT_NAT_SRC, X, X + 1, 500, 502);
    unsigned int seen = 0;

    for (uint16_t i = 0; i < 6; i++) {
        assert_int_equal(udp(&a, A, 2000 + i, B, 53, "a", 1) & CT_NEW, CT_NEW);
        assert_in_range(get_be16(out + L4), 500, 502);
        seen |= 1u << ((out_src() - X) * 3 + get_be16(out + L4) - 500);
    }
    assert_int_equal(seen, 63);
    assert_int_equal(udp(&a, A, 2100, B, 53, "a", 1), CT_TRK | CT_INV);
    assert_int_equal(conntrack_n_conns(ct), 6);
    assert_int_equal(udp(&a, A, 2100, B, 54, "a", 1) & CT_NEW, CT_NEW); /* To another port there is room. */
}

static void
nothing_is_translated_without_a_clash_for_the_address_zero(void **state UNUSED)
{
    struct ct_action a = nat(CT_NAT_SRC, 0, 0, 0, 0), d = nat(CT_NAT_DST, B, B, 0, 0);

    udp(&d, A, 1000, X, 53, "a", 1); /* Takes A:1000 to B:53. */
    assert_int_equal(out_dst(), B);
    udp(&a, A, 1001, B, 53, "a", 1);
    assert_int_equal(get_be16(out + L4), 1001);
    assert_int_equal(key.ct_state, CT_TRK | CT_NEW | CT_SNAT);
    udp(&a, A, 1000, B, 53, "a", 1);
    assert_int_equal(out_src(), A);
    assert_int_not_equal(get_be16(out + L4), 1000);
    assert_checksums();
}

static void
a_translation_to_what_is_there_is_shown(void **state UNUSED)
{
    struct ct_action a = nat(CT_NAT_DST, B, B, 53, 53);
    const struct ct_action without = { .zone = 1 };

    assert_int_equal(udp(&a, A, 1000, B, 53, "a", 1), CT_TRK | CT_NEW | CT_DNAT);
    assert_int_equal(udp(&look, A, 1000, B, 53, "a", 1), CT_TRK | CT_NEW | CT_DNAT);
    assert_int_equal(udp(&look, B, 53, A, 1000, "b", 1), CT_TRK | CT_EST | CT_RPL | CT_SNAT);
    assert_int_equal(udp(&without, A, 1000, B, 53, "a", 1), CT_TRK | CT_EST);
}

static void
translated_packets_are_found_again_in_their_zone(void **state UNUSED)
{
    struct ct_action a = nat(CT_NAT_SRC, X, X, 0, 0);
    uint8_t again[256];
    struct flow_offsets offsets;
    struct ct_packet k = { .key = &key };
    uint16_t lines;

    udp(&a, A, 1000, B, 53, "a", 1);
    udp(&look, B, 53, X, 1000, "b", 1);
    udp(&look, A, 1000, B, 53, "a", 1);
    memcpy(again, out, out_len);
    lines = flow_extract_full(again, out_len, &key, &key, &offsets);
    k.packet = packet_new(again, out_len);
    k.lines = &lines;
    k.offsets = &offsets;
    conntrack_run_rcu(ct, &a, &k, 1, now);
    assert_int_equal(key.ct_state, CT_TRK | CT_EST | CT_SNAT);
    conntrack_run_rcu(ct, &(struct ct_action) { .zone = 1 }, &k, 1, now); /* It has been translated, by whichever. */
    assert_int_equal(key.ct_state, CT_TRK | CT_EST | CT_SNAT);
    assert_int_equal(conntrack_n_conns(ct), 1);
    packet_free(k.packet);
}

/* The last packet, which was UDP, once more behind an action that has changed its destination port. */
static uint8_t
track_changed(const struct ct_action *a, uint16_t dport)
{
    struct flow_offsets offsets;
    struct ct_packet k = { .key = &key, .offsets = &offsets };
    uint8_t f[256];
    uint16_t lines;

    memcpy(f, out, out_len);
    put_be16(f + L4 + 2, dport);
    put_be16(f + L4 + 6, 0);
    lines = flow_extract_full(f, out_len, &key, &key, &offsets);
    k.lines = &lines;
    k.packet = packet_new(f, out_len);
    conntrack_run_rcu(ct, a, &k, 1, now);
    packet_free(k.packet);
    return key.ct_state;
}

/* Forgotten in between (ct_clear): the packet as it is now opens one. */
static void
a_second_connection_leaves_replies_to_the_translated_one(void **state UNUSED)
{
    struct ct_action a = nat(CT_NAT_SRC, X, X, 0, 0), here = nat(CT_NAT_SRC, X, X, 0, 0);

    udp(&a, A, 1000, B, 53, "a", 1);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(udp(&commit, X, 1000, B, 53, "a", 1), CT_TRK | CT_NEW);
        assert_int_equal(conntrack_n_conns(ct), 2);
        assert_int_equal(udp(&look, B, 53, X, 1000, "b", 1), CT_TRK | CT_EST | CT_RPL | CT_DNAT);
        assert_int_equal(out_dst(), A);
    }
    assert_int_equal(udp(&here, X, 1001, B, 53, "a", 1) & CT_NEW, CT_NEW);
    udp(&a, A + 1, 1001, B, 53, "a", 1); /* That one is not translated, and keeps its replies. */
    assert_int_equal(get_be16(out + L4), 1002);
    assert_int_equal(udp(&look, B, 53, X, 1001, "b", 1) & (CT_EST | CT_RPL), CT_EST | CT_RPL);
    assert_int_equal(out_dst(), X);
}

static void
a_translated_packet_that_is_changed_stays_its_connection_s(void **state UNUSED)
{
    struct ct_action a = nat(CT_NAT_SRC, X, X, 0, 0);
    const struct ct_action without = { .zone = 1 }, commit_again = { .zone = 1, .commit = true };

    udp(&a, A, 1000, B, 53, "a", 1);
    assert_int_equal(track_changed(&without, 99), CT_TRK | CT_NEW | CT_SNAT);
    udp(&look, B, 53, X, 1000, "b", 1);
    assert_int_equal(track_changed(&without, 99), CT_TRK | CT_EST | CT_RPL | CT_DNAT);
    udp(&look, A, 1000, B, 53, "a", 1);
    assert_int_equal(track_changed(&commit_again, 99), CT_TRK | CT_EST | CT_SNAT);
    assert_int_equal(conntrack_n_conns(ct), 1);
    assert_int_equal(track_changed(&look, 99), CT_TRK | CT_NEW); /* To be translated anew. */
}

/* Nobody has answered: nothing is known of the window, but numbers that are far off are not its. */
static void
a_segment_that_nobody_can_have_asked_for_is_invalid(void **state UNUSED)
{
    for (uint16_t port = 1000; port < 1002; port++) {
        uint8_t first = port == 1000 ? TCP_SYN : TCP_ACK;

        tcp(&commit, A, port, B, 80, first, 500000, 0, "");
        assert_int_equal(tcp(&look, A, port, B, 80, TCP_ACK | TCP_FIN, 400000, 0, ""), CT_TRK | CT_INV);
        assert_int_equal(tcp(&look, A, port, B, 80, TCP_ACK, 600000, 0, "data"), CT_TRK | CT_INV);
        assert_int_equal(tcp(&look, A, port, B, 80, TCP_ACK, 500000 - 67035, 0, "data"), CT_TRK | CT_EST);
        assert_int_equal(tcp(&look, A, port, B, 80, TCP_ACK, 500000 - 67036, 0, "data"), CT_TRK | CT_INV);
        assert_int_equal(tcp(&look, A, port, B, 80, TCP_ACK, 600000, 0, ""), CT_TRK | CT_EST); /* Without data. */
    }
}

static void
two_ends_may_open_at_once(void **state UNUSED)
{
    assert_int_equal(tcp(&commit, A, 1000, B, 80, TCP_SYN, 500000, 0, ""), CT_TRK | CT_NEW);
    assert_int_equal(tcp(&look, B, 80, A, 1000, TCP_SYN, 900000, 0, ""), CT_TRK | CT_NEW);
    assert_int_equal(tcp(&look, A, 1000, B, 80, TCP_SYN | TCP_ACK, 500000, 900001, ""), CT_TRK | CT_EST);
    assert_int_equal(tcp(&look, B, 80, A, 1000, TCP_SYN | TCP_ACK, 900000, 500001, ""), CT_TRK | CT_EST | CT_RPL);
}

static void
of_a_connection_that_is_over_only_what_is_near_fits(void **state UNUSED)
{
    tcp(&commit, A, 1000, B, 80, TCP_SYN, 500000, 0, "");
    tcp(&look, B, 80, A, 1000, TCP_SYN | TCP_ACK, 900000, 500001, "");
    tcp(&look, A, 1000, B, 80, TCP_ACK | TCP_FIN, 500001, 900001, "");
    tcp(&look, B, 80, A, 1000, TCP_ACK | TCP_FIN, 900001, 500002, "");
    tcp(&look, A, 1000, B, 80, TCP_ACK, 500002, 900002, "");
    assert_int_equal(tcp(&look, A, 1000, B, 80, TCP_ACK, 500002 - 67036, 900002, "data"), CT_TRK | CT_INV);
    assert_int_equal(tcp(&look, A, 1000, B, 80, TCP_ACK, 500002 - 60000, 900002, "data"), CT_TRK | CT_EST);
    assert_int_equal(tcp(&look, A, 1000, B, 80, TCP_SYN, 1, 0, ""), CT_TRK | CT_NEW);
}

/* Also where the beginning was not seen, so that nobody can do it blindly. */
static void
a_reset_beside_the_edge_is_invalid(void **state UNUSED)
{
    tcp(&commit, A, 1000, B, 80, TCP_ACK, 500, 700, "");
    tcp(&look, B, 80, A, 1000, TCP_ACK, 700, 500, "");
    assert_int_equal(tcp(&look, A, 1000, B, 80, TCP_RST, 502, 0, ""), CT_TRK | CT_INV);
    assert_int_equal(tcp(&look, A, 1000, B, 80, TCP_ACK, 900000, 700, "data"), CT_TRK | CT_EST);
    assert_int_equal(tcp(&look, B, 80, A, 1000, TCP_RST, 701, 0, ""), CT_TRK | CT_EST | CT_RPL);
}

static void
passive_ftp_is_expected_once(void **state UNUSED)
{
    open_ftp(&ftp, 3000);
    tcp(&look, B, 21, A, 3000, TCP_ACK | TCP_PSH, 501, 101, "227 Entering Passive Mode (10,0,0,2,39,17).\r\n");
    assert_int_equal(tcp(&look, A, 4000, B, 10001, TCP_SYN, 1, 0, ""), CT_TRK | CT_NEW | CT_REL);
    assert_int_equal(be16_to_cpu(key.ct_tp_dst), 10001);
    assert_int_equal(tcp(&commit, A, 4000, B, 10001, TCP_SYN, 1, 0, ""), CT_TRK | CT_NEW | CT_REL);
    assert_int_equal(be16_to_cpu(key.ct_tp_dst), 21); /* The parent's tuple. */
    assert_int_equal(tcp(&look, B, 10001, A, 4000, TCP_SYN | TCP_ACK, 9, 2, ""), CT_TRK | CT_EST | CT_RPL | CT_REL);
    assert_int_equal(tcp(&commit, A, 4001, B, 10001, TCP_SYN, 1, 0, ""), CT_TRK | CT_NEW);
}

static void
a_third_host_is_not_expected(void **state UNUSED)
{
    open_ftp(&ftp, 3000);
    tcp(&look, A, 3000, B, 21, TCP_ACK, 101, 501, "PORT 10,0,0,77,39,17\r\n");
    tcp(&look, B, 21, A, 3000, TCP_ACK, 501, 101, "227 (10,0,0,77,39,17)\r\n");
    assert_int_equal(tcp(&look, B, 20, A + 76, 10001, TCP_SYN, 1, 0, ""), CT_TRK | CT_NEW);
    assert_int_equal(tcp(&look, A, 20, A + 76, 10001, TCP_SYN, 1, 0, ""), CT_TRK | CT_NEW);
}

static void
active_ftp_is_rewritten_and_numbers_follow(void **state UNUSED)
{
    struct ct_action a = nat(CT_NAT_SRC, X, X, 0, 0);

    a.helper = CT_HELPER_FTP;
    assert_int_equal(tcp(&a, A, 3000, B, 21, TCP_SYN, 100, 0, "") & CT_NEW, CT_NEW);
    tcp(&look, B, 21, X, 3000, TCP_SYN | TCP_ACK, 500, 101, "");
    tcp(&look, A, 3000, B, 21, TCP_ACK, 101, 501, "");
    tcp(&look, A, 3000, B, 21, TCP_ACK | TCP_PSH, 101, 501, "PORT 10,0,0,1,39,17\r\n");
    assert_string_equal(out_text(), "PORT 10,9,9,9,39,17\r\n"); /* Of the same length. */
    assert_checksums();
    tcp(&look, A, 3000, B, 21, TCP_ACK | TCP_PSH, 122, 501, "EPRT |1|10.0.0.1|10002|\r\n");
    assert_string_equal(out_text(), "EPRT |1|10.9.9.9|10002|\r\n");
    /* The server calls back. */
    assert_int_equal(tcp(&look, B, 20, X, 10001, TCP_SYN, 7, 0, ""), CT_TRK | CT_NEW | CT_REL);
    a = (struct ct_action) { .zone = 1, .commit = true, .has_nat = true };
    assert_int_equal(tcp(&a, B, 20, X, 10001, TCP_SYN, 7, 0, "") & (CT_NEW | CT_REL | CT_DNAT),
                     CT_NEW | CT_REL | CT_DNAT);
    assert_int_equal(out_dst(), A);
    assert_checksums();
    assert_int_equal(tcp(&look, A, 10001, B, 20, TCP_SYN | TCP_ACK, 1, 8, ""),
                     CT_TRK | CT_EST | CT_RPL | CT_REL | CT_SNAT);
    assert_int_equal(out_src(), X);
}

static void
a_longer_command_moves_sequence_numbers(void **state UNUSED)
{
    struct ct_action a = nat(CT_NAT_SRC, 0xc0a864c8 /* 192.168.100.200 */, 0xc0a864c8, 0, 0);
    const char *port = "PORT 10,0,0,1,39,17\r\n";
    int longer = strlen("192,168,100,200") - strlen("10,0,0,1");

    a.helper = CT_HELPER_FTP;
    tcp(&a, A, 3000, B, 21, TCP_SYN, 100, 0, "");
    tcp(&look, B, 21, 0xc0a864c8, 3000, TCP_SYN | TCP_ACK, 500, 101, "");
    tcp(&look, A, 3000, B, 21, TCP_ACK, 101, 501, port);
    assert_string_equal(out_text(), "PORT 192,168,100,200,39,17\r\n");
    assert_int_equal(get_be32(out + L4 + 4), 101);
    assert_checksums();
    tcp(&look, A, 3000, B, 21, TCP_ACK, 101, 501, port); /* Sent again: the same. */
    assert_int_equal(get_be32(out + L4 + 4), 101);
    assert_string_equal(out_text(), "PORT 192,168,100,200,39,17\r\n");
    tcp(&look, A, 3000, B, 21, TCP_ACK, 101 + strlen(port), 501, "NOOP\r\n");
    assert_int_equal(get_be32(out + L4 + 4), 101 + strlen(port) + longer);
    assert_checksums();
    assert_int_equal(tcp(&look, B, 21, 0xc0a864c8, 3000, TCP_ACK, 501, 101 + strlen(port) + longer, "200 ok\r\n"),
                     CT_TRK | CT_EST | CT_RPL | CT_DNAT);
    assert_int_equal(get_be32(out + L4 + 8), 101 + strlen(port));
    assert_checksums();
}

static void
count_expectation(void *n_, const struct ct_expectation_entry *e UNUSED)
{
    ++*(unsigned int *) n_;
}

static unsigned int
n_expectations(void)
{
    struct ct_expectation_walk walk;
    unsigned int n = 0;

    conntrack_expectations_begin(ct, &walk);
    while (!conntrack_expectations_step(ct, &walk, 1, NULL, count_expectation, &n)) {
        continue;
    }
    conntrack_expectations_end(ct, &walk);
    return n;
}

static void
note_expectation(void *s, const struct ct_expectation_entry *e)
{
    str_putf(s, "%u ", be16_to_cpu(e->tuple.dst_port) & 255);
}

/* The client of that number announces a port that ends with it. */
static void
announce(uint8_t i)
{
    char *line = xasprintf("PORT 10,0,0,1,39,%u\r\n", i);

    open_ftp(&ftp, 3000 + i);
    tcp(&look, A, 3000 + i, B, 21, TCP_ACK, 101, 501, line);
    free(line);
}

static void
a_walk_meets_the_expectations_that_are_there_all_the_time(void **state UNUSED)
{
    struct str first = STR_INIT, second = STR_INIT;
    struct ct_expectation_walk walk, other;
    uint16_t zone = 2;

    for (uint8_t i = 0; i < 10; i++) {
        announce(i);
    }
    conntrack_expectations_begin(ct, &walk);
    assert_false(conntrack_expectations_step(ct, &walk, 3, NULL, note_expectation, &first));
    assert_string_equal(str_text(&first), "0 1 2 ");
    conntrack_expectations_begin(ct, &other);
    conntrack_flush_rcu(ct, &(struct ct_filter) { .orig = { .src_port = 3003 } }, now);
    conntrack_flush_rcu(ct, &(struct ct_filter) { .orig = { .src_port = 3006 } }, now);
    announce(10);
    while (!conntrack_expectations_step(ct, &walk, 1, NULL, note_expectation, &first)) {
        continue;
    }
    conntrack_expectations_end(ct, &walk);
    assert_true(conntrack_expectations_step(ct, &other, 100, NULL, note_expectation, &second));
    conntrack_expectations_end(ct, &other);
    assert_string_equal(str_text(&first), "0 1 2 4 5 7 8 9 ");
    assert_string_equal(str_text(&second), "0 1 2 4 5 7 8 9 ");
    str_clear(&second);
    conntrack_expectations_begin(ct, &walk);
    assert_true(conntrack_expectations_step(ct, &walk, 100, &zone, note_expectation, &second));
    conntrack_expectations_end(ct, &walk);
    assert_string_equal(str_text(&second), "");
    str_uninit(&first);
    str_uninit(&second);
}

/* Whether the server may open a connection to port 10001 of A, which it sees as 'to'; whoever it was is forgotten. */
static bool
is_called_back(uint32_t to)
{
    struct ct_action a = { .zone = 1, .commit = true, .has_nat = true };
    bool is_related = tcp(&a, B, 20, to, 10001, TCP_SYN, 7, 0, "") & CT_REL;

    conntrack_flush_rcu(ct, &(struct ct_filter) { .orig = { .src_port = 20 } }, now);
    return is_related;
}

/* Sends bytes [from, to) of what the client says. */
static void
say(uint16_t port, const char *line, size_t from, size_t to)
{
    char part[128];

    memcpy(part, line + from, to - from);
    part[to - from] = '\0';
    tcp(&look, A, port, B, 21, TCP_ACK | TCP_PSH, 101 + from, 501, part);
    assert_checksums();
}

static void
an_ftp_command_may_be_split_anywhere(void **state UNUSED)
{
    static const char *const lines[] = { "PORT 10,0,0,1,39,17\r\n", "EPRT |1|10.0.0.1|10001|\r\n",
                                         "NOOP\r\nPORT 10,0,0,1,39,17\r\n" };

    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        size_t n = strlen(lines[i]);

        for (size_t at = 1; at < n; at++) {
            open_ftp(&ftp, 3000 + at);
            say(3000 + at, lines[i], 0, at);
            say(3000 + at, lines[i], 0, at); /* Again. */
            say(3000 + at, lines[i], at, n);
            assert_true(is_called_back(A));
        }
        open_ftp(&ftp, 2000);
        for (size_t at = 0; at < n; at++) {
            say(2000, lines[i], at, at + 1);
            say(2000, lines[i], at / 2, at + 1);
        }
        assert_true(is_called_back(A));
        conntrack_flush_rcu(ct, &(struct ct_filter) { .proto = IP_PROTO_TCP }, now);
    }
}

static void
a_line_is_joined_with_what_follows_it_alone(void **state UNUSED)
{
    const char *line = "PORT 10,0,0,1,39,17\r\n";

    open_ftp(&ftp, 3000);
    say(3000, line, 0, 10);
    say(3000, line, 11, strlen(line)); /* A byte is missing... */
    assert_false(is_called_back(A));
    say(3000, line, 10, strlen(line)); /* ...and comes, with the rest. */
    assert_true(is_called_back(A));
    open_ftp(&ftp, 3001);
    say(3001, line, 0, strlen(line) - 2);
    assert_false(is_called_back(A)); /* It could go on with a digit. */
}

static void
a_long_line_is_not_remembered(void **state UNUSED)
{
    char line[400];

    open_ftp(&ftp, 3000);
    snprintf(line, sizeof line, "227 %0200d", 0);
    for (size_t at = 0; at < 200; at += 50) {
        char part[64];

        snprintf(part, sizeof part, "%.50s", line + at);
        tcp(&look, B, 21, A, 3000, TCP_ACK, 501 + at, 101, part);
    }
    tcp(&look, B, 21, A, 3000, TCP_ACK, 701, 101, "(10,0,0,2,39,17)\r\n");
    assert_int_equal(tcp(&look, A, 4000, B, 10001, TCP_SYN, 1, 0, ""), CT_TRK | CT_NEW);
    tcp(&look, B, 21, A, 3000, TCP_ACK, 719, 101, "227 (10,0,0,2,39,17)\r\n");
    assert_int_equal(tcp(&look, A, 4000, B, 10001, TCP_SYN, 1, 0, ""), CT_TRK | CT_NEW | CT_REL);
}

static void
what_has_gone_cannot_be_rewritten(void **state UNUSED)
{
    struct ct_action a = nat(CT_NAT_SRC, X, X, 0, 0);
    const char *line = "PORT 10,0,0,1,39,17\r\n";

    a.helper = CT_HELPER_FTP;
    for (size_t at = 1; at < strlen(line); at++) {
        uint16_t port = 3000 + at;

        tcp(&a, A, port, B, 21, TCP_SYN, 100, 0, "");
        tcp(&look, B, 21, X, port, TCP_SYN | TCP_ACK, 500, 101, "");
        tcp(&look, A, port, B, 21, TCP_ACK, 101, 501, "");
        say(port, line, 0, at);
        say(port, line, at, strlen(line));
        /* In front of the address, and behind what ends it, all is well. */
        assert_int_equal(is_called_back(X), at <= 5 || at == strlen(line) - 1);
        if (at <= 5) {
            assert_string_equal(out_text(), "");
            say(port, line, at, strlen(line)); /* Sent again: rewritten again. */
            assert_non_null(strstr(out_text(), "10,9,9,9,39,17\r\n"));
        }
        conntrack_flush_rcu(ct, &(struct ct_filter) { .proto = IP_PROTO_TCP }, now);
    }
}

static void
expectations_are_bounded_and_end_with_their_connection(void **state UNUSED)
{
    struct ct_filter all = { .has_zone = false };
    char text[64];

    open_ftp(&ftp, 3000);
    for (int i = 0; i < 100; i++) {
        snprintf(text, sizeof text, "227 (10,0,0,2,39,%d)\r\n", i);
        tcp(&look, B, 21, A, 3000, TCP_ACK, 501, 101, text);
    }
    assert_int_equal(n_expectations(), 16);
    conntrack_flush_rcu(ct, &all, now);
    assert_int_equal(n_expectations(), 0);
}

static void
tftp_answers_from_another_port(void **state UNUSED)
{
    struct ct_action a = { .zone = 1, .commit = true, .helper = CT_HELPER_TFTP };

    udp(&a, A, 5000, B, 69, "\0\1f\0octet", 10);
    assert_int_equal(udp(&look, B, 7777, A, 5000, "\0\3\0\1x", 5), CT_TRK | CT_NEW | CT_REL);
    assert_int_equal(udp(&look, B + 1, 7777, A, 5000, "\0\3\0\1x", 5), CT_TRK | CT_NEW);
}

static void
the_clock_hand_returns_what_has_expired(void **state UNUSED)
{
    for (uint16_t i = 1; i <= 5000; i++) {
        udp(&commit, A, i, B, 53, "a", 1);
    }
    assert_int_equal(conntrack_n_conns(ct), 5000);
    now += 61000;
    assert_int_equal(udp(&look, B, 53, A, 7, "a", 1), CT_TRK | CT_NEW); /* Absent before the hand comes by. */
    for (unsigned int n = 0; n < 5000;) {
        unsigned int got = conntrack_sweep_rcu(ct, 64, now);

        assert_true(got <= 64);
        n += got;
    }
    assert_int_equal(conntrack_n_conns(ct), 0);
    rcu_quiescent();
    rcu_barrier_all();
    for (uint16_t i = 1; i <= 5000; i++) {
        assert_int_equal(udp(&commit, A, i, B, 54, "a", 1), CT_TRK | CT_NEW);
    }
    assert_int_equal(conntrack_n_conns(ct), 5000);
}

static void
collect(void *n_, const struct ct_entry *e UNUSED)
{
    ++*(unsigned int *) n_;
}

static void
a_walk_in_steps_meets_each_connection_once(void **state UNUSED)
{
    const uint16_t other = 2, one = 1;
    unsigned int n = 0, n_other = 0;
    struct ct_walk w = { 0 }, v = { 0 };

    for (uint16_t i = 1; i <= 3000; i++) {
        udp(&commit, A, i, B, 53, "a", 1);
    }
    while (!conntrack_walk_rcu(ct, &w, 7, &one, now, collect, &n)) {
        assert_true(n <= 7 * 6000);
    }
    assert_int_equal(n, 3000);
    while (!conntrack_walk_rcu(ct, &v, 100, &other, now, collect, &n_other)) {
        continue;
    }
    assert_int_equal(n_other, 0);
}

static void
a_flush_goes_in_steps_unless_the_index_knows(void **state UNUSED)
{
    struct ct_flushing exact = { .filter = { .has_zone = true, .zone = 1, .proto = IP_PROTO_UDP } };
    struct ct_flushing reply = exact, zone = { .filter = { .has_zone = true, .zone = 1 } };
    struct ct_flushing none = { .filter = { .has_zone = true, .zone = 2 } };
    struct ct_action a = nat(CT_NAT_SRC, X, X, 0, 0);
    unsigned int n = 0;

    for (uint16_t i = 1; i <= 1000; i++) {
        udp(&a, A, i, B, 53, "a", 1);
    }
    exact.filter.orig = (struct ct_filter_tuple) { .has_src = true, .has_dst = true, .src_port = 7, .dst_port = 53 };
    exact.filter.orig.src = ct_address4(cpu_to_be32(A));
    exact.filter.orig.dst = ct_address4(cpu_to_be32(B));
    assert_true(conntrack_flush_step_rcu(ct, &exact, 1, now));
    assert_int_equal(exact.n_removed, 1);
    reply.filter.reply = (struct ct_filter_tuple) { .has_src = true, .has_dst = true, .src_port = 53, .dst_port = 8 };
    reply.filter.reply.src = ct_address4(cpu_to_be32(B));
    reply.filter.reply.dst = ct_address4(cpu_to_be32(X));
    assert_true(conntrack_flush_step_rcu(ct, &reply, 1, now));
    assert_int_equal(reply.n_removed, 1);
    assert_true(conntrack_flush_step_rcu(ct, &none, 1, now));
    reply.filter.orig = reply.filter.reply;
    reply.filter.orig.dst_port = 9;
    reply.filter.reply = (struct ct_filter_tuple) { .has_src = false };
    assert_true(conntrack_flush_step_rcu(ct, &reply, 1, now));
    assert_int_equal(conntrack_n_conns(ct), 998);
    reply.filter.either_way = true;
    assert_true(conntrack_flush_step_rcu(ct, &reply, 1, now));
    assert_int_equal(conntrack_n_conns(ct), 997);
    for (size_t before = 0; !conntrack_flush_step_rcu(ct, &zone, 10, now); before = zone.n_removed) {
        assert_true(zone.n_removed - before <= 10);
        n++;
    }
    assert_true(n >= 99);
    assert_int_equal(zone.n_removed, 997);
    assert_int_equal(conntrack_n_conns(ct), 0);
}

static void
no_packet_waits_for_more_than_a_few_steps(void **state UNUSED)
{
    struct ct_action a = nat(CT_NAT_SRC, X, X + 200, 0, 0);
    unsigned int n = 0;

    /* The table grows, nearly all expire at once, it is swept, used again and flushed. */
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 20000; i++) {
            udp(i % 4 ? &commit : &a, A + i % 3, 1 + i, B + i % 5, 53, "a", 1);
        }
        now += 61000;
        for (uint32_t i = 0; i < 4000; i++) {
            udp(&commit, A + 9, 1 + i, B, 53, "a", 1);
        }
        while (conntrack_n_conns(ct) > 4000) {
            n += conntrack_sweep_rcu(ct, 1000, now);
            rcu_quiescent();
        }
        conntrack_flush_rcu(ct, &(struct ct_filter) { .has_zone = true, .zone = 1 }, now);
        rcu_barrier_all();
    }
    assert_true(n > 30000);
    assert_int_equal(conntrack_n_conns(ct), 0);
    assert_in_range(conntrack_longest_hold(ct), 1, 32); /* Shards have some hundred entries. */
}

/* Established packets must be found while their shard's array is being replaced. */
static void *
answer(void *stop)
{
    unsigned int n_lost = 0;

    rcu_thread_register();
    while (!atomic_load((_Atomic bool *) stop)) {
        for (uint16_t i = 1; i <= 64; i++) {
            uint8_t l4[9] = { 0, 53, 0, 0, 0, 9 }, f[64];
            struct flow_offsets offsets;
            struct flow k;
            uint16_t lines;
            size_t n;
            struct ct_packet p = { .key = &k, .lines = &lines, .offsets = &offsets };

            put_be16(l4 + 2, i);
            n = make_frame(f, B, A, IP_PROTO_UDP, l4, sizeof l4);
            lines = flow_extract_full(f, n, NULL, &k, &offsets);
            p.packet = packet_new(f, n);
            conntrack_run_rcu(ct, &look, &p, 1, now);
            packet_free(p.packet);
            n_lost += k.ct_state != (CT_TRK | CT_EST | CT_RPL);
        }
        rcu_quiescent();
    }
    rcu_thread_unregister();
    return (void *) (uintptr_t) n_lost;
}

static void
nobody_is_lost_while_the_table_grows(void **state UNUSED)
{
    _Atomic bool stop = false;
    pthread_t thread;
    void *n_lost;

    for (uint16_t i = 1; i <= 64; i++) {
        udp(&commit, A, i, B, 53, "a", 1);
    }
    assert_int_equal(pthread_create(&thread, NULL, answer, &stop), 0);
    for (uint32_t i = 0; i < 20000; i++) {
        udp(&commit, A + 1, 1 + i, B, 54, "a", 1);
        if (i % 64 == 0) {
            rcu_quiescent();
        }
    }
    atomic_store(&stop, true);
    rcu_offline();
    pthread_join(thread, &n_lost);
    rcu_online();
    assert_int_equal((uintptr_t) n_lost, 0);
}

static void
a_full_table_makes_new_connections_invalid(void **state UNUSED)
{
    conntrack_set_max_conns(ct, 2);
    udp(&commit, A, 1, B, 53, "a", 1);
    udp(&commit, A, 2, B, 53, "a", 1);
    assert_int_equal(udp(&commit, A, 3, B, 53, "a", 1), CT_TRK | CT_INV);
    assert_int_equal(udp(&look, B, 53, A, 2, "a", 1), CT_TRK | CT_EST | CT_RPL);
    conntrack_set_max_conns(ct, 100);
    conntrack_set_zone_limit(ct, 1, 3);
    assert_int_equal(udp(&commit, A, 3, B, 53, "a", 1), CT_TRK | CT_NEW);
    assert_int_equal(udp(&commit, A, 4, B, 53, "a", 1), CT_TRK | CT_INV);
}

/* Threads that open, use and forget the same connections. */
static void *
hammer(void *arg UNUSED)
{
    struct ct_action a = nat(CT_NAT_SRC, X, X, 0, 0);
    uint8_t l4[9] = { 0, 0, 0, 53, 0, 9 }, f[64];

    rcu_thread_register();
    for (unsigned int i = 0; i < 20000; i++) {
        struct flow_offsets offsets;
        struct flow k;
        uint16_t lines;
        size_t n;
        struct ct_packet p = { .key = &k, .lines = &lines, .offsets = &offsets };

        put_be16(l4, 1 + i % 97);
        n = make_frame(f, A, B, IP_PROTO_UDP, l4, sizeof l4);
        lines = flow_extract_full(f, n, NULL, &k, &offsets);
        p.packet = packet_new(f, n);
        conntrack_run_rcu(ct, i % 3 ? &a : &look, &p, 1, now);
        packet_free(p.packet);
        if (i % 1000 == 0) {
            conntrack_flush_rcu(ct, &(struct ct_filter) { .has_zone = true, .zone = 1 }, now);
        }
        conntrack_sweep_rcu(ct, 16, now);
        rcu_quiescent();
    }
    rcu_thread_unregister();
    return NULL;
}

static void
threads_share_the_table(void **state UNUSED)
{
    pthread_t threads[3];

    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, hammer, NULL), 0);
    }
    rcu_offline();
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
    }
    rcu_online();
    conntrack_flush_rcu(ct, &(struct ct_filter) { .has_zone = false }, now);
    assert_int_equal(conntrack_n_conns(ct), 0);
}

static int
group_setup(void **state)
{
    struct error *e = env_start();

    assert_null(e);
    return rcu_group_setup(state);
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, begin, end)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_port_that_is_taken_is_replaced),
        TEST(a_port_gives_way_to_the_next_of_its_kind),
        TEST(most_ports_of_a_kind_are_found),
        TEST(destinations_that_become_one_are_told_apart_by_the_source_port),
        TEST(a_checksum_that_the_device_found_right_is_not_looked_at_again),
        TEST(a_full_range_makes_new_connections_invalid),
        TEST(nothing_is_translated_without_a_clash_for_the_address_zero),
        TEST(a_translation_to_what_is_there_is_shown),
        TEST(translated_packets_are_found_again_in_their_zone),
        TEST(a_second_connection_leaves_replies_to_the_translated_one),
        TEST(a_translated_packet_that_is_changed_stays_its_connection_s),
        TEST(a_segment_that_nobody_can_have_asked_for_is_invalid),
        TEST(two_ends_may_open_at_once),
        TEST(of_a_connection_that_is_over_only_what_is_near_fits),
        TEST(a_reset_beside_the_edge_is_invalid),
        TEST(passive_ftp_is_expected_once),
        TEST(a_third_host_is_not_expected),
        TEST(active_ftp_is_rewritten_and_numbers_follow),
        TEST(a_longer_command_moves_sequence_numbers),
        TEST(an_ftp_command_may_be_split_anywhere),
        TEST(a_walk_meets_the_expectations_that_are_there_all_the_time),
        TEST(a_line_is_joined_with_what_follows_it_alone),
        TEST(a_long_line_is_not_remembered),
        TEST(what_has_gone_cannot_be_rewritten),
        TEST(expectations_are_bounded_and_end_with_their_connection),
        TEST(tftp_answers_from_another_port),
        TEST(the_clock_hand_returns_what_has_expired),
        TEST(a_walk_in_steps_meets_each_connection_once),
        TEST(a_flush_goes_in_steps_unless_the_index_knows),
        TEST(no_packet_waits_for_more_than_a_few_steps),
        TEST(nobody_is_lost_while_the_table_grows),
        TEST(a_full_table_makes_new_connections_invalid),
        TEST(threads_share_the_table),
    };

    return cmocka_run_group_tests(tests, group_setup, rcu_group_teardown);
}
