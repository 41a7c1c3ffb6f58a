/* The writer: takes jobs off the queue and puts them into the file. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "ovsdb/store/private.h"
#include "sys/log.h"

static struct store_job *
job_create(struct store *s)
{
    struct store_job *job = xzalloc(sizeof *job);

    bytes_init(&job->data);
    list_push_back(&s->jobs, &job->node);
    return job;
}

static void
job_free(struct store_job *job)
{
    bytes_uninit(&job->data);
    free(job->replace);
    free(job);
}

/* The last job, if records can be added to it. */
static struct store_job *
open_job(struct store *s)
{
    if (!list_is_empty(&s->jobs)) {
        struct store_job *job = CONTAINER_OF(s->jobs.prev, struct store_job, node);

        if (!job->replace) {
            return job;
        }
    }
    return job_create(s);
}

void
writer_add_replace(struct store *s, char *path, uint64_t size, const struct bytes *tail, size_t n_records)
{
    struct store_job *job;

    pthread_mutex_lock(&s->mutex);
    job = job_create(s);
    bytes_put(&job->data, tail->data, tail->len);
    job->seq = s->seq;
    job->n_records = n_records;
    job->replace = path;
    job->replace_size = size;
    writer_wake(s);
    pthread_mutex_unlock(&s->mutex);
}

void
writer_drop_jobs(struct store *s)
{
    while (!list_is_empty(&s->jobs)) {
        job_free(CONTAINER_OF(list_pop_front(&s->jobs), struct store_job, node));
    }
}

/* --- Writing (without the mutex) --- */

/* Cuts off what a failed write, or a crash, left behind the good records. */
static struct store_failure
cut_tail(struct store *s)
{
    int error = s->dirty_tail ? s->io->ftruncate(s->fd, s->end) : 0;

    s->dirty_tail = error != 0;
    return store_failed(error, "cannot truncate after failed write");
}

static struct store_failure
append(struct store *s, const struct store_job *job)
{
    struct store_failure f = cut_tail(s);
    int error;

    if (f.error) {
        return f;
    }
    error = store_io_write_all(s->io, s->fd, job->data.data, job->data.len, s->end);
    if (error) {
        /* Best now, while the cause may leave room for just that; else before the next try. */
        s->dirty_tail = s->io->ftruncate(s->fd, s->end) != 0;
        return store_failed(error, "write failed");
    }
    s->end += job->data.len;
    return store_failed(0, NULL);
}

static void *
close_fd(void *fd)
{
    close((int) (intptr_t) fd);
    return NULL;
}

/* The system takes its time to free a large file that has no name any more; nobody is to wait for that. */
static void
close_aside(int fd)
{
    pthread_attr_t attr;
    pthread_t thread;

    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &attr, close_fd, (void *) (intptr_t) fd)) {
        close(fd);
    }
    pthread_attr_destroy(&attr);
}

/* Whether some of the commits that a replacement appends are on disk in the old file, so that they have to be in the
 * new one before it takes its place.  If none is, nobody has been told that they are: then those who wait for a record
 * that comes meanwhile do not wait for a disk.  The rest of the new file is there already. */
static bool
holds_synced(const struct store *s, const struct store_job *job)
{
    return s->synced_seq > job->seq - job->n_records;
}

/* Completes the new file and puts it in the place of the old one. */
static struct store_failure
replace(struct store *s, const struct store_job *job)
{
    int fd = s->io->open(job->replace, O_RDWR, 0);
    struct store_failure f = store_failed(fd < 0 ? fd : 0, "cannot open the compacted file");

    if (!f.error && job->data.len) {
        f = store_failed(store_io_write_all(s->io, fd, job->data.data, job->data.len, job->replace_size),
                         "write failed");
    }
    if (!f.error && job->replace_synced) {
        f = store_failed(s->io->fsync(fd), "fsync failed");
    }
    if (!f.error) {
        f = store_failed(s->io->rename(job->replace, s->path), "rename failed");
    }
    if (f.error) {
        if (fd >= 0) {
            close(fd);
        }
        return f;
    }
    close_aside(s->fd);
    s->fd = fd;
    s->shrunk = s->end - (off_t) (job->replace_size + job->data.len);
    s->end = job->replace_size + job->data.len;
    s->dirty_tail = false;
    s->dirty_dir = true;
    return f;
}

/* Brings all that is written to the disk. */
static struct store_failure
sync_all(struct store *s)
{
    struct store_failure f = { 0, "fsync failed", true };

    if (s->dirty_dir) {
        f.error = s->io->fsync_dir(s->path);
        s->dirty_dir = f.error != 0;
    }
    if (!f.error) {
        f.error = s->io->fsync(s->fd);
    }
    return f;
}

static struct store_failure
run_job(struct store *s, const struct store_job *job)
{
    return job->replace ? replace(s, job) : append(s, job);
}

/* With the mutex held: enters the outcome of a job.  A replacement that fails leaves the old file in use, with all of
 * its records, so that is a failure of the compaction only. */
static struct store_failure
note_done(struct store *s, const struct store_job *job, struct store_failure f)
{
    if (job->replace) {
        s->replaced = true;
        s->replace_failure = f;
        return store_failed(0, NULL);
    }
    if (!f.error) {
        s->written_seq = MAX(s->written_seq, job->seq);
        s->last = f;
    }
    return f;
}

/* --- Records --- */

/* With the mutex held.  While the thread syncs, others may write; see the owners in struct store. */
static void
write_now(struct store *s, const struct bytes *record)
{
    struct store_job job = { .data = *record, .seq = s->seq };

    s->failure = note_done(s, &job, append(s, &job));
    if (s->failure.error) {
        loop_wake_signal(&s->wake);
    }
}

static void
queue(struct store *s, const struct bytes *record)
{
    struct store_job *job = open_job(s);

    bytes_put(&job->data, record->data, record->len);
    job->seq = s->seq;
    job->n_records++;
    writer_wake(s);
}

void
writer_add(struct store *s, const struct bytes *record)
{
    pthread_mutex_lock(&s->mutex);
    if (s->loop && !s->in_job && list_is_empty(&s->jobs) && !s->failure.error) {
        write_now(s, record);
    } else {
        queue(s, record);
    }
    pthread_mutex_unlock(&s->mutex);
}

/* --- The thread --- */

static void
wake_if_wanted(struct store *s, bool synced)
{
    if (s->failure.error || synced || s->replaced || s->written_seq >= s->wake_written) {
        s->wake_written = UINT64_MAX;
        loop_wake_signal(&s->wake);
    }
}

static bool
sync_wanted(const struct store *s)
{
    return s->want_sync > s->synced_seq && s->written_seq > s->synced_seq;
}

/* Does one job, and then the sync that somebody waits for.  What is queued meanwhile shares the next one. */
static void
work_once(struct store *s)
{
    struct store_failure f = store_failed(0, NULL);
    struct store_job *job = NULL;
    bool sync;

    s->working = true;
    if (!list_is_empty(&s->jobs)) {
        job = CONTAINER_OF(list_pop_front(&s->jobs), struct store_job, node);
        s->in_job = true;
        job->replace_synced = holds_synced(s, job);
        pthread_mutex_unlock(&s->mutex);
        f = run_job(s, job);
        pthread_mutex_lock(&s->mutex);
        s->in_job = false;
        f = note_done(s, job, f);
        job_free(job);
    }
    sync = !f.error && sync_wanted(s);
    if (sync) {
        uint64_t upto = s->written_seq;

        pthread_mutex_unlock(&s->mutex);
        f = sync_all(s);
        pthread_mutex_lock(&s->mutex);
        s->synced_seq = f.error ? s->synced_seq : MAX(s->synced_seq, upto);
    }
    if (f.error) { /* Else there may be one of write_now(). */
        s->failure = f;
    }
    s->working = false;
    wake_if_wanted(s, sync);
    pthread_cond_broadcast(&s->done);
}

static void *
thread_main(void *s_)
{
    struct store *s = s_;

    log_set_thread_name("log_fsync");
    pthread_mutex_lock(&s->mutex);
    while (!s->stop) {
        if (s->failure.error || (list_is_empty(&s->jobs) && !sync_wanted(s))) {
            pthread_cond_wait(&s->cond, &s->mutex);
        } else {
            work_once(s);
        }
    }
    pthread_mutex_unlock(&s->mutex);
    return NULL;
}

/* Each system call of a process with a single thread costs less, so as long as nobody waits for the disk and nothing is
 * compacted there is no other. */
void
writer_wake(struct store *s)
{
    if (s->has_thread) {
        pthread_cond_signal(&s->cond);
    } else if (s->loop) {
        if (pthread_create(&s->thread, NULL, thread_main, s)) {
            out_of_memory();
        }
        s->has_thread = true;
    }
}

void
writer_stop(struct store *s)
{
    if (s->has_thread) {
        pthread_mutex_lock(&s->mutex);
        s->stop = true;
        pthread_cond_signal(&s->cond);
        pthread_mutex_unlock(&s->mutex);
        pthread_join(s->thread, NULL);
        s->stop = false;
        s->has_thread = false;
    }
}

/* --- Without the thread --- */

struct store_failure
writer_run_all(struct store *s)
{
    struct store_failure f = s->failure;

    while (!f.error && !list_is_empty(&s->jobs)) {
        struct store_job *job = CONTAINER_OF(list_pop_front(&s->jobs), struct store_job, node);

        job->replace_synced = holds_synced(s, job);
        f = note_done(s, job, run_job(s, job));
        job_free(job);
    }
    if (!f.error && s->dirty_tail) {
        f = cut_tail(s);
    }
    if (!f.error && s->synced_seq < s->written_seq) {
        f = sync_all(s);
        s->synced_seq = f.error ? s->synced_seq : s->written_seq;
    }
    s->failure = f;
    return f;
}

struct store_failure
writer_replace_now(struct store *s, char *path, uint64_t size)
{
    struct store_job job = { .replace = path, .replace_size = size, .data = BYTES_INIT, .replace_synced = true };
    struct store_failure f = replace(s, &job);

    return f.error ? f : sync_all(s);
}
