/* Which flows use a group or a meter, so that neither counting nor deleting them costs a walk over all the others.
 *
 * A rule is noted from when a change adds it to when nobody sees it any more (change.c), with every group that its
 * actions name, as often as they name it, and its meter.
 *
 * Threads: the caller holds tables_mutex. */
#ifndef OFPROTO_USERS_H
#define OFPROTO_USERS_H 1

#include "ofproto/ofproto_private.h"

enum users_kind { USERS_OF_GROUP, USERS_OF_METER };

void users_init(struct ofproto *);
void users_uninit(struct ofproto *); /* All rules have gone. */

void users_note_added(struct rule *);
void users_note_removed(struct rule *);

/* How often flows that can be seen use it. */
uint32_t users_count(const struct ofproto *, enum users_kind, uint32_t id);

/* Calls 'cb' for each rule that uses it and is visible in 'version', in the order in which they came; it may hide the
 * rule. */
void users_for_each(const struct ofproto *, enum users_kind, uint32_t id, uint64_t version,
                    void (*cb)(void *aux, struct rule *), void *aux);

#endif
