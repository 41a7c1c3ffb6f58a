/* Group-mods and requests about groups. */
#include <stdlib.h>

#include "ofproto/change_request.h"
#include "ofproto/group.h"
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

static const struct change_request_ops request_ops = { stage_request, answer_request, destroy_request };

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

/* A group and its number, so that sorting does not have to go to the group for it. */
struct wanted {
    uint32_t id;
    const struct group *group;
};

static int
compare_id(const void *a_, const void *b_)
{
    const struct wanted *a = a_, *b = b_;

    return (a->id > b->id) - (a->id < b->id);
}

/* Those wanted by number, to be released with free(). */
static struct wanted *
wanted_groups(const struct ofproto *p, uint32_t id, size_t *n)
{
    struct wanted *groups = xmalloc((hmap_count(&p->groups) + 1) * sizeof *groups);

    *n = 0;
    HMAP_FOR_EACH (g, struct group, node, &p->groups) {
        if (id == GROUP_ALL || g->desc.group_id == id) {
            groups[(*n)++] = (struct wanted) { g->desc.group_id, g };
        }
    }
    qsort(groups, *n, sizeof *groups, compare_id);
    return groups;
}

enum ofperr
handle_group_desc(struct ofconn *c, const struct msg *m, struct bytes *out)
{
    struct msg_parts parts;
    struct wanted *groups;
    enum ofperr error;
    uint32_t id;
    size_t n;

    error = group_request_decode(m, &id);
    if (error) {
        return error;
    }
    groups = wanted_groups(c->ofproto, id, &n);
    msg_parts_begin(&parts, out, MSG_GROUP_DESC_REPLY, m);
    for (size_t i = 0; i < n; i++) {
        size_t entry = out->len;

        group_desc_put(out, m->version, &groups[i].group->desc);
        msg_parts_entry(&parts, entry);
    }
    msg_parts_end(&parts);
    free(groups);
    return OFPERR_NONE;
}

static void
put_stats(struct bytes *out, enum of_version v, const struct group *g, uint32_t n_flows)
{
    int64_t age = clock_now_ms() - g->created;
    struct group_stats s = {
        .group_id = g->desc.group_id, .ref_count = n_flows, .duration_sec = age / 1000,
        .duration_nsec = age % 1000 * 1000000, .n_buckets = g->desc.n_buckets,
        .buckets = xcalloc(MAX(g->desc.n_buckets, 1), sizeof *s.buckets),
        .n_packets = atomic_load(&g->counter.n_packets), .n_bytes = atomic_load(&g->counter.n_bytes),
    };

    for (size_t i = 0; i < g->desc.n_buckets; i++) {
        s.buckets[i].n_packets = atomic_load(&g->bucket_counters[i].n_packets);
        s.buckets[i].n_bytes = atomic_load(&g->bucket_counters[i].n_bytes);
    }
    group_stats_put(out, v, &s);
    group_stats_uninit(&s);
}

enum ofperr
handle_group_stats(struct ofconn *c, const struct msg *m, struct bytes *out)
{
    struct ofproto *p = c->ofproto;
    struct msg_parts parts;
    struct wanted *groups;
    enum ofperr error;
    uint32_t id;
    size_t n;

    error = group_request_decode(m, &id);
    if (error) {
        return error;
    }
    groups = wanted_groups(p, id, &n);
    msg_parts_begin(&parts, out, MSG_GROUP_REPLY, m);
    pthread_mutex_lock(&p->tables_mutex);
    for (size_t i = 0; i < n; i++) {
        size_t entry = out->len;

        put_stats(out, m->version, groups[i].group, users_count(p, USERS_OF_GROUP, groups[i].group->desc.group_id));
        msg_parts_entry(&parts, entry);
    }
    pthread_mutex_unlock(&p->tables_mutex);
    msg_parts_end(&parts);
    free(groups);
    return OFPERR_NONE;
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
