/* Match fields on the wire: NXM and OXM.
 *
 * What it is
 * ----------
 * An entry is a header (class, field number, mask flag, length; with class 0xffff an experimenter id too), a value and
 * perhaps a mask.  oxm.def has a row for each number that a field of flow/fields.def has; a field may have several
 * (NXM, OXM, experimenter), of which the newest that the version allows is sent and all are read.
 *
 * The order of the entries of a match on encoding is that which the original sends (it shows in captures).
 *
 * Fields tun_metadata0 to 63 are as long as their entry says; one that has no value asks only that the option be there.
 * Matches have them in loose form (flow/tun_metadata.h).
 *
 * Threads: pure.
 * Standards: OpenFlow 1.2 to 1.5, flow match fields; Nicira extended match. */
#ifndef OPENFLOW_OXM_OXM_H
#define OPENFLOW_OXM_OXM_H 1

#include "base/bytes.h"
#include "base/error.h"
#include "flow/match.h"
#include "openflow/error.h"

/* A header as 64 bits: class16, field7, mask1, length8, experimenter32 (0 if the class is not 0xffff).  Length as on
 * the wire: with the experimenter id, and with the mask if there is one. */
struct oxm_header {
    uint16_t class;
    uint8_t number;
    bool has_mask;
    uint8_t length;
    uint32_t experimenter;
};

/* Single entries: what actions carry. */

/* Takes a header, which must be of a known field without mask flag, and gives the field.  OFPBMC_BAD_FIELD,
 * OFPBMC_BAD_LEN, OFPBMC_BAD_MASK. */
enum ofperr oxm_take_field(struct cursor *c, const struct field **f) MUST_CHECK;

/* Takes a whole entry.  '*mask' is all ones if it has none; '*has_mask' says.  Value bits outside the mask:
 * OFPBMC_BAD_WILDCARDS.  Whether the field may have a mask depends on the purpose: actions may set bits of any. */
enum ofperr oxm_take_entry(struct cursor *c, const struct field **f, union field_value *v, union field_value *mask,
                           bool *has_mask) MUST_CHECK;

/* Whether the entry at the cursor states the length that its field has (it may still be cut off). */
bool oxm_length_is_right(struct cursor c);

/* Bytes of the field's header in 'version': 4, or 8 with an experimenter id; 0 if it has no number there. */
size_t oxm_header_size(const struct field *f, enum of_version version);

/* Appends the header without mask flag; a whole entry with the mask if it is not null and not exact. */
void oxm_put_field(struct bytes *b, const struct field *f, enum of_version version);
void oxm_put_entry(struct bytes *b, const struct field *f, enum of_version version, const union field_value *v,
                   const union field_value *mask);

/* The 4-byte header of the field for the slots of actions that have only four bytes; 0 if it has only a longer one. */
uint32_t oxm_header32(const struct field *f, enum of_version version);
/* The field of such a slot.  OFPBMC_BAD_FIELD if it is none. */
enum ofperr oxm_field_of_header32(uint32_t header, const struct field **f) MUST_CHECK;

/* Values of entries in a match. */

enum oxm_strictness {
    OXM_STRICT, /* Everything must be understood. */
    OXM_LOOSE   /* Entries of unknown fields are skipped (replies, printing). */
};

/* A cookie filter that travels as an entry of NXM matches. */
struct oxm_cookie {
    uint64_t value, mask; /* 'mask' 0: none. */
};

/* Reads a bare concatenation of entries into '*m' (initialised here).  'cookie' null: a cookie entry is an unknown
 * field.  OFPBMC_BAD_FIELD, BAD_LEN, BAD_VALUE, BAD_MASK, BAD_WILDCARDS, BAD_PREREQ, DUP_FIELD. */
enum ofperr oxm_decode_match(const void *p, size_t n, enum oxm_strictness, struct match *m,
                             struct oxm_cookie *cookie) MUST_CHECK;

/* Appends the entries, not padded, for NXM (OF10, 11) or OXM.  A cookie filter is appended if 'cookie' is not null. */
void oxm_encode_match(const struct match *m, enum of_version version, const struct oxm_cookie *cookie,
                      struct bytes *b);

/* The match structure of OpenFlow 1.2 and later: type 1, length, entries, padding to 8. */
enum ofperr oxm_take_match_struct(struct cursor *c, enum oxm_strictness, struct match *m) MUST_CHECK;
void oxm_put_match_struct(struct bytes *b, const struct match *m, enum of_version version);

/* Text. */

/* The name of the field's number that 'version' would send, as in "NXM_OF_ETH_DST"; the newest ('version' OF15) names
 * in action text are by oxm_text_name().  Null if it has none. */
const char *oxm_name(const struct field *f, enum of_version version);

/* The name that text of actions shows: the oldest number's. */
const char *oxm_text_name(const struct field *f);

/* The field that has the number called by the 'n' bytes of 'name', or the field's own name. */
const struct field *oxm_field_by_name(const char *name, size_t n);

/* "NXM_NX_REG0[4..7]": reads from 'text', sets '*tail' behind it.  "field" alone means all of it. */
struct error *oxm_parse_subfield(const char *text, struct subfield *sf, const char **tail) MUST_CHECK;
/* 'options' (null allowed) tells when a range is all of a tunnel option. */
struct tun_map;
void oxm_format_subfield(struct str *s, const struct subfield *sf, const struct tun_map *options);

/* Whole matches as "NXM_OF_ETH_TYPE(0800), NXM_OF_IP_SRC(0a000000/ff000000)" or "<any>", as the test commands of
 * ovs-ofctl have them: reading gives the bytes as the text says, also nonsense. */
struct error *oxm_parse_text(const char *text, struct bytes *b) MUST_CHECK;
void oxm_format_bytes(struct str *s, const void *p, size_t n);

/* Which protocols (PROTO_*) can express a condition on the field with this mask. */
unsigned int oxm_match_protocols(const struct field *f, const union field_value *mask);

#endif
