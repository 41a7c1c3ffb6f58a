#include <stdlib.h>
#include <string.h>

#include "ovsdb/server/internal.h"
#include "ovsdb/server/server_schema.h"

/* The database "_Server": a row for each database that is served (ovsdb-server(5)).  Its schema is
 * schema/_server.ovsschema. */

struct served_db *
server_db_create(struct ovsdb_server *server)
{
    struct schema *schema;
    struct json *json;
    struct served_db *own;
    struct dberr *error;

    error_free(js_parse_string(schema_text, &json));
    error = schema_from_json(&schema, json);
    js_unref(json);
    if (error) {
        abort(); /* The schema in the tree is wrong. */
    }
    own = served_db_create(server, "_Server", db_create(schema));
    schema_unref(schema);
    return own;
}

static void
set(struct datum *fields, const struct table_schema *ts, const char *name, union atom a)
{
    const struct column *c = table_schema_column(ts, name);
    struct datum d = datum_one_take(a);

    datum_take(&fields[c->index], &d, &c->type);
}

static void
set_row(struct txn *txn, struct row *row, const struct served_db *db)
{
    const struct table_schema *ts = row->table->schema;
    struct json *schema = schema_to_json(db->db->schema);
    char *text = js_to_string(schema, JS_SORTED);
    struct datum *fields = txn_modify(txn, row);

    set(fields, ts, "name", atom_string(db->name));
    set(fields, ts, "model", atom_string(db->model == DB_RELAY ? "relay" : "standalone"));
    if (db->ready) {
        set(fields, ts, "schema", atom_string(text));
    }
    set(fields, ts, "connected", (union atom) { .boolean = db->connected });
    set(fields, ts, "leader", (union atom) { .boolean = db->model != DB_RELAY });
    txn_modify_done(row);
    free(text);
    js_unref(schema);
}

static bool
is_served(const struct ovsdb_server *server, const struct uuid *row)
{
    STRMAP_FOR_EACH (e, &server->dbs) {
        if (uuid_equal(&((struct served_db *) e->value)->row, row)) {
            return true;
        }
    }
    return false;
}

void
server_db_update(struct ovsdb_server *server)
{
    struct table *table = db_table(server->own->db, "Database");
    struct txn *txn = txn_begin(server->own->db);
    struct condition all = CONDITION_INIT;
    size_t n;
    struct row **rows = table_find(table, &all, &n);
    struct dberr *error;

    for (size_t i = 0; i < n; i++) {
        if (!is_served(server, &rows[i]->uuid)) {
            txn_delete(txn, rows[i]);
        }
    }
    free(rows);
    STRMAP_FOR_EACH (e, &server->dbs) {
        struct served_db *db = e->value;
        struct row *row = uuid_is_zero(&db->row) ? NULL : table_row(table, &db->row);

        if (!row) {
            row = txn_insert(txn, table, NULL);
            db->row = row->uuid;
        }
        set_row(txn, row, db);
    }
    error = txn_commit(txn, NULL);
    if (error) {
        abort(); /* No constraint of the schema above can fail. */
    }
}
