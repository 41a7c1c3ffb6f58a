#include "ovsdb/engine/op.h"

#include <stdlib.h>

#include "ovsdb/engine/internal.h"
#include "sys/random.h"

/* "insert", "update", "mutate" and "delete" (RFC 7047 sections 5.2.1, 5.2.3 to 5.2.5). */

static void
put_count(struct str *s, size_t n)
{
    str_puts(s, "{\"count\":");
    str_put_uint(s, n);
    str_putc(s, '}');
}

/* --- insert --- */

/* Decides the new row's UUID from "uuid" and "uuid-name" (both may be null). */
static struct dberr *
choose_uuid(struct exec *x, const struct op *op, const struct json *uuid_json, const struct json *name,
            struct uuid *uuid)
{
    struct symbol *symbol;

    if (uuid_json) {
        if (!uuid_parse(uuid, js_str_value(uuid_json))) {
            return dberr_syntax(uuid_json, "bad uuid");
        }
        if (!txn_uuid_is_free(op->table, uuid)) {
            return dberr_at(uuid_json, "duplicate uuid", "This UUID would duplicate a UUID already present within "
                            "the table or deleted within the same transaction.");
        }
    }
    if (name) {
        symbol = symtab_get(&x->symtab, js_str_value(name));
        if (symbol->created) {
            return dberr_at(name, "duplicate uuid-name",
                            "This \"uuid-name\" appeared on an earlier \"insert\" operation.");
        }
        if (uuid_json) {
            symbol->uuid = *uuid;
        }
        *uuid = symbol->uuid;
        symbol->created = true;
    } else if (!uuid_json) {
        *uuid = sys_uuid();
    }
    return NULL;
}

/* Checks the columns that the operation did not name: defaults too must satisfy the constraints. */
static struct dberr *
check_defaults(const struct table_schema *t, const struct datum *fields)
{
    struct dberr *e = NULL;

    for (size_t i = COL_N_STD; i < t->n_columns && !e; i++) {
        const struct column *c = &t->columns[i];

        if (!c->default_is_valid && datum_is_default(&fields[i], &c->type)) {
            e = datum_check(&fields[i], &c->type);
        }
    }
    return e;
}

/* Asks for the memory where a string will be looked for, if it is one.  'max' are to be asked for; returns how many of
 * those are left. */
static inline unsigned
prefetch_string(const struct json *json, unsigned max)
{
    if (max && js_is(json, JS_STRING)) {
        istr_prefetch(js_str_value(json), js_str_len(json));
        return max - 1;
    }
    return max;
}

/* The same for the strings in a column's value: it itself, those of a set, keys and values of a map. */
static unsigned
prefetch_strings(const struct json *json, unsigned max)
{
    const struct json *elements = js_at(json, 1); /* Behind the word that says which of them it is. */

    for (size_t i = 0, n = js_array_len(elements); i < n && max; i++) {
        const struct json *element = js_at(elements, i);

        max = prefetch_string(element, max);
        max = prefetch_string(js_at(element, 0), max);
        max = prefetch_string(js_at(element, 1), max);
    }
    return prefetch_string(json, max);
}

/* The same for the first ones of a new row: their places are all over the memory, and when a request comes alone,
 * nothing of them is in the cache. */
static void
prefetch_row(const struct json *row)
{
    unsigned max = 16;

    for (void *it = js_iter(row); it && max; it = js_iter_next(row, it)) {
        max = prefetch_strings(js_iter_value(it), max);
    }
}

static struct dberr *
insert_row(struct exec *x, struct op *op, const struct json *row_json, const struct uuid *uuid)
{
    const struct table_schema *schema = op->table->schema;
    struct tuple *t;
    struct dberr *e;

    table_prefetch_row(op->table, uuid);
    prefetch_row(row_json);
    t = tuple_create(schema, uuid);
    e = exec_row_from_json(schema, t->fields, row_json, &x->symtab, NULL, NULL);
    istr_forget_prefetched();
    t->fields[COL_UUID].one.uuid = *uuid; /* Whatever the row says. */
    e = e ? e : check_defaults(schema, t->fields);
    e = e ? e : op_check_writable(x, op);
    e = e ? e : rbac_may_insert(&x->session->client, op->table, t);
    if (e) {
        tuple_unref(t, schema);
    } else {
        change_compare(txn_insert_take(x->txn, op->table, t)->change);
    }
    return e;
}


struct dberr *
op_insert(struct exec *x, struct op *op, struct str *result)
{
    const struct json *name, *uuid_json, *row;
    struct uuid uuid;
    struct dberr *e;

    op_take_table(x, op);
    uuid_json = members_take(&op->m, "uuid", M_STRING | M_OPTIONAL);
    name = members_take(&op->m, "uuid-name", M_ID | M_OPTIONAL);
    row = members_take(&op->m, "row", M_OBJECT);
    e = members_finish(&op->m);
    e = e ? e : choose_uuid(x, op, uuid_json, name, &uuid);
    e = e ? e : insert_row(x, op, row, &uuid);
    if (!e) {
        str_puts(result, "{\"uuid\":");
        atom_put_json(result, &(const union atom) { .uuid = uuid }, ATOM_UUID);
        str_putc(result, '}');
    }
    return e;
}

/* --- update --- */

static struct dberr *
check_mutable(const struct op *op, const struct column **columns, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!columns[i]->is_mutable) {
            return dberr_at(op->json, DBERR_CONSTRAINT, "Cannot update immutable column %s in table %s.",
                            columns[i]->name, op->table->schema->name);
        }
    }
    return NULL;
}

static void
update_row(struct exec *x, struct row *row, const struct tuple *from, const struct column **columns, size_t n)
{
    struct datum *fields = NULL;

    for (size_t i = 0; i < n; i++) {
        unsigned c = columns[i]->index;

        if (!datum_equal(&row->tuple->fields[c], &from->fields[c], &columns[i]->type)) {
            fields = fields ? fields : txn_modify(x->txn, row);
            datum_uninit(&fields[c], &columns[i]->type);
            datum_clone(&fields[c], &from->fields[c], &columns[i]->type);
        }
    }
    if (fields) {
        txn_modify_done(row);
    }
}

static struct dberr *
update_rows(struct exec *x, struct op *op, const struct condition *where, const struct tuple *from,
            const struct column **columns, size_t n_columns, struct str *result)
{
    size_t n;
    struct row **rows = table_find(op->table, where, &n);
    struct dberr *e = rbac_may_change(&x->session->client, "modification of", op->table, rows, n, columns, n_columns);

    for (size_t i = 0; i < n && !e; i++) {
        update_row(x, rows[i], from, columns, n_columns);
    }
    free(rows);
    if (!e) {
        put_count(result, n);
    }
    return e;
}

struct dberr *
op_update(struct exec *x, struct op *op, struct str *result)
{
    static const struct uuid zero;
    const struct json *where_json, *row_json;
    struct condition where = CONDITION_INIT;
    const struct column **columns = NULL;
    struct tuple *t = NULL;
    size_t n_columns = 0;
    struct dberr *e;

    op_take_table(x, op);
    where_json = members_take(&op->m, "where", M_ARRAY);
    row_json = members_take(&op->m, "row", M_OBJECT);
    e = members_finish(&op->m);
    if (!e) {
        t = tuple_create(op->table->schema, &zero);
        e = exec_row_from_json(op->table->schema, t->fields, row_json, &x->symtab, &columns, &n_columns);
    }
    e = e ? e : check_mutable(op, columns, n_columns);
    e = e ? e : condition_from_json(&where, op->table->schema, where_json, &x->symtab);
    e = e ? e : op_check_writable(x, op);
    e = e ? e : update_rows(x, op, &where, t, columns, n_columns, result);
    condition_uninit(&where);
    free(columns);
    if (t) {
        tuple_unref(t, op->table->schema);
    }
    return e;
}

/* --- mutate --- */

static struct dberr *
mutate_rows(struct exec *x, struct op *op, const struct condition *where, const struct mutations *m,
            struct str *result)
{
    const struct column **columns = xcalloc(m->n + 1, sizeof *columns);
    size_t n;
    struct row **rows = table_find(op->table, where, &n);
    struct dberr *e;

    for (size_t i = 0; i < m->n; i++) {
        columns[i] = m->mutations[i].column;
    }
    e = rbac_may_change(&x->session->client, "mutate operation on", op->table, rows, n, columns, m->n);
    for (size_t i = 0; i < n && m->n && !e; i++) {
        e = mutations_apply(m, txn_modify(x->txn, rows[i]));
        txn_modify_done(rows[i]);
    }
    free(columns);
    free(rows);
    if (!e) {
        put_count(result, n);
    }
    return e;
}

struct dberr *
op_mutate(struct exec *x, struct op *op, struct str *result)
{
    const struct json *where_json, *mutations_json;
    struct condition where = CONDITION_INIT;
    struct mutations mutations = { NULL, 0 };
    struct dberr *e;

    op_take_table(x, op);
    where_json = members_take(&op->m, "where", M_ARRAY);
    mutations_json = members_take(&op->m, "mutations", M_ARRAY);
    e = members_finish(&op->m);
    e = e ? e : mutations_from_json(&mutations, op->table->schema, mutations_json, &x->symtab);
    e = e ? e : condition_from_json(&where, op->table->schema, where_json, &x->symtab);
    e = e ? e : op_check_writable(x, op);
    e = e ? e : mutate_rows(x, op, &where, &mutations, result);
    condition_uninit(&where);
    mutations_uninit(&mutations);
    return e;
}

/* --- delete --- */

static struct dberr *
delete_rows(struct exec *x, struct op *op, const struct condition *where, struct str *result)
{
    size_t n;
    struct row **rows = table_find(op->table, where, &n);
    struct dberr *e = rbac_may_delete(&x->session->client, op->table, rows, n);

    for (size_t i = 0; i < n && !e; i++) {
        txn_delete(x->txn, rows[i]);
    }
    free(rows);
    if (!e) {
        put_count(result, n);
    }
    return e;
}

struct dberr *
op_delete(struct exec *x, struct op *op, struct str *result)
{
    struct condition where = CONDITION_INIT;
    const struct json *where_json;
    struct dberr *e;

    op_take_table(x, op);
    where_json = members_take(&op->m, "where", M_ARRAY);
    e = members_finish(&op->m);
    e = e ? e : condition_from_json(&where, op->table->schema, where_json, &x->symtab);
    e = e ? e : op_check_writable(x, op);
    e = e ? e : delete_rows(x, op, &where, result);
    condition_uninit(&where);
    return e;
}
