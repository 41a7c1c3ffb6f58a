/* Revalidation: one thread per datapath walks the megaflows, credits their packets, and retranslates those that a
 * change
 * has made stale. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "ofproto/megaflow.h"
#include "ofproto/xlate/xlate.h"
#include "sys/log.h"

LOG_MODULE(ofproto_dpif_revalidate)

enum { MIN_INTERVAL_MS = 10 };

struct revalidator {
    struct backer *backer;
    pthread_t thread;
    pthread_mutex_t mutex; /* Guards all below. */
    pthread_cond_t wake;   /* For the thread. */
    pthread_cond_t done;   /* A pass has ended. */
    bool stop, paused;
    bool urgent;           /* Somebody waits for a pass. */
    _Atomic bool woken;    /* Something changed; also set without the mutex. */
    uint64_t n_begun, n_ended;  /* Passes. */
    struct revalidator_figures figures;

    _Atomic uint64_t settled_seq; /* backer->change_seq as of the beginning of the last complete pass. */
    struct timespec last_begun; /* The thread's own, like all that follows. */

    /* The pass's own. */
    struct xlate_out out;
    uint64_t seq;
    uint64_t n_seen;
    int64_t now;
    int64_t max_idle;
};

/* Translates the key anew.  False if nothing in the bridge has that port any more. */
static bool
retranslate(struct revalidator *r, const struct flow *key)
{
    struct xport *in = xdp_port_rcu(&r->backer->xdp, ODP_PORT(be32_to_cpu(key->in_port)));
    struct flow flow = *key;
    struct xlate_in xin;

    if (!in) {
        return false;
    }
    flow.in_port = cpu_to_be32(ofp_to_u32(in->ofp_port));
    xin = (struct xlate_in) {
        .bridge = in->bridge, .flow = &flow, .tables_version = atomic_load(&in->bridge->tables_version),
    };
    xlate_out_clear(&r->out);
    xlate(&xin, &r->out);
    return r->out.may_install && !r->out.slow;
}

/* Whether the megaflow may stay as it is, or (with the new actions put in) can be made to. */
static bool
still_right(struct revalidator *r, struct dp_flow *f, const struct flow *key, const struct flow *mask)
{
    const struct datapath_class *class = r->backer->xdp.dp->class;
    const void *actions;
    size_t len;

    if (!retranslate(r, key)) {
        return false;
    }
    if (!flow_mask_is_subset(&r->out.wc, mask)) {
        return false; /* It is too wide now. */
    }
    actions = class->flow_actions(f, &len);
    return len == r->out.actions.len && (!len || !memcmp(actions, r->out.actions.data, len));
}

static bool
visit(void *r_, struct dp_flow *f)
{
    struct revalidator *r = r_;
    struct datapath *dp = r->backer->xdp.dp;
    struct megaflow *m = dp->class->flow_owner(f);
    struct dp_flow_stats stats;
    struct flow key, mask;
    bool keep = true;

    r->n_seen++;
    if (!m) {
        return true; /* Put in by hand (dpctl/add-flow). */
    }
    dp->class->flow_get(f, &key, &mask, &stats);
    pthread_mutex_lock(&m->mutex);
    megaflow_push(m, &stats);
    if (r->now - MAX(stats.used, m->created) > r->max_idle) {
        keep = false;
    } else if (m->seq != r->seq) {
        keep = still_right(r, f, &key, &mask);
        if (keep) {
            megaflow_update(m, &r->out, r->seq);
        }
    }
    pthread_mutex_unlock(&m->mutex);
    if (!keep) {
        dp->class->flow_del(dp, f, NULL);
    }
    return true;
}

static void
pass(struct revalidator *r)
{
    struct datapath *dp = r->backer->xdp.dp;
    int64_t start = clock_real_us();
    struct dp_stats stats;

    dp->class->get_stats(dp, &stats);
    r->seq = atomic_load(&r->backer->change_seq);
    r->now = clock_now_ms();
    r->max_idle = stats.n_flows > ofproto_settings.flow_limit ? 100 : ofproto_settings.max_idle_ms;
    r->n_seen = 0;
    dp->class->flow_for_each(dp, visit, r);
    if (stats.n_flows > 2 * (uint64_t) ofproto_settings.flow_limit) {
        dp->class->flow_flush(dp);
    }
    pthread_mutex_lock(&r->mutex);
    r->figures.n_flows = r->n_seen;
    r->figures.max_flows = MAX(r->figures.max_flows, r->n_seen);
    r->figures.avg_flows = (r->figures.avg_flows + r->n_seen) / 2;
    r->figures.limit = ofproto_settings.flow_limit;
    r->figures.dump_ms = (clock_real_us() - start) / 1000;
    r->figures.n_keys = r->n_seen;
    pthread_mutex_unlock(&r->mutex);
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

/* Sleeps until the next pass is due: at once after a change (but not sooner than MIN_INTERVAL_MS after the last pass
 * began, so that a hundred thousand changes in a row cost a few passes), else after max_revalidator_ms. */
static bool
wait_for_work(struct revalidator *r)
{
    struct timespec now, soonest, latest;
    bool go;

    clock_gettime(CLOCK_MONOTONIC, &now);
    soonest = after_ms(&r->last_begun, MIN_INTERVAL_MS);
    latest = after_ms(&now, ofproto_settings.max_revalidator_ms);
    pthread_mutex_lock(&r->mutex);
    for (int status = 0; !r->stop && !r->urgent;) {
        if (r->paused) {
            pthread_cond_wait(&r->wake, &r->mutex);
        } else if (status != ETIMEDOUT) {
            bool woken = atomic_load(&r->woken);

            status = pthread_cond_timedwait(&r->wake, &r->mutex, woken ? &soonest : &latest);
        } else {
            break;
        }
    }
    go = !r->stop;
    r->urgent = false;
    atomic_store(&r->woken, false);
    r->n_begun++;
    pthread_mutex_unlock(&r->mutex);
    clock_gettime(CLOCK_MONOTONIC, &r->last_begun);
    return go;
}

static void *
run(void *r_)
{
    struct revalidator *r = r_;

    log_set_thread_name("revalidator1");
    rcu_thread_register();
    xlate_out_init(&r->out);
    for (;;) {
        bool go;

        rcu_offline();
        go = wait_for_work(r);
        rcu_online();
        if (!go) {
            break;
        }
        pass(r);
        pthread_mutex_lock(&r->mutex);
        r->n_ended = r->n_begun;
        atomic_store(&r->settled_seq, r->seq);
        pthread_cond_broadcast(&r->done);
        pthread_mutex_unlock(&r->mutex);
    }
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
revalidator_destroy(struct revalidator *r)
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
    free(r);
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

void
revalidator_wait(struct revalidator *r)
{
    revalidator_wait_ms(r, UINT_MAX);
}

void
revalidator_wait_ms(struct revalidator *r, unsigned int ms)
{
    struct timespec now, until;
    uint64_t want;
    int status = 0;

    clock_gettime(CLOCK_MONOTONIC, &now);
    until = after_ms(&now, ms);
    rcu_offline();
    pthread_mutex_lock(&r->mutex);
    /* A pass under way may have missed the change: the next one counts. */
    want = r->n_begun + 1;
    r->urgent = true;
    pthread_cond_signal(&r->wake);
    while (r->n_ended < want && !r->paused && status != ETIMEDOUT) {
        status = ms == UINT_MAX ? pthread_cond_wait(&r->done, &r->mutex)
                                : pthread_cond_timedwait(&r->done, &r->mutex, &until);
    }
    pthread_mutex_unlock(&r->mutex);
    rcu_online();
}

void
revalidator_pause(struct revalidator *r, bool pause)
{
    pthread_mutex_lock(&r->mutex);
    r->paused = pause;
    pthread_cond_broadcast(&r->wake);
    pthread_cond_broadcast(&r->done);
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

bool
revalidator_is_settled(const struct revalidator *r)
{
    return atomic_load(&r->settled_seq) == atomic_load(&r->backer->change_seq);
}
