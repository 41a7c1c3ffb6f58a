#include "ovsdb/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "ovsdb/store/lockfile.h"
#include "ovsdb/store/log.h"
#include "ovsdb/store/record.h"
#include "sys/log.h"
#include "sys/random.h"

LOG_MODULE(ovsdb_file)

enum {
    COMPACT_MIN_MS = 10 * 60 * 1000, /* Earliest after the last one, plus as much again at random. */
    COMPACT_MIN_RECORDS = 100,
    COMPACT_MIN_SIZE = 10 * 1024 * 1024,
    COMPACT_MAX_MS = 24 * 60 * 60 * 1000
};

struct store {
    const struct store_io *io;
    char *path;            /* What symbolic links lead to. */
    struct lockfile *lock;
    bool as_diff;
    off_t size;            /* Of the sound part of the file. */
    off_t compacted_size;
    unsigned int n_records; /* Since the last compaction. */
    int64_t compacted_at, compact_after;
    uint64_t last_ticket;

    struct loop_wake wake;
    void (*progress)(void *aux);
    void *aux;

    /* The syncing thread's, under the mutex. */
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    pthread_t thread;
    int fd;
    bool stop;
    uint64_t wanted, written, synced;
    int sync_error;        /* Negative errno value of the fsync() that failed; 0: none did. */
};

/* Syncing. */

static void *
sync_thread(void *s_)
{
    struct store *s = s_;

    log_set_thread_name("sync");
    pthread_mutex_lock(&s->mutex);
    while (!s->stop || s->wanted > s->synced) {
        uint64_t upto = s->written;
        int fd = s->fd, error;

        if (s->wanted <= s->synced || s->sync_error) {
            if (s->stop) {
                break;
            }
            pthread_cond_wait(&s->cond, &s->mutex);
            continue;
        }
        pthread_mutex_unlock(&s->mutex);
        error = s->io->fsync(fd);
        pthread_mutex_lock(&s->mutex);
        if (error && fd == s->fd) {
            s->sync_error = error;
        } else if (!error) {
            s->synced = MAX(s->synced, upto);
        }
        loop_wake_signal(&s->wake);
    }
    pthread_mutex_unlock(&s->mutex);
    return NULL;
}

static void
on_wake(struct loop_wake *w)
{
    struct store *s = w->aux;

    if (s->progress) {
        s->progress(s->aux);
    }
}

void
store_sync(struct store *s, uint64_t ticket)
{
    pthread_mutex_lock(&s->mutex);
    s->wanted = MAX(s->wanted, ticket);
    pthread_cond_signal(&s->cond);
    pthread_mutex_unlock(&s->mutex);
}

bool
store_is_synced(const struct store *s_, uint64_t ticket)
{
    struct store *s = (struct store *) s_;
    bool synced;

    pthread_mutex_lock(&s->mutex);
    synced = s->synced >= ticket || s->sync_error;
    pthread_mutex_unlock(&s->mutex);
    return synced;
}

struct dberr *
store_sync_error(const struct store *s_)
{
    struct store *s = (struct store *) s_;
    int error;

    pthread_mutex_lock(&s->mutex);
    error = s->sync_error;
    pthread_mutex_unlock(&s->mutex);
    return error ? dberr_io(-error, "%s: fsync failed", s->path) : NULL;
}

void
store_set_progress(struct store *s, void (*progress)(void *aux), void *aux)
{
    s->progress = progress;
    s->aux = aux;
}

/* Writing. */

/* The record of the schema. */
static void
put_schema(struct bytes *out, const struct schema *schema)
{
    struct json *json = schema_to_json(schema);
    char *text = js_to_string(json, JS_COMPACT);

    log_put_record(out, text, strlen(text));
    free(text);
    js_unref(json);
}

static struct dberr *
write_new_file(const struct store_io *io, const char *path, int flags, const struct bytes *contents)
{
    int fd = io->open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0666), error;

    if (fd < 0) {
        return dberr_io(-fd, "%s: create failed", path);
    }
    error = store_io_write_all(io, fd, contents->data, contents->len, 0);
    if (!error) {
        error = io->fsync(fd);
    }
    close(fd);
    return error ? dberr_io(-error, "%s: write failed", path) : NULL;
}

struct dberr *
store_create(const struct store_io *io, const char *path, const struct schema *schema)
{
    struct bytes contents = BYTES_INIT;
    struct lockfile *lock;
    struct dberr *error;
    int status = lockfile_lock(path, &lock);

    if (status) {
        return dberr_io(-status, "%s: failed to lock lockfile", path);
    }
    put_schema(&contents, schema);
    error = write_new_file(io, path, O_EXCL, &contents);
    if (!error) {
        status = io->fsync_dir(path);
        error = status ? dberr_io(-status, "%s: cannot sync the directory", path) : NULL;
    }
    bytes_uninit(&contents);
    lockfile_unlock(lock);
    return error;
}

struct dberr *
store_write_snapshot(const struct store_io *io, const char *to, const struct db *db, const char *comment)
{
    struct bytes contents = BYTES_INIT;
    struct str text = STR_INIT;
    struct dberr *error;

    put_schema(&contents, db->schema);
    record_put_snapshot(&text, db, comment);
    log_put_record(&contents, str_text(&text), text.len);
    error = write_new_file(io, to, O_TRUNC, &contents);
    str_uninit(&text);
    bytes_uninit(&contents);
    return error;
}

struct dberr *
store_append(struct store *s, const struct change_set *set, uint64_t *ticket)
{
    struct bytes record = BYTES_INIT;
    struct str text = STR_INIT;
    struct dberr *error = NULL;
    int status;

    *ticket = 0;
    if (record_put_changes(&text, set, s->as_diff)) {
        log_put_record(&record, str_text(&text), text.len);
        status = store_io_write_all(s->io, s->fd, record.data, record.len, s->size);
        if (status) {
            /* What was written of it is not a record; leave none of it behind. */
            if (s->io->ftruncate(s->fd, s->size)) {
                log_err("%s: cannot take back a record that was cut short; the next one overwrites it", s->path);
            }
            error = dberr_io(-status, "%s: write failed", s->path);
        } else {
            s->size += record.len;
            s->n_records++;
            pthread_mutex_lock(&s->mutex);
            *ticket = s->written = ++s->last_ticket;
            pthread_mutex_unlock(&s->mutex);
        }
    }
    str_uninit(&text);
    bytes_uninit(&record);
    return error;
}

static void
note_compaction(struct store *s)
{
    s->compacted_size = s->size;
    s->n_records = 0;
    s->compacted_at = clock_now_ms();
    s->compact_after = s->compacted_at + COMPACT_MIN_MS + random_below(sys_random(), COMPACT_MIN_MS);
}

/* Opens the file that has taken the old one's place. */
static struct dberr *
swap_file(struct store *s)
{
    int fd = s->io->open(s->path, O_RDWR | O_CLOEXEC, 0), old;

    if (fd < 0) {
        return dberr_io(-fd, "%s: open failed", s->path);
    }
    pthread_mutex_lock(&s->mutex);
    old = s->fd;
    s->fd = fd;
    s->synced = s->written; /* The new file was synced with all that is in it. */
    s->sync_error = 0;
    pthread_mutex_unlock(&s->mutex);
    s->size = lseek(fd, 0, SEEK_END);
    close(old);
    return NULL;
}

struct dberr *
store_compact(struct store *s, const struct db *db, const char *comment)
{
    char *temporary = xasprintf("%s.tmp", s->path);
    struct dberr *error = store_write_snapshot(s->io, temporary, db, comment);
    int status;

    if (!error) {
        status = s->io->rename(temporary, s->path);
        error = status ? dberr_io(-status, "failed to rename \"%s\" to \"%s\"", temporary, s->path) : NULL;
    }
    if (!error) {
        status = s->io->fsync_dir(s->path);
        error = status ? dberr_io(-status, "%s: cannot sync the directory", s->path) : swap_file(s);
    }
    if (error) {
        unlink(temporary);
    } else {
        note_compaction(s);
        if (s->progress) {
            loop_wake_signal(&s->wake);
        }
    }
    free(temporary);
    return error;
}

off_t
store_size(const struct store *s)
{
    return s->size;
}

bool
store_wants_compaction(const struct store *s, int64_t now)
{
    if (now < s->compact_after || !s->n_records) {
        return false;
    }
    return now - s->compacted_at >= COMPACT_MAX_MS ||
           (s->n_records >= COMPACT_MIN_RECORDS && s->size > COMPACT_MIN_SIZE && s->size > 2 * s->compacted_size);
}

/* Opening. */

/* The first record: the schema. */
static struct dberr *
read_schema(struct log_reader *r, const char *path, struct db **db)
{
    struct schema *schema = NULL;
    struct json *json = NULL;
    struct dberr *error;
    struct error *bad;
    const char *body;
    size_t len;

    error = log_reader_next(r, &body, &len);
    if (error) {
        return error;
    } else if (!body) {
        return dberr_new("unexpected end of file", "%s: database file contains no schema", path);
    }
    bad = js_parse(body, len, &json);
    if (bad) {
        error = dberr_new(DBERR_SYNTAX, "%s: parse error: %s", path, error_text(bad));
        error_free(bad);
        return error;
    }
    error = schema_from_json(&schema, json);
    js_unref(json);
    if (error) {
        return dberr_wrap(error, "%s: failed to parse database schema", path);
    }
    *db = db_create(schema);
    schema_unref(schema);
    return NULL;
}

/* All other records.  One that is cut short or does not agree with its hash ends the file, when it is opened for
 * writing; one that is whole but makes no sense is no work of a crash, and nothing is touched then. */
static struct dberr *
replay(struct log_reader *r, const char *path, bool recover, struct db *db, unsigned int *n_records, off_t *good)
{
    struct dberr *error;
    const char *body;
    size_t len;

    *n_records = 0;
    *good = log_reader_good(r);
    while (!(error = log_reader_next(r, &body, &len)) && body) {
        error = record_apply(db, body, len);
        if (error) {
            char *place = log_reader_place(r);

            error = dberr_wrap(error, "%s", place);
            free(place);
            return error;
        }
        *good = log_reader_good(r);
        ++*n_records;
    }
    if (error && !recover) {
        return error;
    } else if (error) {
        char *text = dberr_to_string(error);

        log_warn("%s: the database file ends in a bad record, which is given up with all that follows it (%s)", path,
                 text);
        free(text);
        dberr_free(error);
    }
    return NULL;
}

static void
start_thread(struct store *s, struct loop *loop)
{
    pthread_mutex_init(&s->mutex, NULL);
    pthread_cond_init(&s->cond, NULL);
    loop_wake_init(loop, &s->wake, on_wake, s);
    if (pthread_create(&s->thread, NULL, sync_thread, s)) {
        out_of_memory();
    }
}

static char *
resolve(const char *path)
{
    char buffer[PATH_MAX];

    return xstrdup(realpath(path, buffer) ? buffer : path);
}

struct dberr *
store_open(struct loop *loop, const struct store_io *io, const char *path, bool as_diff, void (*progress)(void *aux),
           void *aux, struct db **db, struct store **store)
{
    struct lockfile *lock = NULL;
    unsigned int n_records = 0;
    struct log_reader *r = NULL;
    enum log_kind kind;
    struct dberr *error;
    struct store *s;
    off_t good = 0;
    int status;

    *db = NULL;
    *store = NULL;
    status = loop ? lockfile_lock(path, &lock) : 0;
    if (status) {
        return dberr_io(-status, "%s: failed to lock lockfile", path);
    }
    error = log_reader_open(io, path, loop != NULL, &r, &kind);
    if (!error && kind == LOG_CLUSTERED) {
        error = dberr_new("not supported", "%s: clustered databases are not supported yet", path);
    }
    if (!error) {
        error = read_schema(r, path, db);
    }
    if (!error) {
        error = replay(r, path, loop != NULL, *db, &n_records, &good);
    }
    if (error) {
        if (*db) {
            db_destroy(*db);
            *db = NULL;
        }
        log_reader_close(r);
        lockfile_unlock(lock);
        return error;
    }
    if (loop) {
        s = xzalloc(sizeof *s);
        *s = (struct store) {
            .io = io, .path = resolve(path), .lock = lock, .as_diff = as_diff, .size = good, .progress = progress,
            .aux = aux, .fd = log_reader_take_fd(r),
        };
        if (good < log_reader_size(r) && io->ftruncate(s->fd, good)) {
            log_warn("%s: cannot cut off what is damaged", path);
        }
        note_compaction(s);
        s->n_records = n_records;
        start_thread(s, loop);
        *store = s;
    }
    log_reader_close(r);
    return NULL;
}

void
store_close(struct store *s)
{
    if (s) {
        pthread_mutex_lock(&s->mutex);
        s->stop = true;
        pthread_cond_signal(&s->cond);
        pthread_mutex_unlock(&s->mutex);
        pthread_join(s->thread, NULL);
        loop_wake_uninit(&s->wake);
        pthread_mutex_destroy(&s->mutex);
        pthread_cond_destroy(&s->cond);
        close(s->fd);
        lockfile_unlock(s->lock);
        free(s->path);
        free(s);
    }
}
