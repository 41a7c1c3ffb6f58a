/* Learning packets: when a bond's traffic moves to another member, the switches behind it still send what is for the
 * hosts on our side to the old one.  A broadcast in the name of each host shows them the new way. */
#include "ofproto/bond.h"
#include "ofproto/mac_table.h"
#include "ofproto/ofproto_private.h"
#include "sys/log.h"

LOG_MODULE(bond)

struct walk {
    struct bond *b;
    const struct xbundle *bundle;
    unsigned int n_sent, n_failed;
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
send_one(void *walk_, const struct mac_entry *e)
{
    struct walk *w = walk_;
    struct bytes frame = BYTES_INIT;
    const struct xport *port = bond_choose(w->b, e->mac, e->vlan);
    int tag = tag_of(w->bundle, e->vlan);

    if (e->bundle_key == w->b->key || !port || tag < 0) {
        return;
    }
    compose(&frame, e->mac, tag);
    w->n_failed += ofproto_send_own(w->b->ofproto, port, frame.data, frame.len) != 0;
    w->n_sent++;
    bytes_uninit(&frame);
}

bool
bond_send_learning_packets(struct bond *b)
{
    static struct log_limit limit = LOG_LIMIT_INIT(1, 5);
    struct walk w = { .b = b, .bundle = xbridge_bundle_rcu(&b->ofproto->xb, b->key) };

    if (!w.bundle) {
        return false;
    }
    if (b->c.mode == BOND_BALANCE_TCP) {
        return true;
    }
    mac_table_for_each(b->ofproto->xb.mac_table, send_one, &w);
    if (w.n_failed) {
        log_warn_rl(&limit, "bond %s: %u errors sending %u gratuitous learning packets", b->name, w.n_failed, w.n_sent);
    }
    return true;
}
