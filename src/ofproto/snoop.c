/* BRIDGE.snoop: who connects there hears what is said between the switch and one of its controllers.
 *
 * Which one is chosen when the snooper connects: a master, else one of equal rights, else any.  What is said goes to
 * the snooper as it is, but for what it is too slow to read. */
#include <stdlib.h>

#include "ofproto/conns_private.h"
#include "sys/log.h"

LOG_MODULE(connmgr)

enum { MAX_BACKLOG = 1024 * 1024 };

struct snooper {
    struct list node; /* In controller->snoopers. */
    struct controller *controller;
    struct of_conn *transport;
};

static void
destroy(struct snooper *s)
{
    list_remove(&s->node);
    if (list_is_empty(&s->controller->snoopers)) {
        of_session_set_tap(s->controller->session, NULL, NULL);
    }
    of_conn_close(s->transport);
    free(s);
}

void
snoop_end(struct controller *c)
{
    LIST_FOR_EACH_SAFE (s, struct snooper, node, &c->snoopers) {
        destroy(s);
    }
}

static void
on_tap(const uint8_t *messages, size_t len, void *c_)
{
    struct controller *c = c_;

    LIST_FOR_EACH (s, struct snooper, node, &c->snoopers) {
        struct bytes b = BYTES_INIT;

        if (of_conn_queued(s->transport) + len <= MAX_BACKLOG) {
            bytes_put(&b, messages, len);
            of_conn_send(s->transport, &b);
        }
        bytes_uninit(&b);
    }
}

/* Snoopers have nothing to say. */
static void
on_message(struct of_conn *transport UNUSED, const uint8_t *data UNUSED, size_t len UNUSED, void *s UNUSED)
{
}

static void
on_closed(struct of_conn *transport UNUSED, int error UNUSED, void *s)
{
    destroy(s);
}

static const struct of_conn_ops ops = { NULL, on_message, on_closed, NULL };

static int
rank(const struct controller *c)
{
    return !c->ofconn || c->config.is_service ? 0
           : c->ofconn->role == ROLE_PRIMARY ? 3 : c->ofconn->role == ROLE_SECONDARY ? 1 : 2;
}

void
snoop_accept(struct conns *cs, struct stream *stream)
{
    struct controller *best = NULL;
    struct snooper *s;

    LIST_FOR_EACH (c, struct controller, node, &cs->controllers) {
        if (rank(c) > (best ? rank(best) : 0)) {
            best = c;
        }
    }
    if (!best) {
        log_info("no controller connection to snoop");
        stream_close(stream); /* There is nothing to listen to. */
        return;
    }
    s = xzalloc(sizeof *s);
    s->controller = best;
    s->transport = of_conn_accept(ofproto_loop, stream, OF_VERSIONS_ALL, OF_CONN_RAW, &ops, s);
    list_push_back(&best->snoopers, &s->node);
    of_session_set_tap(best->session, on_tap, best);
}
