#include "sys/slab.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "sys/area.h"

/* Up to ROW objects at a time are taken from chunks, at least FIRST_ROW and else as many as are one of SHARE that were
 * taken before; and given back, of at most AT_HAND. */
enum { FIRST_ROW = 4, ROW = 32, SHARE = 8, AT_HAND = 2 * ROW, N_SIZES = SLAB_MAX / SLAB_STEP };

struct object { struct object *next; };

/* At the beginning of a piece of an area. */
struct chunk {
    struct list node;          /* In slab->chunks; self-linked while nothing of it is free. */
    struct object *returned;   /* Free, used before. */
    char *fresh;               /* Behind it nothing was used yet. */
    unsigned int n_free, n;    /* Objects. */
} ALIGNED(CACHE_LINE);

/* Of one size; guarded by 'mutex'. */
struct slab {
    pthread_mutex_t mutex;
    struct list chunks;        /* struct chunk: those with free objects. */
    struct chunk *spare;       /* Whole; null: none. */
};

static struct slab slabs[N_SIZES];

/* The calling thread's. */
struct hand {
    struct object *first;
    unsigned int n;
    unsigned int n_taken; /* From chunks, up to SHARE * ROW. */
};
static __thread struct hand hands[N_SIZES];
static __thread bool is_watched; /* The thread's end will empty its hands. */
static pthread_key_t end_of_thread;

static size_t
object_size(const struct slab *s)
{
    return (size_t) (s - slabs + 1) * SLAB_STEP;
}

/* Chunks; the slab is locked. */

static struct chunk *
make_chunk(struct slab *s)
{
    struct chunk *c = s->spare;

    if (c) {
        s->spare = NULL;
    } else {
        c = area_take();
        c->returned = NULL;
        c->fresh = (char *) (c + 1);
        c->n = c->n_free = (AREA_PIECE_SIZE - sizeof *c) / object_size(s);
    }
    list_push_front(&s->chunks, &c->node);
    return c;
}

static struct object *
take(struct slab *s)
{
    struct chunk *c = list_is_empty(&s->chunks) ? make_chunk(s) : CONTAINER_OF(s->chunks.next, struct chunk, node);
    struct object *o = c->returned;

    if (o) {
        c->returned = o->next;
    } else {
        o = (struct object *) c->fresh;
        c->fresh += object_size(s);
    }
    if (!--c->n_free) {
        list_remove(&c->node);
    }
    return o;
}

static void
give_back(struct slab *s, struct object *o)
{
    struct chunk *c = (struct chunk *) (((uintptr_t) o & ~(uintptr_t) (AREA_PIECE - 1)) + AREA_HEAD);

    o->next = c->returned;
    c->returned = o;
    if (!c->n_free++) {
        list_push_front(&s->chunks, &c->node);
    }
    if (c->n_free == c->n) {
        list_remove(&c->node);
        if (s->spare) {
            area_give_back(s->spare);
        }
        s->spare = c;
    }
}

/* Hands. */

static void
fill(struct hand *h, struct slab *s)
{
    unsigned int row = MAX((unsigned int) FIRST_ROW, h->n_taken / SHARE);
    struct object **end = &h->first;

    h->n_taken = MIN(h->n_taken + row, (unsigned int) SHARE * ROW);
    pthread_mutex_lock(&s->mutex);
    for (; h->n < row; h->n++) {
        *end = take(s);
        end = &(*end)->next;
    }
    pthread_mutex_unlock(&s->mutex);
    *end = NULL;
}

static void
give(struct hand *h, struct slab *s, unsigned int n)
{
    pthread_mutex_lock(&s->mutex);
    for (; n; n--) {
        struct object *o = h->first;

        h->first = o->next;
        h->n--;
        give_back(s, o);
    }
    pthread_mutex_unlock(&s->mutex);
}

void
slab_empty_hands(void)
{
    for (unsigned int i = 0; i < N_SIZES; i++) {
        if (hands[i].n) {
            give(&hands[i], &slabs[i], hands[i].n);
        }
    }
}

static void
on_end_of_thread(void *unused UNUSED)
{
    is_watched = false;
    slab_empty_hands();
}

__attribute__((constructor)) static void
init_slabs(void)
{
    for (unsigned int i = 0; i < N_SIZES; i++) {
        pthread_mutex_init(&slabs[i].mutex, NULL);
        list_init(&slabs[i].chunks);
    }
    if (pthread_key_create(&end_of_thread, on_end_of_thread)) {
        out_of_memory();
    }
}

/* Before the thread's hands hold something. */
static void
watch(void)
{
    if (UNLIKELY(!is_watched)) {
        is_watched = !pthread_setspecific(end_of_thread, slabs); /* Anything but null. */
    }
}

static unsigned int
number_of(size_t size)
{
    return size ? (size - 1) / SLAB_STEP : 0;
}

void *
slab_alloc(size_t size)
{
    struct object *o;
    struct hand *h;

    if (size > SLAB_MAX) {
        return xmalloc(size);
    }
    h = &hands[number_of(size)];
    if (!h->first) {
        watch();
        fill(h, &slabs[number_of(size)]);
    }
    o = h->first;
    h->first = o->next;
    h->n--;
    __builtin_prefetch(h->first, 1); /* The next call reads it. */
    return o;
}

void *
slab_zalloc(size_t size)
{
    return memset(slab_alloc(size), 0, size);
}

void
slab_free(void *p, size_t size)
{
    struct object *o = p;
    struct hand *h;

    if (!o || size > SLAB_MAX) {
        free(o);
        return;
    }
    h = &hands[number_of(size)];
    watch();
    o->next = h->first;
    h->first = o;
    if (++h->n > AT_HAND) {
        give(h, &slabs[number_of(size)], ROW);
    }
}
