#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/num.h"
#include "sys/address.h"
#include "sys/counter.h"
#include "sys/dirs.h"
#include "sys/log.h"
#include "sys/signals.h"
#include "sys/stream_private.h"

LOG_MODULE(stream)
COUNTER(pstream_open)

enum { BACKLOG = 64, PAUSE_MS = 100 };

struct stream_listener {
    struct loop *loop;
    char *name;
    int fd;
    bool is_unix, is_tls;
    char *path;             /* Unix: the file to remove at the end, else null. */
    uint8_t dscp;
    stream_accept_cb *cb;
    void *aux;
    struct loop_fd poll;
    bool *closed;           /* Set by the destructor while the callback runs; else null. */
    struct loop_timer pause; /* Accepting has failed for want of descriptors: try again later. */
};

static char *
peer_name(const struct stream_listener *l, const struct sockaddr_storage *peer)
{
    static unsigned int n_unix;
    char *ip, *name;

    if (peer->ss_family != AF_INET && peer->ss_family != AF_INET6) {
        return xasprintf("unix#%u", n_unix++);
    }
    ip = address_format_ip(peer, true);
    name = xasprintf("%s:%s:%u", l->is_tls ? "ssl" : "tcp", ip, address_port(peer));
    free(ip);
    return name;
}

static void
accept_one(struct stream_listener *l, int fd, const struct sockaddr_storage *peer)
{
    struct tls_session *tls = NULL;
    struct stream *s;
    int on = 1;
    int error;
    char *name = peer_name(l, peer);

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    error = l->is_tls ? tls_session_create(true, NULL, &tls) : 0;
    if (error) {
        close(fd);
    } else {
        s = stream_create(l->loop, name, fd, peer->ss_family == AF_UNIX, tls);
        if (l->dscp) {
            (void) !stream_set_dscp(s, l->dscp);
        }
        l->cb(l, s, l->aux);
    }
    free(name);
}

/* Accepts one; false if there is none, or the callback has closed the listener. */
static bool
accept_next(struct stream_listener *l)
{
    static struct log_limit limit = LOG_LIMIT_INIT(5, 10);
    struct sockaddr_storage peer = { .ss_family = AF_UNIX };
    socklen_t len = sizeof peer;
    int fd = accept4(l->fd, (struct sockaddr *) &peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    bool closed = false;

    if (fd >= 0) {
        l->closed = &closed;
        accept_one(l, fd, &peer);
        if (!closed) {
            l->closed = NULL;
        }
        return !closed;
    }
    if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
        log_warn_rl(&limit, "%s: accept failed: %s", l->name, strerror(errno));
        loop_fd_change(&l->poll, 0);
        loop_timer_set(&l->pause, clock_now_ms() + PAUSE_MS);
    }
    return false;
}

static void
on_connection(struct loop_fd *f, int events UNUSED)
{
    struct stream_listener *l = f->aux;

    for (int i = 0; i < BACKLOG && accept_next(l); i++) {
        continue;
    }
}

static void
resume(struct loop_timer *t)
{
    struct stream_listener *l = t->aux;

    loop_fd_change(&l->poll, LOOP_READ);
}

static int
bind_unix(struct stream_listener *l, const char *file)
{
    int error;

    l->is_unix = true;
    l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (l->fd < 0) {
        return -errno;
    }
    l->path = dirs_resolve(dirs_run(), file);
    if (unlink(l->path) && errno != ENOENT) {
        log_warn("could not unlink \"%s\" (%s)", l->path, strerror(errno));
    }
    /* The mode of the socket becomes that of the file; the kernel takes the umask off. */
    error = fchmod(l->fd, 0770) ? -errno : stream_unix_bind(l->fd, l->path);
    if (error) {
        log_err("%s: binding failed: %s", l->path, strerror(-error));
        free(l->path);
        l->path = NULL;
    } else {
        signals_cleanup_add(l->path);
    }
    return error;
}

static int
bind_tcp(struct stream_listener *l, const char *where, uint16_t default_port)
{
    struct address a;
    int on = 1;
    int error = address_parse_passive(where, default_port, &a);

    if (error) {
        log_err("%s: bad port or address \"%s\"", l->name, where);
        return error;
    }
    l->fd = socket(a.sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (l->fd < 0) {
        return -errno;
    }
    setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(l->fd, (struct sockaddr *) &a.sa, a.len)) {
        error = -errno;
        log_err("%s: bind: %s", l->name, strerror(-error));
    }
    return error;
}

/* A socket that somebody else has bound for us, as systemd does. */
static int
adopt_fd(struct stream_listener *l, const char *number)
{
    struct sockaddr_storage sa = { .ss_family = AF_UNSPEC };
    socklen_t len = sizeof sa, int_len = sizeof(int);
    int fd, listening = 0;

    if (!num_parse_int(number, 10, &fd) || fd < 0) {
        return -EAFNOSUPPORT;
    }
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &int_len)
        || getsockname(fd, (struct sockaddr *) &sa, &len)) {
        return -errno;
    }
    if (!listening) {
        return -EINVAL;
    }
    l->fd = fd;
    l->is_unix = sa.ss_family == AF_UNIX;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    return 0;
}

static int
bind_target(struct stream_listener *l, uint16_t default_port)
{
    const struct stream_method *m = stream_target_method(l->name);
    const char *rest = m ? l->name + strlen(m->name) : NULL;

    if (!m || !m->is_passive) {
        return -EAFNOSUPPORT;
    }
    l->is_tls = m->kind == STREAM_TLS;
    return m->kind == STREAM_UNIX ? bind_unix(l, rest)
           : m->kind == STREAM_FD ? adopt_fd(l, rest)
                                  : bind_tcp(l, rest, default_port);
}

int
stream_listen(struct loop *loop, const char *target, uint16_t default_port, stream_accept_cb *cb, void *aux,
              struct stream_listener **listener)
{
    struct stream_listener *l = xzalloc(sizeof *l);
    int error;

    counter_inc(pstream_open);
    *l = (struct stream_listener) { .loop = loop, .name = xstrdup(target), .fd = -1, .cb = cb, .aux = aux };
    loop_timer_init(loop, &l->pause, resume, l);
    error = bind_target(l, default_port);
    if (!error && listen(l->fd, BACKLOG)) {
        error = -errno;
        log_err("%s: listen: %s", target, strerror(-error));
    }
    if (error) {
        stream_listener_close(l);
        l = NULL;
    } else {
        loop_fd_start(loop, &l->poll, l->fd, LOOP_READ, on_connection, l);
    }
    *listener = l;
    return error;
}

void
stream_listener_close(struct stream_listener *l)
{
    if (l) {
        if (l->closed) {
            *l->closed = true;
        }
        loop_timer_cancel(&l->pause);
        loop_fd_stop(&l->poll);
        if (l->fd >= 0) {
            close(l->fd);
        }
        if (l->path) {
            (void) !signals_cleanup_unlink(l->path);
        }
        free(l->path);
        free(l->name);
        free(l);
    }
}

const char *
stream_listener_name(const struct stream_listener *l)
{
    return l->name;
}

uint16_t
stream_listener_port(const struct stream_listener *l)
{
    struct sockaddr_storage sa = { .ss_family = AF_UNSPEC };
    socklen_t len = sizeof sa;

    return getsockname(l->fd, (struct sockaddr *) &sa, &len) ? 0 : address_port(&sa);
}

int
stream_listener_set_dscp(struct stream_listener *l, uint8_t dscp)
{
    if (dscp > 63) {
        return -EINVAL;
    }
    l->dscp = dscp;
    return 0;
}
