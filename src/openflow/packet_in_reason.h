/* Why a packet goes to a controller. */
#ifndef OPENFLOW_PACKET_IN_REASON_H
#define OPENFLOW_PACKET_IN_REASON_H 1

#include "base/util.h"

enum packet_in_reason {
    OFPR_NO_MATCH, OFPR_ACTION, OFPR_INVALID_TTL, OFPR_ACTION_SET, OFPR_GROUP, OFPR_PACKET_OUT, OFPR_N,
    /* Not on the wire: a table-miss flow, and a miss without any flow, which versions call differently. */
    OFPR_EXPLICIT_MISS = OFPR_N, OFPR_IMPLICIT_MISS
};

/* "no_match" and so on; null for other numbers. */
const char *packet_in_reason_name(unsigned int reason);

/* The reverse, case ignored; false if there is none of that name. */
bool packet_in_reason_parse(const char *text, uint8_t *reason);

#endif
