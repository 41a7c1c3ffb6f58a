#include "ovsdb/store/io.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <unistd.h>

static int
system_open(const char *path, int flags, mode_t mode)
{
    int fd = open(path, flags | O_CLOEXEC, mode);

    return fd < 0 ? -errno : fd;
}

static ssize_t
system_read(int fd, void *p, size_t n)
{
    ssize_t got;

    do {
        got = read(fd, p, n);
    } while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

static ssize_t
system_pwrite(int fd, const void *p, size_t n, off_t at)
{
    ssize_t put;

    do {
        put = pwrite(fd, p, n, at);
    } while (put < 0 && errno == EINTR);
    return put < 0 ? -errno : put;
}

static int
system_fsync(int fd)
{
    return fdatasync(fd) ? -errno : 0;
}

static int
system_ftruncate(int fd, off_t size)
{
    return ftruncate(fd, size) ? -errno : 0;
}

static int
system_rename(const char *from, const char *to)
{
    return rename(from, to) ? -errno : 0;
}

static int
system_fsync_dir(const char *path)
{
    char *copy = xstrdup(path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int error = fd < 0 || fsync(fd) ? -errno : 0;

    free(copy);
    if (fd >= 0) {
        close(fd);
    }
    /* Some file systems have no way to sync a directory. */
    return error == -EINVAL ? 0 : error;
}

const struct store_io store_io_system = {
    .open = system_open, .read = system_read, .pwrite = system_pwrite, .fsync = system_fsync,
    .ftruncate = system_ftruncate, .rename = system_rename, .fsync_dir = system_fsync_dir,
};

char *
store_real_path(const char *path)
{
    struct stat s;
    char *real = !lstat(path, &s) && S_ISLNK(s.st_mode) ? realpath(path, NULL) : NULL;

    return real ? real : xstrdup(path);
}

int
store_io_write_all(const struct store_io *io, int fd, const void *p, size_t n, off_t at)
{
    size_t done = 0;

    while (done < n) {
        ssize_t put = io->pwrite(fd, (const char *) p + done, n - done, at + done);

        if (put <= 0) {
            return put ? put : -EIO;
        }
        done += put;
    }
    return 0;
}
