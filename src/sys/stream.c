#include "sys/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "sys/address.h"
#include "sys/counter.h"
#include "sys/dirs.h"
#include "sys/log.h"
#include "sys/stream_private.h"

LOG_MODULE(stream)
COUNTER(stream_open)

/* A look-up of a name under way.  Lives until its thread and its stream have both let go of it. */
struct resolver {
    pthread_mutex_t mutex;
    struct stream *stream; /* Null once the stream has lost interest; under 'mutex'. */
    struct loop_wake wake; /* Valid while 'stream' is. */
    struct address address;
    int error;
    bool done;             /* Under 'mutex'. */
};

static void advance(struct stream *);

const char *
stream_strerror(int error)
{
    return error == STREAM_EOF ? "End of file" : strerror(-error);
}

/* Paths of any length: those too long for the address are reached by a descriptor of their directory. */

static int
with_unix_address(const char *path, int (*use)(int, const struct sockaddr *, socklen_t), int fd)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    const char *slash = strrchr(path, '/');
    int directory = -1, error = 0;

    if (strlen(path) < sizeof un.sun_path) {
        str_copy_cut(un.sun_path, path, sizeof un.sun_path);
    } else {
        char *parent = slash ? xstrndup(path, MAX(slash - path, 1)) : xstrdup(".");
        int n;

        directory = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        free(parent);
        if (directory < 0) {
            return -errno;
        }
        n = snprintf(un.sun_path, sizeof un.sun_path, "/proc/self/fd/%d/%s", directory, slash ? slash + 1 : path);
        error = n >= (int) sizeof un.sun_path ? -ENAMETOOLONG : 0;
    }
    if (!error && use(fd, (struct sockaddr *) &un, sizeof un)) {
        error = -errno;
    }
    if (directory >= 0) {
        close(directory);
    }
    return error;
}

int
stream_unix_connect(int fd, const char *path)
{
    return with_unix_address(path, connect, fd);
}

int
stream_unix_bind(int fd, const char *path)
{
    return with_unix_address(path, bind, fd);
}

/* Events. */

static void
update_poll(struct stream *s)
{
    int events = (s->wanted & LOOP_READ ? s->read_needs : 0) | (s->wanted & LOOP_WRITE ? s->write_needs : 0);

    if (s->poll.poll) {
        loop_fd_change(&s->poll, s->status ? LOOP_WRITE : events);
    }
}

static void
on_ready(struct loop_fd *f, int ready)
{
    struct stream *s = f->aux;
    int events;

    if (s->status == -EINPROGRESS) {
        advance(s);
        return;
    }
    events = (s->wanted & LOOP_READ && ready & s->read_needs ? LOOP_READ : 0)
             | (s->wanted & LOOP_WRITE && ready & s->write_needs ? LOOP_WRITE : 0);
    if (events && s->cb) {
        s->cb(s, events, s->aux);
    }
}

static void
report_open(struct loop_task *t)
{
    struct stream *s = t->aux;

    if (!s->reported && s->cb) {
        s->reported = true;
        update_poll(s);
        s->cb(s, STREAM_OPEN, s->aux);
    }
}

static void
read_again(struct loop_task *t)
{
    struct stream *s = t->aux;

    if (s->wanted & LOOP_READ && s->cb && !s->status) {
        s->cb(s, LOOP_READ, s->aux);
    }
}

/* Opening has ended. */
static void
finish(struct stream *s, int status)
{
    s->status = status;
    if (s->poll.poll) {
        loop_fd_change(&s->poll, 0);
    }
    loop_task_post(&s->report);
}

/* Tries the next step of opening after the descriptor has become ready. */
static void
advance(struct stream *s)
{
    int needs = LOOP_WRITE;
    int error = 0;

    if (!s->connected) {
        struct sockaddr_storage peer;
        socklen_t len = sizeof error;

        if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len)) {
            error = errno;
        }
        len = sizeof peer;
        if (!error && getpeername(s->fd, (struct sockaddr *) &peer, &len)) {
            if (errno == ENOTCONN) {
                return;
            }
            error = errno;
        }
        if (error) {
            finish(s, -error);
            return;
        }
        s->connected = true;
    }
    if (s->tls) {
        error = tls_session_handshake(s->tls, s->name, &needs);
    }
    if (error == -EAGAIN) {
        loop_fd_change(&s->poll, needs);
    } else {
        finish(s, error);
    }
}

static void
start_poll(struct stream *s)
{
    loop_fd_start(s->loop, &s->poll, s->fd, 0, on_ready, s);
}

static void
set_tcp_options(int fd)
{
    int on = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* Fails on Unix sockets, harmlessly. */
}

static void
connect_unix(struct stream *s)
{
    int error = stream_unix_connect(s->fd, s->path);

    if (error == -EAGAIN) {
        loop_timer_set(&s->retry, clock_now_ms() + 10);
    } else {
        s->connected = true;
        finish(s, error);
    }
}

static void
retry_unix(struct loop_timer *t)
{
    connect_unix(t->aux);
}

static void
connect_tcp(struct stream *s, const struct address *a)
{
    s->fd = socket(a->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->fd < 0) {
        finish(s, -errno);
        return;
    }
    set_tcp_options(s->fd);
    if (s->tls) {
        tls_session_attach(s->tls, s->fd);
    }
    start_poll(s);
    if (connect(s->fd, (const struct sockaddr *) &a->sa, a->len) && errno != EINPROGRESS) {
        finish(s, -errno);
    } else {
        loop_fd_change(&s->poll, LOOP_WRITE);
    }
}

/* Names. */

static void
resolver_destroy(struct resolver *r)
{
    pthread_mutex_destroy(&r->mutex);
    free(r);
}

static void *
resolve_thread(void *r_)
{
    struct resolver *r = r_;
    int error = address_resolve(&r->address);
    bool orphan;

    pthread_mutex_lock(&r->mutex);
    r->error = error;
    r->done = true;
    orphan = !r->stream;
    if (!orphan) {
        loop_wake_signal(&r->wake);
    }
    pthread_mutex_unlock(&r->mutex);
    if (orphan) {
        resolver_destroy(r);
    }
    return NULL;
}

/* The stream lets go of its resolver. */
static void
resolver_release(struct resolver *r)
{
    bool done;

    pthread_mutex_lock(&r->mutex);
    loop_wake_uninit(&r->wake);
    r->stream = NULL;
    done = r->done;
    pthread_mutex_unlock(&r->mutex);
    if (done) {
        resolver_destroy(r);
    }
}

static void
on_resolved(struct loop_wake *w)
{
    struct resolver *r = w->aux;
    struct stream *s = r->stream;
    struct address address;
    int error;

    pthread_mutex_lock(&r->mutex);
    address = r->address;
    error = r->error;
    pthread_mutex_unlock(&r->mutex);
    s->resolver = NULL;
    resolver_release(r);
    if (error) {
        log_warn("%s: cannot look up \"%s\" (%s)", s->name, address.host, strerror(-error));
        finish(s, error);
    } else {
        connect_tcp(s, &address);
    }
}

static void
resolve(struct stream *s, const struct address *a)
{
    struct resolver *r = xzalloc(sizeof *r);
    pthread_attr_t attr;
    pthread_t thread;
    int error;

    r->address = *a;
    r->stream = s;
    pthread_mutex_init(&r->mutex, NULL);
    loop_wake_init(s->loop, &r->wake, on_resolved, r);
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    error = pthread_create(&thread, &attr, resolve_thread, r);
    pthread_attr_destroy(&attr);
    if (error) {
        r->done = true;
        resolver_release(r);
        finish(s, -error);
    } else {
        s->resolver = r;
    }
}

/* Making and ending. */

static struct stream *
stream_alloc(struct loop *loop, const char *name)
{
    struct stream *s = xzalloc(sizeof *s);

    counter_inc(stream_open);
    s->loop = loop;
    s->name = xstrdup(name);
    s->fd = -1;
    s->status = -EINPROGRESS;
    s->read_needs = LOOP_READ;
    s->write_needs = LOOP_WRITE;
    loop_task_init(loop, &s->report, report_open, s);
    loop_task_init(loop, &s->again, read_again, s);
    loop_timer_init(loop, &s->retry, retry_unix, s);
    return s;
}

static int
open_unix(struct loop *loop, const char *target, struct stream **stream)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct stream *s;

    if (fd < 0) {
        return -errno;
    }
    s = *stream = stream_alloc(loop, target);
    s->fd = fd;
    s->is_unix = true;
    s->path = dirs_resolve(dirs_run(), target + strlen("unix:"));
    start_poll(s);
    connect_unix(s);
    return 0;
}

/* With TLS or without. */
static int
open_tcp(struct loop *loop, const char *target, const struct stream_method *m, uint16_t default_port,
         struct stream **stream)
{
    struct tls_session *tls = NULL;
    struct address a;
    int error = address_parse_active(target + strlen(m->name), default_port, &a);

    if (!error && m->kind == STREAM_TLS) {
        error = tls_session_create(false, a.host, &tls);
    }
    if (error) {
        return error;
    }
    *stream = stream_alloc(loop, target);
    (*stream)->tls = tls;
    if (a.sa.ss_family == AF_UNSPEC) {
        resolve(*stream, &a);
    } else {
        connect_tcp(*stream, &a);
    }
    return 0;
}

int
stream_open(struct loop *loop, const char *target, uint16_t default_port, stream_cb *cb, void *aux,
            struct stream **stream)
{
    const struct stream_method *m = stream_target_method(target);
    int error;

    *stream = NULL;
    if (!m || m->is_passive) {
        return -EAFNOSUPPORT;
    }
    error = m->kind == STREAM_UNIX ? open_unix(loop, target, stream) : open_tcp(loop, target, m, default_port, stream);
    if (!error) {
        (*stream)->cb = cb;
        (*stream)->aux = aux;
    }
    return error;
}

struct stream *
stream_create(struct loop *loop, const char *name, int fd, bool is_unix, struct tls_session *tls)
{
    struct stream *s = stream_alloc(loop, name);

    s->fd = fd;
    s->is_unix = is_unix;
    s->tls = tls;
    s->connected = true;
    s->reported = !tls;
    start_poll(s);
    if (tls) {
        tls_session_attach(tls, fd);
        advance(s);
    } else {
        s->status = 0;
    }
    return s;
}

struct stream *
stream_from_fd(struct loop *loop, int fd, const char *name)
{
    struct sockaddr_storage sa = { .ss_family = AF_UNSPEC };
    socklen_t len = sizeof sa;

    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    set_tcp_options(fd);
    return stream_create(loop, name, fd, !getsockname(fd, (struct sockaddr *) &sa, &len) && sa.ss_family == AF_UNIX,
                         NULL);
}

void
stream_close(struct stream *s)
{
    if (s) {
        if (s->resolver) {
            resolver_release(s->resolver);
        }
        loop_task_cancel(&s->report);
        loop_task_cancel(&s->again);
        loop_timer_cancel(&s->retry);
        loop_fd_stop(&s->poll);
        tls_session_destroy(s->tls);
        if (s->fd >= 0) {
            (void) !stream_peek_finish(&s->peek, s->fd); /* Whatever is wrong ends with the socket. */
            close(s->fd);
        }
        free(s->path);
        free(s->name);
        free(s);
    }
}

/* Use. */

void
stream_set_callback(struct stream *s, stream_cb *cb, void *aux)
{
    s->cb = cb;
    s->aux = aux;
    if (!s->reported && s->status != -EINPROGRESS) {
        loop_task_post(&s->report);
    }
}

void
stream_want(struct stream *s, int events)
{
    s->wanted = events;
    if (s->status == 0) {
        update_poll(s);
        if (s->tls && events & LOOP_READ && tls_session_has_pending(s->tls)) {
            loop_task_post(&s->again);
        }
    }
}

void
stream_expect_requests(struct stream *s)
{
    if (s->is_unix && s->fd >= 0 && !s->peek.on) {
        stream_peek_start(&s->peek, s->fd);
    }
}

bool
stream_is_opening(const struct stream *s)
{
    return !s->reported;
}

int
stream_status(const struct stream *s)
{
    return s->status;
}

ssize_t
stream_read(struct stream *s, void *p, size_t n)
{
    ssize_t got;

    if (s->status) {
        return s->status == -EINPROGRESS ? -EAGAIN : s->status;
    }
    if (s->tls) {
        int needs = LOOP_READ;

        got = tls_session_read(s->tls, p, n, &needs);
        if (needs != s->read_needs) {
            s->read_needs = needs;
            update_poll(s);
        }
        if (got > 0 && tls_session_has_pending(s->tls)) {
            loop_task_post(&s->again);
        }
        return got;
    }
    if (s->peek.on) {
        return stream_peek_read(&s->peek, s->fd, p, n);
    }
    do {
        got = recv(s->fd, p, n, 0);
    } while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

ssize_t
stream_write(struct stream *s, const void *p, size_t n)
{
    ssize_t done;

    if (s->status) {
        return s->status == -EINPROGRESS ? -EAGAIN : s->status;
    }
    if (s->tls) {
        int needs = LOOP_WRITE;

        done = tls_session_write(s->tls, p, n, &needs);
        if (needs != s->write_needs) {
            s->write_needs = needs;
            update_poll(s);
        }
        return done;
    }
    do {
        done = send(s->fd, p, n, MSG_NOSIGNAL);
    } while (done < 0 && errno == EINTR);
    return done < 0 ? -errno : done;
}

const char *
stream_name(const struct stream *s)
{
    return s->name;
}

static uint16_t
port_of(const struct stream *s, int (*get)(int, struct sockaddr *, socklen_t *))
{
    struct sockaddr_storage sa = { .ss_family = AF_UNSPEC };
    socklen_t len = sizeof sa;

    return s->fd >= 0 && !get(s->fd, (struct sockaddr *) &sa, &len) ? address_port(&sa) : 0;
}

uint16_t
stream_remote_port(const struct stream *s)
{
    return port_of(s, getpeername);
}

uint16_t
stream_local_port(const struct stream *s)
{
    return port_of(s, getsockname);
}

bool
stream_needs_probes(const struct stream *s)
{
    return !s->is_unix;
}

const char *
stream_peer_id(const struct stream *s)
{
    return s->tls && !s->status ? tls_session_peer_id(s->tls) : NULL;
}

int
stream_set_dscp(struct stream *s, uint8_t dscp)
{
    int tos = dscp << 2;

    if (s->is_unix || s->fd < 0) {
        return 0;
    }
    if (dscp > 63) {
        return -EINVAL;
    }
    /* One of the two fits the socket's family. */
    if (setsockopt(s->fd, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof tos)
        && setsockopt(s->fd, IPPROTO_IP, IP_TOS, &tos, sizeof tos)) {
        return -errno;
    }
    return 0;
}
