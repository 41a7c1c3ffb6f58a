/* Control commands about MAC tables (ovs-vswitchd(8)). */
#include <limits.h>
#include <stdlib.h>

#include "base/pqueue.h"
#include "ctl/ctl.h"
#include "ctl/job.h"
#include "ofproto/mac_table.h"
#include "ofproto/ofproto_private.h"

/* The bridge of that name; if there is none, ends the request with an error. */
static struct ofproto *
bridge_or_error(struct ctl_request *r, const char *name)
{
    struct ofproto *p = ofproto_find(name);

    if (!p) {
        ctl_reply_error(r, "no such bridge");
    }
    return p;
}

/* fdb/show: the entries of one bridge after the other are collected, put in order and told, each in steps. */

enum { MACS_A_STEP = 128 };

struct shown {
    struct mac_met met;
    int age;                   /* s, when it was met. */
    struct pqueue_node node;
};

struct show_job {
    struct ctl_job job;
    char **names;              /* Of the bridges; owned. */
    size_t n_names, i;
    struct ofproto *p;         /* The one at hand; null: the next is to be begun. */
    struct mac_table_walk walk;
    bool is_walking;
    struct shown *all;
    size_t n, capacity, n_sorted;
    struct pqueue rest;        /* Those of 'all' that are to be told, as far as they have been sorted. */
};

static bool
is_before(const struct pqueue_node *a_, const struct pqueue_node *b_)
{
    const struct mac_met *a = &CONTAINER_OF(a_, struct shown, node)->met;
    const struct mac_met *b = &CONTAINER_OF(b_, struct shown, node)->met;

    return a->used != b->used ? a->used < b->used : a->seq < b->seq;
}

static void
begin_bridge(struct show_job *j, struct ofproto *p, struct str *out)
{
    j->p = p;
    j->job.on = p;
    j->n = j->n_sorted = 0;
    mac_table_walk_begin(p->xb.mac_table, &j->walk);
    j->is_walking = true;
    str_puts(out, " port  VLAN  MAC                Age\n");
}

static void
end_walk(struct show_job *j)
{
    if (j->is_walking) {
        mac_table_walk_end(j->p->xb.mac_table, &j->walk);
        j->is_walking = false;
    }
}

static void
take(void *j_, const struct mac_met *met)
{
    struct show_job *j = j_;

    if (j->n == j->capacity) {
        j->all = x2nrealloc(j->all, &j->capacity, sizeof *j->all);
    }
    j->all[j->n++] = (struct shown) {
        .met = *met,
        .age = met->e.is_static ? 0 : (j->p->mac_idle_s * INT64_C(1000) - (met->e.expires - clock_now_ms())) / 1000,
    };
}

static void
put_entry(struct str *s, const struct ofproto *p, const struct shown *one)
{
    const struct mac_entry *e = &one->met.e;

    if (e->port == OFPP_LOCAL && ofport_find(p, e->port)) {
        str_puts(s, "LOCAL");
    } else {
        str_putf(s, "%5u", ofp_to_u32(e->port));
    }
    str_putf(s, "  %4u  " ETH_ADDR_FMT "  ", e->vlan, ETH_ADDR_ARGS(e->mac));
    if (e->is_static) {
        str_puts(s, "static\n");
    } else {
        str_putf(s, "%3d\n", one->age);
    }
}

/* Some of the bridge at hand; true once it is through. */
static bool
step_bridge(struct show_job *j, struct str *out)
{
    if (j->is_walking) {
        if (!mac_table_walk_step(j->p->xb.mac_table, &j->walk, MACS_A_STEP, take, j)) {
            end_walk(j);
        }
        return false;
    }
    if (j->n_sorted < j->n) {
        for (int i = 0; i < MACS_A_STEP && j->n_sorted < j->n; i++) {
            pqueue_insert(&j->rest, &j->all[j->n_sorted++].node);
        }
        return false;
    }
    for (int i = 0; i < MACS_A_STEP && j->rest.n; i++) {
        struct pqueue_node *first = pqueue_first(&j->rest);

        pqueue_remove(&j->rest, first);
        put_entry(out, j->p, CONTAINER_OF(first, struct shown, node));
    }
    return !j->rest.n;
}

static bool
step_show(struct ctl_job *job, struct str *out)
{
    struct show_job *j = CONTAINER_OF(job, struct show_job, job);

    if (!j->p) {
        struct ofproto *p = ofproto_find(j->names[j->i]);

        if (p) {
            begin_bridge(j, p, out);
        }
        return !p && ++j->i == j->n_names;
    }
    if (step_bridge(j, out)) {
        j->p = NULL;
        j->job.on = NULL;
        return ++j->i == j->n_names;
    }
    return false;
}

static void
destroy_show(struct ctl_job *job)
{
    struct show_job *j = CONTAINER_OF(job, struct show_job, job);

    end_walk(j);
    for (size_t i = 0; i < j->n_names; i++) {
        free(j->names[i]);
    }
    free(j->names);
    pqueue_uninit(&j->rest);
    free(j->all);
    free(j);
}

static void
cmd_fdb_show(struct ctl_request *r, int argc, const char *argv[], void *aux UNUSED)
{
    static const struct ctl_job_ops ops = { step_show, destroy_show };
    struct show_job *j;

    for (int i = 1; i < argc; i++) {
        if (!bridge_or_error(r, argv[i])) {
            return;
        }
    }
    j = xzalloc(sizeof *j);
    j->job.ops = &ops;
    j->rest = (struct pqueue) PQUEUE_INIT(is_before);
    j->names = xcalloc(argc, sizeof *j->names);
    for (int i = 1; i < argc; i++) {
        j->names[j->n_names++] = xstrdup(argv[i]);
    }
    ctl_reply_by_job(r, &j->job);
}

static void
cmd_fdb_flush(struct ctl_request *r, int argc, const char *argv[], void *aux UNUSED)
{
    if (argc > 1 && !ofproto_find(argv[1])) {
        ctl_reply_error(r, "no such bridge");
        return;
    }
    HMAP_FOR_EACH (p, struct ofproto, node, &all_ofprotos) {
        if (argc < 2 || !strcmp(p->xb.name, argv[1])) {
            mac_table_flush(p->xb.mac_table);
            ofproto_run_macs(p);
        }
    }
    ctl_reply(r, "table successfully flushed");
}

static void
cmd_fdb_add(struct ctl_request *r, int argc UNUSED, const char *argv[], void *aux UNUSED)
{
    struct ofproto *p = bridge_or_error(r, argv[1]);
    struct xbundle *bundle;
    struct eth_addr mac;
    struct ofport *o;

    if (!p) {
        return;
    }
    o = ofport_find_by_name(p, argv[2]);
    bundle = o ? rcu_get(&o->x->bundle) : NULL;
    if (!bundle) {
        ctl_reply_error(r, "software error, odp port is present but no ofp port");
    } else if (!eth_addr_parse(argv[4], &mac)) {
        ctl_reply_error(r, "bad MAC address");
    } else if (!mac_table_add_static(p->xb.mac_table, mac, atoi(argv[3]), bundle->key, o->x->ofp_port)) {
        ctl_reply_error(r, "could not add static mac entry");
    } else {
        ctl_reply(r, NULL);
    }
}

static void
cmd_fdb_del(struct ctl_request *r, int argc UNUSED, const char *argv[], void *aux UNUSED)
{
    struct ofproto *p = bridge_or_error(r, argv[1]);
    struct eth_addr mac;

    if (!p) {
        return;
    }
    if (!eth_addr_parse(argv[3], &mac)) {
        ctl_reply_error(r, "bad MAC address");
    } else if (!mac_table_del_static(p->xb.mac_table, mac, atoi(argv[2]))) {
        ctl_reply_error(r, "could not find static mac entry");
    } else {
        ctl_reply(r, NULL);
    }
}

static void
cmd_fdb_stats_show(struct ctl_request *r, int argc UNUSED, const char *argv[], void *aux UNUSED)
{
    struct ofproto *p = bridge_or_error(r, argv[1]);
    struct mac_table_stats st;

    if (!p) {
        return;
    }
    mac_table_get_stats(p->xb.mac_table, &st);
    ctl_replyf(r, "Statistics for bridge \"%s\":\n"
               "  Current/maximum MAC entries in the table: %zu/%zu\n"
               "  Current static MAC entries in the table : %zu\n"
               "  Total number of learned MAC entries     : %llu\n"
               "  Total number of expired MAC entries     : %llu\n"
               "  Total number of evicted MAC entries     : %llu\n"
               "  Total number of port moved MAC entries  : %llu\n",
               p->xb.name, st.n_entries, st.max_entries, st.n_static, (unsigned long long) st.n_learned,
               (unsigned long long) st.n_expired, (unsigned long long) st.n_evicted,
               (unsigned long long) st.n_moved);
}

static void
cmd_fdb_stats_clear(struct ctl_request *r, int argc, const char *argv[], void *aux UNUSED)
{
    if (argc > 1 && !ofproto_find(argv[1])) {
        ctl_reply_error(r, "no such bridge");
        return;
    }
    HMAP_FOR_EACH (p, struct ofproto, node, &all_ofprotos) {
        if (argc < 2 || !strcmp(p->xb.name, argv[1])) {
            mac_table_clear_stats(p->xb.mac_table);
        }
    }
    ctl_reply(r, "statistics successfully cleared");
}

void
fdb_commands_register(void)
{
    ctl_register("fdb/show", "[bridge...]", 1, INT_MAX, cmd_fdb_show, NULL);
    ctl_register("fdb/flush", "[bridge]", 0, 1, cmd_fdb_flush, NULL);
    ctl_register("fdb/add", "bridge port vlan mac", 4, 4, cmd_fdb_add, NULL);
    ctl_register("fdb/del", "bridge vlan mac", 3, 3, cmd_fdb_del, NULL);
    ctl_register("fdb/stats-show", "bridge", 1, 1, cmd_fdb_stats_show, NULL);
    ctl_register("fdb/stats-clear", "[bridge]", 0, 1, cmd_fdb_stats_clear, NULL);
}
