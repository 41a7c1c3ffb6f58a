/* Pools of packets.
 *
 * The common pool serves every port that copies its frames (AF_PACKET, TAP, dummy) and the switch itself; it is made
 * when the environment starts.  Ports that receive into memory of their own ask for another.
 *
 * Threads: packet_pool_create() main thread; the pools any. */
#ifndef PACKET_POOL_H
#define PACKET_POOL_H 1

#include "base/util.h"

struct rte_mempool;

enum { PACKET_POOL_SIZE = 8192, PACKET_POOL_CACHE = 256 };

extern struct rte_mempool *packet_common_pool; /* Null until env_start(). */
static inline struct rte_mempool *packet_pool(void) { return packet_common_pool; }

/* A pool of 'n' packets with 'room' bytes each for the frame, in the memory of a NUMA node (PACKET_ANY_NODE:
 * whichever); null with rte_errno set. */
enum { PACKET_ANY_NODE = -1 };
struct rte_mempool *packet_pool_create(const char *name, unsigned int n, unsigned int room, int node);
void packet_pool_destroy(struct rte_mempool *);

/* Packets in use. */
unsigned int packet_pool_in_use(const struct rte_mempool *);

#endif
