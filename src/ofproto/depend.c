#include "ofproto/depend.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/hash.h"
#include "ofproto/depend_private.h"
#include "ofproto/xlate/run.h"
#include "sys/slab.h"

/* Notes of a shape; beyond these, all its nodes count as changed. */
enum { MAX_NOTED = 256 };

const struct depend_limits depend_default_limits = { 32768, 1024 };

/* One of those that follow each other in a step or tail. */
struct path_item {
    struct chain_link by_node;  /* In node->items. */
    slab_ref node;              /* struct node, and ITEM_* of the place. */
};
enum { ITEM_FIRST = 1, ITEM_LAST = 2, ITEM_FLAGS = 3 };

/* What a step and a tail end with. */
struct path_part {
    slab_ref parent;            /* The step before it, and PART_OF_TAIL if this is a tail's; 0: the root's. */
    struct path_item items[];
};
enum { PART_OF_TAIL = 1 };

/* So many items one part has at most: it is an object of a slab.  And a step of others than runs, so that those who
 * begin to differ in the middle of a class share what is before. */
enum { MAX_ITEMS = 64, STEP_ITEMS = 4 };

struct depend_step {
    struct depend_member member; /* In parent->members. */
    struct slab_map_node map_node; /* In depend->steps. */
    uint64_t changed;           /* Of the changes up to member.seq, the last that concerned the path to here, if that
                                 * was after the step was made. */
    struct chain members;       /* struct depend_member: what goes on from here, but for stale dependents. */
    uint32_t n_refs;            /* All that goes on from here. */
    struct path_part part;
};

/* What one dependent asks behind its last step. */
struct depend_tail {
    slab_ref owner;             /* struct dependent. */
    struct path_part part;
};
_Static_assert(!SLAB_REFS_ARE_SHORT ||
               sizeof(struct depend_step) + MAX_ITEMS * sizeof(struct path_item) <= SLAB_MAX, "it is referred to");

/* So many last questions are a tail, if they are a class, though others ask each of them, too. */
enum { FEW_LAST = 4 };

/* The step of a run behind another step; referenced. */
enum { N_RUNS = 4096 };
struct known_run {
    uint64_t id;                /* Of the run; 0: none. */
    const struct depend_step *parent;
    struct depend_step *step;
};

/* Nodes that make one step, up to 'end', and the hash of all up to there: the step's. */
struct group { size_t end; uint32_t hash; };

struct depend {
    pthread_mutex_t mutex;      /* Guards all below. */
    struct depend_client client;
    struct depend_limits limits;
    struct questions questions;
    struct slab_map steps;
    struct depend_step *root;
    struct chain *stale;
    struct depend_stats stats;
    _Atomic uint64_t seq;       /* Changes so far. */
    _Atomic uint64_t settled;   /* Of those, the ones looked at. */
    uint64_t soft, hardened;    /* The last one that concerned everything; the last of those that are hard. */
    uint64_t walk;              /* The last one when the walk under way began. */
    _Atomic bool needs_walk, has_soft; /* Since the last walk began; or walks, for the latter, if one is under way. */
    struct depend_limits left;  /* Of this settling. */
    struct known_run runs[N_RUNS];
    struct group *groups;       /* Of find_groups(). */
    size_t n_groups, groups_capacity;
    bool doubts;                /* Found by this settling. */
    struct change log[DEPEND_LOG]; /* The last ones: number N is at N % DEPEND_LOG, the first is number 1. */
};

struct depend *
depend_create(const struct depend_client *client, const struct depend_limits *limits)
{
    struct depend *d = xzalloc(sizeof *d);

    pthread_mutex_init(&d->mutex, NULL);
    d->client = *client;
    d->limits = *limits;
    questions_init(&d->questions);
    slab_map_init(&d->steps);
    d->root = slab_zalloc(sizeof *d->root);
    d->stale = slab_zalloc(sizeof *d->stale);
    return d;
}

static void unref_step(struct depend *, struct depend_step *);

void
depend_forget_runs(struct depend *d)
{
    pthread_mutex_lock(&d->mutex);
    for (unsigned int i = 0; i < N_RUNS; i++) {
        unref_step(d, d->runs[i].step);
        d->runs[i] = (struct known_run) { .id = 0 };
    }
    pthread_mutex_unlock(&d->mutex);
}

void
depend_destroy(struct depend *d)
{
    depend_forget_runs(d);
    questions_uninit(&d->questions);
    slab_map_uninit(&d->steps);
    for (int i = 0; i < DEPEND_LOG; i++) {
        free(d->log[i].words);
    }
    free(d->groups);
    slab_free(d->root, sizeof *d->root);
    slab_free(d->stale, sizeof *d->stale);
    pthread_mutex_destroy(&d->mutex);
    free(d);
}

uint64_t
depend_seq(const struct depend *d)
{
    return atomic_load(&((struct depend *) d)->seq);
}

void
dependent_init(struct dependent *dep)
{
    memset(dep, 0, sizeof *dep);
}

static struct dependent *
dependent_of(struct depend_member *m)
{
    return CONTAINER_OF(m, struct dependent, member);
}

/* Null: it has none. */
static struct depend_tail *
tail_of(const struct dependent *dep)
{
    return dep->end & DEPENDENT_TAIL ? slab_at(dep->end & ~(slab_ref) DEPENDENT_TAIL) : NULL;
}

/* Null: the root's. */
static struct depend_step *
parent_of(const struct path_part *part)
{
    return slab_at(part->parent & ~(slab_ref) PART_OF_TAIL);
}

/* The last step of its path; null: it is not attached. */
static struct depend_step *
step_of(const struct dependent *dep)
{
    const struct depend_tail *tail = tail_of(dep);

    return tail ? parent_of(&tail->part) : slab_at(dep->end);
}

static struct node *
item_node(const struct path_item *item)
{
    return slab_at(item->node & ~(slab_ref) ITEM_FLAGS);
}

/* What the item is of. */
static struct path_part *
part_of(struct path_item *item)
{
    while (!(item->node & ITEM_FIRST)) {
        item--;
    }
    return CONTAINER_OF(item, struct path_part, items);
}

/* Null: it is a step's. */
static struct dependent *
owner_of(struct path_part *part)
{
    return part->parent & PART_OF_TAIL ? slab_at(CONTAINER_OF(part, struct depend_tail, part)->owner) : NULL;
}

/* Null: that was the last. */
static struct path_item *
next_item(struct path_item *item)
{
    return item->node & ITEM_LAST ? NULL : item + 1;
}

/* Marking. */

static void
mark(struct depend *d, struct dependent *dep)
{
    if (!dep->member.is_stale) {
        dep->member.is_stale = true;
        chain_remove(&dep->member.link);
        chain_push(d->stale, &dep->member.link);
        d->stats.n_stale++;
        d->client.mark(d->client.aux, dep, true);
    }
}

static void
unmark(struct depend *d, struct dependent *dep)
{
    chain_remove(&dep->member.link);
    if (dep->member.is_stale) {
        dep->member.is_stale = false;
        d->stats.n_stale--;
    }
}

/* Marks what goes on from the step, as far as the limit allows; else it is in doubt. */
static void
mark_step(struct depend *d, struct depend_step *step, uint64_t change)
{
    CHAIN_FOR_EACH_SAFE (m, struct depend_member, link, &step->members) {
        if (!d->left.n_marked) {
            d->doubts = true;
            return;
        }
        d->left.n_marked--;
        d->stats.n_marked++;
        if (m->is_step) {
            mark_step(d, CONTAINER_OF(m, struct depend_step, member), change);
        } else if (m->seq < change) {
            mark(d, dependent_of(m));
        }
    }
}

/* Whatever asks what the part has. */
static void
mark_part(struct depend *d, struct path_part *part, uint64_t change)
{
    struct dependent *owner = owner_of(part);

    if (!owner) {
        mark_step(d, CONTAINER_OF(part, struct depend_step, part), change);
    } else if (owner->member.seq < change) {
        mark(d, owner);
    }
}

static void
mark_node(struct depend *d, struct node *node, uint64_t change)
{
    node->changed = change;
    CHAIN_FOR_EACH (item, struct path_item, by_node, &node->items) {
        if (!d->left.n_marked) {
            d->doubts = true;
            break;
        }
        d->left.n_marked--;
        mark_part(d, part_of(item), change);
    }
}

static void
mark_shape(struct depend *d, struct shape *s, uint64_t change)
{
    s->all_changed = change;
    forget_noted(s, UINT64_MAX);
    if (d->left.n_marked < slab_map_count(&s->nodes)) {
        d->doubts = true;
        return;
    }
    SLAB_MAP_FOR_EACH (node, struct node, map_node, &s->nodes) {
        mark_node(d, node, change);
    }
}

/* Settling. */

/* Compares the rule with the nodes later, when somebody asks. */
static void
note(struct depend *d, struct shape *s, uint64_t change, unsigned int n, const struct common *words)
{
    struct noted *noted;

    d->doubts = true;
    if (s->n_noted >= MAX_NOTED) {
        forget_noted(s, UINT64_MAX);
        s->all_changed = change;
        return;
    }
    noted = xmalloc(sizeof *noted + n * sizeof *words);
    noted->seq = change;
    noted->n = n;
    memcpy(noted->words, words, n * sizeof *words);
    list_push_back(&s->noted, &noted->node);
    s->n_noted++;
}

static void
settle_rule(struct depend *d, const struct change *c, struct shape *s, uint64_t number)
{
    struct common words[FLOW_N_WORDS];
    uint64_t values[FLOW_N_WORDS];
    unsigned int n;

    if (change_covers(c, s, values)) {
        struct node *node = find_node(s, values);

        if (node) {
            mark_node(d, node, number);
        }
        return;
    }
    n = change_common(c, &s->map, s->masks, words);
    if (!n) {
        mark_shape(d, s, number);
    } else if (slab_map_count(&s->nodes) > d->left.n_compared) {
        note(d, s, number, n, words);
    } else {
        d->left.n_compared -= slab_map_count(&s->nodes);
        d->stats.n_compared += slab_map_count(&s->nodes);
        SLAB_MAP_FOR_EACH (node, struct node, map_node, &s->nodes) {
            if (change_agrees(node->values, n, words)) {
                mark_node(d, node, number);
            }
        }
    }
}

static void
settle_one(struct depend *d, const struct change *c, uint64_t number)
{
    const struct table *t;
    struct node *node;

    if (c->kind == CHANGED_ALL) {
        return; /* 'soft' says it. */
    }
    t = find_table(&d->questions, c->bridge, c->asked, c->table_id);
    if (!t) {
        return;
    }
    LIST_FOR_EACH (s, struct shape, in_table, &t->shapes) {
        switch (c->kind) {
        case CHANGED_RULE: settle_rule(d, c, s, number); break;
        case CHANGED_KEY:
            node = find_node(s, &c->key);
            if (node) {
                mark_node(d, node, number);
            }
            break;
        case CHANGED_KIND: case CHANGED_TABLE: mark_shape(d, s, number); break;
        case CHANGED_ALL: break;
        }
    }
}

static void
doubt(struct depend *d)
{
    atomic_store(&d->needs_walk, true);
    d->stats.n_doubts++;
    d->client.doubt(d->client.aux);
}

static void
settle_locked(struct depend *d)
{
    uint64_t end = atomic_load(&d->seq);

    d->left = d->limits;
    d->doubts = false;
    for (uint64_t i = atomic_load(&d->settled) + 1; i <= end; i++) {
        settle_one(d, &d->log[i % DEPEND_LOG], i);
    }
    if (d->doubts) {
        doubt(d);
    }
    atomic_store(&d->settled, end);
}

void
depend_settle(struct depend *d)
{
    if (atomic_load(&d->settled) != atomic_load(&d->seq)) {
        pthread_mutex_lock(&d->mutex);
        settle_locked(d);
        pthread_mutex_unlock(&d->mutex);
    }
}

bool
depend_harden(struct depend *d)
{
    bool has_soft = atomic_load(&d->has_soft);

    if (has_soft) {
        pthread_mutex_lock(&d->mutex);
        if (d->hardened != d->soft) {
            d->hardened = d->soft;
            doubt(d);
        }
        pthread_mutex_unlock(&d->mutex);
    }
    return has_soft;
}

/* Checking. */

/* The last change that concerned the node; notes up to 'since' have been compared before. */
static uint64_t
node_changed(struct depend *d, struct node *node, uint64_t since)
{
    struct shape *s = shape_of(node);

    node->changed = MAX(node->changed, s->all_changed);
    for (struct list *i = s->noted.prev; i != &s->noted; i = i->prev) {
        const struct noted *n = CONTAINER_OF(i, struct noted, node);

        if (n->seq <= MAX(since, node->changed)) {
            break;
        }
        d->stats.n_compared++;
        if (change_agrees(node->values, n->n, n->words)) {
            node->changed = n->seq;
            break;
        }
    }
    return node->changed;
}

/* The last change that concerned one of the items from 'item' on. */
static uint64_t
items_changed(struct depend *d, struct path_item *item, uint64_t since)
{
    uint64_t changed = 0;

    for (; item; item = next_item(item)) {
        changed = MAX(changed, node_changed(d, item_node(item), since));
    }
    return changed;
}

/* The last change that concerned the path to the step. */
static uint64_t
step_changed(struct depend *d, struct depend_step *step)
{
    uint64_t settled = atomic_load(&d->settled);

    if (step != d->root && step->member.seq < settled) {
        uint64_t changed = MAX(step->changed, step_changed(d, parent_of(&step->part)));

        step->changed = MAX(changed, items_changed(d, step->part.items, step->member.seq));
        step->member.seq = settled;
    }
    return step->changed;
}

/* The last change that concerned the dependent's path, but for some that it has been found right after. */
static uint64_t
path_changed(struct depend *d, const struct dependent *dep)
{
    uint64_t changed = step_changed(d, step_of(dep));
    struct depend_tail *tail = tail_of(dep);

    return tail ? MAX(changed, items_changed(d, tail->part.items, dep->member.seq)) : changed;
}

static enum depend_state
check_locked(struct depend *d, struct dependent *dep)
{
    bool soft = dep->member.seq < d->soft;

    if (!dep->end || dep->member.is_stale) {
        return DEPEND_STALE;
    }
    if (dep->member.seq < d->hardened || dep->member.seq < path_changed(d, dep)) {
        mark(d, dep);
        return DEPEND_STALE;
    }
    if (!soft) {
        dep->member.seq = MAX((uint64_t) dep->member.seq, atomic_load(&d->settled));
    }
    d->client.mark(d->client.aux, dep, false);
    return soft ? DEPEND_SOFT : DEPEND_RIGHT;
}

enum depend_state
depend_check(struct depend *d, struct dependent *dep)
{
    enum depend_state state;

    pthread_mutex_lock(&d->mutex);
    state = check_locked(d, dep);
    pthread_mutex_unlock(&d->mutex);
    return state;
}

void
depend_walk_begin(struct depend *d)
{
    pthread_mutex_lock(&d->mutex);
    settle_locked(d);
    d->walk = atomic_load(&d->settled);
    atomic_store(&d->needs_walk, false);
    pthread_mutex_unlock(&d->mutex);
}

void
depend_walk_end(struct depend *d)
{
    pthread_mutex_lock(&d->mutex);
    HMAP_FOR_EACH (t, struct table, hmap_node, &d->questions.tables) {
        LIST_FOR_EACH (s, struct shape, in_table, &t->shapes) {
            forget_noted(s, d->walk);
        }
    }
    if (d->soft <= d->walk) {
        atomic_store(&d->has_soft, false);
    }
    pthread_mutex_unlock(&d->mutex);
}

bool
depend_needs_walk(const struct depend *d)
{
    return atomic_load(&((struct depend *) d)->needs_walk);
}

static bool
concerns_any(const struct change *c, const struct xlate_consulted *consulted, size_t n, const uint64_t *words)
{
    for (size_t i = 0; i < n; i++) {
        const struct xlate_consulted *asked = &consulted[i];

        if (change_concerns(c, asked, asked->kind == CONSULTED_TABLE ? words + asked->table.at : NULL)) {
            return true;
        }
    }
    return false;
}

static bool
concerns_runs(const struct change *c, const struct xlate_out *out)
{
    for (size_t i = 0; i < out->n_runs; i++) {
        const struct xlate_run *run = out->runs[i];

        if (concerns_any(c, run->consulted, run->n_lookups, run->words)) {
            return true;
        }
    }
    return false;
}

/* Whether something that 'out' consulted has changed since 'seq'. */
static bool
has_changed_since(const struct depend *d, const struct xlate_out *out, uint64_t seq)
{
    uint64_t now = depend_seq(d);

    if (now - seq >= DEPEND_LOG) {
        return true;
    }
    for (uint64_t i = seq + 1; i <= now; i++) {
        const struct change *c = &d->log[i % DEPEND_LOG];

        if (c->kind == CHANGED_ALL || concerns_any(c, out->consulted, out->n_consulted, out->words) ||
            concerns_runs(c, out)) {
            return true;
        }
    }
    return false;
}

/* Paths. */

/* Whether these are its items. */
static bool
has_nodes(struct path_part *part, const struct placed *nodes, size_t n)
{
    struct path_item *item = part->items;

    for (size_t i = 0; i < n; i++, item++) {
        if (item_node(item) != nodes[i].node || !next_item(item) != (i + 1 == n)) {
            return false;
        }
    }
    return true;
}

/* 'n': at least one. */
static struct depend_step *
find_step(struct depend *d, const struct depend_step *parent, const struct placed *nodes, size_t n, uint32_t hash)
{
    slab_ref ref = slab_ref_to(parent);

    SLAB_MAP_FOR_EACH_WITH_HASH (s, struct depend_step, map_node, hash, &d->steps) {
        if (s->part.parent == ref && has_nodes(&s->part, nodes, n)) {
            return s;
        }
    }
    return NULL;
}

static size_t
step_memory(size_t n_items)
{
    return offsetof(struct depend_step, part.items) + n_items * sizeof(struct path_item);
}

static size_t
tail_memory(size_t n_items)
{
    return offsetof(struct depend_tail, part.items) + n_items * sizeof(struct path_item);
}

/* At least one. */
static void
add_items(struct depend *d, struct path_part *part, const struct placed *nodes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct path_item *item = &part->items[i];

        item->node = slab_ref_to(nodes[i].node) | (i ? 0 : ITEM_FIRST) | (i + 1 < n ? 0 : ITEM_LAST);
        chain_push(&nodes[i].node->items, &item->by_node);
    }
    d->stats.n_items += n;
}

/* With the nodes that only they asked; how many they were. */
static size_t
drop_items(struct depend *d, struct path_part *part)
{
    size_t n = 0;

    for (struct path_item *i = part->items; i; i = next_item(i)) {
        struct node *node = item_node(i);

        chain_remove(&i->by_node);
        if (chain_is_empty(&node->items)) {
            drop_node(&d->questions, node);
        }
        n++;
    }
    d->stats.n_items -= n;
    return n;
}

static struct depend_step *
make_step(struct depend *d, struct depend_step *parent, const struct placed *nodes, size_t n, uint32_t hash)
{
    struct depend_step *s = slab_alloc(step_memory(n));

    s->member = (struct depend_member) { .is_step = true, .seq = depend_seq(d) };
    s->changed = 0;
    s->members = (struct chain) { 0 };
    s->n_refs = 0;
    s->part.parent = slab_ref_to(parent);
    chain_push(&parent->members, &s->member.link);
    parent->n_refs++;
    add_items(d, &s->part, nodes, n);
    slab_map_insert(&d->steps, &s->map_node, hash);
    return s;
}

static void
add_group(struct depend *d, size_t end, uint32_t hash)
{
    if (d->n_groups == d->groups_capacity) {
        d->groups = x2nrealloc(d->groups, &d->groups_capacity, sizeof *d->groups);
    }
    d->groups[d->n_groups++] = (struct group) { end, hash };
}

/* What will be one step each: of one class, and few, unless it is a run's.  'hash': of the step before them. */
static void
find_groups(struct depend *d, const struct placed *nodes, size_t n, uint32_t hash, bool is_run)
{
    size_t begin = 0, most = is_run ? MAX_ITEMS : STEP_ITEMS;

    d->n_groups = 0;
    for (size_t i = 0; i < n; i++) {
        hash = hash_pointer(nodes[i].node, hash);
        if (i + 1 == n || i + 1 - begin == most || (!is_run && nodes[i + 1].class != nodes[i].class)) {
            add_group(d, i + 1, hash);
            begin = i + 1;
        }
    }
}

/* The step of a run behind 'parent', made if need be. */
static struct depend_step *
get_run_step(struct depend *d, struct depend_step *parent, const struct xlate_run *run)
{
    struct known_run *known = &d->runs[hash_u64(run->id, hash_pointer(parent, 0)) % N_RUNS];
    struct depend_step *old, *step = parent;
    const struct placed *nodes;
    size_t n, begin = 0;

    if (known->id == run->id && known->parent == parent) {
        return known->step;
    }
    n = place_questions(&d->questions, run->consulted, run->n_lookups, run->words, &nodes);
    find_groups(d, nodes, n, hash_pointer(parent, 0), true);
    for (const struct group *g = d->groups; g < d->groups + d->n_groups; begin = g++->end) {
        struct depend_step *next = find_step(d, step, &nodes[begin], g->end - begin, g->hash);

        step = next ? next : make_step(d, step, &nodes[begin], g->end - begin, g->hash);
    }
    old = known->step;
    *known = (struct known_run) { run->id, parent, step };
    step->n_refs++;
    unref_step(d, old);
    return step;
}

/* A no-op for null. */
static void
free_tail(struct depend *d, struct depend_tail *tail)
{
    if (tail) {
        slab_free(tail, tail_memory(drop_items(d, &tail->part)));
    }
}

static struct depend_tail *
make_tail(struct depend *d, struct dependent *owner, struct depend_step *step, const struct placed *nodes, size_t n)
{
    struct depend_tail *tail = slab_alloc(tail_memory(n));

    tail->owner = slab_ref_to(owner);
    tail->part.parent = slab_ref_to(step) | PART_OF_TAIL;
    add_items(d, &tail->part, nodes, n);
    return tail;
}

/* Whether no other one has asked. */
static bool
asks_alone(const struct dependent *dep, const struct node *node)
{
    struct chain_link *first = chain_first(&node->items);

    if (!first || first->next) {
        return !first;
    }
    return owner_of(part_of(CONTAINER_OF(first, struct path_item, by_node))) == dep;
}

/* How many of the groups others may have, too: up to the first with a question of this one's own.  No more are left
 * than are a tail. */
static size_t
count_shared(const struct depend *d, const struct dependent *dep, const struct placed *nodes, size_t n_nodes)
{
    size_t i = 0, n = 0;

    for (; n < d->n_groups; n++) {
        bool may_end = n_nodes - i <= MAX_ITEMS;

        for (; i < d->groups[n].end; i++) {
            if (may_end && asks_alone(dep, nodes[i].node)) {
                return n;
            }
        }
    }
    return n;
}

/* The path that 'out' asks for: its last step; what follows is the dependent's own: 'n' nodes. */
static struct depend_step *
get_path(struct depend *d, const struct dependent *dep, const struct xlate_out *out, const struct placed **own,
         size_t *n)
{
    struct depend_step *step = d->root;
    const struct placed *nodes;
    size_t n_shared, begin = 0;

    for (size_t i = 0; i < out->n_runs; i++) {
        step = get_run_step(d, step, out->runs[i]);
    }
    *n = place_questions(&d->questions, out->consulted, out->n_consulted, out->words, &nodes);
    find_groups(d, nodes, *n, hash_pointer(step, 0), false);
    n_shared = count_shared(d, dep, nodes, *n);
    for (size_t i = 0; i < n_shared; i++) {
        slab_map_prefetch_bucket(&d->steps, d->groups[i].hash);
    }
    for (size_t i = 0; i < n_shared; i++) {
        slab_map_prefetch_node(&d->steps, d->groups[i].hash, 2 * CACHE_LINE);
    }
    for (size_t i = 0; i < n_shared; begin = d->groups[i++].end) {
        const struct group *g = &d->groups[i];
        size_t n_items = g->end - begin;
        struct depend_step *next = find_step(d, step, &nodes[begin], n_items, g->hash);

        if (!next && i + 1 == d->n_groups && n_items <= FEW_LAST && begin &&
            nodes[begin - 1].class != nodes[begin].class) {
            break;
        }
        step = next ? next : make_step(d, step, &nodes[begin], n_items, g->hash);
    }
    *own = &nodes[begin];
    *n -= begin;
    return step;
}

/* Drops steps that nothing goes on from, and the nodes that only they asked. */
static void
unref_step(struct depend *d, struct depend_step *s)
{
    while (s && !--s->n_refs && s != d->root) {
        struct depend_step *parent = parent_of(&s->part);

        slab_map_remove(&d->steps, &s->map_node);
        chain_remove(&s->member.link);
        slab_free(s, step_memory(drop_items(d, &s->part)));
        s = parent;
    }
}

void
depend_attach(struct depend *d, struct dependent *dep, const struct xlate_out *out, uint64_t seq)
{
    struct depend_step *old, *step;
    struct depend_tail *old_tail;
    const struct placed *own;
    size_t n_own;

    pthread_mutex_lock(&d->mutex);
    old = step_of(dep);
    old_tail = tail_of(dep);
    step = get_path(d, dep, out, &own, &n_own);
    step->n_refs++;
    dep->end = n_own ? slab_ref_to(make_tail(d, dep, step, own, n_own)) | DEPENDENT_TAIL : slab_ref_to(step);
    unmark(d, dep);
    chain_push(&step->members, &dep->member.link);
    free_tail(d, old_tail);
    unref_step(d, old);
    d->stats.n_dependents += !old;
    if (has_changed_since(d, out, seq)) {
        mark(d, dep);
    } else {
        dep->member.seq = depend_seq(d);
        d->client.mark(d->client.aux, dep, false);
    }
    pthread_mutex_unlock(&d->mutex);
}

void
depend_detach(struct depend *d, struct dependent *dep)
{
    struct depend_step *step;

    pthread_mutex_lock(&d->mutex);
    step = step_of(dep);
    unmark(d, dep);
    d->stats.n_dependents -= step != NULL;
    free_tail(d, tail_of(dep));
    unref_step(d, step);
    dep->end = 0;
    pthread_mutex_unlock(&d->mutex);
}

/* Changes. */

/* Takes over c->words. */
static void
log_change(struct depend *d, const struct change *c)
{
    struct change *slot;
    uint64_t seq;

    pthread_mutex_lock(&d->mutex);
    seq = atomic_load(&d->seq);
    if (seq - atomic_load(&d->settled) >= DEPEND_LOG) {
        settle_locked(d);
    }
    slot = &d->log[(seq + 1) % DEPEND_LOG];
    free(slot->words);
    *slot = *c;
    if (c->kind == CHANGED_ALL) {
        d->soft = seq + 1;
        atomic_store(&d->needs_walk, true);
        atomic_store(&d->has_soft, true);
    }
    atomic_store(&d->seq, seq + 1);
    pthread_mutex_unlock(&d->mutex);
}

void
depend_rule_changed(struct depend *d, const struct xbridge *bridge, uint8_t table_id, const struct cls_rule *rule)
{
    struct change c;

    change_of_rule(&c, bridge, table_id, rule);
    log_change(d, &c);
}

void
depend_table_changed(struct depend *d, const struct xbridge *bridge, uint8_t table_id)
{
    log_change(d, &(struct change) { CHANGED_TABLE, CONSULTED_TABLE, bridge, .table_id = table_id });
}

void
depend_key_changed(struct depend *d, const struct xbridge *bridge, enum xlate_consulted_kind kind, uint64_t key)
{
    log_change(d, &(struct change) { CHANGED_KEY, kind, bridge, .key = key });
}

void
depend_kind_changed(struct depend *d, const struct xbridge *bridge, enum xlate_consulted_kind kind)
{
    log_change(d, &(struct change) { CHANGED_KIND, kind, bridge });
}

void
depend_mac_changed(struct depend *d, const struct xbridge *bridge, struct eth_addr mac, uint16_t vlan)
{
    depend_key_changed(d, bridge, CONSULTED_MAC, xlate_mac_key(mac, vlan));
}

void
depend_all_changed(struct depend *d)
{
    log_change(d, &(struct change) { .kind = CHANGED_ALL });
}

struct dependent *
depend_pop_stale(struct depend *d, bool (*may_use)(void *aux, struct dependent *), void *aux)
{
    struct dependent *found = NULL;

    pthread_mutex_lock(&d->mutex);
    while (!found && !chain_is_empty(d->stale)) {
        struct dependent *dep = dependent_of(CONTAINER_OF(chain_first(d->stale), struct depend_member, link));

        chain_remove(&dep->member.link);
        found = may_use(aux, dep) ? dep : NULL;
    }
    pthread_mutex_unlock(&d->mutex);
    return found;
}

void
depend_get_stats(struct depend *d, struct depend_stats *stats)
{
    pthread_mutex_lock(&d->mutex);
    *stats = d->stats;
    stats->n_nodes = d->questions.n_nodes;
    stats->n_steps = slab_map_count(&d->steps);
    pthread_mutex_unlock(&d->mutex);
}
