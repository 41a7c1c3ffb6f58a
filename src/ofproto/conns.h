/* The OpenFlow connections of a bridge: controllers, BRIDGE.mgmt, BRIDGE.snoop.
 *
 * What it is
 * ----------
 * Each bridge listens on RUNDIR/BRIDGE.mgmt (and .snoop) and keeps a connection to each configured controller.  A
 * connection has a version, a role, formats and filters for asynchronous messages.  Requests are answered by the
 * handlers of handle.c; asynchronous messages (packet-in, flow-removed, port-status) go to every connection whose
 * filters want them.
 *
 * How it works
 * ------------
 * Workers hand packet-ins over with conns_queue_packet_in(): a bounded queue and a wake-up of the main loop.
 *
 * A slow reader's backlog is bounded.  Replies of many parts are made as it reads (struct ofconn_job); while more than
 * a megabyte waits for it no request of its is read; flow monitors are paused (flow_monitor.h); packet-ins are rate
 * limited (pin_sched.h), and beyond a number dropped and counted.  Who lets 64 megabytes of the rest pile up loses the
 * connection.
 *
 * Threads: main thread, but for conns_queue_packet_in(). */
#ifndef OFPROTO_CONNS_H
#define OFPROTO_CONNS_H 1

#include "base/bytes.h"
#include "flow/flow.h"
#include "ofproto/ofproto.h"
#include "openflow/msg/port.h"

struct conns;
struct loop;
struct ofconn;
struct ofport;
struct rule;
struct frozen_state;

void conns_init(struct loop *);
void conns_uninit(void);

struct conns *conns_create(struct ofproto *);
void conns_destroy(struct conns *);

/* A packet for controllers. */
struct conns_packet_in {
    const struct xbridge *bridge;
    struct frozen_state *state; /* A reference: userdata, table, and what a continuation consists of. */
    struct flow flow;           /* Metadata of the message: registers, in_port... */
    struct bytes frame;
    size_t total_len;
    uint32_t odp_in_port;
    uint16_t controller_id;
    uint8_t reason;
    bool has_continuation;
    be64 cookie;
};

/* Takes over the frame and the state, and sends the message from the main loop.  Any thread. */
void conns_queue_packet_in(const struct conns_packet_in *);

/* To connections of versions up to 'last': later ones have no word for what changed. */
void conns_send_port_status(struct conns *, const struct ofport *, enum port_reason, enum of_version last);

/* Shows a group-mod or meter-mod that 'c' has had carried out to the connections that want to know of them. */
struct msg;
void conns_forward_request(struct ofconn *c, const struct msg *);

/* A flow is gone; 'reason' as OpenFlow numbers it. */
void conns_send_flow_removed(struct conns *, const struct rule *, uint8_t reason, int64_t when);

/* Whether there are controllers to connect to and none is connected; since when, and the longest probe interval. */
bool conns_lost_controllers(const struct conns *, int64_t *since, int64_t *probe_ms);
/* Whether controllers are configured that the bridge connects to (not: services that wait for some). */
bool conns_has_controllers(const struct conns *);

/* Drops bundles that nothing has been done with for long.  About once a second. */
void conns_expire_bundles(struct conns *);

/* Handles the messages that had to wait (change_request.h). */
void conns_release(struct conns *);

/* Drops and re-opens the controllers' connections (bridge/reconnect). */
void conns_reconnect(struct conns *);

#endif
