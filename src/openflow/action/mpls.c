/* MPLS label stacks. */

#include "openflow/action/ops.h"

static bool
is_mpls_type(unsigned int type)
{
    return type == 0x8847 || type == 0x8848;
}

static void
set_type(struct match *m, be16 type)
{
    m->flow.eth_type = type;
    m->mask.eth_type = BE16_MAX;
}

/* A packet that loses or gains a label shows other headers: nothing beyond the type is known of it. */
static void
forget_network(struct match *m)
{
    m->mask.nw_proto = m->flow.nw_proto = 0;
    m->mask.nw_frag = m->flow.nw_frag = 0;
    memset(m->mask.mpls_lse, 0, sizeof m->mask.mpls_lse);
    memset(m->flow.mpls_lse, 0, sizeof m->flow.mpls_lse);
}

static enum ofperr
check_mpls(struct act_check *c)
{
    act_expect(c, is_mpls_type(act_eth_type(c)));
    return OFPERR_NONE;
}

/* Push. */

static enum ofperr
push_mpls_decode(const struct act_wire *w, struct act_buf *out)
{
    unsigned int type = act_be16(w, w->form == ACT_FORM_NX_PUSH_MPLS ? 10 : 4);
    struct act_push_mpls *a;

    if (!is_mpls_type(type)) {
        return OFPERR_OFPBAC_BAD_ARGUMENT;
    }
    a = act_put(out, ACT_PUSH_MPLS, sizeof *a);
    a->ethertype = cpu_to_be16(type);
    return OFPERR_NONE;
}

static void
push_mpls_encode(const struct act *act, enum of_version v, struct bytes *b)
{
    act_put_be16(b, v == OF10 ? ACT_FORM_NX_PUSH_MPLS : ACT_FORM_OF11_PUSH_MPLS,
                 be16_to_cpu(((const struct act_push_mpls *) act)->ethertype));
}

static void
push_mpls_format(struct act_writer *w, const struct act *act)
{
    str_putf(w->s, "push_mpls:0x%04x", be16_to_cpu(((const struct act_push_mpls *) act)->ethertype));
}

static struct error *
parse_type(const char *text, const char *what, be16 *type)
{
    uint16_t t;
    struct error *e = act_parse_u16(text, what, &t);

    *type = cpu_to_be16(t);
    return e;
}

static struct error *
push_mpls_parse(struct act_parser *p, const char *keyword UNUSED, char *arg)
{
    struct act_push_mpls *a = act_put(p->out, ACT_PUSH_MPLS, sizeof *a);

    return parse_type(arg, "push_mpls", &a->ethertype);
}

static enum ofperr
push_mpls_check(struct act *act, struct act_check *c)
{
    set_type(c->match, ((const struct act_push_mpls *) act)->ethertype);
    return OFPERR_NONE;
}

const struct act_ops act_push_mpls_ops = {
    .decode = push_mpls_decode, .encode = push_mpls_encode, .format = push_mpls_format, .parse = push_mpls_parse,
    .check = push_mpls_check,
};

/* Pop. */

static enum ofperr
pop_mpls_decode(const struct act_wire *w, struct act_buf *out)
{
    struct act_pop_mpls *a = act_put(out, ACT_POP_MPLS, sizeof *a);

    a->ethertype = cpu_to_be16(act_be16(w, w->form == ACT_FORM_NX_POP_MPLS ? 10 : 4));
    return OFPERR_NONE;
}

static void
pop_mpls_encode(const struct act *act, enum of_version v, struct bytes *b)
{
    act_put_be16(b, v == OF10 ? ACT_FORM_NX_POP_MPLS : ACT_FORM_OF11_POP_MPLS,
                 be16_to_cpu(((const struct act_pop_mpls *) act)->ethertype));
}

static void
pop_mpls_format(struct act_writer *w, const struct act *act)
{
    str_putf(w->s, "pop_mpls:0x%04x", be16_to_cpu(((const struct act_pop_mpls *) act)->ethertype));
}

static struct error *
pop_mpls_parse(struct act_parser *p, const char *keyword UNUSED, char *arg)
{
    struct act_pop_mpls *a = act_put(p->out, ACT_POP_MPLS, sizeof *a);

    return parse_type(arg, "pop_mpls", &a->ethertype);
}

static enum ofperr
pop_mpls_check(struct act *act, struct act_check *c)
{
    check_mpls(c);
    set_type(c->match, ((const struct act_pop_mpls *) act)->ethertype);
    forget_network(c->match);
    return OFPERR_NONE;
}

const struct act_ops act_pop_mpls_ops = {
    .decode = pop_mpls_decode, .encode = pop_mpls_encode, .format = pop_mpls_format, .parse = pop_mpls_parse,
    .check = pop_mpls_check,
};

/* Label. */

static enum ofperr
set_mpls_label_decode(const struct act_wire *w, struct act_buf *out)
{
    struct act_set_mpls_label *a = act_put(out, ACT_SET_MPLS_LABEL, sizeof *a);

    a->label = act_be32(w, w->form == ACT_FORM_NX_SET_MPLS_LABEL ? 12 : 4) & 0xfffff;
    return OFPERR_NONE;
}

static void
set_mpls_label_encode(const struct act *act, enum of_version v, struct bytes *b)
{
    uint32_t label = ((const struct act_set_mpls_label *) act)->label;

    if (v <= OF11) {
        act_put_be32(b, v == OF10 ? ACT_FORM_NX_SET_MPLS_LABEL : ACT_FORM_OF11_SET_MPLS_LABEL, label);
    } else {
        act_put_set_field_u64(b, v, FIELD_MPLS_LABEL, label);
    }
}

static void
set_mpls_label_format(struct act_writer *w, const struct act *act)
{
    str_putf(w->s, "set_mpls_label(%u)", ((const struct act_set_mpls_label *) act)->label);
}

static struct error *
set_mpls_label_parse(struct act_parser *p, const char *keyword UNUSED, char *arg)
{
    struct act_set_mpls_label *a = act_put(p->out, ACT_SET_MPLS_LABEL, sizeof *a);
    struct error *e;

    if (!*arg) {
        return error_new("set_mpls_label: expected label.");
    }
    e = act_parse_u32(arg, &a->label);
    return !e && a->label & ~UINT32_C(0xfffff) ? error_new("%s: not a valid MPLS label", arg) : e;
}

static enum ofperr
set_mpls_label_check(struct act *act UNUSED, struct act_check *c)
{
    return check_mpls(c);
}

const struct act_ops act_set_mpls_label_ops = {
    .decode = set_mpls_label_decode, .encode = set_mpls_label_encode, .format = set_mpls_label_format,
    .parse = set_mpls_label_parse, .check = set_mpls_label_check,
};

/* Traffic class. */

static enum ofperr
set_mpls_tc_decode(const struct act_wire *w, struct act_buf *out)
{
    struct act_set_mpls_tc *a = act_put(out, ACT_SET_MPLS_TC, sizeof *a);

    a->tc = w->data[w->form == ACT_FORM_NX_SET_MPLS_TC ? 10 : 4] & 7;
    return OFPERR_NONE;
}

static void
set_mpls_tc_encode(const struct act *act, enum of_version v, struct bytes *b)
{
    uint8_t tc = ((const struct act_set_mpls_tc *) act)->tc;

    if (v <= OF11) {
        act_put_u8(b, v == OF10 ? ACT_FORM_NX_SET_MPLS_TC : ACT_FORM_OF11_SET_MPLS_TC, tc);
    } else {
        act_put_set_field_u64(b, v, FIELD_MPLS_TC, tc);
    }
}

static void
set_mpls_tc_format(struct act_writer *w, const struct act *act)
{
    str_putf(w->s, "set_mpls_tc(%u)", ((const struct act_set_mpls_tc *) act)->tc);
}

static struct error *
set_mpls_tc_parse(struct act_parser *p, const char *keyword UNUSED, char *arg)
{
    struct act_set_mpls_tc *a = act_put(p->out, ACT_SET_MPLS_TC, sizeof *a);
    struct error *e;

    if (!*arg) {
        return error_new("set_mpls_tc: expected tc.");
    }
    e = act_parse_u8(arg, "MPLS TC", &a->tc);
    return !e && a->tc & ~7 ? error_new("%s: not a valid MPLS TC", arg) : e;
}

static enum ofperr
set_mpls_tc_check(struct act *act UNUSED, struct act_check *c)
{
    return check_mpls(c);
}

const struct act_ops act_set_mpls_tc_ops = {
    .decode = set_mpls_tc_decode, .encode = set_mpls_tc_encode, .format = set_mpls_tc_format,
    .parse = set_mpls_tc_parse, .check = set_mpls_tc_check,
};

/* Time to live. */

static enum ofperr
set_mpls_ttl_decode(const struct act_wire *w, struct act_buf *out)
{
    struct act_set_mpls_ttl *a = act_put(out, ACT_SET_MPLS_TTL, sizeof *a);

    a->ttl = w->data[w->form == ACT_FORM_NX_SET_MPLS_TTL ? 10 : 4];
    return OFPERR_NONE;
}

static void
set_mpls_ttl_encode(const struct act *act, enum of_version v, struct bytes *b)
{
    act_put_u8(b, v == OF10 ? ACT_FORM_NX_SET_MPLS_TTL : ACT_FORM_OF11_SET_MPLS_TTL,
               ((const struct act_set_mpls_ttl *) act)->ttl);
}

static void
set_mpls_ttl_format(struct act_writer *w, const struct act *act)
{
    str_putf(w->s, "set_mpls_ttl(%u)", ((const struct act_set_mpls_ttl *) act)->ttl);
}

static struct error *
set_mpls_ttl_parse(struct act_parser *p, const char *keyword UNUSED, char *arg)
{
    struct act_set_mpls_ttl *a = act_put(p->out, ACT_SET_MPLS_TTL, sizeof *a);

    return *arg ? act_parse_u8(arg, "MPLS TTL", &a->ttl) : error_new("set_mpls_ttl: expected ttl.");
}

static enum ofperr
set_mpls_ttl_check(struct act *act UNUSED, struct act_check *c)
{
    return check_mpls(c);
}

const struct act_ops act_set_mpls_ttl_ops = {
    .decode = set_mpls_ttl_decode, .encode = set_mpls_ttl_encode, .format = set_mpls_ttl_format,
    .parse = set_mpls_ttl_parse, .check = set_mpls_ttl_check,
};

static enum ofperr
dec_mpls_ttl_decode(const struct act_wire *w UNUSED, struct act_buf *out)
{
    act_put(out, ACT_DEC_MPLS_TTL, sizeof(struct act_dec_mpls_ttl));
    return OFPERR_NONE;
}

static void
dec_mpls_ttl_encode(const struct act *act UNUSED, enum of_version v, struct bytes *b)
{
    act_put_plain(b, v == OF10 ? ACT_FORM_NX_DEC_MPLS_TTL : ACT_FORM_OF11_DEC_MPLS_TTL);
}

static void
dec_mpls_ttl_format(struct act_writer *w, const struct act *act UNUSED)
{
    str_puts(w->s, "dec_mpls_ttl");
}

static struct error *
dec_mpls_ttl_parse(struct act_parser *p, const char *keyword UNUSED, char *arg UNUSED)
{
    return act_parse_plain(p, ACT_DEC_MPLS_TTL);
}

static enum ofperr
dec_mpls_ttl_check(struct act *act UNUSED, struct act_check *c)
{
    return check_mpls(c);
}

const struct act_ops act_dec_mpls_ttl_ops = {
    .decode = dec_mpls_ttl_decode, .encode = dec_mpls_ttl_encode, .format = dec_mpls_ttl_format,
    .parse = dec_mpls_ttl_parse, .check = dec_mpls_ttl_check,
    .uses_origin = act_always_uses_origin,
};
