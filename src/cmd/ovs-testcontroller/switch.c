#include "cmd/ovs-testcontroller/switch.h"

#include <stdlib.h>

#include "flow/extract.h"
#include "ofproto/mac_table.h"
#include "openflow/msg/flow.h"
#include "openflow/msg/packet.h"
#include "openflow/msg/port.h"
#include "openflow/msg/switch.h"
#include "sys/log.h"

LOG_MODULE(learning_switch)

enum { MISS_SEND_LEN = 128, MAX_BACKLOG = 1024 * 1024 };
enum { PRIORITY_EXACT = 65535, PRIORITY_WILD = 1 };

/* OpenFlow 1.0's wildcard bits, and the fields that they leave out. */
enum { WC_NW_SRC_SHIFT = 8, WC_NW_DST_SHIFT = 14, WC_NW_MASK = 63, WC_ALL = 0x3fffff };
static const struct {
    uint32_t bit;
    enum field_id field;
} wildcard_bits[] = {
    { 1 << 0, FIELD_IN_PORT_OXM }, { 1 << 2, FIELD_ETH_SRC }, { 1 << 3, FIELD_ETH_DST }, { 1 << 4, FIELD_ETH_TYPE },
    { 1 << 5, FIELD_NW_PROTO }, { 1 << 6, FIELD_TCP_SRC }, { 1 << 7, FIELD_TCP_DST }, { 1 << 21, FIELD_NW_TOS },
};
enum { WC_VLAN_VID = 1 << 1, WC_VLAN_PCP = 1 << 20 };

struct test_switch {
    const struct switch_options *options;
    struct of_conn *conn;
    enum of_version version;
    unsigned int protocol;
    struct mac_table *macs;
    uint32_t queues[256]; /* Of ports that have one of their own, plus 1: by number. */
};

static void
send(struct test_switch *s, struct bytes *b)
{
    if (!s->options->mute && of_conn_queued(s->conn) < MAX_BACKLOG) {
        of_conn_send(s->conn, b);
    }
    bytes_uninit(b);
}

static void
send_flow(struct test_switch *s, const struct flow_mod *fm)
{
    struct bytes b = BYTES_INIT;

    if (flow_mod_encode(&b, s->protocol, msg_new_xid(), fm)) {
        send(s, &b);
    }
    bytes_uninit(&b);
}

static void
send_miss_flow(struct test_switch *s)
{
    struct act_buf acts = ACT_BUF_INIT;
    struct act_output *out = act_put(&acts, ACT_OUTPUT, sizeof *out);
    struct flow_mod fm;

    out->port = OFPP_CONTROLLER;
    out->max_len = MISS_SEND_LEN;
    flow_mod_init(&fm);
    fm.table_id = 0;
    fm.priority = 0;
    fm.actions = act_buf_span(&acts);
    send_flow(s, &fm);
    act_buf_uninit(&acts);
}

/* In 1.0 what the user writes may need Nicira's form of a flow and a table id in the command. */
static void
send_given_flows(struct test_switch *s)
{
    if (s->version == OF10 && s->options->n_flows) {
        struct bytes b = BYTES_INIT;

        flow_format_encode(&b, msg_new_xid(), true);
        flow_mod_table_id_encode(&b, msg_new_xid(), true);
        send(s, &b);
        s->protocol = PROTO_NXM_TID;
    }
    for (size_t i = 0; i < s->options->n_flows; i++) {
        send_flow(s, &s->options->flows[i]);
    }
    s->protocol = s->protocol == PROTO_NXM_TID ? PROTO_OF10_TID : s->protocol;
}

struct test_switch *
test_switch_create(const struct switch_options *options, struct of_conn *conn)
{
    const struct switch_config config = { .frags = FRAG_NORMAL, .invalid_ttl_to_controller = -1,
                                          .miss_send_len = MISS_SEND_LEN };
    struct test_switch *s = xzalloc(sizeof *s);
    struct bytes b = BYTES_INIT;

    s->options = options;
    s->conn = conn;
    s->version = of_conn_version(conn);
    s->protocol = s->version == OF10 ? PROTO_OF10 : proto_of_version(s->version);
    s->macs = options->hub ? NULL : mac_table_create();
    msg_put_simple(&b, MSG_FEATURES_REQUEST, s->version, msg_new_xid(), NULL, 0);
    switch_config_encode(&b, MSG_SET_CONFIG, s->version, msg_new_xid(), &config);
    send(s, &b);
    if (s->version >= OF13) {
        send_miss_flow(s);
        if (strmap_count(&options->port_queues)) {
            msg_put_simple(&b, MSG_PORT_DESC_REQUEST, s->version, msg_new_xid(), NULL, 0);
            send(s, &b);
        }
    }
    send_given_flows(s);
    return s;
}

void
test_switch_destroy(struct test_switch *s)
{
    if (s) {
        mac_table_destroy(s->macs);
        free(s);
    }
}

/* Ports: which of them have a queue of their own. */

static void
take_ports(struct test_switch *s, struct cursor ports)
{
    struct port_desc d;

    while (ports.left && !port_desc_take(&ports, s->version, &d)) {
        const uint32_t *queue = strmap_get(&s->options->port_queues, d.name);

        if (queue && ofp_to_u32(d.port) < ARRAY_SIZE(s->queues)) {
            s->queues[ofp_to_u32(d.port)] = *queue + 1;
        }
    }
}

static void
take_features(struct test_switch *s, const struct msg *m)
{
    struct switch_features f;
    struct cursor ports;

    if (switch_features_decode(m, &f, &ports)) {
        log_err("received invalid features reply");
    } else if (s->version < OF13) {
        take_ports(s, ports);
    }
}

/* Packets. */

static int64_t
queue_of(const struct test_switch *s, ofp_port in_port)
{
    uint32_t n = ofp_to_u32(in_port);

    return n < ARRAY_SIZE(s->queues) && s->queues[n] ? (int64_t) s->queues[n] - 1 : s->options->queue;
}

/* OFPP_FLOOD if the destination is not known, OFPP_NONE if it is where the packet came from. */
static ofp_port
choose_port(struct test_switch *s, const struct flow *flow, ofp_port in_port)
{
    uint16_t vlan = be16_to_cpu(flow->vlan_tci) & VLAN_VID_MASK;
    struct mac_entry e;

    if (!s->macs) {
        return OFPP_FLOOD;
    }
    if (mac_table_may_learn(s->macs, flow->eth_src, vlan)) {
        mac_table_learn(s->macs, flow->eth_src, vlan, (const void *) (uintptr_t) (ofp_to_u32(in_port) + 1), in_port,
                        false, false);
    }
    if (eth_addr_is_multicast(flow->eth_dst) || !mac_table_lookup(s->macs, flow->eth_dst, vlan, &e)) {
        return OFPP_FLOOD;
    }
    return s->options->normal ? OFPP_NORMAL : ofp_to_u32(e.port) == ofp_to_u32(in_port) ? OFPP_NONE : e.port;
}

static void
put_enqueue(struct act_buf *acts, ofp_port port, uint32_t queue)
{
    struct act_enqueue *a = act_put(acts, ACT_ENQUEUE, sizeof *a);

    a->port = port;
    a->queue = queue;
}

/* How a packet or flow goes there; an empty list drops. */
static void
make_actions(struct act_buf *acts, ofp_port port, int64_t queue)
{
    uint32_t n = ofp_to_u32(port);
    struct act_output *out;

    act_buf_clear(acts);
    if (n == ofp_to_u32(OFPP_NONE)) {
        return;
    }
    if (queue >= 0 && n < ofp_to_u32(OFPP_MAX)) {
        put_enqueue(acts, port, queue);
        return;
    }
    out = act_put(acts, ACT_OUTPUT, sizeof *out);
    out->port = port;
}

static void
match_field(struct match *m, const struct flow *flow, enum field_id id)
{
    union field_value v;

    if (field_prereqs_met_by_match(field_of(id), &m->flow, &m->mask)) {
        field_get(field_of(id), flow, &v);
        match_set(m, field_of(id), &v);
    }
}

static void
match_ip(struct match *m, const struct flow *flow, uint32_t wildcards, unsigned int shift, enum field_id id)
{
    unsigned int ignored = MIN(wildcards >> shift & WC_NW_MASK, 32);
    union field_value v, mask = { { 0 } };

    if (ignored < 32 && field_prereqs_met_by_match(field_of(id), &m->flow, &m->mask)) {
        put_be32(mask.bytes, UINT32_MAX << ignored);
        field_get(field_of(id), flow, &v);
        match_set_masked(m, field_of(id), &v, &mask);
    }
}

/* What OpenFlow 1.0's twelve fields have of the packet, without those that are wildcarded. */
static void
make_match(const struct test_switch *s, const struct flow *flow, struct match *m)
{
    uint32_t wc = s->options->wildcards;

    match_init_catchall(m);
    if (!(wc & WC_VLAN_VID) || !(wc & WC_VLAN_PCP)) {
        m->flow.vlan_tci = flow->vlan_tci;
        m->mask.vlan_tci = s->version == OF10 || flow->vlan_tci ? BE16_MAX : BE16(VLAN_PRESENT | VLAN_VID_MASK);
    }
    for (size_t i = 0; i < ARRAY_SIZE(wildcard_bits); i++) {
        if (!(wc & wildcard_bits[i].bit)) {
            match_field(m, flow, wildcard_bits[i].field);
        }
    }
    match_ip(m, flow, wc, WC_NW_SRC_SHIFT, FIELD_IP_SRC);
    match_ip(m, flow, wc, WC_NW_DST_SHIFT, FIELD_IP_DST);
    match_normalize(m);
}

static void
add_flow(struct test_switch *s, const struct flow *flow, struct act_buf *acts)
{
    struct flow_mod fm;

    flow_mod_init(&fm);
    fm.table_id = s->protocol == PROTO_OF10 ? FM_TABLE_ANY : 0;
    make_match(s, flow, &fm.match);
    fm.priority = s->version == OF10 && !(s->options->wildcards & WC_ALL) ? PRIORITY_EXACT : PRIORITY_WILD;
    fm.idle_timeout = s->options->max_idle;
    fm.actions = act_buf_span(acts);
    send_flow(s, &fm);
}

static void
send_on(struct test_switch *s, const struct packet_in *pin, struct act_buf *acts)
{
    struct packet_out po = {
        .packet = pin->buffer_id == BUFFER_NONE ? pin->packet : NULL, .buffer_id = pin->buffer_id,
        .packet_len = pin->packet_len, .actions = act_buf_span(acts),
    };
    struct bytes b = BYTES_INIT;

    match_init_catchall(&po.metadata);
    match_set_u64(&po.metadata, FIELD_IN_PORT_OXM, ofp_to_u32(packet_metadata_in_port(&pin->metadata)));
    if (packet_out_encode(&b, s->protocol, msg_new_xid(), &po)) {
        send(s, &b);
    }
    bytes_uninit(&b);
}

static void
take_packet(struct test_switch *s, const struct msg *m)
{
    struct act_buf acts = ACT_BUF_INIT;
    struct flow md = { .in_port = 0 }, flow;
    struct packet_in pin;
    ofp_port in_port, port;
    int64_t queue;

    if (packet_in_decode(m, &pin, NULL)) {
        log_warn("failed to decode packet-in");
        return;
    }
    if (pin.reason != OFPR_NO_MATCH && pin.reason != OFPR_ACTION && pin.reason != OFPR_EXPLICIT_MISS) {
        return;
    }
    in_port = packet_metadata_in_port(&pin.metadata);
    md.in_port = cpu_to_be32(ofp_to_u32(in_port));
    flow_extract_full(pin.packet, pin.packet_len, &md, &flow, NULL);
    queue = queue_of(s, in_port);
    port = choose_port(s, &flow, in_port);
    if (!s->options->noflow && (!s->macs || ofp_to_u32(port) != ofp_to_u32(OFPP_FLOOD))) {
        make_actions(&acts, port, queue);
        add_flow(s, &flow, &acts);
    }
    make_actions(&acts, port, queue);
    send_on(s, &pin, &acts);
    act_buf_uninit(&acts);
}

void
test_switch_message(struct test_switch *s, const uint8_t *data, size_t len)
{
    struct msg m;
    enum ofperr error = msg_decode(data, len, &m);

    if (error) {
        log_warn("received message that cannot be read (%s)", ofperr_name(error));
        return;
    }
    switch (m.type) {
    case MSG_FEATURES_REPLY:
        take_features(s, &m);
        break;
    case MSG_PORT_DESC_REPLY:
        take_ports(s, m.body);
        break;
    case MSG_PACKET_IN:
        take_packet(s, &m);
        break;
    default:
        break;
    }
}
