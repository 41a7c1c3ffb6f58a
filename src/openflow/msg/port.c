#include "openflow/msg/port.h"

#include <stdlib.h>
#include <string.h>

#include "openflow/msg/prop.h"

#define NAME_WIRE 16
#define PROP_ETHERNET 0

/* Version 1.0 numbers the features from copper on four bits lower. */
static uint32_t
features_from_of10(uint32_t f)
{
    return (f & 0x7f) | (f & 0xf80) << 4;
}

static uint32_t
features_to_of10(uint32_t f)
{
    return (f & 0x7f) | (f >> 4 & 0xf80);
}

uint64_t
port_features_speed(uint32_t f)
{
    static const struct { uint32_t bits; uint64_t mbps; } speeds[] = {
        { PORT_FEATURE_1TB_FD, 1000000 }, { PORT_FEATURE_100GB_FD, 100000 }, { PORT_FEATURE_40GB_FD, 40000 },
        { PORT_FEATURE_10GB_FD, 10000 }, { PORT_FEATURE_1GB_HD | PORT_FEATURE_1GB_FD, 1000 },
        { PORT_FEATURE_100MB_HD | PORT_FEATURE_100MB_FD, 100 }, { PORT_FEATURE_10MB_HD | PORT_FEATURE_10MB_FD, 10 },
    };

    for (size_t i = 0; i < ARRAY_SIZE(speeds); i++) {
        if (f & speeds[i].bits) {
            return speeds[i].mbps;
        }
    }
    return 0;
}

/* Descriptions. */

static void
copy_name(struct port_desc *d, const uint8_t *wire)
{
    memcpy(d->name, wire, NAME_WIRE - 1);
    d->name[NAME_WIRE - 1] = '\0';
}

static enum ofperr
desc_take_of10(struct cursor *c, struct port_desc *d)
{
    const uint8_t *p = cursor_take(c, 48);

    if (!p) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    d->port = ofp_port_from_u16(get_be16(p));
    memcpy(&d->mac, p + 2, 6);
    copy_name(d, p + 8);
    d->config = get_be32(p + 24) & PORT_CONFIG_OF10;
    d->state = get_be32(p + 28) & (PORT_STATE_LINK_DOWN | PORT_STATE_STP_MASK);
    d->curr = features_from_of10(get_be32(p + 32));
    d->advertised = features_from_of10(get_be32(p + 36));
    d->supported = features_from_of10(get_be32(p + 40));
    d->peer = features_from_of10(get_be32(p + 44));
    d->curr_speed = port_features_speed(d->curr) * 1000;
    d->max_speed = port_features_speed(d->supported) * 1000;
    return OFPERR_NONE;
}

static enum ofperr
desc_take_of11(struct cursor *c, struct port_desc *d)
{
    const uint8_t *p = cursor_take(c, 64);

    if (!p) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    memcpy(&d->mac, p + 8, 6);
    copy_name(d, p + 16);
    d->config = get_be32(p + 32) & PORT_CONFIG_OF11;
    d->state = get_be32(p + 36) & PORT_STATE_OF11;
    d->curr = get_be32(p + 40) & PORT_FEATURE_ALL;
    d->advertised = get_be32(p + 44) & PORT_FEATURE_ALL;
    d->supported = get_be32(p + 48) & PORT_FEATURE_ALL;
    d->peer = get_be32(p + 52) & PORT_FEATURE_ALL;
    d->curr_speed = get_be32(p + 56);
    d->max_speed = get_be32(p + 60);
    return ofp_port_from_wire32(get_be32(p), &d->port);
}

static enum ofperr
ethernet_prop(const struct prop *prop, struct port_desc *d)
{
    const uint8_t *p = prop->body.at;

    if (prop->body.left != 28) {
        return OFPERR_OFPBPC_BAD_LEN;
    }
    d->curr = get_be32(p + 4) & PORT_FEATURE_ALL;
    d->advertised = get_be32(p + 8) & PORT_FEATURE_ALL;
    d->supported = get_be32(p + 12) & PORT_FEATURE_ALL;
    d->peer = get_be32(p + 16) & PORT_FEATURE_ALL;
    d->curr_speed = get_be32(p + 20);
    d->max_speed = get_be32(p + 24);
    return OFPERR_NONE;
}

static enum ofperr
desc_take_of14(struct cursor *c, struct port_desc *d)
{
    const uint8_t *p = c->at;
    struct cursor props;
    enum ofperr error;

    if (c->left < 40 || get_be16(p + 4) < 40 || !cursor_take_sub(c, get_be16(p + 4), &props)) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    memcpy(&d->mac, p + 8, 6);
    copy_name(d, p + 16);
    d->config = get_be32(p + 32) & PORT_CONFIG_OF11;
    d->state = get_be32(p + 36) & PORT_STATE_OF11;
    error = ofp_port_from_wire32(get_be32(p), &d->port);
    (void) cursor_take(&props, 40);
    while (!error && props.left) {
        struct prop prop;

        error = prop_take(&props, &prop);
        if (!error && prop.type == PROP_ETHERNET) {
            error = ethernet_prop(&prop, d);
        }
    }
    return error;
}

enum ofperr
port_desc_take(struct cursor *c, enum of_version v, struct port_desc *d)
{
    memset(d, 0, sizeof *d);
    return v == OF10 ? desc_take_of10(c, d) : v < OF14 ? desc_take_of11(c, d) : desc_take_of14(c, d);
}

static void
put_name(struct bytes *b, const char *name)
{
    char *wire = bytes_put_zeros(b, NAME_WIRE);

    str_copy_cut(wire, name, NAME_WIRE);
}

static void
put_be32s(struct bytes *b, const uint32_t *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bytes_put_be32(b, v[i]);
    }
}

static void
desc_put_of10(struct bytes *b, const struct port_desc *d)
{
    bytes_put_be16(b, ofp_port_to_u16(d->port));
    bytes_put(b, &d->mac, 6);
    put_name(b, d->name);
    put_be32s(b, (uint32_t[]) { d->config & PORT_CONFIG_OF10, d->state & (PORT_STATE_LINK_DOWN | PORT_STATE_STP_MASK),
                                features_to_of10(d->curr), features_to_of10(d->advertised),
                                features_to_of10(d->supported), features_to_of10(d->peer) }, 6);
}

static void
desc_put_of11(struct bytes *b, const struct port_desc *d)
{
    bytes_put_be32(b, ofp_to_u32(d->port));
    bytes_put_zeros(b, 4);
    bytes_put(b, &d->mac, 6);
    bytes_put_zeros(b, 2);
    put_name(b, d->name);
    put_be32s(b, (uint32_t[]) { d->config & PORT_CONFIG_OF11, d->state & PORT_STATE_OF11, d->curr, d->advertised,
                                d->supported, d->peer, d->curr_speed, d->max_speed }, 8);
}

static void
desc_put_of14(struct bytes *b, const struct port_desc *d)
{
    bytes_put_be32(b, ofp_to_u32(d->port));
    bytes_put_be16(b, 72);
    bytes_put_zeros(b, 2);
    bytes_put(b, &d->mac, 6);
    bytes_put_zeros(b, 2);
    put_name(b, d->name);
    put_be32s(b, (uint32_t[]) { d->config & PORT_CONFIG_OF11, d->state & PORT_STATE_OF11,
                                PROP_ETHERNET << 16 | 32, 0, d->curr, d->advertised, d->supported, d->peer,
                                d->curr_speed, d->max_speed }, 10);
}

void
port_desc_put(struct bytes *b, enum of_version v, const struct port_desc *d)
{
    if (v == OF10) {
        desc_put_of10(b, d);
    } else if (v < OF14) {
        desc_put_of11(b, d);
    } else {
        desc_put_of14(b, d);
    }
}

enum ofperr
port_desc_request_decode(const struct msg *m, ofp_port *port)
{
    *port = OFPP_NONE;
    return m->version < OF15 ? OFPERR_NONE : ofp_port_from_wire32(get_be32(m->body.at), port);
}

void
port_desc_request_encode(struct bytes *b, enum of_version v, uint32_t xid, ofp_port port)
{
    size_t start = msg_start(b, MSG_PORT_DESC_REQUEST, v, xid);

    if (v >= OF15) {
        bytes_put_be32(b, ofp_to_u32(port));
        bytes_put_zeros(b, 4);
    }
    msg_finish(b, start);
}

/* Status. */

enum ofperr
port_status_decode(const struct msg *m, struct port_status *s)
{
    struct cursor c = m->body;
    const uint8_t *p = cursor_take(&c, 8);

    if (!p) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    if (p[0] > PORT_MODIFIED) {
        return OFPERR_NXBRC_BAD_REASON;
    }
    s->reason = p[0];
    return port_desc_take(&c, m->version, &s->desc);
}

void
port_status_encode(struct bytes *b, enum of_version v, const struct port_status *s)
{
    size_t start = msg_start(b, MSG_PORT_STATUS, v, 0);

    bytes_put_u8(b, s->reason);
    bytes_put_zeros(b, 7);
    port_desc_put(b, v, &s->desc);
    msg_finish(b, start);
}

/* Modification. */

static enum ofperr
port_mod_props(struct cursor *c, bool loose, struct port_mod *pm)
{
    while (c->left) {
        struct prop prop;
        enum ofperr error = prop_take(c, &prop);

        if (!error && prop.type == PROP_ETHERNET) {
            error = prop_be32(&prop, &pm->advertise);
        } else if (!error && !loose) {
            error = prop_unknown(&prop);
        }
        if (error) {
            return error;
        }
    }
    return OFPERR_NONE;
}

enum ofperr
port_mod_decode(const struct msg *m, bool loose, struct port_mod *pm)
{
    const uint8_t *p = m->body.at;
    struct cursor props = cursor_make(p + 24, m->body.left - 24);
    enum ofperr error;

    *pm = (struct port_mod) { .port = OFPP_NONE };
    if (m->version == OF10) {
        pm->port = ofp_port_from_u16(get_be16(p));
        memcpy(&pm->mac, p + 2, 6);
        pm->config = get_be32(p + 8) & PORT_CONFIG_OF10;
        pm->mask = get_be32(p + 12) & PORT_CONFIG_OF10;
        pm->advertise = features_from_of10(get_be32(p + 16));
        return OFPERR_NONE;
    }
    error = ofp_port_from_wire32(get_be32(p), &pm->port);
    memcpy(&pm->mac, p + 8, 6);
    pm->config = get_be32(p + 16) & PORT_CONFIG_OF11;
    pm->mask = get_be32(p + 20) & PORT_CONFIG_OF11;
    if (error) {
        return error;
    }
    if (m->version < OF14) {
        pm->advertise = get_be32(p + 24) & PORT_FEATURE_ALL;
        return OFPERR_NONE;
    }
    error = port_mod_props(&props, loose, pm);
    pm->advertise &= PORT_FEATURE_ALL;
    return error;
}

void
port_mod_encode(struct bytes *b, enum of_version v, uint32_t xid, const struct port_mod *pm)
{
    size_t start = msg_start(b, MSG_PORT_MOD, v, xid);
    uint32_t bits = v == OF10 ? PORT_CONFIG_OF10 : PORT_CONFIG_OF11;

    if (v == OF10) {
        bytes_put_be16(b, ofp_port_to_u16(pm->port));
        bytes_put(b, &pm->mac, 6);
    } else {
        bytes_put_be32(b, ofp_to_u32(pm->port));
        bytes_put_zeros(b, 4);
        bytes_put(b, &pm->mac, 6);
        bytes_put_zeros(b, 2);
    }
    bytes_put_be32(b, pm->config & bits);
    bytes_put_be32(b, pm->mask & bits);
    if (v >= OF14) {
        if (pm->advertise) {
            prop_put_be32(b, PROP_ETHERNET, pm->advertise);
        }
    } else {
        bytes_put_be32(b, v == OF10 ? features_to_of10(pm->advertise) : pm->advertise);
        bytes_put_zeros(b, 4);
    }
    msg_finish(b, start);
}
