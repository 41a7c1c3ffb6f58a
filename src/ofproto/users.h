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

/* A change hides the rule; it is undone. */
void users_note_dropped(struct rule *);
void users_note_kept(struct rule *);

/* How often flows that can be seen use it.  Takes tables_mutex. */
uint32_t users_count(struct ofproto *, enum users_kind, uint32_t id);

/* The rules that use it and that the change under way has not dropped, one that names it twice also twice, to be
 * released with free().  They are in the order in which they came, but that the last takes the place of one that goes,
 * as in the reference: controllers are told in this order of the flows that go with a group. */
struct rule **users_list(const struct ofproto *, enum users_kind, uint32_t id, size_t *n);

#endif
