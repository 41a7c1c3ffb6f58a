/* JSON values (RFC 8259), for messages small enough to hold in memory.
 *
 * What it is: values of our own (the prefix is js_ because json_ is the library's).  A 'struct json' is
 * reference counted: functions that make one return a reference that the caller owns; js_ref() adds one and js_unref()
 * drops one.  Functions whose name says 'take' consume the reference given; js_get*() and js_at() borrow, valid while
 * the container is.
 *
 * Once shared, a value is treated as immutable; what was parsed cannot be changed at all (js_clone() gives a copy that
 * can).  Objects keep the order of insertion; js_to_string() can sort the keys.  Integers are 64-bit; a number with a
 * fraction, or beyond that, is a real.  Strings are valid UTF-8 and may hold null characters only as \u0000 (refused on
 * input: nothing that Weft speaks uses them).
 *
 * How it works: a text that is parsed becomes one block (private.h), of at most eight bytes for each byte of text, so a
 * message of a database client costs some hundreds of nanoseconds to read and next to nothing to forget.  A reference
 * to a part of it holds the whole.  What is not quite usual, errors first of all, is left to jansson, which words the
 * errors; the tests compare the two.
 *
 * Threads: one at a time for each value (the reference counts are not atomic across different owners). */
#ifndef JSON_JSON_H
#define JSON_JSON_H 1

#include <endian.h>

#include "base/error.h"
#include "base/str.h"

struct json;

enum js_type { JS_NULL, JS_FALSE, JS_TRUE, JS_OBJECT, JS_ARRAY, JS_INTEGER, JS_REAL,
                 JS_STRING };

enum js_type js_type(const struct json *);
/* "null", "false", "true", "object", "array", "number", "string", for messages. */
const char *js_type_name(enum js_type);

struct json *js_ref(const struct json *) MUST_CHECK;
void js_unref(struct json *); /* Null is allowed. */

struct json *js_null(void) MUST_CHECK;
struct json *js_bool(bool) MUST_CHECK;
struct json *js_int(int64_t) MUST_CHECK;
struct json *js_real(double) MUST_CHECK;
/* 'text' must be UTF-8; bytes that are not become U+FFFD. */
struct json *js_str(const char *text) MUST_CHECK;
struct json *js_strn(const char *text, size_t n) MUST_CHECK;
struct json *js_strf(const char *format, ...) PRINTF_FORMAT(1, 2) MUST_CHECK;

/* A new, empty array; appends to it; its number of elements (0 for what is no array); element 'i', null beyond. */
struct json *js_array(void) MUST_CHECK;
void js_append_take(struct json *array, struct json *element);
size_t js_array_len(const struct json *array);
struct json *js_at(const struct json *array, size_t i);

struct json *js_object(void) MUST_CHECK;
void js_set_take(struct json *object, const char *name, struct json *value); /* Replaces. */
void js_remove(struct json *object, const char *name);
size_t js_object_len(const struct json *object);
/* The member, or null if there is none (or 'object' is no object). */
struct json *js_get(const struct json *object, const char *name);

static inline bool js_is(const struct json *j, enum js_type t) { return j && js_type(j) == t; }
static inline bool js_is_bool(const struct json *j) { return js_is(j, JS_TRUE) || js_is(j, JS_FALSE); }

/* Contents of a value of the right type (asserted).  js_real_value() takes integers too. */
bool js_bool_value(const struct json *);
int64_t js_int_value(const struct json *);
double js_real_value(const struct json *);
const char *js_str_value(const struct json *);
size_t js_str_len(const struct json *);

/* The string member 'name', or null if it is absent or no string. */
const char *js_get_str(const struct json *object, const char *name);

/* Members of an object in order of insertion: for (it = js_iter(o); it; it = js_iter_next(o, it)). */
void *js_iter(const struct json *object);
void *js_iter_next(const struct json *object, void *it);
const char *js_iter_name(void *it);
struct json *js_iter_value(void *it);

bool js_equal(const struct json *, const struct json *);
struct json *js_clone(const struct json *) MUST_CHECK; /* Deep. */

enum js_format { JS_COMPACT = 0, JS_SORTED = 1, JS_PRETTY = 2 };

/* Text, to be released with free(); appended to 's' by js_put(). */
char *js_to_string(const struct json *, enum js_format) MUST_CHECK;
void js_put(struct str *s, const struct json *, enum js_format);

/* Appends 'text' as a JSON string, quotes included; see js_str(). */
void js_put_quoted(struct str *s, const char *text);
/* The same for 'n' bytes that are known to be UTF-8. */
void js_put_string(struct str *s, const char *text, size_t n);

/* Reads one value from the 'n' bytes at 'text'; nothing but white space may follow.  Sets '*json' (null on error) and
 * returns an error with line and column. */
struct error *js_parse(const char *text, size_t n, struct json **json) MUST_CHECK;
struct error *js_parse_string(const char *text, struct json **json) MUST_CHECK;
/* The same of a text that is taken over, null-terminated and to be released with free(): a long one is not copied. */
struct error *js_parse_take(char *text, size_t n, struct json **json) MUST_CHECK;

/* Reads the object or array at the start of the 'n' bytes at 'text', whatever follows it.  Returns its length; 0, with
 * '*json' null, if it is not complete, or in any way such that js_parse() had better say what it is. */
size_t js_parse_first(const char *text, size_t n, unsigned max_depth, struct json **json) MUST_CHECK;

/* Reads a whole file.  Only the error of one that cannot be read names it. */
struct error *js_parse_file(const char *path, struct json **json) MUST_CHECK;

/* How many of the 8 characters at 'p' come before the first quote, backslash, control character or other than ASCII. */
static inline unsigned
js_plain_bytes(const char *p)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), high = ones << 7;
    uint64_t w, quote, backslash, odd;

    memcpy(&w, p, sizeof w);
    w = le64toh(w);
    quote = w ^ ones * '"';
    backslash = w ^ ones * '\\';
    /* A byte less than N sets its high bit in (w - N), if no borrow reaches it; a borrow comes from such a byte, so the
     * first is exact. */
    odd = (w | (w - ones * 0x20) | (quote - ones) | (backslash - ones)) & high;
    return odd ? (unsigned) __builtin_ctzll(odd) / 8 : 8;
}

/* The same of the 'n' characters at 'p', but for the last few, which may be passed by. */
static inline size_t
js_plain_run(const char *p, size_t n)
{
    size_t i = 0;
    unsigned more = 8;

    while (more == 8 && n - i >= 8) {
        more = js_plain_bytes(p + i);
        i += more;
    }
    return i;
}

#endif
