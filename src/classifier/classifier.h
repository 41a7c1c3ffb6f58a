/* The classifier: of all rules of a table, the one of highest priority that matches a packet.
 *
 * What it is
 * ----------
 * A tuple-space classifier.  Rules with the same mask form a subtable (subtable.h); a subtable is a hash table from
 * masked values to rules, those with equal values chained by falling priority (chain.h).  Subtables are searched by
 * falling highest priority, so a search ends as soon as no later one could hold a better rule.
 *
 * How it works
 * ------------
 * One writer (the main thread), any number of RCU readers.  Every rule carries the versions between which it is
 * visible, so a bundle of changes appears to a reader at once: the writer inserts rules for version V + 1 and marks
 * others as removed in V + 1, then publishes V + 1.
 *
 * A search notes in 'wc' every bit that its answer depends on, so that a megaflow made from it is never too wide.  Of a
 * subtable without a match it notes as few as tell:
 *
 *   stages    metadata, then layers 2, 3, 4 of the packet: each stage has a set of the values that rules have up to it,
 *             and where the packet's are not in it, later stages were not looked at;
 *   prefixes  of the tracked fields (Flow_Table.prefixes; IP addresses unless said otherwise) there is a trie of the
 *             prefixes of all rules (trie.h): a subtable is passed over if no rule has the packet's prefix of its
 *             length, and the bits that tell are those down to where the packet left the trie.  Not for packets that
 *             do not have the field: ARP has its addresses in the same place;
 *   ports     where all else was looked at, a trie of the subtable's ports says how many of their bits tell.
 *
 * These are the bits that the reference notes; traces and dumps of megaflows show them.
 *
 * Where there are many subtables, most differ in the lengths of their prefixes.  Those that have no rule with the
 * packet's prefix are then passed over all at once, by sets of subtables (order.h), as soon as looking at them could
 * note nothing new: neither the rule found nor the bits noted change by that.  Those that differ in ports alone are
 * merged in so far as they share the set of addresses that they have (joint.h): asked once, it says in which of them to
 * look.
 *
 * Memory: a rule costs struct cls_rule and, if no other has its values, a node of 24 bytes and 8 for each word of its
 * mask; some 40 bytes of slots, its own and those of joints; and for each prefix or port that no other rule has, 8
 * bytes in a trie (32 and more for an IPv6 address) and its share of the nodes above.
 *
 * Threads: *_rcu functions for readers in an RCU read section; the others for the writer. */
#ifndef CLASSIFIER_CLASSIFIER_H
#define CLASSIFIER_CLASSIFIER_H 1

#include "base/hmap.h"
#include "base/list.h"
#include "flow/match.h"
#include "sys/rcu_map.h"

#define CLS_MAX_VERSION UINT64_MAX

struct cls_node;
struct cls_order;
struct cls_shape;
struct cls_subtable;

/* In which versions something is visible: rules, and what changes with them. */
struct cls_versions {
    _Atomic uint64_t add, remove;   /* From this one on; before this one. */
};

static inline void
cls_versions_end(struct cls_versions *v, uint64_t version)
{
    atomic_store_explicit(&v->remove, version, memory_order_relaxed);
}

/* Without an end. */
static inline void
cls_versions_begin(struct cls_versions *v, uint64_t version)
{
    atomic_store_explicit(&v->add, version, memory_order_relaxed);
    cls_versions_end(v, CLS_MAX_VERSION);
}

static inline bool
cls_versions_have(const struct cls_versions *v, uint64_t version)
{
    return version >= atomic_load_explicit(&v->add, memory_order_relaxed) &&
           version < atomic_load_explicit(&v->remove, memory_order_relaxed);
}

struct cls_rule {
    struct cls_node *node;          /* Values and subtable; null while never in a classifier. */
    RCU_PTR(struct cls_rule) next;  /* Same mask and values, lower or equal priority (chain.h). */
    struct cls_rule *prev;          /* The one before it, null: none; the writer's. */
    struct list in_order;           /* In the subtable, in order of insertion; the writer's. */
    struct cls_versions versions;
    int priority;
};

enum { CLS_MAX_PREFIXES = 4 };

struct classifier {
    struct rcu_map subtables_by_mask;       /* struct cls_subtable by hash of mask. */
    RCU_PTR(struct cls_order) order;        /* Subtables by falling highest priority, and the tries. */
    struct list joints;                     /* struct cls_joint.  The writer's. */
    size_t n_rules;                         /* Of all versions. */
    struct cls_subtable *recent;            /* Where a rule was last inserted; null: none, or gone.  The writer's. */
};

/* Bits that searches looked at: of 'bits' only the words in 'map' are valid. */
struct cls_mask {
    struct word_map map;
    struct flow bits;
};

static inline void cls_mask_init(struct cls_mask *m) { m->map = (struct word_map) { { 0 } }; }

static inline void
cls_mask_add(struct cls_mask *m, unsigned int word, uint64_t bits)
{
    uint64_t bit = UINT64_C(1) << word % 64, *half = &m->map.bits[word / 64], *at = flow_word_ptr(&m->bits, word);

    *at = (*half & bit ? *at : 0) | bits;
    *half |= bit;
}

static inline uint64_t
cls_mask_word(const struct cls_mask *m, unsigned int word)
{
    return m->map.bits[word / 64] >> word % 64 & 1 ? flow_word(&m->bits, word) : 0;
}

void classifier_init(struct classifier *);
/* Every rule must have been removed. */
void classifier_uninit(struct classifier *);

/* The fields whose prefixes are tracked, at most CLS_MAX_PREFIXES of those for which classifier_tracks() is true.
 * Costs a walk over the rules. */
void classifier_set_prefixes(struct classifier *, const enum field_id *, size_t n);
void classifier_use_default_prefixes(struct classifier *);
bool classifier_tracks(enum field_id);

/* Inserts 'rule' with 'match' and 'priority', visible from 'version' on.  The rule must stay put until it is removed
 * and the readers are done (rcu_defer). */
void classifier_insert(struct classifier *, struct cls_rule *rule, const struct match *match, int priority,
                       uint64_t version);

/* What finding and inserting a rule takes that depends on its match alone, made beforehand, for any table.  The masks
 * of such are kept together, each once. */
struct cls_shapes {
    struct hmap by_mask;            /* struct cls_shape. */
    struct cls_shape *recent;       /* Which was asked for last; null: none. */
    size_t n_bytes;                 /* What they take. */
};
void cls_shapes_init(struct cls_shapes *);
void cls_shapes_uninit(struct cls_shapes *); /* After all that is ready has been released or inserted. */

struct cls_ready {
    const struct cls_shape *shape;  /* Its mask; the set's. */
    struct cls_node *node;          /* Its values; owned.  Null: inserted or released. */
    uint64_t hash;                  /* Of them. */
};
void cls_ready_init(struct cls_ready *, struct cls_shapes *, const struct match *);
void cls_ready_uninit(struct cls_ready *); /* Any thread. */
size_t cls_ready_size(const struct cls_ready *); /* Bytes that it takes but for itself and the set. */

/* As those for matches; inserting takes what is in 'r'. */
struct cls_rule *classifier_find_ready(const struct classifier *, const struct cls_ready *r, int priority,
                                       uint64_t version);
void classifier_insert_ready(struct classifier *, struct cls_rule *rule, struct cls_ready *r, int priority,
                             uint64_t version);
/* Ask for memory: first for what is in 'r', then for what of the table finding and inserting it will need.  (Inline:
 * the compiler takes a call that only does that for one without effect.) */
static ALWAYS_INLINE void
cls_ready_prefetch(const struct cls_ready *r)
{
    __builtin_prefetch(r->node, 1);
    __builtin_prefetch((const char *) r->node + CACHE_LINE - 1, 1);
}
void classifier_prefetch_ready(const struct classifier *, const struct cls_ready *r);

/* Makes 'rule' invisible from 'version' on; it stays in the tables. */
void cls_rule_hide(struct cls_rule *rule, uint64_t version);
/* Undoes that. */
void cls_rule_unhide(struct cls_rule *rule);

/* Takes 'rule' out of the tables.  Afterwards defer cls_rule_uninit() and the release of its memory. */
void classifier_remove(struct classifier *, struct cls_rule *rule);
/* Any thread. */
void cls_rule_uninit(struct cls_rule *rule);
/* All rules that are in it will be removed, and nobody is to find one of them any more: takes its subtables and
 * prefixes out at once, which makes the removals cheap.  Not while a cursor is in use. */
void classifier_give_up_rules(struct classifier *);

static inline bool
cls_rule_visible(const struct cls_rule *r, uint64_t version)
{
    return cls_versions_have(&r->versions, version);
}

/* Asks for the memory of a rule and of what it is part of, all of which is about to be read. */
enum { CLS_RULE_LINES = 5 };
static ALWAYS_INLINE void
cls_rule_prefetch(const struct cls_rule *rule)
{
    for (unsigned int i = 0; i < CLS_RULE_LINES; i++) {
        __builtin_prefetch((const char *) rule + i * CACHE_LINE);
    }
}

/* The rule for 'flow' in 'version', or null.  'wc' (null allowed) gains the bits consulted.  The second one is told by
 * '*place' in which subtable, by its place in the order of searching, the rule is likely to be (CLS_NO_PLACE: nobody
 * knows), which nothing but time depends on; and puts there where it was (0 if there is no rule). */
enum { CLS_NO_PLACE = UINT16_MAX };
struct cls_rule *classifier_lookup_rcu(const struct classifier *, uint64_t version, const struct flow *flow,
                                       struct cls_mask *wc);
struct cls_rule *classifier_lookup_place_rcu(const struct classifier *, uint64_t version, const struct flow *flow,
                                             struct cls_mask *wc, unsigned int *place);

/* A lookup that is likely to be made soon, and where it is likely to find its rule: where the last one in that table
 * did. */
struct cls_expected { const struct classifier *cls; unsigned int place; };

/* Asks for the memory that these lookups of 'flow' will read, of at most CLS_MAX_EXPECTED tables: it then comes for all
 * of them at the same time, where each lookup would wait several times.  Nothing but time depends on it. */
enum { CLS_MAX_EXPECTED = 8 };
void classifier_prefetch_lookups_rcu(const struct cls_expected *, unsigned int n, const struct flow *flow);

/* The same in two steps, for many flows: what each lookup reads first, and then all that follows from that. */
struct cls_guess {
    const struct cls_subtable *subtable; /* Where its rule is expected; null: nowhere. */
    uint64_t hash;
    const struct cls_node *node;
};
void classifier_guess_rcu(const struct cls_expected *, const struct flow *, struct cls_guess *);
void classifier_prefetch_guesses_rcu(struct cls_guess *, unsigned int n);

/* Calls 'cb' for the rules that match 'flow' in 'version', in no particular order; 'wc' gains the bits consulted.  'cb'
 * answers a priority: rules that are not above it are of no interest from now on (some may still come), and what tells
 * of them need not be consulted.  INT_MIN: all are of interest. */
void classifier_for_each_match_rcu(const struct classifier *, uint64_t version, const struct flow *flow,
                                   struct cls_mask *wc, int (*cb)(void *aux, struct cls_rule *), void *aux);

/* The rule with exactly this match and priority that is visible in 'version', or null. */
struct cls_rule *classifier_find(const struct classifier *, const struct match *, int priority, uint64_t version);

/* Whether a rule visible in 'version', of the same priority, overlaps 'match'. */
bool classifier_overlaps(const struct classifier *, const struct match *, int priority, uint64_t version);

/* The match of a rule, expanded; also of one that has been removed, until cls_rule_uninit(). */
void cls_rule_get_match(const struct cls_rule *, struct match *);
/* Whether it matches every packet. */
bool cls_rule_is_catchall(const struct cls_rule *);

/* Calls 'cb' for each rule visible in 'version' whose match lies inside 'criteria' (null: all).  The order is what
 * dumps of flows show: subtables by falling highest priority, those of equal priority and the rules of each in order
 * of insertion.  The callback may remove the rule it is given. */
void classifier_for_each(struct classifier *, const struct match *criteria, uint64_t version,
                         void (*cb)(void *aux, struct cls_rule *), void *aux);

/* The same walk in steps.  Between them rules may be hidden, and inserted, but none may be removed. */
struct cls_cursor {
    const struct match *criteria;    /* The caller's; null: all. */
    uint64_t version;
    struct cls_subtable **subtables; /* In order; 'i' is where it is. */
    size_t i, n;
    struct list *at;                 /* The last rule seen of that one, or the head of its list. */
};
void cls_cursor_init(struct cls_cursor *, struct classifier *, const struct match *criteria, uint64_t version);
void cls_cursor_uninit(struct cls_cursor *);
/* Looks at 'n' more rules; false at the end. */
bool cls_cursor_step(struct cls_cursor *, size_t n, void (*cb)(void *aux, struct cls_rule *), void *aux);

#endif
