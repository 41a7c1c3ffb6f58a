/* Templates and keys of records. */
#include "export/ipfix.h"
#include "packet/headers.h"

enum { ENTERPRISE = 6876, ENTERPRISE_BIT = 0x8000, FIRST_TEMPLATE = 256 };

enum group {
#define IPFIX_GROUP(NAME) GROUP_##NAME,
#define IE(ENUM, NUMBER, BYTES)
#define ENTERPRISE_IE(ENUM, NUMBER, BYTES)
#include "export/ipfix.def"
    N_GROUPS
};

/* One row in front of each group's elements, with 'bytes' 0. */
static const struct element { uint16_t number, bytes; bool is_enterprise; } elements[] = {
#define IPFIX_GROUP(NAME) { GROUP_##NAME, 0, false },
#define IE(ENUM, NUMBER, BYTES) { NUMBER, BYTES, false },
#define ENTERPRISE_IE(ENUM, NUMBER, BYTES) { NUMBER, BYTES, true },
#include "export/ipfix.def"
};

static bool
has_group(const struct ipfix_kind *k, enum group g, bool has_virtual_id)
{
    bool has_ports = k->l4 == IPFIX_TCP || k->l4 == IPFIX_PORTS || k->l4 == IPFIX_PORTS_SCTP;

    switch (g) {
    case GROUP_COMMON: case GROUP_INGRESS: case GROUP_COUNTERS: return true;
    case GROUP_EGRESS: return k->has_egress;
    case GROUP_VLAN: return k->has_vlan;
    case GROUP_IP: case GROUP_IP_COUNTERS: return k->l3 != IPFIX_NO_IP;
    case GROUP_IPV4: return k->l3 == IPFIX_IPV4;
    case GROUP_IPV6: return k->l3 == IPFIX_IPV6;
    case GROUP_PORTS: return has_ports;
    case GROUP_ICMPV4: return k->l3 == IPFIX_IPV4 && k->l4 == IPFIX_ICMP;
    case GROUP_ICMPV6: return k->l3 == IPFIX_IPV6 && k->l4 == IPFIX_ICMP;
    case GROUP_TUNNEL: return k->is_tunnel;
    case GROUP_VIRTUAL: return has_virtual_id;
    case GROUP_TCP_COUNTERS: return k->l4 == IPFIX_TCP;
    case N_GROUPS: break;
    }
    return false;
}

void
ipfix_put_template(struct bytes *b, const struct ipfix_kind *k, bool has_virtual_id)
{
    size_t head = b->len, n = 0;
    bool wanted = false;

    bytes_put_be16(b, ipfix_template(k));
    bytes_put_be16(b, 0);
    for (size_t i = 0; i < ARRAY_SIZE(elements); i++) {
        const struct element *e = &elements[i];

        if (!e->bytes) {
            wanted = has_group(k, e->number, has_virtual_id);
        } else if (wanted) {
            bytes_put_be16(b, e->number | (e->is_enterprise ? ENTERPRISE_BIT : 0));
            bytes_put_be16(b, e->bytes);
            if (e->is_enterprise) {
                bytes_put_be32(b, ENTERPRISE);
            }
            n++;
        }
    }
    b->data[head + 3] = n;
}

uint16_t
ipfix_template(const struct ipfix_kind *k)
{
    return FIRST_TEMPLATE + (((k->has_vlan * 3 + k->l3) * IPFIX_N_L4 + k->l4) * 2 + k->is_tunnel) * 2 + k->has_egress;
}

void
ipfix_for_each_kind(void (*cb)(void *aux, const struct ipfix_kind *), void *aux)
{
    struct ipfix_kind k;

    for (int vlan = 0; vlan < 2; vlan++) {
        for (int l3 = IPFIX_NO_IP; l3 <= IPFIX_IPV6; l3++) {
            for (int l4 = 0; l4 < (l3 == IPFIX_NO_IP ? 1 : IPFIX_N_L4); l4++) {
                for (int rest = 0; rest < 4; rest++) {
                    k = (struct ipfix_kind) { .has_vlan = vlan, .l3 = l3, .l4 = l4, .is_tunnel = rest / 2,
                                              .has_egress = rest % 2 };
                    cb(aux, &k);
                }
            }
        }
    }
}

static enum ipfix_l4
l4_of(const struct flow *f)
{
    bool is_v4 = f->eth_type == BE16(ETH_TYPE_IP);

    switch (f->nw_proto) {
    case 6: return IPFIX_TCP;
    case 17: return IPFIX_PORTS;
    case 132: return IPFIX_PORTS_SCTP;
    case 1: return is_v4 ? IPFIX_ICMP : IPFIX_L4_OTHER;
    case 58: return is_v4 ? IPFIX_L4_OTHER : IPFIX_ICMP;
    default: return IPFIX_L4_OTHER;
    }
}

struct ipfix_kind
ipfix_kind_of(const struct ipfix_packet *p)
{
    const struct flow *f = p->flow;
    struct ipfix_kind k = { .has_vlan = flow_has_vlan(f), .has_egress = p->out.name != NULL };

    if (flow_is_ip(f)) {
        k.l3 = f->eth_type == BE16(ETH_TYPE_IP) ? IPFIX_IPV4 : IPFIX_IPV6;
        k.l4 = l4_of(f);
    }
    return k;
}

static void
put_string(struct bytes *b, const char *s)
{
    size_t n = MIN(strlen(s), (size_t) IPFIX_MAX_VIRTUAL_ID);

    bytes_put_u8(b, n);
    bytes_put(b, s, n);
}

/* ifType: ethernetCsmacd (6) of IANA's registry for a device of the system. */
static void
put_interface(struct bytes *b, const struct ipfix_interface *i)
{
    bytes_put_be32(b, i->ifindex);
    bytes_put_be32(b, i->ifindex ? 6 : 0);
    put_string(b, i->name ? i->name : "");
    put_string(b, "");
}

static void
put_ip(struct bytes *b, const struct flow *f, enum ipfix_l3 l3)
{
    bytes_put_u8(b, l3 == IPFIX_IPV4 ? 4 : 6);
    bytes_put_u8(b, f->nw_ttl);
    bytes_put_u8(b, f->nw_proto);
    bytes_put_u8(b, f->nw_tos >> 2);
    bytes_put_u8(b, f->nw_tos >> 5);
    bytes_put_u8(b, f->nw_tos);
    if (l3 == IPFIX_IPV4) {
        bytes_put(b, &f->nw_src, 4);
        bytes_put(b, &f->nw_dst, 4);
    } else {
        bytes_put(b, &f->ipv6_src, 16);
        bytes_put(b, &f->ipv6_dst, 16);
        bytes_put(b, &f->ipv6_label, 4);
    }
}

void
ipfix_put_key(struct bytes *b, const struct ipfix_packet *p, const struct ipfix_kind *k)
{
    const struct flow *f = p->flow;
    uint16_t tci = be16_to_cpu(f->vlan_tci);

    bytes_put_be32(b, p->point_id);
    bytes_put_u8(b, p->is_egress);
    bytes_put(b, &f->eth_src, sizeof f->eth_src);
    bytes_put(b, &f->eth_dst, sizeof f->eth_dst);
    bytes_put(b, &f->eth_type, sizeof f->eth_type);
    bytes_put_u8(b, ETH_HEADER_LEN + (k->has_vlan ? VLAN_HEADER_LEN : 0));
    put_interface(b, &p->in);
    if (k->has_egress) {
        put_interface(b, &p->out);
    }
    if (k->has_vlan) {
        bytes_put_be16(b, tci & 0xfff);
        bytes_put_be16(b, tci & 0xfff);
        bytes_put_u8(b, tci >> 13);
    }
    if (k->l3 != IPFIX_NO_IP) {
        put_ip(b, f, k->l3);
    }
    if (k->l4 == IPFIX_ICMP) {
        bytes_put_u8(b, be16_to_cpu(f->tp_src));
        bytes_put_u8(b, be16_to_cpu(f->tp_dst));
    } else if (k->l4 != IPFIX_L4_OTHER) {
        bytes_put(b, &f->tp_src, sizeof f->tp_src);
        bytes_put(b, &f->tp_dst, sizeof f->tp_dst);
    }
}
