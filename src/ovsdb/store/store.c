#include "ovsdb/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ovsdb/store/log.h"
#include "ovsdb/store/private.h"
#include "ovsdb/store/record.h"
#include "sys/log.h"

LOG_MODULE(ovsdb_file)

#define TEXT_KEPT ((size_t) 1 << 20) /* Memory for the next record. */

/* --- Small things --- */

void
store_set_diff(struct store *s, bool diff)
{
    s->flags = diff ? s->flags & ~STORE_NO_DIFF : s->flags | STORE_NO_DIFF;
}

struct db *
store_db(const struct store *s)
{
    return s->db;
}

const char *
store_path(const struct store *s)
{
    return s->name;
}

off_t
store_size(const struct store *s)
{
    return s->size;
}

size_t
store_n_records(const struct store *s)
{
    return s->n_records;
}

struct dberr *
store_failure_error(const struct store *s, struct store_failure f)
{
    return f.error ? dberr_io(-f.error, "%s: %s", s->name, f.what) : NULL;
}

struct dberr *
store_status(const struct store *s_)
{
    struct store *s = (struct store *) s_;
    struct store_failure last;

    pthread_mutex_lock(&s->mutex);
    last = s->last;
    pthread_mutex_unlock(&s->mutex);
    return store_failure_error(s, last);
}

/* --- Commits --- */

/* The first commit that somebody waits to see on disk. */
static uint64_t
first_durable_wait(const struct store *s)
{
    LIST_FOR_EACH (w, struct store_wait, node, &s->waits) {
        if (w->level == STORE_DURABLE) {
            return w->seq;
        }
    }
    return UINT64_MAX;
}

/* Forgets how to undo commits that will not have to be. */
static void
trim_entries(struct store *s, uint64_t written)
{
    uint64_t keep_from = first_durable_wait(s);

    while (!list_is_empty(&s->entries)) {
        struct store_entry *entry = CONTAINER_OF(s->entries.next, struct store_entry, node);

        if (entry->seq > written || entry->seq >= keep_from) {
            break;
        }
        list_remove(&entry->node);
        change_set_unref(entry->set);
        free(entry);
    }
}

/* The commits that were written at once, which nobody will be told of. */
static void
trim_written(struct store *s)
{
    uint64_t written;

    pthread_mutex_lock(&s->mutex);
    written = s->written_seq;
    pthread_mutex_unlock(&s->mutex);
    trim_entries(s, written);
}

static void
add_entry(struct store *s, struct change_set *set, bool recorded)
{
    struct store_entry *entry = xzalloc(sizeof *entry);

    entry->seq = s->seq;
    entry->recorded = recorded;
    entry->set = change_set_ref(set);
    list_push_back(&s->entries, &entry->node);
}

/* Writes the file anew, with all commits up to now. */
static struct store_failure
rewrite(struct store *s)
{
    char *tmp = compact_tmp_name(s->path);
    uint64_t size = 0;
    struct store_failure f;

    compact_cancel(s, "the file must be written anew");
    f = store_failed(compact_write_file(s->io, tmp, s->db, NULL, &size), "rewriting failed");
    pthread_mutex_lock(&s->mutex);
    if (!f.error) {
        f = writer_replace_now(s, tmp, size);
    }
    if (!f.error) {
        s->must_rewrite = false;
        s->last = store_failed(0, NULL);
        s->size = s->compacted_size = size;
        s->n_records = 0;
        s->written_seq = s->synced_seq = s->seq;
    }
    pthread_mutex_unlock(&s->mutex);
    free(tmp);
    return f;
}

/* After a failed sync.  If the rewriting fails too, the writer's failure is set, for store_settle(). */
static void
try_rewrite(struct store *s)
{
    struct store_failure f = rewrite(s);

    if (f.error) {
        pthread_mutex_lock(&s->mutex);
        s->failure = f;
        pthread_mutex_unlock(&s->mutex);
        if (s->loop) {
            loop_wake_signal(&s->wake);
        }
    }
}

static void
store_record(struct store *s)
{
    struct bytes record = log_end_record(&s->text);

    s->size += record.len;
    s->n_records++;
    compact_note_record(s, &record);
    writer_add(s, &record);
}

static void
on_commit(struct db_listener *l, struct change_set *set)
{
    struct store *s = CONTAINER_OF(l, struct store, listener);

    if (set->is_undo) {
        return;
    }
    compact_note_commit(s, set);
    trim_written(s);
    str_clear(&s->text);
    log_begin_record(&s->text);
    if (!record_put_changes(&s->text, set, !(s->flags & STORE_NO_DIFF))) {
        /* To undo the commits before, this one will have to be undone first. */
        if (!list_is_empty(&s->entries)) {
            add_entry(s, set, false);
        }
        return;
    }
    s->seq++;
    add_entry(s, set, true);
    if (s->must_rewrite) {
        try_rewrite(s);
    } else {
        store_record(s);
    }
    if (s->text.capacity > TEXT_KEPT) {
        str_uninit(&s->text);
    }
}

/* --- What the writer has done --- */

struct progress {
    uint64_t written, synced;
    struct store_failure failure, replace_failure;
    bool replaced;
    off_t shrunk;
};

static struct progress
take_progress(struct store *s)
{
    struct progress p;

    pthread_mutex_lock(&s->mutex);
    p = (struct progress) {
        s->written_seq, s->synced_seq, s->failure, s->replace_failure, s->replaced,
        s->replaced ? s->shrunk : 0, /* Else the writer may be at it. */
    };
    s->replaced = false;
    if (p.failure.error) {
        writer_drop_jobs(s);
        s->size = s->end;
    }
    pthread_mutex_unlock(&s->mutex);
    return p;
}

/* Undoes the commits that are not safe, all those after 'safe'. */
static void
undo_after(struct store *s, uint64_t safe)
{
    size_t n = 0, n_records = 0, capacity = list_size(&s->entries);
    struct change_set **sets = xcalloc(capacity + 1, sizeof *sets);

    LIST_FOR_EACH_SAFE (entry, struct store_entry, node, &s->entries) {
        if (entry->seq > safe) {
            list_remove(&entry->node);
            sets[n++] = entry->set;
            n_records += entry->recorded;
            free(entry);
        }
    }
    db_undo(s->db, sets, n);
    for (size_t i = 0; i < n; i++) {
        change_set_unref(sets[i]);
    }
    s->n_records -= MIN(s->n_records, n_records);
    free(sets);
}

/* Calls those waits back that 'done' picks.  A callback may cancel other waits. */
static void
finish_waits(struct store *s, bool (*done)(const struct store_wait *, const struct progress *),
             const struct progress *p, const struct dberr *e)
{
    struct list finished;

    list_init(&finished);
    LIST_FOR_EACH_SAFE (w, struct store_wait, node, &s->waits) {
        if (done(w, p)) {
            list_remove(&w->node);
            list_push_back(&finished, &w->node);
        }
    }
    while (!list_is_empty(&finished)) {
        struct store_wait *w = CONTAINER_OF(finished.next, struct store_wait, node);

        store_wait_cancel(w);
        w->cb(w, e);
    }
}

static bool
is_satisfied(const struct store_wait *w, const struct progress *p)
{
    return w->seq <= (w->level == STORE_DURABLE ? p->synced : p->written);
}

/* After a failure 'written' is how far the commits are safe. */
static bool
is_lost(const struct store_wait *w, const struct progress *p)
{
    return w->seq > p->written;
}

/* A write or a sync has failed. */
static void
handle_failure(struct store *s, const struct progress *p)
{
    /* After a failed sync, commits that somebody waits to see on disk are not safe, although written. */
    uint64_t safe = p->failure.of_sync ? MIN(p->written, first_durable_wait(s) - 1) : p->written;
    struct progress lost = { .written = safe };
    static struct log_limit limit = LOG_LIMIT_INIT(10, 10);
    struct dberr *e = store_failure_error(s, p->failure);
    char *text = dberr_to_string(e);
    bool first_of_sync = p->failure.of_sync && !s->must_rewrite;

    log_err_rl(&limit, "%s", text);
    free(text);
    /* The records of what is undone are in the file as long as that is not written anew; now, so that they do not come
     * back if this process is killed.  If it fails too, the next commit tries again.
     * (Below, when the undoing is done.) */
    s->must_rewrite |= p->failure.of_sync;
    compact_cancel(s, "a write failed");
    undo_after(s, safe);
    pthread_mutex_lock(&s->mutex);
    s->last = p->failure;
    s->failure = store_failed(0, NULL);
    s->seq = s->written_seq = safe;
    s->synced_seq = MIN(s->synced_seq, safe);
    s->want_sync = MIN(s->want_sync, s->synced_seq);
    pthread_cond_signal(&s->cond);
    pthread_mutex_unlock(&s->mutex);
    if (first_of_sync) {
        (void) rewrite(s);
    }
    finish_waits(s, is_lost, &lost, e);
    dberr_free(e);
}

/* The writer wakes this thread once, maybe for something else; those who still wait for a write want another time. */
static void
wait_on(struct store *s)
{
    LIST_FOR_EACH (w, struct store_wait, node, &s->waits) {
        if (w->level == STORE_WRITTEN && s->loop) {
            pthread_mutex_lock(&s->mutex);
            s->wake_written = w->seq;
            if (s->written_seq >= w->seq) {
                loop_wake_signal(&s->wake);
            }
            pthread_mutex_unlock(&s->mutex);
            return;
        }
    }
}

void
store_settle(struct store *s)
{
    struct progress p = take_progress(s);

    if (p.replaced) {
        compact_finished(s, p.replace_failure, p.shrunk);
    }
    finish_waits(s, is_satisfied, &p, NULL);
    trim_entries(s, p.written);
    if (p.failure.error) {
        handle_failure(s, &p);
        trim_entries(s, p.written);
    }
    wait_on(s);
}

static void
on_wake(struct loop_wake *w)
{
    store_settle(w->aux);
}

void
store_start(struct store *s, struct loop *loop, void (*compacted)(void *aux), void *aux)
{
    s->compacted = compacted;
    s->compacted_aux = aux;
    loop_wake_init(loop, &s->wake, on_wake, s);
    s->loop = loop;
    writer_start(s);
    compact_start_timer(s);
}

/* --- Waiting --- */

bool
store_wait_for(struct store *s, struct store_wait *wait, enum store_level level,
               void (*cb)(struct store_wait *, const struct dberr *error), void *aux)
{
    bool done;

    *wait = (struct store_wait) { .seq = s->seq, .level = level, .cb = cb, .aux = aux };
    list_init(&wait->node);
    if (s->flags & STORE_READ_ONLY) {
        return true;
    }
    if (s->must_rewrite && level == STORE_DURABLE) {
        try_rewrite(s);
    }
    pthread_mutex_lock(&s->mutex);
    done = s->seq <= (level == STORE_DURABLE ? s->synced_seq : s->written_seq);
    if (!done && level == STORE_DURABLE) {
        s->want_sync = s->seq;
        pthread_cond_signal(&s->cond);
    } else if (!done) {
        s->wake_written = MIN(s->wake_written, s->seq);
    }
    pthread_mutex_unlock(&s->mutex);
    if (!done) {
        wait->store = s;
        list_push_back(&s->waits, &wait->node);
    }
    return done;
}

void
store_wait_cancel(struct store_wait *wait)
{
    if (wait->store) {
        list_remove(&wait->node);
        wait->store = NULL;
    }
}

static struct store_failure
flush_with_thread(struct store *s)
{
    struct store_failure f;

    pthread_mutex_lock(&s->mutex);
    s->want_sync = s->seq;
    pthread_cond_signal(&s->cond);
    while (!s->failure.error && (s->synced_seq < s->seq || !list_is_empty(&s->jobs) || s->working)) {
        pthread_cond_wait(&s->done, &s->mutex);
    }
    f = s->failure;
    pthread_mutex_unlock(&s->mutex);
    return f;
}

static void
ignore_wait(struct store_wait *w UNUSED, const struct dberr *e UNUSED)
{
}

struct dberr *
store_flush(struct store *s)
{
    struct store_wait wait = { .level = STORE_DURABLE, .cb = ignore_wait, .store = s };
    struct store_failure f;

    if (s->flags & STORE_READ_ONLY) {
        return NULL;
    }
    if (s->must_rewrite) {
        try_rewrite(s);
    }
    /* All that is not on disk yet is waited for, so that a failed sync undoes it. */
    pthread_mutex_lock(&s->mutex);
    wait.seq = s->synced_seq + 1;
    pthread_mutex_unlock(&s->mutex);
    list_push_front(&s->waits, &wait.node);
    f = s->loop ? flush_with_thread(s) : writer_run_all(s);
    store_settle(s);
    store_wait_cancel(&wait);
    return store_failure_error(s, f);
}

/* --- Opening --- */

static struct dberr *
lock_path(const char *path, const char *name, struct lockfile **lock)
{
    int error = lockfile_lock(path, lock);

    return error ? dberr_io(-error, "%s: failed to lock lockfile", name) : NULL;
}

static struct dberr *
parse_schema(struct log_reader *r, struct schema **schema)
{
    struct json *json;
    struct error *error;
    struct dberr *e;
    const char *body;
    size_t len;

    *schema = NULL;
    e = log_reader_next(r, &body, &len);
    if (e) {
        return e;
    }
    error = body ? js_parse(body, len, &json) : error_new("no schema");
    if (error) {
        char *place = log_reader_place(r);

        e = dberr_syntax(NULL, "%s are not valid JSON (%s)", place, error_text(error));
        free(place);
        error_free(error);
        return e;
    }
    e = schema_from_json(schema, json);
    js_unref(json);
    return e;
}

static struct dberr *
clustered_error(const char *name)
{
    return dberr_new("not supported", "%s: clustered databases are not supported yet", name);
}

struct dberr *
store_read_schema(const char *path, struct schema **schema)
{
    struct log_reader *r;
    enum log_kind kind;
    struct dberr *e = log_reader_open(&store_io_system, path, false, &r, &kind);

    *schema = NULL;
    if (!e && kind == LOG_CLUSTERED) {
        e = clustered_error(path);
    }
    e = e ? e : parse_schema(r, schema);
    log_reader_close(r);
    return e;
}

/* Leaves a record out, with a message instead of the error, which is released. */
static void
leave_out(struct dberr *e)
{
    char *text = dberr_to_string(e);

    log_warn("record left out: %s", text);
    free(text);
    dberr_free(e);
}

/* Applies a record.  Of one that breaks a constraint the others do not have to suffer: a defect somewhere, or a schema
 * that was changed by hand, has let it into the file.  It is left out, and so are deletions of what then is not there;
 * '*any_left_out' tells.  In the file they stay until it is written anew. */
static struct dberr *
apply_record(struct store *s, struct log_reader *r, const char *body, size_t len, bool *any_left_out)
{
    enum record_fault fault;
    struct dberr *e = record_apply(s->db, body, len, &fault);
    char *place;

    if (!e) {
        return NULL;
    }
    place = log_reader_place(r);
    e = dberr_wrap(e, "%s", place);
    free(place);
    if (fault == RECORD_BREAKS_CONSTRAINT || (fault == RECORD_DELETES_UNKNOWN && *any_left_out)) {
        leave_out(e);
        e = NULL;
        *any_left_out = true;
    }
    return e;
}

/* Reads all records.  Sets '*damage' to what ended the good part, if that was not the end of the file. */
static struct dberr *
read_records(struct store *s, struct log_reader *r, struct dberr **damage)
{
    bool any_left_out = false;
    const char *body;
    size_t len;

    *damage = NULL;
    for (;;) {
        struct dberr *e;

        *damage = log_reader_next(r, &body, &len);
        if (*damage || !body) {
            return NULL;
        }
        e = apply_record(s, r, body, len, &any_left_out);
        if (e) {
            return e;
        }
        /* The first record is what a compaction left, or near enough. */
        s->compacted_size = s->n_records ? s->compacted_size : log_reader_good(r);
        s->n_records++;
    }
}

/* Decides what to do about a damaged end: an error, or a message. */
static struct dberr *
judge_damage(struct store *s, const struct log_reader *r, struct dberr *damage)
{
    char *text;

    if (!damage || !(s->flags & STORE_RECOVER)) {
        return damage;
    }
    text = dberr_to_string(damage);
    log_err("%s", text);
    log_warn("%s: keeping the %zu records before that, cutting off %jd bytes", s->name, s->n_records + 1,
             (intmax_t) (log_reader_size(r) - log_reader_good(r)));
    free(text);
    dberr_free(damage);
    s->dirty_tail = true;
    return NULL;
}

static struct dberr *
load(struct store *s)
{
    bool writable = !(s->flags & STORE_READ_ONLY);
    struct dberr *damage = NULL, *e;
    struct schema *schema = NULL;
    struct log_reader *r;
    enum log_kind kind;

    e = log_reader_open(s->io, s->name, writable, &r, &kind);
    if (!e && kind == LOG_CLUSTERED) {
        e = clustered_error(s->name);
    }
    e = e ? e : parse_schema(r, &schema);
    if (!e) {
        s->db = db_create(schema);
        schema_unref(schema);
        s->compacted_size = log_reader_good(r);
        e = read_records(s, r, &damage);
        e = e ? e : judge_damage(s, r, damage);
    }
    if (!e) {
        s->end = s->size = log_reader_good(r);
        s->fd = log_reader_take_fd(r);
    }
    log_reader_close(r);
    return e;
}

static void
store_free(struct store *s)
{
    db_destroy(s->db);
    lockfile_unlock(s->lock);
    if (s->fd >= 0) {
        close(s->fd);
    }
    pthread_mutex_destroy(&s->mutex);
    pthread_cond_destroy(&s->cond);
    pthread_cond_destroy(&s->done);
    str_uninit(&s->text);
    free(s->path);
    free(s->name);
    free(s);
}

struct dberr *
store_open_with(const struct store_io *io, const char *path, int flags, struct store **storep)
{
    struct store *s = xzalloc(sizeof *s);
    struct dberr *e = NULL;

    s->io = io;
    s->name = xstrdup(path);
    s->path = store_real_path(path);
    s->flags = flags;
    s->fd = -1;
    s->wake_written = UINT64_MAX;
    list_init(&s->entries);
    list_init(&s->waits);
    list_init(&s->jobs);
    pthread_mutex_init(&s->mutex, NULL);
    pthread_cond_init(&s->cond, NULL);
    pthread_cond_init(&s->done, NULL);
    compact_init(s);
    if (!(flags & STORE_READ_ONLY)) {
        e = lock_path(s->path, path, &s->lock);
    }
    e = e ? e : load(s);
    if (e) {
        store_free(s);
        *storep = NULL;
        return e;
    }
    if (!(flags & STORE_READ_ONLY)) {
        db_add_listener(s->db, &s->listener, on_commit);
    }
    *storep = s;
    return NULL;
}

struct dberr *
store_open(const char *path, int flags, struct store **store)
{
    return store_open_with(&store_io_system, path, flags, store);
}

struct dberr *
store_close(struct store *s)
{
    struct dberr *e = store_flush(s);

    compact_cancel(s, "the database is being closed");
    if (s->loop) {
        writer_stop(s);
        loop_timer_cancel(&s->compact_timer);
        loop_wake_uninit(&s->wake);
        s->loop = NULL;
        if (!e) {
            e = store_flush(s); /* On this thread: cuts off what an earlier failure may have left. */
        }
    }
    while (!list_is_empty(&s->waits)) {
        store_wait_cancel(CONTAINER_OF(s->waits.next, struct store_wait, node));
    }
    trim_entries(s, UINT64_MAX);
    writer_drop_jobs(s);
    if (!(s->flags & STORE_READ_ONLY)) {
        db_remove_listener(&s->listener);
    }
    store_free(s);
    return e;
}

/* --- Whole files --- */

struct dberr *
store_create(const char *path, const struct schema *schema, const struct db *from, const char *comment)
{
    struct db *empty = from ? NULL : db_create((struct schema *) schema);
    char *real = store_real_path(path);
    struct lockfile *lock;
    struct dberr *e = lock_path(real, path, &lock);

    if (!e) {
        uint64_t size;
        int fd = store_io_system.open(path, O_WRONLY | O_CREAT | O_EXCL, 0660);
        int error;

        if (fd < 0) {
            e = dberr_io(-fd, "%s: create failed", path);
        } else {
            close(fd);
            error = compact_write_file(&store_io_system, path, from ? from : empty, comment, &size);
            error = error ? error : store_io_system.fsync_dir(path);
            if (error) {
                e = dberr_io(-error, "%s: write failed", path);
                unlink(path);
            }
        }
        lockfile_unlock(lock);
    }
    db_destroy(empty);
    free(real);
    return e;
}

/* Replaces the file by one with the contents of 'db'. */
static struct dberr *
replace_by(struct store *s, const struct db *db, const char *comment)
{
    char *tmp = compact_tmp_name(s->path);
    uint64_t size = 0;
    struct store_failure f = store_failed(compact_write_file(s->io, tmp, db, comment, &size), "write failed");

    pthread_mutex_lock(&s->mutex);
    if (!f.error) {
        f = writer_replace_now(s, tmp, size);
    }
    s->last = f;
    pthread_mutex_unlock(&s->mutex);
    if (!f.error) {
        s->size = s->compacted_size = size;
        s->n_records = 0;
        s->must_rewrite = false;
        s->last_compaction = clock_now_ms();
    } else {
        /* If only the sync failed, the new file is in place, whatever of it is on disk. */
        s->must_rewrite |= f.of_sync;
        unlink(tmp);
    }
    free(tmp);
    return store_failure_error(s, f);
}

struct dberr *
store_compact(struct store *s, const char *comment)
{
    struct dberr *e = store_flush(s);

    compact_cancel(s, "another one was begun");
    return e ? e : replace_by(s, s->db, comment);
}

struct dberr *
store_convert(struct store *s, struct db *db, const char *comment)
{
    struct dberr *e = store_flush(s);

    compact_cancel(s, "the database is being converted");
    e = e ? e : replace_by(s, db, comment);
    if (!e) {
        trim_entries(s, UINT64_MAX);
        db_remove_listener(&s->listener);
        s->db = db;
        db_add_listener(db, &s->listener, on_commit);
    }
    return e;
}
