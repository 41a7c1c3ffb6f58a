#include "openflow/port.h"

enum ofperr
ofp_port_from_wire32(uint32_t wire, ofp_port *p)
{
    *p = OFP_PORT(wire);
    return ofp_port_is_valid(*p) ? OFPERR_NONE : OFPERR_OFPBAC_BAD_OUT_PORT;
}

enum ofperr
ofp_port_check_output(ofp_port p, ofp_port max)
{
    if (p == OFPP_IN_PORT || p == OFPP_TABLE || p == OFPP_NORMAL || p == OFPP_FLOOD || p == OFPP_ALL ||
        p == OFPP_CONTROLLER || p == OFPP_LOCAL) {
        return OFPERR_NONE;
    }
    /* OFPP_NONE is refused; OFPP_UNSET too. */
    return ofp_to_u32(p) < ofp_to_u32(max) && ofp_port_is_real(p) ? OFPERR_NONE : OFPERR_OFPBAC_BAD_OUT_PORT;
}
