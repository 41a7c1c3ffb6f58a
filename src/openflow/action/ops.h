/* What each family of actions gives, and the helpers they share.
 *
 * The driver has checked version and length when it calls decode(); decode() checks the rest and appends the action.
 * encode() appends the wire form for a version, translating where the version has no such action.  parse() gets the
 * keyword and the argument ("" if there is none; it may be changed).  check() may fill in what depends on the match and
 * changes 'c->match' to what the packet looks like after the action. */
#ifndef OPENFLOW_ACTION_OPS_H
#define OPENFLOW_ACTION_OPS_H 1

#include "openflow/action/action.h"
#include "openflow/action/key_value.h"

enum act_form {
    ACT_FORM_NONE,
#define WIRE(FORM, KIND, NUMBER, FIRST, LAST, LENGTH, TAIL, ACTION) ACT_FORM_##FORM,
#include "openflow/action/wire.def"
    ACT_N_FORMS
};

/* One action as it was received. */
struct act_wire {
    enum act_form form;
    enum of_version version;
    const uint8_t *data; /* With its header. */
    size_t len;
    unsigned int depth; /* Of nesting: 0 outermost. */
};

struct act_parser {
    struct act_buf *out;
    const struct act_text *text;
    unsigned int *protocols;
    unsigned int depth;
    enum act_type outer; /* What the actions are nested in; ACT_N for nothing. */
    bool instructions;   /* Whether instructions are allowed here. */
};

struct act_writer {
    struct str *s;
    const struct act_text *text;
};

struct act_ops {
    enum ofperr (*decode)(const struct act_wire *w, struct act_buf *out);
    void (*encode)(const struct act *a, enum of_version v, struct bytes *b);
    struct error *(*parse)(struct act_parser *p, const char *keyword, char *arg);
    void (*format)(struct act_writer *w, const struct act *a);
    enum ofperr (*check)(struct act *a, struct act_check *c);
    bool (*uses_origin)(const struct act *a); /* Null: never. */
};

#define ACTION(ENUM, NAME, KIND) extern const struct act_ops act_##NAME##_ops;
#include "openflow/action/actions.def"

const struct act_ops *act_ops_of(const struct act *a);

/* For uses_origin. */
bool act_always_uses_origin(const struct act *a);

/* Logs what is wrong with an action under the module's name, rate-limited. */
void act_warn(const char *format, ...) PRINTF_FORMAT(1, 2);

/* Wire. */

/* An unaligned integer of the received action. */
static inline uint16_t act_be16(const struct act_wire *w, size_t ofs) { return get_be16(w->data + ofs); }
static inline uint32_t act_be32(const struct act_wire *w, size_t ofs) { return get_be32(w->data + ofs); }
static inline uint64_t act_be64(const struct act_wire *w, size_t ofs) { return get_be64(w->data + ofs); }

/* The bytes from 'ofs' to the end. */
static inline struct cursor
act_cursor(const struct act_wire *w, size_t ofs)
{
    return cursor_make(w->data + ofs, w->len - ofs);
}

/* NXBRC_MUST_BE_ZERO unless the 'n' bytes at 'ofs' (all from 'ofs' on) are zero. */
enum ofperr act_zero(const struct act_wire *w, size_t ofs, size_t n) MUST_CHECK;
enum ofperr act_zero_from(const struct act_wire *w, size_t ofs) MUST_CHECK;

/* Decodes nested actions at one level more. */
enum ofperr act_decode_nested(const struct act_wire *w, size_t ofs, struct act_buf *out) MUST_CHECK;

/* Vendor actions name fields by their oldest numbers, whatever the version. */
#define ACT_NX_NUMBERS OF10

/* Begins an action of 'form' (its header is put), ends it (padded to 8, the length filled in). */
size_t act_begin(struct bytes *b, enum act_form form);
void act_end(struct bytes *b, size_t start);

/* An action whose argument is one integer, or nothing, behind the header; padded. */
void act_put_plain(struct bytes *b, enum act_form form);
void act_put_u8(struct bytes *b, enum act_form form, uint8_t v);
void act_put_be16(struct bytes *b, enum act_form form, uint16_t v);
void act_put_be32(struct bytes *b, enum act_form form, uint32_t v);

/* Appends a set_field action of 'version' (OF12 on) for all bits of the field. */
void act_put_set_field(struct bytes *b, enum of_version v, enum field_id id, const void *value);
void act_put_set_field_u64(struct bytes *b, enum of_version v, enum field_id id, uint64_t value);
/* The same as reg_load, for versions without set_field. */
void act_put_reg_load(struct bytes *b, enum field_id id, uint64_t value);

/* (offset << 6) | (n_bits - 1), and back.  OFPBAC_BAD_SET_LEN if the field is not so wide. */
uint16_t act_ofs_nbits(const struct subfield *sf);
enum ofperr act_set_ofs_nbits(struct subfield *sf, uint16_t ofs_nbits) MUST_CHECK;

/* Checks that a range is inside its field: OFPBAC_BAD_SET_LEN. */
enum ofperr act_check_range(const struct subfield *sf) MUST_CHECK;

/* Takes a field's header from 'c': OFPBMC_BAD_LEN if it is cut off, OFPBMC_BAD_FIELD. */
enum ofperr act_take_field(struct cursor *c, const struct field **f) MUST_CHECK;
/* The field of a four-byte slot: OFPBAC_BAD_SET_TYPE. */
enum ofperr act_field32(uint32_t header, const struct field **f) MUST_CHECK;

/* Checks. */

/* Whether the range may be read, or set, here: OFPBAC_BAD_ARGUMENT, OFPBAC_BAD_SET_ARGUMENT,
 * OFPBAC_MATCH_INCONSISTENT. */
enum ofperr act_check_src(const struct subfield *sf, struct act_check *c) MUST_CHECK;
enum ofperr act_check_dst(const struct subfield *sf, struct act_check *c) MUST_CHECK;

/* The bits from the least significant up to 'n_bits' of the field are used: notes a tunnel option, and checks it if
 * that is wanted (NXFMFC_INVALID_TLV_FIELD, OFPBAC_BAD_SET_LEN).  act_check_src() and act_check_dst() do it. */
enum ofperr act_check_option(const struct field *f, unsigned int n_bits, struct act_check *c) MUST_CHECK;

/* Takes away OpenFlow 1.1 and later from the usable protocols unless 'consistent': 1.0 allowed such actions. */
void act_expect(struct act_check *c, bool consistent);

/* What the match says of the type of the payload: 0 if it does not say. */
uint16_t act_eth_type(const struct act_check *c);
bool act_is_ip(const struct act_check *c);

/* Checks nested actions on a copy of the match. */
enum ofperr act_check_nested(struct act *a, size_t ofs, struct act_check *c) MUST_CHECK;

/* Text. */

/* Integers with the reference's messages: "invalid NAME "TEXT"". */
struct error *act_parse_u8(const char *text, const char *name, uint8_t *v) MUST_CHECK;
struct error *act_parse_u16(const char *text, const char *name, uint16_t *v) MUST_CHECK;
struct error *act_parse_u32(const char *text, uint32_t *v) MUST_CHECK;
struct error *act_parse_u64(const char *text, uint64_t *v) MUST_CHECK;

/* Table by number or name; false if there is none. */
bool act_parse_table(const struct act_text *t, const char *text, uint8_t *table);
void act_put_table(struct act_writer *w, uint8_t table);

/* A port in text. */
static inline void act_put_port(struct act_writer *w, ofp_port p) { ofp_port_put(w->s, p, w->text->ports); }

/* For actions whose slot for a field has only four bytes: an error if the field's header is longer.  'context' is what
 * the message begins with. */
struct error *act_require_short_header(const struct field *f, const char *context, const char *name) MUST_CHECK;

/* Reads nested actions in the context of 'outer'. */
struct error *act_parse_nested(struct act_parser *p, enum act_type outer, char *text) MUST_CHECK;

/* Appends nested actions ("drop" if none and 'say_drop'). */
void act_format_span(struct act_writer *w, struct act_span s);

/* An action without arguments. */
struct error *act_parse_plain(struct act_parser *p, enum act_type type);

#endif
