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
 * Objects of one size (rounded up to SLAB_STEP) are cut from chunks, which are aligned to their size, so that an
 * object's address says which chunk is its.  Each thread keeps a few objects of each size at hand; more are taken from
 * the chunks, or given back to them, in rows, under one mutex for each size.  A chunk that is whole again goes back to
 * its area, but for one, and an area that is whole again to the system, but for the last.
 *
 * Areas are large pages, if the system gives them: of a lookup among many rules a good part was waiting for the
 * addresses of pages.  They are made ready on a thread beside (sys/work.h), as finding such a page may take many
 * milliseconds; the first area, and one for which none is ready, has small pages.
 *
 * Under the sanitizers each object is of malloc() (slab_plain.c), so that they see what becomes of it.
 *
 * Limits: the first object takes an area, 2 MB, of which only what is used is there; with the second, two more are
 * made ready.  Larger objects than SLAB_MAX are of malloc().  What a thread has at hand goes with the thread.
 *
 * Threads: any. */
#ifndef SYS_SLAB_H
#define SYS_SLAB_H 1

#include "base/util.h"

enum { SLAB_STEP = 16, SLAB_MAX = 1024 };

/* Uninitialised memory, aligned to 16 bytes, to be released with slab_free() and the same size; never null.
 * slab_zalloc() clears it. */
void *slab_alloc(size_t size) MUST_CHECK __attribute__((malloc, alloc_size(1)));
void *slab_zalloc(size_t size) MUST_CHECK __attribute__((malloc, alloc_size(1)));
/* Null is allowed. */
void slab_free(void *, size_t size);

/* What objects take, with what is free between them, in bytes; 0 where they are of malloc(). */
size_t slab_memory(void);

#endif
