/* What controllers are told without having asked: of ports, flows and packets. */
#include <stdlib.h>

#include "flow/tun_metadata.h"
#include "ofproto/conns_private.h"
#include "ofproto/group.h"
#include "ofproto/recirc.h"
#include "ofproto/resume.h"
#include "openflow/msg/flow.h"
#include "openflow/msg/group.h"
#include "openflow/msg/meter.h"
#include "openflow/msg/packet.h"

enum { MAX_QUEUED_PACKET_INS = 4096 };

/* Asynchronous messages. */

void
conns_send_port_status(struct conns *cs, const struct ofport *o, enum port_reason reason, enum of_version last)
{
    struct port_status ps = { .reason = reason };

    if (!cs) {
        return;
    }
    ofport_describe(o, &ps.desc);
    LIST_FOR_EACH (c, struct ofconn, node, &cs->ofconns) {
        if (c->version <= last && ofconn_wants(c, ASYNC_PORT_STATUS, reason)) {
            struct bytes b = BYTES_INIT;

            port_status_encode(&b, c->version, &ps);
            ofconn_send(c, &b);
            bytes_uninit(&b);
        }
    }
}

void
conns_send_flow_removed(struct conns *cs, const struct rule *rule, uint8_t reason, int64_t when)
{
    int64_t age = when - rule->created;
    struct flow_removed fr = {
        .cookie = be64_to_cpu(rule->cookie), .priority = rule->cr.priority,
        .idle_timeout = atomic_load(&rule->idle_timeout), .hard_timeout = atomic_load(&rule->hard_timeout),
        .reason = reason, .table_id = rule->table_id, .duration_sec = age / 1000,
        .duration_nsec = age % 1000 * 1000000, .n_packets = atomic_load(&rule->n_packets),
        .n_bytes = atomic_load(&rule->n_bytes),
    };

    cls_rule_get_match(&rule->cr, &fr.match);
    tun_match_unbind(xbridge_options_rcu(&rule->ofproto->xb), &fr.match);
    LIST_FOR_EACH (c, struct ofconn, node, &cs->ofconns) {
        if (ofconn_wants(c, ASYNC_FLOW_REMOVED, reason)) {
            struct bytes b = BYTES_INIT;

            flow_removed_encode(&b, c->protocol, &fr);
            ofconn_send(c, &b);
            bytes_uninit(&b);
        }
    }
}

/* Requests of others. */

/* The request in the form of 'v'; false if that version has none. */
static bool
put_request(struct bytes *b, enum of_version v, const struct msg *m)
{
    bool done = false;

    if (m->type == MSG_GROUP_MOD) {
        struct group_mod gm;

        if (!group_mod_decode(m, &gm)) {
            group_mod_number_buckets(&gm);
            done = group_mod_encode(b, v, m->xid, &gm);
            group_mod_uninit(&gm);
        }
    } else if (v >= OF13) {
        struct meter_mod mm;

        if (!meter_mod_decode(m, &mm)) {
            meter_mod_state_bursts(&mm);
            done = meter_mod_encode(b, v, m->xid, &mm);
            meter_mod_uninit(&mm);
        }
    }
    return done;
}

void
conns_forward_request(struct ofconn *c, const struct msg *m)
{
    unsigned int reason = m->type == MSG_METER_MOD;

    if (m->type != MSG_GROUP_MOD && m->type != MSG_METER_MOD) {
        return;
    }
    LIST_FOR_EACH (other, struct ofconn, node, &c->ofproto->conns->ofconns) {
        struct bytes b = BYTES_INIT;

        if (other != c && ofconn_wants(other, ASYNC_REQUESTFORWARD, reason)) {
            size_t start = msg_start(&b, MSG_REQUESTFORWARD, other->version, 0);

            if (put_request(&b, other->version, m) && msg_finish(&b, start)) {
                ofconn_send(other, &b);
            }
        }
        bytes_uninit(&b);
    }
}

/* Packet-ins. */

/* Packet-ins on their way from the workers to the main loop. */
struct queued_packet_in {
    struct list node;
    struct conns_packet_in pin;
};

static pthread_mutex_t queue_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct list queue = LIST_INIT(&queue); /* Guarded by the mutex, like its length. */
static size_t queue_len;
static struct loop_wake queue_wake;
static uint64_t n_queue_drops;

static void
free_queued(struct queued_packet_in *q)
{
    bytes_uninit(&q->pin.frame);
    recirc_unref(q->pin.state);
    free(q);
}

void
conns_queue_packet_in(const struct conns_packet_in *pin)
{
    struct queued_packet_in *q = xzalloc_cacheline(sizeof *q);
    bool first;

    q->pin = *pin;
    pthread_mutex_lock(&queue_mutex);
    if (queue_len >= MAX_QUEUED_PACKET_INS) {
        n_queue_drops++;
        pthread_mutex_unlock(&queue_mutex);
        free_queued(q);
        return;
    }
    first = !queue_len++;
    list_push_back(&queue, &q->node);
    pthread_mutex_unlock(&queue_mutex);
    if (first) {
        loop_wake_signal(&queue_wake);
    }
}

/* The bridge may be gone by the time the message is looked at. */
static struct conns *
conns_of(const struct xbridge *bridge)
{
    HMAP_FOR_EACH (p, struct ofproto, node, &all_ofprotos) {
        if (&p->xb == bridge) {
            return p->conns;
        }
    }
    return NULL;
}

static void
set_exact(struct match *m, enum field_id id, const struct flow *flow)
{
    union field_value v;

    field_get(field_of(id), flow, &v);
    match_set(m, field_of(id), &v);
}

/* The original direction of a connection, whose fields mean something beside an Ethernet type. */
static void
set_conntrack(struct match *m, const struct flow *flow)
{
    bool is_ipv4 = flow->eth_type == BE16(0x0800);

    if (!flow->ct_state) {
        return;
    }
    set_exact(m, FIELD_ETH_TYPE, flow);
    if (flow->ct_nw_proto && flow_is_ip(flow)) {
        set_exact(m, is_ipv4 ? FIELD_CT_NW_SRC : FIELD_CT_IPV6_SRC, flow);
        set_exact(m, is_ipv4 ? FIELD_CT_NW_DST : FIELD_CT_IPV6_DST, flow);
        set_exact(m, FIELD_CT_NW_PROTO, flow);
        set_exact(m, FIELD_CT_TP_SRC, flow);
        set_exact(m, FIELD_CT_TP_DST, flow);
    }
}

/* Only what is not in the packet: registers, metadata, the port, marks, the tunnel, the connection. */
static void
make_metadata(const struct flow *flow, const struct tun_map *options, struct match *m)
{
    static const enum field_id always[] = {
        FIELD_TUN_ID, FIELD_TUN_SRC, FIELD_TUN_DST, FIELD_METADATA, FIELD_PKT_MARK, FIELD_CT_STATE, FIELD_CT_ZONE,
        FIELD_CT_MARK, FIELD_CT_LABEL, FIELD_DP_HASH,
    };

    match_init_catchall(m);
    match_set_u64(m, FIELD_IN_PORT_OXM, be32_to_cpu(flow->in_port));
    for (size_t i = 0; i < ARRAY_SIZE(always); i++) {
        if (field_is_any(field_of(always[i]), flow)) {
            set_exact(m, always[i], flow);
        }
    }
    set_conntrack(m, flow);
    memcpy(m->flow.tun_metadata, flow->tun_metadata, sizeof flow->tun_metadata);
    m->flow.tun_metadata_present = flow->tun_metadata_present;
    tun_match_add_present(options, m);
    tun_match_unbind(options, m);
    for (int i = 0; i < 16; i++) {
        if (flow->regs[i]) {
            match_set_u64(m, FIELD_REG0 + i, be32_to_cpu(flow->regs[i]));
        }
    }
}

/* How many packet-ins have not been written yet. */
static size_t
n_unwritten(struct ofconn *c)
{
    uint64_t written = of_conn_n_queued_ever(c->transport) - of_conn_queued(c->transport);

    while (c->n_pin_ends && c->pin_ends[c->first_pin_end] <= written) {
        c->first_pin_end = (c->first_pin_end + 1) % MAX_QUEUE_SIZE;
        c->n_pin_ends--;
    }
    return c->n_pin_ends;
}

/* Sends a packet-in unless too many wait for the peer to read. */
static void
send_or_drop(struct ofconn *c, struct bytes *msg)
{
    if (n_unwritten(c) >= c->queue_size) {
        of_conn_push(c->transport);
        if (n_unwritten(c) >= c->queue_size) {
            c->n_packet_in_dropped++;
            return;
        }
    }
    ofconn_send(c, msg);
    c->pin_ends[(c->first_pin_end + c->n_pin_ends++) % MAX_QUEUE_SIZE] = of_conn_n_queued_ever(c->transport);
}

static void
set_pin_timer(struct ofconn *c)
{
    int64_t due = MIN(pin_sched_due(&c->pins[PIN_MISS]), pin_sched_due(&c->pins[PIN_ACTION]));

    if (due != INT64_MAX) {
        loop_timer_set(&c->pin_timer, due);
    }
}

static void
on_pin_timer(struct loop_timer *t)
{
    struct ofconn *c = t->aux;

    for (int i = 0; i < PIN_N_KINDS; i++) {
        struct bytes msg;

        while (pin_sched_pop(&c->pins[i], clock_now_ms(), &msg)) {
            send_or_drop(c, &msg);
            bytes_uninit(&msg);
        }
    }
    set_pin_timer(c);
}

void
packet_ins_init(struct ofconn *c)
{
    for (int i = 0; i < PIN_N_KINDS; i++) {
        pin_sched_init(&c->pins[i]);
    }
    loop_timer_init(ofproto_loop, &c->pin_timer, on_pin_timer, c);
}

void
packet_ins_uninit(struct ofconn *c)
{
    for (int i = 0; i < PIN_N_KINDS; i++) {
        pin_sched_uninit(&c->pins[i]);
    }
    loop_timer_cancel(&c->pin_timer);
}

static void
send_packet_in(struct ofconn *c, const struct conns_packet_in *p, struct packet_in *pin)
{
    bool is_miss = pin->reason == OFPR_NO_MATCH || pin->reason == OFPR_EXPLICIT_MISS ||
                   pin->reason == OFPR_IMPLICIT_MISS;
    unsigned int reason = packet_in_reason_to_wire(pin->reason, c->version);
    struct bytes b = BYTES_INIT, continuation = BYTES_INIT;

    if (p->controller_id != c->controller_id || !ofconn_wants(c, ASYNC_PACKET_IN, reason) ||
        (pin->reason == OFPR_IMPLICIT_MISS && c->version >= OF13)) { /* Since 1.3 a miss drops (§5.4). */
        return;
    }
    if (p->has_continuation) {
        continuation_put(&continuation, c->version, p->state, p->odp_in_port);
    }
    pin->continuation = cursor_make(continuation.data, continuation.len);
    /* Nothing is buffered, so what was cut off would be lost: max_len and miss_send_len do not limit anything. */
    packet_in_encode(&b, c->protocol, c->packet_in_format, pin, SIZE_MAX);
    if (pin_sched_submit(&c->pins[is_miss ? PIN_MISS : PIN_ACTION], clock_now_ms(),
                         OFP_PORT(be32_to_cpu(p->flow.in_port)), &b)) {
        send_or_drop(c, &b);
    } else {
        set_pin_timer(c);
    }
    bytes_uninit(&b);
}

static void
deliver(const struct conns_packet_in *p)
{
    struct conns *cs = conns_of(p->bridge);
    struct packet_in pin = {
        .packet = p->frame.data, .packet_len = p->frame.len, .total_len = p->total_len, .buffer_id = BUFFER_NONE,
        .table_id = p->state->frozen.table_id, .cookie = be64_to_cpu(p->cookie), .reason = p->reason,
        .userdata = frozen_userdata(p->state), .userdata_len = p->state->frozen.userdata_len,
    };

    if (cs) {
        make_metadata(&p->flow, xbridge_options_rcu(p->bridge), &pin.metadata);
        LIST_FOR_EACH (c, struct ofconn, node, &cs->ofconns) {
            send_packet_in(c, p, &pin);
        }
    }
}

static void
on_queue(struct loop_wake *w UNUSED)
{
    struct list all;

    list_init(&all);
    pthread_mutex_lock(&queue_mutex);
    list_splice(&all, &queue);
    queue_len = 0;
    pthread_mutex_unlock(&queue_mutex);
    LIST_FOR_EACH_SAFE (q, struct queued_packet_in, node, &all) {
        deliver(&q->pin);
        free_queued(q);
    }
}

void
conns_init(struct loop *loop)
{
    loop_wake_init(loop, &queue_wake, on_queue, NULL);
}

void
conns_uninit(void)
{
    on_queue(&queue_wake);
    loop_wake_uninit(&queue_wake);
}
