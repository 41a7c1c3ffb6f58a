#include "openflow/client.h"

#include <errno.h>
#include <stdlib.h>

/* More queued output than this makes of_client_send() wait. */
#define MAX_QUEUED (1024 * 1024)
/* Bytes of messages that are taken from the peer before they are asked for: while the caller works on one, the peer
 * prepares the next. */
#define READ_AHEAD (512 * 1024)

struct of_client {
    struct loop *loop;
    struct of_conn *conn;
    struct bytes in; /* Messages one after the other, from 'in_done' on. */
    size_t in_done;
    bool open, closed;
    int error;
    void (*notify)(struct of_client *, void *);
    void *notify_aux;
};

static void
notify(struct of_client *c)
{
    if (c->notify) {
        c->notify(c, c->notify_aux);
    }
}

static void
opened(struct of_conn *conn UNUSED, void *c_)
{
    struct of_client *c = c_;

    c->open = true;
}

static void
message(struct of_conn *conn UNUSED, const uint8_t *p, size_t len, void *c_)
{
    struct of_client *c = c_;

    if (c->in_done > READ_AHEAD) {
        bytes_pull(&c->in, c->in_done);
        c->in_done = 0;
    }
    bytes_put(&c->in, p, len);
    notify(c);
}

static void
closed(struct of_conn *conn UNUSED, int error, void *c_)
{
    struct of_client *c = c_;

    c->closed = true;
    c->error = error ? error : -ECONNRESET;
    notify(c);
}

static const struct of_conn_ops ops = { opened, message, closed, NULL };

int
of_client_open(struct loop *loop, const char *target, uint32_t versions, int flags, struct of_client **cp)
{
    struct of_client *c = xzalloc(sizeof *c);
    int error;

    c->loop = loop;
    error = of_conn_open(loop, target, versions, flags, &ops, c, &c->conn);
    while (!error && !c->open && !c->closed) {
        loop_run_once(loop, true);
    }
    if (!error && c->closed) {
        error = c->error;
    }
    if (error) {
        of_client_close(c);
        c = NULL;
    }
    *cp = c;
    return error;
}

void
of_client_close(struct of_client *c)
{
    if (c) {
        of_conn_close(c->conn);
        bytes_uninit(&c->in);
        free(c);
    }
}

enum of_version
of_client_version(const struct of_client *c)
{
    return of_conn_version(c->conn);
}

const char *
of_client_name(const struct of_client *c)
{
    return of_conn_name(c->conn);
}

static int
wait_for_queue(struct of_client *c, size_t max)
{
    while (!c->closed && of_conn_queued(c->conn) > max) {
        loop_run_once(c->loop, true);
    }
    return c->closed ? c->error : 0;
}

int
of_client_send(struct of_client *c, struct bytes *messages)
{
    if (c->closed) {
        bytes_uninit(messages);
        return c->error;
    }
    of_conn_send(c->conn, messages);
    return wait_for_queue(c, MAX_QUEUED);
}

void
of_client_poll(struct of_client *c)
{
    if (!c->closed) {
        loop_run_once(c->loop, false);
    }
}

int
of_client_flush(struct of_client *c)
{
    return wait_for_queue(c, 0);
}

int
of_client_try_recv(struct of_client *c, struct bytes *m)
{
    const uint8_t *p = c->in.data + c->in_done;
    size_t len;

    if (c->in_done == c->in.len) {
        return c->closed ? c->error : -EAGAIN;
    }
    len = msg_stated_length(p);
    bytes_clear(m);
    bytes_put(m, p, len);
    c->in_done += len;
    if (c->in_done == c->in.len) {
        c->in_done = 0;
        bytes_clear(&c->in);
    }
    return 0;
}

/* Takes what has come meanwhile, so that the peer is not held up by a full socket. */
static void
read_ahead(struct of_client *c)
{
    size_t before, now = c->in.len - c->in_done;

    do {
        before = now;
        of_client_poll(c);
        now = c->in.len - c->in_done;
    } while (now > before && now < READ_AHEAD);
}

int
of_client_recv(struct of_client *c, struct bytes *m)
{
    int error;

    if (c->in.len - c->in_done < READ_AHEAD) {
        read_ahead(c);
    }
    while ((error = of_client_try_recv(c, m)) == -EAGAIN) {
        loop_run_once(c->loop, true);
    }
    return error;
}

void
of_client_notify(struct of_client *c, void (*cb)(struct of_client *, void *), void *aux)
{
    c->notify = cb;
    c->notify_aux = aux;
}

bool
of_client_is_closed(const struct of_client *c, int *error)
{
    if (c->closed) {
        *error = c->error;
    }
    return c->closed;
}
