/* Fuzz target: a text as the operations of a transaction.  One that fails leaves everything as it was; what a condition
 * finds through an index is what it finds by looking at every row. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "ovsdb/engine/exec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char schema_text[] =
    "{\"name\":\"T\",\"tables\":{"
    "\"R\":{\"isRoot\":true,\"maxRows\":9,\"indexes\":[[\"name\"],[\"i\",\"b\"]],\"columns\":{"
    "\"name\":{\"type\":{\"key\":{\"type\":\"string\",\"maxLength\":20}}},\"i\":{\"type\":\"integer\"},"
    "\"b\":{\"type\":\"boolean\"},\"imm\":{\"type\":\"string\",\"mutable\":false},\"r\":{\"type\":\"real\"},"
    "\"o\":{\"type\":{\"key\":{\"type\":\"integer\",\"maxInteger\":9},\"min\":0}},"
    "\"m\":{\"type\":{\"key\":\"string\",\"value\":\"integer\",\"min\":0,\"max\":4}},"
    "\"kids\":{\"type\":{\"key\":{\"type\":\"uuid\",\"refTable\":\"C\"},\"min\":0,\"max\":\"unlimited\"}},"
    "\"w\":{\"type\":{\"key\":{\"type\":\"uuid\",\"refTable\":\"C\",\"refType\":\"weak\"},\"min\":0,"
    "\"max\":\"unlimited\"}}}},"
    "\"C\":{\"columns\":{\"name\":{\"type\":\"string\"},"
    "\"next\":{\"type\":{\"key\":{\"type\":\"uuid\",\"refTable\":\"C\"},\"min\":0}}}}}}";

static const char first[] =
    "[{\"op\":\"insert\",\"table\":\"C\",\"uuid\":\"c0000000-0000-4000-8000-000000000001\",\"row\":{\"name\":\"c\"}},"
    "{\"op\":\"insert\",\"table\":\"R\",\"row\":{\"name\":\"a\",\"i\":1,\"m\":[\"map\",[[\"k\",1]]],"
    "\"kids\":[\"uuid\",\"c0000000-0000-4000-8000-000000000001\"]}},"
    "{\"op\":\"insert\",\"table\":\"R\",\"row\":{\"name\":\"b\",\"i\":2,\"o\":5,"
    "\"w\":[\"uuid\",\"c0000000-0000-4000-8000-000000000001\"]}}]";

static struct json *
parse(const char *text, size_t n)
{
    struct json *json;

    error_free(js_parse(text, n, &json));
    return json;
}

static struct db *
make_db(void)
{
    static const struct exec_session anybody;
    struct json *json = parse(schema_text, strlen(schema_text));
    struct exec_outcome out;
    struct schema *schema;
    struct db *db;

    dberr_free(schema_from_json(&schema, json));
    js_unref(json);
    db = db_create(schema);
    schema_unref(schema);
    json = parse(first, strlen(first));
    exec_transact(db, json, 0, &anybody, 0, &out);
    assert(out.changes);
    js_unref(json);
    exec_outcome_uninit(&out);
    return db;
}

static char *
dump(const struct db *db)
{
    struct str s = STR_INIT;

    for (size_t i = 0; i < db->schema->n_tables; i++) {
        size_t n = 0;

        TABLE_FOR_EACH_ROW (row, &db->tables[i]) {
            struct json *json = tuple_to_json(row->tuple, db->tables[i].schema, NULL, 0);

            assert(row->tuple && !row->change && table_row(&db->tables[i], &row->uuid) == row);
            js_put(&s, json, JS_SORTED);
            js_unref(json);
            n++;
        }
        assert(n == db->tables[i].n_rows);
    }
    return str_steal(&s);
}

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
    struct json *ops = parse((const char *) data, size);
    struct exec_outcome out;
    char *before, *after;
    struct db *db;

    if (!js_is(ops, JS_ARRAY)) {
        js_unref(ops);
        return 0;
    }
    db = make_db();
    before = dump(db);
    exec_transact(db, ops, 0, &anybody, 0, &out);
    after = dump(db);
    assert(out.changes || !strcmp(before, after));
    assert(!out.reply || js_array_len(out.reply) >= js_array_len(ops));
    check_conditions(db, ops);
    exec_outcome_uninit(&out);
    db_destroy(db);
    js_unref(ops);
    free(before);
    free(after);
    return 0;
}
