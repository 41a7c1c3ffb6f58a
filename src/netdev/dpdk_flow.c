#include "packet/headers.h"

#include "netdev/dpdk_flow.h" /* It brings macros with the names of packet/headers.h. */

#include <errno.h>
#include <string.h>

#include <rte_errno.h>

#include "netdev/dpdk_device.h"
#include "sys/log.h"

LOG_MODULE(netdev_offload_dpdk)

enum { IPV4_FRAG_BITS = 0x3fff, IPV6_LABEL_BITS = 0xfffff };

/* --- Patterns --- */

/* 'left' is what has not been said of the mask yet. */
struct saying {
    struct dpdk_flow_pattern *p;
    const struct flow *key;
    struct flow left;
};

/* A field is that member of an item. */
#define SAY(S, FIELD, ITEM, MEMBER) \
    say(S, offsetof(struct flow, FIELD), sizeof ((struct flow *) 0)->FIELD, &(S)->p->ITEM[0].MEMBER, \
        &(S)->p->ITEM[1].MEMBER)

static void
say(struct saying *s, size_t at, size_t n, void *value, void *mask)
{
    const uint8_t *key = (const uint8_t *) s->key + at;
    uint8_t *left = (uint8_t *) &s->left + at;

    for (size_t i = 0; i < n; i++) {
        ((uint8_t *) value)[i] = key[i] & left[i];
        ((uint8_t *) mask)[i] = left[i];
    }
    memset(left, 0, n);
}

/* What is zero in all packets that the items let through need not be said. */
#define IMPLY(S, FIELD) imply(S, offsetof(struct flow, FIELD), sizeof ((struct flow *) 0)->FIELD)

static void
imply(struct saying *s, size_t at, size_t n)
{
    const uint8_t *key = (const uint8_t *) s->key + at;
    uint8_t *left = (uint8_t *) &s->left + at;

    for (size_t i = 0; i < n; i++) {
        if (!(key[i] & left[i])) {
            left[i] = 0;
        }
    }
}

static void
imply_lines(struct saying *s, uint16_t lines)
{
    FLOW_FOR_EACH_LINE (i, lines) {
        imply(s, i * FLOW_LINE, FLOW_LINE);
    }
}

static void
add_item(struct saying *s, enum rte_flow_item_type type, const void *spec, const void *mask)
{
    s->p->items[s->p->n++] = (struct rte_flow_item) { .type = type, .spec = spec, .mask = mask };
}

/* A packet that comes from a device has been nowhere yet. */
static void
imply_metadata(struct saying *s)
{
    s->left.in_port = 0;
    IMPLY(s, recirc_id);
    IMPLY(s, packet_ns);
    IMPLY(s, ct_state);
    IMPLY(s, ct_zone);
    IMPLY(s, ct_mark);
    IMPLY(s, dp_hash);
    IMPLY(s, pkt_mark);
    IMPLY(s, skb_priority);
    imply_lines(s, FLOW_LINE_TUNNEL | FLOW_LINE_TUNNEL_MISC | FLOW_LINE_TUNNEL_OPT | FLOW_LINE_CT);
}

/* The type of the payload, 0 if it may be any. */
static uint16_t
say_ethernet(struct saying *s)
{
    bool has_type = s->left.eth_type == BE16_MAX;
    bool has_tag = s->left.vlan_tci & s->key->vlan_tci & BE16(VLAN_PRESENT);

    SAY(s, eth_dst, eth, dst);
    SAY(s, eth_src, eth, src);
    add_item(s, RTE_FLOW_ITEM_TYPE_ETH, &s->p->eth[0], &s->p->eth[1]);
    if (has_tag) {
        s->left.vlan_tci &= ~BE16(VLAN_PRESENT); /* The item says that. */
        SAY(s, vlan_tpid, eth, type);
        SAY(s, vlan_tci, vlan, tci);
        add_item(s, RTE_FLOW_ITEM_TYPE_VLAN, &s->p->vlan[0], &s->p->vlan[1]);
    }
    if (has_type && has_tag) {
        SAY(s, eth_type, vlan, inner_type);
    } else if (has_type) {
        SAY(s, eth_type, eth, type);
        IMPLY(s, vlan_tci);
        IMPLY(s, vlan_tpid);
    }
    if (has_type) {
        IMPLY(s, vlan2_tci);
        IMPLY(s, vlan2_tpid);
    }
    return has_type ? be16_to_cpu(s->key->eth_type) : 0;
}

/* Whether all of the packets are no fragments. */
static bool
excludes_fragments(struct saying *s)
{
    bool yes = s->left.nw_frag & FLOW_FRAG_ANY && !(s->key->nw_frag & FLOW_FRAG_ANY);

    if (yes) {
        s->left.nw_frag = 0;
    }
    return yes;
}

static void
say_ipv4(struct saying *s)
{
    SAY(s, nw_tos, ipv4, hdr.type_of_service);
    SAY(s, nw_ttl, ipv4, hdr.time_to_live);
    SAY(s, nw_proto, ipv4, hdr.next_proto_id);
    SAY(s, nw_src, ipv4, hdr.src_addr);
    SAY(s, nw_dst, ipv4, hdr.dst_addr);
    if (excludes_fragments(s)) {
        s->p->ipv4[1].hdr.fragment_offset = RTE_BE16(IPV4_FRAG_BITS);
    }
    imply_lines(s, FLOW_LINE_IPV6);
    add_item(s, RTE_FLOW_ITEM_TYPE_IPV4, &s->p->ipv4[0], &s->p->ipv4[1]);
}

static void
say_ipv6(struct saying *s)
{
    struct rte_flow_item_ipv6 *v = &s->p->ipv6[0], *m = &s->p->ipv6[1];
    uint32_t tos = s->left.nw_tos;

    SAY(s, ipv6_label, ipv6, hdr.vtc_flow);
    v->hdr.vtc_flow = (v->hdr.vtc_flow & RTE_BE32(IPV6_LABEL_BITS)) | cpu_to_be32((s->key->nw_tos & tos) << 20);
    m->hdr.vtc_flow = (m->hdr.vtc_flow & RTE_BE32(IPV6_LABEL_BITS)) | cpu_to_be32(tos << 20);
    s->left.nw_tos = 0;
    SAY(s, nw_ttl, ipv6, hdr.hop_limits);
    SAY(s, nw_proto, ipv6, hdr.proto);
    SAY(s, ipv6_src, ipv6, hdr.src_addr);
    SAY(s, ipv6_dst, ipv6, hdr.dst_addr);
    m->has_frag_ext = excludes_fragments(s);
    IMPLY(s, nw_src);
    IMPLY(s, nw_dst);
    add_item(s, RTE_FLOW_ITEM_TYPE_IPV6, v, m);
}

static void
say_ports(struct saying *s, enum rte_flow_item_type type)
{
    SAY(s, tp_src, transport, udp.hdr.src_port); /* At the same place in all of them. */
    SAY(s, tp_dst, transport, udp.hdr.dst_port);
    add_item(s, type, &s->p->transport[0], &s->p->transport[1]);
}

static void
say_tcp(struct saying *s)
{
    uint16_t flags = be16_to_cpu(s->key->tcp_flags & s->left.tcp_flags), mask = be16_to_cpu(s->left.tcp_flags);
    struct rte_tcp_hdr *v = &s->p->transport[0].tcp.hdr, *m = &s->p->transport[1].tcp.hdr;

    v->tcp_flags = flags;
    m->tcp_flags = mask;
    v->data_off = flags >> 8 & 0xf; /* The reserved bits are flags, too. */
    m->data_off = mask >> 8 & 0xf;
    s->left.tcp_flags = 0;
    say_ports(s, RTE_FLOW_ITEM_TYPE_TCP);
}

/* Type and code are the lower bytes of the ports' places; in an item they follow each other at its beginning. */
static void
say_icmp(struct saying *s, enum rte_flow_item_type type)
{
    uint8_t *v = (uint8_t *) &s->p->transport[0], *m = (uint8_t *) &s->p->transport[1];

    m[0] = be16_to_cpu(s->left.tp_src);
    m[1] = be16_to_cpu(s->left.tp_dst);
    v[0] = be16_to_cpu(s->key->tp_src) & m[0];
    v[1] = be16_to_cpu(s->key->tp_dst) & m[1];
    s->left.tp_src = s->left.tp_dst = 0;
    add_item(s, type, &s->p->transport[0], &s->p->transport[1]);
}

static void
imply_no_ports(struct saying *s)
{
    IMPLY(s, tp_src);
    IMPLY(s, tp_dst);
}

static void
imply_no_nd(struct saying *s)
{
    IMPLY(s, nd_target);
    IMPLY(s, arp_sha);
    IMPLY(s, arp_tha);
    IMPLY(s, nd_reserved);
    IMPLY(s, nd_options_type);
}

/* The header behind IP's, of a protocol that the pattern says. */
static void
say_transport(struct saying *s, uint8_t proto, bool v6)
{
    const struct rte_flow_item_icmp6 *icmp6 = &s->p->transport[0].icmp6, *icmp6_mask = &s->p->transport[1].icmp6;

    if (proto == IP_PROTO_TCP) {
        say_tcp(s);
    } else if (proto == IP_PROTO_UDP) {
        say_ports(s, RTE_FLOW_ITEM_TYPE_UDP);
    } else if (proto == IP_PROTO_SCTP) {
        say_ports(s, RTE_FLOW_ITEM_TYPE_SCTP);
    } else if (proto == IP_PROTO_ICMP && !v6) {
        say_icmp(s, RTE_FLOW_ITEM_TYPE_ICMP);
    } else if (proto == IP_PROTO_ICMPV6 && v6) {
        say_icmp(s, RTE_FLOW_ITEM_TYPE_ICMP6);
        if (icmp6_mask->type == 0xff && icmp6->type != ND_SOLICIT && icmp6->type != ND_ADVERT) {
            imply_no_nd(s);
        }
    } else if (proto != IP_PROTO_IGMP) {
        imply_no_ports(s);
    }
    if (proto != IP_PROTO_TCP) {
        IMPLY(s, tcp_flags);
    }
    if (proto != IP_PROTO_ICMPV6) {
        imply_no_nd(s);
    }
    if (proto != IP_PROTO_IGMP) {
        IMPLY(s, igmp_group);
    }
}

static void
imply_no_mpls_or_nsh(struct saying *s)
{
    IMPLY(s, mpls_lse);
    IMPLY(s, nsh_flags);
    IMPLY(s, nsh_ttl);
    IMPLY(s, nsh_mdtype);
    IMPLY(s, nsh_np);
    IMPLY(s, nsh_path);
    IMPLY(s, nsh_context);
}

static void
imply_no_ip(struct saying *s)
{
    IMPLY(s, nw_frag);
    IMPLY(s, nw_proto);
    IMPLY(s, nw_src);
    IMPLY(s, nw_dst);
    IMPLY(s, nw_tos);
    IMPLY(s, nw_ttl);
    IMPLY(s, tcp_flags);
    IMPLY(s, igmp_group);
    imply_no_ports(s);
    imply_no_nd(s);
    imply_lines(s, FLOW_LINE_IPV6);
}

static void
say_payload(struct saying *s, uint16_t type)
{
    bool v6 = type == ETH_TYPE_IPV6, has_proto = s->left.nw_proto == 0xff;

    if (type == ETH_TYPE_IP || v6) {
        if (v6) {
            say_ipv6(s);
        } else {
            say_ipv4(s);
        }
        if (has_proto) {
            say_transport(s, s->key->nw_proto, v6);
        }
    } else if (type != ETH_TYPE_ARP && type != ETH_TYPE_RARP) {
        imply_no_ip(s);
    }
    imply_no_mpls_or_nsh(s);
}

const char *
dpdk_flow_pattern_make(struct dpdk_flow_pattern *p, const struct flow *key, const struct flow *mask)
{
    struct saying s = { p, key, *mask };
    uint16_t type;

    memset(p, 0, sizeof *p);
    imply_metadata(&s);
    type = say_ethernet(&s);
    if (type && type < ETH_TYPE_MIN) {
        return "frames of 802.3 have no type";
    }
    if (type == ETH_TYPE_VLAN || type == ETH_TYPE_QINQ) {
        return "one more tag is not told from those before it"; /* Where no item says these, or vlan-limit is 2. */
    }
    if (type == ETH_TYPE_MPLS || type == ETH_TYPE_MPLS_MCAST || type == ETH_TYPE_NSH) {
        return "labels and service headers have no items";
    }
    if (type) {
        say_payload(&s, type);
    }
    add_item(&s, RTE_FLOW_ITEM_TYPE_END, NULL, NULL);
    p->n--;
    return flow_used_lines(&s.left, FLOW_LINES_ALL) ? "it matches what no item says" : NULL;
}

/* --- Rules --- */

static bool
is_possible(const struct netdev *n)
{
    return dpdk_device(n)->started;
}

static struct rte_flow *
create(struct netdev *n, const struct rte_flow_attr *attr, const struct dpdk_flow_pattern *p,
       const struct rte_flow_action *actions)
{
    static struct log_limit limit = LOG_LIMIT_INIT(1, 5);
    struct rte_flow_error error = { .message = NULL };
    struct rte_flow *f;

    rte_errno = 0;
    f = rte_flow_create(dpdk_device(n)->port, attr, p->items, actions, &error);
    if (!f) {
        log_warn_rl(&limit, "%s: rte_flow creation failed: %d (%s).", n->name, error.type,
                    error.message ? error.message : rte_strerror(rte_errno));
    }
    return f;
}

static struct rte_flow *
create_mark(struct netdev *n, const struct dpdk_flow_pattern *p, uint32_t mark)
{
    const struct dpdk_device *d = dpdk_device(n);
    const struct rte_flow_attr attr = { .ingress = 1 };
    const struct rte_flow_action_mark id = { .id = mark };
    uint16_t queues[DPDK_MAX_QUEUES];
    const struct rte_flow_action_rss rss = {
        .types = RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_TCP, .queue_num = d->n_rxq, .queue = queues,
    };
    const struct rte_flow_action actions[] = {
        { .type = RTE_FLOW_ACTION_TYPE_MARK, .conf = &id }, { .type = RTE_FLOW_ACTION_TYPE_RSS, .conf = &rss },
        { .type = RTE_FLOW_ACTION_TYPE_END },
    };

    for (unsigned int i = 0; i < d->n_rxq; i++) {
        queues[i] = i;
    }
    return create(n, &attr, p, actions);
}

static struct rte_flow *
create_drop(struct netdev *n, const struct dpdk_flow_pattern *p)
{
    const struct rte_flow_attr attr = { .transfer = 1 };
    const struct rte_flow_action actions[] = {
        { .type = RTE_FLOW_ACTION_TYPE_COUNT }, { .type = RTE_FLOW_ACTION_TYPE_DROP },
        { .type = RTE_FLOW_ACTION_TYPE_END },
    };

    return create(n, &attr, p, actions);
}

static int
put(struct netdev *n, const struct flow *key, const struct flow *mask, uint32_t mark, struct netdev_rule **rule)
{
    struct dpdk_flow_pattern p;
    struct rte_flow *f;
    const char *wrong = dpdk_flow_pattern_make(&p, key, mask);

    *rule = NULL;
    if (wrong) {
        log_dbg("%s: no rule for a megaflow: %s", n->name, wrong);
        return -EDOM;
    }
    f = mark == NETDEV_RULE_DROP ? create_drop(n, &p) : create_mark(n, &p, mark);
    *rule = (struct netdev_rule *) f;
    return f ? 0 : rte_errno ? -rte_errno : -EIO;
}

static void
del(struct netdev *n, struct netdev_rule *rule)
{
    static struct log_limit limit = LOG_LIMIT_INIT(60, 5);
    struct rte_flow_error error = { .message = NULL };

    if (rte_flow_destroy(dpdk_device(n)->port, (struct rte_flow *) rule, &error)) {
        log_warn_rl(&limit, "%s: Failed to destroy flow: %s (%u)", n->name, error.message ? error.message : "no reason",
                    error.type);
    }
}

static void
flush(struct netdev *n)
{
    struct rte_flow_error error = { .message = NULL };

    dpdk_device(n)->lacp_rule = NULL; /* It goes with the others. */
    if (rte_flow_flush(dpdk_device(n)->port, &error)) {
        log_warn("%s: the device did not give up its rules: %s", n->name, error.message ? error.message : "no reason");
    }
}

static int
count(struct netdev *n, struct netdev_rule *rule, uint64_t *n_packets, uint64_t *n_bytes)
{
    const struct rte_flow_action action = { .type = RTE_FLOW_ACTION_TYPE_COUNT };
    struct rte_flow_query_count c = { .reset = 0 };
    struct rte_flow_error error;

    if (rte_flow_query(dpdk_device(n)->port, (struct rte_flow *) rule, &action, &c, &error)) {
        return rte_errno ? -rte_errno : -EIO;
    }
    *n_packets = c.hits_set ? c.hits : 0;
    *n_bytes = c.bytes_set ? c.bytes : 0;
    return 0;
}

const struct netdev_rules_class dpdk_flow_rules = { "dpdk", is_possible, put, del, flush, count };
