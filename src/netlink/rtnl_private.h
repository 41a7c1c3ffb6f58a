/* What the files about rtnetlink share. */
#ifndef NETLINK_RTNL_PRIVATE_H
#define NETLINK_RTNL_PRIVATE_H 1

#include <libmnl/libmnl.h>

#include "base/util.h"

/* Sends 'h' and waits for the answer that belongs to it: an error or acknowledgement, or ('parse' not null) a message
 * of type 'wanted', of which 'parse' says whether it can be read.  0 or a negative errno value. */
int rtnl_transact(struct nlmsghdr *h, uint16_t wanted, bool (*parse)(const struct nlmsghdr *, void *), void *aux);

#endif
