#include "flow/match_text.h"
#include <inttypes.h>

#include "flow/tun_metadata.h"

/* What is being written. */
struct text {
    struct str *s;
    const struct match *m;
    struct field_map fields; /* That the mask may have... */
    uint16_t lines;          /* ...and those of its lines that hold anything, FLOW_LINE_*. */
    const struct port_names *ports;
    unsigned int eth_type; /* 0 unless matched exactly. */
    unsigned int nw_proto; /* 0 unless matched exactly, or ARP's opcode. */
    bool is_megaflow;
};

/* How a field is shown: in its own format; always in hexadecimal; so with 0x even for zero; in decimal; with two digits
 * where it is masked; of transport: masked ones with 0x even for zero; with the mask even if that is all ones. */
enum style { OWN, HEXADECIMAL, PREFIXED, IN_DECIMAL, TWO_DIGITS, TRANSPORT, WITH_MASK };

struct text_row {
    enum field_id id;
    const char *name; /* Null: the field's. */
    enum style style;
};

static const struct text_row first_rows[] = {
    { FIELD_PKT_MARK, NULL, OWN },
    { FIELD_RECIRC_ID, NULL, HEXADECIMAL },
    { FIELD_DP_HASH, NULL, OWN },
    { FIELD_CONJ_ID, NULL, OWN },
    { FIELD_SKB_PRIORITY, NULL, OWN },
    { FIELD_ACTSET_OUTPUT, NULL, OWN },
    { FIELD_CT_STATE, NULL, OWN },
    { FIELD_CT_ZONE, NULL, IN_DECIMAL },
    { FIELD_CT_MARK, NULL, OWN },
    { FIELD_CT_LABEL, NULL, OWN },
    { FIELD_CT_NW_SRC, NULL, OWN },
    { FIELD_CT_IPV6_SRC, NULL, OWN },
    { FIELD_CT_NW_DST, NULL, OWN },
    { FIELD_CT_IPV6_DST, NULL, OWN },
    { FIELD_CT_NW_PROTO, NULL, OWN },
    { FIELD_CT_TP_SRC, NULL, OWN },
    { FIELD_CT_TP_DST, NULL, OWN },
};

static const struct text_row tunnel_rows[] = {
    { FIELD_TUN_ID, NULL, OWN },
    { FIELD_TUN_SRC, NULL, OWN },
    { FIELD_TUN_DST, NULL, OWN },
    { FIELD_TUN_IPV6_SRC, NULL, OWN },
    { FIELD_TUN_IPV6_DST, NULL, OWN },
    { FIELD_TUN_GBP_ID, NULL, OWN },
    { FIELD_TUN_GBP_FLAGS, NULL, OWN },
    { FIELD_TUN_TOS, NULL, HEXADECIMAL },
    { FIELD_TUN_TTL, NULL, OWN },
    { FIELD_TUN_ERSPAN_VER, NULL, OWN },
    { FIELD_TUN_ERSPAN_IDX, NULL, OWN },
    { FIELD_TUN_ERSPAN_DIR, NULL, OWN },
    { FIELD_TUN_ERSPAN_HWID, NULL, OWN },
    { FIELD_TUN_GTPU_FLAGS, "gtpu_flags", OWN },
    { FIELD_TUN_GTPU_MSGTYPE, "gtpu_msgtype", OWN },
};

static const struct text_row nsh_rows[] = {
    { FIELD_NSH_FLAGS, NULL, TWO_DIGITS },  { FIELD_NSH_TTL, NULL, TWO_DIGITS },
    { FIELD_NSH_MDTYPE, NULL, TWO_DIGITS }, { FIELD_NSH_NP, NULL, TWO_DIGITS },
    { FIELD_NSH_SPI, NULL, PREFIXED },      { FIELD_NSH_SI, NULL, TWO_DIGITS },
    { FIELD_NSH_C1, NULL, PREFIXED },       { FIELD_NSH_C2, NULL, PREFIXED },
    { FIELD_NSH_C3, NULL, PREFIXED },       { FIELD_NSH_C4, NULL, PREFIXED },
};

static const struct text_row ip_rows[] = {
    { FIELD_NW_ECN, NULL, OWN },    { FIELD_NW_TTL, NULL, OWN },     { FIELD_MPLS_LABEL, NULL, OWN },
    { FIELD_MPLS_TC, NULL, OWN },   { FIELD_MPLS_TTL, NULL, OWN },   { FIELD_MPLS_BOS, NULL, OWN },
    { FIELD_IP_FRAG, "nw_frag", OWN },
};

static const struct text_row nd_rows[] = {
    { FIELD_ND_TARGET, NULL, OWN },   { FIELD_ND_SLL, NULL, OWN }, { FIELD_ND_TLL, NULL, OWN },
    { FIELD_ND_RESERVED, NULL, OWN }, { FIELD_ND_OPTIONS_TYPE, NULL, OWN },
};

/* A decimal value under a mask is shown in hexadecimal. */
static void
put_value(struct text *t, const struct field *f, enum style style, const union field_value *v,
          const union field_value *mask)
{
    bool exact = field_is_exact(f, &t->m->mask);

    if (style == WITH_MASK || ((style == TRANSPORT || style == PREFIXED) && !exact)) {
        str_putf(t->s, "0x%llx/0x%llx", (unsigned long long) field_value_to_u64(f, v),
                 (unsigned long long) field_value_to_u64(f, mask));
    } else if (style == PREFIXED) {
        str_putf(t->s, "0x%llx", (unsigned long long) field_value_to_u64(f, v));
    } else if (f->format != FORMAT_DECIMAL && style == OWN) {
        field_format(t->s, f, v, exact ? NULL : mask, t->ports);
    } else if (style == TWO_DIGITS && !exact) {
        str_putf(t->s, "0x%02x/0x%02x", v->bytes[0], mask->bytes[0]);
    } else if (exact && style != HEXADECIMAL) {
        str_put_uint(t->s, field_value_to_u64(f, v));
    } else {
        bytes_format_hex(t->s, v->bytes, f->wire_bytes);
        if (!exact) {
            str_putc(t->s, '/');
            bytes_format_hex(t->s, mask->bytes, f->wire_bytes);
        }
    }
}

static NOINLINE void
put_matched(struct text *t, enum field_id id, const char *name, enum style style)
{
    const struct field *f = field_of(id);
    union field_value v, mask;

    field_get(f, &t->m->flow, &v);
    field_get(f, &t->m->mask, &mask);
    str_puts(t->s, name ? name : f->name);
    str_putc(t->s, '=');
    put_value(t, f, style, &v, &mask);
    str_putc(t->s, ',');
}

static inline void
put_field(struct text *t, enum field_id id, const char *name, enum style style)
{
    if (field_map_has(&t->fields, id) && field_is_any(field_of(id), &t->m->mask)) {
        put_matched(t, id, name, style);
    }
}

/* Rows that are shown one after the other: of most matches, none. */
struct rows {
    const struct text_row *rows;
    size_t n;
    uint16_t lines;    /* That have bits of these fields, and... */
    struct flow bits;  /* ...which those are.  Filled before main(). */
};

#define ROWS(NAME) static struct rows NAME = { .rows = NAME##_rows, .n = ARRAY_SIZE(NAME##_rows) }
ROWS(first);
ROWS(tunnel);
ROWS(nsh);
ROWS(ip);
ROWS(nd);

__attribute__((constructor)) static void
index_rows(void)
{
    struct rows *const all[] = { &first, &tunnel, &nsh, &ip, &nd };

    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        for (size_t k = 0; k < all[i]->n; k++) {
            field_set_ones(field_of(all[i]->rows[k].id), &all[i]->bits);
        }
        all[i]->lines = flow_used_lines(&all[i]->bits, FLOW_LINES_ALL);
    }
}

static bool
has_any(const struct text *t, const struct rows *r)
{
    uint64_t any = 0;

    FLOW_FOR_EACH_LINE (line, t->lines & r->lines) {
        for (int i = 0; i < 8; i++) {
            any |= t->m->mask.lines[line].words[i] & r->bits.lines[line].words[i];
        }
    }
    return any;
}

static void
put_rows(struct text *t, const struct rows *r)
{
    if (has_any(t, r)) {
        for (size_t i = 0; i < r->n; i++) {
            put_field(t, r->rows[i].id, r->rows[i].name, r->rows[i].style);
        }
    }
}

static const char *
ip_proto_word(unsigned int eth_type, unsigned int proto)
{
    bool v6 = eth_type == 0x86dd;

    switch (proto) {
    case 1: return v6 ? NULL : "icmp";
    case 6: return v6 ? "tcp6" : "tcp";
    case 17: return v6 ? "udp6" : "udp";
    case 58: return v6 ? "icmp6" : NULL;
    case 132: return v6 ? "sctp6" : "sctp";
    default: return NULL;
    }
}

/* The word for the protocols; '*proto_said' if it says nw_proto as well. */
static const char *
protocol_word(const struct text *t, bool *proto_said)
{
    const char *word;

    *proto_said = false;
    switch (t->eth_type) {
    case 0x0800:
    case 0x86dd:
        word = t->m->mask.nw_proto == UINT8_MAX ? ip_proto_word(t->eth_type, t->nw_proto) : NULL;
        *proto_said = word;
        return word ? word : t->eth_type == 0x0800 ? "ip" : "ipv6";
    case 0x0806: return "arp";
    case 0x8035: return "rarp";
    case 0x8847: return "mpls";
    case 0x8848: return "mplsm";
    default: return NULL;
    }
}

static void
put_regs(struct text *t)
{
    for (int i = 0; i < FLOW_N_REGS; i++) {
        put_field(t, FIELD_REG0 + i, NULL, OWN);
    }
}

/* In the order in which they are shown: the field's own comes last. */
static unsigned int
shown_tun_flags(be16 flags)
{
    unsigned int bits = be16_to_cpu(flags);

    return (bits & (TUN_DF | TUN_CSUM | TUN_KEY)) >> 1 | (bits & TUN_OAM) << 3;
}

/* A match has but one of them; a packet that came through a tunnel, and so a megaflow, has all. */
static void
put_tun_flags(struct text *t)
{
    static const char *const names[] = { "df", "csum", "key", "oam" };
    unsigned int mask = shown_tun_flags(t->m->mask.tun_flags);

    if (mask) {
        str_puts(t->s, "tun_flags=");
        flags_format(t->s, shown_tun_flags(t->m->flow.tun_flags), mask, t->is_megaflow ? UINT32_MAX : 15, names,
                     ARRAY_SIZE(names));
        str_putc(t->s, ',');
    }
}

/* An option alone: it must be there.  "NP": a packet that does not have it. */
static void
put_options(struct text *t)
{
    for (enum field_id id = FIELD_TUN_METADATA0; tun_match_has_any(t->m) && id <= FIELD_TUN_METADATA63; id++) {
        const struct field *f = field_of(id);
        union field_value v, mask;

        if (!tun_match_has(t->m, f)) {
            continue;
        }
        tun_match_get_loose(t->m, f, &v, &mask);
        str_puts(t->s, f->name);
        if (!tun_option_is_present(&t->m->flow, f)) {
            str_puts(t->s, "=NP");
        } else if (!is_all_zeros(mask.bytes, f->wire_bytes)) {
            str_putc(t->s, '=');
            field_format(t->s, f, &v, &mask, t->ports);
        }
        str_putc(t->s, ',');
    }
}

/* One tag; 'suffix' tells the second from the first. */
static void
put_tag(struct str *s, unsigned int tci, unsigned int mask, const char *suffix)
{
    unsigned int vid = mask & VLAN_VID_MASK, pcp = mask & VLAN_PCP_MASK;
    bool whole = (!vid || vid == VLAN_VID_MASK) && (!pcp || pcp == VLAN_PCP_MASK) && (vid || pcp);

    if (!mask) {
        return;
    }
    if (whole && mask & VLAN_PRESENT && tci & VLAN_PRESENT) {
        if (vid) {
            str_puts(s, "dl_vlan");
            str_puts(s, suffix);
            str_putc(s, '=');
            str_put_uint(s, tci & VLAN_VID_MASK);
            str_putc(s, ',');
        }
        if (pcp) {
            str_putf(s, "dl_vlan_pcp%s=%u,", suffix, tci >> VLAN_PCP_SHIFT);
        }
    } else if (mask == UINT16_MAX) {
        str_putf(s, "vlan_tci%s=0x%04x,", suffix, tci);
    } else {
        str_putf(s, "vlan_tci%s=0x%04x/0x%04x,", suffix, tci, mask);
    }
}

static void
put_vlan(struct text *t)
{
    put_tag(t->s, be16_to_cpu(t->m->flow.vlan_tci), be16_to_cpu(t->m->mask.vlan_tci), "");
    put_tag(t->s, be16_to_cpu(t->m->flow.vlan2_tci), be16_to_cpu(t->m->mask.vlan2_tci), "1");
}

static void
put_label(struct str *s, uint32_t lse, uint32_t mask)
{
    if (mask == UINT32_MAX) {
        str_putf(s, "%"PRIu32",", lse);
    } else {
        str_putf(s, "0x%08"PRIx32"/0x%08"PRIx32",", lse, mask);
    }
}

/* Labels below the outermost: a match cannot have them, a packet can. */
static void
put_inner_labels(struct text *t)
{
    for (int i = 1; i < FLOW_MPLS_LABELS; i++) {
        if (t->m->mask.mpls_lse[i]) {
            str_putf(t->s, "mpls_lse%d=", i);
            put_label(t->s, be32_to_cpu(t->m->flow.mpls_lse[i]), be32_to_cpu(t->m->mask.mpls_lse[i]));
        }
    }
}

static void
put_ipv6_label(struct text *t)
{
    uint32_t label = be32_to_cpu(t->m->flow.ipv6_label), mask = be32_to_cpu(t->m->mask.ipv6_label) & 0xfffff;

    if (mask == 0xfffff) {
        str_putf(t->s, "ipv6_label=0x%05x,", label);
    } else if (mask) {
        str_putf(t->s, "ipv6_label=0x%05x/0x%05x,", label, mask);
    }
}

static bool
is_arp(const struct text *t)
{
    return t->eth_type == 0x0806 || t->eth_type == 0x8035;
}

static void
put_network(struct text *t, bool proto_said)
{
    if (t->eth_type == 0x86dd) {
        put_field(t, FIELD_IPV6_SRC, NULL, OWN);
        put_field(t, FIELD_IPV6_DST, NULL, OWN);
        put_ipv6_label(t);
    } else if (is_arp(t)) {
        put_field(t, FIELD_ARP_SPA, NULL, OWN);
        put_field(t, FIELD_ARP_TPA, NULL, OWN);
    } else {
        put_field(t, FIELD_IP_SRC, "nw_src", OWN);
        put_field(t, FIELD_IP_DST, "nw_dst", OWN);
    }
    if (is_arp(t)) {
        put_field(t, FIELD_NW_PROTO, "arp_op", OWN);
        put_field(t, FIELD_ARP_SHA, NULL, OWN);
        put_field(t, FIELD_ARP_THA, NULL, OWN);
    } else {
        if (t->lines & FLOW_LINE_MISC) {
            put_rows(t, &nsh);
        }
        if (!proto_said) {
            put_field(t, FIELD_NW_PROTO, NULL, OWN);
        }
    }
}

/* DSCP in its place in the byte. */
static void
put_nw_tos(struct text *t)
{
    if (t->m->mask.nw_tos & 0xfc) {
        str_putf(t->s, "nw_tos=%u,", t->m->flow.nw_tos & 0xfc);
    }
}

/* A message of 1.0 may have a number that no packet has: all of it is matched. */
static void
put_icmp(struct text *t, enum field_id id, const char *name, be16 value, be16 mask)
{
    if (be16_to_cpu(value & mask) > UINT8_MAX && !t->is_megaflow) {
        str_putf(t->s, "%s=%u,", name, be16_to_cpu(value));
    } else {
        /* The bits beside those of the mask are in no packet, and a megaflow does not match on them. */
        put_field(t, id, NULL, t->is_megaflow ? WITH_MASK : OWN);
    }
}

static void
put_transport(struct text *t)
{
    bool ip4 = t->eth_type == 0x0800, ip6 = t->eth_type == 0x86dd;

    if ((ip4 && t->nw_proto == 1) || (ip6 && t->nw_proto == 58)) {
        put_icmp(t, FIELD_ICMP_TYPE, "icmp_type", t->m->flow.tp_src, t->m->mask.tp_src);
        put_icmp(t, FIELD_ICMP_CODE, "icmp_code", t->m->flow.tp_dst, t->m->mask.tp_dst);
        if (ip6) {
            put_rows(t, &nd);
        }
    } else {
        put_field(t, FIELD_TCP_SRC, "tp_src", TRANSPORT);
        put_field(t, FIELD_TCP_DST, "tp_dst", TRANSPORT);
        if ((ip4 || ip6) && t->nw_proto == 6) {
            put_field(t, FIELD_TCP_FLAGS, NULL, OWN);
        }
    }
}

static bool
type_is_in_packet_type(const struct text *t)
{
    return t->m->flow.packet_ns && match_has_packet_type(t->m);
}

/* Packets with an Ethernet header are what everybody means: it is said only where packets that come back from
 * recirculation are matched, which may have lost it. */
static void
put_packet_type(struct text *t)
{
    if (type_is_in_packet_type(t)) {
        field_format_packet_type(t->s, t->m->flow.packet_ns, be16_to_cpu(t->m->flow.eth_type));
        str_putc(t->s, ',');
    } else if (t->m->mask.packet_ns && t->m->mask.recirc_id) {
        str_puts(t->s, "eth,");
    }
}

static void
put_all(struct text *t)
{
    bool proto_said = false, type_said = type_is_in_packet_type(t);
    const char *word;

    put_rows(t, &first);
    put_packet_type(t);
    if (t->is_megaflow) {
        type_said = false; /* It says both. */
    }
    word = type_said ? NULL : protocol_word(t, &proto_said);
    if (word) {
        str_puts(t->s, word);
        str_putc(t->s, ',');
    }
    if (t->lines & FLOW_LINE_REGS) {
        put_regs(t);
    }
    if (t->lines & (FLOW_LINE_TUNNEL | FLOW_LINE_TUNNEL_MISC)) {
        put_rows(t, &tunnel);
    }
    put_tun_flags(t);
    put_options(t);
    put_field(t, FIELD_METADATA, NULL, OWN);
    put_field(t, FIELD_IN_PORT_OXM, "in_port", OWN);
    put_vlan(t);
    put_field(t, FIELD_ETH_SRC, "dl_src", OWN);
    put_field(t, FIELD_ETH_DST, "dl_dst", OWN);
    if (!word && !type_said && t->m->mask.eth_type) {
        str_putf(t->s, "dl_type=0x%04x,", be16_to_cpu(t->m->flow.eth_type));
    }
    put_network(t, proto_said);
    put_nw_tos(t);
    put_rows(t, &ip);
    put_inner_labels(t);
    put_transport(t);
}

static void
format(struct str *s, const struct match *m, const struct port_names *ports, int priority, bool is_megaflow)
{
    struct word_map words = word_map_of(&m->mask);
    struct text t = { s, m, field_map_of(&words), word_map_lines(&words), ports, 0, 0, is_megaflow };
    size_t start;

    t.eth_type = m->mask.eth_type == BE16_MAX ? be16_to_cpu(m->flow.eth_type) : 0;
    t.nw_proto = m->mask.nw_proto == UINT8_MAX ? m->flow.nw_proto : 0;
    if (priority != MATCH_DEFAULT_PRIORITY) {
        str_puts(s, "priority=");
        str_put_int(s, priority);
        str_putc(s, ',');
    }
    start = s->len;
    put_all(&t);
    if (s->len > start || priority != MATCH_DEFAULT_PRIORITY) {
        str_chomp(s, ',');
    }
}

void
match_format(struct str *s, const struct match *m, const struct port_names *ports, int priority)
{
    format(s, m, ports, priority, false);
}

void
match_format_megaflow(struct str *s, const struct match *m, const struct port_names *ports)
{
    format(s, m, ports, MATCH_DEFAULT_PRIORITY, true);
}
