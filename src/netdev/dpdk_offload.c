#include "netdev/dpdk_offload.h"

#include <string.h>

#include "flow/extract.h"
#include "packet/csum.h"
#include "packet/headers.h"
#include "packet/mbuf.h"

#include "netdev/dpdk_device.h" /* It brings macros with the names of packet/headers.h. */

enum { TCP_CSUM_AT = 16, UDP_CSUM_AT = 6 };

/* Where the headers of a packet are. */
struct layout {
    size_t l3, l4, l4_len; /* 'l4_len': of header and payload. */
    uint8_t proto;
    bool is_v6;
};

/* False: not TCP or UDP, or a fragment. */
static bool
find_layout(const struct packet *p, struct layout *l)
{
    static const struct flow zero;
    struct flow_offsets o;
    struct flow key;

    flow_extract(packet_at(p), packet_size(p), &zero, 0, &key, &o);
    if (!flow_is_ip(&key) || o.l4 == FLOW_NO_OFFSET || key.nw_frag
        || (key.nw_proto != IP_PROTO_TCP && key.nw_proto != IP_PROTO_UDP)) {
        return false;
    }
    *l = (struct layout) { .l3 = o.l3, .l4 = o.l4, .l4_len = packet_size(p) - o.l3_pad - o.l4, .proto = key.nw_proto,
                           .is_v6 = key.eth_type == BE16(ETH_TYPE_IPV6) };
    return l->l4_len >= (l->proto == IP_PROTO_TCP ? TCP_HEADER_LEN : UDP_HEADER_LEN);
}

static size_t
csum_at(const struct layout *l)
{
    return l->proto == IP_PROTO_TCP ? TCP_CSUM_AT : UDP_CSUM_AT;
}

/* --- The choice --- */

/* The part of 'wanted' that the device has. */
static uint64_t
all_or_none(uint64_t has, uint64_t wanted)
{
    return (has & wanted) == wanted ? wanted : 0;
}

/* The driver of TAP devices refuses to make frames as long as the MTU allows: it forgets the Ethernet header. */
static bool
cuts_full_segments(const struct rte_eth_dev_info *info)
{
    return strcmp(info->driver_name, "net_tap") != 0;
}

struct dpdk_offloads
dpdk_offload_choose(const struct rte_eth_dev_info *info, bool is_virtual, bool tso)
{
    const uint64_t l4 = RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
    const uint64_t cutting = l4 | RTE_ETH_TX_OFFLOAD_TCP_TSO | RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
    struct dpdk_offloads o = {
        .rx = info->rx_offload_capa & (RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM
                                       | RTE_ETH_RX_OFFLOAD_UDP_CKSUM),
        .tx = all_or_none(info->tx_offload_capa, l4),
        .reads_memory = !is_virtual || !strcmp(info->driver_name, "net_virtio_user"),
    };

    if (o.reads_memory) {
        o.tx |= info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
    }
    if (tso && cuts_full_segments(info)) {
        o.tx |= all_or_none(info->tx_offload_capa, cutting);
    }
    if (o.tx & l4) {
        o.takes |= NETDEV_TAKES_CSUM;
        o.tx |= info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM;
        o.tx_flags |= PACKET_F_OFFLOAD;
    }
    if (o.tx & RTE_ETH_TX_OFFLOAD_TCP_TSO) {
        o.takes |= NETDEV_TAKES_TCP_SEGMENTS;
    }
    if (o.reads_memory) {
        o.tx_flags |= RTE_MBUF_F_EXTERNAL;
    }
    return o;
}

/* --- Receiving --- */

/* The device passes on what it was given: the sum over the packet is still missing.  It is made sure that the field
 * holds that of the pseudo-header. */
static NOINLINE void
take_partial(struct packet *p)
{
    uint8_t *data = packet_at(p), *ip;
    struct layout l;
    uint32_t sum;
    be16 csum;

    p->mbuf.ol_flags &= ~RTE_MBUF_F_RX_L4_CKSUM_MASK;
    if (!find_layout(p, &l)) {
        return;
    }
    ip = data + l.l3;
    sum = l.is_v6 ? csum_pseudo_ipv6(&((struct ipv6_header *) ip)->src, &((struct ipv6_header *) ip)->dst, l.proto,
                                     l.l4_len)
                  : csum_pseudo_ipv4(((struct ip_header *) ip)->src, ((struct ip_header *) ip)->dst, l.proto,
                                     l.l4_len);
    csum = ~csum_finish(sum);
    memcpy(data + l.l4 + csum_at(&l), &csum, sizeof csum);
    packet_set_offload(p, &(struct packet_offload) { .flags = PACKET_CSUM_PARTIAL, .csum_start = l.l4,
                                                     .csum_offset = csum_at(&l) });
}

void
dpdk_offload_receive(struct packet **packets, unsigned int n)
{
    for (unsigned int i = 0; i < n; i++) {
        if (UNLIKELY((packets[i]->mbuf.ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_NONE)) {
            take_partial(packets[i]);
        }
    }
}

/* --- Sending --- */

/* Describes what is to be done.  False: it is nothing that the device could do. */
static bool
describe(struct packet *p, const struct dpdk_offloads *has)
{
    const struct packet_offload *o = &p->offload;
    struct rte_mbuf *m = &p->mbuf;
    struct layout l;

    if (!find_layout(p, &l) || o->csum_start != l.l4 || o->csum_offset != csum_at(&l)
        || (l.is_v6 && l.l4 - l.l3 != IPV6_HEADER_LEN)) { /* Drivers do not look for extensions. */
        return false;
    }
    m->l2_len = l.l3;
    m->l3_len = l.l4 - l.l3;
    m->ol_flags &= ~(RTE_MBUF_F_RX_L4_CKSUM_MASK | RTE_MBUF_F_TX_OFFLOAD_MASK);
    m->ol_flags |= l.is_v6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4;
    m->ol_flags |= l.proto == IP_PROTO_TCP ? RTE_MBUF_F_TX_TCP_CKSUM : RTE_MBUF_F_TX_UDP_CKSUM;
    if (o->gso_type) {
        m->l4_len = (((uint8_t *) packet_at(p))[l.l4 + 12] >> 4) * 4;
        m->tso_segsz = o->gso_size;
        m->ol_flags |= RTE_MBUF_F_TX_TCP_SEG;
        m->ol_flags |= !l.is_v6 && has->tx & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM ? RTE_MBUF_F_TX_IP_CKSUM : 0;
        return l.proto == IP_PROTO_TCP && o->gso_size && m->l4_len >= TCP_HEADER_LEN && m->l4_len <= l.l4_len;
    }
    return true;
}

/* The packet ('p' is taken over) in a chain out of the device's pool; null: there are no packets left. */
static struct packet *
gather(struct dpdk_device *d, struct packet *p)
{
    struct rte_mempool *pool = dpdk_share_mempool(&d->share);
    struct rte_mbuf *first = NULL, *last = NULL;
    size_t left = packet_size(p);
    const char *from = packet_at(p);

    do {
        struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
        size_t n;

        if (!m) {
            break;
        }
        n = MIN(left, rte_pktmbuf_tailroom(m));
        memcpy(rte_pktmbuf_mtod(m, void *), from, n);
        m->data_len = m->pkt_len = n;
        if (!first) {
            first = last = m;
        } else if (rte_pktmbuf_chain(first, m)) {
            rte_pktmbuf_free(m);
            break;
        }
        from += n;
        left -= n;
    } while (left);
    if (first) {
        first->ol_flags |= p->mbuf.ol_flags & RTE_MBUF_F_TX_OFFLOAD_MASK;
        first->tx_offload = p->mbuf.tx_offload;
    }
    packet_free(p);
    if (left) {
        rte_pktmbuf_free(first);
        return NULL;
    }
    return packet_from_mbuf(first);
}

static bool
has_work_left(const struct packet *p)
{
    return packet_has_offload(p) && (p->offload.flags & PACKET_CSUM_PARTIAL || p->offload.gso_type);
}

/* Takes 'p' over; null: it is counted. */
static struct packet *
make_ready(struct dpdk_device *d, struct packet *p)
{
    const struct dpdk_offloads *has = &d->offloads;

    if (has_work_left(p)) {
        p = packet_unshare(p); /* Drivers change headers. */
        if (!p) {
            atomic_fetch_add_explicit(&d->tx_failed, 1, memory_order_relaxed);
            return NULL;
        }
        if (!describe(p, has)) {
            p->mbuf.ol_flags &= ~RTE_MBUF_F_TX_OFFLOAD_MASK;
            if (p->offload.gso_type) {
                atomic_fetch_add_explicit(&d->tx_invalid, 1, memory_order_relaxed);
                packet_free(p);
                return NULL;
            }
            packet_finish_csum(p);
        }
    }
    if (has->reads_memory && p->mbuf.ol_flags & RTE_MBUF_F_EXTERNAL) {
        p = gather(d, p);
        if (!p) {
            atomic_fetch_add_explicit(&d->tx_failed, 1, memory_order_relaxed);
        }
    }
    return p;
}

/* Has the driver look at the packets; those that it cannot send are counted and freed. */
static unsigned int
let_driver_prepare(struct dpdk_device *d, unsigned int q, struct packet **packets, unsigned int n)
{
    unsigned int done = 0;

    while (done < n) {
        done += rte_eth_tx_prepare(d->port, q, (struct rte_mbuf **) packets + done, n - done);
        if (done < n) {
            atomic_fetch_add_explicit(&d->tx_invalid, 1, memory_order_relaxed);
            packet_free(packets[done]);
            n--;
            memmove(packets + done, packets + done + 1, (n - done) * sizeof *packets);
        }
    }
    return n;
}

/* The first of the packets that are to be looked at. */
static NOINLINE unsigned int
make_ready_from(struct dpdk_device *d, unsigned int q, struct packet **packets, unsigned int n, unsigned int first)
{
    unsigned int kept = first;

    for (unsigned int i = first; i < n; i++) {
        struct packet *p = packets[i];

        p = p->mbuf.ol_flags & d->offloads.tx_flags ? make_ready(d, p) : p;
        if (p) {
            packets[kept++] = p;
        }
    }
    return first + let_driver_prepare(d, q, packets + first, kept - first);
}

unsigned int
dpdk_offload_send(struct dpdk_device *d, unsigned int q, struct packet **packets, unsigned int n)
{
    for (unsigned int i = 0; i < n; i++) {
        if (UNLIKELY(packets[i]->mbuf.ol_flags & d->offloads.tx_flags)) {
            return make_ready_from(d, q, packets, n, i);
        }
    }
    return n;
}
