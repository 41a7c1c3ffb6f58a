/* Flow messages: flow-mods, statistics and their requests, aggregates, removals.
 *
 * The abstract flow-mod is openflow/flow_mod.h.  Which protocol (openflow/protocol.h) is spoken decides on the wire
 * form
 * in 1.0: plain or Nicira's message, with the table id in the command or not.
 * Standards: OpenFlow 1.5 §7.3.4.2, §7.3.5.2. */
#ifndef OPENFLOW_MSG_FLOW_H
#define OPENFLOW_MSG_FLOW_H 1

#include "openflow/flow_mod.h"
#include "openflow/msg.h"
#include "openflow/protocol.h"

/* Reads a FLOW_MOD of either class; 'fm->actions' is a copy of its own.  In 1.0 'has_table_id' says whether commands
 * carry a table id.  On an error '*fm' needs no flow_mod_uninit(). */
enum ofperr flow_mod_decode(const struct msg *, bool has_table_id, struct flow_mod *fm) MUST_CHECK;

/* The same into the caller's buffer: 'fm->actions' points into 'acts' (cleared first), and flow_mod_uninit() must not
 * be called.  For reading many. */
enum ofperr flow_mod_decode_into(const struct msg *, bool has_table_id, struct flow_mod *fm,
                                 struct act_buf *acts) MUST_CHECK;

/* Appends a flow-mod in the form of 'protocol' (one bit).  False if it gets too long. */
bool flow_mod_encode(struct bytes *, unsigned int protocol, uint32_t xid, const struct flow_mod *);

/* FLOW and AGGREGATE requests. */
struct flow_request {
    bool aggregate;
    struct match match;
    uint64_t cookie, cookie_mask;
    ofp_port out_port;  /* OFPP_NONE: any. */
    uint32_t out_group; /* FM_GROUP_ANY. */
    uint8_t table_id;   /* 255: all. */
};

enum ofperr flow_request_decode(const struct msg *, struct flow_request *) MUST_CHECK;
void flow_request_encode(struct bytes *, unsigned int protocol, uint32_t xid, const struct flow_request *);

/* One flow in a reply. */
struct flow_stats {
    struct match match;
    uint64_t cookie;
    uint8_t table_id;
    uint16_t priority, idle_timeout, hard_timeout, importance;
    uint32_t duration_sec, duration_nsec;
    int idle_age, hard_age; /* Seconds, -1: unknown. */
    uint64_t n_packets, n_bytes; /* UINT64_MAX: unknown. */
    uint16_t flags; /* FM_*. */
    struct act_span actions;
};

/* Takes one entry of a FLOW reply; its actions go into 'acts' (cleared first), which 'fs->actions' points into.  With
 * 'acts' null they are skipped. */
enum ofperr flow_stats_take(struct cursor *, const struct msg *, struct flow_stats *fs,
                            struct act_buf *acts) MUST_CHECK;

/* Appends an entry in the form of the request's reply ('class' is CLASS_NXST_REPLY or CLASS_OFPST_REPLY). */
void flow_stats_put(struct bytes *, enum msg_class class, enum of_version, const struct flow_stats *);

struct aggregate_stats {
    uint64_t n_packets, n_bytes;
    uint32_t n_flows;
};

enum ofperr aggregate_stats_decode(const struct msg *, struct aggregate_stats *) MUST_CHECK;
void aggregate_stats_encode(struct bytes *, const struct msg *request, const struct aggregate_stats *);

enum flow_removed_reason {
    REMOVED_IDLE, REMOVED_HARD, REMOVED_DELETE, REMOVED_GROUP_DELETE, REMOVED_METER_DELETE, REMOVED_EVICTION
};

struct flow_removed {
    struct match match;
    uint64_t cookie;
    uint16_t priority, idle_timeout, hard_timeout;
    uint8_t reason;   /* enum flow_removed_reason. */
    uint8_t table_id; /* 255: unknown. */
    uint32_t duration_sec, duration_nsec;
    uint64_t n_packets, n_bytes; /* UINT64_MAX: unknown. */
};

/* "idle", "hard"...; null for numbers without a name. */
const char *flow_removed_reason_name(unsigned int reason);

enum ofperr flow_removed_decode(const struct msg *, struct flow_removed *) MUST_CHECK;
/* In the form of 'protocol': reasons that a version lacks become REMOVED_DELETE. */
void flow_removed_encode(struct bytes *, unsigned int protocol, const struct flow_removed *);

#endif
