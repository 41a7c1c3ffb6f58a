/* Packets between switch and controller: packet-in in its three formats, resume, packet-out.
 * Standards: OpenFlow 1.5 §7.3.6, §7.4.1. */
#ifndef OPENFLOW_MSG_PACKET_H
#define OPENFLOW_MSG_PACKET_H 1

#include "base/uuid.h"
#include "openflow/action/action.h"
#include "openflow/flow_mod.h"
#include "openflow/msg.h"
#include "openflow/packet_in_reason.h"
#include "openflow/msg/control.h"
#include "openflow/protocol.h"

#define BUFFER_NONE UINT32_MAX
#define PACKET_COOKIE_NONE UINT64_MAX

struct packet_in {
    const void *packet;  /* 'packet_len' bytes; perhaps the beginning only. */
    size_t packet_len;
    size_t total_len;    /* Of the whole packet. */
    uint32_t buffer_id;  /* BUFFER_NONE. */
    uint8_t table_id;
    uint64_t cookie;     /* PACKET_COOKIE_NONE. */
    uint8_t reason;      /* enum packet_in_reason, as received. */
    struct match metadata; /* in_port and the like; only fields that are not in the packet. */
    const void *userdata;
    size_t userdata_len;
    struct cursor continuation; /* Properties, opaque to controllers; empty if there is none. */
};

/* Reads PACKET_IN of both classes, PACKET_IN2 and RESUME.  The pointers go into the message.  'why' as in
 * msg_decode_why(). */
enum ofperr packet_in_decode(const struct msg *, struct packet_in *, char **why) MUST_CHECK;

/* Appends a packet-in in the format, cut to 'max_len' bytes of the packet.  'protocol' chooses the version.  Reasons
 * that
 * the version lacks are translated. */
void packet_in_encode(struct bytes *, unsigned int protocol, enum packet_in_format, const struct packet_in *,
                      size_t max_len);
void packet_in_encode_resume(struct bytes *, enum of_version, uint32_t xid, const struct packet_in *);

/* The reason as a version says it. */
uint8_t packet_in_reason_to_wire(uint8_t reason, enum of_version);

/* What is inside a continuation. */
struct continuation {
    struct uuid bridge;
    bool has_bridge, conntracked;
    struct cursor stack[32]; /* From the top. */
    size_t n_stack;
    bool has_odp_port;
    uint32_t mirrors, odp_port; /* Of the datapath. */
    struct act_buf action_set;
    /* Actions still to do: an entry for each list and each change of table or cookie, in order.  Instructions stand
     * apart from actions, in a property that only we have: the reference cannot go on with them. */
    struct continuation_step {
        uint8_t table;
        uint64_t cookie;
        bool has_instructions;
        size_t start, end;
    } *steps;
    size_t n_steps;
    struct act_buf actions; /* 'start' and 'end' are offsets in it. */
};

/* Appends a continuation's properties. */
void continuation_encode(struct bytes *, enum of_version, const struct continuation *);

/* Reads a continuation; to be released with continuation_uninit() in any case. */
enum ofperr continuation_decode(struct cursor, enum of_version, struct continuation *) MUST_CHECK;
void continuation_uninit(struct continuation *);

struct packet_out {
    const void *packet;     /* Null if the buffer is meant. */
    size_t packet_len;
    uint32_t buffer_id;
    struct match metadata;  /* in_port always; other pipeline fields from 1.5 on. */
    struct act_span actions;
};

/* Reads a packet-out; actions go into 'acts' (cleared first).  OFPBRC_BAD_PORT, OFPBRC_PIPELINE_FIELDS_ONLY. */
enum ofperr packet_out_decode(const struct msg *, struct packet_out *, struct act_buf *acts, char **why) MUST_CHECK;
bool packet_out_encode(struct bytes *, unsigned int protocol, uint32_t xid, const struct packet_out *);

/* The input port of the metadata; OFPP_NONE if it is not there. */
ofp_port packet_metadata_in_port(const struct match *);

#endif
