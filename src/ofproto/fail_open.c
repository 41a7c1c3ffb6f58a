#include "ofproto/fail_open.h"

#include "ofproto/conns.h"
#include "sys/log.h"

LOG_MODULE(fail_open)

enum { PROBES_LOST = 3, DEFAULT_PROBE_MS = 5000 };

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
