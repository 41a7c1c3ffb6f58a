/* Scouting: memory for the lookups that a translation is about to make is asked for beforehand.
 *
 * A lookup in a large table waits for memory several times, each time for what the last answer named: the slot, the
 * values, the rule.  In a long pipeline most rules only lead on to another table, with the same flow, and it is mostly
 * the same table.  So a thread remembers for each table which one was looked up next, and where in its order of
 * subtables the rule was found; before a lookup it asks for what that one and some behind it will read, up to the first
 * whose rule does more than to lead on.  They then wait together.  The same goes for runs (ofproto/xlate/run.h).
 *
 * Nothing but time depends on it: where the memory is wrong, what was asked for is not used.
 *
 * Threads: the memory is one thread's, part of that for runs (ofproto/xlate/run.h). */
#ifndef OFPROTO_XLATE_SCOUT_H
#define OFPROTO_XLATE_SCOUT_H 1

#include "ofproto/xbridge.h"

struct rule;
struct xlate_ctx;
struct xlate_runs;

/* What the last lookup in a table was like. */
struct scout_memory {
    uint64_t serial;         /* Of the bridge; 0: nothing is here. */
    uint8_t table_id;
    uint8_t next;            /* The table that was looked up next; 'table_id': none. */
    bool leads_on;           /* The rule did nothing but that. */
    bool is_run;             /* A run that begins with it was taken. */
    uint8_t place;           /* classifier_lookup_place_rcu(); of a run: xlate_run_place() */
};
enum { SCOUT_MEMORIES = 512 };

struct xlate_scout {
    struct scout_memory memories[SCOUT_MEMORIES];
    uint64_t n_asked;        /* How many lookups and runs were asked for. */
};

/* Where a lookup in this table is likely to find its rule: for classifier_lookup_place_rcu(). */
unsigned int xlate_scout_place(const struct xlate_ctx *, uint8_t table_id);
/* A lookup with ctx->flow in this table, or a run that begins with it, comes next. */
void xlate_scout_ahead(struct xlate_ctx *, uint8_t table_id);
/* What the first lookup of a packet in this bridge will read first, and where its rule is expected. */
void xlate_scout_guess_rcu(struct xlate_runs *, const struct xbridge *, const struct flow *, struct cls_guess *);
/* It was made, or the run taken; 'rule', not null, was found, in table 'last_id'. */
void xlate_scout_note(struct xlate_ctx *, uint8_t table_id, const struct rule *rule, uint8_t last_id, bool is_run);

#endif
