#include "packet/mbuf.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "packet/csum.h"
#include "packet/pool.h"

/* Big buffers that are free wait in a stack for the next user: they are too large to be given back to the system each
 * time, since it would have to clear them. */
enum { BUFFERS_KEPT = 256 };

static struct {
    pthread_mutex_t mutex;
    void *free[BUFFERS_KEPT];
    unsigned int n;
} buffers = { .mutex = PTHREAD_MUTEX_INITIALIZER };

void *
packet_buffer_get(void)
{
    void *buffer = NULL;

    pthread_mutex_lock(&buffers.mutex);
    if (buffers.n) {
        buffer = buffers.free[--buffers.n];
    }
    pthread_mutex_unlock(&buffers.mutex);
    if (!buffer) {
        buffer = aligned_alloc(CACHE_LINE, ROUND_UP(PACKET_BUFFER_ROOM + sizeof(struct rte_mbuf_ext_shared_info),
                                                    CACHE_LINE));
        if (!buffer) {
            out_of_memory();
        }
    }
    return buffer;
}

void
packet_buffer_put(void *buffer)
{
    pthread_mutex_lock(&buffers.mutex);
    if (buffers.n < BUFFERS_KEPT) {
        buffers.free[buffers.n++] = buffer;
        buffer = NULL;
    }
    pthread_mutex_unlock(&buffers.mutex);
    free(buffer);
}

/* Gives the kept buffers back to the system when the program ends, for leak checks. */
__attribute__((destructor)) static void
free_buffers(void)
{
    while (buffers.n) {
        free(buffers.free[--buffers.n]);
    }
}

static void
release_buffer(void *addr, void *opaque UNUSED)
{
    packet_buffer_put(addr);
}

struct packet *
packet_around_buffer(void *buffer, size_t at, size_t n)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(packet_pool());
    struct rte_mbuf_ext_shared_info *info = (void *) ((char *) buffer + PACKET_BUFFER_ROOM);

    if (!m) {
        return NULL;
    }
    info->free_cb = release_buffer;
    info->fcb_opaque = NULL;
    rte_mbuf_ext_refcnt_set(info, 1);
    rte_pktmbuf_attach_extbuf(m, buffer, RTE_BAD_IOVA, UINT16_MAX, info);
    m->data_off = at;
    m->data_len = n;
    m->pkt_len = n;
    return packet_from_mbuf(m);
}
_Static_assert(PACKET_BUFFER_ROOM % _Alignof(struct rte_mbuf_ext_shared_info) == 0, "shared info is aligned");

struct packet *
packet_new_uninit(size_t n)
{
    struct rte_mbuf *m;

    if (n > PACKET_MAX - PACKET_HEADROOM) {
        return NULL;
    }
    if (n > PACKET_ROOM) {
        void *buffer = packet_buffer_get();
        struct packet *p = packet_around_buffer(buffer, PACKET_HEADROOM, n);

        if (!p) {
            packet_buffer_put(buffer);
        }
        return p;
    }
    m = rte_pktmbuf_alloc(packet_pool());
    if (!m) {
        return NULL;
    }
    m->data_len = n;
    m->pkt_len = n;
    return packet_from_mbuf(m);
}

struct packet *
packet_new(const void *data, size_t n)
{
    struct packet *p = packet_new_uninit(n);

    if (p && n) {
        memcpy(packet_at(p), data, n);
    }
    return p;
}

struct packet *
packet_copy(const struct packet *old)
{
    struct packet *new = packet_new(packet_at(old), packet_size(old));

    if (new && packet_has_offload(old)) {
        packet_set_offload(new, &old->offload);
    }
    if (new) {
        packet_take_queue(new, old);
    }
    return new;
}

NOINLINE struct packet *
packet_leave_shared(struct packet *p)
{
    struct packet *copy = packet_copy(p);

    packet_free(p);
    return copy;
}

void
packet_free(struct packet *p)
{
    rte_pktmbuf_free(&p->mbuf);
}

NOINLINE unsigned int
packets_sort_out_longer(struct packet **packets, unsigned int n, size_t max)
{
    unsigned int kept = 0;

    for (unsigned int i = 0; i < n; i++) {
        struct packet *p = packets[i];

        if (packet_size(p) <= max || (packet_has_offload(p) && p->offload.gso_type)) {
            packets[kept++] = p;
        } else {
            packet_free(p);
        }
    }
    return kept;
}

void *
packet_data(const struct packet *p)
{
    return packet_at(p);
}

size_t
packet_len(const struct packet *p)
{
    return packet_size(p);
}

const struct packet_offload *
packet_offload(const struct packet *p)
{
    return packet_has_offload(p) ? &p->offload : NULL;
}

bool
packet_insert(struct packet *p, size_t at, size_t n)
{
    char *data = packet_at(p);

    if (n > packet_headroom(p) || packet_size(p) + n > UINT16_MAX) {
        return false;
    }
    memmove(data - n, data, at);
    p->mbuf.data_off -= n;
    packet_set_size(p, packet_size(p) + n);
    if (packet_has_offload(p)) {
        p->offload.csum_start += n;
        p->offload.hdr_len += n;
    }
    return true;
}

struct packet *
packet_with_headroom(struct packet *p, size_t n)
{
    size_t size = packet_size(p);
    struct packet *roomy;

    if (LIKELY(n <= packet_headroom(p))) {
        return p;
    }
    roomy = packet_new_uninit(size + n);
    if (roomy) {
        memcpy((char *) packet_at(roomy) + n, packet_at(p), size);
        packet_remove(roomy, 0, n);
        if (packet_has_offload(p)) {
            packet_set_offload(roomy, &p->offload);
        }
        packet_take_queue(roomy, p);
    }
    packet_free(p);
    return roomy;
}

void
packet_remove(struct packet *p, size_t at, size_t n)
{
    char *data = packet_at(p);

    memmove(data + n, data, at);
    p->mbuf.data_off += n;
    packet_set_size(p, packet_size(p) - n);
    if (packet_has_offload(p)) {
        p->offload.csum_start -= MIN(p->offload.csum_start, n);
        p->offload.hdr_len -= MIN(p->offload.hdr_len, n);
    }
}

void
packet_finish_csum(struct packet *p)
{
    size_t start, at, n = packet_size(p);
    char *data = packet_at(p);
    be16 csum;

    if (!packet_csum_is_partial(p)) {
        return;
    }
    start = p->offload.csum_start;
    at = start + p->offload.csum_offset;
    p->offload.flags &= ~PACKET_CSUM_PARTIAL;
    packet_set_offload(p, &(struct packet_offload) { .flags = p->offload.flags, .gso_type = p->offload.gso_type,
                                                     .hdr_len = p->offload.hdr_len, .gso_size = p->offload.gso_size });
    if (start > n || at + sizeof csum > n) {
        return; /* A sender that lies gets a wrong checksum. */
    }
    csum = csum_bytes(data + start, n - start);
    if (!csum) {
        csum = BE16_MAX; /* UDP: 0 would mean "none"; for the others both are right. */
    }
    memcpy(data + at, &csum, sizeof csum);
}
