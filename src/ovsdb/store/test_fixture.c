#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "ovsdb/engine/exec.h"
#include "ovsdb/store/test_fixture.h"
#include "sys/log.h"

char test_dir[] = "/tmp/weft-store-XXXXXX";
char *db_path;

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

void
expect_ok(struct dberr *e)
{
    if (e) {
        fail_msg("%s", dberr_to_string(e));
    }
}

int
setup(void **state UNUSED)
{
    struct schema *schema = test_schema();

    unlink(db_path);
    expect_ok(store_create(db_path, schema, NULL, NULL));
    schema_unref(schema);
    return 0;
}

/* Runs operations; whether they went well. */
bool
transact(struct store *s, const char *ops)
{
    static const struct exec_session session;
    struct json *json = J(ops);
    struct exec_outcome outcome;
    struct json *reply;
    bool ok;

    exec_transact(store_db(s), json, 0, &session, 0, &outcome);
    error_free(js_parse(str_text(&outcome.reply), outcome.reply.len, &reply));
    ok = reply && js_array_len(reply) == js_array_len(json) && !js_get(js_at(reply, js_array_len(json) - 1), "error");
    js_unref(reply);
    exec_outcome_uninit(&outcome);
    js_unref(json);
    return ok;
}

static int
compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}

char *
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

char *
dump_file(const char *path, int flags)
{
    struct store *s;
    char *text;

    expect_ok(store_open(path, STORE_READ_ONLY | flags, &s));
    text = dump(store_db(s));
    expect_ok(store_close(s));
    return text;
}

void
expect_same_as_file(struct store *s)
{
    char *a = dump(store_db(s)), *b = dump_file(db_path, 0);

    assert_string_equal(a, b);
    free(a);
    free(b);
}

void
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

void
write_file(const char *path, const char *text, size_t n)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, n, f), n);
    fclose(f);
}

const char *const script[N_SCRIPT] = {
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

/* --- Calls of the system that fail --- */

atomic_int calls_until_failure = -1;
int failing_error;
bool keep_failing;
atomic_bool syncs_fail;
atomic_int n_failing_syncs;

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

const struct store_io failing_io = { f_open, f_read, f_pwrite, f_fsync, f_ftruncate, f_rename, f_fsync_dir };

/* --- With a loop and the thread --- */

struct loop *loop;
int n_waiting, n_done, n_errors;

static void
count_wait(struct store_wait *w UNUSED, const struct dberr *e)
{
    n_waiting--;
    n_done += !e;
    n_errors += e != NULL;
}

struct store *
open_threaded(const struct store_io *io)
{
    struct store *s;

    loop = loop_create();
    expect_ok(store_open_with(io, db_path, 0, &s));
    store_start(s, loop, NULL, NULL);
    n_waiting = n_done = n_errors = 0;
    return s;
}

void
close_threaded(struct store *s)
{
    expect_ok(store_close(s));
    loop_destroy(loop);
}

void
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

void
wait_for_all(void)
{
    while (n_waiting) {
        loop_run_once(loop, true);
    }
}

int
test_main(const struct CMUnitTest *tests, size_t n)
{
    char *command;
    int status;

    if (!mkdtemp(test_dir)) {
        perror(test_dir);
        return 1;
    }
    db_path = xasprintf("%s/test.db", test_dir);
    error_free(log_configure("ANY:ANY:off"));
    status = _cmocka_run_group_tests("store", tests, n, NULL, NULL);
    command = xasprintf("rm -rf %s", test_dir);
    status |= system(command);
    free(command);
    free(db_path);
    return status;
}
