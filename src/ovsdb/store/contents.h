/* A walk over the contents of a database, which stay those of the moment when it began.
 *
 * The walk goes through the slots of each table and stops wherever the time is up.  Transactions may change the
 * database in between: the first change of a row that the walk has not come to is noted with the tuple that the row had
 * (tuples never change), and the walk takes that one.  So what it gives is one state of the database, and costs no more
 * memory than the old values of rows that change meanwhile.
 *
 * Threads: the database's. */
#ifndef OVSDB_STORE_CONTENTS_H
#define OVSDB_STORE_CONTENTS_H 1

#include "ovsdb/engine/txn.h"

struct contents;

/* Begins a walk.  The database must outlive it; every commit must go through contents_note(). */
struct contents *contents_begin(const struct db *, const char *comment) MUST_CHECK;
void contents_end(struct contents *); /* Null is allowed. */

/* To be called with each commit, before the next step. */
void contents_note(struct contents *, const struct change_set *);

/* Appends text to 's' until it has 'max_len' bytes, about, or clock_real_us() has reached 'until_us' (INT64_MAX:
 * never).  Returns true when the record (record.h) is complete. */
bool contents_step(struct contents *, struct str *s, size_t max_len, int64_t until_us) MUST_CHECK;

#endif
