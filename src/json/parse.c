/* The parser of documents; see private.h.
 *
 * One pass, no recursion.  Values that are complete lie at the start of the document's block; those whose container is
 * still open are stacked from its end downward, the container itself below them.  When a container closes, its children
 * move to the start, side by side.  A text that is complete never has more values than half its bytes, so the block is
 * made large enough at once, and cut when all is read; memory that was never touched costs nothing.  In one that is not
 * ("[[[[") the two may meet, which ends the attempt.  A short text lies behind its values, in the same block.
 *
 * What is not quite usual (an error, a number out of range, deep nesting) ends the attempt. */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "json/private.h"

#define MAX_DEPTH 2000
#define DECODED_SIZE 65536
#define CUT_MIN 2048 /* Values: below that what is left over is not worth a call. */

struct parser {
    struct doc *doc;
    struct json *done;   /* Where the next finished children go. */
    struct json *stack;  /* The lowest value on the stack. */
    struct json *open;   /* The innermost open container, null outside. */
    char *quotes_to;     /* Up to here each null byte was a quote that ended a string. */
    char *end;           /* Of the text; '*end' is null. */
    unsigned depth, max_depth;
    bool restore;        /* What the text was must be known until all is read. */
};

static inline char *
skip_spaces(char *p)
{
    while (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t') {
        p++;
    }
    return p;
}

/* Sets what a value on the stack begins with, in one piece: it is read in one soon, and the processor would have to
 * wait for several writes to come together. */
static inline void
set_head(struct json *v, enum kind kind, size_t n)
{
    struct { uint32_t kind : 4, at : 28, n; } head = { .kind = kind, .n = n };

    memcpy(v, &head, sizeof head);
}

/* --- Strings --- */

size_t
json_utf8_len(const char *text, size_t n)
{
    const unsigned char *p = (const unsigned char *) text;
    unsigned char min = 0x80, max = 0xbf;
    size_t len;

    if (p[0] < 0x80) {
        return 1;
    } else if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        len = 2;
    } else if (p[0] >= 0xe0 && p[0] <= 0xef) {
        len = 3;
        min = p[0] == 0xe0 ? 0xa0 : min; /* Longer than needed, ... */
        max = p[0] == 0xed ? 0x9f : max; /* ... surrogates, ... */
    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        len = 4;
        min = p[0] == 0xf0 ? 0x90 : min;
        max = p[0] == 0xf4 ? 0x8f : max; /* ... beyond U+10FFFF. */
    } else {
        return 0;
    }
    if (n < len || p[1] < min || p[1] > max) {
        return 0;
    }
    for (size_t i = 2; i < len; i++) {
        if (p[i] < 0x80 || p[i] > 0xbf) {
            return 0;
        }
    }
    return len;
}

static int
hex4(const char *p)
{
    int value = 0;

    for (int i = 0; i < 4; i++) {
        int c = p[i] | 0x20;

        if (p[i] >= '0' && p[i] <= '9') {
            value = value * 16 + p[i] - '0';
        } else if (c >= 'a' && c <= 'f') {
            value = value * 16 + c - 'a' + 10;
        } else {
            return -1;
        }
    }
    return value;
}

static char *
put_utf8(char *to, unsigned c)
{
    if (c < 0x80) {
        *to++ = c;
    } else if (c < 0x800) {
        *to++ = 0xc0 | c >> 6;
        *to++ = 0x80 | (c & 0x3f);
    } else if (c < 0x10000) {
        *to++ = 0xe0 | c >> 12;
        *to++ = 0x80 | (c >> 6 & 0x3f);
        *to++ = 0x80 | (c & 0x3f);
    } else {
        *to++ = 0xf0 | c >> 18;
        *to++ = 0x80 | (c >> 12 & 0x3f);
        *to++ = 0x80 | (c >> 6 & 0x3f);
        *to++ = 0x80 | (c & 0x3f);
    }
    return to;
}

/* Decodes the escape whose letter is at '*from', to 'to'; null if it is none. */
static char *
unescape(char **from, char *to)
{
    static const char letters[] = "\"\\/bfnrt", codes[] = "\"\\/\b\f\n\r\t";
    const char *letter = **from ? strchr(letters, **from) : NULL;
    int c, low;

    if (letter) {
        *to = codes[letter - letters];
        ++*from;
        return to + 1;
    }
    if (**from != 'u' || (c = hex4(*from + 1)) <= 0) {
        return NULL;
    }
    *from += 5;
    if (c >= 0xdc00 && c <= 0xdfff) {
        return NULL;
    } else if (c >= 0xd800 && c <= 0xdbff) {
        if ((*from)[0] != '\\' || (*from)[1] != 'u' || (low = hex4(*from + 2)) < 0xdc00 || low > 0xdfff) {
            return NULL;
        }
        *from += 6;
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    }
    return put_utf8(to, c);
}

/* Decodes the rest of a string at 'from' to 'to', which is at or before it, or elsewhere; null if it is none.  Sets
 * '*end' behind its quote. */
static char *
parse_odd(struct parser *p, char *from, char *to, char **end)
{
    for (;;) {
        size_t plain = js_plain_run(from, p->end - from);
        unsigned char c;

        memmove(to, from, plain);
        to += plain;
        from += plain;
        c = *from;
        if (c == '"') {
            break;
        } else if (c == '\\') {
            from++;
            to = unescape(&from, to);
            if (!to) {
                return NULL;
            }
        } else if (c < 0x20) {
            return NULL; /* The end of the text too. */
        } else {
            size_t len = json_utf8_len(from, p->end - from);

            if (!len) {
                return NULL;
            }
            memmove(to, from, len);
            to += len;
            from += len;
        }
    }
    *end = from + 1;
    return to;
}

/* Room for 'n' bytes beside the text. */
static char *
decoded_room(struct doc *doc, size_t n)
{
    struct decoded *d = doc->decoded;

    if (!d || d->size - d->used < n) {
        size_t size = MAX(n, DECODED_SIZE);

        d = xmalloc(sizeof *d + size);
        *d = (struct decoded) { .next = doc->decoded, .size = size };
        doc->decoded = d;
    }
    d->used += n;
    return d->text + d->used - n;
}

/* The quote that ends the string in which 's' is; null if there is none. */
static const char *
find_quote(const struct parser *p, const char *s)
{
    while (s < p->end && *s != '"') {
        s += *s == '\\' ? 2 : 1;
    }
    return s < p->end ? s : NULL;
}

/* A string has been read that goes to 'last', behind whose quote is 'end'. */
static inline char *
end_string(struct parser *p, struct json *v, char *start, char *last, char *end)
{
    set_head(v, KIND_STRING, last - start);
    v->text = start;
    p->quotes_to = end;
    *last = '\0';
    return end;
}

/* Reads the string that starts at 'start' and has something odd at 'odd', not before; as parse_string(). */
static __attribute__((noinline)) char *
parse_odd_string(struct parser *p, char *start, char *odd, struct json *v)
{
    size_t plain = odd - start;
    char *last, *end, *room;
    const char *quote;

    if (!p->restore) {
        last = parse_odd(p, odd, odd, &end);
        return last ? end_string(p, v, start, last, end) : NULL;
    }
    quote = find_quote(p, odd);
    if (!quote) {
        return NULL;
    }
    room = decoded_room(p->doc, quote + 1 - start);
    memcpy(room, start, plain);
    last = parse_odd(p, odd, room + plain, &end);
    return last ? end_string(p, v, room, last, end) : NULL;
}

/* Reads the string behind the quote at 's' into '*v'.  This and the others that read something return where it ends;
 * null if it is not of the usual kind. */
static inline char *
parse_string(struct parser *p, char *s, struct json *v)
{
    char *start = ++s;

    s += js_plain_run(s, p->end - s);
    while (*s != '"' && (signed char) *s >= 0x20 && *s != '\\') { /* Near the end of the text. */
        s++;
    }
    return LIKELY(*s == '"') ? end_string(p, v, start, s, s + 1) : parse_odd_string(p, start, s, v);
}

/* --- Numbers and words --- */

static inline bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Whether a number as JSON has it starts at 's'; sets '*end' to its end and '*is_real'. */
static bool
check_number(char *s, char **end, bool *is_real)
{
    s += *s == '-';
    if (!is_digit(*s) || (*s == '0' && is_digit(s[1]))) {
        return false;
    }
    while (is_digit(*s)) {
        s++;
    }
    *is_real = *s == '.' || *s == 'e' || *s == 'E';
    if (*s == '.') {
        if (!is_digit(*++s)) {
            return false;
        }
        while (is_digit(*s)) {
            s++;
        }
    }
    if (*s == 'e' || *s == 'E') {
        s++;
        s += *s == '+' || *s == '-';
        if (!is_digit(*s)) {
            return false;
        }
        while (is_digit(*s)) {
            s++;
        }
    }
    *end = s;
    return true;
}

bool
json_is_whole(long double r)
{
    return r > -9223372036854775808.0L && r < 9223372036854775808.0L && r == floorl(r);
}

/* Also an integer that is written as a real, as "1e3", is an integer. */
static bool
set_real(struct json *v, const char *text)
{
    long double exact = strtold(text, NULL);
    double r = strtod(text, NULL);

    if (!isfinite(r)) {
        return false;
    }
    if (json_is_whole(exact)) {
        set_head(v, KIND_INTEGER, 0);
        v->integer = exact;
    } else {
        set_head(v, json_is_whole(r) ? KIND_WHOLE : KIND_REAL, 0);
        v->real = r;
    }
    return true;
}

static char *
parse_number(char *s, struct json *v)
{
    char *start = s, *end;
    bool is_real;

    if (!check_number(s, &end, &is_real)) {
        return NULL;
    }
    if (!is_real && end - start <= 18) {
        int64_t i = 0;

        for (s += *s == '-'; s < end; s++) {
            i = i * 10 + *s - '0';
        }
        set_head(v, KIND_INTEGER, 0);
        v->integer = *start == '-' ? -i : i;
    } else if (!is_real) {
        errno = 0;
        set_head(v, KIND_INTEGER, 0);
        v->integer = strtoll(start, NULL, 10);
        if (errno) {
            return NULL;
        }
    } else if (!set_real(v, start)) {
        return NULL;
    }
    return end;
}

static char *
parse_word(char *s, struct json *v)
{
    static const struct { const char *text; size_t len; enum kind kind; } words[] = {
        { "null", 4, KIND_NULL }, { "false", 5, KIND_FALSE }, { "true", 4, KIND_TRUE },
    };

    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (!strncmp(s, words[i].text, words[i].len)) {
            set_head(v, words[i].kind, 0);
            v->integer = 0;
            return s + words[i].len;
        }
    }
    return NULL;
}

/* --- Containers --- */

/* A place for a value on the stack; null if there is none left. */
static inline struct json *
push(struct parser *p)
{
    return LIKELY(p->stack > p->done) ? --p->stack : NULL;
}

static bool
open_container(struct parser *p, enum kind kind)
{
    struct json *v = push(p);

    if (!v) {
        return false;
    }
    set_head(v, kind, 0);
    v->children = p->open; /* For the time being. */
    p->open = v;
    return ++p->depth <= p->max_depth;
}

/* Moves the children of container 'v', which closes, to their place: the 'n' values between the top of the stack and
 * 'v', of which the last came first.  They are put in order first only where their places may overlap, at the very end
 * of the block. */
static void
place_children(struct parser *p, struct json *v, size_t n)
{
    struct json *to = p->done;
    const struct json *from = v - 1;
    unsigned at = to - (struct json *) p->doc;
    int step = -1;

    if (UNLIKELY(to + n >= p->stack)) {
        for (size_t i = 0; i < n / 2; i++) {
            struct json t = p->stack[i];

            p->stack[i] = v[-1 - (ssize_t) i];
            v[-1 - (ssize_t) i] = t;
        }
        from = p->stack;
        step = 1;
    }
    set_head(v, v->kind, n);
    v->children = to;
    for (p->done = to + n; to < p->done; to++, from += step) {
        struct json placed = *from;

        placed.at = at++;
        *to = placed;
    }
}

/* Puts a value where another one is. */
static void
replace(struct json *old, const struct json *v)
{
    unsigned at = old->at;

    *old = *v;
    old->at = at;
}

/* The position of the name among the few members before 'n', SIZE_MAX if it is not there. */
static size_t
find_among_few(const struct json *members, size_t n, const struct json *name)
{
    for (size_t i = 0; i < n; i++) {
        if (members[2 * i].n == name->n && !memcmp(members[2 * i].text, name->text, name->n)) {
            return i;
        }
    }
    return SIZE_MAX;
}

/* Makes one of members with the same name: the last value counts, at the first's place.  With 'index' the names are
 * entered there. */
static void
join_members(struct parser *p, struct json *object, struct name_index *index)
{
    /* In a document, as the index expects it. */
    const struct json placed = { .kind = KIND_OBJECT, .at = 1, .children = object->children };
    struct json *members = object->children;
    size_t n = 0;
    uint64_t seen = 0; /* By first letter and length. */

    for (struct json *name = members; name < p->done; name += 2) {
        uint64_t bit = UINT64_C(1) << (((unsigned char) *name->text + 8 * name->n) & 63);
        size_t old = index ? name_index_find(index, &placed, name->text, name->n)
                     : seen & bit ? find_among_few(members, n, name) : SIZE_MAX;

        seen |= bit;
        if (old != SIZE_MAX) {
            replace(&members[2 * old + 1], name + 1);
            continue;
        }
        if (UNLIKELY(name != &members[2 * n])) {
            replace(&members[2 * n], name);
            replace(&members[2 * n + 1], name + 1);
        }
        if (index) {
            name_index_add(index, &placed, n);
        }
        n++;
    }
    p->done = members + 2 * n;
    set_head(object, KIND_OBJECT, n);
}

/* False if there is no room for the index. */
static bool
place_members(struct parser *p, struct json *object, size_t n_pairs)
{
    struct name_index *index = NULL;

    if (n_pairs > SMALL_OBJECT) {
        struct json *holder = p->done++; /* Of the index. */

        if (holder == p->stack) {
            return false;
        }
        index = name_index_create(object, 0, n_pairs);
        index->next = p->doc->indexes;
        p->doc->indexes = index;
        *holder = (struct json) { .kind = KIND_NULL, .index = index };
    }
    place_children(p, object, 2 * n_pairs);
    join_members(p, object, index);
    return true;
}

/* Closes the innermost container with 'bracket'; false if it has none that fits. */
static bool
close_container(struct parser *p, char bracket)
{
    struct json *v = p->open, *outer;
    size_t n = v - p->stack;

    if (bracket != (v->kind == KIND_ARRAY ? ']' : '}')) {
        return false;
    }
    outer = v->children;
    if (v->kind == KIND_ARRAY) {
        place_children(p, v, n);
    } else if (!place_members(p, v, n / 2)) {
        return false;
    }
    p->stack = v;
    p->open = outer;
    p->depth--;
    return true;
}

/* --- Values --- */

static inline char *
parse_scalar(struct parser *p, char *s)
{
    struct json *v = push(p);

    if (!v) {
        return NULL;
    } else if (*s == '"') {
        return parse_string(p, s, v);
    } else if (*s == '-' || is_digit(*s)) {
        return parse_number(s, v);
    }
    return parse_word(s, v);
}

/* Reads a member's name and the colon. */
static inline char *
parse_name(struct parser *p, char *s)
{
    struct json *v = push(p);

    s = skip_spaces(s);
    if (!v || *s != '"' || !(s = parse_string(p, s, v))) {
        return NULL;
    }
    s = skip_spaces(s);
    return *s == ':' ? s + 1 : NULL;
}

/* Reads values until the outermost is complete. */
static char *
parse_all(struct parser *p, char *s)
{
    do {
        /* Here a value starts. */
        s = skip_spaces(s);
        if (*s == '{' || *s == '[') {
            bool is_object = *s == '{';

            if (!open_container(p, is_object ? KIND_OBJECT : KIND_ARRAY)) {
                return NULL;
            }
            s = skip_spaces(s + 1);
            if (*s != '}' && *s != ']') {
                if (is_object && !(s = parse_name(p, s))) {
                    return NULL;
                }
                continue;
            }
        } else if (!(s = parse_scalar(p, s))) {
            return NULL;
        }
        /* Here one has ended, or an empty container ends. */
        while (p->open && (s = skip_spaces(s), *s != ',')) {
            if (!close_container(p, *s)) {
                return NULL;
            }
            s++;
        }
        if (p->open) {
            s++;
            if (p->open->kind == KIND_OBJECT && !(s = parse_name(p, s))) {
                return NULL;
            }
        }
    } while (p->open);
    return s;
}

/* The block of a document that is gone, for the next one: small messages that come one after the other cost no
 * allocation of some kilobytes each. */
static _Thread_local struct doc *spare;
static _Thread_local bool is_watched; /* The thread's end releases it. */
static pthread_key_t end_of_thread;

static void
free_spare(void *unused UNUSED)
{
    free(spare);
    spare = NULL;
}

static void
make_key(void)
{
    if (pthread_key_create(&end_of_thread, free_spare)) {
        out_of_memory();
    }
}

static void
set_spare(struct doc *doc)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    if (!is_watched) {
        pthread_once(&once, make_key);
        is_watched = !pthread_setspecific(end_of_thread, &is_watched);
    }
    free(spare);
    spare = doc;
}

static struct doc *
doc_alloc(size_t capacity)
{
    struct doc *doc = spare;

    if (doc && doc->capacity >= capacity) {
        spare = NULL;
        return doc;
    }
    doc = xreallocarray(NULL, capacity, sizeof(struct json));
    doc->capacity = capacity;
    return doc;
}

void
json_doc_free(struct doc *doc)
{
    while (doc->indexes) {
        struct name_index *next = doc->indexes->next;

        free(doc->indexes);
        doc->indexes = next;
    }
    while (doc->decoded) {
        struct decoded *next = doc->decoded->next;

        free(doc->decoded);
        doc->decoded = next;
    }
    free(doc->text);
    if (doc->capacity >= CUT_MIN || (spare && spare->capacity >= doc->capacity)) {
        free(doc);
    } else {
        set_spare(doc);
    }
}

/* For a text of 'n' bytes. */
static size_t
values_in(size_t n)
{
    return DOC_VALUES + n / 2 + 2;
}

/* Gives back the part of the block behind the 'n' values.  Returns the root, which may have moved with the block. */
static struct json *
cut(struct doc *doc, const struct json *root, size_t n, size_t capacity)
{
    uintptr_t before = (uintptr_t) doc;
    size_t root_at = root->at;
    struct json *values;

    if (capacity >= CUT_MIN) {
        doc = xreallocarray(doc, n, sizeof(struct json));
        doc->capacity = n;
    }
    values = (struct json *) doc;
    for (size_t i = DOC_VALUES; (uintptr_t) doc != before && i < n; i++) {
        if (values[i].kind == KIND_OBJECT || values[i].kind == KIND_ARRAY) {
            values[i].children = (struct json *) ((uintptr_t) doc + ((uintptr_t) values[i].children - before));
        }
    }
    return &values[root_at];
}

/* The text as it was: there was no null byte before the end of the last string, or that would have been the end; so
 * each that is there now was the quote that ended a string. */
static void
restore(struct parser *p, char *text)
{
    for (char *nul = text; (nul = memchr(nul, '\0', p->quotes_to - nul)); nul++) {
        *nul = '"';
    }
}

/* Reads the text between 'text' and p->end into p->doc, which has room for 'capacity' values: all of it; with 'used'
 * its first value, whose length that is set to.  Null, the document released, if it is not of the usual kind. */
static struct json *
parse_document(struct parser *p, char *text, size_t capacity, size_t *used)
{
    struct json *root;
    char *end;

    p->done = (struct json *) p->doc + DOC_VALUES;
    p->stack = (struct json *) p->doc + capacity;
    p->quotes_to = text;
    end = parse_all(p, text);
    if (!end || (used ? end[-1] != '}' && end[-1] != ']' : skip_spaces(end) != p->end)) {
        if (p->restore) {
            restore(p, text);
            p->doc->text = NULL;
        }
        json_doc_free(p->doc);
        return NULL;
    }
    if (used) {
        *used = end - text;
    }
    root = p->done++;
    *root = *p->stack;
    root->at = root - (struct json *) p->doc;
    return cut(p->doc, root, p->done - (struct json *) p->doc, capacity);
}

static struct doc *
doc_create(size_t capacity, char *text)
{
    struct doc *doc = doc_alloc(capacity);

    *doc = (struct doc) { .refs = 1, .capacity = doc->capacity, .text = text };
    return doc;
}

struct json *
json_parse_usual(char *text, size_t n)
{
    struct parser p = { .end = text + n, .max_depth = MAX_DEPTH, .restore = true };
    size_t capacity = values_in(n);

    if (capacity > IN_DOC_MAX) {
        return NULL;
    }
    p.doc = doc_create(capacity, text);
    return parse_document(&p, text, capacity, NULL);
}

struct json *
json_parse_copy(const char *text, size_t n, unsigned max_depth, size_t *used)
{
    struct parser p = { .max_depth = MIN(max_depth, MAX_DEPTH) };
    size_t capacity = values_in(n), of_text = n / sizeof(struct json) + 1;
    char *copy;

    if (capacity > IN_DOC_MAX) {
        return NULL;
    }
    if (capacity + of_text < CUT_MIN) {
        p.doc = doc_create(capacity + of_text, NULL);
        copy = (char *) ((struct json *) p.doc + capacity);
    } else {
        copy = xmalloc(n + 1);
        p.doc = doc_create(capacity, copy);
    }
    p.end = mempcpy(copy, text, n);
    *p.end = '\0';
    return parse_document(&p, copy, capacity, used);
}
