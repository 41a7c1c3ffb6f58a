/* The end of the process, and what need not be done then since the kernel does it: a million things released one by one
 * take seconds in which whoever restarts the program waits.  Builds that look for leaks release everything, but for
 * tests of this that set WEFT_LEAVES_MEMORY in the environment.
 *
 * Threads: the main thread says it once; any may ask. */
#ifndef SYS_ENDING_H
#define SYS_ENDING_H 1

#include <stdbool.h>

/* The program is about to end: all that it does for others is over. */
void process_ends(void);

/* What ends from now on is not the process, but a switch of several in it (of tests): all memory is released. */
void process_goes_on(void);

/* Whether memory need not be released any more. */
bool process_leaves_memory(void);

#endif
