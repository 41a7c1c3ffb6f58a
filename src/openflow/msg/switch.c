#include "openflow/msg/switch.h"

#include <string.h>
#include <strings.h>

#define WIRE_STP (1u << 3)
#define WIRE_FRAGS 3
#define WIRE_INVALID_TTL 4

/* The capability bits that each version has. */
static uint32_t
capabilities_of(enum of_version v)
{
    uint32_t bits = CAP_FLOW_STATS | CAP_TABLE_STATS | CAP_PORT_STATS | CAP_IP_REASM | CAP_QUEUE_STATS;

    if (v <= OF11) {
        bits |= CAP_ARP_MATCH_IP;
    }
    if (v >= OF12) {
        bits |= CAP_PORT_BLOCKED;
    }
    if (v >= OF14) {
        bits |= CAP_BUNDLES | CAP_FLOW_MONITORING;
    }
    return bits | (v == OF10 ? CAP_STP : CAP_GROUP_STATS);
}

enum ofperr
switch_features_decode(const struct msg *m, struct switch_features *f, struct cursor *ports)
{
    const uint8_t *p = m->body.at;
    uint32_t wire = get_be32(p + 16);

    f->datapath_id = get_be64(p);
    f->n_buffers = get_be32(p + 8);
    f->n_tables = p[12];
    f->auxiliary_id = m->version >= OF13 ? p[13] : 0;
    f->capabilities = wire & capabilities_of(m->version);
    if (m->version == OF10 && wire & WIRE_STP) {
        f->capabilities |= CAP_STP;
    }
    f->actions = m->version == OF10 ? get_be32(p + 20) : 0;
    *ports = m->body;
    (void) cursor_take(ports, 24);
    return OFPERR_NONE;
}

size_t
switch_features_start(struct bytes *b, const struct msg *request, const struct switch_features *f)
{
    size_t start = msg_start_reply(b, MSG_FEATURES_REPLY, request);
    enum of_version v = request->version;
    uint32_t wire = f->capabilities & capabilities_of(v) & ~CAP_STP;

    if (v == OF10 && f->capabilities & CAP_STP) {
        wire |= WIRE_STP;
    }
    bytes_put_be64(b, f->datapath_id);
    bytes_put_be32(b, f->n_buffers);
    bytes_put_u8(b, f->n_tables);
    bytes_put_u8(b, v >= OF13 ? f->auxiliary_id : 0);
    bytes_put_zeros(b, 2);
    bytes_put_be32(b, wire);
    bytes_put_be32(b, v == OF10 ? f->actions : 0);
    return start;
}

static const char *const frag_names[] = { "normal", "drop", "reassemble", "nx-match" };

const char *
frag_mode_name(enum frag_mode mode)
{
    return frag_names[mode];
}

bool
frag_mode_parse(const char *text, enum frag_mode *mode)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(frag_names); i++) {
        if (!strcasecmp(text, frag_names[i])) {
            *mode = i;
            return true;
        }
    }
    return false;
}

void
frag_modes_put_choice(struct str *s)
{
    str_put_words(s, frag_names, ARRAY_SIZE(frag_names));
}

/* invalid_ttl_to_controller is in 1.1 and 1.2, and an extension of 1.0. */
enum ofperr
switch_config_decode(const struct msg *m, struct switch_config *c)
{
    uint16_t flags = get_be16(m->body.at);
    bool has_ttl = m->version < OF13;

    if (flags & ~(WIRE_FRAGS | (has_ttl ? WIRE_INVALID_TTL : 0))) {
        return OFPERR_OFPSCFC_BAD_FLAGS;
    }
    c->frags = flags & WIRE_FRAGS;
    c->invalid_ttl_to_controller = has_ttl ? (flags & WIRE_INVALID_TTL) != 0 : -1;
    c->miss_send_len = get_be16(m->body.at + 2);
    return OFPERR_NONE;
}

void
switch_config_encode(struct bytes *b, enum msg_type type, enum of_version v, uint32_t xid,
                     const struct switch_config *c)
{
    size_t start = msg_start(b, type, v, xid);

    bytes_put_be16(b, c->frags | (c->invalid_ttl_to_controller > 0 && v < OF13 ? WIRE_INVALID_TTL : 0));
    bytes_put_be16(b, c->miss_send_len);
    msg_finish(b, start);
}

/* 'n' is the size of the member, with its terminator. */
static void
take_text(const uint8_t **p, char *text, size_t n)
{
    memcpy(text, *p, n - 1);
    text[n - 1] = '\0';
    *p += n - 1;
}

enum ofperr
switch_desc_decode(const struct msg *m, struct switch_desc *d)
{
    const uint8_t *p = m->body.at;

    take_text(&p, d->mfr, sizeof d->mfr);
    take_text(&p, d->hw, sizeof d->hw);
    take_text(&p, d->sw, sizeof d->sw);
    take_text(&p, d->serial, sizeof d->serial);
    take_text(&p, d->dp, sizeof d->dp);
    return OFPERR_NONE;
}

static void
put_text(struct bytes *b, const char *text, size_t n)
{
    memcpy(bytes_put_zeros(b, n - 1), text, strnlen(text, n - 1));
}

void
switch_desc_encode(struct bytes *b, const struct msg *request, const struct switch_desc *d)
{
    size_t start = msg_start_reply(b, MSG_DESC_REPLY, request);

    put_text(b, d->mfr, sizeof d->mfr);
    put_text(b, d->hw, sizeof d->hw);
    put_text(b, d->sw, sizeof d->sw);
    put_text(b, d->serial, sizeof d->serial);
    put_text(b, d->dp, sizeof d->dp);
    msg_finish(b, start);
}
