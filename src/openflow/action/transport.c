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

/* Of an unknown protocol there is no field: then the old action, which later versions still have numbers for. */
static void
put_port(struct bytes *b, enum of_version v, enum act_form form, uint16_t port, uint8_t proto,
         const enum field_id ids[3])
{
    if (v <= OF11 || !proto) {
        act_put_be16(b, form, port);
    } else {
        act_put_set_field_u64(b, v, ids[proto == PROTO_UDP ? 1 : proto == PROTO_SCTP ? 2 : 0], port);
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

static const enum field_id src_fields[] = { FIELD_TCP_SRC, FIELD_UDP_SRC, FIELD_SCTP_SRC };

static void
set_l4_src_encode(const struct act *act, enum of_version v, struct bytes *b)
{
    const struct act_set_l4_src *a = (const struct act_set_l4_src *) act;

    put_port(b, v, ACT_FORM_OF10_SET_TP_SRC, a->port, a->ip_proto, src_fields);
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

static const enum field_id dst_fields[] = { FIELD_TCP_DST, FIELD_UDP_DST, FIELD_SCTP_DST };

static void
set_l4_dst_encode(const struct act *act, enum of_version v, struct bytes *b)
{
    const struct act_set_l4_dst *a = (const struct act_set_l4_dst *) act;

    put_port(b, v, ACT_FORM_OF10_SET_TP_DST, a->port, a->ip_proto, dst_fields);
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
