#include "openflow/msg/control.h"

#include <strings.h>

#include "openflow/protocol.h"

static const char *const role_names[] = { "nochange", "equal", "primary", "secondary" };

const char *
of_role_name(enum of_role role)
{
    return role_names[role];
}

enum ofperr
role_decode(const struct msg *m, struct role_msg *r)
{
    uint32_t wire = get_be32(m->body.at);

    *r = (struct role_msg) { .role = ROLE_NOCHANGE };
    if (m->wire->class == CLASS_NXT) {
        if (wire > 2) {
            return OFPERR_OFPRRFC_BAD_ROLE;
        }
        r->role = ROLE_EQUAL + wire;
        return OFPERR_NONE;
    }
    if (wire > ROLE_SECONDARY) {
        return OFPERR_OFPRRFC_BAD_ROLE;
    }
    r->role = wire;
    r->generation = get_be64(m->body.at + 8);
    r->has_generation = wire != ROLE_NOCHANGE;
    return OFPERR_NONE;
}

static void
put_role(struct bytes *b, bool is_nxt, const struct role_msg *r)
{
    if (is_nxt) {
        bytes_put_be32(b, r->role == ROLE_NOCHANGE ? 0 : r->role - ROLE_EQUAL);
        return;
    }
    bytes_put_be32(b, r->role);
    bytes_put_zeros(b, 4);
    bytes_put_be64(b, r->has_generation ? r->generation : UINT64_MAX);
}

void
role_request_encode(struct bytes *b, enum of_version v, uint32_t xid, const struct role_msg *r)
{
    size_t start = msg_start(b, MSG_ROLE_REQUEST, v, xid);

    put_role(b, v < OF12, r);
    msg_finish(b, start);
}

void
role_reply_encode(struct bytes *b, const struct msg *request, const struct role_msg *r)
{
    size_t start = msg_start_reply(b, MSG_ROLE_REPLY, request);

    put_role(b, request->wire->class == CLASS_NXT, r);
    msg_finish(b, start);
}

enum ofperr
role_status_decode(const struct msg *m, struct role_status *r)
{
    uint32_t role = get_be32(m->body.at);

    if (role > ROLE_SECONDARY) {
        return OFPERR_OFPRRFC_BAD_ROLE;
    }
    *r = (struct role_status) { .role = role, .reason = m->body.at[4], .generation = get_be64(m->body.at + 8) };
    return OFPERR_NONE;
}

bool
role_status_encode(struct bytes *b, enum of_version v, const struct role_status *r)
{
    size_t start;

    if (v < OF13) {
        return false;
    }
    start = msg_start(b, MSG_ROLE_STATUS, v, 0);
    bytes_put_be32(b, r->role);
    bytes_put_u8(b, r->reason);
    bytes_put_zeros(b, 3);
    bytes_put_be64(b, r->generation);
    return msg_finish(b, start);
}

/* Formats. */

static const char *const packet_in_names[] = { "standard", "nxt_packet_in", "nxt_packet_in2" };

const char *
packet_in_format_name(enum packet_in_format f)
{
    return packet_in_names[f];
}

bool
packet_in_format_parse(const char *text, enum packet_in_format *f)
{
    for (unsigned int i = 0; i < PACKET_IN_N_FORMATS; i++) {
        if (!strcasecmp(text, packet_in_names[i])) {
            *f = i;
            return true;
        }
    }
    /* The names of old. */
    if (!strcasecmp(text, "openflow10") || !strcasecmp(text, "nxm")) {
        *f = strcasecmp(text, "nxm") ? PACKET_IN_STANDARD : PACKET_IN_NXT;
        return true;
    }
    return false;
}

void
packet_in_formats_put_choice(struct str *s)
{
    str_put_words(s, packet_in_names, ARRAY_SIZE(packet_in_names));
}

enum ofperr
packet_in_format_decode(const struct msg *m, enum packet_in_format *f, uint32_t *raw)
{
    uint32_t wire = get_be32(m->body.at);

    if (raw) {
        *raw = wire;
    }
    *f = wire;
    return wire < PACKET_IN_N_FORMATS ? OFPERR_NONE : OFPERR_OFPBRC_EPERM;
}

void
packet_in_format_encode(struct bytes *b, enum of_version v, uint32_t xid, enum packet_in_format f)
{
    size_t start = msg_start(b, MSG_SET_PACKET_IN_FORMAT, v, xid);

    bytes_put_be32(b, f);
    msg_finish(b, start);
}

#define FORMAT_OF10 0
#define FORMAT_NXM 2

enum ofperr
flow_format_decode(const struct msg *m, unsigned int *protocol, uint32_t *raw)
{
    uint32_t wire = get_be32(m->body.at);

    if (raw) {
        *raw = wire;
    }
    *protocol = wire == FORMAT_NXM ? PROTO_NXM : PROTO_OF10;
    return wire == FORMAT_NXM || wire == FORMAT_OF10 ? OFPERR_NONE : OFPERR_OFPBRC_EPERM;
}

void
flow_format_encode(struct bytes *b, uint32_t xid, bool nxm)
{
    size_t start = msg_start(b, MSG_SET_FLOW_FORMAT, OF10, xid);

    bytes_put_be32(b, nxm ? FORMAT_NXM : FORMAT_OF10);
    msg_finish(b, start);
}

enum ofperr
flow_mod_table_id_decode(const struct msg *m, bool *enable)
{
    *enable = m->body.at[0] != 0;
    return OFPERR_NONE;
}

void
flow_mod_table_id_encode(struct bytes *b, uint32_t xid, bool enable)
{
    size_t start = msg_start(b, MSG_FLOW_MOD_TABLE_ID, OF10, xid);

    bytes_put_u8(b, enable);
    bytes_put_zeros(b, 7);
    msg_finish(b, start);
}

enum ofperr
controller_id_decode(const struct msg *m, uint16_t *id)
{
    *id = get_be16(m->body.at + 6);
    return is_all_zeros(m->body.at, 6) ? OFPERR_NONE : OFPERR_NXBRC_MUST_BE_ZERO;
}

void
controller_id_encode(struct bytes *b, enum of_version v, uint32_t xid, uint16_t id)
{
    size_t start = msg_start(b, MSG_SET_CONTROLLER_ID, v, xid);

    bytes_put_zeros(b, 6);
    bytes_put_be16(b, id);
    msg_finish(b, start);
}

/* Errors. */

#define TYPE_NX 0xb0c2
#define TYPE_EXPERIMENTER 0xffff

enum ofperr
error_decode(const struct msg *m, struct error_msg *e)
{
    struct cursor c = m->body;

    *e = (struct error_msg) { .error = OFPERR_NONE };
    if (!cursor_take_be16(&c, &e->code.type) || !cursor_take_be16(&c, &e->code.code)) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    if (e->code.type == TYPE_EXPERIMENTER && m->version >= OF12) {
        e->code.type = 0;
        if (!cursor_take_be32(&c, &e->code.vendor)) {
            return OFPERR_OFPBRC_BAD_LEN;
        }
    } else if (e->code.type == TYPE_NX && e->code.code == 0 && m->version < OF12) {
        if (!cursor_take_be32(&c, &e->code.vendor) || !cursor_take_be16(&c, &e->code.type) ||
            !cursor_take_be16(&c, &e->code.code)) {
            return OFPERR_OFPBRC_BAD_LEN;
        }
    }
    e->error = ofperr_decode(m->version, &e->code);
    e->payload = c;
    return OFPERR_NONE;
}

static void
put_error(struct bytes *b, enum ofperr error, enum of_version v, uint32_t xid, const void *payload, size_t n)
{
    struct ofperr_code code;
    size_t start;

    if (!ofperr_encode(error, v, &code) && !ofperr_encode(OFPERR_NXBRC_UNENCODABLE_ERROR, v, &code)) {
        return;
    }
    start = msg_start(b, MSG_ERROR, v, xid);
    if (!code.vendor) {
        bytes_put_be16(b, code.type);
        bytes_put_be16(b, code.code);
    } else if (v >= OF12) {
        bytes_put_be16(b, TYPE_EXPERIMENTER);
        bytes_put_be16(b, code.code);
        bytes_put_be32(b, code.vendor);
    } else {
        bytes_put_be16(b, TYPE_NX);
        bytes_put_be16(b, 0);
        bytes_put_be32(b, code.vendor);
        bytes_put_be16(b, code.type);
        bytes_put_be16(b, code.code);
    }
    bytes_put(b, payload, MIN(n, MSG_MAX - (b->len - start)));
    msg_finish(b, start);
}

void
error_encode_reply(struct bytes *b, enum ofperr error, enum of_version v, const void *request, size_t n)
{
    uint32_t xid = n >= MSG_HEADER ? get_be32((const uint8_t *) request + 4) : 0;

    put_error(b, error, v, xid, request, n);
}

void
error_encode_hello(struct bytes *b, enum ofperr error, enum of_version v, uint32_t xid, const char *text)
{
    put_error(b, error, v, xid, text, strlen(text));
}
