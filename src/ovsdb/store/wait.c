#include <stdlib.h>

#include "ovsdb/store/private.h"
#include "sys/log.h"

/* Those who wait until commits are written or on disk, and what becomes of them when the writer tells how far it is. */

LOG_MODULE(ovsdb_file)

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
    uint64_t safe = p->failure.of_sync ? MIN(p->written, commits_first_durable_wait(s) - 1) : p->written;
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
    commits_undo_after(s, safe);
    pthread_mutex_lock(&s->mutex);
    s->last = p->failure;
    s->failure = store_failed(0, NULL);
    s->seq = s->written_seq = safe;
    s->synced_seq = MIN(s->synced_seq, safe);
    s->want_sync = MIN(s->want_sync, s->synced_seq);
    pthread_cond_signal(&s->cond);
    pthread_mutex_unlock(&s->mutex);
    if (first_of_sync) {
        (void) commits_rewrite(s);
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
    commits_trim(s, p.written);
    if (p.failure.error) {
        handle_failure(s, &p);
        commits_trim(s, p.written);
    }
    wait_on(s);
}

/* --- Waiting --- */

bool
store_is_written(struct store *s)
{
    return s->flags & STORE_READ_ONLY || s->seq <= s->written_seq;
}

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
        commits_try_rewrite(s);
    }
    pthread_mutex_lock(&s->mutex);
    done = s->seq <= (level == STORE_DURABLE ? s->synced_seq : s->written_seq);
    if (!done && level == STORE_DURABLE) {
        s->want_sync = s->seq;
        writer_wake(s);
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
        commits_try_rewrite(s);
    }
    /* All that is not on disk yet is waited for, so that a failed sync undoes it. */
    pthread_mutex_lock(&s->mutex);
    wait.seq = s->synced_seq + 1;
    pthread_mutex_unlock(&s->mutex);
    list_push_front(&s->waits, &wait.node);
    f = s->has_thread ? flush_with_thread(s) : writer_run_all(s);
    store_settle(s);
    store_wait_cancel(&wait);
    return store_failure_error(s, f);
}
