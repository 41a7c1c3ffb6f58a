/* A device that takes rules, for tests: put in front of a switch by LD_PRELOAD it answers rte_flow_create() and its
 * kin for all of DPDK's ports, and applies the rules to what these receive, in a callback behind the driver: so every
 * virtual device marks and drops packets as hardware would.
 *
 *   RULES_LOG      file to which a line is added for each rule that is asked for
 *   RULES_CONTROL  file of struct control, mapped: how it behaves, which may change at any time, and what it counts
 *
 * A device is unkind where that is allowed: what a rule does not say it does not look at; a mark may come after its
 * rule has gone, as it does with packets that wait in a queue. */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <dlfcn.h>

#include <rte_ethdev.h>
#include <rte_flow.h>

#include "classify.h"

/* The order is that of RULES_CONTROL in test_hw_offload.py. */
struct control {
    /* How it behaves. */
    _Atomic uint32_t refuse_every;    /* Each N-th rule is refused; 0: none. */
    _Atomic uint32_t create_us;       /* How long a rule takes. */
    _Atomic uint32_t wrong_mark;      /* All packets bear this mark; 0: those of the rules. */
    _Atomic uint32_t takes_drop;      /* Whether DROP is an action. */
    _Atomic uint32_t late_ms;         /* How long marks come of rules that are gone. */
    _Atomic uint32_t unused[11];
    /* What it counts. */
    _Atomic uint32_t n_rules, n_created, n_destroyed, n_refused, n_marked, n_dropped, n_queried;
    _Atomic uint32_t n_left;          /* Rules that were there when their device was stopped. */
    _Atomic uint32_t n_unknown;       /* Rules to destroy or query that there are not. */
    _Atomic uint32_t n_at_once;       /* Most rules there have been. */
};

enum { MAX_RULES = 200000, N_PORTS = RTE_MAX_ETHPORTS, N_QUEUES = 16 };

struct rte_flow {
    uint16_t port;
    struct pattern pattern;
    uint32_t mark;             /* 0: none. */
    bool drops, counts;
    _Atomic uint64_t n_packets, n_bytes;
    uint64_t late_until;       /* ms; 0: it is there. */
};

static struct control *control;
static FILE *log_file;
static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static struct rte_flow *rules[MAX_RULES];
static size_t n_rules;
static const struct rte_eth_rxtx_callback *callbacks[N_PORTS][N_QUEUES];

static uint64_t
now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * UINT64_C(1000) + t.tv_nsec / 1000000;
}

__attribute__((constructor)) static void
begin(void)
{
    const char *log = getenv("RULES_LOG"), *file = getenv("RULES_CONTROL");
    static struct control none;
    int fd = file ? open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;

    control = &none;
    if (fd >= 0 && !ftruncate(fd, 4096)) {
        void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

        control = at != MAP_FAILED ? at : control;
    }
    if (fd >= 0) {
        close(fd);
    }
    log_file = log ? fopen(log, "ae") : NULL;
}

/* --- What it does to packets --- */

static const struct rte_flow *
find_rule(uint16_t port, const struct rte_mbuf *m)
{
    struct header h[MAX_ITEMS];
    unsigned int n = frame_headers(rte_pktmbuf_mtod(m, const uint8_t *), rte_pktmbuf_data_len(m), h);
    uint64_t now = now_ms();

    for (size_t i = 0; i < n_rules; i++) {
        if (rules[i]->port == port && (!rules[i]->late_until || now < rules[i]->late_until)
            && pattern_covers(&rules[i]->pattern, h, n)) {
            return rules[i];
        }
    }
    return NULL;
}

static bool
treat(uint16_t port, struct rte_mbuf *m)
{
    struct rte_flow *f = (struct rte_flow *) find_rule(port, m);
    uint32_t wrong = control->wrong_mark, mark = wrong ? wrong : f ? f->mark : 0;

    m->ol_flags &= ~(RTE_MBUF_F_RX_FDIR | RTE_MBUF_F_RX_FDIR_ID);
    if (f && !f->late_until) {
        f->n_packets++;
        f->n_bytes += rte_pktmbuf_pkt_len(m);
        if (f->drops) {
            control->n_dropped++;
            return false;
        }
    }
    if (mark) {
        m->ol_flags |= RTE_MBUF_F_RX_FDIR | RTE_MBUF_F_RX_FDIR_ID;
        m->hash.fdir.hi = mark;
        control->n_marked++;
    }
    return true;
}

static uint16_t
receive(uint16_t port, uint16_t queue, struct rte_mbuf *mbufs[], uint16_t n, uint16_t max, void *aux)
{
    uint16_t kept = 0;

    (void) queue, (void) max, (void) aux;
    pthread_rwlock_rdlock(&lock);
    for (uint16_t i = 0; i < n; i++) {
        if (treat(port, mbufs[i])) {
            mbufs[kept++] = mbufs[i];
        } else {
            rte_pktmbuf_free(mbufs[i]);
        }
    }
    pthread_rwlock_unlock(&lock);
    return kept;
}

static void
add_callbacks(uint16_t port)
{
    for (uint16_t q = 0; q < N_QUEUES; q++) {
        if (!callbacks[port][q]) {
            callbacks[port][q] = rte_eth_add_rx_callback(port, q, receive, NULL);
        }
    }
}

/* --- Rules --- */

static void
print_bytes(FILE *f, const uint8_t *at, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        fprintf(f, "%02x", at[i]);
    }
}

static bool
is_all(const uint8_t *at, size_t n, uint8_t value)
{
    for (size_t i = 0; i < n; i++) {
        if (at[i] != value) {
            return false;
        }
    }
    return true;
}

static void
print_item(FILE *f, const struct item *it)
{
    fprintf(f, " / %s", it->kind->name);
    for (const struct item_field *d = it->kind->fields; it->has_spec && d->name; d++) {
        if (!is_all(it->mask + d->at, d->size, 0)) {
            fprintf(f, " %s=", d->name);
            print_bytes(f, it->spec + d->at, d->size);
            if (!is_all(it->mask + d->at, d->size, 0xff)) {
                fputc('&', f);
                print_bytes(f, it->mask + d->at, d->size);
            }
        }
    }
}

static void
print_action(FILE *f, const struct rte_flow_action *a)
{
    const struct rte_flow_action_mark *mark = a->conf;
    const struct rte_flow_action_rss *rss = a->conf;

    switch (a->type) {
    case RTE_FLOW_ACTION_TYPE_MARK: fprintf(f, " mark=%u", mark->id); break;
    case RTE_FLOW_ACTION_TYPE_DROP: fputs(" drop", f); break;
    case RTE_FLOW_ACTION_TYPE_COUNT: fputs(" count", f); break;
    case RTE_FLOW_ACTION_TYPE_RSS:
        fprintf(f, " rss(func=%d,level=%u,types=%#llx,key=%u,queues", rss->func, rss->level,
                (unsigned long long) rss->types, rss->key_len);
        for (uint32_t i = 0; i < rss->queue_num; i++) {
            fprintf(f, "%c%u", i ? '+' : '=', rss->queue[i]);
        }
        fputc(')', f);
        break;
    default: fprintf(f, " action%d", a->type);
    }
}

static const char *
read_actions(struct rte_flow *f, const struct rte_flow_action *a)
{
    for (; a->type != RTE_FLOW_ACTION_TYPE_END; a++) {
        if (a->type == RTE_FLOW_ACTION_TYPE_MARK) {
            f->mark = ((const struct rte_flow_action_mark *) a->conf)->id;
        } else if (a->type == RTE_FLOW_ACTION_TYPE_COUNT) {
            f->counts = true;
        } else if (a->type == RTE_FLOW_ACTION_TYPE_DROP && control->takes_drop) {
            f->drops = true;
        } else if (a->type != RTE_FLOW_ACTION_TYPE_RSS && a->type != RTE_FLOW_ACTION_TYPE_VOID) {
            return "action not supported";
        }
    }
    return NULL;
}

static void
log_rule(const struct rte_flow *f, const struct rte_flow_attr *attr, const struct rte_flow_action *a,
         const char *wrong)
{
    if (!log_file) {
        return;
    }
    flockfile(log_file);
    fprintf(log_file, "%s port=%u group=%u priority=%u%s%s%s", wrong ? "refused" : "created", f->port, attr->group,
            attr->priority, attr->ingress ? " ingress" : "", attr->egress ? " egress" : "",
            attr->transfer ? " transfer" : "");
    for (unsigned int i = 0; i < f->pattern.n; i++) {
        print_item(log_file, &f->pattern.items[i]);
    }
    fputs(" ->", log_file);
    for (; a->type != RTE_FLOW_ACTION_TYPE_END; a++) {
        print_action(log_file, a);
    }
    fputc('\n', log_file);
    fflush(log_file);
    funlockfile(log_file);
}

static void
note_rule(struct rte_flow *f)
{
    pthread_rwlock_wrlock(&lock);
    rules[n_rules++] = f;
    pthread_rwlock_unlock(&lock);
    control->n_created++;
    if (++control->n_rules > control->n_at_once) {
        control->n_at_once = control->n_rules;
    }
}

struct rte_flow *
rte_flow_create(uint16_t port, const struct rte_flow_attr *attr, const struct rte_flow_item pattern[],
                const struct rte_flow_action actions[], struct rte_flow_error *error)
{
    static _Atomic uint32_t n_asked;
    struct rte_flow *f = calloc(1, sizeof *f);
    uint32_t every = control->refuse_every;
    const char *wrong = pattern_read(&f->pattern, pattern);

    usleep(control->create_us);
    f->port = port;
    wrong = wrong ? wrong : read_actions(f, actions);
    wrong = !wrong && every && ++n_asked % every == 0 ? "no room" : wrong;
    wrong = !wrong && n_rules == MAX_RULES ? "full" : wrong;
    log_rule(f, attr, actions, wrong);
    if (wrong) {
        control->n_refused++;
        free(f);
        rte_flow_error_set(error, ENOTSUP, RTE_FLOW_ERROR_TYPE_UNSPECIFIED, NULL, wrong);
        return NULL;
    }
    add_callbacks(port);
    note_rule(f);
    return f;
}

/* With the lock. */
static size_t
index_of(uint16_t port, const struct rte_flow *f)
{
    size_t i = 0;

    while (i < n_rules && (rules[i] != f || f->port != port || f->late_until)) {
        i++;
    }
    if (i == n_rules) {
        control->n_unknown++;
    }
    return i;
}

/* With the lock.  Its marks may come for a while. */
static void
retire_rule(struct rte_flow *f)
{
    control->n_rules--;
    control->n_destroyed++;
    f->late_until = now_ms() + control->late_ms;
}

/* With the lock. */
static void
free_retired(void)
{
    uint64_t now = now_ms();

    for (size_t i = n_rules; i-- > 0;) {
        if (rules[i]->late_until && rules[i]->late_until <= now) {
            free(rules[i]);
            rules[i] = rules[--n_rules];
        }
    }
}

int
rte_flow_destroy(uint16_t port, struct rte_flow *f, struct rte_flow_error *error)
{
    size_t i;

    pthread_rwlock_wrlock(&lock);
    i = index_of(port, f);
    if (i < n_rules) {
        if (log_file) {
            fprintf(log_file, "destroyed port=%u mark=%u\n", port, f->mark);
            fflush(log_file);
        }
        retire_rule(f);
        free_retired();
        i = SIZE_MAX;
    }
    pthread_rwlock_unlock(&lock);
    return i == SIZE_MAX ? 0 : rte_flow_error_set(error, ENOENT, RTE_FLOW_ERROR_TYPE_HANDLE, f, "no such rule");
}

int
rte_flow_flush(uint16_t port, struct rte_flow_error *error)
{
    (void) error;
    pthread_rwlock_wrlock(&lock);
    for (size_t i = 0; i < n_rules; i++) {
        if (rules[i]->port == port && !rules[i]->late_until) {
            retire_rule(rules[i]);
        }
    }
    free_retired();
    pthread_rwlock_unlock(&lock);
    return 0;
}

int
rte_flow_query(uint16_t port, struct rte_flow *f, const struct rte_flow_action *action, void *data,
               struct rte_flow_error *error)
{
    struct rte_flow_query_count *count = data;
    int result = -1;

    if (action->type == RTE_FLOW_ACTION_TYPE_COUNT) {
        pthread_rwlock_rdlock(&lock);
        if (index_of(port, f) < n_rules && f->counts) {
            count->hits = f->n_packets;
            count->bytes = f->n_bytes;
            count->hits_set = count->bytes_set = 1;
            if (count->reset) {
                f->n_packets = f->n_bytes = 0;
            }
            control->n_queried++;
            result = 0;
        }
        pthread_rwlock_unlock(&lock);
    }
    return result ? rte_flow_error_set(error, ENOTSUP, RTE_FLOW_ERROR_TYPE_UNSPECIFIED, NULL, "not counted") : 0;
}

/* A device that stops forgets its rules; whoever asked for them should have removed them before. */
int
rte_eth_dev_stop(uint16_t port)
{
    int (*next)(uint16_t) = (int (*)(uint16_t)) dlsym(RTLD_NEXT, "rte_eth_dev_stop");

    pthread_rwlock_wrlock(&lock);
    for (size_t i = 0; i < n_rules; i++) {
        if (rules[i]->port == port && rules[i]->late_until) {
            rules[i]->late_until = 1; /* Nothing waits in it any more. */
        } else {
            control->n_left += rules[i]->port == port;
        }
    }
    pthread_rwlock_unlock(&lock);
    for (uint16_t q = 0; q < N_QUEUES; q++) {
        if (callbacks[port][q]) {
            rte_eth_remove_rx_callback(port, q, callbacks[port][q]);
            callbacks[port][q] = NULL;
        }
    }
    return next(port);
}
