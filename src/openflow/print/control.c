#include "openflow/msg/control.h"

#include "openflow/msg/bundle.h"
#include "openflow/msg/flow.h"
#include "openflow/msg/group.h"
#include "openflow/msg/meter.h"
#include "openflow/msg/packet.h"
#include "openflow/print/private.h"

enum ofperr
print_role(struct printer *p, const struct msg *m)
{
    struct role_msg r;
    enum ofperr error = role_decode(m, &r);

    if (!error) {
        str_putf(p->s, " role=%s", of_role_name(r.role));
        if (r.has_generation && r.generation != UINT64_MAX) {
            str_putf(p->s, " generation_id=%llu", (unsigned long long) r.generation);
        }
    }
    return error;
}

static const char *const role_reasons[] = { "primary_request", "configuration_changed", "experimenter_data_changed" };

enum ofperr
print_role_status(struct printer *p, const struct msg *m)
{
    struct role_status r;
    enum ofperr error = role_status_decode(m, &r);

    if (!error) {
        str_putf(p->s, " role=%s", of_role_name(r.role));
        if (r.generation != UINT64_MAX) {
            str_putf(p->s, " generation_id=%llu", (unsigned long long) r.generation);
        }
        str_putf(p->s, " reason=%s", r.reason < ROLE_REASON_N ? role_reasons[r.reason] : "(unknown)");
    }
    return error;
}

/* The name of reason 'bit' of a kind. */
static const char *
async_reason(enum async_kind kind, unsigned int bit)
{
    static const char *const port[] = { "add", "delete", "modify" };
    static const char *const forward[] = { "group_mod_request", "meter_mod_request" };

    switch (kind) {
    case ASYNC_PACKET_IN: return print_packet_in_reason(bit);
    case ASYNC_PORT_STATUS: return bit < ARRAY_SIZE(port) ? port[bit] : NULL;
    case ASYNC_FLOW_REMOVED: return flow_removed_reason_name(bit);
    case ASYNC_ROLE_STATUS: return bit < ARRAY_SIZE(role_reasons) ? role_reasons[bit] : NULL;
    case ASYNC_TABLE_STATUS: return bit == 3 ? "vacancy_down" : bit == 4 ? "vacancy_up" : NULL;
    case ASYNC_REQUESTFORWARD: return bit < ARRAY_SIZE(forward) ? forward[bit] : NULL;
    case ASYNC_N: break;
    }
    return NULL;
}

static void
put_async(struct str *s, const char *title, const uint32_t *masks)
{
    str_putf(s, "\n %s:\n", title);
    for (int kind = 0; kind < ASYNC_N; kind++) {
        str_putf(s, "%16s:", async_kind_name(kind));
        for (unsigned int bit = 0; bit < 32; bit++) {
            const char *name = masks[kind] & 1u << bit ? async_reason(kind, bit) : NULL;

            if (name) {
                str_putf(s, " %s", name);
            }
        }
        str_puts(s, masks[kind] ? "\n" : " (off)\n");
    }
}

enum ofperr
print_async(struct printer *p, const struct msg *m)
{
    struct async_config c = { { 0 }, { 0 } };
    enum ofperr error = async_config_decode(m, m->type == MSG_GET_ASYNC_REPLY, &c, p->why);

    if (!error) {
        put_async(p->s, "primary", c.primary);
        put_async(p->s, "secondary", c.secondary);
    }
    return error;
}

enum ofperr
print_packet_in_format(struct printer *p, const struct msg *m)
{
    enum packet_in_format format;
    uint32_t raw;
    enum ofperr error = packet_in_format_decode(m, &format, &raw);

    if (error) {
        *p->why = xasprintf("NXT_SET_PACKET_IN_FORMAT message specified invalid packet-in format %u", raw);
    } else {
        str_putf(p->s, " format=%s", packet_in_format_name(format));
    }
    return error;
}

enum ofperr
print_controller_id(struct printer *p, const struct msg *m)
{
    uint16_t id;
    enum ofperr error = controller_id_decode(m, &id);

    if (!error) {
        str_putf(p->s, " id=%u", id);
    }
    return error;
}

/* Bundles. */

static void
put_bundle(struct str *s, uint32_t id, const char *type, uint16_t flags)
{
    static const struct print_bit names[] = { { BUNDLE_ATOMIC, "atomic" }, { BUNDLE_ORDERED, "ordered" } };

    str_putf(s, "\n bundle_id=%#x %s%s%sflags=", id, type ? "type=" : "", type ? type : "", type ? " " : "");
    print_bits(s, flags, names, ARRAY_SIZE(names), " ");
}

enum ofperr
print_bundle_control(struct printer *p, const struct msg *m)
{
    static const char *const types[] = {
        "OPEN_REQUEST", "OPEN_REPLY", "CLOSE_REQUEST", "CLOSE_REPLY", "COMMIT_REQUEST", "COMMIT_REPLY",
        "DISCARD_REQUEST", "DISCARD_REPLY"
    };
    struct bundle_control bc;
    enum ofperr error = bundle_control_decode(m, &bc);

    if (!error) {
        put_bundle(p->s, bc.bundle_id, bc.type < ARRAY_SIZE(types) ? types[bc.type] : "", bc.flags);
    }
    return error;
}

enum ofperr
print_bundle_add(struct printer *p, const struct msg *m)
{
    struct bundle_add ba;
    enum ofperr error = bundle_add_decode(m, &ba, p->why);

    if (!error) {
        put_bundle(p->s, ba.bundle_id, NULL, ba.flags);
        str_putc(p->s, '\n');
        print_inner(p, &ba.inner);
    }
    return error;
}

enum ofperr
print_requestforward(struct printer *p, const struct msg *m)
{
    size_t len = m->body.left >= MSG_HEADER ? msg_stated_length(m->body.at) : 0;
    struct msg inner;
    enum ofperr error;
    size_t before;

    if (len < MSG_HEADER || len > m->body.left) {
        return OFPERR_OFPBFC_MSG_BAD_LEN;
    }
    error = msg_decode_why(m->body.at, len, &inner, p->why);
    if (error) {
        return error;
    }
    if (inner.type != MSG_GROUP_MOD && inner.type != MSG_METER_MOD) {
        return OFPERR_OFPBFC_MSG_UNSUP;
    }
    before = p->s->len;
    str_puts(p->s, inner.type == MSG_GROUP_MOD ? " reason=group_mod" : " reason=meter_mod");
    error = inner.type == MSG_GROUP_MOD ? print_group_mod(p, &inner) : print_meter_mod(p, &inner);
    if (error) {
        str_truncate(p->s, before);
    }
    return error;
}
