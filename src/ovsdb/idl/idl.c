#include "ovsdb/idl/idl.h"

#include <stdlib.h>

#include "ovsdb/idl/idl_private.h"

/* Some of them; whether all are. */
static bool
free_gone(struct idl *idl, struct loop_slice *slice)
{
    while (!list_is_empty(&idl->gone)) {
        idl_row_free(CONTAINER_OF(idl->gone.next, struct idl_row, change));
        if (loop_slice_is_over(slice)) {
            return false;
        }
    }
    return true;
}

static void
on_free_gone(struct loop_task *task)
{
    struct loop_slice slice = loop_slice_begin();

    if (!free_gone(task->aux, &slice)) {
        loop_task_post_next_turn(task);
    }
}

struct idl *
idl_create(struct loop *loop, struct schema *schema, const char *remotes, bool retry)
{
    struct idl *idl = xzalloc(sizeof *idl);

    idl->loop = loop;
    idl->schema = schema_ref(schema);
    idl->tables = xcalloc(schema->n_tables, sizeof *idl->tables);
    for (size_t i = 0; i < schema->n_tables; i++) {
        struct idl_table *t = &idl->tables[i];

        t->idl = idl;
        t->schema = &schema->tables[i];
        hmap_init(&t->rows);
        list_init(&t->changes);
        list_init(&t->indexes);
        t->modes = xzalloc(t->schema->n_columns);
        t->absent = xcalloc(t->schema->n_columns, sizeof *t->absent);
    }
    list_init(&idl->gone);
    loop_task_init(loop, &idl->free_gone, on_free_gone, idl);
    idl->session = idl_session_create(idl, remotes, retry);
    return idl;
}

static void
table_uninit(struct idl_table *t)
{
    idl_indexes_destroy(t);
    LIST_FOR_EACH_SAFE (row, struct idl_row, change, &t->changes) {
        if (row->changes & IDL_ROW_DELETED) {
            idl_row_free(row);
        }
    }
    HMAP_FOR_EACH_SAFE (row, struct idl_row, node, &t->rows) {
        hmap_remove(&t->rows, &row->node);
        idl_row_free(row);
    }
    hmap_uninit(&t->rows);
    js_unref(t->where);
    free(t->modes);
    free(t->absent);
}

void
idl_destroy(struct idl *idl)
{
    if (idl) {
        idl_session_destroy(idl->session);
        loop_task_cancel(&idl->free_gone);
        (void) free_gone(idl, NULL);
        for (size_t i = 0; i < idl->schema->n_tables; i++) {
            table_uninit(&idl->tables[i]);
        }
        free(idl->tables);
        schema_unref(idl->schema);
        free(idl);
    }
}

void
idl_add_column(struct idl *idl, unsigned table, unsigned column, enum idl_mode mode)
{
    struct idl_table *t = &idl->tables[table];

    t->wanted = true;
    if (column >= COL_N_STD) {
        t->modes[column] = MAX(t->modes[column], mode);
    }
}

void
idl_add_table(struct idl *idl, unsigned table, enum idl_mode mode)
{
    idl->tables[table].wanted = true;
    for (size_t i = COL_N_STD; i < idl->tables[table].schema->n_columns; i++) {
        idl_add_column(idl, table, i, mode);
    }
}

void
idl_set_condition_take(struct idl *idl, unsigned table, struct json *where)
{
    struct idl_table *t = &idl->tables[table];

    js_unref(t->where);
    t->where = where;
    t->where_changed = true;
    idl_session_send_conditions(idl->session);
}

void
idl_set_callback(struct idl *idl, void (*cb)(struct idl *, void *aux), void *aux)
{
    idl->cb = cb;
    idl->aux = aux;
}

void
idl_start(struct idl *idl)
{
    idl_session_start(idl->session);
}

void
idl_notify(struct idl *idl)
{
    idl->seqno++;
    if (idl->cb) {
        idl->cb(idl, idl->aux);
    }
}

unsigned idl_seqno(const struct idl *idl) { return idl->seqno; }
bool idl_was_filled(const struct idl *idl) { return idl->was_filled; }
struct loop *idl_loop(const struct idl *idl) { return idl->loop; }
const struct schema *idl_schema(const struct idl *idl) { return idl->schema; }
struct idl_table *idl_table(const struct idl *idl, unsigned table) { return &idl->tables[table]; }

bool
idl_has_column(const struct idl *idl, unsigned table, unsigned column)
{
    const struct idl_table *t = &idl->tables[table];

    return t->wanted && !t->missing && !t->absent[column] && (column < COL_N_STD || t->modes[column] != IDL_OMIT);
}

static void
deadline_passed(struct loop_timer *timer)
{
    *(bool *) timer->aux = true;
}

bool
idl_block(struct idl *idl, unsigned seqno, int64_t deadline)
{
    struct loop_timer timer;
    bool passed = false;

    loop_timer_init(idl->loop, &timer, deadline_passed, &passed);
    if (deadline != CLOCK_NEVER) {
        loop_timer_set(&timer, deadline);
    }
    while (idl->seqno == seqno && !idl_error(idl) && !passed) {
        loop_run_once(idl->loop, true);
    }
    loop_timer_cancel(&timer);
    return idl->seqno != seqno || idl_error(idl);
}

/* ---- Rows ---- */

struct idl_row *
idl_row_create(struct idl_table *table, const struct uuid *uuid)
{
    struct idl_row *row = xzalloc(sizeof *row);
    const struct table_schema *ts = table->schema;

    row->table = table;
    row->uuid = *uuid;
    list_init(&row->change);
    list_init(&row->overlay_node);
    row->fields = xcalloc(ts->n_columns, sizeof *row->fields);
    table_schema_init_row(ts, row->fields);
    row->fields[COL_UUID].one.uuid = *uuid;
    hmap_insert(&table->rows, &row->node, uuid_hash(uuid));
    return row;
}

/* The row must not be in the table's hash any more. */
void
idl_row_free(struct idl_row *row)
{
    list_remove(&row->change);
    idl_overlay_drop(row);
    for (size_t i = 0; i < row->table->schema->n_columns; i++) {
        datum_uninit(&row->fields[i], &row->table->schema->columns[i].type);
    }
    free(row->fields);
    free(row->changed);
    free(row);
}

struct idl_row *
idl_row_find(const struct idl_table *table, const struct uuid *uuid)
{
    HMAP_FOR_EACH_WITH_HASH (row, struct idl_row, node, uuid_hash(uuid), &table->rows) {
        if (uuid_equal(&row->uuid, uuid)) {
            return row;
        }
    }
    return NULL;
}

void
idl_row_mark(struct idl_row *row, unsigned change)
{
    row->changes |= change;
    if (list_is_empty(&row->change)) {
        list_push_back(&row->table->changes, &row->change);
    }
}

static const struct idl_row *
visible(const struct idl_row *row)
{
    while (row && row->overlay && row->overlay->deleted) {
        row = HMAP_ENTRY(hmap_next(&row->table->rows, &row->node), struct idl_row, node);
    }
    return row;
}

const struct idl_row *
idl_first(const struct idl *idl, unsigned table)
{
    return visible(HMAP_ENTRY(hmap_first(&idl->tables[table].rows), struct idl_row, node));
}

const struct idl_row *
idl_next(const struct idl_row *row)
{
    return visible(HMAP_ENTRY(hmap_next(&row->table->rows, &row->node), struct idl_row, node));
}

const struct idl_row *
idl_row_get(const struct idl *idl, unsigned table, const struct uuid *uuid)
{
    const struct idl_row *row = idl_row_find(&idl->tables[table], uuid);

    return row && row->overlay && row->overlay->deleted ? NULL : row;
}

size_t
idl_n_rows(const struct idl *idl, unsigned table)
{
    return hmap_count(&idl->tables[table].rows);
}

/* ---- Changes ---- */

const struct idl_row *
idl_first_change(const struct idl *idl, unsigned table)
{
    const struct list *l = &idl->tables[table].changes;

    return list_is_empty(l) ? NULL : CONTAINER_OF(l->next, struct idl_row, change);
}

const struct idl_row *
idl_next_change(const struct idl_row *row)
{
    return row->change.next == &row->table->changes ? NULL : CONTAINER_OF(row->change.next, struct idl_row, change);
}

bool
idl_column_changed(const struct idl_row *row, unsigned column)
{
    return row->changes & (IDL_ROW_INSERTED | IDL_ROW_DELETED) || bit_get(row->changed, column);
}

void
idl_clear_changes(struct idl *idl)
{
    struct loop_slice slice = loop_slice_begin();

    for (size_t i = 0; i < idl->schema->n_tables; i++) {
        LIST_FOR_EACH_SAFE (row, struct idl_row, change, &idl->tables[i].changes) {
            list_remove(&row->change);
            if (row->changes & IDL_ROW_DELETED) {
                idl_overlay_drop(row);
                list_push_back(&idl->gone, &row->change);
            } else {
                row->changes = 0;
                free(row->changed);
                row->changed = NULL;
            }
        }
    }
    if (!free_gone(idl, &slice)) {
        loop_task_post_next_turn(&idl->free_gone);
    }
}

/* ---- Values ---- */

const struct datum *
idl_get_committed(const struct idl_row *row, unsigned column)
{
    return &row->fields[column];
}

const struct datum *
idl_get(const struct idl_row *row, unsigned column)
{
    const struct idl_overlay *o = row->overlay;

    return o && (bit_get(o->written, column) || bit_get(o->changed, column)) ? &o->values[column]
                                                                              : &row->fields[column];
}

int64_t
idl_get_int(const struct idl_row *row, unsigned column, int64_t otherwise)
{
    const struct datum *d = idl_get(row, column);

    return d->n ? datum_keys(d)[0].integer : otherwise;
}

double
idl_get_real(const struct idl_row *row, unsigned column, double otherwise)
{
    const struct datum *d = idl_get(row, column);

    return d->n ? datum_keys(d)[0].real : otherwise;
}

bool
idl_get_bool(const struct idl_row *row, unsigned column, bool otherwise)
{
    const struct datum *d = idl_get(row, column);

    return d->n ? datum_keys(d)[0].boolean : otherwise;
}

const char *
idl_get_string(const struct idl_row *row, unsigned column)
{
    const struct datum *d = idl_get(row, column);

    return d->n ? atom_text(&datum_keys(d)[0]) : NULL;
}

const struct idl_row *
idl_get_ref(const struct idl_row *row, unsigned column, size_t i, unsigned to, bool values)
{
    const struct datum *d = idl_get(row, column);

    return i < d->n ? idl_row_get(row->table->idl, to, &(values ? datum_values(d) : datum_keys(d))[i].uuid) : NULL;
}

const char *
idl_get_key(const struct idl_row *row, unsigned column, const char *key)
{
    return datum_map_get(idl_get(row, column), key);
}
