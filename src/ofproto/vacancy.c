#include "ofproto/vacancy.h"

#include <limits.h>
#include <stdlib.h>

#include "ofproto/conns_private.h"

/* An event that is still to be sent. */
struct table_event {
    struct list node; /* In ofproto->table_events. */
    struct table_status status;
};

/* Per cent of the table that is free, rounded down: one flow in a table without a limit leaves 99. */
static uint8_t
vacancy_of(const struct table_state *t)
{
    unsigned int room = t->max_flows;

    return t->n_flows >= room ? 0 : (uint64_t) (room - t->n_flows) * 100 / room;
}

void
vacancy_describe(const struct ofproto *p, uint8_t table_id, struct table_desc *d)
{
    const struct table_state *t = &p->tables[table_id];

    *d = (struct table_desc) {
        .table_id = table_id, .eviction = t->of_evict,
        .eviction_flags = TABLE_EVICT_OTHER | TABLE_EVICT_IMPORTANCE | TABLE_EVICT_LIFETIME,
        .vacancy = t->vacancy, .vacancy_down = t->vacancy_down, .vacancy_up = t->vacancy_up,
        .vacancy_now = vacancy_of(t),
    };
}

void
vacancy_configure(struct ofproto *p, uint8_t table_id, bool on, uint8_t down, uint8_t up)
{
    struct table_state *t = &p->tables[table_id];

    if (!t->vacancy) {
        t->vacancy_is_low = vacancy_of(t) < down;
    }
    t->vacancy = on;
    t->vacancy_down = down;
    t->vacancy_up = up;
}

void
vacancy_note(struct ofproto *p, uint8_t table_id)
{
    struct table_state *t = &p->tables[table_id];
    uint8_t now = t->vacancy ? vacancy_of(t) : 0;
    struct table_event *e;

    if (!t->vacancy || (t->vacancy_is_low ? now <= t->vacancy_up : now >= t->vacancy_down)) {
        return;
    }
    e = xzalloc(sizeof *e);
    e->status.reason = t->vacancy_is_low ? TABLE_REASON_VACANCY_UP : TABLE_REASON_VACANCY_DOWN;
    t->vacancy_is_low = !t->vacancy_is_low;
    vacancy_describe(p, table_id, &e->status.desc);
    list_push_back(&p->table_events, &e->node);
    loop_wake_signal(&p->removed_wake);
}

static void
send(struct ofproto *p, const struct table_status *status)
{
    LIST_FOR_EACH (c, struct ofconn, node, &p->conns->ofconns) {
        if (c->version >= OF14 && ofconn_wants(c, ASYNC_TABLE_STATUS, status->reason)) {
            struct bytes b = BYTES_INIT;

            table_status_encode(&b, c->version, status);
            ofconn_send(c, &b);
            bytes_uninit(&b);
        }
    }
}

void
vacancy_flush(struct ofproto *p)
{
    struct list all;

    list_init(&all);
    pthread_mutex_lock(&p->tables_mutex);
    list_splice(&all, &p->table_events);
    pthread_mutex_unlock(&p->tables_mutex);
    LIST_FOR_EACH_SAFE (e, struct table_event, node, &all) {
        if (p->conns) {
            send(p, &e->status);
        }
        free(e);
    }
}
