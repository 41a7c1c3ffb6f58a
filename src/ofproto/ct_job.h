/* Long walks over tracked connections, in slices of the main loop.
 *
 * What it is
 * ----------
 * A flush, a dump or a count that goes past every connection takes the longer, the more there are.  As a job it runs
 * its first slice at once, and the rest, a slice a turn, from the loop; whoever asked is answered when it is done.
 * Jobs take turns with each other.
 *
 * Meanwhile packets go on, so that a dump shows each connection as it was at some moment between question and answer.
 * A datapath that is closed ends the jobs on it: nothing of it is left.
 *
 * Threads: main. */
#ifndef OFPROTO_CT_JOB_H
#define OFPROTO_CT_JOB_H 1

#include "base/list.h"
#include "sys/loop.h"

struct conntrack;

enum { CT_JOB_STEP = 32 }; /* Places that a step goes past. */

/* Embedded in what is asked for. */
struct ct_job {
    /* Goes past CT_JOB_STEP places: true once the walk is through. */
    bool (*step)(struct ct_job *, struct conntrack *);
    /* Answers, and frees what this is embedded in.  From ct_job_start() or later. */
    void (*done)(struct ct_job *);
    struct conntrack *ct;
    struct list node;
};

void ct_jobs_init(struct loop *);
void ct_jobs_uninit(void); /* There must be no datapath any more. */

/* Takes the job, with 'step' and 'done' set, and carries it out on 'ct'. */
void ct_job_start(struct ct_job *, struct conntrack *ct);

/* The tracker is going to be closed. */
void ct_jobs_end(const struct conntrack *);

#endif
