/* Flow monitors: requests, updates.  The three forms (NX, ONF, OF1.4) share one abstract one.
 *
 * Flags are those of Nicira's form; OpenFlow 1.4's "no abbreviation" and "only own" are mapped as the reference does
 * (it
 * refuses 32 and gives 64 the meaning of OWN).
 * Standards: OpenFlow 1.4 §7.3.5.17; ONF extension 187. */
#ifndef OPENFLOW_MSG_MONITOR_H
#define OPENFLOW_MSG_MONITOR_H 1

#include "openflow/action/action.h"
#include "openflow/flow_mod.h"
#include "openflow/msg.h"

enum {
    MONITOR_INITIAL = 1, MONITOR_ADD = 2, MONITOR_DELETE = 4, MONITOR_MODIFY = 8, MONITOR_ACTIONS = 16,
    MONITOR_OWN = 32, MONITOR_FLAGS_ALL = 63
};

enum monitor_command { MONITOR_CMD_ADD, MONITOR_CMD_MODIFY, MONITOR_CMD_DELETE };

struct monitor_request {
    uint32_t id;
    uint16_t flags;
    ofp_port out_port;  /* OFPP_NONE: any. */
    uint32_t out_group; /* FM_GROUP_ANY. */
    uint8_t table_id;   /* 255: all. */
    enum monitor_command command;
    struct match match;
};

/* Takes one monitor of a FLOW_MONITOR request.  'why' as in msg_decode_why(). */
enum ofperr monitor_request_take(struct cursor *, const struct msg *, struct monitor_request *, char **why) MUST_CHECK;
void monitor_request_encode(struct bytes *, enum of_version, uint32_t xid, const struct monitor_request *);

enum ofperr monitor_cancel_decode(const struct msg *, uint32_t *id) MUST_CHECK;

enum monitor_event {
    MONITOR_EV_INITIAL, MONITOR_EV_ADDED, MONITOR_EV_DELETED, MONITOR_EV_MODIFIED, MONITOR_EV_ABBREV,
    MONITOR_EV_PAUSED, MONITOR_EV_RESUMED
};

struct monitor_update {
    enum monitor_event event;
    uint32_t xid;          /* Of the flow-mod, in MONITOR_EV_ABBREV. */
    uint16_t reason;       /* enum flow_removed_reason, of deletions. */
    uint16_t idle_timeout, hard_timeout, priority;
    uint8_t table_id;
    uint64_t cookie;
    struct match match;
    struct act_span actions;
};

/* Takes one update of a reply; its actions go into 'acts' (cleared first). */
enum ofperr monitor_update_take(struct cursor *, const struct msg *, struct monitor_update *, struct act_buf *acts,
                                char **why) MUST_CHECK;

/* Appends an update; begin with msg_parts_begin_class() for MSG_FLOW_MONITOR_REPLY. */
void monitor_update_put(struct bytes *, enum of_version, const struct monitor_update *);

#endif
