/* Fuzz target: a text as the operations of a transaction.  One that fails leaves everything as it was; what a condition
 * finds through an index is what it finds by looking at every row. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "ovsdb/engine/exec.h"
#include "ovsdb/engine/fuzz_db.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
is_found(const struct table *t, const struct condition *where)
{
    size_t n, seen = 0;
    struct row **rows = table_find(t, where, &n);

    TABLE_FOR_EACH_ROW (row, t) {
        seen += condition_all(where, row->tuple->fields);
    }
    free(rows);
    return seen == n;
}

static void
check_conditions(const struct db *db, const struct json *ops)
{
    for (size_t i = 0; i < js_array_len(ops); i++) {
        const char *name = js_get_str(js_at(ops, i), "table");
        const struct json *json = js_get(js_at(ops, i), "where");
        const struct table *t = name ? db_table(db, name) : NULL;
        struct condition where = CONDITION_INIT;
        struct dberr *e;

        if (!t || !js_is(json, JS_ARRAY)) {
            continue;
        }
        e = condition_from_json(&where, t->schema, json, NULL);
        assert(e || is_found(t, &where));
        dberr_free(e);
        condition_uninit(&where);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct exec_session anybody;
    struct json *ops = fuzz_parse((const char *) data, size);
    struct exec_outcome out;
    struct json *reply;
    char *before, *after;
    struct db *db;

    if (!js_is(ops, JS_ARRAY)) {
        js_unref(ops);
        return 0;
    }
    db = fuzz_db_create();
    before = fuzz_db_dump(db);
    exec_transact(db, ops, 0, &anybody, 0, &out);
    after = fuzz_db_dump(db);
    assert(out.changes || !strcmp(before, after));
    reply = fuzz_parse(str_text(&out.reply), out.reply.len);
    assert(!reply || js_array_len(reply) >= js_array_len(ops));
    check_conditions(db, ops);
    exec_outcome_uninit(&out);
    db_destroy(db);
    js_unref(ops);
    js_unref(reply);
    free(before);
    free(after);
    return 0;
}
