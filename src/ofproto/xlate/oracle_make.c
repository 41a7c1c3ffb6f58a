/* Making random rules and packets. */
#include "ofproto/xlate/oracle_private.h"

#include <stdlib.h>

#include "base/be.h"

const struct oracle_field_info oracle_fields[F_N] = {
    [F_IN_PORT] = { "in_port", "NXM_OF_IN_PORT", 16, 0, 0, 0 },
    [F_ETH_SRC] = { "dl_src", "NXM_OF_ETH_SRC", 48, ORACLE_L_ETHERNET, 0, 0 },
    [F_ETH_DST] = { "dl_dst", "NXM_OF_ETH_DST", 48, ORACLE_L_ETHERNET, 0, 0 },
    [F_ETH_TYPE] = { "dl_type", "NXM_OF_ETH_TYPE", 16, 0, 0, 0 },
    [F_IP_SRC] = { "nw_src", "NXM_OF_IP_SRC", 32, ORACLE_L_IPV4, 0, 0 },
    [F_IP_DST] = { "nw_dst", "NXM_OF_IP_DST", 32, ORACLE_L_IPV4, 0, 0 },
    [F_IP6_SRC] = { "ipv6_src", "NXM_NX_IPV6_SRC", 64, ORACLE_L_IPV6, 0, 0 },
    [F_IP6_DST] = { "ipv6_dst", "NXM_NX_IPV6_DST", 64, ORACLE_L_IPV6, 0, 0 },
    [F_IP6_SRC_HIGH] = { "ipv6_src", "NXM_NX_IPV6_SRC", 64, ORACLE_L_IPV6, 0, 0 },
    [F_IP6_DST_HIGH] = { "ipv6_dst", "NXM_NX_IPV6_DST", 64, ORACLE_L_IPV6, 0, 0 },
    [F_IP6_LABEL] = { "ipv6_label", "NXM_NX_IPV6_LABEL", 20, ORACLE_L_IPV6, 0, 0 },
    [F_PROTO] = { "nw_proto", "NXM_OF_IP_PROTO", 8, ORACLE_L_IP, 0, 0 },
    [F_DSCP] = { "ip_dscp", "OXM_OF_IP_DSCP", 6, ORACLE_L_IP, 0, 0 },
    [F_ECN] = { "nw_ecn", "NXM_NX_IP_ECN", 2, ORACLE_L_IP, 0, 0 },
    [F_TTL] = { "nw_ttl", "NXM_NX_IP_TTL", 8, ORACLE_L_IP, 0, 0 },
    [F_UDP_SRC] = { "udp_src", "NXM_OF_UDP_SRC", 16, ORACLE_L_IP, ORACLE_UDP, 0 },
    [F_UDP_DST] = { "udp_dst", "NXM_OF_UDP_DST", 16, ORACLE_L_IP, ORACLE_UDP, 0 },
    [F_TCP_SRC] = { "tcp_src", "NXM_OF_TCP_SRC", 16, ORACLE_L_IP, ORACLE_TCP, 0 },
    [F_TCP_DST] = { "tcp_dst", "NXM_OF_TCP_DST", 16, ORACLE_L_IP, ORACLE_TCP, 0 },
    [F_TCP_FLAGS] = { "tcp_flags", "NXM_NX_TCP_FLAGS", 12, ORACLE_L_IP, ORACLE_TCP, 0 },
    [F_SCTP_SRC] = { "sctp_src", "OXM_OF_SCTP_SRC", 16, ORACLE_L_IP, ORACLE_SCTP, 0 },
    [F_SCTP_DST] = { "sctp_dst", "OXM_OF_SCTP_DST", 16, ORACLE_L_IP, ORACLE_SCTP, 0 },
    [F_ICMP_TYPE] = { "icmp_type", "NXM_OF_ICMP_TYPE", 8, ORACLE_L_IPV4, ORACLE_ICMP, 0 },
    [F_ICMP_CODE] = { "icmp_code", "NXM_OF_ICMP_CODE", 8, ORACLE_L_IPV4, ORACLE_ICMP, 0 },
    [F_ICMP6_TYPE] = { "icmpv6_type", "NXM_NX_ICMPV6_TYPE", 8, ORACLE_L_IPV6, ORACLE_ICMP6, 0 },
    [F_ICMP6_CODE] = { "icmpv6_code", "NXM_NX_ICMPV6_CODE", 8, ORACLE_L_IPV6, ORACLE_ICMP6, 0 },
    [F_ND_TARGET] = { "nd_target", "NXM_NX_ND_TARGET", 64, ORACLE_L_IPV6, ORACLE_ICMP6, 1 },
    [F_ND_TARGET_HIGH] = { "nd_target", "NXM_NX_ND_TARGET", 64, ORACLE_L_IPV6, ORACLE_ICMP6, 1 },
    [F_ND_SLL] = { "nd_sll", "NXM_NX_ND_SLL", 48, ORACLE_L_IPV6, ORACLE_ICMP6, ORACLE_ND_SOLICIT },
    [F_ND_TLL] = { "nd_tll", "NXM_NX_ND_TLL", 48, ORACLE_L_IPV6, ORACLE_ICMP6, ORACLE_ND_ADVERT },
    [F_ARP_OP] = { "arp_op", "NXM_OF_ARP_OP", 8, ORACLE_L_ARP, 0, 0 },
    [F_ARP_SPA] = { "arp_spa", "NXM_OF_ARP_SPA", 32, ORACLE_L_ARP, 0, 0 },
    [F_ARP_TPA] = { "arp_tpa", "NXM_OF_ARP_TPA", 32, ORACLE_L_ARP, 0, 0 },
    [F_ARP_SHA] = { "arp_sha", "NXM_NX_ARP_SHA", 48, ORACLE_L_ARP, 0, 0 },
    [F_ARP_THA] = { "arp_tha", "NXM_NX_ARP_THA", 48, ORACLE_L_ARP, 0, 0 },
    [F_MPLS_LABEL] = { "mpls_label", "OXM_OF_MPLS_LABEL", 20, ORACLE_L_MPLS, 0, 0 },
    [F_MPLS_TC] = { "mpls_tc", "OXM_OF_MPLS_TC", 3, ORACLE_L_MPLS, 0, 0 },
    [F_MPLS_BOS] = { "mpls_bos", "OXM_OF_MPLS_BOS", 1, ORACLE_L_MPLS, 0, 0 },
    [F_MPLS_TTL] = { "mpls_ttl", "NXM_NX_MPLS_TTL", 8, ORACLE_L_MPLS, 0, 0 },
    [F_TCI] = { "vlan_tci", "NXM_OF_VLAN_TCI", 16, ORACLE_L_ETHERNET, 0, 0 },
    [F_NSH_FLAGS] = { "nsh_flags", "nsh_flags", 8, ORACLE_L_NSH, 0, 0 },
    [F_NSH_TTL] = { "nsh_ttl", "nsh_ttl", 8, ORACLE_L_NSH, 0, 0 },
    [F_NSH_MDTYPE] = { "nsh_mdtype", "nsh_mdtype", 8, ORACLE_L_NSH, 0, 0 },
    [F_NSH_NP] = { "nsh_np", "nsh_np", 8, ORACLE_L_NSH, 0, 0 },
    [F_NSH_SPI] = { "nsh_spi", "nsh_spi", 24, ORACLE_L_NSH, 0, 0 },
    [F_NSH_SI] = { "nsh_si", "nsh_si", 8, ORACLE_L_NSH, 0, 0 },
    [F_NSH_C1] = { "nsh_c1", "nsh_c1", 32, ORACLE_L_NSH, 0, 0 },
    [F_NSH_C2] = { "nsh_c2", "nsh_c2", 32, ORACLE_L_NSH, 0, 0 },
    [F_REG0] = { "reg0", "NXM_NX_REG0", 32, 0, 0, 0 },
    [F_REG1] = { "reg1", "NXM_NX_REG1", 32, 0, 0, 0 },
    [F_REG2] = { "reg2", "NXM_NX_REG2", 32, 0, 0, 0 },
    [F_METADATA] = { "metadata", "OXM_OF_METADATA", 64, 0, 0, 0 },
    [F_MARK] = { "pkt_mark", "NXM_NX_PKT_MARK", 32, 0, 0, 0 },
    [F_TUN_ID] = { "tun_id", "NXM_NX_TUN_ID", 64, 0, 0, 0 },
    [F_TUN_SRC] = { "tun_src", "NXM_NX_TUN_IPV4_SRC", 32, 0, 0, 0 },
    [F_TUN_DST] = { "tun_dst", "NXM_NX_TUN_IPV4_DST", 32, 0, 0, 0 },
    [F_GBP_ID] = { "tun_gbp_id", "NXM_NX_TUN_GBP_ID", 16, 0, 0, 0 },
    [F_GBP_FLAGS] = { "tun_gbp_flags", "NXM_NX_TUN_GBP_FLAGS", 8, 0, 0, 0 },
    [F_OPT0] = { "tun_metadata0", "NXM_NX_TUN_METADATA0", 32, 0, 0, 0 },
    [F_OPT1] = { "tun_metadata1", "NXM_NX_TUN_METADATA1", 64, 0, 0, 0 },
    [F_OPT2] = { "tun_metadata2", "NXM_NX_TUN_METADATA2", 32, 0, 0, 0 },
};

/* Values are few, so that rules and packets meet. */
uint64_t
oracle_random_value(struct random *r, enum oracle_field f)
{
    static const uint16_t types[] = { ORACLE_TYPE_IPV4, ORACLE_TYPE_IPV4, ORACLE_TYPE_IPV4, ORACLE_TYPE_IPV6,
                                      ORACLE_TYPE_IPV6, ORACLE_TYPE_ARP, ORACLE_TYPE_MPLS, ORACLE_TYPE_MPLS_MULTICAST,
                                      0x1234 };
    static const uint64_t prefixes[] = { 0x20010db800000000, 0x20010db800000001, 0x20010db8fffe0000, 0xfe80000000000000,
                                         0 };
    static const uint8_t protocols[] = { ORACLE_UDP, ORACLE_UDP, ORACLE_TCP, ORACLE_TCP, ORACLE_SCTP, ORACLE_ICMP };

    switch (f) {
    case F_IN_PORT: return 1 + random_below(r, ORACLE_N_PORTS);
    case F_ETH_TYPE: return types[random_below(r, ARRAY_SIZE(types))];
    case F_PROTO: return protocols[random_below(r, ARRAY_SIZE(protocols))];
    case F_ICMP6_TYPE: return random_below(r, 3) ? ORACLE_ND_SOLICIT + random_below(r, 2) : 128;
    case F_ICMP6_CODE: return !random_below(r, 8);
    case F_TCP_FLAGS: return 1u << random_below(r, 5) | random_below(r, 2) << 4;
    case F_ARP_OP: return 1 + random_below(r, 2);
    case F_TTL: case F_NSH_TTL: case F_MPLS_TTL: return random_below(r, 5);
    case F_NSH_MDTYPE: return 1 + !random_below(r, 3);
    case F_NSH_NP:
        return random_below(r, 2)   ? ORACLE_NP_IPV4 + random_below(r, 2)
               : random_below(r, 4) ? ORACLE_NP_ETHERNET
                                    : ORACLE_NP_MPLS;
    case F_TCI: return random_below(r, 2) ? 0 : 0x1000 | random_below(r, 3) | random_below(r, 2) << 13;
    case F_IP6_SRC_HIGH: case F_IP6_DST_HIGH: case F_ND_TARGET_HIGH:
        return prefixes[random_below(r, ARRAY_SIZE(prefixes))];
    case F_IP6_SRC: case F_IP6_DST: case F_ND_TARGET:
        return random_below(r, 4) | (random_below(r, 3) ? 0 : (uint64_t) random_below(r, 4) << 62);
    case F_TUN_SRC: case F_TUN_DST: return 0xac100000 | (1 + random_below(r, 2));
    case F_IP_SRC: case F_IP_DST: case F_ARP_SPA: case F_ARP_TPA:
        return 0x0a000000 | random_below(r, 3) << 8 | random_below(r, 4);
    default: return random_below(r, 4) & oracle_ones(oracle_fields[f].bits);
    }
}

static void
put_option(struct oracle_packet *p, uint8_t type, uint8_t len, uint64_t value)
{
    uint8_t *o = p->raw + p->raw_len;

    put_be16(o, ORACLE_OPTION_CLASS);
    o[2] = type;
    o[3] = len / 4;
    for (int k = len - 1; k >= 0; k--) {
        o[4 + k] = value;
        value >>= 8;
    }
    p->raw_len += 4 + len;
}

/* Any of the options, in any order, one that nobody knows and one of an unusual length between them. */
static void
random_tunnel(struct random *r, struct oracle_packet *p)
{
    int first = random_below(r, ORACLE_N_OPTIONS);

    for (int f = F_TUN_ID; f <= F_GBP_FLAGS; f++) {
        p->f[f] = oracle_random_value(r, f);
    }
    for (int k = 0; k < ORACLE_N_OPTIONS; k++) {
        int i = (first + k) % ORACLE_N_OPTIONS;

        if (random_below(r, 2)) {
            put_option(p, oracle_options[i].type, oracle_options[i].len, oracle_random_value(r, F_OPT0 + i));
        } else if (!random_below(r, 6)) {
            put_option(p, random_below(r, 2) ? 99 : oracle_options[i].type, 12 - oracle_options[i].len,
                       oracle_random_value(r, F_OPT0 + i));
        }
    }
    oracle_read_options(p);
}

static void random_headers(struct random *, struct oracle_packet *);

/* Up to four labels: a flow shows three. */
static void
random_stack(struct random *r, struct oracle_packet *p)
{
    struct oracle_stack *s = &p->stack;

    s->n_deeper = random_below(r, 2) ? 0 : random_below(r, 4);
    for (int i = 0; i < s->n_deeper; i++) {
        s->deeper[i] = random_below(r, 3) << 12 | random_below(r, 2) << 9 | random_below(r, 4);
    }
    p->f[F_MPLS_BOS] = !s->n_deeper;
    if (s->n_deeper) {
        s->deeper[s->n_deeper - 1] |= 0x100;
    }
    oracle_random_payload(r, p, false);
}

/* Headers of an Ethernet frame that is no NSH. */
static void
random_headers(struct random *r, struct oracle_packet *p)
{
    for (int f = F_ETH_SRC; f <= F_TCI; f++) {
        p->f[f] = oracle_random_value(r, f);
    }
    if (p->f[F_TCI]) {
        p->tpid = random_below(r, 4) ? 0x8100 : 0x88a8;
        if (!random_below(r, 3)) {
            p->inner_tci = 0x1000 | random_below(r, 3);
            p->inner_tpid = 0x8100;
        }
    }
    if (p->f[F_ETH_TYPE] == ORACLE_TYPE_IPV6 && p->f[F_PROTO] == ORACLE_ICMP) {
        p->f[F_PROTO] = ORACLE_ICMP6;
    }
    if (oracle_type_is_mpls(p->f[F_ETH_TYPE])) {
        random_stack(r, p);
    }
    oracle_clear_missing(p);
}

void
oracle_random_payload(struct random *r, struct oracle_packet *p, bool same_type)
{
    struct oracle_packet payload;

    do {
        memset(&payload, 0, sizeof payload);
        random_headers(r, &payload);
    } while (oracle_type_is_mpls(payload.f[F_ETH_TYPE])
             || (same_type && payload.f[F_ETH_TYPE] != p->stack.payload[F_ETH_TYPE]));
    memcpy(p->stack.payload, payload.f, sizeof payload.f[0] * F_REG0);
    p->stack.payload[F_ETH_SRC] = p->stack.payload[F_ETH_DST] = p->stack.payload[F_TCI] = 0;
}

/* The Ethernet type of what NSH says that is below it; 0 if that is a whole frame. */
static uint64_t
type_below(const struct oracle_packet *p)
{
    return p->f[F_NSH_NP] == ORACLE_NP_IPV4   ? ORACLE_TYPE_IPV4
           : p->f[F_NSH_NP] == ORACLE_NP_IPV6 ? ORACLE_TYPE_IPV6
                                              : 0;
}

void
oracle_random_inner(struct random *r, struct oracle_packet *p)
{
    uint64_t type = type_below(p);
    struct oracle_packet below;

    do {
        memset(&below, 0, sizeof below);
        random_headers(r, &below);
    } while (type && (below.f[F_TCI] || below.f[F_ETH_TYPE] != type));
    if (type) {
        oracle_pop_ethernet(&below);
    }
    (void) !oracle_push_nsh(&below);
    p->below[0] = below.below[0];
    p->n_below = 1;
}

void
oracle_random_metadata(struct random *r, struct oracle_packet *p)
{
    struct oracle_metadata *m = &p->metadata;

    memset(m, 0, sizeof *m);
    if (p->f[F_NSH_MDTYPE] == 2) {
        p->f[F_NSH_C1] = p->f[F_NSH_C2] = 0;
        m->len = 4 * random_below(r, 3);
        for (int i = 0; i < m->len; i++) {
            m->bytes[i] = random_below(r, 256);
        }
    }
}

void
oracle_random_packet(struct random *r, struct oracle_packet *p)
{
    memset(p, 0, sizeof *p);
    random_headers(r, p);
    p->f[F_IN_PORT] = oracle_random_value(r, F_IN_PORT);
    p->f[F_MARK] = oracle_random_value(r, F_MARK);
    if (!random_below(r, 6)) {
        struct oracle_packet frame = *p;

        for (int f = F_NSH_FLAGS; f <= F_NSH_C2; f++) {
            p->f[f] = oracle_random_value(r, f);
        }
        p->f[F_ETH_TYPE] = ORACLE_TYPE_NSH;
        oracle_clear_missing(p);
        oracle_random_metadata(r, p);
        memset(&p->stack, 0, sizeof p->stack);
        p->f[F_TCI] = frame.f[F_TCI];
        oracle_random_inner(r, p);
    }
    if (random_below(r, 2)) {
        random_tunnel(r, p);
    }
    p->len = random_below(r, 2) ? 60 : 1500;
}

static void
add_condition(struct oracle_rule *rule, enum oracle_field f, uint64_t value, uint64_t mask)
{
    for (int i = 0; i < rule->n_conditions; i++) {
        if (rule->conditions[i].field == f) {
            return;
        }
    }
    if (rule->n_conditions < ORACLE_MAX_CONDITIONS) {
        rule->conditions[rule->n_conditions++] = (struct oracle_condition) { f, value & mask, mask };
    }
}

static uint64_t
random_mask(struct random *r, enum oracle_field f)
{
    switch (f) {
    case F_IP_SRC: case F_IP_DST: case F_ARP_SPA: case F_ARP_TPA:
        return random_below(r, 2) ? 0xffffffff : random_below(r, 2) ? 0xffffff00 : 0x000000ff;
    case F_ETH_SRC: case F_ETH_DST: case F_ARP_SHA: case F_ARP_THA: case F_ND_SLL: case F_ND_TLL:
        return random_below(r, 2) ? oracle_ones(48) : 1;
    case F_OPT0: case F_OPT1: case F_OPT2:
        if (!random_below(r, 3)) {
            return 0; /* It is there. */
        }
        return random_below(r, 2) ? oracle_ones(oracle_fields[f].bits) : 1 + random_below(r, 3);
    case F_IP6_SRC_HIGH: case F_IP6_DST_HIGH: case F_ND_TARGET_HIGH:
        return UINT64_MAX << 8 * random_below(r, 8) & UINT64_MAX >> (random_below(r, 3) ? 0 : random_below(r, 40));
    case F_IP6_SRC: case F_IP6_DST: case F_ND_TARGET:
        return random_below(r, 2) ? UINT64_MAX : 1 + random_below(r, 3) + ((uint64_t) random_below(r, 4) << 62);
    case F_REG0: case F_REG1: case F_REG2: case F_METADATA: case F_TUN_ID: case F_GBP_ID: case F_GBP_FLAGS:
    case F_IP6_LABEL: case F_TCP_FLAGS:
        return random_below(r, 2) ? oracle_ones(oracle_fields[f].bits) : 1 + random_below(r, 3);
    case F_TCI: return random_below(r, 3) ? 0xffff : 0x1000;
    default: return oracle_ones(oracle_fields[f].bits);
    }
}

static bool
is_conditional(enum oracle_field f)
{
    return f != F_DSCP && f != F_ECN && f != F_MARK && f != F_ETH_TYPE && f != F_PROTO;
}

bool
oracle_kind_has_field(const struct oracle_kind *k, enum oracle_field f)
{
    const struct oracle_field_info *info = &oracle_fields[f];
    unsigned int layers = oracle_layer(k->type) | (k->no_ethernet ? 0 : ORACLE_L_ETHERNET);

    return (!info->layers || info->layers & layers) && (!info->proto || info->proto == k->proto)
           && (!info->nd || (k->nd && (info->nd == 1 || info->nd == k->nd)));
}

/* A packet's protocol, or nothing known of it. */
void
oracle_random_kind(struct random *r, struct oracle_kind *k)
{
    k->type = random_below(r, 4) ? oracle_random_value(r, F_ETH_TYPE) : 0;
    k->type = oracle_layer(k->type) ? k->type : 0;
    if (oracle_type_is_ip(k->type) && random_below(r, 3)) {
        k->proto = oracle_random_value(r, F_PROTO);
        if (k->type == ORACLE_TYPE_IPV6 && (k->proto == ORACLE_ICMP || !random_below(r, 3))) {
            k->proto = ORACLE_ICMP6;
            k->nd = random_below(r, 4) ? ORACLE_ND_SOLICIT + random_below(r, 2) : 0;
        }
    }
}

struct oracle_kind
oracle_random_rule_kind(struct random *r, bool has_packet_types)
{
    struct oracle_kind k = { .may_change = has_packet_types };

    if (has_packet_types && !random_below(r, 4)) {
        k.type = ORACLE_TYPE_NSH;
    } else {
        oracle_random_kind(r, &k);
    }
    k.no_ethernet = has_packet_types && k.type && k.type != ORACLE_TYPE_ARP && !random_below(r, 3);
    return k;
}

void
oracle_random_conditions(struct random *r, struct oracle_rule *rule, const struct oracle_kind *k)
{
    if (k->no_ethernet) {
        rule->packet_type = k->type;
    } else if (k->type) {
        add_condition(rule, F_ETH_TYPE, k->type, 0xffff);
    }
    if (k->proto) {
        add_condition(rule, F_PROTO, k->proto, 0xff);
    }
    if (k->nd) {
        add_condition(rule, F_ICMP6_TYPE, k->nd, 0xff);
        add_condition(rule, F_ICMP6_CODE, 0, 0xff);
    }
    for (int i = random_below(r, 3); i > 0; i--) {
        enum oracle_field f = random_below(r, F_N);

        if (is_conditional(f) && oracle_kind_has_field(k, f)) {
            add_condition(rule, f, oracle_random_value(r, f), random_mask(r, f));
        }
    }
    /* ovs-fields(7), packet_type: a field of the packet implies Ethernet. */
    rule->packet_type = rule->packet_type ? rule->packet_type : ORACLE_ANY_TYPE;
    for (int i = 0; i < rule->n_conditions && rule->packet_type == ORACLE_ANY_TYPE; i++) {
        if (rule->conditions[i].field >= F_ETH_SRC && rule->conditions[i].field < F_REG0) {
            rule->packet_type = 0;
        }
    }
}

static bool
is_writable(const struct oracle_kind *k, enum oracle_field f)
{
    return f != F_ETH_TYPE && f != F_PROTO && f != F_TCI && f != F_NSH_MDTYPE && f != F_NSH_NP && f != F_TCP_FLAGS
           && f != F_MPLS_BOS && f != F_ICMP6_TYPE && f != F_ICMP6_CODE && oracle_kind_has_field(k, f);
}

static unsigned int
random_offset(struct random *r, enum oracle_field f, unsigned int width)
{
    unsigned int bits = oracle_fields[f].bits;

    if (oracle_upper_half(f) != F_N && random_below(r, 2)) {
        return random_below(r, 2) ? 64 : random_below(r, 128 - width + 1);
    }
    return width == bits ? 0 : random_below(r, MIN(bits - width + 1, 4));
}

struct oracle_range
oracle_random_range(struct random *r, const struct oracle_kind *k, bool to_write, unsigned int n)
{
    for (;;) {
        bool of_nsh = k->type == ORACLE_TYPE_NSH && random_below(r, 2);
        enum oracle_field f = of_nsh ? F_NSH_FLAGS + random_below(r, F_REG0 - F_NSH_FLAGS) : random_below(r, F_N);
        unsigned int bits = oracle_fields[f].bits;

        if ((f == F_IN_PORT && (n || to_write)) || oracle_is_upper_half(f)) {
            continue;
        }
        if ((to_write ? is_writable(k, f) : oracle_kind_has_field(k, f) && f != F_TCI) && bits >= n) {
            unsigned int width = n ? n : 1 + random_below(r, random_below(r, 2) ? MIN(2, bits) : bits);

            width = n ? n : random_below(r, 2) ? bits : width;
            return (struct oracle_range) { f, random_offset(r, f, width), width };
        }
    }
}

static void
random_nsh(struct random *r, struct oracle_action *a)
{
    a->value = random_below(r, 3);
    for (int i = 0; i < ORACLE_N_TLVS && a->value; i++) {
        struct oracle_tlv *t = &a->tlvs[i];

        *t = (struct oracle_tlv) { .class = random_below(r, 65536), .type = random_below(r, 256) };
        t->len = random_below(r, 2) ? random_below(r, ORACLE_MAX_TLV + 1) : 0;
        for (int k = 0; k < t->len; k++) {
            t->data[k] = random_below(r, 256);
        }
    }
}

static uint64_t
random_below_label(struct random *r)
{
    static const uint16_t types[] = { ORACLE_TYPE_FRAME, ORACLE_TYPE_FRAME, ORACLE_TYPE_IPV4, ORACLE_TYPE_IPV6,
                                      ORACLE_TYPE_NSH, ORACLE_TYPE_MPLS };

    return types[random_below(r, ARRAY_SIZE(types))];
}

static void
random_operands(struct random *r, struct oracle_action *a, int table, const struct oracle_kind *k, int depth)
{
    switch (a->op) {
    case OP_OUTPUT: a->value = 1 + random_below(r, ORACLE_N_PORTS + 1); break;
    case OP_OUTPUT_REG: a->src = (struct oracle_range) { F_REG0 + random_below(r, 3), 0, 16 }; break;
    case OP_LOAD:
        a->dst = oracle_random_range(r, k, true, 0);
        a->value = oracle_random_value(r, a->dst.field) & oracle_ones(a->dst.n);
        break;
    case OP_MOVE:
        a->src = oracle_random_range(r, k, false, 0);
        a->dst = oracle_random_range(r, k, true, a->src.n > 48 ? (a->src.n = 32) : a->src.n);
        break;
    case OP_PUSH: a->src = oracle_random_range(r, k, false, 0); break;
    case OP_POP: a->dst = oracle_random_range(r, k, true, 0); break;
    case OP_PUSH_MPLS: a->value = random_below(r, 2) ? ORACLE_TYPE_MPLS : ORACLE_TYPE_MPLS_MULTICAST; break;
    case OP_POP_MPLS: a->value = oracle_random_value(r, F_ETH_TYPE); break;
    case OP_PUSH_VLAN: a->value = random_below(r, 2) ? 0x8100 : 0x88a8; break;
    case OP_MOD_VID: a->value = random_below(r, 3); break;
    case OP_MOD_PCP: a->value = random_below(r, 3); break;
    case OP_RESUBMIT: a->value = random_below(r, ORACLE_N_TABLES);
        if (random_below(r, 8)) {
            a->value = MIN(table + 1, ORACLE_N_TABLES - 1);
        }
        break;
    case OP_CHECK_LEN:
        a->value = 200 + random_below(r, 1000);
        a->dst = (struct oracle_range) { F_REG0 + random_below(r, 3), random_below(r, 3), 1 };
        break;
    case OP_MULTIPATH: case OP_BUNDLE: case OP_BUNDLE_LOAD: oracle_random_hashing(r, a); break;
    case OP_LEARN: oracle_random_learn(r, a, k); break;
    case OP_ENCAP_MPLS: a->value = random_below(r, 4) ? ORACLE_TYPE_MPLS : ORACLE_TYPE_MPLS_MULTICAST; break;
    case OP_DECAP: a->value = k->no_ethernet && oracle_type_is_mpls(k->type) ? random_below_label(r) : 0; break;
    case OP_ENCAP_NSH: random_nsh(r, a); break;
    case OP_DELETE_OPTION: a->dst.field = F_OPT0 + random_below(r, ORACLE_N_OPTIONS); break;
    case OP_GROUP: a->value = 1 + random_below(r, ORACLE_N_GROUPS); break;
    case OP_GOTO: a->value = table + 1 + random_below(r, ORACLE_N_TABLES - table - 1); break;
    case OP_METADATA: a->value = random_below(r, 4); a->mask = 1 + random_below(r, 3); a->value &= a->mask; break;
    case OP_CLONE: case OP_WRITE:
        a->n_nested = 1 + random_below(r, 2);
        a->nested = calloc(a->n_nested, sizeof *a->nested);
        oracle_random_actions(r, a->nested, a->n_nested, table, *k, depth + 1, OP_NOTE);
        break;
    default: break;
    }
}

/* Whether the action makes sense for such packets. */
static bool
is_possible(const struct oracle_kind *k, enum oracle_op op)
{
    switch (op) {
    case OP_DEC_TTL: return oracle_type_is_ip(k->type);
    case OP_POP_MPLS: case OP_DEC_MPLS_TTL: return oracle_type_is_mpls(k->type);
    case OP_ENCAP_MPLS: return k->may_change;
    case OP_ENCAP_ETHERNET: return k->may_change && k->no_ethernet;
    case OP_ENCAP_NSH: return k->may_change && (!k->no_ethernet || (k->type && !oracle_type_is_mpls(k->type)));
    case OP_DECAP:
        return k->may_change && (!k->no_ethernet || k->type == ORACLE_TYPE_NSH || oracle_type_is_mpls(k->type));
    case OP_DEC_NSH_TTL: return k->may_change && k->type == ORACLE_TYPE_NSH;
    case OP_PUSH_VLAN: case OP_STRIP_VLAN: case OP_MOD_VID: case OP_MOD_PCP: return !k->no_ethernet;
    default: return true;
    }
}

void
oracle_make_writable(struct random *r, struct oracle_action *a, struct oracle_kind k)
{
    if (!oracle_may_be_written(a->op) || !is_possible(&k, a->op)) {
        oracle_free_actions(a, 1);
        memset(a, 0, sizeof *a);
        a->op = OP_OUTPUT;
        a->value = 1 + random_below(r, ORACLE_N_PORTS);
    }
}

/* The kind of the packet behind the action. */
static void
change_kind(struct oracle_kind *k, const struct oracle_action *a)
{
    switch (a->op) {
    case OP_PUSH_MPLS: case OP_POP_MPLS:
        k->type = a->value;
        k->proto = k->nd = 0;
        break;
    case OP_ENCAP_ETHERNET: k->no_ethernet = false; break;
    case OP_ENCAP_NSH:
        *k = (struct oracle_kind) { .type = ORACLE_TYPE_NSH, .no_ethernet = true, .may_change = true };
        break;
    case OP_ENCAP_MPLS:
        *k = (struct oracle_kind) { .type = a->value, .no_ethernet = true, .may_change = true };
        break;
    case OP_DECAP:
        if (k->no_ethernet && a->value && a->value != ORACLE_TYPE_FRAME) {
            *k = (struct oracle_kind) { .type = a->value, .no_ethernet = true, .may_change = true };
        } else if (k->no_ethernet) {
            *k = (struct oracle_kind) { .may_change = true };
        } else {
            k->no_ethernet = true;
        }
        break;
    default: break;
    }
}

static enum oracle_op
random_op(struct random *r, const struct oracle_kind *k, enum oracle_op last)
{
    if (k->may_change && (k->no_ethernet || k->type == ORACLE_TYPE_NSH) && random_below(r, 2)) {
        static const enum oracle_op ops[] = {
            OP_ENCAP_ETHERNET, OP_ENCAP_ETHERNET, OP_ENCAP_NSH, OP_ENCAP_MPLS, OP_DECAP, OP_DEC_NSH_TTL, OP_RESUBMIT,
            OP_LOAD, OP_LOAD, OP_MOVE, OP_OUTPUT,
        };

        return ops[random_below(r, ARRAY_SIZE(ops))]; /* So that it gets somewhere. */
    }
    if (oracle_type_is_mpls(k->type) && !random_below(r, 3)) {
        return random_below(r, 2) ? OP_POP_MPLS : OP_PUSH_MPLS;
    }
    return random_below(r, 3) ? random_below(r, last + 1) : random_below(r, 2) ? OP_OUTPUT : OP_RESUBMIT;
}

void
oracle_random_actions(struct random *r, struct oracle_action *actions, int n, int table, struct oracle_kind k,
                      int depth, enum oracle_op last)
{
    for (int i = 0; i < n; i++) {
        struct oracle_action *a = &actions[i];

        memset(a, 0, sizeof *a);
        do {
            a->op = random_op(r, &k, last);
        } while ((a->op == OP_CLONE && depth > 1) || (a->op == OP_CHECK_LEN && depth) ||
                 (a->op == OP_EXIT && random_below(r, 4)) || !is_possible(&k, a->op));
        random_operands(r, a, table, &k, depth);
        change_kind(&k, a);
    }
}

/* Instructions stand in their order, each once: meter, actions, others. */
void
oracle_random_instructions(struct random *r, struct oracle_rule *rule, const struct oracle_kind *k)
{
    rule->n_actions = random_below(r, ORACLE_MAX_ACTIONS);
    oracle_random_actions(r, rule->actions, rule->n_actions, rule->table, *k, 0, OP_NOTE);
    if (rule->n_actions && !random_below(r, 5)) {
        oracle_free_actions(rule->actions, 1);
        rule->actions[0] = (struct oracle_action) { .op = OP_METER, .value = 1 + random_below(r, ORACLE_N_METERS + 1) };
    }
    for (int op = OP_CLEAR; op <= OP_GOTO; op++) {
        struct oracle_action *a = &rule->actions[rule->n_actions];

        if (rule->n_actions >= ORACLE_MAX_ACTIONS || random_below(r, 4) ||
            (op == OP_GOTO && rule->table == ORACLE_N_TABLES - 1)) {
            continue;
        }
        memset(a, 0, sizeof *a);
        a->op = op;
        random_operands(r, a, rule->table, k, 2);
        for (int i = 0; i < a->n_nested; i++) {
            oracle_make_writable(r, &a->nested[i], *k);
        }
        rule->n_actions++;
    }
}

static void
random_pipeline(struct random *r, struct oracle_pipeline *p)
{
    enum { MAX_RULES = 24 };

    memset(p, 0, sizeof *p);
    p->has_packet_types = random_below(r, 2);
    p->n_rules = 4 + random_below(r, MAX_RULES - 4);
    for (int i = 0; i < p->n_rules; i++) {
        struct oracle_rule *rule = &p->rules[i];
        struct oracle_kind k = oracle_random_rule_kind(r, p->has_packet_types);

        rule->table = random_below(r, 3) ? random_below(r, ORACLE_N_TABLES) : 0;
        rule->priority = 100 + 10 * i; /* All different, so that there is one best. */
        oracle_random_conditions(r, rule, &k);
        oracle_random_instructions(r, rule, &k);
    }
    oracle_random_conjunctions(r, p);
    oracle_random_groups(r, p);
}

void
oracle_random_pipeline(struct random *r, struct oracle_pipeline *p)
{
    random_pipeline(r, p);
    if (!random_below(r, 3)) {
        p->peer = calloc(1, sizeof *p->peer);
        random_pipeline(r, p->peer);
        p->peer->peer = p;
        p->bridge = 1;
        p->peer->bridge = 2;
    }
}

void
oracle_free_actions(struct oracle_action *actions, int n)
{
    for (int i = 0; i < n; i++) {
        oracle_free_actions(actions[i].nested, actions[i].n_nested);
        free(actions[i].nested);
    }
}

void
oracle_pipeline_uninit(struct oracle_pipeline *p)
{
    for (int i = 0; i < p->n_rules; i++) {
        oracle_free_actions(p->rules[i].actions, p->rules[i].n_actions);
    }
    oracle_groups_uninit(p);
    if (p->bridge == 1) {
        oracle_pipeline_uninit(p->peer);
        free(p->peer);
    }
}

void
oracle_remove_rule(struct oracle_pipeline *p, int i)
{
    oracle_free_actions(p->rules[i].actions, p->rules[i].n_actions);
    p->n_rules--;
    memmove(&p->rules[i], &p->rules[i + 1], (p->n_rules - i) * sizeof p->rules[0]);
}
