/* Which cores the machine has, and in which NUMA node each is.
 *
 * From /sys/devices/system/node; where there is none, the cores that the process may use, in node 0; or made up, for
 * tests of what depends on it.
 *
 * Threads: main thread. */
#ifndef SYS_NUMA_H
#define SYS_NUMA_H 1

#include <stdbool.h>
#include <stddef.h>

struct numa_core {
    unsigned int id, node;
};

/* The cores, in order of their numbers. */
const struct numa_core *numa_cores(size_t *n);

/* Makes up cores: "0,0,1,1" are two in node 0 and two in node 1.  False if that is not a list of numbers.  Before
 * anybody has asked for them. */
bool numa_make_up(const char *nodes);
bool numa_is_made_up(void); /* Threads cannot be bound to such cores. */

/* How many processors run, whether the process may use them or not; at least 1, whatever is made up.  Any thread. */
unsigned int numa_n_online(void);

/* Says in the log which there are. */
void numa_log(void);

#endif
