#include "ovsdb/server/monitor_spec.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "ovsdb/data/members.h"
#include "ovsdb/server/monitor_index.h"
#include "ovsdb/server/snapshot.h"

/* Parsing. */

static struct dberr *
parse_select(const char *table, const struct json *json, unsigned *select)
{
    static const struct { const char *name; unsigned bit; } kinds[] = {
        { "initial", SELECT_INITIAL }, { "insert", SELECT_INSERT }, { "delete", SELECT_DELETE }, { "modify",
                                                                                                   SELECT_MODIFY },
    };
    struct members m;

    *select = SELECT_ALL;
    if (!json) {
        return NULL;
    }
    members_init(&m, json, "table %s select", table);
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        const struct json *value = members_take(&m, kinds[i].name, M_BOOL | M_OPTIONAL);

        if (value && !js_bool_value(value)) {
            *select &= ~kinds[i].bit;
        }
    }
    return members_finish(&m);
}

static struct dberr *
add_column(struct monitor_table *mt, const struct column *column, unsigned select, const struct json *at)
{
    for (size_t i = 0; i < mt->n_columns; i++) {
        if (mt->columns[i].column == column) {
            return dberr_syntax(at, "column %s mentioned more than once", column->name);
        }
    }
    mt->columns = xreallocarray(mt->columns, mt->n_columns + 1, sizeof *mt->columns);
    mt->columns[mt->n_columns++] = (struct monitor_column) { column, select };
    return NULL;
}

static struct dberr *
add_columns(struct monitor_table *mt, const struct json *json, unsigned select)
{
    const struct table_schema *ts = mt->table->schema;
    struct dberr *error = NULL;

    if (!json) {
        for (size_t i = COL_VERSION; i < ts->n_columns && !error; i++) {
            error = add_column(mt, &ts->columns[i], select, json);
        }
        return error;
    }
    for (size_t i = 0; i < js_array_len(json) && !error; i++) {
        const struct json *name = js_at(json, i);
        const struct column *column = js_is(name, JS_STRING) ? table_schema_column(ts, js_str_value(name)) : NULL;

        if (!js_is(name, JS_STRING)) {
            error = dberr_syntax(json, "array of column names expected");
        } else if (!column) {
            error = dberr_syntax(json, "%s is not a valid column name", js_str_value(name));
        } else {
            error = add_column(mt, column, select, json);
        }
    }
    return error;
}

/* Moves the clauses of 'more' into 'c'. */
static void
condition_append(struct condition *c, struct condition *more)
{
    c->clauses = xreallocarray(c->clauses, c->n + more->n, sizeof *c->clauses);
    memcpy(c->clauses + c->n, more->clauses, more->n * sizeof *c->clauses);
    c->n += more->n;
    free(more->clauses);
    *more = (struct condition) CONDITION_INIT;
}

static struct dberr *
parse_where(struct monitor_table *mt, const struct json *json)
{
    struct condition c = CONDITION_INIT;
    struct dberr *error = json ? condition_from_json(&c, mt->table->schema, json, NULL) : NULL;

    if (!error && c.n) {
        condition_append(&mt->where, &c);
    }
    return error;
}

/* One request of a table. */
static struct dberr *
parse_request(struct monitor_spec *spec, struct monitor_table *mt, const struct json *json)
{
    const struct json *columns, *select_json, *where = NULL;
    struct dberr *error;
    struct members m;
    unsigned select;

    members_init(&m, json, "table %s", mt->table->schema->name);
    columns = members_take(&m, "columns", M_ARRAY | M_OPTIONAL);
    select_json = members_take(&m, "select", M_OBJECT | M_OPTIONAL);
    if (!spec->old_style) {
        where = members_take(&m, "where", M_ARRAY | M_OPTIONAL);
    }
    error = members_finish(&m);
    if (!error) {
        error = parse_select(mt->table->schema->name, select_json, &select);
    }
    if (!error) {
        mt->select |= select;
        error = add_columns(mt, columns, select);
    }
    /* The last condition counts where there are several requests: the first is what the reference keeps. */
    if (!error && where && !mt->where.n) {
        error = parse_where(mt, where);
    }
    return error;
}

static struct dberr *
parse_table(struct monitor_spec *spec, const char *name, const struct json *json)
{
    struct table *table = db_table(spec->db->db, name);
    struct monitor_table *mt;
    struct dberr *error = NULL;

    if (!table) {
        return dberr_syntax(NULL, "no table named %s", name);
    }
    mt = &spec->tables[table->schema->index];
    mt->table = table;
    if (!js_is(json, JS_ARRAY)) {
        return parse_request(spec, mt, json);
    }
    for (size_t i = 0; i < js_array_len(json) && !error; i++) {
        error = parse_request(spec, mt, js_at(json, i));
    }
    return error;
}

static struct monitor_spec *
spec_alloc(struct served_db *db, bool old_style)
{
    struct monitor_spec *spec = xzalloc(sizeof *spec);

    spec->refs = 1;
    spec->db = db;
    spec->old_style = old_style;
    spec->tables = xcalloc(db->db->schema->n_tables, sizeof *spec->tables);
    list_init(&spec->monitors);
    return spec;
}

static void
spec_free(struct monitor_spec *spec)
{
    for (size_t i = 0; i < spec->db->db->schema->n_tables; i++) {
        condition_uninit(&spec->tables[i].where);
        free(spec->tables[i].columns);
    }
    free(spec->tables);
    snapshot_text_unref(spec->initial);
    free(spec->key);
    free(spec);
}

/* A text equal for equal specs. */
static char *
make_key(const struct monitor_spec *spec)
{
    struct str s = STR_INIT;

    str_putc(&s, spec->old_style ? '1' : '2');
    for (size_t i = 0; i < spec->db->db->schema->n_tables; i++) {
        const struct monitor_table *mt = &spec->tables[i];

        if (mt->table) {
            struct json *where = condition_to_json(&mt->where);

            str_putf(&s, "|%zu,%u:", i, mt->select);
            for (size_t j = 0; j < mt->n_columns; j++) {
                str_putf(&s, "%u,%u;", mt->columns[j].column->index, mt->columns[j].select);
            }
            js_put(&s, where, JS_SORTED);
            js_unref(where);
        }
    }
    return str_steal(&s);
}

static int
compare_columns(const void *a_, const void *b_)
{
    const struct monitor_column *a = a_, *b = b_;

    return a->column->index < b->column->index ? -1 : a->column->index > b->column->index;
}

/* Replaces 'spec', which nobody has yet, by its equal if there is one. */
static struct monitor_spec *
intern(struct monitor_spec *spec)
{
    uint32_t hash;

    for (size_t i = 0; i < spec->db->db->schema->n_tables; i++) {
        struct monitor_table *mt = &spec->tables[i];

        if (mt->n_columns) {
            qsort(mt->columns, mt->n_columns, sizeof *mt->columns, compare_columns);
        }
    }
    spec->key = make_key(spec);
    hash = hash_string(spec->key, 0);
    HMAP_FOR_EACH_WITH_HASH (other, struct monitor_spec, node, hash, &spec->db->specs) {
        if (!strcmp(other->key, spec->key)) {
            spec_free(spec);
            return monitor_spec_ref(other);
        }
    }
    hmap_insert(&spec->db->specs, &spec->node, hash);
    monitor_index_add(spec);
    return spec;
}

struct dberr *
monitor_spec_parse(struct served_db *db, bool old_style, const struct json *requests, struct monitor_spec **spec)
{
    struct monitor_spec *new = spec_alloc(db, old_style);
    struct dberr *error = NULL;

    *spec = NULL;
    if (!js_is(requests, JS_OBJECT)) {
        error = dberr_syntax(requests, "monitor-requests must be object");
    } else {
        for (void *it = js_iter(requests); it && !error; it = js_iter_next(requests, it)) {
            error = parse_table(new, js_iter_name(it), js_iter_value(it));
        }
    }
    if (error) {
        spec_free(new);
    } else {
        *spec = intern(new);
    }
    return error;
}

/* Changed conditions. */

static struct dberr *
change_table(struct monitor_spec *spec, const char *name, const struct json *json)
{
    struct table *table = db_table(spec->db->db, name);
    struct monitor_table *mt;
    struct dberr *error = NULL;

    if (!table) {
        return dberr_syntax(NULL, "no table named %s", name);
    }
    mt = &spec->tables[table->schema->index];
    if (!mt->table) {
        return dberr_syntax(NULL, "no table named %s in monitor session", name);
    }
    if (!js_is(json, JS_ARRAY)) {
        return dberr_syntax(NULL, "table %s no monitor-cond-change JSON array", name);
    }
    for (size_t i = 0; i < js_array_len(json) && !error; i++) {
        const struct json *request = js_at(json, i), *where;
        struct members m;

        if (js_get(request, "columns")) {
            return dberr_syntax(request, "changing columns is unsupported");
        }
        members_init(&m, request, "table %s", name);
        where = members_take(&m, "where", M_ARRAY | M_OPTIONAL);
        error = members_finish(&m);
        if (!error) {
            condition_uninit(&mt->where);
            mt->where = (struct condition) CONDITION_INIT;
            error = parse_where(mt, where);
        }
    }
    return error;
}

static struct monitor_spec *
spec_clone(const struct monitor_spec *old)
{
    struct monitor_spec *new = spec_alloc(old->db, old->old_style);

    for (size_t i = 0; i < old->db->db->schema->n_tables; i++) {
        const struct monitor_table *from = &old->tables[i];
        struct monitor_table *to = &new->tables[i];

        if (from->table) {
            *to = *from;
            to->watches = NULL;
            to->n_watches = 0;
            to->columns = xmemdup(from->columns, from->n_columns * sizeof *from->columns);
            condition_clone(&to->where, &from->where);
        }
    }
    return new;
}

struct dberr *
monitor_spec_change(const struct monitor_spec *old, const struct json *requests, struct monitor_spec **spec)
{
    struct monitor_spec *new;
    struct dberr *error = NULL;

    *spec = NULL;
    if (!js_is(requests, JS_OBJECT)) {
        return dberr_syntax(NULL, "monitor-cond-change-requests must be object");
    }
    new = spec_clone(old);
    for (void *it = js_iter(requests); it && !error; it = js_iter_next(requests, it)) {
        error = change_table(new, js_iter_name(it), js_iter_value(it));
    }
    if (error) {
        spec_free(new);
    } else {
        *spec = intern(new);
    }
    return error;
}

struct monitor_spec *
monitor_spec_ref(struct monitor_spec *spec)
{
    spec->refs++;
    return spec;
}

void
monitor_spec_unref(struct monitor_spec *spec)
{
    if (spec && !--spec->refs) {
        hmap_remove(&spec->db->specs, &spec->node);
        monitor_index_remove(spec);
        spec_free(spec);
    }
}
