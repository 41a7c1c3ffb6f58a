/* Group-mods and requests about groups. */
#include <stdlib.h>

#include "ofproto/change_request.h"
#include "ofproto/group.h"
#include "ofproto/listing.h"
#include "ofproto/ofconn.h"
#include "ofproto/users.h"
#include "openflow/msg/table.h"

/* A deletion, which takes as long as there are flows that use the group. */
struct group_request {
    struct change_request r;
    struct group_mod gm;
    struct group_mod_run run;
};

static bool
stage_request(struct change_request *r, struct loop_slice *slice, enum ofperr *error)
{
    struct group_request *g = CONTAINER_OF(r, struct group_request, r);
    bool done = group_mod_run_step(&g->run, slice);

    *error = g->run.error;
    return done;
}

/* A deletion cannot fail. */
static void
answer_request(struct change_request *r UNUSED, enum ofperr error UNUSED)
{
}

static void
destroy_request(struct change_request *r)
{
    struct group_request *g = CONTAINER_OF(r, struct group_request, r);

    group_mod_run_end(&g->run);
    group_mod_uninit(&g->gm);
    free(g);
}

static const struct change_request_ops request_ops = { stage_request, NULL, answer_request, destroy_request };

/* Takes over 'gm'. */
static enum ofperr
delete_in_steps(struct ofconn *c, const struct group_mod *gm)
{
    struct group_request *g = xzalloc(sizeof *g);
    enum ofperr error;

    change_request_begin(&g->r, &request_ops, c);
    g->gm = *gm;
    group_mod_run_begin(&g->run, &g->r.change, &g->gm);
    if (!change_request_run(&g->r)) {
        return OFPERR_NONE; /* It goes on. */
    }
    error = g->r.error;
    change_request_destroy(&g->r);
    return error;
}

enum ofperr
handle_group_mod(struct ofconn *c, const struct msg *m, struct bytes *out UNUSED)
{
    struct group_mod gm;
    enum ofperr error = group_mod_decode(m, &gm);

    if (error) {
        return error;
    }
    if (gm.command == GROUP_DELETE) {
        return delete_in_steps(c, &gm);
    }
    error = group_mod_at_once(c->ofproto, c, &gm);
    group_mod_uninit(&gm);
    return error;
}

/* Requests about groups tell of them as they are when the request comes: a group is replaced as a whole, and a change
 * that is under way meanwhile may come to nothing. */

static void
release_group(void *group)
{
    group_unref(group);
}

static void
note(struct listing *groups, struct group *g)
{
    if (group_try_ref_rcu(g)) {
        listing_add(groups, g->desc.group_id, g);
    }
}

static void
note_of_roll(struct listing *groups, struct roll_entry *e)
{
    note(groups, CONTAINER_OF(e, struct group, in_roll));
}

static enum ofperr
reply_groups(struct ofconn *c, const struct msg *m, const struct listing_ops *ops)
{
    struct listing one = LISTING_INIT;
    enum ofperr error;
    struct group *g;
    uint32_t id;

    error = group_request_decode(m, &id);
    if (error) {
        return error;
    }
    if (id == GROUP_ALL) {
        listing_reply_all(c, m, ops, &c->ofproto->groups_roll, hmap_count(&c->ofproto->groups));
        return OFPERR_NONE;
    }
    g = group_find(c->ofproto, id);
    if (g) {
        note(&one, g);
    }
    listing_reply(c, m, ops, &one);
    return OFPERR_NONE;
}

static bool
put_desc(struct ofconn *c UNUSED, struct bytes *out, enum of_version v, const struct listed *group)
{
    group_desc_put(out, v, &((const struct group *) group->thing)->desc);
    return true;
}

enum ofperr
handle_group_desc(struct ofconn *c, const struct msg *m, struct bytes *out UNUSED)
{
    static const struct listing_ops ops = { MSG_GROUP_DESC_REPLY, 0, put_desc, release_group, note_of_roll };

    return reply_groups(c, m, &ops);
}

static bool
put_stats(struct ofconn *c, struct bytes *out, enum of_version v, const struct listed *group)
{
    const struct group *g = group->thing;
    int64_t age = clock_now_ms() - g->created;
    struct group_stats s = {
        .group_id = g->desc.group_id, .ref_count = users_count(c->ofproto, USERS_OF_GROUP, g->desc.group_id),
        .duration_sec = age / 1000, .duration_nsec = age % 1000 * 1000000, .n_buckets = g->desc.n_buckets,
        .buckets = xcalloc(MAX(g->desc.n_buckets, 1), sizeof *s.buckets),
        .n_packets = atomic_load(&g->counter.n_packets), .n_bytes = atomic_load(&g->counter.n_bytes),
    };

    for (size_t i = 0; i < g->desc.n_buckets; i++) {
        s.buckets[i].n_packets = atomic_load(&g->bucket_counters[i].n_packets);
        s.buckets[i].n_bytes = atomic_load(&g->bucket_counters[i].n_bytes);
    }
    group_stats_put(out, v, &s);
    group_stats_uninit(&s);
    return true;
}

enum ofperr
handle_group_stats(struct ofconn *c, const struct msg *m, struct bytes *out UNUSED)
{
    static const struct listing_ops ops = { MSG_GROUP_REPLY, 0, put_stats, release_group, note_of_roll };

    return reply_groups(c, m, &ops);
}

enum ofperr
handle_group_features(struct ofconn *c UNUSED, const struct msg *m, struct bytes *out)
{
    enum { CAP_SELECT_WEIGHT = 1, CAP_SELECT_LIVENESS = 2, CAP_CHAINING = 4 };
    struct group_features f = {
        .types = (1 << GROUP_N_TYPES) - 1, .capabilities = CAP_SELECT_WEIGHT | CAP_SELECT_LIVENESS | CAP_CHAINING,
    };

    for (int i = 0; i < GROUP_N_TYPES; i++) {
        f.max_groups[i] = GROUP_MAX;
        f.actions[i] = (1u << TABLE_ACTION_N) - 1;
    }
    group_features_encode(out, m, &f);
    return OFPERR_NONE;
}
