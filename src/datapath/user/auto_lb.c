#include "datapath/user/auto_lb.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"

/* The loads as they are now. */
static void
add_up(const struct assign_queue *queues, size_t n_queues, struct assign_core *cores, size_t n_cores)
{
    for (size_t i = 0; i < n_cores; i++) {
        cores[i].load = 0;
        cores[i].n_queues = 0;
    }
    for (size_t i = 0; i < n_queues; i++) {
        if (queues[i].core < n_cores) {
            cores[queues[i].core].load += queues[i].cycles;
            cores[queues[i].core].n_queues++;
        }
    }
}

static bool
has_choice(const struct assign_core *cores, size_t n)
{
    size_t n_free = 0, most = 0;

    for (size_t i = 0; i < n; i++) {
        if (!cores[i].is_isolated) {
            n_free++;
            most = MAX(most, cores[i].n_queues);
        }
    }
    return n_free > 1 && most > 1;
}

static bool
is_loaded(const struct auto_lb *lb, const struct assign_core *cores, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!cores[i].is_isolated && lb->full && cores[i].load * 100 / lb->full >= lb->load) {
            return true;
        }
    }
    return false;
}

static void
hear_pinned(void *aux UNUSED, const struct assign_queue *q UNUSED, const struct assign_core *core UNUSED)
{
}

static void
hear_begin(void *aux UNUSED)
{
}

static void
hear_assigned(void *aux UNUSED, const struct assign_queue *q UNUSED, const struct assign_core *core UNUSED,
              bool is_foreign UNUSED)
{
}

static void
hear_left(void *aux UNUSED, const struct assign_queue *q UNUSED)
{
}

/* Of the nodes. */
static unsigned int
best_gain(const struct auto_lb *lb, const struct assign_core *now, const struct assign_core *then, size_t n)
{
    unsigned int best = 0;

    for (size_t i = 0; i < n; i++) {
        uint64_t before = assign_variance(now, n, now[i].node, lb->full);
        uint64_t after = assign_variance(then, n, now[i].node, lb->full);

        if (after < before) {
            best = MAX(best, (before - after) * 100 / before);
        }
    }
    return best;
}

enum auto_lb_verdict
auto_lb_judge(const struct auto_lb *lb, const struct assign_queue *queues, size_t n_queues,
              const struct assign_core *cores, size_t n_cores, unsigned int *gain)
{
    const struct assign_listener deaf = { NULL, hear_pinned, hear_begin, hear_assigned, hear_left };
    struct assign_queue *copy = xmemdup(queues, MAX(n_queues, 1) * sizeof *queues);
    struct assign_core *now = xmemdup(cores, MAX(n_cores, 1) * sizeof *cores);
    struct assign_core *then = xmemdup(cores, MAX(n_cores, 1) * sizeof *cores);
    enum auto_lb_verdict verdict;

    *gain = 0;
    add_up(queues, n_queues, now, n_cores);
    if (!has_choice(now, n_cores)) {
        verdict = AUTO_LB_NO_CHOICE;
    } else if (!is_loaded(lb, now, n_cores)) {
        verdict = AUTO_LB_NOT_LOADED;
    } else {
        assign(copy, n_queues, then, n_cores, lb->how, lb->isolates, &deaf);
        *gain = best_gain(lb, now, then, n_cores);
        verdict = *gain >= lb->improvement ? AUTO_LB_GAIN : AUTO_LB_NO_GAIN;
    }
    free(copy);
    free(now);
    free(then);
    return verdict;
}
