#include <string.h>

#include "openflow/msg/control.h"
#include "openflow/msg/prop.h"

/* The kinds that the fixed form (NXT, 1.3) carries. */
#define N_FIXED 3

/* This and the next one up. */
#define TYPE_EXPERIMENTER 0xfffe

static const struct {
    const char *name;
    uint32_t all; /* Reasons that there are, in 1.4 and later. */
} kinds[ASYNC_N] = {
    [ASYNC_PACKET_IN] = { "PACKET_IN", 0x3f },
    [ASYNC_PORT_STATUS] = { "PORT_STATUS", 0x7 },
    [ASYNC_FLOW_REMOVED] = { "FLOW_REMOVED", 0x3f },
    [ASYNC_ROLE_STATUS] = { "ROLE_STATUS", 0x7 },
    [ASYNC_TABLE_STATUS] = { "TABLE_STATUS", 0x18 },
    [ASYNC_REQUESTFORWARD] = { "REQUESTFORWARD", 0x3 },
};

/* Reasons of the fixed form. */
static const uint32_t fixed_all[N_FIXED] = { 0x7, 0x7, 0x3f };

const char *
async_kind_name(enum async_kind kind)
{
    return kinds[kind].name;
}

void
async_config_default(enum of_version v, struct async_config *c)
{
    memset(c, 0, sizeof *c);
    /* Of packet-ins, invalid_ttl must be asked for. */
    c->primary[ASYNC_PACKET_IN] = v >= OF14 ? 0x3b : 0x3;
    c->primary[ASYNC_PORT_STATUS] = c->secondary[ASYNC_PORT_STATUS] = 0x7;
    c->primary[ASYNC_FLOW_REMOVED] = v >= OF14 ? 0x3f : v == OF13 ? 0xf : 0x7;
}

static enum ofperr
decode_fixed(const struct msg *m, struct async_config *c)
{
    for (int i = 0; i < N_FIXED; i++) {
        c->primary[i] = get_be32(m->body.at + 8 * i) & fixed_all[i];
        c->secondary[i] = get_be32(m->body.at + 8 * i + 4) & fixed_all[i];
    }
    return OFPERR_NONE;
}

static enum ofperr
decode_prop(const struct prop *p, bool loose, struct async_config *c, char **why)
{
    enum async_kind kind = p->type / 2;
    uint32_t bits;
    enum ofperr error;

    if (p->type >= TYPE_EXPERIMENTER && p->body.left + (p->type == 0xffff ? 8 : 0) < 8) {
        return OFPERR_OFPBPC_BAD_LEN;
    }
    if (p->type >= TYPE_EXPERIMENTER && !loose) {
        return OFPERR_OFPBPC_BAD_EXP_TYPE; /* As in the reference, whoever the experimenter is. */
    }
    if (p->type >= 2 * ASYNC_N) {
        if (why && !loose) {
            *why = xasprintf("unknown async config property type %u", p->type);
        }
        return loose ? OFPERR_NONE : OFPERR_OFPACFC_UNSUPPORTED;
    }
    error = prop_be32(p, &bits);
    if (error) {
        return error;
    }
    if (bits & ~kinds[kind].all) {
        if (why) {
            *why = xasprintf("bad value 0x%x for %s (allowed mask 0x%x)", bits, kinds[kind].name, kinds[kind].all);
        }
        return OFPERR_OFPACFC_INVALID;
    }
    *(p->type & 1 ? &c->primary[kind] : &c->secondary[kind]) = bits;
    return OFPERR_NONE;
}

enum ofperr
async_config_decode(const struct msg *m, bool loose, struct async_config *config, char **why)
{
    struct async_config c = *config;
    struct cursor body = m->body;

    if (!m->wire->unit) {
        return decode_fixed(m, config);
    }
    while (body.left) {
        struct prop prop;
        enum ofperr error = prop_take(&body, &prop);

        if (!error) {
            error = decode_prop(&prop, loose, &c, why);
        }
        if (error) {
            return error;
        }
    }
    *config = c;
    return OFPERR_NONE;
}

static void
put_config(struct bytes *b, enum of_version v, const struct async_config *c)
{
    for (int i = 0; i < (v >= OF14 ? ASYNC_N : N_FIXED); i++) {
        if (v >= OF14) {
            prop_put_be32(b, 2 * i, c->secondary[i]);
            prop_put_be32(b, 2 * i + 1, c->primary[i]);
        } else {
            bytes_put_be32(b, c->primary[i] & fixed_all[i]);
            bytes_put_be32(b, c->secondary[i] & fixed_all[i]);
        }
    }
}

void
async_reply_encode(struct bytes *b, const struct msg *request, const struct async_config *c)
{
    size_t start = msg_start_reply(b, MSG_GET_ASYNC_REPLY, request);

    put_config(b, request->version, c);
    msg_finish(b, start);
}

void
async_set_encode(struct bytes *b, enum of_version v, uint32_t xid, const struct async_config *c)
{
    size_t start = msg_start(b, v >= OF13 ? MSG_SET_ASYNC : MSG_SET_ASYNC_CONFIG, v, xid);

    put_config(b, v, c);
    msg_finish(b, start);
}
