#include "odp/key.h"

#include "odp/nsh.h"

/* Integers whose byte order or size differs between payload and flow are HOST. */
enum layout { BYTES, HOST };

static const struct row {
    uint8_t key;
    uint8_t ofs, size;      /* In the payload. */
    uint8_t layout;
    uint16_t flow_ofs;
    uint8_t flow_size;
} rows[] = {
#define ROW(KEY, STRUCT, MEMBER, FLOW, SIZE) \
    { ODP_KEY_##KEY, offsetof(struct STRUCT, MEMBER), SIZE, BYTES, offsetof(struct flow, FLOW), SIZE },
#define INT_ROW(KEY, SIZE, FLOW) \
    { ODP_KEY_##KEY, 0, SIZE, HOST, offsetof(struct flow, FLOW), sizeof ((struct flow *) NULL)->FLOW },
    INT_ROW(PRIORITY, 4, skb_priority)
    INT_ROW(IN_PORT, 4, in_port)
    INT_ROW(SKB_MARK, 4, pkt_mark)
    INT_ROW(DP_HASH, 4, dp_hash)
    INT_ROW(RECIRC_ID, 4, recirc_id)
    INT_ROW(CT_STATE, 4, ct_state)
    INT_ROW(CT_ZONE, 2, ct_zone)
    INT_ROW(CT_MARK, 4, ct_mark)
    { ODP_KEY_CT_LABELS, 0, 16, BYTES, offsetof(struct flow, ct_label), 16 },
    ROW(ETHERNET, odp_key_ethernet, src, eth_src, 6)
    ROW(ETHERNET, odp_key_ethernet, dst, eth_dst, 6)
    { ODP_KEY_VLAN, 0, 2, BYTES, offsetof(struct flow, vlan_tci), 2 },
    { ODP_KEY_ETHERTYPE, 0, 2, BYTES, offsetof(struct flow, eth_type), 2 },
    ROW(IPV4, odp_key_ipv4, src, nw_src, 4)
    ROW(IPV4, odp_key_ipv4, dst, nw_dst, 4)
    ROW(IPV4, odp_key_ipv4, proto, nw_proto, 1)
    ROW(IPV4, odp_key_ipv4, tos, nw_tos, 1)
    ROW(IPV4, odp_key_ipv4, ttl, nw_ttl, 1)
    ROW(IPV6, odp_key_ipv6, src, ipv6_src, 16)
    ROW(IPV6, odp_key_ipv6, dst, ipv6_dst, 16)
    ROW(IPV6, odp_key_ipv6, label, ipv6_label, 4)
    ROW(IPV6, odp_key_ipv6, proto, nw_proto, 1)
    ROW(IPV6, odp_key_ipv6, tclass, nw_tos, 1)
    ROW(IPV6, odp_key_ipv6, hlimit, nw_ttl, 1)
    ROW(TCP, odp_key_ports, src, tp_src, 2)
    ROW(TCP, odp_key_ports, dst, tp_dst, 2)
    ROW(UDP, odp_key_ports, src, tp_src, 2)
    ROW(UDP, odp_key_ports, dst, tp_dst, 2)
    ROW(SCTP, odp_key_ports, src, tp_src, 2)
    ROW(SCTP, odp_key_ports, dst, tp_dst, 2)
    { ODP_KEY_TCP_FLAGS, 0, 2, BYTES, offsetof(struct flow, tcp_flags), 2 },
    { ODP_KEY_ICMP, 0, 1, BYTES, offsetof(struct flow, tp_src) + 1, 1 },
    { ODP_KEY_ICMP, 1, 1, BYTES, offsetof(struct flow, tp_dst) + 1, 1 },
    { ODP_KEY_ICMPV6, 0, 1, BYTES, offsetof(struct flow, tp_src) + 1, 1 },
    { ODP_KEY_ICMPV6, 1, 1, BYTES, offsetof(struct flow, tp_dst) + 1, 1 },
    ROW(ARP, odp_key_arp, sip, nw_src, 4)
    ROW(ARP, odp_key_arp, tip, nw_dst, 4)
    { ODP_KEY_ARP, offsetof(struct odp_key_arp, op) + 1, 1, BYTES, offsetof(struct flow, nw_proto), 1 },
    ROW(ARP, odp_key_arp, sha, arp_sha, 6)
    ROW(ARP, odp_key_arp, tha, arp_tha, 6)
    ROW(ND, odp_key_nd, target, nd_target, 16)
    ROW(ND, odp_key_nd, sll, arp_sha, 6)
    ROW(ND, odp_key_nd, tll, arp_tha, 6)
    { ODP_KEY_ND_EXTENSIONS, 0, 4, BYTES, offsetof(struct flow, nd_reserved), 4 },
    { ODP_KEY_ND_EXTENSIONS, 4, 1, BYTES, offsetof(struct flow, nd_options_type), 1 },
    { ODP_KEY_MPLS, 0, 4, BYTES, offsetof(struct flow, mpls_lse), 4 },
    ROW(NSH, odp_key_nsh, flags, nsh_flags, 1)
    ROW(NSH, odp_key_nsh, ttl, nsh_ttl, 1)
    ROW(NSH, odp_key_nsh, mdtype, nsh_mdtype, 1)
    ROW(NSH, odp_key_nsh, np, nsh_np, 1)
    ROW(NSH, odp_key_nsh, path, nsh_path, 4)
    ROW(NSH, odp_key_nsh, context, nsh_context, 16)
#undef ROW
#undef INT_ROW
};

/* The rows of one key stand together. */
#define FOR_EACH_ROW(R, KEY) \
    for (const struct row *R = first_row(KEY); R < rows + ARRAY_SIZE(rows) && R->key == (KEY); R++)

static const struct row *
first_row(enum odp_key key)
{
    const struct row *r = rows;

    while (r < rows + ARRAY_SIZE(rows) && r->key != key) {
        r++;
    }
    return r;
}

/* Sizes that are more than the end of the last row. */
static const uint8_t sizes[] = {
    [ODP_KEY_IPV4] = sizeof(struct odp_key_ipv4), [ODP_KEY_IPV6] = sizeof(struct odp_key_ipv6),
    [ODP_KEY_ARP] = sizeof(struct odp_key_arp), [ODP_KEY_ND_EXTENSIONS] = 8,
};

size_t
odp_key_size(enum odp_key key)
{
    size_t size = (size_t) key < ARRAY_SIZE(sizes) ? sizes[key] : 0;

    FOR_EACH_ROW (r, key) {
        size = MAX(size, (size_t) r->ofs + r->size);
    }
    return size;
}

/* Copies an integer between host order in 'host_size' bytes and network order in 'net_size' bytes. */
static void
copy_reversed(uint8_t *dst, size_t dst_size, const uint8_t *src, size_t src_size, bool src_is_host)
{
    memset(dst, 0, dst_size);
    for (size_t i = 0; i < MIN(dst_size, src_size); i++) {
        dst[src_is_host ? dst_size - 1 - i : i] = src[src_is_host ? i : src_size - 1 - i];
    }
}

void
odp_key_from_flow(enum odp_key key, const struct flow *flow, void *payload)
{
    memset(payload, 0, odp_key_size(key));
    FOR_EACH_ROW (r, key) {
        uint8_t *p = (uint8_t *) payload + r->ofs;
        const uint8_t *f = (const uint8_t *) flow + r->flow_ofs;

        if (r->layout == BYTES) {
            memcpy(p, f, r->size);
        } else {
            copy_reversed(p, r->size, f, r->flow_size, false);
        }
    }
}

void
odp_key_to_flow(enum odp_key key, const void *payload, struct flow *flow)
{
    FOR_EACH_ROW (r, key) {
        const uint8_t *p = (const uint8_t *) payload + r->ofs;
        uint8_t *f = (uint8_t *) flow + r->flow_ofs;

        if (r->layout == BYTES) {
            memcpy(f, p, r->size);
        } else {
            copy_reversed(f, r->flow_size, p, r->size, true);
        }
    }
}

bool
odp_key_mask_changed(enum odp_key key, const void *now, const void *was, void *mask)
{
    bool any = false;

    FOR_EACH_ROW (r, key) {
        const uint8_t *a = now, *b = was;
        uint8_t *m = mask;
        bool differs = memcmp(a + r->ofs, b + r->ofs, r->size);

        for (int i = r->ofs; i < MIN(r->ofs + r->size, ODP_KEY_MAX_SIZE); i++) {
            m[i] = differs ? m[i] | (a[i] ^ b[i]) : 0;
        }
        any |= differs;
    }
    return any;
}

bool
odp_set_get(const struct odp_attr *set, enum odp_key *key, void *value, void *mask)
{
    struct cursor c = cursor_make(odp_attr_data(set), odp_attr_size(set));
    const struct odp_attr *inner = odp_attr_next(&c);
    bool is_masked = set->type == ODP_SET_MASKED;
    size_t size;

    if (!inner) {
        return false;
    }
    *key = inner->type;
    size = odp_key_size(*key);
    if (*key == ODP_KEY_NSH) {
        struct odp_key_nsh v, m;
        bool ok = odp_nsh_get_key(odp_attr_data(inner), odp_attr_size(inner), is_masked, &v, &m);

        memcpy(value, &v, sizeof v);
        memcpy(mask, &m, sizeof m);
        return ok;
    }
    if (!size || odp_attr_size(inner) != size * (is_masked ? 2 : 1)) {
        return false;
    }
    memcpy(value, odp_attr_data(inner), size);
    if (is_masked) {
        memcpy(mask, (const uint8_t *) odp_attr_data(inner) + size, size);
    } else {
        memset(mask, 0xff, size);
    }
    return true;
}

bool
odp_set_to_flow(const struct odp_attr *a, enum odp_key *key, struct flow *flow, struct flow *mask)
{
    uint8_t value[ODP_KEY_MAX_SIZE], bits[ODP_KEY_MAX_SIZE];

    memset(flow, 0, sizeof *flow);
    memset(mask, 0, sizeof *mask);
    if (!odp_set_get(a, key, value, bits)) {
        return false;
    }
    odp_key_to_flow(*key, value, flow);
    odp_key_to_flow(*key, bits, mask);
    return true;
}
