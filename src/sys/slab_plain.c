/* For the sanitizers: see sys/slab.h.  They know the size that was asked for, so that a wrong one at the end, which
 * would put memory into the wrong slab, is found here. */
#include <malloc.h>
#include <stdlib.h>

#include "sys/slab.h"

void *
slab_alloc(size_t size)
{
    return xmalloc(size);
}

void *
slab_zalloc(size_t size)
{
    return xzalloc(size);
}

void
slab_empty_hands(void)
{
}

void
slab_free(void *p, size_t size)
{
    if (p && malloc_usable_size(p) != MAX(size, 1)) {
        abort();
    }
    free(p);
}
