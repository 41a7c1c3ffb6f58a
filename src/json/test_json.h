/* JSON in C strings of tests, with ' for ", which needs no backslashes.  To be included after <cmocka.h>; text that is
 * no JSON fails the test. */
#ifndef JSON_TEST_JSON_H
#define JSON_TEST_JSON_H 1

#include <stdlib.h>

#include "base/util.h"
#include "json/json.h"

/* Text with ' instead of " as JSON has it; to be released with free(). */
static inline char *
json_unquote(const char *text)
{
    char *copy = xstrdup(text);

    for (char *p = copy; *p; p++) {
        *p = *p == '\'' ? '"' : *p;
    }
    return copy;
}

/* JSON from such text; to be released with js_unref(). */
static inline struct json *
J(const char *text)
{
    char *copy = json_unquote(text);
    struct json *json;
    struct error *e = js_parse_string(copy, &json);

    if (e) {
        fail_msg("%s: %s", text, error_text(e));
    }
    free(copy);
    return json;
}

#endif
