#include "ofproto/in_band.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "netdev/netdev.h"
#include "netlink/rtnl_route.h"
#include "ofproto/change_request.h"
#include "openflow/flow_mod.h"
#include "sys/address.h"
#include "sys/log.h"

LOG_MODULE(in_band)

/* Above IN_BAND_PRIORITY, in this order. */
enum { FROM_LOCAL_DHCP, TO_LOCAL_ARP, FROM_LOCAL_ARP, TO_NEXT_HOP_ARP, FROM_NEXT_HOP_ARP, TO_REMOTE_ARP,
       FROM_REMOTE_ARP, TO_REMOTE_TCP, FROM_REMOTE_TCP };
enum { ARP_REQUEST = 1, ARP_REPLY = 2, ETH_TYPE_IP = 0x0800, ETH_TYPE_ARP = 0x0806, PROTO_TCP = 6, PROTO_UDP = 17 };

struct remote {
    be32 ip;
    uint16_t port;
};

struct in_band_rule {
    int priority;
    struct match match;
};

struct in_band {
    struct remote *remotes;
    size_t n_remotes, remotes_capacity;
    int queue, queue_in_use;    /* -1: none. */
    struct in_band_rule *rules; /* That are in the table. */
    size_t n_rules;
};

struct rules {
    struct in_band_rule *rules;
    size_t n, capacity;
};

void
in_band_begin(struct ofproto *p, int queue)
{
    if (!p->in_band) {
        p->in_band = xzalloc(sizeof *p->in_band);
        p->in_band->queue_in_use = -1;
    }
    p->in_band->n_remotes = 0;
    p->in_band->queue = queue;
}

void
in_band_add(struct ofproto *p, const char *target, uint16_t default_port)
{
    struct in_band *b = p->in_band;
    struct remote r;
    struct address a;

    if ((strncmp(target, "tcp:", 4) && strncmp(target, "ssl:", 4)) ||
        address_parse_active(target + 4, default_port, &a) || a.sa.ss_family != AF_INET) {
        return;
    }
    memcpy(&r.ip, &((const struct sockaddr_in *) &a.sa)->sin_addr, sizeof r.ip);
    r.port = a.port;
    if (b->n_remotes == b->remotes_capacity) {
        b->remotes = x2nrealloc(b->remotes, &b->remotes_capacity, sizeof *b->remotes);
    }
    b->remotes[b->n_remotes++] = r;
}

/* What the rules should be. */

static struct match *
add_rule(struct rules *r, int which, uint16_t eth_type)
{
    struct in_band_rule *rule;

    if (r->n == r->capacity) {
        r->rules = x2nrealloc(r->rules, &r->capacity, sizeof *r->rules);
    }
    rule = &r->rules[r->n++];
    rule->priority = IN_BAND_PRIORITY + which;
    match_init_catchall(&rule->match);
    match_set_u64(&rule->match, FIELD_ETH_TYPE, eth_type);
    return &rule->match;
}

static struct match *
add_arp(struct rules *r, int which, uint8_t op)
{
    struct match *m = add_rule(r, which, ETH_TYPE_ARP);

    match_set_u64(m, FIELD_ARP_OP, op);
    return m;
}

static void
set_mac(struct match *m, enum field_id field, struct eth_addr mac)
{
    match_set_u64(m, field, eth_addr_to_u64(mac));
}

static void
add_local(struct rules *r, struct eth_addr mac)
{
    struct match *m = add_rule(r, FROM_LOCAL_DHCP, ETH_TYPE_IP);

    match_set_u64(m, FIELD_IN_PORT_OXM, ofp_to_u32(OFPP_LOCAL));
    set_mac(m, FIELD_ETH_SRC, mac);
    match_set_u64(m, FIELD_NW_PROTO, PROTO_UDP);
    match_set_u64(m, FIELD_UDP_SRC, 68);
    match_set_u64(m, FIELD_UDP_DST, 67);
    set_mac(add_arp(r, TO_LOCAL_ARP, ARP_REPLY), FIELD_ETH_DST, mac);
    set_mac(add_arp(r, FROM_LOCAL_ARP, ARP_REQUEST), FIELD_ETH_SRC, mac);
}

static void
warn_no_route(const struct ofproto *p, be32 ip, int error)
{
    static struct log_limit limit = LOG_LIMIT_INIT(60, 60);
    struct str text = STR_INIT;

    ipv4_put(&text, ip);
    log_warn_rl(&limit, "%s: cannot find route for controller (%s): %s", p->xb.name, str_text(&text),
                strerror(-error));
    str_uninit(&text);
}

/* If the remote is reached through the local port: by which neighbour. */
static void
add_next_hop(struct rules *r, const struct ofproto *p, const struct ofport *local, const struct remote *remote)
{
    int ifindex = netdev_get_ifindex(local->x->netdev);
    struct rtnl_route route;
    struct eth_addr mac;

    if (ifindex <= 0 || rtnl_route_get(remote->ip, &route)) {
        warn_no_route(p, remote->ip, ifindex <= 0 ? -EOPNOTSUPP : -ENXIO); /* As the log has always called it. */
        return;
    }
    if (route.ifindex != ifindex ||
        rtnl_neighbour_get(route.ifindex, route.gateway ? route.gateway : remote->ip, &mac)) {
        return;
    }
    set_mac(add_arp(r, TO_NEXT_HOP_ARP, ARP_REPLY), FIELD_ETH_DST, mac);
    set_mac(add_arp(r, FROM_NEXT_HOP_ARP, ARP_REQUEST), FIELD_ETH_SRC, mac);
}

static void
add_remote(struct rules *r, const struct remote *remote)
{
    uint32_t ip = be32_to_cpu(remote->ip);
    struct match *m;

    match_set_u64(add_arp(r, TO_REMOTE_ARP, ARP_REPLY), FIELD_ARP_TPA, ip);
    match_set_u64(add_arp(r, FROM_REMOTE_ARP, ARP_REQUEST), FIELD_ARP_SPA, ip);
    m = add_rule(r, TO_REMOTE_TCP, ETH_TYPE_IP);
    match_set_u64(m, FIELD_NW_PROTO, PROTO_TCP);
    match_set_u64(m, FIELD_IP_DST, ip);
    match_set_u64(m, FIELD_TCP_DST, remote->port);
    m = add_rule(r, FROM_REMOTE_TCP, ETH_TYPE_IP);
    match_set_u64(m, FIELD_NW_PROTO, PROTO_TCP);
    match_set_u64(m, FIELD_IP_SRC, ip);
    match_set_u64(m, FIELD_TCP_SRC, remote->port);
}

static bool
contains(const struct in_band_rule *rules, size_t n, const struct in_band_rule *rule)
{
    for (size_t i = 0; i < n; i++) {
        if (rules[i].priority == rule->priority && match_equal(&rules[i].match, &rule->match)) {
            return true;
        }
    }
    return false;
}

/* Of rules without duplicates. */
static bool
are_same(const struct rules *want, const struct in_band *b)
{
    if (want->n != b->n_rules) {
        return false;
    }
    for (size_t i = 0; i < want->n; i++) {
        if (!contains(b->rules, b->n_rules, &want->rules[i])) {
            return false;
        }
    }
    return true;
}

/* Two remotes may have an address or a next hop in common. */
static void
drop_duplicates(struct rules *r)
{
    size_t n = 0;

    for (size_t i = 0; i < r->n; i++) {
        if (!contains(r->rules, n, &r->rules[i])) {
            r->rules[n++] = r->rules[i];
        }
    }
    r->n = n;
}

static void
compute(struct ofproto *p, struct rules *r)
{
    const struct ofport *local = ofport_find(p, OFPP_LOCAL);

    if (!p->in_band->n_remotes || !local) {
        return;
    }
    add_local(r, local->mac);
    for (size_t i = 0; i < p->in_band->n_remotes; i++) {
        add_next_hop(r, p, local, &p->in_band->remotes[i]);
        add_remote(r, &p->in_band->remotes[i]);
    }
    drop_duplicates(r);
}

/* Bringing them into the table. */

static void
change_rule(struct tables_change *c, const struct in_band_rule *rule, int queue, bool present)
{
    struct act_buf acts = ACT_BUF_INIT;
    struct act_output *output;
    struct flow_mod fm;

    flow_mod_init(&fm);
    fm.command = present ? FM_ADD : FM_DELETE_STRICT;
    fm.table_id = 0;
    fm.priority = rule->priority;
    fm.match = rule->match;
    if (queue >= 0) {
        struct act_set_queue *set = act_put(&acts, ACT_SET_QUEUE, sizeof *set);

        set->queue = queue;
    }
    output = act_put(&acts, ACT_OUTPUT, sizeof *output);
    output->port = OFPP_NORMAL;
    fm.actions = act_buf_span(&acts);
    if (change_flow_mod(c, &fm)) {
        log_err("%s: cannot change a rule of in-band control", c->p->xb.name);
    }
    act_buf_uninit(&acts);
}

static void
apply(struct ofproto *p, const struct rules *want)
{
    struct in_band *b = p->in_band;
    bool new_queue = b->queue != b->queue_in_use;
    struct tables_change change;

    change_requests_finish(p);
    pthread_mutex_lock(&p->tables_mutex);
    change_begin(&change, p, NULL);
    for (size_t i = 0; i < b->n_rules; i++) {
        if (!contains(want->rules, want->n, &b->rules[i])) {
            change_rule(&change, &b->rules[i], b->queue, false);
        }
    }
    for (size_t i = 0; i < want->n; i++) {
        if (new_queue || !contains(b->rules, b->n_rules, &want->rules[i])) {
            change_rule(&change, &want->rules[i], b->queue, true);
        }
    }
    change_commit(&change);
    pthread_mutex_unlock(&p->tables_mutex);
    b->queue_in_use = b->queue;
}

void
in_band_run(struct ofproto *p)
{
    struct in_band *b = p->in_band;
    struct rules want = { NULL, 0, 0 };

    if (!b || (!b->n_remotes && !b->n_rules)) {
        return;
    }
    compute(p, &want);
    if (b->queue == b->queue_in_use && are_same(&want, b)) {
        free(want.rules);
        return; /* As mostly, each second: a long change of the tables goes on in its own time. */
    }
    apply(p, &want);
    free(b->rules);
    b->rules = want.rules;
    b->n_rules = want.n;
    if (atomic_exchange(&p->xb.has_in_band, want.n > 0) != (want.n > 0)) {
        backer_changed(p->backer);
    }
}

void
in_band_uninit(struct ofproto *p)
{
    if (p->in_band) {
        free(p->in_band->remotes);
        free(p->in_band->rules);
        free(p->in_band);
    }
}
