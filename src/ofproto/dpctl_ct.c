/* Connection tracking as ovs-dpctl shows it: connections, expectations, statistics. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "conntrack/info.h"
#include "ofproto/dpctl.h"

struct conntrack *
dpctl_find_ct(struct dpctl *d, int n)
{
    struct conntrack *ct = NULL;

    if (dpctl_find_dp(d, n)) {
        ct = d->dp->class->conntrack ? d->dp->class->conntrack(d->dp) : NULL;
        if (!ct) {
            dpctl_fail(d, -EOPNOTSUPP, "this datapath does not track connections itself");
        }
    }
    return ct;
}

/* Takes "NAME=number" off the end of the arguments. */
static bool
take_last(struct dpctl *d, const char *name, uint32_t max, uint32_t *v)
{
    size_t n = strlen(name);

    if (d->argc && !strncmp(d->argv[d->argc - 1], name, n) && num_parse_u32(d->argv[d->argc - 1] + n, 10, v)
        && *v <= max) {
        d->argc--;
        return true;
    }
    return false;
}

static bool
take_zone(struct dpctl *d, uint16_t *zone)
{
    uint32_t v = 0;
    bool found = take_last(d, "zone=", UINT16_MAX, &v);

    *zone = v;
    return found;
}

static const struct { uint8_t proto; const char *name, *title; } protos[] = {
    { IPPROTO_TCP, "tcp", "TCP" }, { IPPROTO_UDP, "udp", "UDP" }, { IPPROTO_UDPLITE, "udplite", "UDPLITE" },
    { IPPROTO_SCTP, "sctp", "SCTP" }, { IPPROTO_ICMP, "icmp", "ICMP" }, { IPPROTO_DCCP, "dccp", "DCCP" },
    { IPPROTO_IGMP, "igmp", "IGMP" }, { IPPROTO_ICMPV6, "icmpv6", NULL },
};

/* Going past all connections. */

enum { CONNS_A_STEP = 32 };

struct walk_job {
    struct ctl_job job;
    struct ct_walk walk;
    struct conntrack *ct;
    struct dpctl *d;               /* Owned. */
    struct str *out;               /* Of the step. */
    bool has_zone;
    uint16_t zone;
    void (*cb)(void *job, const struct ct_entry *);
    void (*end)(struct walk_job *); /* Null: nothing more to say. */
};

static bool
step_walk(struct ctl_job *job, struct str *out)
{
    struct walk_job *j = CONTAINER_OF(job, struct walk_job, job);

    j->out = out;
    if (!conntrack_walk_rcu(j->ct, &j->walk, CONNS_A_STEP, j->has_zone ? &j->zone : NULL, clock_now_ms(), j->cb, j)) {
        return false;
    }
    if (j->end) {
        j->end(j);
    }
    return true;
}

static void
destroy_walk(struct ctl_job *job)
{
    struct walk_job *j = CONTAINER_OF(job, struct walk_job, job);

    dpctl_free(j->d);
    free(j);
}

/* Takes 'job', with 'cb' and 'end' set, to answer the command. */
static void
walk(struct dpctl *d, struct walk_job *job, struct conntrack *ct, const uint16_t *zone)
{
    static const struct ctl_job_ops ops = { step_walk, destroy_walk };

    job->job = (struct ctl_job) { .ops = &ops, .on = d->dp };
    job->ct = ct;
    job->d = d;
    job->has_zone = zone != NULL;
    job->zone = zone ? *zone : 0;
    d->job = &job->job;
}

/* Connections as text. */

static void
put_proto(struct str *s, uint8_t proto)
{
    for (size_t i = 0; i < ARRAY_SIZE(protos); i++) {
        if (protos[i].proto == proto) {
            str_puts(s, protos[i].name);
            return;
        }
    }
    str_putf(s, "%u", proto);
}

static void
put_address(struct str *s, const struct ct_tuple *t, const struct ipv6_addr *a)
{
    if (ct_tuple_is_v6(t)) {
        ipv6_put(s, a);
    } else {
        str_putf(s, IP_FMT, IP_ARGS(ct_address_ipv4(a)));
    }
}

static void
put_tuple(struct str *s, const struct ct_tuple *t)
{
    str_puts(s, "src=");
    put_address(s, t, &t->src);
    str_puts(s, ",dst=");
    put_address(s, t, &t->dst);
    if (t->kind & CT_KIND_ICMP) {
        str_putf(s, ",id=%u,type=%u,code=0", be16_to_cpu(t->src_port), ct_icmp_type(t));
    } else {
        str_putf(s, ",sport=%u,dport=%u", be16_to_cpu(t->src_port), be16_to_cpu(t->dst_port));
    }
}

static void
put_label(struct str *s, const uint8_t label[16])
{
    unsigned int i = 0;

    while (i < 15 && !label[i]) {
        i++;
    }
    str_putf(s, ",labels=0x%x", label[i]);
    str_put_hex(s, label + i + 1, 15 - i);
}

/* One state for both ends: the later one. */
static const char *
tcp_state(const struct ct_entry *e)
{
    uint8_t state = MAX(e->peer_state[0], e->peer_state[1]);

    return ct_tcp_state_names[state == CT_TCP_FIN_WAIT_2 ? CT_TCP_TIME_WAIT : state];
}

static void
put_tcp_flags(struct str *s, uint8_t flags)
{
    str_puts(s, flags & CT_PEER_SCALES ? "WINDOW_SCALE" : "");
    str_puts(s, flags == (CT_PEER_SCALES | CT_PEER_LIBERAL) ? "|" : "");
    str_puts(s, flags & CT_PEER_LIBERAL ? "BE_LIBERAL" : flags ? "" : "0");
}

static void
put_protoinfo(struct str *s, const struct ct_entry *e, bool more)
{
    if (!more) {
        str_putf(s, ",protoinfo=(state=%s)", tcp_state(e));
        return;
    }
    str_putf(s, ",protoinfo=(state_orig=%s,state_reply=%s", ct_tcp_state_names[e->peer_state[0]],
             ct_tcp_state_names[e->peer_state[1]]);
    if (e->peer_shift[0] || e->peer_shift[1]) {
        str_putf(s, ",wscale_orig=%u,wscale_reply=%u", e->peer_shift[0], e->peer_shift[1]);
    }
    str_puts(s, ",flags_orig=");
    put_tcp_flags(s, e->peer_flags[0]);
    str_puts(s, ",flags_reply=");
    put_tcp_flags(s, e->peer_flags[1]);
    str_putc(s, ')');
}

static void
put_entry(void *job_, const struct ct_entry *e)
{
    const struct walk_job *job = job_;
    const struct dpctl *d = job->d;
    struct str *s = job->out;

    put_proto(s, e->tuple[0].proto);
    str_puts(s, ",orig=(");
    put_tuple(s, &e->tuple[0]);
    str_puts(s, "),reply=(");
    put_tuple(s, &e->tuple[1]);
    str_puts(s, d->more ? "),id=0" : ")");
    if (e->tuple[0].zone) {
        str_putf(s, ",zone=%u", e->tuple[0].zone);
    }
    str_puts(s, d->more ? ",status=0" : "");
    if (d->statistics) {
        str_putf(s, ",timeout=%lld", (long long) e->left_ms / 1000);
    }
    if (e->mark) {
        str_putf(s, ",mark=%u", e->mark);
    }
    if (!is_all_zeros(e->label, sizeof e->label)) {
        put_label(s, e->label);
    }
    if (e->tuple[0].proto == IPPROTO_TCP) {
        put_protoinfo(s, e, d->more);
    }
    if (e->helper) {
        str_putf(s, ",helper=%s", ct_helper_names[e->helper]);
    }
    str_putc(s, '\n');
}

void
dpctl_run_dump_conntrack(struct dpctl *d)
{
    struct walk_job *job;
    struct conntrack *ct;
    uint16_t zone;
    bool has_zone = take_zone(d, &zone);

    ct = dpctl_find_ct(d, 0);
    if (ct) {
        job = xzalloc(sizeof *job);
        job->cb = put_entry;
        walk(d, job, ct, has_zone ? &zone : NULL);
    }
}

/* Expectations as text. */

struct expectations_job {
    struct ctl_job job;
    struct ct_expectation_walk walk;
    struct conntrack *ct;
    struct dpctl *d;               /* Owned. */
    bool has_zone;
    uint16_t zone;
};

static void
put_expectation(void *s_, const struct ct_expectation_entry *e)
{
    struct str *s = s_;

    put_proto(s, e->tuple.proto);
    str_puts(s, ",orig=(");
    put_tuple(s, &e->tuple);
    str_putc(s, ')');
    if (e->tuple.zone) {
        str_putf(s, ",zone=%u", e->tuple.zone);
    }
    if (e->mark) {
        str_putf(s, ",mark=%u", e->mark);
    }
    if (!is_all_zeros(e->label, sizeof e->label)) {
        put_label(s, e->label);
    }
    str_puts(s, ",parent=(");
    put_tuple(s, &e->parent);
    str_puts(s, ")\n");
}

static bool
step_expectations(struct ctl_job *job, struct str *out)
{
    struct expectations_job *j = CONTAINER_OF(job, struct expectations_job, job);

    return conntrack_expectations_step(j->ct, &j->walk, CONNS_A_STEP, j->has_zone ? &j->zone : NULL, put_expectation,
                                       out);
}

static void
destroy_expectations(struct ctl_job *job)
{
    struct expectations_job *j = CONTAINER_OF(job, struct expectations_job, job);

    conntrack_expectations_end(j->ct, &j->walk);
    dpctl_free(j->d);
    free(j);
}

void
dpctl_run_dump_conntrack_exp(struct dpctl *d)
{
    static const struct ctl_job_ops ops = { step_expectations, destroy_expectations };
    struct conntrack *ct;
    uint16_t zone;
    bool has_zone = take_zone(d, &zone);

    ct = dpctl_find_ct(d, 0);
    if (ct) {
        struct expectations_job *j = xzalloc(sizeof *j);

        *j = (struct expectations_job) {
            .job = { .ops = &ops, .on = d->dp }, .ct = ct, .d = d, .has_zone = has_zone, .zone = zone,
        };
        conntrack_expectations_begin(ct, &j->walk);
        d->job = &j->job;
    }
}

/* Statistics. */

struct counts {
    struct walk_job job; /* First: freed as that. */
    unsigned int n, n_proto[256], n_tcp[CT_TCP_N_STATES];
};

static void
count_entry(void *job, const struct ct_entry *e)
{
    struct counts *c = CONTAINER_OF(job, struct counts, job);

    c->n++;
    c->n_proto[e->tuple[0].proto]++;
    for (int i = 0; e->tuple[0].proto == IPPROTO_TCP && i < CT_TCP_N_STATES; i++) {
        c->n_tcp[i] += !strcmp(ct_tcp_state_names[i], tcp_state(e));
    }
}

static void
put_tcp_counts(struct str *s, const struct counts *c)
{
    str_puts(s, "    Conn per TCP states:\n");
    for (int i = 0; i < CT_TCP_N_STATES; i++) {
        if (c->n_tcp[i]) {
            str_putf(s, "\t  [%s]=%u\n", ct_tcp_state_names[i], c->n_tcp[i]);
        }
    }
}

static void
put_counts(struct str *s, const struct counts *c, bool more)
{
    unsigned int other = c->n;

    str_putf(s, "Connections Stats:\n    Total: %u\n", c->n);
    for (size_t i = 0; i < ARRAY_SIZE(protos); i++) {
        unsigned int n = protos[i].title ? c->n_proto[protos[i].proto] : 0;

        if (n) {
            str_putf(s, "  %s: %u\n", protos[i].title, n);
            other -= n;
        }
        if (n && protos[i].proto == IPPROTO_TCP && more) {
            put_tcp_counts(s, c);
        }
    }
    if (other) {
        str_putf(s, "  Other: %u\n", other);
    }
}

static void
end_counts(struct walk_job *job)
{
    put_counts(job->out, CONTAINER_OF(job, struct counts, job), job->d->more);
}

void
dpctl_run_ct_stats_show(struct dpctl *d)
{
    struct counts *counts;
    struct conntrack *ct;
    uint16_t zone;
    bool has_zone = take_zone(d, &zone);

    if (d->argc && !strcmp(d->argv[d->argc - 1], "verbose")) {
        d->more = true;
        d->argc--;
    }
    ct = dpctl_find_ct(d, 0);
    if (ct) {
        counts = xzalloc(sizeof *counts);
        counts->job.cb = count_entry;
        counts->job.end = end_counts;
        walk(d, &counts->job, ct, has_zone ? &zone : NULL);
    }
}

static void
put_buckets(struct str *s, const uint32_t *counts, unsigned int n, uint32_t above)
{
    str_puts(s, "+-----------+-----------------------------------------+\n"
                "|  Buckets  |         Connections per Buckets         |\n"
                "+-----------+-----------------------------------------+");
    for (unsigned int i = 0; i < n; i++) {
        if (i % 8 == 0) {
            str_putf(s, "\n %3u..%3u   | ", i, i + 7);
        }
        if (counts[i] > above) {
            str_putf(s, "%5u", counts[i]);
        } else {
            str_puts(s, "    .");
        }
    }
    str_puts(s, "\n\n");
}

void
dpctl_run_ct_bkts(struct dpctl *d)
{
    uint32_t above = 0, *counts, total = 0;
    struct conntrack *ct;
    unsigned int n;

    take_last(d, "gt=", UINT32_MAX, &above);
    ct = dpctl_find_ct(d, 0);
    if (!ct) {
        return;
    }
    n = conntrack_n_buckets(ct);
    counts = xcalloc(n, sizeof *counts);
    conntrack_bucket_counts(ct, counts);
    for (unsigned int i = 0; i < n; i++) {
        total += counts[i];
    }
    str_putf(&d->out, "Total Buckets: %u\nCurrent Connections: %u\n\n", n, total);
    if (total) {
        put_buckets(&d->out, counts, n, above);
    }
    free(counts);
}
