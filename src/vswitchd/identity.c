#include "vswitchd/identity.h"

enum { LOCALLY_ADMINISTERED = 2, MULTICAST = 1 };

bool
identity_mac_is_usable(struct eth_addr a)
{
    return !eth_addr_is_zero(a) && !(a.ea[0] & (MULTICAST | LOCALLY_ADMINISTERED));
}

struct eth_addr
identity_lower_mac(struct eth_addr best, struct eth_addr candidate)
{
    if (!identity_mac_is_usable(candidate)) {
        return best;
    }
    return eth_addr_is_zero(best) || eth_addr_to_u64(candidate) < eth_addr_to_u64(best) ? candidate : best;
}

struct eth_addr
identity_default_mac(const struct uuid *u)
{
    /* The order of bytes is what people's datapath ids were made of on little-endian machines. */
    struct eth_addr a = { { u->bytes[3], u->bytes[2], u->bytes[1], u->bytes[0], u->bytes[7], u->bytes[6] } };

    a.ea[0] = (a.ea[0] & ~MULTICAST) | LOCALLY_ADMINISTERED;
    return a;
}
