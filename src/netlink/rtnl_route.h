/* Routes and neighbours of the kernel, IPv4.
 *
 * As in netlink/rtnl.h: questions are answered at once.  Errors: negative errno values. */
#ifndef NETLINK_RTNL_ROUTE_H
#define NETLINK_RTNL_ROUTE_H 1

#include "base/addr.h"
#include "base/be.h"

struct rtnl_route {
    int ifindex;  /* Of the device that packets leave by. */
    be32 gateway; /* 0: the destination is on the link. */
};

/* The way to 'dst'. */
int rtnl_route_get(be32 dst, struct rtnl_route *);

/* The address of a neighbour; -ENOENT if the kernel knows none that is valid. */
int rtnl_neighbour_get(int ifindex, be32 ip, struct eth_addr *mac);

#endif
