/* What a transaction must satisfy to be committed (RFC 7047 sections 3.2 and 4.1.3).
 *
 * Each step looks only at rows that were changed, and at what refers to deleted ones. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "ovsdb/data/text.h"
#include "ovsdb/engine/internal.h"

struct ref_delta {
    struct row *row;
    bool up;
};

/* Weak references taken out of one column of one row. */
struct purge {
    struct hmap_node node;
    struct row *row;
    unsigned column;
    unsigned n, n_zero; /* All, and those to the zero UUID. */
};

struct commit {
    struct txn *txn;
    struct ref_delta *deltas; /* Applied to row->n_refs, in order: 'few', or allocated. */
    size_t n_deltas, capacity;
    struct ref_delta few[4];
    struct row **orphans;     /* Rows of non-root tables that may be without references. */
    size_t n_orphans, orphans_capacity;
    struct hmap purges;
    bool any_deleted;         /* Some change has deleted its row. */
};

#define FOR_EACH_CHANGE(C, TXN) \
    LIST_FOR_EACH (t_, struct table, touched, &(TXN)->tables) \
        LIST_FOR_EACH (C, struct change, node, &t_->changes)

/* --- Strong references --- */

static void
suspect_orphan(struct commit *c, struct row *row)
{
    if (!row->table->schema->is_root) {
        if (c->n_orphans >= c->orphans_capacity) {
            c->orphans = x2nrealloc(c->orphans, &c->orphans_capacity, sizeof *c->orphans);
        }
        c->orphans[c->n_orphans++] = row;
    }
}

static void
apply_delta(struct commit *c, struct row *row, bool up)
{
    if (c->n_deltas >= c->capacity) {
        struct ref_delta *old = c->deltas == c->few ? NULL : c->deltas;

        c->deltas = x2nrealloc(old, &c->capacity, sizeof *c->deltas);
        if (!old) {
            memcpy(c->deltas, c->few, sizeof c->few);
        }
    }
    c->deltas[c->n_deltas++] = (struct ref_delta) { row, up };
    row->n_refs += up ? 1 : -1;
    if (!up) {
        suspect_orphan(c, row);
    }
}

static void
revert_deltas(struct commit *c)
{
    while (c->n_deltas > 0) {
        struct ref_delta *d = &c->deltas[--c->n_deltas];

        d->row->n_refs += d->up ? -1 : 1;
    }
}

static struct dberr *
nonexistent_error(const struct row *src, const struct column *column, const struct uuid *dst,
                  const struct table *dst_table)
{
    char from[UUID_LEN + 1], to[UUID_LEN + 1];

    uuid_format(&src->uuid, from);
    uuid_format(dst, to);
    return dberr_new(DBERR_REFERENCE, "Table %s column %s row %s references nonexistent row %s in table %s.",
                     src->table->schema->name, column->name, from, to, dst_table->schema->name);
}

/* Counts the references in 'atoms' up or down.  A row's references to itself do not count. */
static struct dberr *
count_atoms(struct commit *c, struct row *src, const struct column *column, const struct base_type *base,
            const union atom *atoms, size_t n, bool up)
{
    struct table *dst_table;

    if (!base_is_strong(base)) {
        return NULL;
    }
    dst_table = &src->table->db->tables[base->uuid.ref->index];
    for (size_t i = 0; i < n; i++) {
        struct row *dst = table_row_even_deleted(dst_table, &atoms[i].uuid);

        if (!dst || (!dst->tuple && !dst->change->old)) {
            if (up) {
                return nonexistent_error(src, column, &atoms[i].uuid, dst_table);
            }
        } else if (dst != src) {
            apply_delta(c, dst, up);
        }
    }
    return NULL;
}

static struct dberr *
count_datum(struct commit *c, struct row *src, const struct column *column, const struct datum *d, bool up)
{
    struct dberr *e = count_atoms(c, src, column, &column->type.key, datum_keys(d), d->n, up);

    return e ? e : count_atoms(c, src, column, &column->type.value, datum_values(d), d->n, up);
}

/* Counts what one column has gained and lost. */
static struct dberr *
count_column(struct commit *c, const struct change *change, const struct column *column)
{
    static const struct datum empty;
    const struct tuple *new = change->row->tuple;
    struct datum added, removed;
    struct dberr *e;

    if (!change->old) {
        return count_datum(c, change->row, column, &new->fields[column->index], true);
    }
    datum_added_removed(&added, &removed, &change->old->fields[column->index],
                        new ? &new->fields[column->index] : &empty, &column->type);
    e = count_datum(c, change->row, column, &added, true);
    e = e ? e : count_datum(c, change->row, column, &removed, false);
    datum_uninit(&added, &column->type);
    datum_uninit(&removed, &column->type);
    return e;
}

static struct dberr *
count_change(struct commit *c, const struct change *change)
{
    const struct table_schema *schema = change->table->schema;
    struct dberr *e = NULL;

    for (size_t i = 0; i < schema->n_strong && !e; i++) {
        /* Of a new row also what nobody set: a column that may not be empty refers to the row zero, which is not
         * there. */
        if (change_has_column(change, schema->strong[i]->index) || !change->old) {
            e = count_column(c, change, schema->strong[i]);
        }
    }
    if (!change->old && change->row->tuple) {
        suspect_orphan(c, change->row);
    }
    return e;
}

static struct dberr *
count_references(struct commit *c)
{
    FOR_EACH_CHANGE (change, c->txn) {
        struct dberr *e = NULL;

        c->any_deleted |= !change->row->tuple;
        if (change_compare(change)) {
            e = count_change(c, change);
        }
        if (e) {
            return e;
        }
    }
    return NULL;
}

static struct dberr *
check_deleted(struct commit *c)
{
    if (!c->any_deleted) {
        return NULL; /* Of many rows, each walk takes its time. */
    }
    FOR_EACH_CHANGE (change, c->txn) {
        const struct row *row = change->row;

        if (!row->tuple && row->n_refs) {
            char text[UUID_LEN + 1];

            uuid_format(&row->uuid, text);
            return dberr_new(DBERR_REFERENCE, "cannot delete %s row %s because of %zu remaining reference(s)",
                             row->table->schema->name, text, row->n_refs);
        }
    }
    return NULL;
}

/* Deletes rows that nobody refers to, and then those that only they referred to. */
static void
collect_garbage(struct commit *c)
{
    while (c->n_orphans > 0) {
        struct row *row = c->orphans[--c->n_orphans];
        const struct table_schema *schema = row->table->schema;

        if (!row->tuple || row->n_refs) {
            continue;
        }
        for (size_t i = 0; i < schema->n_strong; i++) {
            const struct column *column = schema->strong[i];

            /* Counting down cannot fail. */
            dberr_free(count_datum(c, row, column, &row->tuple->fields[column->index], false));
        }
        txn_delete(c->txn, row);
        c->any_deleted = true;
    }
}

/* --- Weak references --- */

static struct purge *
purge_get(struct commit *c, struct row *row, unsigned column)
{
    uint32_t hash = hash_pointer(row, column);
    struct purge *p;

    HMAP_FOR_EACH_WITH_HASH (old, struct purge, node, hash, &c->purges) {
        if (old->row == row && old->column == column) {
            return old;
        }
    }
    p = xzalloc(sizeof *p);
    p->row = row;
    p->column = column;
    hmap_insert(&c->purges, &p->node, hash);
    return p;
}

/* Takes every reference to 'uuid' that 'base' means out of the atoms at 'values' (keys or values). */
static unsigned
purge_datum(struct datum *d, const struct col_type *type, const struct uuid *uuid, const struct table_schema *dst)
{
    union atom key = { .uuid = *uuid };
    unsigned n = 0;

    if (base_is_weak(&type->key) && type->key.uuid.ref == dst) {
        n += datum_remove(d, type, &key);
    }
    if (base_is_weak(&type->value) && type->value.uuid.ref == dst) {
        for (size_t i = d->n; i-- > 0;) {
            if (uuid_equal(&datum_values(d)[i].uuid, uuid)) {
                datum_remove_at(d, type, i);
                n++;
            }
        }
    }
    return n;
}

/* Removes the references from one column to a row that does not exist. */
static void
purge(struct commit *c, struct row *src, unsigned column, const struct uuid *uuid, const struct table_schema *dst)
{
    const struct col_type *type = &src->table->schema->columns[column].type;
    unsigned n = purge_datum(&txn_modify(c->txn, src)[column], type, uuid, dst);

    txn_modify_done(src);
    if (n) {
        struct purge *p = purge_get(c, src, column);

        p->n += n;
        p->n_zero += uuid_is_zero(uuid) ? n : 0;
    }
}

/* Rows that referred to a deleted one before the transaction. */
static void
purge_references_to(struct commit *c, const struct row *row)
{
    LIST_FOR_EACH (w, struct weak_ref, dst_node, &row->weak_refs) {
        if (w->src->tuple) {
            purge(c, w->src, w->column, &row->uuid, row->table->schema);
        }
    }
}

static void
purge_nonexistent(struct commit *c, struct row *src, unsigned column, const struct base_type *base,
                  const union atom *atoms, size_t n)
{
    if (base_is_weak(base)) {
        const struct table *dst = &src->table->db->tables[base->uuid.ref->index];

        for (size_t i = 0; i < n; i++) {
            if (!table_row(dst, &atoms[i].uuid)) {
                purge(c, src, column, &atoms[i].uuid, dst->schema);
            }
        }
    }
}

/* References that the transaction itself put into a row. */
static void
purge_added(struct commit *c, const struct change *change)
{
    const struct table_schema *schema = change->table->schema;

    for (size_t i = 0; i < schema->n_weak; i++) {
        const struct col_type *type = &schema->weak[i]->type;
        unsigned column = schema->weak[i]->index;

        if (change_has_column(change, column) || !change->old) {
            static const struct datum empty;
            struct datum added, removed;

            datum_added_removed(&added, &removed, change->old ? &change->old->fields[column] : &empty,
                                &change->row->tuple->fields[column], type);
            purge_nonexistent(c, change->row, column, &type->key, datum_keys(&added), added.n);
            purge_nonexistent(c, change->row, column, &type->value, datum_values(&added), added.n);
            datum_uninit(&added, type);
            datum_uninit(&removed, type);
        }
    }
}

static struct dberr *
purge_error(const struct purge *p)
{
    const struct table_schema *schema = p->row->table->schema;
    const char *column = schema->columns[p->column].name;
    char uuid[UUID_LEN + 1];
    const char *inserted = p->row->change->old ? "" : " (inserted within this transaction)";

    uuid_format(&p->row->uuid, uuid);
    if (p->n_zero && !p->row->change->old) {
        /* The reference's text, misprint included. */
        return dberr_new(DBERR_CONSTRAINT, "Weak reference column \"%s\" in \"%s\" row %s%s contained all-zeros UUID "
                         "(probably as the default value for this column) but deleting this value caused a constraint "
                         "volation because this column is not allowed to be empty.", column, schema->name, uuid,
                         inserted);
    }
    return dberr_new(DBERR_CONSTRAINT, "Deletion of %u weak reference(s) to deleted (or never-existing) rows from "
                     "column \"%s\" in \"%s\" row %s%s caused this column to become empty, but constraints on "
                     "this column disallow an empty column.", p->n, column, schema->name, uuid, inserted);
}

static struct dberr *
purge_weak_references(struct commit *c)
{
    struct dberr *e = NULL;

    FOR_EACH_CHANGE (change, c->txn) {
        if (!c->any_deleted && !change->table->schema->n_weak) {
            break; /* Of this table. */
        }
        if (!change->row->tuple) {
            purge_references_to(c, change->row);
        } else {
            purge_added(c, change);
        }
    }
    HMAP_FOR_EACH (p, struct purge, node, &c->purges) {
        const struct col_type *type = &p->row->table->schema->columns[p->column].type;

        if (!e && p->row->tuple->fields[p->column].n < type->n_min) {
            e = purge_error(p);
        }
    }
    return e;
}

/* Enters (or takes out) the references in 'atoms' into the lists of the rows that they lead to. */
static void
track_atoms(struct row *src, unsigned column, const struct base_type *base, const union atom *atoms, size_t n,
            bool add)
{
    if (base_is_weak(base)) {
        const struct table *t = &src->table->db->tables[base->uuid.ref->index];

        for (size_t i = 0; i < n; i++) {
            struct row *dst = table_row_even_deleted(t, &atoms[i].uuid);

            if (dst && add) {
                weak_ref_add(src, column, dst);
            } else if (dst) {
                weak_ref_remove(src, column, dst);
            }
        }
    }
}

static void
track_weak_references(struct commit *c)
{
    static const struct datum empty;

    FOR_EACH_CHANGE (change, c->txn) {
        const struct table_schema *schema = change->table->schema;
        const struct tuple *new;

        if (!schema->n_weak) {
            break; /* Of this table. */
        }
        new = change->row->tuple;
        for (size_t i = 0; i < schema->n_weak; i++) {
            const struct col_type *type = &schema->weak[i]->type;
            unsigned column = schema->weak[i]->index;
            struct datum added, removed;

            datum_added_removed(&added, &removed, change->old ? &change->old->fields[column] : &empty,
                                new ? &new->fields[column] : &empty, type);
            track_atoms(change->row, column, &type->key, datum_keys(&removed), removed.n, false);
            track_atoms(change->row, column, &type->value, datum_values(&removed), removed.n, false);
            track_atoms(change->row, column, &type->key, datum_keys(&added), added.n, true);
            track_atoms(change->row, column, &type->value, datum_values(&added), added.n, true);
            datum_uninit(&added, type);
            datum_uninit(&removed, type);
        }
    }
}

/* --- Numbers of rows, indexes --- */

static struct dberr *
check_max_rows(struct commit *c)
{
    LIST_FOR_EACH (t, struct table, touched, &c->txn->tables) {
        if (t->n_rows > t->schema->max_rows) {
            return dberr_new(DBERR_CONSTRAINT, "transaction causes \"%s\" table to contain %zu rows, greater than the "
                             "schema-defined limit of %u row(s)", t->schema->name, t->n_rows, t->schema->max_rows);
        }
    }
    return NULL;
}

static void
put_index_values(struct str *s, const struct index_schema *index, const struct datum *fields)
{
    for (size_t i = 0; i < index->n; i++) {
        const struct column *column = index->columns[i];

        if (i) {
            str_puts(s, i + 1 < index->n ? ", " : index->n > 2 ? ", and " : " and ");
        }
        datum_put_text(s, &fields[column->index], &column->type);
    }
}

static void
put_row_history(struct str *s, const char *which, const struct index_schema *index, const struct row *row)
{
    char uuid[UUID_LEN + 1];

    uuid_format(&row->uuid, uuid);
    str_putf(s, "  %s row, with UUID %s, ", which, uuid);
    if (!row->change) {
        str_puts(s, "existed in the database before this transaction and was not modified by the transaction.");
    } else if (!row->change->old) {
        str_puts(s, "was inserted by this transaction.");
    } else if (index_equal(index, row->change->old->fields, row->tuple->fields)) {
        str_puts(s, "existed in the database before this transaction, which modified some of the row's columns but "
                 "not any columns in this index.");
    } else {
        str_puts(s, "had the following index values before the transaction: ");
        put_index_values(s, index, row->change->old->fields);
        str_putc(s, '.');
    }
}

static struct dberr *
duplicate_error(const struct index_schema *index, const struct row *a, const struct row *b)
{
    struct str s = STR_INIT;
    struct dberr *e;

    str_putf(&s, "Transaction causes multiple rows in \"%s\" table to have identical values (", a->table->schema->name);
    put_index_values(&s, index, a->tuple->fields);
    str_putf(&s, ") for index on column%s ", index->n > 1 ? "s" : "");
    for (size_t i = 0; i < index->n; i++) {
        if (i) {
            str_puts(&s, i + 1 < index->n ? ", " : index->n > 2 ? ", and " : " and ");
        }
        str_putf(&s, "\"%s\"", index->columns[i]->name);
    }
    str_puts(&s, ".");
    put_row_history(&s, "First", index, a);
    put_row_history(&s, "Second", index, b);
    e = dberr_new(DBERR_CONSTRAINT, "%s", str_text(&s));
    str_uninit(&s);
    return e;
}

static struct dberr *
check_indexes_of_row(const struct row *row)
{
    const struct table_schema *schema = row->table->schema;

    for (size_t i = 0; i < schema->n_indexes; i++) {
        HMAP_FOR_EACH_WITH_HASH (n, struct index_node, node, row->index_nodes[i].node.hash, &row->table->indexes[i]) {
            if (n->row != row && index_equal(&schema->indexes[i], n->row->tuple->fields, row->tuple->fields)) {
                return duplicate_error(&schema->indexes[i], row, n->row);
            }
        }
    }
    return NULL;
}

static struct dberr *
check_indexes(struct commit *c)
{
    FOR_EACH_CHANGE (change, c->txn) {
        struct dberr *e;

        if (!change->table->schema->n_indexes) {
            break; /* Of this table. */
        }
        e = change->row->tuple ? check_indexes_of_row(change->row) : NULL;
        if (e) {
            return e;
        }
    }
    return NULL;
}

struct dberr *
commit_check(struct txn *txn)
{
    struct commit c = { .txn = txn, .deltas = c.few, .capacity = ARRAY_SIZE(c.few) };
    struct dberr *e;

    hmap_init(&c.purges);
    e = count_references(&c);
    e = e ? e : check_deleted(&c);
    if (!e) {
        collect_garbage(&c);
        e = check_max_rows(&c);
    }
    e = e ? e : purge_weak_references(&c);
    e = e ? e : check_indexes(&c);
    if (e) {
        revert_deltas(&c);
    } else {
        track_weak_references(&c);
    }
    HMAP_FOR_EACH_SAFE (p, struct purge, node, &c.purges) {
        hmap_remove(&c.purges, &p->node);
        free(p);
    }
    hmap_uninit(&c.purges);
    if (c.deltas != c.few) {
        free(c.deltas);
    }
    free(c.orphans);
    return e;
}
