/* The table of tunnel metadata, and replies that are not a row of entries: the encoder is given the reply itself as the
 * request, whose version and class it takes over. */
#include <stdlib.h>

#include "openflow/msg/control.h"
#include "openflow/msg/flow.h"
#include "openflow/msg/group.h"
#include "openflow/msg/meter.h"
#include "openflow/msg/queue.h"
#include "openflow/msg/switch.h"
#include "openflow/msg/tlv.h"
#include "openflow/print/again.h"

bool
again_role_reply(const struct msg *m, struct bytes *out)
{
    struct role_msg r;

    if (role_decode(m, &r)) {
        return false;
    }
    role_reply_encode(out, m, &r);
    return true;
}

bool
again_async_reply(const struct msg *m, struct bytes *out)
{
    struct async_config c = { .primary = { 0 } };

    if (async_config_decode(m, false, &c, NULL)) {
        return false;
    }
    async_reply_encode(out, m, &c);
    return true;
}

bool
again_features_reply(const struct msg *m, struct bytes *out)
{
    struct switch_features f;
    struct cursor ports;
    size_t start;

    if (switch_features_decode(m, &f, &ports)) {
        return false;
    }
    start = switch_features_start(out, m, &f);
    while (ports.left) {
        struct port_desc d;

        if (port_desc_take(&ports, m->version, &d)) {
            return false;
        }
        port_desc_put(out, m->version, &d);
    }
    return msg_finish(out, start);
}

bool
again_desc(const struct msg *m, struct bytes *out)
{
    struct switch_desc d;

    if (switch_desc_decode(m, &d)) {
        return false;
    }
    switch_desc_encode(out, m, &d);
    return true;
}

bool
again_aggregate_reply(const struct msg *m, struct bytes *out)
{
    struct aggregate_stats s;

    if (aggregate_stats_decode(m, &s)) {
        return false;
    }
    aggregate_stats_encode(out, m, &s);
    return true;
}

bool
again_group_features(const struct msg *m, struct bytes *out)
{
    struct group_features f;

    if (group_features_decode(m, &f)) {
        return false;
    }
    group_features_encode(out, m, &f);
    return true;
}

bool
again_meter_features(const struct msg *m, struct bytes *out)
{
    struct meter_features f;

    if (meter_features_decode(m, &f)) {
        return false;
    }
    meter_features_encode(out, m, &f);
    return true;
}

bool
again_queue_config_reply(const struct msg *m, struct bytes *out)
{
    struct msg_parts parts;
    struct cursor c;
    ofp_port port;

    if (queue_config_reply_begin(m, &c, &port)) {
        return false;
    }
    queue_config_reply_start(&parts, out, m, port);
    while (c.left) {
        struct queue_config q;
        size_t at = out->len;

        if (queue_config_take(&c, m->version, &q)) {
            return false;
        }
        queue_config_put(out, m->version, &q);
        if (!msg_parts_entry(&parts, at)) {
            return false;
        }
    }
    msg_parts_end(&parts);
    return true;
}

/* Takes all mappings; false if one is wrong.  '*maps' is to be freed in any case. */
static bool
take_maps(struct cursor c, struct tlv_map **maps, size_t *n)
{
    *maps = xcalloc(c.left / 8 + 1, sizeof **maps);
    for (*n = 0; c.left; ++*n) {
        if (tlv_map_take(&c, *maps + *n, NULL)) {
            return false;
        }
    }
    return true;
}

bool
again_tlv_mod(const struct msg *m, struct bytes *out)
{
    enum tlv_command command;
    struct tlv_map *maps;
    struct cursor c;
    size_t n;
    bool ok;

    if (tlv_mod_decode(m, &command, &c, NULL)) {
        return false;
    }
    ok = take_maps(c, &maps, &n);
    if (ok) {
        tlv_mod_encode(out, m->version, m->xid, command, maps, n);
    }
    free(maps);
    return ok;
}

bool
again_tlv_reply(const struct msg *m, struct bytes *out)
{
    struct tlv_map *maps;
    struct tlv_reply r;
    struct cursor c;
    size_t n;
    bool ok;

    if (tlv_reply_decode(m, &r, &c)) {
        return false;
    }
    ok = take_maps(c, &maps, &n);
    if (ok) {
        tlv_reply_encode(out, m, &r, maps, n);
    }
    free(maps);
    return ok;
}
