#include <stdlib.h>
#include <string.h>

#include "cmd/ovsdb-client/oc.h"
#include "sys/cmdline.h"

/* The columns to show of one table, sorted by name as they are in the schema; "_version" only if asked for. */
struct shown {
    const struct table_schema *ts;
    const struct column **columns;
    size_t n;
};

static void
choose_columns(const struct oc *oc, struct shown *s)
{
    s->columns = xcalloc(s->ts->n_columns + 1, sizeof *s->columns);
    s->n = 0;
    for (int i = 1; i < oc->argc; i++) {
        if (!table_schema_column(s->ts, oc->argv[i])) {
            cmdline_fatal(0, "Table \"%s\" has no column %s.", s->ts->name, oc->argv[i]);
        }
    }
    for (size_t i = 0; i < s->ts->n_columns; i++) {
        const struct column *c = &s->ts->columns[i];
        bool asked = false;

        for (int j = 1; j < oc->argc; j++) {
            asked |= !strcmp(oc->argv[j], c->name);
        }
        if (asked || (oc->argc < 2 && i != COL_VERSION)) {
            s->columns[s->n++] = c;
        }
    }
}

static struct json *
select_op(const struct shown *s)
{
    struct json *op = js_object(), *columns = js_array();

    for (size_t i = 0; i < s->n; i++) {
        js_append_take(columns, js_str(s->columns[i]->name));
    }
    js_set_take(op, "op", js_str("select"));
    js_set_take(op, "table", js_str(s->ts->name));
    js_set_take(op, "where", js_array());
    js_set_take(op, "columns", columns);
    return op;
}

/* Rows in the order of their columns, the identity last. */
static int
compare_rows(const void *a_, const void *b_, void *s_)
{
    const struct datum *a = *(struct datum *const *) a_, *b = *(struct datum *const *) b_;
    const struct shown *s = s_;
    int by_uuid = 0;

    for (size_t i = 0; i < s->n; i++) {
        int cmp = datum_compare(&a[i], &b[i], &s->columns[i]->type);

        if (cmp && s->columns[i]->index == COL_UUID) {
            by_uuid = cmp;
        } else if (cmp) {
            return cmp;
        }
    }
    return by_uuid;
}

static struct datum *
parse_row(const struct shown *s, const struct json *json)
{
    struct datum *row = xcalloc(s->n + 1, sizeof *row);

    for (size_t i = 0; i < s->n; i++) {
        const struct json *value = js_get(json, s->columns[i]->name);

        if (!value) {
            cmdline_fatal(0, "%s table reply row lacks %s column", s->ts->name, s->columns[i]->name);
        }
        oc_check(datum_from_json_loose(&row[i], &s->columns[i]->type, value, NULL));
    }
    return row;
}

static void
print_table(const struct oc *oc, const struct shown *s, const struct json *rows_json)
{
    size_t n = js_array_len(rows_json);
    struct datum **rows = xcalloc(n + 1, sizeof *rows);
    struct table *t = table_create();
    char *caption = xasprintf("%s table", s->ts->name);

    table_set_caption(t, caption);
    for (size_t i = 0; i < s->n; i++) {
        table_add_column(t, "%s", s->columns[i]->name);
    }
    for (size_t i = 0; i < n; i++) {
        rows[i] = parse_row(s, js_at(rows_json, i));
    }
    qsort_r(rows, n, sizeof *rows, compare_rows, (void *) s);
    for (size_t i = 0; i < n; i++) {
        table_add_row(t);
        for (size_t j = 0; j < s->n; j++) {
            table_add_datum(t, &rows[i][j], &s->columns[j]->type);
            datum_uninit(&rows[i][j], &s->columns[j]->type);
        }
        free(rows[i]);
    }
    table_print(t, &oc->style);
    table_destroy(t);
    free(caption);
    free(rows);
}

void
oc_dump(struct oc *oc)
{
    struct schema *schema = oc_get_schema(oc);
    struct shown *shown = xcalloc(schema->n_tables + 1, sizeof *shown);
    struct json *params = oc_params(oc->database), *result;
    size_t n = 0;

    for (size_t i = 0; i < schema->n_tables; i++) {
        if (!oc->argc || !strcmp(oc->argv[0], schema->tables[i].name)) {
            shown[n].ts = &schema->tables[i];
            choose_columns(oc, &shown[n]);
            js_append_take(params, select_op(&shown[n]));
            n++;
        }
    }
    if (!n && oc->argc) {
        cmdline_fatal(0, "No table \"%s\" found.", oc->argv[0]);
    }
    result = oc_call(oc, "transact", params);
    for (size_t i = 0; i < n; i++) {
        const struct json *reply = js_at(result, i), *rows = js_get(reply, "rows");

        if (!js_is(rows, JS_ARRAY)) {
            cmdline_fatal(0, "%s table reply is not an object with a \"rows\" member array: %s", shown[i].ts->name,
                          reply ? js_to_string(reply, JS_SORTED) : "null");
        }
        print_table(oc, &shown[i], rows);
        free(shown[i].columns);
    }
    js_unref(result);
    free(shown);
    schema_unref(schema);
}
