#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "json/scan.h"
#include "ovsdb/server/internal.h"
#include "ovsdb/server/dbs.h"
#include "ovsdb/store/store.h"
#include "sys/counter.h"
#include "sys/log.h"

LOG_MODULE(ovsdb_trigger)
COUNTER(ovsdb_transact)

/* A transaction that is not answered yet. */
struct pending {
    struct list session_node;   /* In the session's list. */
    struct list db_node;        /* In the database's list 'waiting' or 'writing'. */
    struct session *session;
    struct served_db *db;
    struct json *params, *id;
    int64_t started;            /* ms. */
    struct loop_timer timer;    /* While waiting: the end of the wait. */
    struct str reply;           /* While writing; else empty. */
    struct store_wait wait;     /* While writing: for its record. */
};

/* What the engine asks about the session. */
struct asker {
    struct exec_session base;
    const struct session *session;
};

static bool
owns_lock(const struct exec_session *es, const char *name)
{
    return lock_owned(CONTAINER_OF(es, struct asker, base)->session, name);
}

static struct asker
asker_for(const struct session *s, const struct served_db *db)
{
    const struct remote_options *o = &s->remote->options;

    return (struct asker) {
        .base = { .read_only = o->read_only || db == s->server->own || served_db_is_backup(db), .owns_lock = owns_lock,
                  .client = { .role = o->role, .id = jsonrpc_session_peer_id(s->rpc) } },
        .session = s,
    };
}

static void
pending_destroy(struct pending *p)
{
    loop_timer_cancel(&p->timer);
    store_wait_cancel(&p->wait);
    list_remove(&p->session_node);
    list_remove(&p->db_node);
    p->session->n_pending--;
    js_unref(p->params);
    js_unref(p->id);
    str_uninit(&p->reply);
    free(p);
}

/* Sends the reply after all that the session must see before it. */
static void
answer(struct session *s, const struct str *reply, const struct json *id)
{
    monitor_catch_up(s);
    session_reply_text(s, reply, id);
}

/* Answers; 'error' (borrowed, null if there is none) is why the transaction is not in the file. */
static void
finish(struct pending *p, const struct dberr *error)
{
    if (error) {
        exec_reply_add_error(&p->reply, error, JS_COMPACT);
    }
    answer(p->session, &p->reply, p->id);
    pending_destroy(p);
}

static void
on_written(struct store_wait *w, const struct dberr *error)
{
    finish(CONTAINER_OF(w, struct pending, wait), error);
}

/* Whether the transaction that was just run is in the file, on the disk if it asked for that. */
static bool
is_written(struct pending *p, const struct exec_outcome *out)
{
    return !out->changes || !p->db->store
           || store_wait_for(p->db->store, &p->wait, out->durable ? STORE_DURABLE : STORE_WRITTEN, on_written, NULL);
}

/* Answers a transaction that has been run, when it is in the file. */
static void
settle(struct pending *p, struct exec_outcome *out)
{
    bool written;

    p->reply = out->reply;
    str_init(&out->reply);
    written = is_written(p, out);
    exec_outcome_uninit(out);
    loop_timer_cancel(&p->timer);
    if (written) {
        finish(p, NULL);
    } else {
        list_remove(&p->db_node);
        list_push_back(&p->db->writing, &p->db_node);
    }
}

/* After a try: answers, or waits for another one. */
static void
go_on(struct pending *p, struct exec_outcome *out)
{
    if (out->reply.len) {
        settle(p, out);
    } else {
        loop_timer_set(&p->timer, out->timeout_ms == INT64_MAX ? CLOCK_NEVER : p->started + out->timeout_ms);
        exec_outcome_uninit(out);
    }
}

static void
try_again(struct pending *p)
{
    struct asker asker = asker_for(p->session, p->db);
    struct exec_outcome out;

    exec_transact(p->db->db, p->params, 1, &asker.base, clock_now_ms() - p->started, &out);
    go_on(p, &out);
}

static void
time_is_up(struct loop_timer *t)
{
    try_again(t->aux);
}

/* Tries the operations on our copy, without effect: the source of a relay does not know the client's role.  Conditions
 * to wait for are left to the source.  True if the role allows all; else sets '*reply', empty before. */
static bool
check_role(const struct session *s, const struct served_db *db, const struct json *params, struct str *reply)
{
    struct asker asker = asker_for(s, db);
    struct json *trial = js_array(), *abort_op = js_object();
    struct exec_outcome out;
    size_t n = js_array_len(params);
    bool refused;

    for (size_t i = 1; i < n; i++) {
        const char *op = js_get_str(js_at(params, i), "op");

        if (!op || strcmp(op, "wait")) {
            js_append_take(trial, js_ref(js_at(params, i)));
        }
    }
    js_set_take(abort_op, "op", js_str("abort"));
    js_append_take(trial, abort_op);
    exec_transact(db->db, trial, 0, &asker.base, 0, &out);
    refused = str_ends_with(&out.reply, ",null]"); /* It did not come to the abort. */
    if (refused) {
        *reply = out.reply;
        str_init(&out.reply);
    }
    exec_outcome_uninit(&out);
    js_unref(trial);
    return !refused;
}

static void
run_on_source(struct session *s, struct served_db *db, struct json *params, const struct json *id)
{
    struct str refusal = STR_INIT;

    if (s->remote->options.role && !check_role(s, db, params, &refusal)) {
        answer(s, &refusal, id);
    } else {
        forward_run(s, db, "transact", params, id);
    }
    str_uninit(&refusal);
}

/* 'params' (a reference is taken) may be null for one that will not wait. */
static struct pending *
pending_create(struct session *s, struct served_db *db, struct json *params, const struct json *id)
{
    struct pending *p = xzalloc(sizeof *p);

    p->session = s;
    p->db = db;
    p->params = params ? js_ref(params) : NULL;
    p->id = js_ref(id);
    p->started = clock_now_ms();
    loop_timer_init(s->server->loop, &p->timer, time_is_up, p);
    list_push_back(&s->pending, &p->session_node);
    if (++s->n_pending > MAX_PENDING) {
        log_warn("%s: dropped: more than %d transactions wait", jsonrpc_session_name(s->rpc), MAX_PENDING);
        session_doom(s);
    }
    list_push_back(&db->waiting, &p->db_node);
    return p;
}

/* Answers a transaction that has been run and waits for nothing, as most do; false: it waits. */
static bool
answer_at_once(struct session *s, struct served_db *db, struct exec_outcome *out, const struct json *id)
{
    if (!out->reply.len || (out->changes && db->store && (out->durable || !store_is_written(db->store)))) {
        return false;
    }
    answer(s, &out->reply, id);
    exec_outcome_uninit(out);
    return true;
}

void
transact_run(struct session *s, struct served_db *db, struct json *params, const struct json *id)
{
    struct asker asker = asker_for(s, db);
    struct exec_outcome out;

    counter_inc(ovsdb_transact);
    if (forward_wants(db, params) && !s->remote->options.read_only) {
        run_on_source(s, db, params, id);
        return;
    }
    exec_transact(db->db, params, 1, &asker.base, 0, &out);
    if (!answer_at_once(s, db, &out, id)) {
        go_on(pending_create(s, db, params, id), &out);
    }
}

/* The database that the parameters begin with; null if there is none of which all is here. */
static struct served_db *
local_db(const struct session *s, const struct jsonrpc_msg *m)
{
    struct js_scan scan = js_scan_init(m->params_text, m->params_len);
    struct served_db *db = NULL;
    struct json *name;

    if (js_scan_head(&scan, &name, 1) && js_is(name, JS_STRING)) {
        db = server_find_db(s->server, js_str_value(name));
    }
    js_unref(name);
    return db && db->ready && db->model != DB_RELAY ? db : NULL;
}

bool
transact_run_text(struct session *s, const struct jsonrpc_msg *m)
{
    struct served_db *db = local_db(s, m);
    struct exec_outcome out;
    struct asker asker;

    if (!db) {
        return false;
    }
    asker = asker_for(s, db);
    if (!exec_transact_text(db->db, m->params_text, m->params_len, &asker.base, &out)) {
        return false;
    }
    counter_inc(ovsdb_transact);
    if (!answer_at_once(s, db, &out, m->id)) {
        settle(pending_create(s, db, NULL, m->id), &out);
    }
    return true;
}

void
transact_recheck(struct loop_task *t)
{
    struct served_db *db = t->aux;
    struct list todo = LIST_INIT(&todo);

    /* What waits on goes back to the list; what commits posts the task again. */
    list_splice(&todo, &db->waiting);
    while (!list_is_empty(&todo)) {
        struct pending *p = CONTAINER_OF(list_pop_front(&todo), struct pending, db_node);

        list_push_back(&db->waiting, &p->db_node);
        try_again(p);
    }
}

static void
answer_canceled(struct pending *p)
{
    session_reply_error(p->session, js_str("canceled"), p->id);
    pending_destroy(p);
}

/* One whose record is being written has happened and is answered as such. */
bool
transact_cancel(struct session *s, const struct json *id)
{
    LIST_FOR_EACH (p, struct pending, session_node, &s->pending) {
        if (js_equal(p->id, id) && !p->reply.len) {
            answer_canceled(p);
            return true;
        }
    }
    return false;
}

void
transact_cancel_all(struct served_db *db)
{
    LIST_FOR_EACH_SAFE (p, struct pending, db_node, &db->waiting) {
        answer_canceled(p);
    }
    assert(list_is_empty(&db->writing)); /* The file has been flushed. */
}

void
transact_clear(struct session *s)
{
    LIST_FOR_EACH_SAFE (p, struct pending, session_node, &s->pending) {
        pending_destroy(p);
    }
}
