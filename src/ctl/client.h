/* The other end of the control socket: finds a daemon and runs its commands.  Blocking; for tools. */
#ifndef CTL_CLIENT_H
#define CTL_CLIENT_H 1

#include "json/json.h"

struct ctl_client;

/* The socket of 'target': itself if it begins with a slash, otherwise RUNDIR/TARGET.PID.ctl for the pid in
 * RUNDIR/TARGET.pid.  Sets '*path', to be released with free(), or returns an error in the documented words. */
struct error *ctl_client_find(const char *target, char **path) MUST_CHECK;

/* Connects to the socket 'path'. */
struct error *ctl_client_open(const char *path, struct ctl_client **) MUST_CHECK;
void ctl_client_close(struct ctl_client *); /* Null is allowed. */

/* Runs a command.  Returns 0 and sets one of '*result' (any JSON; a string for plain text) and '*error_text' (the
 * daemon's answer was an error; to be released with free()), or returns a negative errno value. */
int ctl_client_call(struct ctl_client *, const char *command, int argc, char *argv[], struct json **result,
                    char **error_text) MUST_CHECK;

#endif
