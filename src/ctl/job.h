/* Long answers of commands, made in steps.
 *
 * What it is
 * ----------
 * A command whose text is the longer, the more there is of something (flows, connections, addresses) hands it over as
 * a job.  Its first steps are taken at once: a short answer is sent as any other is.  Of a long one each part is sent
 * when it has been made, a slice in a turn of the loop, as fast as the client reads; jobs take turns with each other.
 *
 * If the client goes away the job is destroyed.  If that which it tells of does, whoever ends that says so first, and
 * the answer ends where it is.
 *
 * Threads: main thread. */
#ifndef CTL_JOB_H
#define CTL_JOB_H 1

#include "base/list.h"
#include "ctl/ctl.h"

struct ctl_job;

struct ctl_job_ops {
    /* Appends some more to 'out', whole lines, as much as takes some ten microseconds to make; true once that is
     * all. */
    bool (*step)(struct ctl_job *, struct str *out);
    void (*destroy)(struct ctl_job *); /* Frees what it is embedded in. */
};

/* Embedded in what the answer is made of. */
struct ctl_job {
    const struct ctl_job_ops *ops;
    const void *on;              /* What it tells of, for ctl_jobs_end(); null: what never goes. */
    /* The rest is job.c's. */
    struct ctl_request *request;
    struct list node;            /* Among those that may go on; or in none, while the client has much to read. */
    struct str made;
    bool has_begun;              /* The first part has been sent. */
};

/* Ends the request, with success, by 'job', with 'ops' and 'on' set, which it takes over. */
void ctl_reply_by_job(struct ctl_request *, struct ctl_job *job);

/* 'on' is going. */
void ctl_jobs_end(const void *on);

#endif
