/* ovs._json: the incremental JSON parser (RFC 8259) of ovs.json, as a Python extension.
 *
 * What it is
 * ----------
 * Parser.feed(TEXT) reads one value from a str or from UTF-8 bytes and returns how much of it (characters, or bytes) it
 * used; is_done() tells whether the value is complete or wrong; finish() returns the value, or a message as a str if
 * there was an error ("line L, column C, byte B: ...", counted from 0).  As in every stream of JSON-RPC the outermost
 * value is an object or an array.  With check_trailer=True what follows it may only be white space.
 *
 * How it works
 * ------------
 * Text is cut into spans: white space, a punctuation mark, or as much as there is of a word, a number or a quoted text.
 * A token that a piece of input leaves unfinished waits in 'token' for the next piece.  Its value goes straight, as a
 * Python object, into the innermost open container; 'may_come' is the set of what may follow.  A number that is an
 * integer of 64 bits, however it is written, becomes an int; any other a float.
 *
 * Limits: MAX_HEIGHT levels.
 *
 * Threads: Python's global lock. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>

enum { MAX_HEIGHT = 1000 };

/* The token that has begun. */
enum token { NO_TOKEN, WORD, NUMBER, TEXT };

/* What may come next. */
enum { A_VALUE = 1, A_NAME = 2, A_COLON = 4, A_COMMA = 8, THE_END = 16 /* Of the innermost container. */ };

struct level {
    PyObject *container; /* A list or a dict. */
    PyObject *name;      /* Of the member whose value comes next; null in lists. */
};

struct parser {
    PyObject_HEAD
    bool check_trailer;
    enum token kind;
    bool after_backslash;    /* In a TEXT. */
    unsigned int may_come;   /* Once the outermost container is open. */
    char *token;             /* Bytes of the unfinished token. */
    size_t n_token, allocated_token;
    struct level *levels;    /* The open containers, outermost first. */
    size_t n_levels, allocated_levels;
    PyObject *value;         /* The result once it is complete; null before. */
    PyObject *error;         /* Message; null if there was no error. */
    bool done;
    size_t line, column, byte;
};

/* Set when an exception of Python is on its way (no memory), which ends the parsing as an error does. */
static bool
raised(void)
{
    return PyErr_Occurred() != NULL;
}

static void
fail(struct parser *p, const char *format, ...)
{
    char text[200];
    va_list args;

    if (p->error || raised()) {
        return;
    }
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    p->error = PyUnicode_FromFormat("line %zu, column %zu, byte %zu: %s", p->line, p->column, p->byte, text);
    p->done = true;
}

/* Makes room for one more element in an array. */
static bool
grow(void **array, size_t n, size_t *allocated, size_t size)
{
    if (n == *allocated) {
        size_t more = *allocated ? *allocated * 2 : 64;
        void *new_array = PyMem_Realloc(*array, more * size);

        if (!new_array) {
            PyErr_NoMemory();
            return false;
        }
        *array = new_array;
        *allocated = more;
    }
    return true;
}

/* Appends to the token. */
static bool
token_put(struct parser *p, const char *s, size_t n)
{
    while (n > p->allocated_token - p->n_token) {
        if (!grow((void **) &p->token, p->allocated_token, &p->allocated_token, 1)) {
            return false;
        }
    }
    memcpy(p->token + p->n_token, s, n);
    p->n_token += n;
    return true;
}

/* ---- Containers ---- */

static struct level *
top(struct parser *p)
{
    return &p->levels[p->n_levels - 1];
}

static bool
in_list(struct parser *p)
{
    return PyList_CheckExact(top(p)->container);
}

/* Puts 'value' (taken over; null after an exception) into the innermost container. */
static void
put_value(struct parser *p, PyObject *value)
{
    struct level *level = top(p);

    if (!value) {
        return;
    }
    if (in_list(p)) {
        PyList_Append(level->container, value);
    } else {
        PyDict_SetItem(level->container, level->name, value);
        Py_CLEAR(level->name);
    }
    Py_DECREF(value);
    p->may_come = A_COMMA | THE_END;
}

/* Says what was wrong with what came. */
static void
fail_unexpected(struct parser *p)
{
    if (p->value) {
        fail(p, "trailing garbage at end of input");
    } else if (!p->n_levels) {
        fail(p, "syntax error at beginning of input");
    } else if (p->may_come & A_COMMA) {
        fail(p, "syntax error expecting '%c' or ','", in_list(p) ? ']' : '}');
    } else if (p->may_come & A_VALUE) {
        fail(p, "syntax error expecting value");
    } else {
        fail(p, "syntax error parsing object expecting %s", p->may_come & A_NAME ? "string" : "':'");
    }
}

static bool
may_come(const struct parser *p, unsigned int what)
{
    return p->n_levels && p->may_come & what;
}

static void
open_container(struct parser *p, bool list)
{
    PyObject *container;

    if (p->value || (p->n_levels && !may_come(p, A_VALUE))) {
        fail_unexpected(p);
    } else if (p->n_levels >= MAX_HEIGHT) {
        fail(p, "input exceeds maximum nesting depth %d", MAX_HEIGHT);
    } else if (grow((void **) &p->levels, p->n_levels, &p->allocated_levels, sizeof *p->levels)) {
        container = list ? PyList_New(0) : PyDict_New();
        if (container) {
            p->levels[p->n_levels++] = (struct level) { .container = container };
            p->may_come = (list ? A_VALUE : A_NAME) | THE_END;
        }
    }
}

static void
close_container(struct parser *p)
{
    PyObject *container = top(p)->container;

    if (--p->n_levels) {
        put_value(p, container);
    } else {
        p->value = container;
        p->done = !p->check_trailer;
    }
}

static void
take_mark(struct parser *p, char c)
{
    if (c == '[' || c == '{') {
        open_container(p, c == '[');
    } else if ((c == ']' || c == '}') && may_come(p, THE_END) && in_list(p) == (c == ']')) {
        close_container(p);
    } else if (c == ',' && may_come(p, A_COMMA)) {
        p->may_come = in_list(p) ? A_VALUE : A_NAME;
    } else if (c == ':' && may_come(p, A_COLON)) {
        p->may_come = A_VALUE;
    } else {
        fail_unexpected(p);
    }
}

/* A value that is no container (taken over; null after an exception). */
static void
take_scalar(struct parser *p, PyObject *value)
{
    if (may_come(p, A_VALUE)) {
        put_value(p, value);
    } else {
        fail_unexpected(p);
        Py_XDECREF(value);
    }
}

/* A string, likewise: a value or a name. */
static void
take_string(struct parser *p, PyObject *string)
{
    if (!may_come(p, A_NAME)) {
        take_scalar(p, string);
    } else if (string) {
        /* The same few names come again and again. */
        PyUnicode_InternInPlace(&string);
        top(p)->name = string;
        p->may_come = A_COLON;
    }
}

/* ---- Tokens ---- */

static void
finish_word(struct parser *p)
{
    if (p->n_token == 4 && !memcmp(p->token, "null", 4)) {
        take_scalar(p, Py_NewRef(Py_None));
    } else if (p->n_token == 4 && !memcmp(p->token, "true", 4)) {
        take_scalar(p, Py_NewRef(Py_True));
    } else if (p->n_token == 5 && !memcmp(p->token, "false", 5)) {
        take_scalar(p, Py_NewRef(Py_False));
    } else {
        fail(p, "invalid keyword '%.*s'", (int) (p->n_token < 100 ? p->n_token : 100), p->token);
    }
}

/* A number as significand * 10^exponent, as far as that is exact. */
struct decimal {
    bool negative, exact;
    uint64_t significand;
    long exponent;
};

static void
decimal_digit(struct decimal *d, char c, bool fraction)
{
    if (d->significand > (UINT64_MAX - 9) / 10) {
        d->exact = false;
    } else {
        d->significand = d->significand * 10 + (uint64_t) (c - '0');
        d->exponent -= fraction;
    }
}

/* Reads the exponent's digits; what is far beyond every double stays there. */
static const char *
decimal_exponent(struct decimal *d, const char *s)
{
    bool negative = *s == '-';
    long exponent = 0;

    s += *s == '-' || *s == '+';
    for (; isdigit((unsigned char) *s); s++) {
        exponent = exponent < 100000 ? exponent * 10 + (*s - '0') : exponent;
    }
    d->exponent += negative ? -exponent : exponent;
    return s;
}

/* Reads a number; returns null and sets '*error' if it is malformed. */
static const char *
decimal_read(struct decimal *d, const char *s, const char **error)
{
    d->negative = *s == '-';
    s += d->negative;
    if (!isdigit((unsigned char) *s)) {
        *error = "'-' must be followed by digit";
        return NULL;
    }
    if (*s == '0' && isdigit((unsigned char) s[1])) {
        *error = "leading zeros not allowed";
        return NULL;
    }
    for (; isdigit((unsigned char) *s); s++) {
        decimal_digit(d, *s, false);
    }
    if (*s == '.') {
        if (!isdigit((unsigned char) *++s)) {
            *error = "decimal point must be followed by digit";
            return NULL;
        }
        for (; isdigit((unsigned char) *s); s++) {
            decimal_digit(d, *s, true);
        }
    }
    if (*s == 'e' || *s == 'E') {
        s++;
        if (!isdigit((unsigned char) s[*s == '-' || *s == '+'])) {
            *error = "exponent must contain at least one digit";
            return NULL;
        }
        s = decimal_exponent(d, s);
    }
    return s;
}

/* Whether 'd' is an integer of 64 bits: 'd->significand' is its magnitude then. */
static bool
decimal_to_integer(struct decimal *d)
{
    if (!d->exact) {
        return false;
    }
    if (!d->significand) {
        return true;
    }
    for (; d->exponent < 0 && d->significand % 10 == 0; d->exponent++) {
        d->significand /= 10;
    }
    for (; d->exponent > 0 && d->significand <= UINT64_MAX / 10; d->exponent--) {
        d->significand *= 10;
    }
    return d->exponent == 0 && d->significand <= (uint64_t) INT64_MAX + d->negative;
}

static void
finish_number(struct parser *p)
{
    struct decimal d = { .exact = true };
    const char *error = NULL, *end;

    if (!token_put(p, "", 1)) {
        return;
    }
    end = decimal_read(&d, p->token, &error);
    if (!end || *end) {
        fail(p, "%s", end ? "syntax error in number" : error);
    } else if (decimal_to_integer(&d)) {
        take_scalar(p, d.negative ? PyLong_FromLongLong((long long) (0 - d.significand))
                                   : PyLong_FromUnsignedLongLong(d.significand));
    } else {
        /* PyOS_string_to_double() does not depend on the locale, as strtod() would. */
        double real = PyOS_string_to_double(p->token, NULL, NULL);

        if (isinf(real)) {
            fail(p, "number outside valid range");
        } else {
            take_scalar(p, real ? PyFloat_FromDouble(real) : PyLong_FromLong(0));
        }
    }
}

/* The four hexadecimal digits at '*s'; -1 and an error if there are none. */
static int
hex4(struct parser *p, const char **s, const char *end)
{
    int value = 0;

    if (end - *s < 4) {
        fail(p, "quoted string ends within \\u escape");
        return -1;
    }
    for (int i = 0; i < 4; i++, (*s)++) {
        if (!isxdigit((unsigned char) **s)) {
            fail(p, "malformed \\u escape");
            return -1;
        }
        value = value * 16 + (isdigit((unsigned char) **s) ? **s - '0' : tolower((unsigned char) **s) - 'a' + 10);
    }
    return value;
}

static char *
put_utf8(char *to, uint32_t c)
{
    if (c < 0x80) {
        *to++ = (char) c;
    } else if (c < 0x800) {
        *to++ = (char) (0xc0 | c >> 6);
        *to++ = (char) (0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *to++ = (char) (0xe0 | c >> 12);
        *to++ = (char) (0x80 | (c >> 6 & 0x3f));
        *to++ = (char) (0x80 | (c & 0x3f));
    } else {
        *to++ = (char) (0xf0 | c >> 18);
        *to++ = (char) (0x80 | (c >> 12 & 0x3f));
        *to++ = (char) (0x80 | (c >> 6 & 0x3f));
        *to++ = (char) (0x80 | (c & 0x3f));
    }
    return to;
}

/* Replaces the rest of a "\u" escape, two of them if they are a pair.  The result is never longer than the escape. */
static char *
unescape_unicode(struct parser *p, const char **s, const char *end, char *to)
{
    int first = hex4(p, s, end), second;

    if (first < 0) {
        return to;
    }
    if (!first) {
        fail(p, "null bytes not supported in quoted strings");
    } else if (first < 0xd800 || first > 0xdfff) {
        return put_utf8(to, (uint32_t) first);
    } else if (first > 0xdbff || end - *s < 2 || (*s)[0] != '\\' || (*s)[1] != 'u') {
        fail(p, "malformed escaped surrogate pair");
    } else {
        *s += 2;
        second = hex4(p, s, end);
        if (second >= 0xdc00 && second <= 0xdfff) {
            return put_utf8(to, 0x10000 + ((uint32_t) (first & 0x3ff) << 10) + (uint32_t) (second & 0x3ff));
        }
        if (second >= 0) {
            fail(p, "second half of escaped surrogate pair is not trailing surrogate");
        }
    }
    return to;
}

/* Replaces the escapes in the token where it is; returns the new length. */
static size_t
unescape(struct parser *p)
{
    static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
    const char *s = memchr(p->token, '\\', p->n_token), *end = p->token + p->n_token;
    char *to = (char *) s;

    while (s && s < end && !p->error) {
        const char *found;

        if (*s != '\\') {
            *to++ = *s++;
            continue;
        }
        s++; /* The span does not end here. */
        found = *s ? strchr(from, *s) : NULL;
        if (found) {
            *to++ = into[found - from];
            s++;
        } else if (*s == 'u') {
            s++;
            to = unescape_unicode(p, &s, end, to);
        } else {
            fail(p, "bad escape \\%c", *s);
        }
    }
    return s ? (size_t) (to - p->token) : p->n_token;
}

static void
finish_text(struct parser *p)
{
    size_t n = unescape(p);
    PyObject *string;

    if (p->error) {
        return;
    }
    string = PyUnicode_DecodeUTF8(p->token ? p->token : "", (Py_ssize_t) n, NULL);
    if (!string && PyErr_ExceptionMatches(PyExc_UnicodeDecodeError)) {
        PyErr_Clear();
        fail(p, "invalid UTF-8 in quoted string");
        return;
    }
    take_string(p, string);
}

/* ---- Spans ---- */

static void
finish_token(struct parser *p)
{
    enum token kind = p->kind;

    p->kind = NO_TOKEN;
    if (kind == WORD) {
        finish_word(p);
    } else if (kind == NUMBER) {
        finish_number(p);
    } else {
        finish_text(p);
    }
}

/* A byte outside of tokens. */
static void
begin(struct parser *p, char c)
{
    p->n_token = 0;
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
        return;
    }
    if (c == '"') {
        p->kind = TEXT;
    } else if (c == '-' || isdigit((unsigned char) c)) {
        p->kind = NUMBER;
    } else if (c >= 'a' && c <= 'z') {
        p->kind = WORD;
    } else if (c && strchr("[{]}:,", c)) {
        take_mark(p, c);
    } else if (isprint((unsigned char) c)) {
        fail(p, "invalid character '%c'", c);
    } else {
        fail(p, "invalid character U+%04x", (unsigned char) c);
    }
}

/* How many of the 'n' bytes at 's' are the token's: of a text, all before the quotation mark that ends it or a byte
 * that it must not have. */
static size_t
span(struct parser *p, const char *s, size_t n)
{
    size_t i = 0;

    if (p->kind == WORD) {
        while (i < n && isalpha((unsigned char) s[i])) {
            i++;
        }
    } else if (p->kind == NUMBER) {
        while (i < n && s[i] && strchr("+-.0123456789eE", s[i])) {
            i++;
        }
    } else {
        for (; i < n && (p->after_backslash || (s[i] != '"' && (unsigned char) s[i] >= 0x20)); i++) {
            p->after_backslash = !p->after_backslash && s[i] == '\\';
        }
    }
    return i;
}

static void
count(struct parser *p, size_t n)
{
    p->byte += n;
    p->column += n;
}

/* Goes on with the token; returns how many bytes it took. */
static size_t
go_on(struct parser *p, const char *s, size_t n)
{
    bool is_text = p->kind == TEXT;
    size_t used = span(p, s, n);

    if (!token_put(p, s, used)) {
        return 0;
    }
    count(p, used);
    if (used == n) {
        return used;
    }
    if (is_text && s[used] != '"') {
        fail(p, "U+%04X must be escaped in quoted string", (unsigned char) s[used]);
    } else {
        finish_token(p);
        count(p, is_text && !p->error);
    }
    return used + is_text;
}

/* Returns the number of bytes used. */
static size_t
feed_bytes(struct parser *p, const char *s, size_t n)
{
    size_t i = 0;

    while (i < n && !p->done && !raised()) {
        if (!p->kind) {
            begin(p, s[i]);
            if (!p->kind || p->kind == TEXT) {
                count(p, !p->error);
                p->line += s[i] == '\n';
                p->column = s[i] == '\n' ? 0 : p->column;
                i++;
            }
        } else {
            i += go_on(p, s + i, n - i);
        }
    }
    return i;
}

/* ---- The Python type ---- */

static PyObject *
parser_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    static char name[] = "check_trailer";
    static char *names[] = { name, NULL };
    struct parser *p;
    int check_trailer = 0;

    if (!PyArg_ParseTupleAndKeywords(args, keywords, "|p", names, &check_trailer)) {
        return NULL;
    }
    p = (struct parser *) type->tp_alloc(type, 0);
    if (p) {
        p->check_trailer = check_trailer;
    }
    return (PyObject *) p;
}

static void
parser_dealloc(PyObject *self)
{
    struct parser *p = (struct parser *) self;
    PyTypeObject *type = Py_TYPE(self);

    for (size_t i = 0; i < p->n_levels; i++) {
        Py_XDECREF(p->levels[i].container);
        Py_XDECREF(p->levels[i].name);
    }
    Py_XDECREF(p->value);
    Py_XDECREF(p->error);
    PyMem_Free(p->levels);
    PyMem_Free(p->token);
    type->tp_free(self);
    Py_DECREF(type);
}

static size_t
count_characters(const char *s, size_t n)
{
    size_t count = 0;

    for (size_t i = 0; i < n; i++) {
        count += ((unsigned char) s[i] & 0xc0) != 0x80;
    }
    return count;
}

static PyObject *
parser_feed(PyObject *self, PyObject *input)
{
    struct parser *p = (struct parser *) self;
    Py_ssize_t n;
    size_t used;

    if (PyUnicode_Check(input)) {
        const char *s = PyUnicode_AsUTF8AndSize(input, &n);

        if (!s) {
            return NULL;
        }
        used = count_characters(s, feed_bytes(p, s, (size_t) n));
    } else {
        Py_buffer view;

        if (PyObject_GetBuffer(input, &view, PyBUF_SIMPLE) < 0) {
            return NULL;
        }
        used = feed_bytes(p, view.buf, (size_t) view.len);
        PyBuffer_Release(&view);
    }
    return raised() ? NULL : PyLong_FromSize_t(used);
}

static PyObject *
parser_is_done(PyObject *self, PyObject *unused)
{
    (void) unused;
    return PyBool_FromLong(((struct parser *) self)->done);
}

static PyObject *
parser_finish(PyObject *self, PyObject *unused)
{
    struct parser *p = (struct parser *) self;

    (void) unused;
    if (p->kind == TEXT) {
        fail(p, "unexpected end of input in quoted string");
    } else if (p->kind && !p->error) {
        finish_token(p);
        count(p, !p->error); /* As if white space had ended it. */
    }
    if (!p->error && !p->value && !raised()) {
        fail(p, !p->n_levels ? "empty input stream" : "unexpected end of input");
    }
    if (raised()) {
        return NULL;
    }
    return Py_NewRef(p->error ? p->error : p->value);
}

static PyMethodDef parser_methods[] = {
    { "feed", parser_feed, METH_O, "feed($self, s, /)\n--\n\nHow much of 's' was used." },
    { "is_done", parser_is_done, METH_NOARGS, "is_done($self, /)\n--\n\nWhether the value is complete, or wrong." },
    { "finish", parser_finish, METH_NOARGS, "finish($self, /)\n--\n\nThe value; a message if the input was no JSON." },
    { NULL, NULL, 0, NULL },
};

static char parser_doc[] = "Parser(check_trailer=False)\n--\n\nReads one JSON object or array, piece by piece.";

static PyType_Slot parser_slots[] = {
    { Py_tp_doc, parser_doc },
    { Py_tp_new, parser_new },
    { Py_tp_dealloc, parser_dealloc },
    { Py_tp_methods, parser_methods },
    { 0, NULL },
};

static PyType_Spec parser_spec = {
    .name = "ovs.json.Parser",
    .basicsize = sizeof(struct parser),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .slots = parser_slots,
};

static PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "ovs._json",
    .m_doc = "JSON parsing for ovs.json.",
    .m_size = -1,
};

PyMODINIT_FUNC PyInit__json(void);

PyMODINIT_FUNC
PyInit__json(void)
{
    PyObject *m = PyModule_Create(&module);
    PyObject *type = m ? PyType_FromSpec(&parser_spec) : NULL;

    if (!type || PyModule_AddObject(m, "Parser", type) < 0 || PyModule_AddIntConstant(m, "MAX_HEIGHT", MAX_HEIGHT)) {
        Py_XDECREF(type);
        Py_XDECREF(m);
        return NULL;
    }
    return m;
}
