/* set_field and load: bits of a field := a constant.
 *
 * They are one action.  "load" is the form that names bits (NXM, until OpenFlow 1.4); "set_field" the form with a mask.
 * Versions before 1.2 have setters of their own for some fields; a masked set_field before 1.5 travels as one load for
 * each run of mask bits. */

#include <stdlib.h>

#include "flow/field_text.h"
#include "flow/tun_metadata.h"
#include "openflow/action/ops.h"
#include "openflow/action/set_field.h"
#include "openflow/oxm/oxm.h"

struct act_set_field *
act_put_set_field_act(struct act_buf *out, const struct field *f, const union field_value *v,
                      const union field_value *mask)
{
    struct act_set_field *a = act_put(out, ACT_SET_FIELD, sizeof *a + 2 * f->wire_bytes);

    a->field = f;
    for (int i = 0; i < f->wire_bytes; i++) {
        a->bytes[i] = v->bytes[i] & mask->bytes[i];
        a->bytes[f->wire_bytes + i] = mask->bytes[i];
    }
    return a;
}

struct act_set_field *
act_put_load(struct act_buf *out, const struct field *f, const union field_value *v, const union field_value *mask)
{
    struct act_set_field *a = act_put_set_field_act(out, f, v, mask);

    a->act.form = ACT_FORM_NX_REG_LOAD;
    return a;
}

static const union field_value *
value_of(const struct act_set_field *a)
{
    return act_set_field_value(a);
}

static const union field_value *
mask_of(const struct act_set_field *a)
{
    return act_set_field_mask(a);
}

static bool
is_exact(const struct act_set_field *a)
{
    return field_mask_is_exact(a->field, mask_of(a));
}

/* Decoding. */

static void
warn_of_value(const struct field *f, const union field_value *v)
{
    struct str s = STR_INIT;

    field_format(&s, f, v, NULL, NULL);
    act_warn("Invalid value for set field %s: %s", f->name, str_text(&s));
    str_uninit(&s);
}

static enum ofperr
check_value(const struct field *f, const union field_value *v)
{
    bool no_tag = f->id == FIELD_VLAN_VID && !(get_be16(v->bytes) & VLAN_PRESENT);

    if (!f->writable || f->id == FIELD_IN_PORT_OXM) {
        return OFPERR_OFPBAC_BAD_SET_ARGUMENT;
    }
    if (!field_value_fits(f, v) || no_tag) {
        warn_of_value(f, v);
        return OFPERR_OFPBAC_BAD_SET_ARGUMENT;
    }
    return OFPERR_NONE;
}

/* What is wrong with an entry, in the terms of actions. */
static enum ofperr
entry_error(struct cursor c, enum ofperr error)
{
    switch (error) {
    case OFPERR_OFPBMC_BAD_FIELD: return OFPERR_OFPBAC_BAD_SET_TYPE;
    case OFPERR_OFPBMC_BAD_MASK: return OFPERR_OFPBAC_BAD_SET_MASK;
    case OFPERR_OFPBMC_BAD_LEN: return oxm_length_is_right(c) ? error : OFPERR_OFPBAC_BAD_SET_LEN;
    default: return error;
    }
}

/* The standard action, and reg_load2: an entry and padding. */
static enum ofperr
decode_entry(const struct act_wire *w, size_t ofs, struct act_buf *out)
{
    struct cursor c = act_cursor(w, ofs);
    union field_value v, mask;
    const struct field *f;
    enum ofperr error;
    bool has_mask;

    error = oxm_take_entry(&c, &f, &v, &mask, &has_mask);
    if (error) {
        return entry_error(act_cursor(w, ofs), error);
    }
    if (has_mask && w->form == ACT_FORM_OF12_SET_FIELD) {
        return OFPERR_OFPBAC_BAD_SET_MASK;
    }
    if (!is_all_zeros(c.at, c.left) || c.left >= 8) {
        return OFPERR_OFPBAC_BAD_SET_ARGUMENT;
    }
    error = check_value(f, &v);
    if (!error) {
        /* What no plain load can say is a set_field, whichever way it comes. */
        bool only_form = w->form == ACT_FORM_NX_REG_LOAD2 && (field_is_option(f) || !oxm_header32(f, ACT_NX_NUMBERS));

        act_put_set_field_act(out, f, &v, &mask)->act.form = only_form ? ACT_FORM_OF12_SET_FIELD : w->form;
    }
    return error;
}

/* A value of 'n' bits at 'ofs' of the field. */
static void
place_bits(const struct subfield *sf, const uint8_t *right_aligned, size_t n, union field_value *v,
           union field_value *mask)
{
    union field_value ones;
    unsigned int n_bits = MIN(sf->n_bits, 8 * n); /* What is beyond is zero. */

    memset(v, 0, MAX(sf->field->wire_bytes, 16));
    memset(mask, 0, MAX(sf->field->wire_bytes, 16));
    if (sf->field->wire_bytes <= 8 && n == 8) {
        uint64_t bits = UINT64_MAX >> (64 - sf->n_bits) << sf->ofs;

        field_value_from_u64(sf->field, get_be64(right_aligned) << sf->ofs & bits, v);
        field_value_from_u64(sf->field, bits, mask);
        return;
    }
    memset(&ones, 0xff, DIV_ROUND_UP(sf->n_bits, 8));
    bits_copy(right_aligned, n, 0, v->bytes, sf->field->wire_bytes, sf->ofs, n_bits);
    bits_copy(&ones, DIV_ROUND_UP(sf->n_bits, 8), 0, mask->bytes, sf->field->wire_bytes, sf->ofs, sf->n_bits);
}

static enum ofperr
decode_reg_load(const struct act_wire *w, struct act_buf *out)
{
    union field_value v, mask;
    struct subfield dst;
    uint64_t value = act_be64(w, 16);
    enum ofperr error;

    error = act_field32(act_be32(w, 12), &dst.field);
    error = error ? error : act_set_ofs_nbits(&dst, act_be16(w, 10));
    if (error) {
        return error;
    }
    if (dst.n_bits < 64 && value >> dst.n_bits) {
        return OFPERR_OFPBAC_BAD_ARGUMENT;
    }
    if (!dst.field->writable) {
        act_warn("destination field %s is not writable", dst.field->name);
        return OFPERR_OFPBAC_BAD_SET_ARGUMENT;
    }
    place_bits(&dst, w->data + 16, 8, &v, &mask);
    act_put_set_field_act(out, dst.field, &v, &mask)->act.form = w->form;
    return OFPERR_NONE;
}

static enum ofperr
set_field_decode(const struct act_wire *w, struct act_buf *out)
{
    return w->form == ACT_FORM_NX_REG_LOAD    ? decode_reg_load(w, out)
           : w->form == ACT_FORM_NX_REG_LOAD2 ? decode_entry(w, 10, out)
                                              : decode_entry(w, 4, out);
}

/* Encoding. */

/* next_run() of a mask of at most 64 bits. */
static bool
next_short_run(const struct act_set_field *a, unsigned int n_bits, unsigned int *ofs, struct subfield *run)
{
    uint64_t left = *ofs < n_bits ? field_value_to_u64(a->field, mask_of(a)) << (64 - n_bits) >> (64 - n_bits) : 0;
    unsigned int i, n;

    left = left >> *ofs % 64 << *ofs % 64;
    if (!left) {
        return false;
    }
    i = __builtin_ctzll(left);
    n = ~(left >> i) ? __builtin_ctzll(~(left >> i)) : 64;
    *run = (struct subfield) { a->field, i, n };
    *ofs = i + n;
    return true;
}

/* The next run of ones in the mask from bit '*ofs' on, at most 64 long; false if there is none. */
static bool
next_run(const struct act_set_field *a, unsigned int *ofs, struct subfield *run)
{
    const struct field *f = a->field;
    const uint8_t *mask = mask_of(a)->bytes;
    unsigned int n_bits = field_width(f), i = *ofs, end;

    if (f->wire_bytes <= 8) {
        return next_short_run(a, n_bits, ofs, run);
    }
#define MASK_BYTE(I) mask[f->wire_bytes - 1 - (I) / 8]
#define MASK_BIT(I) (MASK_BYTE(I) >> (I) % 8 & 1)
    /* Whole bytes at once where they can be. */
    while (i < n_bits && !MASK_BIT(i)) {
        i += i % 8 || MASK_BYTE(i) ? 1 : 8;
    }
    end = i = MIN(i, n_bits);
    while (end < n_bits && end - i < 64 && MASK_BIT(end)) {
        end += end % 8 || end + 8 > n_bits || end - i > 56 || MASK_BYTE(end) != 0xff ? 1 : 8;
    }
#undef MASK_BYTE
#undef MASK_BIT
    *run = (struct subfield) { f, i, end - i };
    *ofs = end;
    return run->n_bits;
}

static uint64_t
run_value(const struct act_set_field *a, const struct subfield *run)
{
    uint8_t x[8] = { 0 };

    if (a->field->wire_bytes <= 8) {
        return field_value_to_u64(a->field, value_of(a)) >> run->ofs & UINT64_MAX >> (64 - run->n_bits);
    }
    bits_copy(value_of(a)->bytes, a->field->wire_bytes, run->ofs, x, sizeof x, 0, run->n_bits);
    return get_be64(x);
}

static void
put_loads(struct bytes *b, const struct act_set_field *a)
{
    struct subfield run;
    unsigned int ofs = 0;

    while (next_run(a, &ofs, &run)) {
        size_t start = act_begin(b, ACT_FORM_NX_REG_LOAD);

        bytes_put_be16(b, act_ofs_nbits(&run));
        bytes_put_be32(b, oxm_header32(a->field, ACT_NX_NUMBERS));
        bytes_put_be64(b, run_value(a, &run));
        act_end(b, start);
    }
}

static void
put_entry(struct bytes *b, const struct act_set_field *a, enum act_form form, enum of_version numbers)
{
    size_t start = act_begin(b, form);

    oxm_put_entry(b, a->field, numbers, value_of(a), mask_of(a));
    act_end(b, start);
}

static void
put_as_nicira(struct bytes *b, const struct act_set_field *a)
{
    /* A load says nothing of how long a tunnel option is. */
    if (a->act.form == ACT_FORM_NX_REG_LOAD2 || field_is_option(a->field) || !oxm_header32(a->field, ACT_NX_NUMBERS)) {
        put_entry(b, a, ACT_FORM_NX_REG_LOAD2, ACT_NX_NUMBERS);
    } else {
        put_loads(b, a);
    }
}

/* A tag as a whole: OpenFlow 1.0 and 1.1 set its parts. */
static void
put_tci(struct bytes *b, const struct act_set_field *a, enum of_version v)
{
    unsigned int tci = get_be16(value_of(a)->bytes);

    if (!(tci & VLAN_PRESENT)) {
        if (v == OF10) {
            act_put_plain(b, ACT_FORM_OF10_STRIP_VLAN);
        } else if (a->flow_has_vlan) {
            act_put_plain(b, ACT_FORM_OF11_POP_VLAN);
        }
        return;
    }
    if (v == OF11 && !a->flow_has_vlan) {
        act_put_be16(b, ACT_FORM_OF11_PUSH_VLAN, 0x8100);
    }
    act_put_be16(b, ACT_FORM_OF10_SET_VLAN_VID, tci & VLAN_VID_MASK);
    act_put_u8(b, ACT_FORM_OF10_SET_VLAN_PCP, tci >> VLAN_PCP_SHIFT);
}

static void
put_mac(struct bytes *b, enum act_form form, const uint8_t *mac)
{
    size_t start = act_begin(b, form);

    bytes_put(b, mac, 6);
    act_end(b, start);
}

/* The setter that OpenFlow 1.0 or 1.1 has for the whole field; false if there is none. */
static bool
put_classic(struct bytes *b, const struct act_set_field *a, enum of_version v)
{
    const uint8_t *x = value_of(a)->bytes;
    bool of10 = v == OF10;

    switch (a->field->id) {
    case FIELD_VLAN_TCI: put_tci(b, a, v); return true;
    case FIELD_DL_VLAN:
    case FIELD_VLAN_VID: act_put_be16(b, ACT_FORM_OF10_SET_VLAN_VID, get_be16(x) & VLAN_VID_MASK); return true;
    case FIELD_DL_VLAN_PCP:
    case FIELD_VLAN_PCP: act_put_u8(b, ACT_FORM_OF10_SET_VLAN_PCP, x[0]); return true;
    case FIELD_ETH_SRC: put_mac(b, of10 ? ACT_FORM_OF10_SET_DL_SRC : ACT_FORM_OF11_SET_DL_SRC, x); return true;
    case FIELD_ETH_DST: put_mac(b, of10 ? ACT_FORM_OF10_SET_DL_DST : ACT_FORM_OF11_SET_DL_DST, x); return true;
    case FIELD_IP_SRC:
        act_put_be32(b, of10 ? ACT_FORM_OF10_SET_NW_SRC : ACT_FORM_OF11_SET_NW_SRC, get_be32(x));
        return true;
    case FIELD_IP_DST:
        act_put_be32(b, of10 ? ACT_FORM_OF10_SET_NW_DST : ACT_FORM_OF11_SET_NW_DST, get_be32(x));
        return true;
    case FIELD_NW_TOS: act_put_u8(b, of10 ? ACT_FORM_OF10_SET_NW_TOS : ACT_FORM_OF11_SET_NW_TOS, x[0]); return true;
    case FIELD_IP_DSCP:
        act_put_u8(b, of10 ? ACT_FORM_OF10_SET_NW_TOS : ACT_FORM_OF11_SET_NW_TOS, x[0] << 2);
        return true;
    case FIELD_NW_ECN:
        if (!of10) {
            act_put_u8(b, ACT_FORM_OF11_SET_NW_ECN, x[0]);
        }
        return !of10;
    case FIELD_TCP_SRC:
    case FIELD_UDP_SRC:
    case FIELD_SCTP_SRC: act_put_be16(b, ACT_FORM_OF10_SET_TP_SRC, get_be16(x)); return true;
    case FIELD_TCP_DST:
    case FIELD_UDP_DST:
    case FIELD_SCTP_DST: act_put_be16(b, ACT_FORM_OF10_SET_TP_DST, get_be16(x)); return true;
    default: return false;
    }
}

static bool
is_load(const struct act_set_field *a)
{
    return a->act.form == ACT_FORM_NX_REG_LOAD || a->act.form == ACT_FORM_NX_REG_LOAD2;
}

static void
set_field_encode(const struct act *act, enum of_version v, struct bytes *b)
{
    const struct act_set_field *a = (const struct act_set_field *) act;

    if (v >= OF15) {
        put_entry(b, a, ACT_FORM_OF15_SET_FIELD, v);
    } else if (is_load(a) || !is_exact(a)) {
        put_as_nicira(b, a);
    } else if (v >= OF12) {
        put_entry(b, a, ACT_FORM_OF12_SET_FIELD, v);
    } else if (!put_classic(b, a, v)) {
        put_as_nicira(b, a);
    }
}

/* Text. */

static void
set_field_format(struct act_writer *w, const struct act *act)
{
    const struct act_set_field *a = (const struct act_set_field *) act;
    struct subfield run;
    unsigned int ofs = 0;
    bool first = true;

    if (act->form != ACT_FORM_NX_REG_LOAD) {
        str_puts(w->s, "set_field:");
        field_format(w->s, a->field, value_of(a), mask_of(a), w->text->ports);
        str_putf(w->s, "->%s", a->field->name);
        return;
    }
    while (next_run(a, &ofs, &run)) {
        uint64_t v = run_value(a, &run);

        str_puts(w->s, first ? "load:" : ",load:");
        str_puts(w->s, v ? "0x" : "");
        str_put_xint(w->s, v, 0);
        str_puts(w->s, "->");
        oxm_format_subfield(w->s, &run, w->text->options);
        first = false;
    }
}

struct error *
act_split_arrow(char *arg, char **dst)
{
    char *arrow = strstr(arg, "->");

    if (!arrow) {
        return error_new("%s: missing `->'", arg);
    }
    if (!arrow[2]) {
        return error_new("%s: missing field name following `->'", arg);
    }
    *arrow = '\0';
    *dst = arrow + 2;
    return NULL;
}

static struct error *
check_settable(const struct field *f, const char *name)
{
    if (!f) {
        return error_new("%s is not a valid OXM field name", name);
    }
    return f->writable ? NULL : error_new("%s is read-only", name);
}

/* A VLAN id gets the bit that says that there is a tag. */
static const struct field *
numbered_field(const struct field *f, union field_value *v, union field_value *mask)
{
    if (f->id == FIELD_DL_VLAN) {
        v->bytes[0] = (v->bytes[0] & VLAN_VID_MASK >> 8) | VLAN_PRESENT >> 8;
        mask->bytes[0] |= VLAN_PRESENT >> 8;
    }
    return act_numbered_field(f);
}

static struct error *
parse_set_field(struct act_parser *p, char *arg)
{
    union field_value v, mask;
    const struct field *f;
    struct error *e;
    char *dst;

    e = act_split_arrow(arg, &dst);
    if (e) {
        return e;
    }
    f = field_by_name(dst);
    e = check_settable(f, dst);
    e = e ? e : field_parse(f, arg, p->text->ports, &v, &mask);
    if (e) {
        return e;
    }
    if (!field_value_fits(f, &v)) {
        return error_new("%s is not a valid value for field %s", arg, dst);
    }
    *p->protocols &= oxm_match_protocols(f, &mask);
    f = numbered_field(f, &v, &mask);
    if (!is_all_zeros(&mask, f->wire_bytes)) {
        act_put_set_field_act(p->out, f, &v, &mask)->act.form = ACT_FORM_OF12_SET_FIELD;
    }
    return NULL;
}

bool
act_value_fits(const uint8_t value[ACT_LOAD_MAX], unsigned int n_bits)
{
    uint8_t rest[ACT_LOAD_MAX] = { 0 };

    if (n_bits < 8 * ACT_LOAD_MAX) {
        bits_copy(value, ACT_LOAD_MAX, n_bits, rest, ACT_LOAD_MAX, 0, 8 * ACT_LOAD_MAX - n_bits);
    }
    return is_all_zeros(rest, sizeof rest);
}

struct error *
act_parse_load(char *arg, struct subfield *dst, uint8_t value[ACT_LOAD_MAX])
{
    const char *tail;
    char *dst_text, *whole = xstrdup(arg);
    struct error *e;

    e = act_split_arrow(arg, &dst_text);
    if (!e && (field_parse_int(arg, value, ACT_LOAD_MAX, &tail) || *tail)) {
        e = error_new("%s: cannot parse integer value", whole);
    }
    e = e ? e : oxm_parse_subfield(dst_text, dst, &tail);
    if (!e && *tail) {
        e = error_new("unexpected input following field syntax");
    }
    if (!e && !act_value_fits(value, dst->n_bits)) {
        struct str s = STR_INIT;

        bytes_format_hex(&s, value, ACT_LOAD_MAX);
        e = error_new("%s: value %s does not fit into %u bits", whole, str_text(&s), dst->n_bits);
        str_uninit(&s);
    }
    free(whole);
    return e;
}

static struct error *
parse_load(struct act_parser *p, char *arg)
{
    union field_value v, mask;
    struct subfield dst;
    uint8_t value[ACT_LOAD_MAX];
    struct error *e = act_parse_load(arg, &dst, value);

    if (!e) {
        dst.field = act_numbered_field(dst.field);
        place_bits(&dst, value, sizeof value, &v, &mask);
        act_put_load(p->out, dst.field, &v, &mask);
    }
    return e;
}

static struct error *
set_field_parse(struct act_parser *p, const char *keyword, char *arg)
{
    return *keyword == 'l' ? parse_load(p, arg) : parse_set_field(p, arg);
}

/* Checks. */

static bool
has_vlan(const struct match *m)
{
    return m->mask.vlan_tci & m->flow.vlan_tci & BE16(VLAN_PRESENT);
}

/* A new tag is known from here on. */
static void
note_tag(const struct act_set_field *a, struct match *m)
{
    be16 present = BE16(VLAN_PRESENT);

    if (a->field->id == FIELD_VLAN_TCI && mask_of(a)->bytes[0] & VLAN_PRESENT >> 8) {
        m->mask.vlan_tci |= present;
        m->flow.vlan_tci &= ~present;
        m->flow.vlan_tci |= value_of(a)->bytes[0] & VLAN_PRESENT >> 8 ? present : BE16(0);
    }
}

/* A mask of all bits that a tunnel option has becomes that of all it can have; one without a value has none here. */
static enum ofperr
fit_option(struct act_set_field *a, const struct act_check *c)
{
    const struct field *mapped = field_is_option(a->field) ? tun_map_field(c->options, a->field) : NULL;
    bool fits = !mapped || tun_value_fits(mapped, a->bytes, a->bytes + a->field->wire_bytes);

    if (mapped && !mapped->wire_bytes) {
        memset(a->bytes, 0, a->field->wire_bytes);
    }
    return fits || !c->check_options ? OFPERR_NONE : OFPERR_OFPBAC_BAD_SET_LEN;
}

static enum ofperr
set_field_check(struct act *act, struct act_check *c)
{
    struct act_set_field *a = (struct act_set_field *) act;
    const struct field *f = a->field;
    bool needs_tag = f->id == FIELD_VLAN_VID;

    if (!f->writable) {
        act_warn("destination field %s is not writable", f->name);
        return OFPERR_OFPBAC_BAD_SET_ARGUMENT;
    }
    a->flow_has_vlan = has_vlan(c->match);
    if (!field_prereqs_met_by_match(f, &c->match->flow, &c->match->mask) || (needs_tag && !a->flow_has_vlan)) {
        act_warn("set_field %s lacks correct prerequisites", f->name);
        return OFPERR_OFPBAC_MATCH_INCONSISTENT;
    }
    note_tag(a, c->match);
    return act_check_option(f, 0, c) ? OFPERR_NXFMFC_INVALID_TLV_FIELD : fit_option(a, c);
}

const struct act_ops act_set_field_ops = {
    .decode = set_field_decode, .encode = set_field_encode, .format = set_field_format, .parse = set_field_parse,
    .check = set_field_check,
};
