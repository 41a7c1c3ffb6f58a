#include "ovsdb/data/dberr.h"

#include <stdlib.h>
#include <string.h>

struct dberr *
dberr_newv(const char *tag, const char *format, va_list args)
{
    struct dberr *e = xzalloc(sizeof *e);

    e->tag = xstrdup(tag);
    e->details = format ? xvasprintf(format, args) : NULL;
    return e;
}

struct dberr *
dberr_new(const char *tag, const char *format, ...)
{
    struct dberr *e;
    va_list args;

    va_start(args, format);
    e = dberr_newv(tag, format, args);
    va_end(args);
    return e;
}

static struct dberr *
set_syntax(struct dberr *e, const struct json *json)
{
    e->syntax = json ? js_to_string(json, JS_SORTED) : NULL;
    return e;
}

struct dberr *
dberr_at(const struct json *json, const char *tag, const char *format, ...)
{
    struct dberr *e;
    va_list args;

    va_start(args, format);
    e = dberr_newv(tag, format, args);
    va_end(args);
    return set_syntax(e, json);
}

struct dberr *
dberr_syntax(const struct json *json, const char *format, ...)
{
    struct dberr *e;
    va_list args;

    va_start(args, format);
    e = dberr_newv(DBERR_SYNTAX, format, args);
    va_end(args);
    return set_syntax(e, json);
}

struct dberr *
dberr_io(int err, const char *format, ...)
{
    struct dberr *e;
    va_list args;

    va_start(args, format);
    e = dberr_newv(DBERR_IO, format, args);
    va_end(args);
    e->err = err;
    return e;
}

struct dberr *
dberr_wrap(struct dberr *e, const char *format, ...)
{
    if (e) {
        va_list args;
        char *context, *details;

        va_start(args, format);
        context = xvasprintf(format, args);
        va_end(args);
        details = e->details ? xasprintf("%s: %s", context, e->details) : xstrdup(context);
        free(context);
        free(e->details);
        e->details = details;
    }
    return e;
}

struct json *
dberr_to_json(const struct dberr *e)
{
    struct json *json = js_object();

    if (e->details) {
        js_set_take(json, "details", js_str(e->details));
    }
    js_set_take(json, "error", js_str(e->tag));
    if (e->err) {
        js_set_take(json, "io-error", js_str(strerror(e->err)));
    }
    if (e->syntax) {
        js_set_take(json, "syntax", js_str(e->syntax));
    }
    return json;
}

char *
dberr_to_string(const struct dberr *e)
{
    struct str s = STR_INIT;

    if (e->syntax) {
        str_putf(&s, "syntax \"%s\": ", e->syntax);
    }
    str_puts(&s, e->tag);
    if (e->details) {
        str_putf(&s, ": %s", e->details);
    }
    if (e->err) {
        str_putf(&s, " (%s)", strerror(e->err));
    }
    return str_steal(&s);
}

struct error *
dberr_to_error(struct dberr *e)
{
    struct error *error = NULL;

    if (e) {
        char *text = dberr_to_string(e);

        error = error_new("%s", text);
        free(text);
        dberr_free(e);
    }
    return error;
}

void
dberr_free(struct dberr *e)
{
    if (e) {
        free(e->tag);
        free(e->details);
        free(e->syntax);
        free(e);
    }
}
