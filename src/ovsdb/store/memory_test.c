/* Each allocation fails once, in a child: the program ends with the message, and the file holds every transaction that
 * somebody was told is durable, and no half one. */
#include <stdlib.h>

#include "ovsdb/store/test_fixture.h"
#include "sys/alloc_fault.h"

enum { N_BEFORE = 3, N_MORE = 3 };

static struct progress {
    atomic_int n_begun, n_durable; /* Transactions. */
} *progress;

static char *file;
static size_t file_len;
static struct store_io io; /* That of the system, without syncs: a program that ends loses nothing that is written. */

static int
no_fsync(int fd UNUSED)
{
    return 0;
}

static int
no_fsync_dir(const char *path UNUSED)
{
    return 0;
}

/* The k-th transaction adds a row that refers to another, and one to the "i" of the row "count". */
static bool
transact_nth(struct store *s, int k)
{
    char *ops = xasprintf("[{'op':'insert','table':'C','uuid-name':'c','row':{'n':%d.5}},"
                          "{'op':'insert','table':'R','row':{'name':'n%d','kids':['named-uuid','c']}},"
                          "{'op':'mutate','table':'R','where':[['name','==','count']],'mutations':[['i','+=',1]]}]",
                          k, k);
    bool ok = transact(s, ops);

    free(ops);
    return ok;
}

/* Whether just the first 'k' transactions are there, whole. */
static bool
holds(struct store *s, int k)
{
    char *ops = xasprintf("[{'op':'wait','timeout':0,'table':'R','where':[['name','==','count']],'columns':['i'],"
                          "'until':'==','rows':[{'i':%d}]}]", k);
    const struct db *db = store_db(s);
    bool ok = transact(s, ops) && db_table(db, "R")->n_rows == (size_t) k + 1
              && db_table(db, "C")->n_rows == (size_t) k;

    free(ops);
    return ok;
}

/* A file with some transactions and a torn end. */
static void
make_file(void)
{
    static const char torn[] = "OVSDB JSON 100 0123456789abcdef0123456789abcdef01234567\n{\"R\":";
    struct store *s;
    FILE *f;

    expect_ok(store_open(db_path, 0, &s));
    assert_true(transact(s, "[{'op':'insert','table':'R','row':{'name':'count'}}]"));
    for (int i = 0; i < N_BEFORE; i++) {
        assert_true(transact_nth(s, i));
        expect_ok(store_flush(s));
    }
    expect_ok(store_close(s));
    f = fopen(db_path, "a");
    assert_non_null(f);
    fputs(torn, f);
    assert_int_equal(fclose(f), 0);
    read_file(db_path, &file, &file_len);
}

/* What the parent finds is whole, and can be gone on with.  (What a compaction left behind, the next run finds.) */
static void
check_file(void)
{
    struct store *s;
    int k = progress->n_durable;

    expect_ok(store_open_with(&io, db_path, STORE_RECOVER, &s));
    while (!holds(s, k)) {
        k++;
        assert_in_range(k, progress->n_durable, progress->n_begun);
    }
    assert_true(transact_nth(s, k));
    expect_ok(store_flush(s));
    expect_same_as_file(s);
    expect_ok(store_close(s));
}

static struct store *
open_recovering(void)
{
    struct store *s;

    expect_ok(store_open_with(&io, db_path, STORE_RECOVER, &s));
    return s;
}

static void
commit_and_flush(struct store *s)
{
    for (int i = 0; i < N_MORE; i++) {
        progress->n_begun++;
        assert_true(transact_nth(s, N_BEFORE + i));
        expect_ok(store_flush(s));
        progress->n_durable++;
    }
}

static void
on_durable(struct store_wait *w UNUSED, const struct dberr *e)
{
    assert_null(e);
    progress->n_durable++;
}

static void
commit_beside(struct store *s, struct store_wait *w, int i)
{
    progress->n_begun++;
    assert_true(transact_nth(s, N_BEFORE + i));
    if (store_wait_for(s, w, STORE_DURABLE, on_durable, NULL)) {
        progress->n_durable++;
    }
}

static void
recover(void)
{
    struct store *s = open_recovering();

    assert_true(holds(s, N_BEFORE));
    expect_ok(store_close(s));
}

static void
commit(void)
{
    struct store *s = open_recovering();

    alloc_fault_begin();
    commit_and_flush(s);
    expect_ok(store_close(s));
}

static void
compact(void)
{
    struct store *s = open_recovering();

    alloc_fault_begin();
    expect_ok(store_compact(s, "compacted"));
    commit_and_flush(s);
    expect_ok(store_close(s));
}

/* Transactions that wait for the writer's thread, then some while the file is compacted. */
static void
compact_beside(void)
{
    struct store *s = open_recovering();
    struct store_wait waits[N_MORE];

    alloc_fault_begin();
    loop = loop_create();
    store_start(s, loop, NULL, NULL);
    commit_beside(s, &waits[0], 0);
    assert_true(store_compact_beside(s, NULL, NULL));
    for (int i = 1; i < N_MORE; i++) {
        commit_beside(s, &waits[i], i);
        loop_run_once(loop, false);
    }
    while (store_is_compacting(s) || progress->n_durable < progress->n_begun) {
        loop_run_once(loop, true);
    }
    expect_ok(store_close(s));
    loop_destroy(loop);
}

static void
put_file(void)
{
    write_file(db_path, file, file_len);
    progress->n_begun = progress->n_durable = N_BEFORE;
}

static void
each_allocation_fails(void (*scenario)(void))
{
    int n_failed, n_ended;

    make_file();
    n_ended = alloc_fault_each(put_file, scenario, check_file, &n_failed);
    print_message("%d of %d allocations that failed ended the program\n", n_ended, n_failed);
    assert_in_range(n_ended, MAX(n_failed - 3, 100), n_failed); /* Threads are made, which may fail. */
    free(file);
}

static void
reading_a_file(void **state UNUSED)
{
    each_allocation_fails(recover);
}

static void
committing(void **state UNUSED)
{
    each_allocation_fails(commit);
}

static void
compacting(void **state UNUSED)
{
    each_allocation_fails(compact);
}

static void
compacting_beside_other_work(void **state UNUSED)
{
    each_allocation_fails(compact_beside);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reading_a_file),
        TEST(committing),
        TEST(compacting),
        TEST(compacting_beside_other_work),
    };

    io = store_io_system;
    io.fsync = no_fsync;
    io.fsync_dir = no_fsync_dir;
    progress = alloc_fault_shared(sizeof *progress);
    return test_main(tests, ARRAY_SIZE(tests));
}
