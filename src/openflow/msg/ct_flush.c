#include "openflow/msg/ct_flush.h"

#include <string.h>

#include "openflow/msg/prop.h"

enum { PROP_ORIG, PROP_REPLY, PROP_ZONE, PROP_MARK, PROP_MARK_MASK, PROP_LABELS, PROP_LABELS_MASK };
enum { TUPLE_SRC, TUPLE_DST, TUPLE_SRC_PORT, TUPLE_DST_PORT, TUPLE_ICMP_ID, TUPLE_ICMP_TYPE, TUPLE_ICMP_CODE };

#define PROTO_ICMP 1
#define PROTO_ICMPV6 58

static bool
is_ipv4(const struct ipv6_addr *ip)
{
    return ip->s6[10] == 0xff && ip->s6[11] == 0xff && is_all_zeros(ip, 10);
}

/* What stands first in the property; as in the reference, more may follow. */
static enum ofperr
prop_bytes(const struct prop *p, void *to, size_t n)
{
    if (p->body.left < n) {
        return OFPERR_OFPBPC_BAD_LEN;
    }
    memcpy(to, p->body.at, n);
    return OFPERR_NONE;
}

static enum ofperr
first_be16(const struct prop *p, uint16_t *v)
{
    struct cursor c = p->body;

    return cursor_take_be16(&c, v) ? OFPERR_NONE : OFPERR_OFPBPC_BAD_LEN;
}

static enum ofperr
tuple_prop(const struct prop *p, struct ct_flush_tuple *t)
{
    switch (p->type) {
    case TUPLE_SRC: return prop_bytes(p, &t->src, sizeof t->src);
    case TUPLE_DST: return prop_bytes(p, &t->dst, sizeof t->dst);
    case TUPLE_SRC_PORT: return first_be16(p, &t->src_port);
    case TUPLE_DST_PORT: return first_be16(p, &t->dst_port);
    case TUPLE_ICMP_ID: return first_be16(p, &t->icmp_id);
    case TUPLE_ICMP_TYPE: return prop_bytes(p, &t->icmp_type, 1);
    case TUPLE_ICMP_CODE: return prop_bytes(p, &t->icmp_code, 1);
    }
    return prop_unknown(p);
}

/* Both addresses, where both are given, are of one family. */
static bool
families_agree(const struct ct_flush_tuple *t)
{
    return is_all_zeros(&t->src, sizeof t->src) || is_all_zeros(&t->dst, sizeof t->dst) ||
           is_ipv4(&t->src) == is_ipv4(&t->dst);
}

static enum ofperr
decode_tuple(const struct prop *p, struct ct_flush_tuple *t)
{
    struct cursor c = p->body;

    if (!cursor_take(&c, 4)) {
        return OFPERR_OFPBPC_BAD_LEN;
    }
    while (c.left) {
        struct prop inner;
        enum ofperr error = prop_take(&c, &inner);

        if (!error) {
            error = tuple_prop(&inner, t);
        }
        if (error) {
            return error;
        }
    }
    return families_agree(t) ? OFPERR_NONE : OFPERR_OFPBPC_BAD_VALUE;
}

static enum ofperr
flush_prop(const struct prop *p, struct ct_flush *f, bool *has_mark_mask, bool *has_labels_mask)
{
    switch (p->type) {
    case PROP_ORIG: return decode_tuple(p, &f->orig);
    case PROP_REPLY: return decode_tuple(p, &f->reply);
    case PROP_ZONE: f->has_zone = true; return first_be16(p, &f->zone);
    case PROP_MARK:
        f->mark_mask = *has_mark_mask ? f->mark_mask : UINT32_MAX;
        return prop_be32(p, &f->mark);
    case PROP_MARK_MASK: *has_mark_mask = true; return prop_be32(p, &f->mark_mask);
    case PROP_LABELS:
        if (!*has_labels_mask) {
            memset(f->labels_mask, 0xff, sizeof f->labels_mask);
        }
        return prop_bytes(p, f->labels, sizeof f->labels);
    case PROP_LABELS_MASK: *has_labels_mask = true; return prop_bytes(p, f->labels_mask, sizeof f->labels_mask);
    }
    return prop_unknown(p);
}

enum ofperr
ct_flush_decode(const struct msg *m, struct ct_flush *f)
{
    struct cursor c = m->body;
    const uint8_t *p = cursor_take(&c, 8);
    bool has_mark_mask = false, has_labels_mask = false;

    memset(f, 0, sizeof *f);
    if (!is_all_zeros(p + 1, 7)) {
        return OFPERR_NXBRC_MUST_BE_ZERO;
    }
    f->ip_proto = p[0];
    while (c.left) {
        struct prop prop;
        enum ofperr error = prop_take(&c, &prop);

        if (!error) {
            error = flush_prop(&prop, f, &has_mark_mask, &has_labels_mask);
        }
        if (error) {
            return error;
        }
    }
    return OFPERR_NONE;
}

static bool
is_icmp(uint8_t proto)
{
    return proto == PROTO_ICMP || proto == PROTO_ICMPV6;
}

static void
put_tuple(struct bytes *b, uint16_t type, const struct ct_flush_tuple *t, uint8_t proto)
{
    size_t start, head;

    if (is_all_zeros(t, sizeof *t)) {
        return;
    }
    start = prop_start(b, type);
    bytes_put_zeros(b, 4);
    head = b->len;
    if (!is_all_zeros(&t->src, sizeof t->src)) {
        prop_put(b, TUPLE_SRC, &t->src, sizeof t->src);
    }
    if (!is_all_zeros(&t->dst, sizeof t->dst)) {
        prop_put(b, TUPLE_DST, &t->dst, sizeof t->dst);
    }
    if (is_icmp(proto)) {
        prop_put_be16(b, TUPLE_ICMP_ID, t->icmp_id);
        prop_put_u8(b, TUPLE_ICMP_TYPE, t->icmp_type);
        prop_put_u8(b, TUPLE_ICMP_CODE, t->icmp_code);
    } else {
        if (t->src_port) {
            prop_put_be16(b, TUPLE_SRC_PORT, t->src_port);
        }
        if (t->dst_port) {
            prop_put_be16(b, TUPLE_DST_PORT, t->dst_port);
        }
    }
    if (b->len == head) {
        bytes_truncate(b, start); /* It has nothing but what other protocols have. */
        return;
    }
    prop_end(b, start);
}

void
ct_flush_encode(struct bytes *b, enum of_version v, uint32_t xid, const struct ct_flush *f)
{
    size_t start = msg_start(b, MSG_CT_FLUSH, v, xid);

    bytes_put_u8(b, f->ip_proto);
    bytes_put_zeros(b, 7);
    put_tuple(b, PROP_ORIG, &f->orig, f->ip_proto);
    put_tuple(b, PROP_REPLY, &f->reply, f->ip_proto);
    if (f->has_zone) {
        prop_put_be16(b, PROP_ZONE, f->zone);
    }
    if (f->mark_mask) {
        prop_put_be32(b, PROP_MARK, f->mark);
        if (f->mark_mask != UINT32_MAX) {
            prop_put_be32(b, PROP_MARK_MASK, f->mark_mask);
        }
    }
    if (!is_all_zeros(f->labels_mask, 16)) {
        prop_put(b, PROP_LABELS, f->labels, 16);
        if (!is_all_ones(f->labels_mask, 16)) {
            prop_put(b, PROP_LABELS_MASK, f->labels_mask, 16);
        }
    }
    msg_finish(b, start);
}

enum ofperr
ct_flush_zone_decode(const struct msg *m, uint16_t *zone)
{
    *zone = get_be16(m->body.at + 6);
    return is_all_zeros(m->body.at, 6) ? OFPERR_NONE : OFPERR_NXBRC_MUST_BE_ZERO;
}

void
ct_flush_zone_encode(struct bytes *b, enum of_version v, uint32_t xid, uint16_t zone)
{
    size_t start = msg_start(b, MSG_CT_FLUSH_ZONE, v, xid);

    bytes_put_zeros(b, 6);
    bytes_put_be16(b, zone);
    msg_finish(b, start);
}

/* Text. */

static void
put_address(struct str *s, const struct ipv6_addr *ip)
{
    static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

    if (!memcmp(ip, mapped, sizeof mapped)) {
        str_putf(s, "%u.%u.%u.%u", ip->s6[12], ip->s6[13], ip->s6[14], ip->s6[15]);
    } else {
        ipv6_put(s, ip);
    }
}

static void
put_tuple_text(struct str *s, const struct ct_flush *f, const struct ct_flush_tuple *t, bool ipv4)
{
    const char *prefix = ipv4 ? "ct_nw_" : "ct_ipv6_";

    str_putf(s, "%ssrc=", prefix);
    put_address(s, &t->src);
    str_putf(s, ",%sdst=", prefix);
    put_address(s, &t->dst);
    if (is_icmp(f->ip_proto)) {
        str_putf(s, ",icmp_id=%u,icmp_type=%u,icmp_code=%u", t->icmp_id, t->icmp_type, t->icmp_code);
    } else {
        str_putf(s, ",ct_tp_src=%u,ct_tp_dst=%u", t->src_port, t->dst_port);
    }
}

void
ct_flush_put(struct str *s, const struct ct_flush *f)
{
    bool ipv4 = is_ipv4(&f->orig.src) || is_ipv4(&f->orig.dst) || is_ipv4(&f->reply.src) || is_ipv4(&f->reply.dst);

    str_putf(s, "zone=%u", f->zone);
    if (f->mark_mask) {
        str_putf(s, " mark=%#x", f->mark);
        if (f->mark_mask != UINT32_MAX) {
            str_putf(s, "/%#x", f->mark_mask);
        }
    }
    if (!is_all_zeros(f->labels_mask, 16)) {
        str_puts(s, " labels=0x");
        str_put_hex(s, f->labels, 16);
        if (!is_all_ones(f->labels_mask, 16)) {
            str_puts(s, "/0x");
            str_put_hex(s, f->labels_mask, 16);
        }
    }
    str_puts(s, " '");
    put_tuple_text(s, f, &f->orig, ipv4);
    str_putf(s, ",ct_nw_proto=%u' '", f->ip_proto);
    put_tuple_text(s, f, &f->reply, ipv4);
    str_putc(s, '\'');
}
