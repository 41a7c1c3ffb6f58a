#include "datapath/user/assign.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"

/* The cores of a node that take queues, and whose turn it is. */
struct turns {
    unsigned int node;
    size_t *cores, n;   /* Places in the array of cores. */
    size_t next;
    bool goes_down;
};

struct deal {
    struct assign_core *cores;
    size_t n_cores;
    enum assign_how how;
    const struct assign_listener *listener;
    struct turns *nodes; /* Those with cores, in order of their numbers. */
    size_t n_nodes, next_node;
};

static void
give(struct assign_queue *q, struct assign_core *cores, size_t core)
{
    q->core = core;
    cores[core].n_queues++;
    cores[core].load += q->cycles;
}

static size_t
find_core(const struct assign_core *cores, size_t n, int id)
{
    for (size_t i = 0; i < n; i++) {
        if (id >= 0 && cores[i].id == (unsigned int) id) {
            return i;
        }
    }
    return ASSIGN_NONE;
}

/* Gives each queue the core that it wants; how many are left. */
static size_t
pin(struct assign_queue *queues, size_t n, struct assign_core *cores, size_t n_cores, bool isolates,
    const struct assign_listener *listener)
{
    size_t n_left = 0;

    for (size_t i = 0; i < n; i++) {
        size_t core = find_core(cores, n_cores, queues[i].wanted);

        queues[i].core = ASSIGN_NONE;
        if (core != ASSIGN_NONE) {
            give(&queues[i], cores, core);
            cores[core].is_isolated |= isolates;
        } else {
            n_left++;
        }
        if (queues[i].wanted >= 0) {
            listener->pinned(listener->aux, &queues[i], core == ASSIGN_NONE ? NULL : &cores[core]);
        }
    }
    return n_left;
}

static struct turns *
find_node(const struct deal *d, unsigned int node)
{
    for (size_t i = 0; i < d->n_nodes; i++) {
        if (d->nodes[i].node == node) {
            return &d->nodes[i];
        }
    }
    return NULL;
}

static int
compare_nodes(const void *a_, const void *b_)
{
    const struct turns *a = a_, *b = b_;

    return a->node < b->node ? -1 : a->node > b->node;
}

static void
find_nodes(struct deal *d)
{
    d->nodes = xcalloc(d->n_cores + 1, sizeof *d->nodes);
    for (size_t i = 0; i < d->n_cores; i++) {
        struct turns *t;

        if (d->cores[i].is_isolated) {
            continue;
        }
        t = find_node(d, d->cores[i].node);
        if (!t) {
            t = &d->nodes[d->n_nodes++];
            *t = (struct turns) { .node = d->cores[i].node, .cores = xcalloc(d->n_cores, sizeof *t->cores) };
        }
        t->cores[t->n++] = i;
    }
    qsort(d->nodes, d->n_nodes, sizeof *d->nodes, compare_nodes);
}

static size_t
least_loaded(const struct deal *d, const struct turns *t)
{
    size_t best = t->cores[0];

    for (size_t i = 1; i < t->n; i++) {
        const struct assign_core *a = &d->cores[t->cores[i]], *b = &d->cores[best];

        if (a->load < b->load || (a->load == b->load && a->n_queues < b->n_queues)) {
            best = t->cores[i];
        }
    }
    return best;
}

/* Up and down again: the last and the first one have two turns in a row. */
static size_t
next_up_and_down(struct turns *t)
{
    size_t core = t->cores[t->next];

    if (t->goes_down ? t->next == 0 : t->next == t->n - 1) {
        t->goes_down = !t->goes_down;
    } else if (t->goes_down) {
        t->next--;
    } else {
        t->next++;
    }
    return core;
}

static size_t
next_in_turn(struct turns *t)
{
    size_t core = t->cores[t->next];

    t->next = (t->next + 1) % t->n;
    return core;
}

static void
deal_one(struct deal *d, struct assign_queue *q)
{
    struct turns *t = find_node(d, q->node);
    bool is_foreign = !t;
    size_t core;

    if (!d->n_nodes) {
        d->listener->left(d->listener->aux, q);
        return;
    }
    if (is_foreign) {
        t = &d->nodes[d->next_node];
        d->next_node = (d->next_node + 1) % d->n_nodes;
    }
    core = d->how == ASSIGN_GROUP ? least_loaded(d, t)
           : d->how == ASSIGN_CYCLES ? next_up_and_down(t) : next_in_turn(t);
    give(q, d->cores, core);
    d->listener->assigned(d->listener->aux, q, &d->cores[core], is_foreign);
}

/* The dearest first; of equal ones, that which came first. */
static int
compare_cost(const void *a_, const void *b_)
{
    const struct assign_queue *a = *(struct assign_queue *const *) a_, *b = *(struct assign_queue *const *) b_;

    return a->cycles != b->cycles ? (a->cycles > b->cycles ? -1 : 1) : a < b ? -1 : a > b;
}

void
assign(struct assign_queue *queues, size_t n_queues, struct assign_core *cores, size_t n_cores, enum assign_how how,
       bool isolates, const struct assign_listener *listener)
{
    struct deal d = { .cores = cores, .n_cores = n_cores, .how = how, .listener = listener };
    struct assign_queue **order;
    size_t n = 0;

    for (size_t i = 0; i < n_cores; i++) {
        cores[i].is_isolated = false;
        cores[i].n_queues = 0;
        cores[i].load = 0;
    }
    if (!pin(queues, n_queues, cores, n_cores, isolates, listener)) {
        return;
    }
    order = xcalloc(n_queues, sizeof *order);
    for (size_t i = 0; i < n_queues; i++) {
        if (queues[i].core == ASSIGN_NONE) {
            order[n++] = &queues[i];
        }
    }
    if (how != ASSIGN_ROUNDROBIN) {
        qsort(order, n, sizeof *order, compare_cost);
    }
    find_nodes(&d);
    listener->begins(listener->aux);
    for (size_t i = 0; i < n; i++) {
        deal_one(&d, order[i]);
    }
    for (size_t i = 0; i < d.n_nodes; i++) {
        free(d.nodes[i].cores);
    }
    free(d.nodes);
    free(order);
}

static bool
is_of(const struct assign_core *core, unsigned int node)
{
    return core->node == node && !core->is_isolated;
}

uint64_t
assign_variance(const struct assign_core *cores, size_t n_cores, unsigned int node, uint64_t full)
{
    uint64_t sum = 0, squares = 0;
    size_t n = 0;

    for (size_t i = 0; i < n_cores && full; i++) {
        if (is_of(&cores[i], node)) {
            n++;
            sum += cores[i].load * 100 / full;
        }
    }
    for (size_t i = 0; i < n_cores && n; i++) {
        if (is_of(&cores[i], node)) {
            int64_t off = (int64_t) (cores[i].load * 100 / full) - (int64_t) (sum / n);

            squares += off * off;
        }
    }
    return n ? squares / n : 0;
}
