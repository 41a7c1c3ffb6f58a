/* What actions of a datapath do to the interpreter's packets: plain code of its own. */
#include "ofproto/xlate/property_packet.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "odp/nsh.h"
#include "ofproto/xlate/oracle_flow.h"

static void
write_nsh(const struct odp_key_nsh *n, const struct odp_key_nsh *m, struct oracle_packet *p)
{
    uint32_t path = be32_to_cpu(n->path), path_mask = be32_to_cpu(m->path);

    assert_int_equal(p->f[F_ETH_TYPE], ORACLE_TYPE_NSH);
    p->f[F_NSH_FLAGS] = property_merge(p->f[F_NSH_FLAGS], n->flags, m->flags);
    p->f[F_NSH_TTL] = property_merge(p->f[F_NSH_TTL], n->ttl, m->ttl);
    p->f[F_NSH_MDTYPE] = property_merge(p->f[F_NSH_MDTYPE], n->mdtype, m->mdtype);
    p->f[F_NSH_NP] = property_merge(p->f[F_NSH_NP], n->np, m->np);
    p->f[F_NSH_SPI] = property_merge(p->f[F_NSH_SPI], path >> 8, path_mask >> 8);
    p->f[F_NSH_SI] = property_merge(p->f[F_NSH_SI], path & 255, path_mask & 255);
    if (p->f[F_NSH_MDTYPE] == 1) { /* Others have none. */
        p->f[F_NSH_C1] = property_merge(p->f[F_NSH_C1], be32_to_cpu(n->context[0]), be32_to_cpu(m->context[0]));
        p->f[F_NSH_C2] = property_merge(p->f[F_NSH_C2], be32_to_cpu(n->context[1]), be32_to_cpu(m->context[1]));
    }
}

static void
set_nsh(const struct odp_attr *set, struct oracle_packet *p)
{
    struct odp_key_nsh value, mask;

    assert_true(odp_nsh_get_key(odp_attr_data(set), odp_attr_size(set), true, &value, &mask));
    assert_true(!mask.mdtype && !mask.np); /* They cannot be set. */
    write_nsh(&value, &mask, p);
}

void
property_push_nsh(const struct odp_attr *push, struct oracle_packet *p)
{
    const uint8_t *metadata;
    struct odp_key_nsh n, all;
    size_t len;

    memset(&all, 0xff, sizeof all);
    assert_true(odp_push_nsh_get(push, &n, &metadata, &len));
    assert_true(oracle_push_nsh(p));
    write_nsh(&n, &all, p);
    assert_true(len <= sizeof p->metadata.bytes);
    p->metadata.len = len;
    if (len) {
        memcpy(p->metadata.bytes, metadata, len);
    }
}

void
property_push_ethernet(const struct odp_push_eth *push, struct oracle_packet *p)
{
    assert_true(p->no_ethernet);
    oracle_push_ethernet(p);
    p->f[F_ETH_SRC] = get_be64((const uint8_t *) push) >> 16;
    p->f[F_ETH_DST] = get_be64((const uint8_t *) push + 4) & 0xffffffffffff;
}

static void
set_ports(const uint8_t *v, const uint8_t *m, struct oracle_packet *p, uint8_t proto, enum oracle_field src)
{
    assert_int_equal(p->f[F_PROTO], proto);
    p->f[src] = property_merge(p->f[src], get_be16(v), get_be16(m));
    p->f[src + 1] = property_merge(p->f[src + 1], get_be16(v + 2), get_be16(m + 2));
}

static void
set_ipv6_address(const uint8_t *v, const uint8_t *m, uint64_t *low, uint64_t *high)
{
    *high = property_merge(*high, get_be64(v), get_be64(m));
    *low = property_merge(*low, get_be64(v + 8), get_be64(m + 8));
}

static void
set_ipv6(const uint8_t *v, const uint8_t *m, struct oracle_packet *p)
{
    assert_int_equal(p->f[F_ETH_TYPE], ORACLE_TYPE_IPV6);
    set_ipv6_address(v, m, &p->f[F_IP6_SRC], &p->f[F_IP6_SRC_HIGH]);
    set_ipv6_address(v + 16, m + 16, &p->f[F_IP6_DST], &p->f[F_IP6_DST_HIGH]);
    p->f[F_IP6_LABEL] = property_merge(p->f[F_IP6_LABEL], get_be32(v + 32), get_be32(m + 32));
    assert_int_equal(m[36], 0);
    p->f[F_DSCP] = property_merge(p->f[F_DSCP], v[37] >> 2, m[37] >> 2);
    p->f[F_ECN] = property_merge(p->f[F_ECN], v[37] & 3, m[37] & 3);
    p->f[F_TTL] = property_merge(p->f[F_TTL], v[38], m[38]);
}

static void
set_arp(const struct odp_key_arp *v, struct oracle_packet *p)
{
    const struct odp_key_arp *m = v + 1;

    assert_int_equal(p->f[F_ETH_TYPE], ORACLE_TYPE_ARP);
    p->f[F_ARP_OP] = property_merge(p->f[F_ARP_OP], be16_to_cpu(v->op), be16_to_cpu(m->op));
    p->f[F_ARP_SPA] = property_merge(p->f[F_ARP_SPA], be32_to_cpu(v->sip), be32_to_cpu(m->sip));
    p->f[F_ARP_TPA] = property_merge(p->f[F_ARP_TPA], be32_to_cpu(v->tip), be32_to_cpu(m->tip));
    p->f[F_ARP_SHA] = property_merge(p->f[F_ARP_SHA], eth_addr_to_u64(v->sha), eth_addr_to_u64(m->sha));
    p->f[F_ARP_THA] = property_merge(p->f[F_ARP_THA], eth_addr_to_u64(v->tha), eth_addr_to_u64(m->tha));
}

static void
set_nd(const struct odp_key_nd *v, struct oracle_packet *p)
{
    const struct odp_key_nd *m = v + 1;

    assert_true(oracle_has_field(p, F_ND_TARGET));
    set_ipv6_address(v->target.s6, m->target.s6, &p->f[F_ND_TARGET], &p->f[F_ND_TARGET_HIGH]);
    if (oracle_has_field(p, F_ND_SLL)) {
        p->f[F_ND_SLL] = property_merge(p->f[F_ND_SLL], eth_addr_to_u64(v->sll), eth_addr_to_u64(m->sll));
    } else {
        p->f[F_ND_TLL] = property_merge(p->f[F_ND_TLL], eth_addr_to_u64(v->tll), eth_addr_to_u64(m->tll));
    }
}

void
property_set(const struct odp_attr *set, struct oracle_packet *p)
{
    const struct odp_attr *a = odp_attr_data(set);
    const uint8_t *v = odp_attr_data(a), *m = v + odp_attr_size(a) / 2;
    uint32_t mark, mark_mask;

    assert_int_equal(set->type, ODP_SET_MASKED);
    switch (a->type) {
    case ODP_KEY_ETHERNET:
        p->f[F_ETH_SRC] = property_merge(p->f[F_ETH_SRC], get_be64(v) >> 16, get_be64(m) >> 16);
        p->f[F_ETH_DST] = property_merge(p->f[F_ETH_DST], get_be64(v + 4) & 0xffffffffffff,
                                         get_be64(m + 4) & 0xffffffffffff);
        break;
    case ODP_KEY_IPV4:
        assert_int_equal(p->f[F_ETH_TYPE], ORACLE_TYPE_IPV4);
        p->f[F_IP_SRC] = property_merge(p->f[F_IP_SRC], get_be32(v), get_be32(m));
        p->f[F_IP_DST] = property_merge(p->f[F_IP_DST], get_be32(v + 4), get_be32(m + 4));
        assert_int_equal(m[8], 0);
        p->f[F_DSCP] = property_merge(p->f[F_DSCP], v[9] >> 2, m[9] >> 2);
        p->f[F_ECN] = property_merge(p->f[F_ECN], v[9] & 3, m[9] & 3);
        p->f[F_TTL] = property_merge(p->f[F_TTL], v[10], m[10]);
        break;
    case ODP_KEY_IPV6: set_ipv6(v, m, p); break;
    case ODP_KEY_ARP: set_arp(odp_attr_data(a), p); break;
    case ODP_KEY_ND: set_nd(odp_attr_data(a), p); break;
    case ODP_KEY_UDP: set_ports(v, m, p, ORACLE_UDP, F_UDP_SRC); break;
    case ODP_KEY_TCP: set_ports(v, m, p, ORACLE_TCP, F_TCP_SRC); break;
    case ODP_KEY_SCTP: set_ports(v, m, p, ORACLE_SCTP, F_SCTP_SRC); break;
    case ODP_KEY_ICMP:
        assert_int_equal(p->f[F_PROTO], ORACLE_ICMP);
        p->f[F_ICMP_TYPE] = property_merge(p->f[F_ICMP_TYPE], v[0], m[0]);
        p->f[F_ICMP_CODE] = property_merge(p->f[F_ICMP_CODE], v[1], m[1]);
        break;
    case ODP_KEY_SKB_MARK:
        memcpy(&mark, v, 4);
        memcpy(&mark_mask, m, 4);
        p->f[F_MARK] = property_merge(p->f[F_MARK], mark, mark_mask);
        break;
    case ODP_KEY_NSH: set_nsh(a, p); break;
    case ODP_KEY_MPLS:
        assert_true(oracle_is_mpls(p));
        oracle_set_label(p, property_merge(oracle_get_label(p), get_be32(v), get_be32(m)));
        break;
    default: fail_msg("set of key %u", a->type);
    }
}
