/* Memory for small objects of which there are very many, made by one thread and released by another.
 *
 * What it is
 * ----------
 * Rules, the classifier's nodes and the like are made by the main thread and released by RCU's.  malloc() merges what
 * is released with its neighbours and sorts it again when it is wanted, which after a large change of flows is a third
 * of the main thread's time.  Here releasing is a push to a list.
 *
 * How it works
 * ------------
 * Objects of one size (rounded up to SLAB_STEP) are cut from chunks, which are pieces of areas (sys/area.h), so that an
 * object's address says which chunk is its.  Each thread keeps a few objects of each size at hand; more are taken from
 * the chunks, or given back to them, in rows, under one mutex for each size.  A row is an eighth as long as what the
 * thread has taken of the size, so that of sizes which it hardly ever needs it has little at hand.  What RCU's thread
 * has released it gives back at once, as it will need none.  A chunk that is whole again goes back to its area, but for
 * one.
 *
 * Under the sanitizers each object is of malloc() (slab_plain.c), so that they see what becomes of it.
 *
 * Limits: larger objects than SLAB_MAX are of malloc().  What a thread has at hand goes with the thread.
 *
 * Threads: any. */
#ifndef SYS_SLAB_H
#define SYS_SLAB_H 1

#include "config.h"
#include "sys/area.h"

#ifndef SLAB_REFS_ARE_SHORT
#define SLAB_REFS_ARE_SHORT !WEFT_LOOKS_FOR_LEAKS
#endif

enum { SLAB_STEP = 16, SLAB_MAX = 1024 };

/* Uninitialised memory, aligned to 16 bytes (to CACHE_LINE where the size is a multiple of it, up to SLAB_MAX, but for
 * the sanitizers), to be released with slab_free() and the same size; never null.
 * slab_zalloc() clears it. */
void *slab_alloc(size_t size) MUST_CHECK __attribute__((malloc, alloc_size(1)));
void *slab_zalloc(size_t size) MUST_CHECK __attribute__((malloc, alloc_size(1)));
/* Null is allowed. */
void slab_free(void *, size_t size);

/* Half a pointer, to anything in an object that is aligned to 4 bytes; 0: null.  To an object itself, the lowest two
 * bits are 0.  (Under the sanitizers, whose objects are anywhere, it is the pointer.) */
#if SLAB_REFS_ARE_SHORT
typedef uint32_t slab_ref;
#else
typedef uintptr_t slab_ref;
#endif

static inline slab_ref
slab_ref_to(const void *p)
{
#if SLAB_REFS_ARE_SHORT
    return p ? ((const char *) p - area_base) / 4 : 0;
#else
    return (uintptr_t) p;
#endif
}

static inline void *
slab_at(slab_ref ref)
{
#if SLAB_REFS_ARE_SHORT
    return ref ? area_base + (size_t) ref * 4 : NULL;
#else
    return (void *) ref;
#endif
}

/* The calling thread gives back all that it has at hand. */
void slab_empty_hands(void);

#endif
