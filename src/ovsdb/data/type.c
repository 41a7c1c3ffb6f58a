#include "ovsdb/data/type.h"

#include <float.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>

#include "ovsdb/data/datum.h"
#include "ovsdb/data/members.h"
#include "ovsdb/data/text.h"

void
base_type_init(struct base_type *b, enum atom_type t)
{
    *b = (struct base_type) { .type = t };
    if (t == ATOM_INTEGER) {
        b->integer.min = INT64_MIN;
        b->integer.max = INT64_MAX;
    } else if (t == ATOM_REAL) {
        b->real.min = -DBL_MAX;
        b->real.max = DBL_MAX;
    } else if (t == ATOM_STRING) {
        b->string.max = UINT_MAX;
    }
}

/* The type of an enumeration of 't'. */
static struct col_type
enum_type(enum atom_type t)
{
    struct col_type c;

    col_type_init_scalar(&c, t);
    c.n_max = TYPE_UNLIMITED;
    return c;
}

void
base_type_clone(struct base_type *dst, const struct base_type *src)
{
    *dst = *src;
    if (src->enum_) {
        struct col_type t = enum_type(src->type);

        dst->enum_ = xmalloc(sizeof *dst->enum_);
        datum_clone(dst->enum_, src->enum_, &t);
    }
    if (src->type == ATOM_UUID) {
        dst->uuid.ref_table = xstrdup(src->uuid.ref_table);
    }
}

void
base_type_uninit(struct base_type *b)
{
    if (b->enum_) {
        struct col_type t = enum_type(b->type);

        datum_uninit(b->enum_, &t);
        free(b->enum_);
    }
    if (b->type == ATOM_UUID) {
        free(b->uuid.ref_table);
    }
    base_type_init(b, ATOM_VOID);
}

bool
base_type_has_constraints(const struct base_type *b)
{
    if (b->enum_) {
        return true;
    }
    switch (b->type) {
    case ATOM_INTEGER: return b->integer.min != INT64_MIN || b->integer.max != INT64_MAX;
    case ATOM_REAL: return b->real.min != -DBL_MAX || b->real.max != DBL_MAX;
    case ATOM_STRING: return b->string.min || b->string.max != UINT_MAX;
    case ATOM_VOID: case ATOM_BOOLEAN: case ATOM_UUID: case ATOM_N_TYPES: break;
    }
    return false;
}

static bool
enum_equal(const struct base_type *a, const struct base_type *b)
{
    struct col_type t = enum_type(a->type);

    return a->enum_ && b->enum_ ? datum_equal(a->enum_, b->enum_, &t) : a->enum_ == b->enum_;
}

bool
base_type_equal(const struct base_type *a, const struct base_type *b)
{
    if (a->type != b->type || !enum_equal(a, b)) {
        return false;
    }
    switch (a->type) {
    case ATOM_INTEGER: return a->integer.min == b->integer.min && a->integer.max == b->integer.max;
    case ATOM_REAL: return a->real.min == b->real.min && a->real.max == b->real.max;
    case ATOM_STRING: return a->string.min == b->string.min && a->string.max == b->string.max;
    case ATOM_UUID:
        return a->uuid.ref_table && b->uuid.ref_table
               ? a->uuid.ref_type == b->uuid.ref_type && !strcmp(a->uuid.ref_table, b->uuid.ref_table)
               : a->uuid.ref_table == b->uuid.ref_table;
    case ATOM_VOID: case ATOM_BOOLEAN: case ATOM_N_TYPES: break;
    }
    return true;
}

#define FEW 8u

static struct dberr *
enum_error(const struct base_type *b, const union atom *a)
{
    struct col_type t = enum_type(b->type);
    struct str allowed = STR_INIT, value = STR_INIT;
    struct dberr *e;

    atom_put_text(&value, a, b->type);
    datum_put_text(&allowed, b->enum_, &t);
    e = dberr_new(DBERR_CONSTRAINT, "%s is not one of the allowed values (%s)", str_text(&value), str_text(&allowed));
    str_uninit(&allowed);
    str_uninit(&value);
    return e;
}

static struct dberr *
enum_check(const struct base_type *b, const union atom *a)
{
    /* Most often one of a few, to which it is equal by its address if it is a string. */
    for (size_t i = 0; i < MIN(b->enum_->n, FEW); i++) {
        if (atom_equal(&datum_keys(b->enum_)[i], a, b->type)) {
            return NULL;
        }
    }
    return datum_find(b->enum_, a, b->type) == UINT_MAX ? enum_error(b, a) : NULL;
}

static struct dberr *
integer_check(const struct base_type *b, int64_t i)
{
    int64_t min = b->integer.min, max = b->integer.max;

    if (i >= min && i <= max) {
        return NULL;
    } else if (min != INT64_MIN && max != INT64_MAX) {
        return dberr_new(DBERR_CONSTRAINT, "%" PRId64 " is not in the valid range %" PRId64 " to %" PRId64
                         " (inclusive)", i, min, max);
    } else if (i < min) {
        return dberr_new(DBERR_CONSTRAINT, "%" PRId64 " is less than minimum allowed value %" PRId64, i, min);
    }
    return dberr_new(DBERR_CONSTRAINT, "%" PRId64 " is greater than maximum allowed value %" PRId64, i, max);
}

static struct dberr *
real_check(const struct base_type *b, double r)
{
    double min = b->real.min, max = b->real.max;

    if (r >= min && r <= max) {
        return NULL;
    } else if (min != -DBL_MAX && max != DBL_MAX) {
        return dberr_new(DBERR_CONSTRAINT, "%.*g is not in the valid range %.*g to %.*g (inclusive)",
                         DBL_DIG, r, DBL_DIG, min, DBL_DIG, max);
    } else if (r < min) {
        return dberr_new(DBERR_CONSTRAINT, "%.*g is less than minimum allowed value %.*g", DBL_DIG, r, DBL_DIG, min);
    }
    return dberr_new(DBERR_CONSTRAINT, "%.*g is greater than maximum allowed value %.*g", DBL_DIG, r, DBL_DIG, max);
}

static unsigned
utf8_length(const char *s)
{
    unsigned n = 0;

    for (; *s; s++) {
        n += (*s & 0xc0) != 0x80;
    }
    return n;
}

static struct dberr *
string_check(const struct base_type *b, const char *s)
{
    unsigned n;

    if (!b->string.min && b->string.max == UINT_MAX) {
        return NULL;
    }
    n = utf8_length(s);
    if (n < b->string.min) {
        return dberr_new(DBERR_CONSTRAINT, "\"%s\" length %u is less than minimum allowed length %u",
                         s, n, b->string.min);
    } else if (n > b->string.max) {
        return dberr_new(DBERR_CONSTRAINT, "\"%s\" length %u is greater than maximum allowed length %u",
                         s, n, b->string.max);
    }
    return NULL;
}

struct dberr *
base_type_check(const struct base_type *b, const union atom *a)
{
    if (b->enum_) {
        return enum_check(b, a);
    }
    switch (b->type) {
    case ATOM_INTEGER: return integer_check(b, a->integer);
    case ATOM_REAL: return real_check(b, a->real);
    case ATOM_STRING: return string_check(b, a->string->text);
    case ATOM_VOID: case ATOM_BOOLEAN: case ATOM_UUID: case ATOM_N_TYPES: break;
    }
    return NULL;
}

/* --- JSON --- */

static struct dberr *
atom_type_from_json(enum atom_type *t, const struct json *json)
{
    if (js_is(json, JS_STRING)) {
        const char *name = js_str_value(json);

        if (!atom_type_from_name(name, t) || *t == ATOM_VOID) {
            *t = ATOM_VOID;
            return dberr_syntax(json, "\"%s\" is not an atomic-type", name);
        }
        return NULL;
    }
    return dberr_syntax(json, "atomic-type expected");
}

static void
take_integers(struct base_type *b, struct members *m)
{
    const struct json *min = members_take(m, "minInteger", M_INTEGER | M_OPTIONAL);
    const struct json *max = members_take(m, "maxInteger", M_INTEGER | M_OPTIONAL);

    b->integer.min = min ? js_int_value(min) : INT64_MIN;
    b->integer.max = max ? js_int_value(max) : INT64_MAX;
    if (!m->error && b->integer.min > b->integer.max) {
        m->error = dberr_syntax(m->object, "minInteger exceeds maxInteger");
    }
}

static void
take_reals(struct base_type *b, struct members *m)
{
    const struct json *min = members_take(m, "minReal", M_NUMBER | M_OPTIONAL);
    const struct json *max = members_take(m, "maxReal", M_NUMBER | M_OPTIONAL);

    b->real.min = min ? js_real_value(min) : -DBL_MAX;
    b->real.max = max ? js_real_value(max) : DBL_MAX;
    if (!m->error && b->real.min > b->real.max) {
        m->error = dberr_syntax(m->object, "minReal exceeds maxReal");
    }
}

static unsigned
take_length(struct members *m, const char *name, unsigned default_)
{
    const struct json *json = members_take(m, name, M_INTEGER | M_OPTIONAL);

    if (!json) {
        return default_;
    }
    if (js_int_value(json) < 0 || js_int_value(json) > UINT32_MAX) {
        m->error = dberr_syntax(json, "%s out of valid range 0 to %u", name, UINT32_MAX);
        return default_;
    }
    return js_int_value(json);
}

static void
take_lengths(struct base_type *b, struct members *m)
{
    b->string.min = take_length(m, "minLength", 0);
    b->string.max = take_length(m, "maxLength", UINT_MAX);
    if (!m->error && b->string.min > b->string.max) {
        m->error = dberr_syntax(m->object, "minLength exceeds maxLength");
    }
}

static void
take_reference(struct base_type *b, struct members *m)
{
    const struct json *table = members_take(m, "refTable", M_ID | M_OPTIONAL);
    const struct json *type = table ? members_take(m, "refType", M_ID | M_OPTIONAL) : NULL;
    const char *text = type ? js_str_value(type) : "strong";

    if (!table) {
        return;
    }
    b->uuid.ref_table = xstrdup(js_str_value(table));
    b->uuid.ref_type = !strcmp(text, "weak") ? REF_WEAK : REF_STRONG;
    if (!m->error && b->uuid.ref_type == REF_STRONG && strcmp(text, "strong")) {
        m->error = dberr_syntax(m->object, "refType must be \"strong\" or \"weak\" (not \"%s\")", text);
    }
}

static struct dberr *
take_enum(struct base_type *b, const struct json *json)
{
    struct col_type t = enum_type(b->type);
    struct dberr *e;

    b->enum_ = xmalloc(sizeof *b->enum_);
    e = datum_from_json(b->enum_, &t, json, NULL);
    if (e) {
        free(b->enum_);
        b->enum_ = NULL;
    }
    return e;
}

static void
take_constraints(struct base_type *b, struct members *m)
{
    const struct json *enum_ = members_take(m, "enum", M_ANY | M_OPTIONAL);

    if (m->error) {
        return;
    }
    if (enum_) {
        m->error = take_enum(b, enum_);
    } else if (b->type == ATOM_INTEGER) {
        take_integers(b, m);
    } else if (b->type == ATOM_REAL) {
        take_reals(b, m);
    } else if (b->type == ATOM_STRING) {
        take_lengths(b, m);
    } else if (b->type == ATOM_UUID) {
        take_reference(b, m);
    }
}

struct dberr *
base_type_from_json(struct base_type *b, const struct json *json)
{
    const struct json *type;
    struct members m;
    struct dberr *e;

    base_type_init(b, ATOM_VOID);
    if (js_is(json, JS_STRING)) {
        enum atom_type t;

        e = atom_type_from_json(&t, json);
        base_type_init(b, t);
        return e;
    }
    members_init(&m, json, "ovsdb type");
    type = members_take(&m, "type", M_STRING);
    if (!m.error) {
        enum atom_type t;

        m.error = atom_type_from_json(&t, type);
        base_type_init(b, t);
        take_constraints(b, &m);
    }
    e = members_finish(&m);
    if (e) {
        base_type_uninit(b);
    }
    return e;
}

static void
put_real(struct json *json, const char *name, double r)
{
    js_set_take(json, name, js_real(r));
}

static void
constraints_to_json(const struct base_type *b, struct json *json)
{
    switch (b->type) {
    case ATOM_INTEGER:
        if (b->integer.min != INT64_MIN) {
            js_set_take(json, "minInteger", js_int(b->integer.min));
        }
        if (b->integer.max != INT64_MAX) {
            js_set_take(json, "maxInteger", js_int(b->integer.max));
        }
        break;
    case ATOM_REAL:
        if (b->real.min != -DBL_MAX) {
            put_real(json, "minReal", b->real.min);
        }
        if (b->real.max != DBL_MAX) {
            put_real(json, "maxReal", b->real.max);
        }
        break;
    case ATOM_STRING:
        if (b->string.min) {
            js_set_take(json, "minLength", js_int(b->string.min));
        }
        if (b->string.max != UINT_MAX) {
            js_set_take(json, "maxLength", js_int(b->string.max));
        }
        break;
    case ATOM_UUID:
        if (b->uuid.ref_table) {
            js_set_take(json, "refTable", js_str(b->uuid.ref_table));
            if (b->uuid.ref_type == REF_WEAK) {
                js_set_take(json, "refType", js_str("weak"));
            }
        }
        break;
    case ATOM_VOID: case ATOM_BOOLEAN: case ATOM_N_TYPES:
        break;
    }
}

struct json *
base_type_to_json(const struct base_type *b)
{
    struct json *json;

    if (!base_type_has_constraints(b) && !base_is_ref(b)) {
        return js_str(atom_type_name(b->type));
    }
    json = js_object();
    js_set_take(json, "type", js_str(atom_type_name(b->type)));
    if (b->enum_) {
        struct col_type t = enum_type(b->type);

        js_set_take(json, "enum", datum_to_json(b->enum_, &t));
    } else {
        constraints_to_json(b, json);
    }
    return json;
}

/* --- Column types --- */

void
col_type_init_scalar(struct col_type *c, enum atom_type t)
{
    base_type_init(&c->key, t);
    base_type_init(&c->value, ATOM_VOID);
    c->n_min = c->n_max = 1;
}

void
col_type_clone(struct col_type *dst, const struct col_type *src)
{
    *dst = *src;
    base_type_clone(&dst->key, &src->key);
    base_type_clone(&dst->value, &src->value);
}

void
col_type_uninit(struct col_type *c)
{
    base_type_uninit(&c->key);
    base_type_uninit(&c->value);
}

bool
col_type_equal(const struct col_type *a, const struct col_type *b)
{
    return a->n_min == b->n_min && a->n_max == b->n_max && base_type_equal(&a->key, &b->key)
           && base_type_equal(&a->value, &b->value);
}

/* Reads "min" or "max" into '*n'. */
static struct dberr *
n_from_json(const struct json *json, uint32_t *n)
{
    if (json) {
        if (!js_is(json, JS_INTEGER) || js_int_value(json) < 0 || js_int_value(json) >= UINT32_MAX) {
            return dberr_syntax(json, "bad min or max value");
        }
        *n = js_int_value(json);
    }
    return NULL;
}

static void
take_counts(struct col_type *c, struct members *m)
{
    const struct json *min = members_take(m, "min", M_INTEGER | M_OPTIONAL);
    const struct json *max = members_take(m, "max", M_INTEGER | M_STRING | M_OPTIONAL);

    if (!m->error) {
        m->error = n_from_json(min, &c->n_min);
    }
    if (js_is(max, JS_STRING) && !strcmp(js_str_value(max), "unlimited")) {
        c->n_max = TYPE_UNLIMITED;
    } else if (!m->error) {
        m->error = n_from_json(max, &c->n_max);
    }
}

struct dberr *
col_type_from_json(struct col_type *c, const struct json *json)
{
    const struct json *key, *value;
    struct members m;
    struct dberr *e;

    col_type_init_scalar(c, ATOM_VOID);
    if (js_is(json, JS_STRING)) {
        return base_type_from_json(&c->key, json);
    }
    members_init(&m, json, "ovsdb type");
    key = members_take(&m, "key", M_STRING | M_OBJECT);
    value = members_take(&m, "value", M_STRING | M_OBJECT | M_OPTIONAL);
    if (!m.error) {
        take_counts(c, &m);
    }
    e = members_finish(&m);
    e = e ? e : base_type_from_json(&c->key, key);
    e = !e && value ? base_type_from_json(&c->value, value) : e;
    if (!e && (c->n_min > 1 || c->n_max < 1 || c->n_min > c->n_max)) {
        e = dberr_syntax(json, "ovsdb type fails constraint checks");
    }
    if (e) {
        col_type_uninit(c);
    }
    return e;
}

struct json *
col_type_to_json(const struct col_type *c)
{
    struct json *json;

    if (type_is_scalar(c) && !base_type_has_constraints(&c->key) && !base_is_ref(&c->key)) {
        return base_type_to_json(&c->key);
    }
    json = js_object();
    js_set_take(json, "key", base_type_to_json(&c->key));
    if (type_is_map(c)) {
        js_set_take(json, "value", base_type_to_json(&c->value));
    }
    if (c->n_min != 1) {
        js_set_take(json, "min", js_int(c->n_min));
    }
    if (c->n_max == TYPE_UNLIMITED) {
        js_set_take(json, "max", js_str("unlimited"));
    } else if (c->n_max != 1) {
        js_set_take(json, "max", js_int(c->n_max));
    }
    return json;
}

char *
col_type_to_english(const struct col_type *c)
{
    const char *key = atom_type_name(c->key.type);
    struct str s = STR_INIT;

    if (type_is_scalar(c)) {
        return xstrdup(key);
    }
    str_puts(&s, type_is_map(c) ? "map of " : "set of ");
    if (c->n_max == TYPE_UNLIMITED) {
        if (c->n_min) {
            str_putf(&s, "%u or more ", c->n_min);
        }
    } else if (c->n_min) {
        str_putf(&s, "%u to %u ", c->n_min, c->n_max);
    } else {
        str_putf(&s, "up to %u ", c->n_max);
    }
    if (type_is_map(c)) {
        str_putf(&s, "(%s, %s) pairs", key, atom_type_name(c->value.type));
    } else {
        str_putf(&s, "%ss", key);
    }
    return str_steal(&s);
}
