/* What the files of the control socket share. */
#ifndef CTL_CTL_PRIVATE_H
#define CTL_CTL_PRIVATE_H 1

#include "ctl/ctl.h"

/* vlog/...; coverage/... and memory/show. */
void ctl_register_log_commands(void);
void ctl_register_count_commands(void);

/* Sets the output format of the request's connection, this reply included. */
void ctl_request_set_json(struct ctl_request *, bool json);

#endif
