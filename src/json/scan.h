/* Taking a long JSON text apart, so that no more than a part of it is ever held as values.
 *
 * A scanner stands somewhere in the text.  js_scan_enter() goes into an object or array; js_scan_member() and
 * js_scan_element() go from one of its members or elements to the next, and out of it behind the last; at each the user
 * goes into the value, or moves past it with js_scan_json(), which reads it, or js_scan_text().  The latter looks no
 * further than for the end of the value: whether its text is JSON, its reader finds out.
 *
 *     bool first;
 *     char *name;
 *
 *     js_scan_enter(&s, '{', &first);
 *     while ((name = js_scan_member(&s, &first))) { ...; free(name); }
 *     if (s.bad) ...
 *
 * Threads: one at a time for each scanner; it owns nothing. */
#ifndef JSON_SCAN_H
#define JSON_SCAN_H 1

#include "json/json.h"

struct js_scan {
    const char *p, *end; /* What is left. */
    bool bad;            /* It is not JSON, or not what it was taken for; nothing more is found then. */
};

/* At the beginning of the 'n' bytes at 'text', which stay the caller's. */
static inline struct js_scan
js_scan_init(const char *text, size_t n)
{
    return (struct js_scan) { text, text + n, false };
}

/* The first character of what comes next; a null character at the end. */
char js_scan_peek(struct js_scan *);

/* Goes into an object ('{') or array ('['); bad if there is none. */
void js_scan_enter(struct js_scan *, char bracket, bool *first);
/* The name of the next member, to be released with free(), with the scanner at its value; null behind the last. */
char *js_scan_member(struct js_scan *, bool *first) MUST_CHECK;
/* Whether there is another element, with the scanner at it. */
bool js_scan_element(struct js_scan *, bool *first) MUST_CHECK;

/* Goes into an array and reads its first 'n' elements into 'head', null from the first on that is not there or is none;
 * true if another one is behind them, with the scanner at it. */
bool js_scan_head(struct js_scan *, struct json **head, size_t n) MUST_CHECK;

/* Moves past a value.  Sets '*text' and '*len' to where it is; blanks may stand behind it. */
void js_scan_text(struct js_scan *, const char **text, size_t *len);
/* Reads a value; null, with an error, which is the caller's, if it is none. */
struct json *js_scan_json(struct js_scan *, struct error **) MUST_CHECK;

/* Whether nothing but blanks is left. */
bool js_scan_at_end(struct js_scan *);

#endif
