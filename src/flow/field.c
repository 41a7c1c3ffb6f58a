#include "flow/field.h"

#include "base/words.h"

#define MASKABLE true
#define EXACT false
#define RW true
#define RO false

const struct field fields[FIELD_N] = {
#define FIELD(ENUM, NAME, ALIAS, MEMBER, BIT, N_BITS, WIRE, MASK, PREREQ, ACCESS, FORMAT) \
    [FIELD_##ENUM] = { FIELD_##ENUM, NAME, ALIAS, offsetof(struct flow, MEMBER) * 8 + (BIT), N_BITS, WIRE, MASK, \
                       ACCESS, PREREQ_##PREREQ, FORMAT_##FORMAT, 0 },
#include "flow/fields.def"
};

/* Fields by name and alias, and the values with all bits set: filled before main(). */
static struct words names = WORDS_INIT;
static uint8_t all_ones[FIELD_N][16]; /* Of fields that are no wider. */

const struct field *
field_by_name_len(const char *name, size_t n)
{
    int id = words_find(&names, name, n);

    return id >= 0 ? &fields[id] : NULL;
}

const struct field *
field_by_name(const char *name)
{
    return field_by_name_len(name, strlen(name));
}

unsigned int
field_width(const struct field *f)
{
    switch (f->id) {
    case FIELD_VLAN_VID: return 12;
    case FIELD_ARP_OP: return 16;
    case FIELD_CT_STATE: case FIELD_PACKET_TYPE: return 32;
    default: return f->n_bits;
    }
}

/* Copies up to 'n' bits inside one byte of each string; returns how many. */
static unsigned int
bits_copy_step(const uint8_t *src, unsigned int src_bit, uint8_t *dst, unsigned int dst_bit, unsigned int n)
{
    unsigned int step = MIN(n, MIN(8 - src_bit, 8 - dst_bit));
    uint8_t ones = (1u << step) - 1;

    *dst = (*dst & ~(ones << dst_bit)) | ((*src >> src_bit & ones) << dst_bit);
    return step;
}

void
bits_copy(const void *src_, size_t src_len, unsigned int src_ofs, void *dst_, size_t dst_len, unsigned int dst_ofs,
          unsigned int n)
{
    const uint8_t *src = (const uint8_t *) src_ + src_len - 1;
    uint8_t *dst = (uint8_t *) dst_ + dst_len - 1;

    while (n) {
        unsigned int step = bits_copy_step(src - src_ofs / 8, src_ofs % 8, dst - dst_ofs / 8, dst_ofs % 8, n);

        src_ofs += step;
        dst_ofs += step;
        n -= step;
    }
}

/* Bits from the end of struct flow to the least significant bit of 'f': bits_copy() counts from there. */
static unsigned int
end_offset(const struct field *f)
{
    return sizeof(struct flow) * 8 - f->offset - f->n_bits;
}

struct field_word field_words[FIELD_N];

static bool
is_in_word(const struct field *f)
{
    return field_words[f->id].bits;
}

static uint64_t
get_in_word(const struct field *f, const struct flow *flow)
{
    const struct field_word *w = &field_words[f->id];

    return (field_word_of(w, flow) & w->bits) >> w->shift;
}

static void
set_in_word(const struct field *f, struct flow *flow, uint64_t v)
{
    const struct field_word *w = &field_words[f->id];

    put_be64((uint8_t *) flow + w->ofs, (field_word_of(w, flow) & ~w->bits) | (v << w->shift & w->bits));
}

/* Byte-aligned fields, which are most, are copied whole. */
static bool
is_whole_bytes(const struct field *f)
{
    return f->offset % 8 == 0 && f->n_bits == f->wire_bytes * 8 && LIKELY(!f->words);
}

/* Copies a tunnel option that is in pieces out of a flow; into it. */
static void
gather(const struct field *f, const struct flow *flow, uint8_t *bytes)
{
    for (uint64_t left = f->words; left; left &= left - 1, bytes += 4) {
        memcpy(bytes, flow->tun_metadata + 4 * __builtin_ctzll(left), 4);
    }
}

static void
scatter(const struct field *f, struct flow *flow, const uint8_t *bytes)
{
    for (uint64_t left = f->words; left; left &= left - 1, bytes += 4) {
        memcpy(flow->tun_metadata + 4 * __builtin_ctzll(left), bytes, 4);
    }
}

/* Copies 'n' of a field's bits, from bit 'ofs' on, to bit 'dst_ofs' of 'dst'; from bit 'src_ofs' of 'src'. */
static void
get_bits(const struct field *f, const struct flow *flow, unsigned int ofs, void *dst, size_t dst_len,
         unsigned int dst_ofs, unsigned int n)
{
    if (UNLIKELY(f->words)) {
        uint8_t bytes[FLOW_TUN_METADATA];

        gather(f, flow, bytes);
        bits_copy(bytes, f->wire_bytes, ofs, dst, dst_len, dst_ofs, n);
    } else {
        bits_copy(flow, sizeof *flow, end_offset(f) + ofs, dst, dst_len, dst_ofs, n);
    }
}

static void
put_bits(const struct field *f, struct flow *flow, unsigned int ofs, const void *src, size_t src_len,
         unsigned int src_ofs, unsigned int n)
{
    if (UNLIKELY(f->words)) {
        uint8_t bytes[FLOW_TUN_METADATA];

        gather(f, flow, bytes);
        bits_copy(src, src_len, src_ofs, bytes, f->wire_bytes, ofs, n);
        scatter(f, flow, bytes);
    } else {
        bits_copy(src, src_len, src_ofs, flow, sizeof *flow, end_offset(f) + ofs, n);
    }
}

/* Two fields are not simply bits of the flow.  NXM's nw_tos is a byte of which only the upper six bits exist. */
static bool
is_tos(const struct field *f)
{
    return f->id == FIELD_NW_TOS;
}

/* What may change of nw_tos when 'f' is written. */
static uint8_t
kept_tos(const struct field *f)
{
    return is_tos(f) ? 0x03 : 0;
}

/* To be called after writing 'f', with nw_tos as it was before.  NXM's in_port is the lower half of a 32-bit port
 * number whose upper half follows from it (flow/port.h). */
static void
finish_write(const struct field *f, struct flow *flow, uint8_t old_tos)
{
    if (is_tos(f)) {
        flow->nw_tos = (flow->nw_tos & ~kept_tos(f)) | (old_tos & kept_tos(f));
    }
    if (f->id == FIELD_IN_PORT) {
        unsigned int low = be32_to_cpu(flow->in_port) & 0xffff;

        flow->in_port = cpu_to_be32(low >= 0xff00 ? 0xffff0000 | low : low);
    }
}

void
field_get(const struct field *f, const struct flow *flow, union field_value *v)
{
    if (LIKELY(is_in_word(f))) {
        field_value_from_u64(f, get_in_word(f, flow), v);
        return;
    }
    if (is_whole_bytes(f)) {
        field_copy_bytes(v->bytes, (const uint8_t *) flow + f->offset / 8, f->wire_bytes);
    } else {
        memset(v->bytes, 0, f->wire_bytes);
        get_bits(f, flow, 0, v->bytes, f->wire_bytes, 0, MIN(f->n_bits, f->wire_bytes * 8));
    }
    if (is_tos(f)) {
        v->bytes[0] &= 0xfc;
    }
}

void
field_set(const struct field *f, struct flow *flow, const union field_value *v)
{
    uint8_t old_tos = flow->nw_tos;

    if (LIKELY(is_in_word(f))) {
        set_in_word(f, flow, field_value_to_u64(f, v));
    } else if (is_whole_bytes(f)) {
        field_copy_bytes((uint8_t *) flow + f->offset / 8, v->bytes, f->wire_bytes);
    } else {
        put_bits(f, flow, 0, v->bytes, f->wire_bytes, 0, MIN(f->n_bits, f->wire_bytes * 8));
    }
    finish_write(f, flow, old_tos);
}

void
field_set_match(const struct field *f, struct flow *flow, struct flow *mask, const union field_value *v,
                const union field_value *m)
{
    union field_value masked;

    if (LIKELY(is_in_word(f)) && f->id != FIELD_IN_PORT) {
        uint64_t bits = field_value_to_u64(f, m);

        set_in_word(f, flow, field_value_to_u64(f, v) & bits);
        set_in_word(f, mask, bits);
        return;
    }
    for (int i = 0; i < f->wire_bytes; i++) {
        masked.bytes[i] = v->bytes[i] & m->bytes[i];
    }
    field_set(f, flow, &masked);
    field_set(f, mask, m);
}

void
field_set_masked(const struct field *f, struct flow *flow, const union field_value *v, const union field_value *mask)
{
    union field_value now;

    if (LIKELY(is_in_word(f))) {
        uint64_t bits = field_value_to_u64(f, mask);

        set_in_word(f, flow, (get_in_word(f, flow) & ~bits) | (field_value_to_u64(f, v) & bits));
        finish_write(f, flow, flow->nw_tos);
        return;
    }
    field_get(f, flow, &now);
    for (int i = 0; i < f->wire_bytes; i++) {
        now.bytes[i] = (now.bytes[i] & ~mask->bytes[i]) | (v->bytes[i] & mask->bytes[i]);
    }
    field_set(f, flow, &now);
}

void
field_add_bits(const struct field *f, struct flow *mask, const union field_value *bits)
{
    field_set_masked(f, mask, bits, bits);
}

uint64_t
field_value_to_u64(const struct field *f, const union field_value *v)
{
    const uint8_t *p = v->bytes;
    uint64_t x = 0;

    switch (f->wire_bytes) {
    case 1: return p[0];
    case 2: return get_be16(p);
    case 4: return get_be32(p);
    case 6: return (uint64_t) get_be16(p) << 32 | get_be32(p + 2);
    case 8: return get_be64(p);
    }
    for (int i = 0; i < f->wire_bytes; i++) {
        x = x << 8 | p[i];
    }
    return x;
}

void
field_value_from_u64(const struct field *f, uint64_t x, union field_value *v)
{
    uint8_t *p = v->bytes;

    switch (f->wire_bytes) {
    case 1: p[0] = x; return;
    case 2: put_be16(p, x); return;
    case 4: put_be32(p, x); return;
    case 6:
        put_be16(p, x >> 32);
        put_be32(p + 2, x);
        return;
    case 8: put_be64(p, x); return;
    }
    for (int i = f->wire_bytes - 1; i >= 0; i--) {
        p[i] = x;
        x >>= 8;
    }
}

void
field_value_all_ones(const struct field *f, union field_value *v)
{
    if (f->wire_bytes <= sizeof all_ones[0]) {
        memcpy(v->bytes, all_ones[f->id], sizeof all_ones[0]);
    } else {
        memset(v->bytes, 0xff, f->wire_bytes);
    }
}

/* Before other constructors, which may look for fields. */
__attribute__((constructor(101))) static void
index_fields(void)
{
    struct flow ones;

    memset(&ones, 0xff, sizeof ones);
    for (const struct field *f = fields; f < fields + FIELD_N; f++) {
        words_add(&names, f->name, f->id);
        if (*f->alias) {
            words_add(&names, f->alias, f->id);
        }
        if (f->wire_bytes <= sizeof all_ones[0]) {
            union field_value v = { { 0 } };

            field_get(f, &ones, &v);
            memcpy(all_ones[f->id], v.bytes, sizeof all_ones[0]);
        }
    }
}

/* Fields whose storage is wider than their wire form (in_port as 16 bits) need the whole of it here. */
uint64_t
field_get_u64(const struct field *f, const struct flow *flow)
{
    uint8_t x[8] = { 0 };

    if (LIKELY(is_in_word(f))) {
        return get_in_word(f, flow);
    }
    get_bits(f, flow, 0, x, sizeof x, 0, f->n_bits);
    return is_tos(f) ? get_be64(x) & 0xfc : get_be64(x);
}

void
field_set_u64(const struct field *f, struct flow *flow, uint64_t v)
{
    uint8_t x[8], old_tos = flow->nw_tos;

    if (LIKELY(is_in_word(f))) {
        set_in_word(f, flow, v);
    } else {
        put_be64(x, v);
        put_bits(f, flow, 0, x, sizeof x, 0, f->n_bits);
    }
    finish_write(f, flow, old_tos);
}

/* After index_fields(), before the other constructors. */
__attribute__((constructor(102))) static void
index_words(void)
{
    for (const struct field *f = fields; f < fields + FIELD_N; f++) {
        unsigned int first = f->offset % 64;

        if (!field_is_option(f) && f->id != FIELD_PACKET_TYPE && first + f->n_bits <= 64) {
            unsigned int shift = 64 - first - f->n_bits;
            uint64_t bits = (UINT64_MAX >> (64 - f->n_bits) & ~(uint64_t) kept_tos(f)) << shift;

            field_words[f->id] = (struct field_word) { bits, f->offset / 64 * 8, shift };
        }
    }
}

static void
set_bits(const struct field *f, struct flow *flow, unsigned int ofs, unsigned int n, uint8_t byte)
{
    uint8_t fill[128];
    size_t size = 16;

    if (UNLIKELY(n > 8 * size)) {
        size = sizeof fill;
        memset(fill, byte, sizeof fill);
    }
    memset(fill, byte, 16);
    put_bits(f, flow, ofs, fill, size, 0, n);
}

void
field_set_ones(const struct field *f, struct flow *mask)
{
    uint8_t old_tos = mask->nw_tos;

    if (LIKELY(is_in_word(f))) {
        set_in_word(f, mask, UINT64_MAX);
    } else {
        set_bits(f, mask, 0, f->n_bits, 0xff);
    }
    finish_write(f, mask, old_tos);
}

void
field_set_zeros(const struct field *f, struct flow *mask)
{
    uint8_t old_tos = mask->nw_tos;

    if (LIKELY(is_in_word(f))) {
        set_in_word(f, mask, 0);
    } else {
        set_bits(f, mask, 0, f->n_bits, 0);
    }
    finish_write(f, mask, old_tos);
}

static void
get_all_bits(const struct field *f, const struct flow *flow, uint8_t bits[16])
{
    memset(bits, 0, 16);
    get_bits(f, flow, 0, bits, 16, 0, f->n_bits);
    bits[15] &= ~kept_tos(f);
}

bool
field_is_any_wide(const struct field *f, const struct flow *mask)
{
    uint8_t bits[16];

    if (is_whole_bytes(f)) {
        return !is_all_zeros((const uint8_t *) mask + f->offset / 8, f->wire_bytes);
    }
    if (UNLIKELY(f->words)) {
        union field_value v;

        field_get(f, mask, &v);
        return !is_all_zeros(v.bytes, f->wire_bytes);
    }
    get_all_bits(f, mask, bits);
    return !is_all_zeros(bits, sizeof bits);
}

bool
field_is_exact_wide(const struct field *f, const struct flow *mask)
{
    uint8_t bits[16], ones[16] = { 0 }, ff[16];

    if (is_whole_bytes(f) && !is_tos(f)) {
        return is_all_ones((const uint8_t *) mask + f->offset / 8, f->wire_bytes);
    }
    if (UNLIKELY(f->words)) {
        union field_value v;

        field_get(f, mask, &v);
        return is_all_ones(v.bytes, f->wire_bytes);
    }
    get_all_bits(f, mask, bits);
    memset(ff, 0xff, sizeof ff);
    bits_copy(ff, sizeof ff, 0, ones, sizeof ones, 0, f->n_bits);
    ones[15] &= ~kept_tos(f);
    return !memcmp(bits, ones, sizeof bits);
}

bool
field_value_fits(const struct field *f, const union field_value *v)
{
    union field_value ones;

    if (f->n_bits >= f->wire_bytes * 8 && !is_tos(f)) {
        return true;
    }
    if (LIKELY(is_in_word(f))) {
        return !(field_value_to_u64(f, v) & ~(field_words[f->id].bits >> field_words[f->id].shift));
    }
    field_value_all_ones(f, &ones);
    for (int i = 0; i < f->wire_bytes; i++) {
        if (v->bytes[i] & ~ones.bytes[i]) {
            return false;
        }
    }
    return true;
}

/* Prerequisites. */

static bool
is_nd(const struct flow *f, unsigned int first, unsigned int second)
{
    unsigned int type = be16_to_cpu(f->tp_src);

    return f->eth_type == BE16(0x86dd) && f->nw_proto == 58 && (type == first || type == second) && !f->tp_dst;
}

static bool
is_l4(const struct flow *f, uint8_t proto)
{
    return flow_is_ip(f) && f->nw_proto == proto && !(f->nw_frag & FLOW_FRAG_LATER);
}

/* A connection is known when any of its bits is set, or the packet was tracked and found valid. */
static bool
ct_is_known(const struct flow *flow)
{
    return flow->ct_state & (CT_NEW | CT_EST | CT_REL | CT_RPL | CT_SNAT | CT_DNAT);
}

bool
field_prereqs_met(const struct field *f, const struct flow *flow)
{
    switch (f->prereq) {
    case PREREQ_NONE: return true;
    case PREREQ_ETHERNET: return !flow->packet_ns || f->id == FIELD_ETH_TYPE;
    case PREREQ_VLAN_VID: return flow_has_vlan(flow);
    case PREREQ_MPLS: return flow->eth_type == BE16(0x8847) || flow->eth_type == BE16(0x8848);
    case PREREQ_IPV4: return flow->eth_type == BE16(0x0800);
    case PREREQ_IPV6: return flow->eth_type == BE16(0x86dd);
    case PREREQ_IP: return flow_is_ip(flow);
    case PREREQ_ARP: return flow->eth_type == BE16(0x0806) || flow->eth_type == BE16(0x8035);
    case PREREQ_TCP: return is_l4(flow, 6);
    case PREREQ_UDP: return is_l4(flow, 17);
    case PREREQ_SCTP: return is_l4(flow, 132);
    case PREREQ_ICMPV4: return is_l4(flow, 1) && flow->eth_type == BE16(0x0800);
    case PREREQ_ICMPV6: return is_l4(flow, 58) && flow->eth_type == BE16(0x86dd);
    case PREREQ_ND: return is_nd(flow, 135, 136);
    case PREREQ_ND_SOLICIT: return is_nd(flow, 135, 135);
    case PREREQ_ND_ADVERT: return is_nd(flow, 136, 136);
    case PREREQ_NSH: return flow->eth_type == BE16(0x894f);
    case PREREQ_CT: return ct_is_known(flow) || (flow->ct_state & (CT_TRK | CT_INV)) == CT_TRK;
    case PREREQ_CT_IPV4: return flow->eth_type == BE16(0x0800) && (ct_is_known(flow) || flow->ct_state & CT_TRK);
    case PREREQ_CT_IPV6: return flow->eth_type == BE16(0x86dd) && (ct_is_known(flow) || flow->ct_state & CT_TRK);
    }
    return false;
}

void
field_add_prereqs(const struct field *f, const struct flow *flow UNUSED, struct flow *mask)
{
    enum field_prereq p = f->prereq;

    if (p == PREREQ_NONE || p == PREREQ_ETHERNET) {
        return;
    }
    if (p == PREREQ_VLAN_VID) {
        mask->vlan_tci |= BE16(VLAN_PRESENT);
        return;
    }
    if (p != PREREQ_CT) {
        mask->eth_type = BE16_MAX;
    }
    if (p >= PREREQ_TCP && p <= PREREQ_ND_ADVERT) {
        mask->nw_proto = UINT8_MAX;
        mask->nw_frag |= FLOW_FRAG_LATER;
    }
    if (p >= PREREQ_ND && p <= PREREQ_ND_ADVERT) {
        mask->tp_src |= BE16(0xff); /* ICMP's type and code have eight bits. */
        mask->tp_dst |= BE16(0xff);
    }
    if (p >= PREREQ_CT) {
        mask->ct_state = UINT8_MAX;
    }
}

/* What prerequisites look at, each by itself: they follow at once on the writing of the members, and a wider read than
 * the write would have to wait for it. */
#define FOR_EACH_PREREQ_MEMBER(DO) \
    DO(vlan_tci) DO(eth_type) DO(nw_frag) DO(nw_proto) DO(tp_src) DO(tp_dst) DO(packet_ns) DO(ct_state)

static void
mask_members(struct flow *dst, const struct flow *flow, const struct flow *mask)
{
#define MASK_MEMBER(NAME) dst->NAME = flow->NAME & mask->NAME;
    FOR_EACH_PREREQ_MEMBER(MASK_MEMBER)
#undef MASK_MEMBER
}

static bool
members_are_subset(const struct flow *inner, const struct flow *outer)
{
    unsigned int outside = 0;

#define OUTSIDE(NAME) outside |= (FORCE unsigned int) (inner->NAME & ~outer->NAME);
    FOR_EACH_PREREQ_MEMBER(OUTSIDE)
#undef OUTSIDE
    return !outside;
}

bool
field_prereqs_met_by_match(const struct field *f, const struct flow *flow, const struct flow *mask)
{
    struct flow fixed, need;

    if (f->prereq == PREREQ_NONE) {
        return true;
    }
    mask_members(&fixed, flow, mask);
    if (f->prereq >= PREREQ_CT) {
        /* Fixing +trk alone is not enough: "-inv" must be fixed as well (reference table of ovs-fields(7)). */
        bool valid = ct_is_known(&fixed) || ((fixed.ct_state & CT_TRK) && (mask->ct_state & CT_INV) &&
                                             !(fixed.ct_state & CT_INV));

        return valid && field_prereqs_met(f, &fixed);
    }
    if (!field_prereqs_met(f, &fixed)) {
        return false;
    }
    if (f->prereq == PREREQ_ETHERNET) {
        return true;
    }
    memset(&need.lines[0], 0, sizeof need.lines[0]);
    field_add_prereqs(f, flow, &need);
    need.tp_src &= BE16(0xff); /* ICMP's type has 8 bits. */
    need.tp_dst = 0;           /* The code of neighbour discovery is always 0. */
    need.nw_frag = 0; /* The protocol alone is the prerequisite; fragments simply do not match. */
    return members_are_subset(&need, mask);
}

/* Subfields. */

/* Bits of the range that are kept in the flow. */
static unsigned int
subfield_bits(const struct subfield *sf)
{
    return sf->ofs >= sf->field->n_bits ? 0 : MIN(sf->n_bits, sf->field->n_bits - sf->ofs);
}

/* The same in the word of a field that is in one; '*shift': of its least significant one. */
static uint64_t
subfield_in_word(const struct subfield *sf, unsigned int *shift)
{
    const struct field_word *w = &field_words[sf->field->id];
    unsigned int n = subfield_bits(sf);

    *shift = n ? w->shift + sf->ofs : 0;
    return n ? w->bits & UINT64_MAX >> (64 - n) << *shift : 0;
}

static void
subfield_set_in_word(const struct subfield *sf, struct flow *flow, uint64_t v)
{
    const struct field_word *w = &field_words[sf->field->id];
    unsigned int shift;
    uint64_t bits = subfield_in_word(sf, &shift);

    put_be64((uint8_t *) flow + w->ofs, (field_word_of(w, flow) & ~bits) | (v << shift & bits));
    finish_write(sf->field, flow, flow->nw_tos);
}

static uint64_t
subfield_get_in_word(const struct subfield *sf, const struct flow *flow)
{
    unsigned int shift;
    uint64_t bits = subfield_in_word(sf, &shift);

    return (field_word_of(&field_words[sf->field->id], flow) & bits) >> shift;
}

void
subfield_get(const struct subfield *sf, const struct flow *flow, union field_value *v)
{
    size_t n = subfield_value_size(sf);
    struct flow whole;

    memset(v->bytes + sizeof v->bytes - 16, 0, 16);
    if (LIKELY(is_in_word(sf->field) && n == 16)) {
        put_be64(v->bytes + sizeof v->bytes - 8, subfield_get_in_word(sf, flow));
        return;
    }
    if (UNLIKELY(n > 16)) {
        memset(v->bytes + sizeof v->bytes - n, 0, n);
    }
    if (UNLIKELY(sf->field->id == FIELD_PACKET_TYPE)) {
        put_be64(v->bytes + sizeof v->bytes - 8, flow_packet_type(flow) >> sf->ofs & UINT64_MAX >> (64 - sf->n_bits));
        return;
    }
    if (is_tos(sf->field)) {
        memset(&whole, 0, sizeof whole);
        whole.nw_tos = flow->nw_tos & 0xfc;
        flow = &whole;
    }
    get_bits(sf->field, flow, sf->ofs, v, sizeof *v, 0, subfield_bits(sf));
}

void
subfield_set(const struct subfield *sf, struct flow *flow, const union field_value *v)
{
    uint8_t old_tos = flow->nw_tos;

    if (LIKELY(is_in_word(sf->field))) {
        subfield_set_in_word(sf, flow, get_be64(v->bytes + sizeof v->bytes - 8));
        return;
    }
    put_bits(sf->field, flow, sf->ofs, v, sizeof *v, 0, subfield_bits(sf));
    finish_write(sf->field, flow, old_tos);
}

uint64_t
subfield_get_u64(const struct subfield *sf, const struct flow *flow)
{
    union field_value v;

    if (LIKELY(is_in_word(sf->field))) {
        return subfield_get_in_word(sf, flow);
    }
    subfield_get(sf, flow, &v);
    return get_be64(v.bytes + sizeof v.bytes - 8);
}

void
subfield_set_u64(const struct subfield *sf, struct flow *flow, uint64_t v)
{
    union field_value x;

    memset(x.bytes + sizeof x.bytes - subfield_value_size(sf), 0, subfield_value_size(sf) - 8);
    put_be64(x.bytes + sizeof x.bytes - 8, v);
    subfield_set(sf, flow, &x);
}

void
subfield_set_ones(const struct subfield *sf, struct flow *mask)
{
    uint8_t old_tos = mask->nw_tos;

    if (LIKELY(is_in_word(sf->field))) {
        subfield_set_in_word(sf, mask, UINT64_MAX);
        return;
    }
    if (UNLIKELY(sf->field->id == FIELD_PACKET_TYPE)) {
        mask->packet_ns = UINT8_MAX;
        mask->eth_type = BE16_MAX;
        return;
    }
    set_bits(sf->field, mask, sf->ofs, subfield_bits(sf), 0xff);
    finish_write(sf->field, mask, old_tos);
}
