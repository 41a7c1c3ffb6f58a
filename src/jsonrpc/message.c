#include "jsonrpc/message.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "json/scan.h"

static struct jsonrpc_msg *
msg_create(enum jsonrpc_type type)
{
    struct jsonrpc_msg *m = xzalloc(sizeof *m);

    m->type = type;
    return m;
}

struct jsonrpc_msg *
jsonrpc_request(const char *method, struct json *params, struct json **id)
{
    static _Atomic uint32_t next_id;
    struct jsonrpc_msg *m = msg_create(JSONRPC_REQUEST);

    m->method = xstrdup(method);
    m->params = params;
    m->id = js_int(next_id++);
    if (id) {
        *id = js_ref(m->id);
    }
    return m;
}

struct jsonrpc_msg *
jsonrpc_notify(const char *method, struct json *params)
{
    struct jsonrpc_msg *m = msg_create(JSONRPC_NOTIFY);

    m->method = xstrdup(method);
    m->params = params;
    return m;
}

struct jsonrpc_msg *
jsonrpc_reply(struct json *result, const struct json *id)
{
    struct jsonrpc_msg *m = msg_create(JSONRPC_REPLY);

    m->result = result;
    m->id = js_ref(id);
    return m;
}

struct jsonrpc_msg *
jsonrpc_error(struct json *error, const struct json *id)
{
    struct jsonrpc_msg *m = msg_create(JSONRPC_ERROR);

    m->error = error;
    m->id = js_ref(id);
    return m;
}

void
jsonrpc_msg_free(struct jsonrpc_msg *m)
{
    if (m) {
        if (!m->whole) {
            free(m->method);
        }
        js_unref(m->params);
        js_unref(m->result);
        js_unref(m->error);
        js_unref(m->id);
        js_unref(m->whole);
        free(m->text);
        free(m);
    }
}

const char *
jsonrpc_type_name(enum jsonrpc_type type)
{
    static const char *const names[] = { "request", "notification", "reply", "error" };

    return names[type];
}

/* The members of a message as they came; null where there is none. */
struct members {
    struct json *method, *params, *result, *error, *id;
};

static struct error *
find_members(const struct json *object, struct members *m)
{
    const struct { const char *name; struct json **value; } known[] = {
        { "method", &m->method }, { "params", &m->params }, { "id", &m->id }, { "result", &m->result },
        { "error", &m->error },
    };

    for (void *it = js_iter(object); it; it = js_iter_next(object, it)) {
        const char *name = js_iter_name(it);
        size_t i = 0;

        while (i < ARRAY_SIZE(known) && (*name != *known[i].name || strcmp(name, known[i].name))) {
            i++;
        }
        if (i == ARRAY_SIZE(known)) {
            return error_new("message has unexpected member \"%s\"", name);
        }
        *known[i].value = js_iter_value(it);
    }
    return NULL;
}

/* A reference; null counts as absent. */
static struct json *
take(const struct json *value)
{
    return js_is(value, JS_NULL) ? NULL : js_ref(value);
}

/* Which members each kind must have: the order of 'enum jsonrpc_type'. */
static struct error *
check_members(const struct jsonrpc_msg *m, bool has_result)
{
    static const struct { bool method, params, result, error, id; } must[] = {
        { true, true, false, false, true },
        { true, true, false, false, false },
        { false, false, true, false, true },
        { false, false, false, true, true },
    };
    const struct { const char *name; bool has, must; } members[] = {
        { "method", m->method != NULL, must[m->type].method },
        { "params", m->params != NULL, must[m->type].params },
        { "result", has_result, must[m->type].result },
        { "error", m->error != NULL, must[m->type].error },
        { "id", m->id != NULL, must[m->type].id },
    };

    for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
        if (members[i].has != members[i].must) {
            return error_new("%s must%s have \"%s\"", jsonrpc_type_name(m->type), members[i].must ? "" : " not",
                             members[i].name);
        }
    }
    if (m->params && js_type(m->params) != JS_ARRAY) {
        return error_new("\"params\" must be JSON array");
    }
    return NULL;
}

struct error *
jsonrpc_msg_from_json(struct json *json, struct jsonrpc_msg **msg)
{
    struct jsonrpc_msg *m = msg_create(JSONRPC_REQUEST);
    struct members in = { .method = NULL };
    struct error *error;

    *msg = NULL;
    m->whole = json;
    error = js_type(json) == JS_OBJECT ? find_members(json, &in) : error_new("message is not a JSON object");
    if (!error) {
        if (js_is(in.method, JS_STRING)) {
            m->method = (char *) js_str_value(in.method);
        } else if (in.method && !js_is(in.method, JS_NULL)) {
            error = error_new("method is not a JSON string");
        }
        m->params = take(in.params);
        m->result = take(in.result);
        m->error = take(in.error);
        m->id = take(in.id);
    }
    if (!error) {
        /* A reply's result may be null, which is a value there. */
        bool has_result = m->result != NULL;

        m->type = m->result ? JSONRPC_REPLY : m->error ? JSONRPC_ERROR : m->id ? JSONRPC_REQUEST : JSONRPC_NOTIFY;
        if (!m->result && !m->error && !m->method && m->id && in.result) {
            m->type = JSONRPC_REPLY;
            m->result = js_null();
            has_result = true;
        }
        error = check_members(m, has_result);
    }
    if (error) {
        jsonrpc_msg_free(m);
        return error;
    }
    *msg = m;
    return NULL;
}

/* Finds the parts of a reply; false if the text is no reply in the usual form. */
static bool
find_reply(struct js_scan *s, struct jsonrpc_msg *m)
{
    char *name;
    bool first, fits = true;

    js_scan_enter(s, '{', &first);
    while (fits && (name = js_scan_member(s, &first))) {
        struct error *error = NULL;

        if (!strcmp(name, "result") && !m->result_text && (js_scan_peek(s) == '{' || js_scan_peek(s) == '[')) {
            js_scan_text(s, &m->result_text, &m->result_len);
        } else if (!strcmp(name, "id") && !m->id) {
            m->id = js_scan_json(s, &error);
        } else if (!strcmp(name, "error") && !m->error) {
            m->error = js_scan_json(s, &error);
        } else {
            fits = false;
        }
        error_free(error);
        free(name);
    }
    return fits && !s->bad && js_scan_at_end(s) && m->result_text && m->id && !js_is(m->id, JS_NULL)
           && (!m->error || js_is(m->error, JS_NULL));
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* What is left is taken for the parameters, if it is an array in front of the bracket that ends the message. */
static bool
take_params(const struct js_scan *s, struct jsonrpc_msg *m)
{
    const char *end = s->end;

    while (end > s->p && is_blank(end[-1])) {
        end--;
    }
    if (end == s->p || *--end != '}') {
        return false;
    }
    while (end > s->p && is_blank(end[-1])) {
        end--;
    }
    m->params_text = s->p;
    m->params_len = end - s->p;
    return m->params_len >= 2 && *m->params_text == '[' && end[-1] == ']';
}

/* Finds the parts of a request; false if the text is none of 'method' in the usual form, with the parameters behind the
 * others. */
static bool
find_request(struct js_scan *s, const char *method, struct jsonrpc_msg *m)
{
    char *name;
    bool first, fits = true, is_method = false, found = false;

    js_scan_enter(s, '{', &first);
    while (fits && !found && (name = js_scan_member(s, &first))) {
        struct error *error = NULL;

        if (!strcmp(name, "method") && !is_method) {
            struct json *value = js_scan_json(s, &error);

            fits = is_method = js_is(value, JS_STRING) && !strcmp(js_str_value(value), method);
            js_unref(value);
        } else if (!strcmp(name, "id") && !m->id) {
            m->id = js_scan_json(s, &error);
        } else {
            found = !strcmp(name, "params") && take_params(s, m);
            fits = found;
        }
        error_free(error);
        free(name);
    }
    return found && !s->bad && is_method && m->id && !js_is(m->id, JS_NULL);
}

/* Reads a message of 'type' that stays text; null if it cannot. */
static struct jsonrpc_msg *
long_msg(enum jsonrpc_type type, char *text, size_t n, const char *method)
{
    struct jsonrpc_msg *m = msg_create(type);
    struct js_scan s = js_scan_init(text, n);

    if (type == JSONRPC_REPLY ? !find_reply(&s, m) : !find_request(&s, method, m)) {
        jsonrpc_msg_free(m);
        return NULL;
    }
    js_unref(m->error);
    m->error = NULL;
    m->method = type == JSONRPC_REQUEST ? xstrdup(method) : NULL;
    m->text = text;
    m->text_len = n;
    return m;
}

struct error *
jsonrpc_msg_from_text(char *text, size_t n, const char *long_method, struct jsonrpc_msg **msg)
{
    struct error *error;
    struct json *json;

    *msg = long_msg(JSONRPC_REPLY, text, n, NULL);
    *msg = *msg || !long_method ? *msg : long_msg(JSONRPC_REQUEST, text, n, long_method);
    if (*msg) {
        return NULL;
    }
    error = js_parse_take(text, n, &json);
    return error ? error : jsonrpc_msg_from_json(json, msg);
}

struct error *
jsonrpc_msg_read_result(struct jsonrpc_msg *m)
{
    struct error *error = m->text ? js_parse(m->result_text, m->result_len, &m->result) : NULL;

    if (m->text && !error) {
        free(m->text);
        m->text = NULL;
        m->result_text = NULL;
        m->result_len = 0;
    }
    return error;
}

struct error *
jsonrpc_msg_read_params(struct jsonrpc_msg *m)
{
    struct jsonrpc_msg *whole = NULL;
    struct error *error;
    struct json *json;

    if (!m->params_text) {
        return NULL;
    }
    error = js_parse_take(m->text, m->text_len, &json);
    m->text = NULL;
    m->params_text = NULL;
    error = error ? error : jsonrpc_msg_from_json(json, &whole);
    if (!error) {
        struct jsonrpc_msg found = *m;

        *m = *whole; /* All of it: behind the array may be more than was thought. */
        *whole = found;
        jsonrpc_msg_free(whole);
    }
    return error;
}

/* 'name' with what goes around it. */
static void
put_member(struct str *s, const char *name, const struct json *value)
{
    str_puts(s, name);
    if (value) {
        js_put(s, value, JS_COMPACT);
    } else {
        str_puts(s, "null");
    }
}

void
jsonrpc_msg_put(struct str *s, const struct jsonrpc_msg *m)
{
    if (m->type == JSONRPC_REPLY || m->type == JSONRPC_ERROR) {
        put_member(s, "{\"error\":", m->error);
        put_member(s, ",\"id\":", m->id);
    } else {
        put_member(s, "{\"id\":", m->id);
    }
    if (m->method) {
        str_puts(s, ",\"method\":");
        js_put_quoted(s, m->method);
    }
    if (m->params) {
        put_member(s, ",\"params\":", m->params);
    }
    if (m->type == JSONRPC_REPLY && m->result_text) {
        str_puts(s, ",\"result\":");
        str_putn(s, m->result_text, m->result_len);
    } else if (m->type == JSONRPC_REPLY) {
        put_member(s, ",\"result\":", m->result);
    }
    str_putc(s, '}');
}
