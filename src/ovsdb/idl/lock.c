/* The lock that a program may want of the server. */
#include <stdlib.h>

#include "ovsdb/idl/session_private.h"
#include "sys/log.h"

LOG_MODULE(ovsdb_idl)

static void
set_lock(struct idl_session *s, bool has)
{
    s->has_lock = has;
    s->lock_contended = !has;
    loop_task_post(&s->notify);
}

static void
lock_reply(void *aux, const struct json *result, const struct json *error)
{
    struct idl_session *s = aux;

    if (error) {
        char *text = idl_error_text_of(error);

        log_warn("%s: lock \"%s\" refused: %s", jsonrpc_session_name(s->rpc), s->lock, text);
        free(text);
    } else if (result) {
        set_lock(s, js_is(js_get(result, "locked"), JS_TRUE));
    }
}

void
idl_lock_send(struct idl_session *s)
{
    struct json *params;

    if (!s->lock) {
        return;
    }
    params = js_array();
    js_append_take(params, js_str(s->lock));
    idl_session_request(s, "lock", params, lock_reply, s);
}

void
idl_lock_update(struct idl_session *s, const struct json *params, bool has)
{
    const struct json *name = js_is(params, JS_ARRAY) && js_array_len(params) == 1 ? js_at(params, 0) : NULL;

    if (s->lock && js_is(name, JS_STRING) && !strcmp(js_str_value(name), s->lock)) {
        set_lock(s, has);
    }
}

const char *idl_session_lock(const struct idl_session *s) { return s->lock; }

void
idl_set_lock(struct idl *idl, const char *name)
{
    free(idl->session->lock);
    idl->session->lock = xstrdup(name);
}

bool idl_has_lock(const struct idl *idl) { return idl->session->has_lock; }
bool idl_is_lock_contended(const struct idl *idl) { return idl->session->lock_contended; }
