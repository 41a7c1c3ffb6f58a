/* learn: adds or changes a flow made from the packet. */

#include <string.h>

#include "openflow/action/learn.h"
#include "flow/match_text.h"
#include "openflow/action/ops.h"
#include "openflow/oxm/oxm.h"

/* Header of a spec: bit 13 the source, bits 12 and 11 the destination, bits 0 to 9 the width. */
enum { SPEC_IMMEDIATE = 1 << 13, SPEC_DST_SHIFT = 11, SPEC_DST_MASK = 3, SPEC_BITS_MASK = 0x3ff };
enum { FLAGS_LEARN = LEARN_SEND_FLOW_REM | LEARN_DELETE_LEARNED, FLAGS_ALL = FLAGS_LEARN | LEARN_WRITE_RESULT };

struct learn_spec *
learn_put_spec(struct act_buf *out, size_t ofs, size_t imm_len)
{
    size_t n = ROUND_UP(sizeof(struct learn_spec) + imm_len, ACT_ALIGN);
    struct learn_spec *s = act_grow(out, ofs, n);

    s->imm_len = imm_len;
    return s;
}

/* Wire. */

static enum ofperr
take_subfield(struct cursor *c, unsigned int n_bits, struct subfield *sf)
{
    enum ofperr error = act_take_field(c, &sf->field);

    sf->n_bits = n_bits;
    if (error) {
        return error == OFPERR_OFPBMC_BAD_LEN ? OFPERR_OFPBAC_BAD_LEN : OFPERR_OFPBAC_BAD_SET_TYPE;
    }
    return cursor_take_be16(c, &sf->ofs) ? act_check_range(sf) : OFPERR_OFPBAC_BAD_LEN;
}

static enum ofperr
take_spec(struct cursor *c, unsigned int header, struct act_buf *out, size_t ofs)
{
    unsigned int n_bits = header & SPEC_BITS_MASK, dst = header >> SPEC_DST_SHIFT & SPEC_DST_MASK;
    bool immediate = header & SPEC_IMMEDIATE;
    size_t imm_len = immediate ? 2 * DIV_ROUND_UP(n_bits, 16) : 0;
    struct learn_spec *s;
    const void *imm;
    enum ofperr error = OFPERR_NONE;

    if (c->left < (immediate ? imm_len : 6) + (dst == LEARN_DST_OUTPUT ? 0 : 6)) {
        return OFPERR_OFPBAC_BAD_LEN;
    }
    if (header & 0xc400 || dst > LEARN_DST_OUTPUT || !n_bits) {
        return OFPERR_OFPBAC_BAD_ARGUMENT;
    }
    s = learn_put_spec(out, ofs, imm_len);
    s->n_bits = n_bits;
    s->src_type = immediate ? LEARN_SRC_IMMEDIATE : LEARN_SRC_FIELD;
    s->dst_type = dst;
    if (immediate) {
        imm = cursor_take(c, imm_len);
        if (!imm) {
            return OFPERR_OFPBAC_BAD_LEN;
        }
        bits_copy(imm, imm_len, 0, s->imm, imm_len, 0, n_bits); /* Bits beyond the width count for nothing. */
    } else {
        error = take_subfield(c, n_bits, &s->src);
    }
    return error || dst == LEARN_DST_OUTPUT ? error : take_subfield(c, n_bits, &s->dst);
}

static enum ofperr
take_specs(struct cursor *c, struct act_buf *out, size_t ofs)
{
    while (c->left >= 2) {
        enum ofperr error;
        uint16_t header;

        if (!cursor_take_be16(c, &header) || !header) {
            break;
        }
        error = take_spec(c, header, out, ofs);
        if (error) {
            return error;
        }
    }
    return is_all_zeros(c->at, c->left) ? OFPERR_NONE : OFPERR_OFPBAC_BAD_ARGUMENT;
}

/* The second form's own members. */
static enum ofperr
take_second(struct cursor *c, struct act_learn *a)
{
    uint16_t ofs, pad;
    enum ofperr error;

    if (!cursor_take_be32(c, &a->limit) || !cursor_take_be16(c, &ofs) || !cursor_take_be16(c, &pad)) {
        return OFPERR_OFPBAC_BAD_LEN;
    }
    if (pad) {
        return OFPERR_NXBAC_MUST_BE_ZERO;
    }
    if (!(a->flags & LEARN_WRITE_RESULT)) {
        return ofs ? OFPERR_OFPBAC_BAD_ARGUMENT : OFPERR_NONE;
    }
    error = act_take_field(c, &a->result_dst.field);
    if (error) {
        return error;
    }
    a->result_dst.ofs = ofs;
    a->result_dst.n_bits = 1;
    error = act_check_range(&a->result_dst);
    return error || a->result_dst.field->writable ? error : OFPERR_OFPBAC_BAD_SET_ARGUMENT;
}

static enum ofperr
learn_decode(const struct act_wire *w, struct act_buf *out)
{
    size_t ofs = act_open(out, ACT_LEARN, sizeof(struct act_learn));
    struct act_learn *a = act_at(out, ofs);
    bool second = w->form == ACT_FORM_NX_LEARN2;
    struct cursor c = act_cursor(w, 32);
    enum ofperr error = OFPERR_NONE;

    a->idle_timeout = act_be16(w, 10);
    a->hard_timeout = act_be16(w, 12);
    a->priority = act_be16(w, 14);
    a->cookie = act_be64(w, 16);
    a->table = w->data[26];
    a->fin_idle_timeout = act_be16(w, 28);
    a->fin_hard_timeout = act_be16(w, 30);
    if (act_be16(w, 24) & ~(second ? FLAGS_ALL : FLAGS_LEARN) || w->data[27] || a->table == 255) {
        return OFPERR_OFPBAC_BAD_ARGUMENT;
    }
    a->flags = act_be16(w, 24);
    error = second ? take_second(&c, a) : OFPERR_NONE;
    return error ? error : take_specs(&c, out, ofs);
}

static void
put_subfield(struct bytes *b, const struct subfield *sf)
{
    oxm_put_field(b, sf->field, ACT_NX_NUMBERS);
    bytes_put_be16(b, sf->ofs);
}

static void
put_spec(struct bytes *b, const struct learn_spec *s)
{
    bytes_put_be16(b, (s->src_type == LEARN_SRC_IMMEDIATE ? SPEC_IMMEDIATE : 0) | s->dst_type << SPEC_DST_SHIFT |
                          s->n_bits);
    if (s->src_type == LEARN_SRC_IMMEDIATE) {
        bytes_put(b, s->imm, s->imm_len);
    } else {
        put_subfield(b, &s->src);
    }
    if (s->dst_type != LEARN_DST_OUTPUT) {
        put_subfield(b, &s->dst);
    }
}

static void
learn_encode(const struct act *act, enum of_version v UNUSED, struct bytes *b)
{
    const struct act_learn *a = (const struct act_learn *) act;
    bool second = a->limit || a->flags & LEARN_WRITE_RESULT;
    size_t start = act_begin(b, second ? ACT_FORM_NX_LEARN2 : ACT_FORM_NX_LEARN);

    bytes_put_be16(b, a->idle_timeout);
    bytes_put_be16(b, a->hard_timeout);
    bytes_put_be16(b, a->priority);
    bytes_put_be64(b, a->cookie);
    bytes_put_be16(b, a->flags);
    bytes_put_u8(b, a->table);
    bytes_put_u8(b, 0);
    bytes_put_be16(b, a->fin_idle_timeout);
    bytes_put_be16(b, a->fin_hard_timeout);
    if (second) {
        bytes_put_be32(b, a->limit);
        bytes_put_be16(b, a->result_dst.ofs);
        bytes_put_be16(b, 0);
        if (a->flags & LEARN_WRITE_RESULT) {
            oxm_put_field(b, a->result_dst.field, ACT_NX_NUMBERS);
        }
    }
    LEARN_SPEC_FOR_EACH (s, a) {
        put_spec(b, s);
    }
    act_end(b, start);
}

/* Checks. */

/* What the learned flow will match so far; a packet type that cannot be is none. */
static void
add_to_match(const struct learn_spec *s, struct match *m)
{
    union field_value v;

    if (s->src_type != LEARN_SRC_IMMEDIATE || s->imm_len > sizeof v) {
        return;
    }
    memset(&v, 0, sizeof v);
    memcpy(v.bytes + sizeof v - s->imm_len, s->imm, s->imm_len);
    (void) match_set_subfield(m, &s->dst, &v);
}

static enum ofperr
check_spec(const struct learn_spec *s, struct act_check *c, struct act_check *learned)
{
    enum ofperr error = s->src_type == LEARN_SRC_FIELD ? act_check_src(&s->src, c) : OFPERR_NONE;

    if (error) {
        return error;
    }
    switch (s->dst_type) {
    case LEARN_DST_MATCH:
        error = act_check_src(&s->dst, learned);
        add_to_match(s, learned->match);
        return error;
    case LEARN_DST_LOAD: return act_check_dst(&s->dst, learned);
    default: return OFPERR_NONE;
    }
}

static enum ofperr
learn_check(struct act *act, struct act_check *c)
{
    const struct act_learn *a = (const struct act_learn *) act;
    struct act_check learned = *c;
    struct match m;

    match_init_catchall(&m);
    learned.match = &m;
    LEARN_SPEC_FOR_EACH (s, a) {
        enum ofperr error = check_spec(s, c, &learned);

        if (error) {
            return error;
        }
    }
    c->used_options |= learned.used_options;
    return a->flags & LEARN_WRITE_RESULT ? act_check_dst(&a->result_dst, c) : OFPERR_NONE;
}

const struct act_ops act_learn_ops = {
    .decode = learn_decode, .encode = learn_encode, .format = learn_format, .parse = learn_parse,
    .check = learn_check,
};
