/* Instructions: as actions of the internal sequence, and their forms on the wire from OpenFlow 1.1 on. */

#include <stdlib.h>
#include <string.h>

#include "openflow/action/ops.h"
#include "openflow/action/verify.h"

enum { METER_MAX = 0xffff0000 };

/* Types on the wire. */
enum {
    INST_GOTO_TABLE = 1, INST_WRITE_METADATA, INST_WRITE_ACTIONS, INST_APPLY_ACTIONS, INST_CLEAR_ACTIONS, INST_METER,
    N_INST, INST_EXPERIMENTER = 0xffff
};

static size_t
begin(struct bytes *b, unsigned int type)
{
    size_t start = b->len;

    bytes_put_be16(b, type);
    bytes_put_be16(b, 0);
    return start;
}

/* Pads as act_end() does. */
static void
end(struct bytes *b, size_t start)
{
    act_end(b, start);
}

/* An instruction that has no form as an action. */
static enum ofperr
no_decode(const struct act_wire *w UNUSED, struct act_buf *out UNUSED)
{
    return OFPERR_OFPBAC_BAD_TYPE;
}

static void
no_encode(const struct act *act UNUSED, enum of_version v UNUSED, struct bytes *b UNUSED)
{
}

/* meter. */

static enum ofperr
meter_decode(const struct act_wire *w, struct act_buf *out)
{
    struct act_meter *a = act_put(out, ACT_METER, sizeof *a);

    a->meter_id = act_be32(w, 4);
    return OFPERR_NONE;
}

/* An action in OpenFlow 1.5, an instruction before; nothing below 1.3. */
static void
meter_encode(const struct act *act, enum of_version v, struct bytes *b)
{
    if (v >= OF15) {
        act_put_be32(b, ACT_FORM_OF15_METER, ((const struct act_meter *) act)->meter_id);
    }
}

static void
meter_format(struct act_writer *w, const struct act *act)
{
    str_putf(w->s, "meter:%u", ((const struct act_meter *) act)->meter_id);
}

static struct error *
meter_parse(struct act_parser *p, const char *keyword UNUSED, char *arg)
{
    struct act_meter *a = act_put(p->out, ACT_METER, sizeof *a);

    *p->protocols &= PROTO_OF13_UP;
    return act_parse_u32(arg, &a->meter_id);
}

static enum ofperr
meter_check(struct act *act, struct act_check *c UNUSED)
{
    uint32_t id = ((const struct act_meter *) act)->meter_id;

    return id && id <= METER_MAX ? OFPERR_NONE : OFPERR_OFPMMFC_INVALID_METER;
}

const struct act_ops act_meter_ops = {
    .decode = meter_decode, .encode = meter_encode, .format = meter_format, .parse = meter_parse,
    .check = meter_check,
};

/* clear_actions. */

static void
clear_actions_format(struct act_writer *w, const struct act *act UNUSED)
{
    str_puts(w->s, "clear_actions");
}

static struct error *
clear_actions_parse(struct act_parser *p, const char *keyword UNUSED, char *arg UNUSED)
{
    return act_parse_plain(p, ACT_CLEAR_ACTIONS);
}

static enum ofperr
clear_actions_check(struct act *act UNUSED, struct act_check *c UNUSED)
{
    return OFPERR_NONE;
}

const struct act_ops act_clear_actions_ops = {
    .decode = no_decode, .encode = no_encode, .format = clear_actions_format, .parse = clear_actions_parse,
    .check = clear_actions_check,
};

/* write_actions. */

static void
write_actions_format(struct act_writer *w, const struct act *act)
{
    struct act_span nested = act_write_actions_actions((const struct act_write_actions *) act);

    str_puts(w->s, "write_actions(");
    if (nested.len) {
        act_format_span(w, nested);
    } else {
        str_puts(w->s, "drop");
    }
    str_putc(w->s, ')');
}

static struct error *
write_actions_parse(struct act_parser *p, const char *keyword UNUSED, char *arg)
{
    size_t ofs = act_open(p->out, ACT_WRITE_ACTIONS, sizeof(struct act_write_actions));
    struct error *e = act_parse_nested(p, ACT_WRITE_ACTIONS, arg);

    act_close(p->out, ofs);
    return e;
}

/* When the set runs, other actions have run too: only what the flow matches now can be checked.  What is not consistent
 * with that may have become so by then. */
static enum ofperr
write_actions_check(struct act *act, struct act_check *c)
{
    unsigned int protocols = c->protocols;
    enum ofperr error = act_check_nested(act, sizeof(struct act_write_actions), c);

    c->protocols = protocols;
    return error;
}

const struct act_ops act_write_actions_ops = {
    .decode = no_decode, .encode = no_encode, .format = write_actions_format, .parse = write_actions_parse,
    .check = write_actions_check,
};

/* write_metadata. */

static enum ofperr
write_metadata_decode(const struct act_wire *w, struct act_buf *out)
{
    struct act_write_metadata *a = act_put(out, ACT_WRITE_METADATA, sizeof *a);

    a->metadata = act_be64(w, 16);
    a->mask = act_be64(w, 24);
    return act_zero(w, 10, 6);
}

static void
write_metadata_encode(const struct act *act, enum of_version v, struct bytes *b)
{
    const struct act_write_metadata *a = (const struct act_write_metadata *) act;

    if (v == OF10) {
        size_t start = act_begin(b, ACT_FORM_NX_WRITE_METADATA);

        bytes_put_zeros(b, 6);
        bytes_put_be64(b, a->metadata);
        bytes_put_be64(b, a->mask);
        act_end(b, start);
    }
}

static void
write_metadata_format(struct act_writer *w, const struct act *act)
{
    const struct act_write_metadata *a = (const struct act_write_metadata *) act;

    str_putf(w->s, "write_metadata:%#llx", (unsigned long long) a->metadata);
    if (a->mask != UINT64_MAX) {
        str_putf(w->s, "/%#llx", (unsigned long long) a->mask);
    }
}

static struct error *
write_metadata_parse(struct act_parser *p, const char *keyword UNUSED, char *arg)
{
    struct act_write_metadata *a = act_put(p->out, ACT_WRITE_METADATA, sizeof *a);
    char *mask = arg, *value = strsep(&mask, "/");
    struct error *e;

    *p->protocols &= PROTO_OF10_NXM_ANY | PROTO_OF11_UP;
    a->mask = UINT64_MAX;
    e = mask ? act_parse_u64(mask, &a->mask) : NULL;
    return e ? e : act_parse_u64(value, &a->metadata);
}

static enum ofperr
write_metadata_check(struct act *act UNUSED, struct act_check *c UNUSED)
{
    return OFPERR_NONE;
}

const struct act_ops act_write_metadata_ops = {
    .decode = write_metadata_decode, .encode = write_metadata_encode, .format = write_metadata_format,
    .parse = write_metadata_parse, .check = write_metadata_check,
};

/* goto_table. */

/* OpenFlow 1.0 can say it as a resubmit. */
static void
goto_table_encode(const struct act *act, enum of_version v, struct bytes *b)
{
    if (v == OF10) {
        size_t start = act_begin(b, ACT_FORM_NX_RESUBMIT_TABLE);

        bytes_put_be16(b, ofp_port_to_u16(OFPP_IN_PORT));
        bytes_put_u8(b, ((const struct act_goto_table *) act)->table);
        act_end(b, start);
    }
}

static void
goto_table_format(struct act_writer *w, const struct act *act)
{
    str_puts(w->s, "goto_table:");
    act_put_table(w, ((const struct act_goto_table *) act)->table);
}

static struct error *
goto_table_parse(struct act_parser *p, const char *keyword UNUSED, char *arg)
{
    struct act_goto_table *a = act_put(p->out, ACT_GOTO_TABLE, sizeof *a);

    return act_parse_table(p->text, arg, &a->table) ? NULL : error_new("unknown table \"%s\"", arg);
}

/* Only forwards, OpenFlow 1.1 §3.1.1.  The tables behind those of controllers may be gone to, as in the reference: 254
 * holds the switch's own flows, which drop, and 255 nothing. */
static enum ofperr
goto_table_check(struct act *act, struct act_check *c)
{
    uint8_t to = ((const struct act_goto_table *) act)->table;

    return c->table != 255 && to <= c->table ? OFPERR_OFPBIC_BAD_TABLE_ID : OFPERR_NONE;
}

const struct act_ops act_goto_table_ops = {
    .decode = no_decode, .encode = goto_table_encode, .format = goto_table_format, .parse = goto_table_parse,
    .check = goto_table_check,
};

/* Decoding a list of instructions: first where each is, then in the order that the internal sequence has. */

struct inst {
    const uint8_t *data; /* Null if it is not there. */
    size_t len;
};

static const struct {
    uint8_t length;
    bool variable;
} inst_lengths[N_INST] = {
    [INST_GOTO_TABLE] = { 8, false },   [INST_WRITE_METADATA] = { 24, false }, [INST_WRITE_ACTIONS] = { 8, true },
    [INST_APPLY_ACTIONS] = { 8, true }, [INST_CLEAR_ACTIONS] = { 8, false },   [INST_METER] = { 8, false },
};

static enum ofperr
check_type(unsigned int type, size_t len, enum of_version v)
{
    if (type == INST_EXPERIMENTER) {
        return OFPERR_OFPBIC_BAD_EXPERIMENTER;
    }
    if (type == 0 || type >= N_INST || (type == INST_METER && (v < OF13 || v > OF14))) {
        return OFPERR_OFPBIC_UNKNOWN_INST;
    }
    return inst_lengths[type].variable ? (len < inst_lengths[type].length ? OFPERR_OFPBIC_BAD_LEN : OFPERR_NONE)
           : len != inst_lengths[type].length ? OFPERR_OFPBIC_BAD_LEN : OFPERR_NONE;
}

static enum ofperr
find_instructions(const uint8_t *p, size_t n, enum of_version v, struct inst insts[N_INST])
{
    size_t ofs = 0;

    while (ofs < n) {
        size_t len = n - ofs >= 4 ? get_be16(p + ofs + 2) : 0;
        unsigned int type;
        enum ofperr error;

        if (len < 8 || len % 8 || len > n - ofs) {
            return OFPERR_OFPBIC_BAD_LEN;
        }
        type = get_be16(p + ofs);
        error = check_type(type, len, v);
        if (error) {
            return error;
        }
        if (insts[type].data) {
            return OFPERR_OFPBIC_DUP_INST;
        }
        insts[type] = (struct inst) { p + ofs, len };
        ofs += len;
    }
    return OFPERR_NONE;
}

static void
put_meter(const struct inst *i, struct act_buf *out)
{
    if (i->data) {
        struct act_meter *a = act_put(out, ACT_METER, sizeof *a);

        a->meter_id = get_be32(i->data + 4);
    }
}

static enum ofperr
put_apply(const struct inst *i, enum of_version v, struct act_buf *out)
{
    return i->data ? act_decode_list(i->data + 8, i->len - 8, v, out) : OFPERR_NONE;
}

static enum ofperr
put_write(const struct inst *i, enum of_version v, struct act_buf *out)
{
    size_t ofs;
    enum ofperr error;

    if (!i->data) {
        return OFPERR_NONE;
    }
    ofs = act_open(out, ACT_WRITE_ACTIONS, sizeof(struct act_write_actions));
    error = act_decode_list(i->data + 8, i->len - 8, v, out);
    act_close(out, ofs);
    if (error) {
        return error;
    }
    ACT_FOR_EACH (a, act_write_actions_actions(act_at(out, ofs))) {
        if (!act_may_be_written(a->type)) {
            act_warn("disallowed action in action set");
            return OFPERR_OFPBAC_BAD_TYPE;
        }
    }
    return OFPERR_NONE;
}

static void
put_metadata(const struct inst *i, struct act_buf *out)
{
    if (i->data) {
        struct act_write_metadata *a = act_put(out, ACT_WRITE_METADATA, sizeof *a);

        a->metadata = get_be64(i->data + 8);
        a->mask = get_be64(i->data + 16);
    }
}

static void
put_goto(const struct inst *i, struct act_buf *out)
{
    if (i->data) {
        struct act_goto_table *a = act_put(out, ACT_GOTO_TABLE, sizeof *a);

        a->table = i->data[4];
    }
}

static enum ofperr
decode_found(const struct inst insts[N_INST], enum of_version v, struct act_buf *out)
{
    enum ofperr error;

    put_meter(&insts[INST_METER], out);
    error = put_apply(&insts[INST_APPLY_ACTIONS], v, out);
    if (error) {
        return error;
    }
    if (insts[INST_CLEAR_ACTIONS].data) {
        act_put(out, ACT_CLEAR_ACTIONS, sizeof(struct act_clear_actions));
    }
    error = put_write(&insts[INST_WRITE_ACTIONS], v, out);
    if (error) {
        return error;
    }
    put_metadata(&insts[INST_WRITE_METADATA], out);
    put_goto(&insts[INST_GOTO_TABLE], out);
    return OFPERR_NONE;
}

enum ofperr
act_decode_instructions(const void *wire, size_t n, enum of_version v, struct act_buf *out)
{
    struct inst insts[N_INST] = { { NULL, 0 } };
    size_t start = out->bytes.len;
    enum ofperr error;

    if (v == OF10) {
        return act_decode_actions(wire, n, v, out);
    }
    error = find_instructions(wire, n, v, insts);
    error = error ? error : decode_found(insts, v, out);
    if (!error && out->bytes.len > start) {
        error = act_verify_decoded((struct act_span) { act_at(out, start), out->bytes.len - start });
    }
    if (error) {
        bytes_truncate(&out->bytes, start);
    }
    return error;
}

/* Encoding. */

static void
encode_instruction(const struct act *a, enum of_version v, struct bytes *b)
{
    const struct act_write_metadata *metadata = (const struct act_write_metadata *) a;
    size_t start;

    switch (a->type) {
    case ACT_METER:
        if (v < OF13) {
            return;
        }
        start = begin(b, INST_METER);
        bytes_put_be32(b, ((const struct act_meter *) a)->meter_id);
        break;
    case ACT_CLEAR_ACTIONS:
        start = begin(b, INST_CLEAR_ACTIONS);
        break;
    case ACT_WRITE_ACTIONS:
        if (!act_write_actions_actions((const struct act_write_actions *) a).len) {
            return;
        }
        start = begin(b, INST_WRITE_ACTIONS);
        bytes_put_zeros(b, 4);
        act_encode_actions(act_write_actions_actions((const struct act_write_actions *) a), v, b);
        break;
    case ACT_WRITE_METADATA:
        start = begin(b, INST_WRITE_METADATA);
        bytes_put_zeros(b, 4);
        bytes_put_be64(b, metadata->metadata);
        bytes_put_be64(b, metadata->mask);
        break;
    case ACT_GOTO_TABLE:
        start = begin(b, INST_GOTO_TABLE);
        bytes_put_u8(b, ((const struct act_goto_table *) a)->table);
        break;
    default: return;
    }
    end(b, start);
}

/* Whether it travels inside apply_actions. */
static bool
is_applied(const struct act *a, enum of_version v)
{
    return !act_is_instruction(a->type) || (a->type == ACT_METER && v >= OF15);
}

void
act_encode_instructions(struct act_span s, enum of_version v, struct bytes *out)
{
    const struct act *a = s.first, *last = act_span_end(s);

    if (v == OF10) {
        act_encode_actions(s, v, out);
        return;
    }
    while (a != last) {
        if (is_applied(a, v)) {
            size_t start = begin(out, INST_APPLY_ACTIONS);

            bytes_put_zeros(out, 4);
            for (; a != last && is_applied(a, v); a = act_next(a)) {
                act_ops_of(a)->encode(a, v, out);
            }
            end(out, start);
        } else {
            encode_instruction(a, v, out);
            a = act_next(a);
        }
    }
}
