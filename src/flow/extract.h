/* From a frame to a flow.
 *
 * flow_extract() reads the headers of a frame into the lines of a 'struct flow' and says which lines those are.  It
 * never reads outside the frame, whatever the frame says; a header that is cut short or inconsistent leaves its fields,
 * and those of all that follows, zero.  A VLAN tag is described by vlan_tci and vlan_tpid, a second one by vlan2_*;
 * eth_type is the type after the tags.  802.3 frames without SNAP have eth_type 0x05ff.
 *
 * Threads: pure functions.
 * Standards: see packet/headers.h; ovs-fields(7). */
#ifndef FLOW_EXTRACT_H
#define FLOW_EXTRACT_H 1

#include "flow/flow.h"

#define FLOW_NO_OFFSET UINT16_MAX

/* Where in the frame the headers are, in bytes from its start; FLOW_NO_OFFSET if there is none. */
struct flow_offsets {
    uint16_t l2_5; /* MPLS labels. */
    uint16_t l3;   /* IP, ARP, NSH: whatever follows the tags (or labels: only at the bottom of the stack). */
    uint16_t l4;   /* TCP, UDP, ICMP... */
    uint16_t l3_pad; /* Bytes after the end of the IP packet. */
};

/* How many VLAN tags are looked at, of all packets from now on: 1, or 2 (also for 0).  What is behind them is payload.
 * Any thread. */
void flow_set_vlan_limit(unsigned int limit);

/* The limit: 1 or 2.  Any thread. */
int flow_vlan_limit(void);

/* Fills in the lines of 'out' that the packet has and returns their bitmap; other lines of 'out' are left as they are.
 * 'frame' is at an even address.  What is not in the frame (in_port, recirc_id, packet_ns, ct_*, tunnel and marks) is
 * taken from the lines 'md_lines' of 'md'; FLOW_LINE_BASE is always among them.  Of md's base line only those members
 * count.  'md' may be 'out'. */
uint16_t flow_extract(const void *frame, size_t len, const struct flow *md, uint16_t md_lines, struct flow *out,
                      struct flow_offsets *offsets);

/* The same into a whole flow: lines that the packet lacks are zeroed.  'md' may be null (all zero); every line of it
 * counts.  'frame' may be anywhere (inside a message, say). */
uint16_t flow_extract_full(const void *frame, size_t len, const struct flow *md, struct flow *out,
                           struct flow_offsets *offsets);

#endif
