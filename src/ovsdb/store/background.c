#include "ovsdb/store/background.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/list.h"
#include "ovsdb/store/new_file.h"
#include "sys/log.h"

#define QUEUE_MAX ((size_t) 4 << 20)

struct item {
    struct list node; /* In background.items. */
    enum { PIECE, LAST_PIECE, RECORDS } kind;
    char *data;
    size_t len;
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
    size_t n_queued;      /* Bytes in them. */
    bool refused;         /* Tell when there is room. */
    bool stop;
    int status;           /* As background_status() says. */
    uint64_t size;
};

static void
item_free(struct item *i)
{
    free(i->data);
    free(i);
}

/* On the thread, without the mutex. */
static int
run_item(struct new_file *f, const struct item *i, uint64_t *size)
{
    int error;

    if (i->kind == RECORDS) {
        error = new_file_append(f, i->data, i->len);
        *size += i->len;
        return error;
    }
    error = new_file_put(f, i->data, i->len, i->kind == LAST_PIECE);
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

    b->n_queued -= i->len;
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
        item_free(i);
    }
}

static void *
thread_main(void *b_)
{
    struct background *b = b_;
    struct new_file *f;
    int error = new_file_create(b->io, b->path, b->schema, &f);

    log_set_thread_name("compaction");
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
background_free(struct background *b)
{
    while (!list_is_empty(&b->items)) {
        item_free(CONTAINER_OF(list_pop_front(&b->items), struct item, node));
    }
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

static void
queue(struct background *b, int kind, void *data, size_t len)
{
    struct item *i = xzalloc(sizeof *i);

    i->kind = kind;
    i->data = data;
    i->len = len;
    pthread_mutex_lock(&b->mutex);
    if (!b->status) {
        b->status = -EAGAIN; /* There is more to do. */
    }
    list_push_back(&b->items, &i->node);
    b->n_queued += len;
    pthread_cond_signal(&b->cond);
    pthread_mutex_unlock(&b->mutex);
}

void
background_put(struct background *b, struct str *piece, bool last)
{
    size_t len = piece->len;

    queue(b, last ? LAST_PIECE : PIECE, str_steal(piece), len);
}

void
background_append(struct background *b, struct bytes *records)
{
    size_t len = records->len;

    queue(b, RECORDS, bytes_steal(records), len);
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
