#include "ovsdb/data/schema.h"

#include <stdlib.h>
#include <string.h>

#include "ovsdb/data/members.h"

struct table_schema *
schema_table(const struct schema *schema, const char *name)
{
    return strmap_get(&schema->by_name, name);
}

struct column *
table_schema_column(const struct table_schema *t, const char *name)
{
    return strmap_get(&t->by_name, name);
}

struct column *
table_schema_column_after(const struct table_schema *t, const struct column *before, const char *name)
{
    uint32_t *follower = &t->followers[before ? before->index + 1 : 0];
    struct column *c = &t->columns[*follower];

    if (strcmp(c->name, name)) {
        c = table_schema_column(t, name);
        *follower = c ? c->index : *follower;
    }
    return c;
}

struct dberr *
table_schema_get_column(const struct table_schema *t, const struct json *name, const struct column **column)
{
    const char *text = js_is(name, JS_STRING) ? js_str_value(name) : "";

    *column = table_schema_column(t, text);
    return *column ? NULL : dberr_at(name, DBERR_UNKNOWN_COLUMN, "No column %s in table %s.", text, t->name);
}

static void
table_uninit(struct table_schema *t)
{
    for (size_t i = 0; i < t->n_columns; i++) {
        if (t->defaults) {
            datum_uninit(&t->defaults[i], &t->columns[i].type);
        }
        free(t->columns[i].name);
        free(t->columns[i].member);
        col_type_uninit(&t->columns[i].type);
    }
    for (size_t i = 0; i < t->n_indexes; i++) {
        free(t->indexes[i].columns);
    }
    strmap_uninit(&t->by_name);
    free(t->columns);
    free(t->followers);
    free(t->strong);
    free(t->weak);
    free(t->defaults);
    free(t->counted);
    free(t->indexes);
    free(t->name);
}

void
schema_unref(struct schema *schema)
{
    if (!schema || --schema->refs) {
        return;
    }
    for (size_t i = 0; i < schema->n_tables; i++) {
        table_uninit(&schema->tables[i]);
    }
    strmap_uninit(&schema->by_name);
    free(schema->tables);
    free(schema->name);
    free(schema->version);
    free(schema->cksum);
    free(schema);
}

/* --- Reading --- */

/* Names of tables and columns: "_" is for the server's own. */
static struct dberr *
check_name(const struct json *where, const char *name)
{
    if (*name == '_') {
        return dberr_syntax(where, "names beginning with \"_\" are reserved");
    }
    return symtab_is_id(name) ? NULL : dberr_syntax(where, "name must be a valid id");
}

static int
compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}

/* The names of an object's members in order; to be released with free(). */
static const char **
sorted_names(const struct json *object)
{
    const char **names = xcalloc(js_object_len(object) + 1, sizeof *names);
    size_t n = 0;

    for (void *it = js_iter(object); it; it = js_iter_next(object, it)) {
        names[n++] = js_iter_name(it);
    }
    qsort(names, n, sizeof *names, compare_names);
    return names;
}

/* The names, as they are and as they are written. */
static void
set_name(struct column *c, const char *name, unsigned index)
{
    c->name = xstrdup(name);
    c->member = xasprintf("\"%s\":", name);
    c->member_len = strlen(c->member);
    c->index = index;
}

/* Makes the standard columns "_uuid" and "_version". */
static void
add_standard_columns(struct table_schema *t)
{
    static const char *const names[COL_N_STD] = { "_uuid", "_version" };

    for (unsigned i = 0; i < COL_N_STD; i++) {
        struct column *c = &t->columns[i];

        set_name(c, names[i], i);
        col_type_init_scalar(&c->type, ATOM_UUID);
    }
    t->n_columns = COL_N_STD;
}

static bool
default_is_valid(const struct col_type *type)
{
    struct datum d;
    struct dberr *e;

    datum_init_default(&d, type);
    e = datum_check(&d, type);
    datum_uninit(&d, type);
    dberr_free(e);
    return !e;
}

static struct dberr *
column_from_json(struct column *c, const struct json *json, const char *name, unsigned index)
{
    const struct json *mutable, *ephemeral, *type;
    struct members m;
    struct dberr *e;

    members_init(&m, json, "schema for column %s", name);
    mutable = members_take(&m, "mutable", M_BOOL | M_OPTIONAL);
    ephemeral = members_take(&m, "ephemeral", M_BOOL | M_OPTIONAL);
    type = members_take(&m, "type", M_STRING | M_OBJECT);
    e = members_finish(&m);
    e = e ? e : col_type_from_json(&c->type, type);
    if (!e) {
        set_name(c, name, index);
        c->is_mutable = !mutable || js_bool_value(mutable);
        c->is_persistent = !ephemeral || !js_bool_value(ephemeral);
        c->default_is_valid = default_is_valid(&c->type);
    }
    return e;
}

/* Whether copies of the value have to be counted. */
static bool
is_counted(const struct datum *d, const struct col_type *type)
{
    return d->in_block || (d->n && type->key.type == ATOM_STRING);
}

static void
make_defaults(struct table_schema *t)
{
    t->defaults = xcalloc(t->n_columns, sizeof *t->defaults);
    t->counted = xcalloc(t->n_columns, sizeof *t->counted);
    for (size_t i = 0; i < t->n_columns; i++) {
        const struct col_type *type = &t->columns[i].type;

        datum_init_default(&t->defaults[i], type);
        if (is_counted(&t->defaults[i], type)) {
            t->counted[t->n_counted++] = i;
        }
    }
}

void
table_schema_init_row(const struct table_schema *t, struct datum *fields)
{
    memcpy(fields, t->defaults, t->n_columns * sizeof *fields);
    for (size_t i = 0; i < t->n_counted; i++) {
        unsigned column = t->counted[i];

        datum_clone(&fields[column], &t->defaults[column], &t->columns[column].type);
    }
}

static struct dberr *
columns_from_json(struct table_schema *t, const struct json *json)
{
    size_t n = js_object_len(json);
    const char **names = sorted_names(json);
    struct dberr *e = NULL;

    t->columns = xcalloc(n + COL_N_STD, sizeof *t->columns);
    add_standard_columns(t);
    for (size_t i = 0; i < n && !e; i++) {
        e = column_from_json(&t->columns[t->n_columns], js_get(json, names[i]), names[i], t->n_columns);
        t->n_columns += !e;
    }
    for (size_t i = 0; i < t->n_columns; i++) {
        strmap_put(&t->by_name, t->columns[i].name, &t->columns[i]);
    }
    t->followers = xcalloc(t->n_columns + 1, sizeof *t->followers);
    t->strong = xcalloc(t->n_columns, sizeof *t->strong);
    t->weak = xcalloc(t->n_columns, sizeof *t->weak);
    make_defaults(t);
    free(names);
    return e;
}

static struct dberr *
index_from_json(struct table_schema *t, const struct json *table_json, const struct json *json)
{
    struct index_schema *index = &t->indexes[t->n_indexes];
    struct dberr *e = schema_columns_from_json(t, json, &index->columns, &index->n);

    if (e) {
        return e;
    }
    t->n_indexes++;
    if (!index->n) {
        return dberr_syntax(table_json, "index must have at least one column");
    }
    for (size_t i = 0; i < index->n; i++) {
        const struct column *c = index->columns[i];

        if (!c->is_persistent && c->index >= COL_N_STD) {
            return dberr_syntax(table_json, "ephemeral columns (such as %s) may not be indexed", c->name);
        }
    }
    return NULL;
}

static struct dberr *
indexes_from_json(struct table_schema *t, const struct json *table_json, const struct json *json)
{
    size_t n = json ? js_array_len(json) : 0;
    struct dberr *e = NULL;

    t->indexes = xcalloc(n + 1, sizeof *t->indexes);
    for (size_t i = 0; i < n && !e; i++) {
        e = index_from_json(t, table_json, js_at(json, i));
    }
    return e;
}

static struct dberr *
max_rows_from_json(struct table_schema *t, const struct json *table_json, const struct json *json)
{
    t->max_rows = UINT32_MAX;
    if (json) {
        if (js_int_value(json) <= 0) {
            return dberr_syntax(table_json, "maxRows must be at least 1");
        }
        t->max_rows = MIN(js_int_value(json), UINT32_MAX);
    }
    return NULL;
}

static struct dberr *
table_from_json(struct table_schema *t, const struct json *json, const char *name)
{
    const struct json *columns, *max_rows, *is_root, *indexes;
    struct members m;
    struct dberr *e;

    strmap_init(&t->by_name);
    t->name = xstrdup(name);
    members_init(&m, json, "table schema for table %s", name);
    columns = members_take(&m, "columns", M_OBJECT);
    max_rows = members_take(&m, "maxRows", M_INTEGER | M_OPTIONAL);
    is_root = members_take(&m, "isRoot", M_BOOL | M_OPTIONAL);
    indexes = members_take(&m, "indexes", M_ARRAY | M_OPTIONAL);
    e = members_finish(&m);
    e = e ? e : max_rows_from_json(t, json, max_rows);
    if (!e && !js_object_len(columns)) {
        e = dberr_syntax(json, "table must have at least one column");
    }
    for (void *it = e ? NULL : js_iter(columns); it && !e; it = js_iter_next(columns, it)) {
        e = check_name(json, js_iter_name(it));
    }
    t->says_root = is_root && js_bool_value(is_root);
    e = e ? e : columns_from_json(t, columns);
    return e ? e : indexes_from_json(t, json, indexes);
}

static struct dberr *
tables_from_json(struct schema *s, const struct json *json, const struct json *tables)
{
    const char **names = sorted_names(tables);
    size_t n = js_object_len(tables);
    struct dberr *e = NULL;

    s->tables = xcalloc(n + 1, sizeof *s->tables);
    for (size_t i = 0; i < n && !e; i++) {
        struct table_schema *t = &s->tables[i];

        e = check_name(json, names[i]);
        if (!e) {
            t->index = s->n_tables++;
            e = table_from_json(t, js_get(tables, names[i]), names[i]);
            strmap_put(&s->by_name, t->name, t);
        }
    }
    free(names);
    return e;
}

static struct dberr *
resolve_base(struct schema *s, const struct column *c, struct base_type *base, const char *role)
{
    if (base_is_ref(base)) {
        base->uuid.ref = schema_table(s, base->uuid.ref_table);
        if (!base->uuid.ref) {
            return dberr_syntax(NULL, "column %s %s refers to undefined table %s", c->name, role,
                                base->uuid.ref_table);
        }
        /* What a persistent column refers to with a strong reference must not vanish from the log; an ephemeral one is
         * left out of it, so its reference may as well be weak: the reference's programs accept both. */
    }
    return NULL;
}

/* Finds the tables that references name. */
static struct dberr *
resolve_references(struct schema *s)
{
    struct dberr *e = NULL;

    for (size_t i = 0; i < s->n_tables; i++) {
        struct table_schema *t = &s->tables[i];

        for (size_t j = 0; j < t->n_columns && !e; j++) {
            struct column *c = &t->columns[j];

            e = resolve_base(s, c, &c->type.key, "key");
            e = e ? e : resolve_base(s, c, &c->type.value, "value");
            if (type_has_strong(&c->type)) {
                t->strong[t->n_strong++] = c;
            }
            if (type_has_weak(&c->type)) {
                t->weak[t->n_weak++] = c;
            }
        }
    }
    return e;
}

/* A schema that marks no table as a root means that all are (RFC 7047 section 3.2, "isRoot"). */
static void
decide_roots(struct schema *s)
{
    bool any = false;

    for (size_t i = 0; i < s->n_tables; i++) {
        any |= s->tables[i].says_root;
    }
    for (size_t i = 0; i < s->n_tables; i++) {
        s->tables[i].is_root = s->tables[i].says_root || !any;
    }
}

struct dberr *
schema_from_json(struct schema **schemap, const struct json *json)
{
    const struct json *name, *version, *cksum, *tables;
    struct schema *s;
    struct members m;
    struct dberr *e;

    *schemap = NULL;
    members_init(&m, json, "database schema");
    name = members_take(&m, "name", M_ID);
    version = members_take(&m, "version", M_STRING | M_OPTIONAL);
    cksum = members_take(&m, "cksum", M_STRING | M_OPTIONAL);
    tables = members_take(&m, "tables", M_OBJECT);
    e = members_finish(&m);
    if (e) {
        return e;
    }
    if (version && !schema_is_version(js_str_value(version))) {
        return dberr_syntax(json, "schema version \"%s\" not in format x.y.z", js_str_value(version));
    }
    s = xzalloc(sizeof *s);
    s->refs = 1;
    s->name = xstrdup(js_str_value(name));
    s->version = xstrdup(version ? js_str_value(version) : "");
    s->cksum = xstrdup(cksum ? js_str_value(cksum) : "");
    strmap_init(&s->by_name);
    e = tables_from_json(s, json, tables);
    e = e ? e : resolve_references(s);
    if (e) {
        schema_unref(s);
    } else {
        decide_roots(s);
        *schemap = s;
    }
    return e;
}

struct dberr *
schema_from_file(struct schema **schema, const char *path)
{
    struct json *json;
    struct error *error = js_parse_file(path, &json);
    struct dberr *e;

    *schema = NULL;
    if (error) {
        e = dberr_new("failed to read schema", "\"%s\" could not be read as JSON (%s)", path, error_text(error));
        error_free(error);
        return e;
    }
    e = schema_from_json(schema, json);
    js_unref(json);
    return dberr_wrap(e, "failed to parse \"%s\" as ovsdb schema", path);
}

/* --- Writing --- */

static struct json *
column_to_json(const struct column *c)
{
    struct json *json = js_object();

    js_set_take(json, "type", col_type_to_json(&c->type));
    if (!c->is_mutable) {
        js_set_take(json, "mutable", js_bool(false));
    }
    if (!c->is_persistent) {
        js_set_take(json, "ephemeral", js_bool(true));
    }
    return json;
}

static struct json *
index_to_json(const struct index_schema *index)
{
    struct json *json = js_array();

    for (size_t i = 0; i < index->n; i++) {
        js_append_take(json, js_str(index->columns[i]->name));
    }
    return json;
}

static struct json *
table_to_json(const struct table_schema *t, bool with_root)
{
    struct json *json = js_object(), *columns = js_object();

    for (size_t i = COL_N_STD; i < t->n_columns; i++) {
        js_set_take(columns, t->columns[i].name, column_to_json(&t->columns[i]));
    }
    js_set_take(json, "columns", columns);
    if (with_root && t->is_root) {
        js_set_take(json, "isRoot", js_bool(true));
    }
    if (t->max_rows != UINT32_MAX) {
        js_set_take(json, "maxRows", js_int(t->max_rows));
    }
    if (t->n_indexes) {
        struct json *indexes = js_array();

        for (size_t i = 0; i < t->n_indexes; i++) {
            js_append_take(indexes, index_to_json(&t->indexes[i]));
        }
        js_set_take(json, "indexes", indexes);
    }
    return json;
}

struct json *
schema_to_json(const struct schema *s)
{
    struct json *json = js_object(), *tables = js_object();
    bool all_root = true;

    for (size_t i = 0; i < s->n_tables; i++) {
        all_root &= s->tables[i].is_root;
    }
    js_set_take(json, "name", js_str(s->name));
    if (*s->version) {
        js_set_take(json, "version", js_str(s->version));
    }
    if (*s->cksum) {
        js_set_take(json, "cksum", js_str(s->cksum));
    }
    /* Where every table is a root, leaving "isRoot" out says the same. */
    for (size_t i = 0; i < s->n_tables; i++) {
        js_set_take(tables, s->tables[i].name, table_to_json(&s->tables[i], !all_root));
    }
    js_set_take(json, "tables", tables);
    return json;
}

bool
schema_equal(const struct schema *a, const struct schema *b)
{
    struct json *ja = schema_to_json(a), *jb = schema_to_json(b);
    bool equal = js_equal(ja, jb);

    js_unref(ja);
    js_unref(jb);
    return equal;
}

/* --- Sets of columns --- */

static const struct column **
all_columns(const struct table_schema *t, size_t *n)
{
    const struct column **columns = xcalloc(t->n_columns + 1, sizeof *columns);

    for (size_t i = 0; i < t->n_columns; i++) {
        columns[i] = &t->columns[i];
    }
    *n = t->n_columns;
    return columns;
}

static bool
has_column(const struct column **columns, size_t n, const struct column *c)
{
    for (size_t i = 0; i < n; i++) {
        if (columns[i] == c) {
            return true;
        }
    }
    return false;
}

struct dberr *
schema_columns_from_json(const struct table_schema *t, const struct json *json, const struct column ***columns,
                         size_t *n)
{
    struct dberr *e = NULL;
    size_t len;

    if (!json) {
        *columns = all_columns(t, n);
        return NULL;
    }
    *columns = NULL;
    *n = 0;
    if (!js_is(json, JS_ARRAY)) {
        return dberr_syntax(json, "array of distinct column names expected");
    }
    len = js_array_len(json);
    *columns = xcalloc(len + 1, sizeof **columns);
    for (size_t i = 0; i < len && !e; i++) {
        const struct json *name = js_at(json, i);
        const struct column *c = js_is(name, JS_STRING) ? table_schema_column(t, js_str_value(name)) : NULL;

        if (!js_is(name, JS_STRING)) {
            e = dberr_syntax(json, "array of distinct column names expected");
        } else if (!c) {
            e = dberr_syntax(json, "%s is not a valid column name", js_str_value(name));
        } else if (has_column(*columns, *n, c)) {
            e = dberr_syntax(json, "array of distinct column names expected");
        } else {
            (*columns)[(*n)++] = c;
        }
    }
    if (e) {
        free(*columns);
        *columns = NULL;
        *n = 0;
    }
    return e;
}
