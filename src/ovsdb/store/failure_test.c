/* Each system call made to fail in turn: what was told to be durable is in the file, and what failed is not in
 * memory. */
#include <errno.h>
#include <stdlib.h>

#include "ovsdb/store/test_fixture.h"

/* Makes the n-th call fail (and all after it, for a while).  Whatever is told to be durable must be in the file, and
 * whatever failed must not be in memory. */
static bool
script_with_failure(int n, bool for_a_while)
{
    bool hit = false;
    struct store *s;
    struct dberr *e;

    setup(NULL);
    calls_until_failure = n;
    keep_failing = for_a_while;
    e = store_open_with(&failing_io, db_path, 0, &s);
    if (e) {
        dberr_free(e);
        calls_until_failure = -1;
        return true;
    }
    for (size_t i = 0; i < ARRAY_SIZE(script); i++) {
        char *before = dump(store_db(s)), *after;

        transact(s, script[i]); /* May have no effect if an earlier one failed. */
        e = i == 4 ? store_compact(s, "compacted") : store_flush(s);
        after = dump(store_db(s));
        if (e) {
            hit = true;
            if (i != 4) {
                assert_string_equal(before, after);
            }
            dberr_free(e);
            calls_until_failure = -1;
        } else {
            char *file = dump_file(db_path, STORE_RECOVER);

            assert_string_equal(after, file);
            free(file);
        }
        free(before);
        free(after);
    }
    hit |= calls_until_failure < 0;
    calls_until_failure = -1;
    expect_ok(store_flush(s));
    expect_same_as_file(s);
    expect_ok(store_close(s));
    return hit;
}

static void
every_call_may_fail(void **state UNUSED)
{
    static const int errors[] = { -EIO, -ENOSPC };
    int total = 0;

    for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
        failing_error = errors[i];
        for (int for_a_while = 0; for_a_while < 2; for_a_while++) {
            int n = 0;

            while (script_with_failure(n, for_a_while)) {
                n++;
            }
            assert_true(n > 15);
            total += n;
        }
    }
    print_message("%d failures tried\n", total);
}

static void
a_failure_undoes_what_was_not_written(void **state UNUSED)
{
    struct store *s = open_threaded(&failing_io);
    struct store_wait waits[20];
    char *before = dump(store_db(s)), *after;

    failing_error = -ENOSPC;
    keep_failing = true;
    calls_until_failure = 0;
    for (size_t i = 0; i < 20; i++) {
        insert_and_wait(s, i, &waits[i], i % 2 ? STORE_DURABLE : STORE_WRITTEN);
    }
    wait_for_all();
    assert_int_equal(n_errors, 20);
    after = dump(store_db(s));
    assert_string_equal(before, after);
    calls_until_failure = -1;
    insert_and_wait(s, 1, &waits[1], STORE_DURABLE);
    wait_for_all();
    assert_int_equal(n_done, 1);
    expect_same_as_file(s);
    close_threaded(s);
    free(before);
    free(after);
}

/* What was not promised to be on disk stays in memory, and comes into the file with the next commit. */
static void
a_failed_sync_undoes_what_was_to_be_durable(void **state UNUSED)
{
    struct store *s = open_threaded(&failing_io);
    char *kept, *after, *undone;
    struct store_wait waits[2];
    struct dberr *e;

    insert_and_wait(s, 0, &waits[0], STORE_WRITTEN);
    assert_int_equal(n_done, 1);
    kept = dump(store_db(s));
    syncs_fail = true;
    insert_and_wait(s, 1, &waits[1], STORE_DURABLE);
    assert_true(transact(s, "[{'op':'update','table':'R','where':[['name','==','n1']],'row':{'e':7}}]"));
    assert_true(transact(s, "[{'op':'mutate','table':'R','where':[['name','==','n1']],'mutations':[['i','+=',1]]}]"));
    wait_for_all();
    assert_int_equal(n_errors, 1);
    undone = dump(store_db(s));
    assert_string_equal(kept, undone);
    e = store_status(s);
    assert_non_null(e);
    dberr_free(e);
    syncs_fail = false;
    insert_and_wait(s, 2, &waits[1], STORE_DURABLE);
    wait_for_all();
    assert_int_equal(n_done, 2);
    assert_null(store_status(s));
    after = dump_file(db_path, 0);
    assert_true(strstr(after, "\"n0\"") && strstr(after, "\"n2\"") && !strstr(after, "\"n1\""));
    expect_same_as_file(s);
    close_threaded(s);
    free(kept);
    free(undone);
    free(after);
}

/* The file is written anew at once, though no commit follows, so that a kill -9 does not bring back what was undone. */
static void
what_a_failed_sync_undoes_is_gone_from_the_file(void **state UNUSED)
{
    struct store *s = open_threaded(&failing_io);
    struct store_wait waits[2];
    char *file;

    insert_and_wait(s, 0, &waits[0], STORE_WRITTEN);
    n_failing_syncs = 1;
    insert_and_wait(s, 1, &waits[1], STORE_DURABLE);
    wait_for_all();
    assert_int_equal(n_errors, 1);
    file = dump_file(db_path, 0);
    assert_true(strstr(file, "\"n0\"") && !strstr(file, "\"n1\""));
    expect_same_as_file(s);
    free(file);
    close_threaded(s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_call_may_fail),
        TEST(a_failure_undoes_what_was_not_written),
        TEST(a_failed_sync_undoes_what_was_to_be_durable),
        TEST(what_a_failed_sync_undoes_is_gone_from_the_file),
    };

    return test_main(tests, ARRAY_SIZE(tests));
}
