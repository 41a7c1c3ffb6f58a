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
 * Two state machines, a byte at a time: the lexer collects the bytes of a token in 'token', the parser puts the value
 * made of it into the innermost of the open containers, straight as Python objects.  A run of plain characters inside a
 * string is taken at once.  A number that is an integer of 64 bits, however it is written, becomes an int; any other a
 * float.
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

enum lex_state { LEX_START, LEX_KEYWORD, LEX_NUMBER, LEX_STRING, LEX_ESCAPE };

/* What the parser waits for. */
enum parse_state {
    PARSE_START, PARSE_END,
    PARSE_ARRAY_INIT,  /* A value or "]". */
    PARSE_ARRAY_VALUE, /* A value. */
    PARSE_ARRAY_NEXT,  /* "," or "]". */
    PARSE_OBJECT_INIT, /* A name or "}". */
    PARSE_OBJECT_NAME, PARSE_OBJECT_COLON, PARSE_OBJECT_VALUE,
    PARSE_OBJECT_NEXT, /* "," or "}". */
};

struct level {
    PyObject *container; /* A list or a dict. */
    PyObject *name;      /* Of the member whose value comes next; null in lists. */
};

struct parser {
    PyObject_HEAD
    bool check_trailer;
    enum lex_state lex;
    enum parse_state parse;
    char *token;             /* Bytes of the unfinished token. */
    size_t n_token, allocated_token;
    struct level *levels;    /* The open containers, outermost first. */
    size_t n_levels, allocated_levels;
    PyObject *value;         /* The result once it is complete; null before. */
    PyObject *error;         /* Message; null if there was no error. */
    bool done, used_input;
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

static void
token_put(struct parser *p, char c)
{
    if (grow((void **) &p->token, p->n_token, &p->allocated_token, 1)) {
        p->token[p->n_token++] = c;
    }
}

/* ---- The parser ---- */

static struct level *
top(struct parser *p)
{
    return &p->levels[p->n_levels - 1];
}

/* Puts 'value' (taken over) where the state says, and changes the state to what comes after a value. */
static void
put_value(struct parser *p, PyObject *value)
{
    struct level *level;

    if (!value) {
        return;
    }
    level = top(p);
    if (PyList_CheckExact(level->container)) {
        PyList_Append(level->container, value);
        p->parse = PARSE_ARRAY_NEXT;
    } else {
        PyDict_SetItem(level->container, level->name, value);
        Py_CLEAR(level->name);
        p->parse = PARSE_OBJECT_NEXT;
    }
    Py_DECREF(value);
}

static bool
expects_value(const struct parser *p)
{
    return p->parse == PARSE_ARRAY_INIT || p->parse == PARSE_ARRAY_VALUE || p->parse == PARSE_OBJECT_VALUE;
}

/* What is wrong with a token that does not fit the state. */
static void
fail_state(struct parser *p)
{
    static const char *const expecting[] = {
        [PARSE_START] = "syntax error at beginning of input",
        [PARSE_END] = "trailing garbage at end of input",
        [PARSE_ARRAY_INIT] = "syntax error expecting value",
        [PARSE_ARRAY_VALUE] = "syntax error expecting value",
        [PARSE_ARRAY_NEXT] = "syntax error expecting ']' or ','",
        [PARSE_OBJECT_INIT] = "syntax error parsing object expecting string",
        [PARSE_OBJECT_NAME] = "syntax error parsing object expecting string",
        [PARSE_OBJECT_COLON] = "syntax error parsing object expecting ':'",
        [PARSE_OBJECT_VALUE] = "syntax error expecting value",
        [PARSE_OBJECT_NEXT] = "syntax error expecting '}' or ','",
    };

    fail(p, "%s", expecting[p->parse]);
}

static void
open_container(struct parser *p, bool list)
{
    if (p->parse != PARSE_START && !expects_value(p)) {
        fail_state(p);
    } else if (p->n_levels >= MAX_HEIGHT) {
        fail(p, "input exceeds maximum nesting depth %d", MAX_HEIGHT);
    } else if (grow((void **) &p->levels, p->n_levels, &p->allocated_levels, sizeof *p->levels)) {
        PyObject *container = list ? PyList_New(0) : PyDict_New();

        if (container) {
            p->levels[p->n_levels++] = (struct level) { .container = container };
            p->parse = list ? PARSE_ARRAY_INIT : PARSE_OBJECT_INIT;
        }
    }
}

static void
close_container(struct parser *p)
{
    PyObject *container = top(p)->container;

    p->n_levels--;
    if (p->n_levels) {
        put_value(p, container);
    } else {
        p->value = container;
        p->parse = PARSE_END;
        p->done = !p->check_trailer;
    }
}

static void
parse_punctuation(struct parser *p, char c)
{
    if (c == '[' || c == '{') {
        open_container(p, c == '[');
    } else if ((c == ']' && (p->parse == PARSE_ARRAY_INIT || p->parse == PARSE_ARRAY_NEXT))
               || (c == '}' && (p->parse == PARSE_OBJECT_INIT || p->parse == PARSE_OBJECT_NEXT))) {
        close_container(p);
    } else if (c == ',' && p->parse == PARSE_ARRAY_NEXT) {
        p->parse = PARSE_ARRAY_VALUE;
    } else if (c == ',' && p->parse == PARSE_OBJECT_NEXT) {
        p->parse = PARSE_OBJECT_NAME;
    } else if (c == ':' && p->parse == PARSE_OBJECT_COLON) {
        p->parse = PARSE_OBJECT_VALUE;
    } else {
        fail_state(p);
    }
}

/* Takes over 'value', which is null if making it raised an exception. */
static void
parse_scalar(struct parser *p, PyObject *value)
{
    if (expects_value(p)) {
        put_value(p, value);
    } else {
        fail_state(p);
        Py_XDECREF(value);
    }
}

/* Takes over 'string', likewise. */
static void
parse_string(struct parser *p, PyObject *string)
{
    if (p->parse != PARSE_OBJECT_INIT && p->parse != PARSE_OBJECT_NAME) {
        parse_scalar(p, string);
    } else if (string) {
        /* The same few names come again and again. */
        PyUnicode_InternInPlace(&string);
        top(p)->name = string;
        p->parse = PARSE_OBJECT_COLON;
    }
}

/* ---- Tokens ---- */

static void
finish_keyword(struct parser *p)
{
    p->lex = LEX_START;
    if (p->n_token == 4 && !memcmp(p->token, "null", 4)) {
        parse_scalar(p, Py_NewRef(Py_None));
    } else if (p->n_token == 4 && !memcmp(p->token, "true", 4)) {
        parse_scalar(p, Py_NewRef(Py_True));
    } else if (p->n_token == 5 && !memcmp(p->token, "false", 5)) {
        parse_scalar(p, Py_NewRef(Py_False));
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

    p->lex = LEX_START;
    token_put(p, '\0');
    if (raised()) {
        return;
    }
    end = decimal_read(&d, p->token, &error);
    if (!end || *end) {
        fail(p, "%s", end ? "syntax error in number" : error);
    } else if (decimal_to_integer(&d)) {
        parse_scalar(p, d.negative ? PyLong_FromLongLong((long long) (0 - d.significand))
                                   : PyLong_FromUnsignedLongLong(d.significand));
    } else {
        /* PyOS_string_to_double() does not depend on the locale, as strtod() would. */
        double real = PyOS_string_to_double(p->token, NULL, NULL);

        if (isinf(real)) {
            fail(p, "number outside valid range");
        } else {
            parse_scalar(p, real ? PyFloat_FromDouble(real) : PyLong_FromLong(0));
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
        s++; /* The lexer saw to it that something follows. */
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
finish_string(struct parser *p)
{
    size_t n = unescape(p);
    PyObject *string;

    p->lex = LEX_START;
    if (p->error) {
        return;
    }
    string = PyUnicode_DecodeUTF8(p->token ? p->token : "", (Py_ssize_t) n, NULL);
    if (!string && PyErr_ExceptionMatches(PyExc_UnicodeDecodeError)) {
        PyErr_Clear();
        fail(p, "invalid UTF-8 in quoted string");
        return;
    }
    parse_string(p, string);
}

/* ---- The lexer ---- */

static void
lex_start(struct parser *p, char c)
{
    p->n_token = 0;
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
        return;
    }
    if (strchr("[{]}:,", c) && c) {
        parse_punctuation(p, c);
    } else if (c == '"') {
        p->lex = LEX_STRING;
    } else if (c == '-' || isdigit((unsigned char) c)) {
        p->lex = LEX_NUMBER;
        token_put(p, c);
    } else if (c >= 'a' && c <= 'z') {
        p->lex = LEX_KEYWORD;
        token_put(p, c);
    } else if (isprint((unsigned char) c)) {
        fail(p, "invalid character '%c'", c);
    } else {
        fail(p, "invalid character U+%04x", (unsigned char) c);
    }
}

/* Takes one byte.  Returns false if it ended a token but is not part of it: it is to come again. */
static bool
lex_byte(struct parser *p, char c)
{
    switch (p->lex) {
    case LEX_START:
        lex_start(p, c);
        return true;

    case LEX_KEYWORD:
        if (isalpha((unsigned char) c)) {
            token_put(p, c);
            return true;
        }
        finish_keyword(p);
        return false;

    case LEX_NUMBER:
        if (c && strchr("+-.0123456789eE", c)) {
            token_put(p, c);
            return true;
        }
        finish_number(p);
        return false;

    case LEX_STRING:
        if (c == '"') {
            finish_string(p);
        } else if ((unsigned char) c < 0x20) {
            fail(p, "U+%04X must be escaped in quoted string", (unsigned char) c);
        } else {
            token_put(p, c);
            p->lex = c == '\\' ? LEX_ESCAPE : LEX_STRING;
        }
        return true;

    case LEX_ESCAPE:
        token_put(p, c);
        p->lex = LEX_STRING;
        return true;
    }
    return true;
}

/* Takes what of the 'n' bytes at 's' are plain characters of the string that the lexer is in; returns how many. */
static size_t
lex_plain(struct parser *p, const char *s, size_t n)
{
    size_t i = 0;

    while (i < n && s[i] != '"' && s[i] != '\\' && (unsigned char) s[i] >= 0x20) {
        i++;
    }
    while (i > p->allocated_token - p->n_token) {
        if (!grow((void **) &p->token, p->allocated_token, &p->allocated_token, 1)) {
            return 0;
        }
    }
    memcpy(p->token + p->n_token, s, i);
    p->n_token += i;
    p->column += i;
    p->byte += i;
    return i;
}

static void
count_byte(struct parser *p, char c)
{
    p->byte++;
    p->column++;
    if (c == '\n') {
        p->line++;
        p->column = 0;
    }
}

/* Returns the number of bytes used. */
static size_t
feed_bytes(struct parser *p, const char *s, size_t n)
{
    size_t i = 0;

    p->used_input |= n > 0;
    while (i < n && !p->done && !raised()) {
        if (p->lex == LEX_STRING) {
            i += lex_plain(p, s + i, n - i);
            if (i == n) {
                break;
            }
        }
        if (lex_byte(p, s[i])) {
            if (!p->error) {
                count_byte(p, s[i]);
            }
            i++;
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
    if (p->lex == LEX_STRING || p->lex == LEX_ESCAPE) {
        fail(p, "unexpected end of input in quoted string");
    } else if (p->lex != LEX_START && !p->error) {
        feed_bytes(p, " ", 1); /* Ends the keyword or number. */
    }
    if (!p->error && !p->value && !raised()) {
        fail(p, p->parse == PARSE_START ? "empty input stream" : "unexpected end of input");
    }
    if (raised()) {
        return NULL;
    }
    return Py_NewRef(p->error ? p->error : p->value);
}

static PyMethodDef parser_methods[] = {
    { "feed", parser_feed, METH_O, "feed(text) -> how much of 'text' was used" },
    { "is_done", parser_is_done, METH_NOARGS, "Whether the value is complete, or wrong." },
    { "finish", parser_finish, METH_NOARGS, "The value; a message if the input was no JSON." },
    { NULL, NULL, 0, NULL },
};

static char parser_doc[] = "Parser(check_trailer=False): reads one JSON object or array, piece by piece.";

static PyType_Slot parser_slots[] = {
    { Py_tp_doc, parser_doc },
    { Py_tp_new, parser_new },
    { Py_tp_dealloc, parser_dealloc },
    { Py_tp_methods, parser_methods },
    { 0, NULL },
};

static PyType_Spec parser_spec = {
    .name = "ovs._json.Parser",
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
