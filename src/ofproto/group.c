#include "ofproto/group.h"

#include <stdlib.h>

#include "base/hash.h"
#include "openflow/msg/flow.h"

/* The datapath is told of each of so many that change at once; of more, that groups have changed. */
enum { MANY_GROUPS = 256 };

static uint32_t
hash_id(uint32_t group_id)
{
    return hash_u32(group_id, 0);
}

void
groups_init(struct ofproto *p)
{
    hmap_init(&p->groups);
    roll_init(&p->groups_roll);
}

bool
groups_destroy_step(struct ofproto *p, struct loop_slice *slice)
{
    HMAP_FOR_EACH_SAFE (g, struct group, node, &p->groups) {
        if (loop_slice_is_over(slice)) {
            return false;
        }
        hmap_remove(&p->groups, &g->node);
        roll_remove(&p->groups_roll, &g->in_roll);
        xbridge_remove_group(&p->xb, g);
        group_unref(g);
    }
    hmap_uninit(&p->groups);
    return true;
}

struct group *
group_find(const struct ofproto *p, uint32_t group_id)
{
    HMAP_FOR_EACH_WITH_HASH (g, struct group, node, hash_id(group_id), &p->groups) {
        if (g->desc.group_id == group_id) {
            return g;
        }
    }
    return NULL;
}

/* Changes. */

static void
put_in_place(struct ofproto *p, struct group *gone, struct group *come)
{
    if (gone) {
        hmap_remove(&p->groups, &gone->node);
        roll_remove(&p->groups_roll, &gone->in_roll);
    }
    if (come) {
        hmap_insert(&p->groups, &come->node, hash_id(come->desc.group_id));
        roll_add(&p->groups_roll, &come->in_roll);
    }
}

static void
replace(struct tables_change *c, struct group *old, struct group *new)
{
    if (c->n_groups == c->groups_capacity) {
        c->groups = x2nrealloc(c->groups, &c->groups_capacity, sizeof *c->groups);
    }
    c->groups[c->n_groups++] = (struct replaced_group) { old, new };
    put_in_place(c->p, old, new);
    if (new) {
        xbridge_add_group(&c->p->xb, new, c->version);
    }
    if (old) {
        group_hide(old, c->version);
    }
}

void
groups_tell(const struct tables_change *c)
{
    if (c->n_groups > MANY_GROUPS) {
        backer_groups_changed(c->p->backer, &c->p->xb);
        return;
    }
    for (size_t i = 0; i < c->n_groups; i++) {
        const struct group *g = c->groups[i].new ? c->groups[i].new : c->groups[i].old;

        backer_group_changed(c->p->backer, &c->p->xb, g->desc.group_id);
    }
}

bool
groups_retire_step(struct tables_change *c, struct loop_slice *slice)
{
    for (; c->n_groups_retired < c->n_groups && !loop_slice_is_over(slice); c->n_groups_retired++) {
        struct group *old = c->groups[c->n_groups_retired].old;

        if (old) {
            xbridge_remove_group(&c->p->xb, old);
            group_unref(old);
        }
    }
    return c->n_groups_retired == c->n_groups;
}

bool
groups_abort_step(struct tables_change *c, struct loop_slice *slice)
{
    while (c->n_groups && !loop_slice_is_over(slice)) {
        struct replaced_group *r = &c->groups[--c->n_groups];

        put_in_place(c->p, r->new, r->old);
        if (r->old) {
            group_unhide(r->old);
        }
        if (r->new) {
            xbridge_remove_group(&c->p->xb, r->new);
            group_unref(r->new);
        }
    }
    return !c->n_groups;
}

void
group_mod_number_buckets(struct group_mod *gm)
{
    for (size_t i = 0; i < gm->n_buckets; i++) {
        if (gm->buckets[i].bucket_id == BUCKET_ALL) {
            gm->buckets[i].bucket_id = i;
        }
    }
}

/* A group that takes over what 'gm' holds. */
static struct group *
make_group(struct group_mod *gm, int64_t created)
{
    group_mod_number_buckets(gm);
    return group_create(gm, created);
}

static void
clone_buckets(struct group_mod *to, const struct bucket *from, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct bucket *b = group_mod_add_bucket(to);

        *b = from[i];
        b->actions = act_span_clone(from[i].actions);
    }
}

/* Place of the bucket in the group; SIZE_MAX if it is not there. */
static size_t
find_bucket(const struct group *g, uint32_t bucket_id)
{
    for (size_t i = 0; i < g->desc.n_buckets; i++) {
        if (g->desc.buckets[i].bucket_id == bucket_id) {
            return i;
        }
    }
    return SIZE_MAX;
}

/* Buckets that stay go on counting. */
static void
keep_counters(struct group *new, const struct group *old)
{
    for (size_t i = 0; i < new->desc.n_buckets; i++) {
        size_t was = find_bucket(old, new->desc.buckets[i].bucket_id);

        if (was != SIZE_MAX) {
            group_credit(new, i, atomic_load(&old->bucket_counters[was].n_packets),
                         atomic_load(&old->bucket_counters[was].n_bytes));
        }
    }
}

/* What 'g' is, with the buckets before 'split', those of 'gm', and those from 'rest' on. */
static struct group *
make_spliced(const struct group *g, const struct group_mod *gm, size_t split, size_t rest)
{
    struct group_mod desc = {
        .type = g->desc.type, .group_id = g->desc.group_id, .command_bucket_id = BUCKET_ALL, .props = g->desc.props,
    };

    struct group *new;

    if (desc.props.n_fields) {
        desc.props.fields = xmemdup(desc.props.fields, desc.props.n_fields * sizeof *desc.props.fields);
    }
    clone_buckets(&desc, g->desc.buckets, split);
    clone_buckets(&desc, gm->buckets, gm->n_buckets);
    clone_buckets(&desc, g->desc.buckets + rest, g->desc.n_buckets - rest);
    new = make_group(&desc, g->created);
    keep_counters(new, g);
    return new;
}

static enum ofperr
insert_buckets(struct tables_change *c, const struct group_mod *gm)
{
    struct group *g = group_find(c->p, gm->group_id);
    size_t at;

    if (!g) {
        return OFPERR_OFPGMFC_UNKNOWN_GROUP;
    }
    if (gm->command_bucket_id == BUCKET_FIRST) {
        at = 0;
    } else if (gm->command_bucket_id == BUCKET_LAST) {
        at = g->desc.n_buckets;
    } else if ((at = find_bucket(g, gm->command_bucket_id)) == SIZE_MAX) {
        return OFPERR_OFPGMFC_UNKNOWN_BUCKET;
    } else {
        at++; /* Behind the one that is named. */
    }
    for (size_t i = 0; i < gm->n_buckets; i++) {
        if (find_bucket(g, gm->buckets[i].bucket_id) != SIZE_MAX) {
            return OFPERR_OFPGMFC_BUCKET_EXISTS;
        }
    }
    replace(c, g, make_spliced(g, gm, at, at));
    return OFPERR_NONE;
}

static enum ofperr
remove_buckets(struct tables_change *c, const struct group_mod *gm)
{
    struct group *g = group_find(c->p, gm->group_id);
    struct group_mod none;
    size_t at;

    if (!g) {
        return OFPERR_OFPGMFC_UNKNOWN_GROUP;
    }
    group_mod_init(&none);
    if (gm->command_bucket_id == BUCKET_ALL) {
        replace(c, g, make_spliced(g, &none, 0, g->desc.n_buckets));
        return OFPERR_NONE;
    }
    if (gm->command_bucket_id == BUCKET_FIRST || gm->command_bucket_id == BUCKET_LAST) {
        if (!g->desc.n_buckets) {
            return OFPERR_NONE;
        }
        at = gm->command_bucket_id == BUCKET_FIRST ? 0 : g->desc.n_buckets - 1;
    } else if ((at = find_bucket(g, gm->command_bucket_id)) == SIZE_MAX) {
        return OFPERR_OFPGMFC_UNKNOWN_BUCKET;
    }
    replace(c, g, make_spliced(g, &none, at, at + 1));
    return OFPERR_NONE;
}

/* Deleting. */

/* Between the steps nobody else changes groups. */
static void
begin_deletion(struct group_mod_run *r)
{
    const struct ofproto *p = r->change->p;

    r->has_begun = true;
    r->all = r->gm->group_id == GROUP_ALL;
    r->next = r->all ? HMAP_ENTRY(hmap_first(&p->groups), struct group, node) : group_find(p, r->gm->group_id);
}

static struct group *
behind(const struct group_mod_run *r, const struct group *g)
{
    return r->all ? HMAP_ENTRY(hmap_next(&r->change->p->groups, &g->node), struct group, node) : NULL;
}

static bool
delete_step(struct group_mod_run *r, struct loop_slice *slice)
{
    if (!r->has_begun) {
        begin_deletion(r);
    }
    while (r->next && !loop_slice_is_over(slice)) {
        struct group *g = r->next;

        r->users.kind = USERS_OF_GROUP;
        r->users.id = g->desc.group_id;
        r->users.why = REMOVED_GROUP_DELETE;
        if (!change_drop_users_step(r->change, &r->users, slice)) {
            return false;
        }
        users_run_uninit(&r->users);
        r->next = behind(r, g);
        replace(r->change, g, NULL);
    }
    return !r->next;
}

/* All but deletions. */
static enum ofperr
change_group(struct tables_change *c, struct group_mod *gm)
{
    struct group *old = group_find(c->p, gm->group_id);

    switch (gm->command) {
    case GROUP_ADD:
        if (old) {
            return OFPERR_OFPGMFC_GROUP_EXISTS;
        }
        break;
    case GROUP_MODIFY:
        if (!old) {
            return OFPERR_OFPGMFC_UNKNOWN_GROUP;
        }
        break;
    case GROUP_ADD_OR_MOD:
        break;
    case GROUP_INSERT_BUCKET:
        return insert_buckets(c, gm);
    case GROUP_REMOVE_BUCKET:
        return remove_buckets(c, gm);
    default:
        return OFPERR_OFPGMFC_BAD_COMMAND;
    }
    replace(c, old, make_group(gm, old ? old->created : clock_now_ms()));
    return OFPERR_NONE;
}

void
group_mod_run_begin(struct group_mod_run *r, struct tables_change *c, struct group_mod *gm)
{
    *r = (struct group_mod_run) { .change = c, .gm = gm };
}

bool
group_mod_run_step(struct group_mod_run *r, struct loop_slice *slice)
{
    if (r->gm->command == GROUP_DELETE) {
        return delete_step(r, slice);
    }
    r->error = change_group(r->change, r->gm);
    return true;
}

void
group_mod_run_end(struct group_mod_run *r)
{
    users_run_uninit(&r->users);
}

enum ofperr
group_mod_at_once(struct ofproto *p, const struct ofconn *requester, struct group_mod *gm)
{
    struct tables_change change;
    struct group_mod_run run;

    pthread_mutex_lock(&p->tables_mutex);
    change_begin(&change, p, requester);
    group_mod_run_begin(&run, &change, gm);
    (void) group_mod_run_step(&run, NULL);
    group_mod_run_end(&run);
    change_finish(&change, run.error);
    pthread_mutex_unlock(&p->tables_mutex);
    return run.error;
}
