#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/ovsdb-client/oc.h"
#include "ctl/ctl.h"
#include "sys/cmdline.h"
#include "sys/daemon.h"

/* The transaction of the argument, with a connection to a server of its database. */
static struct json *
begin_transaction(struct oc *oc)
{
    struct json *params = oc_parse_json(oc->argv[0]);

    if (!js_is(params, JS_ARRAY) || !js_is(js_at(params, 0), JS_STRING)) {
        cmdline_fatal(0, "not a valid OVSDB query");
    }
    oc_connect(oc, js_str_value(js_at(params, 0)));
    return params;
}

void
oc_transact(struct oc *oc)
{
    struct json *params = begin_transaction(oc), *result = oc_call(oc, "transact", params);

    oc_print_json(oc, result);
    js_unref(result);
}

/* As "transact", but the operations end in one that takes everything back. */
void
oc_query(struct oc *oc)
{
    struct json *parsed = begin_transaction(oc), *params = js_clone(parsed);
    struct json *result, *shown = js_array(), *abort_op = js_object();
    const char *last;

    js_unref(parsed);
    js_set_take(abort_op, "op", js_str("abort"));
    js_append_take(params, abort_op);
    result = oc_call(oc, "transact", params);
    for (size_t i = 0; i < js_array_len(result); i++) {
        last = js_get_str(js_at(result, i), "error");
        if (i + 1 < js_array_len(result) || !last || strcmp(last, "aborted")) {
            js_append_take(shown, js_ref(js_at(result, i)));
        }
    }
    oc_print_json(oc, shown);
    js_unref(shown);
    js_unref(result);
}

/* Locks. */

struct locker {
    struct oc *oc;
    bool exiting;
};

static void
on_exit_command(struct ctl_request *r, int argc UNUSED, const char *argv[] UNUSED, void *l)
{
    ((struct locker *) l)->exiting = true;
    ctl_reply(r, NULL);
}

/* lock, steal or unlock by ovs-appctl; the answer of the server is printed when it comes. */
static void
on_lock_command(struct ctl_request *r, int argc UNUSED, const char *argv[], void *l)
{
    struct oc *oc = ((struct locker *) l)->oc;
    int error = jsonrpc_client_send(oc->rpc, jsonrpc_request(argv[0], oc_params(argv[1]), NULL));

    if (error) {
        ctl_reply_error(r, "cannot send the request");
    } else {
        ctl_reply(r, NULL);
    }
}

static void
print_message(const struct oc *oc, const struct jsonrpc_msg *m)
{
    if (m->type == JSONRPC_REPLY) {
        oc_print_json(oc, m->result);
    } else if (m->type == JSONRPC_ERROR) {
        oc_print_json(oc, m->error);
    } else {
        puts(m->method);
        oc_print_json(oc, m->params);
    }
    fflush(stdout);
}

static void
lock_with(struct oc *oc, const char *method)
{
    static const char *const commands[] = { "lock", "steal", "unlock" };
    struct locker locker = { .oc = oc };
    struct loop *loop = jsonrpc_client_loop(oc->rpc);
    struct json *result = oc_call(oc, method, oc_params(oc->argv[0]));
    struct ctl_server *ctl = NULL;

    if (js_is(js_get(result, "locked"), JS_TRUE) || js_is(js_get(result, "locked"), JS_FALSE)) {
        oc_print_json(oc, result);
    }
    js_unref(result);
    fflush(stdout);
    if (daemon_is_detaching()) {
        ctl = ctl_server_create_or_exit(loop, NULL);
        ctl_register("exit", "", 0, 0, on_exit_command, &locker);
        for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
            ctl_register(commands[i], "LOCK", 1, 1, on_lock_command, &locker);
        }
    }
    daemon_ready();
    while (!locker.exiting) {
        struct jsonrpc_msg *m;
        int error = jsonrpc_client_try_receive(oc->rpc, &m);

        if (!error) {
            print_message(oc, m);
            jsonrpc_msg_free(m);
        } else if (error == -EAGAIN) {
            loop_run_once(loop, true);
        } else {
            cmdline_fatal(error, "%s: receive failed", oc->server);
        }
    }
    ctl_server_destroy(ctl);
}

void
oc_lock(struct oc *oc)
{
    lock_with(oc, "lock");
}

void
oc_steal(struct oc *oc)
{
    lock_with(oc, "steal");
}

void
oc_unlock(struct oc *oc)
{
    lock_with(oc, "unlock");
}
