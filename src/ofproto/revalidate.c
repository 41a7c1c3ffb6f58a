/* Revalidation: one thread per datapath retranslates the megaflows that a change has made stale, as soon as it can; and
 * walks all megaflows, at regular times and when a change has put all in doubt: credits their packets, removes those
 * that were not used, retranslates those that are stale, and looks whether some that nothing has made stale are right
 * indeed (a slow check of depend.h; a disagreement is an error).  The number of megaflows that may be follows from what
 * a sweep takes.  Where changes put all in doubt again and again, sweeps take at most half of the time.  Where sweeps
 * are slow, stale megaflows that carry little are removed instead (worth.h). */
#include <errno.h>
#include <stdlib.h>

#include "flow/tun_metadata.h"
#include "ofproto/megaflow.h"
#include "ofproto/worth.h"
#include "ofproto/xlate/run.h"
#include "odp/effect.h"
#include "odp/text.h"
#include "sys/log.h"

LOG_MODULE(ofproto_dpif_revalidate)

enum { MIN_INTERVAL_MS = 10, CHECKED_OF = 64, SECTION_FLOWS = 64, SLOW_SWEEP_MS = 2000, MIN_LIMIT = 1000 };

struct revalidator {
    struct backer *backer;
    pthread_t thread;
    pthread_mutex_t mutex; /* Guards all below. */
    pthread_cond_t wake;   /* For the thread. */
    pthread_cond_t done;   /* A pass has ended. */
    _Atomic bool stop;     /* Also read without the mutex. */
    bool paused;
    bool is_passing;
    bool urgent;           /* Somebody waits for a pass. */
    bool was_asked;        /* By revalidator_ask(). */
    int64_t known;         /* ms */
    _Atomic bool woken;    /* Something changed; also set without the mutex. */
    uint64_t n_begun, n_ended;  /* Passes. */
    struct list unsettled;      /* struct unpublished that wait for a pass to begin. */
    struct revalidator_figures figures;

    struct timespec last_begun; /* The thread's own, like all that follows. */
    struct list settling;       /* struct unpublished that wait for the end of this pass. */
    struct timespec next_sweep; /* At the latest. */
    struct timespec rested;     /* No sweep for doubt before that. */

    /* The pass's own. */
    struct xlate_out out;
    uint64_t n_seen, n_renewed, n_sweeps;
    int64_t now, before;              /* This sweep's time and the last one's, ms. */
    int64_t took_ms;                  /* The last sweep. */
    int64_t max_idle;
    uint32_t limit, configured_limit; /* Of megaflows: at present; as configured when that was last looked at. */
};

/* Translates the key anew, with a memory of lookups or (null) without.  False if nothing in the bridge has that port
 * any more. */
static bool
retranslate(struct revalidator *r, const struct flow *key, struct xlate_runs *runs)
{
    struct flow flow = *key;
    struct xbridge *bridge = upcall_bridge_rcu(r->backer, &flow);
    struct xlate_in xin;

    if (!bridge) {
        return false;
    }
    xin = (struct xlate_in) {
        .bridge = bridge, .flow = &flow, .tables_version = atomic_load(&bridge->tables_version),
        .runs = runs,
    };
    xlate_out_clear(&r->out);
    xlate(&xin, &r->out);
    tun_mask_to_raw(xbridge_options_rcu(bridge), key, &r->out.wc);
    return r->out.may_install;
}

static enum dp_offloaded
offloaded(const struct datapath *dp, const struct dp_flow *f)
{
    return dp->class->flow_offloaded ? dp->class->flow_offloaded(f) : DP_NOT_OFFLOADED;
}

/* What the translation just made wants of a megaflow. */
static const struct bytes *
wanted_actions(const struct revalidator *r)
{
    return r->out.slow ? &r->out.slow_actions : &r->out.actions;
}

/* Whether the translation just made gives the megaflow's actions. */
static bool
same_actions(const struct revalidator *r, struct dp_flow *f)
{
    const struct bytes *wanted = wanted_actions(r);
    size_t len;
    const void *actions = r->backer->xdp.dp->class->flow_actions(f, &len);

    return len == wanted->len && (!len || !memcmp(actions, wanted->data, len));
}

/* Whether they do the same.  (A megaflow may set bits that its packets have already, of which a translation that has
 * looked at fewer says nothing.) */
static bool
same_effect(const struct revalidator *r, struct dp_flow *f, const struct flow *key, const struct flow *mask)
{
    const struct bytes *wanted = wanted_actions(r);
    size_t len;
    const void *actions = r->backer->xdp.dp->class->flow_actions(f, &len);

    return odp_same_effect(actions, len, wanted->data, wanted->len, key, mask);
}

/* Retranslates; the megaflow serves again, or is gone. */
static void
renew(struct revalidator *r, struct megaflow *m, struct dp_flow *f, const struct flow *key, const struct flow *mask)
{
    struct datapath *dp = r->backer->xdp.dp;
    uint64_t seq = depend_seq(r->backer->depend);

    r->n_renewed++;
    if (retranslate(r, key, xlate_runs_mine()) && same_actions(r, f) && flow_mask_is_subset(&r->out.wc, mask)) {
        m->dependent.note = 0;
        megaflow_update(r->backer->depend, m, &r->out, seq);
    } else {
        dp->class->flow_del(dp, f, NULL);
    }
}

/* Looks whether a megaflow that nothing has made stale is right, from the tables themselves.  (The bits that decide may
 * be others now: a rule that has come may be ruled out by other bits than those that did before.)  What is under way
 * may look like a disagreement: only one that is still there at the next look, when nothing else has happened, is an
 * error of ours. */
static void
check(struct revalidator *r, struct megaflow *m, struct dp_flow *f, const struct flow *key, const struct flow *mask)
{
    static struct log_limit limit = LOG_LIMIT_INIT(5, 5);
    struct datapath *dp = r->backer->xdp.dp;
    uint32_t seq = depend_seq(r->backer->depend);

    if (retranslate(r, key, NULL) && (same_actions(r, f) || same_effect(r, f, key, mask))) {
        m->dependent.note = 0;
    } else if (m->dependent.note != seq + 1) {
        m->dependent.note = seq + 1;
    } else {
        struct str s = STR_INIT;

        odp_flow_format(&s, key, mask, NULL, false);
        log_err_rl(&limit, "%s: a megaflow was out of date and nothing had said so: %s", dp->name, str_text(&s));
        str_uninit(&s);
        dp->class->flow_del(dp, f, NULL);
    }
}

/* 'n': the packets since the last sweep. */
static bool
is_worth_renewing(const struct revalidator *r, const struct megaflow *m, const struct dp_flow *f, uint64_t n)
{
    const struct worth w = {
        .now = r->now, .before = r->before, .took_ms = r->took_ms, .created = m->created, .n_packets = n,
        .is_offloaded = offloaded(r->backer->xdp.dp, f) == DP_OFFLOADED,
    };

    return worth_renewing(&w, &ofproto_settings.worth);
}

static void
look_at(struct revalidator *r, struct dp_flow *f)
{
    struct datapath *dp = r->backer->xdp.dp;
    struct megaflow *m = dp->class->flow_owner(f);
    struct dp_flow_stats stats;
    struct flow key, mask;
    uint64_t n;

    r->n_seen++;
    if (!m) {
        return; /* Put in by hand (dpctl/add-flow). */
    }
    dp->class->flow_get(f, &key, &mask, &stats);
    megaflow_lock(m);
    if (!atomic_load(&m->flow)) {
        megaflow_unlock(m);
        return; /* Its worker is about to say what it depends on. */
    }
    n = stats.n_packets - m->pushed_packets;
    megaflow_push(m, &stats, offloaded(dp, f));
    if (r->now - MAX(stats.used, (int64_t) m->created) > r->max_idle) {
        dp->class->flow_del(dp, f, NULL);
    } else if (depend_check(r->backer->depend, &m->dependent) != DEPEND_RIGHT) {
        if (is_worth_renewing(r, m, f, n)) {
            renew(r, m, f, &key, &mask);
        } else {
            dp->class->flow_del(dp, f, NULL);
        }
    } else if (m->dependent.note || (r->n_seen + r->n_sweeps) % CHECKED_OF == 0) {
        check(r, m, f, &key, &mask);
    }
    megaflow_unlock(m);
}

/* A sweep is many short read sections: nobody waits for its end. */
static bool
visit(void *r_, struct dp_flow *f)
{
    struct revalidator *r = r_;

    look_at(r, f);
    if (r->n_seen % SECTION_FLOWS == 0) {
        rcu_quiescent();
    }
    return !atomic_load_explicit(&r->stop, memory_order_relaxed);
}

static void
set_limit(struct revalidator *r, uint32_t limit)
{
    struct datapath *dp = r->backer->xdp.dp;
    char text[16];
    const char *keys[] = { "flow-limit" }, *values[] = { text };
    struct error *error;

    if (limit != r->limit) {
        snprintf(text, sizeof text, "%u", limit);
        error = dp->class->configure(dp, keys, values, 1);
        error_free(error); /* A datapath that knows no limit has none. */
        r->limit = limit;
    }
}

/* The number of megaflows that may be: what is configured, and no more than sweeps of a second or two can look after.
 * It falls fast and recovers slowly.  'ms': what this sweep took. */
static void
adapt_limit(struct revalidator *r, int64_t ms)
{
    uint64_t wanted = MAX(ofproto_settings.flow_limit, (uint32_t) MIN_LIMIT), limit = r->limit;

    if (ms > SLOW_SWEEP_MS) {
        limit = MAX(MIN(limit, r->n_seen) * SLOW_SWEEP_MS / ms, MIN_LIMIT);
    } else if (ms < SLOW_SWEEP_MS / 2) {
        limit += MAX(limit / 16, MIN_LIMIT);
    }
    set_limit(r, MIN(limit, wanted));
}

/* Every megaflow. */
static void
sweep(struct revalidator *r)
{
    struct datapath *dp = r->backer->xdp.dp;
    int64_t start = clock_real_us(), cpu = clock_thread_cpu_us();
    struct dp_stats stats;

    dp->class->get_stats(dp, &stats);
    if (r->configured_limit != ofproto_settings.flow_limit) {
        r->configured_limit = ofproto_settings.flow_limit;
        set_limit(r, MAX(r->configured_limit, MIN_LIMIT));
    }
    r->before = r->now;
    r->now = clock_now_ms();
    r->max_idle = stats.n_flows > r->limit ? 100 : ofproto_settings.max_idle_ms;
    r->n_seen = r->n_renewed = 0;
    r->n_sweeps++;
    depend_walk_begin(r->backer->depend);
    dp->class->flow_for_each(dp, visit, r);
    depend_walk_end(r->backer->depend);
    if (stats.n_flows > 2 * (uint64_t) r->limit) {
        dp->class->flow_flush(dp);
    }
    if (r->n_renewed <= r->n_seen / 8) {
        adapt_limit(r, (clock_thread_cpu_us() - cpu) / 1000); /* Else that was not looking after them, but a change. */
    }
    r->took_ms = (clock_real_us() - start) / 1000;
    pthread_mutex_lock(&r->mutex);
    r->figures.n_flows = r->n_seen;
    r->figures.max_flows = MAX(r->figures.max_flows, r->n_seen);
    r->figures.avg_flows = (r->figures.avg_flows + r->n_seen) / 2;
    r->figures.limit = r->limit;
    r->figures.dump_ms = r->took_ms;
    r->figures.n_keys = r->n_seen;
    pthread_mutex_unlock(&r->mutex);
}

/* What is still there now stays until this thread's read section ends. */
static bool
may_use(void *b_, struct dependent *d)
{
    const struct datapath_class *class = ((struct backer *) b_)->xdp.dp->class;
    struct megaflow *m = megaflow_from_dependent(d);
    struct dp_flow *f = atomic_load(&m->flow);

    return !class->flow_is_gone(f) && class->flow_owner(f) == m;
}

/* Those that a change has made stale one by one. */
static void
renew_stale(struct revalidator *r)
{
    struct backer *b = r->backer;
    struct megaflow *m;

    depend_settle(b->depend);
    while (!atomic_load(&r->stop) && (m = megaflow_from_dependent(depend_pop_stale(b->depend, may_use, b))) != NULL) {
        struct dp_flow *f = atomic_load(&m->flow);
        struct dp_flow_stats stats;
        struct flow key, mask;

        b->xdp.dp->class->flow_get(f, &key, &mask, &stats);
        megaflow_lock(m);
        megaflow_push(m, &stats, offloaded(b->xdp.dp, f));
        renew(r, m, f, &key, &mask);
        megaflow_unlock(m);
        rcu_quiescent();
    }
}

static struct timespec
after_ms(const struct timespec *from, unsigned int ms)
{
    struct timespec t = *from;

    t.tv_nsec += (int64_t) ms * 1000000;
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    return t;
}

static unsigned int
ms_between(const struct timespec *from, const struct timespec *to)
{
    return (to->tv_sec - from->tv_sec) * 1000 + (to->tv_nsec - from->tv_nsec) / 1000000;
}

static bool
is_before(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

/* Sleeps until there is work: at once after a change (but not sooner than MIN_INTERVAL_MS after the last pass began, so
 * that a hundred thousand changes in a row cost a few passes), else until the next sweep is due.  '*all': a sweep is
 * due, or somebody waits for one. */
static bool
wait_for_work(struct revalidator *r, bool *all)
{
    struct timespec now, soonest;
    bool go;

    soonest = after_ms(&r->last_begun, MIN_INTERVAL_MS);
    pthread_mutex_lock(&r->mutex);
    for (int status = 0; !r->stop && (r->paused || !r->urgent);) {
        if (r->paused) {
            pthread_cond_wait(&r->wake, &r->mutex);
        } else if (status != ETIMEDOUT) {
            bool early = atomic_load(&r->woken) && is_before(&soonest, &r->next_sweep);

            status = pthread_cond_timedwait(&r->wake, &r->mutex, early ? &soonest : &r->next_sweep);
        } else {
            break;
        }
    }
    go = !r->stop;
    clock_gettime(CLOCK_MONOTONIC, &now);
    *all = r->urgent || !is_before(&now, &r->next_sweep) ||
           (depend_needs_walk(r->backer->depend) && !is_before(&now, &r->rested));
    r->urgent = false;
    atomic_store(&r->woken, false);
    r->n_begun++;
    r->is_passing = go;
    pthread_mutex_unlock(&r->mutex);
    r->last_begun = now;
    return go;
}

/* When the next sweep is due; there is doubt that had to wait, or the next regular one. */
static void
plan(struct revalidator *r, bool swept)
{
    struct timespec now;

    if (swept) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        r->next_sweep = after_ms(&r->last_begun, ofproto_settings.worth.max_revalidator_ms);
        r->rested = after_ms(&now, ms_between(&r->last_begun, &now));
    }
    if (depend_needs_walk(r->backer->depend) && is_before(&r->rested, &r->next_sweep)) {
        r->next_sweep = r->rested;
    }
}

/* Takes over what is to be settled by this pass.  Translations under way end first, so that all that they make is
 * looked at. */
static void
begin_to_settle(struct revalidator *r)
{
    pthread_mutex_lock(&r->mutex);
    list_splice(&r->settling, &r->unsettled);
    pthread_mutex_unlock(&r->mutex);
    if (!list_is_empty(&r->settling)) {
        rcu_synchronize();
    }
}

/* Megaflows that the pass has removed, or that went before, still name what is settled until RCU releases them.  Where
 * no bridge is left, those that were put in by hand go too. */
static void
end_to_settle(struct revalidator *r)
{
    struct backer *b = r->backer;

    if (list_is_empty(&r->settling) || atomic_load(&r->stop)) {
        return;
    }
    if (atomic_load(&b->is_stopped)) {
        b->xdp.dp->class->flow_flush(b->xdp.dp);
    }
    rcu_offline();
    rcu_barrier_all();
    rcu_online();
    pthread_mutex_lock(&b->settled_mutex);
    list_splice(&b->settled, &r->settling);
    pthread_mutex_unlock(&b->settled_mutex);
    loop_wake_signal(&b->settled_wake);
}

static void
pass(struct revalidator *r, bool all)
{
    if (all) {
        begin_to_settle(r);
    }
    renew_stale(r);
    if (all) {
        sweep(r);
        end_to_settle(r);
    }
    plan(r, all);
    pthread_mutex_lock(&r->mutex);
    r->is_passing = false;
    if (all) {
        r->n_ended = r->n_begun;
        r->known = r->now;
        if (r->was_asked) {
            r->was_asked = false;
            loop_wake_signal(&r->backer->swept);
        }
    }
    pthread_cond_broadcast(&r->done);
    pthread_mutex_unlock(&r->mutex);
}

static void *
run(void *r_)
{
    struct revalidator *r = r_;
    bool go, all;

    pthread_setname_np(pthread_self(), "revalidator1");
    log_set_thread_name("revalidator1");
    rcu_thread_register();
    xlate_out_init(&r->out);
    clock_gettime(CLOCK_MONOTONIC, &r->next_sweep);
    do {
        rcu_offline();
        go = wait_for_work(r, &all);
        rcu_online();
        if (go) {
            pass(r, all);
        }
    } while (go);
    xlate_out_uninit(&r->out);
    rcu_thread_unregister();
    return NULL;
}

struct revalidator *
revalidator_create(struct backer *b)
{
    struct revalidator *r = xzalloc_cacheline(sizeof *r);
    pthread_condattr_t attr;

    r->backer = b;
    r->figures.limit = ofproto_settings.flow_limit;
    list_init(&r->unsettled);
    list_init(&r->settling);
    pthread_mutex_init(&r->mutex, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&r->wake, &attr);
    pthread_cond_init(&r->done, &attr);
    pthread_condattr_destroy(&attr);
    if (pthread_create(&r->thread, NULL, run, r)) {
        out_of_memory();
    }
    return r;
}

void
revalidator_destroy(struct revalidator *r, struct list *left)
{
    pthread_mutex_lock(&r->mutex);
    r->stop = true;
    pthread_cond_broadcast(&r->wake);
    pthread_mutex_unlock(&r->mutex);
    rcu_offline();
    pthread_join(r->thread, NULL);
    rcu_online();
    pthread_cond_destroy(&r->wake);
    pthread_cond_destroy(&r->done);
    pthread_mutex_destroy(&r->mutex);
    list_splice(left, &r->settling);
    list_splice(left, &r->unsettled);
    free(r);
}

void
revalidator_settle(struct revalidator *r, struct unpublished *u)
{
    pthread_mutex_lock(&r->mutex);
    list_push_back(&r->unsettled, &u->node);
    pthread_mutex_unlock(&r->mutex);
}

void
revalidator_wake(struct revalidator *r)
{
    if (r && !atomic_exchange(&r->woken, true)) {
        pthread_mutex_lock(&r->mutex);
        pthread_cond_signal(&r->wake);
        pthread_mutex_unlock(&r->mutex);
    }
}

uint64_t
revalidator_ask_pass(struct revalidator *r)
{
    uint64_t pass;

    pthread_mutex_lock(&r->mutex);
    pass = r->n_begun + 1; /* One under way may have missed the change. */
    r->was_asked = true;
    r->urgent = true;
    pthread_cond_signal(&r->wake);
    pthread_mutex_unlock(&r->mutex);
    return pass;
}

void
revalidator_wait(struct revalidator *r)
{
    uint64_t pass = revalidator_ask_pass(r);

    rcu_offline();
    pthread_mutex_lock(&r->mutex);
    while (r->n_ended < pass && !r->paused) {
        pthread_cond_wait(&r->done, &r->mutex);
    }
    pthread_mutex_unlock(&r->mutex);
    rcu_online();
}

bool
revalidator_has_passed(struct revalidator *r, uint64_t pass)
{
    bool has;

    pthread_mutex_lock(&r->mutex);
    has = r->n_ended >= pass || r->paused;
    pthread_mutex_unlock(&r->mutex);
    return has;
}

void
revalidator_pause(struct revalidator *r, bool pause)
{
    rcu_offline();
    pthread_mutex_lock(&r->mutex);
    r->paused = pause;
    pthread_cond_broadcast(&r->wake);
    pthread_cond_broadcast(&r->done);
    while (pause && r->is_passing) {
        pthread_cond_wait(&r->done, &r->mutex);
    }
    pthread_mutex_unlock(&r->mutex);
    if (pause) {
        loop_wake_signal(&r->backer->swept); /* For who waits for a pass. */
    }
    rcu_online();
}

int64_t
revalidator_known(struct revalidator *r)
{
    int64_t known;

    pthread_mutex_lock(&r->mutex);
    known = r->paused ? INT64_MAX : r->known;
    pthread_mutex_unlock(&r->mutex);
    return known;
}

void
revalidator_ask(struct revalidator *r)
{
    pthread_mutex_lock(&r->mutex);
    r->was_asked = true;
    r->urgent = true;
    pthread_cond_signal(&r->wake);
    pthread_mutex_unlock(&r->mutex);
}

void
revalidator_get_figures(const struct revalidator *r_, struct revalidator_figures *f)
{
    struct revalidator *r = (struct revalidator *) r_;

    pthread_mutex_lock(&r->mutex);
    *f = r->figures;
    pthread_mutex_unlock(&r->mutex);
}
