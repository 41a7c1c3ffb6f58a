#include <stdlib.h>

#include "classifier/order.h"

/* Nodes of a member with one hash beyond those that its bits can count. */
struct more {
    struct hmap_node hmap_node;
    uint32_t hash;
    unsigned int member;
    size_t n;
};

enum { ALL_MEMBERS = (1 << CLS_JOINT_MEMBERS) - 1, MAX_LATE = 256 };

/* Members. */

static bool
is_for(const struct cls_joint *j, const struct cls_subtable *st)
{
    bool same = j->members != ALL_MEMBERS && j->n_words == st->ends[STAGE_L3];

    for (unsigned int i = 0; same && i < j->n_words; i++) {
        same = j->words[i].index == st->words[i].index && j->words[i].mask == st->words[i].mask;
    }
    return same;
}

static struct cls_joint *
find(const struct list *joints, const struct cls_subtable *st)
{
    LIST_FOR_EACH (j, struct cls_joint, in_classifier, joints) {
        if (is_for(j, st)) {
            return j;
        }
    }
    return NULL;
}

static struct cls_joint *
create(struct list *joints, const struct cls_subtable *st)
{
    unsigned int n = st->ends[STAGE_L3];
    struct cls_joint *j = xzalloc(sizeof *j + n * sizeof j->words[0]);

    j->n_words = n;
    memcpy(j->words, st->words, n * sizeof j->words[0]);
    hmap_init(&j->more);
    list_push_back(joints, &j->in_classifier);
    return j;
}

static void
add_member(struct cls_joint *j, struct cls_subtable *st)
{
    st->member = __builtin_ctz(~j->members);
    j->members |= 1u << st->member;
    rcu_set(&st->joint, j);
}

static void
add_nodes(struct cls_joint *j, const struct cls_subtable *st)
{
    LIST_FOR_EACH (rule, struct cls_rule, in_order, &st->in_order) {
        if (rcu_get_protected(&rule->node->first) == rule) {
            cls_joint_add(j, st->member, cls_node_hash(rule->node, st->words, st->ends[STAGE_L3]));
        }
    }
}

/* The subtable of the same mask without ports, if there is one, becomes a member of a new joint.  Not where that would
 * take long. */
static void
add_portless(struct cls_joint *j, const struct cls_order *order)
{
    for (size_t i = 0; i < order->n; i++) {
        struct cls_subtable *st = order->entries[i].subtable;

        if (!rcu_get_protected(&st->joint) && st->n_words == j->n_words && st->n_rules <= MAX_LATE && is_for(j, st)) {
            add_member(j, st);
            add_nodes(j, st);
            return;
        }
    }
}

void
cls_joint_join(struct list *joints, const struct cls_order *order, struct cls_subtable *st)
{
    bool has_addresses = st->ends[STAGE_L3] > st->ends[STAGE_L2], has_ports = st->ends[STAGE_L3] < st->n_words;
    struct cls_joint *j = has_addresses ? find(joints, st) : NULL;

    if (j) {
        add_member(j, st);
    } else if (has_addresses && has_ports) {
        j = create(joints, st);
        add_member(j, st);
        add_portless(j, order);
    }
}

static void
destroy(void *joint)
{
    struct cls_joint *j = joint;

    HMAP_FOR_EACH_SAFE (m, struct more, hmap_node, &j->more) {
        free(m);
    }
    hmap_uninit(&j->more);
    cls_stage_set_uninit(&j->set);
    free(j);
}

void
cls_joint_leave(struct cls_subtable *st)
{
    struct cls_joint *j = rcu_get_protected(&st->joint);

    if (j) {
        j->members &= ~(1u << st->member);
        if (!j->members) {
            list_remove(&j->in_classifier);
            rcu_defer(destroy, j);
        }
    }
}

/* Counting. */

static struct more *
find_more(const struct cls_joint *j, unsigned int member, uint32_t hash)
{
    HMAP_FOR_EACH_WITH_HASH (m, struct more, hmap_node, hash, &j->more) {
        if (m->hash == hash && m->member == member) {
            return m;
        }
    }
    return NULL;
}

static bool
is_full(const struct cls_joint *j, unsigned int member, uint64_t hash)
{
    return (~cls_joint_get_rcu(j, hash) & cls_joint_bits(member)) == 0;
}

void
cls_joint_add(struct cls_joint *j, unsigned int member, uint64_t hash)
{
    uint32_t key = cls_stage_set_key(hash);
    struct more *m;

    if (!is_full(j, member, hash)) {
        cls_stage_set_add(&j->set, hash, UINT32_C(1) << member * CLS_JOINT_BITS);
        return;
    }
    m = find_more(j, member, key);
    if (!m) {
        m = xzalloc(sizeof *m);
        m->hash = key;
        m->member = member;
        hmap_insert(&j->more, &m->hmap_node, key);
    }
    m->n++;
}

void
cls_joint_remove(struct cls_joint *j, unsigned int member, uint64_t hash)
{
    struct more *m = is_full(j, member, hash) ? find_more(j, member, cls_stage_set_key(hash)) : NULL;

    if (!m) {
        cls_stage_set_subtract(&j->set, hash, UINT32_C(1) << member * CLS_JOINT_BITS);
    } else if (!--m->n) {
        hmap_remove(&j->more, &m->hmap_node);
        free(m);
    }
}
