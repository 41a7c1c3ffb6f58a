#include "ofproto/conns.h"

#include <errno.h>
#include <stdlib.h>

#include "ofproto/conns_private.h"
#include "ofproto/flow_monitor.h"
#include "ofproto/of_bundle.h"
#include "ofproto/xlate/xlate.h"
#include "openflow/msg/flow.h"
#include "openflow/msg/packet.h"
#include "sys/dirs.h"
#include "sys/log.h"

LOG_MODULE(connmgr)

enum {
    MAX_QUEUED_PACKET_INS = 4096,
    MAX_PACKET_IN_BACKLOG = 512 * 1024, /* Bytes to a slow reader beyond which it gets no more packet-ins... */
    MAX_BACKLOG = 1024 * 1024,          /* ...and beyond which no more of its requests are read. */
    JOB_BACKLOG = 256 * 1024,           /* Up to which a job goes on... */
    JOB_STEPS = 16                      /* ...this often at once. */
};

/* What cannot be left out (flow-removed, port-status, updates of monitors) is kept up to here; beyond it the connection
 * is dropped, so that the peer knows that it has missed something. */
#define MAX_UNREAD ((size_t) 64 << 20)

/* Packet-ins on their way from the workers to the main loop. */
struct queued_packet_in {
    struct list node;
    struct xlate_effect effect;
};

static pthread_mutex_t queue_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct list queue = LIST_INIT(&queue); /* Guarded by the mutex, like its length. */
static size_t queue_len;
static struct loop_wake queue_wake;
static uint64_t n_queue_drops;

/* Connections. */

static void
drop_deaf(struct ofconn *c)
{
    static struct log_limit limit = LOG_LIMIT_INIT(5, 5);

    log_warn_rl(&limit, "%s<->%s: connection dropped: %zu bytes that the peer has not read", c->ofproto->xb.name,
                of_conn_name(c->transport), of_conn_queued(c->transport));
    of_conn_abort(c->transport, -ENOBUFS);
}

/* A peer that asks and does not listen is not listened to either. */
void
ofconn_send(struct ofconn *c, struct bytes *b)
{
    if (!b->len) {
        return;
    }
    of_conn_send(c->transport, b);
    if (of_conn_queued(c->transport) > MAX_UNREAD) {
        drop_deaf(c);
    } else if (of_conn_queued(c->transport) > MAX_BACKLOG) {
        of_conn_set_reading(c->transport, false);
        of_conn_ask_drained(c->transport);
    }
}

size_t
ofconn_backlog(const struct ofconn *c)
{
    return of_conn_queued(c->transport) + c->held_updates.len;
}

/* Jobs. */

void
ofconn_start_job(struct ofconn *c, struct ofconn_job *job)
{
    c->job = job;
    of_conn_set_reading(c->transport, false);
}

static void
end_job(struct ofconn *c)
{
    if (c->job) {
        c->job->destroy(c->job);
        c->job = NULL;
    }
}

static void
run_job(struct ofconn *c)
{
    struct bytes out = BYTES_INIT;
    bool done = false;

    for (int i = 0; i < JOB_STEPS && !done && out.len < JOB_BACKLOG; i++) {
        done = c->job->step(c->job, &out);
    }
    ofconn_send(c, &out);
    if (done) {
        end_job(c);
        ofconn_send(c, &c->held_updates);
        if (of_conn_queued(c->transport) <= MAX_BACKLOG) {
            of_conn_set_reading(c->transport, true);
        }
        if (c->monitors_paused) {
            of_conn_ask_drained(c->transport);
        }
    } else {
        of_conn_ask_drained(c->transport);
    }
    bytes_uninit(&out);
}

void
ofconn_drained(struct ofconn *c)
{
    if (c->job) {
        run_job(c);
    } else {
        of_conn_set_reading(c->transport, true);
        flow_monitors_resume(c);
    }
}

struct ofconn *
ofconn_create(struct conns *cs, struct of_conn *transport, struct controller *controller)
{
    struct ofconn *c = xzalloc(sizeof *c);

    c->ofproto = cs->ofproto;
    c->is_primary = controller != NULL;
    c->controller = controller;
    c->transport = transport;
    msg_assembler_init(&c->assembler);
    list_init(&c->bundles);
    list_init(&c->monitors);
    list_push_back(&cs->ofconns, &c->node);
    return c;
}

/* Up to OpenFlow 1.2 whoever is connected gets the packets that no rule matches. */
static void
update_wants_misses(struct conns *cs)
{
    _Atomic bool *wants = &cs->ofproto->xb.wants_misses;
    bool now = false;

    LIST_FOR_EACH (c, struct ofconn, node, &cs->ofconns) {
        now |= c->version && c->version < OF13;
    }
    if (atomic_exchange(wants, now) != now) {
        backer_changed(cs->ofproto->backer);
    }
}

void
ofconn_opened(struct ofconn *c, enum of_version version)
{
    ofconn_reset(c, version);
    update_wants_misses(c->ofproto->conns);
    if (c->controller && !c->controller->config.enable_async) {
        c->wants_async = false;
    }
}

void
ofconn_message(struct ofconn *c, const void *data, size_t len)
{
    struct bytes out = BYTES_INIT;
    enum ofperr error;
    struct msg m;

    error = msg_decode(data, len, &m);
    if (!error && m.version != c->version && m.type != MSG_HELLO) {
        error = OFPERR_OFPBRC_BAD_VERSION;
    }
    if (error) {
        error_encode_reply(&out, error, c->version, data, len);
    } else {
        ofconn_handle(c, &m, &out);
    }
    ofconn_send(c, &out);
    bytes_uninit(&out);
    if (c->job) {
        run_job(c);
    }
}

void
ofconn_destroy(struct ofconn *c)
{
    list_remove(&c->node);
    end_job(c);
    bytes_uninit(&c->held_updates);
    update_wants_misses(c->ofproto->conns);
    msg_assembler_uninit(&c->assembler);
    of_bundles_destroy(c);
    flow_monitors_destroy(c);
    free(c);
}

static void
client_opened(struct of_conn *transport, void *c)
{
    ofconn_opened(c, of_conn_version(transport));
}

static void
client_message(struct of_conn *transport UNUSED, const uint8_t *data, size_t len, void *c)
{
    ofconn_message(c, data, len);
}

static void
client_closed(struct of_conn *transport, int error UNUSED, void *c)
{
    ofconn_destroy(c);
    of_conn_close(transport);
}

static void
client_drained(struct of_conn *transport UNUSED, void *c)
{
    ofconn_drained(c);
}

static const struct of_conn_ops client_ops = { client_opened, client_message, client_closed, client_drained };

static bool
has_connected_controller(const struct conns *cs)
{
    LIST_FOR_EACH (c, struct ofconn, node, &cs->ofconns) {
        if (c->is_primary && c->version) {
            return true;
        }
    }
    return false;
}

static void
on_accept(struct stream_listener *l UNUSED, struct stream *stream, void *s_)
{
    struct service *s = s_;
    struct conns *cs = s->conns;
    struct ofconn *c;

    if (s->is_snoop && !has_connected_controller(cs)) {
        stream_close(stream); /* There is nothing to listen to. */
        return;
    }
    c = ofconn_create(cs, NULL, NULL);
    c->is_primary = s->is_controller;
    c->transport = of_conn_accept(ofproto_loop, stream, cs->ofproto->versions, 0, &client_ops, c);
}

int
service_open(struct conns *cs, const char *target, bool is_snoop, const struct ofproto_controller_config *config)
{
    struct service *s = xzalloc(sizeof *s);
    int error = stream_listen(ofproto_loop, target, STREAM_PORT_OPENFLOW, on_accept, s, &s->listener);

    if (error) {
        free(s);
        return error;
    }
    s->conns = cs;
    s->target = xstrdup(target);
    s->is_snoop = is_snoop;
    s->is_controller = config != NULL;
    if (config) {
        s->config = *config;
        s->config.target = s->target;
    }
    list_push_back(&cs->services, &s->node);
    return 0;
}

void
service_close(struct service *s)
{
    list_remove(&s->node);
    stream_listener_close(s->listener);
    free(s->target);
    free(s);
}

/* The bridge's own services. */
static void
open_own(struct conns *cs, const char *suffix, bool is_snoop)
{
    char *target = xasprintf("punix:%s/%s.%s", dirs_run(), cs->ofproto->xb.name, suffix);
    int error = service_open(cs, target, is_snoop, NULL);

    if (error) {
        log_err("failed to listen on %s: %s", target, strerror(-error));
    }
    free(target);
}

struct conns *
conns_create(struct ofproto *p)
{
    struct conns *cs = xzalloc(sizeof *cs);

    cs->ofproto = p;
    list_init(&cs->ofconns);
    list_init(&cs->controllers);
    list_init(&cs->services);
    open_own(cs, "mgmt", false);
    open_own(cs, "snoop", true);
    return cs;
}

void
conns_destroy(struct conns *cs)
{
    controllers_destroy(cs);
    LIST_FOR_EACH_SAFE (s, struct service, node, &cs->services) {
        service_close(s);
    }
    LIST_FOR_EACH_SAFE (c, struct ofconn, node, &cs->ofconns) {
        struct of_conn *transport = c->transport;

        ofconn_destroy(c);
        of_conn_close(transport);
    }
    free(cs);
}

bool
conns_has_controllers(const struct conns *cs)
{
    return !list_is_empty(&cs->controllers);
}

void
conns_expire_bundles(struct conns *cs)
{
    int64_t now = clock_now_ms();

    LIST_FOR_EACH (c, struct ofconn, node, &cs->ofconns) {
        struct bytes b = BYTES_INIT;

        of_bundles_expire(c, now, &b);
        ofconn_send(c, &b);
        bytes_uninit(&b);
    }
}

/* Roles. */

enum ofperr
ofconn_set_role(struct ofconn *c, const struct role_msg *r)
{
    struct conns *cs = c->ofproto->conns;

    if (r->has_generation && (r->role == ROLE_PRIMARY || r->role == ROLE_SECONDARY)) {
        if (cs->has_generation && (int64_t) (r->generation - cs->generation) < 0) {
            return OFPERR_OFPRRFC_STALE;
        }
        cs->has_generation = true;
        cs->generation = r->generation;
    }
    if (r->role == ROLE_PRIMARY) {
        LIST_FOR_EACH (other, struct ofconn, node, &cs->ofconns) {
            if (other != c && other->version && other->role == ROLE_PRIMARY) {
                struct role_status status = {
                    .role = ROLE_SECONDARY, .reason = ROLE_REASON_PRIMARY_REQUEST,
                    .generation = cs->has_generation ? cs->generation : UINT64_MAX,
                };
                struct bytes b = BYTES_INIT;

                other->role = ROLE_SECONDARY;
                if (ofconn_wants(other, ASYNC_ROLE_STATUS, status.reason) &&
                    role_status_encode(&b, other->version, &status)) {
                    ofconn_send(other, &b);
                }
                bytes_uninit(&b);
            }
        }
    }
    c->role = r->role;
    return OFPERR_NONE;
}

void
ofconn_get_generation(const struct ofconn *c, struct role_msg *r)
{
    r->has_generation = c->ofproto->conns->has_generation;
    r->generation = r->has_generation ? c->ofproto->conns->generation : UINT64_MAX;
}

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
    LIST_FOR_EACH (c, struct ofconn, node, &cs->ofconns) {
        if (ofconn_wants(c, ASYNC_FLOW_REMOVED, reason)) {
            struct bytes b = BYTES_INIT;

            flow_removed_encode(&b, c->protocol, &fr);
            ofconn_send(c, &b);
            bytes_uninit(&b);
        }
    }
}

/* Packet-ins. */

static void
free_queued(struct queued_packet_in *q)
{
    bytes_uninit(&q->effect.packet_in.frame);
    bytes_uninit(&q->effect.packet_in.userdata);
    free(q);
}

void
conns_queue_packet_in(struct xlate_effect *e, bool from_worker UNUSED)
{
    struct queued_packet_in *q;
    bool first;

    q = xmalloc(sizeof *q);
    q->effect = *e;
    /* Ours now. */
    bytes_init(&e->packet_in.frame);
    bytes_init(&e->packet_in.userdata);
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

/* Only what is not in the packet: registers, metadata, the port, marks, the tunnel. */
static void
make_metadata(const struct flow *flow, struct match *m)
{
    static const enum field_id always[] = {
        FIELD_TUN_ID, FIELD_TUN_SRC, FIELD_TUN_DST, FIELD_METADATA, FIELD_PKT_MARK, FIELD_CT_STATE, FIELD_CT_ZONE,
        FIELD_CT_MARK, FIELD_CT_LABEL, FIELD_DP_HASH, FIELD_RECIRC_ID,
    };

    match_init_catchall(m);
    match_set_u64(m, FIELD_IN_PORT_OXM, be32_to_cpu(flow->in_port));
    for (size_t i = 0; i < ARRAY_SIZE(always); i++) {
        const struct field *f = field_of(always[i]);

        if (field_is_any(f, flow)) {
            union field_value v;

            field_get(f, flow, &v);
            match_set(m, f, &v);
        }
    }
    for (int i = 0; i < 16; i++) {
        if (flow->regs[i]) {
            match_set_u64(m, FIELD_REG0 + i, be32_to_cpu(flow->regs[i]));
        }
    }
}

static void
send_packet_in(struct ofconn *c, const struct xlate_effect *e, const struct packet_in *pin)
{
    unsigned int reason = packet_in_reason_to_wire(pin->reason, c->version);
    struct bytes b = BYTES_INIT;

    if (e->packet_in.controller_id != c->controller_id || !ofconn_wants(c, ASYNC_PACKET_IN, reason)) {
        return;
    }
    if (of_conn_queued(c->transport) > MAX_PACKET_IN_BACKLOG ||
        (c->controller && !controller_take_token(c->controller))) {
        c->n_packet_in_dropped++;
        return;
    }
    /* Nothing is buffered, so what was cut off would be lost: max_len and miss_send_len do not limit anything. */
    packet_in_encode(&b, c->protocol, c->packet_in_format, pin, SIZE_MAX);
    ofconn_send(c, &b);
    bytes_uninit(&b);
}

static void
deliver(const struct xlate_effect *e)
{
    struct conns *cs = conns_of(e->packet_in.bridge);
    struct packet_in pin = {
        .packet = e->packet_in.frame.data, .packet_len = e->packet_in.frame.len, .total_len = e->packet_in.total_len,
        .buffer_id = BUFFER_NONE, .table_id = e->packet_in.table_id, .cookie = be64_to_cpu(e->packet_in.cookie),
        .reason = e->packet_in.is_miss_rule ? (uint8_t) OFPR_EXPLICIT_MISS : e->packet_in.reason,
        .userdata = e->packet_in.userdata.data, .userdata_len = e->packet_in.userdata.len,
    };

    if (cs) {
        make_metadata(&e->packet_in.flow, &pin.metadata);
        LIST_FOR_EACH (c, struct ofconn, node, &cs->ofconns) {
            send_packet_in(c, e, &pin);
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
        deliver(&q->effect);
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
