/* The table of tunnel metadata fields (NXT_TLV_TABLE_*).  See ovs-ofctl(8), "OpenFlow Switch Tunnel TLV Table
 * Commands". */
#ifndef OPENFLOW_MSG_TLV_H
#define OPENFLOW_MSG_TLV_H 1

#include "openflow/msg.h"

enum tlv_command { TLV_ADD, TLV_DELETE, TLV_CLEAR };

struct tlv_map {
    uint16_t option_class;
    uint8_t option_type, option_len; /* A multiple of 4 from 4 to 124. */
    uint16_t index;                  /* N of tun_metadataN. */
};

/* NXTTMFC_*.  '*maps' is for tlv_map_take(). */
enum ofperr tlv_mod_decode(const struct msg *, enum tlv_command *, struct cursor *maps, char **why) MUST_CHECK;
enum ofperr tlv_map_take(struct cursor *, struct tlv_map *, char **why) MUST_CHECK;
void tlv_mod_encode(struct bytes *, enum of_version, uint32_t xid, enum tlv_command, const struct tlv_map *, size_t n);

struct tlv_reply {
    uint32_t max_option_space;
    uint16_t max_fields;
};

enum ofperr tlv_reply_decode(const struct msg *, struct tlv_reply *, struct cursor *maps) MUST_CHECK;
void tlv_reply_encode(struct bytes *, const struct msg *request, const struct tlv_reply *, const struct tlv_map *,
                      size_t n);

#endif
