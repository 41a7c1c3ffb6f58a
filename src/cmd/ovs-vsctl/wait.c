/* After the commit: waiting for ovs-vswitchd, and what became of the interfaces that were added. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/ovs-vsctl/vsctl.h"
#include "sys/daemon.h"
#include "sys/dirs.h"

enum { EXIT_RECONFIGURATION_FAILED = 65 };

/* Whether the daemon runs, as far as its pid file tells. */
static char *
daemon_text(void)
{
    char *path = dirs_resolve(dirs_run(), "ovs-vswitchd.pid"), *text;
    const pid_t pid = access(path, F_OK) ? -ENOENT : daemon_read_pidfile(path);

    text = pid > 0 ? xasprintf("it is running as process %d", (int) pid)
                   : xasprintf("it is not running: %s %s", path, pid == -ENOENT ? "does not exist" : "is not in use");
    free(path);
    return text;
}

static char *
hint(struct dbctl *ctl)
{
    const struct vs_open_vswitch *root = vs_open_vswitch_first(ctl->idl);
    char *state = daemon_text(), *text;

    if (!idl_is_filled(ctl->idl) || !root) {
        text = xasprintf("ovs-vswitchd to apply the change, but the database is out of reach: %s",
                         idl_state_text(ctl->idl));
    } else {
        text = xasprintf("ovs-vswitchd to apply change %lld; it has applied %lld so far; %s",
                         (long long) idl_txn_incremented(ctl->txn), (long long) vs_open_vswitch_cur_cfg(root), state);
    }
    free(state);
    return text;
}

static bool
is_applied(struct dbctl *ctl, int64_t next_cfg)
{
    const struct vs_open_vswitch *root = vs_open_vswitch_first(ctl->idl);

    return root && vs_open_vswitch_cur_cfg(root) >= next_cfg;
}

/* "select" for the interface 'name'. */
static struct json *
question(const char *name)
{
    struct json *op = js_object(), *where = js_array(), *clause = js_array(), *columns = js_array();

    js_append_take(clause, js_str("name"));
    js_append_take(clause, js_str("=="));
    js_append_take(clause, js_str(name));
    js_append_take(where, clause);
    js_append_take(columns, js_str("ofport"));
    js_append_take(columns, js_str("error"));
    js_set_take(op, "op", js_str("select"));
    js_set_take(op, "table", js_str("Interface"));
    js_set_take(op, "where", where);
    js_set_take(op, "columns", columns);
    return op;
}

/* Prints what went wrong with an interface, from the result of its question; returns whether anything did. */
static bool
report(const char *name, const struct json *result)
{
    const struct json *rows = js_get(result, "rows"), *row, *ofport, *text;

    if (!js_is(rows, JS_ARRAY) || !js_array_len(rows)) {
        return false; /* Somebody has removed it meanwhile. */
    }
    row = js_at(rows, 0);
    ofport = js_get(row, "ofport");
    text = js_get(row, "error");
    if (js_is(ofport, JS_INTEGER) && js_int_value(ofport) >= 0) {
        return false;
    }
    if (js_is(text, JS_STRING)) {
        cmdline_complain(0, "Error detected while setting up '%s': %s.  See ovs-vswitchd log for details.", name,
                         js_str_value(text));
    } else {
        cmdline_complain(0, "Error detected while setting up '%s'.  See ovs-vswitchd log for details.", name);
    }
    return true;
}

static int
check_new_ifaces(struct dbctl *ctl)
{
    const struct vsctl *v = ctl->aux;
    struct json *params = js_array(), *results;
    bool failed = false;
    char *error;

    js_append_take(params, js_str(ctl->schema->name));
    for (size_t i = 0; i < v->n_new_ifaces; i++) {
        js_append_take(params, question(v->new_ifaces[i]));
    }
    results = idl_call_block(ctl->idl, "transact", params, &error);
    if (!results) {
        cmdline_complain(0, "cannot tell whether the interfaces have been set up: %s", error);
        free(error);
        return EXIT_RECONFIGURATION_FAILED;
    }
    for (size_t i = 0; i < v->n_new_ifaces && i < js_array_len(results); i++) {
        failed |= report(v->new_ifaces[i], js_at(results, i));
    }
    js_unref(results);
    if (failed) {
        cmdline_complain(0, "The default log directory is \"%s\".", dirs_log());
    }
    return failed ? EXIT_RECONFIGURATION_FAILED : EXIT_SUCCESS;
}

int
vsctl_wait_for_daemon(struct dbctl *ctl)
{
    const struct vsctl *v = ctl->aux;
    const int64_t next_cfg = idl_txn_incremented(ctl->txn);

    dbctl_wait_hint(ctl, hint);
    while (!is_applied(ctl, next_cfg)) {
        if (idl_error(ctl->idl)) {
            cmdline_complain(0, "%s", idl_error(ctl->idl));
            return EXIT_FAILURE;
        }
        idl_block(ctl->idl, idl_seqno(ctl->idl), CLOCK_NEVER);
    }
    dbctl_wait_hint(ctl, NULL);
    return v->n_new_ifaces ? check_new_ifaces(ctl) : EXIT_SUCCESS;
}
