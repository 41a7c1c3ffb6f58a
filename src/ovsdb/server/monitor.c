#include <stdlib.h>
#include <string.h>

#include "ovsdb/server/monitor_index.h"
#include "ovsdb/server/snapshot.h"
#include "sys/counter.h"
#include "sys/log.h"

LOG_MODULE(ovsdb_monitor)
COUNTER(ovsdb_monitor_encode)
COUNTER(ovsdb_monitor_lag)

enum { CACHE_MAX = 32 << 20 }; /* Bytes of a snapshot that are kept for others who ask for the same. */

/* One client's monitor. */
struct monitor {
    struct list spec_node;    /* In the spec's list. */
    struct session *session;
    char *id;                 /* JSON text, sorted: the key in the session's map. */
    enum monitor_version version;
    struct monitor_spec *spec;
    struct kept *kept;        /* What the client was not told yet; null unless it lags. */
    struct snapshot *snapshot;  /* That the client waits for; null if none. */
    struct list snapshot_node;  /* In its list. */
    struct json *request;       /* The id of the request that asked for it. */
};

static size_t
n_tables(const struct monitor *m)
{
    return m->spec->db->db->schema->n_tables;
}

/* Keeps a change for a client that lags. */
static void
keep(struct monitor *m, const struct change_set *set)
{
    if (!m->kept) {
        counter_inc(ovsdb_monitor_lag);
        m->kept = kept_create(m->spec->db->db->schema);
    }
    LIST_FOR_EACH (c, struct change, node, &set->changes) {
        if (m->spec->tables[c->table->schema->index].table) {
            kept_add(m->kept, c, false);
        }
    }
}

/* Sending. */

enum { TXN_MAX = UUID_LEN + 4 };

/* Writes the id of a transaction and what is around it, if the client is told of that. */
static void
put_txn(const struct monitor *m, const struct uuid *id, char text[TXN_MAX])
{
    char *p = text;

    if (m->version == MONITOR_COND_SINCE) {
        *p++ = '"';
        uuid_format(id, p);
        p += UUID_LEN;
        *p++ = '"';
        *p++ = ',';
    }
    *p = '\0';
}

static void
send_update(struct monitor *m, struct shared_text *text)
{
    static const char *const methods[] = { "update", "update2", "update3" };
    char last[TXN_MAX], *prefix;

    put_txn(m, &m->spec->db->last_txn, last);
    prefix = xasprintf("{\"id\":null,\"method\":\"%s\",\"params\":[%s,%s", methods[m->version], m->id, last);

    jsonrpc_session_send_shared(m->session->rpc, prefix, &text, 1, "]}");
    free(prefix);
}

static void
send_kept(struct monitor *m)
{
    if (m->kept) {
        struct shared_text *text = kept_encode(m->kept, m->spec);

        kept_destroy(m->kept);
        m->kept = NULL;
        if (text) {
            send_update(m, text);
            shared_text_unref(text);
        }
    }
}

void
monitor_catch_up(struct session *s)
{
    STRMAP_FOR_EACH (e, &s->monitors) {
        send_kept(e->value);
    }
}

static struct shared_text *
encode(struct monitor_spec *spec, const struct change_set *set)
{
    struct update_writer w;

    counter_inc(ovsdb_monitor_encode);
    update_writer_init(&w, spec);
    LIST_FOR_EACH (c, struct change, node, &set->changes) {
        const struct monitor_table *mt = &spec->tables[c->table->schema->index];
        struct row_change rc = { .uuid = &c->uuid, .old = c->old, .new = c->new, .change = c };

        if (mt->table) {
            update_writer_put(&w, mt, &rc);
        }
    }
    return update_writer_finish(&w);
}

/* Tells the monitors of one spec. */
static void
tell(struct monitor_spec *spec, const struct change_set *set)
{
    struct shared_text *text = NULL;
    bool encoded = false;

    snapshot_text_unref(spec->initial);
    spec->initial = NULL;
    LIST_FOR_EACH (m, struct monitor, spec_node, &spec->monitors) {
        if (m->snapshot) {
            continue; /* It keeps the change. */
        }
        if (m->kept || jsonrpc_session_backlog(m->session->rpc) > LAG_BYTES) {
            keep(m, set);
            continue;
        }
        if (!encoded) {
            text = encode(spec, set);
            encoded = true;
        }
        if (text) {
            send_update(m, text);
        }
    }
    shared_text_unref(text);
}

void
monitor_commit(struct served_db *db, struct change_set *set)
{
    struct list found = LIST_INIT(&found);

    snapshot_commit(db, set);
    monitor_index_find(db, set, &found);
    while (!list_is_empty(&found)) {
        tell(CONTAINER_OF(list_pop_front(&found), struct monitor_spec, found_node), set);
    }
}

/* The methods. */

/* Answers the request with 'n' pieces of text, which show the moment of the transaction 'last'; 'found' if they are
 * what happened since the one that the client named, and not all that there is. */
static void
send_reply(struct monitor *m, const struct json *id, bool found, const struct uuid *last_txn,
           struct shared_text *const *pieces, size_t n)
{
    bool since = m->version == MONITOR_COND_SINCE;
    char *id_text = js_to_string(id, JS_COMPACT), *prefix;
    char last[TXN_MAX];

    put_txn(m, last_txn, last);
    prefix = xasprintf("{\"error\":null,\"id\":%s,\"result\":%s%s%s", id_text,
                       !since ? "" : found ? "[true," : "[false,", last, n ? "" : "{}");
    jsonrpc_session_send_shared(m->session->rpc, prefix, pieces, n, since ? "]}" : "}");
    free(prefix);
    free(id_text);
}

static void
send_initial(struct monitor *m, const struct snapshot_text *text, const struct uuid *last_txn, const struct json *id)
{
    send_reply(m, id, false, last_txn, text->pieces, text->n);
}

/* Sends what happened since the transaction 'last', if that is known; false if it is not. */
static bool
send_since(struct monitor *m, const struct uuid *last, const struct json *id)
{
    const struct served_db *db = m->spec->db;
    struct kept *kept = m->version == MONITOR_COND_SINCE ? history_since(&db->history, db->db, last) : NULL;
    struct shared_text *text;

    if (!kept) {
        return false;
    }
    text = kept_encode(kept, m->spec);
    send_reply(m, id, true, &db->last_txn, &text, text != NULL);
    shared_text_unref(text);
    kept_destroy(kept);
    return true;
}

/* Takes the monitor off the snapshot's list. */
static void
stop_waiting(struct monitor *m)
{
    m->snapshot = NULL;
    list_remove(&m->snapshot_node);
    js_unref(m->request);
    m->request = NULL;
    m->session->n_snapshots--;
    session_update_reading(m->session);
}

/* Requests of the session that come later wait, so that their answers do too. */
static void
wait_for_snapshot(struct monitor *m, struct snapshot *s, const struct json *id)
{
    m->snapshot = s;
    list_push_back(&s->monitors, &m->snapshot_node);
    m->request = js_ref(id);
    m->session->n_snapshots++;
    session_update_reading(m->session);
}

/* Keeps the text of a snapshot that is complete, if it is still true, for the next who asks. */
static void
cache_text(struct snapshot *s)
{
    if (s->at == s->spec->db->db->n_commits && s->text->len <= CACHE_MAX) {
        s->spec->initial = s->text;
        s->text->refs++;
    }
}

void
monitor_finish_snapshot(struct snapshot *s)
{
    struct shared_text *update = kept_encode(s->kept, s->spec);

    s->spec->snapshot = NULL;
    cache_text(s);
    while (!list_is_empty(&s->monitors)) {
        struct monitor *m = CONTAINER_OF(s->monitors.next, struct monitor, snapshot_node);

        send_initial(m, s->text, &s->last_txn, m->request);
        if (update) {
            send_update(m, update);
        }
        stop_waiting(m);
    }
    shared_text_unref(update);
    snapshot_destroy(s);
}

/* Sends what the monitor waits for now. */
static void
hurry(struct monitor *m)
{
    if (m->snapshot) {
        struct snapshot *s = m->snapshot;

        snapshot_finish(s);
        monitor_finish_snapshot(s);
    }
}

static void
begin(struct monitor *m, const struct json *id)
{
    struct monitor_spec *spec = m->spec;

    if (spec->initial) {
        send_initial(m, spec->initial, &spec->db->last_txn, id);
        return;
    }
    if (!spec->snapshot) {
        struct snapshot *s = snapshot_create(spec);

        if (snapshot_is_complete(s)) {
            send_initial(m, s->text, &s->last_txn, id);
            cache_text(s);
            snapshot_destroy(s);
            return;
        }
        spec->snapshot = s;
    }
    wait_for_snapshot(m, spec->snapshot, id);
}

static char *
key_of(const struct json *monitor_id)
{
    return js_to_string(monitor_id, JS_SORTED);
}

static struct dberr *
parse_create(struct session *s, struct served_db *db, enum monitor_version version, const struct json *params,
             struct monitor_spec **spec, struct uuid *last)
{
    size_t n = version == MONITOR_COND_SINCE ? 4 : 3;
    char *key;
    bool taken;

    *spec = NULL;
    if (js_array_len(params) != n) {
        return dberr_syntax(params, "invalid parameters");
    }
    key = key_of(js_at(params, 1));
    taken = strmap_find(&s->monitors, key) != NULL;
    free(key);
    if (taken) {
        return dberr_syntax(js_at(params, 1), "duplicate monitor ID");
    }
    if (strmap_count(&s->monitors) >= MAX_MONITORS) {
        return dberr_new("resources exhausted", "a session has at most %d monitors", MAX_MONITORS);
    }
    if (n == 4) {
        const struct json *since = js_at(params, 3);

        if (!js_is(since, JS_STRING) || !uuid_parse(last, js_str_value(since))) {
            return dberr_syntax(since, "last-txn-id must be UUID format.");
        }
    }
    return monitor_spec_parse(db, version == MONITOR_V1, js_at(params, 2), spec);
}

void
monitor_create(struct session *s, struct served_db *db, enum monitor_version version, const struct json *params,
               const struct json *id)
{
    struct monitor_spec *spec;
    struct uuid last;
    struct dberr *error = parse_create(s, db, version, params, &spec, &last);
    struct monitor *m;

    if (error) {
        session_reply_dberr(s, error, id);
        return;
    }
    m = xzalloc(sizeof *m);
    m->session = s;
    m->version = version;
    m->spec = spec;
    m->id = key_of(js_at(params, 1));
    list_init(&m->snapshot_node);
    list_push_back(&spec->monitors, &m->spec_node);
    strmap_put(&s->monitors, m->id, m);
    if (!send_since(m, &last, id)) {
        begin(m, id);
    }
}

static struct monitor *
find_monitor(struct session *s, const struct json *monitor_id)
{
    char *key = monitor_id ? key_of(monitor_id) : NULL;
    struct monitor *m = key ? strmap_get(&s->monitors, key) : NULL;

    free(key);
    return m;
}

static void
set_spec(struct monitor *m, struct monitor_spec *spec)
{
    list_remove(&m->spec_node);
    monitor_spec_unref(m->spec);
    m->spec = spec;
    list_push_back(&spec->monitors, &m->spec_node);
}

static void
set_id(struct monitor *m, const struct json *monitor_id)
{
    strmap_remove(&m->session->monitors, m->id);
    free(m->id);
    m->id = key_of(monitor_id);
    strmap_put(&m->session->monitors, m->id, m);
}

/* What the new conditions make visible and invisible. */
static void
send_condition_change(struct monitor *m, struct monitor_spec *new)
{
    struct update_writer w;
    struct shared_text *text;

    update_writer_init(&w, new);
    for (size_t i = 0; i < n_tables(m); i++) {
        if (new->tables[i].table) {
            TABLE_FOR_EACH_ROW (row, new->tables[i].table) {
                update_writer_put_condition(&w, &m->spec->tables[i], &new->tables[i], row);
            }
        }
    }
    text = update_writer_finish(&w);
    if (text) {
        send_update(m, text);
        shared_text_unref(text);
    }
}

static struct dberr *
parse_change(struct session *s, const struct json *params, struct monitor **m, struct monitor_spec **new)
{
    struct monitor *other;

    if (js_array_len(params) != 3) {
        return dberr_syntax(params, "invalid parameters");
    }
    *m = find_monitor(s, js_at(params, 0));
    if (!*m) {
        return dberr_syntax(js_at(params, 0), "unknown monitor session");
    }
    other = find_monitor(s, js_at(params, 1));
    if (other && other != *m) {
        return dberr_syntax(js_at(params, 1), "duplicate monitor ID");
    }
    if ((*m)->spec->old_style) {
        return dberr_syntax(js_at(params, 0), "monitor has no conditions");
    }
    return monitor_spec_change((*m)->spec, js_at(params, 2), new);
}

void
monitor_change_conditions(struct session *s, const struct json *params, const struct json *id)
{
    struct monitor_spec *new = NULL;
    struct monitor *m = NULL;
    struct dberr *error = parse_change(s, params, &m, &new);

    if (error) {
        session_reply_dberr(s, error, id);
        return;
    }
    hurry(m);
    send_kept(m);
    set_id(m, js_at(params, 1));
    send_condition_change(m, new);
    set_spec(m, new);
    session_reply(s, js_object(), id);
}

static void
monitor_destroy(struct monitor *m)
{
    strmap_remove(&m->session->monitors, m->id);
    if (m->snapshot) {
        struct snapshot *s = m->snapshot;

        stop_waiting(m);
        if (list_is_empty(&s->monitors)) {
            s->spec->snapshot = NULL;
            snapshot_destroy(s);
        }
    }
    kept_destroy(m->kept);
    list_remove(&m->spec_node);
    monitor_spec_unref(m->spec);
    free(m->id);
    free(m);
}

void
monitor_cancel(struct session *s, const struct json *params, const struct json *id)
{
    struct monitor *m;

    if (js_array_len(params) != 1) {
        session_reply_error(s, js_str("invalid parameters"), id);
        return;
    }
    m = find_monitor(s, js_at(params, 0));
    if (m) {
        hurry(m);
        monitor_destroy(m);
        session_reply(s, js_object(), id);
    } else {
        session_reply_error(s, js_str("unknown monitor"), id);
    }
}

void
monitor_clear(struct session *s)
{
    struct strmap_entry **entries = strmap_sorted(&s->monitors);
    const size_t n = strmap_count(&s->monitors);

    for (size_t i = 0; i < n; i++) {
        monitor_destroy(entries[i]->value);
    }
    free(entries);
}

static struct monitor *
first_monitor_of(struct session *s, const struct served_db *db)
{
    STRMAP_FOR_EACH (e, &s->monitors) {
        struct monitor *m = e->value;

        if (m->spec->db == db) {
            return m;
        }
    }
    return NULL;
}

void
monitor_cancel_all(struct served_db *db)
{
    LIST_FOR_EACH (s, struct session, node, &db->server->sessions) {
        struct monitor *m;

        while ((m = first_monitor_of(s, db))) {
            struct json *params;
            char *text;

            hurry(m);
            text = s->change_aware ? xasprintf("[%s]", m->id) : NULL;

            if (text) {
                error_free(js_parse_string(text, &params));
                session_notify(s, "monitor_canceled", params);
            }
            free(text);
            monitor_destroy(m);
        }
    }
}
