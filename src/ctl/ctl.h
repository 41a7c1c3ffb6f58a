/* The control socket: what ovs-appctl talks to.
 *
 * What it is
 * ----------
 * Every daemon listens on RUNDIR/PROGRAM.PID.ctl.  A request is a JSON-RPC request whose method is a command's name and
 * whose parameters are its arguments; the answer is text.  Parts register their commands with ctl_register(), before
 * or after the server exists.  ctl_server_create() registers the commands that every daemon has: list-commands,
 * version, vlog/..., coverage/..., memory/show, set-options.
 *
 * How it works
 * ------------
 * A command's function gets a 'struct ctl_request' and must end it with exactly one of the ctl_reply functions, now or
 * later; commands of one connection run one after the other.  If the connection ends before, the reply is dropped.
 * What may be long is answered by a job (ctl/job.h).
 *
 * A client may ask for JSON (set-options --format json): commands that have a JSON form look at
 * ctl_request_wants_json() and answer with ctl_reply_json(); the text of the others is wrapped.
 *
 * Threads: main thread. */
#ifndef CTL_CTL_H
#define CTL_CTL_H 1

#include "base/error.h"
#include "json/json.h"
#include "sys/loop.h"

struct ctl_server;
struct ctl_request;

/* argv[0] is the command's name. */
typedef void ctl_cb(struct ctl_request *, int argc, const char *argv[], void *aux);

/* Registers a command that takes from 'min' to 'max' arguments (INT_MAX: any number).  'usage' describes the arguments
 * for list-commands; null hides the command.  Registering a name again replaces it. */
void ctl_register(const char *name, const char *usage, int min, int max, ctl_cb *, void *aux);
void ctl_unregister(const char *name);

/* End the request: with a text (null: empty), with formatted text, or with an error.  A last line end is added where it
 * lacks. */
void ctl_reply(struct ctl_request *, const char *text);
void ctl_replyf(struct ctl_request *, const char *format, ...) PRINTF_FORMAT(2, 3);
void ctl_reply_error(struct ctl_request *, const char *format, ...) PRINTF_FORMAT(2, 3);
/* Takes 'json'. */
void ctl_reply_json(struct ctl_request *, struct json *);
/* Takes the error: success with an empty text if it is null. */
void ctl_reply_take_error(struct ctl_request *, struct error *);
bool ctl_request_wants_json(const struct ctl_request *);

/* Listens on 'path': null for the default name, "none" for no socket at all; a relative one is in the run directory.
 * 0 or a negative errno value; '*path_used' (unless null) gets the socket's name, owned by the server, also on
 * errors. */
int ctl_server_create(struct loop *, const char *path, struct ctl_server **, const char **path_used) MUST_CHECK;
/* The same with the error printed and exit status 1. */
struct ctl_server *ctl_server_create_or_exit(struct loop *, const char *path) MUST_CHECK;
void ctl_server_destroy(struct ctl_server *); /* Null is allowed.  Tries to write the last replies. */

#endif
