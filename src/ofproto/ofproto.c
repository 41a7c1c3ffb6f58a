#include "ofproto/depend.h"
#include "ofproto/fail_open.h"
#include "ofproto/in_band.h"
#include "ofproto/ofproto.h"

#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"
#include "netdev/netdev.h"
#include "ofproto/change_request.h"
#include "ofproto/conns.h"
#include "ofproto/ct_job.h"
#include "ofproto/dpctl.h"
#include "ofproto/drops.h"
#include "ofproto/group.h"
#include "ofproto/mac_table.h"
#include "ofproto/meter.h"
#include "ofproto/mirror.h"
#include "ofproto/ofproto_private.h"
#include "ofproto/sampler.h"
#include "sys/log.h"
#include "sys/random.h"
#include "sys/work.h"

LOG_MODULE(ofproto_main)

struct hmap all_ofprotos = HMAP_INIT(&all_ofprotos);
struct loop *ofproto_loop;
struct ofproto_settings ofproto_settings = {
    .flow_limit = 200000, .max_idle_ms = 10000, .bundle_idle_s = 10,
    .worth = { .max_revalidator_ms = 500, .min_revalidate_pps = 5, .offloaded_stats_delay_ms = 2000 },
};

void
ofproto_init(struct loop *loop)
{
    ofproto_loop = loop;
    conns_init(loop);
    ct_jobs_init(loop);
    ofproto_commands_register();
    dpctl_commands_register();
}

void
ofproto_uninit(void)
{
    dpctl_forget_dps(NULL);
    ct_jobs_uninit();
    conns_uninit();
    hmap_uninit(&all_ofprotos);
    work_wait_all();
}

struct ofproto *
ofproto_find(const char *name)
{
    HMAP_FOR_EACH_WITH_HASH (p, struct ofproto, node, hash_string(name, 0), &all_ofprotos) {
        if (!strcmp(p->xb.name, name)) {
            return p;
        }
    }
    return NULL;
}

/* When the clock shows another second: what ends with a second ends then. */
static int64_t
next_second(void)
{
    return (clock_now_ms() / 1000 + 1) * 1000;
}

static void
on_host_left(void *p, struct eth_addr mac, uint16_t vlan)
{
    HMAP_FOR_EACH (other, struct ofproto, node, &all_ofprotos) {
        if (other != p) {
            mac_table_forget(other->xb.mac_table, mac, vlan);
        }
    }
}

void
ofproto_run_macs(struct ofproto *p)
{
    struct loop_slice slice = loop_slice_begin();

    if (!mac_table_run_step(p->xb.mac_table, &slice, on_host_left, p)) {
        loop_task_post_next_turn(&p->macs_task);
    }
}

bool
ofproto_empty_macs_step(struct ofproto *p, struct loop_slice *slice)
{
    return mac_table_empty_step(p->xb.mac_table, slice, on_host_left, p);
}

static void
run_macs(struct loop_task *t)
{
    ofproto_run_macs(t->aux);
}

static void
on_second(struct loop_timer *t)
{
    struct ofproto *p = t->aux;

    ofproto_run_macs(p);
    expiry_run(p);
    conns_expire_bundles(p->conns);
    samplers_run(p);
    fail_open_run(p);
    in_band_run(p);
    loop_timer_set(t, next_second());
}

/* Any thread. */
static void
on_mac_changed(void *p_, struct eth_addr mac, uint16_t vlan)
{
    struct ofproto *p = p_;

    depend_mac_changed(p->backer->depend, &p->xb, mac, vlan);
    revalidator_wake(p->backer->revalidator);
}

static void
on_many_macs_changed(void *p_)
{
    struct ofproto *p = p_;

    depend_kind_changed(p->backer->depend, &p->xb, CONSULTED_MAC);
    revalidator_wake(p->backer->revalidator);
}

int
ofproto_create(const char *name, const char *type, struct ofproto **pp)
{
    struct backer *backer;
    struct ofproto *p;
    int error;

    *pp = NULL;
    error = backer_ref(type, &backer);
    if (error) {
        return error;
    }
    p = xzalloc_cacheline(sizeof *p);
    p->backer = backer;
    p->type = xstrdup(type[0] ? type : "system");
    p->mac_idle_s = MAC_TABLE_DEFAULT_IDLE_S;
    p->versions = 0x7e; /* All of 1.0 to 1.5 (wire versions 1 to 6). */
    hmap_init(&p->ports);
    hmap_init(&p->bundles);
    list_init(&p->samplers);
    p->xb.name = xstrdup(name);
    p->xb.xdp = &backer->xdp;
    p->xb.ofproto = p;
    p->xb.uuid = sys_uuid();
    p->xb.drops = drops_create();
    p->xb.mac_table = mac_table_create();
    mac_table_set_listener(p->xb.mac_table,
                           &(struct mac_table_listener) { on_mac_changed, on_many_macs_changed, p });
    rcu_map_init(&p->xb.ports);
    rcu_map_init(&p->xb.bundles);
    list_push_back(&backer->xdp.bridges, &p->xb.node);
    tables_init(p);
    groups_init(p);
    meters_init(p);
    p->conns = conns_create(p);
    hmap_insert(&all_ofprotos, &p->node, hash_string(name, 0));
    loop_task_init(ofproto_loop, &p->macs_task, run_macs, p);
    loop_timer_init(ofproto_loop, &p->second, on_second, p);
    loop_timer_set(&p->second, next_second());
    *pp = p;
    return 0;
}

void
ofproto_destroy(struct ofproto *p, bool cleanup)
{
    loop_timer_cancel(&p->second);
    ctl_jobs_end(p);
    ctl_jobs_end(&all_ofprotos);
    change_requests_finish(p);
    hmap_remove(&all_ofprotos, &p->node);
    fail_open_end(p);
    conns_destroy(p->conns);
    p->conns = NULL;
    ofproto_set_ipfix(p, NULL, 0);
    mirrors_destroy(p);
    bundles_destroy(p);
    ofports_destroy(p);
    loop_task_cancel(&p->macs_task);
    hmap_uninit(&p->ports);
    list_remove(&p->xb.node);
    atomic_store(&p->xb.is_gone, true);
    in_band_uninit(p);
    backer_leave(p->backer, cleanup);
    removal_begin(p);
}

void
ofproto_free(struct ofproto *p)
{
    tables_destroy(p);
    mac_table_destroy(p->xb.mac_table);
    drops_destroy(p->xb.drops);
    rcu_map_uninit(&p->xb.ports);
    rcu_map_uninit(&p->xb.bundles);
    rcu_map_uninit(&p->xb.groups);
    rcu_map_uninit(&p->xb.meters);
    backer_unref(p->backer);
    free(p->flood_vlans);
    free(p->mfr);
    free(p->hw);
    free(p->sw);
    free(p->serial);
    free(p->dp_desc);
    free(p->type);
    free(p->xb.name);
    free(p);
}

const char *
ofproto_name(const struct ofproto *p)
{
    return p->xb.name;
}

const char *
ofproto_type(const struct ofproto *p)
{
    return p->type;
}

const char *
ofproto_served_by(const struct ofproto *p)
{
    return p->backer->served_by;
}

const char *
ofproto_internal_type(const struct ofproto *p)
{
    return p->backer->xdp.dp->class->internal_type;
}

const char *
ofproto_datapath_version(const struct ofproto *p)
{
    struct datapath *dp = p->backer->xdp.dp;

    return dp->class->version(dp);
}

void
ofproto_set_datapath_id(struct ofproto *p, uint64_t dpid)
{
    if (p->dpid != dpid) {
        p->dpid = dpid;
        conns_reconnect(p->conns); /* Controllers know a switch by this number alone. */
    }
}

uint64_t
ofproto_datapath_id(const struct ofproto *p)
{
    return p->dpid;
}

static void
set_text(char **to, const char *text)
{
    free(*to);
    *to = xstrdup(text);
}

void
ofproto_set_desc(struct ofproto *p, const struct ofproto_desc *d)
{
    set_text(&p->mfr, d->mfr);
    set_text(&p->hw, d->hw);
    set_text(&p->sw, d->sw);
    set_text(&p->serial, d->serial);
    set_text(&p->dp_desc, d->dp);
}

void
ofproto_set_mac_table(struct ofproto *p, unsigned int idle_s, size_t max_entries)
{
    p->mac_idle_s = MAX(15, MIN(idle_s, 3600));
    mac_table_configure(p->xb.mac_table, idle_s, max_entries);
    ofproto_run_macs(p);
}

void
ofproto_set_flood_vlans(struct ofproto *p, const uint64_t *vlans)
{
    if (vlans ? !p->flood_vlans || memcmp(p->flood_vlans, vlans, 512) : p->flood_vlans != NULL) {
        free(p->flood_vlans);
        p->flood_vlans = vlans ? xmemdup(vlans, 512) : NULL;
        mac_table_set_flood_vlans(p->xb.mac_table, vlans);
        mac_table_flush(p->xb.mac_table);
        ofproto_run_macs(p);
        backer_changed(p->backer);
    }
}

void
ofproto_set_forward_bpdu(struct ofproto *p, bool on)
{
    if (atomic_exchange(&p->xb.forward_bpdu, on) != on) {
        backer_changed(p->backer);
    }
}

void
ofproto_set_settings(const struct ofproto_settings *s)
{
    if (memcmp(s, &ofproto_settings, sizeof *s)) {
        ofproto_settings = *s;
        atomic_store(&upcalls_wait, s->flow_restore_wait);
        xlate_set_explicit_sampled_drops(s->explicit_sampled_drops);
        for (struct backer *b = backer_first(); b; b = backer_next(b)) {
            backer_changed(b);
        }
    }
}
