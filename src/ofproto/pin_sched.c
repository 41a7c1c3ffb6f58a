#include "ofproto/pin_sched.h"

#include <stdlib.h>

enum { TOKEN = 1000 };

struct waiting {
    struct list node;
    struct bytes msg;
};

struct pin_port {
    struct list node;    /* In pin_sched.turns. */
    ofp_port port;
    struct list waiting; /* struct waiting, oldest first. */
    size_t n;
};

void
pin_sched_init(struct pin_sched *s)
{
    *s = (struct pin_sched) { 0 };
    list_init(&s->turns);
}

/* The oldest message of the port, which must have one. */
static void
take(struct pin_sched *s, struct pin_port *p, struct bytes *msg)
{
    struct waiting *w = CONTAINER_OF(list_pop_front(&p->waiting), struct waiting, node);

    *msg = w->msg;
    free(w);
    s->n_queued--;
    if (!--p->n) {
        list_remove(&p->node);
        free(p);
    }
}

static void
drop_all(struct pin_sched *s)
{
    while (!list_is_empty(&s->turns)) {
        struct bytes msg;

        take(s, CONTAINER_OF(s->turns.next, struct pin_port, node), &msg);
        bytes_uninit(&msg);
    }
}

void
pin_sched_uninit(struct pin_sched *s)
{
    drop_all(s);
}

void
pin_sched_configure(struct pin_sched *s, int rate, int burst, int64_t now)
{
    burst = burst ? burst : rate / 4;
    burst = MAX(burst, 1);
    if (s->rate != rate || (rate && s->burst != burst)) {
        drop_all(s);
        pin_sched_init(s);
        s->rate = rate;
        s->burst = burst;
        s->tokens = (int64_t) burst * TOKEN;
        s->last_fill = now;
    }
}

static bool
take_token(struct pin_sched *s, int64_t now)
{
    if (now > s->last_fill) {
        s->tokens = MIN(s->tokens + (now - s->last_fill) * s->rate, (int64_t) s->burst * TOKEN);
        s->last_fill = now;
    }
    if (s->tokens < TOKEN) {
        return false;
    }
    s->tokens -= TOKEN;
    return true;
}

static struct pin_port *
find_port(struct pin_sched *s, ofp_port port)
{
    struct pin_port *p;

    LIST_FOR_EACH (old, struct pin_port, node, &s->turns) {
        if (old->port == port) {
            return old;
        }
    }
    p = xzalloc(sizeof *p);
    p->port = port;
    list_init(&p->waiting);
    list_push_back(&s->turns, &p->node);
    return p;
}

static void
drop_of_longest(struct pin_sched *s)
{
    struct pin_port *longest = NULL;
    struct bytes msg;

    LIST_FOR_EACH (p, struct pin_port, node, &s->turns) {
        if (!longest || p->n > longest->n) {
            longest = p;
        }
    }
    take(s, longest, &msg);
    bytes_uninit(&msg);
    s->n_dropped++;
}

bool
pin_sched_submit(struct pin_sched *s, int64_t now, ofp_port port, struct bytes *msg)
{
    struct pin_port *p;
    struct waiting *w;

    if (!s->rate) {
        return true;
    }
    if (!s->n_queued && take_token(s, now)) {
        s->n_bypassed++;
        return true;
    }
    if (s->n_queued >= (size_t) s->burst) {
        drop_of_longest(s);
    }
    p = find_port(s, port);
    w = xmalloc(sizeof *w);
    w->msg = *msg;
    bytes_init(msg);
    list_push_back(&p->waiting, &w->node);
    p->n++;
    s->n_queued++;
    s->n_ever_queued++;
    return false;
}

bool
pin_sched_pop(struct pin_sched *s, int64_t now, struct bytes *msg)
{
    struct pin_port *p;

    if (!s->n_queued || !take_token(s, now)) {
        return false;
    }
    p = CONTAINER_OF(list_pop_front(&s->turns), struct pin_port, node);
    list_push_back(&s->turns, &p->node);
    take(s, p, msg);
    return true;
}

int64_t
pin_sched_due(const struct pin_sched *s)
{
    int64_t lacking = TOKEN - s->tokens;

    if (!s->n_queued) {
        return INT64_MAX;
    }
    return s->last_fill + (lacking > 0 ? (lacking + s->rate - 1) / s->rate : 0);
}
