/* Who a bridge is: the MAC address of its local port and its datapath id.
 *
 * The rules (ovs-vswitchd.conf.db(5): Interface.mac, Bridge.other_config:hwaddr, :datapath-id):
 *
 *   MAC     other_config:hwaddr; else the lowest globally unique address among the ports, where a port's address is
 *           Port.mac or that of its device (of a bond: of the member whose name comes first); else one made from the
 *           bridge's UUID, so that a restart does not change it.
 *   dpid    other_config:datapath-id; else the MAC.
 *
 * Threads: pure. */
#ifndef VSWITCHD_IDENTITY_H
#define VSWITCHD_IDENTITY_H 1

#include "base/addr.h"
#include "base/uuid.h"

/* Whether a port with this address may give it to the bridge: globally unique, unicast, not zero. */
bool identity_mac_is_usable(struct eth_addr);

/* The lower of the best so far (zero: none) and 'candidate', if that may be used. */
struct eth_addr identity_lower_mac(struct eth_addr best, struct eth_addr candidate);

/* A locally administered address made from the UUID of the bridge. */
struct eth_addr identity_default_mac(const struct uuid *bridge);

/* The id itself if it is not 0, else that of the MAC. */
static inline uint64_t
identity_dpid(uint64_t configured, struct eth_addr mac)
{
    return configured ? configured : eth_addr_to_u64(mac);
}

#endif
