#include "datapath/user/offload.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/num.h"
#include "datapath/user/op.h"
#include "datapath/user/worker.h"
#include "netdev/netdev.h"
#include "netdev/rules.h"
#include "sys/clock.h"
#include "sys/counter.h"
#include "sys/log.h"
#include "sys/signals.h"

LOG_MODULE(netdev_offload)

/* Megaflows that stayed in software since they cannot be said in a rule; since a device took no rule for them; since
 * all marks were in use. */
COUNTER(offload_not_sayable)
COUNTER(offload_refused)
COUNTER(offload_no_mark)

enum { MIN_MARKS = 256 };

/* --- What there is --- */

/* Latencies: sums for all, and moving ones. */
struct latency {
    uint64_t n;
    double mean, squares, recent_mean, recent_variance;
};

struct offload_thread {
    struct offload *o;
    pthread_t thread;
    pthread_cond_t wake;
    struct list queue;          /* struct offloaded.node */
    size_t n_queued, n_rules;
    struct list drops;          /* struct offloaded.drop_node: those to ask for counters.  The thread's. */
    int64_t next_count;         /* ms. */
    struct latency latency;
};

/* Everything in here, and in ports and notes, is under the mutex, but for what is marked otherwise. */
struct offload {
    struct megaflow_table *flows;
    pthread_mutex_t mutex;      /* Inside the table's. */
    struct list ports;
    bool stop;
    unsigned int n_threads;
    struct offload_thread threads[OFFLOAD_MAX_THREADS];
};

struct retired_mark {
    uint32_t mark;
    int64_t when; /* ms; 0: it was never the device's. */
};

struct offload_port {
    struct offload *o;
    struct list node;
    struct netdev *netdev;
    const struct netdev_rules_class *rules;
    be32 in_port;
    marks_ptr *published;       /* Written here alone. */
    struct marks *marks;        /* What is published. */
    uint32_t n_fresh;           /* Marks up to this have been given out. */
    struct retired_mark *retired; /* A ring, oldest first. */
    size_t first_retired, n_retired, retired_size;
    unsigned int n_refs;        /* Notes, and the port itself. */
    unsigned int n_calls;       /* Under way to the device. */
    pthread_cond_t no_calls;
    _Atomic bool is_closed;     /* Its rules are gone. */
    bool refuses_all;
    bool is_paused;             /* What it has had is withdrawn, and it is offered nothing. */
    bool has_had_rules;         /* There is something to flush. */
    bool needs_walk;            /* For the megaflows that are there already. */
};

/* A note about a megaflow, while that is there or its rule is. */
struct offloaded {
    struct list node;           /* Of the thread's queue; linked to itself: not in it. */
    struct list drop_node;
    struct offload_port *port;  /* Referenced. */
    struct offload_thread *thread;
    struct dp_flow *flow;       /* Null: it is gone. */
    int64_t queued_us;          /* clock_real_us(). */
    bool drops;                 /* The megaflow's actions. */
    bool is_no_drop;            /* The device does not drop for it. */
    bool was_paused;            /* Its port, when it was last looked at. */
    uint32_t mark;              /* Of the rule; 0: none. */
    struct netdev_rule *rule;   /* Null: none. */
    _Atomic enum dp_offloaded state; /* What the rule does. */
    uint64_t n_packets, n_bytes; /* That the rule has counted. */
};

/* --- Marks --- */

static void
grow_marks(struct offload_port *p, uint32_t n)
{
    struct marks *old = p->marks, *new = xzalloc(sizeof *new + n * sizeof new->flows[0]);

    new->n = n;
    for (uint32_t i = 0; old && i < old->n; i++) {
        atomic_init(&new->flows[i], atomic_load_explicit(&old->flows[i], memory_order_relaxed));
    }
    p->marks = new;
    rcu_set(p->published, new);
    if (old) {
        rcu_defer(free, old);
    }
}

/* 0: there is none. */
static uint32_t
take_mark(struct offload_port *p)
{
    const struct retired_mark *oldest = &p->retired[p->first_retired];

    if (p->n_retired && (!oldest->when || clock_now_ms() - oldest->when >= OFFLOAD_QUARANTINE_MS)) {
        uint32_t mark = oldest->mark;

        p->first_retired = (p->first_retired + 1) % p->retired_size;
        p->n_retired--;
        return mark;
    }
    return p->n_fresh < NETDEV_RULE_MAX_MARK ? ++p->n_fresh : 0;
}

static void
grow_retired(struct offload_port *p)
{
    size_t size = MAX(2 * p->retired_size, MIN_MARKS);
    struct retired_mark *new = xcalloc(size, sizeof *new);

    for (size_t i = 0; i < p->n_retired; i++) {
        new[i] = p->retired[(p->first_retired + i) % p->retired_size];
    }
    free(p->retired);
    p->retired = new;
    p->retired_size = size;
    p->first_retired = 0;
}

/* 'is_used': packets may bear it still. */
static void
give_mark_back(struct offload_port *p, uint32_t mark, bool is_used)
{
    if (p->n_retired == p->retired_size) {
        grow_retired(p);
    }
    if (is_used) {
        p->retired[(p->first_retired + p->n_retired) % p->retired_size]
            = (struct retired_mark) { mark, clock_now_ms() };
    } else {
        p->first_retired = (p->first_retired + p->retired_size - 1) % p->retired_size;
        p->retired[p->first_retired] = (struct retired_mark) { mark, 0 };
    }
    p->n_retired++;
}

static void
publish_mark(struct offload_port *p, uint32_t mark, struct dp_flow *f)
{
    if (!p->marks || mark >= p->marks->n) {
        grow_marks(p, MAX(MIN_MARKS, 2 * (mark + 1)));
    }
    atomic_store_explicit(&p->marks->flows[mark], f, memory_order_release);
}

/* From now on nobody who receives finds a megaflow by it. */
static void
hide_mark(struct offload_port *p, uint32_t mark)
{
    if (mark && p->marks && mark < p->marks->n) {
        atomic_store_explicit(&p->marks->flows[mark], NULL, memory_order_release);
    }
}

/* --- Notes --- */

static void
push(struct offloaded *e)
{
    if (list_is_empty(&e->node)) {
        e->queued_us = clock_real_us();
        list_push_back(&e->thread->queue, &e->node);
        e->thread->n_queued++;
        pthread_cond_signal(&e->thread->wake);
    }
}

static void
free_port(void *port)
{
    struct offload_port *p = port;

    pthread_cond_destroy(&p->no_calls);
    free(p->retired);
    free(p);
}

static void
port_unref(struct offload_port *p)
{
    if (!--p->n_refs) {
        rcu_defer(free_port, p); /* Somebody may be looking whether it is closed. */
    }
}

static bool
has_drop_for_actions(const struct dp_flow *f)
{
    const struct program *p = rcu_get(&((struct dp_flow *) f)->program);

    return !p->main.n;
}

/* The port of a packet's key that may still be offered something. */
static struct offload_port *
find_port(const struct offload *o, be32 in_port)
{
    LIST_FOR_EACH (p, struct offload_port, node, &o->ports) {
        if (p->in_port == in_port) {
            return p->refuses_all || p->is_paused ? NULL : p;
        }
    }
    return NULL;
}

static const struct flow *
base_of(const struct dp_flow *f)
{
    return (const struct flow *) f->key; /* Every mask has that line, and so has every key. */
}

void
offload_flow_put(struct offload *o, struct dp_flow *f)
{
    const struct flow *base = base_of(f);
    struct offload_port *p;

    if (base->recirc_id) {
        return;
    }
    pthread_mutex_lock(&o->mutex);
    p = find_port(o, base->in_port);
    if (p) {
        struct offloaded *e = xzalloc(sizeof *e);

        list_init(&e->node);
        list_init(&e->drop_node);
        e->port = p;
        p->n_refs++;
        e->thread = &o->threads[f->hash % o->n_threads];
        e->flow = f;
        e->drops = has_drop_for_actions(f);
        atomic_store(&f->offload, e);
        push(e);
    }
    pthread_mutex_unlock(&o->mutex);
}

void
offload_flow_changed(struct dp_flow *f)
{
    struct offloaded *e = atomic_load(&f->offload);
    bool drops = has_drop_for_actions(f);

    pthread_mutex_lock(&e->port->o->mutex);
    if (e->drops != drops) {
        e->drops = drops;
        e->is_no_drop = false;
        push(e);
    }
    pthread_mutex_unlock(&e->port->o->mutex);
}

void
offload_flow_gone(struct dp_flow *f)
{
    struct offloaded *e = atomic_load(&f->offload);
    struct offload *o = e->port->o;

    pthread_mutex_lock(&o->mutex);
    e->flow = NULL;
    hide_mark(e->port, e->mark);
    atomic_store(&f->offload, NULL);
    push(e);
    pthread_mutex_unlock(&o->mutex);
}

enum dp_offloaded
offload_flow_state_rcu(const struct dp_flow *f)
{
    struct offloaded *e = atomic_load(&((struct dp_flow *) f)->offload);

    return e && !atomic_load(&e->port->is_closed) ? atomic_load(&e->state) : DP_NOT_OFFLOADED;
}

/* --- What a thread does, with the mutex but while it waits for the device --- */

static void
begin_call(struct offload_port *p)
{
    p->n_calls++;
    pthread_mutex_unlock(&p->o->mutex);
    rcu_offline();
}

static void
end_call(struct offload_port *p)
{
    rcu_online();
    pthread_mutex_lock(&p->o->mutex);
    if (!--p->n_calls) {
        pthread_cond_broadcast(&p->no_calls);
    }
}

static void
forget_rule(struct offloaded *e)
{
    if (e->mark) {
        give_mark_back(e->port, e->mark, true);
    }
    e->mark = 0;
    e->rule = NULL;
    e->n_packets = e->n_bytes = 0;
    atomic_store(&e->state, DP_NOT_OFFLOADED);
    list_remove(&e->drop_node);
    list_init(&e->drop_node);
    e->thread->n_rules--;
}

static void
withdraw(struct offloaded *e)
{
    struct offload_port *p = e->port;

    hide_mark(p, e->mark);
    begin_call(p);
    p->rules->del(p->netdev, e->rule);
    end_call(p);
    forget_rule(e);
}

static void
take_refusal(struct offloaded *e, enum dp_offloaded wanted, int error)
{
    struct offload_port *p = e->port;

    if (error == -ENOSYS) {
        p->refuses_all = true; /* It has no rules at all. */
    }
    if (wanted == DP_OFFLOADED) {
        e->is_no_drop = true;
        push(e); /* Its packets may still be marked. */
    } else if (error == -EDOM) {
        counter_inc(offload_not_sayable);
    } else {
        counter_inc(offload_refused);
    }
}

/* The megaflow may go meanwhile. */
static void
offer(struct offloaded *e, enum dp_offloaded wanted)
{
    uint32_t mark = wanted == DP_OFFLOADED ? NETDEV_RULE_DROP : take_mark(e->port);
    struct offload_port *p = e->port;
    struct netdev_rule *rule;
    struct flow key, mask;
    int error;

    if (wanted != DP_OFFLOADED && !mark) {
        counter_inc(offload_no_mark);
        return;
    }
    megaflow_get_key(e->flow, &key);
    mask = e->flow->tuple->mask;
    begin_call(p);
    error = p->rules->put(p->netdev, &key, &mask, mark, &rule);
    end_call(p);
    if (error) {
        if (mark) {
            give_mark_back(p, mark, false);
        }
        take_refusal(e, wanted, error);
        return;
    }
    p->has_had_rules = true;
    e->rule = rule;
    e->mark = mark;
    e->thread->n_rules++;
    atomic_store(&e->state, wanted);
    if (wanted == DP_OFFLOADED) {
        list_push_back(&e->thread->drops, &e->drop_node);
    } else if (e->flow && !p->is_closed) {
        publish_mark(p, mark, e->flow);
    }
}

static void
release(struct offloaded *e)
{
    port_unref(e->port);
    rcu_defer(free, e); /* Somebody may be looking at its state. */
}

static void
count_latency(struct latency *l, double us)
{
    const double weight = 1.0 / 16;
    double off = us - l->mean, recent_off = us - l->recent_mean;

    l->n++;
    l->mean += off / l->n;
    l->squares += off * (us - l->mean);
    l->recent_mean = l->n > 1 ? l->recent_mean + weight * recent_off : us;
    l->recent_variance = l->n > 1 ? (1 - weight) * (l->recent_variance + weight * recent_off * recent_off) : 0;
}

/* Brings what the device has to what is wanted. */
static void
process(struct offload_thread *t)
{
    struct offloaded *e = CONTAINER_OF(list_pop_front(&t->queue), struct offloaded, node);
    int64_t since = e->queued_us;
    enum dp_offloaded wanted;

    list_init(&e->node);
    t->n_queued--;
    e->was_paused = e->port->is_paused;
    wanted = !e->flow || e->port->is_closed || e->port->is_paused ? DP_NOT_OFFLOADED
             : e->drops && !e->is_no_drop ? DP_OFFLOADED : DP_PARTLY_OFFLOADED;
    if (e->rule && e->port->is_closed) {
        forget_rule(e); /* It went with the others. */
    } else if (e->rule && atomic_load(&e->state) != wanted) {
        withdraw(e);
    }
    if (!e->rule && wanted != DP_NOT_OFFLOADED && e->flow && !e->port->is_closed && !e->port->refuses_all) {
        offer(e, wanted);
    }
    count_latency(&t->latency, clock_real_us() - since);
    if (!e->flow && !e->rule && list_is_empty(&e->node)) {
        release(e);
    } else if (!e->flow && e->rule) {
        push(e);
    }
}

/* What the device has dropped since the last time. */
static void
count_drops(struct offloaded *e)
{
    struct offload_port *p = e->port;
    uint64_t n_packets, n_bytes;
    int error;

    begin_call(p);
    error = p->rules->count(p->netdev, e->rule, &n_packets, &n_bytes);
    end_call(p);
    if (!error && n_packets > e->n_packets) {
        if (e->flow) {
            megaflow_count(e->flow, MAX_WORKERS, n_packets - e->n_packets, n_bytes - e->n_bytes, 0, clock_now_ms());
        }
        e->n_packets = n_packets;
        e->n_bytes = n_bytes;
    }
}

static void
count_all_drops(struct offload_thread *t)
{
    LIST_FOR_EACH_SAFE (e, struct offloaded, drop_node, &t->drops) {
        if (!e->port->is_closed && e->flow) {
            count_drops(e);
        }
    }
    t->next_count = clock_now_ms() + OFFLOAD_COUNT_MS;
}

static void
wait(struct offload_thread *t)
{
    struct timespec until;

    rcu_offline();
    if (list_is_empty(&t->drops)) {
        pthread_cond_wait(&t->wake, &t->o->mutex);
    } else {
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += OFFLOAD_COUNT_MS / 2 * INT64_C(1000000);
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&t->wake, &t->o->mutex, &until);
    }
    rcu_online();
}

/* Its port has paused or gone on since. */
static void
push_if_turned(struct offloaded *e)
{
    struct offload *o = e->port->o;

    pthread_mutex_lock(&o->mutex);
    if (e->was_paused != e->port->is_paused) {
        push(e);
    }
    pthread_mutex_unlock(&o->mutex);
}

/* A megaflow that was there before its port, or before its port began anew, paused or went on. */
static bool
offer_again(void *o_, struct dp_flow *f)
{
    struct offload *o = o_;
    struct offloaded *e;
    bool has_port;

    pthread_mutex_lock(&o->mutex);
    has_port = find_port(o, base_of(f)->in_port) != NULL;
    pthread_mutex_unlock(&o->mutex);
    if (has_port || atomic_load(&f->offload)) {
        pthread_mutex_lock(&o->flows->mutex);
        e = atomic_load(&f->offload);
        if (e && atomic_load(&e->port->is_closed)) {
            offload_flow_gone(f);
            e = NULL;
        }
        if (e) {
            push_if_turned(e);
        } else if (atomic_load(&f->state) != MEGAFLOW_GONE) {
            offload_flow_put(o, f);
        }
        pthread_mutex_unlock(&o->flows->mutex);
    }
    rcu_quiescent();
    return true;
}

static bool
walk_is_due(struct offload *o)
{
    bool due = false;

    LIST_FOR_EACH (p, struct offload_port, node, &o->ports) {
        due |= p->needs_walk;
        p->needs_walk = false;
    }
    return due;
}

static void *
thread_main(void *t_)
{
    struct offload_thread *t = t_;
    struct offload *o = t->o;

    pthread_setname_np(pthread_self(), "hw_offload");
    rcu_thread_register();
    pthread_mutex_lock(&o->mutex);
    while (!o->stop || !list_is_empty(&t->queue)) {
        if (t == &o->threads[0] && walk_is_due(o)) {
            pthread_mutex_unlock(&o->mutex);
            megaflow_for_each_rcu(o->flows, offer_again, o);
            pthread_mutex_lock(&o->mutex);
        } else if (!list_is_empty(&t->drops) && clock_now_ms() >= t->next_count) {
            count_all_drops(t);
        } else if (!list_is_empty(&t->queue)) {
            process(t);
        } else {
            wait(t);
        }
    }
    pthread_mutex_unlock(&o->mutex);
    rcu_thread_unregister();
    return NULL;
}

/* --- Begin and end --- */

static void
init_cond(pthread_cond_t *c)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(c, &attr);
    pthread_condattr_destroy(&attr);
}

static void
start_thread(struct offload *o)
{
    struct offload_thread *t = &o->threads[o->n_threads];

    t->o = o;
    list_init(&t->queue);
    list_init(&t->drops);
    init_cond(&t->wake);
    if (!signals_thread_create(&t->thread, NULL, thread_main, t)) {
        o->n_threads++;
    } else {
        pthread_cond_destroy(&t->wake);
    }
}

static unsigned int
read_n_threads(const char *text)
{
    uint32_t n;

    if (!text) {
        return 1;
    }
    if (!num_parse_u32(text, 10, &n) || !n || n > OFFLOAD_MAX_THREADS) {
        log_warn("netdev: Invalid number of threads requested: %s", text);
        return 1;
    }
    return n;
}

/* In the reference's words, which say the number where another than the usual one is asked for. */
static void
say_that_it_begins(const struct offload *o, const char *threads)
{
    static bool is_said;

    if (is_said) {
        return; /* Of another datapath. */
    }
    is_said = true;
    if (threads && strcmp(threads, "1")) {
        log_info("netdev: Flow API Enabled, using %u thread%s", o->n_threads, o->n_threads > 1 ? "s" : "");
    } else {
        log_info("netdev: Flow API Enabled");
    }
}

struct offload *
offload_create(struct megaflow_table *flows, const char *threads)
{
    struct offload *o = xzalloc(sizeof *o);
    unsigned int n_threads = read_n_threads(threads);

    o->flows = flows;
    pthread_mutex_init(&o->mutex, NULL);
    list_init(&o->ports);
    pthread_mutex_lock(&o->mutex); /* They begin when there are as many as there will be. */
    for (unsigned int i = 0; i < n_threads; i++) {
        start_thread(o);
    }
    pthread_mutex_unlock(&o->mutex);
    if (!o->n_threads) {
        log_err("no thread can be started: nothing is offloaded");
        pthread_mutex_destroy(&o->mutex);
        free(o);
        return NULL;
    }
    say_that_it_begins(o, threads);
    pthread_mutex_lock(&flows->mutex);
    flows->offload = o;
    pthread_mutex_unlock(&flows->mutex);
    return o;
}

void
offload_destroy(struct offload *o)
{
    pthread_mutex_lock(&o->mutex);
    o->stop = true;
    for (unsigned int i = 0; i < o->n_threads; i++) {
        pthread_cond_signal(&o->threads[i].wake);
    }
    pthread_mutex_unlock(&o->mutex);
    rcu_offline();
    for (unsigned int i = 0; i < o->n_threads; i++) {
        pthread_join(o->threads[i].thread, NULL);
        pthread_cond_destroy(&o->threads[i].wake);
    }
    rcu_online();
    pthread_mutex_destroy(&o->mutex);
    free(o);
}

struct offload_port *
offload_port_open(struct offload *o, struct netdev *netdev, be32 in_port, marks_ptr *published)
{
    const struct netdev_rules_class *rules = netdev->class->rules;
    struct offload_port *p;

    if (!rules || !rules->is_possible(netdev)) {
        return NULL;
    }
    p = xzalloc(sizeof *p);
    p->o = o;
    p->netdev = netdev;
    p->rules = rules;
    p->in_port = in_port;
    p->published = published;
    p->n_refs = 1;
    p->needs_walk = true;
    init_cond(&p->no_calls);
    grow_retired(p);
    log_info("%s: Assigned flow API '%s_flow_api'.", netdev->name, rules->provider);
    pthread_mutex_lock(&o->mutex);
    list_push_back(&o->ports, &p->node);
    pthread_cond_signal(&o->threads[0].wake);
    pthread_mutex_unlock(&o->mutex);
    return p;
}

void
offload_port_close(struct offload_port *p)
{
    struct offload *o = p ? p->o : NULL;
    bool has_had_rules;

    if (!p) {
        return;
    }
    pthread_mutex_lock(&o->mutex);
    list_remove(&p->node);
    atomic_store(&p->is_closed, true); /* Nobody calls the device from now on. */
    rcu_set(p->published, NULL);
    rcu_offline();
    while (p->n_calls) {
        pthread_cond_wait(&p->no_calls, &o->mutex);
    }
    rcu_online();
    if (p->marks) {
        rcu_defer(free, p->marks);
        p->marks = NULL;
    }
    has_had_rules = p->has_had_rules;
    pthread_mutex_unlock(&o->mutex);
    if (has_had_rules) {
        p->rules->flush(p->netdev);
    }
    pthread_mutex_lock(&o->mutex);
    port_unref(p);
    pthread_mutex_unlock(&o->mutex);
}

void
offload_port_set_paused(struct offload_port *p, bool is_paused)
{
    struct offload *o = p->o;

    pthread_mutex_lock(&o->mutex);
    if (p->is_paused != is_paused) {
        p->is_paused = is_paused;
        p->needs_walk = true;
        pthread_cond_signal(&o->threads[0].wake);
    }
    pthread_mutex_unlock(&o->mutex);
}

/* --- Figures --- */

unsigned int
offload_n_threads(const struct offload *o)
{
    return o->n_threads;
}

void
offload_get_figures(struct offload *o, unsigned int thread, struct dp_offload_figures *f)
{
    const struct offload_thread *t = &o->threads[thread];
    const struct latency *l = &t->latency;

    pthread_mutex_lock(&o->mutex);
    *f = (struct dp_offload_figures) {
        .n_queued = t->n_queued, .n_rules = t->n_rules, .mean_us = l->mean,
        .deviation_us = l->n ? sqrt(l->squares / l->n) : 0,
        .recent_mean_us = l->recent_mean, .recent_deviation_us = sqrt(l->recent_variance),
    };
    pthread_mutex_unlock(&o->mutex);
}
