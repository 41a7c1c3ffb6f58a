/* Reading a Unix socket by looking at what is in it.
 *
 * Each piece taken out of a Unix socket makes room at its other end, and the kernel tells the peer: one that sleeps in
 * a read of its own, for the answer, wakes up for nothing and sleeps again.  Where both share a processor, it takes
 * that from the one that is about to answer: two switches more for each request, and it may be that the next one is
 * not there then when we look.  So what has been read stays in the socket until there is nothing more, by when the
 * answer has woken the peer, or there is too much of it, and is then taken out at once.
 *
 * That peer and we share a processor shows in that the next request is there when we look again after an answer.  Where
 * it is not, they run on two, and requests are read as usual: the processor of the peer, which is woken early, is then
 * awake when the answer comes. */
#include <errno.h>

#include "sys/stream_private.h"

enum {
    HELD_MAX = 16384,  /* Bytes left in the socket, ... */
    HELD_READS = 64,   /* ... read in so many pieces: the kernel charges the peer for both. */
    SHORT_READ = 4096, /* More than this is no request that somebody waits for: copying it twice would cost more. */
    FOUND = 2,         /* What a look that finds a request adds to 'finds'; one that does not takes 1 away. */
    FINDS_MAX = 8,
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
    char old[8192];

    while (p->held) {
        ssize_t got = receive(fd, old, MIN(p->held, sizeof old), 0);

        if (got <= 0) {
            return got == -EAGAIN || !got ? -EPROTO : got; /* The peer did something odd: it was there. */
        }
        p->held -= got;
    }
    p->held_reads = 0;
    return 0;
}

/* Learns from a read that got something. */
static void
note_request(struct stream_peek *p, size_t len)
{
    if (len > SHORT_READ) {
        p->finds = 0;
    } else if (p->is_look) {
        p->finds = MIN(p->finds + FOUND, FINDS_MAX);
    }
    p->is_look = true;
}

static void
note_nothing(struct stream_peek *p)
{
    p->finds -= p->is_look && p->finds;
    p->is_look = false;
}

ssize_t
stream_peek_read(struct stream_peek *p, int fd, void *buf, size_t n)
{
    bool peek = p->finds;
    ssize_t got = receive(fd, buf, n, peek ? MSG_PEEK : 0);
    int error = 0;

    if (got > 0) {
        note_request(p, got);
        p->held += peek ? got : 0;
        p->held_reads += peek;
    } else if (got == -EAGAIN) {
        note_nothing(p);
    }
    if (got == -EAGAIN || !p->finds || p->held > HELD_MAX || p->held_reads >= HELD_READS) {
        error = stream_peek_finish(p, fd);
    }
    return error ? error : got;
}
