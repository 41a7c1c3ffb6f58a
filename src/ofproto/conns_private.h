/* What conns.c and its neighbours share: the connections of a bridge.
 *
 * A controller is a row of the Controller table: a session that connects again whenever it is lost.  A service
 * listens (BRIDGE.mgmt, or a passive controller target) and each client gets an ofconn. */
#ifndef OFPROTO_CONNS_PRIVATE_H
#define OFPROTO_CONNS_PRIVATE_H 1

#include "ofproto/conns.h"
#include "ofproto/ofconn.h"
#include "openflow/conn.h"

struct service {
    struct list node;               /* In conns->services. */
    struct conns *conns;
    char *target;
    struct stream_listener *listener;
    bool is_snoop;
    bool is_controller;             /* From the Controller table, not one of the bridge's own. */
    struct ofproto_controller_config config;
};

struct controller {
    struct list node;               /* In conns->controllers. */
    struct conns *conns;
    struct ofproto_controller_config config; /* 'target' owned. */
    struct of_session *session;
    struct ofconn *ofconn;          /* Null while not connected. */
    int64_t lost;                   /* When the connection was lost, or since when it is wanted; ms. */
    struct list snoopers;           /* struct snooper. */
};

struct conns {
    struct ofproto *ofproto;
    struct list ofconns;            /* struct ofconn: all connections that are open. */
    struct list controllers, services;
    bool has_generation;
    uint64_t generation;            /* Of the last role request that counted. */
};

/* controller.c */
void controllers_set(struct conns *, const struct ofproto_controller_config *, size_t n);
void controllers_destroy(struct conns *);

/* snoop.c: takes over a stream to BRIDGE.snoop; ends those who listen to the controller. */
void snoop_accept(struct conns *, struct stream *);
void snoop_end(struct controller *);

/* async.c: the part of a connection that is about packet-ins. */
void packet_ins_init(struct ofconn *);
void packet_ins_uninit(struct ofconn *);

/* conns.c: an ofconn over a transport, which stays the caller's; 'config' (null: none) must live as long. */
struct ofconn *ofconn_create(struct conns *, struct of_conn *, const char *name,
                             const struct ofproto_controller_config *);
void ofconn_configure(struct ofconn *); /* Its configuration has changed. */
void ofconn_opened(struct ofconn *, enum of_version);
void ofconn_message(struct ofconn *, const void *data, size_t len);
void ofconn_drained(struct ofconn *);
void ofconn_destroy(struct ofconn *);
/* Accepts on a target; 0 or a negative errno value. */
int service_open(struct conns *, const char *target, bool is_snoop, const struct ofproto_controller_config *);
void service_close(struct service *);
/* Ends the connections that came to listeners. */
void conns_close_clients(struct conns *);

#endif
