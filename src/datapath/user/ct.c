#include "datapath/user/ct.h"

#include <limits.h>
#include <string.h>
#include <time.h>

#include "base/num.h"
#include "conntrack/ipf.h"
#include "datapath/user/burst.h"
#include "datapath/user/dp.h"
#include "sys/clock.h"
#include "sys/signals.h"

/* Compiling. */

static bool
has_size(const struct odp_attr *a, size_t size, struct error **error)
{
    if (odp_attr_size(a) != size && !*error) {
        *error = error_new("attribute %d of a ct action has %zu bytes instead of %zu", a->type, odp_attr_size(a), size);
    }
    return !*error;
}

static bool
read_address(const struct odp_attr *a, struct ct_nat *nat, struct ipv6_addr *to)
{
    uint8_t mapped[16] = { [10] = 0xff, [11] = 0xff };

    nat->has_address = true;
    nat->is_v6 = odp_attr_size(a) == 16;
    if (odp_attr_size(a) == 4) {
        memcpy(mapped + 12, odp_attr_data(a), 4);
        memcpy(to, mapped, sizeof *to);
    } else if (nat->is_v6) {
        memcpy(to, odp_attr_data(a), sizeof *to);
    } else {
        return false;
    }
    return true;
}

static void
compile_nat(const struct odp_attr *nat_attr, struct ct_nat *nat, struct error **error)
{
    bool has_max = false, ok = true;

    ODP_FOR_EACH (a, odp_attr_data(nat_attr), odp_attr_size(nat_attr)) {
        switch ((enum odp_nat_attr) a->type) {
        case ODP_NAT_SRC: nat->flags |= CT_NAT_SRC; break;
        case ODP_NAT_DST: nat->flags |= CT_NAT_DST; break;
        case ODP_NAT_PERSISTENT: nat->flags |= CT_NAT_PERSISTENT; break;
        case ODP_NAT_PROTO_HASH: nat->flags |= CT_NAT_HASH; break;
        case ODP_NAT_PROTO_RANDOM: nat->flags |= CT_NAT_RANDOM; break;
        case ODP_NAT_IP_MIN: ok = ok && read_address(a, nat, &nat->min); break;
        case ODP_NAT_IP_MAX:
            ok = ok && read_address(a, nat, &nat->max);
            has_max = true;
            break;
        case ODP_NAT_PROTO_MIN:
            if (has_size(a, 2, error)) {
                memcpy(&nat->port_min, odp_attr_data(a), 2);
            }
            break;
        case ODP_NAT_PROTO_MAX:
            if (has_size(a, 2, error)) {
                memcpy(&nat->port_max, odp_attr_data(a), 2);
            }
            break;
        default: ok = false; break;
        }
    }
    nat->max = has_max ? nat->max : nat->min;
    nat->port_max = nat->port_max ? nat->port_max : nat->port_min;
    if (!ok || (nat->flags & (CT_NAT_SRC | CT_NAT_DST)) == (CT_NAT_SRC | CT_NAT_DST)
        || memcmp(&nat->min, &nat->max, sizeof nat->min) > 0 || nat->port_min > nat->port_max) {
        *error = *error ? *error : error_new("a ct action with a malformed nat attribute");
    }
}

static const char *
read_string(const struct odp_attr *a, struct error **error)
{
    const char *s = odp_attr_data(a);

    if (!odp_attr_size(a) || s[odp_attr_size(a) - 1]) {
        *error = *error ? *error : error_new("attribute %d of a ct action is not a string", a->type);
        return "";
    }
    return s;
}

static void
compile_helper(const char *name, struct ct_action *c, struct error **error)
{
    for (int i = 1; i < CT_N_HELPERS; i++) {
        if (!strcmp(name, ct_helper_names[i])) {
            c->helper = i;
            return;
        }
    }
    *error = *error ? *error : error_new("no such helper: '%s'", name);
}

static void
compile_policy(const char *name, struct ct_action *c, struct error **error)
{
    c->has_policy = num_parse_u32(name, 10, &c->policy);
    if (!c->has_policy) {
        *error = *error ? *error : error_new("no such timeout policy: '%s'", name);
    }
}

static void
compile_attr(const struct odp_attr *a, struct ct_action *c, struct error **error)
{
    switch ((enum odp_ct_attr) a->type) {
    case ODP_CT_FORCE_COMMIT: c->force = true; FALLTHROUGH;
    case ODP_CT_COMMIT: c->commit = true; break;
    case ODP_CT_ZONE:
        if (has_size(a, 2, error)) {
            memcpy(&c->zone, odp_attr_data(a), 2);
        }
        break;
    case ODP_CT_MARK:
        if (has_size(a, 8, error)) {
            memcpy(&c->mark, odp_attr_data(a), 4);
            memcpy(&c->mark_mask, (const char *) odp_attr_data(a) + 4, 4);
        }
        break;
    case ODP_CT_LABELS:
        if (has_size(a, 32, error)) {
            memcpy(c->label, odp_attr_data(a), 16);
            memcpy(c->label_mask, (const char *) odp_attr_data(a) + 16, 16);
        }
        break;
    case ODP_CT_HELPER: compile_helper(read_string(a, error), c, error); break;
    case ODP_CT_TIMEOUT: compile_policy(read_string(a, error), c, error); break;
    case ODP_CT_NAT:
        c->has_nat = true;
        compile_nat(a, &c->nat, error);
        break;
    case ODP_CT_EVENTMASK: break; /* Nobody listens for events here. */
    default: *error = *error ? *error : error_new("a ct action with attribute %d is not supported", a->type); break;
    }
}

struct error *
ct_op_compile(const struct odp_attr *ct, struct ct_action *c)
{
    struct error *error = NULL;

    memset(c, 0, sizeof *c);
    ODP_FOR_EACH (a, odp_attr_data(ct), odp_attr_size(ct)) {
        compile_attr(a, c, &error);
    }
    return error;
}

/* Carrying out. */

static void
run_released(struct worker *w, struct list *released, const struct exec *x, const struct program *p,
             const struct op *op, const struct op *end)
{
    while (!list_is_empty(released)) {
        struct ct_fragment *f = CONTAINER_OF(list_pop_front(released), struct ct_fragment, node);
        struct exec inner = { f->packet, &f->key, &f->lines, f->offsets, x->cut, x->depth, false };

        f->packet = NULL;
        exec_rest_rcu(w, &inner, p, op, end);
        ct_fragment_free(f);
    }
}

static bool
run_fragment(struct worker *w, struct exec *x, const struct program *p, const struct op *op, const struct op *end)
{
    struct ct_packet k = { x->packet, x->key, x->lines, &x->offsets, false };
    struct list released = LIST_INIT(&released);

    conntrack_fragment_rcu(w->dp->ct, &p->cts[op->number], &k, w->now, &released);
    x->packet = k.packet;
    x->is_parsed = false;
    run_released(w, &released, x, p, op + 1, end);
    return x->packet != NULL;
}

bool
ct_op_run_rcu(struct worker *w, struct exec *x, const struct program *p, const struct op *op, const struct op *end)
{
    struct ct_packet k = { x->packet, x->key, x->lines, &x->offsets, false };

    if (UNLIKELY(conntrack_is_fragment(x->key))) {
        return run_fragment(w, x, p, op, end);
    }
    conntrack_run_rcu(w->dp->ct, &p->cts[op->number], &k, 1, w->now);
    x->packet = k.packet;
    x->is_parsed &= !k.is_changed;
    if (!x->packet) {
        worker_lost(w, DP_DROP_NO_MEMORY, x->key);
    }
    return x->packet != NULL;
}

uint32_t
ct_op_run_burst_rcu(struct worker *w, struct burst *b, const struct ct_action *a, const uint8_t *index, unsigned int n)
{
    struct ct_packet packets[BURST];
    burst_mask changed = 0;

    for (unsigned int k = 0; k < n; k++) {
        unsigned int i = index[k];

        packets[k] = (struct ct_packet) { b->packets[i], &b->keys[i], &b->lines[i], &b->offsets[i], false };
    }
    conntrack_run_rcu(w->dp->ct, a, packets, n, w->now);
    for (unsigned int k = 0; k < n; k++) {
        b->packets[index[k]] = packets[k].packet;
        changed |= (burst_mask) packets[k].is_changed << index[k];
        if (!packets[k].packet) {
            worker_lost(w, DP_DROP_NO_MEMORY, packets[k].key);
        }
    }
    return changed;
}
_Static_assert((int) BURST <= (int) CONNTRACK_BURST, "a burst goes through the tracker as one");

/* The clock hand. */

enum { HAND_MS = 100, HAND_IDLE_MS = 1000, HAND_STEP = 256 };

static void
wait_for(struct dp *dp, unsigned int ms)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += ms * INT64_C(1000000);
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    rcu_offline();
    pthread_mutex_lock(&dp->ct_mutex);
    if (!dp->ct_stop) {
        pthread_cond_timedwait(&dp->ct_wake, &dp->ct_mutex, &until);
    }
    pthread_mutex_unlock(&dp->ct_mutex);
    rcu_online();
}

static void *
thread_main(void *dp_)
{
    struct dp *dp = dp_;
    bool stop = false;

    pthread_setname_np(pthread_self(), "ct_clean");
    rcu_thread_register();
    while (!stop) {
        unsigned int n = conntrack_sweep_share(dp->ct, HAND_MS);

        for (unsigned int i = 0; i < n; i += HAND_STEP) {
            conntrack_sweep_rcu(dp->ct, MIN(HAND_STEP, n - i), clock_now_ms());
            rcu_quiescent();
        }
        wait_for(dp, conntrack_is_idle(dp->ct) ? HAND_IDLE_MS : HAND_MS);
        pthread_mutex_lock(&dp->ct_mutex);
        stop = dp->ct_stop;
        pthread_mutex_unlock(&dp->ct_mutex);
    }
    rcu_thread_unregister();
    return NULL;
}

void
ct_thread_start(struct dp *dp)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&dp->ct_wake, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&dp->ct_mutex, NULL);
    dp->ct_has_thread = !signals_thread_create(&dp->ct_thread, NULL, thread_main, dp);
}

void
ct_thread_stop(struct dp *dp)
{
    if (dp->ct_has_thread) {
        pthread_mutex_lock(&dp->ct_mutex);
        dp->ct_stop = true;
        pthread_cond_signal(&dp->ct_wake);
        pthread_mutex_unlock(&dp->ct_mutex);
        rcu_offline();
        pthread_join(dp->ct_thread, NULL);
        rcu_online();
    }
    pthread_cond_destroy(&dp->ct_wake);
    pthread_mutex_destroy(&dp->ct_mutex);
}

struct conntrack *
dp_user_conntrack(struct datapath *up)
{
    struct dp *dp = dp_cast(up);

    if (!dp->has_threads) {
        /* Twice: the hand stops when it is round. */
        conntrack_sweep_rcu(dp->ct, UINT_MAX, clock_now_ms());
        conntrack_sweep_rcu(dp->ct, UINT_MAX, clock_now_ms());
    }
    return dp->ct;
}
