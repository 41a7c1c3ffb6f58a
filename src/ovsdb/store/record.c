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
walk_members(struct scanner *s, struct dberr *(*cb)(void *aux, const char *name, struct scanner *), void *aux)
{
    if (!take(s, '{')) {
        return dberr_syntax(NULL, "not a JSON object");
    }
    if (take(s, '}')) {
        return NULL;
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
    return take(s, '}') ? NULL : dberr_syntax(NULL, "not valid JSON");
}

/* The same for an object that is all of the text. */
static struct dberr *
walk(struct scanner *s, struct dberr *(*cb)(void *aux, const char *name, struct scanner *), void *aux)
{
    struct dberr *e = walk_members(s, cb, aux);

    return e ? e : end_of_object(s);
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
    enum record_fault fault; /* If there is an error. */
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
    const struct column *c = NULL;
    struct dberr *e = NULL;

    for (void *it = js_iter(json); it && !e; it = js_iter_next(json, it)) {
        c = table_schema_column_after(schema, c, js_iter_name(it));
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
            a->fault = RECORD_DELETES_UNKNOWN;
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
    table_prefetch_row(a->table, &uuid);
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

static struct dberr *
note_diff(void *is_diff_, const char *name, const char *value, size_t len)
{
    bool *is_diff = is_diff_;

    *is_diff |= !strcmp(name, "_is_diff") && len >= 4 && !memcmp(value, "true", 4);
    return NULL;
}

/* Sets '*is_diff' to whether the record says so: maybe behind the tables that it concerns.  There it stands in all that
 * we write, for which a look at the end does: the bracket ends the outermost object, and there is no backslash before
 * the name's first quote. */
static struct dberr *
find_is_diff(const char *body, size_t len, bool *is_diff)
{
    static const char at_end[] = ",\"_is_diff\":true}";
    size_t n = len - (len && body[len - 1] == '\n');

    *is_diff = n >= sizeof at_end - 1 && !memcmp(body + n - (sizeof at_end - 1), at_end, sizeof at_end - 1);
    return *is_diff ? NULL : record_walk(body, len, note_diff, is_diff);
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

/* Whether what was at 's' is about the transaction; then 's' is behind it. */
static bool
take_about(struct scanner *s, const char *name)
{
    struct scanner ahead = *s;
    const char *value;
    size_t len;
    struct dberr *e = take_text(&ahead, &value, &len);
    bool about = !e && is_about(name, value, len);

    dberr_free(e);
    *s = about ? ahead : *s;
    return about;
}

static struct dberr *
apply_table(void *a_, const char *name, struct scanner *s)
{
    struct apply *a = a_;

    if (*name == '_' && take_about(s, name)) {
        return NULL;
    }
    a->table = db_table(a->txn->db, name);
    return a->table ? walk_members(s, apply_row, a) : dberr_new("unknown table", "No table named %s.", name);
}

/* Ends the transaction; 'e' is why it cannot be committed, or null. */
static struct dberr *
end_transaction(struct apply *a, struct dberr *e)
{
    if (e) {
        txn_abort(a->txn);
    } else {
        e = txn_commit(a->txn, NULL);
        a->fault = RECORD_BREAKS_CONSTRAINT;
    }
    return e;
}

struct dberr *
record_apply(struct db *db, const char *body, size_t len, enum record_fault *fault)
{
    struct apply a = { .txn = NULL, .fault = RECORD_SENSELESS };
    struct dberr *e = find_is_diff(body, len, &a.is_diff);

    if (!e) {
        struct scanner s = { body, body + len };

        a.txn = txn_begin(db);
        e = end_transaction(&a, walk(&s, apply_table, &a));
    }
    if (fault) {
        *fault = a.fault;
    }
    return e;
}
