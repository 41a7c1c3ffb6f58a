#include "datapath/user/segment.h"

#include "datapath/user/steer.h"

#include <errno.h>

#include "packet/csum.h"
#include "packet/headers.h"
#include "sys/counter.h"

COUNTER(dp_packet_gso)

/* Where the headers of a frame to be segmented are. */
struct layout {
    size_t l3, l4, payload; /* Offsets. */
    size_t end;             /* Of the IP packet. */
    uint8_t proto;
    bool ipv6;
};

static bool
find_layout(const struct packet *p, struct layout *l)
{
    static const struct flow zero;
    struct flow_offsets o;
    struct flow key;
    const uint8_t *data = packet_at(p);

    flow_extract(data, packet_size(p), &zero, 0, &key, &o);
    if (!flow_is_ip(&key) || o.l4 == FLOW_NO_OFFSET || key.nw_frag) {
        return false;
    }
    *l = (struct layout) { .l3 = o.l3, .l4 = o.l4, .end = packet_size(p) - o.l3_pad, .proto = key.nw_proto,
                           .ipv6 = key.eth_type == BE16(ETH_TYPE_IPV6) };
    if (l->proto == IP_PROTO_TCP && l->end >= l->l4 + TCP_HEADER_LEN) {
        l->payload = l->l4 + (data[l->l4 + 12] >> 4) * 4u;
    } else if (l->proto == IP_PROTO_UDP) {
        l->payload = l->l4 + UDP_HEADER_LEN;
    } else {
        return false;
    }
    return l->payload <= l->end;
}

/* Corrects the headers of segment number 'i', which carries 'n' bytes that were at 'ofs' of the payload. */
static void
fix_headers(struct packet *p, const struct layout *l, unsigned int i, size_t ofs, size_t n, bool last)
{
    uint8_t *data = packet_at(p), *l4 = data + l->l4;
    size_t l4_len = l->payload - l->l4 + n, csum_at = l->proto == IP_PROTO_TCP ? 16 : 6;
    uint32_t pseudo;
    be16 csum;

    if (l->ipv6) {
        struct ipv6_header *ip = (struct ipv6_header *) (data + l->l3);

        ip->plen = cpu_to_be16(l->payload - l->l3 - IPV6_HEADER_LEN + n);
        pseudo = csum_pseudo_ipv6(&ip->src, &ip->dst, l->proto, l4_len);
    } else {
        struct ip_header *ip = (struct ip_header *) (data + l->l3);

        ip->tot_len = cpu_to_be16(l->payload - l->l3 + n);
        ip->id = cpu_to_be16(be16_to_cpu(ip->id) + i);
        ip->csum = 0;
        ip->csum = csum_bytes(ip, (ip->ihl_ver & 15) * 4);
        pseudo = csum_pseudo_ipv4(ip->src, ip->dst, l->proto, l4_len);
    }
    if (l->proto == IP_PROTO_TCP) {
        put_be32(l4 + 4, get_be32(l4 + 4) + ofs);
        if (!last) {
            l4[13] &= ~(TCP_FIN | TCP_PSH);
        }
        if (i) {
            l4[13] &= ~TCP_CWR;
        }
    } else {
        put_be16(l4 + 4, l4_len);
    }
    memset(l4 + csum_at, 0, 2);
    csum = csum_finish(csum_add(pseudo, l4, l4_len));
    csum = l->proto == IP_PROTO_UDP && !csum ? BE16_MAX : csum;
    memcpy(l4 + csum_at, &csum, sizeof csum);
}

int
segment_packet(const struct packet *p, struct packet **out, unsigned int max)
{
    size_t size = p->offload.gso_size, total;
    const char *data = packet_at(p);
    unsigned int n = 0;
    struct layout l;

    if (!size || !find_layout(p, &l)) {
        return 0;
    }
    total = l.end - l.payload;
    if (total > size * max) {
        return 0;
    }
    for (size_t ofs = 0; ofs < total || !n; ofs += size) {
        size_t now = MIN(size, total - ofs);
        struct packet *s = packet_new_uninit(l.payload + now);

        if (!s) {
            while (n) {
                packet_free(out[--n]);
            }
            return -ENOMEM;
        }
        memcpy(packet_at(s), data, l.payload);
        memcpy((char *) packet_at(s) + l.payload, data + l.payload + ofs, now);
        fix_headers(s, &l, n, ofs, now, ofs + size >= total);
        out[n++] = s;
    }
    return n;
}

static void
send_segments(struct worker *w, const struct port *port, struct packet *p)
{
    struct packet *segments[MAX_SEGMENTS];
    int n = segment_packet(p, segments, MAX_SEGMENTS);

    if (n <= 0) {
        worker_drop(w, p, n ? DP_DROP_NO_MEMORY : DP_DROP_SEGMENT, NULL);
        return;
    }
    for (int i = 0; i < n; i++) {
        packet_take_queue(segments[i], p);
    }
    packet_free(p);
    counter_inc(dp_packet_gso);
    for (int i = 0; i < n; i += BURST) {
        steer(w, port, segments + i, MIN(BURST, n - i));
    }
}

static bool
has_extensions(const struct packet *p)
{
    size_t l4 = p->offload.csum_start;
    const struct ipv6_header *ip;

    if (l4 < ETH_HEADER_LEN + IPV6_HEADER_LEN || l4 > packet_size(p)) {
        return true; /* Whatever it is: the slow way looks at it. */
    }
    ip = (const void *) ((const char *) packet_at(p) + l4 - IPV6_HEADER_LEN);
    return be32_to_cpu(ip->ver_tc_flow) >> 28 != 6 || ip->next != IP_PROTO_TCP;
}

static bool
takes_segments(unsigned int offloads, const struct packet *p)
{
    switch (p->offload.gso_type & ~PACKET_GSO_ECN) {
    case PACKET_GSO_TCPV4:
        return offloads & NETDEV_TAKES_TCP_SEGMENTS;
    case PACKET_GSO_TCPV6:
        return offloads & NETDEV_TAKES_TCP_SEGMENTS && (offloads & NETDEV_TAKES_EXTENSIONS || !has_extensions(p));
    default:
        return offloads & NETDEV_TAKES_UDP_SEGMENTS;
    }
}

/* The packet (taken over) as the port takes it whole; null: it is lost. */
static struct packet *
complete(struct worker *w, unsigned int offloads, struct packet *p)
{
    if (!packet_csum_is_partial(p) || p->offload.gso_type || offloads & NETDEV_TAKES_CSUM) {
        return p;
    }
    p = packet_unshare(p);
    if (p) {
        packet_finish_csum(p);
    } else {
        worker_lost(w, DP_DROP_NO_MEMORY, NULL);
    }
    return p;
}

/* What goes as it is leaves together. */
void
segment_and_send(struct worker *w, const struct port *port, struct packet **packets, unsigned int n)
{
    unsigned int offloads = atomic_load_explicit(&port->netdev->offloads, memory_order_relaxed), n_whole = 0;
    struct packet *whole[BURST];

    for (unsigned int i = 0; i < n; i++) {
        struct packet *p = packets[i];

        if (packet_has_offload(p) && p->offload.gso_type && !takes_segments(offloads, p)) {
            if (n_whole) {
                steer(w, port, whole, n_whole);
                n_whole = 0;
            }
            send_segments(w, port, p);
        } else if ((p = complete(w, offloads, p)) != NULL) {
            whole[n_whole++] = p;
        }
    }
    if (n_whole) {
        steer(w, port, whole, n_whole);
    }
}
