#include "ofproto/multipart.h"

#include <stdlib.h>

#include "ofproto/conns.h"
#include "sys/log.h"

LOG_MODULE(ofp_msgs)

/* Bytes of requests whose parts wait for others. */
#define MAX_BYTES (64 * 1024 * 1024)

static void
set_timer(struct ofconn *c)
{
    int64_t due = msg_assembler_due(&c->assembler);

    if (due == INT64_MAX) {
        loop_timer_cancel(&c->parts_timer);
    } else {
        loop_timer_set(&c->parts_timer, due);
    }
}

static void
on_timer(struct loop_timer *t)
{
    struct ofconn *c = t->aux;
    struct bytes part, out = BYTES_INIT;
    struct msg m;

    while (msg_assembler_give_up(&c->assembler, clock_now_ms(), &part)) {
        if (!msg_decode_partial(part.data, part.len, &m)) {
            ofconn_refuse(c, &m, OFPERR_OFPBRC_MULTIPART_REQUEST_TIMEOUT, &out);
        }
        bytes_uninit(&part);
    }
    ofconn_send(c, &out);
    bytes_uninit(&out);
    set_timer(c);
}

void
multipart_init(struct ofconn *c)
{
    msg_assembler_init(&c->assembler, MAX_BYTES);
    loop_timer_init(ofproto_loop, &c->parts_timer, on_timer, c);
}

void
multipart_uninit(struct ofconn *c)
{
    loop_timer_cancel(&c->parts_timer);
    msg_assembler_uninit(&c->assembler);
}

static bool
is_stats_request(const struct msg *m)
{
    return msg_class_is_stats(m->wire->class) && !msg_class_is_reply(m->wire->class);
}

enum ofperr
multipart_decode(const struct ofconn *c, const void *data, size_t len, struct msg *m)
{
    static struct log_limit limit = LOG_LIMIT_INIT(5, 60);
    char *why = NULL;
    enum ofperr error = msg_decode_why(data, len, m, &why);

    if (error == OFPERR_OFPBRC_BAD_LEN && !msg_decode_partial(data, len, m) && is_stats_request(m) &&
        msg_assembler_takes_empty(&c->assembler, m)) {
        error = OFPERR_NONE;
    } else if (why) {
        log_warn_rl(&limit, "%s", why);
    }
    free(why);
    return error;
}

bool
multipart_take(struct ofconn *c, const struct msg *m, struct msg *whole, enum ofperr *error)
{
    bool there = true;

    if (is_stats_request(m)) {
        there = msg_assembler_add(&c->assembler, m, clock_now_ms(), whole, error);
        set_timer(c);
    } else {
        *whole = *m;
        *error = OFPERR_NONE;
    }
    return there;
}
