/* Reading records. */
#include "ovsdb/store/record.h"

#include <stdlib.h>
#include <string.h>

/* --- Taking an object apart --- */

struct scanner {
    const char *p, *end;
};

static void
skip_spaces(struct scanner *s)
{
    while (s->p < s->end && strchr(" \t\r\n", *s->p) && *s->p) {
        s->p++;
    }
}

static bool
take(struct scanner *s, char c)
{
    skip_spaces(s);
    if (s->p < s->end && *s->p == c) {
        s->p++;
        return true;
    }
    return false;
}

/* Skips a string, from its quote to after its last one. */
static bool
skip_string(struct scanner *s)
{
    for (s->p++; s->p < s->end; s->p++) {
        if (*s->p == '\\') {
            s->p++;
        } else if (*s->p == '"') {
            s->p++;
            return true;
        }
    }
    return false;
}

/* Skips a value; brackets are only counted, since each part is parsed properly later. */
static bool
skip_value(struct scanner *s)
{
    size_t depth = 0;

    skip_spaces(s);
    while (s->p < s->end) {
        char c = *s->p;

        if (c == '"') {
            if (!skip_string(s)) {
                return false;
            }
            if (!depth) {
                return true;
            }
            continue;
        }
        if (c == '{' || c == '[') {
            depth++;
        } else if (c == '}' || c == ']') {
            if (!depth) {
                return true;
            }
            if (!--depth) {
                s->p++;
                return true;
            }
        } else if (c == ',' && !depth) {
            return true;
        }
        s->p++;
    }
    return !depth;
}

/* Reads the name of a member; null if it is no string. */
static char *
take_name(struct scanner *s)
{
    const char *start;
    struct json *json;
    struct error *e;
    char *name = NULL;

    skip_spaces(s);
    start = s->p;
    if (s->p >= s->end || *s->p != '"' || !skip_string(s)) {
        return NULL;
    }
    if (!memchr(start, '\\', s->p - start)) {
        return xstrndup(start + 1, s->p - start - 2);
    }
    e = js_parse(start, s->p - start, &json);
    if (!e) {
        name = xstrdup(js_str_value(json));
        js_unref(json);
    }
    error_free(e);
    return name;
}

struct dberr *
record_walk(const char *body, size_t len,
            struct dberr *(*cb)(void *aux, const char *name, const char *value, size_t value_len), void *aux)
{
    struct scanner s = { body, body + len };

    if (!take(&s, '{')) {
        return dberr_syntax(NULL, "not a JSON object");
    }
    if (take(&s, '}')) {
        return NULL;
    }
    do {
        char *name = take_name(&s);
        struct dberr *e = NULL;
        const char *value;

        if (!name || !take(&s, ':')) {
            free(name);
            return dberr_syntax(NULL, "not valid JSON");
        }
        skip_spaces(&s);
        value = s.p;
        if (!skip_value(&s) || s.p == value) {
            e = dberr_syntax(NULL, "not valid JSON");
        }
        e = e ? e : cb(aux, name, value, s.p - value);
        free(name);
        if (e) {
            return e;
        }
    } while (take(&s, ','));
    if (!take(&s, '}')) {
        return dberr_syntax(NULL, "not valid JSON");
    }
    skip_spaces(&s);
    return s.p == s.end ? NULL : dberr_syntax(NULL, "trailing garbage after the JSON object");
}

/* --- Applying --- */

struct apply {
    struct txn *txn;
    struct table *table;
    bool is_diff;
};

static struct dberr *
parse_value(const char *value, size_t len, struct json **json)
{
    struct error *error = js_parse(value, len, json);
    struct dberr *e = error ? dberr_syntax(NULL, "not valid JSON (%s)", error_text(error)) : NULL;

    error_free(error);
    return e;
}

static struct dberr *
apply_diff(struct datum *field, const struct col_type *type, const struct json *json)
{
    struct datum diff, result;
    struct dberr *e = datum_from_json_loose(&diff, type, json, NULL);

    if (e) {
        return e;
    }
    datum_apply_diff(&result, field, &diff, type);
    datum_uninit(&diff, type);
    e = datum_check(&result, type);
    if (e) {
        datum_uninit(&result, type);
    } else {
        datum_take(field, &result, type);
    }
    return e;
}

static struct dberr *
apply_column(struct datum *fields, const struct column *c, const struct json *json, bool as_diff)
{
    struct datum d;
    struct dberr *e;

    if (as_diff) {
        return apply_diff(&fields[c->index], &c->type, json);
    }
    e = datum_from_json(&d, &c->type, json, NULL);
    if (!e) {
        datum_take(&fields[c->index], &d, &c->type);
    }
    return e;
}

static struct dberr *
apply_columns(struct apply *a, struct row *row, const struct json *json, bool as_diff)
{
    const struct table_schema *schema = a->table->schema;
    struct datum *fields = txn_modify(a->txn, row);
    struct dberr *e = NULL;

    for (void *it = js_iter(json); it && !e; it = js_iter_next(json, it)) {
        const struct column *c = table_schema_column(schema, js_iter_name(it));

        if (!c) {
            e = dberr_at(json, DBERR_UNKNOWN_COLUMN, "No column %s in table %s.", js_iter_name(it), schema->name);
        } else if (c->index >= COL_N_STD) {
            e = apply_column(fields, c, js_iter_value(it), as_diff);
        }
    }
    txn_modify_done(row);
    return e;
}

static struct dberr *
apply_row_json(struct apply *a, const struct uuid *uuid, const struct json *json)
{
    struct row *row = table_row(a->table, uuid);

    if (js_is(json, JS_NULL)) {
        if (!row) {
            char text[UUID_LEN + 1];

            uuid_format(uuid, text);
            return dberr_syntax(NULL, "transaction deletes row %s that does not exist", text);
        }
        txn_delete(a->txn, row);
        return NULL;
    }
    if (!js_is(json, JS_OBJECT)) {
        return dberr_syntax(json, "row must be JSON object");
    }
    if (row) {
        return apply_columns(a, row, json, a->is_diff);
    }
    if (!txn_uuid_is_free(a->table, uuid)) {
        return dberr_syntax(json, "transaction deletes and inserts the same row");
    }
    return apply_columns(a, txn_insert(a->txn, a->table, uuid), json, false);
}

static struct dberr *
apply_row(void *a_, const char *name, const char *value, size_t len)
{
    struct apply *a = a_;
    struct json *json;
    struct uuid uuid;
    struct dberr *e;

    if (!uuid_parse(&uuid, name)) {
        return dberr_syntax(NULL, "\"%s\" is not a valid UUID", name);
    }
    e = parse_value(value, len, &json);
    if (!e) {
        e = apply_row_json(a, &uuid, json);
        js_unref(json);
    }
    return e;
}

static bool
is_integer(const char *value, size_t len)
{
    size_t start = len && *value == '-';

    return len > start && strspn(value + start, "0123456789") >= len - start;
}

/* Looks for "_is_diff", which may stand behind the tables that it concerns. */
static struct dberr *
find_is_diff(void *is_diff_, const char *name, const char *value, size_t len)
{
    bool *is_diff = is_diff_;

    if (!strcmp(name, "_is_diff") && len >= 4 && !strncmp(value, "true", 4)) {
        *is_diff = true;
    }
    return NULL;
}

/* Whether the member is one of those that are about the transaction rather than a table. */
static bool
is_about(const char *name, const char *value, size_t len)
{
    while (len && strchr(" \t\r\n", value[len - 1])) {
        len--;
    }
    return (!strcmp(name, "_date") && is_integer(value, len)) || (!strcmp(name, "_comment") && *value == '"')
           || (!strcmp(name, "_is_diff") && ((len == 4 && !memcmp(value, "true", 4))
                                             || (len == 5 && !memcmp(value, "false", 5))));
}

static struct dberr *
apply_table(void *a_, const char *name, const char *value, size_t len)
{
    struct apply *a = a_;

    if (*name == '_' && is_about(name, value, len)) {
        return NULL;
    }
    a->table = db_table(a->txn->db, name);
    if (!a->table) {
        return dberr_new("unknown table", "No table named %s.", name);
    }
    return record_walk(value, len, apply_row, a);
}

struct dberr *
record_apply(struct db *db, const char *body, size_t len)
{
    struct apply a = { .txn = NULL };
    struct dberr *e = record_walk(body, len, find_is_diff, &a.is_diff);

    if (e) {
        return e;
    }
    a.txn = txn_begin(db);
    e = record_walk(body, len, apply_table, &a);
    if (e) {
        txn_abort(a.txn);
        return e;
    }
    return txn_commit(a.txn, NULL);
}
