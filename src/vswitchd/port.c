/* Ports: how the bridge sees one or more interfaces. */
#include <stdlib.h>
#include <string.h>

#include "ofproto/xbridge.h"
#include "sys/log.h"
#include "vswitchd/cfg.h"
#include "vswitchd/vlan.h"
#include "vswitchd/vswitchd.h"

LOG_MODULE(bridge)

enum { ETH_TYPE_8021Q = 0x8100, ETH_TYPE_8021AD = 0x88a8 };

struct port_cfg {
    int priority_tags;  /* Position in priority_names. */
    int qinq_ethtype;   /* Position in qinq_names. */
};

/* "true" and "false" are what the key had before it had three values. */
static const char *const priority_names[] = { "never", "if-nonzero", "always", "no", "false", "true", NULL };
static const enum xpriority_tags priority_values[] = {
    XPRIO_NEVER, XPRIO_IF_NONZERO, XPRIO_ALWAYS, XPRIO_NEVER, XPRIO_NEVER, XPRIO_IF_NONZERO,
};
static const char *const qinq_names[] = { "802.1ad", "802.1q", NULL };

static const struct cfg_key port_keys[] = {
    { "priority-tags", CFG_ENUM, offsetof(struct port_cfg, priority_tags), .def = 0, .names = priority_names,
      .doc = "Whether frames of VLAN 0 keep their 802.1Q header on output." },
    { "qinq-ethtype", CFG_ENUM, offsetof(struct port_cfg, qinq_ethtype), .def = 0, .names = qinq_names,
      .doc = "TPID of the service tag of a dot1q-tunnel port." },
};

struct port *
port_create(struct bridge *br, const struct vs_port *row)
{
    struct vswitchd *sw = br->o.sw;
    struct port *p = xzalloc(sizeof *p);

    object_init(&p->o, sw, &sw->ports, &row->row.uuid, vs_port_name(row));
    p->bridge = br;
    list_init(&p->ifaces);
    list_push_back(&br->ports, &p->in_bridge);
    (void) strmap_put(&sw->ports_by_name, p->o.name, p);
    object_dirty(&p->o, &sw->dirty_ports);
    return p;
}

static void
remove_bundle(struct port *p)
{
    if (p->bundled && p->bridge->ofproto) {
        ofproto_bundle_remove(p->bridge->ofproto, p);
    }
    p->bundled = false;
    p->is_bond = false;
}

/* bond_fake_iface: an internal device with the name of the bond.  It has a number and counts packets, but no bundle, so
 * that only flows that name it send there; no row of Interface stands for it. */

static void
remove_fake(struct port *p)
{
    if (p->fake) {
        ofproto_port_del(p->bridge->ofproto, p->fake_port);
        netdev_close(p->fake);
        p->fake = NULL;
    }
}

static void
add_fake(struct port *p)
{
    int error = netdev_open(p->o.name, "internal", &p->fake);

    if (!error) {
        error = ofproto_port_add(p->bridge->ofproto, p->fake, OFPP_NONE, NULL, &p->fake_port);
    }
    if (error) {
        log_warn("port %s: cannot add the fake interface (%s)", p->o.name, strerror(-error));
        netdev_close(p->fake);
        p->fake = NULL;
    }
}

static void
set_fake(struct port *p, const struct vs_port *row)
{
    bool wanted = p->is_bond && vs_port_bond_fake_iface(row) && !strmap_get(&p->o.sw->ifaces_by_name, p->o.name);

    if (!wanted) {
        remove_fake(p);
    } else if (!p->fake) {
        add_fake(p);
    }
}

void
port_make_way(struct vswitchd *sw, const char *name)
{
    struct port *p = strmap_get(&sw->ports_by_name, name);

    if (p) {
        remove_fake(p);
    }
}

void
port_device_changed(struct vswitchd *sw, const char *name)
{
    const struct port *p = strmap_get(&sw->ports_by_name, name);

    if (p && p->fake) {
        ofproto_port_changed(p->bridge->ofproto, p->fake_port);
    }
}

void
port_destroy(struct port *p)
{
    remove_fake(p);
    remove_bundle(p);
    while (!list_is_empty(&p->ifaces)) {
        iface_destroy(CONTAINER_OF(p->ifaces.next, struct iface, in_port));
    }
    list_remove(&p->in_bridge);
    qos_forget(p);
    if (strmap_get(&p->o.sw->ports_by_name, p->o.name) == p) {
        (void) strmap_remove(&p->o.sw->ports_by_name, p->o.name);
    }
    object_uninit(&p->o, &p->o.sw->ports);
    free(p);
}

struct iface *
port_first_iface(const struct port *p)
{
    struct iface *first = NULL;

    LIST_FOR_EACH (f, struct iface, in_port, &p->ifaces) {
        if (f->ofport != OFPP_NONE && (!first || strcmp(f->o.name, first->o.name) < 0)) {
            first = f;
        }
    }
    return first;
}

static const char *
get_other_config(const void *row, const char *key)
{
    return vs_port_other_config(row, key);
}

static void
report_bad_key(void *p, const char *text)
{
    log_info("port %s: %s", ((struct port *) p)->o.name, text);
}

/* The integers of a set column, to be released with free(). */
static int64_t *
integers_of(const struct datum *d)
{
    int64_t *v = xcalloc(d->n + 1, sizeof *v);

    for (size_t i = 0; i < d->n; i++) {
        v[i] = datum_keys(d)[i].integer;
    }
    return v;
}

/* Of bonds. */

struct bond_cfg {
    bool all_members_active, lacp_fallback_ab;
    int64_t hash_basis, miimon_ms, rebalance_ms;
    const char *primary, *detect_mode;
};

static const struct cfg_key bond_keys[] = {
    { "all-members-active", CFG_BOOL, offsetof(struct bond_cfg, all_members_active), .def = false,
      .doc = "Whether members that are not active take multicast packets." },
    { "lacp-fallback-ab", CFG_BOOL, offsetof(struct bond_cfg, lacp_fallback_ab), .def = false,
      .doc = "Active-backup where there is no partner for LACP." },
    { "bond-hash-basis", CFG_INT, offsetof(struct bond_cfg, hash_basis), .def = 0,
      .doc = "Part of every hash of the bond." },
    { "bond-miimon-interval", CFG_INT, offsetof(struct bond_cfg, miimon_ms), .def = 200, .min = 100,
      .max = INT32_MAX, .bad = CFG_CLAMP, .doc = "Milliseconds between looks at the MII registers." },
    { "bond-rebalance-interval", CFG_INT, offsetof(struct bond_cfg, rebalance_ms), .def = 10000, .min = INT32_MIN,
      .max = INT32_MAX, .bad = CFG_DEFAULT, .doc = "Milliseconds between moves of load; 0: none; below 1000: 1000." },
    { "bond-primary", CFG_TEXT, offsetof(struct bond_cfg, primary), .doc = "The member to prefer (active-backup)." },
    { "bond-detect-mode", CFG_TEXT, offsetof(struct bond_cfg, detect_mode), .doc = "carrier or miimon." },
};

static const struct { const char *name; enum ofproto_bond_mode mode; } bond_modes[] = {
    { "active-backup", BOND_ACTIVE_BACKUP }, { "balance-slb", BOND_BALANCE_SLB }, { "balance-tcp", BOND_BALANCE_TCP },
};

static enum ofproto_bond_mode
read_mode(const struct port *p, const struct vs_port *row)
{
    const char *name = vs_port_bond_mode(row);

    for (size_t i = 0; name && i < ARRAY_SIZE(bond_modes); i++) {
        if (!strcmp(name, bond_modes[i].name)) {
            return bond_modes[i].mode;
        }
    }
    if (!p->bundled) {
        log_warn("port %s: Using the default bond_mode active-backup. Note that in previous versions, the default "
                 "bond_mode was balance-slb", p->o.name);
    }
    return BOND_ACTIVE_BACKUP;
}

static bool
read_detect_mode(const struct port *p, const char *name)
{
    if (name && strcmp(name, "carrier") && strcmp(name, "miimon")) {
        log_warn("port %s: unsupported bond-detect-mode %s, defaulting to carrier", p->o.name, name);
    }
    return name && !strcmp(name, "miimon");
}

static struct ofproto_bond_config
read_bond(struct port *p, const struct vs_port *row)
{
    struct cfg_source source = { get_other_config, row };
    const char *lacp = vs_port_lacp(row), *active = vs_port_bond_active_slave(row);
    struct ofproto_bond_config c;
    struct bond_cfg cfg;

    cfg_read(&cfg, bond_keys, ARRAY_SIZE(bond_keys), &source, report_bad_key, p);
    c = (struct ofproto_bond_config) {
        .mode = read_mode(p, row), .all_members_active = cfg.all_members_active,
        .use_miimon = read_detect_mode(p, cfg.detect_mode),
        .wants_lacp = lacp && (!strcmp(lacp, "active") || !strcmp(lacp, "passive")),
        .lacp_fallback_ab = cfg.lacp_fallback_ab, .hash_basis = cfg.hash_basis,
        .updelay_ms = MAX(vs_port_bond_updelay(row), 0), .downdelay_ms = MAX(vs_port_bond_downdelay(row), 0),
        .miimon_ms = cfg.miimon_ms, .rebalance_ms = cfg.rebalance_ms, .primary = cfg.primary,
    };
    if (!active || !eth_addr_parse(active, &c.last_active)) {
        c.last_active = (struct eth_addr) { { 0 } };
    }
    return c;
}

static int
compare_names(const void *a_, const void *b_)
{
    const struct iface *const *a = a_, *const *b = b_;

    return strcmp((*a)->o.name, (*b)->o.name);
}

/* The numbers of the interfaces that are in the bridge, in the order of their names; to be released with free(). */
static ofp_port *
members_of(const struct port *p, size_t *n)
{
    const struct iface **ifaces = xcalloc(list_size(&p->ifaces) + 1, sizeof *ifaces);
    ofp_port *ports = xcalloc(list_size(&p->ifaces) + 1, sizeof *ports);

    *n = 0;
    LIST_FOR_EACH (f, struct iface, in_port, &p->ifaces) {
        if (f->ofport != OFPP_NONE) {
            ifaces[(*n)++] = f;
        }
    }
    if (*n) {
        qsort(ifaces, *n, sizeof *ifaces, compare_names);
    }
    for (size_t i = 0; i < *n; i++) {
        ports[i] = ifaces[i]->ofport;
    }
    free(ifaces);
    return ports;
}

static void
set_bundle(struct port *p, const struct vs_port *row)
{
    bool is_bond = vs_port_interfaces_datum(row)->n > 1;
    struct ofproto_bond_config bond;
    size_t n_members;
    ofp_port *members = members_of(p, &n_members);
    const struct datum *trunks_d = vs_port_trunks_datum(row), *cvlans_d = vs_port_cvlans_datum(row);
    int64_t *trunks = integers_of(trunks_d), *cvlans = integers_of(cvlans_d);
    struct cfg_source source = { get_other_config, row };
    struct ofproto_bundle_config config;
    struct vlan_cfg vlan;
    struct port_cfg cfg;

    cfg_read(&cfg, port_keys, ARRAY_SIZE(port_keys), &source, report_bad_key, p);
    vlan_cfg_init(&vlan, vs_port_vlan_mode(row), vs_port_tag(row, -1), trunks, trunks_d->n, cvlans, cvlans_d->n);
    if (is_bond) {
        bond = read_bond(p, row);
    }
    config = (struct ofproto_bundle_config) {
        .name = p->o.name, .ports = members, .n_ports = is_bond ? n_members : 1, .bond = is_bond ? &bond : NULL,
        .vlan_mode = vlan.mode, .vlan = vlan.vlan, .trunks = vlan.trunks, .cvlans = vlan.cvlans,
        .qinq_ethtype = cpu_to_be16(cfg.qinq_ethtype ? ETH_TYPE_8021Q : ETH_TYPE_8021AD),
        .priority_tags = priority_values[cfg.priority_tags], .is_protected = vs_port_protected(row),
    };
    ofproto_bundle_set(p->bridge->ofproto, p, &config);
    p->bundled = true;
    p->is_bond = is_bond;
    free(members);
    free(trunks);
    free(cvlans);
}

void
port_configure(struct port *p, const struct vs_port *row)
{
    const struct iface *first = port_first_iface(p);
    const char *mac = vs_port_mac(row);
    struct eth_addr want = { { 0 } };

    if (mac && !eth_addr_parse(mac, &want)) {
        log_info("port %s: \"%s\" is not an Ethernet address", p->o.name, mac);
        want = (struct eth_addr) { { 0 } };
    }
    if (!eth_addr_equal(want, p->mac)) {
        p->mac = want;
        bridge_unsettle(p->bridge);
    }
    if (!first) {
        remove_bundle(p);
        set_fake(p, row);
        return;
    }
    set_bundle(p, row);
    set_fake(p, row);
    qos_configure(p, row);
    object_stale(&p->o, &p->o.sw->stale_ports);
}

void
port_write(struct port *p, const struct vs_port *row)
{
    struct eth_addr mac;

    if (p->bundled && p->bridge->ofproto && ofproto_bond_get_active(p->bridge->ofproto, p, &mac)) {
        char *text = xasprintf(ETH_ADDR_FMT, ETH_ADDR_ARGS(mac));

        idl_set_string(&row->row, VS_PORT_BOND_ACTIVE_SLAVE, text);
        free(text);
    } else {
        idl_set_empty(&row->row, VS_PORT_BOND_ACTIVE_SLAVE);
    }
}
