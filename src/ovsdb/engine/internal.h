/* What the files of the engine share. */
#ifndef OVSDB_ENGINE_INTERNAL_H
#define OVSDB_ENGINE_INTERNAL_H 1

#include "ovsdb/engine/txn.h"

/* A column 'column' of row 'src' refers weakly to row 'dst', 'n' times. */
struct weak_ref {
    struct hmap_node node; /* In db.weak_refs. */
    struct list dst_node;  /* In dst->weak_refs. */
    struct row *src, *dst;
    unsigned column;
    unsigned n;
};

/* A tuple of default values (but for "_uuid"), and one that shares the fields of 'from'. */
struct tuple *tuple_create(const struct table_schema *schema, const struct uuid *uuid) MUST_CHECK;
struct tuple *tuple_clone(const struct tuple *from, const struct table_schema *schema) MUST_CHECK;

/* Like txn_insert(), with a tuple that nobody else has, which is taken over. */
struct row *txn_insert_take(struct txn *, struct table *, struct tuple *);

/* The hash of the values of index 'i' in 'fields'. */
uint32_t index_hash(const struct index_schema *index, const struct datum *fields);
bool index_equal(const struct index_schema *index, const struct datum *a, const struct datum *b);

/* Put the row's present tuple into the indexes, or take the row out. */
void row_index(struct row *row);
void row_unindex(struct row *row);

/* Enter a row into its table, and take it out, but for the indexes of the schema. */
void table_enter_row(struct table *t, struct row *row);
void table_leave_row(struct row *row);

/* Releases a row that is in no table. */
void row_free(struct row *row);

/* Adds and removes one weak reference. */
void weak_ref_add(struct row *src, unsigned column, struct row *dst);
void weak_ref_remove(struct row *src, unsigned column, const struct row *dst);

/* The change of a row by the transaction, made if there is none. */
struct change *change_get(struct row *row);
size_t change_words(const struct table_schema *schema);
void change_set_bit(struct change *c, size_t column);
/* Computes which columns differ, unless that is known; returns whether any does.  Best while the row is in the cache:
 * when its fields are complete, which txn_modify() takes back. */
bool change_compare(struct change *c);
void change_free(struct change *c);

/* Checks and completes the transaction's changes; on error everything but the tuples is as before (commit.c). */
struct dberr *commit_check(struct txn *txn) MUST_CHECK;

#endif
