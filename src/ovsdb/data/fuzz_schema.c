/* Fuzz target: a text as a schema.  One that is taken is the same after it was written and read again. */
#include <assert.h>

#include "ovsdb/data/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct schema *schema, *again;
    struct json *json;

    error_free(js_parse((const char *) data, size, &json));
    if (!json) {
        return 0;
    }
    dberr_free(schema_from_json(&schema, json));
    js_unref(json);
    if (schema) {
        json = schema_to_json(schema);
        dberr_free(schema_from_json(&again, json));
        js_unref(json);
        assert(again && schema_equal(schema, again));
        schema_unref(again);
        schema_unref(schema);
    }
    return 0;
}
