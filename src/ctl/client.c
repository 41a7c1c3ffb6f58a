#include "ctl/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "jsonrpc/client.h"
#include "sys/daemon.h"
#include "sys/dirs.h"
#include "sys/log.h"
#include "sys/stream.h"

LOG_MODULE(unixctl)

struct ctl_client {
    struct jsonrpc_client *rpc;
};

struct error *
ctl_client_find(const char *target, char **path)
{
    char *pidfile;
    pid_t pid;

    *path = NULL;
    if (target[0] == '/') {
        *path = xstrdup(target);
        return NULL;
    }
    pidfile = xasprintf("%s/%s.pid", dirs_run(), target);
    pid = daemon_read_pidfile(pidfile);
    if (pid < 0) {
        struct error *error = error_new("cannot read pidfile \"%s\" (%s)", pidfile, strerror(-pid));

        free(pidfile);
        return error;
    }
    free(pidfile);
    *path = xasprintf("%s/%s.%ld.ctl", dirs_run(), target, (long) pid);
    return NULL;
}

struct error *
ctl_client_open(const char *path, struct ctl_client **client)
{
    char *target = xasprintf("unix:%s", path);
    struct jsonrpc_client *rpc;
    int error = jsonrpc_client_open(target, 0, &rpc);

    free(target);
    *client = NULL;
    if (error) {
        log_warn("failed to connect to %s", path);
        return error_new("cannot connect to \"%s\" (%s)", path, stream_strerror(error));
    }
    *client = xzalloc(sizeof **client);
    (*client)->rpc = rpc;
    return NULL;
}

void
ctl_client_close(struct ctl_client *c)
{
    if (c) {
        jsonrpc_client_close(c->rpc);
        free(c);
    }
}

int
ctl_client_call(struct ctl_client *c, const char *command, int argc, char *argv[], struct json **result,
                char **error_text)
{
    struct json *params = js_array();
    struct jsonrpc_msg *reply;
    int error;

    *result = NULL;
    *error_text = NULL;
    for (int i = 0; i < argc; i++) {
        js_append_take(params, js_str(argv[i]));
    }
    error = jsonrpc_client_call(c->rpc, command, params, &reply);
    if (error) {
        log_warn("error communicating with %s: %s", jsonrpc_client_name(c->rpc), stream_strerror(error));
        return error;
    }
    if (reply->type == JSONRPC_REPLY) {
        *result = js_ref(reply->result);
    } else if (js_is(reply->error, JS_STRING)) {
        *error_text = xstrdup(js_str_value(reply->error));
    } else {
        log_warn("%s: unexpected error type in JSON RPC reply: %s", jsonrpc_client_name(c->rpc),
                 js_type_name(js_type(reply->error)));
        error = -EINVAL;
    }
    jsonrpc_msg_free(reply);
    return error;
}
