#include "ofproto/telling.h"

#include <stdlib.h>

#include "ofproto/conns.h"
#include "ofproto/credits.h"
#include "ofproto/flow_monitor.h"
#include "ofproto/vacancy.h"
#include "sys/counter.h"

/* Turns of the main loop after which something was left to be told. */
COUNTER(telling_turns)

static bool
is_any_noted_locked(const struct ofproto *p)
{
    return !list_is_empty(&p->notes) || !list_is_empty(&p->removed) || !list_is_empty(&p->table_events);
}

/* False if there is nothing to be told. */
static bool
begin_round(struct ofproto *p)
{
    struct telling *t = &p->telling;
    bool any;

    pthread_mutex_lock(&p->tables_mutex);
    any = is_any_noted_locked(p);
    list_splice(&t->notes, &p->notes);
    list_splice(&t->removed, &p->removed);
    pthread_mutex_unlock(&p->tables_mutex);
    if (any) {
        t->n_begun++;
        flow_monitors_begin_round(p);
    }
    return any;
}

static bool
tell_removed(struct ofproto *p, struct loop_slice *slice)
{
    struct list *l = &p->telling.removed;

    if (!list_is_empty(l)) {
        credits_settle();
    }
    while (!list_is_empty(l) && !loop_slice_is_over(slice)) {
        struct removed_rule *r = CONTAINER_OF(list_pop_front(l), struct removed_rule, node);

        if (p->conns) {
            conns_send_flow_removed(p->conns, r->rule, r->reason, r->when);
        }
        rule_unref(r->rule);
        free(r);
        atomic_fetch_sub(&p->n_untold, 1);
    }
    return list_is_empty(l);
}

bool
telling_step(struct ofproto *p, struct loop_slice *slice)
{
    struct telling *t = &p->telling;

    for (;;) {
        if (t->n_begun == t->n_ended && !begin_round(p)) {
            return true;
        }
        if (!flow_monitors_tell(p, &t->notes, slice) || !tell_removed(p, slice)) {
            return false;
        }
        vacancy_flush(p);
        t->n_ended++;
    }
}

/* When this many rounds have ended all that has happened so far has been told. */
static uint64_t
rounds_of_now(struct ofproto *p)
{
    uint64_t n;

    pthread_mutex_lock(&p->tables_mutex);
    n = p->telling.n_begun + is_any_noted_locked(p);
    pthread_mutex_unlock(&p->tables_mutex);
    return n;
}

static bool
is_about_what_was_told(enum msg_type type)
{
    return type == MSG_BARRIER_REQUEST || type == MSG_FLOW_MONITOR_REQUEST || type == MSG_FLOW_MONITOR_CANCEL;
}

/* Of little that is told within the handler. */
bool
telling_holds(struct ofconn *c, enum msg_type type)
{
    struct ofproto *p = c->ofproto;

    if (!is_about_what_was_told(type)) {
        return false;
    }
    if (!c->waits_for_round) {
        c->waits_for_round = rounds_of_now(p);
        if (p->telling.n_ended < c->waits_for_round) {
            (void) telling_step(p, &(struct loop_slice) { 0 });
        }
    }
    if (p->telling.n_ended < c->waits_for_round) {
        return true;
    }
    c->waits_for_round = 0;
    return false;
}

static void
on_wake(struct loop_wake *w)
{
    struct loop_slice slice = loop_slice_begin();
    struct ofproto *p = w->aux;
    uint64_t n_ended = p->telling.n_ended;

    if (!telling_step(p, &slice)) {
        counter_inc(telling_turns);
        loop_wake_signal(w);
    }
    if (p->conns && (p->telling.n_ended != n_ended || atomic_load(&p->n_untold) <= TELLING_MUCH)) {
        conns_release(p->conns);
    }
}

void
telling_init(struct ofproto *p)
{
    list_init(&p->telling.notes);
    list_init(&p->telling.removed);
    list_init(&p->removed);
    list_init(&p->notes);
    list_init(&p->table_events);
    loop_wake_init(ofproto_loop, &p->removed_wake, on_wake, p);
}

void
telling_stop(struct ofproto *p)
{
    loop_wake_uninit(&p->removed_wake);
}
