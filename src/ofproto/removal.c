/* What is left of a bridge that was removed.
 *
 * Nobody finds it any more, but translations under way and megaflows still name it.  So its tables, and the memory of
 * all that they name, stay until every megaflow has been looked at again; then rules, groups, meters and addresses are
 * deleted in slices of turns of the main loop, and when RCU has released them, the bridge is.  Nobody waits for any of
 * this.
 *
 * Threads: main. */
#include <stdlib.h>

#include "ofproto/change.h"
#include "ofproto/drops.h"
#include "ofproto/group.h"
#include "ofproto/meter.h"
#include "ofproto/telling.h"
#include "openflow/flow_mod.h"
#include "sys/ending.h"

struct removal {
    struct list node;            /* In 'removals'. */
    struct ofproto *p;
    struct unpublished unpublished;
    struct loop_wake wake;       /* The next slice; RCU has released what there was. */
    enum { SETTLES, DELETES, COMMITS, UNLINKS, FORGETS_GROUPS, FORGETS_METERS, FORGETS_MACS,
           IS_RELEASED } stage;
    struct flow_mod all;
    struct tables_change change;
    struct flow_mod_run run;
};

static struct list removals = LIST_INIT(&removals);

static void
on_settled(struct unpublished *u)
{
    struct removal *r = CONTAINER_OF(u, struct removal, unpublished);
    struct ofproto *p = r->p;

    HMAP_FOR_EACH (other, struct ofproto, node, &all_ofprotos) {
        drops_forget_packets(other->xb.drops, &p->xb);
    }
    LIST_FOR_EACH (other, struct removal, node, &removals) {
        drops_forget_packets(other->p->xb.drops, &p->xb);
    }
    drops_end(p->xb.drops);
    flow_mod_init(&r->all);
    r->all.command = FM_DELETE;
    pthread_mutex_lock(&p->tables_mutex);
    change_begin_long(&r->change, p, NULL);
    flow_mod_run_begin(&r->run, &r->change, &r->all);
    pthread_mutex_unlock(&p->tables_mutex);
    r->stage = DELETES;
    loop_wake_signal(&r->wake);
}

/* A part of the deletion of all rules, groups, meters and addresses; whether all are gone. */
static bool
delete_step(struct removal *r, struct loop_slice *slice)
{
    struct ofproto *p = r->p;

    pthread_mutex_lock(&p->tables_mutex);
    if (r->stage == DELETES && flow_mod_run_step(&r->run, slice)) {
        flow_mod_run_end(&r->run);
        change_publish(&r->change);
        r->stage = COMMITS;
    }
    if (r->stage == COMMITS && change_commit_step(&r->change, slice)) {
        change_end(&r->change);
        r->stage = UNLINKS;
    }
    pthread_mutex_unlock(&p->tables_mutex);
    if (r->stage == UNLINKS && change_unlink_retired(p, slice)) {
        r->stage = FORGETS_GROUPS;
    }
    if (r->stage == FORGETS_GROUPS && groups_destroy_step(p, slice)) {
        r->stage = FORGETS_METERS;
    }
    if (r->stage == FORGETS_METERS && meters_destroy_step(p, slice)) {
        r->stage = FORGETS_MACS;
    }
    return r->stage == FORGETS_MACS && ofproto_empty_macs_step(p, slice) && telling_step(p, slice);
}

/* Behind all that was deferred for the bridge, which runs in order. */
static void
say_released(void *r)
{
    loop_wake_signal(&((struct removal *) r)->wake);
}

static void
finish(struct removal *r)
{
    struct ofproto *p = r->p;

    list_remove(&r->node);
    loop_wake_uninit(&r->wake);
    ofproto_free(p);
    free(r);
}

static void
on_wake(struct loop_wake *w)
{
    struct loop_slice slice = loop_slice_begin();
    struct removal *r = w->aux;

    switch (r->stage) {
    case SETTLES:
        break;
    case DELETES: case COMMITS: case UNLINKS: case FORGETS_GROUPS: case FORGETS_METERS:
    case FORGETS_MACS:
        if (delete_step(r, &slice)) {
            r->stage = IS_RELEASED;
            rcu_defer(say_released, r);
        } else {
            loop_wake_signal(w);
        }
        break;
    case IS_RELEASED:
        finish(r);
        break;
    }
}

/* Until say_released() has been called. */
static void
wait_released(void)
{
    rcu_offline();
    rcu_barrier_all();
    rcu_online();
}

/* All the rest, without letting others have their turn. */
static void
run_through(struct removal *r)
{
    bool done = r->stage == IS_RELEASED;

    while (!done) {
        done = delete_step(r, NULL);
    }
    wait_released();
    finish(r);
}

void
removal_begin(struct ofproto *p)
{
    struct removal *r;

    if (process_leaves_memory()) {
        tables_stop(p);
        return;
    }
    r = xzalloc(sizeof *r);
    r->p = p;
    r->unpublished.done = on_settled;
    loop_wake_init(ofproto_loop, &r->wake, on_wake, r);
    list_push_back(&removals, &r->node);
    backer_changed(p->backer);
    backer_when_settled(p->backer, &r->unpublished);
    if (r->stage != SETTLES) {
        run_through(r);
    }
}

void
removals_finish(void)
{
    if (!process_leaves_memory()) {
        LIST_FOR_EACH_SAFE (r, struct removal, node, &removals) {
            run_through(r);
        }
        return;
    }
    while (!list_is_empty(&removals)) {
        struct removal *r = CONTAINER_OF(list_pop_front(&removals), struct removal, node);

        if (r->stage == IS_RELEASED) {
            wait_released(); /* It uses the wake. */
        }
        loop_wake_uninit(&r->wake);
        tables_stop(r->p);
    }
}
