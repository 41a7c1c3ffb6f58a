#include "ovsdb/data/atom.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>

#include "base/hash.h"

static const char *const type_names[ATOM_N_TYPES] = {
    [ATOM_VOID] = "void", [ATOM_INTEGER] = "integer", [ATOM_REAL] = "real",
    [ATOM_BOOLEAN] = "boolean", [ATOM_STRING] = "string", [ATOM_UUID] = "uuid",
};

const char *
atom_type_name(enum atom_type t)
{
    return type_names[t];
}

bool
atom_type_from_name(const char *name, enum atom_type *t)
{
    for (int i = 0; i < ATOM_N_TYPES; i++) {
        if (!strcmp(name, type_names[i])) {
            *t = i;
            return true;
        }
    }
    return false;
}

union atom
atom_default(enum atom_type t)
{
    union atom a = { .uuid = { { 0 } } };

    if (t == ATOM_STRING) {
        a.string = istr_ref(istr_empty());
    }
    return a;
}

bool
atom_is_default(const union atom *a, enum atom_type t)
{
    switch (t) {
    case ATOM_INTEGER: return !a->integer;
    case ATOM_REAL: return a->real == 0.0;
    case ATOM_BOOLEAN: return !a->boolean;
    case ATOM_STRING: return !a->string->len;
    case ATOM_UUID: return uuid_is_zero(&a->uuid);
    case ATOM_VOID: case ATOM_N_TYPES: break;
    }
    return true;
}

#define COMPARE(A, B) (((A) > (B)) - ((A) < (B)))

int
atom_compare(const union atom *a, const union atom *b, enum atom_type t)
{
    switch (t) {
    case ATOM_INTEGER: return COMPARE(a->integer, b->integer);
    case ATOM_REAL: return COMPARE(a->real, b->real);
    case ATOM_BOOLEAN: return a->boolean - b->boolean;
    case ATOM_STRING: return a->string == b->string ? 0 : strcmp(a->string->text, b->string->text);
    case ATOM_UUID: return memcmp(&a->uuid, &b->uuid, sizeof a->uuid);
    case ATOM_VOID: case ATOM_N_TYPES: break;
    }
    return 0;
}

bool
atom_equal(const union atom *a, const union atom *b, enum atom_type t)
{
    return t == ATOM_STRING ? a->string == b->string : !atom_compare(a, b, t);
}

uint32_t
atom_hash(const union atom *a, enum atom_type t, uint32_t basis)
{
    switch (t) {
    case ATOM_INTEGER: return hash_u64(a->integer, basis);
    case ATOM_REAL: {
        double real = a->real == 0.0 ? 0.0 : a->real; /* Both zeros are equal. */

        return hash_bytes(&real, sizeof real, basis);
    }
    case ATOM_BOOLEAN: return hash_u32(a->boolean, basis);
    case ATOM_STRING: return hash_u64(a->string->hash, basis);
    case ATOM_UUID: return hash_bytes(&a->uuid, sizeof a->uuid, basis);
    case ATOM_VOID: case ATOM_N_TYPES: break;
    }
    return basis;
}

struct json *
atom_to_json(const union atom *a, enum atom_type t)
{
    switch (t) {
    case ATOM_INTEGER: return js_int(a->integer);
    case ATOM_REAL: return js_real(a->real);
    case ATOM_BOOLEAN: return js_bool(a->boolean);
    case ATOM_STRING: return js_strn(a->string->text, a->string->len);
    case ATOM_UUID: {
        struct json *array = js_array();
        char text[UUID_LEN + 1];

        uuid_format(&a->uuid, text);
        js_append_take(array, js_str("uuid"));
        js_append_take(array, js_strn(text, UUID_LEN));
        return array;
    }
    case ATOM_VOID: case ATOM_N_TYPES: break;
    }
    return js_null();
}

/* A real with up to 15 digits and the shortest form that the reference's programs print. */
static void
put_real(struct str *s, double real)
{
    str_putf(s, "%.*g", 15, real);
}

void
atom_put_json_exact(struct str *s, const union atom *a, enum atom_type t)
{
    const size_t start = s->len;

    atom_put_json(s, a, t);
    if (t == ATOM_REAL && isfinite(a->real) && strtod(s->text + start, NULL) != a->real) {
        str_truncate(s, start);
        str_putf(s, "%.17g", a->real);
    }
}

void
atom_put_json(struct str *s, const union atom *a, enum atom_type t)
{
    char *at;

    switch (t) {
    case ATOM_REAL:
        if (isfinite(a->real)) {
            put_real(s, a->real);
        } else {
            str_puts(s, "null");
        }
        break;
    case ATOM_STRING:
        js_put_string(s, a->string->text, a->string->len);
        break;
    case ATOM_UUID:
        at = mempcpy(str_reserve(s, UUID_LEN + 11), "[\"uuid\",\"", 9);
        uuid_format(&a->uuid, at);
        memcpy(at + UUID_LEN, "\"]", 3);
        s->len += UUID_LEN + 11;
        break;
    case ATOM_INTEGER: case ATOM_BOOLEAN: case ATOM_VOID: case ATOM_N_TYPES:
        atom_put_bare(s, a, t);
        break;
    }
}

void
atom_put_bare(struct str *s, const union atom *a, enum atom_type t)
{
    char text[UUID_LEN + 1];

    switch (t) {
    case ATOM_INTEGER:
        str_put_int(s, a->integer);
        break;
    case ATOM_REAL:
        put_real(s, a->real);
        break;
    case ATOM_BOOLEAN:
        str_puts(s, a->boolean ? "true" : "false");
        break;
    case ATOM_STRING:
        str_putn(s, a->string->text, a->string->len);
        break;
    case ATOM_UUID:
        uuid_format(&a->uuid, text);
        str_putn(s, text, UUID_LEN);
        break;
    case ATOM_VOID: case ATOM_N_TYPES:
        break;
    }
}

bool
atom_text_needs_quotes(const char *text)
{
    struct uuid uuid;
    const char *p = text;

    if (!isalpha((unsigned char) *p) && *p != '_') {
        return true;
    }
    while (*++p) {
        if (!isalnum((unsigned char) *p) && *p != '_' && *p != '-' && *p != '.') {
            return true;
        }
    }
    return uuid_parse_prefix(&uuid, text) || !strcmp(text, "true") || !strcmp(text, "false");
}

void
atom_put_text(struct str *s, const union atom *a, enum atom_type t)
{
    if (t == ATOM_STRING && atom_text_needs_quotes(a->string->text)) {
        js_put_quoted(s, a->string->text);
    } else {
        atom_put_bare(s, a, t);
    }
}
