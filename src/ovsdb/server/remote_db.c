#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "ovsdb/server/internal.h"
#include "sys/log.h"

LOG_MODULE(ovsdb_server)

/* Remotes configured in a database: "db:DB,TABLE,COLUMN", ovsdb-server(1).  A column of strings names targets; a
 * column of references names rows with the columns target, max_backoff, inactivity_probe, read_only, role and
 * other_config:dscp, in which is_connected and status are kept up to date. */

enum { DSCP_OF_ROWS = 48 }; /* Unless they say otherwise (ovs-vswitchd.conf.db(5)). */

/* A relay that has no schema yet: what is named in it cannot be looked for before it has. */
static bool
is_yet_to_come(const struct served_db *db)
{
    return db && !db->ready;
}

/* From now on commits to the column's table, and to the one that it refers to, are followed. */
static void
follow(struct served_db *db, const struct table *table, const struct column *column)
{
    db->configures[table->schema->index] = true;
    if (base_is_ref(&column->type.key)) {
        db->configures[column->type.key.uuid.ref->index] = true;
    }
}

struct error *
remote_db_check(const struct ovsdb_server *server, const char *remote)
{
    struct served_db *db;
    struct table *table;
    const struct column *column;
    struct error *error = remote_db_parse(server, remote, &db, &table, &column);

    if (error && is_yet_to_come(db)) {
        error_free(error);
        error = NULL;
    }
    return error;
}

struct error *
remote_db_parse(const struct ovsdb_server *server, const char *remote, struct served_db **db, struct table **table,
                const struct column **column)
{
    char *copy = xstrdup(remote + strlen("db:")), *save = NULL;
    char *db_name = strtok_r(copy, ",", &save), *table_name = strtok_r(NULL, ",", &save);
    char *column_name = strtok_r(NULL, ",", &save);
    struct error *error = NULL;

    *table = NULL;
    *column = NULL;
    if (!db_name || !table_name || !column_name) {
        *db = NULL;
        error = error_new("\"%s\": invalid syntax", remote);
    } else if (!(*db = server_find_db(server, db_name))) {
        error = error_new("\"%s\": no database named %s", remote, db_name);
    } else if (!(*table = db_table((*db)->db, table_name))) {
        error = error_new("\"%s\": no table named %s", remote, table_name);
    } else if (!(*column = table_schema_column((*table)->schema, column_name))) {
        error = error_new("\"%s\": table \"%s\" has no column \"%s\"", remote, table_name, column_name);
    } else if ((*column)->type.key.type != ATOM_STRING && !base_is_ref(&(*column)->type.key)) {
        error = error_new("\"%s\": column \"%s\" is neither of strings nor of references", remote, column_name);
    } else {
        follow(*db, *table, *column);
    }
    free(copy);
    return error;
}

/* Reading columns that may not be there, or be of another type. */

static const struct datum *
field(const struct row *row, const char *name, enum atom_type type, bool map, const struct column **column)
{
    const struct column *c = table_schema_column(row->table->schema, name);

    if (!c || c->type.key.type != type || type_is_map(&c->type) != map) {
        return NULL;
    }
    *column = c;
    return &row->tuple->fields[c->index];
}

static const char *
get_string(const struct row *row, const char *name)
{
    const struct column *c;
    const struct datum *d = field(row, name, ATOM_STRING, false, &c);

    return d && d->n && atom_text(datum_keys(d))[0] ? atom_text(datum_keys(d)) : NULL;
}

static int
get_int(const struct row *row, const char *name, int otherwise)
{
    const struct column *c;
    const struct datum *d = field(row, name, ATOM_INTEGER, false, &c);
    int64_t value = d && d->n ? datum_keys(d)->integer : -1;

    return value >= 0 && value <= INT32_MAX ? (int) value : otherwise;
}

static bool
get_bool(const struct row *row, const char *name)
{
    const struct column *c;
    const struct datum *d = field(row, name, ATOM_BOOLEAN, false, &c);

    return d && d->n && datum_keys(d)->boolean;
}

static int
get_dscp(const struct row *row)
{
    const struct column *c;
    const struct datum *d = field(row, "other_config", ATOM_STRING, true, &c);
    const char *text = d && c->type.value.type == ATOM_STRING ? datum_map_get(d, "dscp") : NULL;
    int dscp;

    return text && num_parse_int(text, 10, &dscp) && dscp >= 0 && dscp <= 63 ? dscp : -1;
}

static void
want_row(struct ovsdb_server *server, const struct row *row, const struct remote_options *defaults)
{
    const char *target = get_string(row, "target"), *role = get_string(row, "role");
    struct remote_options o;
    int backoff, dscp;

    if (!target || !strncmp(target, "pfd:", 4)) {
        return; /* Descriptors can be named on the command line only. */
    }
    o = remote_options_clone(defaults);
    backoff = get_int(row, "max_backoff", -1);
    o.max_backoff = backoff < 0 ? o.max_backoff : MAX(backoff, 1000);
    o.probe_interval = get_int(row, "inactivity_probe", o.probe_interval);
    dscp = get_dscp(row);
    o.dscp = dscp >= 0 ? dscp : o.dscp >= 0 ? o.dscp : DSCP_OF_ROWS;
    o.read_only |= get_bool(row, "read_only");
    if (role) {
        free(o.role);
        o.role = xstrdup(role);
    }
    remote_want(server, target, &o);
}

/* Calls 'cb' with each row that the column 'column' of 'table' refers to. */
static void
for_each_remote_row(const struct table *table, const struct column *column, void (*cb)(struct ovsdb_server *,
                    const struct row *, const struct remote_options *), struct ovsdb_server *server,
                    const struct remote_options *defaults)
{
    const struct table *to = db_table(table->db, column->type.key.uuid.ref_table);

    TABLE_FOR_EACH_ROW (row, table) {
        const struct datum *d = &row->tuple->fields[column->index];

        for (uint32_t i = 0; i < d->n; i++) {
            const struct row *remote = table_row(to, &datum_keys(d)[i].uuid);

            if (remote) {
                cb(server, remote, defaults);
            }
        }
    }
}

static void
want_strings(struct ovsdb_server *server, const struct table *table, const struct column *column,
             const struct remote_options *defaults)
{
    TABLE_FOR_EACH_ROW (row, table) {
        const struct datum *d = &row->tuple->fields[column->index];

        for (uint32_t i = 0; i < d->n; i++) {
            const char *target = atom_text(&datum_keys(d)[i]);
            struct remote_options o;

            if (target[0] && strncmp(target, "pfd:", 4)) {
                o = remote_options_clone(defaults);
                remote_want(server, target, &o);
            }
        }
    }
}

void
remote_db_want(struct ovsdb_server *server, const char *remote, const struct remote_options *defaults)
{
    struct served_db *db;
    struct table *table;
    const struct column *column;
    struct error *error = remote_db_parse(server, remote, &db, &table, &column);

    if (error) {
        /* The database has gone since the remote was given, and may come back; or a relay has got a schema without. */
        if (db && db->ready) {
            log_warn("%s", error_text(error));
        }
        error_free(error);
    } else if (column->type.key.type == ATOM_STRING) {
        want_strings(server, table, column, defaults);
    } else {
        for_each_remote_row(table, column, want_row, server, defaults);
    }
}

/* Status. */

static void
put(struct datum *map, const struct col_type *type, const char *key, const char *value)
{
    union atom v = atom_string(value);

    datum_put_take(map, type, atom_string(key), &v);
}

static void
put_number(struct datum *map, const struct col_type *type, const char *key, long long value)
{
    char *text = xasprintf("%lld", value);

    put(map, type, key, text);
    free(text);
}

static void
put_active_status(struct datum *map, const struct col_type *type, const struct session *s)
{
    const struct reconnect *fsm = jsonrpc_session_state(s->rpc);
    int error = jsonrpc_session_last_error(s->rpc);
    struct str held = STR_INIT, waiting = STR_INIT;
    int64_t now = clock_now_ms();

    put(map, type, "state", reconnect_state_name(fsm->state));
    if (error) {
        put(map, type, "last_error", stream_strerror(error));
    }
    if (fsm->last_connected != INT64_MIN) {
        put_number(map, type, "sec_since_connect", (now - fsm->last_connected) / 1000);
    }
    if (fsm->last_disconnected != INT64_MIN) {
        put_number(map, type, "sec_since_disconnect", (now - fsm->last_disconnected) / 1000);
    }
    lock_list(s, &held, &waiting);
    if (held.len) {
        put(map, type, "locks_held", held.text);
    }
    if (waiting.len) {
        put(map, type, "locks_waiting", waiting.text);
    }
    if (s->n_locks_lost) {
        put_number(map, type, "locks_lost", s->n_locks_lost);
    }
    str_uninit(&held);
    str_uninit(&waiting);
}

static void
put_status(struct datum *map, const struct col_type *type, const struct remote *r)
{
    size_t n = list_size(&r->sessions);

    if (!stream_target_is_passive(r->target)) {
        if (n) {
            put_active_status(map, type, CONTAINER_OF(r->sessions.next, struct session, remote_node));
        }
        return;
    }
    if (r->listener && stream_listener_port(r->listener)) {
        put_number(map, type, "bound_port", stream_listener_port(r->listener));
    }
    if (n == 1) {
        put_active_status(map, type, CONTAINER_OF(r->sessions.next, struct session, remote_node));
    } else if (n > 1) {
        put_number(map, type, "n_connections", n);
    }
}

static bool
is_connected(const struct remote *r)
{
    LIST_FOR_EACH (s, struct session, remote_node, &r->sessions) {
        if (jsonrpc_session_is_connected(s->rpc)) {
            return true;
        }
    }
    return false;
}

/* Changes a column of 'row' to 'value', which is taken, unless it has that value. */
static void
update_field(struct txn **txn, struct row *row, const struct column *c, struct datum *value)
{
    if (!datum_equal(&row->tuple->fields[c->index], value, &c->type)) {
        struct datum *fields;

        *txn = *txn ? *txn : txn_begin(row->table->db);
        fields = txn_modify(*txn, row);
        datum_take(&fields[c->index], value, &c->type);
        txn_modify_done(row);
    } else {
        datum_uninit(value, &c->type);
    }
}

static struct txn *status_txn; /* Of the walk in progress; null if nothing has changed yet. */

static void
update_row_status(struct ovsdb_server *server, const struct row *row_,
                  const struct remote_options *defaults UNUSED)
{
    struct row *row = table_row(row_->table, &row_->uuid);
    const char *target = get_string(row, "target");
    struct remote *r = target ? strmap_get(&server->remotes, target) : NULL;
    const struct column *c;
    struct datum value;

    if (field(row, "is_connected", ATOM_BOOLEAN, false, &c) && type_is_scalar(&c->type)) {
        value = datum_one_take((union atom) { .boolean = r && is_connected(r) });
        update_field(&status_txn, row, c, &value);
    }
    if (field(row, "status", ATOM_STRING, true, &c) && c->type.value.type == ATOM_STRING) {
        datum_init_empty(&value);
        if (r) {
            put_status(&value, &c->type, r);
        }
        update_field(&status_txn, row, c, &value);
    }
}

void
remote_db_update_status(struct ovsdb_server *server)
{
    STRMAP_FOR_EACH (e, &server->configured) {
        struct served_db *db;
        struct table *table;
        const struct column *column;
        struct error *error;

        if (strncmp(e->key, "db:", 3)) {
            continue;
        }
        error = remote_db_parse(server, e->key, &db, &table, &column);
        if (!error && column->type.key.type == ATOM_UUID) {
            for_each_remote_row(table, column, update_row_status, server, NULL);
            if (status_txn) {
                dberr_free(txn_commit(status_txn, NULL)); /* On an error nothing has changed: tried again. */
                status_txn = NULL;
            }
        }
        error_free(error);
    }
}

struct error *
ovsdb_server_read_option(struct ovsdb_server *server, const char *where, char **value)
{
    struct served_db *db;
    struct table *table;
    const struct column *column;
    struct error *error = remote_db_parse(server, where, &db, &table, &column);

    *value = NULL;
    if (error && is_yet_to_come(db)) {
        error_free(error);
        return NULL;
    }
    if (!error && (column->type.key.type != ATOM_STRING || type_is_map(&column->type))) {
        error = error_new("\"%s\": table \"%s\" column \"%s\" is not string or set of strings", where,
                          table->schema->name, column->name);
    }
    if (!error) {
        TABLE_FOR_EACH_ROW (row, table) {
            const char *text = get_string(row, column->name);

            if (text && !*value) {
                *value = xstrdup(text);
            }
        }
    }
    return error;
}
