/* IPFIX of a bridge: its own row, and the collector sets that name it. */
#include <stdlib.h>

#include "ofproto/sampler.h"
#include "sys/log.h"
#include "vswitchd/vswitchd.h"

LOG_MODULE(bridge)

struct wanted {
    struct ofproto_ipfix_config *configs; /* Owned, like their targets. */
    size_t n, capacity;
};

/* "false" alone switches it off. */
static bool
is_on(const struct vs_ipfix *row, const char *key)
{
    const char *value = vs_ipfix_other_config(row, key);

    return !value || strcmp(value, "false");
}

static struct ofproto_ipfix_config *
add(struct wanted *w, const struct vs_ipfix *row)
{
    const struct datum *targets = vs_ipfix_targets_datum(row);
    const char **texts = xcalloc(targets->n + 1, sizeof *texts);
    struct ofproto_ipfix_config *c;

    for (size_t i = 0; i < targets->n; i++) {
        texts[i] = atom_text(&datum_keys(targets)[i]);
    }
    if (w->n >= w->capacity) {
        w->configs = x2nrealloc(w->configs, &w->capacity, sizeof *w->configs);
    }
    c = &w->configs[w->n++];
    *c = (struct ofproto_ipfix_config) {
        .export = { .targets = texts, .n_targets = targets->n,
                    .active_timeout_s = vs_ipfix_cache_active_timeout(row, 0),
                    .max_flows = vs_ipfix_cache_max_flows(row, 0),
                    .template_interval_s = vs_ipfix_template_interval(row, IPFIX_DEFAULT_INTERVAL_S),
                    .stats_interval_s = vs_ipfix_stats_interval(row, IPFIX_DEFAULT_INTERVAL_S),
                    .virtual_id = vs_ipfix_other_config(row, "virtual_obs_id") },
    };
    return c;
}

static void
add_bridge(struct wanted *w, const struct vs_ipfix *row)
{
    struct ofproto_ipfix_config *c = add(w, row);

    c->is_bridge = true;
    c->sampling = vs_ipfix_sampling(row, IPFIX_DEFAULT_SAMPLING);
    c->domain_id = vs_ipfix_obs_domain_id(row, 0);
    c->point_id = vs_ipfix_obs_point_id(row, 0);
    c->input = is_on(row, "enable-input-sampling");
    c->output = is_on(row, "enable-output-sampling");
}

static bool
has_set(const struct wanted *w, uint32_t id)
{
    for (size_t i = 0; i < w->n; i++) {
        if (!w->configs[i].is_bridge && w->configs[i].set_id == id) {
            return true;
        }
    }
    return false;
}

static void
add_sets(struct wanted *w, const struct bridge *br, const struct vs_bridge *bridge)
{
    VS_FLOW_SAMPLE_COLLECTOR_SET_FOR_EACH (row, br->o.sw->idl) {
        const struct vs_ipfix *ipfix = vs_flow_sample_collector_set_ipfix(row);

        if (vs_flow_sample_collector_set_bridge(row) != bridge) {
            continue;
        }
        if (vs_flow_sample_collector_set_local_group_id_datum(row)->n) {
            log_warn("bridge %s: ignoring local sampling configuration: not supported by this datapath", br->o.name);
        }
        if (ipfix && !has_set(w, vs_flow_sample_collector_set_id(row))) {
            add(w, ipfix)->set_id = vs_flow_sample_collector_set_id(row);
        }
    }
}

void
ipfix_configure(struct bridge *br, const struct vs_bridge *row)
{
    struct wanted w = { 0 };

    if (vs_bridge_ipfix(row) && vs_ipfix_targets_datum(vs_bridge_ipfix(row))->n) {
        add_bridge(&w, vs_bridge_ipfix(row));
    }
    add_sets(&w, br, row);
    ofproto_set_ipfix(br->ofproto, w.configs, w.n);
    for (size_t i = 0; i < w.n; i++) {
        free((void *) w.configs[i].export.targets);
    }
    free(w.configs);
}
