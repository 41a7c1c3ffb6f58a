#include "netdev/tc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netdev/linux.h"
#include "netdev/tc_kind.h"
#include "sys/clock.h"
#include "sys/log.h"

/* As the reference's: who looks for these messages does so there. */
LOG_MODULE(netdev_linux)

enum { DEFAULT_MTU = 1500 };
#define DEFAULT_BPS UINT64_C(10000000000)

/* One device's. */
struct tc {
    struct list node;        /* In 'pending', or in none. */
    struct netdev *netdev;
    struct netdev_qos_config asked;  /* As it came, whether or not it is possible. */
    char *asked_type;                /* Of 'asked'; null: nothing has been asked for. */
    uint32_t asked_mtu;              /* When it was. */
    struct tc_config wanted, has;    /* To be, and what the kernel has as far as 'is_known'. */
    bool is_known, has_root;         /* has_root: there is some discipline, if only that of somebody else. */
    bool was_asked_anew;             /* The kernel had lost it, and was asked; once in each change. */
    bool is_made, has_errors;        /* What is wanted is there; but for some class. */
    size_t at_has, at_wanted;        /* Queues up to there are done. */
    bool is_root_class_done;
    struct tc_queues *queues;        /* As published in 'struct linux_dev', for all kinds of device; or null. */
    /* Counters of all classes, taken at once where more than one is asked for in a turn of the main loop. */
    int64_t asked_in, listed_in;     /* The turns, by their beginning. */
    struct rtnl_class *classes;      /* In order of their handles. */
    size_t n_classes, n_allocated;
};

static struct list pending = LIST_INIT(&pending);
static struct log_limit limit = LOG_LIMIT_INIT(60, 20);

static int
ifindex_of(const struct tc *t)
{
    return linux_dev(t->netdev)->link.ifindex;
}

/* --- Configurations --- */

static void
config_uninit(struct tc_config *c)
{
    free(c->queues);
    *c = (struct tc_config) { .kind = NULL };
}

/* The queues that there can be, and queue 0. */
static void
take_queues(struct tc_config *c, const struct netdev_qos_config *from, const char *name)
{
    size_t n_beyond = 0;

    c->queues = xcalloc(from->n_queues + 1, sizeof *c->queues);
    if (!from->n_queues || from->queues[0].number) {
        c->n_queues++;
    }
    for (size_t i = 0; i < from->n_queues; i++) {
        if (from->queues[i].number < TC_N_QUEUES) {
            struct netdev_queue_config *q = &c->queues[c->n_queues++];

            q->number = from->queues[i].number;
            q->shaping = from->queues[i].shaping;
        } else {
            n_beyond++;
        }
    }
    if (n_beyond) {
        log_warn_rl(&limit, "%s: %zu queues of %d and above are left out, which \"%s\" cannot have", name, n_beyond,
                    TC_N_QUEUES, c->kind->type);
    }
}

static uint64_t
link_bps(const struct netdev *n)
{
    struct netdev_features f;

    return netdev_get_features(n, &f) ? DEFAULT_BPS : netdev_features_to_bps(f.current, DEFAULT_BPS);
}

/* -EINVAL: it makes no sense. */
static int
config_init(struct tc_config *c, const struct netdev_qos_config *from, const struct tc *t)
{
    *c = (struct tc_config) { .kind = tc_kind_find(from->type), .mtu = t->asked_mtu, .shaping = from->shaping };
    if (c->kind->put_class) {
        take_queues(c, from, t->netdev->name);
    }
    return c->kind->complete(c, t->netdev->name, link_bps(t->netdev));
}

static bool
same_shaping(const struct netdev_shaping *a, const struct netdev_shaping *b)
{
    return !memcmp(a, b, sizeof *a);
}

static bool
same_queue(const struct netdev_queue_config *a, const struct netdev_queue_config *b)
{
    return !memcmp(&a->shaping, &b->shaping, sizeof a->shaping);
}

static bool
was_asked(const struct tc *t, const struct netdev_qos_config *c)
{
    if (!t->asked_type || strcmp(t->asked_type, c->type) || !same_shaping(&t->asked.shaping, &c->shaping) ||
        t->asked.n_queues != c->n_queues) {
        return false;
    }
    for (size_t i = 0; i < c->n_queues; i++) {
        if (t->asked.queues[i].number != c->queues[i].number || !same_queue(&t->asked.queues[i], &c->queues[i])) {
            return false;
        }
    }
    return true;
}

static void
remember(struct tc *t, const struct netdev_qos_config *c)
{
    struct netdev_queue_config *queues = xmemdup(c->queues, c->n_queues * sizeof *queues);

    free(t->asked_type);
    free((void *) t->asked.queues);
    t->asked = *c;
    t->asked.type = t->asked_type = xstrdup(c->type);
    t->asked.queues = queues;
}

/* --- Queues, for who sends --- */

struct tc_queue *
tc_find_queue(const struct tc_queues *q, uint32_t number)
{
    size_t low = 0, high = q ? q->n : 0;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (q->queues[middle]->number < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return q && low < q->n && q->queues[low]->number == number ? q->queues[low] : NULL;
}

uint32_t
tc_priority(uint32_t queue)
{
    return rtnl_tc_handle(queue + 1);
}

static void
queue_unref(struct tc_queue *q)
{
    if (atomic_fetch_sub(&q->n_refs, 1) == 1) {
        if (q->fd >= 0) {
            close(q->fd);
        }
        free(q);
    }
}

static void
queues_free(void *q_)
{
    struct tc_queues *q = q_;

    for (size_t i = 0; i < q->n; i++) {
        queue_unref(q->queues[i]);
    }
    free(q);
}

static struct tc_queue *
queue_create(uint32_t number)
{
    struct tc_queue *q = xzalloc(sizeof *q);

    q->number = number;
    q->fd = TC_NO_SOCKET_YET;
    q->n_refs = 1;
    q->created_ms = clock_now_ms();
    return q;
}

/* Those of 'c' (null: none); the ones that there were go on. */
static void
publish_queues(struct tc *t, const struct tc_config *c)
{
    struct linux_dev *d = linux_dev(t->netdev);
    struct tc_queues *old = t->queues, *new = NULL;

    if (c && c->n_queues) {
        new = xzalloc(sizeof *new + c->n_queues * sizeof *new->queues);
        for (; new->n < c->n_queues; new->n++) {
            struct tc_queue *q = tc_find_queue(old, c->queues[new->n].number);

            if (q) {
                atomic_fetch_add(&q->n_refs, 1);
            }
            new->queues[new->n] = q ? q : queue_create(c->queues[new->n].number);
        }
    }
    t->queues = new;
    rcu_set(&d->queues, new);
    if (old) {
        rcu_defer(queues_free, old);
    }
}

/* --- What the kernel has --- */

struct takeover {
    struct tc_config *has;
    size_t n_allocated;
    bool is_ours, has_root_class;
};

/* A class that a daemon before has left; its numbers are not known, so that they are said again. */
static void
take_over_class(void *take_, const struct rtnl_class *c)
{
    const uint32_t parent = rtnl_tc_handle(RTNL_TC_ROOT_CLASS), minor = c->handle & 0xffff;
    struct takeover *take = take_;

    if (c->handle == parent) {
        take->has_root_class = true;
    } else if (c->parent != parent || minor < RTNL_TC_DEFAULT_CLASS || minor > TC_N_QUEUES) {
        take->is_ours &= !minor; /* hfsc lists the discipline itself, too. */
    } else {
        if (take->has->n_queues == take->n_allocated) {
            take->n_allocated = take->n_allocated * 2 + 16;
            take->has->queues = xrealloc(take->has->queues, take->n_allocated * sizeof *take->has->queues);
        }
        take->has->queues[take->has->n_queues++] = (struct netdev_queue_config) { .number = minor - 1 };
    }
}

static int
compare_queues(const void *a_, const void *b_)
{
    const struct netdev_queue_config *a = a_, *b = b_;

    return a->number < b->number ? -1 : a->number > b->number;
}

/* Asks the kernel what there is, and whether it can be gone on with. */
static void
learn(struct tc *t)
{
    struct rtnl_qdisc root;
    struct takeover take = { .has = &t->has, .is_ours = true };
    int error = rtnl_tc_get_root(ifindex_of(t), &root);

    config_uninit(&t->has);
    t->is_known = true;
    t->has_root = error ? error != -ENOENT && t->wanted.kind : root.handle != 0;
    if (error || root.handle != rtnl_tc_handle(0) || root.default_class != RTNL_TC_DEFAULT_CLASS ||
        !t->wanted.kind || !t->wanted.kind->put_class || strcmp(root.kind, t->wanted.kind->name)) {
        return;
    }
    error = rtnl_tc_each_class(ifindex_of(t), take_over_class, &take);
    if (!error && take.is_ours && take.has_root_class) {
        t->has.kind = t->wanted.kind;
        if (t->has.n_queues) {
            qsort(t->has.queues, t->has.n_queues, sizeof *t->has.queues, compare_queues);
        }
    } else {
        config_uninit(&t->has);
    }
}

static void
fail(struct tc *t, int error)
{
    t->is_made = false;
    log_warn_rl(&limit, "%s: Failed to install new qdisc: %s%s%s", t->netdev->name, strerror(-error),
                error == -ENOENT ? ": the kernel has none of the kind " : "",
                error == -ENOENT ? t->wanted.kind->name : "");
}

/* Another discipline, or none. */
static void
change_root(struct tc *t, struct rtnl_tc_batch *b)
{
    const bool had_root = t->has_root;
    int error;

    rtnl_tc_batch_clear(b);
    rtnl_tc_put_del_root(b, ifindex_of(t)); /* Somebody else may have made one meanwhile. */
    if (t->wanted.kind) {
        t->wanted.kind->put_root(b, ifindex_of(t), &t->wanted);
    }
    (void) !rtnl_tc_batch_send(b); /* Each request has the error. */
    if (had_root && b->errors[0] && b->errors[0] != -ENOENT && b->errors[0] != -ENODEV) {
        log_warn_rl(&limit, "%s: failed to remove the qdisc: %s", t->netdev->name, strerror(-b->errors[0]));
    }
    config_uninit(&t->has);
    t->has_root = false;
    error = t->wanted.kind ? b->errors[b->n - 1] : 0;
    if (error) {
        fail(t, error);
        t->is_known = false;
    } else if (t->wanted.kind) {
        t->has_root = true;
        t->has.kind = t->wanted.kind;
        if (!t->wanted.kind->put_class) {
            t->has.shaping = t->wanted.shaping;
        }
    }
}

static bool
needs_other_root(const struct tc *t)
{
    const struct tc_kind *kind = t->wanted.kind;

    return t->has.kind != kind || (!kind && t->has_root) ||
           (kind && !kind->put_class && !same_shaping(&t->has.shaping, &t->wanted.shaping));
}

/* --- Classes --- */

static void
put_class(struct tc *t, struct rtnl_tc_batch *b, const struct netdev_queue_config *q)
{
    t->wanted.kind->put_class(b, ifindex_of(t), &t->wanted, q);
}

/* What a request was about: a queue that is wanted, or that there was; neither: the class of all. */
struct asked {
    const struct netdev_queue_config *wanted, *had;
};

/* Fills the batch with what differs; 'asked' says what each request is about. */
static void
put_differences(struct tc *t, struct rtnl_tc_batch *b, struct asked *asked)
{
    const struct tc_config *has = &t->has, *wanted = &t->wanted;

    rtnl_tc_batch_clear(b);
    if (!t->is_root_class_done) {
        t->is_root_class_done = true;
        if (!same_shaping(&has->shaping, &wanted->shaping) || has->mtu != wanted->mtu) {
            asked[b->n] = (struct asked) { NULL, NULL };
            put_class(t, b, NULL);
        }
    }
    while (!rtnl_tc_batch_is_full(b) && (t->at_has < has->n_queues || t->at_wanted < wanted->n_queues)) {
        const struct netdev_queue_config *h = t->at_has < has->n_queues ? &has->queues[t->at_has] : NULL;
        const struct netdev_queue_config *w = t->at_wanted < wanted->n_queues ? &wanted->queues[t->at_wanted] : NULL;

        if (h && (!w || h->number < w->number)) {
            asked[b->n] = (struct asked) { NULL, h };
            rtnl_tc_put_del_class(b, ifindex_of(t), h->number + 1);
            t->at_has++;
            continue;
        }
        t->at_wanted++;
        if (h && h->number == w->number) {
            t->at_has++;
            if (same_queue(h, w) && has->mtu == wanted->mtu) {
                continue;
            }
        }
        asked[b->n] = (struct asked) { w, NULL };
        put_class(t, b, w);
    }
}

static void
complain(const struct tc *t, const struct asked *asked, int error)
{
    const struct netdev_queue_config *w = asked->wanted;
    const unsigned long long all = t->wanted.shaping.max_rate / 8;

    if (asked->had) {
        log_warn_rl(&limit, "delete %s class 1:%u failed (%s)", t->netdev->name, asked->had->number + 1,
                    strerror(-error));
        return;
    }
    log_warn_rl(&limit, "failed to replace %s class 1:%u, parent 1:%u, min_rate=%llu max_rate=%llu burst=%llu "
                "prio=%llu (%s)", t->netdev->name, w ? w->number + 1 : RTNL_TC_ROOT_CLASS, w ? RTNL_TC_ROOT_CLASS : 0,
                w ? (unsigned long long) w->shaping.min_rate / 8 : all,
                w ? (unsigned long long) w->shaping.max_rate / 8 : all,
                w ? (unsigned long long) w->shaping.burst / 8 : 0,
                w ? (unsigned long long) w->shaping.priority : 0, strerror(-error));
}

static void
begin_anew(struct tc *t)
{
    t->is_known = false;
    t->at_has = t->at_wanted = 0;
    t->is_root_class_done = false;
}

/* False if the kernel has something else than we thought: it has been changed by somebody else. */
static bool
check_answers(struct tc *t, const struct rtnl_tc_batch *b, const struct asked *asked)
{
    for (unsigned int i = 0; i < b->n; i++) {
        if (b->errors[i] && !t->was_asked_anew) {
            t->was_asked_anew = true;
            return false;
        }
        if (b->errors[i]) {
            complain(t, &asked[i], b->errors[i]);
            t->has_errors = true;
        }
    }
    return true;
}

static void
config_copy(struct tc_config *to, const struct tc_config *from)
{
    struct netdev_queue_config *queues = xmemdup(from->queues, from->n_queues * sizeof *queues);

    free(to->queues);
    *to = *from;
    to->queues = queues;
}

/* True once the device has what is wanted, or it is clear that it cannot have it. */
static bool
get_on(struct tc *t, struct rtnl_tc_batch *b, const struct loop_slice *slice)
{
    struct asked asked[RTNL_TC_BATCH];

    if (!t->is_known) {
        learn(t);
        t->is_made = true;
    }
    if (needs_other_root(t)) {
        change_root(t, b);
    }
    while (t->is_made && t->has.kind && t->has.kind->put_class) {
        put_differences(t, b, asked);
        if (!b->n) {
            break;
        }
        (void) !rtnl_tc_batch_send(b); /* Each request has the error. */
        if (!check_answers(t, b, asked)) {
            begin_anew(t);
            return false;
        }
        if (loop_slice_has_ended(slice)) {
            return false;
        }
    }
    if (t->is_made) {
        config_copy(&t->has, &t->wanted);
    }
    t->is_known &= t->is_made && !t->has_errors; /* Or the next change looks what there is. */
    publish_queues(t, t->is_made ? &t->has : NULL);
    return true;
}

bool
tc_finish(const struct loop_slice *slice)
{
    struct rtnl_tc_batch b;
    bool all = true;

    if (list_is_empty(&pending)) {
        return true;
    }
    rtnl_tc_batch_init(&b);
    while (all && !list_is_empty(&pending)) {
        struct tc *t = CONTAINER_OF(pending.next, struct tc, node);

        if (t->netdev->is_gone || get_on(t, &b, slice)) {
            list_remove(&t->node);
        }
        all = list_is_empty(&pending) || !loop_slice_has_ended(slice);
    }
    rtnl_tc_batch_uninit(&b);
    return all;
}

/* --- What is wanted --- */

static struct tc *
tc_of(struct netdev *n)
{
    struct linux_dev *d = linux_dev(n);

    if (!d->tc) {
        d->tc = xzalloc(sizeof *d->tc);
        d->tc->netdev = n;
        list_init(&d->tc->node);
    }
    return d->tc;
}

/* Whether there is work for tc_finish(). */
static void
want(struct tc *t, const struct netdev_qos_config *c)
{
    config_uninit(&t->wanted);
    t->was_asked_anew = false;
    if (!list_is_empty(&t->node)) {
        begin_anew(t); /* It was under way. */
    }
    t->at_has = t->at_wanted = 0;
    t->is_root_class_done = false;
    t->is_made = true;
    t->has_errors = false;
    if (c->type[0] && config_init(&t->wanted, c, t)) {
        config_uninit(&t->wanted);
        log_warn_rl(&limit, "%s: Failed to install new qdisc: %s", t->netdev->name, strerror(EINVAL));
    }
    list_remove(&t->node);
    if (t->wanted.kind && !t->wanted.kind->name) {
        config_uninit(&t->has);
        t->is_known = false;
        publish_queues(t, NULL);
    } else {
        list_push_back(&pending, &t->node);
    }
}

int
tc_set(struct netdev *n, const struct netdev_qos_config *config)
{
    static const struct netdev_qos_config none = { .type = "" };
    const struct netdev_qos_config *c = config && tc_kind_find(config->type) ? config : &none;
    struct tc *t = tc_of(n);
    uint32_t mtu = linux_dev(n)->link.mtu > 0 ? linux_dev(n)->link.mtu : DEFAULT_MTU;

    if (!was_asked(t, c) || (t->asked_mtu != mtu && c != &none)) {
        t->asked_mtu = mtu;
        remember(t, c);
        want(t, c);
    }
    return config && c == &none ? -EOPNOTSUPP : 0;
}

void
tc_destroy(struct linux_dev *d)
{
    struct tc *t = d->tc;

    if (t) {
        list_remove(&t->node);
        publish_queues(t, NULL);
        config_uninit(&t->wanted);
        config_uninit(&t->has);
        free(t->asked_type);
        free((void *) t->asked.queues);
        free(t->classes);
        free(t);
    }
}

/* --- What there is --- */

bool
tc_get(const struct netdev *n, struct netdev_qos_config *c)
{
    const struct tc *t = linux_dev(n)->tc;

    if (!t || !t->is_made || !t->has.kind) {
        return false;
    }
    *c = (struct netdev_qos_config) {
        .type = t->has.kind->type, .shaping = t->has.shaping, .n_queues = t->has.n_queues, .queues = t->has.queues,
    };
    return true;
}

void
tc_each_queue(const struct netdev *n, netdev_queue_cb *cb, void *aux)
{
    const struct tc *t = linux_dev(n)->tc;

    for (size_t i = 0; t && t->queues && i < t->queues->n; i++) {
        cb(aux, t->queues->queues[i]->number);
    }
}

static void
add_class(void *t_, const struct rtnl_class *c)
{
    struct tc *t = t_;

    if (t->n_classes == t->n_allocated) {
        t->n_allocated = t->n_allocated * 2 + 16;
        t->classes = xrealloc(t->classes, t->n_allocated * sizeof *t->classes);
    }
    t->classes[t->n_classes++] = *c;
}

static int
compare_classes(const void *a_, const void *b_)
{
    const struct rtnl_class *a = a_, *b = b_;

    return a->handle < b->handle ? -1 : a->handle > b->handle;
}

/* From all of them, as they were in this turn of the loop. */
static int
find_class(struct tc *t, int64_t turn, uint32_t queue, struct rtnl_class *c)
{
    const struct rtnl_class wanted = { .handle = rtnl_tc_handle(queue + 1) }, *found;
    int error = 0;

    if (t->listed_in != turn) {
        t->n_classes = 0;
        error = rtnl_tc_each_class(ifindex_of(t), add_class, t);
        qsort(t->classes, t->n_classes, sizeof *t->classes, compare_classes);
        t->listed_in = error ? 0 : turn;
    }
    found = t->n_classes ? bsearch(&wanted, t->classes, t->n_classes, sizeof *t->classes, compare_classes) : NULL;
    if (found) {
        *c = *found;
    }
    return error ? error : found ? 0 : -ENOENT;
}

/* The first that is asked for in a turn is asked for alone. */
static int
get_class(struct tc *t, uint32_t queue, struct rtnl_class *c)
{
    struct loop *loop = netdev_loop();
    int64_t turn = loop ? loop_turn_began_us(loop) : 0;

    if (!loop || t->asked_in != turn) {
        t->asked_in = turn;
        return rtnl_tc_get_class(ifindex_of(t), queue + 1, c);
    }
    return find_class(t, turn, queue, c);
}

int
tc_get_queue_stats(const struct netdev *n, uint32_t queue, struct netdev_queue_stats *s)
{
    struct tc *t = linux_dev(n)->tc;
    const struct tc_queue *q = t ? tc_find_queue(t->queues, queue) : NULL;
    struct rtnl_class c;
    int error;

    if (!q) {
        return -ENOENT;
    }
    error = get_class(t, queue, &c);
    if (!error) {
        *s = (struct netdev_queue_stats) {
            .tx_packets = c.n_packets, .tx_bytes = c.n_bytes, .tx_errors = c.n_dropped, .created_ms = q->created_ms,
        };
    }
    return error;
}
