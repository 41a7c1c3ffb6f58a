#include "ofproto/fail_open.h"

#include "ofproto/conns.h"
#include "openflow/flow_mod.h"
#include "sys/log.h"

LOG_MODULE(fail_open)

enum { PROBES_LOST = 3, DEFAULT_PROBE_MS = 5000 };

/* Adds or removes the rule. */
static void
set_rule(struct ofproto *p, enum flow_mod_command command)
{
    struct act_buf acts = ACT_BUF_INIT;
    struct act_output *out;
    struct flow_mod fm;

    flow_mod_init(&fm);
    fm.command = command;
    fm.table_id = 0;
    fm.priority = FAIL_OPEN_PRIORITY;
    out = act_put(&acts, ACT_OUTPUT, sizeof *out);
    out->port = OFPP_NORMAL;
    fm.actions = act_buf_span(&acts);
    if (ofproto_flow_mod(p, &fm, NULL)) {
        log_err("%s: cannot change the rule of fail mode standalone", p->xb.name);
    }
    act_buf_uninit(&acts);
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
        set_rule(p, FM_ADD);
    }
}

void
fail_open_end(struct ofproto *p)
{
    if (p->fail_open) {
        log_info("%s: no longer a learning switch of its own accord", p->xb.name);
        p->fail_open = false;
        set_rule(p, FM_DELETE_STRICT);
    }
}
