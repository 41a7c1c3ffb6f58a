#include <stdlib.h>

#include "cmd/ovsdb-client/oc.h"
#include "sys/cmdline.h"

/* Requests and their answers. */

void
oc_check(struct dberr *error)
{
    cmdline_fatal_error(dberr_to_error(error));
}

struct json *
oc_try_call(struct oc *oc, const char *method, struct json *params, struct json **error)
{
    struct jsonrpc_msg *reply;
    struct json *result;
    int status = jsonrpc_client_call(oc->rpc, method, params, &reply);

    if (status) {
        cmdline_fatal(status, "transaction failed");
    }
    result = reply->result ? js_ref(reply->result) : NULL;
    *error = reply->error ? js_ref(reply->error) : NULL;
    jsonrpc_msg_free(reply);
    return result;
}

struct json *
oc_call(struct oc *oc, const char *method, struct json *params)
{
    struct json *error, *result = oc_try_call(oc, method, params, &error);

    if (error) {
        cmdline_fatal(0, "transaction returned error: %s", js_to_string(error, JS_SORTED));
    }
    return result;
}

struct json *
oc_params(const char *one)
{
    struct json *params = js_array();

    js_append_take(params, js_str(one));
    return params;
}

struct json *
oc_list_dbs(struct oc *oc)
{
    struct json *dbs = oc_call(oc, "list_dbs", js_array());

    if (!js_is(dbs, JS_ARRAY)) {
        cmdline_fatal(0, "list_dbs response is not array");
    }
    return dbs;
}

struct schema *
oc_get_schema(struct oc *oc)
{
    struct json *json = oc_call(oc, "get_schema", oc_params(oc->database));
    struct schema *schema;

    oc_check(schema_from_json(&schema, json));
    js_unref(json);
    return schema;
}

struct json *
oc_parse_json(const char *text)
{
    struct json *json;

    cmdline_fatal_error(error_wrap(js_parse_string(text, &json), "\"%s\"", text));
    if (!js_is(json, JS_OBJECT) && !js_is(json, JS_ARRAY)) {
        cmdline_fatal(0, "\"%s\": line 0, column 1, byte 1: syntax error at beginning of input", text);
    }
    return json;
}

void
oc_print_json(const struct oc *oc, const struct json *json)
{
    char *text = js_to_string(json, JS_SORTED | (oc->style.pretty ? JS_PRETTY : 0));

    puts(text);
    free(text);
}
