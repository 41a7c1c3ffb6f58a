#include "openflow/msg/queue.h"

#include <stdlib.h>

#include "openflow/print/private.h"

enum ofperr
print_queue_request(struct printer *p, const struct msg *m)
{
    struct queue_request r;
    enum ofperr error = queue_stats_request_decode(m, &r);

    if (error) {
        return error;
    }
    str_puts(p->s, " port=");
    print_port(p, r.port);
    if (r.queue == QUEUE_ALL) {
        str_puts(p->s, " queue=ALL");
    } else {
        str_putf(p->s, " queue=%u", r.queue);
    }
    return OFPERR_NONE;
}

static void
put_stats(struct printer *p, const struct queue_stats *qs)
{
    str_puts(p->s, "  port ");
    print_port(p, qs->port);
    str_putf(p->s, " queue %u: bytes=", qs->queue);
    print_counter(p->s, qs->tx_bytes);
    str_puts(p->s, ", pkts=");
    print_counter(p->s, qs->tx_packets);
    str_puts(p->s, ", errors=");
    print_counter(p->s, qs->tx_errors);
    str_puts(p->s, ", duration=");
    if (qs->duration_sec == UINT32_MAX) {
        str_puts(p->s, "?\n");
    } else {
        print_duration(p->s, qs->duration_sec, qs->duration_nsec);
        str_puts(p->s, "s\n");
    }
}

static size_t
count_stats(const struct msg *m)
{
    struct cursor c = m->body;
    struct queue_stats qs;
    size_t n = 0;

    while (c.left && !queue_stats_take(&c, m->version, &qs)) {
        n++;
    }
    return n;
}

enum ofperr
print_queue_reply(struct printer *p, const struct msg *m)
{
    struct cursor c = m->body;
    enum ofperr error = OFPERR_NONE;

    str_putf(p->s, " %zu queues\n", count_stats(m));
    while (p->verbosity >= 1 && c.left && !error) {
        struct queue_stats qs;

        error = queue_stats_take(&c, m->version, &qs);
        if (!error) {
            put_stats(p, &qs);
        }
    }
    return error;
}

enum ofperr
print_queue_config_request(struct printer *p, const struct msg *m)
{
    struct queue_request r;
    enum ofperr error = queue_config_request_decode(m, &r);

    if (!error) {
        str_puts(p->s, " port=");
        print_port(p, r.port);
        if (r.queue != QUEUE_ALL) {
            str_putf(p->s, " queue=%u", r.queue);
        }
    }
    return error;
}

static void
put_rate(struct str *s, const char *name, uint16_t rate)
{
    if (rate == QUEUE_RATE_UNSET) {
        return;
    }
    str_putf(s, " %s:", name);
    if (rate <= 1000) {
        str_putf(s, "%u.%u%%", rate / 10, rate % 10);
    } else {
        str_puts(s, "(disabled)");
    }
}

static void
put_config(struct str *s, const struct queue_config *q)
{
    str_putf(s, "queue %u:", q->queue);
    put_rate(s, "min_rate", q->min_rate);
    put_rate(s, "max_rate", q->max_rate);
    str_putc(s, '\n');
}

static int
compare_configs(const void *a_, const void *b_)
{
    const struct queue_config *a = a_, *b = b_;
    uint32_t pa = ofp_to_u32(a->port), pb = ofp_to_u32(b->port);

    return pa != pb ? (pa < pb ? -1 : 1) : a->queue != b->queue ? (a->queue < b->queue ? -1 : 1) : 0;
}

/* In the order of ports and queues, with a line for each port; before 1.4 the message's port counts. */
enum ofperr
print_queue_config_reply(struct printer *p, const struct msg *m)
{
    struct queue_config *configs = NULL;
    size_t n = 0, capacity = 0;
    struct cursor c;
    ofp_port port;
    enum ofperr error = queue_config_reply_begin(m, &c, &port);

    while (!error && c.left) {
        if (n == capacity) {
            configs = x2nrealloc(configs, &capacity, sizeof *configs);
        }
        error = queue_config_take(&c, m->version, &configs[n]);
        if (!error && m->version < OF14) {
            configs[n].port = port;
        }
        n += !error;
    }
    if (!error && n) {
        qsort(configs, n, sizeof *configs, compare_configs);
    }
    str_putc(p->s, ' ');
    if (!error && !n && m->version < OF14) {
        str_puts(p->s, "port=");
        print_port(p, port);
        str_putc(p->s, '\n');
    }
    for (size_t i = 0; !error && i < n; i++) {
        if (!i || ofp_to_u32(configs[i].port) != ofp_to_u32(configs[i - 1].port)) {
            str_puts(p->s, "port=");
            print_port(p, configs[i].port);
            str_putc(p->s, '\n');
        }
        put_config(p->s, &configs[i]);
    }
    free(configs);
    return error;
}
