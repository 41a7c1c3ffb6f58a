/* For the sanitizers: see sys/slab.h. */
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
slab_free(void *p, size_t size UNUSED)
{
    free(p);
}

size_t
slab_memory(void)
{
    return 0;
}
