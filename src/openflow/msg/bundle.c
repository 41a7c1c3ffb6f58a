#include "openflow/msg/bundle.h"

#include <stdlib.h>

enum ofperr
bundle_control_decode(const struct msg *m, struct bundle_control *bc)
{
    const uint8_t *p = m->body.at;

    *bc = (struct bundle_control) { get_be32(p), get_be16(p + 4), get_be16(p + 6) };
    return OFPERR_NONE;
}

static void
put_control(struct bytes *b, const struct bundle_control *bc)
{
    bytes_put_be32(b, bc->bundle_id);
    bytes_put_be16(b, bc->type);
    bytes_put_be16(b, bc->flags);
}

void
bundle_control_encode(struct bytes *b, enum of_version v, uint32_t xid, const struct bundle_control *bc)
{
    size_t start = msg_start(b, MSG_BUNDLE_CONTROL, v, xid);

    put_control(b, bc);
    msg_finish(b, start);
}

void
bundle_control_reply(struct bytes *b, const struct msg *request, const struct bundle_control *bc)
{
    size_t start = msg_start_reply(b, MSG_BUNDLE_CONTROL, request);

    put_control(b, bc);
    msg_finish(b, start);
}

static bool
may_be_bundled(enum msg_type type)
{
    return type == MSG_FLOW_MOD || type == MSG_GROUP_MOD || type == MSG_PACKET_OUT || type == MSG_PORT_MOD;
}

enum ofperr
bundle_add_decode(const struct msg *m, struct bundle_add *ba, char **why)
{
    struct cursor c = m->body;
    const uint8_t *p = cursor_take(&c, 8);
    char *inner_why = NULL;
    enum ofperr error;
    size_t len;

    if (!p || c.left < MSG_HEADER) {
        return OFPERR_OFPBFC_MSG_BAD_LEN;
    }
    ba->bundle_id = get_be32(p);
    ba->flags = get_be16(p + 6);
    len = msg_stated_length(c.at);
    if (len > c.left || len < MSG_HEADER) {
        return OFPERR_OFPBFC_MSG_BAD_LEN;
    }
    if (c.at[0] != m->version) {
        return OFPERR_OFPBFC_BAD_VERSION;
    }
    if (get_be32(c.at + 4) != m->xid) {
        return OFPERR_OFPBFC_MSG_BAD_XID;
    }
    error = msg_decode_why(c.at, len, &ba->inner, &inner_why);
    if (error) {
        if (why) {
            *why = inner_why ? xasprintf("%s", inner_why)
                             : xasprintf("OFPT14_BUNDLE_ADD_MESSAGE contained message is unparsable (%s)",
                                         ofperr_name(error));
        }
        free(inner_why);
        return OFPERR_OFPBFC_MSG_UNSUP;
    }
    if (!may_be_bundled(ba->inner.type)) {
        if (why) {
            *why = xasprintf("%s message not allowed inside OFPT14_BUNDLE_ADD_MESSAGE",
                             msg_wire_name(ba->inner.wire));
        }
        return OFPERR_OFPBFC_MSG_UNSUP;
    }
    return OFPERR_NONE;
}

bool
bundle_add_encode(struct bytes *b, uint32_t bundle_id, uint16_t flags, const void *inner, size_t n)
{
    const uint8_t *p = inner;
    size_t start = msg_start(b, MSG_BUNDLE_ADD_MESSAGE, p[0], get_be32(p + 4));

    bytes_put_be32(b, bundle_id);
    bytes_put_zeros(b, 2);
    bytes_put_be16(b, flags);
    bytes_put(b, inner, n);
    return msg_finish(b, start);
}
