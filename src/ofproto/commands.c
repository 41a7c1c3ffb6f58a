/* Control commands about bridges (ovs-vswitchd(8)). */
#include <limits.h>
#include <stdlib.h>

#include "base/num.h"
#include "ctl/ctl.h"
#include "ctl/job.h"
#include "ctl/memory.h"
#include "flow/match_text.h"
#include "flow/tun_metadata.h"
#include "netdev/netdev.h"
#include "ofproto/bond.h"
#include "ofproto/conns.h"
#include "ofproto/credits.h"
#include "ofproto/dpctl.h"
#include "ofproto/ofproto_private.h"
#include "ofproto/rule_list.h"

static int
compare_names(const void *a_, const void *b_)
{
    const struct ofproto *const *a = a_, *const *b = b_;

    return strcmp((*a)->xb.name, (*b)->xb.name);
}

/* All bridges (of one datapath, unless null) by name, to be released with free(). */
static struct ofproto **
sorted_bridges(const struct backer *of, size_t *n)
{
    struct ofproto **all = xcalloc(hmap_count(&all_ofprotos), sizeof *all);

    *n = 0;
    HMAP_FOR_EACH (p, struct ofproto, node, &all_ofprotos) {
        if (!of || p->backer == of) {
            all[(*n)++] = p;
        }
    }
    qsort(all, *n, sizeof *all, compare_names);
    return all;
}

/* The bridge that argv[i] names; if there is none, ends the request with an error. */
static struct ofproto *
bridge_or_error(struct ctl_request *r, const char *name, const char *error)
{
    struct ofproto *p = ofproto_find(name);

    if (!p) {
        ctl_reply_error(r, "%s", error);
    }
    return p;
}

static void
cmd_list(struct ctl_request *r, int argc UNUSED, const char *argv[] UNUSED, void *aux UNUSED)
{
    struct str s = STR_INIT;
    struct ofproto **all;
    size_t n;

    all = sorted_bridges(NULL, &n);
    for (size_t i = 0; i < n; i++) {
        str_putf(&s, "%s\n", all[i]->xb.name);
    }
    ctl_reply(r, str_text(&s));
    str_uninit(&s);
    free(all);
}

static int
compare_port_names(const void *a_, const void *b_)
{
    const struct ofport *const *a = a_, *const *b = b_;

    return strcmp((*a)->x->name, (*b)->x->name);
}

static void
put_port(struct str *s, const struct ofport *o)
{
    str_putf(s, "    %s %u/", o->x->name, o->x->ofp_port == OFPP_LOCAL ? 65534 : ofp_to_u32(o->x->ofp_port));
    if (odp_port_equal(o->x->odp_port, ODP_PORT_NONE)) {
        str_puts(s, "none:");
    } else {
        str_putf(s, "%u:", o->x->odp_port.n);
    }
    str_putf(s, " (%s", dpctl_port_type(o->ofproto->backer->xdp.type, o->x->netdev));
    if (o->peer) {
        str_putf(s, ": peer=%s", o->peer);
    }
    str_puts(s, ")\n");
}

static void
put_bridge(struct str *s, const struct ofproto *p)
{
    struct ofport **ports;
    size_t n;

    str_putf(s, "  %s:\n", p->xb.name);
    ports = ofports_sorted(p, &n);
    qsort(ports, n, sizeof *ports, compare_port_names);
    for (size_t i = 0; i < n; i++) {
        put_port(s, ports[i]);
    }
    free(ports);
}

static void
cmd_dpif_show(struct ctl_request *r, int argc UNUSED, const char *argv[] UNUSED, void *aux UNUSED)
{
    struct str s = STR_INIT;

    for (struct backer *b = backer_first(); b; b = backer_next(b)) {
        struct datapath *dp = b->xdp.dp;
        struct ofproto **all;
        struct dp_stats stats;
        size_t n;

        dp->class->get_stats(dp, &stats);
        str_putf(&s, "%s@%s: hit:%llu missed:%llu\n", b->xdp.type, b->xdp.name, (unsigned long long) stats.n_hit,
                 (unsigned long long) stats.n_missed);
        if (b->served_by) {
            str_putf(&s, "  (the kernel has no openvswitch module: served by the userspace datapath, \"%s\")\n",
                     b->served_by);
        }
        all = sorted_bridges(b, &n);
        for (size_t i = 0; i < n; i++) {
            put_bridge(&s, all[i]);
        }
        free(all);
    }
    ctl_reply(r, str_text(&s));
    str_uninit(&s);
}

static void
cmd_dump_dps(struct ctl_request *r, int argc UNUSED, const char *argv[] UNUSED, void *aux UNUSED)
{
    struct str s = STR_INIT;
    struct ofproto **all;
    size_t n;

    all = sorted_bridges(NULL, &n);
    for (size_t i = 0; i < n; i++) {
        str_putf(&s, "%s@%s\n", all[i]->backer->xdp.type, all[i]->xb.name);
    }
    ctl_reply(r, str_text(&s));
    str_uninit(&s);
    free(all);
}

/* dpif-dummy/change-port-number: for tests of what a change of numbers does. */
static void
cmd_change_port_number(struct ctl_request *r, int argc UNUSED, const char *argv[], void *aux UNUSED)
{
    struct backer *b = backer_first();
    struct ofport *o = NULL;
    uint32_t number;

    while (b && (strcmp(b->xdp.name, argv[1]) || strcmp(b->xdp.dp->class->internal_type, "dummy-internal"))) {
        b = backer_next(b);
    }
    if (!b) {
        ctl_reply_error(r, "unknown datapath or not a dummy");
        return;
    }
    HMAP_FOR_EACH (p, struct ofproto, node, &all_ofprotos) {
        o = !o && p->backer == b ? ofport_find_by_name(p, argv[2]) : o;
    }
    if (!o) {
        ctl_reply_error(r, "unknown port");
    } else if (!num_parse_u32(argv[3], 10, &number) || !number || number >= ODP_PORT_NONE.n) {
        ctl_reply_error(r, "bad port number");
    } else if (ofport_renumber(o, ODP_PORT(number))) {
        ctl_reply_error(r, "port number already in use");
    } else {
        ctl_reply(r, NULL);
    }
}

/* Upcalls and revalidation. */

/* A setting for datapaths whose dumps can be terse or not, as the kernel's; upcall/show shows it.  The userspace
 * datapath is read in place, so it makes no difference there. */
static void
put_rule_text(struct str *s, const struct rule *rule, int64_t now, bool offload_stats)
{
    const struct rule *counts = rule_counts_in_rcu(rule); /* It may have been modified since it was found. */
    uint64_t n_packets, n_bytes;
    struct match m;
    size_t len;
    const struct act *acts = rule_acts_rcu(rule, &len);

    if (rule->cookie) {
        str_putf(s, "cookie=0x%llx, ", (unsigned long long) be64_to_cpu(rule->cookie));
    }
    if (rule->table_id) {
        str_putf(s, "table_id=%u, ", rule->table_id);
    }
    str_putf(s, "duration=%llds, n_packets=%llu, n_bytes=%llu, ", (long long) (now - rule->created) / 1000,
             (unsigned long long) atomic_load(&counts->n_packets), (unsigned long long) atomic_load(&counts->n_bytes));
    if (offload_stats) {
        rule_get_offloaded(counts, &n_packets, &n_bytes);
        str_putf(s, "n_offload_packets=%llu, n_offload_bytes=%llu, ", (unsigned long long) n_packets,
                 (unsigned long long) n_bytes);
    }
    cls_rule_get_match(&rule->cr, &m);
    tun_match_unbind(xbridge_options_rcu(&rule->ofproto->xb), &m);
    match_format(s, &m, NULL, rule->cr.priority);
    str_puts(s, ",actions=");
    act_format(s, (struct act_span) { len ? acts : NULL, len }, &(struct act_text) { NULL, NULL, NULL });
    str_putc(s, '\n');
}

void
rule_put_dump(struct str *s, const struct rule *rule)
{
    put_rule_text(s, rule, clock_now_ms(), true);
}

struct rules_job {
    struct ctl_job job;
    struct rule_list rules;
    int64_t now;
    bool offload_stats;
};

static bool
step_rules(struct ctl_job *job, struct str *out)
{
    struct rules_job *j = CONTAINER_OF(job, struct rules_job, job);
    struct rule *rule;

    if (!rule_list_more(&j->rules)) {
        return true;
    }
    for (int i = 0; i < RULES_A_LOOK && (rule = rule_list_next(&j->rules)) != NULL; i++) {
        put_rule_text(out, rule, j->now, j->offload_stats);
        rule_unref(rule);
    }
    return false;
}

static void
destroy_rules(struct ctl_job *job)
{
    struct rules_job *j = CONTAINER_OF(job, struct rules_job, job);

    rule_list_uninit(&j->rules);
    free(j);
}

static void
cmd_bridge_dump_flows(struct ctl_request *r, int argc, const char *argv[], void *aux UNUSED)
{
    static const struct ctl_job_ops ops = { step_rules, destroy_rules };
    struct ofproto *p = bridge_or_error(r, argv[argc - 1], "Unknown bridge");
    struct rules_job *j;

    if (!p) {
        return;
    }
    j = xzalloc(sizeof *j);
    j->job = (struct ctl_job) { .ops = &ops, .on = p };
    credits_settle();
    j->now = clock_now_ms();
    j->offload_stats = argc > 2 && !strcmp(argv[1], "--offload-stats");
    rule_list_begin_all(&j->rules, p);
    ctl_reply_by_job(r, &j->job);
}

struct wait {
    struct sweeps sweeps;
    struct ctl_request *request;
};

static void
end_wait(struct sweeps *s)
{
    struct wait *w = CONTAINER_OF(s, struct wait, sweeps);

    ctl_reply(w->request, NULL);
    free(w);
}

static void
cmd_revalidator_wait(struct ctl_request *r, int argc UNUSED, const char *argv[] UNUSED, void *aux UNUSED)
{
    struct wait *w = xzalloc(sizeof *w);

    w->request = r;
    ofproto_when_swept(&w->sweeps, NULL, 0, end_wait);
}

static void
cmd_revalidator_purge(struct ctl_request *r, int argc UNUSED, const char *argv[] UNUSED, void *aux UNUSED)
{
    for (struct backer *b = backer_first(); b; b = backer_next(b)) {
        b->xdp.dp->class->flow_flush(b->xdp.dp);
    }
    ctl_reply(r, NULL);
}

static void
cmd_revalidator_pause(struct ctl_request *r, int argc UNUSED, const char *argv[], void *aux UNUSED)
{
    for (struct backer *b = backer_first(); b; b = backer_next(b)) {
        revalidator_pause(b->revalidator, !strcmp(argv[0], "revalidator/pause"));
    }
    ctl_reply(r, NULL);
}

static void
cmd_reconnect(struct ctl_request *r, int argc, const char *argv[], void *aux UNUSED)
{
    if (argc > 1) {
        struct ofproto *p = bridge_or_error(r, argv[1], "Unknown bridge");

        if (!p) {
            return;
        }
        conns_reconnect(p->conns);
    } else {
        HMAP_FOR_EACH (p, struct ofproto, node, &all_ofprotos) {
            conns_reconnect(p->conns);
        }
    }
    ctl_reply(r, NULL);
}

static void
report_memory(struct memory_report *m, void *aux UNUSED)
{
    HMAP_FOR_EACH (p, struct ofproto, node, &all_ofprotos) {
        size_t n_rules = 0;

        for (int i = 0; i < OFPROTO_N_TABLES; i++) {
            n_rules += p->xb.tables[i].n_rules;
        }
        memory_add(m, "ports", hmap_count(&p->ports));
        memory_add(m, "rules", n_rules);
    }
    for (struct backer *b = backer_first(); b; b = backer_next(b)) {
        struct dp_stats stats;

        b->xdp.dp->class->get_stats(b->xdp.dp, &stats);
        memory_add(m, "udpif keys", stats.n_flows);
        memory_add(m, "revalidators", 1);
    }
}

void
ofproto_commands_register(void)
{
    bond_commands_register();
    ctl_register("ofproto/list", "", 0, 0, cmd_list, NULL);
    ctl_register("dpif/show", "", 0, 0, cmd_dpif_show, NULL);
    dp_features_commands_register();
    if (datapath_class_find("dummy", &(const char *) { NULL })) {
        ctl_register("dpif-dummy/change-port-number", "dp port new-number", 3, 3, cmd_change_port_number, NULL);
    }
    ctl_register("dpif/dump-dps", "", 0, 0, cmd_dump_dps, NULL);
    fdb_commands_register();
    ctl_register("bridge/dump-flows", "[--offload-stats] bridge", 1, 2, cmd_bridge_dump_flows, NULL);
    ctl_register("revalidator/wait", "", 0, 0, cmd_revalidator_wait, NULL);
    ctl_register("revalidator/purge", "", 0, 0, cmd_revalidator_purge, NULL);
    ctl_register("revalidator/pause", NULL, 0, 0, cmd_revalidator_pause, NULL);
    ctl_register("revalidator/resume", NULL, 0, 0, cmd_revalidator_pause, NULL);
    ctl_register("bridge/reconnect", "[bridge]", 0, 1, cmd_reconnect, NULL);
    upcall_commands_register();
    trace_commands_register();
    why_drop_command_register();
    detrace_commands_register();
    memory_register(report_memory, NULL);
}
