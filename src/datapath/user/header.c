/* Actions that add or remove whole headers, and the hash action. */
#include "datapath/user/exec.h"
#include "packet/headers.h"

static void
move_offsets(struct flow_offsets *o, int by)
{
    o->l2_5 += o->l2_5 != FLOW_NO_OFFSET ? by : 0;
    o->l3 += o->l3 != FLOW_NO_OFFSET ? by : 0;
    o->l4 += o->l4 != FLOW_NO_OFFSET ? by : 0;
}

bool
exec_push_vlan(struct exec *x, const struct odp_push_vlan *vlan)
{
    be16 tag[2] = { vlan->tpid, vlan->tci & ~BE16(VLAN_PRESENT) };

    if (packet_size(x->packet) < ETH_HEADER_LEN || !packet_insert(x->packet, 12, VLAN_HEADER_LEN)) {
        return false;
    }
    memcpy((char *) packet_at(x->packet) + 12, tag, sizeof tag);
    move_offsets(&x->offsets, VLAN_HEADER_LEN);
    return true;
}

void
exec_pop_vlan(struct exec *x)
{
    be16 type;

    if (packet_size(x->packet) < ETH_HEADER_LEN + VLAN_HEADER_LEN) {
        return;
    }
    memcpy(&type, (char *) packet_at(x->packet) + 12, sizeof type);
    if (eth_type_is_vlan(type)) {
        packet_remove(x->packet, 12, VLAN_HEADER_LEN);
        move_offsets(&x->offsets, -VLAN_HEADER_LEN);
    }
}

bool
exec_push_mpls(struct exec *x, const struct odp_push_mpls *mpls)
{
    struct flow_offsets *o = &x->offsets;
    uint16_t at = o->l2_5 != FLOW_NO_OFFSET ? o->l2_5 : o->l3;
    char *p;

    if (at == FLOW_NO_OFFSET || at > packet_size(x->packet) || !packet_insert(x->packet, at, MPLS_HEADER_LEN)) {
        return false;
    }
    p = packet_at(x->packet);
    memcpy(p + at, &mpls->lse, sizeof mpls->lse);
    if (at >= ETH_HEADER_LEN) {
        memcpy(p + at - 2, &mpls->ethertype, sizeof mpls->ethertype);
    } else {
        x->key->eth_type = mpls->ethertype;
    }
    move_offsets(o, MPLS_HEADER_LEN);
    o->l2_5 = at;
    return true;
}

void
exec_pop_mpls(struct exec *x, be16 ethertype)
{
    struct flow_offsets *o = &x->offsets;
    uint16_t at = o->l2_5;
    be32 lse;

    if (at == FLOW_NO_OFFSET || (size_t) at + MPLS_HEADER_LEN > packet_size(x->packet)) {
        return;
    }
    memcpy(&lse, (char *) packet_at(x->packet) + at, sizeof lse);
    packet_remove(x->packet, at, MPLS_HEADER_LEN);
    if (at >= ETH_HEADER_LEN) {
        memcpy((char *) packet_at(x->packet) + at - 2, &ethertype, sizeof ethertype);
    } else {
        x->key->eth_type = ethertype;
        x->key->packet_ns = ethertype != BE16(ETH_TYPE_TEB); /* An Ethernet frame was below the label. */
    }
    move_offsets(o, -MPLS_HEADER_LEN);
    if (lse & BE32(0x100)) {
        o->l2_5 = FLOW_NO_OFFSET;
        o->l3 = at;
    } else {
        o->l2_5 = at;
    }
}

bool
exec_push_eth(struct exec *x, const struct odp_push_eth *push)
{
    struct eth_header eth = { push->addresses.dst, push->addresses.src, x->key->eth_type };

    if (!packet_insert(x->packet, 0, sizeof eth)) {
        return false;
    }
    memcpy(packet_at(x->packet), &eth, sizeof eth);
    x->key->packet_ns = 0;
    move_offsets(&x->offsets, sizeof eth);
    return true;
}

void
exec_pop_eth(struct exec *x)
{
    struct flow_offsets *o = &x->offsets;
    uint16_t at = o->l2_5 != FLOW_NO_OFFSET ? o->l2_5 : o->l3 != FLOW_NO_OFFSET ? o->l3 : ETH_HEADER_LEN;

    if (x->key->packet_ns || at < ETH_HEADER_LEN || at > packet_size(x->packet)) {
        return;
    }
    memcpy(&x->key->eth_type, (char *) packet_at(x->packet) + at - 2, sizeof x->key->eth_type);
    packet_remove(x->packet, 0, at);
    x->key->packet_ns = 1;
    move_offsets(o, -at);
}

/* The packet begins with another header, below which nothing is known. */
static void
begin_with(struct exec *x, be16 type)
{
    x->key->packet_ns = 1;
    x->key->eth_type = type;
    x->offsets = (struct flow_offsets) { FLOW_NO_OFFSET, FLOW_NO_OFFSET, FLOW_NO_OFFSET, 0 };
}

bool
exec_add_mpls(struct exec *x, const struct odp_add_mpls *add)
{
    if (add->flags & ODP_ADD_MPLS_BELOW_ETHERNET) {
        struct odp_push_mpls push = { .lse = add->lse, .ethertype = add->ethertype };

        return exec_push_mpls(x, &push);
    }
    if (!packet_insert(x->packet, 0, MPLS_HEADER_LEN)) {
        return false;
    }
    memcpy(packet_at(x->packet), &add->lse, sizeof add->lse);
    begin_with(x, add->ethertype);
    x->offsets.l2_5 = 0;
    return true;
}

bool
exec_push_nsh(struct exec *x, const void *header, size_t n)
{
    x->packet = packet_with_headroom(x->packet, n);
    if (!x->packet || !packet_insert(x->packet, 0, n)) {
        return false;
    }
    memcpy(packet_at(x->packet), header, n);
    begin_with(x, BE16(ETH_TYPE_NSH));
    x->offsets.l3 = 0;
    return true;
}

/* RFC 8300 §2.2. */
static be16
nsh_ethertype(uint8_t protocol)
{
    switch (protocol) {
    case NSH_P_IPV4: return BE16(ETH_TYPE_IP);
    case NSH_P_IPV6: return BE16(ETH_TYPE_IPV6);
    case NSH_P_NSH: return BE16(ETH_TYPE_NSH);
    case NSH_P_MPLS: return BE16(ETH_TYPE_MPLS);
    default: return 0;
    }
}

void
exec_pop_nsh(struct exec *x)
{
    const struct nsh_header *nsh = packet_at(x->packet);
    size_t len;
    uint8_t protocol;

    if (!x->key->packet_ns || x->key->eth_type != BE16(ETH_TYPE_NSH) || packet_size(x->packet) < NSH_BASE_LEN) {
        return;
    }
    len = (be16_to_cpu(nsh->ver_flags_ttl_len) & 63) * 4;
    protocol = nsh->next_proto;
    if (len < NSH_BASE_LEN || len > packet_size(x->packet)) {
        return;
    }
    packet_remove(x->packet, 0, len);
    begin_with(x, nsh_ethertype(protocol));
    x->key->packet_ns = protocol != NSH_P_ETHERNET;
}

/* Algorithm 0: of the transport flow; 1: the same for both directions of it. */
uint32_t
exec_hash(const struct flow *key, const struct odp_hash *hash)
{
    bool ipv6 = key->eth_type == BE16(ETH_TYPE_IPV6), ports = key->nw_proto == IP_PROTO_TCP
                || key->nw_proto == IP_PROTO_UDP || key->nw_proto == IP_PROTO_SCTP;
    uint64_t a, b, h;

    if (ipv6) {
        const uint64_t *v = key->lines[1].words;

        a = v[0] ^ key_mix(v[1], KEY_SECRET0);
        b = v[2] ^ key_mix(v[3], KEY_SECRET0);
    } else {
        a = key->nw_src;
        b = key->nw_dst;
    }
    a = key_mix(a ^ KEY_SECRET1, (ports ? key->tp_src : 0) ^ KEY_SECRET2);
    b = key_mix(b ^ KEY_SECRET1, (ports ? key->tp_dst : 0) ^ KEY_SECRET2);
    h = hash->algorithm == 1 ? a + b : key_mix(a, b ^ KEY_SECRET3);
    h = key_mix(h ^ hash->basis, KEY_SECRET0 ^ key->nw_proto);
    return (uint32_t) h ? (uint32_t) h : 1; /* 0 would look as if there was none. */
}
