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
}

void
port_destroy(struct port *p)
{
    remove_bundle(p);
    while (!list_is_empty(&p->ifaces)) {
        iface_destroy(CONTAINER_OF(p->ifaces.next, struct iface, in_port));
    }
    list_remove(&p->in_bridge);
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

static void
set_bundle(struct port *p, const struct vs_port *row, ofp_port member)
{
    const struct datum *trunks_d = vs_port_trunks_datum(row), *cvlans_d = vs_port_cvlans_datum(row);
    int64_t *trunks = integers_of(trunks_d), *cvlans = integers_of(cvlans_d);
    struct cfg_source source = { get_other_config, row };
    struct ofproto_bundle_config config;
    struct vlan_cfg vlan;
    struct port_cfg cfg;

    cfg_read(&cfg, port_keys, ARRAY_SIZE(port_keys), &source, report_bad_key, p);
    vlan_cfg_init(&vlan, vs_port_vlan_mode(row), vs_port_tag(row, -1), trunks, trunks_d->n, cvlans, cvlans_d->n);
    config = (struct ofproto_bundle_config) {
        .name = p->o.name, .ports = &member, .n_ports = 1,
        .vlan_mode = vlan.mode, .vlan = vlan.vlan, .trunks = vlan.trunks, .cvlans = vlan.cvlans,
        .qinq_ethtype = cpu_to_be16(cfg.qinq_ethtype ? ETH_TYPE_8021Q : ETH_TYPE_8021AD),
        .priority_tags = priority_values[cfg.priority_tags], .is_protected = vs_port_protected(row),
    };
    ofproto_bundle_set(p->bridge->ofproto, p, &config);
    p->bundled = true;
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
        return;
    }
    if (vs_port_interfaces_datum(row)->n > 1) {
        /* Bonding is not served yet (docs/status.md). */
        log_info("port %s: bonds are not served yet; only %s carries traffic", p->o.name, first->o.name);
    }
    set_bundle(p, row, first->ofport);
}
