/* What the files about traffic control share. */
#ifndef NETLINK_RTNL_TC_PRIVATE_H
#define NETLINK_RTNL_TC_PRIVATE_H 1

#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include "netlink/rtnl_private.h"
#include "netlink/rtnl_tc.h"

/* A request begins in the batch, with the kind of discipline (may be null); its attributes follow; it ends. */
struct nlmsghdr *rtnl_tc_begin(struct rtnl_tc_batch *, uint16_t type, uint16_t flags, const struct tcmsg *,
                               const char *kind);
void rtnl_tc_end(struct rtnl_tc_batch *, const struct nlmsghdr *);

#endif
