#include "ovsdb/engine/op.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ovsdb/engine/internal.h"

/* "select" and "wait" (RFC 7047 sections 5.2.2 and 5.2.6). */

/* --- Sets of rows --- */

/* Sets of rows, seen through some columns: 'tuples' sorted, without duplicates. */
struct row_set {
    const struct column **columns;
    size_t n_columns;
    struct tuple **tuples; /* Each a reference. */
    size_t n;
};

static int
compare_projected(const void *a_, const void *b_, void *set_)
{
    const struct tuple *a = *(struct tuple *const *) a_, *b = *(struct tuple *const *) b_;
    const struct row_set *set = set_;
    int cmp = 0;

    for (size_t i = 0; i < set->n_columns && !cmp; i++) {
        const struct column *c = set->columns[i];

        cmp = datum_compare(&a->fields[c->index], &b->fields[c->index], &c->type);
    }
    return cmp;
}

static void
row_set_sort(struct row_set *set, const struct table_schema *schema)
{
    size_t n = 0;

    if (set->n) {
        qsort_r(set->tuples, set->n, sizeof *set->tuples, compare_projected, set);
    }
    for (size_t i = 0; i < set->n; i++) {
        if (n && !compare_projected(&set->tuples[n - 1], &set->tuples[i], set)) {
            tuple_unref(set->tuples[i], schema);
        } else {
            set->tuples[n++] = set->tuples[i];
        }
    }
    set->n = n;
}

static void
row_set_uninit(struct row_set *set, const struct table_schema *schema)
{
    for (size_t i = 0; i < set->n; i++) {
        tuple_unref(set->tuples[i], schema);
    }
    free(set->tuples);
}

static void
actual_rows(const struct table *t, const struct condition *where, struct row_set *set)
{
    size_t n;
    struct row **rows = table_find(t, where, &n);

    set->tuples = xcalloc(n + 1, sizeof *set->tuples);
    for (size_t i = 0; i < n; i++) {
        set->tuples[set->n++] = tuple_ref(rows[i]->tuple);
    }
    free(rows);
}

/* The result of a select: rows that look the same through the columns asked for are one. */
static struct json *
selected_rows(const struct table *t, const struct condition *where, const struct column **columns, size_t n_columns)
{
    struct row_set set = { columns, n_columns, NULL, 0 };
    struct json *array = js_array();

    actual_rows(t, where, &set);
    if (n_columns < t->schema->n_columns) {
        row_set_sort(&set, t->schema);
    }
    for (size_t i = 0; i < set.n; i++) {
        js_append_take(array, tuple_to_json(set.tuples[i], t->schema, columns, n_columns));
    }
    row_set_uninit(&set, t->schema);
    return array;
}

struct dberr *
op_select(struct exec *x, struct op *op, struct str *result)
{
    const struct json *where_json, *columns_json;
    struct condition where = CONDITION_INIT;
    const struct column **columns = NULL;
    size_t n_columns = 0;
    struct dberr *e;

    op_take_table(x, op);
    where_json = members_take(&op->m, "where", M_ARRAY);
    columns_json = members_take(&op->m, "columns", M_ARRAY | M_OPTIONAL);
    /* "sort" is of an older draft of the protocol; programs still send it. */
    members_take(&op->m, "sort", M_ARRAY | M_OPTIONAL);
    e = members_finish(&op->m);
    e = e ? e : condition_from_json(&where, op->table->schema, where_json, &x->symtab);
    e = e ? e : schema_columns_from_json(op->table->schema, columns_json, &columns, &n_columns);
    if (!e) {
        struct json *rows = selected_rows(op->table, &where, columns, n_columns);

        str_puts(result, "{\"rows\":");
        js_put(result, rows, x->session->format);
        str_putc(result, '}');
        js_unref(rows);
    }
    free(columns);
    condition_uninit(&where);
    return e;
}

/* --- wait --- */

static bool
row_sets_equal(struct row_set *a, struct row_set *b)
{
    if (a->n != b->n) {
        return false;
    }
    for (size_t i = 0; i < a->n; i++) {
        if (compare_projected(&a->tuples[i], &b->tuples[i], a)) {
            return false;
        }
    }
    return true;
}

static struct dberr *
expected_rows(struct exec *x, const struct table_schema *schema, const struct json *rows, struct row_set *set)
{
    static const struct uuid zero;
    struct dberr *e = NULL;

    set->tuples = xcalloc(js_array_len(rows) + 1, sizeof *set->tuples);
    for (size_t i = 0; i < js_array_len(rows) && !e; i++) {
        struct tuple *t = tuple_create(schema, &zero);

        set->tuples[set->n++] = t;
        e = exec_row_from_json(schema, t->fields, js_at(rows, i), &x->symtab, NULL, NULL);
    }
    return e;
}

/* The condition of a "wait" does not hold: time out, or say that there is to be another try. */
static struct dberr *
not_yet(struct exec *x, const struct json *timeout)
{
    int64_t ms = timeout ? MIN(js_int_value(timeout), INT64_C(1000000000000000)) : INT64_MAX;

    if (x->elapsed_ms >= ms) {
        return x->elapsed_ms ? dberr_new("timed out", "\"wait\" timed out after %" PRId64 " ms", x->elapsed_ms)
                             : dberr_new("timed out", "\"where\" clause test failed");
    } else if (x->session->alone) {
        return dberr_new("not supported", "triggers not supported");
    }
    x->must_wait = true;
    x->timeout_ms = ms;
    return NULL;
}

static struct dberr *
wait_for_rows(struct exec *x, struct op *op, const struct condition *where, const struct column **columns,
              size_t n_columns, const struct json *rows, bool want_equal, const struct json *timeout)
{
    const struct table_schema *schema = op->table->schema;
    struct row_set expected = { columns, n_columns, NULL, 0 }, actual = expected;
    struct dberr *e = expected_rows(x, schema, rows, &expected);

    if (!e) {
        actual_rows(op->table, where, &actual);
        row_set_sort(&expected, schema);
        row_set_sort(&actual, schema);
        if (row_sets_equal(&expected, &actual) != want_equal) {
            e = not_yet(x, timeout);
        }
    }
    row_set_uninit(&expected, schema);
    row_set_uninit(&actual, schema);
    return e;
}

static struct dberr *
check_wait_arguments(const struct json *timeout, const struct json *until)
{
    if (timeout && js_int_value(timeout) < 0) {
        return dberr_syntax(timeout, "timeout must be nonnegative");
    } else if (strcmp(js_str_value(until), "==") && strcmp(js_str_value(until), "!=")) {
        return dberr_syntax(until, "\"until\" must be \"==\" or \"!=\"");
    }
    return NULL;
}

struct dberr *
op_wait(struct exec *x, struct op *op, struct str *result)
{
    const struct json *timeout, *where_json, *columns_json, *until, *rows;
    struct condition where = CONDITION_INIT;
    const struct column **columns = NULL;
    size_t n_columns = 0;
    struct dberr *e;

    op_take_table(x, op);
    timeout = members_take(&op->m, "timeout", M_INTEGER | M_OPTIONAL);
    where_json = members_take(&op->m, "where", M_ARRAY);
    columns_json = members_take(&op->m, "columns", M_ARRAY | M_OPTIONAL);
    until = members_take(&op->m, "until", M_STRING);
    rows = members_take(&op->m, "rows", M_ARRAY);
    e = members_finish(&op->m);
    e = e ? e : condition_from_json(&where, op->table->schema, where_json, &x->symtab);
    e = e ? e : schema_columns_from_json(op->table->schema, columns_json, &columns, &n_columns);
    e = e ? e : check_wait_arguments(timeout, until);
    e = e ? e : wait_for_rows(x, op, &where, columns, n_columns, rows, *js_str_value(until) == '=', timeout);
    if (!e && !x->must_wait) {
        str_puts(result, "{}");
    }
    free(columns);
    condition_uninit(&where);
    return e;
}
