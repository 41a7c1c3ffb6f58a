/* Whole matches: decoding with its rules, encoding in the customary order. */

#include "flow/match_text.h"
#include "flow/tun_metadata.h"
#include "openflow/oxm/registry.h"

enum { COOKIE_CLASS = 0x0001, COOKIE_NUMBER = 30, MATCH_OXM = 1 };

/* Values that fit the field but mean nothing. */
static bool
value_is_valid(const struct field *f, const union field_value *v)
{
    switch (f->format) {
    case FORMAT_PACKET_TYPE: return true; /* match_set_field() knows. */
    case FORMAT_PORT: return ofp_port_is_valid(OFP_PORT(field_value_to_u64(f, v)));
    default: break;
    }
    if (!field_value_fits(f, v)) {
        return false;
    }
    if (f->prereq == PREREQ_NSH) {
        bool md_type = f->offset == offsetof(struct flow, nsh_mdtype) * 8;
        bool ttl = f->offset == offsetof(struct flow, nsh_ttl) * 8;

        /* RFC 8300 §2.2: two kinds of metadata; the time to live has six bits. */
        return (!md_type || v->bytes[0] == 1 || v->bytes[0] == 2) && (!ttl || v->bytes[0] < 64);
    }
    return true;
}

/* Of a packet type, the namespace says whether there is one. */
static bool
is_matched(const struct field *f, const struct match *m)
{
    return UNLIKELY(field_is_option(f)) ? tun_match_has(m, f) : field_is_any(f, &m->mask);
}

/* A packet type beyond Ethernet's holds the type (flow/flow.h), but there is no eth_type to match then. */
static bool
is_type_of_packet_type(const struct field *f, const struct match *m)
{
    return f->id == FIELD_ETH_TYPE && m->flow.packet_ns;
}

static bool
prereqs_met(const struct field *f, const struct match *m)
{
    return !is_type_of_packet_type(f, m) && field_prereqs_met_by_match(f, &m->flow, &m->mask);
}

static enum ofperr
add_entry(struct match *m, const struct field *f, union field_value *v, const union field_value *mask,
          enum oxm_strictness strictness)
{
    if (!value_is_valid(f, v)) {
        return OFPERR_OFPBMC_BAD_VALUE;
    }
    if (strictness == OXM_STRICT && !prereqs_met(f, m)) {
        return OFPERR_OFPBMC_BAD_PREREQ;
    }
    if (is_matched(f, m) && !is_type_of_packet_type(f, m)) {
        return OFPERR_OFPBMC_DUP_FIELD;
    }
    if (match_set_field(m, f, v, mask)) {
        return OFPERR_NONE;
    }
    return field_is_option(f) ? OFPERR_OFPBMC_BAD_LEN : OFPERR_OFPBMC_BAD_VALUE;
}

/* A cookie looks like mpls_ttl but for its length. */
static bool
is_cookie(const struct oxm_header *h)
{
    return h->class == COOKIE_CLASS && h->number == COOKIE_NUMBER && h->length == 8u << h->has_mask;
}

static enum ofperr
take_cookie(struct cursor *c, const struct oxm_header *h, struct oxm_cookie *cookie)
{
    uint64_t value, mask = UINT64_MAX;

    if (!cursor_take_be64(c, &value) || (h->has_mask && !cursor_take_be64(c, &mask))) {
        return OFPERR_OFPBMC_BAD_LEN;
    }
    if (cookie->mask) {
        return OFPERR_OFPBMC_DUP_FIELD;
    }
    cookie->value = value;
    cookie->mask = mask;
    if (value & ~mask) {
        oxm_warn_wildcards(h);
        return OFPERR_OFPBMC_BAD_WILDCARDS;
    }
    return OFPERR_NONE;
}

static enum ofperr
skip_body(struct cursor *c, const struct oxm_header *h)
{
    return cursor_take(c, h->length - (h->class == OXM_EXPERIMENTER ? 4 : 0)) ? OFPERR_NONE : OFPERR_OFPBMC_BAD_LEN;
}

/* Looks at value and mask before it is known which field that is. */
static enum ofperr
check_body(const struct cursor *c, const struct oxm_header *h)
{
    size_t len = h->length - (h->class == OXM_EXPERIMENTER ? 4 : 0), n = len / 2;

    if (c->left < len) {
        return OFPERR_OFPBMC_BAD_LEN; /* Whatever field it is. */
    }
    for (size_t i = 0; h->has_mask && i < n; i++) {
        if (c->at[i] & ~c->at[n + i]) {
            oxm_warn_wildcards(h);
            return OFPERR_OFPBMC_BAD_WILDCARDS;
        }
    }
    return OFPERR_NONE;
}

/* What it means that an entry has another length than its field: a field of that length is not there.  A value and a
 * mask of unequal length are none of any field. */
static enum ofperr
wrong_length(const struct oxm_header *h)
{
    const struct oxm_row *row = oxm_row_by_number(h->class, h->number, h->experimenter);
    size_t len = h->length - (h->class == OXM_EXPERIMENTER ? 4 : 0);
    const struct field *f = row ? field_of(row->field) : NULL;
    bool same = f && (field_is_option(f) || len >> h->has_mask == f->wire_bytes);

    return same ? OFPERR_OFPBMC_BAD_LEN : OFPERR_OFPBMC_BAD_FIELD;
}

static enum ofperr
decode_entry(struct cursor *c, enum oxm_strictness strictness, struct match *m, struct oxm_cookie *cookie)
{
    union field_value v, mask;
    struct oxm_header h;
    const struct field *f;
    struct cursor body;
    enum ofperr error;

    if (!oxm_take_header(c, &h)) {
        return OFPERR_OFPBMC_BAD_LEN;
    }
    if (is_cookie(&h)) {
        return cookie ? take_cookie(c, &h, cookie)
               : strictness == OXM_STRICT ? OFPERR_OFPBMC_BAD_FIELD : skip_body(c, &h);
    }
    if (strictness == OXM_LOOSE && !oxm_row_by_number(h.class, h.number, h.experimenter)) {
        return skip_body(c, &h);
    }
    error = check_body(c, &h);
    if (error) {
        return error;
    }
    body = *c;
    error = oxm_take_body(c, &h, &f, &v, &mask);
    if (error == OFPERR_OFPBMC_BAD_LEN && strictness == OXM_LOOSE) {
        *c = body; /* Of another length than ours, it is another field. */
        return skip_body(c, &h);
    }
    error = error == OFPERR_OFPBMC_BAD_LEN ? wrong_length(&h) : error;
    if (!error && h.has_mask && !f->maskable && !is_all_zeros(mask.bytes, f->wire_bytes) &&
        !is_all_ones(mask.bytes, f->wire_bytes)) {
        return OFPERR_OFPBMC_BAD_MASK;
    }
    return error ? error : add_entry(m, f, &v, &mask, strictness);
}

enum ofperr
oxm_decode_match(const void *p, size_t n, enum oxm_strictness strictness, struct match *m, struct oxm_cookie *cookie)
{
    struct cursor c = cursor_make(p, n);

    match_init_catchall(m);
    if (cookie) {
        cookie->value = cookie->mask = 0;
    }
    while (c.left) {
        enum ofperr error = decode_entry(&c, strictness, m, cookie);

        if (error) {
            return error;
        }
    }
    return OFPERR_NONE;
}

enum ofperr
oxm_take_match_struct(struct cursor *c, enum oxm_strictness strictness, struct match *m)
{
    uint16_t type, length;
    const void *entries;
    const void *pad;

    if (!cursor_take_be16(c, &type) || !cursor_take_be16(c, &length)) {
        return OFPERR_OFPBMC_BAD_LEN;
    }
    if (type != MATCH_OXM) {
        return OFPERR_OFPBMC_BAD_TYPE;
    }
    entries = length < 4 ? NULL : cursor_take(c, length - 4);
    pad = entries ? cursor_take(c, ROUND_UP(length, 8) - length) : NULL;
    return pad ? oxm_decode_match(entries, length - 4, strictness, m, NULL) : OFPERR_OFPBMC_BAD_LEN;
}

/* Encoding. */

struct encoder {
    struct bytes *b;
    const struct match *m;
    struct field_map fields; /* That the mask may have. */
    enum of_version version;
    bool in_struct;
    bool implies_ethernet; /* An entry was put that no packet without an Ethernet header can satisfy. */
};

static NOINLINE void
put_matched(struct encoder *e, enum field_id id)
{
    union field_value v, mask;
    const struct field *f = field_of(id);

    match_get_field(e->m, f, &v, &mask);
    if (!is_all_zeros(&mask, 16)) { /* No field but an option is longer. */
        oxm_put_entry(e->b, f, e->version, &v, &mask);
        e->implies_ethernet |= f->prereq != PREREQ_NONE;
    }
}

static inline void
put(struct encoder *e, enum field_id id)
{
    if (field_map_has(&e->fields, id) && field_is_any(field_of(id), &e->m->mask)) {
        put_matched(e, id);
    }
}

static void
put_range(struct encoder *e, enum field_id first, enum field_id last)
{
    for (enum field_id id = first; id <= last; id++) {
        put(e, id);
    }
}

/* OXM's numbers, not NXM's.  1.1 has them in its own match structure, not in extension messages. */
static bool
is_oxm(const struct encoder *e)
{
    return e->version >= OF12 || (e->version == OF11 && e->in_struct);
}

static uint16_t
eth_type(const struct encoder *e)
{
    return e->m->mask.eth_type == BE16_MAX ? be16_to_cpu(e->m->flow.eth_type) : 0;
}

/* "No tag" is one entry; a priority without the rest of the tag cannot be said in OXM. */
static void
put_vlan(struct encoder *e)
{
    unsigned int tci = be16_to_cpu(e->m->flow.vlan_tci), mask = be16_to_cpu(e->m->mask.vlan_tci);

    if (!is_oxm(e)) {
        put(e, FIELD_VLAN_TCI);
    } else if (mask & (VLAN_VID_MASK | VLAN_PRESENT)) {
        put(e, FIELD_VLAN_VID);
        if (mask & VLAN_PCP_MASK && tci & (VLAN_VID_MASK | VLAN_PRESENT)) { /* As the original does. */
            union field_value pcp = { { tci >> VLAN_PCP_SHIFT } };

            oxm_put_entry(e->b, field_of(FIELD_VLAN_PCP), e->version, &pcp, NULL); /* It takes no mask. */
        }
    }
}

static void
put_mpls(struct encoder *e)
{
    put(e, FIELD_MPLS_TC);
    put(e, FIELD_MPLS_BOS);
    put(e, FIELD_MPLS_TTL);
    put(e, FIELD_MPLS_LABEL);
}

static void
put_transport(struct encoder *e)
{
    bool ip6 = eth_type(e) == 0x86dd;

    if (e->m->mask.nw_proto != UINT8_MAX) {
        return;
    }
    switch (e->m->flow.nw_proto) {
    case 6:
        put_range(e, FIELD_TCP_SRC, FIELD_TCP_FLAGS);
        break;
    case 17:
        put_range(e, FIELD_UDP_SRC, FIELD_UDP_DST);
        break;
    case 132:
        put_range(e, FIELD_SCTP_SRC, FIELD_SCTP_DST);
        break;
    case 1:
        if (!ip6) {
            put_range(e, FIELD_ICMP_TYPE, FIELD_ICMP_CODE);
        }
        break;
    case 58:
        if (ip6) {
            put_range(e, FIELD_ICMPV6_TYPE, FIELD_ICMPV6_CODE);
            put(e, FIELD_ND_RESERVED);
            put(e, FIELD_ND_TARGET);
            put(e, FIELD_ND_OPTIONS_TYPE);
            put(e, FIELD_ND_SLL);
            put(e, FIELD_ND_TLL);
        }
        break;
    }
}

static void
put_ip(struct encoder *e)
{
    bool ip6 = eth_type(e) == 0x86dd;

    put(e, ip6 ? FIELD_IPV6_SRC : FIELD_IP_SRC);
    put(e, ip6 ? FIELD_IPV6_DST : FIELD_IP_DST);
    put(e, FIELD_IP_FRAG);
    put(e, is_oxm(e) ? FIELD_IP_DSCP : FIELD_NW_TOS);
    put(e, FIELD_NW_ECN);
    put(e, FIELD_NW_TTL);
    if (ip6) {
        put(e, FIELD_IPV6_LABEL);
    }
    put(e, FIELD_NW_PROTO);
    put_transport(e);
}

static void
put_network(struct encoder *e)
{
    switch (eth_type(e)) {
    case 0x0800:
    case 0x86dd:
        put_ip(e);
        break;
    case 0x0806:
    case 0x8035:
        put_range(e, FIELD_ARP_OP, FIELD_ARP_THA);
        break;
    }
}

static void
put_tunnel(struct encoder *e)
{
    put(e, FIELD_TUN_ID);
    put(e, FIELD_TUN_FLAGS);
    put_range(e, FIELD_TUN_SRC, FIELD_TUN_IPV6_DST);
    put_range(e, FIELD_TUN_GBP_ID, FIELD_TUN_GBP_FLAGS);
    for (enum field_id id = FIELD_TUN_METADATA0; tun_match_has_any(e->m) && id <= FIELD_TUN_METADATA63; id++) {
        oxm_put_option(e->b, e->m, field_of(id), e->version);
    }
    put_range(e, FIELD_TUN_ERSPAN_IDX, FIELD_TUN_GTPU_MSGTYPE);
}

static void
put_nsh(struct encoder *e)
{
    put_range(e, FIELD_NSH_FLAGS, FIELD_NSH_C4);
}

static void
put_registers(struct encoder *e)
{
    if (e->version < OF15) {
        put_range(e, FIELD_REG0, FIELD_REG0 + FLOW_N_REGS - 1);
    } else {
        put_range(e, FIELD_XREG0, FIELD_XREG0 + FLOW_N_REGS / 2 - 1);
    }
}

static void
put_ct(struct encoder *e)
{
    put_range(e, FIELD_CT_STATE, FIELD_CT_LABEL);
    put(e, FIELD_CT_NW_SRC);
    put(e, FIELD_CT_IPV6_SRC);
    put(e, FIELD_CT_NW_DST);
    put(e, FIELD_CT_IPV6_DST);
    if (e->m->mask.ct_nw_proto && e->m->flow.ct_nw_proto) {
        put(e, FIELD_CT_NW_PROTO);
        put(e, FIELD_CT_TP_SRC);
        put(e, FIELD_CT_TP_DST);
    }
}

/* Ethernet is worth an entry only where no other entry implies it: that is known at the end, and the entry stands
 * first. */
static void
insert_packet_type(struct encoder *e, size_t start)
{
    size_t n = e->b->len - start;
    uint8_t entry[8];

    put(e, FIELD_PACKET_TYPE);
    if (e->b->len - start - n == sizeof entry) {
        uint8_t *first = bytes_at(e->b, start);

        memcpy(entry, first + n, sizeof entry);
        memmove(first + sizeof entry, first, n);
        memcpy(first, entry, sizeof entry);
    }
}

static void
put_eth_type(struct encoder *e)
{
    if (!e->m->flow.packet_ns) {
        put(e, FIELD_ETH_TYPE);
    }
}

static void
put_cookie(struct encoder *e, const struct oxm_cookie *cookie)
{
    static const struct oxm_row row = { .class = COOKIE_CLASS, .number = COOKIE_NUMBER };

    if (cookie->mask) {
        bool has_mask = cookie->mask != UINT64_MAX;

        oxm_put_header(e->b, &row, 8, has_mask);
        bytes_put_be64(e->b, cookie->value & cookie->mask);
        if (has_mask) {
            bytes_put_be64(e->b, cookie->mask);
        }
    }
}

static void
encode(const struct match *m, enum of_version version, bool in_struct, const struct oxm_cookie *cookie,
       struct bytes *b)
{
    struct word_map words = word_map_of(&m->mask);
    struct encoder e = { b, m, field_map_of(&words), version, in_struct, false };
    uint16_t lines = word_map_lines(&words);
    size_t start = b->len;

    if (m->flow.packet_ns) {
        put(&e, FIELD_PACKET_TYPE);
    }
    put(&e, FIELD_DP_HASH);
    put(&e, FIELD_RECIRC_ID);
    put(&e, FIELD_CONJ_ID);
    put(&e, is_oxm(&e) ? FIELD_IN_PORT_OXM : FIELD_IN_PORT);
    put(&e, FIELD_ACTSET_OUTPUT);
    put(&e, FIELD_ETH_SRC);
    put(&e, FIELD_ETH_DST);
    put_eth_type(&e);
    put_vlan(&e);
    if (lines & FLOW_LINE_MISC && flow_is_mpls(&m->flow)) {
        put_mpls(&e);
    }
    put_network(&e);
    if (lines & (FLOW_LINE_TUNNEL | FLOW_LINE_TUNNEL_MISC)) {
        put_tunnel(&e);
    }
    if (lines & FLOW_LINE_MISC) {
        put_nsh(&e);
    }
    if (lines & FLOW_LINE_REGS) {
        put_registers(&e);
    }
    put(&e, FIELD_PKT_MARK);
    put_ct(&e);
    put(&e, FIELD_METADATA);
    if (!m->flow.packet_ns && !e.implies_ethernet) {
        insert_packet_type(&e, start);
    }
    if (cookie) {
        put_cookie(&e, cookie);
    }
}

void
oxm_encode_match(const struct match *m, enum of_version version, const struct oxm_cookie *cookie, struct bytes *b)
{
    encode(m, version, false, cookie, b);
}

void
oxm_put_match_struct(struct bytes *b, const struct match *m, enum of_version version)
{
    size_t start = b->len;

    bytes_put_be16(b, MATCH_OXM);
    bytes_put_be16(b, 0);
    encode(m, version, true, NULL, b);
    put_be16(bytes_at(b, start + 2), b->len - start);
    bytes_pad_from(b, start, 8);
}
