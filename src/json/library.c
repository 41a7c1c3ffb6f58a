/* The library's parser: it says what is wrong with a text, and reads what parse.c leaves to it. */
#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "json/private.h"

static struct json *from_library(json_t *);

static struct json *
object_from_library(json_t *from)
{
    struct json *object = js_object();

    for (void *it = json_object_iter(from); it; it = json_object_iter_next(from, it)) {
        js_set_take(object, json_object_iter_key(it), from_library(json_object_iter_value(it)));
    }
    return object;
}

static struct json *
array_from_library(json_t *from)
{
    struct json *array = js_array();

    for (size_t i = 0; i < json_array_size(from); i++) {
        js_append_take(array, from_library(json_array_get(from, i)));
    }
    return array;
}

/* The library refuses what nests too deeply, so the recursion ends. */
static struct json *
from_library(json_t *from)
{
    double r;

    switch (json_typeof(from)) {
    case JSON_OBJECT: return object_from_library(from);
    case JSON_ARRAY: return array_from_library(from);
    case JSON_STRING: return js_strn(json_string_value(from), json_string_length(from));
    case JSON_INTEGER: return js_int(json_integer_value(from));
    case JSON_REAL:
        r = json_real_value(from);
        return json_is_whole(r) ? js_int(r) : js_real(r);
    case JSON_TRUE: return js_bool(true);
    case JSON_FALSE: return js_bool(false);
    case JSON_NULL: break;
    }
    return js_null();
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

/* The library calls an integer beyond 64 bits an error. */
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

/* Without memory the library calls a good text wrong, or trips over an assertion; so it takes memory as we do, unless
 * the program has allocators of its own for it. */
static void
set_allocator(void)
{
    json_malloc_t alloc;
    json_free_t release;

    json_get_alloc_funcs(&alloc, &release);
    if (release == free) {
        json_set_alloc_funcs(xmalloc, free);
    }
}

struct error *
json_parse_library(const char *text, size_t n, struct json **json)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    json_error_t e;
    json_t *from;

    pthread_once(&once, set_allocator);
    from = json_loadb(text, n, JSON_DECODE_ANY, &e);
    if (!from && json_error_code(&e) == json_error_numeric_overflow) {
        from = parse_with_reals(text, n, &e);
    }
    *json = from ? from_library(from) : NULL;
    json_decref(from);
    return *json ? NULL : error_new("line %d, column %d, byte %d: %s", e.line, e.column, e.position, e.text);
}
