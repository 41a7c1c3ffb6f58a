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

struct step_item {
    struct chain_link by_node;  /* In node->items. */
    uintptr_t node;             /* struct node, and ITEM_* of the place. */
};
enum { ITEM_FIRST = 1, ITEM_LAST = 2, ITEM_OF_TAIL = 4, ITEM_FLAGS = 7 };

struct depend_step {
    struct depend_member member; /* In parent->members. */
    struct depend_step *parent; /* Null: the root. */
    struct hmap_node hmap_node; /* In depend->steps. */
    struct chain members;       /* struct depend_member: what goes on from here, but for stale dependents. */
    uint32_t n_refs;            /* All that goes on from here. */
    uint32_t n_items;
    uint64_t changed;           /* Of the changes up to member.seq, the last that concerned the path to here, if that
                                 * was after the step was made. */
    struct step_item items[];
};

/* What one dependent asks behind its last step. */
struct depend_tail {
    struct dependent *owner;
    struct depend_step *step;   /* The last one; referenced. */
    struct step_item items[];
};
/* So many last questions are a tail, though others ask each of them, too. */
enum { FEW_LAST = 4 };

/* The step of a run behind another step; referenced. */
enum { N_RUNS = 4096 };
struct known_run {
    uint64_t id;                /* Of the run; 0: none. */
    const struct depend_step *parent;
    struct depend_step *step;
};

struct depend {
    pthread_mutex_t mutex;      /* Guards all below. */
    struct depend_client client;
    struct depend_limits limits;
    struct questions questions;
    struct hmap steps;
    struct depend_step root;
    struct chain stale;
    struct depend_stats stats;
    _Atomic uint64_t seq;       /* Changes so far. */
    _Atomic uint64_t settled;   /* Of those, the ones looked at. */
    uint64_t soft, hardened;    /* The last one that concerned everything; the last of those that are hard. */
    uint64_t walk;              /* The last one when the walk under way began. */
    _Atomic bool needs_walk, has_soft; /* Since the last walk began; or walks, for the latter, if one is under way. */
    struct depend_limits left;  /* Of this settling. */
    struct known_run runs[N_RUNS];
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
    hmap_init(&d->steps);
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
    hmap_uninit(&d->steps);
    for (int i = 0; i < DEPEND_LOG; i++) {
        free(d->log[i].words);
    }
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
    return dep->end & DEPENDENT_TAIL ? (struct depend_tail *) (dep->end & ~(uintptr_t) DEPENDENT_TAIL) : NULL;
}

/* The last step of its path; null: it is not attached. */
static struct depend_step *
step_of(const struct dependent *dep)
{
    const struct depend_tail *tail = tail_of(dep);

    return tail ? tail->step : (struct depend_step *) dep->end;
}

static struct node *
item_node(const struct step_item *item)
{
    return (struct node *) (item->node & ~(uintptr_t) ITEM_FLAGS);
}

static struct step_item *
first_item(struct step_item *item)
{
    while (!(item->node & ITEM_FIRST)) {
        item--;
    }
    return item;
}

/* Null: that was the last. */
static struct step_item *
next_item(struct step_item *item)
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
        chain_push(&d->stale, &dep->member.link);
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

/* Whatever asks by the items that begin here. */
static void
mark_item(struct depend *d, struct step_item *first, uint64_t change)
{
    if (first->node & ITEM_OF_TAIL) {
        struct dependent *owner = CONTAINER_OF(first, struct depend_tail, items)->owner;

        if (owner->member.seq < change) {
            mark(d, owner);
        }
    } else {
        mark_step(d, CONTAINER_OF(first, struct depend_step, items), change);
    }
}

static void
mark_node(struct depend *d, struct node *node, uint64_t change)
{
    node->changed = change;
    CHAIN_FOR_EACH (item, struct step_item, by_node, &node->items) {
        if (!d->left.n_marked) {
            d->doubts = true;
            break;
        }
        d->left.n_marked--;
        mark_item(d, first_item(item), change);
    }
}

static void
mark_shape(struct depend *d, struct shape *s, uint64_t change)
{
    s->all_changed = change;
    forget_noted(s, UINT64_MAX);
    if (d->left.n_marked < hmap_count(&s->nodes)) {
        d->doubts = true;
        return;
    }
    HMAP_FOR_EACH (node, struct node, hmap_node, &s->nodes) {
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
    } else if (hmap_count(&s->nodes) > d->left.n_compared) {
        note(d, s, number, n, words);
    } else {
        d->left.n_compared -= hmap_count(&s->nodes);
        d->stats.n_compared += hmap_count(&s->nodes);
        HMAP_FOR_EACH (node, struct node, hmap_node, &s->nodes) {
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
    struct shape *s = node->shape;

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
items_changed(struct depend *d, struct step_item *item, uint64_t since)
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

    if (step->parent && step->member.seq < settled) {
        uint64_t changed = MAX(step->changed, step_changed(d, step->parent));

        step->changed = MAX(changed, items_changed(d, step->items, step->member.seq));
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

    return tail ? MAX(changed, items_changed(d, tail->items, dep->member.seq)) : changed;
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

static struct depend_step *
find_step(struct depend *d, const struct depend_step *parent, const struct placed *nodes, size_t n, uint32_t hash)
{
    HMAP_FOR_EACH_WITH_HASH (s, struct depend_step, hmap_node, hash, &d->steps) {
        size_t i = 0;

        while (i < n && i < s->n_items && item_node(&s->items[i]) == nodes[i].node) {
            i++;
        }
        if (s->parent == parent && s->n_items == n && i == n) {
            return s;
        }
    }
    return NULL;
}

static size_t
step_memory(size_t n_items)
{
    return sizeof(struct depend_step) + n_items * sizeof(struct step_item);
}

static size_t
tail_memory(size_t n_items)
{
    return sizeof(struct depend_tail) + n_items * sizeof(struct step_item);
}

/* At least one; 'flags': of all. */
static void
add_items(struct depend *d, struct step_item *items, const struct placed *nodes, size_t n, uintptr_t flags)
{
    for (size_t i = 0; i < n; i++) {
        struct node *node = nodes[i].node;

        items[i].node = (uintptr_t) node | flags | (i ? 0 : ITEM_FIRST) | (i + 1 < n ? 0 : ITEM_LAST);
        chain_push(&node->items, &items[i].by_node);
    }
    d->stats.n_items += n;
}

/* With the nodes that only they asked; how many they were. */
static size_t
drop_items(struct depend *d, struct step_item *items)
{
    size_t n = 0;

    for (struct step_item *i = items; i; i = next_item(i)) {
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

    *s = (struct depend_step) {
        .member = { .is_step = true, .seq = depend_seq(d) }, .parent = parent, .n_items = n,
    };
    chain_push(&parent->members, &s->member.link);
    parent->n_refs++;
    add_items(d, s->items, nodes, n, 0);
    hmap_insert(&d->steps, &s->hmap_node, hash);
    return s;
}

/* The nodes of one class, up to 'end', and the hash of all up to there: the step's. */
struct group { size_t end; uint32_t hash; };

static unsigned int
find_groups(const struct placed *nodes, size_t n, uint32_t hash, struct group groups[N_CLASSES])
{
    unsigned int n_groups = 0;

    for (size_t i = 0; i < n; i++) {
        hash = hash_pointer(nodes[i].node, hash);
        if (i + 1 == n || nodes[i + 1].class != nodes[i].class) {
            groups[n_groups++] = (struct group) { i + 1, hash };
        }
    }
    return n_groups;
}

/* The step of a run behind 'parent', made if need be. */
static struct depend_step *
get_run_step(struct depend *d, struct depend_step *parent, const struct xlate_run *run)
{
    struct known_run *known = &d->runs[hash_u64(run->id, hash_pointer(parent, 0)) % N_RUNS];
    const struct placed *nodes;
    struct depend_step *old, *step;
    uint32_t hash;
    size_t n;

    if (known->id == run->id && known->parent == parent) {
        return known->step;
    }
    n = place_questions(&d->questions, run->consulted, run->n_lookups, run->words, &nodes);
    hash = hash_pointer(parent, 0);
    for (size_t i = 0; i < n; i++) {
        hash = hash_pointer(nodes[i].node, hash);
    }
    old = known->step;
    step = find_step(d, parent, nodes, n, hash);
    *known = (struct known_run) { run->id, parent, step ? step : make_step(d, parent, nodes, n, hash) };
    known->step->n_refs++;
    unref_step(d, old);
    return known->step;
}

/* A no-op for null. */
static void
free_tail(struct depend *d, struct depend_tail *tail)
{
    if (tail) {
        slab_free(tail, tail_memory(drop_items(d, tail->items)));
    }
}

static struct depend_tail *
make_tail(struct depend *d, struct dependent *owner, struct depend_step *step, const struct placed *nodes, size_t n)
{
    struct depend_tail *tail = slab_alloc(tail_memory(n));

    tail->owner = owner;
    tail->step = step;
    add_items(d, tail->items, nodes, n, ITEM_OF_TAIL);
    return tail;
}

/* Whether no other one has asked. */
static bool
asks_alone(const struct dependent *dep, const struct node *node)
{
    struct chain_link *first = node->items.first;
    struct step_item *item;

    if (!first || first->next) {
        return !first;
    }
    item = first_item(CONTAINER_OF(first, struct step_item, by_node));
    return item->node & ITEM_OF_TAIL && CONTAINER_OF(item, struct depend_tail, items)->owner == dep;
}

/* How many of the groups others may have, too: up to the first with a question of this one's own. */
static unsigned int
count_shared(const struct dependent *dep, const struct placed *nodes, const struct group *groups,
             unsigned int n_groups)
{
    size_t i = 0;

    for (unsigned int n = 0; n < n_groups; n++) {
        for (; i < groups[n].end; i++) {
            if (asks_alone(dep, nodes[i].node)) {
                return n;
            }
        }
    }
    return n_groups;
}

/* The path that 'out' asks for: its last step; what follows is the dependent's own: 'n' nodes. */
static struct depend_step *
get_path(struct depend *d, const struct dependent *dep, const struct xlate_out *out, const struct placed **own,
         size_t *n)
{
    struct depend_step *step = &d->root;
    struct group groups[N_CLASSES];
    const struct placed *nodes;
    unsigned int n_groups, n_shared;
    size_t begin = 0;

    for (size_t i = 0; i < out->n_runs; i++) {
        step = get_run_step(d, step, out->runs[i]);
    }
    *n = place_questions(&d->questions, out->consulted, out->n_consulted, out->words, &nodes);
    n_groups = find_groups(nodes, *n, hash_pointer(step, 0), groups);
    n_shared = count_shared(dep, nodes, groups, n_groups);
    for (unsigned int i = 0; i < n_shared; i++) {
        hmap_prefetch_bucket(&d->steps, groups[i].hash);
    }
    for (unsigned int i = 0; i < n_shared; i++) {
        hmap_prefetch_node(&d->steps, groups[i].hash, 2 * CACHE_LINE);
    }
    for (unsigned int i = 0; i < n_shared; begin = groups[i++].end) {
        size_t n_items = groups[i].end - begin;
        struct depend_step *next = find_step(d, step, &nodes[begin], n_items, groups[i].hash);

        if (!next && i && i + 1 == n_groups && n_items <= FEW_LAST) {
            break;
        }
        step = next ? next : make_step(d, step, &nodes[begin], n_items, groups[i].hash);
    }
    *own = &nodes[begin];
    *n -= begin;
    return step;
}

/* Drops steps that nothing goes on from, and the nodes that only they asked. */
static void
unref_step(struct depend *d, struct depend_step *s)
{
    while (s && !--s->n_refs && s->parent) {
        struct depend_step *parent = s->parent;

        drop_items(d, s->items);
        hmap_remove(&d->steps, &s->hmap_node);
        chain_remove(&s->member.link);
        slab_free(s, step_memory(s->n_items));
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
    dep->end = n_own ? (uintptr_t) make_tail(d, dep, step, own, n_own) | DEPENDENT_TAIL : (uintptr_t) step;
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
    while (!found && !chain_is_empty(&d->stale)) {
        struct dependent *dep = dependent_of(CONTAINER_OF(d->stale.first, struct depend_member, link));

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
    stats->n_steps = hmap_count(&d->steps);
    pthread_mutex_unlock(&d->mutex);
}
