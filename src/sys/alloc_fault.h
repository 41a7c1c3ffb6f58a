/* For tests: one allocation of a scenario fails.
 *
 * Running out of memory ends a program (out_of_memory()).  What a test shows with this is that it does so at every
 * allocation, with the message and nothing else, and that what the program leaves behind is sound.
 *
 * The linker puts our functions in the place of the allocator's and of pthread_create() (--wrap: alloc_fault_dep of
 * meson), so what our own code asks for fails, on any thread; libraries that allocate for themselves do not see it.
 *
 * Threads: any in a child; the parent must have no other than the caller's, since one that holds a lock of the
 * allocator is missing in the child. */
#ifndef SYS_ALLOC_FAULT_H
#define SYS_ALLOC_FAULT_H 1

#include "base/util.h"

/* Runs 'scenario' in one child after the other: in the first the first allocation fails, in the second the second,
 * until there are no more.  'before' and 'after' (may be null) run here, around each child.  Returns how many failures
 * ended the child; '*n_failed' is how many there were (a thread that cannot be made may be done without).
 *
 * Prints what is wrong and ends the program if a child ends in another way, with another message, or not at all. */
int alloc_fault_each(void (*before)(void), void (*scenario)(void), void (*after)(void), int *n_failed) MUST_CHECK;

/* In the scenario: what was allocated so far does not count. */
void alloc_fault_begin(void);

/* Zeroed memory that a child's writes to are seen in the parent; never released. */
void *alloc_fault_shared(size_t size) MUST_CHECK;

#endif
