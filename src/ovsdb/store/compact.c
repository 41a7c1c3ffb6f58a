/* Compaction: a new file with the present contents takes the place of the log. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/random.h"
#include "ovsdb/store/log.h"
#include "ovsdb/store/private.h"
#include "ovsdb/store/record.h"
#include "sys/log.h"
#include "sys/random.h"

LOG_MODULE(ovsdb_compact)

#define MINUTE INT64_C(60000)
#define MIN_RECORDS 100
#define MIN_SIZE (10 << 20)

/* What the child says through its pipe. */
struct child_report {
    int error;
    uint64_t size;
};

char *
compact_tmp_name(const char *path)
{
    return xasprintf("%s.tmp", path);
}

/* --- A whole file --- */

static void
put_contents(struct bytes *out, const struct db *db, const char *comment)
{
    struct json *json = schema_to_json(db->schema);
    char *schema = js_to_string(json, JS_COMPACT);

    js_unref(json);
    log_put_record(out, schema, strlen(schema));
    free(schema);
    if (comment || db_n_rows(db)) {
        struct str s = STR_INIT;

        record_put_snapshot(&s, db, comment);
        log_put_record(out, str_text(&s), s.len);
        str_uninit(&s);
    }
}

int
compact_write_file(const struct store_io *io, const char *path, const struct db *db, const char *comment,
                   uint64_t *size)
{
    struct bytes b = BYTES_INIT;
    int fd = io->open(path, O_RDWR | O_CREAT | O_TRUNC, 0660);
    int error = fd < 0 ? fd : 0;

    if (!error) {
        put_contents(&b, db, comment);
        *size = b.len;
        error = store_io_write_all(io, fd, b.data, b.len, 0);
        error = error ? error : io->fsync(fd);
        close(fd);
    }
    bytes_uninit(&b);
    return error;
}

/* --- Beside the normal work --- */

bool
store_is_compacting(const struct store *s)
{
    return s->child || s->replacing;
}

void
compact_note_record(struct store *s, const struct bytes *record)
{
    if (s->child) {
        bytes_put(&s->tail, record->data, record->len);
        s->tail_records++;
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

/* Stops listening to the child and collects it. */
static void
reap_child(struct store *s)
{
    loop_fd_stop(&s->child_fd);
    close(s->child_pipe);
    while (waitpid(s->child, NULL, 0) < 0 && errno == EINTR) {
        continue;
    }
    s->child = 0;
    s->child_pipe = -1;
}

static void
drop_tail(struct store *s)
{
    bytes_uninit(&s->tail);
    bytes_init(&s->tail);
    s->tail_records = 0;
}

void
compact_cancel(struct store *s, const char *why)
{
    if (store_is_compacting(s)) {
        struct dberr *e = dberr_new("aborted", "compaction of %s given up because %s", s->name, why);

        if (s->child) {
            char *tmp = compact_tmp_name(s->path);

            kill(s->child, SIGKILL);
            reap_child(s);
            unlink(tmp);
            free(tmp);
        }
        s->replacing = false;
        drop_tail(s);
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

/* The child has ended: with a report, or without one if it crashed. */
static void
on_child(struct loop_fd *fd, int events UNUSED)
{
    struct store *s = fd->aux;
    struct child_report r = { -EIO, 0 };
    ssize_t n = read(s->child_pipe, &r, sizeof r);

    reap_child(s);
    s->replacing = true;
    if (n != sizeof r || r.error) {
        compact_finished(s, store_failed(n == sizeof r ? r.error : -EIO, "compaction failed"), 0);
    } else {
        s->replace_size = r.size;
        s->replace_records = s->n_records - s->tail_records;
        writer_add_replace(s, compact_tmp_name(s->path), r.size, &s->tail, s->tail_records);
    }
    drop_tail(s);
}

/* Writes no log: a thread that is not in the child may have held its lock. */
static void NORETURN
child_main(struct store *s, pid_t parent, int pipe)
{
    struct child_report r = { 0, 0 };
    char *tmp = compact_tmp_name(s->path);

    if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent) {
        _exit(1);
    }
    r.error = compact_write_file(s->io, tmp, s->db, "compacting database online", &r.size);
    _exit(write(pipe, &r, sizeof r) == sizeof r ? 0 : 1);
}

bool
store_compact_beside(struct store *s, void (*cb)(void *aux, const struct dberr *), void *aux)
{
    pid_t pid, self = getpid();
    int fds[2];

    if (store_is_compacting(s)) {
        return false;
    }
    s->compact_cb = cb;
    s->compact_aux = aux;
    pid = pipe2(fds, O_CLOEXEC) ? -1 : fork();
    if (pid < 0) {
        s->replacing = true;
        compact_finished(s, store_failed(-errno, "cannot start a process for the compaction"), 0);
        return true;
    }
    if (!pid) {
        close(fds[0]);
        child_main(s, self, fds[1]);
    }
    close(fds[1]);
    s->child = pid;
    s->child_pipe = fds[0];
    loop_fd_start(s->loop, &s->child_fd, fds[0], LOOP_READ, on_child, s);
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
    s->child_pipe = -1;
    bytes_init(&s->tail);
    s->last_compaction = clock_now_ms();
}

void
compact_start_timer(struct store *s)
{
    loop_timer_init(s->loop, &s->compact_timer, on_timer, s);
    loop_timer_set(&s->compact_timer, next_compaction());
}
