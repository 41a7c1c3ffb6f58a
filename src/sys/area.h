/* Memory in pieces of one size, for what there may be very much of: slabs (sys/slab.h), connections.
 *
 * What it is
 * ----------
 * Pieces are cut from areas of 2 MB, which are large pages, if the system gives them: of a lookup among many objects a
 * good part was waiting for the addresses of pages.  Areas are made ready on a thread beside (sys/work.h): to find a
 * large page may take many milliseconds, and each small one that is used for the first time keeps whoever uses it for
 * a microsecond or more.  The first area, and one for which none is ready, has small pages that the system provides as
 * they are used.  An area that is whole again goes back to the system, but for the last.
 *
 * Under the sanitizers each piece is of malloc() (area_plain.c), so that they see what becomes of it.
 *
 * All areas are in one stretch of addresses of AREA_REACH bytes, so that what is in them can be referred to by half a
 * pointer (slab_ref).  The stretch is asked for area by area, not reserved: where something else is, no area comes.
 *
 * Limits: with the second area in use, one more is made ready.  More than AREA_REACH is as if memory had run out.
 *
 * Threads: any. */
#ifndef SYS_AREA_H
#define SYS_AREA_H 1

#include "base/util.h"

/* A piece begins AREA_HEAD bytes behind a multiple of AREA_PIECE, and ends at the next. */
enum { AREA_PIECE = 32 << 10, AREA_HEAD = CACHE_LINE, AREA_PIECE_SIZE = AREA_PIECE - AREA_HEAD };

/* Of all addresses together, from 'area_base' on. */
#define AREA_REACH (UINT64_C(16) << 30)
extern char *area_base;

/* Uninitialised; never null. */
void *area_take(void) MUST_CHECK;
void area_give_back(void *piece);

/* What the pieces in use take, in bytes; 0 where they are of malloc(). */
size_t area_memory(void);

#endif
