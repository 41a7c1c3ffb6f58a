#include "ofproto/rule.h"

#include "sys/slab.h"

static void
note_group(void *r, uint32_t group_id UNUSED)
{
    ((struct rule *) r)->has_groups = true;
}

static bool
may_learn(struct act_span acts)
{
    ACT_FOR_EACH (act, acts) {
        if (act->type == ACT_LEARN || act->type == ACT_CLONE) {
            return true;
        }
    }
    return false;
}

static size_t
rule_size(size_t acts_len)
{
    return sizeof(struct rule) + sizeof(struct rule_actions) + acts_len;
}

struct rule *
rule_create(struct act_span acts)
{
    struct rule *r = slab_zalloc(rule_size(acts.len));
    struct rule_actions *a = (struct rule_actions *) (r + 1);

    a->len = acts.len;
    if (acts.len) {
        memcpy(a->acts, acts.first, acts.len);
    }
    act_each_group(acts, note_group, r);
    r->has_meter = act_meter_id(acts) != 0;
    r->may_learn = may_learn(acts);
    rcu_set(&r->actions, a);
    atomic_init(&r->n_refs, 1);
    list_init(&r->expirable);
    return r;
}

struct rule *
rule_make(const struct flow_mod *fm)
{
    struct rule *r = rule_create(fm->actions);

    r->cr.priority = fm->priority;
    r->table_id = fm->table_id == FM_TABLE_ANY ? 0 : fm->table_id;
    r->cookie = cpu_to_be64(fm->new_cookie);
    r->flags = fm->flags & (FM_SEND_FLOW_REM | FM_CHECK_OVERLAP | FM_RESET_COUNTS | FM_NO_PACKET_COUNTS |
                            FM_NO_BYTE_COUNTS);
    r->importance = fm->importance;
    atomic_store_explicit(&r->idle_timeout, fm->idle_timeout, memory_order_relaxed);
    atomic_store_explicit(&r->hard_timeout, fm->hard_timeout, memory_order_relaxed);
    return r;
}

void
rule_begin(struct rule *r, struct ofproto *p, int64_t now)
{
    r->ofproto = p;
    r->created = now;
    atomic_store_explicit(&r->modified, now, memory_order_relaxed);
    atomic_store_explicit(&r->used, now, memory_order_relaxed);
}

size_t
rule_memory(const struct rule *r)
{
    return rule_size(rcu_get_protected(&((struct rule *) r)->actions)->len);
}

void
rule_discard(struct rule *r)
{
    slab_free(r, rule_memory(r));
}

/* Moves the counters; what arrives meanwhile stays behind. */
static void
move_counters(struct rule *from, struct rule *to)
{
    atomic_fetch_add(&to->n_packets, atomic_exchange(&from->n_packets, 0));
    atomic_fetch_add(&to->n_bytes, atomic_exchange(&from->n_bytes, 0));
    rule_move_offloaded(from, to);
}

static void
free_rule(void *r_)
{
    struct rule *r = r_, *successor = rcu_get_protected(&r->successor);

    if (successor) {
        move_counters(r, successor); /* From who had not seen yet that there is one. */
    } else {
        rule_move_offloaded(r, NULL);
    }
    cls_rule_uninit(&r->cr);
    rule_discard(r);
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
    while (r && atomic_fetch_sub(&r->n_refs, 1) == 1) {
        struct rule *successor = rcu_get_protected(&r->successor);

        rcu_defer(free_rule, r); /* Before its successor, which it still looks at. */
        r = successor;
    }
}

void
rule_pass_on(struct rule *old, struct rule *new)
{
    rcu_set(&old->successor, rule_ref(new));
    move_counters(old, (struct rule *) rule_counts_in_rcu(new)); /* It may have been replaced, too. */
}

void
rule_credit(struct rule *r, uint64_t n_packets, uint64_t n_bytes, int64_t used)
{
    int64_t old;

    for (struct rule *next; (next = rcu_get(&r->successor)) != NULL;) {
        r = next;
    }
    old = atomic_load_explicit(&r->used, memory_order_relaxed);
    atomic_fetch_add_explicit(&r->n_packets, n_packets, memory_order_relaxed);
    atomic_fetch_add_explicit(&r->n_bytes, n_bytes, memory_order_relaxed);
    while (old < used && !atomic_compare_exchange_weak(&r->used, &old, used)) {
    }
}
