#include "netdev/dummy_stream.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/list.h"
#include "sys/log.h"
#include "sys/stream.h"

LOG_MODULE(netdev_dummy)

enum { RECONNECT_MS = 1000, MAX_QUEUED = 1 << 20 };

/* One connection; a listening stream has many, a connecting one at most one. */
struct peer {
    struct list node; /* In dummy_stream.peers. */
    struct dummy_stream *owner;
    struct stream *stream;
    struct bytes rx, tx;
};

struct dummy_stream {
    struct loop *loop;
    char *target;
    bool listens;
    void (*receive)(void *aux, const void *frame, size_t n);
    void *aux;
    struct stream_listener *listener; /* Null if it connects, or could not listen. */
    struct list peers;
    struct loop_timer retry;
    struct loop_wake wake;            /* There is something in 'queued'. */
    pthread_mutex_t mutex;
    struct bytes queued;              /* Frames from any thread, with their lengths.  Under 'mutex'. */
};

static void
close_peer(struct peer *p)
{
    struct dummy_stream *s = p->owner;

    list_remove(&p->node);
    stream_close(p->stream);
    bytes_uninit(&p->rx);
    bytes_uninit(&p->tx);
    free(p);
    if (!s->listens) {
        loop_timer_set(&s->retry, clock_now_ms() + RECONNECT_MS);
    }
}

/* False: the connection has ended. */
static bool
write_some(struct peer *p)
{
    while (p->tx.len) {
        ssize_t n = stream_write(p->stream, p->tx.data, p->tx.len);

        if (n < 0) {
            return n == -EAGAIN;
        }
        bytes_pull(&p->tx, n);
    }
    return true;
}

static void
take_frames(struct peer *p)
{
    while (p->rx.len >= 2 && p->rx.len >= 2u + get_be16(p->rx.data)) {
        size_t n = get_be16(p->rx.data);

        p->owner->receive(p->owner->aux, p->rx.data + 2, n);
        bytes_pull(&p->rx, 2 + n);
    }
}

static bool
read_some(struct peer *p)
{
    char buffer[4096];
    ssize_t n;

    while ((n = stream_read(p->stream, buffer, sizeof buffer)) > 0) {
        bytes_put(&p->rx, buffer, n);
        take_frames(p);
    }
    return n == -EAGAIN;
}

static void
peer_ready(struct stream *stream UNUSED, int events, void *peer)
{
    struct peer *p = peer;
    bool ok = !stream_status(p->stream);

    if (ok && events & LOOP_READ) {
        ok = read_some(p);
    }
    if (ok) {
        ok = write_some(p);
    }
    if (ok) {
        stream_want(p->stream, LOOP_READ | (p->tx.len ? LOOP_WRITE : 0));
    } else {
        close_peer(p);
    }
}

static struct peer *
add_peer(struct dummy_stream *s)
{
    struct peer *p = xzalloc(sizeof *p);

    p->owner = s;
    list_push_back(&s->peers, &p->node);
    return p;
}

static void
accept_peer(struct stream_listener *l UNUSED, struct stream *stream, void *s)
{
    struct peer *p = add_peer(s);

    p->stream = stream;
    stream_set_callback(stream, peer_ready, p);
    stream_want(stream, LOOP_READ);
}

static void
connect_now(struct loop_timer *t)
{
    static struct log_limit limit = LOG_LIMIT_INIT(5, 5);
    struct dummy_stream *s = t->aux;
    struct peer *p = add_peer(s);
    int error = stream_open(s->loop, s->target, 0, peer_ready, p, &p->stream);

    if (error) {
        log_info_rl(&limit, "%s: connection attempt failed (%s)", s->target, strerror(-error));
        close_peer(p);
    }
}

static void
hand_out(struct loop_wake *w)
{
    struct dummy_stream *s = w->aux;
    struct bytes queued;

    pthread_mutex_lock(&s->mutex);
    queued = s->queued;
    bytes_init(&s->queued);
    pthread_mutex_unlock(&s->mutex);
    LIST_FOR_EACH_SAFE (p, struct peer, node, &s->peers) {
        if (!stream_status(p->stream) && p->tx.len < MAX_QUEUED) {
            bytes_put(&p->tx, queued.data, queued.len);
            stream_want(p->stream, LOOP_READ | LOOP_WRITE);
        }
    }
    bytes_uninit(&queued);
}

struct dummy_stream *
dummy_stream_create(struct loop *loop, const char *target, bool listen,
                    void (*receive)(void *aux, const void *frame, size_t n), void *aux)
{
    struct dummy_stream *s = xzalloc(sizeof *s);

    s->loop = loop;
    s->target = xstrdup(target);
    s->listens = listen;
    s->receive = receive;
    s->aux = aux;
    list_init(&s->peers);
    pthread_mutex_init(&s->mutex, NULL);
    loop_timer_init(loop, &s->retry, connect_now, s);
    loop_wake_init(loop, &s->wake, hand_out, s);
    if (!listen) {
        connect_now(&s->retry);
    } else if (stream_listen(loop, target, 0, accept_peer, s, &s->listener)) {
        s->listener = NULL; /* The reason has been logged. */
    }
    return s;
}

void
dummy_stream_destroy(struct dummy_stream *s)
{
    if (s) {
        LIST_FOR_EACH_SAFE (p, struct peer, node, &s->peers) {
            close_peer(p);
        }
        loop_timer_cancel(&s->retry);
        loop_wake_uninit(&s->wake);
        stream_listener_close(s->listener);
        bytes_uninit(&s->queued);
        pthread_mutex_destroy(&s->mutex);
        free(s->target);
        free(s);
    }
}

void
dummy_stream_send(struct dummy_stream *s, const void *frame, size_t n)
{
    bool take = n <= UINT16_MAX;

    pthread_mutex_lock(&s->mutex);
    take = take && s->queued.len < MAX_QUEUED;
    if (take) {
        bytes_put_be16(&s->queued, n);
        bytes_put(&s->queued, frame, n);
    }
    pthread_mutex_unlock(&s->mutex);
    if (take) {
        loop_wake_signal(&s->wake);
    }
}

const char *
dummy_stream_state(const struct dummy_stream *s)
{
    if (s->listens) {
        return NULL;
    }
    LIST_FOR_EACH (p, struct peer, node, &s->peers) {
        return stream_status(p->stream) ? "disconnected" : "connected";
    }
    return "disconnected";
}

const char *
dummy_stream_target(const struct dummy_stream *s)
{
    return s->target;
}
