/* The status columns of Interface. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netdev/patch.h"
#include "vswitchd/vswitchd.h"

static void
set_text(const struct vs_interface *row, unsigned column, const char *text)
{
    idl_set_string(&row->row, column, text);
}

/* Optional integers: empty unless 'known'. */
static void
set_optional(const struct vs_interface *row, unsigned column, bool known, int64_t value)
{
    if (known) {
        idl_set_int(&row->row, column, value);
    } else {
        idl_set_empty(&row->row, column);
    }
}

/* A counter that is not known is not shown. */
static void
put_counter(const struct vs_interface *row, const char *name, uint64_t value)
{
    union atom v = { .integer = value & INT64_MAX };

    if (value != UINT64_MAX) {
        idl_put_take(&row->row, VS_INTERFACE_STATISTICS, atom_string(name), &v);
    }
}

static void
put_device_counter(void *row, const char *name, uint64_t value)
{
    put_counter(*(const struct vs_interface *const *) row, name, value);
}

static void
write_statistics(struct iface *f, const struct vs_interface *row)
{
    struct netdev_stats s;

    if (ofproto_port_get_stats(f->port->bridge->ofproto, f->ofport, &s)) {
        return;
    }
#define NETDEV_STAT(NAME) put_counter(row, #NAME, s.NAME);
#include "netdev/stats.def"
    netdev_each_counter(f->netdev, put_device_counter, &row);
}

static void
write_device(struct iface *f, const struct vs_interface *row)
{
    struct netdev *netdev = f->netdev;
    struct netdev_features features = { 0 };
    struct strmap status = STRMAP_INIT(&status);
    bool has_features = !netdev_get_features(netdev, &features) && features.current;
    char *mac = NULL;

    if (f->has_mac) {
        mac = xasprintf(ETH_ADDR_FMT, ETH_ADDR_ARGS(f->mac));
    }
    set_text(row, VS_INTERFACE_MAC_IN_USE, mac);
    free(mac);
    set_optional(row, VS_INTERFACE_MTU, f->mtu >= 0, f->mtu);
    set_text(row, VS_INTERFACE_ADMIN_STATE, netdev_get_flags(netdev) & NETDEV_UP ? "up" : "down");
    set_text(row, VS_INTERFACE_LINK_STATE, netdev_get_carrier(netdev) ? "up" : "down");
    idl_set_int(&row->row, VS_INTERFACE_LINK_RESETS, netdev_get_carrier_resets(netdev));
    idl_set_int(&row->row, VS_INTERFACE_IFINDEX, MAX(netdev_get_ifindex(netdev), 0));
    set_optional(row, VS_INTERFACE_LINK_SPEED, has_features, netdev_features_to_bps(features.current, 0));
    set_text(row, VS_INTERFACE_DUPLEX,
             !has_features ? NULL : netdev_features_is_full_duplex(features.current) ? "full" : "half");
    netdev_get_status(netdev, &status);
    if (ofproto_served_by(f->port->bridge->ofproto) && iface_is_local(f)) {
        strmap_put_free(&status, "datapath", xasprintf("userspace (the kernel has no openvswitch module)"));
    }
    idl_set_map(&row->row, VS_INTERFACE_STATUS, &status);
    strmap_uninit_free(&status);
}

static void
clear_device(const struct vs_interface *row)
{
    static const unsigned int columns[] = {
        VS_INTERFACE_MAC_IN_USE, VS_INTERFACE_MTU, VS_INTERFACE_ADMIN_STATE, VS_INTERFACE_LINK_STATE,
        VS_INTERFACE_LINK_RESETS, VS_INTERFACE_IFINDEX, VS_INTERFACE_LINK_SPEED, VS_INTERFACE_DUPLEX,
        VS_INTERFACE_STATUS, VS_INTERFACE_STATISTICS,
    };

    for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
        idl_set_empty(&row->row, columns[i]);
    }
}

/* A patch port that leads nowhere is in the bridge, but says so. */
static char *
describe_peer(const struct iface *f)
{
    const char *peer = netdev_patch_peer(f->netdev);
    const struct bridge *br = f->port->bridge;

    if (!peer || ofproto_port_has_peer(br->ofproto, f->ofport)) {
        return NULL;
    }
    return xasprintf("No usable peer '%s' exists in '%s' datapath.", peer, br->type[0] ? br->type : "system");
}

void
iface_write(struct iface *f, const struct vs_interface *row)
{
    bool in_bridge = f->netdev && f->ofport != OFPP_NONE;
    char *no_peer = in_bridge ? describe_peer(f) : NULL;

    set_text(row, VS_INTERFACE_ERROR, no_peer ? no_peer : f->error);
    free(no_peer);
    idl_set_int(&row->row, VS_INTERFACE_OFPORT, in_bridge ? ofp_port_to_u16(f->ofport) : -1);
    if (!in_bridge) {
        clear_device(row);
        return;
    }
    write_device(f, row);
    if (f->stats_wanted) {
        f->stats_wanted = false;
        write_statistics(f, row);
    }
}
