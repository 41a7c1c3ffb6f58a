#include "ovsdb/engine/convert.h"

#include "ovsdb/engine/txn.h"

/* Reads a field of another type through JSON, with all checks of its new type. */
static struct dberr *
convert_field(struct datum *to, const struct column *to_column, const struct datum *from,
              const struct column *from_column)
{
    struct json *json = datum_to_json(from, &from_column->type);
    struct datum d;
    struct dberr *e = datum_from_json(&d, &to_column->type, json, NULL);

    js_unref(json);
    if (!e) {
        datum_take(to, &d, &to_column->type);
    }
    return e;
}

static struct dberr *
convert_row(struct txn *txn, struct table *to, const struct row *row)
{
    struct row *copy = txn_insert(txn, to, &row->uuid);
    struct dberr *e = NULL;

    for (size_t i = COL_N_STD; i < to->schema->n_columns && !e; i++) {
        const struct column *c = &to->schema->columns[i];
        const struct column *old = table_schema_column(row->table->schema, c->name);

        if (old) { /* Ephemeral or not: clients see no change, and what the new schema makes persistent is kept. */
            e = convert_field(&copy->tuple->fields[i], c, &row->tuple->fields[old->index], old);
        }
    }
    txn_modify_done(copy);
    return e;
}

static struct dberr *
convert_table(struct txn *txn, const struct table *from, struct table *to)
{
    struct dberr *e = NULL;

    TABLE_FOR_EACH_ROW (row, from) {
        e = e ? e : convert_row(txn, to, row);
    }
    return e;
}

struct dberr *
db_convert(const struct db *from, struct schema *schema, struct db **to)
{
    struct db *db = db_create(schema);
    struct txn *txn = txn_begin(db);
    struct dberr *e = NULL;

    for (size_t i = 0; i < from->schema->n_tables && !e; i++) {
        struct table *t = db_table(db, from->tables[i].schema->name);

        e = t ? convert_table(txn, &from->tables[i], t) : NULL;
    }
    if (e) {
        txn_abort(txn);
    } else {
        e = txn_commit(txn, NULL);
    }
    if (e) {
        db_destroy(db);
        db = NULL;
    }
    *to = db;
    return e;
}
