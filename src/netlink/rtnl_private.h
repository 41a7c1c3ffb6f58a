/* What the files about rtnetlink share. */
#ifndef NETLINK_RTNL_PRIVATE_H
#define NETLINK_RTNL_PRIVATE_H 1

#include <libmnl/libmnl.h>

#include "base/util.h"

/* Begins a request in 'buffer', with the 'n' bytes of the type's own header. */
struct nlmsghdr *rtnl_begin(char *buffer, uint16_t type, uint16_t flags, const void *header, size_t n);

/* Sends 'h' and waits for the answer that belongs to it: an error or acknowledgement, or ('parse' not null) a message
 * of type 'wanted', of which 'parse' says whether it can be read.  0 or a negative errno value. */
int rtnl_transact(struct nlmsghdr *h, uint16_t wanted, bool (*parse)(const struct nlmsghdr *, void *), void *aux);

#endif
