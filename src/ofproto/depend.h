/* Which megaflows a change concerns.
 *
 * What it is
 * ----------
 * A translation says what it consulted (ofproto/xlate/xlate.h): lookups in OpenFlow tables, addresses in the MAC
 * table, groups, mirrors of bundles.
 * Each such question is a node, shared by all that asked it; the questions of one translation are a path of steps, each
 * some nodes that follow those of the step before it, and paths share the steps that they begin with.  Questions that
 * many ask come first in a path, and of those that about as many ask, the first tables': the megaflows of one port have
 * in common what is asked of where a packet comes from, those of two ports what is asked of where it goes to.  Of a
 * pipeline of forty tables, what is a megaflow's own are the one or two questions that nobody else asked.  What is its
 * own is no step but the dependent's tail, which costs less and is shared with nobody: from the first question on that
 * no other one asked (whoever does so later has a step for it), and a few last ones that no other path has had behind
 * the same steps: it is rare that two megaflows ask all the same.  Of a run of lookups (ofproto/xlate/run.h), which
 * comes first, all questions are one step: which, is known by the run.
 *
 * A change finds the nodes whose answer it may alter, so it costs nothing for everything else:
 *
 *   a rule added, changed or removed   the nodes of its table that overlap its match: those of one mask are a hash
 *                                      table, so where the rule's mask covers the node's, that is one probe;
 *   an address learned, moved, gone    the node of that VLAN and address;
 *   a group or a meter changed         the node of its number;
 *   what a bundle is mirrored to       the node of that bundle; or of all the bridge's bundles;
 *   anything else (ports, settings)    everything, softly.
 *
 * Stale
 * -----
 * "Hard": the present result must not be used any more.  "Soft": it must be looked at again, but may serve until then.
 *
 * Changes are kept in a log and looked at together (depend_settle()): by the revalidator, by whoever must be sure (a
 * barrier), or when the log is full.  What a change concerns becomes stale hard in one of two ways:
 *
 *   one by one  'mark' is told of each dependent, and depend_pop_stale() has it;
 *   all at once where that would be too many (depend_limits), the change is only noted, at its nodes or with the shape
 *               of their mask, and 'doubt' is called: from then on no dependent may be used before depend_check() has
 *               said that it is right.  That compares the numbers of changes along the dependent's path, and keeps what
 *               it finds in the steps, for all that share them.
 *
 * So settling takes a bounded time, however many dependents there are, and it is exact which of them are stale.  A
 * walk over all dependents (depend_walk_begin(), depend_walk_end()) lets what was noted be forgotten.
 * A translation that ran while something changed is compared with the log when it is attached: 'seq' says from where.
 *
 * Threads: any; one mutex inside.  The client's functions are called under it. */
#ifndef OFPROTO_DEPEND_H
#define OFPROTO_DEPEND_H 1

#include "ofproto/xlate/xlate.h"
#include "sys/chain.h"

struct depend;

/* What a step has behind it: another step, or a dependent whose path ends there. */
struct depend_member {
    struct chain_link link; /* In step->members, or in a chain of stale dependents. */
    uint64_t seq : 62;      /* A step knows the changes up to this one; as far as they go, a dependent is right. */
    uint64_t is_step : 1;
    uint64_t is_stale : 1;  /* A dependent's: hard, and 'mark' was told. */
};

/* A part of whatever depends on something, in an object of a slab (sys/slab.h). */
enum { DEPENDENT_TAIL = 1 };
struct dependent {
    struct depend_member member;
    slab_ref end;             /* Of its path: a step, or its tail (DEPENDENT_TAIL); 0: not attached. */
    uint32_t note;            /* The owner's. */
};

struct depend_client {
    /* It is stale hard, or ('is_stale' false) right now. */
    void (*mark)(void *aux, struct dependent *, bool is_stale);
    /* From now on none may be used before depend_check(). */
    void (*doubt)(void *aux);
    void *aux;
};

/* How much of settling is done at once: comparisons of nodes, dependents marked one by one. */
struct depend_limits { size_t n_compared, n_marked; };
extern const struct depend_limits depend_default_limits;

struct depend *depend_create(const struct depend_client *, const struct depend_limits *) MUST_CHECK;
/* Nothing may be attached any more. */
void depend_destroy(struct depend *);

/* The number of changes so far: read it before a translation begins. */
uint64_t depend_seq(const struct depend *);

void dependent_init(struct dependent *);

/* Attaches (anew) to what 'out' says, translated when depend_seq() was 'seq'.  Right, or stale already, if something of
 * it changed since: 'mark' is called either way. */
void depend_attach(struct depend *, struct dependent *, const struct xlate_out *out, uint64_t seq);

/* A no-op if it is not attached. */
void depend_detach(struct depend *, struct dependent *);

/* Runs of lookups (ofproto/xlate/run.h) are kept as steps for a while, also when nobody depends on them any more: no
 * longer. */
void depend_forget_runs(struct depend *);

/* Whether it is right, as far as the changes go that were settled.  'mark' is called either way, unless it was stale
 * already.  One that is not attached is stale. */
enum depend_state { DEPEND_STALE, DEPEND_SOFT, DEPEND_RIGHT };
enum depend_state depend_check(struct depend *, struct dependent *);

/* Changes: to be called after they can be seen. */
void depend_rule_changed(struct depend *, const struct xbridge *, uint8_t table_id, const struct cls_rule *);
void depend_table_changed(struct depend *, const struct xbridge *, uint8_t table_id);
void depend_key_changed(struct depend *, const struct xbridge *, enum xlate_consulted_kind, uint64_t key);
/* All keys of that kind. */
void depend_kind_changed(struct depend *, const struct xbridge *, enum xlate_consulted_kind);
void depend_mac_changed(struct depend *, const struct xbridge *, struct eth_addr, uint16_t vlan);
void depend_all_changed(struct depend *);

/* Marks or notes what the changes so far concern. */
void depend_settle(struct depend *);

/* The next stale dependent for which 'may_use' is true, which is then no longer in the list; null if there is none.
 * Those for which it is false leave the list too.  'may_use' is called under the mutex. */
struct dependent *depend_pop_stale(struct depend *, bool (*may_use)(void *aux, struct dependent *), void *aux);

/* A walk: it settles; everything that is attached then is shown to depend_check(), and attached anew or detached unless
 * it is right; then it ends.  One at a time. */
void depend_walk_begin(struct depend *);
void depend_walk_end(struct depend *);

/* Whether there was doubt, or a soft change, since the last walk began. */
bool depend_needs_walk(const struct depend *);

/* What is stale softly is stale hard from now on.  Whether anything may have been. */
bool depend_harden(struct depend *);

struct depend_stats {
    size_t n_dependents, n_nodes, n_steps, n_items, n_stale; /* 'items': nodes in steps. */
    uint64_t n_compared, n_marked, n_doubts; /* Work so far: nodes compared with changes, dependents marked, calls of
                                              * 'doubt'. */
};
void depend_get_stats(struct depend *, struct depend_stats *);

#endif
