#include "ovsdb/idl/schema_text.h"

#include <stdlib.h>

struct schema *
idl_schema_from_text(const char *text)
{
    struct json *json;
    struct schema *schema;
    struct error *e = js_parse_string(text, &json);
    struct dberr *de;

    if (e) {
        fprintf(stderr, "built-in schema: %s\n", error_text(e));
        abort();
    }
    de = schema_from_json(&schema, json);
    js_unref(json);
    if (de) {
        fprintf(stderr, "built-in schema: %s\n", dberr_to_string(de));
        abort();
    }
    return schema;
}
