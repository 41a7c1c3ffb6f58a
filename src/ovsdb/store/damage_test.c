/* Files that are damaged: whatever opens is a state that there was, anything else a clear error. */
#include <stdlib.h>

#include "ovsdb/store/log.h"
#include "ovsdb/store/test_fixture.h"

#define N_STATES (ARRAY_SIZE(script) + 1)
static char *states[N_STATES]; /* The contents after each transaction of the script. */

static void
make_states(void)
{
    struct store *s;

    setup(NULL);
    expect_ok(store_open(db_path, 0, &s));
    for (size_t i = 0; i < N_STATES; i++) {
        free(states[i]);
        states[i] = dump(store_db(s));
        if (i < ARRAY_SIZE(script)) {
            assert_true(transact(s, script[i]));
        }
    }
    expect_ok(store_close(s));
}

/* Opens the file, with recovery; its contents must be one of the states, or there is a clear error. */
static bool
opens_with_a_prefix(const char *path)
{
    struct store *s;
    struct dberr *e = store_open(path, STORE_RECOVER, &s);
    bool found = false;
    char *text;

    if (e) {
        text = dberr_to_string(e);
        assert_true(strlen(text) > 10);
        free(text);
        dberr_free(e);
        return false;
    }
    text = dump(store_db(s));
    for (size_t i = 0; i < N_STATES; i++) {
        found |= !strcmp(text, states[i]);
    }
    if (!found) {
        fail_msg("contents are no prefix: %s", text);
    }
    free(text);
    /* What comes next must fit. */
    assert_true(transact(s, "[{'op':'insert','table':'R','row':{'name':'after'}}]"));
    expect_ok(store_flush(s));
    {
        char *a = dump(store_db(s)), *b = dump_file(path, 0);

        assert_string_equal(a, b);
        free(a);
        free(b);
    }
    expect_ok(store_close(s));
    return true;
}

static void
a_file_cut_anywhere_opens_with_a_prefix(void **state UNUSED)
{
    char *text, *path = xasprintf("%s/cut.db", test_dir);
    size_t n, n_opened = 0;

    make_states();
    read_file(db_path, &text, &n);
    for (size_t cut = 0; cut <= n; cut++) {
        write_file(path, text, cut);
        n_opened += opens_with_a_prefix(path);
    }
    /* Only files cut within the schema cannot be opened. */
    assert_true(n_opened > n - 1200);
    free(text);
    free(path);
}

static void
a_file_flipped_anywhere_opens_with_a_prefix(void **state UNUSED)
{
    char *text, *path = xasprintf("%s/flip.db", test_dir);
    size_t n;

    make_states();
    read_file(db_path, &text, &n);
    for (size_t i = 0; i < n; i++) {
        char old = text[i];

        text[i] ^= 1 << (i % 8);
        write_file(path, text, n);
        opens_with_a_prefix(path);
        text[i] = old;
    }
    free(text);
    free(path);
}

/* Writes the database file with records more, whose hashes are right. */
static void
write_with_records(const char *path, const char *const bodies[], size_t n_bodies)
{
    struct bytes b = BYTES_INIT;
    char *text;
    size_t n;

    read_file(db_path, &text, &n);
    bytes_put(&b, text, n);
    for (size_t i = 0; i < n_bodies; i++) {
        char *body = json_unquote(bodies[i]);

        log_put_record(&b, body, strlen(body));
        free(body);
    }
    write_file(path, (char *) b.data, b.len);
    bytes_uninit(&b);
    free(text);
}

/* A record with a right hash and wrong contents is an error, not something to be cut off. */
static void
sound_records_with_bad_contents_are_refused(void **state UNUSED)
{
    static const char *const bodies[] = {
        "{'_date':1,'R':{'3ffca08b-266f-4a46-9667-6267b269edfe':{'zz':1}}}",
        "{'_date':1,'Q':{'3ffca08b-266f-4a46-9667-6267b269edfe':{'zz':1}}}",
        "{'_date':1,'R':{'bad':{'i':1}}}",
        "{'_date':1,'R':{'3ffca08b-266f-4a46-9667-6267b269edff':null}}",
        "{'_date':1,'R':{'3ffca08b-266f-4a46-9667-6267b269edff':1}}",
        "{'_date':1,'R':1}",
        "[]",
        "not json",
        "{'_date':1,'R':{'3ffca08b-266f-4a46-9667-6267b269edff':{'i':'x'}}}",
        "{'_date':1,'R':{'3ffca08b-266f-4a46-9667-6267b269edff':{'i':}}}",
        "{'_date':1,'R':{'3ffca08b-266f-4a46-9667-6267b269edff':{'i':1}",
        "{'_date':1}}",
        "{'_date':'x'}",
        "{'_date':'x','_is_diff':true}",
        "{'_date':1,'Q':{'3ffca08b-266f-4a46-9667-6267b269edfe':{'zz':1}},'_is_diff':true}",
        "{'_date':1,'R':{'3ffca08b-266f-4a46-9667-6267b269edff':null},'_is_diff':true}",
        "{'_date':1,'R':{'3ffca08b-266f-4a46-9667-6267b269edff':{'i':1},'_is_diff':true}",
        "{'_date':1,'R':1,'_is_diff':true}",
        "{'_date':1},'_is_diff':true}",
        "_is_diff':true}",
        ",'_is_diff':true}",
    };
    char *path = xasprintf("%s/bad.db", test_dir);

    for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
        struct store *s;
        struct dberr *e;

        write_with_records(path, &bodies[i], 1);
        e = store_open(path, STORE_RECOVER, &s);
        if (!e) {
            fail_msg("accepted: %s", bodies[i]);
        }
        dberr_free(e);
    }
    free(path);
}

#define ROW(LAST) "3ffca08b-266f-4a46-9667-6267b269edf" LAST

/* One that breaks a constraint is left out, as is the deletion of a row that it would have made, and the others are
 * read; the file goes on as it is. */
static void
records_that_break_a_constraint_are_left_out(void **state UNUSED)
{
    static const char *const all[] = {
        "{'_date':1,'R':{'" ROW("1") "':{'name':'k'}}}",
        "{'_date':2,'R':{'" ROW("f") "':{'kids':['uuid','" ROW("0") "']}}}",
        "{'_date':2,'R':{'" ROW("2") "':{'name':'b','kids':['uuid','" ROW("0") "']}},'_is_diff':true}",
        "{'_date':2,'R':{'" ROW("2") "':null}}",
        "{'_date':3,'R':{'" ROW("3") "':{'name':'c'}},'_is_diff':true}",
    };
    const char *const sound[] = { all[0], all[4] };
    char *path = xasprintf("%s/left_out.db", test_dir), *want, *got, *again;
    struct store *s;
    off_t size;

    write_with_records(path, sound, ARRAY_SIZE(sound));
    want = dump_file(path, 0);
    write_with_records(path, all, ARRAY_SIZE(all));
    expect_ok(store_open(path, 0, &s));
    got = dump(store_db(s));
    assert_string_equal(got, want);
    size = store_size(s);
    assert_true(store_n_records(s) >= ARRAY_SIZE(all));
    assert_true(transact(s, script[0]));
    expect_ok(store_flush(s));
    assert_true(store_size(s) > size);
    again = dump(store_db(s));
    expect_ok(store_close(s));
    free(got);
    got = dump_file(path, 0);
    assert_string_equal(got, again);
    free(want);
    free(got);
    free(again);
    free(path);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_file_cut_anywhere_opens_with_a_prefix),
        TEST(a_file_flipped_anywhere_opens_with_a_prefix),
        TEST(sound_records_with_bad_contents_are_refused),
        TEST(records_that_break_a_constraint_are_left_out),
    };

    return test_main(tests, ARRAY_SIZE(tests));
}
