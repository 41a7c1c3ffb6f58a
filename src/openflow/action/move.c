/* move between fields; push and pop of the stack. */

#include <stdlib.h>
#include <string.h>

#include "openflow/action/ops.h"
#include "openflow/action/set_field.h"
#include "openflow/oxm/oxm.h"

/* move.  All forms have: n_bits, offset in the source, offset in the destination, [2 bytes,] two headers, padding. */

static enum ofperr
take_move(const struct act_wire *w, size_t numbers, size_t headers, struct act_move *a)
{
    struct cursor c = act_cursor(w, headers);
    enum ofperr error;

    a->src.n_bits = a->dst.n_bits = act_be16(w, numbers);
    a->src.ofs = act_be16(w, numbers + 2);
    a->dst.ofs = act_be16(w, numbers + 4);
    error = act_take_field(&c, &a->src.field);
    error = error ? error : act_take_field(&c, &a->dst.field);
    if (error) {
        return error;
    }
    if (!is_all_zeros(c.at, c.left)) {
        return OFPERR_NXBRC_MUST_BE_ZERO;
    }
    error = act_check_range(&a->src);
    error = error ? error : act_check_range(&a->dst);
    return error ? error : a->dst.field->writable ? OFPERR_NONE : OFPERR_OFPBAC_BAD_SET_ARGUMENT;
}

static enum ofperr
move_decode(const struct act_wire *w, struct act_buf *out)
{
    struct act_move *a = act_put(out, ACT_MOVE, sizeof *a);

    switch (w->form) {
    case ACT_FORM_NX_REG_MOVE: return take_move(w, 10, 16, a);
    case ACT_FORM_ONF_COPY_FIELD: return act_be16(w, 10) ? OFPERR_NXBRC_MUST_BE_ZERO : take_move(w, 12, 20, a);
    default: return take_move(w, 4, 12, a);
    }
}

static void
move_encode(const struct act *act, enum of_version v, struct bytes *b)
{
    const struct act_move *a = (const struct act_move *) act;
    bool standard = v >= OF15;
    size_t start = act_begin(b, standard ? ACT_FORM_OF15_COPY_FIELD : ACT_FORM_NX_REG_MOVE);

    bytes_put_be16(b, a->src.n_bits);
    bytes_put_be16(b, a->src.ofs);
    bytes_put_be16(b, a->dst.ofs);
    if (standard) {
        bytes_put_be16(b, 0);
    }
    oxm_put_field(b, a->src.field, standard ? v : ACT_NX_NUMBERS);
    oxm_put_field(b, a->dst.field, standard ? v : ACT_NX_NUMBERS);
    act_end(b, start);
}

static void
move_format(struct act_writer *w, const struct act *act)
{
    const struct act_move *a = (const struct act_move *) act;

    str_puts(w->s, "move:");
    oxm_format_subfield(w->s, &a->src, w->text->options);
    str_puts(w->s, "->");
    oxm_format_subfield(w->s, &a->dst, w->text->options);
}

struct error *
act_parse_subfield(const char *text, struct subfield *sf, const char **tail)
{
    struct error *e = oxm_parse_subfield(text, sf, tail);

    if (!e) {
        sf->field = act_numbered_field(sf->field);
    }
    return e;
}

static struct error *
move_parse(struct act_parser *p, const char *keyword UNUSED, char *arg)
{
    struct act_move *a = act_put(p->out, ACT_MOVE, sizeof *a);
    const char *tail;
    struct error *e;

    e = act_parse_subfield(arg, &a->src, &tail);
    if (!e && strncmp(tail, "->", 2)) {
        e = error_new("%s: missing `->' following source", arg);
    }
    e = e ? e : act_parse_subfield(tail + 2, &a->dst, &tail);
    if (!e && *tail) {
        e = error_new("unexpected input following field syntax");
    }
    if (!e && a->src.n_bits != a->dst.n_bits) {
        e = error_new("%s: source field is %u bits wide but destination is %u bits wide", arg, a->src.n_bits,
                      a->dst.n_bits);
    }
    return e;
}

static enum ofperr
move_check(struct act *act, struct act_check *c)
{
    const struct act_move *a = (const struct act_move *) act;
    enum ofperr error = act_check_src(&a->src, c);

    return error ? error : act_check_dst(&a->dst, c);
}

const struct act_ops act_move_ops = {
    .decode = move_decode, .encode = move_encode, .format = move_format, .parse = move_parse, .check = move_check,
};

/* The stack: offset, header, n_bits. */

static enum ofperr
take_stack(const struct act_wire *w, struct subfield *sf)
{
    struct cursor c = act_cursor(w, 12);
    enum ofperr error;

    sf->ofs = act_be16(w, 10);
    error = act_take_field(&c, &sf->field);
    if (error) {
        return error;
    }
    if (!cursor_take_be16(&c, &sf->n_bits)) {
        return OFPERR_OFPBAC_BAD_LEN;
    }
    return is_all_zeros(c.at, c.left) ? act_check_range(sf) : OFPERR_NXBRC_MUST_BE_ZERO;
}

static void
put_stack(struct bytes *b, enum act_form form, const struct subfield *sf)
{
    size_t start = act_begin(b, form);

    bytes_put_be16(b, sf->ofs);
    oxm_put_field(b, sf->field, ACT_NX_NUMBERS);
    bytes_put_be16(b, sf->n_bits);
    bytes_put_zeros(b, 24 - (b->len - start));
    act_end(b, start);
}

static struct error *
parse_stack(const char *text, struct subfield *sf)
{
    const char *tail;
    struct error *e = act_parse_subfield(text, sf, &tail);

    return !e && *tail ? error_new("%s: unexpected input following field syntax", text) : e;
}

static enum ofperr
push_decode(const struct act_wire *w, struct act_buf *out)
{
    struct act_push *a = act_put(out, ACT_PUSH, sizeof *a);

    return take_stack(w, &a->field);
}

static void
push_encode(const struct act *act, enum of_version v UNUSED, struct bytes *b)
{
    put_stack(b, ACT_FORM_NX_STACK_PUSH, &((const struct act_push *) act)->field);
}

static void
push_format(struct act_writer *w, const struct act *act)
{
    str_puts(w->s, "push:");
    oxm_format_subfield(w->s, &((const struct act_push *) act)->field, w->text->options);
}

static struct error *
push_parse(struct act_parser *p, const char *keyword UNUSED, char *arg)
{
    struct act_push *a = act_put(p->out, ACT_PUSH, sizeof *a);

    return parse_stack(arg, &a->field);
}

static enum ofperr
push_check(struct act *act, struct act_check *c)
{
    return act_check_src(&((const struct act_push *) act)->field, c);
}

const struct act_ops act_push_ops = {
    .decode = push_decode, .encode = push_encode, .format = push_format, .parse = push_parse, .check = push_check,
};

static enum ofperr
pop_decode(const struct act_wire *w, struct act_buf *out)
{
    struct act_pop *a = act_put(out, ACT_POP, sizeof *a);

    return take_stack(w, &a->field);
}

static void
pop_encode(const struct act *act, enum of_version v UNUSED, struct bytes *b)
{
    put_stack(b, ACT_FORM_NX_STACK_POP, &((const struct act_pop *) act)->field);
}

static void
pop_format(struct act_writer *w, const struct act *act)
{
    str_puts(w->s, "pop:");
    oxm_format_subfield(w->s, &((const struct act_pop *) act)->field, w->text->options);
}

static struct error *
pop_parse(struct act_parser *p, const char *keyword UNUSED, char *arg)
{
    struct act_pop *a = act_put(p->out, ACT_POP, sizeof *a);

    return parse_stack(arg, &a->field);
}

static enum ofperr
pop_check(struct act *act, struct act_check *c)
{
    return act_check_dst(&((const struct act_pop *) act)->field, c);
}

const struct act_ops act_pop_ops = {
    .decode = pop_decode, .encode = pop_encode, .format = pop_format, .parse = pop_parse, .check = pop_check,
};
