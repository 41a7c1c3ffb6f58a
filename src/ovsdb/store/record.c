/* Reading records. */
#include "ovsdb/store/record.h"

#include <stdlib.h>
#include <string.h>

#include "json/scan.h"
#include "sys/heap.h"

enum { RELEASE_STEP = 4 << 20 }; /* Bytes of a text that are given back at once. */

/* --- Taking an object apart --- */

static struct dberr *
not_json(void)
{
    return dberr_syntax(NULL, "not valid JSON");
}

/* Calls 'cb' for each member of the object, with the scanner at its value, which it moves past that. */
static struct dberr *
walk_members(struct js_scan *s, struct dberr *(*cb)(void *aux, const char *name, struct js_scan *), void *aux)
{
    struct dberr *e = NULL;
    char *name;
    bool first;

    js_scan_enter(s, '{', &first);
    if (s->bad) {
        return dberr_syntax(NULL, "not a JSON object");
    }
    while (!e && (name = js_scan_member(s, &first))) {
        e = cb(aux, name, s);
        free(name);
    }
    return !e && s->bad ? not_json() : e;
}

/* The same for an object that is all of the text. */
static struct dberr *
walk(struct js_scan *s, struct dberr *(*cb)(void *aux, const char *name, struct js_scan *), void *aux)
{
    struct dberr *e = walk_members(s, cb, aux);

    return e || js_scan_at_end(s) ? e : dberr_syntax(NULL, "trailing garbage after the JSON object");
}

struct text_walk {
    struct dberr *(*cb)(void *aux, const char *name, const char *value, size_t len);
    void *aux;
};

static struct dberr *
pass_text(void *w_, const char *name, struct js_scan *s)
{
    const struct text_walk *w = w_;
    const char *value;
    size_t len;

    js_scan_text(s, &value, &len);
    return s->bad ? not_json() : w->cb(w->aux, name, value, len);
}

struct dberr *
record_walk(const char *body, size_t len,
            struct dberr *(*cb)(void *aux, const char *name, const char *value, size_t value_len), void *aux)
{
    struct js_scan s = js_scan_init(body, len);
    struct text_walk w = { cb, aux };

    return walk(&s, pass_text, &w);
}

/* --- Applying --- */

struct apply {
    struct txn *txn;
    struct table *table;
    bool is_diff;
    enum record_fault fault; /* If there is an error. */
    char *read;              /* From here on to where the scanner is nobody needs the text; null if somebody does. */
};

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
apply_row(void *a_, const char *name, struct js_scan *s)
{
    struct apply *a = a_;
    struct error *error;
    struct json *json;
    struct uuid uuid;
    struct dberr *e;

    if (!uuid_parse(&uuid, name)) {
        return dberr_syntax(NULL, "\"%s\" is not a valid UUID", name);
    }
    table_prefetch_row(a->table, &uuid);
    json = js_scan_json(s, &error);
    e = error ? dberr_syntax(NULL, "not valid JSON (%s)", error_text(error)) : apply_row_json(a, &uuid, json);
    error_free(error);
    js_unref(json);
    if (a->read && s->p - a->read >= RELEASE_STEP) {
        a->read = heap_release(a->read, s->p);
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
take_about(struct js_scan *s, const char *name)
{
    struct js_scan ahead = *s;
    const char *value;
    size_t len;
    bool about;

    js_scan_text(&ahead, &value, &len);
    about = !ahead.bad && is_about(name, value, len);
    *s = about ? ahead : *s;
    return about;
}

static struct dberr *
apply_table(void *a_, const char *name, struct js_scan *s)
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

static struct dberr *
apply(struct db *db, const char *body, size_t len, enum record_fault *fault, char *read)
{
    struct apply a = { .txn = NULL, .fault = RECORD_SENSELESS, .read = read };
    struct dberr *e = find_is_diff(body, len, &a.is_diff);

    if (!e) {
        struct js_scan s = js_scan_init(body, len);

        a.txn = txn_begin(db);
        e = end_transaction(&a, walk(&s, apply_table, &a));
    }
    if (fault) {
        *fault = a.fault;
    }
    return e;
}

struct dberr *
record_apply(struct db *db, const char *body, size_t len, enum record_fault *fault)
{
    return apply(db, body, len, fault, NULL);
}

struct dberr *
record_apply_last(struct db *db, char *body, size_t len, enum record_fault *fault)
{
    return apply(db, body, len, fault, body);
}
