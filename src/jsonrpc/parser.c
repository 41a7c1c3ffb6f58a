#include "jsonrpc/parser.h"

#define SHORT ((size_t) 2048) /* Bytes of a short value, at most. */

void
jsonrpc_parser_init(struct jsonrpc_parser *p, size_t max_bytes)
{
    *p = (struct jsonrpc_parser) { .text = STR_INIT, .max_bytes = max_bytes, .long_from = SIZE_MAX,
                                    .long_text = STR_INIT, .expects_short = true };
}

void
jsonrpc_parser_uninit(struct jsonrpc_parser *p)
{
    str_uninit(&p->text);
    str_uninit(&p->long_text);
}

size_t
jsonrpc_parser_held(const struct jsonrpc_parser *p)
{
    return p->text.len;
}

char *
jsonrpc_parser_take_long(struct jsonrpc_parser *p, size_t *len)
{
    *len = p->long_text.len;
    return *len ? str_steal(&p->long_text) : NULL;
}

static bool
is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The text of the value is complete, but for the 'n' bytes at 'from', its last. */
static void
complete(struct jsonrpc_parser *p, const char *from, size_t n, struct json **json, struct error **error)
{
    p->expects_short = p->text.len + n <= SHORT;
    if (p->text.len + n >= p->long_from) {
        str_putn(&p->text, from, n);
        p->long_text = p->text;
        str_init(&p->text);
        return;
    }
    if (p->text.len) {
        str_putn(&p->text, from, n);
        if (p->text.capacity > 65536) { /* One huge message must not cost its memory for ever. */
            size_t len = p->text.len;

            *error = js_parse_take(str_steal(&p->text), len, json);
        } else {
            *error = js_parse(p->text.text, p->text.len, json);
            str_clear(&p->text);
        }
    } else {
        *error = js_parse(from, n, json);
    }
    p->failed = *error != NULL;
}

/* A short value that is here in full, as most are, is read without a look for its end first.  Returns the bytes used,
 * 0 if it is none. */
static size_t
parse_short(struct jsonrpc_parser *p, const char *text, size_t n, struct json **json)
{
    size_t used = 0;

    if (p->expects_short) {
        used = js_parse_first(text, MIN(n, SHORT), JSONRPC_MAX_DEPTH, json);
        p->expects_short = used > 0;
    }
    return used;
}

/* Looks for the bracket that closes the value; true if it is at '*at', which is then moved past it. */
static bool
scan(struct jsonrpc_parser *p, const char *text, size_t n, size_t *at)
{
    size_t i;

    for (i = *at; i < n; i++) {
        char c = text[i];

        if (p->in_string) {
            i += p->escaped ? 0 : js_plain_run(text + i, n - i);
            if (i == n) {
                break;
            }
            c = text[i];
            if (p->escaped) {
                p->escaped = false;
            } else if (c == '\\') {
                p->escaped = true;
            } else if (c == '"') {
                p->in_string = false;
            }
        } else if (c == '"') {
            p->in_string = true;
        } else if (c == '{' || c == '[') {
            if (++p->depth > JSONRPC_MAX_DEPTH) {
                break;
            }
        } else if ((c == '}' || c == ']') && --p->depth == 0) {
            *at = i + 1;
            return true;
        }
    }
    *at = i;
    return false;
}

static size_t
fail(struct jsonrpc_parser *p, size_t used, struct error **error, struct error *reason)
{
    p->failed = true;
    *error = reason;
    return used;
}

size_t
jsonrpc_parser_feed(struct jsonrpc_parser *p, const char *text, size_t n, struct json **json, struct error **error)
{
    size_t start = 0, at;

    *json = NULL;
    *error = NULL;
    if (p->failed) {
        return fail(p, n, error, error_new("input after an error"));
    }
    if (!p->depth) {
        while (start < n && is_space(text[start])) {
            start++;
        }
        if (start == n) {
            return n;
        }
        if (text[start] != '{' && text[start] != '[') {
            return fail(p, n, error, error_new("syntax error at beginning of input"));
        }
        at = parse_short(p, text + start, MIN(n - start, p->max_bytes), json);
        if (at) {
            return start + at;
        }
    }
    at = start;
    if (scan(p, text, n, &at)) {
        complete(p, text + start, at - start, json, error);
    } else if (at < n) {
        fail(p, n, error, error_new("input exceeds maximum nesting depth %d", JSONRPC_MAX_DEPTH));
    } else {
        str_putn(&p->text, text + start, n - start);
    }
    if (p->text.len > p->max_bytes) {
        return fail(p, n, error, error_new("message is longer than %zu bytes", p->max_bytes));
    }
    return at;
}
