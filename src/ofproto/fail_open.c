#include "ofproto/fail_open.h"

#include "ofproto/change_request.h"
#include "ofproto/conns.h"
#include "ofproto/group.h"
#include "ofproto/meter.h"
#include "sys/log.h"

LOG_MODULE(fail_open)

enum { PROBES_LOST = 3, DEFAULT_PROBE_MS = 5000 };

/* Nothing is left of what controllers have asked for. */
static void
flush(struct ofproto *p)
{
    struct group_mod groups;
    struct flow_mod flows;

    flow_mod_init(&flows);
    flows.command = FM_DELETE;
    flows.table_id = FM_TABLE_ANY;
    group_mod_init(&groups);
    groups.command = GROUP_DELETE;
    groups.group_id = GROUP_ALL;
    change_requests_finish(p);
    if (ofproto_flow_mod(p, &flows, NULL) || group_mod_at_once(p, NULL, &groups)) {
        log_err("%s: not all flows and groups could be removed", p->xb.name);
    }
    meters_delete_all(p);
    group_mod_uninit(&groups);
}

/* Flows of a mode, or of controllers, that hold no more go. */
void
fail_mode_apply(struct ofproto *p)
{
    enum regime regime = conns_has_controllers(p->conns) ? REGIME_CONTROLLERS
                         : p->secure ? REGIME_SECURE : REGIME_STANDALONE;

    if (regime == p->regime) {
        return;
    }
    if (p->regime != REGIME_NONE) {
        flush(p);
    }
    p->regime = regime;
    if (regime == REGIME_STANDALONE) {
        tables_set_normal(p, 0, true);
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
        log_info("%s: no controller for %lld seconds, becoming a learning switch", p->xb.name,
                 (long long) (now - lost) / 1000);
        p->fail_open = true;
        tables_set_normal(p, FAIL_OPEN_PRIORITY, true);
    }
}

void
fail_open_end(struct ofproto *p)
{
    if (p->fail_open) {
        log_info("%s: no longer a learning switch of its own accord", p->xb.name);
        p->fail_open = false;
        tables_set_normal(p, FAIL_OPEN_PRIORITY, false);
    }
}
