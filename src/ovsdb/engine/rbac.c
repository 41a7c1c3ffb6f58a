#include "ovsdb/engine/rbac.h"

#include <stdlib.h>
#include <string.h>

/* The value of column 'name', if it has atoms of these types (ATOM_VOID: is no map); else null. */
static const struct datum *
field(const struct tuple *t, const struct table_schema *schema, const char *name, enum atom_type key,
      enum atom_type value)
{
    const struct column *c = table_schema_column(schema, name);

    return c && c->type.key.type == key && c->type.value.type == value ? &t->fields[c->index] : NULL;
}

/* The row of permissions that 'role' has on 't'; null if it has none. */
static const struct row *
find_permissions(const char *role, const struct table *t)
{
    const struct table *roles = db_table(t->db, "RBAC_Role");

    TABLE_FOR_EACH_ROW (row, roles) {
        const struct datum *name = field(row->tuple, roles->schema, "name", ATOM_STRING, ATOM_VOID);
        const struct datum *map = field(row->tuple, roles->schema, "permissions", ATOM_STRING, ATOM_UUID);
        const struct column *c = table_schema_column(roles->schema, "permissions");

        if (!name || !map || name->n != 1 || strcmp(datum_keys(name)->string->text, role)) {
            continue;
        }
        for (uint32_t i = 0; i < map->n && c->type.value.uuid.ref_table; i++) {
            if (!strcmp(datum_keys(map)[i].string->text, t->schema->name)) {
                return table_row(db_table(t->db, c->type.value.uuid.ref_table), &datum_values(map)[i].uuid);
            }
        }
    }
    return NULL;
}

/* Whether the column, or the value of a key, that 'authorization' names is 'id'. */
static bool
names_client(const char *authorization, const char *id, const struct tuple *t, const struct table_schema *schema)
{
    const char *colon = strchr(authorization, ':');
    const struct datum *d;
    const char *value;
    char *column;

    if (!authorization[0]) {
        return true;
    }
    if (!colon) {
        const struct column *c = table_schema_column(schema, authorization);

        d = field(t, schema, authorization, ATOM_STRING, ATOM_VOID);
        return d && c->type.n_min == 1 && c->type.n_max == 1 && !strcmp(datum_keys(d)->string->text, id);
    }
    column = xstrndup(authorization, colon - authorization);
    d = field(t, schema, column, ATOM_STRING, ATOM_STRING);
    value = d ? datum_map_get(d, colon + 1) : NULL;
    free(column);
    return value && !strcmp(value, id);
}

/* Whether the row is one of the client's. */
static bool
is_authorized(const struct rbac_client *client, const struct row *permissions, const struct tuple *t,
              const struct table_schema *schema)
{
    const struct datum *d = field(permissions->tuple, permissions->table->schema, "authorization", ATOM_STRING,
                                  ATOM_VOID);

    for (uint32_t i = 0; d && client->id && i < d->n; i++) {
        if (names_client(datum_keys(d)[i].string->text, client->id, t, schema)) {
            return true;
        }
    }
    return false;
}

static bool
may_insert_delete(const struct row *permissions)
{
    const struct datum *d = field(permissions->tuple, permissions->table->schema, "insert_delete", ATOM_BOOLEAN,
                                  ATOM_VOID);

    return d && d->n && datum_keys(d)->boolean;
}

static bool
may_update(const struct row *permissions, const struct column *c)
{
    const struct datum *d = field(permissions->tuple, permissions->table->schema, "update", ATOM_STRING, ATOM_VOID);

    for (uint32_t i = 0; d && i < d->n; i++) {
        if (!strcmp(datum_keys(d)[i].string->text, c->name)) {
            return true;
        }
    }
    return false;
}

static bool
is_controlled(const struct rbac_client *client, const struct table *t)
{
    return client->role && client->role[0] && db_table(t->db, "RBAC_Role");
}

static struct dberr *
prohibited(const struct rbac_client *client, const char *what, const struct table *t)
{
    return dberr_new("permission error", "RBAC rules for client \"%s\" role \"%s\" prohibit %s table \"%s\".",
                     client->id ? client->id : "(null)", client->role, what, t->schema->name);
}

struct dberr *
rbac_may_insert(const struct rbac_client *client, const struct table *t, const struct tuple *row)
{
    const struct row *p;

    if (!is_controlled(client, t)) {
        return NULL;
    }
    p = find_permissions(client->role, t);
    return p && may_insert_delete(p) && is_authorized(client, p, row, t->schema)
           ? NULL : prohibited(client, "row insertion into", t);
}

struct dberr *
rbac_may_delete(const struct rbac_client *client, const struct table *t, struct row *const *rows, size_t n)
{
    const struct row *p;
    bool ok;

    if (!is_controlled(client, t)) {
        return NULL;
    }
    p = find_permissions(client->role, t);
    ok = p != NULL;
    for (size_t i = 0; ok && i < n; i++) {
        ok = may_insert_delete(p) && is_authorized(client, p, rows[i]->tuple, t->schema);
    }
    return ok ? NULL : prohibited(client, "row deletion from", t);
}

struct dberr *
rbac_may_change(const struct rbac_client *client, const char *what, const struct table *t, struct row *const *rows,
                size_t n, const struct column **columns, size_t n_columns)
{
    const struct row *p;
    bool ok;

    if (!is_controlled(client, t)) {
        return NULL;
    }
    p = find_permissions(client->role, t);
    ok = p != NULL;
    for (size_t i = 0; ok && i < n; i++) {
        ok = is_authorized(client, p, rows[i]->tuple, t->schema);
        for (size_t j = 0; ok && j < n_columns; j++) {
            ok = may_update(p, columns[j]);
        }
    }
    return ok ? NULL : prohibited(client, what, t);
}
