#include "sys/area.h"

#include <pthread.h>
#include <sys/mman.h>

#include "base/list.h"
#include "sys/rcu.h"
#include "sys/work.h"

/* An area is aligned to its size. */
enum { PIECES = 64, AREA = PIECES * AREA_PIECE, SMALL_PAGE = 4096, N_PLACES = AREA_REACH / AREA };

/* In the head of its first piece. */
struct area {
    struct list node; /* In 'areas'; self-linked while nothing of it is free. */
    uint64_t free;    /* Bitmap of its pieces. */
};
_Static_assert(sizeof(struct area) <= AREA_HEAD, "there is room for it");

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* Guards all of this. */
static struct list areas = LIST_INIT(&areas);             /* struct area: those with free pieces. */
static size_t n_pieces;                                   /* In use. */
static unsigned int n_areas;                              /* In use. */
static struct area *ready;                                /* The next; null: none. */
static bool is_preparing;

char *area_base;

static pthread_mutex_t places_mutex = PTHREAD_MUTEX_INITIALIZER; /* Guards these. */
static uint64_t taken_places[N_PLACES / 64]; /* Bitmap: areas, and where something else was found to be. */

static void *
map_at(void *wanted, size_t size)
{
    void *p = mmap(wanted, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (p == MAP_FAILED) {
        out_of_memory();
    }
    return p;
}

/* The system gives addresses downwards from the first ones that it gave, or upwards: far below them nothing is or comes
 * soon.  Where there is no such room (valgrind's addresses are low, and end soon), it is a little above. */
static char *
choose_base(void)
{
    char *first = map_at(NULL, AREA);

    munmap(first, AREA);
    first -= (uintptr_t) first % AREA;
    return (uintptr_t) first > 5 * AREA_REACH ? first - 4 * AREA_REACH : first + AREA_REACH / 16;
}

/* The lowest place that is free.  The mutex is locked. */
static unsigned int
take_place(void)
{
    unsigned int i = 0;

    while (i < N_PLACES / 64 && taken_places[i] == UINT64_MAX) {
        i++;
    }
    if (i == N_PLACES / 64) {
        out_of_memory();
    }
    i = i * 64 + __builtin_ctzll(~taken_places[i]);
    taken_places[i / 64] |= UINT64_C(1) << i % 64;
    return i;
}

static struct area *
map_area(void)
{
    char *a, *wanted;

    pthread_mutex_lock(&places_mutex);
    if (!area_base) {
        area_base = choose_base();
    }
    for (;;) {
        wanted = area_base + (size_t) take_place() * AREA;
        a = map_at(wanted, AREA);
        if (a == wanted) {
            break;
        }
        munmap(a, AREA); /* There is something else. */
    }
    pthread_mutex_unlock(&places_mutex);
    return (struct area *) a;
}

static void
unmap_area(struct area *a)
{
    unsigned int place = ((char *) a - area_base) / AREA;

    pthread_mutex_lock(&places_mutex);
    munmap(a, AREA);
    taken_places[place / 64] &= ~(UINT64_C(1) << place % 64);
    pthread_mutex_unlock(&places_mutex);
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

static void
prepare(void *unused UNUSED)
{
    struct area *a;

    rcu_offline();
    a = map_large_area();
    pthread_mutex_lock(&mutex);
    ready = a;
    is_preparing = false;
    pthread_mutex_unlock(&mutex);
    rcu_online();
}

static struct area *
make_area(void)
{
    struct area *a = ready ? ready : map_area();

    ready = NULL;
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
        unmap_area(a);
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
