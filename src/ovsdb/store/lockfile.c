#include "ovsdb/store/lockfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/list.h"
#include "sys/log.h"

LOG_MODULE(lockfile)

struct lockfile {
    struct list node; /* In 'locks': fcntl() does not keep a process from locking twice. */
    char *name;
    int fd;
    dev_t dev;
    ino_t ino;
};

static struct list locks = LIST_INIT(&locks);

static char *
lock_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;

    return xasprintf("%.*s.%s.~lock~", (int) (base - path), path, base);
}

/* Whether this process holds the lock on the file already. */
static bool
is_ours(const struct stat *s)
{
    LIST_FOR_EACH (l, struct lockfile, node, &locks) {
        if (l->dev == s->st_dev && l->ino == s->st_ino) {
            return true;
        }
    }
    return false;
}

static int
lock_fd(int fd, const char *name)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

    if (!fcntl(fd, F_SETLK, &lock)) {
        return 0;
    }
    if (errno == EACCES || errno == EAGAIN) {
        lock = (struct flock) { .l_type = F_WRLCK, .l_whence = SEEK_SET };
        if (!fcntl(fd, F_GETLK, &lock) && lock.l_type != F_UNLCK) {
            log_warn("%s: cannot lock file because it is already locked by pid %ld", name, (long) lock.l_pid);
        }
        return -EAGAIN;
    }
    log_warn("%s: failed to lock file: %s", name, strerror(errno));
    return -errno;
}

int
lockfile_lock(const char *path, struct lockfile **lockp)
{
    char *name = lock_name(path);
    struct lockfile *lock;
    struct stat s;
    int fd, error;

    *lockp = NULL;
    /* Look before opening: closing any descriptor of a file drops all of this process's locks on it. */
    if (!stat(name, &s) && is_ours(&s)) {
        log_warn("%s: cannot lock file because this process has already locked it", name);
        free(name);
        return -EDEADLK;
    }
    fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    error = fd < 0 ? -errno : 0;
    if (error) {
        log_warn("%s: failed to open lock file: %s", name, strerror(-error));
        log_warn("%s: failed to lock file: %s", name, strerror(-error));
    }
    error = error ? error : lock_fd(fd, name);
    error = !error && fstat(fd, &s) ? -errno : error;
    if (error) {
        if (fd >= 0) {
            close(fd);
        }
        free(name);
        return error;
    }
    lock = xzalloc(sizeof *lock);
    *lock = (struct lockfile) { .name = name, .fd = fd, .dev = s.st_dev, .ino = s.st_ino };
    list_push_back(&locks, &lock->node);
    *lockp = lock;
    return 0;
}

void
lockfile_unlock(struct lockfile *lock)
{
    if (lock) {
        list_remove(&lock->node);
        close(lock->fd);
        free(lock->name);
        free(lock);
    }
}
