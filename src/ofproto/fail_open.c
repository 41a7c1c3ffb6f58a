#include "ofproto/fail_open.h"

#include <stdlib.h>

#include "ofproto/change_request.h"
#include "ofproto/conns.h"
#include "ofproto/group.h"
#include "ofproto/meter.h"
#include "sys/log.h"

LOG_MODULE(fail_open)

enum { PROBES_LOST = 3, DEFAULT_PROBE_MS = 5000 };

/* Of what others have asked for nothing is left: flows, groups, and, once these have gone, meters. */
struct regime_change {
    struct change_request r;
    enum { FLOWS_GO, GROUPS_GO, NORMAL_COMES } step;
    bool is_running;         /* The step has been begun. */
    bool has_normal;         /* The new regime has a rule of its own. */
    struct flow_mod flows, normal;
    struct act_buf normal_acts;
    struct group_mod groups;
    struct flow_mod_run run; /* Of FLOWS_GO and NORMAL_COMES. */
    struct group_mod_run group_run;
};

static void
begin_step(struct regime_change *g)
{
    if (g->step == GROUPS_GO) {
        group_mod_run_begin(&g->group_run, &g->r.change, &g->groups);
    } else {
        flow_mod_run_begin(&g->run, &g->r.change, g->step == FLOWS_GO ? &g->flows : &g->normal);
    }
    g->is_running = true;
}

static void
end_step(struct regime_change *g)
{
    if (g->is_running && g->step == GROUPS_GO) {
        group_mod_run_end(&g->group_run);
    } else if (g->is_running) {
        flow_mod_run_end(&g->run);
    }
    g->is_running = false;
}

static bool
run_step(struct regime_change *g, struct loop_slice *slice, enum ofperr *error)
{
    bool done;

    if (!g->is_running) {
        begin_step(g);
    }
    if (g->step == GROUPS_GO) {
        done = group_mod_run_step(&g->group_run, slice);
        *error = g->group_run.error;
    } else {
        done = flow_mod_run_step(&g->run, slice);
        *error = g->run.error;
    }
    if (done) {
        end_step(g);
    }
    return done;
}

static bool
stage_regime(struct change_request *r, struct loop_slice *slice, enum ofperr *error)
{
    struct regime_change *g = CONTAINER_OF(r, struct regime_change, r);
    int last = g->has_normal ? NORMAL_COMES : GROUPS_GO;

    while (run_step(g, slice, error)) {
        if (*error || (int) g->step == last) {
            return true;
        }
        g->step++;
    }
    return false;
}

static bool
follow_regime(struct change_request *r, struct loop_slice *slice)
{
    return meters_delete_step(r->p, slice);
}

static void
finish_regime(struct change_request *r, enum ofperr error)
{
    if (error) {
        log_err("%s: not all flows and groups could be removed", r->p->xb.name);
    }
}

static void
destroy_regime(struct change_request *r)
{
    struct regime_change *g = CONTAINER_OF(r, struct regime_change, r);

    end_step(g);
    group_mod_uninit(&g->groups);
    act_buf_uninit(&g->normal_acts);
    free(g);
}

static const struct change_request_ops regime_ops = { stage_regime, follow_regime, finish_regime, destroy_regime };

static void
change_regime(struct ofproto *p, bool has_normal)
{
    struct regime_change *g = xzalloc(sizeof *g);

    g->has_normal = has_normal;
    flow_mod_init(&g->flows);
    g->flows.command = FM_DELETE;
    g->flows.table_id = FM_TABLE_ANY;
    group_mod_init(&g->groups);
    g->groups.command = GROUP_DELETE;
    g->groups.group_id = GROUP_ALL;
    act_buf_init(&g->normal_acts);
    tables_make_normal(&g->normal, &g->normal_acts, 0, true);
    change_request_begin_own_after(&g->r, &regime_ops, p);
}

/* Flows of a mode, or of controllers, that hold no more go. */
void
fail_mode_apply(struct ofproto *p)
{
    enum regime old = p->regime, regime = conns_has_controllers(p->conns) ? REGIME_CONTROLLERS
                                          : p->secure ? REGIME_SECURE : REGIME_STANDALONE;

    p->regime = regime;
    if (old == REGIME_NONE && regime == REGIME_STANDALONE) {
        tables_set_normal(p, 0, true);
    } else if (old != REGIME_NONE && old != regime) {
        change_regime(p, regime == REGIME_STANDALONE);
    }
}

void
fail_open_run(struct ofproto *p)
{
    int64_t now = clock_now_ms(), lost, probe_ms;
    bool applies = !p->secure && conns_lost_controllers(p->conns, &lost, &probe_ms);

    if (!applies) {
        fail_open_end(p);
    } else if (!p->fail_open && now - lost >= PROBES_LOST * (probe_ms ? probe_ms : DEFAULT_PROBE_MS)) {
        log_warn("Could not connect to controller (or switch failed controller's post-connection admission control "
                 "policy) for %lld seconds, failing open", (long long) (now - lost) / 1000);
        p->fail_open = true;
        tables_set_normal(p, FAIL_OPEN_PRIORITY, true);
    }
}

void
fail_open_end(struct ofproto *p)
{
    if (p->fail_open) {
        log_warn("No longer in fail-open mode");
        p->fail_open = false;
        tables_set_normal(p, FAIL_OPEN_PRIORITY, false);
    }
}
