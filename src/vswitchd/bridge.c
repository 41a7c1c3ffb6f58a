/* Bridges: settings, and who they are. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/error.h"
#include "netdev/in4.h"
#include "netlink/rtnl.h"
#include "sys/log.h"
#include "vswitchd/cfg.h"
#include "vswitchd/identity.h"
#include "vswitchd/vlan.h"
#include "vswitchd/vswitchd.h"

LOG_MODULE(bridge)

struct bridge_cfg {
    int64_t mac_aging_s, mac_table_size;
    bool forward_bpdu;
    struct eth_addr hwaddr;
    uint64_t dpid;
    const char *dp_desc, *dp_sn;
    struct controllers_cfg controllers;
};

static const struct cfg_key bridge_keys[] = {
    { "mac-aging-time", CFG_INT, offsetof(struct bridge_cfg, mac_aging_s), .def = 300, .min = 15, .max = 3600,
      .bad = CFG_CLAMP, .doc = "Seconds after which a learned MAC is forgotten." },
    { "mac-table-size", CFG_INT, offsetof(struct bridge_cfg, mac_table_size), .def = 8192, .min = 10,
      .max = 1000000, .bad = CFG_CLAMP, .doc = "Learned MACs at most." },
    { "forward-bpdu", CFG_BOOL, offsetof(struct bridge_cfg, forward_bpdu), .def = false,
      .doc = "Whether NORMAL forwards frames to reserved addresses." },
    { "hwaddr", CFG_MAC, offsetof(struct bridge_cfg, hwaddr), .doc = "MAC of the local port." },
    { "datapath-id", CFG_DPID, offsetof(struct bridge_cfg, dpid), .doc = "OpenFlow datapath id." },
    { "dp-desc", CFG_TEXT, offsetof(struct bridge_cfg, dp_desc), .doc = "Description for OFPMP_DESC." },
    { "dp-sn", CFG_TEXT, offsetof(struct bridge_cfg, dp_sn), .doc = "Serial number for OFPMP_DESC." },
    { "controller-queue-size", CFG_INT, offsetof(struct bridge_cfg, controllers.queue_size), .def = 100, .min = 1,
      .max = 512, .doc = "Packet-ins that may wait for a controller to read them." },
    { "disable-in-band", CFG_BOOL, offsetof(struct bridge_cfg, controllers.disable_in_band), .def = false,
      .doc = "No rules for controllers and managers that are reached through the bridge." },
    { "in-band-queue", CFG_INT, offsetof(struct bridge_cfg, controllers.in_band_queue), .def = -1, .min = 0,
      .max = INT32_MAX, .doc = "Queue for the traffic of in-band control." },
};

/* Bridge.protocols; the position of a name plus one is its wire version. */
static const char *const protocol_names[] = {
    "OpenFlow10", "OpenFlow11", "OpenFlow12", "OpenFlow13", "OpenFlow14", "OpenFlow15",
};

struct bridge *
bridge_create(struct vswitchd *sw, const struct vs_bridge *row)
{
    struct bridge *br = xzalloc(sizeof *br);

    object_init(&br->o, sw, &sw->bridges, &row->row.uuid, vs_bridge_name(row));
    br->type = xstrdup(vs_bridge_datapath_type(row));
    list_init(&br->ports);
    list_init(&br->unsettled);
    object_dirty(&br->o, &sw->dirty_bridges);
    return br;
}

void
bridge_destroy(struct bridge *br, bool cleanup)
{
    while (!list_is_empty(&br->ports)) {
        port_destroy(CONTAINER_OF(br->ports.next, struct port, in_bridge));
    }
    controller_forget(br);
    if (br->ofproto) {
        ofproto_destroy(br->ofproto, cleanup);
    }
    list_remove(&br->unsettled);
    object_uninit(&br->o, &br->o.sw->bridges);
    free(br->type);
    free(br->error);
    free(br);
}

bool
bridge_must_be_remade(const struct bridge *br, const struct vs_bridge *row)
{
    return strcmp(br->type, vs_bridge_datapath_type(row)) != 0;
}

static bool
is_disabled(const struct bridge *br)
{
    return br->o.sw->system_disabled && (!br->type[0] || !strcmp(br->type, "system"));
}

static int
make_ofproto(struct bridge *br)
{
    return is_disabled(br) ? -EAFNOSUPPORT : ofproto_create(br->o.name, br->type, &br->ofproto);
}

bool
bridge_is_prepared(const struct bridge *br)
{
    return br->ofproto || is_disabled(br) || ofproto_prepare(br->type, vswitchd_signal_prepared, &br->o.sw->prepared);
}

/* Creates the switch behind the bridge if it is missing.  A failure is what the local port's error column shows. */
static void
bring_up(struct bridge *br)
{
    int error = make_ofproto(br);
    char *text = NULL;

    if (error) {
        br->ofproto = NULL;
        text = xasprintf("failed to create bridge %s: %s", br->o.name, strerror(-error));
        if (!br->error || strcmp(br->error, text)) {
            log_err("%s", text);
        }
    } else {
        bridge_unsettle(br);
    }
    free(br->error);
    br->error = text;
    LIST_FOR_EACH (p, struct port, in_bridge, &br->ports) {
        object_dirty(&p->o, &br->o.sw->dirty_ports);
        LIST_FOR_EACH (f, struct iface, in_port, &p->ifaces) {
            object_dirty(&f->o, &br->o.sw->dirty_ifaces);
        }
    }
}

static uint32_t
wanted_protocols(const struct vs_bridge *row)
{
    const struct datum *d = vs_bridge_protocols_datum(row);
    uint32_t versions = 0;

    for (size_t i = 0; i < d->n; i++) {
        for (size_t k = 0; k < ARRAY_SIZE(protocol_names); k++) {
            if (!strcmp(atom_text(&datum_keys(d)[i]), protocol_names[k])) {
                versions |= UINT32_C(1) << (k + 1);
            }
        }
    }
    return versions;
}

static void
set_flood_vlans(struct bridge *br, const struct vs_bridge *row)
{
    const struct datum *d = vs_bridge_flood_vlans_datum(row);
    uint64_t bits[VLAN_BITMAP_WORDS] = { 0 };

    for (size_t i = 0; i < d->n; i++) {
        vlan_bitmap_set(bits, &datum_keys(d)[i].integer, 1);
    }
    ofproto_set_flood_vlans(br->ofproto, d->n ? bits : NULL);
}

static void
set_table(struct bridge *br, uint8_t id, const struct vs_flow_table *t)
{
    const struct datum *prefixes = vs_flow_table_prefixes_datum(t), *groups = vs_flow_table_groups_datum(t);
    const char **specs = groups->n ? xmalloc(groups->n * sizeof *specs) : NULL;
    int64_t limit = vs_flow_table_flow_limit(t, -1);
    const char *overflow = vs_flow_table_overflow_policy(t), *names[8];
    struct ofproto_table_config c = {
        .name = vs_flow_table_name(t), .has_limit = limit >= 0, .flow_limit = limit >= 0 ? limit : 0,
        .evict = overflow && !strcmp(overflow, "evict"), .prefixes = names, .groups = specs, .n_groups = groups->n,
    };

    for (size_t i = 0; i < prefixes->n && i < ARRAY_SIZE(names); i++) {
        names[c.n_prefixes++] = atom_text(&datum_keys(prefixes)[i]);
    }
    for (size_t i = 0; i < groups->n; i++) {
        specs[i] = atom_text(&datum_keys(groups)[i]);
    }
    ofproto_set_table(br->ofproto, id, &c);
    free(specs);
}

static void
set_tables(struct bridge *br, const struct vs_bridge *row)
{
    const struct datum *d = vs_bridge_flow_tables_datum(row);
    size_t i = 0;

    for (int64_t id = 0; id < 255; id++) {
        const struct vs_flow_table *t;

        while (i < d->n && datum_keys(d)[i].integer < id) {
            i++;
        }
        t = i < d->n && datum_keys(d)[i].integer == id ? vs_bridge_flow_tables(row, i) : NULL;
        if (t) {
            set_table(br, id, t);
        } else {
            ofproto_set_table(br->ofproto, id, NULL);
        }
    }
}

static const char *
get_other_config(const void *row, const char *key)
{
    return vs_bridge_other_config(row, key);
}

static void
report_bad_key(void *br, const char *text)
{
    log_info("bridge %s: %s", ((struct bridge *) br)->o.name, text);
}

/* What the database asks for and we do not do yet; said once a change, not at WARN: it is no fault of the user's. */
static void
report_not_served(const struct bridge *br, const struct vs_bridge *row)
{
    const struct { const char *what; bool wanted; } rows[] = {
        { "sFlow", vs_bridge_sflow(row) != NULL },
        { "NetFlow", vs_bridge_netflow(row) != NULL },
        { "STP", vs_bridge_stp_enable(row) }, { "RSTP", vs_bridge_rstp_enable(row) },
        { "multicast snooping", vs_bridge_mcast_snooping_enable(row) },
        { "auto-attach", vs_bridge_auto_attach(row) != NULL },
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (rows[i].wanted) {
            log_info("bridge %s: %s: configured, but not served yet", br->o.name, rows[i].what);
        }
    }
}

void
bridge_configure(struct bridge *br, const struct vs_bridge *row)
{
    struct cfg_source source = { get_other_config, row };
    const char *fail_mode = vs_bridge_fail_mode(row);
    struct bridge_cfg cfg;

    if (!br->ofproto) {
        bring_up(br);
    }
    object_stale(&br->o, &br->o.sw->stale_bridges);
    if (!br->ofproto) {
        return;
    }
    cfg_read(&cfg, bridge_keys, ARRAY_SIZE(bridge_keys), &source, report_bad_key, br);
    ofproto_set_protocols(br->ofproto, wanted_protocols(row));
    ofproto_set_fail_mode(br->ofproto, fail_mode && !strcmp(fail_mode, "secure"));
    ofproto_set_mac_table(br->ofproto, cfg.mac_aging_s, cfg.mac_table_size);
    ofproto_set_forward_bpdu(br->ofproto, cfg.forward_bpdu);
    ofproto_set_desc(br->ofproto, &(struct ofproto_desc) { .serial = cfg.dp_sn, .dp = cfg.dp_desc });
    set_flood_vlans(br, row);
    set_tables(br, row);
    mirror_configure(br, row);
    ipfix_configure(br, row);
    controller_configure(br, row, &cfg.controllers);
    if (memcmp(&br->local_ip, &br->local_ip_in_use, sizeof br->local_ip)) {
        bridge_unsettle(br);
    }
    report_not_served(br, row);
    if (cfg.dpid != br->dpid || !eth_addr_equal(cfg.hwaddr, br->hwaddr)) {
        br->dpid = cfg.dpid;
        br->hwaddr = cfg.hwaddr;
        bridge_unsettle(br);
    }
}

void
bridge_unsettle(struct bridge *br)
{
    if (list_is_empty(&br->unsettled)) {
        list_push_back(&br->o.sw->unsettled, &br->unsettled);
    }
}

static struct iface *
local_iface(const struct bridge *br)
{
    struct iface *f = strmap_get(&br->o.sw->ifaces_by_name, br->o.name);

    return f && f->port->bridge == br && f->netdev ? f : NULL;
}

static struct eth_addr
choose_mac(const struct bridge *br)
{
    struct eth_addr best = { { 0 } };

    if (!eth_addr_is_zero(br->hwaddr)) {
        return br->hwaddr;
    }
    LIST_FOR_EACH (p, struct port, in_bridge, &br->ports) {
        const struct iface *f = port_first_iface(p);

        if (!eth_addr_is_zero(p->mac)) {
            best = identity_lower_mac(best, p->mac);
        } else if (f && !iface_is_local(f)) {
            best = identity_lower_mac(best, f->mac);
        }
    }
    return eth_addr_is_zero(best) ? identity_default_mac(&br->o.uuid) : best;
}

/* The lowest MTU of the devices that have one of their own; 0 if there is none. */
static int
lowest_mtu(const struct bridge *br)
{
    int lowest = 0;

    LIST_FOR_EACH (p, struct port, in_bridge, &br->ports) {
        LIST_FOR_EACH (f, struct iface, in_port, &p->ifaces) {
            if (f->mtu > 0 && (!iface_is_internal(f) || f->has_mtu_request) && (!lowest || f->mtu < lowest)) {
                lowest = f->mtu;
            }
        }
    }
    return lowest;
}

/* Internal ports without a wish of their own follow the others (Interface.mtu_request). */
static void
spread_mtu(struct bridge *br)
{
    int mtu = lowest_mtu(br);

    if (!mtu) {
        return;
    }
    LIST_FOR_EACH (p, struct port, in_bridge, &br->ports) {
        LIST_FOR_EACH (f, struct iface, in_port, &p->ifaces) {
            if (iface_is_internal(f) && !f->has_mtu_request && f->mtu != mtu && !netdev_set_mtu(f->netdev, mtu)) {
                iface_refresh(f);
                ofproto_port_changed(br->ofproto, f->ofport);
            }
        }
    }
}

/* The address of the local port that in-band control asks for (Controller.local_ip). */
static void
set_local_ip(struct bridge *br)
{
    const struct local_ip *l = &br->local_ip;
    struct iface *local = local_iface(br);
    int ifindex = local ? netdev_get_ifindex(local->netdev) : 0;
    struct str text = STR_INIT;

    if (!l->ip || ifindex <= 0 || !memcmp(l, &br->local_ip_in_use, sizeof *l)) {
        return;
    }
    br->local_ip_in_use = *l;
    (void) !rtnl_link_set_flags(ifindex, IFF_UP, IFF_UP);
    if (!in4_set(br->o.name, l->ip, l->netmask)) {
        ipv4_put(&text, l->ip);
        str_puts(&text, ", netmask ");
        ipv4_put(&text, l->netmask);
        log_info("bridge %s: configured IP address %s", br->o.name, str_text(&text));
    }
    if (l->gateway && !in4_add_router(l->gateway)) {
        str_clear(&text);
        ipv4_put(&text, l->gateway);
        log_info("bridge %s: configured gateway %s", br->o.name, str_text(&text));
    }
    str_uninit(&text);
}

void
bridge_settle(struct bridge *br)
{
    struct iface *local = local_iface(br);
    struct eth_addr mac;
    uint64_t dpid;
    int error;

    list_remove(&br->unsettled);
    if (!br->ofproto) {
        return;
    }
    mac = choose_mac(br);
    if (local && !eth_addr_equal(mac, local->mac)) {
        error = netdev_set_etheraddr(local->netdev, mac);
        if (error) {
            log_warn("bridge %s: failed to set bridge Ethernet address: %s", br->o.name, strerror(-error));
        }
        iface_refresh(local);
        ofproto_port_changed(br->ofproto, local->ofport);
    }
    dpid = identity_dpid(br->dpid, mac);
    if (dpid != br->dpid_in_use) {
        br->dpid_in_use = dpid;
        ofproto_set_datapath_id(br->ofproto, dpid);
        log_info("bridge %s: using datapath ID %016llx", br->o.name, (unsigned long long) dpid);
    }
    spread_mtu(br);
    set_local_ip(br);
    object_stale(&br->o, &br->o.sw->stale_bridges);
}
