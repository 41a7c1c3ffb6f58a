/* Compaction: a new file with the present contents takes the place of the log. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/random.h"
#include "ovsdb/store/background.h"
#include "ovsdb/store/contents.h"
#include "ovsdb/store/new_file.h"
#include "ovsdb/store/private.h"
#include "sys/log.h"
#include "sys/random.h"

LOG_MODULE(ovsdb_compact)

#define MINUTE INT64_C(60000)
#define MIN_RECORDS 100
#define MIN_SIZE (10 << 20)

enum {
    STEP_US = 1000,        /* A step of the walk beside the normal work, at most, about. */
    PIECE_SIZE = 256 << 10 /* Of text, about. */
};

/* One beside the normal work.  A walk over the contents gives the text, in steps; a thread writes it, and then what was
 * committed since; what is committed after that goes to the writer with the order to replace the file. */
struct compaction {
    struct store *store;
    struct loop_wake step;
    struct contents *contents;   /* Null once the walk is over. */
    struct background *file;
    struct str text;             /* That the walk gave, and the thread was not given yet. */
    struct bytes tail;           /* Records since the walk began that the thread was not given. */
    size_t n_records;            /* Since the walk began. */
    size_t n_given;              /* That the thread was given. */
    bool caught_up;              /* The thread was given the tail. */
    uint64_t size;               /* Of the contents in the new file. */
};

char *
compact_tmp_name(const char *path)
{
    return xasprintf("%s.tmp", path);
}

/* --- A whole file --- */

static char *
schema_text(const struct db *db)
{
    struct json *json = schema_to_json(db->schema);
    char *text = js_to_string(json, JS_COMPACT);

    js_unref(json);
    return text;
}

static int
put_contents(struct new_file *f, const struct db *db, const char *comment)
{
    struct contents *c = contents_begin(db, comment);
    struct str s = STR_INIT;
    bool done = false;
    int error = 0;

    while (!error && !done) {
        str_clear(&s);
        done = contents_step(c, &s, PIECE_SIZE, INT64_MAX);
        error = new_file_put(f, str_text(&s), s.len, done);
    }
    contents_end(c);
    str_uninit(&s);
    return error;
}

int
compact_write_file(const struct store_io *io, const char *path, const struct db *db, const char *comment,
                   uint64_t *size)
{
    char *schema = schema_text(db);
    struct new_file *f;
    int error = new_file_create(io, path, schema, &f);

    if (!error && (comment || db_n_rows(db))) {
        error = put_contents(f, db, comment);
    }
    error = error ? error : new_file_finish(f, size);
    new_file_close(f);
    free(schema);
    return error;
}

/* --- Beside the normal work --- */

bool
store_is_compacting(const struct store *s)
{
    return s->compaction || s->replacing;
}

void
compact_note_commit(struct store *s, const struct change_set *set)
{
    if (s->compaction && s->compaction->contents) {
        contents_note(s->compaction->contents, set);
    }
}

void
compact_note_record(struct store *s, const struct bytes *record)
{
    if (s->compaction) {
        bytes_put(&s->compaction->tail, record->data, record->len);
        s->compaction->n_records++;
    }
}

static void
report(struct store *s, const struct dberr *e)
{
    void (*cb)(void *, const struct dberr *) = s->compact_cb;

    s->compact_cb = NULL;
    if (cb) {
        cb(s->compact_aux, e);
    }
}

static void
compaction_destroy(struct compaction *c)
{
    c->store->compaction = NULL;
    background_stop(c->file);
    contents_end(c->contents);
    loop_wake_uninit(&c->step);
    str_uninit(&c->text);
    bytes_uninit(&c->tail);
    free(c);
}

static void
remove_tmp(const struct store *s)
{
    char *tmp = compact_tmp_name(s->path);

    unlink(tmp);
    free(tmp);
}

void
compact_cancel(struct store *s, const char *why)
{
    if (store_is_compacting(s)) {
        struct dberr *e = dberr_new("aborted", "compaction of %s given up because %s", s->name, why);

        if (s->compaction) {
            compaction_destroy(s->compaction);
            remove_tmp(s);
        }
        s->replacing = false;
        report(s, e);
        dberr_free(e);
    }
}

void
compact_finished(struct store *s, struct store_failure f, off_t shrunk)
{
    struct dberr *e = store_failure_error(s, f);

    if (!s->replacing) { /* Given up meanwhile. */
        dberr_free(e);
        return;
    }
    s->replacing = false;
    if (!e) {
        off_t before = s->size;

        s->size -= shrunk;
        s->compacted_size = s->replace_size;
        s->n_records = s->n_records - s->replace_records;
        s->last_compaction = clock_now_ms();
        log_info("%s: compacted from %jd to %jd bytes", s->name, (intmax_t) before, (intmax_t) s->size);
    } else {
        char *text = dberr_to_string(e);

        log_warn("compaction failed: %s", text);
        free(text);
    }
    report(s, e);
    dberr_free(e);
}

static void
fail(struct compaction *c, int error)
{
    struct store *s = c->store;

    compaction_destroy(c);
    remove_tmp(s);
    s->replacing = true;
    compact_finished(s, store_failed(error, "compaction failed"), 0);
}

static void
walk(struct compaction *c)
{
    int64_t until = clock_real_us() + STEP_US;
    bool done = contents_step(c->contents, &c->text, PIECE_SIZE, until);

    if (done || c->text.len >= PIECE_SIZE) {
        background_put(c->file, &c->text, done);
    }
    if (done) {
        contents_end(c->contents);
        c->contents = NULL;
    }
}

static void
catch_up(struct compaction *c, uint64_t size)
{
    c->caught_up = true;
    c->size = size;
    c->n_given = c->n_records;
    background_append(c->file, &c->tail);
}

static void
hand_over(struct compaction *c, uint64_t size)
{
    struct store *s = c->store;

    s->replacing = true;
    s->replace_size = c->size;
    s->replace_records = s->n_records - c->n_records;
    writer_add_replace(s, compact_tmp_name(s->path), size, &c->tail, c->n_records - c->n_given);
    compaction_destroy(c);
}

static void
on_step(struct loop_wake *w)
{
    struct compaction *c = w->aux;
    uint64_t size;
    int status = background_status(c->file, &size);

    if (status && status != -EAGAIN) {
        fail(c, status);
    } else if (c->contents) {
        if (background_wants(c->file)) {
            walk(c);
            loop_wake_signal(&c->step);
        }
    } else if (!status && !c->caught_up) {
        catch_up(c, size);
    } else if (!status) {
        hand_over(c, size);
    }
}

bool
store_compact_beside(struct store *s, void (*cb)(void *aux, const struct dberr *), void *aux)
{
    char *schema, *tmp;
    struct compaction *c;

    if (store_is_compacting(s)) {
        return false;
    }
    s->compact_cb = cb;
    s->compact_aux = aux;
    s->compaction = c = xzalloc(sizeof *c);
    c->store = s;
    str_init(&c->text);
    bytes_init(&c->tail);
    loop_wake_init(s->loop, &c->step, on_step, c);
    c->contents = contents_begin(s->db, "compacting database online");
    schema = schema_text(s->db);
    tmp = compact_tmp_name(s->path);
    c->file = background_start(s->io, tmp, schema, &c->step);
    if (c->file) {
        loop_wake_signal(&c->step);
    } else {
        fail(c, -EAGAIN);
    }
    free(tmp);
    free(schema);
    return true;
}

/* --- By itself --- */

/* Whether the log has grown enough (wire facts of ovsdb(5)). */
static bool
is_due(const struct store *s, int64_t now)
{
    if (!s->n_records) {
        return false;
    }
    return now >= s->last_compaction + 24 * 60 * MINUTE
           || (s->n_records >= MIN_RECORDS && s->size > MIN_SIZE && s->size / 2 > s->compacted_size);
}

/* A failure has been logged. */
static void
on_automatic(void *s_, const struct dberr *e UNUSED)
{
    struct store *s = s_;

    if (s->compacted) {
        s->compacted(s->compacted_aux);
    }
}

static int64_t
next_compaction(void)
{
    return clock_now_ms() + 10 * MINUTE + random_below(sys_random(), 10 * MINUTE);
}

static void
on_timer(struct loop_timer *t)
{
    struct store *s = t->aux;

    if (is_due(s, clock_now_ms()) && !store_is_compacting(s)) {
        log_info("%s: compacting, %zu transactions in %jd bytes", s->name, s->n_records, (intmax_t) s->size);
        if (store_compact_beside(s, on_automatic, s)) {
            loop_timer_set(t, next_compaction());
            return;
        }
    }
    loop_timer_set(t, clock_now_ms() + MINUTE);
}

void
compact_init(struct store *s)
{
    s->last_compaction = clock_now_ms();
}

void
compact_start_timer(struct store *s)
{
    loop_timer_init(s->loop, &s->compact_timer, on_timer, s);
    loop_timer_set(&s->compact_timer, next_compaction());
}
