/* Transport ports: the setters of OpenFlow 1.0.  Later versions name the field, which depends on the protocol. */

#include "openflow/action/ops.h"

enum { PROTO_TCP = 6, PROTO_UDP = 17, PROTO_SCTP = 132 };

/* 0 unless the match fixes a protocol with ports. */
static uint8_t
protocol(const struct act_check *c)
{
    uint8_t proto = c->match->flow.nw_proto;
    bool known = act_is_ip(c) && c->match->mask.nw_proto == UINT8_MAX && !(c->match->flow.nw_frag & FLOW_FRAG_LATER);

    return known && (proto == PROTO_TCP || proto == PROTO_UDP || proto == PROTO_SCTP) ? proto : 0;
}

static void
put_port(struct bytes *b, enum of_version v, enum act_form form, uint16_t port, enum field_id id)
{
    if (v <= OF11) {
        act_put_be16(b, form, port);
    } else {
        act_put_set_field_u64(b, v, id, port);
    }
}

/* Source. */

static enum ofperr
set_l4_src_decode(const struct act_wire *w, struct act_buf *out)
{
    struct act_set_l4_src *a = act_put(out, ACT_SET_L4_SRC, sizeof *a);

    a->port = act_be16(w, 4);
    return OFPERR_NONE;
}

static void
set_l4_src_encode(const struct act *act, enum of_version v, struct bytes *b)
{
    const struct act_set_l4_src *a = (const struct act_set_l4_src *) act;

    put_port(b, v, ACT_FORM_OF10_SET_TP_SRC, a->port,
             a->ip_proto == PROTO_UDP    ? FIELD_UDP_SRC
             : a->ip_proto == PROTO_SCTP ? FIELD_SCTP_SRC
                                         : FIELD_TCP_SRC);
}

static void
set_l4_src_format(struct act_writer *w, const struct act *act)
{
    str_putf(w->s, "mod_tp_src:%u", ((const struct act_set_l4_src *) act)->port);
}

static struct error *
set_l4_src_parse(struct act_parser *p, const char *keyword UNUSED, char *arg)
{
    struct act_set_l4_src *a = act_put(p->out, ACT_SET_L4_SRC, sizeof *a);

    return act_parse_u16(arg, "source port", &a->port);
}

static enum ofperr
set_l4_src_check(struct act *act, struct act_check *c)
{
    struct act_set_l4_src *a = (struct act_set_l4_src *) act;

    a->ip_proto = protocol(c);
    act_expect(c, a->ip_proto);
    return OFPERR_NONE;
}

const struct act_ops act_set_l4_src_ops = {
    .decode = set_l4_src_decode, .encode = set_l4_src_encode, .format = set_l4_src_format,
    .parse = set_l4_src_parse, .check = set_l4_src_check,
};

/* Destination. */

static enum ofperr
set_l4_dst_decode(const struct act_wire *w, struct act_buf *out)
{
    struct act_set_l4_dst *a = act_put(out, ACT_SET_L4_DST, sizeof *a);

    a->port = act_be16(w, 4);
    return OFPERR_NONE;
}

static void
set_l4_dst_encode(const struct act *act, enum of_version v, struct bytes *b)
{
    const struct act_set_l4_dst *a = (const struct act_set_l4_dst *) act;

    put_port(b, v, ACT_FORM_OF10_SET_TP_DST, a->port,
             a->ip_proto == PROTO_UDP    ? FIELD_UDP_DST
             : a->ip_proto == PROTO_SCTP ? FIELD_SCTP_DST
                                         : FIELD_TCP_DST);
}

static void
set_l4_dst_format(struct act_writer *w, const struct act *act)
{
    str_putf(w->s, "mod_tp_dst:%u", ((const struct act_set_l4_dst *) act)->port);
}

static struct error *
set_l4_dst_parse(struct act_parser *p, const char *keyword UNUSED, char *arg)
{
    struct act_set_l4_dst *a = act_put(p->out, ACT_SET_L4_DST, sizeof *a);

    return act_parse_u16(arg, "destination port", &a->port);
}

static enum ofperr
set_l4_dst_check(struct act *act, struct act_check *c)
{
    struct act_set_l4_dst *a = (struct act_set_l4_dst *) act;

    a->ip_proto = protocol(c);
    act_expect(c, a->ip_proto);
    return OFPERR_NONE;
}

const struct act_ops act_set_l4_dst_ops = {
    .decode = set_l4_dst_decode, .encode = set_l4_dst_encode, .format = set_l4_dst_format,
    .parse = set_l4_dst_parse, .check = set_l4_dst_check,
};
