#include "datapath/user/capture_file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "packet/pcapng.h"

/* 'MODE': captured traffic is nobody else's business. */
enum { MODE = 0640, FIFO_WAIT_MS = 100, MAX_HURRIED_WAITS = 10 };

static int
open_regular(const char *path, bool overwrites)
{
    int flags = O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK; /* The last: for what is none. */
    int fd = open(path, flags | O_CREAT | O_EXCL, MODE);

    return fd < 0 && errno == EEXIST && overwrites ? open(path, flags) : fd;
}

static bool
is_fifo(const char *path)
{
    struct stat s;

    return !lstat(path, &s) && S_ISFIFO(s.st_mode);
}

static struct error *
take_regular(struct capture_file *f, const char *path, bool overwrites)
{
    struct stat s;

    f->fd = open_regular(path, overwrites);
    if (f->fd < 0) {
        return errno == EEXIST ? error_new("%s: exists already (overwrite=true replaces it)", path)
                               : error_new("%s: %s", path, strerror(errno));
    }
    if (fstat(f->fd, &s) || !S_ISREG(s.st_mode)) {
        close(f->fd);
        return error_new("%s: neither a file nor a FIFO", path);
    }
    f->dev = s.st_dev;
    f->ino = s.st_ino;
    return NULL;
}

struct error *
capture_file_open(struct capture_file *f, const char *path, bool overwrites, uint32_t reserve)
{
    struct error *e;

    *f = (struct capture_file) { .fd = -1, .reserve = reserve, .is_fifo = is_fifo(path) };
    e = f->is_fifo ? NULL : take_regular(f, path, overwrites);
    if (!e) {
        f->path = xstrdup(path);
    }
    return e;
}

int
capture_file_empty(struct capture_file *f)
{
    return !f->is_fifo && ftruncate(f->fd, 0) ? -errno : 0;
}

int
capture_file_open_fifo(struct capture_file *f)
{
    struct stat s;

    f->fd = open(f->path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (f->fd < 0) {
        return errno == ENXIO ? -EAGAIN : -errno;
    }
    if (fstat(f->fd, &s) || !S_ISFIFO(s.st_mode)) {
        close(f->fd);
        f->fd = -1;
        return -ESTALE;
    }
    return 0;
}

int
capture_file_close(struct capture_file *f)
{
    int error = f->fd >= 0 && close(f->fd) ? -errno : 0;

    free(f->path);
    bytes_uninit(&f->buffer);
    f->fd = -1;
    f->path = NULL;
    return error;
}

/* Until the FIFO's reader has read something; false: it will not. */
static bool
wait_for_reader(const struct capture_file *f, unsigned int *n_waits)
{
    struct pollfd p = { .fd = f->fd, .events = POLLOUT };

    *n_waits = atomic_load(&f->hurries) ? *n_waits + 1 : 0;
    (void) !poll(&p, 1, FIFO_WAIT_MS);
    return *n_waits <= MAX_HURRIED_WAITS;
}

/* How many bytes have been written; '*error' is 0 if that is all of them, else a negative errno value. */
static size_t
write_all(struct capture_file *f, int *error)
{
    unsigned int n_waits = 0;
    size_t done = 0;

    *error = 0;
    while (done < f->buffer.len) {
        ssize_t n = write(f->fd, f->buffer.data + done, f->buffer.len - done);

        if (n >= 0) {
            done += n;
            n_waits = 0;
        } else if (errno == EAGAIN) {
            if (!wait_for_reader(f, &n_waits)) {
                *error = -ETIMEDOUT;
                return done;
            }
        } else if (errno != EINTR) {
            *error = -errno;
            return done;
        }
    }
    return done;
}

/* The file has so much of the buffer: it shall end with a whole block, and have room for another one, for which the
 * last packet of those before may have to go.  The number of packets that are there then of the buffer; -1: that has
 * gone. */
static int64_t
cut(struct capture_file *f, size_t written)
{
    struct pcapng_blocks kept = pcapng_whole_blocks(f->buffer.data, written > f->reserve ? written - f->reserve : 0);
    bool takes_one_back = !kept.size && f->last_size;
    uint64_t before = atomic_load(&f->n_bytes), size = before + kept.size - (takes_one_back ? f->last_size : 0);

    if (f->is_fifo || ftruncate(f->fd, size) || lseek(f->fd, size, SEEK_SET) < 0) {
        atomic_store(&f->n_bytes, before + written);
        return pcapng_whole_blocks(f->buffer.data, written).n_packets;
    }
    f->last_size = kept.last_size;
    atomic_store(&f->n_bytes, size);
    return (int64_t) kept.n_packets - takes_one_back;
}

int
capture_file_flush(struct capture_file *f, uint64_t *n_lost)
{
    struct pcapng_blocks all = pcapng_whole_blocks(f->buffer.data, f->buffer.len);
    size_t written;
    int error;

    *n_lost = 0;
    written = write_all(f, &error);
    if (error) {
        *n_lost = all.n_packets - cut(f, written);
    } else if (written) {
        f->last_size = all.last_size;
        atomic_store(&f->n_bytes, atomic_load(&f->n_bytes) + written);
    }
    bytes_clear(&f->buffer);
    return error;
}
