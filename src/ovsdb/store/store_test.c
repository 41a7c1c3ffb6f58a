#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "ovsdb/engine/convert.h"
#include "ovsdb/engine/exec.h"
#include "ovsdb/store/contents.h"
#include "ovsdb/store/log.h"
#include "ovsdb/store/store.h"
#include "sys/log.h"

static char dir[] = "/tmp/weft-store-XXXXXX";
static char *db_path;

static struct json *
J(const char *text)
{
    char *copy = xstrdup(text);
    struct json *json;

    for (char *p = copy; *p; p++) {
        *p = *p == '\'' ? '"' : *p;
    }
    assert_null(js_parse_string(copy, &json));
    free(copy);
    return json;
}

static const char schema_text[] =
    "{'name':'T','version':'1.0.0','tables':{"
    "'R':{'isRoot':true,'indexes':[['name']],'columns':{'name':{'type':'string'},'i':{'type':'integer'},"
    "'e':{'type':'integer','ephemeral':true},"
    "'s':{'type':{'key':'string','min':0,'max':'unlimited'}},"
    "'m':{'type':{'key':'string','value':'string','min':0,'max':'unlimited'}},"
    "'kids':{'type':{'key':{'type':'uuid','refTable':'C'},'min':0,'max':'unlimited'}}}},"
    "'C':{'columns':{'n':{'type':'real'}}}}}";

static struct schema *
test_schema(void)
{
    struct json *json = J(schema_text);
    struct schema *schema;

    assert_null(schema_from_json(&schema, json));
    js_unref(json);
    return schema;
}

static void
expect_ok(struct dberr *e)
{
    if (e) {
        fail_msg("%s", dberr_to_string(e));
    }
}

static int
setup(void **state UNUSED)
{
    struct schema *schema = test_schema();

    unlink(db_path);
    expect_ok(store_create(db_path, schema, NULL, NULL));
    schema_unref(schema);
    return 0;
}

/* Runs operations; whether they went well. */
static bool
transact(struct store *s, const char *ops)
{
    static const struct exec_session session;
    struct json *json = J(ops);
    struct exec_outcome outcome;
    bool ok;

    exec_transact(store_db(s), json, 0, &session, 0, &outcome);
    ok = outcome.reply && js_array_len(outcome.reply) == js_array_len(json)
         && !js_get(js_at(outcome.reply, js_array_len(json) - 1), "error");
    exec_outcome_uninit(&outcome);
    js_unref(json);
    return ok;
}

/* All rows as sorted text, without versions; to be released with free(). */
static int
compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}

static char *
dump(const struct db *db)
{
    struct str s = STR_INIT;

    for (size_t i = 0; i < db->schema->n_tables; i++) {
        const struct table *t = &db->tables[i];
        char **rows = xcalloc(t->n_rows + 1, sizeof *rows);
        size_t n = 0;

        TABLE_FOR_EACH_ROW (row, t) {
            struct json *json = tuple_to_json(row->tuple, t->schema, NULL, 0);

            js_remove(json, "_version");
            js_remove(json, "e");
            rows[n++] = js_to_string(json, JS_SORTED);
            js_unref(json);
        }
        qsort(rows, n, sizeof *rows, compare_texts);
        for (size_t j = 0; j < n; j++) {
            str_putf(&s, "%s\n", rows[j]);
            free(rows[j]);
        }
        free(rows);
    }
    return str_steal(&s);
}

static char *
dump_file(const char *path, int flags)
{
    struct store *s;
    char *text;

    expect_ok(store_open(path, STORE_READ_ONLY | flags, &s));
    text = dump(store_db(s));
    expect_ok(store_close(s));
    return text;
}

static void
expect_same_as_file(struct store *s)
{
    char *a = dump(store_db(s)), *b = dump_file(db_path, 0);

    assert_string_equal(a, b);
    free(a);
    free(b);
}

static const char *const script[] = {
    "[{'op':'insert','table':'R','row':{'name':'a','i':1,'s':['set',['x','y']]}}]",
    "[{'op':'insert','table':'C','uuid-name':'c','row':{'n':1.5}},"
    "{'op':'mutate','table':'R','where':[],'mutations':[['kids','insert',['named-uuid','c']]]},"
    "{'op':'comment','comment':'a \\\"child\\\"'}]",
    "[{'op':'mutate','table':'R','where':[],'mutations':[['s','insert',['set',['z','w']]],['s','delete','x'],"
    "['m','insert',['map',[['k','v'],['k2','v2']]]]]}]",
    "[{'op':'insert','table':'R','row':{'name':'b'}}]",
    "[{'op':'update','table':'R','where':[['name','==','a']],'row':{'m':['map',[['k','w']]],'i':0}}]",
    "[{'op':'update','table':'R','where':[['name','==','a']],'row':{'e':7}}]",
    "[{'op':'update','table':'R','where':[['name','==','a']],'row':{'kids':['set',[]]}}]",
    "[{'op':'delete','table':'R','where':[['name','==','b']]}]",
};

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

/* --- Damaged files --- */

static void
read_file(const char *path, char **text, size_t *n)
{
    struct str s = STR_INIT;
    FILE *f = fopen(path, "r");
    char buffer[4096];
    size_t got;

    assert_non_null(f);
    while ((got = fread(buffer, 1, sizeof buffer, f))) {
        str_putn(&s, buffer, got);
    }
    fclose(f);
    *n = s.len;
    *text = str_steal(&s);
}

static void
write_file(const char *path, const char *text, size_t n)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, n, f), n);
    fclose(f);
}

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
    char *text, *path = xasprintf("%s/cut.db", dir);
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
    char *text, *path = xasprintf("%s/flip.db", dir);
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
        "{'_date':1,'R':{'3ffca08b-266f-4a46-9667-6267b269edff':"
        "{'kids':['uuid','3ffca08b-266f-4a46-9667-6267b269edf0']}}}",
        "not json",
        "{'_date':1,'R':{'3ffca08b-266f-4a46-9667-6267b269edff':{'i':'x'}}}",
        "{'_date':1,'R':{'3ffca08b-266f-4a46-9667-6267b269edff':{'i':}}}",
        "{'_date':1,'R':{'3ffca08b-266f-4a46-9667-6267b269edff':{'i':1}",
        "{'_date':1}}",
        "{'_date':'x'}",
    };
    char *text, *path = xasprintf("%s/bad.db", dir);
    size_t n;

    read_file(db_path, &text, &n);
    for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
        struct bytes b = BYTES_INIT;
        char *body = xstrdup(bodies[i]);
        struct store *s;
        struct dberr *e;

        for (char *p = body; *p; p++) {
            *p = *p == '\'' ? '"' : *p;
        }
        bytes_put(&b, text, n);
        log_put_record(&b, body, strlen(body));
        write_file(path, (char *) b.data, b.len);
        e = store_open(path, STORE_RECOVER, &s);
        if (!e) {
            fail_msg("accepted: %s", bodies[i]);
        }
        dberr_free(e);
        bytes_uninit(&b);
        free(body);
    }
    free(text);
    free(path);
}

/* --- Failing I/O --- */

static atomic_int calls_until_failure; /* Negative: never. */
static int failing_error;
static bool keep_failing;
static atomic_bool syncs_fail;
static atomic_int n_failing_syncs;

static bool
fails_now(void)
{
    if (calls_until_failure < 0) {
        return false;
    }
    if (calls_until_failure > 0) {
        calls_until_failure--;
        return false;
    }
    calls_until_failure = keep_failing ? 0 : -1;
    return true;
}

static int
f_open(const char *path, int flags, mode_t mode)
{
    return fails_now() ? failing_error : store_io_system.open(path, flags, mode);
}

static ssize_t
f_read(int fd, void *p, size_t n)
{
    return fails_now() ? failing_error : store_io_system.read(fd, p, n);
}

static ssize_t
f_pwrite(int fd, const void *p, size_t n, off_t at)
{
    if (fails_now()) {
        /* Some of it gets there, as on a disk that is full. */
        if (n > 1 && store_io_system.pwrite(fd, p, n / 2, at) < 0) {
            return -EIO;
        }
        return failing_error;
    }
    return store_io_system.pwrite(fd, p, n, at);
}

static int
f_fsync(int fd)
{
    if (n_failing_syncs > 0) {
        n_failing_syncs--;
        return -EIO;
    }
    return fails_now() ? failing_error : syncs_fail ? -EIO : store_io_system.fsync(fd);
}

static int
f_ftruncate(int fd, off_t size)
{
    return fails_now() ? failing_error : store_io_system.ftruncate(fd, size);
}

static int
f_rename(const char *from, const char *to)
{
    return fails_now() ? failing_error : store_io_system.rename(from, to);
}

static int
f_fsync_dir(const char *path)
{
    return fails_now() ? failing_error : store_io_system.fsync_dir(path);
}

static const struct store_io failing_io = { f_open, f_read, f_pwrite, f_fsync, f_ftruncate, f_rename, f_fsync_dir };

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

/* --- With a loop and the thread --- */

static struct loop *loop;
static int n_waiting, n_done, n_errors;

static void
count_wait(struct store_wait *w UNUSED, const struct dberr *e)
{
    n_waiting--;
    n_done += !e;
    n_errors += e != NULL;
}

static struct store *
open_threaded(const struct store_io *io)
{
    struct store *s;

    loop = loop_create();
    expect_ok(store_open_with(io, db_path, 0, &s));
    store_start(s, loop, NULL, NULL);
    n_waiting = n_done = n_errors = 0;
    return s;
}

static void
close_threaded(struct store *s)
{
    expect_ok(store_close(s));
    loop_destroy(loop);
}

static void
insert_and_wait(struct store *s, int i, struct store_wait *w, enum store_level level)
{
    char *ops = xasprintf("[{'op':'insert','table':'R','row':{'name':'n%d','i':%d}}]", i, i);

    assert_true(transact(s, ops));
    n_waiting++;
    if (store_wait_for(s, w, level, count_wait, NULL)) {
        n_waiting--;
        n_done++;
    }
    free(ops);
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
    while (n_waiting) {
        loop_run_once(loop, true);
    }
    assert_int_equal(n_done, ARRAY_SIZE(waits));
    expect_same_as_file(s);
    close_threaded(s);
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
    while (n_waiting) {
        loop_run_once(loop, true);
    }
    assert_int_equal(n_errors, 20);
    after = dump(store_db(s));
    assert_string_equal(before, after);
    calls_until_failure = -1;
    insert_and_wait(s, 1, &waits[1], STORE_DURABLE);
    while (n_waiting) {
        loop_run_once(loop, true);
    }
    assert_int_equal(n_done, 1);
    expect_same_as_file(s);
    close_threaded(s);
    free(before);
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
    while (n_waiting) {
        loop_run_once(loop, true);
    }
    assert_int_equal(n_errors, 1);
    file = dump_file(db_path, 0);
    assert_true(strstr(file, "\"n0\"") && !strstr(file, "\"n1\""));
    expect_same_as_file(s);
    free(file);
    close_threaded(s);
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
    while (n_waiting) {
        loop_run_once(loop, true);
    }
    assert_int_equal(n_errors, 1);
    undone = dump(store_db(s));
    assert_string_equal(kept, undone);
    e = store_status(s);
    assert_non_null(e);
    dberr_free(e);
    syncs_fail = false;
    insert_and_wait(s, 2, &waits[1], STORE_DURABLE);
    while (n_waiting) {
        loop_run_once(loop, true);
    }
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
    while (n_waiting) {
        loop_run_once(loop, true);
    }
    assert_true(store_size(s) < before / 2);
    assert_int_equal(store_n_records(s), 30);
    expect_same_as_file(s);
    close_threaded(s);
}

/* --- Compaction amid other work --- */

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
    char *path = xasprintf("%s/walk.db", dir);
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
    while (n_waiting) {
        loop_run_once(loop, true);
    }
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
#define TEST(NAME) cmocka_unit_test_setup(NAME, setup)
    const struct CMUnitTest tests[] = {
        TEST(contents_survive_closing_and_opening),
        TEST(a_file_has_one_writer),
        TEST(a_file_cut_anywhere_opens_with_a_prefix),
        TEST(a_file_flipped_anywhere_opens_with_a_prefix),
        TEST(sound_records_with_bad_contents_are_refused),
        TEST(every_call_may_fail),
        TEST(many_commits_share_few_syncs),
        TEST(a_failure_undoes_what_was_not_written),
        TEST(a_failed_sync_undoes_what_was_to_be_durable),
        TEST(what_a_failed_sync_undoes_is_gone_from_the_file),
        TEST(files_are_made_with_the_umask),
        TEST(compaction_beside_keeps_what_comes_meanwhile),
        TEST(a_walk_gives_one_state),
        TEST(each_call_of_a_compaction_beside_may_fail),
        TEST(who_waits_for_a_write_during_a_replacement_is_told),
        TEST(a_compaction_can_be_given_up_at_any_step),
        TEST(a_conversion_replaces_the_file),
    };
    int status;
    char *command;

    calls_until_failure = -1;
    if (!mkdtemp(dir)) {
        perror(dir);
        return 1;
    }
    db_path = xasprintf("%s/test.db", dir);
    error_free(log_configure("ANY:ANY:off"));
    status = cmocka_run_group_tests(tests, NULL, NULL);
    for (size_t i = 0; i < N_STATES; i++) {
        free(states[i]);
    }
    command = xasprintf("rm -rf %s", dir);
    status |= system(command);
    free(command);
    free(db_path);
    return status;
}
