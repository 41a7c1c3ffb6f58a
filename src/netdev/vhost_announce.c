#include "netdev/vhost_announce.h"

#include <rte_arp.h>
#include <rte_ether.h>

#include "packet/mbuf.h"
#include "packet/pool.h"

enum { SEND_RARP = 19 }; /* QEMU's docs/interop/vhost-user.rst, "Front-end message types". */

/* Beyond the 48 bits of an address. */
static const uint64_t wanted = UINT64_C(1) << 63;

struct message {
    uint32_t request, flags, size;
    uint8_t content[sizeof(uint64_t)];
};

void
vhost_announce_note(struct vhost_announce *a, const void *message)
{
    const struct message *m = message;
    uint64_t mac = 0;

    if (m->request == SEND_RARP && m->size >= RTE_ETHER_ADDR_LEN) {
        for (int i = 0; i < RTE_ETHER_ADDR_LEN; i++) {
            mac = mac << 8 | m->content[i];
        }
        atomic_store(&a->mac, mac | wanted);
    }
}

struct packet *
vhost_announce_take(struct vhost_announce *a)
{
    uint64_t mac = atomic_exchange(&a->mac, 0);
    struct rte_ether_addr address;
    struct rte_mbuf *m;

    if (!mac) {
        return NULL;
    }
    for (int i = 0; i < RTE_ETHER_ADDR_LEN; i++) {
        address.addr_bytes[i] = mac >> 8 * (RTE_ETHER_ADDR_LEN - 1 - i);
    }
    m = rte_net_make_rarp_packet(packet_pool(), &address);
    return m ? packet_from_mbuf(m) : NULL;
}
