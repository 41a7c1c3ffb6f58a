/* A change of flow tables, in the form that all versions share.
 *
 * What the codec (openflow/msg) decodes to and encodes from, what the flow syntax (openflow/flow_syntax.h) reads, what
 * 'learn' produces and what the bridge carries out.
 *
 * Standards: OpenFlow 1.5 §7.3.4.2; ovs-ofctl(8) "Flow Syntax". */
#ifndef OPENFLOW_FLOW_MOD_H
#define OPENFLOW_FLOW_MOD_H 1

#include "flow/match.h"
#include "openflow/action/action.h"

/* Numbers of the wire. */
enum flow_mod_command { FM_ADD, FM_MODIFY, FM_MODIFY_STRICT, FM_DELETE, FM_DELETE_STRICT };

/* Bits of 'flags': those of OpenFlow 1.3 and later. */
enum {
    FM_SEND_FLOW_REM = 1 << 0,
    FM_CHECK_OVERLAP = 1 << 1,
    FM_RESET_COUNTS = 1 << 2,
    FM_NO_PACKET_COUNTS = 1 << 3,
    FM_NO_BYTE_COUNTS = 1 << 4,
    FM_EMERGENCY = 1 << 8, /* OpenFlow 1.0's emergency flows: refused. */
    FM_HIDDEN_FIELDS = 1 << 9,  /* "allow_hidden_fields" of the flow syntax. */
    FM_NO_READONLY = 1 << 10,   /* "no_readonly_table". */
};

enum { FM_TABLE_ANY = 255 };
#define FM_BUFFER_NONE UINT32_MAX
#define FM_GROUP_ANY UINT32_MAX

struct flow_mod {
    enum flow_mod_command command;
    uint8_t table_id;            /* FM_TABLE_ANY: all (modify, delete); the switch chooses (add). */
    uint16_t flags;              /* FM_* */
    int priority;                /* 0 to 65535. */
    uint16_t idle_timeout, hard_timeout; /* Seconds, 0: never. */
    uint16_t importance;
    uint32_t buffer_id;
    ofp_port out_port;           /* Deletes: only flows that output here; OFPP_NONE: any. */
    uint32_t out_group;          /* The same for groups; FM_GROUP_ANY. */
    uint64_t cookie, cookie_mask; /* Only flows whose cookie agrees in the bits of the mask (modify, delete). */
    uint64_t new_cookie;         /* Of the added or modified flow, if 'modify_cookie'. */
    bool modify_cookie;          /* Modify: also changes the cookie. */
    bool add_if_missing;         /* Modify: acts as an add where no flow matches (OpenFlow 1.0 to 1.2, and Nicira's). */
    uint64_t used_options;       /* Bit N: the actions use tun_metadataN; for the switch that checks them. */
    struct match match;
    struct act_span actions;     /* Owned (flow_mod_uninit()); instructions included. */
};

/* An add of nothing: defaults of the flow syntax. */
void flow_mod_init(struct flow_mod *);
void flow_mod_uninit(struct flow_mod *);

#endif
