#include "ofproto/megaflow.h"

#include "base/hash.h"
#include "ofproto/credits.h"
#include "sys/slab.h"

/* Locks that megaflows share. */
enum { N_LOCKS = 64 };
static pthread_mutex_t locks[N_LOCKS] = { [0 ... N_LOCKS - 1] = PTHREAD_MUTEX_INITIALIZER };

void
megaflow_lock(const struct megaflow *m)
{
    pthread_mutex_lock(&locks[hash_pointer(m, 0) % N_LOCKS]);
}

void
megaflow_unlock(const struct megaflow *m)
{
    pthread_mutex_unlock(&locks[hash_pointer(m, 0) % N_LOCKS]);
}

struct megaflow *
megaflow_create(const struct xlate_out *out, uint64_t seq, size_t first_bytes, int64_t now)
{
    struct megaflow *m = slab_zalloc(sizeof *m);

    dependent_init(&m->dependent);
    m->dependent.member.seq = seq;
    m->created = now;
    m->first_bytes = first_bytes;
    m->credits = credits_get_rcu(out);
    return m;
}

void
megaflow_installed(struct depend *d, struct megaflow *m, struct dp_flow *flow, const struct xlate_out *out,
                   const struct dp_flow_stats *before)
{
    megaflow_lock(m);
    m->pushed_packets = before->n_packets;
    m->pushed_bytes = before->n_bytes;
    atomic_store(&m->flow, flow);
    depend_attach(d, &m->dependent, out, m->dependent.member.seq);
    megaflow_unlock(m);
}

void
megaflow_update(struct depend *d, struct megaflow *m, const struct xlate_out *out, uint64_t seq)
{
    struct credits *old = m->credits;

    m->credits = credits_get_rcu(out);
    credits_unref(old);
    depend_attach(d, &m->dependent, out, seq);
}

void
megaflow_push(struct megaflow *m, const struct dp_flow_stats *stats, bool is_offloaded)
{
    struct dp_flow_stats delta = *stats;

    delta.n_packets -= m->pushed_packets;
    delta.n_bytes -= m->pushed_bytes;
    m->pushed_packets = stats->n_packets;
    m->pushed_bytes = stats->n_bytes;
    m->is_offloaded = is_offloaded;
    if (delta.n_packets) {
        credits_push(m->credits, &delta, is_offloaded);
    }
}

void
megaflow_finish(struct depend *d, struct megaflow *m, const struct dp_flow_stats *final)
{
    if (m) {
        if (final) {
            megaflow_push(m, final, m->is_offloaded);
        }
        depend_detach(d, &m->dependent);
        credits_unref(m->credits);
        slab_free(m, sizeof *m);
    }
}
