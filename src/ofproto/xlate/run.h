/* Runs: lookups that follow each other without anything between them, remembered.
 *
 * What it is
 * ----------
 * In a long pipeline most tables say of most packets only: go on with a later table.  A run is such a stretch: its
 * lookups, of which each but the last found a rule that does nothing but that, were made with the same flow.  They ask
 * for few bits (the logical network, say), so that many packets have the same answers.  A thread remembers the runs
 * that its translations met; where a lookup begins one that the packet's bits agree with, all of it is taken at once:
 * credits, wildcards, and what was consulted, as that one thing (xlate_out.runs).
 *
 * How it works
 * ------------
 * A lookup joins the run before it while both ask for nearly the same bits: else a run would be one connection's.
 * The key of a run is what its lookups asked for, and the type of Ethernet: the classifier's promise is that a packet
 * which agrees there has the same answers.  (Its own lookups might, rarely, have told by other bits.)  For each table
 * that runs begin with there are a few masks of keys; the runs are in one table of fixed size, a newer one in the place
 * of an older.
 *
 * A run holds for the version of the tables that it was made for, and for later ones as long as no rule of its tables
 * has come or gone since (xbridge.h, 'changed').  So no rule that it names has been released when it is used.
 * Where runs are made more often than they are used (flows of many kinds, tables that change with each packet), only
 * one in a few is remembered.
 *
 * Not used: by trace, for what fragments match, and for the first lookup of a translation, which has more to it.
 *
 * Threads: the memory is one thread's.  A run is immutable but for its references and 'version', which is the memory's.
 * Limits: RUN_MAX lookups; a memory is at most some 10 MB, in an ordinary pipeline a few hundred kB. */
#ifndef OFPROTO_XLATE_RUN_H
#define OFPROTO_XLATE_RUN_H 1

#include "ofproto/xlate/scout.h"
#include "ofproto/xlate/xlate.h"

enum { RUN_MAX = 32, RUN_KEY_WORDS = 12 };

struct xlate_run {
    uint32_t n_refs;             /* Of the memory, and of what that thread translates: nobody else has any. */
    uint32_t n_lookups;
    uint64_t id;                 /* Of this process; never given again. */
    uint64_t version;            /* Of the tables: it holds for this one. */
    uint64_t shape;              /* The mask of its key. */
    uint32_t n_resubmits;
    uint8_t n_key, last_table_id;
    struct rule *last_rule;      /* What the last lookup found. */
    /* By lookup; in the run's memory. */
    const struct xlate_consulted *consulted;
    const struct xlate_credit *credits;
    const uint64_t *words;       /* Of 'consulted'. */
    uint64_t key[];
};

/* A run under way, while a translation goes through its lookups. */
struct xlate_record {
    uint32_t n;                  /* Lookups; 0: none is under way. */
    uint32_t n_resubmits;
    bool expects;                /* The next lookup goes on with it, */
    bool by_resubmit;            /* by way of "resubmit". */
    const struct xbridge *bridge;
    size_t consulted, credits;   /* Its first ones in xlate_out. */
    uint8_t table_id;            /* Its first. */
    unsigned int n_key;          /* Words of the key, by index. */
    struct run_word { uint32_t index; uint64_t mask, value; } key[RUN_KEY_WORDS];
};

struct xlate_ctx;
struct xlate_runs;

/* The calling thread's memory; goes with the thread. */
struct xlate_runs *xlate_runs_mine(void);
/* A memory of the caller's. */
struct xlate_runs *xlate_runs_create(void) MUST_CHECK;
void xlate_runs_destroy(struct xlate_runs *);
/* How often a run was made, and taken; how many lookups and runs were asked for beforehand: for tests. */
struct xlate_runs_stats { uint64_t n_made, n_taken, n_scouted; };
struct xlate_runs_stats xlate_runs_get_stats(const struct xlate_runs *);

struct xlate_scout *xlate_runs_scout(struct xlate_runs *);

/* Whether all that the rule's actions do is to go on with a later table. */
bool xlate_run_leads_on(const struct rule *, uint8_t table_id, bool *by_resubmit);

struct xlate_run *xlate_run_ref(struct xlate_run *);
void xlate_run_unref(struct xlate_run *);

/* Whether the next lookup of the translation, with 'in_port' in table 'table_id', may be a run's. */
bool xlate_run_may(const struct xlate_ctx *, ofp_port in_port, bool with_tuple);
/* Where runs are kept that begin with 'table_id', have the key's mask number 'shape' (ctx->place of a run that was
 * taken), and agree with the flow: null, or a run, which may be another.  To be asked for beforehand. */
struct xlate_run *const *xlate_run_place(const struct xlate_ctx *, uint8_t table_id, unsigned int shape);
/* Takes the run that begins with 'table_id', if there is one for the flow: its last rule, and its table in '*table_id'.
 * Else null. */
struct rule *xlate_run_take(struct xlate_ctx *, uint8_t *table_id);
/* 'rule', not null, is what a lookup in 'table_id' found; the last of xlate_out's 'consulted' and 'credits' are its. */
void xlate_run_note(struct xlate_ctx *, uint8_t table_id, const struct rule *rule);
/* The run under way, if there is one, ends. */
void xlate_run_end(struct xlate_ctx *);

#endif
