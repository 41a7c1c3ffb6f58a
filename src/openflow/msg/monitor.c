#include "openflow/msg/monitor.h"

#include <string.h>

#include "openflow/msg/fixed_match.h"

#define FLAGS_OF14 0x5f /* What the reference accepts: 64 stands for OWN. */
#define OF14_OWN 64
#define EVENTS_WANTED (MONITOR_ADD | MONITOR_DELETE | MONITOR_MODIFY)

static enum ofperr
check_flags(struct monitor_request *r, const struct msg *m, uint16_t wire, char **why)
{
    bool of14 = m->version >= OF14;
    uint16_t allowed = of14 ? FLAGS_OF14 : MONITOR_FLAGS_ALL;

    if (!(wire & EVENTS_WANTED) || wire & ~allowed) {
        if (why) {
            const char *name = msg_wire_name(m->wire);

            *why = xasprintf("%.*s has bad flags %#x", (int) (strchr(name, ' ') - name), name, wire);
        }
        return OFPERR_OFPMOFC_BAD_FLAGS;
    }
    r->flags = of14 ? (wire & ~OF14_OWN) | (wire & OF14_OWN ? MONITOR_OWN : 0) : wire;
    return OFPERR_NONE;
}

static enum ofperr
take_nx(struct cursor *c, const struct msg *m, struct monitor_request *r, char **why)
{
    const uint8_t *p = cursor_take(c, 16);
    enum ofperr error;

    if (!p) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    if (!is_all_zeros(p + 11, 5)) {
        return OFPERR_NXBRC_MUST_BE_ZERO;
    }
    r->id = get_be32(p);
    r->out_port = ofp_port_from_u16(get_be16(p + 6));
    r->table_id = p[10];
    error = check_flags(r, m, get_be16(p + 4), why);
    return error ? error : nx_match_take(c, get_be16(p + 8), OXM_STRICT, &r->match, NULL);
}

static enum ofperr
take_onf(struct cursor *c, const struct msg *m, struct monitor_request *r, char **why)
{
    const uint8_t *p = cursor_take(c, 16);
    enum ofperr error;

    if (!p) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    r->id = get_be32(p);
    r->table_id = p[12];
    error = check_flags(r, m, get_be16(p + 4), why);
    if (!error) {
        error = ofp_port_from_wire32(get_be32(p + 8), &r->out_port);
    }
    return error ? error : match_struct_take(c, OXM_STRICT, &r->match);
}

static enum ofperr
take_of14(struct cursor *c, const struct msg *m, struct monitor_request *r, char **why)
{
    const uint8_t *p = cursor_take(c, 16);
    enum ofperr error = OFPERR_NONE;

    if (!p) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    r->id = get_be32(p);
    r->out_group = get_be32(p + 8);
    r->table_id = p[14];
    r->command = p[15];
    if (p[15] > MONITOR_CMD_DELETE) {
        return OFPERR_OFPMOFC_BAD_COMMAND;
    }
    if (r->command != MONITOR_CMD_DELETE) {
        error = check_flags(r, m, get_be16(p + 12), why);
    }
    if (!error) {
        error = ofp_port_from_wire32(get_be32(p + 4), &r->out_port);
    }
    return error ? error : match_struct_take(c, OXM_STRICT, &r->match);
}

enum ofperr
monitor_request_take(struct cursor *c, const struct msg *m, struct monitor_request *r, char **why)
{
    memset(r, 0, offsetof(struct monitor_request, match));
    r->out_port = OFPP_NONE;
    r->out_group = FM_GROUP_ANY;
    return m->version < OF13 ? take_nx(c, m, r, why)
           : m->version == OF13 ? take_onf(c, m, r, why) : take_of14(c, m, r, why);
}

void
monitor_request_encode(struct bytes *b, enum of_version v, uint32_t xid, const struct monitor_request *r)
{
    size_t start = msg_start(b, MSG_FLOW_MONITOR_REQUEST, v, xid), at = b->len;

    bytes_put_be32(b, r->id);
    if (v >= OF14) {
        bytes_put_be32(b, ofp_to_u32(r->out_port));
        bytes_put_be32(b, r->out_group);
        bytes_put_be16(b, (r->flags & ~MONITOR_OWN) | (r->flags & MONITOR_OWN ? OF14_OWN : 0));
        bytes_put_u8(b, r->table_id);
        bytes_put_u8(b, r->command);
        match_struct_put(b, v, &r->match);
    } else if (v == OF13) {
        size_t match;

        bytes_put_be16(b, r->flags);
        bytes_put_be16(b, 0);
        bytes_put_be32(b, ofp_to_u32(r->out_port));
        bytes_put_u8(b, r->table_id);
        bytes_put_zeros(b, 3);
        match = b->len;
        match_struct_put(b, v, &r->match);
        put_be16(b->data + at + 6, get_be16(b->data + match + 2));
    } else {
        size_t len;

        bytes_put_be16(b, r->flags);
        bytes_put_be16(b, ofp_port_to_u16(r->out_port));
        bytes_put_be16(b, 0);
        bytes_put_u8(b, r->table_id);
        bytes_put_zeros(b, 5);
        len = nx_match_put(b, &r->match, v, NULL);
        put_be16(b->data + at + 8, len);
    }
    msg_finish(b, start);
}

enum ofperr
monitor_cancel_decode(const struct msg *m, uint32_t *id)
{
    *id = get_be32(m->body.at);
    return OFPERR_NONE;
}

/* Updates.  Event numbers of Nicira's form: added, deleted, modified, abbreviated. */

static const enum monitor_event nx_events[] = {
    MONITOR_EV_ADDED, MONITOR_EV_DELETED, MONITOR_EV_MODIFIED, MONITOR_EV_ABBREV
};

static enum ofperr
bad_event(const struct msg *m, uint16_t event, char **why)
{
    if (why) {
        *why = xasprintf("%s has bad event %u", msg_wire_name(m->wire), event);
    }
    return OFPERR_NXBRC_FM_BAD_EVENT;
}

static enum ofperr
full_nx(struct cursor *e, const struct msg *m, struct monitor_update *u)
{
    const uint8_t *p = cursor_take(e, 24);

    if (!p) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    u->reason = get_be16(p + 4);
    u->priority = get_be16(p + 6);
    u->idle_timeout = get_be16(p + 8);
    u->hard_timeout = get_be16(p + 10);
    u->table_id = p[14];
    u->cookie = get_be64(p + 16);
    return m->version == OF13 ? match_struct_take(e, OXM_STRICT, &u->match)
                              : nx_match_take(e, get_be16(p + 12), OXM_STRICT, &u->match, NULL);
}

static enum ofperr
full_of14(struct cursor *e, struct monitor_update *u)
{
    const uint8_t *p = cursor_take(e, 24);

    if (!p) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    u->table_id = p[4];
    u->reason = p[5];
    u->idle_timeout = get_be16(p + 6);
    u->hard_timeout = get_be16(p + 8);
    u->priority = get_be16(p + 10);
    u->cookie = get_be64(p + 16);
    return match_struct_take(e, OXM_STRICT, &u->match);
}

enum ofperr
monitor_update_take(struct cursor *c, const struct msg *m, struct monitor_update *u, struct act_buf *acts, char **why)
{
    struct cursor e;
    uint16_t event;
    enum ofperr error;

    memset(u, 0, offsetof(struct monitor_update, match));
    u->actions = (struct act_span) { NULL, 0 };
    act_buf_clear(acts);
    if (c->left < 8 || get_be16(c->at) < 8 || get_be16(c->at) % 8 || !cursor_take_sub(c, get_be16(c->at), &e)) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    event = get_be16(e.at + 2);
    if (m->version >= OF14 ? event > MONITOR_EV_RESUMED : event >= ARRAY_SIZE(nx_events)) {
        return bad_event(m, event, why);
    }
    u->event = m->version >= OF14 ? event : nx_events[event];
    if (u->event >= MONITOR_EV_ABBREV) {
        u->xid = get_be32(e.at + 4);
        return e.left == 8 ? OFPERR_NONE : OFPERR_OFPBRC_BAD_LEN;
    }
    error = m->version >= OF14 ? full_of14(&e, u) : full_nx(&e, m, u);
    if (!error) {
        error = m->version < OF13 ? act_decode_actions(e.at, e.left, m->version, acts)
                                  : act_decode_instructions(e.at, e.left, m->version, acts);
    }
    u->actions = act_buf_span(acts);
    return error;
}

static uint16_t
nx_event(enum monitor_event event)
{
    return event == MONITOR_EV_DELETED ? 1 : event == MONITOR_EV_MODIFIED ? 2 : event == MONITOR_EV_ABBREV ? 3 : 0;
}

static void
put_full(struct bytes *b, enum of_version v, const struct monitor_update *u)
{
    size_t at = b->len;

    if (v >= OF14) {
        bytes_put_be16(b, 0);
        bytes_put_be16(b, u->event);
        bytes_put_u8(b, u->table_id);
        bytes_put_u8(b, u->reason);
        bytes_put_be16(b, u->idle_timeout);
        bytes_put_be16(b, u->hard_timeout);
        bytes_put_be16(b, u->priority);
        bytes_put_zeros(b, 4);
        bytes_put_be64(b, u->cookie);
        match_struct_put(b, v, &u->match);
    } else {
        size_t match, len;

        bytes_put_be16(b, 0);
        bytes_put_be16(b, nx_event(u->event));
        bytes_put_be16(b, u->reason);
        bytes_put_be16(b, u->priority);
        bytes_put_be16(b, u->idle_timeout);
        bytes_put_be16(b, u->hard_timeout);
        bytes_put_be16(b, 0);
        bytes_put_u8(b, u->table_id);
        bytes_put_u8(b, 0);
        bytes_put_be64(b, u->cookie);
        match = b->len;
        if (v == OF13) {
            match_struct_put(b, v, &u->match);
            len = get_be16(b->data + match + 2);
        } else {
            len = nx_match_put(b, &u->match, v, NULL);
        }
        put_be16(b->data + at + 12, len);
    }
    if (v < OF13) { /* Nicira's form has a bare list in every version. */
        act_encode_actions(u->actions, v, b);
    } else {
        act_encode_instructions(u->actions, v, b);
    }
}

void
monitor_update_put(struct bytes *b, enum of_version v, const struct monitor_update *u)
{
    size_t at = b->len;

    if (u->event >= MONITOR_EV_ABBREV) {
        bytes_put_be16(b, 0);
        bytes_put_be16(b, v >= OF14 ? u->event : nx_event(u->event));
        bytes_put_be32(b, u->event == MONITOR_EV_ABBREV ? u->xid : 0);
    } else {
        put_full(b, v, u);
    }
    put_be16(b->data + at, b->len - at);
}
