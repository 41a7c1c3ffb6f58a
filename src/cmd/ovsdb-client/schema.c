#include <stdlib.h>
#include <string.h>

#include "cmd/ovsdb-client/oc.h"
#include "sys/cmdline.h"

static int
compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}

void
oc_list_databases(struct oc *oc)
{
    struct json *dbs = oc_list_dbs(oc);
    size_t n = js_array_len(dbs);
    const char **names = xcalloc(n + 1, sizeof *names);

    for (size_t i = 0; i < n; i++) {
        if (!js_is(js_at(dbs, i), JS_STRING)) {
            cmdline_fatal(0, "list_dbs response is not array of strings");
        }
        names[i] = js_str_value(js_at(dbs, i));
    }
    qsort(names, n, sizeof *names, compare_names);
    for (size_t i = 0; i < n; i++) {
        puts(names[i]);
    }
    free(names);
    js_unref(dbs);
}

void
oc_show_schema(struct oc *oc)
{
    struct schema *schema = oc_get_schema(oc);
    struct json *json = schema_to_json(schema);

    oc_print_json(oc, json);
    js_unref(json);
    schema_unref(schema);
}

void
oc_show_schema_version(struct oc *oc)
{
    struct schema *schema = oc_get_schema(oc);

    puts(schema->version);
    schema_unref(schema);
}

void
oc_show_schema_cksum(struct oc *oc)
{
    struct schema *schema = oc_get_schema(oc);

    puts(schema->cksum);
    schema_unref(schema);
}

void
oc_list_tables(struct oc *oc)
{
    struct schema *schema = oc_get_schema(oc);
    struct table *t = table_create();

    table_add_column(t, "Table");
    for (size_t i = 0; i < schema->n_tables; i++) {
        table_add_row(t);
        table_add_text(t, schema->tables[i].name);
    }
    table_print(t, &oc->style);
    table_destroy(t);
    schema_unref(schema);
}

void
oc_list_columns(struct oc *oc)
{
    struct schema *schema = oc_get_schema(oc);
    struct table *t = table_create();
    const char *only = oc->argc ? oc->argv[0] : NULL;

    if (!only) {
        table_add_column(t, "Table");
    }
    table_add_column(t, "Column");
    table_add_column(t, "Type");
    for (size_t i = 0; i < schema->n_tables; i++) {
        const struct table_schema *ts = &schema->tables[i];

        for (size_t j = 0; j < ts->n_columns && (!only || !strcmp(only, ts->name)); j++) {
            table_add_row(t);
            if (!only) {
                table_add_text(t, ts->name);
            }
            table_add_text(t, ts->columns[j].name);
            table_add_json_take(t, col_type_to_json(&ts->columns[j].type));
        }
    }
    table_print(t, &oc->style);
    table_destroy(t);
    schema_unref(schema);
}

/* Conversion. */

static struct schema *
read_schema(const char *file)
{
    struct schema *schema;

    oc_check(schema_from_file(&schema, file));
    return schema;
}

void
oc_needs_conversion(struct oc *oc)
{
    struct schema *new = read_schema(oc->argv[0]), *old;

    oc->database = xstrdup(new->name);
    oc_connect(oc, new->name);
    old = oc_get_schema(oc);
    puts(schema_equal(old, new) ? "no" : "yes");
    schema_unref(old);
    schema_unref(new);
}

void
oc_convert(struct oc *oc)
{
    struct schema *new = read_schema(oc->argv[0]);
    struct json *params = js_array(), *error;

    oc_connect(oc, new->name);
    /* So that the server answers instead of disconnecting us; older ones do not know this. */
    js_append_take(params, js_bool(true));
    js_unref(oc_try_call(oc, "set_db_change_aware", params, &error));
    js_unref(error);
    params = oc_params(new->name);
    js_append_take(params, schema_to_json(new));
    js_unref(oc_call(oc, "convert", params));
    schema_unref(new);
}
