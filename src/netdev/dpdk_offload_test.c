#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "flow/compose.h"
#include "flow/extract.h"
#include "packet/csum.h"
#include "packet/env.h"
#include "packet/headers.h"
#include "packet/mbuf.h"

#include "netdev/dpdk_device.h" /* It brings macros with the names of packet/headers.h. */

static struct netdev *null;
static struct dpdk_device *d;

/* --- The choice --- */

enum { L4_RX = RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM };
#define L4_TX (RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM)
#define CUTS (L4_TX | RTE_ETH_TX_OFFLOAD_TCP_TSO | RTE_ETH_TX_OFFLOAD_MULTI_SEGS)

static struct dpdk_offloads
choose(const char *driver, uint64_t rx, uint64_t tx, bool is_virtual, bool tso)
{
    struct rte_eth_dev_info info = { .driver_name = driver, .rx_offload_capa = rx, .tx_offload_capa = tx };

    return dpdk_offload_choose(&info, is_virtual, tso);
}

static void
a_device_is_asked_for_what_it_can_and_what_is_of_use(void **state UNUSED)
{
    struct dpdk_offloads o = choose("net_null", RTE_ETH_RX_OFFLOAD_VLAN_STRIP, RTE_ETH_TX_OFFLOAD_MULTI_SEGS, true,
                                    true);

    assert_true(!o.rx && !o.tx && !o.tx_flags && !o.takes);
    o = choose("net_tap", L4_RX | RTE_ETH_RX_OFFLOAD_SCATTER, CUTS | RTE_ETH_TX_OFFLOAD_IPV4_CKSUM, true, false);
    assert_int_equal(o.rx, L4_RX);
    assert_true(o.tx == (L4_TX | RTE_ETH_TX_OFFLOAD_IPV4_CKSUM));
    assert_int_equal(o.takes, NETDEV_TAKES_CSUM);
    assert_true(o.tx_flags == PACKET_F_OFFLOAD);
    assert_false(choose("net_tap", 0, CUTS, true, true).takes & NETDEV_TAKES_TCP_SEGMENTS);
    o = choose("net_virtio", 0, CUTS, true, true);
    assert_true(o.tx == CUTS);
    assert_int_equal(o.takes, NETDEV_TAKES_CSUM | NETDEV_TAKES_TCP_SEGMENTS);
    o = choose("net_x", 0, RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_TSO, true, true);
    assert_true(!o.tx && !o.takes);
}

static void
a_device_that_reads_memory_gets_chains(void **state UNUSED)
{
    struct dpdk_offloads o = choose("net_ixgbe", 0, RTE_ETH_TX_OFFLOAD_MULTI_SEGS, false, false);

    assert_true(o.reads_memory);
    assert_true(o.tx == RTE_ETH_TX_OFFLOAD_MULTI_SEGS && o.tx_flags == RTE_MBUF_F_EXTERNAL);
    assert_true(choose("net_virtio_user", 0, 0, true, false).reads_memory);
    assert_false(choose("net_pcap", 0, 0, true, false).reads_memory);
}

/* --- Packets --- */

static struct flow
flow_of(bool is_v6, uint8_t proto, bool has_tag)
{
    struct flow f = { 0 };

    f.eth_type = is_v6 ? BE16(ETH_TYPE_IPV6) : BE16(ETH_TYPE_IP);
    f.nw_proto = proto;
    f.nw_ttl = 64;
    f.nw_src = BE32(0x0a000001);
    f.nw_dst = BE32(0x0a000002);
    f.ipv6_src.s6[15] = 1;
    f.ipv6_dst.s6[15] = 2;
    f.tp_src = BE16(1000);
    f.tp_dst = BE16(2000);
    f.tcp_flags = proto == IP_PROTO_TCP ? BE16(TCP_ACK) : 0;
    f.vlan_tpid = has_tag ? BE16(ETH_TYPE_VLAN) : 0;
    f.vlan_tci = has_tag ? BE16(0x1005) : 0;
    return f;
}

/* With its partial checksum. */
static struct packet *
compose(const struct flow *f, size_t payload, struct bytes *whole)
{
    struct flow_offsets o;
    struct flow key;
    struct packet *p;

    bytes_clear(whole);
    flow_compose(f, NULL, payload, false, whole);
    p = packet_new(whole->data, whole->len);
    assert_non_null(p);
    flow_extract_full(whole->data, whole->len, NULL, &key, &o);
    p->mbuf.ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_NONE;
    memset((char *) packet_at(p) + o.l4 + (f->nw_proto == IP_PROTO_TCP ? 16 : 6), 0x55, 2); /* Nonsense. */
    dpdk_offload_receive(&p, 1);
    assert_true(packet_csum_is_partial(p));
    assert_int_equal(p->offload.csum_start, o.l4);
    return p;
}

static void
what_nobody_has_summed_becomes_a_partial_checksum(void **state UNUSED)
{
    for (int i = 0; i < 8; i++) {
        struct flow f = flow_of(i & 1, i & 2 ? IP_PROTO_TCP : IP_PROTO_UDP, i & 4);
        struct bytes whole = BYTES_INIT;
        struct packet *p = compose(&f, 100, &whole);

        packet_finish_csum(p);
        assert_int_equal(packet_size(p), whole.len);
        assert_memory_equal(packet_at(p), whole.data, whole.len);
        packet_free(p);
        bytes_uninit(&whole);
    }
}

static void
what_a_device_has_looked_at_is_left_alone(void **state UNUSED)
{
    struct flow f = flow_of(false, IP_PROTO_TCP, false);
    struct bytes whole = BYTES_INIT;
    struct packet *p;

    flow_compose_default(&f, &whole);
    p = packet_new(whole.data, whole.len);
    assert_false(packet_csum_is_verified(p));
    p->mbuf.ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_GOOD;
    dpdk_offload_receive(&p, 1);
    assert_true(packet_csum_is_verified(p) && !packet_has_offload(p));
    p->mbuf.ol_flags = RTE_MBUF_F_RX_L4_CKSUM_BAD;
    dpdk_offload_receive(&p, 1);
    assert_false(packet_csum_is_verified(p) || packet_has_offload(p));
    memset((char *) packet_at(p) + 12, 0, 2); /* No IP. */
    p->mbuf.ol_flags = RTE_MBUF_F_RX_L4_CKSUM_NONE;
    dpdk_offload_receive(&p, 1);
    assert_false(packet_csum_is_verified(p) || packet_has_offload(p));
    packet_free(p);
    bytes_uninit(&whole);
}

static void
a_device_is_told_what_to_sum(void **state UNUSED)
{
    d->offloads = choose("net_x", 0, L4_TX, true, false);
    for (int i = 0; i < 8; i++) {
        bool is_v6 = i & 1, is_tcp = i & 2, has_tag = i & 4;
        struct flow f = flow_of(is_v6, is_tcp ? IP_PROTO_TCP : IP_PROTO_UDP, has_tag);
        struct bytes whole = BYTES_INIT;
        struct packet *p = compose(&f, 100, &whole);

        assert_int_equal(dpdk_offload_send(d, 0, &p, 1), 1);
        assert_int_equal(p->mbuf.ol_flags & RTE_MBUF_F_TX_OFFLOAD_MASK,
                         (is_v6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4)
                         | (is_tcp ? RTE_MBUF_F_TX_TCP_CKSUM : RTE_MBUF_F_TX_UDP_CKSUM));
        assert_int_equal(p->mbuf.l2_len, has_tag ? 18 : 14);
        assert_int_equal(p->mbuf.l3_len, is_v6 ? 40 : 20);
        packet_free(p);
        bytes_uninit(&whole);
    }
}

static struct packet *
compose_long(bool is_v6, size_t payload, unsigned int gso_size, struct bytes *whole)
{
    struct flow f = flow_of(is_v6, IP_PROTO_TCP, false);
    struct packet *p = compose(&f, payload, whole);

    p->offload.gso_type = is_v6 ? PACKET_GSO_TCPV6 : PACKET_GSO_TCPV4;
    p->offload.gso_size = gso_size;
    return p;
}

static void
a_device_is_told_what_to_cut(void **state UNUSED)
{
    for (int i = 0; i < 4; i++) {
        bool is_v6 = i & 1, sums_ip = i & 2;
        struct bytes whole = BYTES_INIT;
        struct packet *p = compose_long(is_v6, 60000, 1440, &whole);

        d->offloads = choose("net_x", 0, CUTS | (sums_ip ? RTE_ETH_TX_OFFLOAD_IPV4_CKSUM : 0), true, true);
        assert_int_equal(dpdk_offload_send(d, 0, &p, 1), 1);
        assert_int_equal(p->mbuf.ol_flags & RTE_MBUF_F_TX_OFFLOAD_MASK,
                         (is_v6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4) | RTE_MBUF_F_TX_TCP_CKSUM
                         | RTE_MBUF_F_TX_TCP_SEG | (sums_ip && !is_v6 ? RTE_MBUF_F_TX_IP_CKSUM : 0));
        assert_int_equal(p->mbuf.tso_segsz, 1440);
        assert_int_equal(p->mbuf.l4_len, 20);
        packet_free(p);
        bytes_uninit(&whole);
    }
}

static void
only_who_has_a_packet_alone_changes_it(void **state UNUSED)
{
    struct bytes whole = BYTES_INIT;
    struct packet *p = compose_long(false, 5000, 1440, &whole), *sent = p;

    d->offloads = choose("net_x", 0, CUTS, true, true);
    packet_ref(p);
    assert_int_equal(dpdk_offload_send(d, 0, &sent, 1), 1);
    assert_ptr_not_equal(sent, p);
    assert_int_equal(p->mbuf.ol_flags & RTE_MBUF_F_TX_OFFLOAD_MASK, 0);
    assert_int_equal(sent->mbuf.tso_segsz, 1440);
    packet_free(sent);
    packet_free(p);
    bytes_uninit(&whole);
}

static void
what_a_device_cannot_sum_is_summed_before(void **state UNUSED)
{
    struct flow f = flow_of(true, IP_PROTO_UDP, false);
    struct bytes whole = BYTES_INIT;
    struct packet *p = compose(&f, 100, &whole);
    size_t l4 = p->offload.csum_start, n = packet_size(p) - l4;
    uint8_t *ip = (uint8_t *) packet_at(p) + ETH_HEADER_LEN;

    /* An extension of 8 bytes between the headers. */
    d->offloads = choose("net_x", 0, L4_TX, true, false);
    assert_true(packet_insert(p, l4, 8));
    ip = (uint8_t *) packet_at(p) + ETH_HEADER_LEN;
    memset((uint8_t *) packet_at(p) + l4, 0, 8);
    ((uint8_t *) packet_at(p))[l4] = IP_PROTO_UDP;
    ip[6] = 60; /* Destination options. */
    put_be16(ip + 4, n + 8);
    assert_int_equal(dpdk_offload_send(d, 0, &p, 1), 1);
    assert_int_equal(p->mbuf.ol_flags & RTE_MBUF_F_TX_OFFLOAD_MASK, 0);
    assert_int_equal(csum_finish(csum_add(csum_pseudo_ipv6((void *) (ip + 8), (void *) (ip + 24), IP_PROTO_UDP, n),
                                          (uint8_t *) packet_at(p) + l4 + 8, n)), 0);
    packet_free(p);
    bytes_uninit(&whole);
}

static void
what_cannot_be_cut_is_counted_and_the_others_pass(void **state UNUSED)
{
    struct bytes whole = BYTES_INIT;
    struct packet *bad = compose_long(false, 5000, 0, &whole), *no_tcp = compose_long(false, 5000, 1440, &whole);
    struct packet *good = compose_long(false, 5000, 1440, &whole), *plain = packet_new("0123456789abcdef", 16);
    struct packet *all[] = { plain, bad, no_tcp, good };

    d->offloads = choose("net_x", 0, CUTS, true, true);
    memset((char *) packet_at(no_tcp) + 12, 0, 2);
    assert_int_equal(dpdk_offload_send(d, 0, all, ARRAY_SIZE(all)), 2);
    assert_ptr_equal(all[0], plain);
    assert_ptr_equal(all[1], good);
    assert_int_equal(d->tx_invalid, 2);
    packet_free(good);
    packet_free(plain);
    bytes_uninit(&whole);
}

static void
long_packets_become_chains_in_the_device_s_memory(void **state UNUSED)
{
    struct rte_mempool *pool = dpdk_share_mempool(&d->share);
    struct bytes whole = BYTES_INIT;
    struct packet *p = compose_long(false, 60000, 1440, &whole);
    struct packet *small = packet_new("0123456789abcdef", 16), *kept = small;
    char *copy = xmalloc(whole.len), *joined = xmalloc(whole.len);

    d->offloads = choose("net_x", 0, CUTS, false, true);
    memcpy(copy, packet_at(p), packet_size(p));
    assert_int_equal(dpdk_offload_send(d, 0, &p, 1), 1);
    assert_ptr_equal(p->mbuf.pool, pool);
    assert_int_equal(p->mbuf.pkt_len, whole.len);
    assert_int_equal(p->mbuf.nb_segs, (whole.len + PACKET_ROOM - 1) / PACKET_ROOM);
    assert_int_equal(p->mbuf.tso_segsz, 1440);
    assert_true(p->mbuf.ol_flags & RTE_MBUF_F_TX_TCP_SEG);
    assert_memory_equal(rte_pktmbuf_read(&p->mbuf, 0, whole.len, joined), copy, whole.len);
    rte_pktmbuf_free(&p->mbuf);
    assert_int_equal(rte_mempool_in_use_count(pool), 0);
    assert_int_equal(dpdk_offload_send(d, 0, &small, 1), 1);
    assert_ptr_equal(small, kept);
    packet_free(small);
    free(copy);
    free(joined);
    bytes_uninit(&whole);
}

static void
without_packets_for_a_chain_it_is_counted(void **state UNUSED)
{
    struct rte_mempool *pool = dpdk_share_mempool(&d->share);
    unsigned int n = rte_mempool_avail_count(pool);
    struct rte_mbuf **all = xcalloc(n, sizeof *all);
    struct bytes whole = BYTES_INIT;
    struct packet *p = compose_long(false, 60000, 1440, &whole);

    d->offloads = choose("net_x", 0, CUTS, false, true);
    for (unsigned int i = 0; i < n - 3; i++) {
        all[i] = rte_pktmbuf_alloc(pool);
        assert_non_null(all[i]);
    }
    assert_int_equal(dpdk_offload_send(d, 0, &p, 1), 0);
    assert_int_equal(d->tx_failed, 1);
    rte_pktmbuf_free_bulk(all, n - 3);
    assert_int_equal(rte_mempool_in_use_count(pool), 0);
    free(all);
    bytes_uninit(&whole);
}

static int
begin(void **state UNUSED)
{
    struct strmap options = STRMAP_INIT(&options);
    struct error *e;

    assert_int_equal(netdev_open("d0", "dpdk", &null), 0);
    strmap_put_free(&options, "dpdk-devargs", xstrdup("net_null0,no-rx=1"));
    e = netdev_set_config(null, &options);
    assert_null(e);
    strmap_uninit_free(&options);
    d = dpdk_device(null);
    return 0;
}

static int
end(void **state UNUSED)
{
    netdev_close(null);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_is_asked_for_what_it_can_and_what_is_of_use),
        cmocka_unit_test(a_device_that_reads_memory_gets_chains),
        cmocka_unit_test(what_nobody_has_summed_becomes_a_partial_checksum),
        cmocka_unit_test(what_a_device_has_looked_at_is_left_alone),
        cmocka_unit_test_setup_teardown(a_device_is_told_what_to_sum, begin, end),
        cmocka_unit_test_setup_teardown(a_device_is_told_what_to_cut, begin, end),
        cmocka_unit_test_setup_teardown(only_who_has_a_packet_alone_changes_it, begin, end),
        cmocka_unit_test_setup_teardown(what_a_device_cannot_sum_is_summed_before, begin, end),
        cmocka_unit_test_setup_teardown(what_cannot_be_cut_is_counted_and_the_others_pass, begin, end),
        cmocka_unit_test_setup_teardown(long_packets_become_chains_in_the_device_s_memory, begin, end),
        cmocka_unit_test_setup_teardown(without_packets_for_a_chain_it_is_counted, begin, end),
    };
    struct error *e = env_start();
    int failed;

    if (e) {
        fprintf(stderr, "%s\n", error_text(e));
        return EXIT_FAILURE;
    }
    netdev_init(NULL);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    netdev_uninit();
    return failed;
}
