#include "sys/area.h"

#include <pthread.h>
#include <sys/mman.h>

#include "base/list.h"
#include "sys/rcu.h"
#include "sys/work.h"

/* An area is aligned to its size. */
enum { PIECES = 64, AREA = PIECES * AREA_PIECE, N_READY = 2, SMALL_PAGE = 4096 };

/* In the head of its first piece. */
struct area {
    struct list node; /* In 'areas'; self-linked while nothing of it is free. */
    uint64_t free;    /* Bitmap of its pieces. */
};
_Static_assert(sizeof(struct area) <= AREA_HEAD, "there is room for it");

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* Guards all of this. */
static struct list areas = LIST_INIT(&areas);             /* struct area: those with free pieces. */
static size_t n_pieces;                                   /* In use. */
static struct area *ready[N_READY];
static unsigned int n_ready, n_areas;                     /* Of those, and of all that are in use. */
static bool is_preparing;

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
    return (struct area *) (all + before);
}

/* Of one large page, if the system has such. */
static struct area *
map_large_area(void)
{
    struct area *a = map_area();
    volatile char *memory = (char *) a;

    (void) madvise(a, AREA, MADV_HUGEPAGE);
    for (size_t i = 0; i < AREA; i += SMALL_PAGE) {
        memory[i] = 0;
    }
    return a;
}

static bool
put_ready(struct area *a)
{
    bool more;

    pthread_mutex_lock(&mutex);
    if (a) {
        ready[n_ready++] = a;
    }
    more = n_ready < N_READY;
    is_preparing = more;
    pthread_mutex_unlock(&mutex);
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

void *
area_take(void)
{
    struct area *a;
    unsigned int i;

    pthread_mutex_lock(&mutex);
    a = list_is_empty(&areas) ? make_area() : CONTAINER_OF(areas.next, struct area, node);
    i = __builtin_ctzll(a->free);
    a->free &= a->free - 1;
    n_pieces++;
    if (!a->free) {
        list_remove(&a->node);
    }
    pthread_mutex_unlock(&mutex);
    return (char *) a + (size_t) i * AREA_PIECE + AREA_HEAD;
}

/* The last area that is left stays, so that it is not made and given back again and again. */
void
area_give_back(void *piece)
{
    struct area *a = (struct area *) ((uintptr_t) piece & ~(uintptr_t) (AREA - 1));

    pthread_mutex_lock(&mutex);
    if (!a->free) {
        list_push_back(&areas, &a->node);
    }
    n_pieces--;
    a->free |= UINT64_C(1) << ((char *) piece - (char *) a) / AREA_PIECE;
    if (a->free == UINT64_MAX && (areas.next != &a->node || areas.prev != &a->node)) {
        list_remove(&a->node);
        munmap(a, AREA);
        n_areas--;
    }
    pthread_mutex_unlock(&mutex);
}

size_t
area_memory(void)
{
    size_t n;

    pthread_mutex_lock(&mutex);
    n = n_pieces;
    pthread_mutex_unlock(&mutex);
    return n * AREA_PIECE;
}
