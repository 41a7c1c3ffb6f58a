#include "openflow/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "openflow/hello.h"
#include "sys/log.h"

LOG_MODULE(vconn)

/* What one connection asks for is what others wait for: when it has taken DELIVER_US the rest waits for the next turn
 * of the loop.  Where several are behind they share a slice (LOOP_SLICE_US), and when a turn has taken that long each
 * gets the least. */
enum { READ_SIZE = 65536, DELIVER_US = 500, DELIVER_LEAST_US = 50 };
/* More than this is written at once instead of at the end of the loop's round. */
#define EAGER_WRITE (256 * 1024)

/* REFUSED: of an accepted connection, no version could be agreed on. */
enum state { STATE_CONNECTING, STATE_HELLO, STATE_OPEN, STATE_REFUSED, STATE_CLOSED };

/* How long who was refused may take to read why and close: a connection closed at once would make what it sends
 * meanwhile an error that hides the reason. */
#define REFUSED_MS 1000

struct of_conn {
    struct loop *loop;
    struct stream *stream;
    char *name;
    enum state state;
    uint32_t versions; /* That we allow. */
    int version;
    bool raw, reading, finishing, aborted, accepted;
    struct loop_timer refused_timer;
    bool asked_drained;
    const struct of_conn_ops *ops;
    void *aux;
    int broken;        /* Error of a write; nothing is written after that. */
    struct bytes in, out;
    size_t out_done;   /* Bytes of 'out' that have been written. */
    struct loop_task work; /* Delivers what was held back, writes what was queued. */
    bool is_behind;    /* Of 'in' there is a rest to be delivered by ... */
    struct loop_task rest; /* ... in the next turn. */
    bool may_read;     /* The stream has said so while it was behind. */
    unsigned int busy; /* Depth of our frames on the stack. */
    bool dead;         /* Closed by the owner while busy; freed when the last frame is left. */
    uint64_t n_sent, n_received, n_queued_ever;
    of_tap *tap; /* Null: nobody listens. */
    void *tap_aux;
    char *hello_failure;
};

static struct log_limit limit = LOG_LIMIT_INIT(60, 60);
static struct log_limit message_limit = LOG_LIMIT_INIT(600, 600);

static of_describe *describe; /* Null: messages are not logged. */

static __thread unsigned int n_behind; /* Of the thread's connections. */

static void stream_event(struct stream *, int events, void *);

static void
update_wants(struct of_conn *c)
{
    if (c->stream && c->state >= STATE_HELLO) {
        stream_want(c->stream, (c->reading || c->state == STATE_HELLO ? LOOP_READ : 0) |
                                   (c->out.len > c->out_done || c->asked_drained ? LOOP_WRITE : 0));
    }
}

static void
release(struct of_conn *c)
{
    free(c->name);
    free(c->hello_failure);
    bytes_uninit(&c->in);
    bytes_uninit(&c->out);
    free(c);
}

static void
set_behind(struct of_conn *c, bool is_behind)
{
    n_behind += is_behind - c->is_behind;
    c->is_behind = is_behind;
    if (is_behind) {
        loop_task_post_next_turn(&c->rest);
    } else {
        loop_task_cancel(&c->rest);
    }
}

static void
close_stream(struct of_conn *c)
{
    set_behind(c, false);
    loop_task_cancel(&c->work);
    loop_timer_cancel(&c->refused_timer);
    stream_close(c->stream);
    c->stream = NULL;
    c->state = STATE_CLOSED;
}

static void
enter(struct of_conn *c)
{
    c->busy++;
}

/* False if the owner has closed the connection meanwhile: then 'c' must not be touched any more by the outermost
 * frame. */
static bool
leave(struct of_conn *c)
{
    bool dead = c->dead;

    if (!--c->busy && dead) {
        release(c);
    }
    return !dead;
}

/* Ends the connection and tells the owner. */
static void
fail(struct of_conn *c, int error)
{
    if (c->dead || c->state == STATE_CLOSED) {
        return;
    }
    close_stream(c);
    enter(c);
    c->ops->closed(c, error, c->aux);
    leave(c);
}

void
of_conn_log_messages(of_describe *d)
{
    describe = d;
}

static void
log_messages(const struct of_conn *c, const char *what, const uint8_t *p, size_t len)
{
    if (!describe || log_this.max < LOG_LEVEL_DBG) {
        return;
    }
    for (size_t at = 0, n; len - at >= MSG_HEADER; at += n) {
        char *text;

        n = MAX(msg_stated_length(p + at), MSG_HEADER);
        n = MIN(n, len - at);
        text = describe(p + at, n);
        log_dbg_rl(&message_limit, "%s: %s: %s", c->name, what, text);
        free(text);
    }
}

/* Writing. */

static void
forget_written(struct of_conn *c)
{
    if (c->out_done == c->out.len) {
        c->out_done = 0;
        bytes_clear(&c->out);
        if (c->out.capacity > 4 * EAGER_WRITE) {
            bytes_uninit(&c->out);
        }
    } else if (c->out_done > c->out.len / 2 && c->out_done > EAGER_WRITE) {
        bytes_pull(&c->out, c->out_done);
        c->out_done = 0;
    }
}

/* What the peer said before it went is still read; then the error is reported. */
static void
write_failed(struct of_conn *c, int error)
{
    c->broken = error;
    c->out_done = 0;
    bytes_clear(&c->out);
    if (!c->reading) {
        fail(c, error);
    } else {
        update_wants(c);
    }
}

/* Writes what can be written; 0, or the error that ends the connection. */
static int
write_out(struct of_conn *c)
{
    ssize_t n = 0;

    while (c->out_done < c->out.len) {
        n = stream_write(c->stream, c->out.data + c->out_done, c->out.len - c->out_done);
        if (n <= 0) {
            break;
        }
        c->out_done += n;
    }
    forget_written(c);
    return n < 0 && n != -EAGAIN ? (int) n : 0;
}

static void
flush(struct of_conn *c)
{
    bool had = c->out.len > c->out_done;
    int error;

    if (!c->stream || c->state < STATE_HELLO) {
        return;
    }
    error = write_out(c);
    if (error) {
        write_failed(c, error);
        return;
    }
    update_wants(c);
    if (had && c->finishing && c->out.len == c->out_done) {
        fail(c, 0);
    }
}

void
of_conn_push(struct of_conn *c)
{
    if (c->stream && c->state == STATE_OPEN && !c->finishing && !c->broken) {
        int error = write_out(c);

        if (error) {
            of_conn_abort(c, error);
        } else {
            update_wants(c);
        }
    }
}

/* The stream takes more. */
static void
may_write(struct of_conn *c)
{
    flush(c);
    if (!c->dead && c->asked_drained && c->state == STATE_OPEN && c->out.len == c->out_done) {
        c->asked_drained = false;
        c->ops->drained(c, c->aux);
    }
}

void
of_conn_ask_drained(struct of_conn *c)
{
    if (!c->asked_drained) {
        c->asked_drained = true;
        update_wants(c);
    }
}

void
of_conn_abort(struct of_conn *c, int error)
{
    if (c->state != STATE_CLOSED && !c->aborted) {
        c->aborted = true;
        c->broken = error;
        c->out_done = 0;
        bytes_uninit(&c->out);
        loop_task_post(&c->work);
    }
}

void
of_conn_send(struct of_conn *c, struct bytes *messages)
{
    if (c->state == STATE_CLOSED || c->finishing || c->broken) {
        bytes_uninit(messages);
        return;
    }
    for (size_t at = 0; at + MSG_HEADER <= messages->len;
         at += MAX(msg_stated_length(messages->data + at), MSG_HEADER)) {
        c->n_sent++;
    }
    log_messages(c, "sent (Success)", messages->data, messages->len);
    if (c->tap) {
        c->tap(messages->data, messages->len, c->tap_aux);
    }
    c->n_queued_ever += messages->len;
    if (!c->out.len) {
        struct bytes empty = c->out;

        c->out = *messages;
        *messages = empty;
        bytes_clear(messages);
        bytes_uninit(messages);
    } else {
        bytes_put(&c->out, messages->data, messages->len);
        bytes_uninit(messages);
    }
    if (c->out.len - c->out_done >= EAGER_WRITE) {
        of_conn_push(c);
    }
    loop_task_post(&c->work);
}

uint64_t
of_conn_n_queued_ever(const struct of_conn *c)
{
    return c->n_queued_ever;
}

void
of_conn_set_tap(struct of_conn *c, of_tap *tap, void *aux)
{
    c->tap = tap;
    c->tap_aux = aux;
}

size_t
of_conn_queued(const struct of_conn *c)
{
    return c->out.len - c->out_done;
}

/* The hello. */

static void
say_hello(struct of_conn *c)
{
    struct bytes b = BYTES_INIT;

    hello_encode(&b, c->versions, msg_new_xid());
    of_conn_send(c, &b);
}

/* "we support version 0x04 and earlier, peer supports version 0x06", to be released. */
static char *
versions_text(const struct of_conn *c, const char *we, const char *they, uint32_t theirs)
{
    struct str s = STR_INIT;

    str_putf(&s, "%s ", we);
    of_versions_put_words(&s, c->versions);
    str_putf(&s, ", %s ", they);
    of_versions_put_words(&s, theirs);
    return str_steal(&s);
}

/* Errors about versions: type and code are the same in all of them.  The error has the peer's, so that it can be
 * read. */
enum { HELLO_FAILED_INCOMPATIBLE = 0 << 16 | 0, BAD_REQUEST_BAD_VERSION = 1 << 16 | 0 };

static void
put_version_error(struct bytes *b, uint8_t version, uint32_t xid, uint32_t error, const void *data, size_t n)
{
    size_t start = msg_start(b, MSG_ERROR, OF10, xid);

    bytes_put_be32(b, error);
    bytes_put(b, data, n);
    msg_finish(b, start);
    b->data[start] = version;
}

static void
put_incompatible(struct bytes *b, const struct of_conn *c, uint32_t theirs, uint32_t xid)
{
    char *versions = versions_text(c, "We support", "you support", theirs);
    char *text = xasprintf("%s, no common versions.", versions);

    put_version_error(b, of_versions_highest(theirs), xid, HELLO_FAILED_INCOMPATIBLE, text, strlen(text));
    free(text);
    free(versions);
}

static void
refuse_versions(struct of_conn *c, uint32_t theirs, uint32_t xid)
{
    char *versions = versions_text(c, "we support", "peer supports", theirs);
    struct bytes b = BYTES_INIT;

    c->hello_failure = xasprintf("version negotiation failed (%s)", versions);
    free(versions);
    log_warn_rl(&limit, "%s: %s", c->name, c->hello_failure);
    put_incompatible(&b, c, theirs, xid);
    of_conn_send(c, &b);
    flush(c);
    if (c->accepted && !c->broken) {
        c->state = STATE_REFUSED;
        loop_timer_set(&c->refused_timer, clock_now_ms() + REFUSED_MS);
    } else {
        fail(c, -EPROTO);
    }
}

static void
on_refused_timer(struct loop_timer *t)
{
    fail(t->aux, -EPROTO);
}

static void
log_negotiated(const struct of_conn *c, uint32_t theirs)
{
    if (log_this.max >= LOG_LEVEL_DBG) {
        char *versions = versions_text(c, "we support", "peer supports", theirs);

        log_dbg("%s: negotiated OpenFlow version 0x%02x (%s)", c->name, c->version, versions);
        free(versions);
    }
}

static void
take_hello(struct of_conn *c, const uint8_t *p, size_t len)
{
    struct msg m;
    bool clean;
    uint32_t theirs;

    if (p[1] != 0 || msg_decode(p, len, &m)) {
        c->hello_failure =
            xasprintf("received OpenFlow message of type %u (version 0x%02x) while expecting hello", p[1], p[0]);
        log_warn_rl(&limit, "%s: %s", c->name, c->hello_failure);
        fail(c, -EPROTO);
        return;
    }
    theirs = hello_decode(&m, &clean);
    if (!clean) {
        log_warn_rl(&limit, "%s: unknown data in hello", c->name);
    }
    c->version = hello_negotiate(c->versions, theirs);
    if (!c->version) {
        refuse_versions(c, theirs, m.xid);
        return;
    }
    log_negotiated(c, theirs);
    c->state = STATE_OPEN;
    if (c->ops->open) {
        c->ops->open(c, c->aux);
    }
}

/* Reading. */

static void
answer_echo(struct of_conn *c, const uint8_t *p, size_t len)
{
    struct bytes b = BYTES_INIT;

    bytes_put(&b, p, len);
    b.data[1] = 3; /* OFPT_ECHO_REPLY. */
    of_conn_send(c, &b);
}

static void
refuse_version(struct of_conn *c, const uint8_t *p, size_t len)
{
    struct bytes b = BYTES_INIT;

    log_err_rl(&limit, "%s: received OpenFlow version 0x%02x != expected %02x", c->name, p[0], c->version);
    put_version_error(&b, of_version_to_answer(p[0]), get_be32(p + 4), BAD_REQUEST_BAD_VERSION, p,
                      MIN(len, (size_t) MSG_MAX - MSG_HEADER - 4));
    of_conn_send(c, &b);
}

static void
take_message(struct of_conn *c, const uint8_t *p, size_t len)
{
    c->n_received++;
    log_messages(c, "received", p, len);
    if (c->tap) {
        c->tap(p, len, c->tap_aux);
    }
    if (c->state == STATE_HELLO) {
        take_hello(c, p, len);
    } else if (c->raw) {
        c->ops->message(c, p, len, c->aux);
    } else if (p[0] != c->version && p[1] > 3) { /* No hello, error or echo: those may have any. */
        refuse_version(c, p, len);
    } else if (p[1] == 2) {
        answer_echo(c, p, len);
    } else {
        c->ops->message(c, p, len, c->aux);
    }
}

/* When a connection that begins now has to leave the others their turn. */
static int64_t
deliver_until_us(const struct of_conn *c)
{
    int64_t now = clock_real_us(), share = MIN(DELIVER_US, LOOP_SLICE_US / MAX(n_behind, 1));
    int64_t end_of_turn = loop_turn_began_us(c->loop) + LOOP_SLICE_US;

    return MAX(MIN(now + share, end_of_turn), now + DELIVER_LEAST_US);
}

/* Hands on what is complete, as far as there is time for it, unless a rest waits for the next turn. */
static void
deliver(struct of_conn *c)
{
    int64_t until = 0; /* Not known yet. */
    size_t at = 0;

    if (c->state == STATE_REFUSED) {
        bytes_clear(&c->in);
        return;
    }
    while (!c->dead && !c->aborted && !c->is_behind && c->state < STATE_REFUSED && c->in.len - at >= MSG_HEADER) {
        size_t len = msg_stated_length(c->in.data + at);

        if (len < MSG_HEADER) {
            log_err_rl(&limit, "%s: received too-short ofp_header (%zu bytes)", c->name, len);
            fail(c, -EPROTO);
            return;
        }
        if (c->in.len - at < len || (!c->reading && c->state == STATE_OPEN)) {
            break;
        }
        if (!until) {
            until = deliver_until_us(c);
        } else if (clock_real_us() >= until) {
            set_behind(c, true);
            break;
        }
        take_message(c, c->in.data + at, len);
        at += len;
    }
    if (!c->dead && at) {
        bytes_pull(&c->in, at);
    }
}

static int
read_end_error(const struct of_conn *c, ssize_t n)
{
    if (c->state == STATE_REFUSED) {
        return -EPROTO;
    }
    return n ? (int) n : c->in.len ? -EPROTO : c->broken ? c->broken : c->state == STATE_HELLO ? -ECONNRESET : 0;
}

static void
read_some(struct of_conn *c)
{
    ssize_t n;

    c->may_read = c->is_behind;
    if (c->is_behind || (!c->reading && c->state != STATE_HELLO)) {
        return;
    }
    bytes_reserve(&c->in, READ_SIZE);
    n = stream_read(c->stream, c->in.data + c->in.len, READ_SIZE);
    if (n == -EAGAIN) {
        return;
    }
    if (n <= 0) {
        fail(c, read_end_error(c, n));
        return;
    }
    c->in.len += n;
    deliver(c);
}

static void
on_rest(struct loop_task *task)
{
    struct of_conn *c = task->aux;

    enter(c);
    set_behind(c, false);
    deliver(c);
    if (!c->dead && c->stream && c->may_read) {
        read_some(c);
    }
    if (!c->dead) {
        update_wants(c);
    }
    leave(c);
}

static void
stream_is_open(struct of_conn *c)
{
    c->state = STATE_HELLO;
    say_hello(c);
    flush(c);
}

static void
stream_event(struct stream *stream UNUSED, int events, void *c_)
{
    struct of_conn *c = c_;

    enter(c);
    if (c->state == STATE_CONNECTING) {
        int status = stream_status(c->stream);

        if (!status) {
            stream_is_open(c);
        } else if (status != -EINPROGRESS) {
            fail(c, status);
        }
    }
    if (!c->dead && c->stream && events & LOOP_WRITE && c->state >= STATE_HELLO) {
        may_write(c);
    }
    if (!c->dead && c->stream && events & LOOP_READ && c->state >= STATE_HELLO) {
        read_some(c);
    }
    if (!c->dead) {
        update_wants(c);
    }
    leave(c);
}

static void
work_cb(struct loop_task *task)
{
    struct of_conn *c = task->aux;

    enter(c);
    if (c->aborted) {
        fail(c, c->broken);
    } else {
        if (c->state == STATE_OPEN) {
            deliver(c);
        }
        if (!c->dead) {
            flush(c);
        }
    }
    leave(c);
}

/* Life. */

static struct of_conn *
create(struct loop *loop, const char *name, uint32_t versions, int flags, const struct of_conn_ops *ops, void *aux)
{
    struct of_conn *c = xzalloc(sizeof *c);

    c->loop = loop;
    c->name = xstrdup(name);
    c->state = STATE_CONNECTING;
    c->versions = versions ? versions : 1u << OF10;
    c->raw = flags & OF_CONN_RAW;
    c->reading = true;
    c->ops = ops;
    c->aux = aux;
    loop_task_init(loop, &c->work, work_cb, c);
    loop_task_init(loop, &c->rest, on_rest, c);
    loop_timer_init(loop, &c->refused_timer, on_refused_timer, c);
    return c;
}

int
of_conn_open(struct loop *loop, const char *target, uint32_t versions, int flags, const struct of_conn_ops *ops,
             void *aux, struct of_conn **cp)
{
    struct of_conn *c = create(loop, target, versions, flags, ops, aux);
    int error = stream_open(loop, target, STREAM_PORT_OPENFLOW, stream_event, c, &c->stream);

    *cp = error ? NULL : c;
    if (error) {
        release(c);
    }
    return error;
}

/* An accepted stream may be in its handshake still: then the stream tells when it is open. */
struct of_conn *
of_conn_accept(struct loop *loop, struct stream *stream, uint32_t versions, int flags, const struct of_conn_ops *ops,
               void *aux)
{
    struct of_conn *c = create(loop, stream_name(stream), versions, flags, ops, aux);

    c->stream = stream;
    c->accepted = true;
    stream_set_callback(stream, stream_event, c);
    if (!stream_status(stream)) {
        c->state = STATE_HELLO;
        say_hello(c);
    }
    update_wants(c);
    return c;
}

void
of_conn_close(struct of_conn *c)
{
    if (!c || c->dead) {
        return;
    }
    close_stream(c);
    if (c->busy) {
        c->dead = true;
    } else {
        release(c);
    }
}

void
of_conn_finish(struct of_conn *c)
{
    if (c->state == STATE_CLOSED) {
        return;
    }
    c->finishing = true;
    c->reading = false;
    loop_task_post(&c->work);
    if (!of_conn_queued(c)) {
        enter(c);
        fail(c, 0);
        leave(c);
    }
}

void
of_conn_set_reading(struct of_conn *c, bool on)
{
    if (c->reading == on || c->state == STATE_CLOSED || c->finishing) {
        return;
    }
    c->reading = on;
    if (on) {
        loop_task_post(&c->work);
    }
    update_wants(c);
}

int
of_conn_version(const struct of_conn *c)
{
    return c->version;
}

const char *
of_conn_name(const struct of_conn *c)
{
    return c->name;
}

struct stream *
of_conn_stream(struct of_conn *c)
{
    return c->stream;
}

uint64_t
of_conn_n_sent(const struct of_conn *c)
{
    return c->n_sent;
}

uint64_t
of_conn_n_received(const struct of_conn *c)
{
    return c->n_received;
}

const char *
of_conn_hello_failure(const struct of_conn *c)
{
    return c->hello_failure;
}
