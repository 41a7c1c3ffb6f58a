#include "json/json.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* 'struct json' is jansson's json_t under another name; these two are the only casts. */
static json_t *
j(const struct json *json)
{
    return (json_t *) json;
}

static struct json *
w(json_t *json)
{
    if (!json) {
        out_of_memory();
    }
    return (struct json *) json;
}

/* A number without a fraction is an integer however it is written.  -2**63 stands for all integers just below it
 * too. */
static bool
is_whole(double r)
{
    return r == floor(r) && r > -9223372036854775808.0 && r < 9223372036854775808.0;
}

enum js_type
js_type(const struct json *json)
{
    switch (json_typeof(j(json))) {
    case JSON_OBJECT: return JS_OBJECT;
    case JSON_ARRAY: return JS_ARRAY;
    case JSON_STRING: return JS_STRING;
    case JSON_INTEGER: return JS_INTEGER;
    case JSON_REAL: return is_whole(json_real_value(j(json))) ? JS_INTEGER : JS_REAL;
    case JSON_TRUE: return JS_TRUE;
    case JSON_FALSE: return JS_FALSE;
    case JSON_NULL: break;
    }
    return JS_NULL;
}

const char *
js_type_name(enum js_type type)
{
    static const char *const names[] = { "null", "false", "true", "object", "array", "number", "number", "string" };

    return names[type];
}

struct json *
js_ref(const struct json *json)
{
    return (struct json *) json_incref(j(json));
}

void
js_unref(struct json *json)
{
    json_decref(j(json));
}

struct json *
js_null(void)
{
    return w(json_null());
}

struct json *
js_bool(bool b)
{
    return w(json_boolean(b));
}

struct json *
js_int(int64_t i)
{
    return w(json_integer(i));
}

struct json *
js_real(double r)
{
    return isfinite(r) ? w(json_real(r)) : js_null();
}

/* Copies 'text', putting U+FFFD for each byte that starts no valid UTF-8 sequence. */
static struct json *
string_from_bytes(const char *text, size_t n)
{
    struct str fixed = STR_INIT;
    struct json *string;

    for (size_t i = 0; i < n;) {
        size_t len = 0;

        for (size_t try = 1; try <= 4 && i + try <= n && !len; try++) {
            json_t *one = json_stringn(text + i, try);

            len = one ? try : 0;
            json_decref(one);
        }
        str_putn(&fixed, len ? text + i : "\xef\xbf\xbd", len ? len : 3);
        i += MAX(len, 1);
    }
    string = w(json_stringn(str_text(&fixed), fixed.len));
    str_uninit(&fixed);
    return string;
}

struct json *
js_strn(const char *text, size_t n)
{
    json_t *string = json_stringn(text, n);

    return string ? w(string) : string_from_bytes(text, n);
}

struct json *
js_str(const char *text)
{
    return js_strn(text, strlen(text));
}

struct json *
js_strf(const char *format, ...)
{
    struct json *string;
    va_list args;
    char *text;

    va_start(args, format);
    text = xvasprintf(format, args);
    va_end(args);
    string = js_str(text);
    free(text);
    return string;
}

struct json *
js_array(void)
{
    return w(json_array());
}

void
js_append_take(struct json *array, struct json *element)
{
    if (json_array_append_new(j(array), j(element))) {
        out_of_memory();
    }
}

size_t
js_array_len(const struct json *array)
{
    return json_array_size(j(array));
}

struct json *
js_at(const struct json *array, size_t i)
{
    return (struct json *) json_array_get(j(array), i);
}

struct json *
js_object(void)
{
    return w(json_object());
}

void
js_set_take(struct json *object, const char *name, struct json *value)
{
    if (json_object_set_new_nocheck(j(object), name, j(value))) {
        out_of_memory();
    }
}

void
js_remove(struct json *object, const char *name)
{
    json_object_del(j(object), name);
}

size_t
js_object_len(const struct json *object)
{
    return json_object_size(j(object));
}

struct json *
js_get(const struct json *object, const char *name)
{
    return (struct json *) json_object_get(j(object), name);
}

bool
js_bool_value(const struct json *json)
{
    return json_is_true(j(json));
}

int64_t
js_int_value(const struct json *json)
{
    return json_is_real(j(json)) ? (json_int_t) json_real_value(j(json)) : json_integer_value(j(json));
}

double
js_real_value(const struct json *json)
{
    return json_number_value(j(json));
}

const char *
js_str_value(const struct json *json)
{
    return json_string_value(j(json));
}

size_t
js_str_len(const struct json *json)
{
    return json_string_length(j(json));
}

const char *
js_get_str(const struct json *object, const char *name)
{
    return json_string_value(json_object_get(j(object), name));
}

void *
js_iter(const struct json *object)
{
    return json_object_iter(j(object));
}

void *
js_iter_next(const struct json *object, void *it)
{
    return json_object_iter_next(j(object), it);
}

const char *
js_iter_name(void *it)
{
    return json_object_iter_key(it);
}

struct json *
js_iter_value(void *it)
{
    return (struct json *) json_object_iter_value(it);
}

bool
js_equal(const struct json *a, const struct json *b)
{
    return json_equal(j(a), j(b));
}

struct json *
js_clone(const struct json *json)
{
    return w(json_deep_copy(j(json)));
}

static int
compare_names(const void *a, const void *b)
{
    return strcmp(js_iter_name(*(void *const *) a), js_iter_name(*(void *const *) b));
}

/* An array of the object's members, to be released with free(). */
static void **
members_of(const struct json *json, enum js_format format)
{
    const size_t n = js_object_len(json);
    void **members = xcalloc(n, sizeof *members);
    size_t i = 0;

    for (void *it = js_iter(json); it; it = js_iter_next(json, it)) {
        members[i++] = it;
    }
    if (format & JS_SORTED) {
        qsort(members, n, sizeof *members, compare_names);
    }
    return members;
}

static void
put_string(struct str *s, const char *text, size_t n)
{
    static const char letters[] = "btnvfr"; /* For the codes 8 to 13. */
    size_t plain = 0;

    str_putc(s, '"');
    for (size_t i = 0; i < n; i++) {
        unsigned char c = text[i];

        if (c >= ' ' && c != '"' && c != '\\') {
            continue;
        }
        str_putn(s, text + plain, i - plain);
        plain = i + 1;
        if (c == '"' || c == '\\') {
            str_putf(s, "\\%c", c);
        } else if (c >= 8 && c <= 13 && c != 11) {
            str_putf(s, "\\%c", letters[c - 8]);
        } else {
            str_putf(s, "\\u%04x", c);
        }
    }
    str_putn(s, text + plain, n - plain);
    str_putc(s, '"');
}

static void
put_number(struct str *s, const struct json *json)
{
    double r = js_real_value(json);

    if (json_is_real(j(json))) {
        str_putf(s, "%.15g", r ? r : 0.0); /* No "-0". */
    } else {
        str_putf(s, "%" PRId64, js_int_value(json));
    }
}

static void put_value(struct str *s, const struct json *json, enum js_format format, int depth);

/* What comes before member or element 'i'. */
static void
put_separator(struct str *s, size_t i, enum js_format format, int depth)
{
    str_puts(s, i ? "," : "");
    if (format & JS_PRETTY) {
        str_putc(s, '\n');
        str_put_fill(s, ' ', 2 * depth);
    }
}

static void
put_object(struct str *s, const struct json *json, enum js_format format, int depth)
{
    void **members = members_of(json, format);

    str_putc(s, '{');
    for (size_t i = 0; i < js_object_len(json); i++) {
        const char *name = js_iter_name(members[i]);

        put_separator(s, i, format, depth);
        put_string(s, name, strlen(name));
        str_puts(s, format & JS_PRETTY ? ": " : ":");
        put_value(s, js_iter_value(members[i]), format, depth);
    }
    str_putc(s, '}');
    free(members);
}

static void
put_array(struct str *s, const struct json *json, enum js_format format, int depth)
{
    str_putc(s, '[');
    for (size_t i = 0; i < js_array_len(json); i++) {
        put_separator(s, i, format, depth);
        put_value(s, js_at(json, i), format, depth);
    }
    str_putc(s, ']');
}

/* Pretty: one member or element a line; brackets close where the last one ends.  jansson refuses to read what nests too
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
    case JS_STRING: put_string(s, js_str_value(json), js_str_len(json)); break;
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
        put_string(s, text, n);
    } else {
        struct json *string = js_str(text);

        put_value(s, string, JS_COMPACT, 0);
        js_unref(string);
    }
}

/* --- Integers beyond 64 bits --- */

/* Whether the number in the 'n' bytes at 'text' is an integer that does not fit. */
static bool
is_too_big(const char *text, size_t n)
{
    char *end;

    errno = 0;
    strtoll(text, &end, 10);
    return errno == ERANGE && end == text + n;
}

static size_t
number_length(const char *text, size_t n)
{
    size_t len = 0;

    while (len < n && strchr("+-.eE0123456789", text[len]) && text[len]) {
        len++;
    }
    return len;
}

/* Copies the text with ".0" after every integer that does not fit: those are reals.  Returns how many there are. */
static size_t
copy_with_reals(struct str *s, const char *text, size_t n)
{
    bool in_string = false;
    size_t found = 0;

    for (size_t i = 0; i < n;) {
        size_t len = in_string ? 0 : number_length(text + i, n - i);

        if (len) {
            str_putn(s, text + i, len);
            /* The copy ends in a null byte, so strtoll() stays inside. */
            if (is_too_big(s->text + s->len - len, len)) {
                str_puts(s, ".0");
                found++;
            }
            i += len;
            continue;
        }
        if (text[i] == '\\' && in_string && i + 1 < n) {
            str_putc(s, text[i++]);
        } else if (text[i] == '"') {
            in_string = !in_string;
        }
        str_putc(s, text[i++]);
    }
    return found;
}

/* jansson calls an integer beyond 64 bits an error. */
static json_t *
parse_with_reals(const char *text, size_t n, json_error_t *e)
{
    struct str s = STR_INIT;
    json_t *json = NULL;

    if (copy_with_reals(&s, text, n)) {
        json = json_loadb(str_text(&s), s.len, JSON_DECODE_ANY, e);
    }
    str_uninit(&s);
    return json;
}

struct error *
js_parse(const char *text, size_t n, struct json **json)
{
    json_error_t e;

    *json = (struct json *) json_loadb(text, n, JSON_DECODE_ANY, &e);
    if (!*json && json_error_code(&e) == json_error_numeric_overflow) {
        *json = (struct json *) parse_with_reals(text, n, &e);
    }
    return *json ? NULL : error_new("line %d, column %d, byte %d: %s", e.line, e.column, e.position, e.text);
}

struct error *
js_parse_string(const char *text, struct json **json)
{
    return js_parse(text, strlen(text), json);
}

/* Reads all of 'fd'; 0 or a negative errno value. */
static int
read_all(int fd, struct str *s)
{
    char chunk[16384];
    ssize_t n;

    while ((n = read(fd, chunk, sizeof chunk)) != 0) {
        if (n > 0) {
            str_putn(s, chunk, n);
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}

struct error *
js_parse_file(const char *path, struct json **json)
{
    struct str text = STR_INIT;
    struct error *error;
    int fd, status;

    *json = NULL;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    status = fd < 0 ? -errno : read_all(fd, &text);
    error = status ? error_new("error opening \"%s\": %s", path, strerror(-status))
                   : js_parse(str_text(&text), text.len, json);
    if (fd >= 0) {
        close(fd);
    }
    str_uninit(&text);
    return error;
}
