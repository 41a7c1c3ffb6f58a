#include "openflow/port.h"

#include "sys/log.h"

LOG_MODULE(ofp_port)

enum ofperr
ofp_port_from_wire32(uint32_t wire, ofp_port *p)
{
    static struct log_limit limit = LOG_LIMIT_INIT(60, 5);

    *p = OFP_PORT(wire);
    if (ofp_port_is_valid(*p)) {
        return OFPERR_NONE;
    }
    log_warn_rl(&limit, "port %u is outside the supported range 0 through %u or 0x%x through 0x%x", wire,
                ofp_to_u32(OFPP_MAX) - 1, UINT32_C(0xffffff00), UINT32_MAX);
    return OFPERR_OFPBAC_BAD_OUT_PORT;
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
