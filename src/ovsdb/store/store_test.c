/* What is committed is in the file. */
#include <stdlib.h>
#include <sys/stat.h>

#include "ovsdb/engine/convert.h"
#include "ovsdb/store/test_fixture.h"

static void
contents_survive_closing_and_opening(void **state UNUSED)
{
    for (int flags = 0; flags <= STORE_NO_DIFF; flags += STORE_NO_DIFF) {
        struct store *s;

        setup(NULL);
        expect_ok(store_open(db_path, flags, &s));
        for (size_t i = 0; i < ARRAY_SIZE(script); i++) {
            assert_true(transact(s, script[i]));
            expect_ok(store_flush(s));
            expect_same_as_file(s);
        }
        expect_ok(store_compact(s, "compacted"));
        expect_same_as_file(s);
        assert_true(transact(s, script[3]));
        expect_ok(store_flush(s));
        expect_same_as_file(s);
        expect_ok(store_close(s));
    }
}

/* Memory of its text goes back while it is read. */
static void
a_large_record_is_read_to_its_end(void **state UNUSED)
{
    struct str ops = STR_INIT;
    struct store *s;

    for (int i = 0; i < 14000; i++) {
        str_putf(&ops, "%s{'op':'insert','table':'R','row':{'name':'n%d','i':%d,'s':['set',['%01000d','b']]}}",
                 i ? "," : "[", i, i, i);
    }
    str_putc(&ops, ']');
    expect_ok(store_open(db_path, 0, &s));
    assert_true(transact(s, str_text(&ops)));
    expect_ok(store_flush(s));
    assert_true(store_size(s) > 14000000);
    expect_same_as_file(s);
    expect_ok(store_close(s));
    str_uninit(&ops);
}

static void
a_file_has_one_writer(void **state UNUSED)
{
    struct store *s, *other;
    struct dberr *e;

    expect_ok(store_open(db_path, 0, &s));
    e = store_open(db_path, 0, &other);
    assert_non_null(e);
    assert_string_equal(e->tag, DBERR_IO);
    dberr_free(e);
    expect_ok(store_open(db_path, STORE_READ_ONLY, &other));
    expect_ok(store_close(other));
    expect_ok(store_close(s));
}

static void
many_commits_share_few_syncs(void **state UNUSED)
{
    struct store *s = open_threaded(&store_io_system);
    struct store_wait waits[500];

    for (size_t i = 0; i < ARRAY_SIZE(waits); i++) {
        insert_and_wait(s, i, &waits[i], i % 3 ? STORE_DURABLE : STORE_WRITTEN);
        if (i % 50 == 0) {
            loop_run_once(loop, false);
        }
    }
    wait_for_all();
    assert_int_equal(n_done, ARRAY_SIZE(waits));
    expect_same_as_file(s);
    close_threaded(s);
}

static mode_t
mode_of(const char *path)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 07777;
}

static void
files_are_made_with_the_umask(void **state UNUSED)
{
    mode_t old = umask(022);
    struct store *s;

    setup(NULL);
    assert_int_equal(mode_of(db_path), 0640);
    assert_int_equal(chmod(db_path, 0606), 0);
    umask(027);
    expect_ok(store_open(db_path, 0, &s));
    expect_ok(store_compact(s, NULL));
    expect_ok(store_close(s));
    assert_int_equal(mode_of(db_path), 0640);
    umask(old);
}

static void
a_conversion_replaces_the_file(void **state UNUSED)
{
    struct json *json = J("{'name':'T','version':'2.0.0','tables':{'R':{'isRoot':true,'columns':{"
                          "'name':{'type':'string'},'new':{'type':'boolean'}}}}}");
    struct schema *schema;
    struct db *db, *old;
    struct store *s;

    assert_null(schema_from_json(&schema, json));
    js_unref(json);
    expect_ok(store_open(db_path, 0, &s));
    assert_true(transact(s, script[0]));
    old = store_db(s);
    expect_ok(db_convert(old, schema, &db));
    expect_ok(store_convert(s, db, "converted"));
    db_destroy(old);
    assert_true(transact(s, "[{'op':'update','table':'R','where':[],'row':{'new':true}}]"));
    expect_ok(store_flush(s));
    expect_same_as_file(s);
    expect_ok(store_close(s));
    expect_ok(store_open(db_path, STORE_READ_ONLY, &s));
    assert_string_equal(store_db(s)->schema->version, "2.0.0");
    assert_true(schema_equal(schema, store_db(s)->schema));
    expect_ok(store_close(s));
    schema_unref(schema);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(contents_survive_closing_and_opening),
        TEST(a_large_record_is_read_to_its_end),
        TEST(a_file_has_one_writer),
        TEST(many_commits_share_few_syncs),
        TEST(files_are_made_with_the_umask),
        TEST(a_conversion_replaces_the_file),
    };

    return test_main(tests, ARRAY_SIZE(tests));
}
