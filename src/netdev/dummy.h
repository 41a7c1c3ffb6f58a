/* Dummy devices, for simulated tests: frames come in by netdev_dummy_receive() and go out into counters, a capture
 * file, or a hook.
 *
 * Types "dummy", "dummy-internal" (a bridge's local port in a dummy datapath) and "dummy-pmd" exist after
 * netdev_enable_dummy(); "override" also puts dummies in the place of every other type but "patch".
 *
 * Options: tx_pcap, rxq_pcap, pcap (both), ifindex, stream and pstream (dummy_stream.h; they need netdev_init() with a
 * loop); of "dummy-pmd", which cannot be waited for: n_rxq and numa_id, how many receive queues it has and where.
 *
 * Received frames wait in queues of 100 as the reference's do; then the pump is called, if one is set: a datapath
 * without threads uses it to process them before netdev_dummy_receive() returns.  The queue can also be waited for
 * (rxq_fd), so that workers can serve dummies too.
 *
 * Threads: main thread, except the queue functions. */
#ifndef NETDEV_DUMMY_H
#define NETDEV_DUMMY_H 1

#include "netdev/netdev.h"

/* As netdev_enable_dummy(); 'types' are those registered so far. */
void netdev_dummy_register(const char *how, const char *const *types);

bool netdev_is_dummy(const struct netdev *);

/* Puts a frame into receive queue 'queue' (the first, where there are not so many).  -ENOBUFS if it is full.  Whether
 * the device is up does not matter. */
int netdev_dummy_receive(struct netdev *, unsigned int queue, const void *frame, size_t n);

/* Sets the function that processes queued frames at once (null: none). */
void netdev_dummy_set_pump(void (*pump)(void *aux), void *aux);

/* Calls 'hook' with every frame that 'n' sends, from the thread that sends (null: none). */
void netdev_dummy_set_tx_hook(struct netdev *n, void (*hook)(void *aux, struct netdev *, const void *frame, size_t len),
                              void *aux);

/* Admin state: as set_flags(NETDEV_UP); for all dummies if 'n' is null. */
void netdev_dummy_set_admin_state(struct netdev *n, bool up);

/* "connected" or "disconnected", null for one without option "stream": for netdev-dummy/conn-state. */
const char *netdev_dummy_conn_state(const struct netdev *);

/* Sets the address that netdev_dummy_get_ip4() gives. */
void netdev_dummy_set_ip4(struct netdev *, be32 address, be32 mask);
bool netdev_dummy_get_ip4(const struct netdev *, be32 *address, be32 *mask);
void netdev_dummy_set_ip6(struct netdev *, const struct ipv6_addr *address, const struct ipv6_addr *mask);
bool netdev_dummy_get_ip6(const struct netdev *, struct ipv6_addr *address, struct ipv6_addr *mask);

/* Calls 'cb' for every open dummy. */
void netdev_dummy_for_each(void (*cb)(void *aux, struct netdev *), void *aux);

#endif
