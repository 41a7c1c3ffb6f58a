#include "openflow/msg/queue.h"

#include <string.h>

#include "openflow/msg/prop.h"

#define PROP_MIN_RATE 1
#define PROP_MAX_RATE 2

static enum ofperr
take_port(const uint8_t *p, enum of_version v, ofp_port *port)
{
    if (v == OF10) {
        *port = ofp_port_from_u16(get_be16(p));
        return OFPERR_NONE;
    }
    return ofp_port_from_wire32(get_be32(p), port);
}

enum ofperr
queue_stats_request_decode(const struct msg *m, struct queue_request *r)
{
    enum ofperr error = take_port(m->body.at, m->version, &r->port);

    r->queue = get_be32(m->body.at + 4);
    if (r->port == OFPP_ALL && m->version == OF10) {
        r->port = OFPP_NONE; /* How 1.0 says it. */
    }
    return error;
}

void
queue_stats_request_encode(struct bytes *b, enum of_version v, uint32_t xid, const struct queue_request *r)
{
    size_t start = msg_start(b, MSG_QUEUE_REQUEST, v, xid);

    if (v == OF10) {
        bytes_put_be16(b, ofp_port_to_u16(r->port == OFPP_NONE ? OFPP_ALL : r->port));
        bytes_put_zeros(b, 2);
    } else {
        bytes_put_be32(b, ofp_to_u32(r->port));
    }
    bytes_put_be32(b, r->queue);
    msg_finish(b, start);
}

static size_t
stats_len(enum of_version v)
{
    return v < OF13 ? 32 : v == OF13 ? 40 : 48;
}

enum ofperr
queue_stats_take(struct cursor *c, enum of_version v, struct queue_stats *s)
{
    const uint8_t *p;
    size_t len = stats_len(v);

    memset(s, 0xff, sizeof *s);
    if (v >= OF14) {
        if (c->left < len || get_be16(c->at) < len) {
            return OFPERR_OFPBRC_BAD_LEN;
        }
        len = get_be16(c->at);
    }
    p = cursor_take(c, len);
    if (!p) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    if (v >= OF14) {
        p += 8;
    }
    s->queue = get_be32(p + 4);
    s->tx_bytes = get_be64(p + 8);
    s->tx_packets = get_be64(p + 16);
    s->tx_errors = get_be64(p + 24);
    if (v >= OF13) {
        s->duration_sec = get_be32(p + 32);
        s->duration_nsec = get_be32(p + 36);
    }
    return take_port(p, v, &s->port);
}

void
queue_stats_put(struct bytes *b, enum of_version v, const struct queue_stats *s)
{
    if (v >= OF14) {
        bytes_put_be16(b, 48);
        bytes_put_zeros(b, 6);
    }
    if (v == OF10) {
        bytes_put_be16(b, ofp_port_to_u16(s->port));
        bytes_put_zeros(b, 2);
    } else {
        bytes_put_be32(b, ofp_to_u32(s->port));
    }
    bytes_put_be32(b, s->queue);
    bytes_put_be64(b, s->tx_bytes);
    bytes_put_be64(b, s->tx_packets);
    bytes_put_be64(b, s->tx_errors);
    if (v >= OF13) {
        bytes_put_be32(b, s->duration_sec);
        bytes_put_be32(b, s->duration_nsec);
    }
}

/* Configuration. */

enum ofperr
queue_config_request_decode(const struct msg *m, struct queue_request *r)
{
    bool is_any = m->version >= OF11 && get_be32(m->body.at) == UINT32_MAX;
    enum ofperr error = take_port(m->body.at, m->version, &r->port);

    r->queue = m->version >= OF14 ? get_be32(m->body.at + 4) : QUEUE_ALL;
    if (!error && m->version < OF14 && !is_any && ofp_to_u32(r->port) >= ofp_to_u32(OFPP_MAX)) {
        return OFPERR_OFPQOFC_BAD_PORT; /* OpenFlow 1.3 §A.3.6: a port, that is no reserved one. */
    }
    return error;
}

void
queue_config_request_encode(struct bytes *b, enum of_version v, uint32_t xid, const struct queue_request *r)
{
    size_t start = msg_start(b, v >= OF14 ? MSG_QUEUE_DESC_REQUEST : MSG_QUEUE_GET_CONFIG_REQUEST, v, xid);

    if (v == OF10) {
        bytes_put_be16(b, ofp_port_to_u16(r->port));
        bytes_put_zeros(b, 2);
    } else {
        bytes_put_be32(b, ofp_to_u32(r->port));
        bytes_put_be32(b, v >= OF14 ? r->queue : 0);
    }
    msg_finish(b, start);
}

enum ofperr
queue_config_reply_begin(const struct msg *m, struct cursor *entries, ofp_port *port)
{
    *entries = m->body;
    *port = OFPP_NONE;
    if (m->version >= OF14) {
        return OFPERR_NONE;
    }
    return take_port(cursor_take(entries, 8), m->version, port);
}

/* Before 1.4 a property has 4 bytes of padding between header and value, and some after it. */
static enum ofperr
config_prop(const struct prop *p, enum of_version v, struct queue_config *q)
{
    struct cursor c = p->body;
    uint16_t rate;

    if (p->type != PROP_MIN_RATE && p->type != PROP_MAX_RATE) {
        return OFPERR_NONE;
    }
    if ((v < OF14 && !cursor_take(&c, 4)) || !cursor_take_be16(&c, &rate)) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    *(p->type == PROP_MIN_RATE ? &q->min_rate : &q->max_rate) = rate;
    return OFPERR_NONE;
}

/* Header of an entry: 1.0 and 1.1 have no port in it. */
static enum ofperr
config_header(struct cursor *c, enum of_version v, struct queue_config *q, struct cursor *props)
{
    size_t header = v < OF12 ? 8 : 16;
    const uint8_t *p = c->at;
    enum ofperr error;
    uint16_t len;

    if (c->left < header) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    if (v < OF12) {
        q->queue = get_be32(p);
        len = get_be16(p + 4);
    } else {
        q->queue = get_be32(v < OF14 ? p : p + 4);
        len = get_be16(p + 8);
        error = ofp_port_from_wire32(get_be32(v < OF14 ? p + 4 : p), &q->port);
        if (error) {
            return error;
        }
    }
    if (len < header || !cursor_take_sub(c, len, props)) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    return cursor_take(props, header) ? OFPERR_NONE : OFPERR_OFPBRC_BAD_LEN;
}

enum ofperr
queue_config_take(struct cursor *c, enum of_version v, struct queue_config *q)
{
    struct cursor props = { NULL, 0 };
    enum ofperr error;

    *q = (struct queue_config) { OFPP_NONE, 0, QUEUE_RATE_UNSET, QUEUE_RATE_UNSET };
    error = config_header(c, v, q, &props);
    while (!error && props.left) {
        struct prop prop;

        error = prop_take(&props, &prop);
        if (!error) {
            error = config_prop(&prop, v, q);
        }
    }
    return error;
}

void
queue_config_reply_start(struct msg_parts *parts, struct bytes *b, const struct msg *request, ofp_port port)
{
    enum of_version v = request->version;

    msg_parts_begin(parts, b, v >= OF14 ? MSG_QUEUE_DESC_REPLY : MSG_QUEUE_GET_CONFIG_REPLY, request);
    if (v == OF10) {
        bytes_put_be16(b, ofp_port_to_u16(port));
        bytes_put_zeros(b, 6);
    } else if (v < OF14) {
        bytes_put_be32(b, ofp_to_u32(port));
        bytes_put_zeros(b, 4);
    }
}

static void
put_rate(struct bytes *b, enum of_version v, uint16_t type, uint16_t rate)
{
    size_t at;

    if (rate == QUEUE_RATE_UNSET) {
        return;
    }
    at = prop_start(b, type);
    if (v < OF14) {
        bytes_put_zeros(b, 4);
    }
    bytes_put_be16(b, rate);
    if (v < OF14) {
        bytes_put_zeros(b, 6);
    } else {
        bytes_put_zeros(b, 2);
    }
    prop_end(b, at);
}

void
queue_config_put(struct bytes *b, enum of_version v, const struct queue_config *q)
{
    size_t start = b->len;
    size_t len_at = v < OF12 ? 4 : 8;

    if (v < OF14) {
        bytes_put_be32(b, q->queue);
    }
    if (v >= OF12) {
        bytes_put_be32(b, ofp_to_u32(q->port));
    }
    if (v >= OF14) {
        bytes_put_be32(b, q->queue);
    }
    bytes_put_zeros(b, v < OF12 ? 4 : 8);
    put_rate(b, v, PROP_MIN_RATE, q->min_rate);
    put_rate(b, v, PROP_MAX_RATE, q->max_rate);
    put_be16(b->data + start + len_at, b->len - start);
}
