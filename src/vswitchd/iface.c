/* Interfaces: a device, its place in the bridge, and what is wrong with it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "datapath/datapath.h"
#include "netdev/patch.h"
#include "netdev/qos.h"
#include "sys/log.h"
#include "vswitchd/vswitchd.h"

LOG_MODULE(bridge)

static struct bridge *
iface_bridge(const struct iface *f)
{
    return f->port->bridge;
}

bool
iface_is_local(const struct iface *f)
{
    return !strcmp(f->o.name, iface_bridge(f)->o.name);
}

bool
iface_is_internal(const struct iface *f)
{
    return f->type && (!strcmp(f->type, "internal") || !strcmp(f->type, "dummy-internal"));
}

const struct vs_interface *
iface_row(const struct iface *f)
{
    return (const struct vs_interface *) idl_row_get(f->o.sw->idl, VS_INTERFACE, &f->o.uuid);
}

static void
mark_stale(struct iface *f)
{
    object_stale(&f->o, &f->o.sw->stale_ifaces);
}

struct iface *
iface_create(struct port *port, const struct vs_interface *row)
{
    struct vswitchd *sw = port->o.sw;
    struct iface *f = xzalloc(sizeof *f);

    object_init(&f->o, sw, &sw->ifaces, &row->row.uuid, vs_interface_name(row));
    f->port = port;
    f->ofport = OFPP_NONE;
    f->request = OFPP_NONE;
    list_init(&f->unsatisfied);
    list_push_back(&port->ifaces, &f->in_port);
    (void) strmap_put(&sw->ifaces_by_name, f->o.name, f);
    object_dirty(&f->o, &sw->dirty_ifaces);
    return f;
}

/* Whether a patch port has its peer is a matter of both. */
static void
mark_peer_stale(struct iface *f)
{
    const char *peer = f->netdev ? netdev_patch_peer(f->netdev) : NULL;
    struct iface *other = peer ? strmap_get(&f->o.sw->ifaces_by_name, peer) : NULL;

    if (other) {
        mark_stale(other);
    }
}

/* Takes the device out of the bridge and lets go of it. */
static void
take_down(struct iface *f)
{
    struct bridge *br = iface_bridge(f);

    mark_peer_stale(f);
    if (f->ofport != OFPP_NONE) {
        log_info("bridge %s: deleted interface %s on port %u", br->o.name, f->o.name,
                 ofp_port_to_u16(f->ofport));
        if (br->ofproto) {
            ofproto_port_del(br->ofproto, f->ofport);
        }
        f->ofport = OFPP_NONE;
        bridge_unsettle(br);
    }
    netdev_close(f->netdev);
    f->netdev = NULL;
    free(f->type);
    f->type = NULL;
    f->mac = (struct eth_addr) { { 0 } };
    f->mtu = -1;
    f->has_mac = false;
    mark_stale(f);
}

void
iface_destroy(struct iface *f)
{
    struct vswitchd *sw = f->o.sw;

    take_down(f);
    if (strmap_get(&sw->ifaces_by_name, f->o.name) == f) {
        (void) strmap_remove(&sw->ifaces_by_name, f->o.name);
    }
    list_remove(&f->in_port);
    list_remove(&f->unsatisfied);
    object_uninit(&f->o, &sw->ifaces);
    free(f->error);
    free(f);
}

/* Takes 'text'; null: all is well.  Says so once, not at every attempt. */
static void
set_error(struct iface *f, char *text)
{
    if (text && (!f->error || strcmp(f->error, text))) {
        log_warn("%s", text);
    }
    free(f->error);
    f->error = text;
    mark_stale(f);
}

static const char *
wanted_type(const struct iface *f, const struct vs_interface *row)
{
    const char *type = iface_is_local(f) ? "internal" : vs_interface_type(row);
    const struct bridge *br = iface_bridge(f);

    if (!type || !type[0]) {
        return "system";
    }
    return !strcmp(type, "internal") && br->ofproto ? ofproto_internal_type(br->ofproto) : type;
}

static ofp_port
port_from_column(int64_t n)
{
    return n > 0 && n < (int64_t) ofp_to_u32(OFPP_MAX) ? OFP_PORT(n) : OFPP_NONE;
}

/* The interface that the row asks to get out of its number's way, or itself if the number is free; null: nothing is to
 * be done, or the one that has the number asked for it, too. */
static struct iface *
in_the_way(struct iface *f, const struct vs_interface *row)
{
    ofp_port request = port_from_column(vs_interface_ofport_request(row, 0));
    const struct bridge *br = iface_bridge(f);
    const struct vs_interface *others;
    const char *name;
    struct iface *other;

    if (request == OFPP_NONE || request == f->ofport || iface_is_local(f)) {
        return NULL;
    }
    name = ofproto_port_name(br->ofproto, request);
    other = name ? strmap_get(&f->o.sw->ifaces_by_name, name) : NULL;
    if (!other) {
        return f;
    }
    others = iface_row(other);
    return others && vs_interface_ofport_request(others, 0) == ofp_to_u32(request) ? NULL : other;
}

/* Whether its device is no longer the one that it is to have. */
static bool
must_be_opened_anew(const struct iface *f, const struct vs_interface *row)
{
    return strcmp(f->type, wanted_type(f, row)) || f->netdev->is_gone || !iface_bridge(f)->ofproto;
}

void
iface_drop_if_changed(struct iface *f, const struct vs_interface *row)
{
    struct iface *other;

    if (!f->netdev) {
        return;
    }
    if (must_be_opened_anew(f, row)) {
        take_down(f);
        return;
    }
    other = in_the_way(f, row);
    if (other) {
        take_down(f);
        object_dirty(&f->o, &f->o.sw->dirty_ifaces);
    }
    if (other && other != f) {
        take_down(other);
        other->lost_number = true;
        object_dirty(&other->o, &other->o.sw->dirty_ifaces);
    }
}

static void
options_of(const struct vs_interface *row, struct strmap *options)
{
    const struct datum *d = vs_interface_options_datum(row);
    const union atom *keys = datum_keys(d), *values = datum_values(d);

    strmap_init(options);
    for (size_t i = 0; i < d->n; i++) {
        (void) strmap_put(options, atom_text(&keys[i]), (void *) atom_text(&values[i]));
    }
}

static struct error *
set_options(struct netdev *netdev, const struct vs_interface *row)
{
    struct strmap options;
    struct error *error;

    options_of(row, &options);
    error = netdev_set_config(netdev, &options);
    strmap_uninit(&options);
    return error;
}

/* The number to ask for: the one wanted, else the one that the port had before a restart. */
static ofp_port
choose_request(const struct iface *f, const struct vs_interface *row)
{
    ofp_port request = port_from_column(vs_interface_ofport_request(row, 0));

    if (iface_is_local(f)) {
        return OFPP_LOCAL;
    }
    return request != OFPP_NONE ? request
           : f->lost_number ? OFPP_NONE : port_from_column(vs_interface_ofport(row, 0));
}

static void
set_policing(struct iface *f, const struct vs_interface *row)
{
    struct netdev_policing p = {
        .kbps_rate = MAX(vs_interface_ingress_policing_rate(row), 0),
        .kb_burst = MAX(vs_interface_ingress_policing_burst(row), 0),
        .kpps_rate = MAX(vs_interface_ingress_policing_kpkts_rate(row), 0),
        .kpkts_burst = MAX(vs_interface_ingress_policing_kpkts_burst(row), 0),
    };

    netdev_set_policing(f->netdev, &p);
}

/* Opens the device and puts it into the bridge.  Returns the text for the error column, or null. */
static char *
bring_up(struct iface *f, const struct vs_interface *row)
{
    struct bridge *br = iface_bridge(f);
    const char *type = wanted_type(f, row);
    struct error *bad;
    int error;

    port_make_way(f->o.sw, f->o.name);
    error = netdev_open(f->o.name, type, &f->netdev);
    if (error) {
        return xasprintf("could not open network device %s (%s)", f->o.name, strerror(-error));
    }
    f->type = xstrdup(type);
    bad = set_options(f->netdev, row);
    if (bad) {
        return error_take_text(bad);
    }
    set_policing(f, row); /* Before the first packet. */
    f->request = port_from_column(vs_interface_ofport_request(row, 0));
    /* A loopback device would send back to us all that we send. */
    if (netdev_get_flags(f->netdev) & NETDEV_LOOPBACK) {
        error = -EINVAL;
    } else {
        error = ofproto_port_add(br->ofproto, f->netdev, choose_request(f, row), vs_interface_options(row, "peer"),
                                 &f->ofport);
    }
    if (error) {
        f->ofport = OFPP_NONE;
        return xasprintf("could not add network device %s to ofproto (%s)", f->o.name, strerror(-error));
    }
    f->lost_number = false;
    log_info("bridge %s: added interface %s on port %u", br->o.name, f->o.name, ofp_port_to_u16(f->ofport));
    object_dirty(&f->port->o, &f->o.sw->dirty_ports);
    bridge_unsettle(br);
    return NULL;
}

static void
configure_datapath(struct iface *f, const struct vs_interface *row)
{
    struct dp_port_config config = {
        .rxq_affinity = vs_interface_other_config(row, "pmd-rxq-affinity"),
        .tx_steering = vs_interface_other_config(row, "tx-steering"),
        .emc_enable = vs_interface_other_config(row, "emc-enable"),
        .offload_priority = vs_interface_other_config(row, "hw-offload-priority"),
    };

    ofproto_port_configure(iface_bridge(f)->ofproto, f->ofport, &config);
}

static char *
reconfigure(struct iface *f, const struct vs_interface *row)
{
    struct error *bad;

    mark_peer_stale(f);
    bad = set_options(f->netdev, row);
    if (bad) {
        return error_take_text(bad);
    }
    set_policing(f, row);
    if (!strcmp(f->type, "patch")) {
        ofproto_port_set_peer(iface_bridge(f)->ofproto, f->ofport, vs_interface_options(row, "peer"));
    }
    f->request = port_from_column(vs_interface_ofport_request(row, 0));
    return NULL;
}

/* Interface.mac concerns internal ports only, and not the local port, whose address is the bridge's. */
static void
apply_mac(struct iface *f, const struct vs_interface *row)
{
    const char *text = vs_interface_mac(row);
    struct eth_addr want, now;
    int error;

    if (!text || iface_is_local(f) || !iface_is_internal(f)) {
        return;
    }
    if (!eth_addr_parse(text, &want) || eth_addr_is_multicast(want)) {
        log_info("interface %s: \"%s\" is no address that a device can have", f->o.name, text);
        return;
    }
    if (netdev_get_etheraddr(f->netdev, &now) || !eth_addr_equal(now, want)) {
        error = netdev_set_etheraddr(f->netdev, want);
        if (error) {
            log_warn("interface %s: setting MAC failed (%s)", f->o.name, strerror(-error));
        }
    }
}

static void
apply_mtu(struct iface *f, const struct vs_interface *row)
{
    int64_t want = vs_interface_mtu_request(row, 0);
    bool had = f->has_mtu_request;
    int now, error;

    f->has_mtu_request = want > 0;
    if (had != f->has_mtu_request) {
        bridge_unsettle(iface_bridge(f));
    }
    if (want <= 0 || netdev_get_mtu(f->netdev, &now) || now == want) {
        return;
    }
    error = want > INT32_MAX ? -EINVAL : netdev_set_mtu(f->netdev, want);
    if (error) {
        log_warn("could not set MTU of interface %s to %lld (%s)", f->o.name, (long long) want, strerror(-error));
    }
}

bool
iface_refresh(struct iface *f)
{
    struct eth_addr mac = { { 0 } };
    bool changed, has_mac = !netdev_get_etheraddr(f->netdev, &mac);
    int mtu = -1;

    if (!has_mac) {
        mac = (struct eth_addr) { { 0 } };
    }
    if (netdev_get_mtu(f->netdev, &mtu)) {
        mtu = -1;
    }
    changed = !eth_addr_equal(mac, f->mac) || mtu != f->mtu;
    f->has_mac = has_mac;
    f->mac = mac;
    f->mtu = mtu;
    f->stats_wanted = true;
    mark_stale(f);
    return changed;
}

bool
iface_is_prepared(const struct iface *f)
{
    const struct vs_interface *row = iface_row(f);
    struct strmap options;
    int64_t mtu = row ? vs_interface_mtu_request(row, 0) : 0;
    bool is_prepared;

    if (!row || !iface_bridge(f)->ofproto) {
        return true;
    }
    options_of(row, &options);
    is_prepared = netdev_prepare(wanted_type(f, row), &options, MIN(mtu, INT32_MAX), vswitchd_signal_prepared,
                                 &f->o.sw->prepared);
    strmap_uninit(&options);
    return is_prepared;
}

void
iface_configure(struct iface *f, const struct vs_interface *row)
{
    struct bridge *br = iface_bridge(f);
    char *error;

    if (!br->ofproto) {
        set_error(f, br->error ? xstrdup(br->error) : NULL); /* None: the bridge went while it waited. */
        return;
    }
    if (f->netdev && must_be_opened_anew(f, row)) {
        take_down(f); /* It has become so while it waited for its turn. */
    }
    error = f->netdev ? reconfigure(f, row) : bring_up(f, row);
    if (error) {
        take_down(f);
        set_error(f, error);
        return;
    }
    set_error(f, NULL);
    mark_peer_stale(f);
    list_remove(&f->unsatisfied);
    if (f->request != OFPP_NONE && f->request != f->ofport && !iface_is_local(f)) {
        list_push_back(&f->o.sw->unsatisfied, &f->unsatisfied);
    }
    configure_datapath(f, row);
    apply_mac(f, row);
    apply_mtu(f, row);
    if (iface_refresh(f)) {
        bridge_unsettle(br);
    }
    ofproto_port_changed(br->ofproto, f->ofport);
}

void
iface_device_changed(struct vswitchd *sw, const char *name)
{
    struct iface *f = strmap_get(&sw->ifaces_by_name, name);

    if (f) {
        object_dirty(&f->o, &sw->dirty_ifaces);
        loop_task_post(&sw->reconcile);
    } else {
        port_device_changed(sw, name);
    }
}
