#include "ofproto/rule.h"

#include <stdlib.h>

static void
free_rule(void *r_)
{
    struct rule *r = r_;

    cls_rule_uninit(&r->cr);
    free(rcu_get_protected(&r->actions));
    free(r);
}

bool
rule_try_ref_rcu(struct rule *r)
{
    uint32_t n = atomic_load(&r->n_refs);

    while (n) {
        if (atomic_compare_exchange_weak(&r->n_refs, &n, n + 1)) {
            return true;
        }
    }
    return false;
}

struct rule *
rule_ref(struct rule *r)
{
    atomic_fetch_add(&r->n_refs, 1);
    return r;
}

void
rule_unref(struct rule *r)
{
    if (r && atomic_fetch_sub(&r->n_refs, 1) == 1) {
        rcu_defer(free_rule, r);
    }
}

void
rule_credit(struct rule *r, uint64_t n_packets, uint64_t n_bytes, int64_t used)
{
    int64_t old = atomic_load_explicit(&r->used, memory_order_relaxed);

    atomic_fetch_add_explicit(&r->n_packets, n_packets, memory_order_relaxed);
    atomic_fetch_add_explicit(&r->n_bytes, n_bytes, memory_order_relaxed);
    while (old < used && !atomic_compare_exchange_weak(&r->used, &old, used)) {
    }
}
