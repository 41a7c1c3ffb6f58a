/* What the files of the control socket share. */
#ifndef CTL_CTL_PRIVATE_H
#define CTL_CTL_PRIVATE_H 1

#include "ctl/ctl.h"

struct ctl_job;

/* vlog/...; coverage/... and memory/show. */
void ctl_register_log_commands(void);
void ctl_register_count_commands(void);

/* Sets the output format of the request's connection, this reply included. */
void ctl_request_set_json(struct ctl_request *, bool json);

/* For job.c: a reply in parts, which ends the request with the last; how much of it has not been read.  The text may be
 * empty. */
void ctl_reply_begin(struct ctl_request *);
void ctl_reply_put(struct ctl_request *, const char *text);
void ctl_reply_end(struct ctl_request *);
size_t ctl_request_backlog(const struct ctl_request *);
/* The job answers it, until ctl_reply_end(), and is told if the connection ends before; false if it has already. */
bool ctl_request_set_job(struct ctl_request *, struct ctl_job *);

/* job.c */
void ctl_jobs_init(struct loop *);
void ctl_jobs_uninit(void);
void ctl_job_abandon(struct ctl_job *);     /* Nobody is there any more. */
void ctl_job_on_drained(struct ctl_job *);  /* The client has read all of it. */

#endif
