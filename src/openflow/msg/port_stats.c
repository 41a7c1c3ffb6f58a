#include <stdlib.h>
#include <string.h>

#include "openflow/msg/port.h"
#include "openflow/msg/prop.h"

#define PROP_ETHERNET 0
#define INTEL_RFC2819 1
#define INTEL_CUSTOM 2
#define N_BASIC 12

static const struct { const char *name; bool is_rx; } rfc2819[PORT_STATS_N_RFC2819] = {
    { "1_to_64_packets", true }, { "65_to_127_packets", true }, { "128_to_255_packets", true },
    { "256_to_511_packets", true }, { "512_to_1023_packets", true }, { "1024_to_1522_packets", true },
    { "1523_to_max_packets", true }, { "1_to_64_packets", false }, { "65_to_127_packets", false },
    { "128_to_255_packets", false }, { "256_to_511_packets", false }, { "512_to_1023_packets", false },
    { "1024_to_1522_packets", false }, { "1523_to_max_packets", false }, { "multicast_packets", false },
    { "broadcast_packets", true }, { "broadcast_packets", false }, { "undersized_errors", true },
    { "oversize_errors", true }, { "rx_fragmented_errors", true }, { "rx_jabber_errors", true },
};

const char *
port_rfc2819_name(unsigned int i, bool *is_rx)
{
    *is_rx = rfc2819[i].is_rx;
    return rfc2819[i].name;
}

/* The twelve counters that every version has, in the order of the wire. */
static const size_t basic[N_BASIC] = {
    offsetof(struct port_stats, rx_packets), offsetof(struct port_stats, tx_packets),
    offsetof(struct port_stats, rx_bytes), offsetof(struct port_stats, tx_bytes),
    offsetof(struct port_stats, rx_dropped), offsetof(struct port_stats, tx_dropped),
    offsetof(struct port_stats, rx_errors), offsetof(struct port_stats, tx_errors),
    offsetof(struct port_stats, rx_frame_errors), offsetof(struct port_stats, rx_over_errors),
    offsetof(struct port_stats, rx_crc_errors), offsetof(struct port_stats, collisions),
};

static uint64_t *
counter(struct port_stats *s, int i)
{
    return (uint64_t *) ((char *) s + basic[i]);
}

void
port_stats_init(struct port_stats *s)
{
    memset(s, 0xff, sizeof *s);
    s->custom = NULL;
    s->n_custom = 0;
}

void
port_stats_uninit(struct port_stats *s)
{
    free(s->custom);
    s->custom = NULL;
    s->n_custom = 0;
}

enum ofperr
port_stats_request_decode(const struct msg *m, ofp_port *port)
{
    if (m->version == OF10) {
        *port = ofp_port_from_u16(get_be16(m->body.at));
        return OFPERR_NONE;
    }
    return ofp_port_from_wire32(get_be32(m->body.at), port);
}

void
port_stats_request_encode(struct bytes *b, enum of_version v, uint32_t xid, ofp_port port)
{
    size_t start = msg_start(b, MSG_PORT_REQUEST, v, xid);

    if (v == OF10) {
        bytes_put_be16(b, ofp_port_to_u16(port));
        bytes_put_zeros(b, 6);
    } else {
        bytes_put_be32(b, ofp_to_u32(port));
        bytes_put_zeros(b, 4);
    }
    msg_finish(b, start);
}

static bool
take_counters(struct cursor *c, struct port_stats *s, int first, int n)
{
    for (int i = first; i < first + n; i++) {
        if (!cursor_take_be64(c, counter(s, i))) {
            return false;
        }
    }
    return true;
}

/* Entries of custom statistics: a name with its length, and a value. */
static enum ofperr
custom_prop(struct cursor c, struct port_stats *s)
{
    uint16_t n;

    if (s->custom) {
        return OFPERR_OFPBPC_DUP_TYPE;
    }
    if (!cursor_take(&c, 2) || !cursor_take_be16(&c, &n)) {
        return OFPERR_OFPBPC_BAD_LEN;
    }
    s->custom = xcalloc(MAX(n, 1), sizeof *s->custom);
    for (unsigned int i = 0; i < n; i++) {
        struct port_custom_stat *custom = &s->custom[i];
        const uint8_t *name;
        uint8_t len;

        if (!cursor_take_u8(&c, &len) || !(name = cursor_take(&c, len)) || !cursor_take_be64(&c, &custom->value)) {
            return OFPERR_OFPBPC_BAD_LEN;
        }
        memcpy(custom->name, name, MIN(len, sizeof custom->name - 1));
        s->n_custom++;
    }
    return OFPERR_NONE;
}

static enum ofperr
stats_prop(struct prop *prop, struct port_stats *s)
{
    if (prop->type == PROP_ETHERNET) {
        return cursor_take(&prop->body, 4) && take_counters(&prop->body, s, 8, 4) && !prop->body.left
               ? OFPERR_NONE : OFPERR_OFPBPC_BAD_LEN;
    }
    if (prop->vendor == OF_VENDOR_INTEL && prop->subtype == INTEL_RFC2819) {
        if (!cursor_take(&prop->body, 4) || prop->body.left != sizeof s->rfc2819) {
            return OFPERR_OFPBPC_BAD_LEN;
        }
        for (int i = 0; i < PORT_STATS_N_RFC2819; i++) {
            s->rfc2819[i] = get_be64(prop->body.at + 8 * i);
        }
    } else if (prop->vendor == OF_VENDOR_INTEL && prop->subtype == INTEL_CUSTOM) {
        return custom_prop(prop->body, s);
    }
    return OFPERR_NONE; /* Replies may hold what we do not know. */
}

static enum ofperr
stats_take_of14(struct cursor *c, struct port_stats *s)
{
    const uint8_t *p = c->at;
    struct cursor e;
    enum ofperr error;

    if (c->left < 80 || get_be16(p) < 80 || !cursor_take_sub(c, get_be16(p), &e)) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    error = ofp_port_from_wire32(get_be32(p + 4), &s->port);
    s->duration_sec = get_be32(p + 8);
    s->duration_nsec = get_be32(p + 12);
    (void) cursor_take(&e, 16);
    (void) take_counters(&e, s, 0, 8);
    while (!error && e.left) {
        struct prop prop;

        error = prop_take(&e, &prop);
        if (!error) {
            error = stats_prop(&prop, s);
        }
    }
    return error;
}

enum ofperr
port_stats_take(struct cursor *c, enum of_version v, struct port_stats *s)
{
    const uint8_t *p;
    enum ofperr error = OFPERR_NONE;

    port_stats_init(s);
    if (v >= OF14) {
        return stats_take_of14(c, s);
    }
    p = cursor_take(c, 8);
    if (!p || !take_counters(c, s, 0, N_BASIC)) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    if (v == OF10) {
        s->port = ofp_port_from_u16(get_be16(p));
    } else {
        error = ofp_port_from_wire32(get_be32(p), &s->port);
    }
    if (v == OF13 && (!cursor_take_be32(c, &s->duration_sec) || !cursor_take_be32(c, &s->duration_nsec))) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    return error;
}

static void
put_counters(struct bytes *b, const struct port_stats *s, int first, int n)
{
    for (int i = first; i < first + n; i++) {
        bytes_put_be64(b, *counter((struct port_stats *) s, i));
    }
}

static void
put_extension_props(struct bytes *b, const struct port_stats *s)
{
    size_t at = prop_start_vendor(b, OF_VENDOR_INTEL, INTEL_RFC2819);

    bytes_put_zeros(b, 4);
    for (int i = 0; i < PORT_STATS_N_RFC2819; i++) {
        bytes_put_be64(b, s->rfc2819[i]);
    }
    prop_end(b, at);
    if (s->n_custom) {
        at = prop_start_vendor(b, OF_VENDOR_INTEL, INTEL_CUSTOM);
        bytes_put_zeros(b, 2);
        bytes_put_be16(b, s->n_custom);
        for (size_t i = 0; i < s->n_custom; i++) {
            bytes_put_u8(b, strlen(s->custom[i].name));
            bytes_put(b, s->custom[i].name, strlen(s->custom[i].name));
            bytes_put_be64(b, s->custom[i].value);
        }
        prop_end(b, at);
    }
}

static void
stats_put_of14(struct bytes *b, const struct port_stats *s)
{
    size_t start = b->len, eth;

    bytes_put_zeros(b, 4);
    bytes_put_be32(b, ofp_to_u32(s->port));
    bytes_put_be32(b, s->duration_sec);
    bytes_put_be32(b, s->duration_nsec);
    put_counters(b, s, 0, 8);
    eth = prop_start(b, PROP_ETHERNET);
    bytes_put_zeros(b, 4);
    put_counters(b, s, 8, 4);
    prop_end(b, eth);
    put_extension_props(b, s);
    put_be16(b->data + start, b->len - start);
}

void
port_stats_put(struct bytes *b, enum of_version v, const struct port_stats *s)
{
    if (v >= OF14) {
        stats_put_of14(b, s);
        return;
    }
    if (v == OF10) {
        bytes_put_be16(b, ofp_port_to_u16(s->port));
        bytes_put_zeros(b, 6);
    } else {
        bytes_put_be32(b, ofp_to_u32(s->port));
        bytes_put_zeros(b, 4);
    }
    put_counters(b, s, 0, N_BASIC);
    if (v == OF13) {
        bytes_put_be32(b, s->duration_sec);
        bytes_put_be32(b, s->duration_nsec);
    }
}
