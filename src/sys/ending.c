#include "sys/ending.h"

#include <stdatomic.h>

#include "config.h"

static _Atomic bool ends;

void
process_ends(void)
{
    atomic_store(&ends, true);
}

bool
process_leaves_memory(void)
{
    return !WEFT_LOOKS_FOR_LEAKS && atomic_load_explicit(&ends, memory_order_relaxed);
}
