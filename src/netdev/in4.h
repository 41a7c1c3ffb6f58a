/* IPv4 addresses of devices, and the default route, as ifconfig(8) and route(8) set them (netdevice(7)).  Any thread.
 *
 * They replace the device's first address, whose routes go with it; the kernel sets the broadcast address. */
#ifndef NETDEV_IN4_H
#define NETDEV_IN4_H 1

#include "base/be.h"
#include "base/util.h"

/* The device's address and netmask.  Where the kernel does not take the netmask, the address is set all the same, with
 * the netmask of its class.  A negative errno value says what failed. */
int in4_set(const char *device, be32 ip, be32 netmask) MUST_CHECK;

/* A default route by 'gateway', before those that are there.  Failures are logged, too. */
int in4_add_router(be32 gateway) MUST_CHECK;

#endif
