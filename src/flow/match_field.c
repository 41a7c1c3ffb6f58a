/* Conditions on single fields of a match, with what each implies. */

#include "base/words.h"
#include "flow/match_text.h"
#include "flow/tun_metadata.h"

bool
match_set_packet_type(struct match *m, uint32_t value, uint32_t mask)
{
    uint32_t ns = value >> 16, ns_mask = mask >> 16;
    be16 type_mask = cpu_to_be16(mask);

    value &= mask;
    if (type_mask && !ns_mask) { /* Packets with an Ethernet header have type 0, and hardly any other. */
        ns = (uint16_t) value != 0;
        ns_mask = UINT16_MAX;
    }
    ns &= ns_mask;
    if (ns > 1 || (!ns && (uint16_t) value)) {
        return false;
    }
    m->flow.packet_ns = (m->flow.packet_ns & ~ns_mask) | ns;
    m->mask.packet_ns |= ns_mask;
    if (ns) {
        m->flow.eth_type = (m->flow.eth_type & ~type_mask) | cpu_to_be16(value);
        m->mask.eth_type |= type_mask;
    }
    return true;
}

/* ICMP's type and code have 8 of a port's 16 bits.  That the others are 0, as in all packets, is matched, too: so have
 * such matches the mask of those for ports, as in the reference, and traces show which masks there are. */
static void
fill_icmp(struct match *m, const struct field *f)
{
    if ((f->id == FIELD_ICMP_TYPE || f->id == FIELD_ICMPV6_TYPE) && m->mask.tp_src == BE16(0xff)) {
        m->mask.tp_src = BE16_MAX;
    } else if ((f->id == FIELD_ICMP_CODE || f->id == FIELD_ICMPV6_CODE) && m->mask.tp_dst == BE16(0xff)) {
        m->mask.tp_dst = BE16_MAX;
    }
}

bool
match_set_subfield(struct match *m, const struct subfield *sf, const union field_value *v)
{
    if (sf->field->id == FIELD_PACKET_TYPE) {
        uint64_t value = get_be64(v->bytes + sizeof v->bytes - 8);

        return match_set_packet_type(m, value << sf->ofs, ((UINT64_C(1) << sf->n_bits) - 1) << sf->ofs);
    }
    subfield_set(sf, &m->flow, v);
    subfield_set_ones(sf, &m->mask);
    fill_icmp(m, sf->field);
    return true;
}

bool
match_has_packet_type(const struct match *m)
{
    return m->mask.packet_ns == UINT8_MAX && (!m->flow.packet_ns || m->mask.eth_type == BE16_MAX);
}

/* Sets bits of the tag. */
static void
set_tci(struct match *m, unsigned int value, unsigned int mask)
{
    be16 be_mask = cpu_to_be16(mask);

    m->flow.vlan_tci = (m->flow.vlan_tci & ~be_mask) | (cpu_to_be16(value) & be_mask);
    m->mask.vlan_tci |= be_mask;
}

/* 0xffff: no tag at all (OpenFlow 1.0 §5.2.3). */
static void
set_dl_vlan(struct match *m, unsigned int vid)
{
    if (vid == 0xffff) {
        set_tci(m, 0, 0xffff);
    } else {
        set_tci(m, VLAN_PRESENT | (vid & VLAN_VID_MASK), VLAN_PRESENT | VLAN_VID_MASK);
    }
}

bool
match_set_field(struct match *m, const struct field *f, const union field_value *v, const union field_value *mask)
{
    if (UNLIKELY(field_is_option(f))) {
        return tun_match_set_loose(m, f, v, mask, 0);
    }
    if (is_all_zeros(mask, f->wire_bytes)) {
        return true;
    }
    if (f->id == FIELD_PACKET_TYPE) {
        return match_set_packet_type(m, get_be32(v->bytes), UINT32_MAX);
    }
    if (f->prereq != PREREQ_NONE) {
        match_imply_ethernet(m);
    }
    if (f->id == FIELD_DL_VLAN) {
        set_dl_vlan(m, field_value_to_u64(f, v));
    } else if (f->id == FIELD_DL_VLAN_PCP || f->id == FIELD_VLAN_PCP) {
        set_tci(m, VLAN_PRESENT | (v->bytes[0] & 7) << VLAN_PCP_SHIFT, VLAN_PRESENT | VLAN_PCP_MASK);
    } else {
        match_set_masked(m, f, v, mask);
        fill_icmp(m, f);
    }
    return true;
}

void
match_get_field(const struct match *m, const struct field *f, union field_value *v, union field_value *mask)
{
    if (UNLIKELY(field_is_option(f))) {
        tun_match_get_loose(m, f, v, mask);
        return;
    }
    memset(v, 0, 16); /* No other field is longer. */
    memset(mask, 0, 16);
    if (f->id != FIELD_PACKET_TYPE) {
        field_get(f, &m->flow, v);
        field_get(f, &m->mask, mask);
    } else if (match_has_packet_type(m)) {
        memset(mask, 0xff, 4);
        put_be16(v->bytes, m->flow.packet_ns);
        put_be16(v->bytes + 2, m->flow.packet_ns ? be16_to_cpu(m->flow.eth_type) : 0);
    }
}

struct error *
match_parse_field(struct match *m, const struct field *f, const char *value, const struct port_names *ports,
                  union field_value *mask)
{
    union field_value v;
    struct error *e;

    if (field_is_option(f) && tun_match_has(m, f)) {
        return error_new("field %s set multiple times", f->name);
    }
    e = field_parse(f, value, ports, &v, mask);
    if (!e && !match_set_field(m, f, &v, mask)) {
        e = field_is_option(f) ? error_new("field %s exceeds maximum size for tunnel metadata (used %zu, max %u)",
                                           f->name, tun_match_space(m, &v, mask), FLOW_TUN_METADATA)
                               : error_new("%s: no packet can have this packet type", value);
    }
    return e;
}

static const struct {
    const char *word;
    uint16_t eth_type;
    uint8_t nw_proto;
} shorthands[] = {
    { "ip", 0x0800, 0 },    { "ipv4", 0x0800, 0 },  { "ip4", 0x0800, 0 },   { "arp", 0x0806, 0 },
    { "rarp", 0x8035, 0 },  { "icmp", 0x0800, 1 },  { "tcp", 0x0800, 6 },   { "udp", 0x0800, 17 },
    { "sctp", 0x0800, 132 }, { "ipv6", 0x86dd, 0 }, { "ip6", 0x86dd, 0 },   { "icmp6", 0x86dd, 58 },
    { "tcp6", 0x86dd, 6 },  { "udp6", 0x86dd, 17 }, { "sctp6", 0x86dd, 132 }, { "mpls", 0x8847, 0 },
    { "mplsm", 0x8848, 0 }, { "eth", 0, 0 },
};
static struct words shorthand_words = WORDS_INIT; /* Filled before main(). */

__attribute__((constructor)) static void
index_shorthands(void)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(shorthands); i++) {
        words_add(&shorthand_words, shorthands[i].word, i);
    }
}

bool
match_parse_shorthand(struct match *m, const char *word)
{
    int i = words_find(&shorthand_words, word, strlen(word));

    if (i < 0) {
        return false;
    }
    match_imply_ethernet(m);
    if (shorthands[i].eth_type) {
        m->flow.eth_type = cpu_to_be16(shorthands[i].eth_type);
        m->mask.eth_type = BE16_MAX;
    }
    if (shorthands[i].nw_proto) {
        m->flow.nw_proto = shorthands[i].nw_proto;
        m->mask.nw_proto = UINT8_MAX;
    }
    return true;
}

/* The bits of all fields with the same prerequisite, and one such field; bits that belong to no field.  Filled before
 * main(). */
enum { N_PREREQS = PREREQ_CT_IPV6 + 1 };
static struct flow prereq_bits[N_PREREQS], other_bits;
static const struct field *prereq_field[N_PREREQS];

__attribute__((constructor)) static void
collect_prereq_bits(void)
{
    struct flow all;

    memset(&all, 0, sizeof all);
    for (const struct field *f = fields; f < fields + FIELD_N; f++) {
        if (field_is_option(f)) {
            continue; /* They have no place of their own, and no prerequisites. */
        }
        field_set_ones(f, &prereq_bits[f->prereq]);
        field_set_ones(f, &all);
        prereq_field[f->prereq] = f;
    }
    for (enum field_prereq p = PREREQ_ICMPV4; p <= PREREQ_ICMPV6; p++) {
        prereq_bits[p].tp_src = prereq_bits[p].tp_dst = BE16_MAX; /* As fill_icmp() has it. */
    }
    for (size_t i = 0; i < FLOW_N_WORDS; i++) {
        *flow_word_ptr(&other_bits, i) = ~flow_word(&all, i);
    }
}

/* What is_allowed() found about each prerequisite. */
enum allowed { UNKNOWN, YES, NO };

static bool
is_allowed(enum field_prereq p, const struct match *m, uint8_t known[N_PREREQS])
{
    if (known[p] == UNKNOWN) {
        /* Who asks for NSH of other packets, or for a tracked tuple, is told so by the switch. */
        bool yes = p >= PREREQ_CT || p == PREREQ_NSH || field_prereqs_met_by_match(prereq_field[p], &m->flow, &m->mask);

        known[p] = yes ? YES : NO;
    }
    return known[p] == YES;
}

/* Bits of word 'i' of the mask that no field with met prerequisites has. */
static uint64_t
unmet_bits(const struct match *m, unsigned int i, uint8_t known[N_PREREQS])
{
    uint64_t left = flow_word(&m->mask, i) & ~flow_word(&other_bits, i);

    if (m->flow.packet_ns && i == offsetof(struct flow, eth_type) / 8) {
        struct flow type = { .eth_type = BE16_MAX }; /* Part of the packet type. */

        left &= ~flow_word(&type, i);
    }
    for (unsigned int p = 0; p < N_PREREQS && left; p++) {
        uint64_t bits = flow_word(&prereq_bits[p], i);

        if (bits & left && is_allowed(p, m, known)) {
            left &= ~bits;
        }
    }
    return left;
}

bool
match_drop_unmet(struct match *m, struct match *before)
{
    struct word_map words = word_map_of(&m->mask);
    uint8_t known[N_PREREQS] = { UNKNOWN };
    uint64_t unmet[FLOW_N_WORDS], any = 0; /* Of the words in the map. */

    WORD_MAP_FOR_EACH (i, &words) {
        unmet[i] = unmet_bits(m, i, known);
        any |= unmet[i];
    }
    if (!any) {
        return false;
    }
    if (before) {
        *before = *m;
    }
    WORD_MAP_FOR_EACH (i, &words) {
        *flow_word_ptr(&m->mask, i) &= ~unmet[i];
    }
    match_normalize(m);
    return true;
}
