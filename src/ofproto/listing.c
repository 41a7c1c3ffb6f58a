#include "ofproto/listing.h"

#include <stdlib.h>

/* After so many the clock is looked at (conns.c): a port's counters may take a call or two of the system.  Sorting
 * takes some 50 ns for each. */
enum { ENTRIES_A_STEP = 32, SORTED_A_STEP = 1024 };

struct listing_job {
    struct ofconn_job job;
    struct ofconn *c;
    const struct listing_ops *ops;
    struct listing list;
    size_t n_sorted;       /* So many of the list are, or have been, in 'rest'. */
    struct pqueue rest;    /* Those that are to come. */
    enum of_version version;
    struct bytes building; /* The message that is not full yet. */
    struct msg_parts parts;
};

void
listing_reserve(struct listing *l, size_t n)
{
    l->all = xcalloc(n, sizeof *l->all);
    l->capacity = n;
}

void
listing_add(struct listing *l, uint32_t id, void *thing)
{
    if (l->n == l->capacity) {
        l->all = x2nrealloc(l->all, &l->capacity, sizeof *l->all);
    }
    l->all[l->n++] = (struct listed) { .id = id, .thing = thing };
}

static bool
is_before(const struct pqueue_node *a, const struct pqueue_node *b)
{
    return CONTAINER_OF(a, struct listed, node)->rank < CONTAINER_OF(b, struct listed, node)->rank;
}

static void
release(const struct listing_job *j, const struct listed *one)
{
    if (j->ops->release) {
        j->ops->release(one->thing);
    }
}

static void
sort_more(struct listing_job *j)
{
    for (int i = 0; i < SORTED_A_STEP && j->n_sorted < j->list.n; i++) {
        struct listed *one = &j->list.all[j->n_sorted++];

        one->rank = one->id - j->ops->first;
        pqueue_insert(&j->rest, &one->node);
    }
}

static bool
step(struct ofconn_job *job, struct bytes *out)
{
    struct listing_job *j = CONTAINER_OF(job, struct listing_job, job);

    if (j->n_sorted < j->list.n) {
        sort_more(j);
        return false;
    }
    for (int i = 0; i < ENTRIES_A_STEP && j->rest.n; i++) {
        const struct listed *one = CONTAINER_OF(pqueue_first(&j->rest), struct listed, node);
        size_t entry = j->building.len;

        pqueue_remove(&j->rest, pqueue_first(&j->rest));
        if (j->ops->put(j->c, &j->building, j->version, one)) {
            msg_parts_entry(&j->parts, entry);
        }
        release(j, one);
    }
    if (!j->rest.n) {
        msg_parts_end(&j->parts);
        bytes_put(out, j->building.data, j->building.len);
        return true;
    }
    msg_parts_take_complete(&j->parts, out);
    return false;
}

static void
destroy(struct ofconn_job *job)
{
    struct listing_job *j = CONTAINER_OF(job, struct listing_job, job);

    for (size_t i = 0; i < j->rest.n; i++) {
        release(j, CONTAINER_OF(j->rest.nodes[i], struct listed, node));
    }
    for (size_t i = j->n_sorted; i < j->list.n; i++) {
        release(j, &j->list.all[i]);
    }
    pqueue_uninit(&j->rest);
    free(j->list.all);
    bytes_uninit(&j->building);
    free(j);
}

void
listing_reply(struct ofconn *c, const struct msg *request, const struct listing_ops *ops, struct listing *l)
{
    struct listing_job *j = xzalloc(sizeof *j);

    j->job = (struct ofconn_job) { step, destroy };
    j->c = c;
    j->ops = ops;
    j->version = request->version;
    j->list = *l;
    *l = (struct listing) LISTING_INIT;
    j->rest = (struct pqueue) PQUEUE_INIT(is_before);
    msg_parts_begin(&j->parts, &j->building, ops->reply, request);
    ofconn_start_job(c, &j->job);
}
