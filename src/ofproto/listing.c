#include "ofproto/listing.h"

#include <stdlib.h>

#include "sys/work.h"

/* After so many the clock is looked at (conns.c): a port's counters may take a call or two of the system.  Noting takes
 * some 100 ns for each, which wait for memory; sorting 50. */
enum { ENTRIES_A_STEP = 32, NOTED_A_STEP = 512, SORTED_A_STEP = 1024 };

/* More than so many that a connection leaves behind are released beside the main loop. */
enum { MANY_LEFT = 4096 };

struct listing_job {
    struct ofconn_job job;
    struct ofconn *c;
    const struct listing_ops *ops;
    struct listing list;
    struct roll_walk walk; /* Notes the list. */
    bool is_walking;
    size_t n_sorted;       /* So many of the list are, or have been, in 'rest'. */
    struct pqueue rest;    /* Those that are to come. */
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
note(struct roll_walk *w, struct roll_entry *e)
{
    struct listing_job *j = CONTAINER_OF(w, struct listing_job, walk);

    j->ops->note(&j->list, e);
}

static void
end_walk(struct listing_job *j)
{
    if (j->is_walking) {
        roll_walk_end(&j->walk);
        j->is_walking = false;
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

    if (j->is_walking) {
        if (roll_walk_step(&j->walk, NOTED_A_STEP)) {
            end_walk(j);
        }
        return false;
    }
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
free_job(void *job)
{
    struct listing_job *j = job;

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

static void
destroy(struct ofconn_job *job)
{
    struct listing_job *j = CONTAINER_OF(job, struct listing_job, job);

    end_walk(j);
    if (j->ops->release && j->rest.n + (j->list.n - j->n_sorted) > MANY_LEFT) {
        work_start(free_job, j);
    } else {
        free_job(j);
    }
}

static struct listing_job *
begin(struct ofconn *c, const struct msg *request, const struct listing_ops *ops)
{
    struct listing_job *j = xzalloc(sizeof *j);

    j->job = (struct ofconn_job) { step, destroy };
    j->c = c;
    j->ops = ops;
    j->version = request->version;
    j->rest = (struct pqueue) PQUEUE_INIT(is_before);
    msg_parts_begin(&j->parts, &j->building, ops->reply, request);
    ofconn_start_job(c, &j->job);
    return j;
}

void
listing_reply(struct ofconn *c, const struct msg *request, const struct listing_ops *ops, struct listing *l)
{
    struct listing_job *j = begin(c, request, ops);

    j->list = *l;
    *l = (struct listing) LISTING_INIT;
}

/* Room for all is made in one piece, which the system provides as it is used. */
void
listing_reply_all(struct ofconn *c, const struct msg *request, const struct listing_ops *ops, struct roll *r, size_t n)
{
    struct listing_job *j = begin(c, request, ops);

    j->list = (struct listing) { xcalloc(MAX(n, 1), sizeof *j->list.all), 0, MAX(n, 1) };
    roll_walk_begin(&j->walk, r, note);
    j->is_walking = true;
}
