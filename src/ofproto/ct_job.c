#include "ofproto/ct_job.h"

static struct list jobs = LIST_INIT(&jobs);
static struct loop_wake wake;

/* True once it is through. */
static bool
run_slice(struct ct_job *job)
{
    struct loop_slice slice = loop_slice_begin();

    do {
        if (job->step(job, job->ct)) {
            return true;
        }
    } while (!loop_slice_has_ended(&slice));
    return false;
}

static void
on_wake(struct loop_wake *w)
{
    struct ct_job *job;

    if (list_is_empty(&jobs)) {
        return;
    }
    job = CONTAINER_OF(list_pop_front(&jobs), struct ct_job, node);
    if (run_slice(job)) {
        job->done(job);
    } else {
        list_push_back(&jobs, &job->node);
    }
    if (!list_is_empty(&jobs)) {
        loop_wake_signal(w);
    }
}

void
ct_jobs_init(struct loop *loop)
{
    loop_wake_init(loop, &wake, on_wake, NULL);
}

void
ct_jobs_uninit(void)
{
    loop_wake_uninit(&wake);
}

void
ct_job_start(struct ct_job *job, struct conntrack *ct)
{
    job->ct = ct;
    if (run_slice(job)) {
        job->done(job);
        return;
    }
    list_push_back(&jobs, &job->node);
    loop_wake_signal(&wake);
}

static struct ct_job *
find_job(const struct conntrack *ct)
{
    LIST_FOR_EACH (job, struct ct_job, node, &jobs) {
        if (job->ct == ct) {
            return job;
        }
    }
    return NULL;
}

void
ct_jobs_end(const struct conntrack *ct)
{
    /* From the beginning each time: an answer may let the same client's next command start another. */
    for (struct ct_job *job; (job = find_job(ct)) != NULL;) {
        list_remove(&job->node);
        job->done(job);
    }
}
