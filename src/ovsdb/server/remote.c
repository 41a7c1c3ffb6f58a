#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ovsdb/server/internal.h"
#include "sys/log.h"

LOG_MODULE(ovsdb_jsonrpc_server)

enum { LISTEN_RETRY_MS = 2000 };

void
remote_options_init(struct remote_options *o)
{
    *o = (struct remote_options) { .probe_interval = -1, .max_backoff = -1, .dscp = -1 };
}

struct remote_options
remote_options_clone(const struct remote_options *from)
{
    struct remote_options o;

    if (from) {
        o = *from;
        o.role = from->role ? xstrdup(from->role) : NULL;
    } else {
        remote_options_init(&o);
    }
    return o;
}

static bool
same_text(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

static void
on_accept(struct stream_listener *l UNUSED, struct stream *stream, void *remote)
{
    stream_expect_requests(stream);
    session_create(remote, stream);
}

static void
start_listening(struct remote *r)
{
    static struct log_limit limit = LOG_LIMIT_INIT(1, 5);
    int error = stream_listen(r->server->loop, r->target, STREAM_PORT_OVSDB, on_accept, r, &r->listener);

    if (error) {
        log_err_rl(&limit, "%s: listen failed: %s", r->target, stream_strerror(error));
        if (error != -EAFNOSUPPORT) {
            loop_timer_set(&r->retry, clock_now_ms() + LISTEN_RETRY_MS);
        }
    } else if (r->options.dscp >= 0) {
        (void) !stream_listener_set_dscp(r->listener, r->options.dscp);
    }
}

static void
retry_listening(struct loop_timer *t)
{
    start_listening(t->aux);
}

static struct remote *
remote_create(struct ovsdb_server *server, const char *target)
{
    struct remote *r = xzalloc(sizeof *r);

    r->server = server;
    r->target = xstrdup(target);
    remote_options_init(&r->options);
    list_init(&r->sessions);
    loop_timer_init(server->loop, &r->retry, retry_listening, r);
    strmap_put(&server->remotes, target, r);
    return r;
}

static void
remote_stop(struct remote *r)
{
    loop_timer_cancel(&r->retry);
    stream_listener_close(r->listener);
    r->listener = NULL;
    LIST_FOR_EACH_SAFE (s, struct session, remote_node, &r->sessions) {
        session_destroy(s);
    }
}

static void
remote_start(struct remote *r)
{
    if (stream_target_is_passive(r->target)) {
        start_listening(r);
    } else {
        session_create(r, NULL);
    }
}

static void
remote_destroy(struct remote *r)
{
    remote_stop(r);
    strmap_remove(&r->server->remotes, r->target);
    free(r->options.role);
    free(r->target);
    free(r);
}

/* Applies what can be changed on living connections. */
static void
apply_to_sessions(struct remote *r)
{
    if (r->listener) {
        (void) !stream_listener_set_dscp(r->listener, MAX(r->options.dscp, 0));
    }
    LIST_FOR_EACH (s, struct session, remote_node, &r->sessions) {
        session_configure(s);
    }
}

void
remote_want(struct ovsdb_server *server, const char *target, struct remote_options *o)
{
    struct remote *r = strmap_get(&server->remotes, target);
    bool new = !r, restricted_anew;

    if (new) {
        r = remote_create(server, target);
    } else if (r->wanted) {
        free(o->role); /* Named twice: the first counts. */
        return;
    }
    r->wanted = true;
    restricted_anew = r->options.read_only != o->read_only || !same_text(r->options.role, o->role);
    free(r->options.role);
    r->options = *o;
    if (new) {
        remote_start(r);
    } else if (restricted_anew) {
        remote_stop(r); /* What a session may do never changes while it lasts. */
        remote_start(r);
    } else {
        apply_to_sessions(r);
    }
}

void
remote_reconfigure(struct ovsdb_server *server)
{
    struct strmap_entry **sorted = strmap_sorted(&server->configured);
    size_t n = strmap_count(&server->configured);

    STRMAP_FOR_EACH (e, &server->remotes) {
        ((struct remote *) e->value)->wanted = false;
    }
    for (size_t i = 0; i < n; i++) {
        struct remote_options o;

        if (!strncmp(sorted[i]->key, "db:", 3)) {
            remote_db_want(server, sorted[i]->key, sorted[i]->value);
        } else {
            o = remote_options_clone(sorted[i]->value);
            remote_want(server, sorted[i]->key, &o);
        }
    }
    free(sorted);
    sorted = strmap_sorted(&server->remotes);
    n = strmap_count(&server->remotes);
    for (size_t i = 0; i < n; i++) {
        struct remote *r = sorted[i]->value;

        if (!r->wanted) {
            remote_destroy(r);
        }
    }
    free(sorted);
}

void
remote_forget_all(struct ovsdb_server *server)
{
    struct strmap_entry **sorted = strmap_sorted(&server->remotes);
    size_t n = strmap_count(&server->remotes);

    for (size_t i = 0; i < n; i++) {
        remote_destroy(sorted[i]->value);
    }
    free(sorted);
}

struct error *
remote_check(const struct ovsdb_server *server, const char *remote)
{
    return strncmp(remote, "db:", 3) ? NULL : remote_db_check(server, remote);
}
