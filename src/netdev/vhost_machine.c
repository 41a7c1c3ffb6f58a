#include "netdev/vhost_machine.h"

#include <fcntl.h>
#include <linux/vhost_types.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <stdlib.h>

#include <rte_vhost.h>

#include "packet/headers.h"
#include "packet/mbuf.h"
#include "packet/pool.h"

static bool
has(uint64_t features, unsigned int bit)
{
    return features >> bit & 1;
}

static bool
needs_library(uint64_t features)
{
    return has(features, VIRTIO_F_RING_PACKED) || has(features, VIRTIO_F_ACCESS_PLATFORM)
           || has(features, VHOST_F_LOG_ALL) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__;
}

/* False if there is no table, or one that is too large. */
static bool
read_memory(int vid, struct virtqueue_memory *m)
{
    struct rte_vhost_memory *table = NULL;
    bool fits;

    if (rte_vhost_get_mem_table(vid, &table)) {
        return false;
    }
    fits = table->nregions <= VIRTQUEUE_MAX_REGIONS;
    for (uint32_t i = 0; fits && i < table->nregions; i++) {
        const struct rte_vhost_mem_region *r = &table->regions[i];

        m->regions[m->n++] = (struct virtqueue_region) { .guest = r->guest_phys_addr, .size = r->size,
                                                     .host = (uint8_t *) (uintptr_t) r->host_user_addr };
    }
    free(table);
    return fits;
}

/* The machine gave us the descriptor and can fill what is behind it: nobody shall wait for that. */
static void
never_wait(int fd)
{
    int flags = fd >= 0 ? fcntl(fd, F_GETFL) : -1;

    if (flags >= 0) {
        fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    }
}

static void
read_ring(struct vhost_machine *m, unsigned int i, uint64_t features, struct virtqueue_counters *counters,
          bool may_segment)
{
    struct rte_vhost_vring v;
    uint16_t next, used;

    if (rte_vhost_get_vhost_vring(m->vid, i, &v)) {
        return;
    }
    never_wait(v.callfd);
    /* Who served the machine before may have used buffers without a call, or its call was lost, as where the machine
     * was before it moved.  It would wait for it, and not want to be called for what is used from now on (VIRTIO 1.2
     * §2.7.10). */
    virtqueue_call(v.callfd, counters);
    if (m->is_served_by_library || !v.desc || !v.avail || !v.used || !v.size || v.size & (v.size - 1)
        || rte_vhost_get_vring_base(m->vid, i, &next, &used)) {
        return;
    }
    m->rings[i] = (struct virtqueue) {
        .desc = v.desc, .avail = v.avail, .used = v.used, .memory = &m->memory, .counters = counters, .size = v.size,
        .next = next, .call_fd = v.callfd, .may_segment = may_segment,
        .is_mergeable = has(features, VIRTIO_NET_F_MRG_RXBUF),
        .has_indirect = has(features, VIRTIO_RING_F_INDIRECT_DESC),
        .has_event_idx = has(features, VIRTIO_RING_F_EVENT_IDX),
        .header_len = has(features, VIRTIO_NET_F_MRG_RXBUF) || has(features, VIRTIO_F_VERSION_1)
                      ? sizeof(struct virtio_net_hdr_mrg_rxbuf) : sizeof(struct virtio_net_hdr),
    };
}

struct vhost_machine *
vhost_machine_new(int vid, unsigned int max_rings, struct virtqueue_counters *counters, bool may_segment)
{
    unsigned int n = MIN(rte_vhost_get_vring_num(vid), max_rings);
    struct vhost_machine *m = xzalloc_cacheline(sizeof *m + n * sizeof m->rings[0]);
    uint64_t features = 0;

    m->vid = vid;
    m->n_rings = n;
    m->is_served_by_library = rte_vhost_get_negotiated_features(vid, &features) || needs_library(features)
                              || !read_memory(vid, &m->memory);
    for (unsigned int i = 0; i < n; i++) {
        read_ring(m, i, features, &counters[i], may_segment);
    }
    return m;
}

void
vhost_machine_free(struct vhost_machine *m)
{
    if (!m) {
        return;
    }
    for (unsigned int i = 0; i < m->n_rings; i++) {
        if (m->rings[i].size) {
            rte_vhost_set_vring_base(m->vid, i, m->rings[i].next, m->rings[i].next);
        }
    }
    free(m);
}

/* Checksums by protocol: what the library calls them, and where the field is in the header. */
static const struct { uint64_t flag; uint16_t offset; } l4_csums[] = {
    { RTE_MBUF_F_TX_TCP_CKSUM, 16 }, { RTE_MBUF_F_TX_UDP_CKSUM, 6 }, { RTE_MBUF_F_TX_SCTP_CKSUM, 8 },
};

enum { MAX_L3_LEN = 511 }; /* What the mbuf's field holds. */

/* What the library read from the frame's virtio-net header, as our offloads. */
static void
take_offload(struct packet *p)
{
    uint64_t flags = p->mbuf.ol_flags;
    struct packet_offload o = { 0 };

    for (size_t i = 0; i < ARRAY_SIZE(l4_csums); i++) {
        if ((flags & RTE_MBUF_F_TX_L4_MASK) == l4_csums[i].flag) {
            o.flags = PACKET_CSUM_PARTIAL;
            o.csum_start = p->mbuf.l2_len + p->mbuf.l3_len;
            o.csum_offset = l4_csums[i].offset;
        }
    }
    if (flags & RTE_MBUF_F_TX_TCP_SEG) {
        o.flags = PACKET_CSUM_PARTIAL;
        o.csum_start = p->mbuf.l2_len + p->mbuf.l3_len;
        o.csum_offset = l4_csums[0].offset;
        o.gso_type = flags & RTE_MBUF_F_TX_IPV4 ? PACKET_GSO_TCPV4 : PACKET_GSO_TCPV6;
        o.gso_size = p->mbuf.tso_segsz;
        o.hdr_len = o.csum_start + p->mbuf.l4_len;
    }
    p->mbuf.ol_flags &= ~(RTE_MBUF_F_TX_OFFLOAD_MASK);
    packet_set_offload(p, &o);
}

/* Says it in the library's terms. */
static void
put_offload(struct packet *p)
{
    const struct packet_offload *o = &p->offload;

    for (size_t i = 0; i < ARRAY_SIZE(l4_csums); i++) {
        if (o->flags & PACKET_CSUM_PARTIAL && o->csum_offset == l4_csums[i].offset
            && o->csum_start >= ETH_HEADER_LEN && o->csum_start - ETH_HEADER_LEN <= MAX_L3_LEN) {
            p->mbuf.ol_flags |= l4_csums[i].flag;
            p->mbuf.l2_len = ETH_HEADER_LEN;
            p->mbuf.l3_len = o->csum_start - ETH_HEADER_LEN;
        }
    }
    if (o->gso_type) {
        const uint8_t *tcp = (uint8_t *) packet_at(p) + o->csum_start;

        p->mbuf.ol_flags |= RTE_MBUF_F_TX_TCP_SEG;
        p->mbuf.ol_flags |= (o->gso_type & ~PACKET_GSO_ECN) == PACKET_GSO_TCPV4 ? RTE_MBUF_F_TX_IPV4
                                                                                : RTE_MBUF_F_TX_IPV6;
        p->mbuf.l4_len = (size_t) o->csum_start + TCP_HEADER_LEN <= packet_size(p) ? (tcp[12] >> 4) * 4
                                                                                  : TCP_HEADER_LEN;
        p->mbuf.tso_segsz = o->gso_size;
    }
}

static unsigned int
recv_by_library(const struct vhost_machine *m, unsigned int pair, struct packet **packets, unsigned int max)
{
    unsigned int n = rte_vhost_dequeue_burst(m->vid, VRING_RX(pair), packet_pool(), (struct rte_mbuf **) packets, max);

    for (unsigned int i = 0; i < n; i++) {
        if (UNLIKELY(packets[i]->mbuf.ol_flags & RTE_MBUF_F_TX_OFFLOAD_MASK)) {
            take_offload(packets[i]);
        }
    }
    return n;
}

unsigned int
vhost_machine_recv(struct vhost_machine *m, unsigned int pair, struct packet **packets, unsigned int max)
{
    if (UNLIKELY(VRING_RX(pair) >= m->n_rings)) {
        return 0;
    }
    return LIKELY(!m->is_served_by_library) ? virtqueue_take(&m->rings[VRING_RX(pair)], packets, max)
                                            : recv_by_library(m, pair, packets, max);
}

unsigned int
vhost_machine_rx_length(const struct vhost_machine *m, unsigned int pair)
{
    if (VRING_RX(pair) >= m->n_rings) {
        return 0;
    }
    return m->is_served_by_library ? rte_vhost_rx_queue_count(m->vid, VRING_RX(pair))
                                   : virtqueue_n_ready(&m->rings[VRING_RX(pair)]);
}

/* Others who hold a packet must not be told what is said to the library. */
static unsigned int
send_by_library(const struct vhost_machine *m, unsigned int pair, struct packet *const *packets, unsigned int n)
{
    struct rte_mbuf *mbufs[VIRTQUEUE_BURST];
    unsigned int sent;

    n = MIN(n, VIRTQUEUE_BURST);
    for (unsigned int i = 0; i < n; i++) {
        mbufs[i] = &packets[i]->mbuf;
        if (UNLIKELY(packet_has_offload(packets[i]))) {
            put_offload(packets[i]);
        }
    }
    sent = rte_vhost_enqueue_burst(m->vid, VRING_TX(pair), mbufs, n);
    for (unsigned int i = 0; i < n; i++) {
        mbufs[i]->ol_flags &= ~RTE_MBUF_F_TX_OFFLOAD_MASK;
    }
    return sent;
}

unsigned int
vhost_machine_send(struct vhost_machine *m, unsigned int pair, struct packet *const *packets, unsigned int n,
                   unsigned int *n_failed)
{
    if (UNLIKELY(VRING_TX(pair) >= m->n_rings)) {
        return 0;
    }
    return LIKELY(!m->is_served_by_library) ? virtqueue_give(&m->rings[VRING_TX(pair)], packets, n, n_failed)
                                            : send_by_library(m, pair, packets, n);
}
