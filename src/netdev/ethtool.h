/* What ethtool's ioctl knows of a device: speed and features, the driver.  Any thread. */
#ifndef NETDEV_ETHTOOL_H
#define NETDEV_ETHTOOL_H 1

#include "netdev/netdev.h"

/* Fills in 'f'; a negative errno value where the device does not tell. */
int ethtool_get_features(const char *name, struct netdev_features *f);

/* Whether the link is up by the device's MII status register (IEEE 802.3 §22.2.4.2). */
int mii_get_link(const char *name, bool *link);

/* Adds driver_name, driver_version and firmware_version to 'status'. */
void ethtool_get_driver(const char *name, struct strmap *status);

#endif
