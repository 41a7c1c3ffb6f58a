/* Compaction amid other work. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "ovsdb/store/contents.h"
#include "ovsdb/store/log.h"
#include "ovsdb/store/test_fixture.h"

static bool compacted;

static void
on_compacted(void *aux UNUSED, const struct dberr *e)
{
    assert_null(e);
    compacted = true;
}

static void
compaction_beside_keeps_what_comes_meanwhile(void **state UNUSED)
{
    struct store *s = open_threaded(&store_io_system);
    struct store_wait waits[100];
    off_t before;

    for (int i = 0; i < 40; i++) {
        insert_and_wait(s, i, &waits[i], STORE_DURABLE);
        assert_true(transact(s, "[{'op':'mutate','table':'R','where':[],'mutations':[['i','+=',1]]}]"));
    }
    before = store_size(s);
    compacted = false;
    assert_true(store_compact_beside(s, on_compacted, NULL));
    assert_false(store_compact_beside(s, NULL, NULL));
    for (int i = 40; i < 60; i++) {
        insert_and_wait(s, i, &waits[i], STORE_DURABLE);
    }
    while (n_waiting || !compacted) {
        loop_run_once(loop, true);
    }
    for (int i = 60; i < 70; i++) {
        insert_and_wait(s, i, &waits[i], STORE_DURABLE);
    }
    wait_for_all();
    assert_true(store_size(s) < before / 2);
    assert_int_equal(store_n_records(s), 30);
    expect_same_as_file(s);
    close_threaded(s);
}

/* Inserts so many rows of 1000 bytes each. */
static void
fill(struct store *s, int n)
{
    struct str ops = STR_INIT;

    for (int i = 0; i < n; i++) {
        str_putf(&ops, "%s{'op':'insert','table':'R','row':{'name':'n%d','i':%d,'s':['set',['%01000d','b']]}}",
                 i ? "," : "[", i, i, i);
    }
    str_putc(&ops, ']');
    assert_true(transact(s, str_text(&ops)));
    str_uninit(&ops);
}

static void
change_at_random(struct store *s, unsigned *seed, int n_rows)
{
    static int n_inserted;
    static const char *const formats[] = {
        "[{'op':'delete','table':'R','where':[['name','==','n%d']]}]",
        "[{'op':'mutate','table':'R','where':[['name','==','n%d']],'mutations':[['s','insert','x'],['i','+=',1]]}]",
        "[{'op':'mutate','table':'R','where':[['name','==','n%d']],'mutations':[['s','delete','b']]}]",
        "[{'op':'insert','table':'R','row':{'name':'new%d'}}]",
    };
    size_t what = rand_r(seed) % ARRAY_SIZE(formats);
    char *ops = xasprintf(formats[what], what == 3 ? n_inserted++ : (int) (rand_r(seed) % n_rows));

    assert_true(transact(s, ops));
    free(ops);
}

struct noter {
    struct db_listener listener;
    struct contents *contents;
};

static void
note(struct db_listener *l, struct change_set *set)
{
    contents_note(CONTAINER_OF(l, struct noter, listener)->contents, set);
}

/* Whatever happens between its steps, what a walk gives is what there was when it began. */
static void
a_walk_gives_one_state(void **state UNUSED)
{
    enum { ROWS = 1000 };
    char *path = xasprintf("%s/walk.db", test_dir);
    unsigned seed = 1;

    for (int round = 0; round < 5; round++) {
        struct str text = STR_INIT;
        struct bytes file = BYTES_INIT;
        struct noter noter;
        struct store *s;
        char *before, *after, *schema;
        size_t n;

        setup(NULL);
        read_file(db_path, &schema, &n);
        bytes_put(&file, schema, n);
        expect_ok(store_open(db_path, 0, &s));
        fill(s, ROWS);
        for (int i = 0; i < 100; i++) {
            change_at_random(s, &seed, ROWS);
        }
        before = dump(store_db(s));
        noter.contents = contents_begin(store_db(s), NULL);
        db_add_listener(store_db(s), &noter.listener, note);
        while (!contents_step(noter.contents, &text, 0, INT64_MAX)) {
            for (int i = 0; i < 50; i++) {
                change_at_random(s, &seed, ROWS);
            }
        }
        db_remove_listener(&noter.listener);
        contents_end(noter.contents);
        log_put_record(&file, str_text(&text), text.len);
        write_file(path, (const char *) file.data, file.len);
        after = dump_file(path, 0);
        assert_string_equal(before, after);
        expect_ok(store_close(s));
        str_uninit(&text);
        bytes_uninit(&file);
        free(before);
        free(after);
        free(schema);
    }
    free(path);
}

/* A compaction begins, transactions go on, one of the calls to the system fails (negative: none).  Returns whether one
 * did. */
static bool
compaction_with_failure(int n, int error)
{
    struct store *s = open_threaded(&failing_io);
    struct store_wait wait;
    unsigned seed = n;
    bool hit;

    fill(s, 400);
    expect_ok(store_flush(s));
    failing_error = error;
    keep_failing = false;
    calls_until_failure = n;
    assert_true(store_compact_beside(s, NULL, NULL));
    while (store_is_compacting(s)) {
        change_at_random(s, &seed, 400);
        loop_run_once(loop, true);
    }
    hit = calls_until_failure < 0;
    calls_until_failure = -1;
    insert_and_wait(s, 1000, &wait, STORE_DURABLE);
    wait_for_all();
    expect_same_as_file(s);
    close_threaded(s);
    return hit;
}

static void
each_call_of_a_compaction_beside_may_fail(void **state UNUSED)
{
    int n = 0;

    while (compaction_with_failure(n, n % 2 ? -EIO : -ENOSPC)) {
        setup(NULL);
        n++;
    }
    assert_true(n > 8);
    print_message("%d failures tried\n", n);
}

static int
slow_rename(const char *from, const char *to)
{
    usleep(100000);
    return store_io_system.rename(from, to);
}

/* The writer has just replaced the file, and says so, when the records come that queued up meanwhile. */
static void
who_waits_for_a_write_during_a_replacement_is_told(void **state UNUSED)
{
    struct store_io io = store_io_system;
    struct store_wait waits[50];
    struct store *s;
    int n = 0;

    io.rename = slow_rename;
    s = open_threaded(&io);
    fill(s, 400);
    expect_ok(store_flush(s));
    assert_true(store_compact_beside(s, NULL, NULL));
    while (store_is_compacting(s) || n_waiting) {
        if (store_is_compacting(s) && n < 50) {
            insert_and_wait(s, 1000 + n, &waits[n], STORE_WRITTEN);
            n++;
        }
        loop_run_once(loop, n_waiting && (n == 50 || !store_is_compacting(s)));
    }
    assert_int_equal(n_done, n);
    expect_same_as_file(s);
    close_threaded(s);
}

static atomic_int n_syncs_begun, n_syncs;
static atomic_bool may_end_second;
static int n_syncs_before_rename;

static int
counted_fsync(int fd)
{
    int error;

    if (atomic_fetch_add(&n_syncs_begun, 1) == 1) {
        while (!atomic_load(&may_end_second)) {
            usleep(1000);
        }
    }
    error = store_io_system.fsync(fd);
    atomic_fetch_add(&n_syncs, 1);
    return error;
}

static int
noting_rename(const char *from, const char *to)
{
    n_syncs_before_rename = n_syncs;
    return store_io_system.rename(from, to);
}

/* A record comes while the new file is brought to the disk, with all before it.  Returns how many syncs there were
 * until the new file took its place. */
static int
n_syncs_of_compaction(enum store_level level)
{
    struct store_io io = store_io_system;
    struct store_wait wait;
    struct store *s;

    setup(NULL);
    io.fsync = counted_fsync;
    io.rename = noting_rename;
    s = open_threaded(&io);
    fill(s, 10);
    n_syncs_begun = n_syncs = 0;
    may_end_second = false;
    assert_true(store_compact_beside(s, NULL, NULL));
    while (n_syncs_begun < 2) {
        loop_run_once(loop, false);
    }
    insert_and_wait(s, 1000, &wait, level);
    while (level == STORE_DURABLE && n_syncs < 2) {
        usleep(1000);
    }
    may_end_second = true;
    while (store_is_compacting(s) || n_waiting) {
        loop_run_once(loop, true);
    }
    assert_int_equal(n_done, 1);
    expect_same_as_file(s);
    close_threaded(s);
    return n_syncs_before_rename;
}

/* Who waits for a write does not wait for the disk, unless somebody else was told that it has what is in the file. */
static void
a_replacement_syncs_what_was_on_disk_before(void **state UNUSED)
{
    assert_int_equal(n_syncs_of_compaction(STORE_WRITTEN), 2);
    assert_int_equal(n_syncs_of_compaction(STORE_DURABLE), 4);
}

static void
a_compaction_can_be_given_up_at_any_step(void **state UNUSED)
{
    for (int n_steps = 0; n_steps < 12; n_steps++) {
        struct store *s;
        char *tmp = xasprintf("%s.tmp", db_path);

        setup(NULL);
        s = open_threaded(&store_io_system);
        fill(s, 400);
        assert_true(store_compact_beside(s, NULL, NULL));
        for (int i = 0; i < n_steps && store_is_compacting(s); i++) {
            loop_run_once(loop, true);
        }
        if (n_steps % 2) {
            expect_ok(store_compact(s, "at once"));
        }
        close_threaded(s);
        assert_int_not_equal(access(tmp, F_OK), 0);
        free(dump_file(db_path, 0));
        free(tmp);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(compaction_beside_keeps_what_comes_meanwhile),
        TEST(a_walk_gives_one_state),
        TEST(each_call_of_a_compaction_beside_may_fail),
        TEST(who_waits_for_a_write_during_a_replacement_is_told),
        TEST(a_replacement_syncs_what_was_on_disk_before),
        TEST(a_compaction_can_be_given_up_at_any_step),
    };

    return test_main(tests, ARRAY_SIZE(tests));
}
