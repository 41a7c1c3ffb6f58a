/* Fuzz target: what a server may send as table updates.  The first byte chooses the form; the rest is JSON, applied
 * twice, the second time as everything anew, from the text. */
#include <stdlib.h>

#include "ovsdb/idl/idl_private.h"
#include "ovsdb/idl/vswitch_idl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
apply(struct idl *idl, const struct json *updates, int version)
{
    error_free(idl_update(idl, updates, version));
}

static void
apply_anew(struct idl *idl, const char *text, size_t len, int version)
{
    struct js_scan scan = js_scan_init(text, len);
    struct error *e;

    idl_refill_begin(idl);
    e = idl_update_scan(idl, &scan, version);
    if (!e) {
        idl_refill_end(idl);
    }
    error_free(e);
}

/* Reads every value of every row. */
static void
read_all(const struct idl *idl)
{
    struct str s = STR_INIT;

    for (unsigned t = 0; t < VS_N_TABLES; t++) {
        IDL_FOR_EACH (row, idl, t) {
            for (unsigned c = 0; c < row->table->schema->n_columns; c++) {
                datum_put_json(&s, idl_get(row, c), idl_type(row, c));
            }
        }
    }
    str_uninit(&s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct schema *schema;
    struct loop *loop;
    struct json *json;
    struct idl *idl;
    struct error *e;

    if (!size) {
        return 0;
    }
    e = js_parse((const char *) data + 1, size - 1, &json);
    if (e) {
        error_free(e);
        return 0;
    }
    schema = vs_schema();
    loop = loop_create();
    idl = idl_create(loop, schema, "unix:none", true);
    for (unsigned i = 0; i < VS_N_TABLES; i++) {
        idl_add_table(idl, i, i % 2 ? IDL_QUIET : IDL_ALERT);
    }
    apply(idl, json, data[0] == '1' ? 1 : 2);
    read_all(idl);
    idl_clear_changes(idl);
    apply_anew(idl, (const char *) data + 1, size - 1, data[0] == '1' ? 1 : 2);
    read_all(idl);
    idl_destroy(idl);
    loop_destroy(loop);
    schema_unref(schema);
    js_unref(json);
    return 0;
}
