#include "classifier/chain.h"

#include <stdlib.h>

#include "base/hash.h"

struct run {
    unsigned int n;
    int priorities[CHAIN_RUN];          /* Falling. */
    struct cls_rule *last[CHAIN_RUN];   /* Of those of that priority. */
};

struct chain_index {
    struct hmap_node hmap_node;         /* In subtable->chains, by node. */
    const struct cls_node *node;
    size_t n, capacity;
    struct head { int priority; struct run *run; } *runs; /* With the first priority of each. */
};

/* A place in an index: before entry 'i' of run 'run', which may be its end. */
struct place { size_t run; unsigned int i; };

static struct chain_index *
find_index(const struct cls_node *node)
{
    if (!node->has_index) {
        return NULL;
    }
    HMAP_FOR_EACH_WITH_HASH (x, struct chain_index, hmap_node, hash_pointer(node, 0), node->subtable->chains) {
        if (x->node == node) {
            return x;
        }
    }
    return NULL;
}

/* The place of the first entry of a priority of at most 'priority': at the end of a run if the next one begins with
 * it, but at the beginning of the first. */
static struct place
find_place(const struct chain_index *x, int priority)
{
    size_t low = 0, high = x->n; /* The last run that begins above 'priority', plus one. */
    unsigned int begin = 0, end;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (x->runs[middle].priority > priority) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (!low) {
        return (struct place) { 0, 0 };
    }
    for (end = x->runs[low - 1].run->n; begin < end;) {
        unsigned int middle = (begin + end) / 2;

        if (x->runs[low - 1].run->priorities[middle] > priority) {
            begin = middle + 1;
        } else {
            end = middle;
        }
    }
    return (struct place) { low - 1, begin };
}

/* The last rule before a place; null at the beginning of the chain. */
static struct cls_rule *
rule_before(const struct chain_index *x, struct place p)
{
    return p.i ? x->runs[p.run].run->last[p.i - 1] : NULL; /* Only the first place has no entry before it in its run. */
}

/* The entry behind a place, if it is of that priority; else null. */
static struct cls_rule **
entry_at(const struct chain_index *x, struct place p, int priority, struct place *at)
{
    if (p.run < x->n && p.i == x->runs[p.run].run->n) {
        p = (struct place) { p.run + 1, 0 };
    }
    if (p.run >= x->n || x->runs[p.run].run->priorities[p.i] != priority) {
        return NULL;
    }
    *at = p;
    return &x->runs[p.run].run->last[p.i];
}

/* Runs. */

static void
add_run(struct chain_index *x, size_t at, struct run *run)
{
    if (x->n == x->capacity) {
        x->runs = x2nrealloc(x->runs, &x->capacity, sizeof *x->runs);
    }
    memmove(&x->runs[at + 1], &x->runs[at], (x->n - at) * sizeof *x->runs);
    x->runs[at] = (struct head) { run->priorities[0], run };
    x->n++;
}

/* Cuts a full run in two. */
static struct place
split(struct chain_index *x, struct place p)
{
    struct run *run = x->runs[p.run].run, *rest = xmalloc(sizeof *rest);
    unsigned int half = run->n / 2;

    rest->n = run->n - half;
    memcpy(rest->priorities, &run->priorities[half], rest->n * sizeof rest->priorities[0]);
    memcpy(rest->last, &run->last[half], rest->n * sizeof rest->last[0]);
    run->n = half;
    add_run(x, p.run + 1, rest);
    return p.i > half ? (struct place) { p.run + 1, p.i - half } : p;
}

static void
add_entry(struct chain_index *x, struct place p, struct cls_rule *rule)
{
    struct run *run;

    if (!x->n) {
        run = xmalloc(sizeof *run);
        run->n = 1;
        run->priorities[0] = rule->priority;
        run->last[0] = rule;
        add_run(x, 0, run);
        return;
    }
    if (x->runs[p.run].run->n == CHAIN_RUN) {
        p = split(x, p);
    }
    run = x->runs[p.run].run;
    memmove(&run->priorities[p.i + 1], &run->priorities[p.i], (run->n - p.i) * sizeof run->priorities[0]);
    memmove(&run->last[p.i + 1], &run->last[p.i], (run->n - p.i) * sizeof run->last[0]);
    run->priorities[p.i] = rule->priority;
    run->last[p.i] = rule;
    run->n++;
    x->runs[p.run].priority = run->priorities[0];
}

static void
remove_entry(struct chain_index *x, struct place p)
{
    struct run *run = x->runs[p.run].run;

    run->n--;
    memmove(&run->priorities[p.i], &run->priorities[p.i + 1], (run->n - p.i) * sizeof run->priorities[0]);
    memmove(&run->last[p.i], &run->last[p.i + 1], (run->n - p.i) * sizeof run->last[0]);
    x->runs[p.run].priority = run->priorities[0];
    if (!run->n) {
        free(run);
        x->n--;
        memmove(&x->runs[p.run], &x->runs[p.run + 1], (x->n - p.run) * sizeof *x->runs);
    }
}

static void
make_index(struct cls_node *node)
{
    struct chain_index *x = xzalloc(sizeof *x);
    struct hmap **chains = &node->subtable->chains;

    if (!*chains) {
        *chains = xmalloc(sizeof **chains);
        hmap_init(*chains);
    }
    x->node = node;
    hmap_insert(*chains, &x->hmap_node, hash_pointer(node, 0));
    node->has_index = true;
    for (struct cls_rule *rule = rcu_get_protected(&node->first), *next; rule; rule = next) {
        next = rcu_get_protected(&rule->next);
        if (!next || next->priority != rule->priority) {
            add_entry(x, find_place(x, rule->priority), rule);
        }
    }
}

static void
drop_index(struct cls_node *node)
{
    struct chain_index *x = find_index(node);

    for (size_t i = 0; i < x->n; i++) {
        free(x->runs[i].run);
    }
    free(x->runs);
    hmap_remove(node->subtable->chains, &x->hmap_node);
    node->has_index = false;
    free(x);
}

/* Chains. */

/* The last rule above 'priority', null if there is none; 'x': null where there is no index, 'p' the place. */
static struct cls_rule *
find_before(const struct cls_node *node, const struct chain_index *x, int priority, struct place *p)
{
    struct cls_rule *before = NULL;

    if (x) {
        *p = find_place(x, priority);
        return rule_before(x, *p);
    }
    for (struct cls_rule *next = rcu_get_protected(&((struct cls_node *) node)->first);
         next && next->priority > priority; next = rcu_get_protected(&next->next)) {
        before = next;
    }
    return before;
}

static RCU_PTR(struct cls_rule) *
link_behind(struct cls_node *node, struct cls_rule *before)
{
    return before ? &before->next : &node->first;
}

struct cls_rule *
cls_chain_find(const struct cls_node *node, int priority)
{
    struct place p;
    struct cls_rule *before = find_before(node, find_index(node), priority, &p);

    return rcu_get_protected(link_behind((struct cls_node *) node, before));
}

void
cls_chain_insert(struct cls_node *node, struct cls_rule *rule)
{
    struct chain_index *x = find_index(node);
    struct place p, at;
    struct cls_rule *before = find_before(node, x, rule->priority, &p), *next;
    RCU_PTR(struct cls_rule) *link = link_behind(node, before);

    next = rcu_get_protected(link);
    rule->prev = before;
    rcu_set(&rule->next, next);
    rcu_set(link, rule);
    if (next) {
        next->prev = rule;
    }
    node->n_rules++;
    if (x && !entry_at(x, p, rule->priority, &at)) {
        add_entry(x, p, rule);
    } else if (!x && node->n_rules > CHAIN_LONG) {
        make_index(node);
    }
}

/* The rule leaves the index: of its priority the one before it is the last now, or there is none. */
static void
leave_index(struct chain_index *x, const struct cls_rule *rule)
{
    struct place at;
    struct cls_rule **last = entry_at(x, find_place(x, rule->priority), rule->priority, &at);

    if (*last != rule) {
        return;
    }
    if (rule->prev && rule->prev->priority == rule->priority) {
        *last = rule->prev;
    } else {
        remove_entry(x, at);
    }
}

void
cls_chain_remove(struct cls_node *node, struct cls_rule *rule)
{
    struct chain_index *x = find_index(node);
    struct cls_rule *next = rcu_get_protected(&rule->next);

    if (x) {
        leave_index(x, rule);
    }
    rcu_set(link_behind(node, rule->prev), next);
    if (next) {
        next->prev = rule->prev;
    }
    node->n_rules--;
    if (x && node->n_rules < CHAIN_LONG / 2) {
        drop_index(node);
    }
}
