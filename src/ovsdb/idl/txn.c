/* The open transaction: what it does to rows, and its life. */
#include <stdlib.h>

#include "ovsdb/idl/idl_private.h"
#include "sys/random.h"

const char *
idl_status_name(enum idl_status status)
{
    static const char *const names[] = { "uncommitted", "unchanged", "incomplete", "aborted", "success", "try again",
                                         "not locked", "error" };

    return names[status];
}

struct idl_txn *
idl_txn_create(struct idl *idl)
{
    struct idl_txn *txn = xzalloc(sizeof *txn);

    txn->idl = idl;
    txn->status = IDL_UNCOMMITTED;
    list_init(&txn->rows);
    str_init(&txn->comment);
    idl->txn = txn;
    return txn;
}

static void
parts_uninit(struct idl_parts *p, const struct col_type *type)
{
    if (p->in_use) {
        datum_uninit(&p->put, type);
        datum_uninit(&p->removed, &p->removed_type);
        datum_uninit(&p->removed_pairs, type);
        p->in_use = false;
    }
}

/* Forgets what was done to one column. */
static void
overlay_reset_column(struct idl_row *row, unsigned column)
{
    struct idl_overlay *o = row->overlay;
    const struct col_type *type = &row->table->schema->columns[column].type;

    datum_uninit(&o->values[column], type);
    datum_init_empty(&o->values[column]);
    bit_clear(o->written, column);
    bit_clear(o->changed, column);
    if (o->parts) {
        parts_uninit(&o->parts[column], type);
    }
}

void
idl_overlay_drop(struct idl_row *row)
{
    struct idl_overlay *o = row->overlay;

    list_remove(&row->overlay_node);
    if (o) {
        for (size_t i = 0; i < row->table->schema->n_columns; i++) {
            overlay_reset_column(row, i);
            if (o->seen) {
                datum_uninit(&o->seen[i], &row->table->schema->columns[i].type);
            }
        }
        free(o->seen);
        free(o->written);
        free(o->changed);
        free(o->verified);
        free(o->values);
        free(o->parts);
        free(o);
        row->overlay = NULL;
    }
}

struct idl_overlay *
idl_overlay_get(const struct idl_row *row_)
{
    struct idl_row *row = (struct idl_row *) row_;
    const size_t n = row->table->schema->n_columns;
    struct idl_overlay *o = row->overlay;

    if (!o) {
        struct idl_txn *txn = row->table->idl->txn;

        o = xzalloc(sizeof *o);
        o->txn = txn;
        o->written = xcalloc(bits_words(n), sizeof *o->written);
        o->changed = xcalloc(bits_words(n), sizeof *o->changed);
        o->verified = xcalloc(bits_words(n), sizeof *o->verified);
        o->values = xcalloc(n, sizeof *o->values);
        row->overlay = o;
        list_push_back(&txn->rows, &row->overlay_node);
    }
    return o;
}

/* Takes back everything that reads show of the transaction. */
static void
txn_disassemble(struct idl_txn *txn)
{
    LIST_FOR_EACH_SAFE (row, struct idl_row, overlay_node, &txn->rows) {
        const bool inserted = row->overlay->inserted;

        idl_overlay_drop(row);
        if (inserted) {
            hmap_remove(&row->table->rows, &row->node);
            idl_row_free(row);
        }
    }
}

void
idl_txn_destroy(struct idl_txn *txn)
{
    if (txn) {
        if (txn->request) {
            idl_session_forget(txn->idl->session, txn->request);
        }
        txn_disassemble(txn);
        txn->idl->txn = NULL;
        str_uninit(&txn->comment);
        free(txn->error);
        free(txn->uuids);
        free(txn->empty);
        free(txn);
    }
}

void
idl_txn_add_comment(struct idl_txn *txn, const char *format, ...)
{
    va_list args;

    if (txn->comment.len) {
        str_putc(&txn->comment, '\n');
    }
    va_start(args, format);
    str_putv(&txn->comment, format, args);
    va_end(args);
}

void idl_txn_set_dry_run(struct idl_txn *txn) { txn->dry_run = true; }
enum idl_status idl_txn_status(const struct idl_txn *txn) { return txn->status; }
const char *idl_txn_error(const struct idl_txn *txn) { return txn->error; }
int64_t idl_txn_incremented(const struct idl_txn *txn) { return txn->incremented; }

const struct uuid *
idl_txn_uuid(const struct idl_txn *txn, const struct uuid *provisional)
{
    for (size_t i = 0; i < txn->n_uuids; i++) {
        if (uuid_equal(&txn->uuids[i].provisional, provisional)) {
            return &txn->uuids[i].final;
        }
    }
    return NULL;
}

/* ---- Changing rows ---- */

struct idl_row *
idl_insert_provisional(struct idl_txn *txn, unsigned table, const struct uuid *uuid)
{
    struct idl_row *row = idl_row_create(&txn->idl->tables[table], uuid);

    idl_overlay_get(row)->inserted = true;
    return row;
}

struct idl_row *
idl_insert(struct idl_txn *txn, unsigned table, const struct uuid *uuid)
{
    const struct uuid fresh = uuid ? *uuid : sys_uuid();
    struct idl_row *row = idl_insert_provisional(txn, table, &fresh);

    row->overlay->uuid_given = uuid != NULL;
    return row;
}

void
idl_delete(const struct idl_row *row_)
{
    struct idl_row *row = (struct idl_row *) row_;
    struct idl_overlay *o = idl_overlay_get(row);

    if (o->inserted) {
        hmap_remove(&row->table->rows, &row->node);
        idl_row_free(row);
        return;
    }
    for (size_t i = 0; i < row->table->schema->n_columns; i++) {
        overlay_reset_column(row, i);
    }
    o->deleted = true;
}

bool
idl_row_is_new(const struct idl_row *row)
{
    return row->overlay && row->overlay->inserted;
}

void
idl_set_take(const struct idl_row *row, unsigned column, struct datum *value)
{
    const struct col_type *type = idl_type(row, column);
    struct idl_overlay *o = idl_overlay_get(row);

    overlay_reset_column((struct idl_row *) row, column);
    if (!o->inserted && row->table->modes[column] != IDL_OMIT && datum_equal(value, &row->fields[column], type)) {
        datum_uninit(value, type);
        return;
    }
    datum_swap(&o->values[column], value);
    bit_set(o->written, column);
}

/* Prepares a column for a change by parts; null if it has a whole new value already (or the row is new), which is to be
 * changed instead. */
static struct idl_parts *
parts_begin(const struct idl_row *row, unsigned column)
{
    const struct col_type *type = idl_type(row, column);
    struct idl_overlay *o = idl_overlay_get(row);
    struct idl_parts *p;

    if (bit_get(o->written, column)) {
        return NULL;
    }
    if (!bit_get(o->changed, column)) {
        /* The default of a new row's column may be an element that nobody asked for. */
        if (!o->inserted) {
            datum_clone(&o->values[column], &row->fields[column], type);
        }
        bit_set(o->inserted ? o->written : o->changed, column);
    }
    if (o->inserted) {
        return NULL;
    }
    if (!o->parts) {
        o->parts = xcalloc(row->table->schema->n_columns, sizeof *o->parts);
    }
    p = &o->parts[column];
    if (!p->in_use) {
        p->in_use = true;
        p->removed_type = (struct col_type) { .key = type->key, .n_min = 0, .n_max = TYPE_UNLIMITED };
        p->removed_type.value.type = ATOM_VOID;
    }
    return p;
}

void
idl_put_all_take(const struct idl_row *row, unsigned column, struct datum *d)
{
    const struct col_type *type = idl_type(row, column);
    struct idl_parts *p;
    struct datum *value;

    if (type_is_map(type) && row->table->modes[column] != IDL_OMIT && datum_includes(idl_get(row, column), d, type)) {
        datum_uninit(d, type); /* Nothing new. */
        return;
    }
    p = parts_begin(row, column);
    value = &row->overlay->values[column];
    if (p) {
        datum_union(&p->put, d, type, true);
        if (type_is_map(type)) { /* The server's "insert" leaves an existing pair alone. */
            for (size_t i = 0; i < d->n; i++) {
                if (datum_find(&row->fields[column], &datum_keys(d)[i], type->key.type) != UINT32_MAX) {
                    datum_put_take(&p->removed, &p->removed_type, atom_clone(&datum_keys(d)[i], type->key.type), NULL);
                }
            }
        }
    }
    datum_union(value, d, type, true);
    datum_uninit(d, type);
}

void
idl_remove_all_take(const struct idl_row *row, unsigned column, struct datum *d, const struct col_type *d_type)
{
    const struct col_type *type = idl_type(row, column);
    struct idl_parts *p = parts_begin(row, column);
    struct datum *value = &row->overlay->values[column];

    if (p) {
        datum_subtract(&p->put, type, d, d_type);
        if (type_is_map(d_type)) {
            datum_union(&p->removed_pairs, d, type, true);
        } else {
            datum_union(&p->removed, d, &p->removed_type, true);
        }
    }
    datum_subtract(value, type, d, d_type);
    datum_uninit(d, d_type);
}

void
idl_put_take(const struct idl_row *row, unsigned column, union atom key, const union atom *value)
{
    struct datum d = { .n = 0 };

    datum_append_take(&d, idl_type(row, column), key, value);
    idl_put_all_take(row, column, &d);
}

void
idl_remove_take(const struct idl_row *row, unsigned column, union atom key)
{
    struct col_type set = { .key = idl_type(row, column)->key, .n_min = 0, .n_max = TYPE_UNLIMITED };
    struct datum d = datum_one_take(key);

    set.value.type = ATOM_VOID;
    idl_remove_all_take(row, column, &d, &set);
}

void
idl_verify(const struct idl_row *row, unsigned column)
{
    struct idl_overlay *o = idl_overlay_get(row);

    if (o->inserted || row->table->modes[column] == IDL_OMIT || row->table->absent[column]
        || bit_get(o->verified, column)) {
        return;
    }
    if (!o->seen) {
        o->seen = xcalloc(row->table->schema->n_columns, sizeof *o->seen);
    }
    datum_clone(&o->seen[column], &row->fields[column], idl_type(row, column));
    bit_set(o->verified, column);
}

void
idl_verify_empty(struct idl_txn *txn, unsigned table)
{
    if (!txn->empty) {
        txn->empty = xcalloc(txn->idl->schema->n_tables, sizeof *txn->empty);
    }
    txn->empty[table] = true;
}

void
idl_increment(const struct idl_row *row, unsigned column)
{
    struct idl_txn *txn = row->table->idl->txn;

    if (idl_row_is_new(row)) {
        txn->incremented = idl_get_int(row, column, 0) + 1;
        idl_set_int(row, column, txn->incremented);
    } else {
        txn->increment_row = row;
        txn->increment_column = column;
    }
}

/* ---- Committing ---- */

static void
txn_finish(struct idl_txn *txn, enum idl_status status)
{
    txn->request = 0;
    txn->status = status;
    txn_disassemble(txn);
    txn->idl->seqno++;
    if (txn->cb) {
        txn->cb(txn, txn->aux);
    }
}

static void
txn_reply(void *aux, const struct json *result, const struct json *error)
{
    struct idl_txn *txn = aux;

    txn_finish(txn, result || error ? idl_txn_read_reply(txn, result, error) : IDL_TRY_AGAIN);
}

enum idl_status
idl_txn_commit(struct idl_txn *txn, void (*cb)(struct idl_txn *, void *aux), void *aux)
{
    struct json *params;

    if (txn->status != IDL_UNCOMMITTED) {
        return txn->status;
    }
    if (idl_session_lock(txn->idl->session) && !idl_has_lock(txn->idl)) {
        txn_disassemble(txn);
        return txn->status = IDL_NOT_LOCKED;
    }
    params = idl_txn_to_json(txn);
    if (!txn->n_changes) {
        js_unref(params);
        txn_disassemble(txn);
        return txn->status = IDL_UNCHANGED;
    }
    txn->cb = cb;
    txn->aux = aux;
    txn->request = idl_session_request(txn->idl->session, "transact", params, txn_reply, txn);
    if (!txn->request) {
        txn_disassemble(txn);
        return txn->status = IDL_TRY_AGAIN;
    }
    return txn->status = IDL_INCOMPLETE;
}

enum idl_status
idl_txn_commit_block(struct idl_txn *txn)
{
    idl_txn_commit(txn, NULL, NULL);
    while (txn->status == IDL_INCOMPLETE) {
        loop_run_once(txn->idl->loop, true);
    }
    return txn->status;
}

void
idl_txn_abort(struct idl_txn *txn)
{
    if (txn->request) {
        idl_session_forget(txn->idl->session, txn->request);
        txn->request = 0;
    }
    if (txn->status == IDL_UNCOMMITTED || txn->status == IDL_INCOMPLETE) {
        txn_disassemble(txn);
        txn->status = IDL_ABORTED;
    }
}
