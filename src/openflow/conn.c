#include "openflow/conn.h"

#include <errno.h>
#include <stdlib.h>

#include "openflow/hello.h"
#include "openflow/msg/control.h"
#include "sys/log.h"

LOG_MODULE(vconn)

enum { READ_CHUNK = 64 * 1024 };

struct of_conn {
    struct stream *stream;
    const struct of_conn_handler *handler;
    void *aux;
    uint32_t versions;
    enum of_version version;  /* 0 until negotiated. */
    struct bytes in;          /* The beginning of a message, or more. */
    struct bytes out;         /* Not yet written; 'sent' bytes of it are. */
    size_t sent;
    bool closed;              /* 'closed' was called. */
    bool *freed;              /* Set when the connection is closed while a callback runs. */
};

static void on_stream(struct stream *, int events, void *aux);

static struct of_conn *
create(uint32_t versions, const struct of_conn_handler *handler, void *aux)
{
    struct of_conn *c = xzalloc(sizeof *c);

    c->versions = versions;
    c->handler = handler;
    c->aux = aux;
    hello_encode(&c->out, versions, msg_new_xid());
    return c;
}

struct of_conn *
of_conn_accept(struct loop *loop UNUSED, struct stream *stream, uint32_t versions,
               const struct of_conn_handler *handler, void *aux)
{
    struct of_conn *c = create(versions, handler, aux);

    c->stream = stream;
    stream_set_callback(stream, on_stream, c);
    stream_want(stream, LOOP_READ | LOOP_WRITE);
    return c;
}

int
of_conn_open(struct loop *loop, const char *target, uint32_t versions, const struct of_conn_handler *handler, void *aux,
             struct of_conn **conn)
{
    struct of_conn *c = create(versions, handler, aux);
    int error = stream_open(loop, target, STREAM_PORT_OPENFLOW, on_stream, c, &c->stream);

    if (error) {
        bytes_uninit(&c->out);
        free(c);
        c = NULL;
    }
    *conn = c;
    return error;
}

size_t
of_conn_backlog(const struct of_conn *c)
{
    return c->out.len - c->sent;
}

enum of_version
of_conn_version(const struct of_conn *c)
{
    return c->version;
}

const char *
of_conn_name(const struct of_conn *c)
{
    return stream_name(c->stream);
}

struct stream *
of_conn_stream(struct of_conn *c)
{
    return c->stream;
}

static void
update_wants(struct of_conn *c)
{
    size_t backlog = of_conn_backlog(c);

    if (c->closed) {
        stream_want(c->stream, 0);
    } else if (!stream_status(c->stream)) {
        stream_want(c->stream, (backlog < OF_CONN_BACKLOG ? LOOP_READ : 0) | (backlog ? LOOP_WRITE : 0));
    }
}

/* Writes what can be written now; 0 or a negative errno value. */
static int
flush(struct of_conn *c)
{
    while (of_conn_backlog(c)) {
        ssize_t n = stream_write(c->stream, bytes_at(&c->out, c->sent), of_conn_backlog(c));

        if (n == -EAGAIN) {
            return 0;
        } else if (n < 0) {
            return n;
        }
        c->sent += n;
    }
    bytes_clear(&c->out);
    c->sent = 0;
    return 0;
}

/* Tells the owner, who will close. */
static void
end(struct of_conn *c, int error, const char *why)
{
    if (!c->closed) {
        c->closed = true;
        update_wants(c);
        c->handler->closed(c->aux, error, why);
    }
}

void
of_conn_send(struct of_conn *c, const void *messages, size_t n)
{
    if (c->closed) {
        return;
    }
    if (c->sent && c->sent >= c->out.len / 2) {
        bytes_pull(&c->out, c->sent);
        c->sent = 0;
    }
    bytes_put(&c->out, messages, n);
    if (!stream_status(c->stream) && flush(c) == 0) {
        update_wants(c);
    } else if (!stream_status(c->stream)) {
        stream_want(c->stream, LOOP_READ | LOOP_WRITE); /* The error shows again in the callback. */
    }
}

/* Versions do not meet: says so to the peer, too. */
static void
refuse_hello(struct of_conn *c, const struct msg *hello, uint32_t theirs)
{
    static struct log_limit limit = LOG_LIMIT_INIT(600, 10);
    struct str s = STR_INIT;

    str_puts(&s, "We support version");
    str_puts(&s, (c->versions & (c->versions - 1)) ? "s " : " ");
    of_versions_put(&s, c->versions);
    str_puts(&s, ", you support version");
    str_puts(&s, (theirs & (theirs - 1)) ? "s " : " ");
    of_versions_put(&s, theirs);
    str_puts(&s, ", no common versions.");
    error_encode_hello(&c->out, OFPERR_OFPHFC_INCOMPATIBLE, of_versions_highest(c->versions), hello->xid, str_text(&s));
    (void) !flush(c);
    log_warn_rl(&limit, "%s: version negotiation failed (%s)", of_conn_name(c), str_text(&s));
    end(c, -EPROTO, "version negotiation failed");
    str_uninit(&s);
}

static void
take_hello(struct of_conn *c, const void *data, size_t len)
{
    static struct log_limit limit = LOG_LIMIT_INIT(600, 10);
    uint32_t theirs;
    struct msg m;
    bool clean;
    int version;

    if (msg_decode(data, len, &m) || m.type != MSG_HELLO) {
        log_warn_rl(&limit, "%s: received an OpenFlow message of type %u before the hello", of_conn_name(c),
                    ((const uint8_t *) data)[1]);
        end(c, -EPROTO, "no hello");
        return;
    }
    theirs = hello_decode(&m, &clean);
    version = hello_negotiate(c->versions, theirs);
    if (!version) {
        refuse_hello(c, &m, theirs);
        return;
    }
    c->version = version;
    c->handler->opened(c->aux, version);
}

/* One whole message.  False if the connection has ended meanwhile. */
static bool
take_message(struct of_conn *c, const void *data, size_t len)
{
    bool freed = false;

    c->freed = &freed;
    if (c->version) {
        c->handler->message(c->aux, data, len);
    } else {
        take_hello(c, data, len);
    }
    if (freed) {
        return false;
    }
    c->freed = NULL;
    return !c->closed;
}

static bool
take_messages(struct of_conn *c)
{
    size_t at = 0;

    while (c->in.len - at >= MSG_HEADER) {
        const uint8_t *data = bytes_at(&c->in, at);
        size_t len = msg_stated_length(data);

        if (len < MSG_HEADER) {
            static struct log_limit limit = LOG_LIMIT_INIT(5, 5);

            log_err_rl(&limit, "%s: received too-short ofp_header (%zu bytes)", of_conn_name(c), len);
            end(c, -EPROTO, "a message is too short");
            return false;
        }
        if (c->in.len - at < len) {
            break;
        }
        if (!take_message(c, data, len)) {
            return false;
        }
        at += len;
    }
    bytes_pull(&c->in, at);
    return true;
}

/* Reads once, so that other connections get their turn; false if the connection has ended. */
static bool
receive(struct of_conn *c)
{
    ssize_t n;

    bytes_reserve(&c->in, READ_CHUNK);
    n = stream_read(c->stream, c->in.data + c->in.len, READ_CHUNK);
    if (n == -EAGAIN) {
        return true;
    } else if (n <= 0) {
        end(c, n, n ? strerror(-n) : NULL);
        return false;
    }
    c->in.len += n;
    return take_messages(c);
}

static void
on_stream(struct stream *stream, int events UNUSED, void *c_)
{
    struct of_conn *c = c_;
    int error = stream_status(stream);

    if (error == -EINPROGRESS || c->closed) {
        return;
    }
    if (!error) {
        error = flush(c);
    }
    if (error) {
        end(c, error, strerror(-error));
    } else if (of_conn_backlog(c) >= OF_CONN_BACKLOG || receive(c)) {
        update_wants(c);
    }
}

void
of_conn_close(struct of_conn *c)
{
    if (c) {
        if (!stream_status(c->stream)) {
            (void) !flush(c);
        }
        if (c->freed) {
            *c->freed = true;
        }
        stream_close(c->stream);
        bytes_uninit(&c->in);
        bytes_uninit(&c->out);
        free(c);
    }
}
