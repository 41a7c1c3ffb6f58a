/* Counters of IPFIX export (NXST_IPFIX_BRIDGE, NXST_IPFIX_FLOW). */
#ifndef OPENFLOW_MSG_IPFIX_H
#define OPENFLOW_MSG_IPFIX_H 1

#include "openflow/msg.h"

struct ipfix_stats {
    uint64_t total_flows, current_flows, packets, ipv4_packets, ipv6_packets, error_packets, ipv4_error_packets,
        ipv6_error_packets, tx_packets, tx_errors;
    uint32_t collector_set_id; /* 0 for the bridge. */
};

enum ofperr ipfix_stats_take(struct cursor *, struct ipfix_stats *) MUST_CHECK;
void ipfix_stats_put(struct bytes *, const struct ipfix_stats *);

#endif
