/* One OpenFlow connection as the bridge sees it: what was agreed, apart from the transport.
 *
 * The handlers (handle*.c) work on this alone: they take a decoded message and append replies to a buffer, so they
 * can be
 * tested without a socket.  The transport is conns.c's.
 *
 * Threads: main thread. */
#ifndef OFPROTO_OFCONN_H
#define OFPROTO_OFCONN_H 1

#include "base/list.h"
#include "ofproto/flow_mod_log.h"
#include "ofproto/ofproto_private.h"
#include "ofproto/pin_sched.h"
#include "openflow/assembler.h"
#include "openflow/hello.h"
#include "openflow/msg/control.h"
#include "openflow/msg/packet.h"

/* What is rate limited apart from each other. */
enum pin_kind { PIN_MISS, PIN_ACTION, PIN_N_KINDS };
enum { MAX_QUEUE_SIZE = 512 }; /* Controller.controller_queue_size. */

/* A reply that is made in steps, as fast as the peer reads.  Until it is complete no further request is read. */
struct ofconn_job {
    /* Appends whole messages of the reply, about as much as fits one; true once all is said.  Null: somebody else makes
     * it, and calls ofconn_end_job(). */
    bool (*step)(struct ofconn_job *, struct bytes *out);
    void (*destroy)(struct ofconn_job *);
};

struct ofconn {
    struct list node;            /* In conns. */
    struct ofproto *ofproto;
    const struct ofproto_controller_config *config; /* Of the controller's row; null for a client of BRIDGE.mgmt. */
    bool is_primary;             /* A controller that is in charge; else one that only looks after something. */
    enum of_version version;
    unsigned int protocol;       /* PROTO_*: how flows travel in 1.0. */
    enum of_role role;
    enum packet_in_format packet_in_format;
    uint16_t controller_id;
    uint16_t miss_send_len;
    int invalid_ttl_to_controller;
    struct async_config async;
    bool async_enabled;          /* Controller.enable_async_messages, as it was when 'async' was set. */
    struct msg_assembler assembler;
    struct loop_timer parts_timer; /* For requests in it that are to be given up. */
    struct pin_sched pins[PIN_N_KINDS];
    struct loop_timer pin_timer; /* For what waits in them. */
    size_t queue_size;           /* Packet-ins that may wait to be written. */
    uint64_t pin_ends[MAX_QUEUE_SIZE]; /* Ring: where those that wait end, in bytes that were ever queued. */
    size_t first_pin_end, n_pin_ends;
    uint64_t n_packet_in_dropped;
    struct flow_mod_log flow_mods;
    uint32_t xid;                /* Of the message that is being handled. */
    struct ofconn_job *job;      /* Owned; null: none. */
    struct bytes held_request;   /* A message that has to wait (change_request.h, telling.h); no other is read. */
    uint64_t waits_for_round;    /* Of what is told (telling.h), that message; 0: for none. */
    struct list monitors;        /* struct flow_monitor. */
    struct bytes held_updates;   /* For monitors: what happened while 'job' says what was there. */
    bool monitors_paused;
    uint64_t paused_at;          /* Number of the last change that was told. */
    uint64_t resumed_from, resumed_until; /* While a pause ends: 'paused_at' of it, and the last change of it. */
    bool any_short;              /* 'last_short' is the request that was last told of in short, in this round. */
    uint32_t last_short;
    struct list bundles;         /* struct of_bundle. */
    size_t n_bundles, n_bundle_bytes, n_prepared_bytes;

    char *name;                  /* The transport's, for the log. */
    struct of_conn *transport;   /* conns.c's. */
};

/* Sets what a new connection starts with. */
void ofconn_reset(struct ofconn *, enum of_version);

/* Takes a new role (OpenFlow 1.5 §6.3.6): a new primary makes the old one secondary; OFPRRFC_STALE for an old
 * generation.  ofconn_get_generation() fills in the bridge's. */
enum ofperr ofconn_set_role(struct ofconn *, const struct role_msg *) MUST_CHECK;
void ofconn_get_generation(const struct ofconn *, struct role_msg *);

/* Whether the connection wants asynchronous messages of this kind with this reason. */
bool ofconn_wants(const struct ofconn *, enum async_kind, unsigned int reason);

/* Sends and empties 'b'.  A peer that lets too much pile up loses the connection, soon after this returns. */
void ofconn_send(struct ofconn *, struct bytes *b);
/* Bytes that are waiting for the peer to read. */
size_t ofconn_backlog(const struct ofconn *);

/* For handlers: the reply to the present request is made by 'job', whose first step comes once the handler is done. */
void ofconn_start_job(struct ofconn *, struct ofconn_job *job);

/* The job is done: sends and empties 'out', the rest of the reply, and goes on. */
void ofconn_end_job(struct ofconn *, struct bytes *out);

/* Handles one message: appends replies (and errors) to 'out'. */
void ofconn_handle(struct ofconn *, const struct msg *, struct bytes *out);
/* Answers a message with an error, and logs that; the second one may be none that is known (null for 'wire'), and has
 * a header at least. */
void ofconn_refuse(struct ofconn *, const struct msg *, enum ofperr, struct bytes *out);
void ofconn_refuse_data(struct ofconn *, const struct msg_wire *wire, const void *data, size_t len, enum ofperr,
                        struct bytes *out);

/* The handlers of each family. */
typedef enum ofperr handler(struct ofconn *, const struct msg *, struct bytes *out);
handler handle_features, handle_get_config, handle_set_config, handle_desc, handle_port_desc, handle_port_stats,
    handle_port_mod, handle_queue_stats, handle_queue_config, handle_table_stats;
handler handle_flow_mod, handle_flow_stats, handle_aggregate, handle_packet_out, handle_resume;
handler handle_echo, handle_barrier, handle_role, handle_get_async, handle_set_async, handle_packet_in_format,
    handle_flow_format, handle_flow_mod_table_id, handle_controller_id, handle_ignore;
handler handle_table_features, handle_table_desc, handle_table_mod;
handler handle_group_mod, handle_group_stats, handle_group_desc, handle_group_features;
handler handle_meter_mod, handle_meter_stats, handle_meter_config, handle_meter_features;
handler handle_bundle_control, handle_bundle_add;
handler handle_flow_monitor, handle_flow_monitor_cancel;
handler handle_tlv_mod, handle_tlv_request;
handler handle_ipfix_stats, handle_ct_flush, handle_ct_flush_zone;

/* Messages that may be part of a bundle, in two steps: what can go wrong, and what is done. */

/* Decodes and checks a flow-mod.  'fm->actions' points into 'acts' (cleared first): no flow_mod_uninit(). */
enum ofperr flow_mod_prepare(struct ofconn *, const struct msg *, struct flow_mod *fm, struct act_buf *acts) MUST_CHECK;
/* The last part of that: what only the switch can check, the actions against the match. */
enum ofperr flow_mod_check(struct ofconn *, struct flow_mod *fm, struct act_buf *acts, bool check_options) MUST_CHECK;

struct packet_out_job {
    struct packet_out po; /* Points into the message. */
    struct act_buf acts;
};
/* packet_out_finish() is due in any case. */
/* The actions against the packet. */
enum ofperr packet_out_check(const struct ofconn *, const struct packet_out *, struct act_buf *) MUST_CHECK;
enum ofperr packet_out_prepare(struct ofconn *, const struct msg *, struct packet_out_job *) MUST_CHECK;
/* What the actions of a job would be refused for, once the tables are as in 'version'. */
enum ofperr packet_out_try(struct ofconn *, const struct packet_out_job *, uint64_t version) MUST_CHECK;
/* Refuses a packet whose way through the tables is too long or makes it impossible to send on. */
enum ofperr packet_out_execute(struct ofconn *, struct packet_out_job *);
void packet_out_finish(struct packet_out_job *);

struct port_mod_job {
    struct ofport *port;
    uint32_t config, mask;
};
enum ofperr port_mod_prepare(struct ofconn *, const struct msg *, struct port_mod_job *) MUST_CHECK;
void port_mod_execute(struct port_mod_job *);

/* Description of a port for features, port-desc and port-status. */
struct port_desc;
void ofport_describe(const struct ofport *, struct port_desc *);

#endif
