/* A rule: one entry of an OpenFlow table.
 *
 * Owned by its table from insertion to removal; translation, megaflows and controllers' dumps may hold it longer by
 * reference (rule_ref) or by RCU.  Match, priority, actions and cookie never change: a modify makes a new rule, which
 * goes on with the counters of the old one.  Timeouts and counters are words of their own.
 *
 * Threads: the main thread writes, but for the counters, which whoever pushes statistics adds to (rule_credit).  Others
 * read in an RCU read section. */
#ifndef OFPROTO_RULE_H
#define OFPROTO_RULE_H 1

#include "base/hmap.h"
#include "base/list.h"
#include "classifier/classifier.h"
#include "openflow/flow_mod.h"

struct ofproto;
struct rule_use;
struct evictee;

/* What a rule does: immutable, in the rule's memory behind it. */
struct rule_actions {
    size_t len;      /* Bytes of 'acts'. */
    uint64_t acts[]; /* A sequence of struct act (openflow/action/action.h). */
};

/* What searching, running and counting touch comes first, in two lines; then what inserting one touches. */
struct rule {
    struct cls_rule cr;
    RCU_PTR(struct rule_actions) actions; /* Set once. */
    RCU_PTR(struct rule) successor; /* Which counts in its place, referenced; null: none. */
    _Atomic int64_t used;      /* Idle timeout counts from here. */
    _Atomic uint64_t n_packets, n_bytes;
    be64 cookie;
    uint8_t table_id;
    uint8_t flags;             /* enum flow_mod flags that stay with the rule (send_flow_rem...). */
    uint16_t importance;
    _Atomic uint16_t idle_timeout, hard_timeout; /* Seconds; 0: never.  'learn' and fin_timeout may reduce them. */
    bool is_modified : 1;      /* A modify made it from another with the same match. */
    bool uses_options : 1;     /* Tunnel options, by its match or actions. */
    bool is_replacement : 1;   /* There was a flow with the same match and priority before. */
    bool has_meter : 1, has_groups : 1; /* Among its actions. */
    bool may_learn : 1;        /* A 'learn' is among them, or a 'clone', which may have one. */
    _Atomic bool is_offloaded; /* rule_get_offloaded() knows something of it. */
    _Atomic uint32_t n_refs;
    struct ofproto *ofproto;
    int64_t created;           /* ms on clock_now_ms(); duration counts from here. */
    _Atomic int64_t modified;  /* Hard timeout counts from here. */
    struct list expirable;     /* In a list of expiry.h, or of 'retired' ones; else self-linked. */
    struct hmap_node by_cookie; /* In ofproto->by_cookie, if it is the first with its cookie (cookies.h). */
    struct list same_cookie;   /* The others with its cookie. */
    struct evictee *evictee;   /* Its place in the order of eviction (evict.h); null: none. */
    struct rule_use *uses;     /* Of groups and meters: users.c; null: none. */
    uint32_t n_uses;
    uint32_t dropped_at;       /* Its place in the list of a long change that drops it (change_join.c). */
    uint64_t first_note, last_note; /* Numbers of the changes, as flow monitors count, that made and last changed the
                                     * flow; 0: nobody watched.  Guarded by tables_mutex. */
};

static inline struct act_span
rule_actions_span(const struct rule_actions *a)
{
    return (struct act_span) { a->len ? (const struct act *) a->acts : NULL, a->len };
}

static inline struct rule *
rule_from_cls(struct cls_rule *cr)
{
    return cr ? CONTAINER_OF(cr, struct rule, cr) : NULL;
}

/* Of the switch itself: controllers neither see nor change it, and it does not count. */
static inline bool rule_is_hidden(const struct rule *r) { return r->cr.priority > UINT16_MAX; }

/* A rule with these actions and one reference, the caller's; all else is zero. */
struct rule *rule_create(struct act_span acts);
/* The rule of a flow-mod that adds one, its priority included; its bridge and times are for the caller to set. */
struct rule *rule_make(const struct flow_mod *);
/* It begins to be, now (ms on clock_now_ms()). */
void rule_begin(struct rule *, struct ofproto *, int64_t now);
/* Releases at once one that has never been in a table.  Any thread. */
void rule_discard(struct rule *);
size_t rule_memory(const struct rule *); /* Bytes, with its actions. */

/* Asks for the memory of a rule that is to be inserted.  Inline: the compiler takes a call that only does that for one
 * without effect. */
static ALWAYS_INLINE void
rule_prefetch(const struct rule *r)
{
    for (size_t i = 0; i <= offsetof(struct rule, modified); i += CACHE_LINE) {
        __builtin_prefetch((const char *) r + i, 1);
    }
}

/* Adds a reference (of an RCU reader too, if the rule is not already dying: false then); drops one. */
bool rule_try_ref_rcu(struct rule *);
struct rule *rule_ref(struct rule *);
void rule_unref(struct rule *); /* Null is allowed.  Any registered thread. */

static inline const struct act *
rule_acts_rcu(const struct rule *r, size_t *len)
{
    const struct rule_actions *a = rcu_get(&r->actions);

    *len = a->len;
    return (const struct act *) a->acts;
}

/* The counters of 'old' become those of 'new', also what is credited to 'old' from now on.  Once, before 'old' leaves
 * its table. */
void rule_pass_on(struct rule *old, struct rule *new);

/* The rule that counts for this one: itself, or its last successor. */
static inline const struct rule *
rule_counts_in_rcu(const struct rule *r)
{
    for (const struct rule *next; (next = rcu_get(&r->successor)) != NULL;) {
        r = next;
    }
    return r;
}

/* Adds to the counters; 'used' only moves forward.  Any thread. */
void rule_credit(struct rule *, uint64_t n_packets, uint64_t n_bytes, int64_t used);

/* Of what the rule has counted, that of megaflows which a device had a part in: adds to it (any thread), and tells it,
 * of a rule that counts for itself. */
void rule_credit_offloaded(struct rule *, uint64_t n_packets, uint64_t n_bytes);
void rule_get_offloaded(const struct rule *, uint64_t *n_packets, uint64_t *n_bytes);
/* Moves it to another rule; null: to none. */
void rule_move_offloaded(struct rule *from, struct rule *to);

#endif
