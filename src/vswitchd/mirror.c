/* Mirrors of a bridge: rows to configuration, counters to rows. */
#include <stdlib.h>
#include <string.h>

#include "flow/match.h"
#include "sys/log.h"
#include "vswitchd/vlan.h"
#include "vswitchd/vswitchd.h"

LOG_MODULE(bridge)

/* What one row says, with what it points to. */
struct wanted {
    struct ofproto_mirror_config config;
    const void **srcs, **dsts;
    uint64_t vlans[VLAN_BITMAP_WORDS];
};

static const struct port *
port_on_bridge(const struct bridge *br, const struct vs_port *row)
{
    struct object *o = row ? object_find(&br->o.sw->ports, &row->row.uuid) : NULL;
    const struct port *p = o ? CONTAINER_OF(o, struct port, o) : NULL;

    return p && p->bridge == br ? p : NULL;
}

static const void **
find_ports(const struct bridge *br, const char *mirror, const struct vs_mirror *row, size_t n_rows,
           const struct vs_port *(*get)(const struct vs_mirror *, size_t), size_t *n)
{
    const void **keys = xcalloc(n_rows + 1, sizeof *keys);

    *n = 0;
    for (size_t i = 0; i < n_rows; i++) {
        const struct vs_port *child = get(row, i);
        const struct port *p = port_on_bridge(br, child);

        if (p) {
            keys[(*n)++] = p;
        } else if (child) {
            log_warn("bridge %s: mirror %s cannot match on nonexistent port %s", br->o.name, mirror,
                     vs_port_name(child));
        }
    }
    return keys;
}

/* Where it goes.  False if nowhere. */
static bool
read_output(const struct bridge *br, const struct vs_mirror *row, struct ofproto_mirror_config *c)
{
    const struct vs_port *output = vs_mirror_output_port(row);
    int64_t vlan = vs_mirror_output_vlan(row, 0);

    if (!output && !vlan) {
        log_err("bridge %s: mirror %s does not specify output; ignoring", br->o.name, c->name);
        return false;
    }
    if (output && vlan) {
        log_err("bridge %s: mirror %s specifies both output port and output vlan; ignoring output vlan", br->o.name,
                c->name);
    }
    c->output = output ? port_on_bridge(br, output) : NULL;
    c->output_vlan = output ? 0 : vlan;
    if (output && !c->output) {
        log_err("bridge %s: mirror %s outputs to port not on bridge", br->o.name, c->name);
        return false;
    }
    return true;
}

static bool
read_filter(const struct bridge *br, const struct vs_mirror *row, struct ofproto_mirror_config *c)
{
    struct error *e = NULL;
    struct match m;

    c->filter = vs_mirror_filter(row);
    if (c->filter) {
        e = ofproto_mirror_check_filter(c->filter, &m);
    }
    if (e) {
        log_warn("filter of mirror %s: %s", c->name, error_text(e));
        log_err("bridge %s: mirror %s configuration is invalid", br->o.name, c->name);
        error_free(e);
        return false;
    }
    return true;
}

/* False, with a word in the log, if the row makes no mirror. */
static bool
read_row(const struct bridge *br, const struct vs_mirror *row, struct wanted *w)
{
    const struct datum *vlans = vs_mirror_select_vlan_datum(row);
    struct ofproto_mirror_config *c = &w->config;

    memset(w, 0, sizeof *w);
    c->key = row->row.uuid;
    c->name = vs_mirror_name(row);
    if (!read_output(br, row, c) || !read_filter(br, row, c)) {
        return false;
    }
    c->select_all = vs_mirror_select_all(row);
    w->srcs = find_ports(br, c->name, row, vs_mirror_select_src_port_datum(row)->n, vs_mirror_select_src_port,
                         &c->n_srcs);
    w->dsts = find_ports(br, c->name, row, vs_mirror_select_dst_port_datum(row)->n, vs_mirror_select_dst_port,
                         &c->n_dsts);
    c->snaplen = vs_mirror_snaplen(row, 0);
    for (size_t i = 0; i < vlans->n; i++) {
        vlan_bitmap_set(w->vlans, &datum_keys(vlans)[i].integer, 1);
    }
    return true;
}

/* Mirrors that come together come in the order of their names. */
static int
compare_wanted(const void *a_, const void *b_)
{
    const struct wanted *a = a_, *b = b_;
    int order = strcmp(a->config.name, b->config.name);

    return order ? order : uuid_compare(&a->config.key, &b->config.key);
}

void
mirror_configure(struct bridge *br, const struct vs_bridge *row)
{
    size_t n_rows = vs_bridge_mirrors_datum(row)->n, n = 0;
    struct ofproto_mirror_config *configs = xcalloc(n_rows + 1, sizeof *configs);
    struct wanted *all = xcalloc(n_rows + 1, sizeof *all);

    for (size_t i = 0; i < n_rows; i++) {
        const struct vs_mirror *m = vs_bridge_mirrors(row, i);

        n += m && read_row(br, m, &all[n]);
    }
    if (n) {
        qsort(all, n, sizeof *all, compare_wanted);
    }
    for (size_t i = 0; i < n; i++) {
        configs[i] = all[i].config;
        configs[i].srcs = all[i].srcs;
        configs[i].dsts = all[i].dsts;
        configs[i].vlans = is_all_zeros(all[i].vlans, sizeof all[i].vlans) ? NULL : all[i].vlans;
    }
    ofproto_set_mirrors(br->ofproto, configs, n);
    for (size_t i = 0; i < n; i++) {
        free(all[i].srcs);
        free(all[i].dsts);
    }
    free(configs);
    free(all);
    br->has_mirrors = n > 0;
}

static void
put_counter(const struct vs_mirror *row, const char *name, uint64_t value)
{
    union atom v = { .integer = value & INT64_MAX };

    idl_put_take(&row->row, VS_MIRROR_STATISTICS, atom_string(name), &v);
}

void
mirror_write(struct bridge *br)
{
    const struct vs_bridge *row = (const struct vs_bridge *) idl_row_get(br->o.sw->idl, VS_BRIDGE, &br->o.uuid);

    for (size_t i = 0; row && i < vs_bridge_mirrors_datum(row)->n; i++) {
        const struct vs_mirror *m = vs_bridge_mirrors(row, i);
        uint64_t n_packets, n_bytes;

        if (m && ofproto_mirror_get_stats(br->ofproto, &m->row.uuid, &n_packets, &n_bytes)) {
            put_counter(m, "tx_packets", n_packets);
            put_counter(m, "tx_bytes", n_bytes);
        }
    }
}
