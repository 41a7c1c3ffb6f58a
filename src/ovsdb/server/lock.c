#include "ovsdb/data/symtab.h"
#include "ovsdb/server/internal.h"

#include <stdlib.h>
#include <string.h>

/* RFC 7047 section 4.1.8 to 4.1.10: locks of the whole server, each with a queue of sessions; the first has it. */

struct lock {
    char *name;
    struct list queue; /* Of struct lock_waiter; never empty. */
};

struct lock_waiter {
    struct list session_node;
    struct list queue_node;
    struct session *session;
    struct lock *lock;
    char *name;
};

static struct lock_waiter *
find_waiter(const struct session *s, const char *name)
{
    LIST_FOR_EACH (w, struct lock_waiter, session_node, &s->lock_waiters) {
        if (!strcmp(w->name, name)) {
            return w;
        }
    }
    return NULL;
}

static struct lock_waiter *
owner(const struct lock *lock)
{
    return CONTAINER_OF(lock->queue.next, struct lock_waiter, queue_node);
}

static bool
owns(const struct lock_waiter *w)
{
    return owner(w->lock) == w;
}

bool
lock_owned(const struct session *s, const char *name)
{
    const struct lock_waiter *w = find_waiter(s, name);

    return w && owns(w);
}

static struct lock *
get_lock(struct ovsdb_server *server, const char *name)
{
    struct lock *lock = strmap_get(&server->locks, name);

    if (!lock) {
        lock = xzalloc(sizeof *lock);
        lock->name = xstrdup(name);
        list_init(&lock->queue);
        strmap_put(&server->locks, name, lock);
    }
    return lock;
}

static void
notify(const struct lock_waiter *w, const char *method)
{
    struct json *params = js_array();

    js_append_take(params, js_str(w->name));
    session_notify(w->session, method, params);
}

static void
waiter_destroy(struct lock_waiter *w)
{
    struct lock *lock = w->lock;
    bool had_it = owns(w);

    w->session->n_locks--;
    list_remove(&w->session_node);
    list_remove(&w->queue_node);
    if (lock && list_is_empty(&lock->queue)) {
        strmap_remove(&w->session->server->locks, lock->name);
        free(lock->name);
        free(lock);
    } else if (had_it) {
        notify(owner(lock), "locked");
    }
    free(w->name);
    free(w);
}

static struct dberr *
parse_name(const char *method, const struct json *params, const char **name)
{
    *name = js_array_len(params) == 1 && js_is(js_at(params, 0), JS_STRING) ? js_str_value(js_at(params, 0)) : NULL;
    if (!*name || !symtab_is_id(*name)) {
        return dberr_syntax(params, "%s request params must be <id>", method);
    }
    return NULL;
}

/* The owner loses the lock; it is the first of those who wait for it now. */
static void
steal_from(struct lock_waiter *w)
{
    notify(w, "stolen");
    w->session->n_locks_lost++;
}

struct dberr *
lock_request(struct session *s, const struct json *params, bool steal, struct json **result)
{
    const char *name;
    struct dberr *error = parse_name(steal ? "steal" : "lock", params, &name);
    struct lock_waiter *w;

    if (error) {
        return error;
    }
    if (find_waiter(s, name)) {
        return dberr_syntax(params, "must issue \"unlock\" before new \"%s\"", steal ? "steal" : "lock");
    }
    if (s->n_locks >= MAX_LOCKS) {
        return dberr_new("resources exhausted", "a session has or waits for at most %d locks", MAX_LOCKS);
    }
    s->n_locks++;
    w = xzalloc(sizeof *w);
    w->session = s;
    w->name = xstrdup(name);
    w->lock = get_lock(s->server, name);
    list_push_back(&s->lock_waiters, &w->session_node);
    if (steal && !list_is_empty(&w->lock->queue)) {
        steal_from(owner(w->lock));
    }
    if (steal) {
        list_push_front(&w->lock->queue, &w->queue_node);
    } else {
        list_push_back(&w->lock->queue, &w->queue_node);
    }
    *result = js_object();
    js_set_take(*result, "locked", js_bool(owns(w)));
    return NULL;
}

struct dberr *
lock_release(struct session *s, const struct json *params, struct json **result)
{
    const char *name;
    struct dberr *error = parse_name("unlock", params, &name);
    struct lock_waiter *w;

    if (error) {
        return error;
    }
    w = find_waiter(s, name);
    if (!w) {
        return dberr_syntax(params, "unlock: \"unlock\" without \"lock\" or \"steal\"");
    }
    waiter_destroy(w);
    *result = js_object();
    return NULL;
}

void
lock_clear(struct session *s)
{
    while (!list_is_empty(&s->lock_waiters)) {
        waiter_destroy(CONTAINER_OF(s->lock_waiters.next, struct lock_waiter, session_node));
    }
}

void
lock_list(const struct session *s, struct str *held, struct str *waiting)
{
    LIST_FOR_EACH (w, struct lock_waiter, session_node, &s->lock_waiters) {
        struct str *to = owns(w) ? held : waiting;

        str_putf(to, "%s%s", to->len ? " " : "", w->name);
    }
}
