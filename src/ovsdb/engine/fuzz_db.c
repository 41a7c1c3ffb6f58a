#include "ovsdb/engine/fuzz_db.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "ovsdb/engine/exec.h"

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

struct json *
fuzz_parse(const char *text, size_t n)
{
    struct json *json;

    error_free(js_parse(text, n, &json));
    return json;
}

struct db *
fuzz_db_create(void)
{
    static const struct exec_session anybody;
    struct json *json = fuzz_parse(schema_text, strlen(schema_text));
    struct exec_outcome out;
    struct schema *schema;
    struct db *db;

    dberr_free(schema_from_json(&schema, json));
    js_unref(json);
    db = db_create(schema);
    schema_unref(schema);
    json = fuzz_parse(first, strlen(first));
    exec_transact(db, json, 0, &anybody, 0, &out);
    assert(out.changes);
    js_unref(json);
    exec_outcome_uninit(&out);
    return db;
}

char *
fuzz_db_dump(const struct db *db)
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
