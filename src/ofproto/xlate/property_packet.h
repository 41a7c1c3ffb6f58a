/* What actions of a datapath do to the interpreter's packets, for property_test.c; what no packet of its kind can be
 * asked for fails the test. */
#ifndef OFPROTO_XLATE_PROPERTY_PACKET_H
#define OFPROTO_XLATE_PROPERTY_PACKET_H 1

#include "odp/action.h"
#include "ofproto/xlate/oracle.h"

/* Bits of 'value' where 'mask' has ones, of 'old' elsewhere. */
static inline uint64_t
property_merge(uint64_t old, uint64_t value, uint64_t mask)
{
    return (old & ~mask) | (value & mask);
}

/* set_masked. */
void property_set(const struct odp_attr *set, struct oracle_packet *);
/* push_nsh: there must be room (oracle_packet.below). */
void property_push_nsh(const struct odp_attr *push, struct oracle_packet *);
/* push_eth. */
void property_push_ethernet(const struct odp_push_eth *, struct oracle_packet *);

#endif
