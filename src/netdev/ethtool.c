#include "netdev/ethtool.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/mii.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int
request(const char *name, void *command)
{
    struct ifreq ifr = { 0 };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), error = 0;

    if (fd < 0) {
        return -errno;
    }
    str_copy_cut(ifr.ifr_name, name, sizeof ifr.ifr_name);
    ifr.ifr_data = command;
    if (ioctl(fd, SIOCETHTOOL, &ifr) < 0) {
        error = -errno;
    }
    close(fd);
    return error;
}

/* Link modes of ethtool and the feature bits of OpenFlow 1.0 §5.2.1 that they are. */
static const struct { uint32_t mode, feature; } modes[] = {
    { ADVERTISED_10baseT_Half, 1 << 0 }, { ADVERTISED_10baseT_Full, 1 << 1 }, { ADVERTISED_100baseT_Half, 1 << 2 },
    { ADVERTISED_100baseT_Full, 1 << 3 }, { ADVERTISED_1000baseT_Half, 1 << 4 }, { ADVERTISED_1000baseT_Full, 1 << 5 },
    { ADVERTISED_10000baseT_Full, 1 << 6 }, { ADVERTISED_TP, 1 << 7 }, { ADVERTISED_FIBRE, 1 << 8 },
    { ADVERTISED_Autoneg, 1 << 9 }, { ADVERTISED_Pause, 1 << 10 }, { ADVERTISED_Asym_Pause, 1 << 11 },
};

static uint32_t
features_of(uint32_t bits)
{
    uint32_t features = 0;

    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        features |= bits & modes[i].mode ? modes[i].feature : 0;
    }
    return features;
}

static uint32_t
current_speed(uint32_t mbps, bool full)
{
    switch (mbps) {
    case 10:
        return full ? 1 << 1 : 1 << 0;
    case 100:
        return full ? 1 << 3 : 1 << 2;
    case 1000:
        return full ? 1 << 5 : 1 << 4;
    case 10000:
        return 1 << 6;
    default:
        return 0;
    }
}

int
ethtool_get_features(const char *name, struct netdev_features *f)
{
    struct ethtool_cmd cmd = { .cmd = ETHTOOL_GSET };
    int error = request(name, &cmd);

    *f = (struct netdev_features) { 0 };
    if (error) {
        return error;
    }
    f->supported = features_of(cmd.supported);
    f->advertised = features_of(cmd.advertising);
    f->peer = features_of(cmd.lp_advertising);
    f->current = current_speed(ethtool_cmd_speed(&cmd), cmd.duplex != DUPLEX_HALF);
    f->current |= cmd.port == PORT_TP ? 1 << 7 : cmd.port == PORT_FIBRE ? 1 << 8 : 0;
    f->current |= cmd.autoneg ? 1 << 9 : 0;
    return 0;
}

void
ethtool_get_driver(const char *name, struct strmap *status)
{
    struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };

    if (!request(name, &info)) {
        strmap_put_free(status, "driver_name", xstrndup(info.driver, sizeof info.driver));
        strmap_put_free(status, "driver_version", xstrndup(info.version, sizeof info.version));
        strmap_put_free(status, "firmware_version", xstrndup(info.fw_version, sizeof info.fw_version));
    }
}

int
mii_get_link(const char *name, bool *link)
{
    struct ifreq ifr = { 0 };
    struct mii_ioctl_data *mii = (void *) &ifr.ifr_ifru;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), error = 0;

    if (fd < 0) {
        return -errno;
    }
    str_copy_cut(ifr.ifr_name, name, sizeof ifr.ifr_name);
    if (ioctl(fd, SIOCGMIIPHY, &ifr) < 0 || (mii->reg_num = MII_BMSR, ioctl(fd, SIOCGMIIREG, &ifr) < 0)) {
        error = -errno;
    }
    *link = !error && mii->val_out & BMSR_LSTATUS;
    close(fd);
    return error;
}
