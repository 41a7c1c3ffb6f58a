#include <string.h>

#include "openflow/msg/fixed_match.h"
#include "openflow/msg/flow.h"

#define WIRE_EMERGENCY 4 /* Of 1.0. */

/* Flag bits of the wire, by version; they are those of FM_* from 1.2 on. */
static uint16_t
flags_of(enum of_version v)
{
    uint16_t bits = FM_SEND_FLOW_REM | FM_CHECK_OVERLAP;

    if (v >= OF12) {
        bits |= FM_RESET_COUNTS;
    }
    if (v >= OF13) {
        bits |= FM_NO_PACKET_COUNTS | FM_NO_BYTE_COUNTS;
    }
    return bits;
}

/* From fm->flags as on the wire: the last thing that is looked at. */
static enum ofperr
decode_flags(struct flow_mod *fm, enum of_version v)
{
    uint16_t wire = fm->flags;

    if (v == OF10 && wire & WIRE_EMERGENCY) {
        /* No emergency flow cache: what the standard says of a full one. */
        return wire & ~(flags_of(v) | WIRE_EMERGENCY) ? OFPERR_OFPFMFC_BAD_FLAGS : OFPERR_OFPFMFC_TABLE_FULL;
    }
    if (wire & ~flags_of(v)) {
        return OFPERR_OFPFMFC_BAD_FLAGS;
    }
    fm->flags = wire;
    if (v < OF12 && fm->command == FM_ADD) {
        fm->flags |= FM_RESET_COUNTS; /* Adding resets the counters always, before 1.2. */
    }
    return OFPERR_NONE;
}

static enum ofperr
decode_command(struct flow_mod *fm, uint16_t command, bool has_table_id)
{
    unsigned int number = has_table_id ? command & 0xff : command;

    fm->table_id = has_table_id ? command >> 8 : FM_TABLE_ANY;
    fm->command = number;
    return number <= FM_DELETE_STRICT ? OFPERR_NONE : OFPERR_OFPFMFC_BAD_COMMAND;
}

static bool
is_modify(const struct flow_mod *fm)
{
    return fm->command == FM_MODIFY || fm->command == FM_MODIFY_STRICT;
}

/* 1.0 has no cookie filter: the cookie is the new one; all ones leave it as it is. */
static void
set_plain_cookie(struct flow_mod *fm, uint64_t cookie)
{
    bool is_delete = fm->command == FM_DELETE || fm->command == FM_DELETE_STRICT;

    fm->new_cookie = is_delete ? UINT64_MAX : cookie;
    fm->modify_cookie = is_modify(fm) && cookie != UINT64_MAX;
}

static enum ofperr
decode_of10(const struct msg *m, bool has_table_id, struct flow_mod *fm, struct cursor *acts)
{
    const uint8_t *p = m->body.at;
    enum ofperr error = decode_command(fm, get_be16(p + 48), has_table_id);
    bool exact;

    if (error) {
        return error;
    }
    match10_decode(p, &fm->match, &exact);
    fm->idle_timeout = get_be16(p + 50);
    fm->hard_timeout = get_be16(p + 52);
    fm->priority = exact ? UINT16_MAX : get_be16(p + 54);
    fm->buffer_id = get_be32(p + 56);
    fm->out_port = ofp_port_from_u16(get_be16(p + 60));
    fm->flags = get_be16(p + 62);
    set_plain_cookie(fm, get_be64(p + 40));
    fm->add_if_missing = is_modify(fm);
    (void) cursor_take(acts, 64);
    return OFPERR_NONE;
}

static enum ofperr
decode_nxt(bool has_table_id, struct flow_mod *fm, struct cursor *acts)
{
    const uint8_t *p = cursor_take(acts, 32);
    struct oxm_cookie cookie;
    enum ofperr error = nx_match_take(acts, get_be16(p + 24), OXM_STRICT, &fm->match, &cookie);

    error = error ? error : decode_command(fm, get_be16(p + 8), has_table_id);
    if (error) {
        return error;
    }
    if (fm->command == FM_ADD && cookie.mask) {
        return OFPERR_NXBRC_NXM_INVALID; /* A new flow has no cookie to match. */
    }
    fm->cookie = cookie.value;
    fm->cookie_mask = cookie.mask;
    fm->idle_timeout = get_be16(p + 10);
    fm->hard_timeout = get_be16(p + 12);
    fm->priority = get_be16(p + 14);
    fm->buffer_id = get_be32(p + 16);
    fm->out_port = ofp_port_from_u16(get_be16(p + 20));
    fm->flags = get_be16(p + 22);
    set_plain_cookie(fm, get_be64(p));
    fm->add_if_missing = is_modify(fm) && !cookie.mask;
    return OFPERR_NONE;
}

/* From 1.1 on the cookie of a modification is a filter only.  In 1.1, one without a filter adds what is missing. */
static void
set_masked_cookie(struct flow_mod *fm, enum of_version v, uint64_t cookie, uint64_t mask)
{
    if (fm->command == FM_ADD) {
        fm->new_cookie = cookie;
        return;
    }
    fm->cookie = cookie;
    fm->cookie_mask = mask;
    fm->new_cookie = UINT64_MAX;
    if (v == OF11 && is_modify(fm) && !mask) {
        fm->new_cookie = cookie;
        fm->add_if_missing = true;
    }
}

static enum ofperr
decode_of11(const struct msg *m, struct flow_mod *fm, struct cursor *acts)
{
    const uint8_t *p = cursor_take(acts, 40);
    enum ofperr error = match_struct_take(acts, OXM_STRICT, &fm->match);

    if (error) {
        return error;
    }
    fm->command = p[17];
    fm->table_id = p[16];
    /* All tables are for deletions; 1.1 has not even that. */
    if (fm->table_id == FM_TABLE_ANY &&
        (m->version == OF11 || (fm->command != FM_DELETE && fm->command != FM_DELETE_STRICT))) {
        return OFPERR_OFPFMFC_BAD_TABLE_ID;
    }
    set_masked_cookie(fm, m->version, get_be64(p), get_be64(p + 8));
    fm->idle_timeout = get_be16(p + 18);
    fm->hard_timeout = get_be16(p + 20);
    fm->priority = get_be16(p + 22);
    fm->buffer_id = get_be32(p + 24);
    fm->out_group = get_be32(p + 32);
    fm->flags = get_be16(p + 36);
    fm->importance = m->version >= OF14 ? get_be16(p + 38) : 0;
    error = ofp_port_from_wire32(get_be32(p + 28), &fm->out_port);
    return error || fm->command <= FM_DELETE_STRICT ? error : OFPERR_OFPFMFC_BAD_COMMAND;
}

enum ofperr
flow_mod_decode_into(const struct msg *m, bool has_table_id, struct flow_mod *fm, struct act_buf *acts)
{
    struct cursor rest = m->body;
    enum ofperr error;

    memset(fm, 0, offsetof(struct flow_mod, match));
    fm->out_port = OFPP_NONE;
    fm->out_group = FM_GROUP_ANY;
    act_buf_clear(acts);
    if (m->wire->class == CLASS_NXT) {
        error = decode_nxt(has_table_id, fm, &rest);
    } else if (m->version == OF10) {
        error = decode_of10(m, has_table_id, fm, &rest);
    } else {
        error = decode_of11(m, fm, &rest);
    }
    if (error) {
        return error;
    }
    error = m->version == OF10 ? act_decode_actions(rest.at, rest.left, m->version, acts)
                               : act_decode_instructions(rest.at, rest.left, m->version, acts);
    fm->actions = act_buf_span(acts);
    return error ? error : decode_flags(fm, m->version);
}

enum ofperr
flow_mod_decode(const struct msg *m, bool has_table_id, struct flow_mod *fm)
{
    struct act_buf acts = ACT_BUF_INIT;
    enum ofperr error = flow_mod_decode_into(m, has_table_id, fm, &acts);

    if (!error) {
        fm->actions = act_span_clone(fm->actions);
    }
    act_buf_uninit(&acts);
    return error;
}

/* Writing. */

static uint16_t
encode_flags(const struct flow_mod *fm, enum of_version v)
{
    return fm->flags & flags_of(v);
}

static uint16_t
encode_command(const struct flow_mod *fm, unsigned int protocol)
{
    return protocol & PROTO_TID ? fm->table_id << 8 | fm->command : fm->command;
}

static void
put_of10(struct bytes *b, unsigned int protocol, const struct flow_mod *fm)
{
    match10_encode(b, &fm->match);
    bytes_put_be64(b, fm->new_cookie);
    bytes_put_be16(b, encode_command(fm, protocol));
    bytes_put_be16(b, fm->idle_timeout);
    bytes_put_be16(b, fm->hard_timeout);
    bytes_put_be16(b, fm->priority);
    bytes_put_be32(b, fm->buffer_id);
    bytes_put_be16(b, ofp_port_to_u16(fm->out_port));
    bytes_put_be16(b, encode_flags(fm, OF10));
    act_encode_actions(fm->actions, OF10, b);
}

static void
put_nxt(struct bytes *b, unsigned int protocol, const struct flow_mod *fm)
{
    struct oxm_cookie cookie = { fm->cookie, fm->cookie_mask };
    size_t start = b->len, match_len;

    bytes_put_be64(b, fm->new_cookie);
    bytes_put_be16(b, encode_command(fm, protocol));
    bytes_put_be16(b, fm->idle_timeout);
    bytes_put_be16(b, fm->hard_timeout);
    bytes_put_be16(b, fm->priority);
    bytes_put_be32(b, fm->buffer_id);
    bytes_put_be16(b, ofp_port_to_u16(fm->out_port));
    bytes_put_be16(b, encode_flags(fm, OF10));
    bytes_put_zeros(b, 8);
    match_len = nx_match_put(b, &fm->match, OF10, &cookie);
    put_be16(b->data + start + 24, match_len);
    act_encode_actions(fm->actions, OF10, b);
}

static void
put_of11(struct bytes *b, enum of_version v, const struct flow_mod *fm)
{
    bool plain = fm->command == FM_ADD || (v == OF11 && is_modify(fm) && !fm->cookie_mask);

    bytes_put_be64(b, plain ? fm->new_cookie : fm->cookie & fm->cookie_mask);
    bytes_put_be64(b, plain ? 0 : fm->cookie_mask);
    /* 1.1 has no "all tables", and an add must name one. */
    bytes_put_u8(b, fm->table_id == FM_TABLE_ANY &&
                    (v == OF11 || (fm->command != FM_DELETE && fm->command != FM_DELETE_STRICT)) ? 0 : fm->table_id);
    bytes_put_u8(b, fm->command);
    bytes_put_be16(b, fm->idle_timeout);
    bytes_put_be16(b, fm->hard_timeout);
    bytes_put_be16(b, fm->priority);
    bytes_put_be32(b, fm->buffer_id);
    bytes_put_be32(b, ofp_to_u32(fm->out_port));
    bytes_put_be32(b, fm->out_group);
    bytes_put_be16(b, encode_flags(fm, v));
    bytes_put_be16(b, v >= OF14 ? fm->importance : 0);
    match_struct_put(b, v, &fm->match);
    act_encode_instructions(fm->actions, v, b);
}

bool
flow_mod_encode(struct bytes *b, unsigned int protocol, uint32_t xid, const struct flow_mod *fm)
{
    enum of_version v = proto_version(protocol);
    bool nxm = protocol & PROTO_OF10_NXM_ANY;
    size_t start = msg_start_class(b, MSG_FLOW_MOD, nxm ? CLASS_NXT : CLASS_OFPT, v, xid);

    if (nxm) {
        put_nxt(b, protocol, fm);
    } else if (v == OF10) {
        put_of10(b, protocol, fm);
    } else {
        put_of11(b, v, fm);
    }
    return msg_finish(b, start);
}
