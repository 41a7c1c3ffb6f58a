#include "json/scan.h"

#include <limits.h>
#include <stdlib.h>

#define SHORT ((size_t) 2048) /* Bytes of a value that is read without a look for its end first. */

static bool
is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

char
js_scan_peek(struct js_scan *s)
{
    while (s->p < s->end && is_space(*s->p)) {
        s->p++;
    }
    return s->p < s->end && !s->bad ? *s->p : '\0';
}

static bool
take(struct js_scan *s, char c)
{
    bool found = js_scan_peek(s) == c;

    s->p += found;
    return found;
}

bool
js_scan_at_end(struct js_scan *s)
{
    (void) js_scan_peek(s);
    return s->p == s->end;
}

/* Skips a string, from its quote to after its last one. */
static bool
skip_string(struct js_scan *s)
{
    for (s->p++; s->p < s->end; s->p++) {
        s->p += js_plain_run(s->p, s->end - s->p);
        if (s->p == s->end) {
            break;
        }
        if (*s->p == '\\') {
            s->p++;
        } else if (*s->p == '"') {
            s->p++;
            return true;
        }
    }
    s->p = s->end; /* A backslash may have led beyond. */
    return false;
}

/* Skips a value; brackets are only counted, since each part is parsed properly later. */
static bool
skip_value(struct js_scan *s)
{
    size_t depth = 0;

    while (s->p < s->end) {
        char c = *s->p;

        if (c == '"') {
            if (!skip_string(s)) {
                return false;
            }
            if (!depth) {
                return true;
            }
            continue;
        }
        if (c == '{' || c == '[') {
            depth++;
        } else if (c == '}' || c == ']') {
            if (!depth) {
                return true;
            }
            if (!--depth) {
                s->p++;
                return true;
            }
        } else if (c == ',' && !depth) {
            return true;
        }
        s->p++;
    }
    return !depth;
}

void
js_scan_enter(struct js_scan *s, char bracket, bool *first)
{
    *first = true;
    s->bad |= !take(s, bracket);
}

/* Whether the bracket that closes the container does not come yet, but another of its parts. */
static bool
has_next(struct js_scan *s, char closing, bool *first)
{
    bool was_first = *first;

    *first = false;
    if (s->bad || take(s, closing)) {
        return false;
    }
    s->bad |= !was_first && !take(s, ',');
    return !s->bad;
}

static char *
take_name(struct js_scan *s)
{
    const char *start;
    struct json *json;
    struct error *e;
    char *name = NULL;

    if (js_scan_peek(s) != '"') {
        return NULL;
    }
    start = s->p;
    if (!skip_string(s)) {
        return NULL;
    }
    if (!memchr(start, '\\', s->p - start)) {
        return xstrndup(start + 1, s->p - start - 2);
    }
    e = js_parse(start, s->p - start, &json);
    if (!e) {
        name = xstrdup(js_str_value(json));
        js_unref(json);
    }
    error_free(e);
    return name;
}

char *
js_scan_member(struct js_scan *s, bool *first)
{
    char *name;

    if (!has_next(s, '}', first)) {
        return NULL;
    }
    name = take_name(s);
    if (!name || !take(s, ':')) {
        s->bad = true;
        free(name);
        return NULL;
    }
    (void) js_scan_peek(s);
    return name;
}

bool
js_scan_element(struct js_scan *s, bool *first)
{
    if (!has_next(s, ']', first)) {
        return false;
    }
    (void) js_scan_peek(s);
    return true;
}

void
js_scan_text(struct js_scan *s, const char **text, size_t *len)
{
    (void) js_scan_peek(s);
    *text = s->p;
    s->bad |= !skip_value(s) || s->p == *text;
    *len = s->p - *text;
}

struct json *
js_scan_json(struct js_scan *s, struct error **error)
{
    struct json *json;
    size_t used, len;
    const char *text;

    *error = NULL;
    (void) js_scan_peek(s);
    used = js_parse_first(s->p, MIN((size_t) (s->end - s->p), SHORT), UINT_MAX, &json);
    if (used) {
        s->p += used;
        return json;
    }
    js_scan_text(s, &text, &len);
    *error = js_parse(text, len, &json);
    s->bad |= *error != NULL;
    return json;
}

bool
js_scan_head(struct js_scan *s, struct json **head, size_t n)
{
    struct error *e = NULL;
    bool first;

    for (size_t i = 0; i < n; i++) {
        head[i] = NULL;
    }
    js_scan_enter(s, '[', &first);
    for (size_t i = 0; i < n && !e; i++) {
        if (!js_scan_element(s, &first)) {
            return false;
        }
        head[i] = js_scan_json(s, &e);
    }
    if (e) {
        error_free(e);
        return false;
    }
    return js_scan_element(s, &first);
}
