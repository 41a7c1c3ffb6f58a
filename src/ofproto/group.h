/* The group table: groups as OpenFlow configures them.
 *
 * A group is an immutable object; a group-mod replaces it as a whole, as part of a change of the tables (change.h), so
 * that a bundle with groups and flows appears at once or not at all.
 *
 * Threads: main thread, holding tables_mutex for changes.
 * Standards: OpenFlow 1.5 §6.10, §7.3.4.3. */
#ifndef OFPROTO_GROUP_H
#define OFPROTO_GROUP_H 1

#include "ofproto/change.h"
#include "ofproto/xgroup.h"

void groups_init(struct ofproto *);
/* Some of the groups of a bridge of which nobody knows any more (removal.c); true when all are gone. */
bool groups_destroy_step(struct ofproto *, struct loop_slice *) MUST_CHECK;
struct group *group_find(const struct ofproto *, uint32_t group_id);

/* Carries out a group-mod as part of the change, in steps: true once it is done, see 'error'; null for the slice: at
 * once.  What it deletes takes the flows that use it along.  Takes over the buckets and properties of '*gm', the
 * caller's until the end, and leaves them empty. */
struct group_mod_run {
    struct tables_change *change;
    struct group_mod *gm;
    bool has_begun, all;     /* A deletion; of all groups. */
    struct group *next;      /* To be deleted. */
    struct users_run users;  /* Of that one. */
    enum ofperr error;
};
void group_mod_run_begin(struct group_mod_run *, struct tables_change *, struct group_mod *);
bool group_mod_run_step(struct group_mod_run *, struct loop_slice *);
void group_mod_run_end(struct group_mod_run *); /* At any time. */

/* All of it at once, as a change of its own. */
enum ofperr group_mod_at_once(struct ofproto *, const struct ofconn *requester, struct group_mod *) MUST_CHECK;

/* Gives buckets that came without an id (before 1.5) their position as one. */
void group_mod_number_buckets(struct group_mod *gm);

/* For change.c: the end of a change.  The version that has it has been published; what it has replaced is taken out; or
 * it is undone.  Steps return whether they are through. */
void groups_tell(const struct tables_change *);
bool groups_retire_step(struct tables_change *, struct loop_slice *);
bool groups_abort_step(struct tables_change *, struct loop_slice *);

#endif
