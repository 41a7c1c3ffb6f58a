/* OpenFlow port numbers.
 *
 * 'ofp_port' is a type of its own (to sparse): an OpenFlow port is never a datapath port.  The value is the 32-bit
 * number of OpenFlow 1.1 and later, in host order, everywhere in the program, also for OpenFlow 1.0, whose 16-bit
 * numbers are mapped where they are read and written (openflow/port.h): reserved ports stand at the top of either
 * range. Real ports are 1 to 0xfeff.
 *
 * A name is a reserved one ("LOCAL", "IN_PORT", ...) or, through 'struct port_names', that of a switch's port.
 *
 * Threads: pure. */
#ifndef FLOW_PORT_H
#define FLOW_PORT_H 1

#include "base/be.h"
#include "base/str.h"

typedef uint32_t BITWISE ofp_port;

#define OFP_PORT(N) ((FORCE ofp_port) (N))

#define OFPP_MAX OFP_PORT(0xff00) /* Real ports are below. */
#define OFPP_UNSET OFP_PORT(0xfffffff7)
#define OFPP_IN_PORT OFP_PORT(0xfffffff8)
#define OFPP_TABLE OFP_PORT(0xfffffff9)
#define OFPP_NORMAL OFP_PORT(0xfffffffa)
#define OFPP_FLOOD OFP_PORT(0xfffffffb)
#define OFPP_ALL OFP_PORT(0xfffffffc)
#define OFPP_CONTROLLER OFP_PORT(0xfffffffd)
#define OFPP_LOCAL OFP_PORT(0xfffffffe)
#define OFPP_NONE OFP_PORT(0xffffffff) /* OFPP_ANY of later versions. */

static inline uint32_t ofp_to_u32(ofp_port p) { return (FORCE uint32_t) p; }
static inline bool ofp_port_is_reserved(ofp_port p) { return ofp_to_u32(p) >= 0xffffff00; }
static inline bool ofp_port_is_real(ofp_port p) { return ofp_to_u32(p) < 0xff00; }
/* Whether 'p' is a number that OpenFlow 1.0 can carry. */
static inline bool ofp_port_is_valid(ofp_port p) { return ofp_port_is_real(p) || ofp_port_is_reserved(p); }

/* The number that OpenFlow 1.0 has for a valid 'p', and back. */
static inline uint16_t ofp_port_to_u16(ofp_port p) { return ofp_to_u32(p); }
static inline ofp_port
ofp_port_from_u16(uint16_t p)
{
    return OFP_PORT(p >= 0xff00 ? 0xffff0000 | p : p);
}

/* Where the names of a switch's ports are known.  Both functions are called with the object itself. */
struct port_names {
    /* The port's name, null if unknown.  Owned by the object. */
    const char *(*name)(const struct port_names *, ofp_port port);
    /* The port called 'name'; false if there is none. */
    bool (*find)(const struct port_names *, const char *name, ofp_port *port);
};

/* The name of a reserved port, null for others. */
const char *ofp_port_reserved_name(ofp_port p);

/* Reads a number (16 or 32 bits wide), a reserved name (in any case) or, if 'names' is not null, a port's name, quoted
 * or not.  False if it is none of them or out of range. */
bool ofp_port_parse(const char *text, const struct port_names *names, ofp_port *p);

/* Appends the reserved name, the port's name (quoted where the text would not be read back otherwise), or the
 * number. */
void ofp_port_put(struct str *s, ofp_port p, const struct port_names *names);

#endif
