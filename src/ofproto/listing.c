#include "ofproto/listing.h"

#include <stdlib.h>

/* After so many the clock is looked at (conns.c): a port's counters may take a call or two of the system. */
enum { ENTRIES_A_STEP = 32 };

struct listing_job {
    struct ofconn_job job;
    struct ofconn *c;
    const struct listing_ops *ops;
    struct listing rest;   /* A heap: the next one is the first. */
    enum of_version version;
    struct bytes building; /* The message that is not full yet. */
    struct msg_parts parts;
};

void
listing_add(struct listing *l, uint32_t id, void *thing)
{
    if (l->n == l->capacity) {
        l->all = x2nrealloc(l->all, &l->capacity, sizeof *l->all);
    }
    l->all[l->n++] = (struct listed) { id, thing };
}

static bool
is_before(const struct listing_job *j, const struct listed *a, const struct listed *b)
{
    return a->id - j->ops->first < b->id - j->ops->first;
}

/* Puts 'one' at place 'at' of the heap or, as long as one below it comes before it, at that one's. */
static void
sift(struct listing_job *j, size_t at, struct listed one)
{
    struct listed *all = j->rest.all;

    for (size_t child; (child = 2 * at + 1) < j->rest.n; at = child) {
        child += child + 1 < j->rest.n && is_before(j, &all[child + 1], &all[child]);
        if (!is_before(j, &all[child], &one)) {
            break;
        }
        all[at] = all[child];
    }
    all[at] = one;
}

static struct listed
take_first(struct listing_job *j)
{
    struct listed first = j->rest.all[0];
    size_t last = --j->rest.n;

    if (last) {
        sift(j, 0, j->rest.all[last]);
    }
    return first;
}

static void
release(const struct listing_job *j, const struct listed *one)
{
    if (j->ops->release) {
        j->ops->release(one->thing);
    }
}

static bool
step(struct ofconn_job *job, struct bytes *out)
{
    struct listing_job *j = CONTAINER_OF(job, struct listing_job, job);

    for (int i = 0; i < ENTRIES_A_STEP && j->rest.n; i++) {
        struct listed one = take_first(j);
        size_t entry = j->building.len;

        if (j->ops->put(j->c, &j->building, j->version, &one)) {
            msg_parts_entry(&j->parts, entry);
        }
        release(j, &one);
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
        release(j, &j->rest.all[i]);
    }
    free(j->rest.all);
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
    j->rest = *l;
    *l = (struct listing) LISTING_INIT;
    for (size_t i = j->rest.n / 2; i-- > 0;) {
        sift(j, i, j->rest.all[i]);
    }
    msg_parts_begin(&j->parts, &j->building, ops->reply, request);
    ofconn_start_job(c, &j->job);
}
