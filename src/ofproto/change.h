/* A change of the flow tables (and the group table) that appears at once, or not at all.
 *
 * What it is
 * ----------
 * Flow-mods, expiry, eviction, deletions of groups and bundles all change tables through this.  What is added is
 * inserted for the next version of the tables, what goes is hidden from that version on; nobody sees either until
 * change_commit() publishes the version, and change_abort() undoes all of it.  Each step sees the ones before it.
 *
 * Of a change that drops many rules only that is done at once: taking them out of the tables, where readers of the new
 * version pass over them, is left to later turns of the main loop (change_unlink_retired()).  Of a table all of whose
 * rules go the classifier gives up its structures as a whole, rather than keep them true rule by rule.
 *
 * A long change is made over many turns of the loop (change_request.h).  Its version is far ahead, so that others can
 * be published in between: of these there are only the flows that packets teach (ofproto_learn()), as everybody else
 * waits.  They join it (change_join.c): what it makes of a flow is as if it had come before.  While one is open no rule
 * is taken out of the tables.
 *
 * A modified flow is a new rule in the place of the old one, since readers of the old version still want the old
 * actions.  The old rule passes its counters on, and also what is still credited to it later (rule.h, 'successor').
 *
 * Threads: the caller holds tables_mutex from change_begin() to the end; with a long change during each step. */
#ifndef OFPROTO_CHANGE_H
#define OFPROTO_CHANGE_H 1

#include "ofproto/ofproto_private.h"
#include "ofproto/users.h"
#include "openflow/error.h"

struct group;

enum { CHANGE_TABLE_WORDS = (OFPROTO_N_TABLES + 63) / 64 };

struct tables_change {
    struct ofproto *p;
    uint64_t version;          /* In which it appears. */
    int64_t now;               /* ms on clock_now_ms(), when it began: since when its rules are there. */
    bool is_long;
    bool is_published;
    uint64_t changed[CHANGE_TABLE_WORDS]; /* Bitmap of tables. */
    int n_flows[OFPROTO_N_TABLES]; /* By how many flows it makes each table grow. */
    size_t n_passed, n_noted_added, n_noted_dropped, n_retired, n_groups_retired; /* How far its end has got. */
    const struct ofconn *requester; /* Null: the switch itself. */
    size_t n_own_added, n_own_dropped; /* Those behind are of others, which joined it when it had been published. */
    struct flow_mod *searches; /* Of a long change: modifications and deletions that it has begun, the first ones. */
    size_t n_searches;
    struct rule **added;
    size_t n_added, added_capacity;
    struct dropped_rule {
        struct rule *rule, *successor; /* Successor: null, or the rule that goes on counting. */
        uint8_t why;           /* enum flow_removed_reason, or REMOVED_SILENTLY. */
        size_t after;          /* How many rules had been added then. */
    } *dropped;
    size_t n_dropped, dropped_capacity;
    struct replaced_group {
        struct group *old, *new; /* Null: there was none; there is none any more. */
    } *groups;                 /* In order; each is in the bridge's map, visible in the versions that have it. */
    size_t n_groups, groups_capacity;
};

void change_begin(struct tables_change *, struct ofproto *, const struct ofconn *requester);
void change_commit(struct tables_change *);
void change_abort(struct tables_change *);
/* Whichever of the two is right after a step that ended so. */
void change_finish(struct tables_change *, enum ofperr error);

/* The same for a long change, of which a bridge has one at a time.  Steps return whether they are through; null for the
 * slice: all at once. */
void change_begin_long(struct tables_change *, struct ofproto *, const struct ofconn *requester);
void change_publish(struct tables_change *);
bool change_commit_step(struct tables_change *, struct loop_slice *); /* Once it is published. */
bool change_abort_step(struct tables_change *, struct loop_slice *);
void change_end(struct tables_change *); /* After the last of either. */

/* Takes part of the change: carries out a flow-mod, checked before. */
enum ofperr change_flow_mod(struct tables_change *, const struct flow_mod *) MUST_CHECK;

/* The same for an add whose rule has been made (rule_make()) and its match made ready: takes both, unless it fails. */
enum ofperr change_add_made(struct tables_change *, struct rule *, struct cls_ready *match) MUST_CHECK;

/* The same in steps. */
struct flow_mod_run {
    struct tables_change *change;
    const struct flow_mod *fm; /* The caller's, until the end. */
    enum { RUN_BEGIN, RUN_SEARCH, RUN_ACT, RUN_DONE } stage;
    unsigned int table_id;     /* That is being searched. */
    bool has_cursor;
    struct cls_cursor cursor;
    struct rule **rules;       /* Found. */
    size_t n, capacity, n_done;
    enum ofperr error;
};
void flow_mod_run_begin(struct flow_mod_run *, struct tables_change *, const struct flow_mod *);
bool flow_mod_run_step(struct flow_mod_run *, struct loop_slice *); /* True: done, see 'error'. */
void flow_mod_run_end(struct flow_mod_run *);                       /* At any time. */

/* A rule comes, with a match that it has at no other visible rule's priority, and what its actions use of tunnel
 * options; one visible so far goes; gives way to 'successor', null for one that counts anew. */
void change_add(struct tables_change *, struct rule *, const struct match *, int priority, uint64_t used_options);
/* The same for one with its own priority whose match has been made ready; no options are used. */
void change_add_ready(struct tables_change *, struct rule *, struct cls_ready *match);
void change_drop(struct tables_change *, struct rule *, uint8_t why);
void change_replace(struct tables_change *, struct rule *old, struct rule *successor);
/* A visible flow gets the actions of a modification: the rule in its place. */
struct rule *change_modify(struct tables_change *, struct rule *, const struct flow_mod *);
/* All rules whose actions use a group, or a meter, go: in steps, true once all have.  Beginning with 'kind', 'id' and
 * 'why' alone; to be uninitialised at any time. */
struct users_run {
    enum users_kind kind;
    uint32_t id;
    uint8_t why;
    struct rule **rules; /* Null: not begun. */
    size_t n, n_done;
};
bool change_drop_users_step(struct tables_change *, struct users_run *, struct loop_slice *);
void users_run_uninit(struct users_run *);

/* Whether the groups and the meter that the actions name exist. */
enum ofperr check_references(const struct ofproto *, struct act_span acts) MUST_CHECK;

/* Takes rules out of the tables that nobody sees any more since a change that dropped many; whether all are. */
bool change_unlink_retired(struct ofproto *, struct loop_slice *);

/* Makes room in a full table (OpenFlow 1.4 §6.5; evict.h): false if no rule of it may go, or if a long change of
 * another has changed the table. */
bool change_evict(struct tables_change *, uint8_t table_id);
/* How many flows the table will have, with those of a long change of another. */
unsigned int change_n_flows(const struct tables_change *, uint8_t table_id);

/* Whether a search of the flow-mod is about the rule, which is in one of its tables and inside its match. */
bool flow_mod_selects(const struct flow_mod *, const struct rule *);

/* change_join.c, for a long change.  A search begins: it is about flows, too, that come before the change is published.
 * Another change has been published meanwhile, before this one; after it. */
void change_note_search(struct tables_change *, const struct flow_mod *);
void change_join(struct tables_change *, const struct tables_change *other);
void change_take_over(struct tables_change *, const struct tables_change *other);
void change_forget_searches(struct tables_change *);

#endif
