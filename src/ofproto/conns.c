#include "ofproto/conns.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ofproto/change_request.h"
#include "ofproto/conns_private.h"
#include "ofproto/flow_monitor.h"
#include "ofproto/multipart.h"
#include "ofproto/of_bundle.h"
#include "ofproto/telling.h"
#include "sys/dirs.h"
#include "sys/log.h"

LOG_MODULE(connmgr)

enum {
    MAX_BACKLOG = 1024 * 1024,          /* Bytes to a slow reader beyond which no more of its requests are read. */
    JOB_BACKLOG = 256 * 1024,           /* Up to which a job goes on... */
    JOB_STEPS = 16,                     /* ...this often at once. */
    DEFAULT_QUEUE_SIZE = 100            /* Packet-ins. */
};

/* What cannot be left out (flow-removed, port-status, updates of monitors) is kept up to here; beyond it the connection
 * is dropped, so that the peer knows that it has missed something. */
#define MAX_UNREAD ((size_t) 64 << 20)

static struct log_limit limit = LOG_LIMIT_INIT(5, 5);

/* Connections. */

static void
drop_deaf(struct ofconn *c)
{
    log_warn_rl(&limit, "%s<->%s: connection dropped: %zu bytes that the peer has not read", c->ofproto->xb.name,
                c->name, of_conn_queued(c->transport));
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

/* Reads requests again, unless something else forbids it. */
static void
go_on(struct ofconn *c)
{
    if (!c->job && !c->held_request.len && of_conn_queued(c->transport) <= MAX_BACKLOG) {
        of_conn_set_reading(c->transport, true);
    }
    if (c->monitors_paused) {
        of_conn_ask_drained(c->transport);
    }
}

void
ofconn_end_job(struct ofconn *c, struct bytes *out)
{
    end_job(c);
    ofconn_send(c, out);
    ofconn_send(c, &c->held_updates);
    go_on(c);
    if (c->held_request.len) {
        loop_wake_signal(&c->ofproto->change_wake); /* It may be its turn by now. */
    }
}

static void
run_job(struct ofconn *c)
{
    struct loop_slice slice = loop_slice_begin();
    struct bytes out = BYTES_INIT;
    bool done = false;

    if (!c->job->step) {
        return;
    }
    for (int i = 0; i < JOB_STEPS && !done && out.len < JOB_BACKLOG; i++) {
        done = c->job->step(c->job, &out);
        if (loop_slice_has_ended(&slice)) {
            break;
        }
    }
    if (done) {
        ofconn_end_job(c, &out);
    } else {
        ofconn_send(c, &out);
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
        of_conn_set_reading(c->transport, !c->held_request.len);
        flow_monitors_resume(c);
        if (c->job) {
            run_job(c);
        }
    }
}

struct ofconn *
ofconn_create(struct conns *cs, struct of_conn *transport, const char *name,
              const struct ofproto_controller_config *config)
{
    struct ofconn *c = xzalloc(sizeof *c);

    c->ofproto = cs->ofproto;
    c->transport = transport;
    c->name = xstrdup(name);
    c->config = config;
    multipart_init(c);
    list_init(&c->bundles);
    list_init(&c->monitors);
    packet_ins_init(c);
    flow_mod_log_init(c);
    ofconn_configure(c);
    list_push_back(&cs->ofconns, &c->node);
    return c;
}

/* What a connection is told until it says itself what it wants. */
static void
set_async(struct ofconn *c)
{
    c->async_enabled = !c->config || c->config->enable_async;
    if (c->async_enabled) {
        async_config_default(c->version, &c->async);
    } else {
        c->async = (struct async_config) { { 0 } };
    }
}

void
ofconn_configure(struct ofconn *c)
{
    if (c->version && c->async_enabled != (!c->config || c->config->enable_async)) {
        set_async(c);
    }
    c->is_primary = c->config && !c->config->is_service;
    c->queue_size = c->config && c->config->queue_size ? c->config->queue_size : DEFAULT_QUEUE_SIZE;
    for (int i = 0; i < PIN_N_KINDS; i++) {
        pin_sched_configure(&c->pins[i], c->config ? c->config->rate_limit : 0, c->config ? c->config->burst_limit : 0,
                            clock_now_ms());
    }
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
    set_async(c);
    update_wants_misses(c->ofproto->conns);
}

void
ofconn_refuse_data(struct ofconn *c, const struct msg_wire *wire, const void *data, size_t len, enum ofperr error,
                   struct bytes *out)
{
    static struct log_limit errors = LOG_LIMIT_INIT(10, 10);

    log_info_rl(&errors, "%s<->%s: sending %s error reply to %s message", c->ofproto->xb.name, c->name,
                ofperr_name(error), wire ? msg_wire_name(wire) : "invalid");
    error_encode_reply(out, error, of_version_to_answer(*(const uint8_t *) data), data, len);
}

void
ofconn_refuse(struct ofconn *c, const struct msg *m, enum ofperr error, struct bytes *out)
{
    ofconn_refuse_data(c, m->wire, m->data, m->len, error, out);
}

void
ofconn_message(struct ofconn *c, const void *data, size_t len)
{
    struct bytes out = BYTES_INIT;
    enum ofperr error;
    struct msg m;

    error = multipart_decode(c, data, len, &m);
    if (error) {
        ofconn_refuse_data(c, m.wire, data, len, error, &out);
    } else if (change_request_holds(c->ofproto, m.type) || telling_holds(c, m.type)) {
        bytes_put(&c->held_request, data, len);
        of_conn_set_reading(c->transport, false);
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
conns_release(struct conns *cs)
{
    LIST_FOR_EACH (c, struct ofconn, node, &cs->ofconns) {
        struct bytes held = c->held_request;

        if (held.len && !c->job) {
            c->held_request = (struct bytes) BYTES_INIT;
            ofconn_message(c, held.data, held.len); /* May have to wait again. */
            bytes_uninit(&held);
            go_on(c);
        }
    }
}

void
ofconn_destroy(struct ofconn *c)
{
    list_remove(&c->node);
    end_job(c);
    packet_ins_uninit(c);
    flow_mod_log_end(c);
    bytes_uninit(&c->held_updates);
    bytes_uninit(&c->held_request);
    update_wants_misses(c->ofproto->conns);
    multipart_uninit(c);
    of_bundles_destroy(c);
    flow_monitors_destroy(c);
    free(c->name);
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
client_closed(struct of_conn *transport, int error, void *c_)
{
    struct ofconn *c = c_;

    if (error) {
        log_warn_rl(&limit, "%s<->%s: connection dropped (%s)", c->ofproto->xb.name, c->name,
                    strerror(-error));
    }
    ofconn_destroy(c);
    of_conn_close(transport);
}

static void
client_drained(struct of_conn *transport UNUSED, void *c)
{
    ofconn_drained(c);
}

static const struct of_conn_ops client_ops = { client_opened, client_message, client_closed, client_drained };

static void
on_accept(struct stream_listener *l UNUSED, struct stream *stream, void *s_)
{
    struct service *s = s_;
    struct conns *cs = s->conns;
    struct ofconn *c;

    if (s->is_snoop) {
        snoop_accept(cs, stream);
        return;
    }
    c = ofconn_create(cs, NULL, stream_name(stream), s->is_controller ? &s->config : NULL);
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

static void
close_client(struct ofconn *c)
{
    struct of_conn *transport = c->transport;

    ofconn_destroy(c);
    of_conn_close(transport);
}

/* Those that came to a listener; others belong to sessions. */
static bool
is_client(const struct ofconn *c)
{
    LIST_FOR_EACH (controller, struct controller, node, &c->ofproto->conns->controllers) {
        if (controller->ofconn == c) {
            return false;
        }
    }
    return true;
}

void
conns_close_clients(struct conns *cs)
{
    LIST_FOR_EACH_SAFE (c, struct ofconn, node, &cs->ofconns) {
        if (is_client(c)) {
            close_client(c);
        }
    }
}

void
service_close(struct service *s)
{
    LIST_FOR_EACH_SAFE (c, struct ofconn, node, &s->conns->ofconns) {
        if (c->config == &s->config) {
            close_client(c);
        }
    }
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
    } else if (!is_snoop) {
        log_info("%s: added service controller \"%s\"", cs->ofproto->xb.name, target);
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
        close_client(c);
    }
    free(cs);
}

bool
conns_has_controllers(const struct conns *cs)
{
    LIST_FOR_EACH (c, struct controller, node, &cs->controllers) {
        if (!c->config.is_service) {
            return true;
        }
    }
    LIST_FOR_EACH (s, struct service, node, &cs->services) {
        if (s->is_controller && !s->config.is_service) {
            return true;
        }
    }
    return false;
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
                if (role_status_encode(&b, other->version, &status)) {
                    ofconn_send(other, &b); /* As in the reference, also to who does not want that kind. */
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
