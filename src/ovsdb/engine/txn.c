#include "ovsdb/engine/txn.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "ovsdb/engine/internal.h"
#include "sys/clock.h"
#include "sys/heap.h"
#include "sys/random.h"

struct txn *
txn_begin(struct db *db)
{
    struct txn *txn = db->spare_txn ? db->spare_txn : xmalloc(sizeof *txn);

    assert(!db->txn);
    db->spare_txn = NULL;
    *txn = (struct txn) { .db = db, .comment = STR_INIT };
    list_init(&txn->tables);
    db->txn = txn;
    return txn;
}

static void
txn_free(struct txn *txn)
{
    txn->db->txn = NULL;
    str_uninit(&txn->comment);
    txn->db->spare_txn = txn;
}

void
txn_add_comment(struct txn *txn, const char *text)
{
    if (txn->comment.len) {
        str_putc(&txn->comment, '\n');
    }
    str_puts(&txn->comment, text);
}

/* --- Changes --- */

size_t
change_words(const struct table_schema *schema)
{
    return DIV_ROUND_UP(schema->n_columns, CHANGE_WORD_BITS);
}

void
change_set_bit(struct change *c, size_t column)
{
    c->changed[column / CHANGE_WORD_BITS] |= UINT64_C(1) << (column % CHANGE_WORD_BITS);
}

struct change *
change_get(struct row *row)
{
    struct table *t = row->table;
    struct change *c = row->change;

    if (!c) {
        c = xzalloc(sizeof *c + change_words(t->schema) * sizeof c->changed[0]);
        c->table = t;
        c->row = row;
        c->uuid = row->uuid;
        c->slot = row->slot;
        row->change = c;
        if (list_is_empty(&t->changes)) {
            list_push_back(&t->db->txn->tables, &t->touched);
        }
        list_push_back(&t->changes, &c->node);
    }
    return c;
}

void
change_free(struct change *c)
{
    tuple_unref(c->old, c->table->schema);
    tuple_unref(c->new, c->table->schema);
    free(c);
}

static bool
column_differs(const struct change *c, size_t i)
{
    const struct col_type *type = &c->table->schema->columns[i].type;
    const struct tuple *new = c->row->tuple;

    if (c->old && new) {
        return !datum_equal(&c->old->fields[i], &new->fields[i], type);
    }
    return !datum_is_default(&(new ? new : c->old)->fields[i], type);
}

/* A column of a set counts as many as it has elements, a map's pair two. */
static int64_t
n_atoms(const struct tuple *t, const struct column *c)
{
    return t ? (int64_t) t->fields[c->index].n * (type_is_map(&c->type) ? 2 : 1) : 0;
}

static bool
compare(struct change *c)
{
    const struct column *columns = c->table->schema->columns;
    bool differs = !c->old || !c->row->tuple;

    c->n_atoms = ((c->row->tuple != NULL) - (c->old != NULL)) * COL_N_STD;
    memset(c->changed, 0, change_words(c->table->schema) * sizeof c->changed[0]);
    if (!c->old && !c->row->tuple) {
        return false;
    }
    for (size_t i = COL_N_STD; i < c->table->schema->n_columns; i++) {
        if (!c->old && !c->row->tuple->fields[i].n && !columns[i].type.n_min) {
            continue; /* As most columns of new rows are. */
        }
        if (column_differs(c, i)) {
            change_set_bit(c, i);
            differs = true;
        }
        c->n_atoms += n_atoms(c->row->tuple, &columns[i]) - n_atoms(c->old, &columns[i]);
    }
    return differs;
}

bool
change_compare(struct change *c)
{
    if (!c->compared) {
        c->differs = compare(c);
        c->compared = true;
    }
    return c->differs;
}

/* --- Changing rows --- */

bool
txn_uuid_is_free(const struct table *t, const struct uuid *uuid)
{
    return !table_row_even_deleted(t, uuid);
}

struct row *
txn_insert(struct txn *txn, struct table *t, const struct uuid *uuid)
{
    struct uuid random = uuid ? *uuid : sys_uuid();

    return txn_insert_take(txn, t, tuple_create(t->schema, &random));
}

struct row *
txn_insert_take(struct txn *txn, struct table *t, struct tuple *tuple)
{
    struct row *row = xzalloc(sizeof *row + t->schema->n_indexes * sizeof row->index_nodes[0]);

    row->table = t;
    row->uuid = tuple->fields[COL_UUID].one.uuid;
    row->tuple = tuple;
    list_init(&row->weak_refs);
    table_enter_row(t, row);
    t->n_rows++;
    change_get(row);
    row_index(row);
    txn->newest = row;
    return row;
}

struct datum *
txn_modify(struct txn *txn UNUSED, struct row *row)
{
    if (!row->change) {
        struct change *c = change_get(row);

        c->old = row->tuple;
        row->tuple = tuple_clone(c->old, row->table->schema);
    }
    row->change->compared = false;
    return row->tuple->fields;
}

void
txn_modify_done(struct row *row)
{
    row_index(row);
    if (!row->change->old) {
        change_compare(row->change); /* A new row is seldom changed again. */
    }
}

void
txn_delete(struct txn *txn UNUSED, struct row *row)
{
    struct change *c = row->change;

    row_unindex(row);
    if (!c) {
        c = change_get(row);
        c->old = row->tuple;
    } else {
        tuple_unref(row->tuple, row->table->schema);
    }
    row->tuple = NULL;
    row->change->compared = false;
    row->table->n_rows--;
}

/* --- Ending --- */

/* Takes a row that never was, or is no more, out of the world. */
static void
row_remove(struct row *row)
{
    row_unindex(row);
    table_leave_row(row);
    row_free(row);
}

/* Gives the row the tuple that it had. */
static void
revert(struct change *c)
{
    struct row *row = c->row;

    row->change = NULL;
    if (!c->old) {
        c->table->n_rows -= row->tuple != NULL;
        row_remove(row);
        return;
    }
    c->table->n_rows += !row->tuple;
    tuple_unref(row->tuple, c->table->schema);
    row->tuple = c->old;
    c->old = NULL;
    row_index(row);
}

static void
revert_all(struct txn *txn)
{
    while (!list_is_empty(&txn->tables)) {
        struct table *t = CONTAINER_OF(list_pop_front(&txn->tables), struct table, touched);

        while (!list_is_empty(&t->changes)) {
            struct change *c = CONTAINER_OF(list_pop_front(&t->changes), struct change, node);

            revert(c);
            change_free(c);
        }
    }
}

void
txn_abort(struct txn *txn)
{
    revert_all(txn);
    txn_free(txn);
}

/* Ends a row's part in the transaction and puts its change into the set, or drops it if nothing differs. */
static void
finish_change(struct change *c, struct change_set *set)
{
    struct row *row = c->row;

    list_remove(&c->node);
    if (!change_compare(c)) {
        revert(c);
        change_free(c);
        return;
    }
    row->change = NULL;
    c->table->n_atoms += c->n_atoms;
    if (row->tuple) {
        row->tuple->fields[COL_VERSION].one.uuid = sys_uuid();
        change_set_bit(c, COL_VERSION);
        c->new = tuple_ref(row->tuple);
    }
    if (!c->old || !c->new) {
        change_set_bit(c, COL_UUID);
    }
    if (!row->tuple) {
        c->row = NULL;
        row_remove(row);
    }
    list_push_back(&set->changes, &c->node);
    set->n++;
}

static struct change_set *
finish(struct txn *txn)
{
    struct change_set *set = xzalloc(sizeof *set);

    set->refs = 1;
    set->db = txn->db;
    list_init(&set->changes);
    set->date = clock_wall_ms();
    set->comment = txn->comment.len ? xstrdup(str_text(&txn->comment)) : NULL;
    set->is_undo = txn->is_undo;
    while (!list_is_empty(&txn->tables)) {
        struct table *t = CONTAINER_OF(list_pop_front(&txn->tables), struct table, touched);

        while (!list_is_empty(&t->changes)) {
            finish_change(CONTAINER_OF(t->changes.next, struct change, node), set);
        }
    }
    return set;
}

void
change_set_unref(struct change_set *s)
{
    if (s && !--s->refs) {
        while (!list_is_empty(&s->changes)) {
            change_free(CONTAINER_OF(list_pop_front(&s->changes), struct change, node));
        }
        free(s->comment);
        free(s);
    }
}

struct dberr *
txn_commit(struct txn *txn, struct change_set **changes)
{
    struct dberr *e = commit_check(txn);
    struct db *db = txn->db;
    struct change_set *set;

    if (changes) {
        *changes = NULL;
    }
    if (e) {
        txn_abort(txn);
        return e;
    }
    set = finish(txn);
    if (txn->newest) {
        heap_keep_ahead(txn->newest);
    }
    txn_free(txn);
    if (set->n) {
        db->n_commits++;
        LIST_FOR_EACH_SAFE (l, struct db_listener, node, &db->listeners) {
            l->commit(l, set);
        }
        if (changes) {
            *changes = change_set_ref(set);
        }
    }
    change_set_unref(set);
    return NULL;
}

/* --- Undoing commits --- */

static void
set_fields(struct txn *txn, struct row *row, const struct tuple *from)
{
    const struct table_schema *schema = row->table->schema;
    struct datum *fields = txn_modify(txn, row);

    for (size_t i = COL_N_STD; i < schema->n_columns; i++) {
        datum_uninit(&fields[i], &schema->columns[i].type);
        datum_clone(&fields[i], &from->fields[i], &schema->columns[i].type);
    }
    txn_modify_done(row);
}

static void
undo_change(struct txn *txn, const struct change *c)
{
    struct row *row = table_row(c->table, &c->uuid);

    if (!c->old) {
        txn_delete(txn, row);
    } else {
        set_fields(txn, row ? row : txn_insert(txn, c->table, &c->uuid), c->old);
    }
}

void
db_undo(struct db *db, struct change_set *const *sets, size_t n)
{
    while (n-- > 0) {
        struct txn *txn = txn_begin(db);
        struct dberr *e;

        txn->is_undo = true;
        LIST_FOR_EACH (c, struct change, node, &sets[n]->changes) {
            undo_change(txn, c);
        }
        e = txn_commit(txn, NULL);
        assert(!e); /* The state was valid before. */
        dberr_free(e);
    }
}
