/* Fuzz target: a text as the parameters of a transaction, carried out one operation after the other while it is read.
 * What comes of it is what comes of the same text read as a whole: the same reply, changes and database; where that
 * fails or waits, or it is no such text, nothing has happened. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "ovsdb/engine/exec.h"
#include "ovsdb/engine/fuzz_db.h"
#include "sys/random.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a run of a transaction left. */
struct run {
    bool done; /* It was carried out to its end, though the commit may have failed. */
    struct db *db; /* For the change set, which must not outlive it. */
    struct exec_outcome out;
    char *before, *after;
};

static bool
owns_lock(const struct exec_session *s UNUSED, const char *lock)
{
    return !strcmp(lock, "l");
}

static const struct exec_session owner = { .owns_lock = owns_lock };

static void
run_whole(const char *text, size_t size, struct run *r)
{
    struct json *params = fuzz_parse(text, size);

    r->done = false;
    if (js_is(params, JS_ARRAY) && js_array_len(params) > 1) {
        exec_transact(r->db, params, 1, &owner, 0, &r->out);
        r->done = r->out.reply.len && !r->out.failed;
    }
    js_unref(params);
}

/* Runs the transaction in a new database, with random numbers that start with 'state'. */
static struct run
run(const struct random *state, const char *text, size_t size, bool piecewise)
{
    struct run r = { .done = false };

    *sys_random() = *state;
    r.db = fuzz_db_create();
    r.before = fuzz_db_dump(r.db);
    if (piecewise) {
        r.done = exec_transact_text(r.db, text, size, &owner, &r.out);
    } else {
        run_whole(text, size, &r);
    }
    r.after = fuzz_db_dump(r.db);
    assert(r.out.changes || !strcmp(r.before, r.after));
    return r;
}

static void
run_uninit(struct run *r)
{
    exec_outcome_uninit(&r->out);
    db_destroy(r->db);
    free(r->before);
    free(r->after);
}

static bool
comments_equal(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

static bool
changes_equal(const struct change_set *a, const struct change_set *b)
{
    return a && b ? a->n == b->n && comments_equal(a->comment, b->comment) : a == b;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct random state = { { 1, 2, 3, 4 } };
    const char *text = (const char *) data;
    struct run whole = run(&state, text, size, false), pieces = run(&state, text, size, true);

    assert(pieces.done == whole.done);
    if (pieces.done) {
        assert(!strcmp(str_text(&pieces.out.reply), str_text(&whole.out.reply)));
        assert(pieces.out.durable == whole.out.durable);
        assert(changes_equal(pieces.out.changes, whole.out.changes));
        assert(!strcmp(pieces.after, whole.after));
    } else {
        assert(!pieces.out.reply.len && !pieces.out.changes);
    }
    run_uninit(&whole);
    run_uninit(&pieces);
    return 0;
}
