#include <string.h>

#include "openflow/msg/fixed_match.h"
#include "openflow/msg/flow.h"

/* OXS: the statistics entries of 1.5. */
#define OXS_DURATION 0x80020008
#define OXS_IDLE 0x80020208
#define OXS_FLOW_COUNT 0x80020604
#define OXS_PACKETS 0x80020808
#define OXS_BYTES 0x80020a08

struct oxs {
    uint64_t duration, idle, packets, bytes;
    uint32_t flows;
    bool has_idle;
};

/* reserved16, length16 with these four bytes, entries, padding to 8. */
static enum ofperr
oxs_take(struct cursor *c, struct oxs *s)
{
    struct cursor e;
    size_t len;

    *s = (struct oxs) { .packets = UINT64_MAX, .bytes = UINT64_MAX, .flows = UINT32_MAX };
    if (c->left < 4) {
        return OFPERR_OFPBMC_BAD_LEN;
    }
    len = get_be16(c->at + 2);
    e = cursor_make(c->at, len);
    if (len < 4 || !cursor_take(c, MIN(ROUND_UP(len, 8), c->left)) || e.at + len > c->at) {
        return OFPERR_OFPBMC_BAD_LEN;
    }
    (void) cursor_take(&e, 4);
    while (e.left) {
        uint32_t header;
        const uint8_t *p;

        if (!cursor_take_be32(&e, &header) || !(p = cursor_take(&e, header & 0xff))) {
            return OFPERR_OFPBMC_BAD_LEN;
        }
        switch (header) {
        case OXS_DURATION: s->duration = get_be64(p); break;
        case OXS_IDLE: s->idle = get_be64(p); s->has_idle = true; break;
        case OXS_FLOW_COUNT: s->flows = get_be32(p); break;
        case OXS_PACKETS: s->packets = get_be64(p); break;
        case OXS_BYTES: s->bytes = get_be64(p); break;
        }
    }
    return OFPERR_NONE;
}

static void
oxs_put64(struct bytes *b, uint32_t header, uint64_t v)
{
    bytes_put_be32(b, header);
    bytes_put_be64(b, v);
}

static void
oxs_end(struct bytes *b, size_t start)
{
    put_be16(b->data + start + 2, b->len - start);
    bytes_pad_from(b, start, 8);
}

/* Requests. */

static enum ofperr
request_of10(const struct msg *m, struct flow_request *r)
{
    const uint8_t *p = m->body.at;

    match10_decode(p, &r->match, NULL);
    r->table_id = p[40];
    r->out_port = ofp_port_from_u16(get_be16(p + 42));
    return OFPERR_NONE;
}

static enum ofperr
request_of11(const struct msg *m, struct flow_request *r)
{
    struct cursor c = m->body;
    const uint8_t *p = cursor_take(&c, 32);
    enum ofperr error;

    r->table_id = p[0];
    r->out_group = get_be32(p + 8);
    r->cookie_mask = get_be64(p + 24);
    r->cookie = get_be64(p + 16) & r->cookie_mask;
    error = ofp_port_from_wire32(get_be32(p + 4), &r->out_port);
    return error ? error : match_struct_take(&c, OXM_STRICT, &r->match);
}

static enum ofperr
request_nxst(const struct msg *m, struct flow_request *r)
{
    struct cursor c = m->body;
    const uint8_t *p = cursor_take(&c, 8);
    struct oxm_cookie cookie;
    enum ofperr error;

    r->out_port = ofp_port_from_u16(get_be16(p));
    r->table_id = p[4];
    error = nx_match_take(&c, get_be16(p + 2), OXM_STRICT, &r->match, &cookie);
    r->cookie = cookie.value;
    r->cookie_mask = cookie.mask;
    return !error && c.left ? OFPERR_OFPBRC_BAD_LEN : error;
}

enum ofperr
flow_request_decode(const struct msg *m, struct flow_request *r)
{
    r->aggregate = m->type == MSG_AGGREGATE_REQUEST;
    r->cookie = r->cookie_mask = 0;
    r->out_group = FM_GROUP_ANY;
    return m->wire->class == CLASS_NXST_REQUEST ? request_nxst(m, r)
           : m->version == OF10 ? request_of10(m, r) : request_of11(m, r);
}

void
flow_request_encode(struct bytes *b, unsigned int protocol, uint32_t xid, const struct flow_request *r)
{
    enum of_version v = proto_version(protocol);
    bool nxm = protocol & PROTO_OF10_NXM_ANY;
    enum msg_type type = r->aggregate ? MSG_AGGREGATE_REQUEST : MSG_FLOW_REQUEST;
    size_t start = msg_start_class(b, type, nxm ? CLASS_NXST_REQUEST : CLASS_OFPST_REQUEST, v, xid);

    if (nxm) {
        struct oxm_cookie cookie = { r->cookie, r->cookie_mask };
        size_t at = b->len, len;

        bytes_put_be16(b, ofp_port_to_u16(r->out_port));
        bytes_put_zeros(b, 2);
        bytes_put_u8(b, r->table_id);
        bytes_put_zeros(b, 3);
        len = nx_match_put(b, &r->match, v, &cookie);
        put_be16(b->data + at + 2, len);
    } else if (v == OF10) {
        match10_encode(b, &r->match);
        bytes_put_u8(b, r->table_id);
        bytes_put_u8(b, 0);
        bytes_put_be16(b, ofp_port_to_u16(r->out_port));
    } else {
        bytes_put_u8(b, r->table_id);
        bytes_put_zeros(b, 3);
        bytes_put_be32(b, ofp_to_u32(r->out_port));
        bytes_put_be32(b, r->out_group);
        bytes_put_zeros(b, 4);
        bytes_put_be64(b, r->cookie);
        bytes_put_be64(b, r->cookie_mask);
        match_struct_put(b, v, &r->match);
    }
    msg_finish(b, start);
}

/* Replies. */

static enum ofperr
stats_of10(struct cursor *e, struct flow_stats *fs)
{
    const uint8_t *p = cursor_take(e, 88);

    if (!p) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    fs->table_id = p[2];
    match10_decode(p + 4, &fs->match, NULL);
    fs->duration_sec = get_be32(p + 44);
    fs->duration_nsec = get_be32(p + 48);
    fs->priority = get_be16(p + 52);
    fs->idle_timeout = get_be16(p + 54);
    fs->hard_timeout = get_be16(p + 56);
    fs->cookie = get_be64(p + 64);
    fs->n_packets = get_be64(p + 72);
    fs->n_bytes = get_be64(p + 80);
    return OFPERR_NONE;
}

/* Ages travel as seconds + 1; 0 is unknown. */
static enum ofperr
stats_nxst(struct cursor *e, struct flow_stats *fs)
{
    const uint8_t *p = cursor_take(e, 48);

    if (!p) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    fs->table_id = p[2];
    fs->duration_sec = get_be32(p + 4);
    fs->duration_nsec = get_be32(p + 8);
    fs->priority = get_be16(p + 12);
    fs->idle_timeout = get_be16(p + 14);
    fs->hard_timeout = get_be16(p + 16);
    fs->idle_age = get_be16(p + 20) - 1;
    fs->hard_age = get_be16(p + 22) - 1;
    fs->cookie = get_be64(p + 24);
    fs->n_packets = get_be64(p + 32);
    fs->n_bytes = get_be64(p + 40);
    return nx_match_take(e, get_be16(p + 18), OXM_STRICT, &fs->match, NULL);
}

#define FLAGS_ALL (FM_SEND_FLOW_REM | FM_CHECK_OVERLAP | FM_RESET_COUNTS | FM_NO_PACKET_COUNTS | FM_NO_BYTE_COUNTS)

static enum ofperr
take_flags(struct flow_stats *fs, uint16_t flags)
{
    fs->flags = flags;
    return flags & ~FLAGS_ALL ? OFPERR_OFPFMFC_BAD_FLAGS : OFPERR_NONE;
}

static enum ofperr
stats_of11(struct cursor *e, enum of_version v, struct flow_stats *fs)
{
    const uint8_t *p = cursor_take(e, 48);
    enum ofperr error;

    if (!p) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    fs->table_id = p[2];
    fs->duration_sec = get_be32(p + 4);
    fs->duration_nsec = get_be32(p + 8);
    fs->priority = get_be16(p + 12);
    fs->idle_timeout = get_be16(p + 14);
    fs->hard_timeout = get_be16(p + 16);
    fs->importance = v >= OF14 ? get_be16(p + 20) : 0;
    fs->cookie = get_be64(p + 24);
    fs->n_packets = get_be64(p + 32);
    fs->n_bytes = get_be64(p + 40);
    error = v >= OF13 ? take_flags(fs, get_be16(p + 18)) : OFPERR_NONE;
    return error ? error : match_struct_take(e, OXM_STRICT, &fs->match);
}

static enum ofperr
stats_of15(struct cursor *e, struct flow_stats *fs)
{
    const uint8_t *p = cursor_take(e, 24);
    struct oxs oxs = { 0 };
    enum ofperr error;

    if (!p) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    fs->table_id = p[4];
    fs->priority = get_be16(p + 6);
    fs->idle_timeout = get_be16(p + 8);
    fs->hard_timeout = get_be16(p + 10);
    fs->importance = get_be16(p + 14);
    fs->cookie = get_be64(p + 16);
    error = take_flags(fs, get_be16(p + 12));
    if (!error) {
        error = match_struct_take(e, OXM_STRICT, &fs->match);
    }
    if (!error) {
        error = oxs_take(e, &oxs);
    }
    if (error) {
        return error;
    }
    fs->duration_sec = oxs.duration >> 32;
    fs->duration_nsec = oxs.duration;
    fs->idle_age = oxs.has_idle ? (int) MIN(oxs.idle >> 32, INT32_MAX) : -1;
    fs->n_packets = oxs.packets;
    fs->n_bytes = oxs.bytes;
    return OFPERR_NONE;
}

enum ofperr
flow_stats_take(struct cursor *c, const struct msg *m, struct flow_stats *fs, struct act_buf *acts)
{
    struct cursor e;
    enum ofperr error;

    if (c->left < 2 || get_be16(c->at) > c->left || !cursor_take_sub(c, get_be16(c->at), &e)) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    memset((char *) fs + sizeof fs->match, 0, sizeof *fs - sizeof fs->match);
    fs->idle_age = fs->hard_age = -1;
    error = m->wire->class == CLASS_NXST_REPLY ? stats_nxst(&e, fs)
            : m->version == OF10 ? stats_of10(&e, fs)
            : m->version < OF15 ? stats_of11(&e, m->version, fs) : stats_of15(&e, fs);
    if (error || !acts) {
        return error;
    }
    act_buf_clear(acts);
    error = m->version == OF10 ? act_decode_actions(e.at, e.left, m->version, acts)
                               : act_decode_instructions(e.at, e.left, m->version, acts);
    fs->actions = act_buf_span(acts);
    return error;
}

static void
put_of10(struct bytes *b, const struct flow_stats *fs)
{
    bytes_put_be16(b, 0);
    bytes_put_u8(b, fs->table_id);
    bytes_put_u8(b, 0);
    match10_encode(b, &fs->match);
    bytes_put_be32(b, fs->duration_sec);
    bytes_put_be32(b, fs->duration_nsec);
    bytes_put_be16(b, fs->priority);
    bytes_put_be16(b, fs->idle_timeout);
    bytes_put_be16(b, fs->hard_timeout);
    bytes_put_zeros(b, 6);
    bytes_put_be64(b, fs->cookie);
    bytes_put_be64(b, fs->n_packets);
    bytes_put_be64(b, fs->n_bytes);
    act_encode_actions(fs->actions, OF10, b);
}

static uint16_t
age_to_wire(int age)
{
    return age < 0 ? 0 : MIN(age, UINT16_MAX - 1) + 1;
}

/* The 48 bytes that Nicira's form and 1.1's have in common, but for six that the caller fills in at 18; returns where
 * they are, until the next put. */
static uint8_t *
put_fixed(struct bytes *b, const struct flow_stats *fs)
{
    uint8_t *p = bytes_put_zeros(b, 48);

    p[2] = fs->table_id;
    put_be32(p + 4, fs->duration_sec);
    put_be32(p + 8, fs->duration_nsec);
    put_be16(p + 12, fs->priority);
    put_be16(p + 14, fs->idle_timeout);
    put_be16(p + 16, fs->hard_timeout);
    put_be64(p + 24, fs->cookie);
    put_be64(p + 32, fs->n_packets);
    put_be64(p + 40, fs->n_bytes);
    return p;
}

static void
put_nxst(struct bytes *b, enum of_version v, const struct flow_stats *fs)
{
    size_t start = b->len, len;
    uint8_t *p = put_fixed(b, fs);

    put_be16(p + 20, age_to_wire(fs->idle_age));
    put_be16(p + 22, age_to_wire(fs->hard_age));
    len = nx_match_put(b, &fs->match, v, NULL);
    put_be16(b->data + start + 18, len);
    act_encode_actions(fs->actions, v, b);
}

static void
put_of11(struct bytes *b, enum of_version v, const struct flow_stats *fs)
{
    uint8_t *p = put_fixed(b, fs);

    put_be16(p + 18, v >= OF13 ? fs->flags & FLAGS_ALL : 0);
    put_be16(p + 20, v >= OF14 ? fs->importance : 0);
    oxm_put_match_struct(b, &fs->match, v); /* In 1.1, too, like the reference: its own cannot hold all of them. */
    act_encode_instructions(fs->actions, v, b);
}

static void
put_of15(struct bytes *b, const struct flow_stats *fs)
{
    size_t oxs;

    bytes_put_zeros(b, 4);
    bytes_put_u8(b, fs->table_id);
    bytes_put_u8(b, 0);
    bytes_put_be16(b, fs->priority);
    bytes_put_be16(b, fs->idle_timeout);
    bytes_put_be16(b, fs->hard_timeout);
    bytes_put_be16(b, fs->flags & FLAGS_ALL);
    bytes_put_be16(b, fs->importance);
    bytes_put_be64(b, fs->cookie);
    match_struct_put(b, OF15, &fs->match);
    oxs = b->len;
    bytes_put_zeros(b, 4);
    oxs_put64(b, OXS_DURATION, (uint64_t) fs->duration_sec << 32 | fs->duration_nsec);
    if (fs->idle_age >= 0) {
        oxs_put64(b, OXS_IDLE, (uint64_t) fs->idle_age << 32);
    }
    oxs_put64(b, OXS_PACKETS, fs->n_packets);
    oxs_put64(b, OXS_BYTES, fs->n_bytes);
    oxs_end(b, oxs);
    act_encode_instructions(fs->actions, OF15, b);
}

void
flow_stats_put(struct bytes *b, enum msg_class class, enum of_version v, const struct flow_stats *fs)
{
    size_t start = b->len;

    if (class == CLASS_NXST_REPLY) {
        put_nxst(b, v, fs);
    } else if (v == OF10) {
        put_of10(b, fs);
    } else if (v < OF15) {
        put_of11(b, v, fs);
    } else {
        put_of15(b, fs);
    }
    put_be16(b->data + start, b->len - start);
}

/* Aggregates. */

enum ofperr
aggregate_stats_decode(const struct msg *m, struct aggregate_stats *s)
{
    struct cursor c = m->body;
    struct oxs oxs = { 0 };
    enum ofperr error;

    if (m->version < OF15) {
        s->n_packets = get_be64(c.at);
        s->n_bytes = get_be64(c.at + 8);
        s->n_flows = get_be32(c.at + 16);
        return OFPERR_NONE;
    }
    error = oxs_take(&c, &oxs);
    *s = (struct aggregate_stats) { oxs.packets, oxs.bytes, oxs.flows };
    return error;
}

void
aggregate_stats_encode(struct bytes *b, const struct msg *request, const struct aggregate_stats *s)
{
    size_t start = msg_start_reply(b, MSG_AGGREGATE_REPLY, request), oxs;

    if (request->version < OF15) {
        bytes_put_be64(b, s->n_packets);
        bytes_put_be64(b, s->n_bytes);
        bytes_put_be32(b, s->n_flows);
        bytes_put_zeros(b, 4);
    } else {
        oxs = b->len;
        bytes_put_zeros(b, 4);
        oxs_put64(b, OXS_PACKETS, s->n_packets);
        oxs_put64(b, OXS_BYTES, s->n_bytes);
        bytes_put_be32(b, OXS_FLOW_COUNT);
        bytes_put_be32(b, s->n_flows);
        oxs_end(b, oxs);
    }
    msg_finish(b, start);
}

/* Removals. */

static const char *const removed_reasons[] = {
    "idle", "hard", "delete", "group_delete", "meter_delete", "eviction"
};

const char *
flow_removed_reason_name(unsigned int reason)
{
    return reason < ARRAY_SIZE(removed_reasons) ? removed_reasons[reason] : NULL;
}

static enum ofperr
removed_of10(const uint8_t *p, struct flow_removed *fr)
{
    match10_decode(p, &fr->match, NULL);
    fr->cookie = get_be64(p + 40);
    fr->priority = get_be16(p + 48);
    fr->reason = p[50];
    fr->duration_sec = get_be32(p + 52);
    fr->duration_nsec = get_be32(p + 56);
    fr->idle_timeout = get_be16(p + 60);
    fr->n_packets = get_be64(p + 64);
    fr->n_bytes = get_be64(p + 72);
    return OFPERR_NONE;
}

/* The fixed part of 1.1 and Nicira's is nearly the same. */
static void
removed_common(const uint8_t *p, struct flow_removed *fr)
{
    fr->cookie = get_be64(p);
    fr->priority = get_be16(p + 8);
    fr->reason = p[10];
    fr->table_id = p[11];
    fr->duration_sec = get_be32(p + 12);
    fr->duration_nsec = get_be32(p + 16);
    fr->idle_timeout = get_be16(p + 20);
    fr->n_packets = get_be64(p + 24);
    fr->n_bytes = get_be64(p + 32);
}

static enum ofperr
removed_of15(struct cursor *c, struct flow_removed *fr)
{
    const uint8_t *p = cursor_take(c, 16);
    struct oxs oxs = { 0 };
    enum ofperr error;

    fr->table_id = p[0];
    fr->reason = p[1];
    fr->priority = get_be16(p + 2);
    fr->idle_timeout = get_be16(p + 4);
    fr->hard_timeout = get_be16(p + 6);
    fr->cookie = get_be64(p + 8);
    error = match_struct_take(c, OXM_STRICT, &fr->match);
    if (!error) {
        error = oxs_take(c, &oxs);
    }
    if (!error) {
        fr->duration_sec = oxs.duration >> 32;
        fr->duration_nsec = oxs.duration;
        fr->n_packets = oxs.packets;
        fr->n_bytes = oxs.bytes;
    }
    return error;
}

enum ofperr
flow_removed_decode(const struct msg *m, struct flow_removed *fr)
{
    struct cursor c = m->body;
    const uint8_t *p;

    memset((char *) fr + sizeof fr->match, 0, sizeof *fr - sizeof fr->match);
    fr->table_id = 255;
    if (m->wire->class == CLASS_NXT) {
        p = cursor_take(&c, 40);
        removed_common(p, fr);
        fr->table_id--;
        return nx_match_take(&c, get_be16(p + 22), OXM_STRICT, &fr->match, NULL);
    }
    if (m->version == OF10) {
        return removed_of10(c.at, fr);
    }
    if (m->version >= OF15) {
        return removed_of15(&c, fr);
    }
    p = cursor_take(&c, 40);
    removed_common(p, fr);
    fr->hard_timeout = get_be16(p + 22);
    return match_struct_take(&c, OXM_STRICT, &fr->match);
}

/* Who asks for a reason that its version does not know (set-async) is told of it; that of meters is 1.4's. */
static uint8_t
reason_to_wire(uint8_t reason, enum of_version v)
{
    return reason == REMOVED_METER_DELETE && v < OF14 ? REMOVED_DELETE : reason;
}

static void
put_removed_common(struct bytes *b, enum of_version v, bool nxm, const struct flow_removed *fr)
{
    bytes_put_be64(b, fr->cookie);
    bytes_put_be16(b, fr->priority);
    bytes_put_u8(b, reason_to_wire(fr->reason, v));
    bytes_put_u8(b, nxm ? fr->table_id + 1 : fr->table_id);
    bytes_put_be32(b, fr->duration_sec);
    bytes_put_be32(b, fr->duration_nsec);
    bytes_put_be16(b, fr->idle_timeout);
    bytes_put_be16(b, fr->hard_timeout);
    bytes_put_be64(b, fr->n_packets);
    bytes_put_be64(b, fr->n_bytes);
}

static void
put_removed_of10(struct bytes *b, const struct flow_removed *fr)
{
    match10_encode(b, &fr->match);
    bytes_put_be64(b, fr->cookie);
    bytes_put_be16(b, fr->priority);
    bytes_put_u8(b, reason_to_wire(fr->reason, OF10));
    bytes_put_u8(b, 0);
    bytes_put_be32(b, fr->duration_sec);
    bytes_put_be32(b, fr->duration_nsec);
    bytes_put_be16(b, fr->idle_timeout);
    bytes_put_zeros(b, 2);
    bytes_put_be64(b, fr->n_packets);
    bytes_put_be64(b, fr->n_bytes);
}

static void
put_removed_of15(struct bytes *b, const struct flow_removed *fr)
{
    size_t oxs;

    bytes_put_u8(b, fr->table_id);
    bytes_put_u8(b, reason_to_wire(fr->reason, OF15));
    bytes_put_be16(b, fr->priority);
    bytes_put_be16(b, fr->idle_timeout);
    bytes_put_be16(b, fr->hard_timeout);
    bytes_put_be64(b, fr->cookie);
    match_struct_put(b, OF15, &fr->match);
    oxs = b->len;
    bytes_put_zeros(b, 4);
    oxs_put64(b, OXS_DURATION, (uint64_t) fr->duration_sec << 32 | fr->duration_nsec);
    oxs_put64(b, OXS_PACKETS, fr->n_packets);
    oxs_put64(b, OXS_BYTES, fr->n_bytes);
    oxs_end(b, oxs);
}

void
flow_removed_encode(struct bytes *b, unsigned int protocol, const struct flow_removed *fr)
{
    enum of_version v = proto_version(protocol);
    bool nxm = protocol & PROTO_OF10_NXM_ANY;
    size_t start = msg_start_class(b, MSG_FLOW_REMOVED, nxm ? CLASS_NXT : CLASS_OFPT, v, 0);
    size_t at = b->len;

    if (nxm) {
        size_t len;

        put_removed_common(b, v, true, fr);
        len = nx_match_put(b, &fr->match, v, NULL);
        put_be16(b->data + at + 22, len);
    } else if (v == OF10) {
        put_removed_of10(b, fr);
    } else if (v < OF15) {
        put_removed_common(b, v, false, fr);
        match_struct_put(b, v, &fr->match);
    } else {
        put_removed_of15(b, fr);
    }
    msg_finish(b, start);
}
