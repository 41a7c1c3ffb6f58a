/* IP: addresses, DSCP, ECN and time to live. */

#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "openflow/action/ops.h"

/* IPv4 addresses. */

static struct error *
parse_ip(const char *text, be32 *ip)
{
    return ipv4_parse(text, ip) ? NULL : error_new("%s: could not convert to IP address", text);
}

static void
put_ip(struct bytes *b, enum of_version v, enum act_form of10, enum act_form of11, enum field_id id, be32 ip)
{
    if (v <= OF11) {
        act_put_be32(b, v == OF10 ? of10 : of11, be32_to_cpu(ip));
    } else {
        act_put_set_field(b, v, id, &ip);
    }
}

static enum ofperr
check_ipv4(struct act_check *c)
{
    act_expect(c, act_eth_type(c) == 0x0800);
    return OFPERR_NONE;
}

static enum ofperr
set_ipv4_src_decode(const struct act_wire *w, struct act_buf *out)
{
    struct act_set_ipv4_src *a = act_put(out, ACT_SET_IPV4_SRC, sizeof *a);

    a->ip = cpu_to_be32(act_be32(w, 4));
    return OFPERR_NONE;
}

static void
set_ipv4_src_encode(const struct act *act, enum of_version v, struct bytes *b)
{
    put_ip(b, v, ACT_FORM_OF10_SET_NW_SRC, ACT_FORM_OF11_SET_NW_SRC, FIELD_IP_SRC,
           ((const struct act_set_ipv4_src *) act)->ip);
}

static void
set_ipv4_src_format(struct act_writer *w, const struct act *act)
{
    str_putf(w->s, "mod_nw_src:" IP_FMT, IP_ARGS(((const struct act_set_ipv4_src *) act)->ip));
}

static struct error *
set_ipv4_src_parse(struct act_parser *p, const char *keyword UNUSED, char *arg)
{
    struct act_set_ipv4_src *a = act_put(p->out, ACT_SET_IPV4_SRC, sizeof *a);

    return parse_ip(arg, &a->ip);
}

static enum ofperr
set_ipv4_src_check(struct act *act UNUSED, struct act_check *c)
{
    return check_ipv4(c);
}

const struct act_ops act_set_ipv4_src_ops = {
    .decode = set_ipv4_src_decode, .encode = set_ipv4_src_encode, .format = set_ipv4_src_format,
    .parse = set_ipv4_src_parse, .check = set_ipv4_src_check,
};

static enum ofperr
set_ipv4_dst_decode(const struct act_wire *w, struct act_buf *out)
{
    struct act_set_ipv4_dst *a = act_put(out, ACT_SET_IPV4_DST, sizeof *a);

    a->ip = cpu_to_be32(act_be32(w, 4));
    return OFPERR_NONE;
}

static void
set_ipv4_dst_encode(const struct act *act, enum of_version v, struct bytes *b)
{
    put_ip(b, v, ACT_FORM_OF10_SET_NW_DST, ACT_FORM_OF11_SET_NW_DST, FIELD_IP_DST,
           ((const struct act_set_ipv4_dst *) act)->ip);
}

static void
set_ipv4_dst_format(struct act_writer *w, const struct act *act)
{
    str_putf(w->s, "mod_nw_dst:" IP_FMT, IP_ARGS(((const struct act_set_ipv4_dst *) act)->ip));
}

static struct error *
set_ipv4_dst_parse(struct act_parser *p, const char *keyword UNUSED, char *arg)
{
    struct act_set_ipv4_dst *a = act_put(p->out, ACT_SET_IPV4_DST, sizeof *a);

    return parse_ip(arg, &a->ip);
}

static enum ofperr
set_ipv4_dst_check(struct act *act UNUSED, struct act_check *c)
{
    return check_ipv4(c);
}

const struct act_ops act_set_ipv4_dst_ops = {
    .decode = set_ipv4_dst_decode, .encode = set_ipv4_dst_encode, .format = set_ipv4_dst_format,
    .parse = set_ipv4_dst_parse, .check = set_ipv4_dst_check,
};

/* DSCP. */

static enum ofperr
check_ip(struct act_check *c)
{
    act_expect(c, act_is_ip(c));
    return OFPERR_NONE;
}

static enum ofperr
set_ip_dscp_decode(const struct act_wire *w, struct act_buf *out)
{
    struct act_set_ip_dscp *a;

    if (w->data[4] & 3) {
        return OFPERR_OFPBAC_BAD_ARGUMENT;
    }
    a = act_put(out, ACT_SET_IP_DSCP, sizeof *a);
    a->tos = w->data[4];
    return OFPERR_NONE;
}

static void
set_ip_dscp_encode(const struct act *act, enum of_version v, struct bytes *b)
{
    uint8_t tos = ((const struct act_set_ip_dscp *) act)->tos;

    if (v <= OF11) {
        act_put_u8(b, v == OF10 ? ACT_FORM_OF10_SET_NW_TOS : ACT_FORM_OF11_SET_NW_TOS, tos);
    } else {
        act_put_set_field_u64(b, v, FIELD_IP_DSCP, tos >> 2);
    }
}

static void
set_ip_dscp_format(struct act_writer *w, const struct act *act)
{
    str_putf(w->s, "mod_nw_tos:%u", ((const struct act_set_ip_dscp *) act)->tos);
}

static struct error *
set_ip_dscp_parse(struct act_parser *p, const char *keyword UNUSED, char *arg)
{
    struct act_set_ip_dscp *a = act_put(p->out, ACT_SET_IP_DSCP, sizeof *a);
    struct error *e = act_parse_u8(arg, "TOS", &a->tos);

    return !e && a->tos & 3 ? error_new("%s: not a valid TOS", arg) : e;
}

static enum ofperr
set_ip_dscp_check(struct act *act UNUSED, struct act_check *c)
{
    return check_ip(c);
}

const struct act_ops act_set_ip_dscp_ops = {
    .decode = set_ip_dscp_decode, .encode = set_ip_dscp_encode, .format = set_ip_dscp_format,
    .parse = set_ip_dscp_parse, .check = set_ip_dscp_check,
};

/* ECN. */

static enum ofperr
set_ip_ecn_decode(const struct act_wire *w, struct act_buf *out)
{
    struct act_set_ip_ecn *a;

    if (w->data[4] & ~3) {
        return OFPERR_OFPBAC_BAD_ARGUMENT;
    }
    a = act_put(out, ACT_SET_IP_ECN, sizeof *a);
    a->ecn = w->data[4];
    return OFPERR_NONE;
}

static void
set_ip_ecn_encode(const struct act *act, enum of_version v, struct bytes *b)
{
    uint8_t ecn = ((const struct act_set_ip_ecn *) act)->ecn;

    if (v == OF10) {
        act_put_reg_load(b, FIELD_NW_ECN, ecn);
    } else if (v == OF11) {
        act_put_u8(b, ACT_FORM_OF11_SET_NW_ECN, ecn);
    } else {
        act_put_set_field_u64(b, v, FIELD_NW_ECN, ecn);
    }
}

static void
set_ip_ecn_format(struct act_writer *w, const struct act *act)
{
    str_putf(w->s, "mod_nw_ecn:%u", ((const struct act_set_ip_ecn *) act)->ecn);
}

static struct error *
set_ip_ecn_parse(struct act_parser *p, const char *keyword UNUSED, char *arg)
{
    struct act_set_ip_ecn *a = act_put(p->out, ACT_SET_IP_ECN, sizeof *a);
    struct error *e = act_parse_u8(arg, "ECN", &a->ecn);

    return !e && a->ecn & ~3 ? error_new("%s: not a valid ECN", arg) : e;
}

static enum ofperr
set_ip_ecn_check(struct act *act UNUSED, struct act_check *c)
{
    return check_ip(c);
}

const struct act_ops act_set_ip_ecn_ops = {
    .decode = set_ip_ecn_decode, .encode = set_ip_ecn_encode, .format = set_ip_ecn_format,
    .parse = set_ip_ecn_parse, .check = set_ip_ecn_check,
};

/* Time to live. */

static enum ofperr
set_ip_ttl_decode(const struct act_wire *w, struct act_buf *out)
{
    struct act_set_ip_ttl *a = act_put(out, ACT_SET_IP_TTL, sizeof *a);

    a->ttl = w->data[4];
    return OFPERR_NONE;
}

static void
set_ip_ttl_encode(const struct act *act, enum of_version v, struct bytes *b)
{
    uint8_t ttl = ((const struct act_set_ip_ttl *) act)->ttl;

    if (v == OF10) {
        act_put_reg_load(b, FIELD_NW_TTL, ttl);
    } else {
        act_put_u8(b, ACT_FORM_OF11_SET_NW_TTL, ttl);
    }
}

static void
set_ip_ttl_format(struct act_writer *w, const struct act *act)
{
    str_putf(w->s, "mod_nw_ttl:%u", ((const struct act_set_ip_ttl *) act)->ttl);
}

static struct error *
set_ip_ttl_parse(struct act_parser *p, const char *keyword UNUSED, char *arg)
{
    struct act_set_ip_ttl *a = act_put(p->out, ACT_SET_IP_TTL, sizeof *a);

    return act_parse_u8(arg, "TTL", &a->ttl);
}

static enum ofperr
set_ip_ttl_check(struct act *act UNUSED, struct act_check *c)
{
    return check_ip(c);
}

const struct act_ops act_set_ip_ttl_ops = {
    .decode = set_ip_ttl_decode, .encode = set_ip_ttl_encode, .format = set_ip_ttl_format,
    .parse = set_ip_ttl_parse, .check = set_ip_ttl_check,
};

/* Decrement, with the controllers to tell if that ends the packet's life. */

static struct act_dec_ttl *
put_dec_ttl(struct act_buf *out, unsigned int n)
{
    struct act_dec_ttl *a = act_put(out, ACT_DEC_TTL, sizeof *a + n * sizeof a->ids[0]);

    a->n_ids = n;
    return a;
}

static enum ofperr
dec_ttl_decode(const struct act_wire *w, struct act_buf *out)
{
    struct act_dec_ttl *a;
    unsigned int n;

    if (w->form != ACT_FORM_NX_DEC_TTL_CNT_IDS) {
        put_dec_ttl(out, 1);
        return OFPERR_NONE;
    }
    n = act_be16(w, 10);
    if (act_zero(w, 12, 4)) {
        return OFPERR_NXBRC_MUST_BE_ZERO;
    }
    if (w->len < 16 + 2 * n) {
        return OFPERR_OFPBAC_BAD_LEN;
    }
    a = put_dec_ttl(out, n);
    a->act.form = w->form;
    for (unsigned int i = 0; i < n; i++) {
        a->ids[i] = act_be16(w, 16 + 2 * i);
    }
    return OFPERR_NONE;
}

static bool
has_ids(const struct act_dec_ttl *a)
{
    return a->act.form == ACT_FORM_NX_DEC_TTL_CNT_IDS || a->n_ids > 1 || (a->n_ids && a->ids[0]);
}

static void
dec_ttl_encode(const struct act *act, enum of_version v, struct bytes *b)
{
    const struct act_dec_ttl *a = (const struct act_dec_ttl *) act;
    size_t start;

    if (!has_ids(a)) {
        act_put_plain(b, v == OF10 ? ACT_FORM_NX_DEC_TTL : ACT_FORM_OF11_DEC_NW_TTL);
        return;
    }
    start = act_begin(b, ACT_FORM_NX_DEC_TTL_CNT_IDS);
    bytes_put_be16(b, a->n_ids);
    bytes_put_zeros(b, 4);
    for (unsigned int i = 0; i < a->n_ids; i++) {
        bytes_put_be16(b, a->ids[i]);
    }
    act_end(b, start);
}

static void
dec_ttl_format(struct act_writer *w, const struct act *act)
{
    const struct act_dec_ttl *a = (const struct act_dec_ttl *) act;

    str_puts(w->s, "dec_ttl");
    if (has_ids(a)) {
        str_putc(w->s, '(');
        for (unsigned int i = 0; i < a->n_ids; i++) {
            str_putf(w->s, "%s%u", i ? "," : "", a->ids[i]);
        }
        str_putc(w->s, ')');
    }
}

static struct error *
dec_ttl_parse(struct act_parser *p, const char *keyword UNUSED, char *arg)
{
    struct act_dec_ttl *a;
    size_t ofs;
    char *id;

    if (!*arg) {
        put_dec_ttl(p->out, 1);
        return NULL;
    }
    ofs = act_open(p->out, ACT_DEC_TTL, sizeof *a);
    while ((id = strsep(&arg, ", "))) {
        if (*id) {
            act_grow(p->out, ofs, sizeof a->ids[0]);
            a = act_at(p->out, ofs);
            a->ids[a->n_ids++] = strtoul(id, NULL, 10);
        }
    }
    a = act_at(p->out, ofs);
    a->act.form = ACT_FORM_NX_DEC_TTL_CNT_IDS;
    return a->n_ids ? NULL : error_new("dec_ttl_cnt_ids: expected at least one controller id.");
}

static enum ofperr
dec_ttl_check(struct act *act UNUSED, struct act_check *c)
{
    return check_ip(c);
}

const struct act_ops act_dec_ttl_ops = {
    .decode = dec_ttl_decode, .encode = dec_ttl_encode, .format = dec_ttl_format, .parse = dec_ttl_parse,
    .check = dec_ttl_check,
    .uses_origin = act_always_uses_origin,
};
