/* The lock that keeps two programs from writing one file: ".NAME.~lock~" beside it, held with fcntl(2).
 *
 * The lock ends with the process.  The file stays.  Main thread only. */
#ifndef OVSDB_STORE_LOCKFILE_H
#define OVSDB_STORE_LOCKFILE_H 1

#include "base/util.h"

struct lockfile;

/* Locks 'path' (whether it exists or not).  Sets '*lock' and returns 0, or returns a negative errno value after having
 * logged why: -EAGAIN if another process has it, -EDEADLK if this one has. */
int lockfile_lock(const char *path, struct lockfile **lock) MUST_CHECK;
void lockfile_unlock(struct lockfile *lock); /* Null is allowed. */

#endif
