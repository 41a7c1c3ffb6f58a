#include "ctl/job.h"

#include <stdlib.h>
#include <string.h>

#include "ctl/ctl_private.h"
#include "sys/counter.h"
#include "sys/log.h"

LOG_MODULE(unixctl)

/* Turns of the main loop that answers have taken, after their first ones. */
COUNTER(ctl_job_turns)

enum {
    PART = 128 * 1024,       /* Bytes of an answer that are made before they are sent. */
    MAX_BACKLOG = 1024 * 1024 /* That a client may leave unread before its job waits. */
};

/* Those that can go on; and those that wait for their client. */
static struct list ready = LIST_INIT(&ready), waiting = LIST_INIT(&waiting);
static struct loop_task task;

static void
destroy(struct ctl_job *job)
{
    list_remove(&job->node);
    str_uninit(&job->made);
    job->ops->destroy(job);
}

/* Makes more, for some time; whether that is all. */
static bool
make(struct ctl_job *job)
{
    struct loop_slice slice = loop_slice_begin();

    do {
        if (job->ops->step(job, &job->made)) {
            return true;
        }
    } while (job->made.len < PART && !loop_slice_has_ended(&slice));
    return false;
}

static void
send_made(struct ctl_job *job, bool is_last)
{
    if (is_last && !job->has_begun) { /* It took long, and has little to say. */
        ctl_reply(job->request, str_text(&job->made));
        destroy(job);
        return;
    }
    if (!job->has_begun) {
        ctl_reply_begin(job->request);
        job->has_begun = true;
    }
    ctl_reply_put(job->request, str_text(&job->made));
    str_clear(&job->made);
    if (is_last) {
        ctl_reply_end(job->request);
        destroy(job);
    }
}

static void
go_on(struct ctl_job *job)
{
    bool is_last = make(job);

    counter_inc(ctl_job_turns);
    list_push_back(&ready, &job->node);
    if (is_last || job->made.len) {
        send_made(job, is_last);
    }
    if (!is_last && ctl_request_backlog(job->request) > MAX_BACKLOG) {
        list_remove(&job->node);
        list_push_back(&waiting, &job->node);
    }
}

static void
on_turn(struct loop_task *t)
{
    if (!list_is_empty(&ready)) {
        go_on(CONTAINER_OF(list_pop_front(&ready), struct ctl_job, node));
    }
    if (!list_is_empty(&ready)) {
        loop_task_post_next_turn(t);
    }
}

void
ctl_jobs_init(struct loop *loop)
{
    loop_task_init(loop, &task, on_turn, NULL);
}

void
ctl_jobs_uninit(void)
{
    loop_task_cancel(&task);
}

void
ctl_reply_by_job(struct ctl_request *r, struct ctl_job *job)
{
    job->request = r;
    job->has_begun = false;
    list_init(&job->node);
    str_init(&job->made);
    if (make(job)) {
        ctl_reply(r, str_text(&job->made));
        destroy(job);
    } else if (!ctl_request_set_job(r, job)) {
        ctl_reply(r, NULL); /* Nobody is there any more. */
        destroy(job);
    } else {
        list_push_back(&ready, &job->node);
        loop_task_post_next_turn(&task);
    }
}

void
ctl_job_abandon(struct ctl_job *job)
{
    destroy(job);
}

void
ctl_job_on_drained(struct ctl_job *job)
{
    list_remove(&job->node);
    list_push_back(&ready, &job->node);
    loop_task_post_next_turn(&task);
}

static struct ctl_job *
find(const struct list *list, const void *on)
{
    LIST_FOR_EACH (job, struct ctl_job, node, list) {
        if (job->on == on) {
            return job;
        }
    }
    return NULL;
}

/* From the beginning each time: the end of an answer may let the same client's next command start another. */
void
ctl_jobs_end(const void *on)
{
    struct ctl_job *job;

    while ((job = find(&ready, on)) != NULL || (job = find(&waiting, on)) != NULL) {
        send_made(job, true);
    }
}
