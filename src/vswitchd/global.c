/* The Open_vSwitch row: the daemon's own settings, and what it says of itself. */
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "datapath/datapath.h"
#include "flow/extract.h"
#include "packet/env.h"
#include "sys/log.h"
#include "sys/tls.h"
#include "vswitchd/cfg.h"
#include "vswitchd/vswitchd.h"

LOG_MODULE(bridge)

static const struct cfg_key global_keys[] = {
    { "flow-limit", CFG_INT, offsetof(struct global_cfg, flow_limit), .def = 200000, .min = 0, .max = UINT32_MAX,
      .bad = CFG_CLAMP, .doc = "Megaflows at most." },
    { "max-idle", CFG_INT, offsetof(struct global_cfg, max_idle_ms), .def = 10000, .min = 500, .max = UINT32_MAX,
      .bad = CFG_CLAMP, .doc = "Milliseconds after which an unused megaflow is removed." },
    { "max-revalidator", CFG_INT, offsetof(struct global_cfg, max_revalidator_ms), .def = 500, .min = 100,
      .max = UINT32_MAX, .bad = CFG_CLAMP, .doc = "Milliseconds between revalidations at most." },
    { "min-revalidate-pps", CFG_INT, offsetof(struct global_cfg, min_revalidate_pps), .def = 5, .min = 0,
      .max = INT32_MAX, .bad = CFG_CLAMP, .doc = "Packets per second that a megaflow must have to be retranslated "
      "where a sweep takes more than half of max-revalidator." },
    { "offloaded-stats-delay", CFG_INT, offsetof(struct global_cfg, offloaded_stats_delay_ms), .def = 2000, .min = 0,
      .max = INT32_MAX, .bad = CFG_CLAMP, .doc = "Milliseconds for which a megaflow that a device carries out alone is "
      "retranslated whatever it carries, since its counters come late." },
    { "stats-update-interval", CFG_INT, offsetof(struct global_cfg, stats_interval_ms), .def = 5000, .min = 5000,
      .max = INT32_MAX, .bad = CFG_CLAMP, .doc = "Milliseconds between writes of statistics." },
    { "bundle-idle-timeout", CFG_INT, offsetof(struct global_cfg, bundle_idle_s), .def = 10, .min = 1,
      .max = INT32_MAX, .bad = CFG_CLAMP, .doc = "Seconds after which an OpenFlow bundle that nothing is done with "
      "is dropped." },
    { "vlan-limit", CFG_INT, offsetof(struct global_cfg, vlan_limit), .def = 1, .min = 0, .max = INT32_MAX,
      .bad = CFG_CLAMP, .doc = "VLAN tags of a packet that are looked at; what is behind them is payload.  0: two." },
    { "explicit-sampled-drops", CFG_BOOL, offsetof(struct global_cfg, explicit_sampled_drops), .def = false,
      .doc = "Whether packets that are sampled last, and go nowhere after that, are dropped with an action." },
    { "flow-restore-wait", CFG_BOOL, offsetof(struct global_cfg, flow_restore_wait), .def = false,
      .doc = "Hold forwarding until flows are restored." },
    { "enable-statistics", CFG_BOOL, offsetof(struct global_cfg, enable_statistics), .def = false,
      .doc = "Whether to fill the statistics column of Open_vSwitch." },
    { "dpdk-init", CFG_TEXT, offsetof(struct global_cfg, dpdk_init), .doc = "Whether somebody wants DPDK's ports: "
      "false, true or try." },
    { "dpdk-extra", CFG_TEXT, offsetof(struct global_cfg, dpdk.extra), .doc = "Words of DPDK's command line." },
    { "dpdk-lcore-mask", CFG_TEXT, offsetof(struct global_cfg, dpdk.lcore_mask), .doc = "Cores of DPDK's threads." },
    { "dpdk-alloc-mem", CFG_TEXT, offsetof(struct global_cfg, dpdk.alloc_mem), .doc = "MB of huge pages for DPDK." },
    { "dpdk-socket-mem", CFG_TEXT, offsetof(struct global_cfg, dpdk.socket_mem), .doc = "The same, by socket." },
    { "dpdk-socket-limit", CFG_TEXT, offsetof(struct global_cfg, dpdk.socket_limit), .doc = "The most that it takes, "
      "by socket." },
    { "dpdk-hugepage-dir", CFG_TEXT, offsetof(struct global_cfg, dpdk.hugepage_dir), .doc = "Where hugetlbfs is." },
    { "dpdk-probe-at-init", CFG_BOOL, offsetof(struct global_cfg, dpdk.probes), .def = false,
      .doc = "Whether DPDK takes all devices at its start." },
    { "per-port-memory", CFG_BOOL, offsetof(struct global_cfg, dpdk_ports.pools.per_port), .def = false,
      .doc = "Whether each dpdk port has packets of its own." },
    { "shared-mempool-config", CFG_TEXT, offsetof(struct global_cfg, dpdk_ports.pools.shared),
      .doc = "MTUs for whose frames the packets have room that dpdk ports share." },
    { "hw-offload", CFG_BOOL, offsetof(struct global_cfg, dpdk_ports.hw_offload), .def = false,
      .doc = "Whether devices of dpdk ports are given megaflows." },
    { "vhost-sock-dir", CFG_TEXT, offsetof(struct global_cfg, vhost.sock_dir), .doc = "Directory below the run "
      "directory for the sockets of dpdkvhostuser ports." },
    { "vhost-iommu-support", CFG_BOOL, offsetof(struct global_cfg, vhost.iommu), .def = false,
      .doc = "Whether machines may have dpdkvhostuserclient ports behind an IOMMU." },
    { "vhost-postcopy-support", CFG_BOOL, offsetof(struct global_cfg, vhost.postcopy), .def = false,
      .doc = "Whether machines with dpdkvhostuserclient ports may be moved by post-copy." },
    { "userspace-tso-enable", CFG_BOOL, offsetof(struct global_cfg, vhost.tso), .def = false,
      .doc = "Whether machines may send frames to be segmented through vhost-user ports, and devices of dpdk ports "
      "segment them." },
};

const struct vs_open_vswitch *
global_row(const struct vswitchd *sw)
{
    return vs_open_vswitch_first(sw->idl);
}

static const char *
get_other_config(const void *row, const char *key)
{
    return vs_open_vswitch_other_config(row, key);
}

static void
report_bad_key(void *aux UNUSED, const char *text)
{
    log_info("Open_vSwitch: %s", text);
}

/* Keys and certificates for controllers; the command line's stay where the row does not say any. */
static void
configure_tls(const struct vs_ssl *ssl)
{
    if (ssl) {
        tls_set_private_key(vs_ssl_private_key(ssl));
        tls_set_certificate(vs_ssl_certificate(ssl));
        tls_set_ca_cert(vs_ssl_ca_cert(ssl), vs_ssl_bootstrap_ca_cert(ssl));
    }
}

/* What datapaths read themselves. */
static void
configure_datapaths(const struct vs_open_vswitch *row)
{
    static const char *const keys[] = {
        "pmd-cpu-mask", "pmd-rxq-assign", "pmd-rxq-isolate", "pmd-auto-lb", "pmd-auto-lb-rebal-interval",
        "pmd-auto-lb-load-threshold", "pmd-auto-lb-improvement-threshold", "pmd-sleep-max", "pmd-maxsleep",
        "tx-flush-interval", "pmd-perf-metrics", "emc-insert-inv-prob", "smc-enable", "hw-offload",
        "n-offload-threads",
    };
    const char *values[ARRAY_SIZE(keys)];

    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        values[i] = vs_open_vswitch_other_config(row, keys[i]);
    }
    ofproto_configure_datapaths(keys, values, ARRAY_SIZE(keys));
}

void
global_configure(struct vswitchd *sw, const struct vs_open_vswitch *row)
{
    struct cfg_source source = { get_other_config, row };
    bool had_statistics = sw->cfg.enable_statistics, waited = sw->cfg.flow_restore_wait;
    struct ofproto_settings s;

    cfg_read(&sw->cfg, global_keys, ARRAY_SIZE(global_keys), &source, report_bad_key, sw);
    if (waited != sw->cfg.flow_restore_wait) {
        HMAP_FOR_EACH (o, struct object, node, &sw->bridges) {
            object_dirty(o, &sw->dirty_bridges); /* Their controllers are called now, or not. */
        }
    }
    sw->global_stale |= had_statistics != sw->cfg.enable_statistics;
    configure_tls(vs_open_vswitch_ssl(row));
    flow_set_vlan_limit(sw->cfg.vlan_limit);
    configure_datapaths(row);
    env_configure(&sw->cfg.dpdk);
    sw->cfg.dpdk_ports.tso = sw->cfg.vhost.tso;
    netdev_dpdk_configure(&sw->cfg.dpdk_ports);
    netdev_vhost_configure(&sw->cfg.vhost);
    memset(&s, 0, sizeof s); /* It is compared as a whole. */
    s.flow_limit = sw->cfg.flow_limit;
    s.max_idle_ms = sw->cfg.max_idle_ms;
    s.worth.max_revalidator_ms = sw->cfg.max_revalidator_ms;
    s.worth.min_revalidate_pps = sw->cfg.min_revalidate_pps;
    s.worth.offloaded_stats_delay_ms = sw->cfg.offloaded_stats_delay_ms;
    s.bundle_idle_s = sw->cfg.bundle_idle_s;
    s.flow_restore_wait = sw->cfg.flow_restore_wait;
    s.explicit_sampled_drops = sw->cfg.explicit_sampled_drops;
    ofproto_set_settings(&s);
}

/* Sets a column to a set of strings. */
static void
set_names(const struct vs_open_vswitch *row, unsigned column, const char *const *names)
{
    idl_set_empty(&row->row, column);
    for (size_t i = 0; names[i]; i++) {
        idl_put_take(&row->row, column, atom_string(names[i]), NULL);
    }
}

static void
write_features(const struct vs_datapath *row, const struct dp_feature *f)
{
    struct strmap map = STRMAP_INIT(&map);

    for (; f->key; f++) {
        char *text = f->is_number ? xasprintf("%u", f->value) : xstrdup(f->value ? "true" : "false");

        strmap_put_free(&map, f->key, text);
    }
    vs_datapath_capabilities_set(row, &map);
    strmap_uninit_free(&map);
}

/* The rows of datapaths that bridges use. */
static void
write_datapaths(const struct vs_open_vswitch *row)
{
    const struct datum *d = vs_open_vswitch_datapaths_datum(row);

    for (size_t i = 0; i < d->n; i++) {
        const struct dp_feature *features = ofproto_datapath_features(atom_text(&datum_keys(d)[i]));
        const struct vs_datapath *dp = vs_open_vswitch_datapaths(row, i);

        if (features && dp) {
            write_features(dp, features);
        }
    }
}

static void
write_statistics(const struct vswitchd *sw, const struct vs_open_vswitch *row)
{
    struct strmap stats = STRMAP_INIT(&stats);

    if (sw->cfg.enable_statistics) {
        sysstats_get(&stats);
    }
    vs_open_vswitch_statistics_set(row, &stats);
    strmap_uninit_free(&stats);
}

/* The userspace datapath uses DPDK also where nobody has asked for DPDK's ports: only who has is told. */
static void
write_dpdk(const struct vswitchd *sw, const struct vs_open_vswitch *row)
{
    const char *init = sw->cfg.dpdk_init;
    bool is_wanted = init && (!strcmp(init, "true") || !strcmp(init, "try"));

    idl_set_bool(&row->row, VS_OPEN_VSWITCH_DPDK_INITIALIZED, is_wanted && env_is_started());
    idl_set_string(&row->row, VS_OPEN_VSWITCH_DPDK_VERSION, is_wanted ? env_version() : "none");
}

void
global_write(struct vswitchd *sw, const struct vs_open_vswitch *row)
{
    if (!sw->constants_written) {
        sw->constants_written = true;
        set_names(row, VS_OPEN_VSWITCH_DATAPATH_TYPES, datapath_types());
        set_names(row, VS_OPEN_VSWITCH_IFACE_TYPES, netdev_types());
    }
    write_dpdk(sw, row);
    write_datapaths(row);
    write_statistics(sw, row);
    idl_set_int(&row->row, VS_OPEN_VSWITCH_CUR_CFG, sw->cfg_seen);
}
