/* Fuzz target: a text as a condition.  One that is taken means the same after it was written and read again. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "ovsdb/data/cond.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char schema_text[] =
    "{\"name\":\"T\",\"tables\":{\"T\":{\"columns\":{\"i\":{\"type\":\"integer\"},\"r\":{\"type\":\"real\"},"
    "\"b\":{\"type\":\"boolean\"},\"s\":{\"type\":\"string\"},\"u\":{\"type\":\"uuid\"},"
    "\"oi\":{\"type\":{\"key\":\"integer\",\"min\":0}},"
    "\"set\":{\"type\":{\"key\":\"string\",\"min\":0,\"max\":\"unlimited\"}},"
    "\"e\":{\"type\":{\"key\":{\"type\":\"string\",\"enum\":[\"set\",[\"x\",\"y\"]]},\"min\":0,\"max\":2}},"
    "\"m\":{\"type\":{\"key\":\"string\",\"value\":\"integer\",\"min\":0,\"max\":\"unlimited\"}}}}}}";

static struct schema *
the_schema(void)
{
    struct schema *schema = NULL;
    struct json *json;

    error_free(js_parse(schema_text, strlen(schema_text), &json));
    dberr_free(schema_from_json(&schema, json));
    js_unref(json);
    return schema;
}

static void
check(const struct condition *c, const struct table_schema *t, const struct datum *row)
{
    struct json *json = condition_to_json(c);
    struct condition again = CONDITION_INIT;
    struct dberr *e = condition_from_json(&again, t, json, NULL);

    assert(!e && again.n == c->n);
    assert(condition_all(c, row) == condition_all(&again, row));
    assert(condition_any(c, row) == condition_any(&again, row));
    condition_uninit(&again);
    js_unref(json);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct condition c = CONDITION_INIT;
    struct schema *schema;
    const struct table_schema *t;
    struct datum row[16];
    struct json *json;

    error_free(js_parse((const char *) data, size, &json));
    if (!js_is(json, JS_ARRAY)) {
        js_unref(json);
        return 0;
    }
    schema = the_schema();
    t = &schema->tables[0];
    for (size_t i = 0; i < t->n_columns; i++) {
        datum_init_default(&row[i], &t->columns[i].type);
    }
    dberr_free(condition_from_json(&c, t, json, NULL));
    check(&c, t, row);
    for (size_t i = 0; i < t->n_columns; i++) {
        datum_uninit(&row[i], &t->columns[i].type);
    }
    condition_uninit(&c);
    schema_unref(schema);
    js_unref(json);
    return 0;
}
