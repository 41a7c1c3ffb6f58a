/* Match fields as data: lookup, and reading and writing any field of a flow by one generic piece of code.
 *
 * What it is
 * ----------
 * The rows of flow/fields.def as a table.  A field is a string of bits inside struct flow (big-endian, at a bit
 * offset), so getting, setting, masking and copying need no code per field.  A value outside a flow is a 'union
 * field_value': the bytes as they stand in an NXM or OXM entry, right-aligned in 'wire_bytes' bytes.
 *
 * A 'struct subfield' is a range of bits of a field, as in NXM_NX_REG0[4..7]: the operand of load, move, push, learn...
 *
 * The options of a tunnel's header, tun_metadata0 to 63, are as wide as a bridge's map of options says.  Their rows are
 * those of fields that no map binds: text and wire take the width from what is written; a flow holds no such field.  A
 * map has a 'struct field' of the true place and width for each that it binds (flow/tun_metadata.h), and those work
 * here like any other.
 *
 * Threads: the table is constant; the functions are pure.
 * Standards: ovs-fields(7), OpenFlow 1.5 §7.2.3. */
#ifndef FLOW_FIELD_H
#define FLOW_FIELD_H 1

#include "flow/flow.h"

enum field_id {
#define FIELD(ENUM, ...) FIELD_##ENUM,
#include "flow/fields.def"
    FIELD_N
};

enum field_prereq {
    PREREQ_NONE, PREREQ_ETHERNET, PREREQ_VLAN_VID, PREREQ_MPLS, PREREQ_IPV4, PREREQ_IPV6, PREREQ_IP, PREREQ_ARP,
    PREREQ_TCP, PREREQ_UDP, PREREQ_SCTP, PREREQ_ICMPV4, PREREQ_ICMPV6, PREREQ_ND, PREREQ_ND_SOLICIT,
    PREREQ_ND_ADVERT, PREREQ_NSH, PREREQ_CT, PREREQ_CT_IPV4, PREREQ_CT_IPV6
};

enum field_format {
    FORMAT_DECIMAL, FORMAT_HEX, FORMAT_ETHERNET, FORMAT_IPV4, FORMAT_IPV6, FORMAT_PORT10, FORMAT_PORT, FORMAT_TOS,
    FORMAT_FRAG, FORMAT_CT_STATE, FORMAT_TCP_FLAGS, FORMAT_TUN_FLAGS, FORMAT_PACKET_TYPE
};

struct field {
    enum field_id id;
    const char *name, *alias;   /* 'alias' is "" if there is none. */
    uint16_t offset;            /* Bits from the start of struct flow to the first bit of the field. */
    uint16_t n_bits;
    uint8_t wire_bytes;         /* In an NXM or OXM entry. */
    bool maskable, writable;
    enum field_prereq prereq;
    enum field_format format;
    /* Of a tunnel option that is not in one piece: which 32-bit words of struct flow's 'tun_metadata' it is in, bit 0
     * the first, in their order; 'offset' means nothing then.  Else 0. */
    uint64_t words;
};

extern const struct field fields[FIELD_N];

/* A value or mask, right-aligned in the field's 'wire_bytes' bytes, network order. */
union field_value {
    uint8_t bytes[128]; /* Of which only the first 'wire_bytes' are ever copied. */
};

struct subfield {
    const struct field *field;
    uint16_t ofs;    /* From the least significant bit of the field. */
    uint16_t n_bits;
};

/* Whether it is one of tun_metadata0 to 63. */
static inline bool
field_is_option(const struct field *f)
{
    return f->id >= FIELD_TUN_METADATA0 && f->id <= FIELD_TUN_METADATA63;
}

static inline const struct field *field_of(enum field_id id) { return &fields[id]; }

/* Bits that actions may name in a range: 'n_bits', but for vlan_vid those of the id alone, and for fields that are
 * wider on the wire than what is kept of them (arp_op, ct_state) all of the wire's, the upper ones being zero and
 * lost.  packet_type is kept in two places: a subfield of it can be read and made part of a mask, not be written. */
unsigned int field_width(const struct field *f);

/* The field called 'name' (or its alias), null if there is none; 'n' bytes of a longer text. */
const struct field *field_by_name(const char *name);
const struct field *field_by_name_len(const char *name, size_t n);

/* Reads, writes the field in 'flow' (which may be a mask).  Bits of 'v' beyond n_bits are ignored on writing. */
void field_get(const struct field *, const struct flow *flow, union field_value *v);
void field_set(const struct field *, struct flow *flow, const union field_value *v);

/* flow = (flow & ~mask) | (v & mask), within the field. */
void field_set_masked(const struct field *, struct flow *flow, const union field_value *v,
                      const union field_value *mask);

/* mask |= bits, within the field. */
void field_add_bits(const struct field *, struct flow *mask, const union field_value *bits);

/* flow = v & m, mask = m, within the field. */
void field_set_match(const struct field *, struct flow *flow, struct flow *mask, const union field_value *v,
                     const union field_value *m);

/* The same for values that fit 64 bits (n_bits <= 64). */
uint64_t field_get_u64(const struct field *, const struct flow *flow);
void field_set_u64(const struct field *, struct flow *flow, uint64_t v);

/* All ones or all zeros of the field in a mask; whether the mask has any, all bits of the field. */
void field_set_ones(const struct field *, struct flow *mask);
void field_set_zeros(const struct field *, struct flow *mask);
static inline bool field_is_any(const struct field *, const struct flow *mask);
static inline bool field_is_exact(const struct field *, const struct flow *mask);
bool field_is_any_wide(const struct field *, const struct flow *mask); /* The part for fields in several words. */
bool field_is_exact_wide(const struct field *, const struct flow *mask);

/* Whether 'v' has no bits beyond the field's width. */
bool field_value_fits(const struct field *, const union field_value *v);

/* Copies the 'n' bytes that a field has on the wire: most are of a few sizes. */
static inline void
field_copy_bytes(void *dst, const void *src, size_t n)
{
    switch (n) {
    case 1: memcpy(dst, src, 1); break;
    case 2: memcpy(dst, src, 2); break;
    case 4: memcpy(dst, src, 4); break;
    case 6: memcpy(dst, src, 6); break;
    case 8: memcpy(dst, src, 8); break;
    case 16: memcpy(dst, src, 16); break;
    default: memcpy(dst, src, n); break;
    }
}

/* The value as an integer (n_bits <= 64), and back. */
uint64_t field_value_to_u64(const struct field *, const union field_value *v);
void field_value_from_u64(const struct field *, uint64_t x, union field_value *v);
void field_value_all_ones(const struct field *, union field_value *v);

/* Whether a flow with these values satisfies what the field needs; the same for a match, whose mask must fix the
 * fields that the prerequisite looks at.  field_add_prereqs() sets the bits that a translation must look at to use the
 * field. */
bool field_prereqs_met(const struct field *, const struct flow *flow);
bool field_prereqs_met_by_match(const struct field *, const struct flow *flow, const struct flow *mask);
void field_add_prereqs(const struct field *, const struct flow *flow, struct flow *mask);

/* Bit strings: copies 'n' bits, counted from the least significant bit of byte strings of 'src_len' and 'dst_len' bytes
 * in network order. */
void bits_copy(const void *src, size_t src_len, unsigned int src_ofs, void *dst, size_t dst_len, unsigned int dst_ofs,
               unsigned int n);

/* A range of a field in a flow: right-aligned in, from the end of, '*v', of which no more than the last
 * subfield_value_size() bytes are written or read. */
static inline size_t
subfield_value_size(const struct subfield *sf)
{
    return sf->n_bits <= 128 ? 16 : DIV_ROUND_UP(sf->n_bits, 8);
}
void subfield_get(const struct subfield *, const struct flow *flow, union field_value *v);
void subfield_set(const struct subfield *, struct flow *flow, const union field_value *v);
uint64_t subfield_get_u64(const struct subfield *, const struct flow *flow);
void subfield_set_u64(const struct subfield *, struct flow *flow, uint64_t v);
void subfield_set_ones(const struct subfield *, struct flow *mask);

/* Where a field is that has bits in one 64-bit word of the flow only, as most have: reading such a field is a shift.
 * Filled before main(). */
struct field_word {
    uint64_t bits;  /* The field's in the word, taken as a host integer; 0 if it has bits in others as well. */
    uint16_t ofs;   /* Bytes from the start of the flow to the word. */
    uint16_t shift; /* Of the field's least significant bit. */
};
extern struct field_word field_words[FIELD_N];

static inline uint64_t
field_word_of(const struct field_word *w, const struct flow *flow)
{
    return get_be64((const uint8_t *) flow + w->ofs);
}

static inline bool
field_is_any(const struct field *f, const struct flow *mask)
{
    const struct field_word *w = &field_words[f->id];

    return LIKELY(w->bits) ? field_word_of(w, mask) & w->bits : field_is_any_wide(f, mask);
}

static inline bool
field_is_exact(const struct field *f, const struct flow *mask)
{
    const struct field_word *w = &field_words[f->id];

    return LIKELY(w->bits) ? !(~field_word_of(w, mask) & w->bits) : field_is_exact_wide(f, mask);
}

#endif
