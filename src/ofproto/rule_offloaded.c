/* How much of what rules have counted devices had a part in.  That is so for few rules, and the others are not to have
 * room for it: it stands in a table beside them. */
#include <pthread.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/hmap.h"
#include "ofproto/rule.h"

struct offloaded {
    struct hmap_node node; /* In 'all'. */
    const struct rule *rule;
    uint64_t n_packets, n_bytes;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* Guards all below, and writes of 'is_offloaded'. */
static struct hmap all = HMAP_INIT(&all);

static struct offloaded *
find_locked(const struct rule *r)
{
    HMAP_FOR_EACH_WITH_HASH (o, struct offloaded, node, hash_pointer(r, 0), &all) {
        if (o->rule == r) {
            return o;
        }
    }
    return NULL;
}

static void
add_locked(struct rule *r, uint64_t n_packets, uint64_t n_bytes)
{
    struct offloaded *o = find_locked(r);

    if (!o) {
        o = xzalloc(sizeof *o);
        o->rule = r;
        hmap_insert(&all, &o->node, hash_pointer(r, 0));
        atomic_store(&r->is_offloaded, true);
    }
    o->n_packets += n_packets;
    o->n_bytes += n_bytes;
}

void
rule_credit_offloaded(struct rule *r, uint64_t n_packets, uint64_t n_bytes)
{
    pthread_mutex_lock(&mutex);
    add_locked((struct rule *) rule_counts_in_rcu(r), n_packets, n_bytes);
    pthread_mutex_unlock(&mutex);
}

void
rule_get_offloaded(const struct rule *r, uint64_t *n_packets, uint64_t *n_bytes)
{
    const struct offloaded *o;

    *n_packets = *n_bytes = 0;
    if (atomic_load(&r->is_offloaded)) {
        pthread_mutex_lock(&mutex);
        o = find_locked(r);
        if (o) {
            *n_packets = o->n_packets;
            *n_bytes = o->n_bytes;
        }
        pthread_mutex_unlock(&mutex);
    }
}

void
rule_move_offloaded(struct rule *from, struct rule *to)
{
    struct offloaded *o;

    if (atomic_load(&from->is_offloaded)) {
        pthread_mutex_lock(&mutex);
        o = find_locked(from);
        if (o) {
            if (to) {
                add_locked(to, o->n_packets, o->n_bytes);
            }
            hmap_remove(&all, &o->node);
            free(o);
        }
        atomic_store(&from->is_offloaded, false);
        pthread_mutex_unlock(&mutex);
    }
}
