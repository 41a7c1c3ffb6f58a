/* Which megaflows a change concerns.
 *
 * What it is
 * ----------
 * A translation says what it consulted (ofproto/xlate/xlate.h): lookups in OpenFlow tables, addresses in the MAC
 * table, groups, mirrors of bundles.
 * Each such question is a node here, shared by all megaflows that asked it; a node knows them.  A change finds the
 * nodes whose answer it may alter and marks what depends on them stale, so it costs nothing for everything else:
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
 * 'mark' is told of each dependent that becomes stale.  "Hard": its present result must not be used any more.  "Soft":
 * it must be looked at again, but may serve until then.  Whoever looks again takes the stale ones with
 * depend_pop_stale() and attaches them anew.
 *
 * Changes are kept in a log and looked at together (depend_settle()): by the revalidator, by whoever must be sure (a
 * barrier), or when the log is full; where that would be too many comparisons, all nodes concerned count as hit.
 * A translation that ran while something changed is compared with the log when it is attached: 'seq' says from where.
 *
 * Threads: any; one mutex inside.  'mark' is called under it. */
#ifndef OFPROTO_DEPEND_H
#define OFPROTO_DEPEND_H 1

#include "base/list.h"
#include "ofproto/xlate/xlate.h"

struct depend;
struct depend_link;

/* A part of whatever depends on something. */
struct dependent {
    struct list node, stale_node; /* Linked to themselves while in no list. */
    struct depend_link *links;
    size_t n_links;
    bool is_stale, is_hard;
};

/* 'is_hard' false: the dependent is fresh again. */
typedef void depend_mark_func(struct dependent *, bool is_hard);

struct depend *depend_create(depend_mark_func *mark) MUST_CHECK;
/* Nothing may be attached any more. */
void depend_destroy(struct depend *);

/* The number of changes so far: read it before a translation begins. */
uint64_t depend_seq(const struct depend *);

void dependent_init(struct dependent *);

/* Attaches (anew) to what 'out' says, translated when depend_seq() was 'seq'.  Fresh, or stale already, if something of
 * it changed since: 'mark' is called either way. */
void depend_attach(struct depend *, struct dependent *, const struct xlate_out *out, uint64_t seq);

/* A no-op if it is not attached. */
void depend_detach(struct depend *, struct dependent *);

/* Changes: to be called after they can be seen. */
void depend_rule_changed(struct depend *, const struct xbridge *, uint8_t table_id, const struct cls_rule *);
void depend_table_changed(struct depend *, const struct xbridge *, uint8_t table_id);
void depend_key_changed(struct depend *, const struct xbridge *, enum xlate_consulted_kind, uint64_t key);
/* All keys of that kind. */
void depend_kind_changed(struct depend *, const struct xbridge *, enum xlate_consulted_kind);
void depend_mac_changed(struct depend *, const struct xbridge *, struct eth_addr, uint16_t vlan);
void depend_all_changed(struct depend *);

/* Marks what the changes so far concern. */
void depend_settle(struct depend *);

/* The next stale dependent for which 'may_use' is true, which is then no longer in the list; null if there is none.
 * Those for which it is false leave the list too.  'may_use' is called under the mutex. */
struct dependent *depend_pop_stale(struct depend *, bool (*may_use)(struct dependent *));

/* Whether something is stale softly: used although it has not been looked at since a change. */
bool depend_is_soft(const struct depend *);

struct depend_stats { size_t n_dependents, n_nodes, n_stale; };
void depend_get_stats(struct depend *, struct depend_stats *);

#endif
