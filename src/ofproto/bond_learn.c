/* Learning packets: when a bond's traffic moves to another member, the switches behind it still send what is for the
 * hosts on our side to the old one.  A broadcast in the name of each host shows them the new way. */
#include "ofproto/bond.h"
#include "ofproto/mac_table.h"
#include "ofproto/ofproto_private.h"
#include "sys/counter.h"
#include "sys/log.h"

LOG_MODULE(bond)

/* Turns of the main loop after which some were left to be sent. */
COUNTER(bond_learning_turns)

/* Whose packets are sent before the clock is looked at. */
enum { HOSTS_A_STEP = 16 };

struct hosts {
    struct mac_entry e[HOSTS_A_STEP];
    size_t n;
};

/* The tag of a packet of the VLAN that leaves by the bundle; -1: it does not. */
static int
tag_of(const struct xbundle *b, uint16_t vlan)
{
    bool trunked = !b->trunks || b->trunks[vlan / 64] >> vlan % 64 & 1;

    switch (b->vlan_mode) {
    case XVLAN_ACCESS: case XVLAN_DOT1Q_TUNNEL: return vlan == b->vlan ? 0 : -1;
    case XVLAN_NATIVE_UNTAGGED: return vlan == b->vlan ? 0 : trunked ? vlan : -1;
    case XVLAN_NATIVE_TAGGED: return vlan == b->vlan || trunked ? vlan : -1;
    case XVLAN_TRUNK: return trunked ? vlan : -1;
    }
    return -1;
}

/* A reverse ARP request (RFC 903) of the host for its own address: nobody answers it. */
static void
compose(struct bytes *frame, struct eth_addr mac, uint16_t tag)
{
    static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, no_ip[4];

    bytes_put(frame, broadcast, sizeof broadcast);
    bytes_put(frame, &mac, sizeof mac);
    if (tag) {
        bytes_put_be16(frame, 0x8100);
        bytes_put_be16(frame, tag);
    }
    bytes_put_be16(frame, 0x8035);
    bytes_put_be16(frame, 1);
    bytes_put_be16(frame, 0x0800);
    bytes_put_be16(frame, 0x0604);
    bytes_put_be16(frame, 3);
    bytes_put(frame, &mac, sizeof mac);
    bytes_put(frame, no_ip, sizeof no_ip);
    bytes_put(frame, &mac, sizeof mac);
    bytes_put(frame, no_ip, sizeof no_ip);
}

static void
send_one(struct bond *b, const struct xbundle *bundle, const struct mac_entry *e)
{
    const struct xport *port = bond_choose(b, e->mac, e->vlan);
    struct bytes frame = BYTES_INIT;
    int tag = tag_of(bundle, e->vlan);

    if (e->bundle_key == b->key || !port || tag < 0) {
        return;
    }
    compose(&frame, e->mac, tag);
    b->teaching.n_failed += ofproto_send_own(b->ofproto, port, frame.data, frame.len) != 0;
    b->teaching.n_sent++;
    bytes_uninit(&frame);
}

static void
note_host(void *hosts_, const struct mac_met *met)
{
    struct hosts *hosts = hosts_;

    hosts->e[hosts->n++] = met->e;
}

static void
stop(struct bond *b)
{
    loop_task_cancel(&b->teaching.task);
    if (b->teaching.is_under_way) {
        mac_table_walk_end(b->ofproto->xb.mac_table, &b->teaching.walk);
        b->teaching.is_under_way = false;
    }
}

/* Some more; true once that is all. */
static bool
send_some(struct bond *b)
{
    const struct xbundle *bundle = xbridge_bundle_rcu(&b->ofproto->xb, b->key);
    struct hosts hosts = { .n = 0 };
    bool more = mac_table_walk_step(b->ofproto->xb.mac_table, &b->teaching.walk, HOSTS_A_STEP, note_host, &hosts);

    for (size_t i = 0; bundle && i < hosts.n; i++) {
        send_one(b, bundle, &hosts.e[i]);
    }
    return !bundle || !more;
}

static void
on_turn(struct loop_task *task)
{
    static struct log_limit limit = LOG_LIMIT_INIT(1, 5);
    struct loop_slice slice = loop_slice_begin();
    struct bond *b = task->aux;

    while (!send_some(b)) {
        if (loop_slice_has_ended(&slice)) {
            counter_inc(bond_learning_turns);
            loop_task_post_next_turn(task);
            return;
        }
    }
    stop(b);
    if (b->teaching.n_failed) {
        log_warn_rl(&limit, "bond %s: %u errors sending %u gratuitous learning packets", b->name, b->teaching.n_failed,
                    b->teaching.n_sent);
    }
}

void
bond_teaching_init(struct bond *b)
{
    loop_task_init(ofproto_loop, &b->teaching.task, on_turn, b);
}

void
bond_teaching_uninit(struct bond *b)
{
    stop(b);
}

bool
bond_send_learning_packets(struct bond *b)
{
    if (!xbridge_bundle_rcu(&b->ofproto->xb, b->key)) {
        return false;
    }
    stop(b);
    if (b->c.mode != BOND_BALANCE_TCP) {
        mac_table_walk_begin(b->ofproto->xb.mac_table, &b->teaching.walk);
        b->teaching.is_under_way = true;
        b->teaching.n_sent = b->teaching.n_failed = 0;
        on_turn(&b->teaching.task);
    }
    return true;
}
