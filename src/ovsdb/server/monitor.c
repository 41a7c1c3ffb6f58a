#include <stdlib.h>
#include <string.h>

#include "ovsdb/server/monitor_spec.h"
#include "sys/counter.h"
#include "sys/log.h"

LOG_MODULE(ovsdb_monitor)
COUNTER(ovsdb_monitor_encode)
COUNTER(ovsdb_monitor_lag)

/* One client's monitor. */
struct monitor {
    struct list spec_node;    /* In the spec's list. */
    struct session *session;
    char *id;                 /* JSON text, sorted: the key in the session's map. */
    enum monitor_version version;
    struct monitor_spec *spec;
    struct hmap *kept;        /* Of struct kept_row, one map for each table; null unless the client lags. */
};

/* What has changed in a row since the client was last told. */
struct kept_row {
    struct hmap_node node;
    struct uuid uuid;
    struct tuple *old, *new;  /* References; null as in struct row_change. */
};

static const char zero_uuid[] = "00000000-0000-0000-0000-000000000000";

/* What is kept for clients that lag. */

static size_t
n_tables(const struct monitor *m)
{
    return m->spec->db->db->schema->n_tables;
}

static const struct table_schema *
schema_of(const struct monitor *m, size_t table)
{
    return &m->spec->db->db->schema->tables[table];
}

static struct kept_row *
find_kept(const struct monitor *m, size_t table, const struct uuid *uuid)
{
    HMAP_FOR_EACH_WITH_HASH (k, struct kept_row, node, uuid_hash(uuid), &m->kept[table]) {
        if (uuid_equal(&k->uuid, uuid)) {
            return k;
        }
    }
    return NULL;
}

static void
kept_free(struct kept_row *k, const struct table_schema *schema)
{
    if (k->old) {
        tuple_unref(k->old, schema);
    }
    if (k->new) {
        tuple_unref(k->new, schema);
    }
    free(k);
}

static void
keep_change(struct monitor *m, const struct change *c)
{
    size_t table = c->table->schema->index;
    struct kept_row *k = find_kept(m, table, &c->uuid);

    if (!k) {
        k = xzalloc(sizeof *k);
        k->uuid = c->uuid;
        k->old = c->old ? tuple_ref(c->old) : NULL;
        hmap_insert(&m->kept[table], &k->node, uuid_hash(&k->uuid));
    } else if (k->new) {
        tuple_unref(k->new, c->table->schema);
    }
    k->new = c->new ? tuple_ref(c->new) : NULL;
    if (!k->old && !k->new) {
        hmap_remove(&m->kept[table], &k->node); /* Came and went meanwhile. */
        kept_free(k, c->table->schema);
    }
}

static void
keep(struct monitor *m, const struct change_set *set)
{
    if (!m->kept) {
        counter_inc(ovsdb_monitor_lag);
        m->kept = xcalloc(n_tables(m), sizeof *m->kept);
        for (size_t i = 0; i < n_tables(m); i++) {
            hmap_init(&m->kept[i]);
        }
    }
    LIST_FOR_EACH (c, struct change, node, &set->changes) {
        if (m->spec->tables[c->table->schema->index].table) {
            keep_change(m, c);
        }
    }
}

static void
forget_kept(struct monitor *m)
{
    if (m->kept) {
        for (size_t i = 0; i < n_tables(m); i++) {
            HMAP_FOR_EACH_SAFE (k, struct kept_row, node, &m->kept[i]) {
                hmap_remove(&m->kept[i], &k->node);
                kept_free(k, schema_of(m, i));
            }
            hmap_uninit(&m->kept[i]);
        }
        free(m->kept);
        m->kept = NULL;
    }
}

/* Sending. */

static void
send_update(struct monitor *m, struct shared_text *text)
{
    static const char *const methods[] = { "update", "update2", "update3" };
    char *prefix = xasprintf("{\"id\":null,\"method\":\"%s\",\"params\":[%s,%s%s%s", methods[m->version], m->id,
                             m->version == MONITOR_COND_SINCE ? "\"" : "",
                             m->version == MONITOR_COND_SINCE ? zero_uuid : "",
                             m->version == MONITOR_COND_SINCE ? "\"," : "");

    jsonrpc_session_send_shared(m->session->rpc, prefix, text, "]}");
    free(prefix);
}

static void
send_kept(struct monitor *m)
{
    struct update_writer w;
    struct shared_text *text;

    if (!m->kept) {
        return;
    }
    update_writer_init(&w, m->spec);
    for (size_t i = 0; i < n_tables(m); i++) {
        HMAP_FOR_EACH (k, struct kept_row, node, &m->kept[i]) {
            struct row_change rc = { .uuid = &k->uuid, .old = k->old, .new = k->new };

            update_writer_put(&w, &m->spec->tables[i], &rc);
        }
    }
    text = update_writer_finish(&w, false);
    forget_kept(m);
    if (text) {
        send_update(m, text);
        shared_text_unref(text);
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
    return update_writer_finish(&w, false);
}

void
monitor_commit(struct served_db *db, struct change_set *set)
{
    HMAP_FOR_EACH (spec, struct monitor_spec, node, &db->specs) {
        struct shared_text *text = NULL;
        bool encoded = false;

        shared_text_unref(spec->initial);
        spec->initial = NULL;
        LIST_FOR_EACH (m, struct monitor, spec_node, &spec->monitors) {
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
}

/* The methods. */

static struct shared_text *
initial_text(struct monitor_spec *spec)
{
    struct update_writer w;

    if (!spec->initial || spec->initial_at != spec->db->db->n_commits) {
        shared_text_unref(spec->initial);
        update_writer_init(&w, spec);
        for (size_t i = 0; i < spec->db->db->schema->n_tables; i++) {
            const struct monitor_table *mt = &spec->tables[i];

            if (mt->table && mt->select & SELECT_INITIAL) {
                TABLE_FOR_EACH_ROW (row, mt->table) {
                    update_writer_put_initial(&w, mt, row);
                }
            }
        }
        spec->initial = update_writer_finish(&w, true);
        spec->initial_at = spec->db->db->n_commits;
    }
    return spec->initial;
}

static void
send_initial(struct monitor *m, const struct json *id)
{
    bool since = m->version == MONITOR_COND_SINCE;
    char *id_text = js_to_string(id, JS_COMPACT);
    char *prefix = xasprintf("{\"error\":null,\"id\":%s,\"result\":%s%s%s", id_text, since ? "[false,\"" : "",
                             since ? zero_uuid : "", since ? "\"," : "");

    jsonrpc_session_send_shared(m->session->rpc, prefix, initial_text(m->spec), since ? "]}" : "}");
    free(prefix);
    free(id_text);
}

static char *
key_of(const struct json *monitor_id)
{
    return js_to_string(monitor_id, JS_SORTED);
}

static struct dberr *
parse_create(struct session *s, struct served_db *db, enum monitor_version version, const struct json *params,
             struct monitor_spec **spec)
{
    size_t n = version == MONITOR_COND_SINCE ? 4 : 3;
    struct uuid last;
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
    if (n == 4) {
        const struct json *since = js_at(params, 3);

        if (!js_is(since, JS_STRING) || !uuid_parse(&last, js_str_value(since))) {
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
    struct dberr *error = parse_create(s, db, version, params, &spec);
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
    list_push_back(&spec->monitors, &m->spec_node);
    strmap_put(&s->monitors, m->id, m);
    send_initial(m, id);
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
    text = update_writer_finish(&w, false);
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
    forget_kept(m);
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
        monitor_destroy(m);
        session_reply(s, js_object(), id);
    } else {
        session_reply_error(s, js_str("unknown monitor"), id);
    }
}

void
monitor_clear(struct session *s)
{
    while (strmap_count(&s->monitors)) {
        struct strmap_entry **entries = strmap_sorted(&s->monitors);

        monitor_destroy(entries[0]->value);
        free(entries);
    }
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
            char *text = s->change_aware ? xasprintf("[%s]", m->id) : NULL;

            if (text) {
                error_free(js_parse_string(text, &params));
                session_notify(s, "monitor_canceled", params);
            }
            free(text);
            monitor_destroy(m);
        }
    }
}
