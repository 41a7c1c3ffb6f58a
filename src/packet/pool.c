#include "packet/pool.h"

#include <rte_mempool.h>

#include "packet/mbuf.h"

struct rte_mempool *packet_common_pool;

struct rte_mempool *
packet_pool_create(const char *name, unsigned int n, unsigned int room, int node)
{
    return rte_pktmbuf_pool_create(name, n, PACKET_POOL_CACHE, PACKET_PRIV_SIZE, PACKET_HEADROOM + room, node);
}

void
packet_pool_destroy(struct rte_mempool *pool)
{
    rte_mempool_free(pool);
}

unsigned int
packet_pool_in_use(const struct rte_mempool *pool)
{
    return rte_mempool_in_use_count(pool);
}
