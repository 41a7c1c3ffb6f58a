#include "ofproto/flow_mod_log.h"

#include "base/str.h"
#include "ofproto/ofconn.h"
#include "sys/clock.h"
#include "sys/log.h"

LOG_MODULE(connmgr)

enum { FIRST_MS = 10 * 1000, EACH_MS = 60 * 1000 };

void
flow_mod_counts_add(struct flow_mod_counts *counts, enum flow_mod_command command)
{
    switch (command) {
    case FM_ADD: counts->n_adds++; break;
    case FM_DELETE: case FM_DELETE_STRICT: counts->n_deletes++; break;
    case FM_MODIFY: case FM_MODIFY_STRICT: counts->n_modifications++; break;
    }
}

static uint64_t
total(const struct flow_mod_counts *counts)
{
    return counts->n_adds + counts->n_deletes + counts->n_modifications;
}

static void
put_count(struct str *s, uint64_t n, const char *what)
{
    if (n) {
        str_putf(s, "%s%llu %s", s->len ? ", " : "", (unsigned long long) n, what);
    }
}

static void
put_time(struct str *s, const struct flow_mod_log *log, int64_t now)
{
    int since_first = (now - log->first) / 1000, since_last = (now - log->last) / 1000;
    int took = (log->last - log->first) / 1000;

    if (!since_last) {
        str_putf(s, "in the last %d s", since_first);
    } else if (took) {
        str_putf(s, "in the %d s starting %d s ago", took, since_first);
    } else {
        str_putf(s, "%d s ago", since_first);
    }
}

static void
tell(struct ofconn *c)
{
    struct flow_mod_log *log = &c->flow_mods;
    struct str kinds = STR_INIT, when = STR_INIT;

    put_count(&kinds, log->counts.n_adds, "adds");
    put_count(&kinds, log->counts.n_deletes, "deletes");
    put_count(&kinds, log->counts.n_modifications, "modifications");
    put_time(&when, log, clock_now_ms());
    log_info("%s<->%s: %llu flow_mods %s (%s)", c->ofproto->xb.name, c->name,
             (unsigned long long) total(&log->counts), str_text(&when), str_text(&kinds));
    str_uninit(&kinds);
    str_uninit(&when);
    log->counts = (struct flow_mod_counts) { 0 };
    log->told = clock_now_ms();
}

static void
on_timer(struct loop_timer *t)
{
    tell(CONTAINER_OF(t, struct ofconn, flow_mods.timer));
}

void
flow_mod_log_add(struct ofconn *c, const struct flow_mod_counts *counts)
{
    struct flow_mod_log *log = &c->flow_mods;

    if (!total(counts)) {
        return;
    }
    log->last = clock_now_ms();
    if (!total(&log->counts)) {
        log->first = log->last;
        loop_timer_set(&log->timer, MAX(log->first + FIRST_MS, log->told ? log->told + EACH_MS : 0));
    }
    log->counts.n_adds += counts->n_adds;
    log->counts.n_deletes += counts->n_deletes;
    log->counts.n_modifications += counts->n_modifications;
}

void
flow_mod_log_add_one(struct ofconn *c, enum flow_mod_command command)
{
    struct flow_mod_counts one = { 0 };

    flow_mod_counts_add(&one, command);
    flow_mod_log_add(c, &one);
}

void
flow_mod_log_init(struct ofconn *c)
{
    loop_timer_init(ofproto_loop, &c->flow_mods.timer, on_timer, NULL);
}

void
flow_mod_log_end(struct ofconn *c)
{
    loop_timer_cancel(&c->flow_mods.timer);
    if (total(&c->flow_mods.counts)) {
        tell(c);
    }
}
