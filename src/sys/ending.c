#include "sys/ending.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "config.h"

static _Atomic bool leaves_memory, goes_on;

void
process_goes_on(void)
{
    atomic_store(&goes_on, true);
}

void
process_ends(void)
{
    atomic_store(&leaves_memory, !goes_on && (!WEFT_LOOKS_FOR_LEAKS || getenv("WEFT_LEAVES_MEMORY")));
}

bool
process_leaves_memory(void)
{
    return atomic_load_explicit(&leaves_memory, memory_order_relaxed);
}
