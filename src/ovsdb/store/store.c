#include "ovsdb/store/store.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "ovsdb/store/private.h"

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

/* --- Opening and closing --- */

static struct dberr *
lock_path(const char *path, const char *name, struct lockfile **lock)
{
    int error = lockfile_lock(path, lock);

    return error ? dberr_io(-error, "%s: failed to lock lockfile", name) : NULL;
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
    e = e ? e : load_file(s);
    if (e) {
        store_free(s);
        *storep = NULL;
        return e;
    }
    if (!(flags & STORE_READ_ONLY)) {
        db_add_listener(s->db, &s->listener, commits_note);
    }
    *storep = s;
    return NULL;
}

struct dberr *
store_open(const char *path, int flags, struct store **store)
{
    return store_open_with(&store_io_system, path, flags, store);
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
    compact_start_timer(s);
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
    commits_trim(s, UINT64_MAX);
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
        commits_trim(s, UINT64_MAX);
        db_remove_listener(&s->listener);
        s->db = db;
        db_add_listener(db, &s->listener, commits_note);
    }
    return e;
}
