#include "ovsdb/data/text.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"

/* More elements than this must be written as several ranges. */
#define RANGE_MAX 4096

static bool
is_delimiter(char c)
{
    return c && strchr(":=, []{}!<>", c);
}

/* --- Tokens --- */

/* Takes a quoted string, quotes and all. */
static struct error *
take_quoted(const char **text, char **token)
{
    const char *start = *text, *p = start + 1;

    while (*p != '"') {
        if (*p == '\\') {
            p++;
        }
        if (!*p) {
            return error_new("%s: quoted string extends past end of argument", start);
        }
        p++;
    }
    p++;
    *token = xstrndup(start, p - start);
    *text = p;
    return NULL;
}

struct error *
text_take_token(const char **text, char **token)
{
    const char *p = *text;
    struct str s = STR_INIT;

    *token = NULL;
    if (*p == '"') {
        return take_quoted(text, token);
    }
    while (*p && !is_delimiter(*p) && !isspace((unsigned char) *p)) {
        if (*p == '\\' && p[1]) {
            p++; /* What is behind a backslash means only itself. */
        }
        str_putc(&s, *p++);
    }
    *token = str_steal(&s);
    *text = p;
    return NULL;
}

/* --- Atoms --- */

/* What follows the quote at the start of a JSON string, for the error of one that is wrong. */
static struct error *
quoted_error(const char *text, struct error *e)
{
    size_t len = strlen(text);
    const char *p;

    error_free(e);
    if (len < 2 || text[len - 1] != '"') {
        return error_new("%s: missing quote at end of quoted string", text);
    }
    for (p = text + 1; *p; p++) {
        if (*p == '\\') {
            p++;
            if (!strchr("\"\\/bfnrtu", *p)) {
                return error_new("%s: bad escape \\%c", text, *p);
            }
        } else if (*p == '"' && p[1]) {
            return error_new("%s: quoted string ends before the end", text);
        }
    }
    return error_new("%s: bad quoted string", text);
}

static struct error *
string_from_text(struct istr **string, const char *text)
{
    if (!*text) {
        return error_new("An empty string is not valid as input; use \"\" to represent the empty string");
    }
    if (*text == '"') {
        struct json *json;
        struct error *e = js_parse_string(text, &json);

        if (e) {
            return quoted_error(text, e);
        }
        *string = istr_make(js_str_value(json), js_str_len(json));
        js_unref(json);
        return NULL;
    } else {
        /* Through JSON, so that what is not UTF-8 is replaced. */
        struct json *json = js_str(text);

        *string = istr_make(js_str_value(json), js_str_len(json));
        js_unref(json);
    }
    return NULL;
}

/* Reads "N" or, where 'end' is not null, "N-M". */
static struct error *
integers_from_text(int64_t *first, int64_t *end, const char *text)
{
    const char *dash = end && *text ? strchr(text + 1, '-') : NULL;
    char *low;
    bool ok;

    if (num_parse_s64(text, 10, first)) {
        if (end) {
            *end = *first;
        }
        return NULL;
    }
    low = xstrndup(text, dash ? dash - text : 0);
    ok = dash && num_parse_s64(low, 10, first) && num_parse_s64(dash + 1, 10, end);
    free(low);
    if (!ok) {
        return error_new("\"%s\" is not a valid integer or range", text);
    } else if (*end < *first) {
        return error_new("\"%s\" is not a valid range. Range end cannot be before start.", text);
    } else if ((uint64_t) *end - (uint64_t) *first >= RANGE_MAX) {
        return error_new("\"%s\" is not a valid range. Range size must be less than or equal to %d.", text,
                         RANGE_MAX);
    }
    return NULL;
}

static struct error *
uuid_from_text(struct uuid *uuid, const struct base_type *base, const char *text, struct symtab *symtab)
{
    if (*text == '@' && symtab) {
        struct symbol *symbol = symtab_get(symtab, text);

        symbol->strong_ref |= base_is_strong(base);
        symbol->weak_ref |= base_is_weak(base);
        *uuid = symbol->uuid;
        return NULL;
    }
    return uuid_parse(uuid, text) ? NULL : error_new("\"%s\" is not a valid UUID", text);
}

static struct error *
boolean_from_text(bool *b, const char *text)
{
    static const char *const yes[] = { "true", "yes", "on", "1" }, *const no[] = { "false", "no", "off", "0" };

    for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
        if (!strcmp(text, yes[i]) || !strcmp(text, no[i])) {
            *b = !strcmp(text, yes[i]);
            return NULL;
        }
    }
    return error_new("\"%s\" is not a valid boolean (use \"true\" or \"false\")", text);
}

static struct error *
read_atom(union atom *a, union atom *end, enum atom_type type, const struct base_type *base, const char *text,
          struct symtab *symtab)
{
    switch (type) {
    case ATOM_INTEGER: return integers_from_text(&a->integer, end ? &end->integer : NULL, text);
    case ATOM_REAL:
        return num_parse_double(text, &a->real) ? NULL : error_new("\"%s\" is not a valid real number", text);
    case ATOM_BOOLEAN: return boolean_from_text(&a->boolean, text);
    case ATOM_STRING: return string_from_text(&a->string, text);
    case ATOM_UUID: return uuid_from_text(&a->uuid, base, text, symtab);
    case ATOM_VOID: case ATOM_N_TYPES: break;
    }
    return error_new("\"%s\" is not a value", text);
}

struct error *
atom_from_text(union atom *a, union atom *range_end, const struct base_type *base, const char *text,
               struct symtab *symtab)
{
    union atom *end = base->type == ATOM_INTEGER ? range_end : NULL;
    struct error *e;

    *a = (union atom) { .uuid = { { 0 } } };
    e = read_atom(a, end, base->type, base, text, symtab);
    if (e) {
        return e;
    }
    e = dberr_to_error(base_type_check(base, a));
    e = !e && end ? dberr_to_error(base_type_check(base, end)) : e;
    if (e) {
        atom_destroy(a, base->type);
    }
    return e;
}

/* --- Data --- */

struct parse {
    const struct col_type *type;
    struct symtab *symtab;
    const char *whole; /* For errors. */
    const char *at;
    struct datum *d;
};

static void
skip_spaces(struct parse *p)
{
    while (isspace((unsigned char) *p->at)) {
        p->at++;
    }
}

static struct error *
take_atom(struct parse *p, union atom *a, union atom *end, const struct base_type *base)
{
    char *token;
    struct error *e = text_take_token(&p->at, &token);

    e = e ? e : atom_from_text(a, end, base, token, p->symtab);
    free(token);
    return e;
}

static struct error *
take_value(struct parse *p, union atom key)
{
    struct error *e = NULL;
    union atom value;

    skip_spaces(p);
    if (*p->at != '=') {
        e = *p->at ? error_new("%s: syntax error at \"%c\" expecting \"=\"", p->whole, *p->at)
                   : error_new("%s: syntax error at \"", p->whole);
    } else {
        p->at++;
        skip_spaces(p);
        e = take_atom(p, &value, NULL, &p->type->value);
    }
    if (e) {
        atom_destroy(&key, p->type->key.type);
    } else {
        datum_append_take(p->d, p->type, key, &value);
    }
    return e;
}

static struct error *
take_element(struct parse *p)
{
    bool range = p->type->key.type == ATOM_INTEGER && !type_is_map(p->type);
    union atom key, end;
    struct error *e;

    if (is_delimiter(*p->at)) {
        char *english = col_type_to_english(p->type);

        e = error_new("%s: unexpected \"%c\" parsing %s", p->whole, *p->at, english);
        free(english);
        return e;
    }
    e = take_atom(p, &key, range ? &end : NULL, &p->type->key);
    if (e || type_is_map(p->type)) {
        return e ? e : take_value(p, key);
    }
    datum_append_take(p->d, p->type, key, NULL);
    while (range && key.integer < end.integer) {
        key.integer++;
        datum_append_take(p->d, p->type, key, NULL);
    }
    return NULL;
}

/* After an element: spaces and at most one comma. */
static void
skip_separator(struct parse *p)
{
    skip_spaces(p);
    if (*p->at == ',') {
        p->at++;
        skip_spaces(p);
    }
}

/* Takes the closing bracket 'close' (0: none) and whatever is left. */
static struct error *
take_close(struct parse *p, char close)
{
    if (close) {
        if (*p->at != close) {
            return error_new("%s: missing \"%c\" at end of data", p->whole, close);
        }
        p->at++;
        skip_spaces(p);
        if (*p->at) {
            return error_new("%s: trailing garbage after \"%c\"", p->whole, close);
        }
    }
    return NULL;
}

static struct error *
check_result(struct parse *p)
{
    const char *class = type_is_map(p->type) ? "pair" : "value";
    struct dberr *duplicate = datum_sort(p->d, p->type);
    unsigned n = p->d->n;

    if (duplicate) {
        dberr_free(duplicate);
        return error_new("%s: %s", p->whole, type_is_map(p->type) ? "map contains duplicate key"
                                                                   : "set contains duplicate value");
    } else if (n < p->type->n_min) {
        return error_new("%s: %u %s(s) specified but the minimum number is %u", p->whole, n, class, p->type->n_min);
    } else if (n > p->type->n_max) {
        return error_new("%s: %u %s(s) specified but the maximum number is %u", p->whole, n, class, p->type->n_max);
    }
    return NULL;
}

struct error *
datum_from_text(struct datum *d, const struct col_type *type, const char *text, struct symtab *symtab)
{
    struct parse p = { type, symtab, text, text, d };
    char open = type_is_map(type) ? '{' : '[', close = 0;
    struct error *e = NULL;

    datum_init_empty(d);
    skip_spaces(&p);
    if (*p.at == open) {
        close = open == '{' ? '}' : ']';
        p.at++;
        skip_spaces(&p);
    }
    while (!e && *p.at && *p.at != (close ? close : '\0')) {
        e = take_element(&p);
        if (!e) {
            skip_separator(&p);
        }
    }
    e = e ? e : take_close(&p, close);
    e = e ? e : check_result(&p);
    if (e) {
        datum_uninit(d, type);
    }
    return e;
}

/* --- Writing --- */

static void
put_elements(struct str *s, const struct datum *d, const struct col_type *type, const char *separator,
             void (*put)(struct str *, const union atom *, enum atom_type))
{
    for (size_t i = 0; i < d->n; i++) {
        if (i) {
            str_puts(s, separator);
        }
        put(s, &datum_keys(d)[i], type->key.type);
        if (type_is_map(type)) {
            str_putc(s, '=');
            put(s, &datum_values(d)[i], type->value.type);
        }
    }
}

void
datum_put_text(struct str *s, const struct datum *d, const struct col_type *type)
{
    bool map = type_is_map(type), brackets = map || type->n_max > 1 || !d->n;

    if (brackets) {
        str_putc(s, map ? '{' : '[');
    }
    put_elements(s, d, type, ", ", atom_put_text);
    if (brackets) {
        str_putc(s, map ? '}' : ']');
    }
}

void
datum_put_bare(struct str *s, const struct datum *d, const struct col_type *type)
{
    put_elements(s, d, type, " ", atom_put_bare);
}
