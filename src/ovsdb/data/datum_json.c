#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ovsdb/data/datum.h"

/* The second member of [tag, string] if 'json' is that, else null. */
static const char *
tagged_string(const struct json *json, const char *tag)
{
    return js_is(json, JS_ARRAY) && js_array_len(json) == 2 && js_is(js_at(json, 0), JS_STRING)
           && js_is(js_at(json, 1), JS_STRING) && !strcmp(js_str_value(js_at(json, 0)), tag)
           ? js_str_value(js_at(json, 1)) : NULL;
}

static struct dberr *
uuid_from_json(struct uuid *uuid, const struct base_type *base, const struct json *json, struct symtab *symtab)
{
    const char *text = tagged_string(json, "uuid");

    if (text) {
        return uuid_parse(uuid, text) ? NULL : dberr_syntax(json, "\"%s\" is not a valid UUID", text);
    }
    text = symtab ? tagged_string(json, "named-uuid") : NULL;
    if (text) {
        struct symbol *symbol;

        if (!symtab_is_id(text)) {
            return dberr_syntax(json, "named-uuid string is not a valid <id>");
        }
        symbol = symtab_get(symtab, text);
        symbol->strong_ref |= base_is_strong(base);
        symbol->weak_ref |= base_is_weak(base);
        *uuid = symbol->uuid;
        return NULL;
    }
    return dberr_syntax(json, "expected [\"uuid\", <string>]");
}

/* Reads an atom without looking at constraints.  On error there is nothing to destroy. */
static struct dberr *
read_atom(union atom *a, const struct base_type *base, const struct json *json, struct symtab *symtab)
{
    *a = (union atom) { .uuid = { { 0 } } };
    switch (base->type) {
    case ATOM_INTEGER:
        if (js_is(json, JS_INTEGER)) {
            a->integer = js_int_value(json);
            return NULL;
        }
        break;
    case ATOM_REAL:
        if (js_is(json, JS_INTEGER) || js_is(json, JS_REAL)) {
            a->real = js_real_value(json);
            return NULL;
        }
        break;
    case ATOM_BOOLEAN:
        if (js_is_bool(json)) {
            a->boolean = js_bool_value(json);
            return NULL;
        }
        break;
    case ATOM_STRING:
        if (js_is(json, JS_STRING)) {
            a->string = istr_make(js_str_value(json), js_str_len(json));
            return NULL;
        }
        break;
    case ATOM_UUID:
        return uuid_from_json(&a->uuid, base, json, symtab);
    case ATOM_VOID: case ATOM_N_TYPES:
        break;
    }
    return dberr_syntax(json, "expected %s", atom_type_name(base->type));
}

struct dberr *
atom_from_json(union atom *a, const struct base_type *base, const struct json *json, struct symtab *symtab)
{
    struct dberr *e = read_atom(a, base, json, symtab);

    if (!e) {
        e = base_type_check(base, a);
        if (e) {
            atom_destroy(a, base->type);
        }
    }
    return e;
}

/* How one datum is read.  What reads is compiled for each way by itself: a row has many of them. */
struct reader {
    const struct col_type *type;
    struct symtab *symtab;
    struct dberr *(*atom)(union atom *, const struct base_type *, const struct json *, struct symtab *);
    bool loose, diff;
};

static ALWAYS_INLINE struct dberr *
read_pair(const struct reader *r, struct datum *d, const struct json *json)
{
    union atom key, value;
    struct dberr *e;

    if (!js_is(json, JS_ARRAY) || js_array_len(json) != 2) {
        return dberr_syntax(json, "expected 2-element array");
    }
    e = r->atom(&key, &r->type->key, js_at(json, 0), r->symtab);
    if (e) {
        return e;
    }
    e = r->atom(&value, &r->type->value, js_at(json, 1), r->symtab);
    if (e) {
        atom_destroy(&key, r->type->key.type);
        return e;
    }
    datum_append_take(d, r->type, key, &value);
    return NULL;
}

static ALWAYS_INLINE struct dberr *
read_element(const struct reader *r, struct datum *d, const struct json *json)
{
    union atom key;
    struct dberr *e;

    if (type_is_map(r->type)) {
        return read_pair(r, d, json);
    }
    e = r->atom(&key, &r->type->key, json, r->symtab);
    if (!e) {
        datum_append_take(d, r->type, key, NULL);
    }
    return e;
}

static struct dberr *
check_count(const struct reader *r, const struct json *json, size_t n)
{
    const struct col_type *t = r->type;
    const char *class = type_is_map(t) ? "map" : "set";

    if (r->loose || (n >= t->n_min && n <= t->n_max)) {
        return NULL;
    } else if (t->n_min == t->n_max) {
        return dberr_syntax(json, "%s must have exactly one member but %zu are present", class, n);
    }
    return dberr_syntax(json, "%s must have %u to %u members but %zu are present", class, t->n_min, t->n_max, n);
}

static bool
is_wrapped_set(const struct json *json)
{
    return js_is(json, JS_ARRAY) && js_array_len(json) > 0 && js_is(js_at(json, 0), JS_STRING)
           && !strcmp(js_str_value(js_at(json, 0)), "set");
}

/* Reads ["set", [...]] or ["map", [...]]. */
static ALWAYS_INLINE struct dberr *
read_many(const struct reader *r, struct datum *d, const struct json *json)
{
    const char *class = type_is_map(r->type) ? "map" : "set";
    const struct json *elements;
    struct dberr *e;

    if (!js_is(json, JS_ARRAY) || js_array_len(json) != 2 || !js_is(js_at(json, 0), JS_STRING)
        || strcmp(js_str_value(js_at(json, 0)), class) || !js_is(js_at(json, 1), JS_ARRAY)) {
        return dberr_syntax(json, "expected [\"%s\", <array>]", class);
    }
    elements = js_at(json, 1);
    e = check_count(r, json, js_array_len(elements));
    if (!e) {
        datum_reserve(d, r->type, js_array_len(elements));
    }
    for (size_t i = 0; !e && i < js_array_len(elements); i++) {
        e = read_element(r, d, js_at(elements, i));
    }
    if (!e && r->diff && r->type->key.type == ATOM_REAL && !type_is_map(r->type)) {
        datum_sort_paired(d, r->type);
        return NULL;
    }
    return e ? e : datum_sort(d, r->type);
}

static ALWAYS_INLINE struct dberr *
read_datum(const struct reader *r, struct datum *d, const struct json *json)
{
    struct dberr *e;

    if (!type_is_map(r->type) && !js_is(json, JS_ARRAY)) { /* A set of one, as most are. */
        e = r->atom(&d->one, &r->type->key, json, r->symtab);
        d->n = !e;
        d->in_block = false;
        return e;
    }
    datum_init_empty(d);
    e = type_is_map(r->type) || is_wrapped_set(json) ? read_many(r, d, json) : read_element(r, d, json);
    if (e) {
        datum_uninit(d, r->type);
    }
    return e;
}

struct dberr *
datum_from_json(struct datum *d, const struct col_type *type, const struct json *json, struct symtab *symtab)
{
    struct reader r = { .type = type, .symtab = symtab, .atom = atom_from_json };

    return read_datum(&r, d, json);
}

struct dberr *
datum_from_json_loose(struct datum *d, const struct col_type *type, const struct json *json, struct symtab *symtab)
{
    struct reader r = { .type = type, .symtab = symtab, .atom = read_atom, .loose = true };

    return read_datum(&r, d, json);
}

struct dberr *
datum_from_json_diff(struct datum *d, const struct col_type *type, const struct json *json)
{
    struct reader r = { .type = type, .atom = read_atom, .loose = true, .diff = true };

    return read_datum(&r, d, json);
}

struct json *
datum_to_json(const struct datum *d, const struct col_type *type)
{
    struct json *json, *elements;

    if (!type_is_map(type) && d->n == 1) {
        return atom_to_json(datum_keys(d), type->key.type);
    }
    elements = js_array();
    for (size_t i = 0; i < d->n; i++) {
        struct json *key = atom_to_json(&datum_keys(d)[i], type->key.type);

        if (type_is_map(type)) {
            struct json *pair = js_array();

            js_append_take(pair, key);
            js_append_take(pair, atom_to_json(&datum_values(d)[i], type->value.type));
            key = pair;
        }
        js_append_take(elements, key);
    }
    json = js_array();
    js_append_take(json, js_str(type_is_map(type) ? "map" : "set"));
    js_append_take(json, elements);
    return json;
}

static inline void
put_datum(struct str *s, const struct datum *d, const struct col_type *type,
          void (*put)(struct str *, const union atom *, enum atom_type))
{
    bool map = type_is_map(type);

    if (!map && d->n == 1) {
        put(s, datum_keys(d), type->key.type);
        return;
    }
    str_puts(s, map ? "[\"map\",[" : "[\"set\",[");
    for (size_t i = 0; i < d->n; i++) {
        if (i) {
            str_putc(s, ',');
        }
        if (map) {
            str_putc(s, '[');
        }
        put(s, &datum_keys(d)[i], type->key.type);
        if (map) {
            str_putc(s, ',');
            put(s, &datum_values(d)[i], type->value.type);
            str_putc(s, ']');
        }
    }
    str_puts(s, "]]");
}

void
datum_put_json(struct str *s, const struct datum *d, const struct col_type *type)
{
    put_datum(s, d, type, atom_put_json);
}

void
datum_put_json_exact(struct str *s, const struct datum *d, const struct col_type *type)
{
    if (type->key.type == ATOM_REAL || type->value.type == ATOM_REAL) {
        put_datum(s, d, type, atom_put_json_exact);
    } else {
        datum_put_json(s, d, type);
    }
}
