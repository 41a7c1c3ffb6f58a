/* The system calls that the store makes, so that tests can make each of them fail.
 *
 * All return what the system call does, with a negative errno value instead of -1.  Threads: any; an implementation
 * with state must lock. */
#ifndef OVSDB_STORE_IO_H
#define OVSDB_STORE_IO_H 1

#include <sys/stat.h>
#include <sys/types.h>

#include "base/util.h"

struct store_io {
    int (*open)(const char *path, int flags, mode_t mode);
    ssize_t (*read)(int fd, void *p, size_t n);
    ssize_t (*pwrite)(int fd, const void *p, size_t n, off_t at);
    int (*fsync)(int fd);
    int (*ftruncate)(int fd, off_t size);
    int (*rename)(const char *from, const char *to);
    int (*fsync_dir)(const char *path); /* Of the directory that 'path' is in. */
};

/* The system's. */
extern const struct store_io store_io_system;

/* Where the symbolic link 'path' leads; a copy of 'path' if it is none, or leads nowhere. */
char *store_real_path(const char *path) MUST_CHECK;

/* Writes all of 'n' bytes at offset 'at'; 0 or a negative errno value. */
int store_io_write_all(const struct store_io *io, int fd, const void *p, size_t n, off_t at) MUST_CHECK;

#endif
