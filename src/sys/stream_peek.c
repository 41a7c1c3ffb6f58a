/* Reading a Unix socket by looking at what is in it.
 *
 * Each piece taken out of a Unix socket makes room at its other end, and the kernel tells the peer: one that sleeps in
 * a read of its own, for the answer, wakes up for nothing and sleeps again.  Where both share a processor, it takes
 * that from the one that is about to answer: two switches more for each request.  So what has been read stays in the
 * socket until there is nothing more, by when the answer has woken the peer, and is then taken out at once.
 *
 * Where the next request comes while the answer goes out, as from a peer on the same processor, the next look finds it,
 * and leaves it in the socket too.  Where it did not the last time, the look takes out what was there before, so that
 * it costs no system call more than plain reading does. */
#include <errno.h>

#include "sys/stream_private.h"

enum {
    HELD_MAX = 8192,   /* Bytes left in the socket; the kernel charges them to the peer. */
    SHORT_READ = 4096, /* More than this is no request that somebody waits for: copying it twice would cost more. */
};

void
stream_peek_start(struct stream_peek *p, int fd)
{
    int from = 0;

    p->on = !setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &from, sizeof from);
}

static ssize_t
receive(int fd, void *buf, size_t n, int flags)
{
    ssize_t got;

    do {
        got = recv(fd, buf, n, flags);
    } while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

int
stream_peek_finish(struct stream_peek *p, int fd)
{
    char old[HELD_MAX];

    while (p->held) {
        ssize_t got = receive(fd, old, MIN(p->held, sizeof old), 0);

        if (got <= 0) {
            return got == -EAGAIN || !got ? -EPROTO : got; /* The peer did something odd: it was there. */
        }
        p->held -= got;
    }
    return 0;
}

/* Leaves what it reads in the socket, unless that is much. */
static ssize_t
look(struct stream_peek *p, int fd, void *buf, size_t n)
{
    bool again = p->held != 0;
    ssize_t got = receive(fd, buf, n, MSG_PEEK);
    int error = 0;

    if (again) {
        p->finds = got > 0;
    }
    if (got > 0) {
        p->held += got;
        p->plain = got > SHORT_READ;
    }
    if (got == -EAGAIN || p->plain || p->held > HELD_MAX) {
        error = stream_peek_finish(p, fd);
    }
    return error ? error : got;
}

/* Takes out what is in the socket, the old and the new. */
static ssize_t
take(struct stream_peek *p, int fd, void *buf, size_t n)
{
    char old[HELD_MAX];
    struct iovec parts[] = { { old, p->held }, { buf, n } };
    struct msghdr m = { .msg_iov = parts, .msg_iovlen = ARRAY_SIZE(parts) };
    ssize_t got;
    int error;

    do {
        got = recvmsg(fd, &m, 0);
    } while (got < 0 && errno == EINTR);
    if (got <= 0) {
        return got && errno != EAGAIN ? -errno : -EPROTO;
    }
    if ((size_t) got <= p->held) {
        p->held -= got;
        error = stream_peek_finish(p, fd); /* Descriptors sent along with the data end a read. */
        return error ? error : -EAGAIN;
    }
    got -= p->held;
    p->held = 0;
    p->finds = true;
    return got;
}

ssize_t
stream_peek_read(struct stream_peek *p, int fd, void *buf, size_t n)
{
    ssize_t got;

    if (p->plain) {
        got = receive(fd, buf, n, 0);
        p->plain = got > SHORT_READ || got == -EAGAIN;
        return got;
    }
    return p->held && !p->finds ? take(p, fd, buf, n) : look(p, fd, buf, n);
}
