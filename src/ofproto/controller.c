/* Controllers: connections that the configuration asks for, made again whenever they are lost. */
#include <stdlib.h>

#include "jsonrpc/reconnect.h"
#include "ofproto/conns_private.h"
#include "ofproto/fail_open.h"
#include "ofproto/in_band.h"
#include "sys/log.h"

LOG_MODULE(connmgr)

static void
on_connected(struct of_session *session, void *c_)
{
    struct of_conn *transport = of_session_conn(session);
    struct controller *c = c_;

    c->ofconn = ofconn_create(c->conns, transport, of_conn_name(transport), &c->config);
    if (!c->config.is_service) {
        fail_open_end(c->conns->ofproto);
    }
    ofconn_opened(c->ofconn, of_conn_version(transport));
}

static void
on_message(struct of_session *session UNUSED, const uint8_t *data, size_t len, void *c_)
{
    struct controller *c = c_;

    ofconn_message(c->ofconn, data, len);
}

static void
forget_connection(struct controller *c)
{
    if (c->ofconn) {
        ofconn_destroy(c->ofconn);
        c->ofconn = NULL;
        c->lost = clock_now_ms();
    }
}

static void
on_disconnected(struct of_session *session UNUSED, int error UNUSED, void *c)
{
    forget_connection(c);
}

static void
on_drained(struct of_session *session UNUSED, void *c_)
{
    struct controller *c = c_;

    if (c->ofconn) {
        ofconn_drained(c->ofconn);
    }
}

static const struct of_session_ops session_ops = { on_connected, on_message, on_disconnected, on_drained };

static void
apply_config(struct controller *c, const struct ofproto_controller_config *config)
{
    char *target = c->config.target ? (char *) c->config.target : xstrdup(config->target);

    c->config = *config;
    c->config.target = target;
    if (c->session) {
        of_session_configure(c->session, c->conns->ofproto->versions, config->max_backoff_ms, config->probe_ms,
                             config->dscp);
    }
    if (c->ofconn) {
        ofconn_configure(c->ofconn);
    }
}

static void
destroy(struct controller *c)
{
    list_remove(&c->node);
    snoop_end(c);
    forget_connection(c);
    of_session_destroy(c->session);
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

static const char *
kind_name(const struct ofproto_controller_config *config)
{
    return config->is_service ? "service" : "primary";
}

static void
add(struct conns *cs, const struct ofproto_controller_config *config)
{
    struct controller *c = xzalloc(sizeof *c);
    char *name = xasprintf("%s<->%s", cs->ofproto->xb.name, config->target);

    c->conns = cs;
    list_init(&c->snoopers);
    c->lost = clock_now_ms();
    apply_config(c, config);
    list_push_back(&cs->controllers, &c->node);
    log_info("%s: added %s controller \"%s\"", cs->ofproto->xb.name, kind_name(config), config->target);
    c->session = of_session_create(ofproto_loop, name, config->target, cs->ofproto->versions, config->max_backoff_ms,
                                   config->probe_ms, &session_ops, c);
    free(name);
    apply_config(c, config);
}

static void
configure_service(struct service *s, const struct ofproto_controller_config *config)
{
    s->config = *config;
    s->config.target = s->target;
    LIST_FOR_EACH (c, struct ofconn, node, &s->conns->ofconns) {
        if (c->config == &s->config) {
            ofconn_configure(c);
        }
    }
}

/* BRIDGE.mgmt and BRIDGE.snoop are there whether a row names them or not. */
static bool
is_own_service(const struct conns *cs, const char *target)
{
    LIST_FOR_EACH (s, struct service, node, &cs->services) {
        if (!s->is_controller && !strcmp(s->target, target)) {
            return true;
        }
    }
    return false;
}

static void
set_service(struct conns *cs, const struct ofproto_controller_config *config, struct list *old)
{
    int error;

    if (is_own_service(cs, config->target)) {
        return;
    }
    LIST_FOR_EACH (s, struct service, node, old) {
        if (!strcmp(s->target, config->target)) {
            configure_service(s, config);
            list_remove(&s->node);
            list_push_back(&cs->services, &s->node);
            return;
        }
    }
    error = service_open(cs, config->target, false, config);
    if (error) {
        log_warn("%s: failed to listen on %s: %s", cs->ofproto->xb.name, config->target, stream_strerror(error));
    } else {
        log_info("%s: added %s controller \"%s\"", cs->ofproto->xb.name, kind_name(config), config->target);
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
        } else if (!stream_target_is_active(configs[i].target)) {
            log_warn("%s: unsupported controller \"%s\"", cs->ofproto->xb.name, configs[i].target);
        } else if (!find(&cs->controllers, configs[i].target)) {
            add(cs, &configs[i]);
        }
    }
    LIST_FOR_EACH_SAFE (c, struct controller, node, &old) {
        log_info("%s: removed %s controller \"%s\"", cs->ofproto->xb.name, kind_name(&c->config), c->config.target);
        destroy(c);
    }
    LIST_FOR_EACH_SAFE (s, struct service, node, &old_services) {
        log_info("%s: removed %s controller \"%s\"", cs->ofproto->xb.name, kind_name(&s->config), s->target);
        service_close(s);
    }
}

/* In the words of the reference, which forgets it and adds it again. */
static void
say_reinitializing(const struct conns *cs, const char *kind, const char *target)
{
    const char *bridge = cs->ofproto->xb.name;

    log_info("%s: Changes to controller \"%s\" expects re-initialization: Re-initializing now.", bridge, target);
    log_info("%s: added %s controller \"%s\"", bridge, kind, target);
}

/* A version that is not allowed any more is not spoken any more either: all connections are made anew. */
static void
reinitialize(struct conns *cs)
{
    LIST_FOR_EACH (c, struct controller, node, &cs->controllers) {
        say_reinitializing(cs, kind_name(&c->config), c->config.target);
        of_session_configure(c->session, cs->ofproto->versions, c->config.max_backoff_ms, c->config.probe_ms,
                             c->config.dscp);
        of_session_reconnect(c->session);
    }
    LIST_FOR_EACH (s, struct service, node, &cs->services) {
        if (!s->is_snoop) {
            say_reinitializing(cs, s->is_controller ? kind_name(&s->config) : "service", s->target);
        }
    }
    conns_close_clients(cs);
}

void
controllers_destroy(struct conns *cs)
{
    LIST_FOR_EACH_SAFE (c, struct controller, node, &cs->controllers) {
        destroy(c);
    }
}

bool
conns_lost_controllers(const struct conns *cs, int64_t *since, int64_t *probe_ms)
{
    *since = INT64_MIN;
    *probe_ms = 0;
    LIST_FOR_EACH (c, struct ofconn, node, &cs->ofconns) {
        if (c->is_primary && c->version) {
            return false;
        }
    }
    LIST_FOR_EACH (c, struct controller, node, &cs->controllers) {
        if (!c->config.is_service) {
            *since = MAX(*since, c->lost);
            *probe_ms = MAX(*probe_ms, c->config.probe_ms);
        }
    }
    return *since != INT64_MIN;
}

void
conns_reconnect(struct conns *cs)
{
    LIST_FOR_EACH (c, struct controller, node, &cs->controllers) {
        of_session_reconnect(c->session);
    }
}

/* What vswitchd sets and reads. */

void
ofproto_set_in_band(struct ofproto *p, const char *const *managers, size_t n, int queue)
{
    in_band_begin(p, queue);
    for (size_t i = 0; i < n; i++) {
        in_band_add(p, managers[i], STREAM_PORT_OVSDB);
    }
}

void
ofproto_set_controllers(struct ofproto *p, const struct ofproto_controller_config *configs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (configs[i].in_band) {
            in_band_add(p, configs[i].target, STREAM_PORT_OPENFLOW);
        }
    }
    in_band_run(p);
    controllers_set(p->conns, configs, n);
    fail_mode_apply(p);
    fail_open_run(p);
}

void
ofproto_set_fail_mode(struct ofproto *p, bool secure)
{
    p->secure = secure;
}

void
ofproto_set_protocols(struct ofproto *p, uint32_t versions)
{
    uint32_t old = p->versions;
    bool is_first = !p->has_versions; /* Nobody has connected yet to a bridge that is just being made. */

    p->versions = versions ? versions & OF_VERSIONS_ALL : OF_VERSIONS_ALL;
    p->has_versions = true;
    if (p->versions != old && !is_first) {
        reinitialize(p->conns);
    }
}

bool
ofproto_has_primary_controller(const struct ofproto *p)
{
    return conns_has_controllers(p->conns);
}

/* Only while the rate is limited. */
static void
put_pin_status(struct ofproto_controller_status *s, const char *kind, const struct pin_sched *p)
{
    const struct { const char *name; unsigned long long value; } rows[] = {
        { "backlog", p->n_queued }, { "bypassed", p->n_bypassed }, { "dropped", p->n_dropped },
        { "queued", p->n_ever_queued },
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows) && p->rate; i++) {
        char *key = xasprintf("packet-in-%s-%s", kind, rows[i].name);

        strmap_put_free(&s->pairs, key, xasprintf("%llu", rows[i].value));
        free(key);
    }
}

static void
fill_status(const struct controller *c, struct ofproto_controller_status *s)
{
    static const char *const roles[] = { "other", "other", "master", "slave" };
    const struct reconnect *fsm = of_session_reconnect_state(c->session);
    int error = of_session_last_error(c->session);
    int64_t now = clock_now_ms();

    s->target = c->config.target;
    s->is_connected = c->ofconn != NULL;
    s->role = c->ofconn ? roles[c->ofconn->role] : NULL;
    if (error) {
        strmap_put_free(&s->pairs, "last_error", xstrdup(stream_strerror(error)));
    }
    if (c->ofconn) {
        put_pin_status(s, "miss", &c->ofconn->pins[PIN_MISS]);
        put_pin_status(s, "action", &c->ofconn->pins[PIN_ACTION]);
    }
    strmap_put_free(&s->pairs, "state", xstrdup(reconnect_state_name(fsm->state)));
    if (fsm->last_connected != INT64_MIN) {
        strmap_put_free(&s->pairs, "sec_since_connect",
                        xasprintf("%lld", (long long) (now - fsm->last_connected) / 1000));
    }
    if (fsm->last_disconnected != INT64_MIN) {
        strmap_put_free(&s->pairs, "sec_since_disconnect",
                 xasprintf("%lld", (long long) (now - fsm->last_disconnected) / 1000));
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
