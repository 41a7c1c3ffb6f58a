#include "openflow/msg/tlv.h"

enum ofperr
tlv_map_take(struct cursor *c, struct tlv_map *map, char **why)
{
    const uint8_t *p = cursor_take(c, 8);

    if (!p) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    *map = (struct tlv_map) { get_be16(p), p[2], p[3], get_be16(p + 4) };
    if (map->option_len % 4 || map->option_len > 124) {
        if (why) {
            *why = xasprintf("tlv table option length (%u) is not a valid option size", map->option_len);
        }
        return OFPERR_NXTTMFC_BAD_OPT_LEN;
    }
    if (map->index > 63) {
        if (why) {
            *why = xasprintf("tlv table field index (%u) is too large (max 63)", map->index);
        }
        return OFPERR_NXTTMFC_BAD_FIELD_IDX;
    }
    return OFPERR_NONE;
}

enum ofperr
tlv_mod_decode(const struct msg *m, enum tlv_command *command, struct cursor *maps, char **why)
{
    const uint8_t *p;

    *maps = m->body;
    p = cursor_take(maps, 8);
    *command = get_be16(p);
    if (get_be16(p) > TLV_CLEAR) {
        if (why) {
            *why = xasprintf("tlv table mod command (%u) is out of range", get_be16(p));
        }
        return OFPERR_NXTTMFC_BAD_COMMAND;
    }
    return OFPERR_NONE;
}

static void
put_maps(struct bytes *b, const struct tlv_map *maps, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bytes_put_be16(b, maps[i].option_class);
        bytes_put_u8(b, maps[i].option_type);
        bytes_put_u8(b, maps[i].option_len);
        bytes_put_be16(b, maps[i].index);
        bytes_put_zeros(b, 2);
    }
}

void
tlv_mod_encode(struct bytes *b, enum of_version v, uint32_t xid, enum tlv_command command, const struct tlv_map *maps,
               size_t n)
{
    size_t start = msg_start(b, MSG_TLV_TABLE_MOD, v, xid);

    bytes_put_be16(b, command);
    bytes_put_zeros(b, 6);
    put_maps(b, maps, n);
    msg_finish(b, start);
}

enum ofperr
tlv_reply_decode(const struct msg *m, struct tlv_reply *r, struct cursor *maps)
{
    const uint8_t *p;

    *maps = m->body;
    p = cursor_take(maps, 16);
    *r = (struct tlv_reply) { get_be32(p), get_be16(p + 4) };
    return OFPERR_NONE;
}

void
tlv_reply_encode(struct bytes *b, const struct msg *request, const struct tlv_reply *r, const struct tlv_map *maps,
                 size_t n)
{
    size_t start = msg_start_reply(b, MSG_TLV_TABLE_REPLY, request);

    bytes_put_be32(b, r->max_option_space);
    bytes_put_be16(b, r->max_fields);
    bytes_put_zeros(b, 10);
    put_maps(b, maps, n);
    msg_finish(b, start);
}
