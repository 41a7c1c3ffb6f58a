/* Reading records. */
#include "ovsdb/store/record.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define SHORT ((size_t) 2048) /* Bytes of a row. */

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
        s->p += js_plain_run(s->p, s->end - s->p);
        if (s->p == s->end) {
            break;
        }
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

static struct dberr *
end_of_object(struct scanner *s)
{
    skip_spaces(s);
    return s->p == s->end ? NULL : dberr_syntax(NULL, "trailing garbage after the JSON object");
}

/* Calls 'cb' for each member of the object, with the scanner at its value, which it moves past that. */
static struct dberr *
walk(struct scanner *s, struct dberr *(*cb)(void *aux, const char *name, struct scanner *), void *aux)
{
    if (!take(s, '{')) {
        return dberr_syntax(NULL, "not a JSON object");
    }
    if (take(s, '}')) {
        return end_of_object(s);
    }
    do {
        char *name = take_name(s);
        struct dberr *e;

        if (!name || !take(s, ':')) {
            free(name);
            return dberr_syntax(NULL, "not valid JSON");
        }
        skip_spaces(s);
        e = cb(aux, name, s);
        free(name);
        if (e) {
            return e;
        }
    } while (take(s, ','));
    if (!take(s, '}')) {
        return dberr_syntax(NULL, "not valid JSON");
    }
    return end_of_object(s);
}

/* Moves past a value; sets '*value' and '*len' to its text. */
static struct dberr *
take_text(struct scanner *s, const char **value, size_t *len)
{
    bool found;

    *value = s->p;
    found = skip_value(s) && s->p > *value;
    *len = s->p - *value;
    return found ? NULL : dberr_syntax(NULL, "not valid JSON");
}

struct text_walk {
    struct dberr *(*cb)(void *aux, const char *name, const char *value, size_t len);
    void *aux;
};

static struct dberr *
pass_text(void *w_, const char *name, struct scanner *s)
{
    const struct text_walk *w = w_;
    const char *value;
    size_t len;
    struct dberr *e = take_text(s, &value, &len);

    return e ? e : w->cb(w->aux, name, value, len);
}

struct dberr *
record_walk(const char *body, size_t len,
            struct dberr *(*cb)(void *aux, const char *name, const char *value, size_t value_len), void *aux)
{
    struct scanner s = { body, body + len };
    struct text_walk w = { cb, aux };

    return walk(&s, pass_text, &w);
}

/* --- Applying --- */

struct apply {
    struct txn *txn;
    struct table *table;
    bool is_diff;
};

/* Reads a row; one that is not long, as most are, without a look for its end first. */
static struct dberr *
take_json(struct scanner *s, struct json **json)
{
    size_t used = js_parse_first(s->p, MIN((size_t) (s->end - s->p), SHORT), UINT_MAX, json), len;
    struct error *error;
    struct dberr *e;
    const char *text;

    if (used) {
        s->p += used;
        return NULL;
    }
    e = take_text(s, &text, &len);
    if (e) {
        return e;
    }
    error = js_parse(text, len, json);
    e = error ? dberr_syntax(NULL, "not valid JSON (%s)", error_text(error)) : NULL;
    error_free(error);
    return e;
}

static struct dberr *
apply_diff(struct datum *field, const struct col_type *type, const struct json *json)
{
    struct datum diff, result;
    struct dberr *e = datum_from_json_diff(&diff, type, json);

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
    struct row *row = table_row_even_deleted(a->table, uuid);
    bool is_there = row && row->tuple;

    if (js_is(json, JS_NULL)) {
        if (!is_there) {
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
    if (is_there) {
        return apply_columns(a, row, json, a->is_diff);
    }
    if (row) {
        return dberr_syntax(json, "transaction deletes and inserts the same row");
    }
    return apply_columns(a, txn_insert(a->txn, a->table, uuid), json, false);
}

static struct dberr *
apply_row(void *a_, const char *name, struct scanner *s)
{
    struct apply *a = a_;
    struct json *json;
    struct uuid uuid;
    struct dberr *e;

    if (!uuid_parse(&uuid, name)) {
        return dberr_syntax(NULL, "\"%s\" is not a valid UUID", name);
    }
    e = take_json(s, &json);
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

/* The members of a record, found in one walk over it: "_is_diff" may stand behind the tables that it concerns. */
struct parts {
    struct part {
        char *name;
        const char *value;
        size_t len;
    } *parts;
    size_t n, capacity;
};

static struct dberr *
note_part(void *p_, const char *name, const char *value, size_t len)
{
    struct parts *p = p_;

    if (p->n == p->capacity) {
        p->parts = x2nrealloc(p->parts, &p->capacity, sizeof *p->parts);
    }
    p->parts[p->n++] = (struct part) { xstrdup(name), value, len };
    return NULL;
}

static void
parts_uninit(struct parts *p)
{
    for (size_t i = 0; i < p->n; i++) {
        free(p->parts[i].name);
    }
    free(p->parts);
}

static bool
is_diff(const struct parts *p)
{
    for (size_t i = 0; i < p->n; i++) {
        if (!strcmp(p->parts[i].name, "_is_diff") && p->parts[i].len >= 4 && !strncmp(p->parts[i].value, "true", 4)) {
            return true;
        }
    }
    return false;
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
apply_table(struct apply *a, const char *name, const char *value, size_t len)
{
    struct scanner s;

    if (*name == '_' && is_about(name, value, len)) {
        return NULL;
    }
    a->table = db_table(a->txn->db, name);
    if (!a->table) {
        return dberr_new("unknown table", "No table named %s.", name);
    }
    s = (struct scanner) { value, value + len };
    return walk(&s, apply_row, a);
}

struct dberr *
record_apply(struct db *db, const char *body, size_t len)
{
    struct apply a = { .txn = NULL };
    struct parts parts = { .parts = NULL };
    struct dberr *e = record_walk(body, len, note_part, &parts);

    if (!e) {
        a.is_diff = is_diff(&parts);
        a.txn = txn_begin(db);
    }
    for (size_t i = 0; i < parts.n && !e; i++) {
        e = apply_table(&a, parts.parts[i].name, parts.parts[i].value, parts.parts[i].len);
    }
    parts_uninit(&parts);
    if (!a.txn) {
        return e;
    }
    if (e) {
        txn_abort(a.txn);
        return e;
    }
    return txn_commit(a.txn, NULL);
}
