/* Writing values as text. */
#include <stdlib.h>
#include <string.h>

#include "json/private.h"

enum { ESCAPE_MAX = 6 };

static int
compare_names(const void *a, const void *b)
{
    return strcmp((*(struct json *const *) a)->text, (*(struct json *const *) b)->text);
}

/* The members' names in order, in an array to be released with free(). */
static struct json **
sorted_members(const struct json *object)
{
    struct json **members = xcalloc(object->n + 1, sizeof *members);

    for (size_t i = 0; i < object->n; i++) {
        members[i] = json_member(object, i);
    }
    qsort(members, object->n, sizeof *members, compare_names);
    return members;
}

/* Copies the part of the 'n' bytes at 'text' that stands for itself, and maybe up to 7 of what follows it; returns its
 * length. */
static inline size_t
copy_plain(char *to, const char *text, size_t n)
{
    size_t i = 0;

    while (n - i >= 8) {
        unsigned plain = js_plain_bytes(text + i);

        memcpy(to + i, text + i, 8);
        i += plain;
        if (plain < 8) {
            break;
        }
    }
    for (; i < n && (unsigned char) text[i] >= ' ' && text[i] != '"' && text[i] != '\\'; i++) {
        to[i] = text[i];
    }
    return i;
}

/* Writes the character as an escape of at most ESCAPE_MAX bytes; returns where that ends. */
static char *
put_escape(char *at, unsigned char c)
{
    static const char letters[] = "btnvfr", digits[] = "0123456789abcdef"; /* Letters for the codes 8 to 13. */

    *at++ = '\\';
    if (c == '"' || c == '\\') {
        *at++ = c;
    } else if (c >= 8 && c <= 13 && c != 11) {
        *at++ = letters[c - 8];
    } else {
        at = mempcpy(at, "u00", 3);
        *at++ = digits[c >> 4];
        *at++ = digits[c & 15];
    }
    return at;
}

void
js_put_string(struct str *s, const char *text, size_t n)
{
    char *at = str_reserve(s, n + ESCAPE_MAX + 2);
    size_t plain;

    *at++ = '"';
    while (plain = copy_plain(at, text, n), plain < n) {
        at = put_escape(at + plain, text[plain]);
        text += plain + 1;
        n -= plain + 1;
        s->len = at - s->text;
        at = str_reserve(s, n + ESCAPE_MAX + 1);
    }
    at[n] = '"';
    at[n + 1] = '\0';
    s->len = at + n + 1 - s->text;
}

static void
put_number(struct str *s, const struct json *json)
{
    if (json->kind == KIND_INTEGER) {
        str_put_int(s, json->integer);
    } else {
        str_putf(s, "%.15g", json->real ? json->real : 0.0); /* No "-0". */
    }
}

static void put_value(struct str *s, const struct json *json, enum js_format format, int depth);

/* What comes before member or element 'i'. */
static void
put_separator(struct str *s, size_t i, enum js_format format, int depth)
{
    if (i) {
        str_putc(s, ',');
    }
    if (format & JS_PRETTY) {
        str_putc(s, '\n');
        str_put_fill(s, ' ', 2 * depth);
    }
}

static void
put_member(struct str *s, size_t i, struct json *name, enum js_format format, int depth)
{
    put_separator(s, i, format, depth);
    js_put_string(s, name->text, name->n);
    str_puts(s, format & JS_PRETTY ? ": " : ":");
    put_value(s, json_member_value(name), format, depth);
}

static void
put_object(struct str *s, const struct json *json, enum js_format format, int depth)
{
    str_putc(s, '{');
    if (format & JS_SORTED) {
        struct json **members = sorted_members(json);

        for (size_t i = 0; i < json->n; i++) {
            put_member(s, i, members[i], format, depth);
        }
        free(members);
    } else {
        for (size_t i = 0; i < json->n; i++) {
            put_member(s, i, json_member(json, i), format, depth);
        }
    }
    str_putc(s, '}');
}

static void
put_array(struct str *s, const struct json *json, enum js_format format, int depth)
{
    str_putc(s, '[');
    for (size_t i = 0; i < json->n; i++) {
        put_separator(s, i, format, depth);
        put_value(s, js_at(json, i), format, depth);
    }
    str_putc(s, ']');
}

/* Pretty: one member or element a line; brackets close where the last one ends.  the parsers refuse what nests too
 * deeply, so the recursion ends. */
static void
put_value(struct str *s, const struct json *json, enum js_format format, int depth)
{
    switch (js_type(json)) {
    case JS_NULL: str_puts(s, "null"); break;
    case JS_FALSE: str_puts(s, "false"); break;
    case JS_TRUE: str_puts(s, "true"); break;
    case JS_OBJECT: put_object(s, json, format, depth + 1); break;
    case JS_ARRAY: put_array(s, json, format, depth + 1); break;
    case JS_INTEGER:
    case JS_REAL: put_number(s, json); break;
    case JS_STRING: js_put_string(s, json->text, json->n); break;
    }
}

void
js_put(struct str *s, const struct json *json, enum js_format format)
{
    put_value(s, json, format, 0);
}

char *
js_to_string(const struct json *json, enum js_format format)
{
    struct str s = STR_INIT;

    js_put(&s, json, format);
    return str_steal(&s);
}

void
js_put_quoted(struct str *s, const char *text)
{
    size_t n = 0;

    while (text[n] && !(text[n] & 0x80)) {
        n++;
    }
    if (!text[n]) {
        js_put_string(s, text, n);
    } else {
        struct json *string = js_str(text);

        put_value(s, string, JS_COMPACT, 0);
        js_unref(string);
    }
}

