/* What the tests of this directory share: a directory with one database file, a script of transactions, system calls
 * that fail on demand, and a store with its thread.
 *
 * One test program has one of each: everything is static, and nothing is for several threads but the counters of
 * failures.  A test defined with TEST() begins with a new, empty file at 'db_path'. */
#ifndef OVSDB_STORE_TEST_FIXTURE_H
#define OVSDB_STORE_TEST_FIXTURE_H 1

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdatomic.h>

#include "json/test_json.h"
#include "ovsdb/store/store.h"

#define TEST(NAME) cmocka_unit_test_setup(NAME, setup)

extern char test_dir[];
extern char *db_path;

/* Runs the tests in a directory that is removed afterwards; the exit status. */
int test_main(const struct CMUnitTest *tests, size_t n);
/* Makes the file anew. */
int setup(void **state);

/* The test fails if there is an error. */
void expect_ok(struct dberr *e);
/* Runs operations (text for J()); whether they went well. */
bool transact(struct store *s, const char *ops);

/* All rows as sorted text, without versions and ephemeral columns; to be released with free(). */
char *dump(const struct db *db);
/* The same of a file; 'flags' are those of store_open(). */
char *dump_file(const char *path, int flags);
/* The database in memory is what a reader of the file gets. */
void expect_same_as_file(struct store *s);
/* The whole file; '*text' to be released with free(). */
void read_file(const char *path, char **text, size_t *n);
void write_file(const char *path, const char *text, size_t n);

/* Transactions that use all kinds of records; each one is a change of what dump() shows, but the sixth. */
enum { N_SCRIPT = 8 };
extern const char *const script[N_SCRIPT];

/* Calls of the system that fail: the one after 'calls_until_failure' (negative: none) and, with 'keep_failing', all
 * after it, with 'failing_error'; all syncs while 'syncs_fail'; the next 'n_failing_syncs' syncs. */
extern const struct store_io failing_io;
extern atomic_int calls_until_failure;
extern int failing_error;
extern bool keep_failing;
extern atomic_bool syncs_fail;
extern atomic_int n_failing_syncs;

/* A store with a loop and its thread.  How many waits there are, how many ended well and how many in an error. */
extern struct loop *loop;
extern int n_waiting, n_done, n_errors;
struct store *open_threaded(const struct store_io *io);
void close_threaded(struct store *s);
/* Inserts the row n<i> and waits for it with 'w', which must stay until then. */
void insert_and_wait(struct store *s, int i, struct store_wait *w, enum store_level level);
/* Runs the loop until no wait is left. */
void wait_for_all(void);

#endif
