/* The inside of a packet, for the directories that move packets: netdev/ and datapath/user.
 *
 * Inline access to the mbuf; references, headroom, offload data.  See packet/packet.h.
 *
 * Threads: as packet.h. */
#ifndef PACKET_MBUF_H
#define PACKET_MBUF_H 1

#include <rte_mbuf.h>

#include "packet/packet.h"

struct packet {
    struct rte_mbuf mbuf;
    struct packet_offload offload; /* Valid if mbuf.ol_flags has PACKET_F_OFFLOAD. */
    uint32_t queue;                /* For quality of service; valid if mbuf.ol_flags has PACKET_F_QUEUE, else 0. */
};

/* The bits of ol_flags that say that 'offload' and 'queue' count; reserved with DPDK when the environment starts. */
enum { PACKET_F_OFFLOAD_BIT = 39, PACKET_F_QUEUE_BIT = 38 };
#define PACKET_F_OFFLOAD (UINT64_C(1) << PACKET_F_OFFLOAD_BIT)
#define PACKET_F_QUEUE (UINT64_C(1) << PACKET_F_QUEUE_BIT)

/* Size of the private area that a pool of packets must have. */
enum { PACKET_PRIV_SIZE = RTE_ALIGN_CEIL(sizeof(struct packet) - sizeof(struct rte_mbuf), RTE_MBUF_PRIV_ALIGN) };

static inline struct packet *packet_from_mbuf(struct rte_mbuf *m) { return (struct packet *) m; }

static ALWAYS_INLINE void *
packet_at(const struct packet *p)
{
    return (char *) p->mbuf.buf_addr + p->mbuf.data_off;
}
static ALWAYS_INLINE size_t packet_size(const struct packet *p) { return p->mbuf.data_len; }
static ALWAYS_INLINE bool packet_has_offload(const struct packet *p) { return p->mbuf.ol_flags & PACKET_F_OFFLOAD; }
static inline bool
packet_csum_is_partial(const struct packet *p)
{
    return packet_has_offload(p) && p->offload.flags & PACKET_CSUM_PARTIAL;
}

/* Whether the device that received it has found the transport checksum right; for TCP and UDP only.  Changes of headers
 * keep that true; a copy does not know of it. */
static inline bool
packet_csum_is_verified(const struct packet *p)
{
    return (p->mbuf.ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD;
}

/* Another reference; whether there are several. */
static inline void packet_ref(struct packet *p) { rte_mbuf_refcnt_update(&p->mbuf, 1); }
static inline bool packet_is_shared(const struct packet *p) { return rte_mbuf_refcnt_read(&p->mbuf) > 1; }

/* Gives back a packet whose bytes may be changed: 'p' itself, or a copy if others hold references (the caller's is
 * dropped).  Null if memory is exhausted; 'p' is freed then. */
struct packet *packet_leave_shared(struct packet *p);
static ALWAYS_INLINE struct packet *
packet_unshare(struct packet *p)
{
    return LIKELY(!packet_is_shared(p)) ? p : packet_leave_shared(p); /* Out of line: it saves all registers. */
}

/* Sets the offload data; all zero means none. */
static inline void
packet_set_offload(struct packet *p, const struct packet_offload *offload)
{
    p->offload = *offload;
    if (offload->flags || offload->gso_type) {
        p->mbuf.ol_flags |= PACKET_F_OFFLOAD;
    } else {
        p->mbuf.ol_flags &= ~PACKET_F_OFFLOAD;
    }
}

static inline bool packet_has_queue(const struct packet *p) { return p->mbuf.ol_flags & PACKET_F_QUEUE; }
static inline void
packet_set_queue(struct packet *p, uint32_t queue)
{
    p->queue = queue;
    p->mbuf.ol_flags |= PACKET_F_QUEUE;
}
/* 'p' is made of 'from', and is for its queue. */
static inline void
packet_take_queue(struct packet *p, const struct packet *from)
{
    if (UNLIKELY(packet_has_queue(from))) {
        packet_set_queue(p, from->queue);
    }
}

/* Sets the length: at most what there is room for (packet_tailroom() more than now). */
static inline void
packet_set_size(struct packet *p, size_t n)
{
    p->mbuf.data_len = n;
    p->mbuf.pkt_len = n;
}
static inline size_t packet_tailroom(const struct packet *p) { return rte_pktmbuf_tailroom(&p->mbuf); }
static inline size_t packet_headroom(const struct packet *p) { return p->mbuf.data_off; }

/* Moves the packets of at most 'max' bytes to the front, in their order, and frees the others; how many are kept.
 * Frames that are still to be segmented may be longer. */
unsigned int packets_sort_out_longer(struct packet **, unsigned int n, size_t max);
static ALWAYS_INLINE unsigned int
packets_up_to(struct packet **packets, unsigned int n, size_t max)
{
    bool is_any_longer = false;

    for (unsigned int i = 0; i < n; i++) {
        is_any_longer |= packet_size(packets[i]) > max;
    }
    return LIKELY(!is_any_longer) ? n : packets_sort_out_longer(packets, n, max);
}

/* Inserts 'n' bytes (uninitialised) at offset 'at', or removes them: the bytes before move.  False if there is no room
 * in front.  csum_start and hdr_len of the offload follow. */
bool packet_insert(struct packet *p, size_t at, size_t n) MUST_CHECK;
void packet_remove(struct packet *p, size_t at, size_t n);

/* A packet like 'p' (which is taken over and must not be shared) with room for at least 'n' bytes in front, at most
 * PACKET_ROOM; null if memory is exhausted. */
struct packet *packet_with_headroom(struct packet *p, size_t n) MUST_CHECK;

/* A packet around 'p' of 'room' bytes from the allocator of big buffers (packet_buffer_get), holding 'n' bytes at
 * offset 'at'; the buffer is the packet's from then on.  Null (and the buffer still the caller's) without memory. */
struct packet *packet_around_buffer(void *buffer, size_t at, size_t n) MUST_CHECK;

/* Big buffers: PACKET_BUFFER_ROOM bytes each, with room behind for DPDK's bookkeeping.  Any thread. */
enum { PACKET_BUFFER_ROOM = PACKET_HEADROOM + PACKET_MAX + 1 };
void *packet_buffer_get(void);
void packet_buffer_put(void *buffer);

/* Completes partial checksums in place, so that the frame is whole (segmentation excepted).  The packet must not be
 * shared. */
void packet_finish_csum(struct packet *p);

#endif
