#include "ofproto/ct_flush.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "conntrack/info.h"
#include "ofproto/ct_job.h"
#include "openflow/msg/ct_flush.h"
#include "sys/clock.h"

static bool
is_mapped(const struct ipv6_addr *a)
{
    static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };

    return !memcmp(a, prefix, sizeof prefix);
}

static struct ct_filter_tuple
make_tuple(const struct ct_flush_tuple *t)
{
    bool has_src = !is_all_zeros(&t->src, sizeof t->src), has_dst = !is_all_zeros(&t->dst, sizeof t->dst);

    return (struct ct_filter_tuple) {
        .has_src = has_src, .has_dst = has_dst, .src = t->src, .dst = t->dst,
        .is_v6 = (has_src && !is_mapped(&t->src)) || (has_dst && !is_mapped(&t->dst)),
        .src_port = t->src_port, .dst_port = t->dst_port, .has_icmp_id = t->icmp_id, .icmp_id = t->icmp_id,
        .has_icmp_type = t->icmp_type, .icmp_type = t->icmp_type, .has_icmp_code = t->icmp_code,
        .icmp_code = t->icmp_code,
    };
}

bool
ct_flush_is_full(const struct ct_flush *f)
{
    bool is_icmp = f->ip_proto == IPPROTO_ICMP || f->ip_proto == IPPROTO_ICMPV6;
    struct ct_filter_tuple t = make_tuple(&f->orig), r = make_tuple(&f->reply);
    bool has_reply = r.has_src || r.has_dst || r.src_port || r.dst_port || r.icmp_id || r.icmp_type;

    return t.has_src && t.has_dst && f->ip_proto
           && (is_icmp ? t.has_icmp_id && t.has_icmp_type : t.src_port && t.dst_port) && !has_reply
           && !f->mark_mask && is_all_zeros(f->labels_mask, sizeof f->labels_mask);
}

struct flush_job {
    struct ct_job job;
    struct ct_flushing flushing;
    void (*done)(void *aux, size_t n_removed);
    void *aux;
};

static bool
step_flush(struct ct_job *job, struct conntrack *ct)
{
    struct flush_job *j = CONTAINER_OF(job, struct flush_job, job);

    return conntrack_flush_step_rcu(ct, &j->flushing, CT_JOB_STEP, clock_now_ms());
}

static void
end_flush(struct ct_job *job)
{
    struct flush_job *j = CONTAINER_OF(job, struct flush_job, job);

    j->done(j->aux, j->flushing.n_removed);
    free(j);
}

static struct ct_filter
make_filter(const struct ct_flush *f)
{
    struct ct_filter filter = {
        .has_zone = f->has_zone, .zone = f->zone, .proto = f->ip_proto, .mark = f->mark, .mark_mask = f->mark_mask,
        .orig = make_tuple(&f->orig), .reply = make_tuple(&f->reply),
    };

    memcpy(filter.label, f->labels, sizeof filter.label);
    memcpy(filter.label_mask, f->labels_mask, sizeof filter.label_mask);
    if (ct_flush_is_full(f)) {
        filter.has_zone = true; /* Of 0, if none was given: ovs-dpctl(8). */
        filter.either_way = true;
    }
    return filter;
}

void
ct_flush_start(struct conntrack *ct, const struct ct_flush *f, void (*done)(void *aux, size_t n_removed), void *aux)
{
    struct flush_job *j = xzalloc(sizeof *j);

    j->job = (struct ct_job) { .step = step_flush, .done = end_flush };
    j->flushing.filter = make_filter(f);
    j->done = done;
    j->aux = aux;
    ct_job_start(&j->job, ct);
}
