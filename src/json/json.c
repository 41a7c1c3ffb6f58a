#include "json/json.h"

#include <errno.h>
#include <fcntl.h>
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

enum js_type
js_type(const struct json *json)
{
    switch (json_typeof(j(json))) {
    case JSON_OBJECT: return JS_OBJECT;
    case JSON_ARRAY: return JS_ARRAY;
    case JSON_STRING: return JS_STRING;
    case JSON_INTEGER: return JS_INTEGER;
    case JSON_REAL: return JS_REAL;
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
    return json_integer_value(j(json));
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
append_text(const char *text, size_t n, void *s)
{
    str_putn(s, text, n);
    return 0;
}

static void
put_compact(struct str *s, const struct json *json, enum js_format format)
{
    size_t flags = JSON_ENCODE_ANY | JSON_REAL_PRECISION(15) | JSON_COMPACT;

    flags |= format & JS_SORTED ? JSON_SORT_KEYS : 0;
    if (json_dump_callback(j(json), append_text, s, flags)) {
        out_of_memory();
    }
}

static int
compare_names(const void *a, const void *b)
{
    return strcmp(js_iter_name(*(void *const *) a), js_iter_name(*(void *const *) b));
}

static void put_pretty(struct str *s, const struct json *json, enum js_format format, int depth);

static void
put_pretty_object(struct str *s, const struct json *json, enum js_format format, int depth)
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
    for (i = 0; i < n; i++) {
        str_puts(s, i ? ",\n" : "\n");
        str_put_fill(s, ' ', 2 * depth);
        js_put_quoted(s, js_iter_name(members[i]));
        str_puts(s, ": ");
        put_pretty(s, js_iter_value(members[i]), format, depth);
    }
    free(members);
}

/* One member or element a line; brackets close where the last one ends.  jansson refuses what nests too deeply. */
static void
put_pretty(struct str *s, const struct json *json, enum js_format format, int depth)
{
    if (js_is(json, JS_OBJECT) && js_object_len(json)) {
        str_putc(s, '{');
        put_pretty_object(s, json, format, depth + 1);
        str_putc(s, '}');
    } else if (js_is(json, JS_ARRAY) && js_array_len(json)) {
        str_putc(s, '[');
        for (size_t i = 0; i < js_array_len(json); i++) {
            str_puts(s, i ? ",\n" : "\n");
            str_put_fill(s, ' ', 2 * (depth + 1));
            put_pretty(s, js_at(json, i), format, depth + 1);
        }
        str_putc(s, ']');
    } else {
        put_compact(s, json, format);
    }
}

void
js_put(struct str *s, const struct json *json, enum js_format format)
{
    if (format & JS_PRETTY) {
        put_pretty(s, json, format, 0);
    } else {
        put_compact(s, json, format);
    }
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
    struct json *string = js_str(text);

    js_put(s, string, JS_COMPACT);
    js_unref(string);
}

struct error *
js_parse(const char *text, size_t n, struct json **json)
{
    json_error_t e;

    *json = (struct json *) json_loadb(text, n, JSON_DECODE_ANY, &e);
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
                   : error_wrap(js_parse(str_text(&text), text.len, json), "%s", path);
    if (fd >= 0) {
        close(fd);
    }
    str_uninit(&text);
    return error;
}
