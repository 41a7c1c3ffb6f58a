/* Requests about the switch, its ports and queues. */
#include <stdlib.h>

#include "netdev/qos.h"
#include "ofproto/listing.h"
#include "ofproto/ofconn.h"
#include "openflow/msg/queue.h"
#include "openflow/msg/switch.h"

#include "config.h"

static uint32_t
of10_actions(void)
{
    return 0xfff; /* Action numbers 0 to 11: all that OpenFlow 1.0 has. */
}

/* Features are kept with OpenFlow 1.0's numbers, messages want 1.1's. */
static uint32_t
convert_features(uint32_t of10)
{
    return (of10 & 0x7f) | (of10 & 0xf80) << 4;
}

void
ofport_describe(const struct ofport *o, struct port_desc *d)
{
    uint32_t curr = convert_features(o->curr);

    memset(d, 0, sizeof *d);
    d->port = o->x->ofp_port;
    d->mac = o->mac;
    str_copy_cut(d->name, o->x->name, sizeof d->name);
    d->config = atomic_load(&o->x->config);
    d->state = atomic_load(&o->x->state);
    d->curr = curr;
    d->advertised = convert_features(o->advertised);
    d->supported = convert_features(o->supported);
    d->peer = convert_features(o->peer_features);
    d->curr_speed = MIN(port_features_speed(curr) * 1000, UINT32_MAX);
    d->max_speed = MIN(port_features_speed(d->supported) * 1000, UINT32_MAX);
}

enum ofperr
handle_features(struct ofconn *c, const struct msg *m, struct bytes *out)
{
    struct ofproto *p = c->ofproto;
    struct switch_features f = {
        .datapath_id = p->dpid, .n_tables = 254, .actions = of10_actions(),
        .capabilities = CAP_FLOW_STATS | CAP_TABLE_STATS | CAP_PORT_STATS | CAP_QUEUE_STATS | CAP_ARP_MATCH_IP |
                        CAP_GROUP_STATS,
    };
    size_t start;

    if (c->version == OF10) {
        f.capabilities &= ~(uint32_t) CAP_GROUP_STATS;
    }
    if (c->version >= OF14) {
        f.capabilities |= CAP_BUNDLES;
    }
    start = switch_features_start(out, m, &f);
    if (c->version < OF13) {
        struct ofport **ports;
        size_t n;

        ports = ofports_sorted(p, &n);
        for (size_t i = 0; i < n && out->len - start < MSG_MAX - 128; i++) {
            struct port_desc d;

            ofport_describe(ports[i], &d);
            port_desc_put(out, c->version, &d);
        }
        free(ports);
    }
    msg_finish(out, start);
    return OFPERR_NONE;
}

enum ofperr
handle_get_config(struct ofconn *c, const struct msg *m, struct bytes *out)
{
    struct switch_config config = {
        .frags = c->ofproto->frag_mode, .miss_send_len = c->miss_send_len,
        .invalid_ttl_to_controller = c->invalid_ttl_to_controller,
    };

    switch_config_encode(out, MSG_GET_CONFIG_REPLY, m->version, m->xid, &config);
    return OFPERR_NONE;
}

enum ofperr
handle_set_config(struct ofconn *c, const struct msg *m, struct bytes *out UNUSED)
{
    struct ofproto *p = c->ofproto;
    struct switch_config config;
    enum ofperr error = switch_config_decode(m, &config);

    if (error) {
        return error;
    }
    /* Connections other than the primary's own may change only what is theirs. */
    if (c->role != ROLE_SECONDARY) {
        if (config.frags != p->frag_mode && config.frags != FRAG_REASSEMBLE) {
            p->frag_mode = config.frags;
            atomic_store(&p->xb.drop_fragments, config.frags == FRAG_DROP);
            atomic_store(&p->xb.match_first_fragments, config.frags == FRAG_NX_MATCH);
            backer_changed(p->backer);
        }
    }
    if (config.invalid_ttl_to_controller >= 0) {
        c->invalid_ttl_to_controller = config.invalid_ttl_to_controller;
        if (config.invalid_ttl_to_controller) {
            c->async.primary[ASYNC_PACKET_IN] |= 1 << 2; /* OFPR_INVALID_TTL */
        } else {
            c->async.primary[ASYNC_PACKET_IN] &= ~(1u << 2);
        }
    }
    c->miss_send_len = config.miss_send_len;
    return OFPERR_NONE;
}

enum ofperr
handle_desc(struct ofconn *c, const struct msg *m, struct bytes *out)
{
    struct ofproto *p = c->ofproto;
    struct switch_desc d;

    memset(&d, 0, sizeof d);
    str_copy_cut(d.mfr, p->mfr ? p->mfr : "Nicira, Inc.", sizeof d.mfr);
    str_copy_cut(d.hw, p->hw ? p->hw : "Open vSwitch", sizeof d.hw);
    str_copy_cut(d.sw, p->sw ? p->sw : WEFT_COMPAT_VERSION, sizeof d.sw);
    str_copy_cut(d.serial, p->serial ? p->serial : "None", sizeof d.serial);
    str_copy_cut(d.dp, p->dp_desc ? p->dp_desc : "None", sizeof d.dp);
    switch_desc_encode(out, m, &d);
    return OFPERR_NONE;
}

/* Of all ports (OFPP_NONE), or of one. */
static void
reply_ports(struct ofconn *c, const struct msg *m, ofp_port want, const struct listing_ops *ops)
{
    struct listing ports = LISTING_INIT;

    if (want != OFPP_NONE) {
        if (ofport_find(c->ofproto, want)) {
            listing_add(&ports, ofp_to_u32(want), NULL);
        }
    } else {
        HMAP_FOR_EACH (o, struct ofport, node, &c->ofproto->ports) {
            listing_add(&ports, ofp_to_u32(o->x->ofp_port), NULL);
        }
    }
    listing_reply(c, m, ops, &ports);
}

static bool
put_port_desc(struct ofconn *c, struct bytes *out, enum of_version v, const struct listed *one)
{
    const struct ofport *o = ofport_find(c->ofproto, OFP_PORT(one->id));
    struct port_desc d;

    if (!o) {
        return false;
    }
    ofport_describe(o, &d);
    port_desc_put(out, v, &d);
    return true;
}

enum ofperr
handle_port_desc(struct ofconn *c, const struct msg *m, struct bytes *out UNUSED)
{
    static const struct listing_ops ops = { MSG_PORT_DESC_REPLY, 0, put_port_desc, NULL, NULL };
    enum ofperr error;
    ofp_port want;

    error = port_desc_request_decode(m, &want);
    if (!error) {
        reply_ports(c, m, want == OFPP_ALL ? OFPP_NONE : want, &ops);
    }
    return error;
}

static void
add_counter(void *s_, const char *name, uint64_t value)
{
    struct port_stats *s = s_;
    struct port_custom_stat *custom;

    s->custom = xrealloc(s->custom, (s->n_custom + 1) * sizeof *s->custom);
    custom = &s->custom[s->n_custom++];
    memset(custom, 0, sizeof *custom);
    str_copy_cut(custom->name, name, sizeof custom->name);
    custom->value = value;
}

static bool
put_port_stats(struct ofconn *c, struct bytes *out, enum of_version v, const struct listed *one)
{
    const struct ofport *o = ofport_find(c->ofproto, OFP_PORT(one->id));
    struct netdev_stats n;
    struct port_stats s;
    int64_t age;

    if (!o) {
        return false;
    }
    age = clock_now_ms() - o->created;
    ofproto_port_get_stats(o->ofproto, o->x->ofp_port, &n);
    port_stats_init(&s);
    s.port = o->x->ofp_port;
    s.duration_sec = age / 1000;
    s.duration_nsec = age % 1000 * 1000000;
    s.rx_packets = n.rx_packets;
    s.tx_packets = n.tx_packets;
    s.rx_bytes = n.rx_bytes;
    s.tx_bytes = n.tx_bytes;
    s.rx_dropped = n.rx_dropped;
    s.tx_dropped = n.tx_dropped;
    s.rx_errors = n.rx_errors;
    s.tx_errors = n.tx_errors;
    s.rx_frame_errors = n.rx_frame_err;
    s.rx_over_errors = n.rx_over_err;
    s.rx_crc_errors = n.rx_crc_err;
    s.collisions = n.collisions;
    netdev_each_counter(o->x->netdev, add_counter, &s);
    port_stats_put(out, v, &s);
    port_stats_uninit(&s);
    return true;
}

enum ofperr
handle_port_stats(struct ofconn *c, const struct msg *m, struct bytes *out UNUSED)
{
    static const struct listing_ops ops = { MSG_PORT_REPLY, 0xfffffffe, put_port_stats, NULL, NULL };
    enum ofperr error;
    ofp_port want;

    error = port_stats_request_decode(m, &want);
    if (!error) {
        reply_ports(c, m, want, &ops);
    }
    return error;
}

enum ofperr
port_mod_prepare(struct ofconn *c, const struct msg *m, struct port_mod_job *job)
{
    struct port_mod pm;
    enum ofperr error = port_mod_decode(m, false, &pm);

    if (error) {
        return error;
    }
    *job = (struct port_mod_job) { ofport_find(c->ofproto, pm.port), pm.config, pm.mask };
    if (!job->port) {
        return OFPERR_OFPPMFC_BAD_PORT;
    }
    return eth_addr_equal(job->port->mac, pm.mac) ? OFPERR_NONE : OFPERR_OFPPMFC_BAD_HW_ADDR;
}

void
port_mod_execute(struct port_mod_job *job)
{
    ofport_apply_config(job->port, job->config, job->mask);
}

enum ofperr
handle_port_mod(struct ofconn *c, const struct msg *m, struct bytes *out UNUSED)
{
    struct port_mod_job job;
    enum ofperr error = port_mod_prepare(c, m, &job);

    if (!error) {
        port_mod_execute(&job);
    }
    return error;
}

/* Walking the queues of ports, for statistics and configuration. */
struct queue_walk {
    const struct ofport *port;
    struct queue_request wanted;
    enum of_version version;
    struct msg_parts parts;
    size_t n;
};

/* What the device does not count is unknown. */
static void
fill_queue_stats(struct queue_stats *s, const struct netdev *netdev, uint32_t queue)
{
    struct netdev_queue_stats counted;
    int64_t age;

    memset(s, 0xff, sizeof *s);
    if (!netdev_get_queue_stats(netdev, queue, &counted)) {
        age = clock_now_ms() - counted.created_ms;
        s->tx_packets = counted.tx_packets;
        s->tx_bytes = counted.tx_bytes;
        s->tx_errors = counted.tx_errors;
        s->duration_sec = age / 1000;
        s->duration_nsec = age % 1000 * 1000000;
    }
}

static void
put_queue_stats(void *w_, uint32_t queue)
{
    struct queue_walk *w = w_;
    size_t entry = w->parts.out->len;
    struct queue_stats s;

    if (w->wanted.queue == QUEUE_ALL || w->wanted.queue == queue) {
        fill_queue_stats(&s, w->port->x->netdev, queue);
        s.port = w->port->x->ofp_port;
        s.queue = queue;
        queue_stats_put(w->parts.out, w->version, &s);
        msg_parts_entry(&w->parts, entry);
        w->n++;
    }
}

static void
put_queue_config(void *w_, uint32_t queue)
{
    struct queue_walk *w = w_;
    size_t entry = w->parts.out->len;
    struct queue_config config = {
        .port = w->port->x->ofp_port, .queue = queue, .min_rate = QUEUE_RATE_UNSET, .max_rate = QUEUE_RATE_UNSET,
    };

    if (w->wanted.queue == QUEUE_ALL || w->wanted.queue == queue) {
        queue_config_put(w->parts.out, w->version, &config);
        msg_parts_entry(&w->parts, entry);
        w->n++;
    }
}

/* Calls 'cb' for each queue of the port that is wanted, or of all. */
static void
walk_queues(struct ofport **ports, size_t n, struct queue_walk *w, netdev_queue_cb *cb)
{
    for (size_t i = 0; i < n; i++) {
        if (w->wanted.port == OFPP_NONE || w->wanted.port == ports[i]->x->ofp_port) {
            w->port = ports[i];
            netdev_each_queue(ports[i]->x->netdev, cb, w);
        }
    }
}

/* Ports in the order of statistics: the local port, then by number. */
static struct ofport **
ports_local_first(struct ofproto *p, size_t *n)
{
    struct ofport **ports = ofports_sorted(p, n), *last = *n ? ports[*n - 1] : NULL;

    if (last && last->x->ofp_port == OFPP_LOCAL) {
        memmove(ports + 1, ports, (*n - 1) * sizeof *ports);
        ports[0] = last;
    }
    return ports;
}

enum ofperr
handle_queue_stats(struct ofconn *c, const struct msg *m, struct bytes *out)
{
    struct queue_walk w = { .version = m->version };
    enum ofperr error = queue_stats_request_decode(m, &w.wanted);
    struct ofport **ports;
    size_t n, start = out->len;

    if (error) {
        return error;
    }
    if (w.wanted.port != OFPP_NONE && !ofport_find(c->ofproto, w.wanted.port)) {
        return OFPERR_OFPQOFC_BAD_PORT;
    }
    ports = ports_local_first(c->ofproto, &n);
    msg_parts_begin(&w.parts, out, MSG_QUEUE_REPLY, m);
    walk_queues(ports, n, &w, put_queue_stats);
    free(ports);
    if (!w.n && w.wanted.queue != QUEUE_ALL) {
        out->len = start;
        return OFPERR_OFPQOFC_BAD_QUEUE;
    }
    msg_parts_end(&w.parts);
    return OFPERR_NONE;
}

enum ofperr
handle_queue_config(struct ofconn *c, const struct msg *m, struct bytes *out)
{
    struct queue_walk w = { .version = m->version };
    enum ofperr error = queue_config_request_decode(m, &w.wanted);
    struct ofport **ports;
    size_t n, start = out->len;

    if (error) {
        return error;
    }
    if (w.wanted.port != OFPP_NONE && !ofport_find(c->ofproto, w.wanted.port)) {
        return OFPERR_OFPQOFC_BAD_PORT;
    }
    ports = ofports_sorted(c->ofproto, &n);
    queue_config_reply_start(&w.parts, out, m, w.wanted.port);
    walk_queues(ports, n, &w, put_queue_config);
    free(ports);
    if (!w.n && w.wanted.queue != QUEUE_ALL) {
        out->len = start;
        return OFPERR_OFPQOFC_BAD_QUEUE;
    }
    msg_parts_end(&w.parts);
    return OFPERR_NONE;
}
