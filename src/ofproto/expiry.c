#include "ofproto/expiry.h"

#include <stdlib.h>

#include "ofproto/change.h"
#include "ofproto/credits.h"
#include "ofproto/evict.h"
#include "openflow/msg/flow.h"

static void
place(struct rule *rule, int64_t second)
{
    struct expiry *e = &rule->ofproto->expiry;

    list_push_back(second < e->at + EXPIRY_NEAR ? &e->near[second % EXPIRY_NEAR]
                                                : &e->far[second / EXPIRY_NEAR % EXPIRY_FAR], &rule->expirable);
}

/* In ms; INT64_MAX: never. */
static int64_t
hard_end(const struct rule *rule)
{
    uint16_t hard = atomic_load(&rule->hard_timeout);

    return hard ? atomic_load(&rule->modified) + hard * INT64_C(1000) : INT64_MAX;
}

static int64_t
idle_end(const struct rule *rule)
{
    uint16_t idle = atomic_load(&rule->idle_timeout);

    return idle ? atomic_load(&rule->used) + idle * INT64_C(1000) : INT64_MAX;
}

int64_t
expiry_of(const struct rule *rule)
{
    return MIN(hard_end(rule), idle_end(rule));
}

static void
place_by_end(struct rule *rule)
{
    int64_t end = expiry_of(rule);

    if (end != INT64_MAX) {
        place(rule, MAX(end / 1000, rule->ofproto->expiry.at));
    }
}

void
expiry_note_added(struct rule *rule)
{
    place_by_end(rule);
}

void
expiry_note_reduced(struct rule *rule)
{
    struct expiry *e = &rule->ofproto->expiry;

    pthread_mutex_lock(&e->mutex);
    if (e->n_closed == e->closed_capacity) {
        e->closed = x2nrealloc(e->closed, &e->closed_capacity, sizeof *e->closed);
    }
    if (rule_try_ref_rcu(rule)) {
        e->closed[e->n_closed++] = rule;
    }
    pthread_mutex_unlock(&e->mutex);
}

/* The caller puts the rules where they belong. */
static struct rule **
take_closed(struct expiry *e, size_t *n)
{
    struct rule **closed;

    pthread_mutex_lock(&e->mutex);
    closed = e->closed;
    *n = e->n_closed;
    e->closed = NULL;
    e->n_closed = e->closed_capacity = 0;
    pthread_mutex_unlock(&e->mutex);
    return closed;
}

void
expiry_look_at_reduced(struct ofproto *p)
{
    size_t n;
    struct rule **closed = take_closed(&p->expiry, &n);
    uint64_t version = atomic_load(&p->xb.tables_version);

    for (size_t i = 0; i < n; i++) {
        if (cls_rule_visible(&closed[i]->cr, version)) {
            list_remove(&closed[i]->expirable);
            list_push_back(&p->expiry.checking, &closed[i]->expirable);
            evict_note_reduced(closed[i]);
        }
        rule_unref(closed[i]);
    }
    free(closed);
}

/* All slots up to now. */
static void
take_slots(struct expiry *e, int64_t second)
{
    if (second - e->at > EXPIRY_NEAR * EXPIRY_FAR) {
        e->at = second - EXPIRY_NEAR * EXPIRY_FAR; /* Each slot once. */
    }
    list_splice(&e->checking, &e->near[e->at % EXPIRY_NEAR]);
    while (e->at < second) {
        e->at++;
        if (e->at % EXPIRY_NEAR == 0) {
            list_splice(&e->checking, &e->far[e->at / EXPIRY_NEAR % EXPIRY_FAR]);
        }
        list_splice(&e->checking, &e->near[e->at % EXPIRY_NEAR]);
    }
}

/* Drops the rule if its time is up.  Packets since 'known' may not have been credited yet. */
static void
check(struct tables_change *c, struct rule *rule, int64_t now, int64_t known)
{
    int64_t idle_at = idle_end(rule);

    list_remove(&rule->expirable);
    if (now > hard_end(rule)) {
        change_drop(c, rule, REMOVED_HARD);
    } else if (now <= idle_at) {
        place_by_end(rule);
    } else if (known > idle_at) {
        change_drop(c, rule, REMOVED_IDLE);
    } else {
        list_push_back(&c->p->expiry.waiting, &rule->expirable);
    }
}

static void
check_some(struct ofproto *p)
{
    struct loop_slice slice = loop_slice_begin();
    int64_t now = clock_now_ms(), known = revalidator_known(p->backer->revalidator);
    struct expiry *e = &p->expiry;
    struct tables_change change;
    bool done;

    if (p->request) {
        return; /* A second later. */
    }
    if (!list_is_empty(&e->checking)) {
        credits_settle();
    }
    pthread_mutex_lock(&p->tables_mutex);
    change_begin(&change, p, NULL);
    while (!list_is_empty(&e->checking) && !loop_slice_is_over(&slice)) {
        check(&change, CONTAINER_OF(e->checking.next, struct rule, expirable), now, known);
    }
    done = list_is_empty(&e->checking);
    change_commit(&change);
    pthread_mutex_unlock(&p->tables_mutex);
    if (!done) {
        loop_wake_signal(&e->wake);
    } else if (!list_is_empty(&e->waiting)) {
        revalidator_ask(p->backer->revalidator);
    }
}

static void
on_wake(struct loop_wake *w)
{
    check_some(w->aux);
}

void
expiry_run(struct ofproto *p)
{
    struct expiry *e = &p->expiry;

    pthread_mutex_lock(&p->tables_mutex);
    expiry_look_at_reduced(p);
    list_splice(&e->checking, &e->waiting);
    take_slots(e, clock_now_ms() / 1000);
    pthread_mutex_unlock(&p->tables_mutex);
    check_some(p);
}

void
expiry_run_waiting(struct ofproto *p)
{
    struct expiry *e = &p->expiry;

    if (!list_is_empty(&e->waiting)) {
        pthread_mutex_lock(&p->tables_mutex);
        list_splice(&e->checking, &e->waiting);
        pthread_mutex_unlock(&p->tables_mutex);
        check_some(p);
    }
}

static void
for_each_in(const struct list *l, void (*cb)(void *aux, struct rule *), void *aux)
{
    LIST_FOR_EACH (rule, struct rule, expirable, l) {
        cb(aux, rule);
    }
}

void
expiry_for_each(const struct ofproto *p, void (*cb)(void *aux, struct rule *), void *aux)
{
    const struct expiry *e = &p->expiry;

    for (int i = 0; i < EXPIRY_NEAR; i++) {
        for_each_in(&e->near[i], cb, aux);
    }
    for (int i = 0; i < EXPIRY_FAR; i++) {
        for_each_in(&e->far[i], cb, aux);
    }
    for_each_in(&e->checking, cb, aux);
    for_each_in(&e->waiting, cb, aux);
}

void
expiry_init(struct ofproto *p)
{
    struct expiry *e = &p->expiry;

    for (int i = 0; i < EXPIRY_NEAR; i++) {
        list_init(&e->near[i]);
    }
    for (int i = 0; i < EXPIRY_FAR; i++) {
        list_init(&e->far[i]);
    }
    list_init(&e->checking);
    list_init(&e->waiting);
    e->at = clock_now_ms() / 1000;
    loop_wake_init(ofproto_loop, &e->wake, on_wake, p);
    pthread_mutex_init(&e->mutex, NULL);
}

void
expiry_stop(struct ofproto *p)
{
    loop_wake_uninit(&p->expiry.wake);
}

void
expiry_uninit(struct ofproto *p)
{
    size_t n;
    struct rule **closed = take_closed(&p->expiry, &n);

    for (size_t i = 0; i < n; i++) {
        rule_unref(closed[i]);
    }
    free(closed);
    pthread_mutex_destroy(&p->expiry.mutex);
}
