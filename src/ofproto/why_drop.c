/* why-drop: why packets of a bridge were dropped, in the pipeline (ofproto/drops.h), in the datapath and by devices. */
#include <stdlib.h>

#include "base/hash.h"
#include "base/hmap.h"
#include "ctl/ctl.h"
#include "ctl/job.h"
#include "flow/match_text.h"
#include "flow/tun_metadata.h"
#include "netdev/netdev.h"
#include "ofproto/credits.h"
#include "ofproto/drops.h"
#include "ofproto/megaflow.h"
#include "ofproto/ofproto_private.h"
#include "ofproto/xlate/trace.h"
#include "openflow/flow_syntax.h"
#include "sys/clock.h"

enum { MAX_SHOWN = 100, PUSH_WAIT_MS = 500, FLOWS_A_STEP = 64 };

/* One entry of the report. */
struct entry {
    struct hmap_node node;      /* In report->by_drop, if it is of the pipeline. */
    const char *why;
    struct xbridge *in_bridge;  /* Where it was dropped; null: not known. */
    ofp_port in_port;           /* OFPP_NONE: not known. */
    struct rule *rule;          /* Null: none; else a reference. */
    int table_id;               /* -1: not known. */
    uint64_t n_packets, n_bytes;
    int64_t used;
    struct xlate_drop drop;     /* Of the pipeline; else zero. */
    struct xbridge *bridge;     /* Where the packet came in; null: there is no packet. */
    struct flow flow;
    struct bytes frame;         /* Empty: only the flow is known. */
    bool is_device;             /* A counter of the device 'in_port'. */
};

struct report {
    struct ctl_job job;
    struct ctl_request *request;
    struct sweeps sweeps;
    struct xbridge *bridge;     /* Null: all. */
    char *name;                 /* Its; owned. */
    struct flow_mod *filter;    /* Null: none; else 'filter_of'. */
    struct flow_mod filter_of;
    struct backer *backer;      /* The one at hand; null: all have been. */
    struct dp_flow_position at; /* In it. */
    struct entry **entries;     /* Each owned. */
    size_t n, capacity;
    struct hmap by_drop;
    bool is_sorted;
    size_t n_put;               /* Of the entries. */
};

static struct entry *
add_entry(struct report *r)
{
    if (r->n >= r->capacity) {
        r->entries = x2nrealloc(r->entries, &r->capacity, sizeof *r->entries);
    }
    r->entries[r->n] = xzalloc_cacheline(sizeof **r->entries);
    bytes_init(&r->entries[r->n]->frame);
    return r->entries[r->n++];
}

static void
free_entries(struct report *r)
{
    for (size_t i = 0; i < r->n; i++) {
        bytes_uninit(&r->entries[i]->frame);
        if (r->entries[i]->rule) {
            rule_unref(r->entries[i]->rule);
        }
        free(r->entries[i]);
    }
    free(r->entries);
    hmap_uninit(&r->by_drop);
}

/* The filter. */

static bool
admits_place(const struct report *r, const struct xbridge *bridge, int table_id, const struct rule *rule)
{
    const struct flow_mod *f = r->filter;

    return (!r->bridge || r->bridge == bridge) &&
           (!f || ((f->table_id == FM_TABLE_ANY || f->table_id == table_id) &&
                   (!f->cookie_mask || (rule && !((be64_to_cpu(rule->cookie) ^ f->cookie) & f->cookie_mask)))));
}

/* Of the packets of a megaflow, whether some match; 'flow' becomes one of them. */
static bool
filter_megaflow(const struct report *r, const struct flow *key, const struct flow *mask, struct flow *flow)
{
    struct match m = { .flow = *key, .mask = *mask };

    m.flow.in_port = flow->in_port;
    match_normalize(&m);
    if (!match_overlaps(&m, &r->filter->match)) {
        return false;
    }
    *flow = m.flow;
    flow_or(flow, &r->filter->match.flow);
    return true;
}

/* The pipeline. */

static uint32_t
hash_of(const struct xlate_drop *d)
{
    return hash_pointer(d->rule, hash_pointer(d->bridge, hash_u32(ofp_to_u32(d->in_port), d->why << 8 | d->table_id)));
}

/* The caller holds the rule, or is an RCU reader to whom it is still one. */
static void
set_drop(struct report *r, struct entry *e, const struct xlate_drop *drop)
{
    hmap_insert(&r->by_drop, &e->node, hash_of(drop));
    e->drop = *drop;
    e->why = drop->why ? xlate_why_text(drop->why) : "other reasons";
    e->in_bridge = drop->bridge;
    e->in_port = drop->why ? drop->in_port : OFPP_NONE;
    e->rule = drop->rule && rule_try_ref_rcu(drop->rule) ? drop->rule : NULL;
    e->table_id = drop->why && drop->table_id != UINT8_MAX ? drop->table_id : -1;
}

static void
on_site(void *r_, const struct drops_info *info)
{
    struct report *r = r_;
    struct entry *e = add_entry(r);

    set_drop(r, e, &info->drop);
    e->n_packets = info->n_packets;
    e->n_bytes = info->n_bytes;
    e->used = info->used;
    e->bridge = info->bridge;
    e->flow = info->flow;
}

static struct entry *
entry_of(struct report *r, const struct xlate_drop *drop)
{
    HMAP_FOR_EACH_WITH_HASH (e, struct entry, node, hash_of(drop), &r->by_drop) {
        const struct xlate_drop *d = &e->drop;

        if (d->why == drop->why && d->bridge == drop->bridge && d->rule == drop->rule &&
            d->in_port == drop->in_port && d->table_id == drop->table_id) {
            return e;
        }
    }
    return NULL;
}

static void
add_megaflow(struct report *r, const struct xlate_drop *drop, const struct flow *key, const struct flow *mask,
             const struct dp_flow_stats *stats)
{
    struct flow flow = *key;
    struct xbridge *bridge = upcall_bridge_rcu(r->backer, &flow);
    struct entry *e;

    if (!bridge || atomic_load(&drop->bridge->is_gone) || !admits_place(r, drop->bridge, drop->table_id, drop->rule) ||
        !filter_megaflow(r, key, mask, &flow)) {
        return;
    }
    e = entry_of(r, drop);
    if (!e) {
        e = add_entry(r);
        set_drop(r, e, drop);
    }
    e->n_packets += stats->n_packets;
    e->n_bytes += stats->n_bytes;
    if (!e->bridge || stats->used >= e->used) {
        e->used = stats->used;
        e->bridge = bridge;
        e->flow = flow;
    }
}

static void
on_megaflow(void *r_, struct dp_flow *f)
{
    struct report *r = r_;
    const struct datapath_class *class = r->backer->xdp.dp->class;
    struct megaflow *m = class->flow_owner(f);
    const struct xlate_drop *drop;
    struct dp_flow_stats stats;
    struct flow key, mask;

    if (!m) {
        return; /* Put in by hand. */
    }
    megaflow_lock(m);
    drop = credits_drop(m->credits);
    if (drop) {
        class->flow_get(f, &key, &mask, &stats);
        stats.n_packets++;
        stats.n_bytes += m->first_bytes;
        stats.used = MAX(stats.used, (int64_t) m->created);
        add_megaflow(r, drop, &key, &mask, &stats);
    }
    megaflow_unlock(m);
}

/* The datapath. */

static void
on_dropped(void *r_, const struct dp_dropped *d)
{
    struct report *r = r_;
    struct flow flow = d->key;
    struct xport *port = d->key.in_port == BE32_MAX ? NULL
                         : xdp_port_rcu(&r->backer->xdp, ODP_PORT(be32_to_cpu(d->key.in_port)));
    struct entry *e;

    if (port) {
        flow.in_port = cpu_to_be32(ofp_to_u32(port->ofp_port));
    }
    if ((r->bridge && (!port || port->bridge != r->bridge)) ||
        (r->filter && (!d->frame_len || r->filter->table_id != FM_TABLE_ANY || r->filter->cookie_mask ||
                       !match_covers_flow(&r->filter->match, &flow)))) {
        return;
    }
    e = add_entry(r);
    e->why = d->why;
    e->in_bridge = port ? port->bridge : NULL;
    e->in_port = port ? port->ofp_port : OFPP_NONE;
    e->table_id = -1;
    e->n_packets = d->n_packets;
    e->n_bytes = d->n_bytes;
    e->used = d->used;
    if (d->frame_len && port) {
        e->bridge = port->bridge;
        e->flow = d->key;
        if (!d->key.recirc_id) {
            e->flow.in_port = flow.in_port;
        }
        bytes_put(&e->frame, d->frame, d->frame_len);
    }
}

/* Devices, of whose packets nothing is known. */

static void
add_device(struct report *r, struct xport *p, const char *why, uint64_t n)
{
    if (n && n != UINT64_MAX) {
        struct entry *e = add_entry(r);

        e->is_device = true;
        e->why = why;
        e->in_bridge = p->bridge;
        e->in_port = p->ofp_port;
        e->table_id = -1;
        e->n_packets = n;
    }
}

static void
collect_devices(struct report *r, const struct xbridge *bridge)
{
    RCU_MAP_FOR_EACH (p, struct xport, &bridge->ports) {
        struct netdev_stats stats;

        if (!p->is_patch && p->netdev) {
            netdev_get_device_stats(p->netdev, &stats);
            add_device(r, p, "the device had no room for them (rx_dropped)", stats.rx_dropped);
            add_device(r, p, "the device received them with an error (rx_errors)", stats.rx_errors);
            add_device(r, p, "the device did not take them: its queue was full, or they were longer than its MTU "
                       "(tx_dropped)", stats.tx_dropped);
            add_device(r, p, "the device failed to send them (tx_errors)", stats.tx_errors);
        }
    }
}

static void
collect_bridges(struct report *r, const struct backer *b)
{
    LIST_FOR_EACH (x, struct xbridge, node, &b->xdp.bridges) {
        if (!r->bridge || r->bridge == x) {
            drops_for_each_rcu(x->drops, on_site, r);
            collect_devices(r, x);
        }
    }
}

/* Some more of what is known; true once that is all. */
static bool
collect(struct report *r)
{
    struct backer *b = r->backer;
    struct datapath *dp;

    if (!b) {
        return true;
    }
    dp = b->xdp.dp;
    if (!r->bridge || r->bridge->ofproto->backer == b) {
        if (r->filter && !dp->class->flow_walk(dp, &r->at, FLOWS_A_STEP, on_megaflow, r)) {
            return false;
        }
        if (!r->filter) {
            collect_bridges(r, b);
        }
        if (dp->class->dropped_for_each) {
            dp->class->dropped_for_each(dp, on_dropped, r);
        }
    }
    r->backer = backer_next(b);
    r->at = (struct dp_flow_position) { 0 };
    return false;
}

/* Text. */

static int
compare_entries(const void *a_, const void *b_)
{
    const struct entry *a = *(struct entry *const *) a_, *b = *(struct entry *const *) b_;

    return a->n_packets > b->n_packets ? -1 : a->n_packets < b->n_packets;
}

static void
put_place(struct str *s, const struct entry *e, const struct rule *rule, int table_id)
{
    const struct xbridge *bridge = e->in_bridge;
    struct trace_names names;

    trace_names_init(&names, &bridge);
    str_puts(s, "  ");
    if (bridge) {
        str_putf(s, "bridge=%s", bridge->name);
    }
    if (e->in_port != OFPP_NONE) {
        str_puts(s, e->is_device ? ", port=" : ", in_port=");
        ofp_port_put(s, e->in_port, &names.ports);
    }
    if (table_id >= 0) {
        str_putf(s, ", table=%d", table_id);
    }
    if (rule) {
        struct match match;

        cls_rule_get_match(&rule->cr, &match);
        tun_match_unbind(bridge ? xbridge_options_rcu(bridge) : NULL, &match);
        str_putf(s, ", cookie=0x%llx, priority=%d", (unsigned long long) be64_to_cpu(rule->cookie),
                 rule->cr.priority);
        if (!is_all_zeros(&match.mask, sizeof match.mask)) {
            str_putc(s, ',');
            match_format(s, &match, &names.ports, MATCH_DEFAULT_PRIORITY);
        }
    }
    str_putc(s, '\n');
}

/* Each line further to the right. */
static void
put_indented(struct str *s, const char *text)
{
    while (*text) {
        size_t n = strcspn(text, "\n");

        if (n) {
            str_putf(s, "    %.*s", (int) n, text);
        }
        str_putc(s, '\n');
        text += n + (text[n] == '\n');
    }
}

static struct rule *
last_rule(const struct xlate_out *out)
{
    for (size_t i = out->n_credits; i-- > 0;) {
        if (out->credits[i].kind == CREDIT_RULE) {
            return out->credits[i].rule;
        }
    }
    return NULL;
}

/* What the tables do to the packet now.  Of a packet that the datapath dropped that says which flow was the last. */
static void
put_entry(struct str *s, struct entry *e)
{
    struct trace_request request = { .bridge = e->bridge, .flow = e->flow, .names = true,
                                     .frame = e->frame };
    const struct rule *rule = e->rule;
    struct str trace = STR_INIT;
    int table_id = e->table_id;
    struct xlate_out out;

    xlate_out_init(&out);
    xlate_out_clear(&out);
    if (e->bridge) {
        trace_request(&request, false, &out, &trace);
        if (!e->drop.why) {
            rule = last_rule(&out);
            table_id = rule ? rule->table_id : -1;
        }
    }
    str_putf(s, "%llu packet%s", (unsigned long long) e->n_packets, e->n_packets == 1 ? "" : "s");
    if (!e->is_device) {
        str_putf(s, ", %llu bytes, last %.3f s ago", (unsigned long long) e->n_bytes,
                 MAX(clock_now_ms() - e->used, 0) / 1000.0);
    }
    str_putf(s, ": %s\n", e->why);
    if (e->in_bridge) {
        put_place(s, e, rule, table_id);
    }
    if (e->bridge) {
        str_puts(s, "  last packet, traced now:\n");
        put_indented(s, str_text(&trace));
    }
    xlate_out_uninit(&out);
    str_uninit(&trace);
}

/* The next entry, which takes a trace to make; true once there is none. */
static bool
put_next(struct str *s, struct report *r)
{
    uint64_t n_rest = 0;

    if (!r->is_sorted && r->n) {
        qsort(r->entries, r->n, sizeof *r->entries, compare_entries);
    }
    r->is_sorted = true;
    if (!r->n) {
        str_puts(s, "No packets were dropped.\n");
    } else if (r->n_put < MIN(r->n, MAX_SHOWN)) {
        str_puts(s, r->n_put ? "\n" : "");
        put_entry(s, r->entries[r->n_put++]);
    }
    if (r->n_put < MIN(r->n, MAX_SHOWN)) {
        return false;
    }
    for (size_t i = r->n_put; i < r->n; i++) {
        n_rest += r->entries[i]->n_packets;
    }
    if (r->n > r->n_put) {
        str_putf(s, "\n%llu packets: %zu reasons more\n", (unsigned long long) n_rest, r->n - r->n_put);
    }
    return true;
}

/* The command. */

static bool
takes(const struct flow_mod *f)
{
    return f->out_port == OFPP_NONE && f->out_group == FM_GROUP_ANY;
}

/* A name of a port counts in the bridge, if one was given. */
static struct error *
parse_filter(const char *text, const struct xbridge *bridge, struct flow_mod *fm)
{
    struct trace_names names;
    unsigned int protocols;
    struct error *error;

    trace_names_init(&names, &bridge);
    error = flow_mod_parse(fm, text, FM_DELETE, &names.text, &protocols);
    if (!error && !takes(fm)) {
        error = error_new("out_port and out_group say nothing of a dropped packet");
        flow_mod_uninit(fm);
    }
    return error;
}

/* "[bridge] [match]": one argument is a bridge if there is one of that name. */
static bool
parse_arguments(struct ctl_request *r, int argc, const char *argv[], struct report *report, struct flow_mod *fm)
{
    struct ofproto *p = argc > 1 ? ofproto_find(argv[1]) : NULL;
    const char *match = argc > 2 ? argv[2] : argc > 1 && !p ? argv[1] : NULL;
    struct error *error;

    if (argc > 2 && !p) {
        ctl_reply_error(r, "%s: no such bridge", argv[1]);
        return false;
    }
    report->bridge = p ? &p->xb : NULL;
    error = match ? parse_filter(match, report->bridge, fm) : NULL;
    if (error) {
        ctl_reply_error(r, argc > 2 ? "%s: %s" : "%s: neither a bridge nor a match (%s)", match, error_text(error));
        error_free(error);
        return false;
    }
    report->filter = match ? fm : NULL;
    return true;
}

static bool
step(struct ctl_job *job, struct str *out)
{
    struct report *r = CONTAINER_OF(job, struct report, job);

    return collect(r) && put_next(out, r);
}

static void
destroy(struct ctl_job *job)
{
    struct report *r = CONTAINER_OF(job, struct report, job);

    free_entries(r);
    if (r->filter) {
        flow_mod_uninit(r->filter);
    }
    free(r->name);
    free(r);
}

/* What has been dropped until now counts. */
static void
on_swept(struct sweeps *s)
{
    struct report *r = CONTAINER_OF(s, struct report, sweeps);
    struct ofproto *p = r->name ? ofproto_find(r->name) : NULL;

    if (r->name && !p) {
        ctl_reply_error(r->request, "%s: no such bridge", r->name); /* Any more. */
        destroy(&r->job);
        return;
    }
    r->bridge = p ? &p->xb : NULL;
    r->backer = backer_first();
    ctl_reply_by_job(r->request, &r->job);
}

static void
cmd_why_drop(struct ctl_request *request, int argc, const char *argv[], void *aux UNUSED)
{
    static const struct ctl_job_ops ops = { step, destroy };
    struct report *r = xzalloc_cacheline(sizeof *r);

    hmap_init(&r->by_drop);
    if (!parse_arguments(request, argc, argv, r, &r->filter_of)) {
        free(r);
        return;
    }
    r->request = request;
    r->name = xstrdup(r->bridge ? r->bridge->name : NULL);
    r->job = (struct ctl_job) { .ops = &ops, .on = &all_ofprotos }; /* Entries name bridges. */
    ofproto_when_swept(&r->sweeps, r->bridge ? r->bridge->ofproto->backer : NULL, PUSH_WAIT_MS, on_swept);
}

void
why_drop_command_register(void)
{
    ctl_register("why-drop", "[bridge] [match]", 0, 2, cmd_why_drop, NULL);
}
