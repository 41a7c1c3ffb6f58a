/* The rules of a node: those with the same mask and values, chained by falling priority.  Private to the classifier.
 *
 * Readers follow the chain; nearly always its first rule is their answer.  The writer has to find the place of a
 * priority.  Where a chain is long he has an index beside it: of each priority the last rule, in runs of at most
 * CHAIN_RUN by falling priority, so that finding a place is two binary searches and a change moves at most a run and
 * the list of runs.  Among rules of equal priority, which are visible in different versions, the newest comes first, so
 * that what is looked for is found there however many old ones are still there.
 *
 * Memory: some 17 bytes for each priority of a long chain; nothing for a short one.
 *
 * Threads: the writer's. */
#ifndef CLASSIFIER_CHAIN_H
#define CLASSIFIER_CHAIN_H 1

#include "base/hmap.h"
#include "classifier/subtable.h"

/* With more rules than CHAIN_LONG a chain gets an index, with fewer than half as many it loses it. */
enum { CHAIN_LONG = 16, CHAIN_RUN = 128 };

/* The first rule of a priority of at most 'priority'; null if there is none. */
struct cls_rule *cls_chain_find(const struct cls_node *, int priority);

/* Puts a rule in, before those of equal priority; takes it out. */
void cls_chain_insert(struct cls_node *, struct cls_rule *);
void cls_chain_remove(struct cls_node *, struct cls_rule *);

#endif
