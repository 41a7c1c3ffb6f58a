#include "ofproto/change_request.h"

#include <stdlib.h>

#include "ofproto/conns_private.h"
#include "ofproto/telling.h"
#include "sys/counter.h"

/* Turns of the main loop that requests have taken, after their first ones. */
COUNTER(change_request_turns)

static void
forget_connection(struct ofconn_job *job)
{
    struct change_request *r = CONTAINER_OF(job, struct change_request, job);

    r->c = NULL;
    pthread_mutex_lock(&r->p->tables_mutex);
    r->change.requester = NULL;
    pthread_mutex_unlock(&r->p->tables_mutex);
}

/* What handlers need to know of a connection. */
static struct ofconn *
settings_of(const struct ofconn *c)
{
    struct ofconn *as = xzalloc(sizeof *as);

    as->ofproto = c->ofproto;
    as->version = c->version;
    as->protocol = c->protocol;
    as->role = c->role;
    as->xid = c->xid;
    as->name = xstrdup(c->name);
    return as;
}

static void
begin_change(struct change_request *r)
{
    pthread_mutex_lock(&r->p->tables_mutex);
    change_begin_long(&r->change, r->p, r->c);
    pthread_mutex_unlock(&r->p->tables_mutex);
}

void
change_request_begin(struct change_request *r, const struct change_request_ops *ops, struct ofconn *c)
{
    *r = (struct change_request) {
        .ops = ops, .p = c->ofproto, .c = c, .as = settings_of(c), .job = { NULL, forget_connection },
    };
    begin_change(r);
    r->p->request = r;
}

void
change_request_begin_own(struct change_request *r, const struct change_request_ops *ops, struct ofproto *p)
{
    *r = (struct change_request) { .ops = ops, .p = p, .is_own = true };
    begin_change(r);
    p->request = r;
}

void
change_request_destroy(struct change_request *r)
{
    struct ofconn *as = r->as;

    bytes_uninit(&r->out);
    r->ops->destroy(r);
    if (as) {
        free(as->name);
        free(as);
    }
}

/* The steps; the caller holds tables_mutex. */

static void
step_stage(struct change_request *r, struct loop_slice *slice)
{
    if (!r->ops->stage(r, slice, &r->error)) {
        return;
    }
    if (r->error) {
        r->phase = REQUEST_UNDO;
    } else {
        change_publish(&r->change);
        r->phase = REQUEST_TELL;
    }
}

static void
step_undo(struct change_request *r, struct loop_slice *slice)
{
    if (change_abort_step(&r->change, slice)) {
        change_end(&r->change);
        r->phase = REQUEST_DONE;
    }
}

/* The flows that it leaves to nobody are another change, which may leave some again. */
static void
step_tell(struct change_request *r, struct loop_slice *slice)
{
    if (!change_commit_step(&r->change, slice)) {
        return;
    }
    change_end(&r->change);
    if (learned_are_due(r->p)) {
        change_begin_long(&r->change, r->p, NULL);
        r->phase = REQUEST_SETTLE;
    } else {
        r->phase = r->ops->follow ? REQUEST_FOLLOW : REQUEST_DONE;
    }
}

static void
step_settle(struct change_request *r, struct loop_slice *slice)
{
    if (learned_stage(&r->learned, &r->change, slice)) {
        change_publish(&r->change);
        r->phase = REQUEST_TELL;
    }
}

static void
step(struct change_request *r, struct loop_slice *slice)
{
    switch (r->phase) {
    case REQUEST_STAGE: step_stage(r, slice); break;
    case REQUEST_UNDO: step_undo(r, slice); break;
    case REQUEST_TELL: step_tell(r, slice); break;
    case REQUEST_SETTLE: step_settle(r, slice); break;
    case REQUEST_FOLLOW: case REQUEST_DONE: break;
    }
}

/* As far as the slice goes; true once it is done. */
static bool
run(struct change_request *r, struct loop_slice *slice)
{
    int before;

    r->is_running = true;
    pthread_mutex_lock(&r->p->tables_mutex);
    do {
        before = r->phase;
        step(r, slice);
    } while ((int) r->phase != before);
    pthread_mutex_unlock(&r->p->tables_mutex);
    if (r->phase == REQUEST_FOLLOW && r->ops->follow(r, slice)) {
        r->phase = REQUEST_DONE;
    }
    r->is_running = false;
    return r->phase == REQUEST_DONE;
}

/* The end. */

static void
finish(struct change_request *r)
{
    struct ofproto *p = r->p;

    p->request = NULL;
    r->ops->answer(r, r->error);
    if (r->c) {
        ofconn_end_job(r->c, &r->out);
    }
    change_request_destroy(r);
    loop_wake_signal(&p->change_wake);
}

bool
change_request_run(struct change_request *r)
{
    struct loop_slice slice = loop_slice_begin();

    if (run(r, &slice)) {
        r->p->request = NULL;
        return true;
    }
    if (r->c) {
        ofconn_start_job(r->c, &r->job);
    }
    loop_wake_signal(&r->p->change_wake);
    return false;
}

/* What others than requests have left to nobody: flows whose time is up, or that were replaced. */

static bool
stage_nothing(struct change_request *r UNUSED, struct loop_slice *slice UNUSED, enum ofperr *error UNUSED)
{
    return true;
}

static void
answer_nobody(struct change_request *r UNUSED, enum ofperr error UNUSED)
{
}

static void
free_request(struct change_request *r)
{
    free(r);
}

static const struct change_request_ops settle_ops = { stage_nothing, NULL, answer_nobody, free_request };

static void
settle(struct ofproto *p)
{
    struct change_request *r;

    if (p->request || !atomic_exchange(&p->learned_may_be_due, false) || !learned_are_due(p)) {
        return;
    }
    r = xmalloc(sizeof *r);
    change_request_begin_own(r, &settle_ops, p);
    if (change_request_run(r)) {
        change_request_destroy(r);
    }
}

/* The next request begins, if it is its turn. */
static void
begin_next(struct ofproto *p)
{
    struct change_request *r = p->next_request;

    if (p->request || !r) {
        return;
    }
    p->next_request = NULL;
    p->request = r;
    begin_change(r);
    if (change_request_run(r)) {
        finish(r);
    }
}

void
change_request_begin_own_after(struct change_request *r, const struct change_request_ops *ops, struct ofproto *p)
{
    if (p->next_request) {
        change_request_destroy(p->next_request);
    }
    *r = (struct change_request) { .ops = ops, .p = p, .is_own = true };
    p->next_request = r;
    begin_next(p);
}

void
change_requests_on_wake(struct loop_wake *w)
{
    struct loop_slice slice = loop_slice_begin();
    struct ofproto *p = w->aux;

    if (!p->conns) {
        return; /* The bridge was removed. */
    }
    settle(p);
    if (!p->request && p->next_request) {
        begin_next(p);
        return; /* It wakes us again. */
    }
    if (!p->request) {
        conns_release(p->conns); /* One has come to its end. */
        return;
    }
    counter_inc(change_request_turns);
    if (run(p->request, &slice)) {
        finish(p->request);
    } else {
        loop_wake_signal(w);
    }
}

void
change_requests_finish(struct ofproto *p)
{
    struct change_request *r;

    while ((r = p->request) != NULL && !r->is_running) {
        while (!run(r, NULL)) {
            continue;
        }
        finish(r);
        begin_next(p);
    }
}

static bool
changes_tables(enum msg_type type)
{
    return type == MSG_FLOW_MOD || type == MSG_GROUP_MOD || type == MSG_METER_MOD || type == MSG_TABLE_MOD ||
           type == MSG_TLV_TABLE_MOD || type == MSG_BUNDLE_CONTROL;
}

bool
change_request_holds(struct ofproto *p, enum msg_type type)
{
    const struct change_request *r;

    if (atomic_load(&p->learned_may_be_due)) {
        settle(p);
    }
    r = p->request ? p->request : p->next_request;
    if (changes_tables(type) && (r || atomic_load(&p->n_untold) > TELLING_MUCH)) {
        return true;
    }
    if (!r || type == MSG_HELLO || type == MSG_ERROR || type == MSG_ECHO_REQUEST || type == MSG_ECHO_REPLY) {
        return false;
    }
    if (r->is_own || p->next_request || r->phase >= REQUEST_TELL) {
        return true;
    }
    switch (type) {
    case MSG_GROUP_REQUEST:
    case MSG_GROUP_DESC_REQUEST:
    case MSG_PACKET_OUT:
    case MSG_RESUME:
        return r->change.n_groups != 0;
    default:
        return false;
    }
}
