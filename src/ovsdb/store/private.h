/* What the files of the store share. */
#ifndef OVSDB_STORE_PRIVATE_H
#define OVSDB_STORE_PRIVATE_H 1

#include <pthread.h>

#include "base/bytes.h"
#include "ovsdb/engine/txn.h"
#include "ovsdb/store/lockfile.h"
#include "ovsdb/store/store.h"

/* A commit that is not yet known to be in the file. */
struct store_entry {
    struct list node; /* In store.entries, oldest first. */
    uint64_t seq;
    bool recorded;    /* It has a record: not only ephemeral columns changed. */
    struct change_set *set;
};

/* Work for the writer. */
struct store_job {
    struct list node;
    struct bytes data; /* Records to be appended. */
    uint64_t seq;      /* Of the last commit in them. */
    size_t n_records;
    char *replace;     /* Path of a file that is to take the place of the present one, after 'data' was appended to
                        * it; null for normal jobs. */
    uint64_t replace_size;
    bool replace_synced; /* 'data' must be on disk before the file takes the place. */
};

struct store_failure {
    int error;        /* Negative errno value; 0: none. */
    const char *what; /* Literal: "write failed", ... */
    bool of_sync;     /* What was written may be lost. */
};

struct store {
    /* Main thread only. */
    struct db *db;
    struct db_listener listener;
    char *path;             /* Symbolic links followed. */
    char *name;             /* As given, for messages. */
    int flags;
    struct lockfile *lock;
    uint64_t seq;           /* Of the last commit. */
    struct list entries;    /* Of struct store_entry. */
    struct list waits;      /* Of struct store_wait, in order of 'seq'. */
    struct loop *loop;      /* Null until store_start(). */
    struct loop_wake wake;
    size_t n_records;
    off_t size;             /* Of all records, queued ones included. */
    off_t compacted_size;
    bool must_rewrite;      /* A sync failed: the file must be written anew before anything else. */
    struct str text;        /* Scratch. */
    void (*compacted)(void *aux); /* After an automatic compaction; null if nobody wants to know. */
    void *compacted_aux;

    /* Compaction beside (main thread). */
    struct compaction *compaction; /* Null: none, or the new file is already with the writer. */
    void (*compact_cb)(void *aux, const struct dberr *);
    void *compact_aux;
    bool replacing;         /* The replacing job is in the queue. */
    uint64_t replace_size;  /* Of the contents in the new file. */
    size_t replace_records; /* Records that they stand for. */
    struct loop_timer compact_timer;
    int64_t last_compaction; /* ms, clock_now_ms(). */

    /* Under 'mutex'. */
    pthread_mutex_t mutex;
    pthread_cond_t cond;    /* For the writer: there is something to do. */
    pthread_cond_t done;    /* For store_flush(): something was done. */
    pthread_t thread;       /* The writer's, ... */
    bool has_thread;        /* ... started when there is something for it to do. */
    struct list jobs;       /* Of struct store_job, those not begun. */
    bool working;           /* The thread is at a job or a sync, without the mutex. */
    bool in_job;            /* At a job: the file and what belongs to the writer are its own. */
    uint64_t want_sync;     /* Somebody waits until commits up to here are on disk. */
    bool stop;
    _Atomic uint64_t written_seq; /* Changed with the mutex held.  Commits up to here are in the file, ... */
    uint64_t synced_seq;    /* ... and on disk. */
    uint64_t wake_written;  /* Wake the main thread when written_seq reaches this; UINT64_MAX: no need. */
    bool replaced;          /* A replacing job is done, ... */
    off_t shrunk;           /* By so many bytes. */
    struct store_failure replace_failure; /* ... or has failed: then the old file goes on. */
    struct store_failure failure; /* The writer stops until the main thread has dealt with it. */
    struct store_failure last;    /* The failure dealt with last; none once something was written again. */

    /* Of the writer (whoever runs jobs). */
    const struct store_io *io;
    int fd;
    off_t end;              /* Where the good part of the file ends. */
    bool dirty_tail;        /* There may be garbage behind 'end'. */
    bool dirty_dir;         /* The rename may not have reached the disk. */
};

/* Runs all jobs on this thread, syncing at the end (writer.c). */
struct store_failure writer_run_all(struct store *s) MUST_CHECK;
/* With the mutex held: there is something for the writer's thread to do, unless there is no loop to tell of it. */
void writer_wake(struct store *s);
void writer_stop(struct store *s);
/* Writes a record, or queues it while the thread is at a job or there is none; takes over nothing. */
void writer_add(struct store *s, const struct bytes *record);
void writer_add_replace(struct store *s, char *path, uint64_t size, const struct bytes *tail, size_t n_records);
/* With the mutex held: forgets what is not begun. */
void writer_drop_jobs(struct store *s);
/* Replaces the file by the one at 'path' of 'size' bytes, now; nothing may be pending. */
struct store_failure writer_replace_now(struct store *s, char *path, uint64_t size) MUST_CHECK;

static inline struct store_failure
store_failed(int error, const char *what)
{
    return (struct store_failure) { error, what, false };
}

/* Reads the file: the schema, which makes the database, and all records (load.c).  On success 'fd' and the sizes are
 * set. */
struct dberr *load_file(struct store *s) MUST_CHECK;

/* commits.c */
/* The listener: makes the record of a commit and gives it to the writer. */
void commits_note(struct db_listener *, struct change_set *set);
/* The first commit that somebody waits to see on disk; UINT64_MAX if there is none. */
uint64_t commits_first_durable_wait(const struct store *s);
/* Forgets how to undo commits up to 'written' that will not have to be. */
void commits_trim(struct store *s, uint64_t written);
/* Undoes the commits after 'safe'. */
void commits_undo_after(struct store *s, uint64_t safe);
/* Writes the file anew, with all commits up to now.  The second, after a failed sync, sets the writer's failure if that
 * fails too, for store_settle(). */
struct store_failure commits_rewrite(struct store *s);
void commits_try_rewrite(struct store *s);

/* Deals with what the writer has done: waits, entries, failures (wait.c). */
void store_settle(struct store *s);
struct dberr *store_failure_error(const struct store *s, struct store_failure f) MUST_CHECK;

/* compact.c */
void compact_init(struct store *s);
void compact_start_timer(struct store *s);
/* With each commit, and with its record if it has one. */
void compact_note_commit(struct store *s, const struct change_set *set);
void compact_note_record(struct store *s, const struct bytes *record);
/* The replacing job is done, or has failed. */
void compact_finished(struct store *s, struct store_failure f, off_t shrunk);
/* Gives up what is under way, because the records noted are not valid any more or the store is closed. */
void compact_cancel(struct store *s, const char *why);
/* Writes a new file at 'path' with the contents of 'db'; 0 or a negative errno value.  Sets '*size'. */
int compact_write_file(const struct store_io *io, const char *path, const struct db *db, const char *comment,
                       uint64_t *size) MUST_CHECK;
char *compact_tmp_name(const char *path) MUST_CHECK;

#endif
