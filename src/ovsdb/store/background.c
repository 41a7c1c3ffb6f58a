#include "ovsdb/store/background.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/list.h"
#include "ovsdb/store/new_file.h"
#include "sys/log.h"

#define QUEUE_MAX ((size_t) 4 << 20)

/* While processors are short the thread takes a tenth of the time that others get: clients wait for those. */
#define NICE 10

struct item {
    struct list node; /* In background.items or 'written'. */
    enum { PIECE, LAST_PIECE, RECORDS } kind;
    struct str text;      /* Of a piece, ... */
    struct bytes records; /* ... or records. */
};

struct background {
    pthread_t thread;
    const struct store_io *io;
    char *path, *schema;
    struct loop_wake *wake;

    /* Under 'mutex'. */
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    struct list items;    /* Of struct item. */
    struct list written;  /* Pieces whose memory the next ones get: new memory would cost more than what is put there,
                           * and giving it back holds up the other thread. */
    size_t n_queued;      /* Bytes in them. */
    bool refused;         /* Tell when there is room. */
    bool stop;
    int status;           /* As background_status() says. */
    uint64_t size;
};

static size_t
item_len(const struct item *i)
{
    return i->kind == RECORDS ? i->records.len : i->text.len;
}

static void
item_free(struct item *i)
{
    str_uninit(&i->text);
    bytes_uninit(&i->records);
    free(i);
}

/* On the thread, without the mutex. */
static int
run_item(struct new_file *f, const struct item *i, uint64_t *size)
{
    int error;

    if (i->kind == RECORDS) {
        error = new_file_append(f, i->records.data, i->records.len);
        *size += i->records.len;
        return error;
    }
    error = new_file_put(f, str_text(&i->text), i->text.len, i->kind == LAST_PIECE);
    if (!error && i->kind == LAST_PIECE) {
        error = new_file_finish(f, size);
    }
    return error;
}

/* With the mutex, after an item. */
static void
note_done(struct background *b, const struct item *i, int error, uint64_t size)
{
    bool completes = i->kind != PIECE && list_is_empty(&b->items);

    b->n_queued -= item_len(i);
    b->size = size;
    if (error || completes) {
        b->status = error;
        loop_wake_signal(b->wake);
    } else if (b->refused && b->n_queued < QUEUE_MAX / 2) {
        b->refused = false;
        loop_wake_signal(b->wake);
    }
}

/* Writes items until it is told to stop, or one fails.  With the mutex. */
static void
write_items(struct background *b, struct new_file *f)
{
    uint64_t size = 0;
    int error = 0;

    while (!b->stop && !error) {
        struct item *i;

        if (list_is_empty(&b->items)) {
            pthread_cond_wait(&b->cond, &b->mutex);
            continue;
        }
        i = CONTAINER_OF(list_pop_front(&b->items), struct item, node);
        pthread_mutex_unlock(&b->mutex);
        error = run_item(f, i, &size);
        pthread_mutex_lock(&b->mutex);
        note_done(b, i, error, size);
        if (i->kind == PIECE) {
            list_push_front(&b->written, &i->node);
        } else {
            item_free(i);
        }
    }
}

static void *
thread_main(void *b_)
{
    struct background *b = b_;
    struct new_file *f;
    int error = new_file_create(b->io, b->path, b->schema, &f);

    log_set_thread_name("compaction");
    (void) setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + NICE); /* Of this thread, on Linux. */
    pthread_mutex_lock(&b->mutex);
    if (error) {
        b->status = error;
        loop_wake_signal(b->wake);
    } else {
        write_items(b, f);
    }
    pthread_mutex_unlock(&b->mutex);
    new_file_close(f);
    return NULL;
}

static void
free_items(struct list *items)
{
    while (!list_is_empty(items)) {
        item_free(CONTAINER_OF(list_pop_front(items), struct item, node));
    }
}

static void
background_free(struct background *b)
{
    free_items(&b->items);
    free_items(&b->written);
    pthread_mutex_destroy(&b->mutex);
    pthread_cond_destroy(&b->cond);
    free(b->path);
    free(b->schema);
    free(b);
}

struct background *
background_start(const struct store_io *io, const char *path, const char *schema, struct loop_wake *wake)
{
    struct background *b = xzalloc(sizeof *b);

    b->io = io;
    b->path = xstrdup(path);
    b->schema = xstrdup(schema);
    b->wake = wake;
    b->status = -EAGAIN;
    pthread_mutex_init(&b->mutex, NULL);
    pthread_cond_init(&b->cond, NULL);
    list_init(&b->items);
    list_init(&b->written);
    if (pthread_create(&b->thread, NULL, thread_main, b)) {
        background_free(b);
        return NULL;
    }
    return b;
}

void
background_stop(struct background *b)
{
    if (b) {
        pthread_mutex_lock(&b->mutex);
        b->stop = true;
        pthread_cond_signal(&b->cond);
        pthread_mutex_unlock(&b->mutex);
        pthread_join(b->thread, NULL);
        background_free(b);
    }
}

bool
background_wants(struct background *b)
{
    bool wants;

    pthread_mutex_lock(&b->mutex);
    wants = b->n_queued < QUEUE_MAX;
    b->refused |= !wants;
    pthread_mutex_unlock(&b->mutex);
    return wants;
}

/* With the mutex. */
static void
queue(struct background *b, struct item *i)
{
    if (!b->status) {
        b->status = -EAGAIN; /* There is more to do. */
    }
    list_push_back(&b->items, &i->node);
    b->n_queued += item_len(i);
    pthread_cond_signal(&b->cond);
}

void
background_put(struct background *b, struct str *piece, bool last)
{
    struct str text = *piece;
    struct item *i;

    pthread_mutex_lock(&b->mutex);
    i = list_is_empty(&b->written) ? xzalloc(sizeof *i)
                                   : CONTAINER_OF(list_pop_front(&b->written), struct item, node);
    *piece = i->text;
    str_clear(piece);
    i->text = text;
    i->kind = last ? LAST_PIECE : PIECE;
    queue(b, i);
    pthread_mutex_unlock(&b->mutex);
}

void
background_append(struct background *b, struct bytes *records)
{
    struct item *i = xzalloc(sizeof *i);

    i->kind = RECORDS;
    i->records = *records;
    bytes_init(records);
    pthread_mutex_lock(&b->mutex);
    queue(b, i);
    pthread_mutex_unlock(&b->mutex);
}

int
background_status(struct background *b, uint64_t *size)
{
    int status;

    pthread_mutex_lock(&b->mutex);
    status = b->status;
    *size = b->size;
    pthread_mutex_unlock(&b->mutex);
    return status;
}
