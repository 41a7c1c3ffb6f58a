#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "ctl/job.h"
#include "netdev/netdev.h"
#include "ofproto/ct_job.h"
#include "ofproto/ct_zones.h"
#include "ofproto/dpctl.h"
#include "ofproto/megaflow.h"
#include "sys/ending.h"
#include "sys/log.h"

LOG_MODULE(ofproto_dpif)

static struct hmap backers = HMAP_INIT(&backers);
static struct list all = LIST_INIT(&all);

struct backer *
backer_find(const char *type)
{
    HMAP_FOR_EACH_WITH_HASH (b, struct backer, node, hash_string(type, 0), &backers) {
        if (!strcmp(b->xdp.type, type)) {
            return b;
        }
    }
    return NULL;
}

const struct dp_feature *
ofproto_datapath_features(const char *type)
{
    const struct backer *b = backer_find(type);

    return b ? b->xdp.dp->class->features : NULL;
}

/* Settings of all datapaths. */
static struct {
    const char *const *keys;
    char **values; /* Elements null: not set. */
    size_t n;
} settings;

static void
apply_settings(struct backer *b)
{
    struct error *error = b->xdp.dp->class->configure(b->xdp.dp, settings.keys, (const char *const *) settings.values,
                                                      settings.n);

    if (error) {
        log_warn("%s: %s", b->xdp.name, error_text(error));
        error_free(error);
    }
}

/* Puts the value into '*setting'; whether it is another one. */
static bool
replace_value(char **setting, const char *value)
{
    if (!value || !*setting ? value == *setting : !strcmp(value, *setting)) {
        return false;
    }
    free(*setting);
    *setting = xstrdup(value);
    return true;
}

void
ofproto_configure_datapaths(const char *const *keys, const char *const *values, size_t n)
{
    bool changed = false;

    if (!settings.values) {
        settings.keys = keys;
        settings.values = xcalloc(n, sizeof *settings.values);
        settings.n = n;
    }
    for (size_t i = 0; i < n; i++) {
        changed |= replace_value(&settings.values[i], values[i]);
    }
    for (struct backer *b = changed ? backer_first() : NULL; b; b = backer_next(b)) {
        apply_settings(b);
    }
}

struct backer *
backer_first(void)
{
    return HMAP_ENTRY(hmap_first(&backers), struct backer, node);
}

struct backer *
backer_next(const struct backer *b)
{
    return HMAP_ENTRY(hmap_next(&backers, &b->node), struct backer, node);
}

/* Simulated datapaths have the local port that those of the kernel have, so that tests see it.  In others nobody would
 * use it. */
static void
add_local_port(struct backer *b)
{
    struct datapath *dp = b->xdp.dp;
    odp_port number = ODP_PORT(0);
    struct netdev *netdev;
    int error;

    if (strcmp(dp->class->internal_type, "dummy-internal")) {
        return;
    }
    error = netdev_open(b->xdp.name, dp->class->internal_type, &netdev);
    if (!error) {
        error = dp->class->port_add(dp, netdev, &number);
        netdev_close(netdev); /* The datapath has its own reference. */
    }
    if (error) {
        log_warn("%s: no local port: %s", b->xdp.name, strerror(-error));
    }
}

/* For depend.h. */

static void
on_mark(void *b_, struct dependent *d, bool is_stale)
{
    const struct datapath_class *class = ((struct backer *) b_)->xdp.dp->class;
    struct megaflow *m = megaflow_from_dependent(d);

    if (is_stale) {
        class->flow_set_stale(atomic_load(&m->flow));
    } else {
        class->flow_set_live(atomic_load(&m->flow), m);
    }
}

static void
on_doubt(void *b_)
{
    struct backer *b = b_;

    b->xdp.dp->class->doubt_flows(b->xdp.dp);
}

/* Waiting for sweeps. */

struct sweep_wait {
    struct list node;        /* In backer->sweep_waits. */
    uint64_t pass;
    struct sweeps *sweeps;
};

static void
release_sweeps(struct sweeps *s)
{
    if (--s->n_pending) {
        return;
    }
    if (loop_timer_is_set(&s->deadline)) {
        loop_timer_cancel(&s->deadline);
    }
    free(s->each);
    s->done(s);
}

static void
end_wait(struct sweep_wait *w)
{
    list_remove(&w->node);
    release_sweeps(w->sweeps);
}

static void
on_deadline(struct loop_timer *t)
{
    struct sweeps *s = t->aux;

    s->n_pending++; /* Until the end of this. */
    for (unsigned int i = 0; i < s->n_each; i++) {
        if (!list_is_empty(&s->each[i].node)) {
            end_wait(&s->each[i]);
        }
    }
    release_sweeps(s);
}

void
ofproto_when_swept(struct sweeps *s, const struct backer *only, int64_t ms, void (*done)(struct sweeps *))
{
    *s = (struct sweeps) { .n_pending = 1, .each = xcalloc(hmap_count(&backers) + 1, sizeof *s->each), .done = done };
    loop_timer_init(ofproto_loop, &s->deadline, on_deadline, s);
    for (struct backer *b = backer_first(); b; b = backer_next(b)) {
        struct sweep_wait *w = &s->each[s->n_each];

        if (only && only != b) {
            continue;
        }
        *w = (struct sweep_wait) { .pass = revalidator_ask_pass(b->revalidator), .sweeps = s };
        s->n_each++;
        s->n_pending++;
        list_push_back(&b->sweep_waits, &w->node);
        if (revalidator_has_passed(b->revalidator, w->pass)) {
            end_wait(w);
        }
    }
    if (ms && s->n_pending > 1) {
        loop_timer_set(&s->deadline, clock_now_ms() + ms);
    }
    release_sweeps(s);
}

/* Of those that wait for this datapath, for all of which there will be no more sweep, or whose sweep has ended. */
static void
end_waits(struct backer *b, bool is_last)
{
    bool asks = false;

    LIST_FOR_EACH_SAFE (w, struct sweep_wait, node, &b->sweep_waits) {
        if (is_last || revalidator_has_passed(b->revalidator, w->pass)) {
            end_wait(w);
        } else {
            asks = true; /* The one that has ended began before. */
        }
    }
    if (asks) {
        revalidator_ask(b->revalidator);
    }
}

static void
on_swept(struct loop_wake *w)
{
    struct backer *b = w->aux;

    end_waits(b, false);
    LIST_FOR_EACH (xb, struct xbridge, node, &b->xdp.bridges) {
        expiry_run_waiting(xb->ofproto);
    }
}

static struct unpublished *
take_settled(struct backer *b)
{
    struct unpublished *u = NULL;

    pthread_mutex_lock(&b->settled_mutex);
    if (!list_is_empty(&b->settled)) {
        u = CONTAINER_OF(list_pop_front(&b->settled), struct unpublished, node);
    }
    pthread_mutex_unlock(&b->settled_mutex);
    return u;
}

/* Tells those for which a pass of the revalidator was enough; whether all have been told. */
static bool
tell_settled(struct backer *b, struct loop_slice *slice)
{
    struct unpublished *u;

    while ((u = take_settled(b)) != NULL) {
        u->done(u);
        if (loop_slice_is_over(slice)) {
            return false;
        }
    }
    return true;
}

static void
on_settled(struct loop_wake *w)
{
    struct loop_slice slice = loop_slice_begin();

    if (!tell_settled(w->aux, &slice)) {
        loop_wake_signal(w);
    }
}

bool
ofproto_prepare(const char *type, void (*done)(void *aux), void *aux)
{
    type = type[0] ? type : "system";
    return backer_find(type) || datapath_prepare(type, done, aux);
}

int
backer_ref(const char *type, struct backer **backerp)
{
    const char *served_by = NULL;
    struct backer *b;
    int error;

    *backerp = NULL;
    type = type[0] ? type : "system";
    b = backer_find(type);
    if (!b) {
        if (!datapath_class_find(type, &served_by)) {
            return -EAFNOSUPPORT;
        }
        b = xzalloc(sizeof *b);
        b->served_by = served_by;
        b->xdp.type = xstrdup(type);
        b->xdp.name = xasprintf("ovs-%s", type);
        rcu_map_init(&b->xdp.ports);
        rcu_map_init(&b->xdp.policies);
        rcu_map_init(&b->xdp.samplers);
        list_init(&b->xdp.bridges);
        dpctl_forget_dps(type);
        error = datapath_open(type, b->xdp.name, true, &b->xdp.dp);
        if (error) {
            log_err("failed to open datapath of type %s: %s", type, strerror(-error));
            free(b->xdp.type);
            free(b->xdp.name);
            free(b);
            return error;
        }
        b->depend = depend_create(&(struct depend_client) { on_mark, on_doubt, b }, &depend_default_limits);
        upcall_client_init(b);
        b->xdp.dp->class->set_client(b->xdp.dp, &b->client);
        add_local_port(b);
        apply_settings(b);
        loop_wake_init(ofproto_loop, &b->swept, on_swept, b);
        list_init(&b->sweep_waits);
        list_init(&b->settled);
        pthread_mutex_init(&b->settled_mutex, NULL);
        loop_wake_init(ofproto_loop, &b->settled_wake, on_settled, b);
        list_push_back(&all, &b->all);
        b->revalidator = revalidator_create(b);
        hmap_insert(&backers, &b->node, hash_string(type, 0));
    }
    b->n_bridges++;
    b->n_users++;
    *backerp = b;
    return 0;
}

void
backer_leave(struct backer *b, bool cleanup)
{
    if (--b->n_bridges) {
        return;
    }
    end_waits(b, true);
    hmap_remove(&backers, &b->node);
    atomic_store(&b->is_stopped, true);
    ctl_jobs_end(b->xdp.dp);
    if (b->xdp.dp->class->conntrack) {
        ct_jobs_end(b->xdp.dp->class->conntrack(b->xdp.dp));
    }
    if (cleanup || strcmp(b->xdp.dp->class->type, "system")) { /* Only the kernel carries on without us. */
        b->xdp.dp->class->destroy(b->xdp.dp);
    }
    if (process_leaves_memory()) {
        datapath_close(b->xdp.dp); /* Its threads end. */
    }
}

/* Its megaflows went with the last bridge. */
void
backer_unref(struct backer *b)
{
    struct list none;

    if (--b->n_users) {
        return;
    }
    list_init(&none);
    if (b->revalidator) {
        revalidator_destroy(b->revalidator, &none);
    }
    list_remove(&b->all);
    loop_wake_uninit(&b->swept);
    loop_wake_uninit(&b->settled_wake);
    pthread_mutex_destroy(&b->settled_mutex);
    datapath_close(b->xdp.dp);
    depend_destroy(b->depend);
    ct_zones_destroy(b);
    rcu_map_uninit(&b->xdp.ports);
    rcu_map_uninit(&b->xdp.samplers);
    RCU_MAP_FOR_EACH (p, struct xzone_policy, &b->xdp.policies) {
        free(p);
    }
    rcu_map_uninit(&b->xdp.policies);
    free(b->xdp.type);
    free(b->xdp.name);
    free(b);
}

void
backer_changed(struct backer *b)
{
    depend_all_changed(b->depend);
    revalidator_wake(b->revalidator);
}

void
backer_rule_changed(struct backer *b, const struct rule *rule)
{
    depend_rule_changed(b->depend, &rule->ofproto->xb, rule->table_id, &rule->cr);
    revalidator_wake(b->revalidator);
}

void
backer_table_changed(struct backer *b, const struct xbridge *bridge, uint8_t table_id)
{
    depend_table_changed(b->depend, bridge, table_id);
    revalidator_wake(b->revalidator);
}

void
backer_group_changed(struct backer *b, const struct xbridge *bridge, uint32_t group_id)
{
    depend_key_changed(b->depend, bridge, CONSULTED_GROUP, group_id);
    revalidator_wake(b->revalidator);
}

void
backer_groups_changed(struct backer *b, const struct xbridge *bridge)
{
    depend_kind_changed(b->depend, bridge, CONSULTED_GROUP);
    revalidator_wake(b->revalidator);
}

void
backer_meter_changed(struct backer *b, const struct xbridge *bridge, uint32_t meter_id)
{
    depend_key_changed(b->depend, bridge, CONSULTED_METER, meter_id);
    revalidator_wake(b->revalidator);
}

void
backer_port_gone(struct backer *b)
{
    b->port_gone = true;
    backer_changed(b);
}

void
backer_port_comes(struct backer *b)
{
    if (b->port_gone && depend_harden(b->depend)) {
        rcu_synchronize(); /* No burst under way has passed the lookup. */
    }
    b->port_gone = false;
}

void
backer_when_settled(struct backer *b, struct unpublished *u)
{
    if (b->revalidator) {
        revalidator_settle(b->revalidator, u);
    } else {
        u->done(u); /* ofproto_stop(): there are no megaflows. */
    }
}

/* Nothing more is done for it.  A datapath whose bridges are still there carries their packets until they go. */
static void
leave(struct backer *b)
{
    loop_wake_uninit(&b->swept);
    loop_wake_uninit(&b->settled_wake);
    if (!b->n_bridges) {
        datapath_close(b->xdp.dp);
    }
}

void
ofproto_stop(void)
{
    process_ends();
    LIST_FOR_EACH (b, struct backer, all, &all) {
        atomic_store(&b->is_stopped, true);
    }
    rcu_synchronize(); /* No translation is under way. */
    LIST_FOR_EACH (b, struct backer, all, &all) {
        struct list left;

        end_waits(b, true);
        list_init(&left);
        revalidator_destroy(b->revalidator, &left);
        b->revalidator = NULL;
        pthread_mutex_lock(&b->settled_mutex);
        list_splice(&b->settled, &left);
        pthread_mutex_unlock(&b->settled_mutex);
    }
    if (process_leaves_memory()) {
        LIST_FOR_EACH (b, struct backer, all, &all) {
            leave(b);
        }
        removals_finish();
        return;
    }
    LIST_FOR_EACH (b, struct backer, all, &all) {
        b->xdp.dp->class->flow_flush(b->xdp.dp);
    }
    rcu_offline();
    rcu_barrier_all();
    rcu_online();
    LIST_FOR_EACH (b, struct backer, all, &all) {
        (void) tell_settled(b, NULL);
    }
    removals_finish();
}
