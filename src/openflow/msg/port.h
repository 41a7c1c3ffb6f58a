/* Ports in messages: description, status, modification, statistics.
 *
 * Config bits are OpenFlow 1.0's (later versions have some of them, with the same numbers).  State bits are those of
 * 1.1
 * plus 1.0's spanning tree states in bits 8 and 9.  Feature bits are those of 1.1; 1.0 numbers the last five
 * differently. */
#ifndef OPENFLOW_MSG_PORT_H
#define OPENFLOW_MSG_PORT_H 1

#include "base/addr.h"
#include "openflow/msg.h"
#include "openflow/port.h"

enum {
    PORT_CONFIG_DOWN = 1 << 0, PORT_CONFIG_NO_STP = 1 << 1, PORT_CONFIG_NO_RECV = 1 << 2,
    PORT_CONFIG_NO_RECV_STP = 1 << 3, PORT_CONFIG_NO_FLOOD = 1 << 4, PORT_CONFIG_NO_FWD = 1 << 5,
    PORT_CONFIG_NO_PACKET_IN = 1 << 6,
    PORT_CONFIG_OF10 = 0x7f, PORT_CONFIG_OF11 = 0x65 /* The bits that each version has. */
};

enum {
    PORT_STATE_LINK_DOWN = 1 << 0, PORT_STATE_BLOCKED = 1 << 1, PORT_STATE_LIVE = 1 << 2,
    PORT_STATE_STP_LEARN = 1 << 8, PORT_STATE_STP_FORWARD = 2 << 8, PORT_STATE_STP_BLOCK = 3 << 8,
    PORT_STATE_STP_MASK = 3 << 8, PORT_STATE_OF11 = 7
};

enum {
    PORT_FEATURE_10MB_HD = 1 << 0, PORT_FEATURE_10MB_FD = 1 << 1, PORT_FEATURE_100MB_HD = 1 << 2,
    PORT_FEATURE_100MB_FD = 1 << 3, PORT_FEATURE_1GB_HD = 1 << 4, PORT_FEATURE_1GB_FD = 1 << 5,
    PORT_FEATURE_10GB_FD = 1 << 6, PORT_FEATURE_40GB_FD = 1 << 7, PORT_FEATURE_100GB_FD = 1 << 8,
    PORT_FEATURE_1TB_FD = 1 << 9, PORT_FEATURE_OTHER = 1 << 10, PORT_FEATURE_COPPER = 1 << 11,
    PORT_FEATURE_FIBER = 1 << 12, PORT_FEATURE_AUTONEG = 1 << 13, PORT_FEATURE_PAUSE = 1 << 14,
    PORT_FEATURE_PAUSE_ASYM = 1 << 15, PORT_FEATURE_ALL = 0xffff
};

#define PORT_NAME_LEN 64 /* Longer than any version's, so that a name fits whole. */

struct port_desc {
    ofp_port port;
    struct eth_addr mac;
    char name[PORT_NAME_LEN]; /* Null-terminated. */
    uint32_t config, state;
    uint32_t curr, advertised, supported, peer; /* PORT_FEATURE_*. */
    uint32_t curr_speed, max_speed;             /* kbps; 0 if unknown. */
};

/* The highest speed among the feature bits, in Mbps; 0 if there is none. */
uint64_t port_features_speed(uint32_t features);

/* Takes one description, or appends one.  OFPBRC_BAD_LEN if it is cut off. */
enum ofperr port_desc_take(struct cursor *, enum of_version, struct port_desc *) MUST_CHECK;
void port_desc_put(struct bytes *, enum of_version, const struct port_desc *);

/* PORT_DESC request: OFPP_NONE stands for all ports (before 1.5 always). */
enum ofperr port_desc_request_decode(const struct msg *, ofp_port *) MUST_CHECK;
void port_desc_request_encode(struct bytes *, enum of_version, uint32_t xid, ofp_port);

enum port_reason { PORT_ADDED, PORT_DELETED, PORT_MODIFIED };

struct port_status {
    enum port_reason reason;
    struct port_desc desc;
};

enum ofperr port_status_decode(const struct msg *, struct port_status *) MUST_CHECK;
void port_status_encode(struct bytes *, enum of_version, const struct port_status *);

struct port_mod {
    ofp_port port;
    struct eth_addr mac;
    uint32_t config, mask; /* PORT_CONFIG_*. */
    uint32_t advertise;    /* PORT_FEATURE_*; 0: unchanged. */
};

/* With 'loose' unknown properties are ignored. */
enum ofperr port_mod_decode(const struct msg *, bool loose, struct port_mod *) MUST_CHECK;
void port_mod_encode(struct bytes *, enum of_version, uint32_t xid, const struct port_mod *);

/* Counters of packets by size, in the order of the wire (extension of 1.4 and later): what port_rfc2819_name() says. */
#define PORT_STATS_N_RFC2819 21

/* Name of counter 'i' as it is printed ("65_to_127_packets") and whether it counts received packets. */
const char *port_rfc2819_name(unsigned int i, bool *is_rx);

/* All ones: unknown. */
struct port_stats {
    ofp_port port;
    uint32_t duration_sec, duration_nsec; /* From 1.3; UINT32_MAX: unknown. */
    uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes, rx_dropped, tx_dropped, rx_errors, tx_errors;
    uint64_t rx_frame_errors, rx_over_errors, rx_crc_errors, collisions;
    /* Counters by size of packet; UINT64_MAX where unknown. */
    uint64_t rfc2819[PORT_STATS_N_RFC2819];
    /* Counters that a kind of device alone has (an extension of 1.4 and later). */
    struct port_custom_stat { char name[64]; uint64_t value; } *custom; /* Owned. */
    size_t n_custom;
};

/* All counters unknown. */
void port_stats_init(struct port_stats *);
void port_stats_uninit(struct port_stats *);

enum ofperr port_stats_request_decode(const struct msg *, ofp_port *) MUST_CHECK;
void port_stats_request_encode(struct bytes *, enum of_version, uint32_t xid, ofp_port);
/* Takes one entry of a reply, to be released with port_stats_uninit() also after an error. */
enum ofperr port_stats_take(struct cursor *, enum of_version, struct port_stats *) MUST_CHECK;
void port_stats_put(struct bytes *, enum of_version, const struct port_stats *);

#endif
