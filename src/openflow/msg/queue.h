/* Queues: statistics and configuration. */
#ifndef OPENFLOW_MSG_QUEUE_H
#define OPENFLOW_MSG_QUEUE_H 1

#include "openflow/msg.h"
#include "openflow/port.h"

#define QUEUE_ALL UINT32_MAX
#define QUEUE_RATE_UNSET UINT16_MAX

struct queue_request {
    ofp_port port; /* OFPP_NONE: any (OFPP_ALL in 1.0 is read and written as that). */
    uint32_t queue; /* QUEUE_ALL: any. */
};

enum ofperr queue_stats_request_decode(const struct msg *, struct queue_request *) MUST_CHECK;
void queue_stats_request_encode(struct bytes *, enum of_version, uint32_t xid, const struct queue_request *);

/* All ones: unknown. */
struct queue_stats {
    ofp_port port;
    uint32_t queue;
    uint64_t tx_bytes, tx_packets, tx_errors;
    uint32_t duration_sec, duration_nsec; /* From 1.3; UINT32_MAX: unknown. */
};

enum ofperr queue_stats_take(struct cursor *, enum of_version, struct queue_stats *) MUST_CHECK;
void queue_stats_put(struct bytes *, enum of_version, const struct queue_stats *);

/* QUEUE_GET_CONFIG_REQUEST and QUEUE_DESC request. */
enum ofperr queue_config_request_decode(const struct msg *, struct queue_request *) MUST_CHECK;
void queue_config_request_encode(struct bytes *, enum of_version, uint32_t xid, const struct queue_request *);

struct queue_config {
    ofp_port port; /* OFPP_NONE where the entry does not say (before 1.4: the message's header does). */
    uint32_t queue;
    uint16_t min_rate, max_rate; /* Tenths of a percent; above 1000: disabled; QUEUE_RATE_UNSET: not said. */
};

/* Reads the header of a QUEUE_GET_CONFIG_REPLY: the port that it is about.  No-op for QUEUE_DESC. */
enum ofperr queue_config_reply_begin(const struct msg *, struct cursor *entries, ofp_port *port) MUST_CHECK;
enum ofperr queue_config_take(struct cursor *, enum of_version, struct queue_config *) MUST_CHECK;

/* Starts the reply (for all versions; 1.4 and later: QUEUE_DESC), appends entries. */
void queue_config_reply_start(struct msg_parts *, struct bytes *, const struct msg *request, ofp_port port);
void queue_config_put(struct bytes *, enum of_version, const struct queue_config *);

#endif
