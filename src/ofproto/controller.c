/* Controllers: connections that the configuration asks for, made again whenever they are lost. */
#include <errno.h>
#include <stdlib.h>

#include "ofproto/conns_private.h"
#include "openflow/msg/control.h"
#include "sys/log.h"

LOG_MODULE(rconn)

enum { DEFAULT_MAX_BACKOFF_MS = 8000 };

static void step(struct controller *, enum reconnect_event);

static void
on_opened(void *c_, enum of_version version)
{
    struct controller *c = c_;

    log_info("%s<->%s: connected", c->conns->ofproto->xb.name, c->config.target);
    c->ofconn = ofconn_create(c->conns, c->connecting, c);
    c->connecting = NULL;
    c->last_error = 0;
    ofconn_opened(c->ofconn, version);
    step(c, RECONNECT_EV_CONNECTED);
}

static void
on_message(void *c_, const void *data, size_t len)
{
    struct controller *c = c_;

    step(c, RECONNECT_EV_RECEIVED);
    if (c->ofconn) {
        ofconn_message(c->ofconn, data, len);
    }
}

static void
drop_connection(struct controller *c)
{
    of_conn_close(c->connecting);
    c->connecting = NULL;
    if (c->ofconn) {
        ofconn_destroy(c->ofconn);
        c->ofconn = NULL;
    }
}

static void
on_closed(void *c_, int error, const char *why)
{
    static struct log_limit limit = LOG_LIMIT_INIT(1, 60);
    struct controller *c = c_;
    bool was_open = c->ofconn != NULL;

    c->last_error = error ? error : -ENODATA;
    log_info_rl(&limit, "%s<->%s: connection %s (%s)", c->conns->ofproto->xb.name, c->config.target,
                was_open ? "closed" : "failed", why ? why : "End of file");
    drop_connection(c);
    step(c, was_open ? RECONNECT_EV_DISCONNECTED : RECONNECT_EV_FAILED);
}

static const struct of_conn_handler transport_handler = { on_opened, on_message, on_closed };

static void
send_probe(struct controller *c)
{
    struct bytes b = BYTES_INIT;

    msg_put_simple(&b, MSG_ECHO_REQUEST, c->ofconn->version, msg_new_xid(), NULL, 0);
    of_conn_send(c->ofconn->transport, b.data, b.len);
    bytes_uninit(&b);
}

static void
on_timer(struct loop_timer *t)
{
    step(t->aux, RECONNECT_EV_TICK);
}

/* One event of the state machine, and what it asks for. */
static void
step(struct controller *c, enum reconnect_event event)
{
    struct reconnect_update u;

    reconnect_step(&c->fsm, event, clock_now_ms(), &u);
    if (u.disconnect) {
        if (u.timed_out) {
            log_err("%s<->%s: no response to inactivity probe after %.3g seconds, disconnecting",
                    c->conns->ofproto->xb.name, c->config.target, c->fsm.probe_interval / 1000.0);
        }
        drop_connection(c);
    }
    if (u.connect) {
        int error = of_conn_open(ofproto_loop, c->config.target, c->conns->ofproto->versions, &transport_handler, c,
                                 &c->connecting);

        if (error) {
            c->last_error = error;
            step(c, RECONNECT_EV_FAILED);
            return;
        }
    }
    if (u.probe && c->ofconn) {
        send_probe(c);
    }
    loop_timer_set(&c->timer, u.wake_at);
}

bool
controller_take_token(struct controller *c)
{
    int64_t now = clock_now_ms();
    int burst = c->config.burst_limit ? c->config.burst_limit : c->config.rate_limit / 4;

    if (!c->config.rate_limit) {
        return true;
    }
    c->tokens = MIN(c->tokens + (now - c->last_fill) * c->config.rate_limit / 1000.0, MAX(burst, 1));
    c->last_fill = now;
    if (c->tokens < 1) {
        return false;
    }
    c->tokens -= 1;
    return true;
}

static void
apply_config(struct controller *c, const struct ofproto_controller_config *config)
{
    char *target = c->config.target ? (char *) c->config.target : xstrdup(config->target);

    c->config = *config;
    c->config.target = target;
    c->fsm.max_backoff = config->max_backoff_ms ? config->max_backoff_ms : DEFAULT_MAX_BACKOFF_MS;
    c->fsm.min_backoff = MIN(1000, c->fsm.max_backoff);
    c->fsm.probe_interval = config->probe_ms;
    if (c->ofconn) {
        c->ofconn->wants_async = config->enable_async;
    }
}

static void
destroy(struct controller *c)
{
    list_remove(&c->node);
    loop_timer_cancel(&c->timer);
    drop_connection(c);
    free((char *) c->config.target);
    free(c);
}

static struct controller *
find(struct list *controllers, const char *target)
{
    LIST_FOR_EACH (c, struct controller, node, controllers) {
        if (!strcmp(c->config.target, target)) {
            return c;
        }
    }
    return NULL;
}

static void
add(struct conns *cs, const struct ofproto_controller_config *config)
{
    struct controller *c = xzalloc(sizeof *c);

    c->conns = cs;
    reconnect_init(&c->fsm);
    loop_timer_init(ofproto_loop, &c->timer, on_timer, c);
    apply_config(c, config);
    list_push_back(&cs->controllers, &c->node);
    log_info("%s: added primary controller \"%s\"", cs->ofproto->xb.name, config->target);
    step(c, RECONNECT_EV_ENABLE);
}

static void
set_service(struct conns *cs, const struct ofproto_controller_config *config, struct list *old)
{
    LIST_FOR_EACH (s, struct service, node, old) {
        if (!strcmp(s->target, config->target)) {
            list_remove(&s->node);
            list_push_back(&cs->services, &s->node);
            return;
        }
    }
    if (!service_open(cs, config->target, false, config)) {
        log_info("%s: added service controller \"%s\"", cs->ofproto->xb.name, config->target);
    }
}

void
controllers_set(struct conns *cs, const struct ofproto_controller_config *configs, size_t n)
{
    struct list old, old_services;

    list_init(&old);
    list_splice(&old, &cs->controllers);
    list_init(&old_services);
    LIST_FOR_EACH_SAFE (s, struct service, node, &cs->services) {
        if (s->is_controller) {
            list_remove(&s->node);
            list_push_back(&old_services, &s->node);
        }
    }
    for (size_t i = 0; i < n; i++) {
        struct controller *c = find(&old, configs[i].target);

        if (stream_target_is_passive(configs[i].target)) {
            set_service(cs, &configs[i], &old_services);
        } else if (c) {
            apply_config(c, &configs[i]);
            list_remove(&c->node);
            list_push_back(&cs->controllers, &c->node);
        } else if (!find(&cs->controllers, configs[i].target)) {
            add(cs, &configs[i]);
        }
    }
    LIST_FOR_EACH_SAFE (c, struct controller, node, &old) {
        log_info("%s: removed primary controller \"%s\"", cs->ofproto->xb.name, c->config.target);
        destroy(c);
    }
    LIST_FOR_EACH_SAFE (s, struct service, node, &old_services) {
        log_info("%s: removed service controller \"%s\"", cs->ofproto->xb.name, s->target);
        service_close(s);
    }
}

void
controllers_destroy(struct conns *cs)
{
    LIST_FOR_EACH_SAFE (c, struct controller, node, &cs->controllers) {
        destroy(c);
    }
}

void
conns_reconnect(struct conns *cs)
{
    LIST_FOR_EACH (c, struct controller, node, &cs->controllers) {
        step(c, RECONNECT_EV_FORCE);
    }
}

/* What vswitchd sets and reads. */

void
ofproto_set_controllers(struct ofproto *p, const struct ofproto_controller_config *configs, size_t n)
{
    controllers_set(p->conns, configs, n);
    tables_set_initial(p);
}

void
ofproto_set_fail_mode(struct ofproto *p, bool secure)
{
    p->secure = secure;
}

void
ofproto_set_protocols(struct ofproto *p, uint32_t versions)
{
    p->versions = versions ? versions & OF_VERSIONS_ALL : OF_VERSIONS_ALL;
}

bool
ofproto_has_primary_controller(const struct ofproto *p)
{
    return !list_is_empty(&p->conns->controllers);
}

static void
put_pair(struct strmap *pairs, const char *key, char *value)
{
    free(strmap_put(pairs, key, value));
}

static void
fill_status(const struct controller *c, struct ofproto_controller_status *s)
{
    static const char *const roles[] = { "other", "other", "master", "slave" };
    int64_t now = clock_now_ms();

    s->target = c->config.target;
    s->is_connected = c->ofconn != NULL;
    s->role = roles[c->ofconn ? c->ofconn->role : ROLE_EQUAL];
    if (c->last_error && !c->ofconn) {
        put_pair(&s->pairs, "last_error", xstrdup(c->last_error == -ENODATA ? "End of file" : strerror(-c->last_error)));
    }
    put_pair(&s->pairs, "state", xstrdup(reconnect_state_name(c->fsm.state)));
    if (c->fsm.last_connected != INT64_MIN) {
        put_pair(&s->pairs, "sec_since_connect", xasprintf("%lld", (long long) (now - c->fsm.last_connected) / 1000));
    }
    if (c->fsm.last_disconnected != INT64_MIN) {
        put_pair(&s->pairs, "sec_since_disconnect",
                 xasprintf("%lld", (long long) (now - c->fsm.last_disconnected) / 1000));
    }
}

void
ofproto_get_controller_status(struct ofproto *p, void (*cb)(void *aux, const struct ofproto_controller_status *),
                              void *aux)
{
    LIST_FOR_EACH (c, struct controller, node, &p->conns->controllers) {
        struct ofproto_controller_status s = { .pairs = STRMAP_INIT(&s.pairs) };

        fill_status(c, &s);
        cb(aux, &s);
        strmap_uninit_free(&s.pairs);
    }
}
