/* The classifier: of all rules of a table, the one of highest priority that matches a packet.
 *
 * What it is
 * ----------
 * A tuple-space classifier.  Rules with the same mask form a subtable; a subtable is a hash table from masked values to
 * rules, those with equal values chained by falling priority.  Subtables are searched by falling highest priority, so a
 * search ends as soon as no later one could hold a better rule.
 *
 * How it works
 * ------------
 * One writer (the main thread), any number of RCU readers.  Every rule carries the versions between which it is
 * visible,
 * so a bundle of changes appears to a reader at once: the writer inserts rules for version V + 1 and marks others as
 * removed in V + 1, then publishes V + 1.
 *
 * A search ORs into 'wc' every bit that its answer depends on, so that a megaflow made from it is never too wide: for
 * each subtable visited, the bits of its mask up to the stage (metadata, then layer 2, 3, 4 of the packet) at which it
 * became certain that the subtable has no match.
 *
 * Memory: a rule costs its values (8 bytes for each word of its mask), one link (24 bytes) and struct cls_rule; the
 * mask is shared.
 *
 * Threads: *_rcu functions for readers in an RCU read section; the others for the writer. */
#ifndef CLASSIFIER_CLASSIFIER_H
#define CLASSIFIER_CLASSIFIER_H 1

#include "base/list.h"
#include "flow/match.h"
#include "sys/rcu_map.h"

#define CLS_MAX_VERSION UINT64_MAX

struct cls_subtable;

struct cls_rule {
    struct cls_subtable *subtable;  /* Null before it was in a classifier; referenced, since it has the mask. */
    RCU_PTR(struct cls_rule) next;  /* Same mask and values, lower or equal priority. */
    struct list in_order;           /* In the subtable, in order of insertion; the writer's. */
    uint64_t *values;               /* A word for each word of the mask; owned. */
    _Atomic uint64_t add_version;   /* Visible from this version on... */
    _Atomic uint64_t remove_version; /* ...and before this one. */
    struct word_map map;            /* Which words the mask has. */
    int priority;
    uint32_t hash;                  /* Of the values. */
};

struct classifier {
    struct rcu_map subtables_by_mask;       /* struct cls_subtable by hash of mask. */
    RCU_PTR(struct cls_order) order;        /* Subtables by falling highest priority. */
    size_t n_rules;                         /* Of all versions. */
};

void classifier_init(struct classifier *);
/* Every rule must have been removed. */
void classifier_uninit(struct classifier *);

/* Inserts 'rule' with 'match' and 'priority', visible from 'version' on.  The rule must stay put until it is removed
 * and the readers are done (rcu_defer). */
void classifier_insert(struct classifier *, struct cls_rule *rule, const struct match *match, int priority,
                       uint64_t version);

/* Makes 'rule' invisible from 'version' on; it stays in the tables. */
void cls_rule_hide(struct cls_rule *rule, uint64_t version);
/* Undoes that. */
void cls_rule_unhide(struct cls_rule *rule);

/* Takes 'rule' out of the tables.  Afterwards defer cls_rule_uninit() and the release of its memory. */
void classifier_remove(struct classifier *, struct cls_rule *rule);
/* Any thread. */
void cls_rule_uninit(struct cls_rule *rule);

static inline bool
cls_rule_visible(const struct cls_rule *r, uint64_t version)
{
    return version >= atomic_load_explicit(&r->add_version, memory_order_relaxed) &&
           version < atomic_load_explicit(&r->remove_version, memory_order_relaxed);
}

/* The rule for 'flow' in 'version', or null.  'wc' (null allowed) gains the bits consulted. */
struct cls_rule *classifier_lookup_rcu(const struct classifier *, uint64_t version, const struct flow *flow,
                                       struct flow *wc);

/* Calls 'cb' for every rule that matches 'flow' in 'version', in no particular order; 'wc' gains the bits consulted. */
void classifier_for_each_match_rcu(const struct classifier *, uint64_t version, const struct flow *flow,
                                   struct flow *wc, void (*cb)(void *aux, struct cls_rule *), void *aux);

/* The rule with exactly this match and priority that is visible in 'version', or null. */
struct cls_rule *classifier_find(const struct classifier *, const struct match *, int priority, uint64_t version);

/* Whether a rule visible in 'version', of the same priority, overlaps 'match'. */
bool classifier_overlaps(const struct classifier *, const struct match *, int priority, uint64_t version);

/* The match of a rule, expanded; also of one that has been removed, until cls_rule_uninit(). */
void cls_rule_get_match(const struct cls_rule *, struct match *);

/* Calls 'cb' for each rule visible in 'version' whose match lies inside 'criteria' (null: all).  The order is what
 * dumps of flows show: subtables by falling highest priority, those of equal priority and the rules of each in order
 * of insertion.  The callback may remove the rule it is given. */
void classifier_for_each(struct classifier *, const struct match *criteria, uint64_t version,
                         void (*cb)(void *aux, struct cls_rule *), void *aux);

#endif
