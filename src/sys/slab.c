#include "sys/slab.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/list.h"
#include "sys/rcu.h"
#include "sys/work.h"

/* CHUNK and AREA are aligned to themselves.  ROW objects at a time are taken from chunks and given back, of at most
 * AT_HAND. */
enum { CHUNK = 32 << 10, AREA_CHUNKS = 64, AREA = AREA_CHUNKS * CHUNK, ROW = 32, AT_HAND = 2 * ROW,
       N_SIZES = SLAB_MAX / SLAB_STEP };

struct object { struct object *next; };

struct chunk {
    struct list node;          /* In slab->chunks; self-linked while nothing of it is free. */
    struct object *returned;   /* Free, used before. */
    char *fresh;               /* Behind it nothing was used yet. */
    unsigned int n_free, n;    /* Objects. */
} ALIGNED(CACHE_LINE);

/* In its first chunk, behind that one's own. */
struct area {
    struct list node;          /* In 'areas'; self-linked while nothing of it is free. */
    uint64_t free;             /* Bitmap of its chunks. */
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
};
static __thread struct hand hands[N_SIZES];
static __thread bool is_watched; /* The thread's end will empty its hands. */
static pthread_key_t end_of_thread;

static size_t
object_size(const struct slab *s)
{
    return (size_t) (s - slabs + 1) * SLAB_STEP;
}

/* Areas. */

static pthread_mutex_t areas_mutex = PTHREAD_MUTEX_INITIALIZER; /* Guards all areas; taken inside of a slab's. */
static struct list areas = LIST_INIT(&areas);                   /* struct area: those with free chunks. */
static size_t n_chunks;                                         /* Taken. */

/* To find a large page may take long, so areas of such are made ready beside, and while there is none an area has small
 * ones. */
enum { N_READY = 2, SMALL_PAGE = 4096 };
static struct area *ready[N_READY];
static unsigned int n_ready, n_areas; /* Of those, and of all that are in use. */
static bool is_preparing;

static struct area *
area_of(const void *p)
{
    return (struct area *) (((uintptr_t) p & ~(uintptr_t) (AREA - 1)) + sizeof(struct chunk));
}

static char *
area_memory(const struct area *a)
{
    return (char *) a - sizeof(struct chunk);
}

static struct area *
map_area(void)
{
    char *all = mmap(NULL, 2 * AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    size_t before;

    if (all == MAP_FAILED) {
        out_of_memory();
    }
    before = -(uintptr_t) all % AREA;
    if (before) {
        munmap(all, before);
    }
    munmap(all + before + AREA, AREA - before);
    return area_of(all + before);
}

/* Of one large page, if the system has such. */
static struct area *
map_large_area(void)
{
    struct area *a = map_area();
    volatile char *memory = area_memory(a);

    (void) madvise(area_memory(a), AREA, MADV_HUGEPAGE);
    for (size_t i = 0; i < AREA; i += SMALL_PAGE) {
        memory[i] = 0;
    }
    return a;
}

static bool
put_ready(struct area *a)
{
    bool more;

    pthread_mutex_lock(&areas_mutex);
    if (a) {
        ready[n_ready++] = a;
    }
    more = n_ready < N_READY;
    is_preparing = more;
    pthread_mutex_unlock(&areas_mutex);
    return more;
}

static void
prepare(void *unused UNUSED)
{
    rcu_offline();
    for (bool more = put_ready(NULL); more;) {
        more = put_ready(map_large_area());
    }
    rcu_online();
}

static struct area *
make_area(void)
{
    struct area *a = n_ready ? ready[--n_ready] : map_area();

    if (n_areas++ && !is_preparing) { /* Who has few needs none. */
        is_preparing = true;
        work_start(prepare, NULL);
    }
    a->free = UINT64_MAX;
    list_push_front(&areas, &a->node);
    return a;
}

static struct chunk *
take_chunk(void)
{
    struct area *a;
    unsigned int i;

    pthread_mutex_lock(&areas_mutex);
    a = list_is_empty(&areas) ? make_area() : CONTAINER_OF(areas.next, struct area, node);
    i = __builtin_ctzll(a->free);
    a->free &= a->free - 1;
    n_chunks++;
    if (!a->free) {
        list_remove(&a->node);
    }
    pthread_mutex_unlock(&areas_mutex);
    return (struct chunk *) (area_memory(a) + (size_t) i * CHUNK);
}

/* The last area that is left stays, so that it is not made and given back again and again. */
static void
give_chunk_back(struct chunk *c)
{
    struct area *a = area_of(c);

    pthread_mutex_lock(&areas_mutex);
    if (!a->free) {
        list_push_back(&areas, &a->node);
    }
    n_chunks--;
    a->free |= UINT64_C(1) << ((char *) c - area_memory(a)) / CHUNK;
    if (a->free == UINT64_MAX && (areas.next != &a->node || areas.prev != &a->node)) {
        list_remove(&a->node);
        munmap(area_memory(a), AREA);
        n_areas--;
    }
    pthread_mutex_unlock(&areas_mutex);
}

/* Chunks; the slab is locked. */

static struct chunk *
make_chunk(struct slab *s)
{
    struct chunk *c = s->spare;

    if (c) {
        s->spare = NULL;
    } else {
        c = take_chunk();
        c->returned = NULL;
        c->fresh = (char *) (c + 1) + (area_of(c) == (struct area *) (c + 1) ? sizeof(struct area) : 0);
        c->n = c->n_free = ((char *) c + CHUNK - c->fresh) / object_size(s);
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
    struct chunk *c = (struct chunk *) ((uintptr_t) o & ~(uintptr_t) (CHUNK - 1));

    o->next = c->returned;
    c->returned = o;
    if (!c->n_free++) {
        list_push_front(&s->chunks, &c->node);
    }
    if (c->n_free == c->n) {
        list_remove(&c->node);
        if (s->spare) {
            give_chunk_back(s->spare);
        }
        s->spare = c;
    }
}

/* Hands. */

static void
fill(struct hand *h, struct slab *s)
{
    struct object **end = &h->first;

    pthread_mutex_lock(&s->mutex);
    for (; h->n < ROW; h->n++) {
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

static void
empty_hands(void *unused UNUSED)
{
    is_watched = false;
    for (unsigned int i = 0; i < N_SIZES; i++) {
        give(&hands[i], &slabs[i], hands[i].n);
    }
}

__attribute__((constructor)) static void
init_slabs(void)
{
    for (unsigned int i = 0; i < N_SIZES; i++) {
        pthread_mutex_init(&slabs[i].mutex, NULL);
        list_init(&slabs[i].chunks);
    }
    if (pthread_key_create(&end_of_thread, empty_hands)) {
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

size_t
slab_memory(void)
{
    size_t n;

    pthread_mutex_lock(&areas_mutex);
    n = n_chunks;
    pthread_mutex_unlock(&areas_mutex);
    return n * CHUNK;
}
