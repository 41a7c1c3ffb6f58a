/* The Open_vSwitch row: the daemon's own settings, and what it says of itself. */
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "datapath/datapath.h"
#include "sys/log.h"
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
      .max = UINT32_MAX, .bad = CFG_CLAMP, .doc = "Rate below which a megaflow is not worth revalidating." },
    { "vlan-limit", CFG_INT, offsetof(struct global_cfg, vlan_limit), .def = 1, .min = 0, .max = 2, .bad = CFG_CLAMP,
      .doc = "VLAN headers that are looked at; 0: as many as possible." },
    { "n-handler-threads", CFG_INT, offsetof(struct global_cfg, n_handlers), .def = 0, .min = 0, .max = 1024,
      .bad = CFG_CLAMP, .doc = "Accepted; upcalls run in the workers." },
    { "n-revalidator-threads", CFG_INT, offsetof(struct global_cfg, n_revalidators), .def = 0, .min = 0, .max = 1024,
      .bad = CFG_CLAMP, .doc = "Accepted; each datapath has one." },
    { "stats-update-interval", CFG_INT, offsetof(struct global_cfg, stats_interval_ms), .def = 5000, .min = 5000,
      .max = INT32_MAX, .bad = CFG_CLAMP, .doc = "Milliseconds between writes of statistics." },
    { "bundle-idle-timeout", CFG_INT, offsetof(struct global_cfg, bundle_idle_s), .def = 10, .min = 1,
      .max = INT32_MAX, .bad = CFG_CLAMP, .doc = "Seconds after which an OpenFlow bundle that nothing is done with "
      "is dropped." },
    { "flow-restore-wait", CFG_BOOL, offsetof(struct global_cfg, flow_restore_wait), .def = false,
      .doc = "Hold forwarding until flows are restored." },
    { "enable-statistics", CFG_BOOL, offsetof(struct global_cfg, enable_statistics), .def = false,
      .doc = "Whether to fill the statistics column of Open_vSwitch." },
    { "dpdk-extra", CFG_TEXT, offsetof(struct global_cfg, dpdk_extra), .doc = "Arguments for DPDK's environment." },
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

void
global_configure(struct vswitchd *sw, const struct vs_open_vswitch *row)
{
    struct cfg_source source = { get_other_config, row };
    struct ofproto_settings s;

    cfg_read(&sw->cfg, global_keys, ARRAY_SIZE(global_keys), &source, report_bad_key, sw);
    memset(&s, 0, sizeof s); /* It is compared as a whole. */
    s.flow_limit = sw->cfg.flow_limit;
    s.max_idle_ms = sw->cfg.max_idle_ms;
    s.max_revalidator_ms = sw->cfg.max_revalidator_ms;
    s.min_revalidate_pps = sw->cfg.min_revalidate_pps;
    s.vlan_limit = sw->cfg.vlan_limit;
    s.bundle_idle_s = sw->cfg.bundle_idle_s;
    s.n_handlers = sw->cfg.n_handlers ? sw->cfg.n_handlers : 1;
    s.n_revalidators = sw->cfg.n_revalidators ? sw->cfg.n_revalidators : 1;
    s.flow_restore_wait = sw->cfg.flow_restore_wait;
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

        free(strmap_put(&map, f->key, text));
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

void
global_write(struct vswitchd *sw, const struct vs_open_vswitch *row)
{
    if (!sw->constants_written) {
        sw->constants_written = true;
        set_names(row, VS_OPEN_VSWITCH_DATAPATH_TYPES, datapath_types());
        set_names(row, VS_OPEN_VSWITCH_IFACE_TYPES, netdev_types());
        idl_set_bool(&row->row, VS_OPEN_VSWITCH_DPDK_INITIALIZED, false);
        idl_set_string(&row->row, VS_OPEN_VSWITCH_DPDK_VERSION, "none");
    }
    write_datapaths(row);
    idl_set_int(&row->row, VS_OPEN_VSWITCH_CUR_CFG, sw->cfg_seen);
}
