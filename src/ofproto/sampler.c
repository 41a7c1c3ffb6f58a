#include "ofproto/sampler.h"

#include <stdlib.h>

#include "base/hash.h"
#include "ofproto/ofproto_private.h"
#include "openflow/msg/ipfix.h"

struct sampler {
    struct list node;            /* In ofproto->samplers. */
    struct uuid bridge;
    bool is_bridge;
    uint32_t set_id;
    uint32_t domain_id, point_id; /* Of the bridge's sampling. */
    char *config;                /* Owned: all of its configuration. */
    struct ipfix *ipfix;
};

static uint32_t
hash_of(const struct uuid *bridge, bool is_bridge, uint32_t set_id)
{
    return hash_bytes(bridge, sizeof *bridge, set_id + is_bridge);
}

static struct sampler *
find_rcu(const struct xdp *xdp, const struct uuid *bridge, bool is_bridge, uint32_t set_id)
{
    RCU_MAP_FOR_EACH_WITH_HASH (s, struct sampler, hash_of(bridge, is_bridge, set_id), &xdp->samplers) {
        if (s->is_bridge == is_bridge && s->set_id == set_id && uuid_equal(&s->bridge, bridge)) {
            return s;
        }
    }
    return NULL;
}

/* Configuration. */

static char *
config_text(const struct ofproto_ipfix_config *c)
{
    struct str s = STR_INIT;

    str_putf(&s, "%d %u %u %u %u %u %u %u %u %s", c->is_bridge, c->set_id, c->domain_id, c->point_id, c->sampling,
             c->export.active_timeout_s, c->export.max_flows, c->export.template_interval_s,
             c->export.stats_interval_s, c->export.virtual_id ? c->export.virtual_id : "");
    for (size_t i = 0; i < c->export.n_targets; i++) {
        str_putf(&s, "\n%s", c->export.targets[i]);
    }
    return str_steal(&s);
}

static void
free_sampler(void *s_)
{
    struct sampler *s = s_;

    ipfix_destroy(s->ipfix);
    free(s->config);
    free(s);
}

static void
remove_sampler(struct ofproto *p, struct sampler *s)
{
    list_remove(&s->node);
    rcu_map_remove(&p->backer->xdp.samplers, s, hash_of(&s->bridge, s->is_bridge, s->set_id));
    rcu_defer(free_sampler, s);
}

static void
add_sampler(struct ofproto *p, const struct ofproto_ipfix_config *c, char *config)
{
    struct sampler *s = xzalloc(sizeof *s);

    s->bridge = p->xb.uuid;
    s->is_bridge = c->is_bridge;
    s->set_id = c->set_id;
    s->domain_id = c->domain_id;
    s->point_id = c->point_id;
    s->config = config;
    s->ipfix = ipfix_create(&c->export);
    list_push_back(&p->samplers, &s->node);
    rcu_map_insert(&p->backer->xdp.samplers, s, hash_of(&s->bridge, s->is_bridge, s->set_id));
}

static struct sampler *
find_config(struct ofproto *p, const char *config)
{
    LIST_FOR_EACH (s, struct sampler, node, &p->samplers) {
        if (!strcmp(s->config, config)) {
            return s;
        }
    }
    return NULL;
}

/* What translation is to know.  True if that is new. */
static bool
publish(struct xbridge *xb, const struct ofproto_ipfix_config *configs, size_t n)
{
    uint32_t probability = 0;
    bool changed, sets = false, input = false, output = false;

    for (size_t i = 0; i < n; i++) {
        if (configs[i].is_bridge) {
            probability = UINT32_MAX / MAX(configs[i].sampling, 1);
            input = configs[i].input;
            output = configs[i].output;
        } else {
            sets = true;
        }
    }
    changed = atomic_exchange(&xb->sample_probability, probability) != probability;
    changed |= atomic_exchange(&xb->samples_input, input) != input;
    changed |= atomic_exchange(&xb->samples_output, output) != output;
    changed |= atomic_exchange(&xb->samples_flows, sets) != sets;
    return changed;
}

void
ofproto_set_ipfix(struct ofproto *p, const struct ofproto_ipfix_config *configs, size_t n)
{
    struct list old = LIST_INIT(&old);

    list_splice(&old, &p->samplers);
    for (size_t i = 0; i < n; i++) {
        char *text = config_text(&configs[i]);
        struct sampler *kept = NULL;

        LIST_FOR_EACH (s, struct sampler, node, &old) {
            kept = strcmp(s->config, text) ? kept : s;
        }
        if (kept) {
            list_remove(&kept->node);
            list_push_back(&p->samplers, &kept->node);
        }
        if (kept || find_config(p, text)) {
            free(text);
        } else {
            add_sampler(p, &configs[i], text);
        }
    }
    LIST_FOR_EACH_SAFE (s, struct sampler, node, &old) {
        remove_sampler(p, s);
    }
    if (publish(&p->xb, configs, n)) {
        backer_changed(p->backer);
    }
}

void
samplers_run(struct ofproto *p)
{
    LIST_FOR_EACH (s, struct sampler, node, &p->samplers) {
        ipfix_run(s->ipfix);
    }
}

/* Packets. */

static struct ipfix_interface
interface_of(const struct xdp *xdp, uint32_t odp)
{
    const struct xport *p = xdp_port_rcu(xdp, ODP_PORT(odp));

    return p ? (struct ipfix_interface) { p->ifindex, p->name } : (struct ipfix_interface) { 0, NULL };
}

void
samplers_take_rcu(const struct xdp *xdp, const struct dp_upcall *u)
{
    const struct odp_cookie *cookie = u->userdata;
    bool is_bridge = cookie->type == ODP_COOKIE_IPFIX;
    uint32_t in_port = be32_to_cpu(u->key->in_port);
    struct ipfix_packet p = { .flow = u->key, .len = u->packet_len, .domain_id = cookie->obs_domain_id,
                              .point_id = cookie->obs_point_id };
    const struct sampler *s;
    struct uuid bridge;

    memcpy(bridge.bytes, cookie->ofproto_uuid, sizeof bridge.bytes);
    s = find_rcu(xdp, &bridge, is_bridge, is_bridge ? 0 : cookie->collector_set);
    if (!s) {
        return;
    }
    if (is_bridge) {
        p.domain_id = s->domain_id;
        p.point_id = s->point_id;
    }
    p.in = interface_of(xdp, in_port);
    if (cookie->output_port != UINT32_MAX) {
        p.out = interface_of(xdp, cookie->output_port);
    }
    p.is_egress = is_bridge || !cookie->flags ? p.out.name && cookie->output_port != in_port : cookie->flags == 2;
    ipfix_sample(s->ipfix, &p);
}

/* Counters. */

bool
samplers_put_stats(const struct ofproto *p, bool is_bridge, struct bytes *body)
{
    bool any = false;

    LIST_FOR_EACH (s, struct sampler, node, &p->samplers) {
        struct ipfix_counters n;

        if (s->is_bridge == is_bridge) {
            ipfix_get_counters(s->ipfix, &n);
            ipfix_stats_put(body, &(struct ipfix_stats) {
                n.n_flows, n.n_current_flows, n.n_packets, n.n_ipv4, n.n_ipv6, n.n_errors, n.n_ipv4_errors,
                n.n_ipv6_errors, n.n_sent, n.n_send_errors, is_bridge ? 0 : s->set_id });
            any = true;
        }
    }
    return any;
}
