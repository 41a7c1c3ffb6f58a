/* Port numbers on the wire: 16 bits in OpenFlow 1.0, 32 bits later.  See flow/port.h for what a port number is. */
#ifndef OPENFLOW_PORT_H
#define OPENFLOW_PORT_H 1

#include "flow/port.h"
#include "openflow/error.h"

/* Reads the 32-bit number of OF1.1 and later.  OFPBAC_BAD_OUT_PORT for numbers between the real ports and the reserved
 * ones. */
enum ofperr ofp_port_from_wire32(uint32_t wire, ofp_port *p);

/* Whether a packet may be sent there: real ports below 'max', and the reserved ports that mean a destination.
 * OFPBAC_BAD_OUT_PORT otherwise. */
enum ofperr ofp_port_check_output(ofp_port p, ofp_port max);

#endif
