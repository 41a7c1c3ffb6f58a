#include "openflow/msg/packet.h"

#include <stdlib.h>
#include <string.h>

#include "openflow/msg/fixed_match.h"
#include "openflow/msg/prop.h"

ofp_port
packet_metadata_in_port(const struct match *m)
{
    return m->mask.in_port ? OFP_PORT(be32_to_cpu(m->flow.in_port)) : OFPP_NONE;
}

static void
set_in_port(struct match *m, ofp_port port)
{
    match_set_u64(m, FIELD_IN_PORT_OXM, ofp_to_u32(port));
}

/* Properties of PACKET_IN2 and RESUME. */
enum {
    PROP_PACKET, PROP_FULL_LEN, PROP_BUFFER_ID, PROP_TABLE_ID, PROP_COOKIE, PROP_REASON, PROP_METADATA, PROP_USERDATA,
    PROP_CONTINUATION
};

static enum ofperr
decode_prop(const struct prop *p, bool resume, struct packet_in *pin)
{
    uint32_t full_len;
    enum ofperr error;

    switch (p->type) {
    case PROP_PACKET:
        pin->packet = p->body.at;
        pin->packet_len = p->body.left;
        return OFPERR_NONE;
    case PROP_FULL_LEN:
        error = prop_be32(p, &full_len);
        pin->total_len = full_len;
        return error;
    case PROP_BUFFER_ID: return prop_be32(p, &pin->buffer_id);
    case PROP_TABLE_ID: return prop_u8(p, &pin->table_id);
    case PROP_COOKIE: return prop_be64(p, &pin->cookie);
    case PROP_REASON: return prop_u8(p, &pin->reason);
    case PROP_METADATA: return oxm_decode_match(p->body.at, p->body.left, OXM_LOOSE, &pin->metadata, NULL);
    case PROP_USERDATA:
        pin->userdata = p->body.at;
        pin->userdata_len = p->body.left;
        return OFPERR_NONE;
    case PROP_CONTINUATION:
        pin->continuation = p->body;
        return cursor_take(&pin->continuation, 4) ? OFPERR_NONE : OFPERR_OFPBPC_BAD_LEN;
    }
    return resume ? prop_unknown(p) : OFPERR_NONE;
}

static enum ofperr
decode_props(const struct msg *m, struct packet_in *pin, char **why)
{
    struct cursor c = m->body;

    while (c.left) {
        struct prop p;
        enum ofperr error = prop_take(&c, &p);

        if (!error) {
            error = decode_prop(&p, m->type == MSG_RESUME, pin);
        }
        if (error) {
            return error;
        }
    }
    if (!pin->packet_len) {
        if (why) {
            *why = xstrdup("NXT_PACKET_IN2 lacks packet");
        }
        return OFPERR_OFPBRC_BAD_LEN;
    }
    if (!pin->total_len) {
        pin->total_len = pin->packet_len;
    } else if (pin->total_len < pin->packet_len) {
        if (why) {
            *why = xasprintf("NXT_PACKET_IN2 claimed full_len < len");
        }
        return OFPERR_OFPBRC_BAD_LEN;
    }
    return OFPERR_NONE;
}

static enum ofperr
decode_nxt(struct cursor *c, struct packet_in *pin)
{
    const uint8_t *p = cursor_take(c, 24);
    enum ofperr error;

    pin->buffer_id = get_be32(p);
    pin->total_len = get_be16(p + 4);
    pin->reason = p[6];
    pin->table_id = p[7];
    pin->cookie = get_be64(p + 8);
    error = nx_match_take(c, get_be16(p + 16), OXM_LOOSE, &pin->metadata, NULL);
    return error ? error : cursor_take(c, 2) ? OFPERR_NONE : OFPERR_OFPBRC_BAD_LEN;
}

static enum ofperr
decode_of10(struct cursor *c, struct packet_in *pin)
{
    const uint8_t *p = cursor_take(c, 10);

    pin->buffer_id = get_be32(p);
    pin->total_len = get_be16(p + 4);
    set_in_port(&pin->metadata, ofp_port_from_u16(get_be16(p + 6)));
    pin->reason = p[8];
    return OFPERR_NONE;
}

static enum ofperr
decode_of11(struct cursor *c, struct packet_in *pin)
{
    const uint8_t *p = cursor_take(c, 16);
    ofp_port port;
    enum ofperr error = ofp_port_from_wire32(get_be32(p + 4), &port);

    pin->buffer_id = get_be32(p);
    set_in_port(&pin->metadata, port);
    pin->total_len = get_be16(p + 12);
    pin->reason = p[14];
    pin->table_id = p[15];
    return error;
}

static enum ofperr
decode_of12(struct cursor *c, enum of_version v, struct packet_in *pin)
{
    const uint8_t *p = cursor_take(c, v >= OF13 ? 16 : 8);
    enum ofperr error;

    pin->buffer_id = get_be32(p);
    pin->total_len = get_be16(p + 4);
    pin->reason = p[6];
    pin->table_id = p[7];
    if (v >= OF13) {
        pin->cookie = get_be64(p + 8);
    }
    error = match_struct_take(c, OXM_LOOSE, &pin->metadata);
    return error ? error : cursor_take(c, 2) ? OFPERR_NONE : OFPERR_OFPBRC_BAD_LEN;
}

enum ofperr
packet_in_decode(const struct msg *m, struct packet_in *pin, char **why)
{
    struct cursor c = m->body;
    enum ofperr error;

    *pin = (struct packet_in) { .buffer_id = BUFFER_NONE, .cookie = PACKET_COOKIE_NONE };
    if (m->type != MSG_PACKET_IN) {
        return decode_props(m, pin, why);
    }
    error = m->wire->class == CLASS_NXT ? decode_nxt(&c, pin)
            : m->version == OF10 ? decode_of10(&c, pin)
            : m->version == OF11 ? decode_of11(&c, pin) : decode_of12(&c, m->version, pin);
    pin->packet = c.at;
    pin->packet_len = c.left;
    return error;
}

uint8_t
packet_in_reason_to_wire(uint8_t reason, enum of_version v)
{
    switch (reason) {
    case OFPR_ACTION_SET: case OFPR_GROUP: case OFPR_PACKET_OUT: return v < OF14 ? OFPR_ACTION : reason;
    case OFPR_EXPLICIT_MISS: return v < OF13 ? OFPR_ACTION : OFPR_NO_MATCH;
    case OFPR_IMPLICIT_MISS: return OFPR_NO_MATCH;
    }
    return reason;
}

static void
put_props(struct bytes *b, enum of_version v, bool resume, const struct packet_in *pin, size_t len)
{
    size_t start;

    prop_put(b, PROP_PACKET, pin->packet, len);
    if (len != pin->total_len) {
        prop_put_be32(b, PROP_FULL_LEN, pin->total_len);
    }
    prop_put_u8(b, PROP_TABLE_ID, pin->table_id);
    if (pin->cookie != PACKET_COOKIE_NONE) {
        prop_put_be64(b, PROP_COOKIE, pin->cookie);
    }
    prop_put_u8(b, PROP_REASON, packet_in_reason_to_wire(pin->reason, v));
    start = prop_start(b, PROP_METADATA);
    oxm_encode_match(&pin->metadata, v < OF12 ? OF12 : v, NULL, b); /* OXM's numbers even there. */
    prop_end(b, start);
    if (pin->continuation.left) {
        start = prop_start(b, PROP_CONTINUATION);
        bytes_put_zeros(b, 4);
        bytes_put(b, pin->continuation.at, pin->continuation.left);
        prop_end(b, start);
    }
    if (pin->userdata_len && !resume) {
        prop_put(b, PROP_USERDATA, pin->userdata, pin->userdata_len);
    }
}

static void
put_nxt(struct bytes *b, enum of_version v, const struct packet_in *pin)
{
    size_t start = b->len, len;

    bytes_put_be32(b, pin->buffer_id);
    bytes_put_be16(b, MIN(pin->total_len, UINT16_MAX));
    bytes_put_u8(b, packet_in_reason_to_wire(pin->reason, v));
    bytes_put_u8(b, pin->table_id);
    bytes_put_be64(b, pin->cookie);
    bytes_put_zeros(b, 8);
    len = nx_match_put(b, &pin->metadata, v, NULL);
    put_be16(b->data + start + 16, len);
    bytes_put_zeros(b, 2);
}

static void
put_standard(struct bytes *b, enum of_version v, const struct packet_in *pin)
{
    ofp_port in_port = packet_metadata_in_port(&pin->metadata);
    uint8_t reason = packet_in_reason_to_wire(pin->reason, v);

    bytes_put_be32(b, pin->buffer_id);
    if (v == OF11) {
        bytes_put_be32(b, ofp_to_u32(in_port));
        bytes_put_be32(b, ofp_to_u32(in_port));
    }
    bytes_put_be16(b, MIN(pin->total_len, UINT16_MAX));
    if (v == OF10) {
        bytes_put_be16(b, ofp_port_to_u16(in_port));
    }
    bytes_put_u8(b, reason);
    bytes_put_u8(b, v == OF10 ? 0 : pin->table_id);
    if (v >= OF13) {
        bytes_put_be64(b, pin->cookie);
    }
    if (v >= OF12) {
        match_struct_put(b, v, &pin->metadata);
        bytes_put_zeros(b, 2);
    }
}

void
packet_in_encode(struct bytes *b, unsigned int protocol, enum packet_in_format format, const struct packet_in *pin,
                 size_t max_len)
{
    enum of_version v = proto_version(protocol);
    size_t len = MIN(MIN(pin->packet_len, max_len), MSG_MAX - 2048);
    size_t start;

    if (format == PACKET_IN_NXT2) {
        start = msg_start(b, MSG_PACKET_IN2, v, 0);
        put_props(b, v, false, pin, len);
    } else {
        start = msg_start_class(b, MSG_PACKET_IN, format == PACKET_IN_NXT ? CLASS_NXT : CLASS_OFPT, v, 0);
        if (format == PACKET_IN_NXT) {
            put_nxt(b, v, pin);
        } else {
            put_standard(b, v, pin);
        }
        bytes_put(b, pin->packet, len);
    }
    msg_finish(b, start);
}

void
packet_in_encode_resume(struct bytes *b, enum of_version v, uint32_t xid, const struct packet_in *pin)
{
    size_t start = msg_start(b, MSG_RESUME, v, xid);

    put_props(b, v, true, pin, pin->packet_len);
    msg_finish(b, start);
}

/* Continuations. */

enum {
    CONT_BRIDGE = 0x8000, CONT_STACK, CONT_MIRRORS, CONT_CONNTRACKED, CONT_TABLE_ID, CONT_COOKIE, CONT_ACTIONS,
    CONT_ACTION_SET, CONT_ODP_PORT, CONT_INSTRUCTIONS
};

static void
put_actions(struct bytes *b, uint16_t type, struct act_span acts, enum of_version v)
{
    size_t start = prop_start(b, type);

    bytes_put_zeros(b, 4);
    act_encode_actions(acts, v, b);
    prop_end(b, start);
}

/* In the form of one version, since the first one has none. */
static void
put_instructions(struct bytes *b, struct act_span acts)
{
    size_t start = prop_start(b, CONT_INSTRUCTIONS);

    bytes_put_zeros(b, 4);
    act_encode_instructions(acts, OF13, b);
    prop_end(b, start);
}

void
continuation_encode(struct bytes *b, enum of_version v, const struct continuation *k)
{
    uint8_t table = 0;
    uint64_t cookie = 0;

    prop_put(b, CONT_BRIDGE, &k->bridge, sizeof k->bridge);
    for (size_t i = 0; i < k->n_stack; i++) {
        prop_put(b, CONT_STACK, k->stack[i].at, k->stack[i].left);
    }
    if (k->mirrors) {
        prop_put_be32(b, CONT_MIRRORS, k->mirrors);
    }
    if (k->conntracked) {
        prop_put_flag(b, CONT_CONNTRACKED);
    }
    for (size_t i = 0; i < k->n_steps; i++) {
        const struct continuation_step *s = &k->steps[i];
        struct act_span acts = { act_at(&k->actions, s->start), s->end - s->start };

        if (s->table != table) {
            prop_put_u8(b, CONT_TABLE_ID, s->table);
        }
        if (s->cookie != cookie) {
            prop_put_be64(b, CONT_COOKIE, s->cookie);
        }
        table = s->table;
        cookie = s->cookie;
        if (s->has_instructions) {
            put_instructions(b, acts);
        } else {
            put_actions(b, CONT_ACTIONS, acts, v);
        }
    }
    if (act_buf_span(&k->action_set).len) {
        put_actions(b, CONT_ACTION_SET, act_buf_span(&k->action_set), v);
    }
    if (k->has_odp_port) {
        prop_put_be32(b, CONT_ODP_PORT, k->odp_port);
    }
}

static enum ofperr
nested_actions(const struct prop *p, enum of_version v, struct act_buf *out)
{
    struct cursor c = p->body;

    return cursor_take(&c, 4) ? act_decode_actions(c.at, c.left, v, out) : OFPERR_OFPBPC_BAD_LEN;
}

static enum ofperr
nested_instructions(const struct prop *p, struct act_buf *out)
{
    struct cursor c = p->body;

    return cursor_take(&c, 4) ? act_decode_instructions(c.at, c.left, OF13, out) : OFPERR_OFPBPC_BAD_LEN;
}

struct unroll {
    uint8_t table;
    uint64_t cookie;
};

static enum ofperr
continuation_actions(const struct prop *p, enum of_version v, struct unroll *u, struct continuation *k)
{
    struct continuation_step step = {
        .table = u->table, .cookie = u->cookie, .start = act_buf_span(&k->actions).len,
        .has_instructions = p->type == CONT_INSTRUCTIONS,
    };
    enum ofperr error = step.has_instructions ? nested_instructions(p, &k->actions)
                                              : nested_actions(p, v, &k->actions);

    step.end = act_buf_span(&k->actions).len;
    k->steps = xreallocarray(k->steps, k->n_steps + 1, sizeof *k->steps);
    k->steps[k->n_steps++] = step;
    return error;
}

/* Actions start with table 0 and cookie 0, and so are of those where nothing else is said. */
static enum ofperr
continuation_prop(const struct prop *p, enum of_version v, struct unroll *u, struct continuation *k)
{
    switch (p->type) {
    case CONT_BRIDGE:
        if (p->body.left != sizeof k->bridge) {
            return OFPERR_OFPBPC_BAD_LEN;
        }
        memcpy(&k->bridge, p->body.at, sizeof k->bridge);
        k->has_bridge = true;
        return OFPERR_NONE;
    case CONT_STACK:
        if (k->n_stack < ARRAY_SIZE(k->stack)) {
            k->stack[k->n_stack++] = p->body;
        }
        return OFPERR_NONE;
    case CONT_MIRRORS: return prop_be32(p, &k->mirrors);
    case CONT_CONNTRACKED: k->conntracked = true; return OFPERR_NONE;
    case CONT_TABLE_ID: return prop_u8(p, &u->table);
    case CONT_COOKIE: return prop_be64(p, &u->cookie);
    case CONT_ACTIONS: case CONT_INSTRUCTIONS: return continuation_actions(p, v, u, k);
    case CONT_ACTION_SET: return nested_actions(p, v, &k->action_set);
    case CONT_ODP_PORT: k->has_odp_port = true; return prop_be32(p, &k->odp_port);
    }
    return prop_unknown(p);
}

enum ofperr
continuation_decode(struct cursor c, enum of_version v, struct continuation *k)
{
    struct unroll u = { 0, 0 };

    *k = (struct continuation) { .has_odp_port = false };
    while (c.left) {
        struct prop p;
        enum ofperr error = prop_take(&c, &p);

        if (!error) {
            error = continuation_prop(&p, v, &u, k);
        }
        if (error) {
            return error;
        }
    }
    return OFPERR_NONE;
}

void
continuation_uninit(struct continuation *k)
{
    act_buf_uninit(&k->actions);
    act_buf_uninit(&k->action_set);
    free(k->steps);
}

/* Packet-out. */

/* Only what travels with a packet outside of its headers. */
static bool
is_pipeline_only(const struct match *m)
{
    static const uint16_t headers = FLOW_LINE_IPV6;
    struct flow mask = m->mask;

    mask.in_port = 0;
    mask.recirc_id = 0;
    mask.dp_hash = 0;
    mask.pkt_mark = 0;
    mask.skb_priority = 0;
    mask.ct_state = 0;
    mask.ct_zone = 0;
    mask.ct_mark = 0;
    mask.packet_ns = 0;
    return !flow_used_lines(&mask, FLOW_LINE_BASE | headers | FLOW_LINE_MISC);
}

static bool
may_enter_by(ofp_port p)
{
    return ofp_port_is_real(p) || p == OFPP_LOCAL || p == OFPP_NONE || p == OFPP_CONTROLLER;
}

static enum ofperr
decode_out_header(const struct msg *m, struct packet_out *po, struct cursor *c, size_t *acts_len)
{
    const uint8_t *p = cursor_take(c, m->version == OF10 || m->version >= OF15 ? 8 : 16);
    enum ofperr error;
    ofp_port port;

    match_init_catchall(&po->metadata);
    po->buffer_id = get_be32(p);
    if (m->version == OF10) {
        set_in_port(&po->metadata, ofp_port_from_u16(get_be16(p + 4)));
        *acts_len = get_be16(p + 6);
    } else if (m->version < OF15) {
        error = ofp_port_from_wire32(get_be32(p + 4), &port);
        set_in_port(&po->metadata, port);
        *acts_len = get_be16(p + 8);
        return error;
    } else {
        *acts_len = get_be16(p + 4);
        error = oxm_take_match_struct(c, OXM_LOOSE, &po->metadata);
        if (error) {
            return error;
        }
        if (!po->metadata.mask.in_port) {
            return OFPERR_OFPBRC_BAD_PORT;
        }
        if (!is_pipeline_only(&po->metadata)) {
            return OFPERR_OFPBRC_PIPELINE_FIELDS_ONLY;
        }
    }
    return OFPERR_NONE;
}

enum ofperr
packet_out_decode(const struct msg *m, struct packet_out *po, struct act_buf *acts, char **why)
{
    struct cursor c = m->body;
    size_t acts_len = 0;
    enum ofperr error = decode_out_header(m, po, &c, &acts_len);
    const void *p;

    act_buf_clear(acts);
    if (error) {
        return error;
    }
    if (!may_enter_by(packet_metadata_in_port(&po->metadata))) {
        if (why) {
            *why = xasprintf("packet-out has bad input port %#x",
                             m->version == OF10 ? ofp_port_to_u16(packet_metadata_in_port(&po->metadata))
                                                : ofp_to_u32(packet_metadata_in_port(&po->metadata)));
        }
        return OFPERR_OFPBRC_BAD_PORT;
    }
    p = cursor_take(&c, acts_len);
    if (!p) {
        if (why) {
            *why = xasprintf("OpenFlow message actions length %zu exceeds remaining message length (%zu)", acts_len,
                             c.left);
        }
        return OFPERR_OFPBRC_BAD_LEN;
    }
    error = act_decode_actions(p, acts_len, m->version, acts);
    po->actions = act_buf_span(acts);
    po->packet = po->buffer_id == BUFFER_NONE ? c.at : NULL;
    po->packet_len = po->buffer_id == BUFFER_NONE ? c.left : 0;
    return error;
}

bool
packet_out_encode(struct bytes *b, unsigned int protocol, uint32_t xid, const struct packet_out *po)
{
    enum of_version v = proto_version(protocol);
    size_t start = msg_start(b, MSG_PACKET_OUT, v, xid);
    size_t len_at, acts;
    ofp_port in_port = packet_metadata_in_port(&po->metadata);

    bytes_put_be32(b, po->buffer_id);
    if (v == OF10) {
        bytes_put_be16(b, ofp_port_to_u16(in_port));
    } else if (v < OF15) {
        bytes_put_be32(b, ofp_to_u32(in_port));
    }
    len_at = b->len;
    bytes_put_be16(b, 0);
    if (v >= OF15) {
        bytes_put_zeros(b, 2);
        match_struct_put(b, v, &po->metadata);
    } else if (v > OF10) {
        bytes_put_zeros(b, 6);
    }
    acts = b->len;
    act_encode_actions(po->actions, v, b);
    put_be16(b->data + len_at, b->len - acts);
    if (po->buffer_id == BUFFER_NONE) {
        bytes_put(b, po->packet, po->packet_len);
    }
    return msg_finish(b, start);
}
