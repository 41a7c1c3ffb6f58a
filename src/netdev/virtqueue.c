#include "netdev/virtqueue.h"

#include <linux/virtio_net.h>
#include <string.h>
#include <unistd.h>

#include <rte_mempool.h>

#include "base/tally.h"
#include "netdev/vnet.h"
#include "packet/pool.h"

enum { COPY_STEP = 64, COPY_LIMIT = 256 };

/* A piece of the machine's memory. */
struct piece {
    uint8_t *at; /* Null: none. */
    uint32_t n;  /* Bytes of it. */
};

/* The piece of 'n' bytes at the machine's address. */
static ALWAYS_INLINE struct piece
find_piece(const struct virtqueue_memory *m, uint64_t guest, uint32_t n)
{
    for (unsigned int i = 0; i < m->n; i++) {
        const struct virtqueue_region *r = &m->regions[i];
        uint64_t offset = guest - r->guest;

        if (LIKELY(offset < r->size)) {
            return n <= r->size - offset ? (struct piece) { r->host + offset, n } : (struct piece) { NULL, 0 };
        }
    }
    return (struct piece) { NULL, 0 };
}

/* Reads a descriptor once: the machine may change it meanwhile. */
static ALWAYS_INLINE struct vring_desc
read_desc(const struct vring_desc *d)
{
    const volatile struct vring_desc *v = d;

    return (struct vring_desc) { .addr = v->addr, .len = v->len, .flags = v->flags, .next = v->next };
}

static ALWAYS_INLINE uint16_t
load_index(const __virtio16 *index)
{
    return __atomic_load_n(index, __ATOMIC_ACQUIRE);
}

/* How many buffers the machine has ready; no more than the ring has, whatever it says. */
static ALWAYS_INLINE unsigned int
n_ready(const struct virtqueue *r)
{
    uint16_t n = load_index(&r->avail->idx) - r->next;

    return MIN(n, r->size);
}

unsigned int
virtqueue_n_ready(const struct virtqueue *r)
{
    return r->size ? n_ready(r) : 0;
}

static ALWAYS_INLINE uint16_t
head_at(const struct virtqueue *r, uint16_t i)
{
    const volatile __virtio16 *ring = r->avail->ring;

    return ring[i & (r->size - 1)];
}

/* Descriptor 'i' of the ring; false if there is none. */
static ALWAYS_INLINE bool
desc_at(const struct virtqueue *r, uint16_t i, struct vring_desc *d)
{
    if (UNLIKELY(i >= r->size)) {
        return false;
    }
    *d = read_desc(&r->desc[i]);
    return true;
}

#ifdef __x86_64__
/* __builtin_prefetch() would ask for the line without the right to write it, unless the target has more than any x86-64
 * has; those that do not know this one take it for no operation. */
#define PREFETCH_FOR_WRITE(P) __asm__ volatile("prefetchw (%0)" : : "r"(P))
#else
#define PREFETCH_FOR_WRITE(P) __builtin_prefetch(P, 1)
#endif

/* Copies 'n' bytes, not one more: what is behind them in a packet is no business of another machine's. */
static ALWAYS_INLINE void
copy(uint8_t *to, const uint8_t *from, size_t n)
{
    if (LIKELY(n >= COPY_STEP && n <= COPY_LIMIT)) {
        memcpy(to, from, COPY_STEP);
        for (size_t i = COPY_STEP; i < n; i += COPY_STEP) {
            size_t at = MIN(i, n - COPY_STEP); /* The last step may overlap the one before. */

            memcpy(to + at, from + at, COPY_STEP);
        }
    } else {
        memcpy(to, from, n);
    }
}

/* --- Counters --- */

/* The index in 'sizes'. */
static ALWAYS_INLINE unsigned int
class_of_size(size_t n)
{
    return n <= 64 ? n == 64 : n > 1518 ? VIRTQUEUE_N_SIZES - 1 : n > 1023 ? VIRTQUEUE_N_SIZES - 2
                                                            : 26 - __builtin_clz((unsigned int) n) + 1;
}

static void
count(struct virtqueue_counters *c, struct packet *const *packets, unsigned int n)
{
    unsigned int class = 0, n_of_class = 0;
    uint64_t bytes = 0;

    for (unsigned int i = 0; i < n; i++) {
        const uint8_t *frame = packet_at(packets[i]);
        size_t size = packet_size(packets[i]);

        bytes += size;
        if (UNLIKELY(class_of_size(size) != class)) {
            tally_add(&c->sizes[class], n_of_class);
            class = class_of_size(size);
            n_of_class = 0;
        }
        n_of_class++;
        if (UNLIKELY(size && frame[0] & 1)) {
            static const uint8_t all[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

            tally_add(size >= sizeof all && !memcmp(frame, all, sizeof all) ? &c->broadcast : &c->multicast, 1);
        }
    }
    tally_add(&c->sizes[class], n_of_class);
    tally_add(&c->packets, n);
    tally_add(&c->bytes, bytes);
}

/* --- The used ring --- */

static ALWAYS_INLINE void
put_used(struct virtqueue *r, uint16_t i, uint16_t head, uint32_t n)
{
    r->used->ring[i & (r->size - 1)] = (struct vring_used_elem) { .id = head, .len = n };
}

/* Whether the machine wants to hear of the buffers from 'old' on (VIRTIO 1.2 §2.7.7, §2.7.10). */
static bool
wants_call(const struct virtqueue *r, uint16_t old)
{
    if (r->has_event_idx) {
        return vring_need_event(load_index(&r->avail->ring[r->size]), r->next, old);
    }
    return !(load_index(&r->avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
}

/* Shows the machine 'n' more used buffers. */
static void
publish(struct virtqueue *r, unsigned int n)
{
    uint16_t old = r->next;

    if (!n) {
        return;
    }
    r->next += n;
    __atomic_store_n(&r->used->idx, r->next, __ATOMIC_RELEASE);
    atomic_thread_fence(memory_order_seq_cst); /* The machine looks at the index after it has said what it wants. */
    if (UNLIKELY(wants_call(r, old)) && r->call_fd >= 0) {
        static const uint64_t one = 1;

        if (write(r->call_fd, &one, sizeof one) == sizeof one) {
            tally_add(&r->counters->calls, 1);
        }
    }
}

/* --- Chains --- */

/* Buffers of more than one descriptor: what comes next. */
struct chain {
    const struct virtqueue *ring;
    const struct vring_desc *table; /* Of the ring, or indirect. */
    uint16_t table_size;
    uint16_t left;                  /* Descriptors that may still come. */
    uint16_t next;
    bool has_next;
};

static struct chain
chain_of(const struct virtqueue *r, uint16_t head)
{
    return (struct chain) { .ring = r, .table = r->desc, .table_size = r->size, .left = r->size, .next = head,
                            .has_next = true };
}

/* The next piece, that the machine may write (or not); 1, 0 at the end, -1 if it makes no sense. */
static int
next_piece(struct chain *c, bool is_written, struct piece *piece)
{
    struct vring_desc d;

    if (!c->has_next) {
        return 0;
    }
    if (!c->left || c->next >= c->table_size) {
        return -1;
    }
    d = read_desc(&c->table[c->next]);
    if (d.flags & VRING_DESC_F_INDIRECT) {
        struct piece table = find_piece(c->ring->memory, d.addr, d.len);

        if (!c->ring->has_indirect || c->table != c->ring->desc || d.flags & VRING_DESC_F_NEXT || !table.at
            || (uintptr_t) table.at % _Alignof(struct vring_desc) || d.len / sizeof d > c->ring->size) {
            return -1; /* Tables do not stand in tables. */
        }
        c->table = (const struct vring_desc *) table.at;
        c->table_size = c->left = d.len / sizeof d;
        c->next = 0;
        return next_piece(c, is_written, piece);
    }
    if (!(d.flags & VRING_DESC_F_WRITE) != !is_written) {
        return -1;
    }
    c->left--;
    c->next = d.next;
    c->has_next = d.flags & VRING_DESC_F_NEXT;
    *piece = find_piece(c->ring->memory, d.addr, d.len);
    return piece->at || !d.len ? 1 : -1;
}

/* Copies up to 'n' bytes out of the chain behind '*piece'; how many there were, or -1. */
static ssize_t
copy_from_chain(struct chain *c, struct piece *piece, uint8_t *to, size_t n)
{
    size_t done = 0;

    while (done < n) {
        size_t now = MIN(n - done, piece->n);
        int more = 1;

        if (now) {
            memcpy(to + done, piece->at, now);
            piece->at += now;
            piece->n -= now;
            done += now;
        } else if ((more = next_piece(c, false, piece)) <= 0) {
            return more ? -1 : (ssize_t) done;
        }
    }
    return done;
}

/* --- Taking --- */

/* What the machine wants done with the frame, if it may want that. */
static ALWAYS_INLINE void
take_header(const struct virtqueue *r, struct packet *p, const struct virtio_net_hdr *in_machine)
{
    struct virtio_net_hdr h;

    memcpy(&h, in_machine, sizeof h);
    if (LIKELY(!(h.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))) {
        return; /* Segmentation needs it, too. */
    }
    if (!r->may_segment || !h.gso_size
        || ((h.gso_type & ~PACKET_GSO_ECN) != PACKET_GSO_TCPV4 && (h.gso_type & ~PACKET_GSO_ECN) != PACKET_GSO_TCPV6)) {
        h.gso_type = PACKET_GSO_NONE;
        h.gso_size = 0;
    }
    if ((size_t) h.csum_start + h.csum_offset + sizeof(uint16_t) > packet_size(p)) {
        return; /* A lie; the frame has a wrong checksum then. */
    }
    vnet_take_offload(p, &h);
}

/* Makes a frame of the buffer at 'head', however it is made up; 'p' is to hold it if it fits.  Null (and 'p' still the
 * caller's) if it makes no sense. */
static struct packet *
take_chain(const struct virtqueue *r, uint16_t head, struct packet *p)
{
    struct chain c = chain_of(r, head);
    struct piece piece = { 0 };
    uint8_t header[sizeof(struct virtio_net_hdr_mrg_rxbuf)];
    uint8_t *frame = packet_at(p);
    ssize_t n;

    if (copy_from_chain(&c, &piece, header, r->header_len) != r->header_len) {
        return NULL;
    }
    n = copy_from_chain(&c, &piece, frame, PACKET_ROOM);
    if (n <= 0) {
        return NULL;
    }
    if (n == PACKET_ROOM && (piece.n || c.has_next)) {
        struct packet *big = packet_new_uninit(PACKET_MAX - PACKET_HEADROOM);
        uint8_t beyond;
        ssize_t rest;

        if (!big) {
            return NULL;
        }
        memcpy(packet_at(big), frame, PACKET_ROOM);
        rest = copy_from_chain(&c, &piece, (uint8_t *) packet_at(big) + PACKET_ROOM, packet_size(big) - PACKET_ROOM);
        if (rest < 0 || copy_from_chain(&c, &piece, &beyond, 1)) {
            packet_free(big);
            return NULL;
        }
        packet_set_size(big, n + rest);
        packet_free(p);
        p = big;
    } else {
        packet_set_size(p, n);
    }
    take_header(r, p, (const struct virtio_net_hdr *) header);
    return p;
}

/* Like a packet of the pool that nobody has used yet. */
static ALWAYS_INLINE void
begin_packet(struct packet *p)
{
    struct rte_mbuf *m = &p->mbuf;

    m->data_off = PACKET_HEADROOM;
    rte_mbuf_refcnt_set(m, 1);
    m->nb_segs = 1;
    m->port = RTE_MBUF_PORT_INVALID;
    m->ol_flags = 0;
    m->packet_type = 0;
}

unsigned int
virtqueue_take(struct virtqueue *r, struct packet **packets, unsigned int max)
{
    unsigned int ready = r->size ? n_ready(r) : 0, n = MIN(MIN(ready, max), VIRTQUEUE_BURST), n_taken = 0;
    uint16_t heads[VIRTQUEUE_BURST];
    struct piece pieces[VIRTQUEUE_BURST];
    struct packet *fresh[VIRTQUEUE_BURST], *unused[VIRTQUEUE_BURST];
    unsigned int n_unused = 0;

    if (!n || rte_mempool_get_bulk(packet_pool(), (void **) fresh, n)) {
        return 0; /* Without packets the frames stay where they are. */
    }
    for (unsigned int i = 0; i < n; i++) {
        heads[i] = head_at(r, r->next + i);
        __builtin_prefetch(&r->desc[heads[i] & (r->size - 1)]);
        put_used(r, r->next + i, heads[i], 0);
    }
    for (unsigned int i = 0; i < n; i++) {
        struct vring_desc d;

        pieces[i] = (struct piece) { 0 };
        if (LIKELY(desc_at(r, heads[i], &d) && !(d.flags & (VRING_DESC_F_NEXT | VRING_DESC_F_INDIRECT
                                                            | VRING_DESC_F_WRITE)))) {
            pieces[i] = find_piece(r->memory, d.addr, d.len);
            if (LIKELY(pieces[i].at != NULL)) {
                __builtin_prefetch(pieces[i].at);
                __builtin_prefetch(pieces[i].at + CACHE_LINE);
            }
        }
    }
    for (unsigned int i = 0; i < n; i++) {
        struct piece *from = &pieces[i];
        struct packet *p = fresh[i];
        uint32_t size = from->n - r->header_len;

        begin_packet(p);
        if (LIKELY(from->n > r->header_len && size <= PACKET_ROOM)) {
            copy(packet_at(p), from->at + r->header_len, size);
            packet_set_size(p, size);
            take_header(r, p, (const struct virtio_net_hdr *) from->at);
        } else {
            p = take_chain(r, heads[i], p);
        }
        if (LIKELY(p != NULL)) {
            packets[n_taken++] = p;
        } else {
            unused[n_unused++] = fresh[i];
        }
    }
    count(r->counters, packets, n_taken);
    if (UNLIKELY(n_unused)) {
        tally_add(&r->counters->errors, n_unused);
        rte_mempool_put_bulk(packet_pool(), (void **) unused, n_unused);
    }
    publish(r, n);
    return n_taken;
}

/* --- Giving --- */

static ALWAYS_INLINE void
put_header(const struct virtqueue *r, uint8_t *at, const struct packet *p, uint16_t n_buffers)
{
    struct virtio_net_hdr_mrg_rxbuf h = { .num_buffers = n_buffers };

    if (UNLIKELY(packet_has_offload(p))) {
        vnet_put_offload(&h.hdr, p);
    }
    if (LIKELY(r->header_len == sizeof h)) {
        memcpy(at, &h, sizeof h);
    } else {
        memcpy(at, &h.hdr, sizeof h.hdr);
    }
}

/* A frame that goes into several pieces. */
struct pour {
    const struct virtqueue *ring;
    const struct packet *packet;
    uint8_t header[sizeof(struct virtio_net_hdr_mrg_rxbuf)];
    size_t done, total; /* Of header and frame together. */
};

static const uint8_t *
pour_from(const struct pour *p, size_t *n)
{
    size_t header_len = p->ring->header_len;

    if (p->done < header_len) {
        *n = header_len - p->done;
        return p->header + p->done;
    }
    *n = p->total - p->done;
    return (const uint8_t *) packet_at(p->packet) + p->done - header_len;
}

/* Fills one buffer with as much as goes into it; how much, -1 if it makes no sense. */
static ssize_t
pour_into_chain(struct pour *p, uint16_t head)
{
    struct chain c = chain_of(p->ring, head);
    size_t before = p->done;
    struct piece piece;
    int more;

    while (p->done < p->total && (more = next_piece(&c, true, &piece))) {
        if (more < 0) {
            return -1;
        }
        while (piece.n && p->done < p->total) {
            size_t n;
            const uint8_t *from = pour_from(p, &n);

            n = MIN(n, piece.n);
            memcpy(piece.at, from, n);
            piece.at += n;
            piece.n -= n;
            p->done += n;
        }
    }
    return p->done - before;
}

/* Where the header's number of buffers is, if the first buffer has it in one piece; else null. */
static uint8_t *
find_n_buffers(const struct virtqueue *r, uint16_t head)
{
    struct chain c = chain_of(r, head);
    size_t at = 0, wanted = offsetof(struct virtio_net_hdr_mrg_rxbuf, num_buffers);
    struct piece piece;

    while (next_piece(&c, true, &piece) > 0) {
        if (wanted >= at && wanted + sizeof(__virtio16) <= at + piece.n) {
            return piece.at + (wanted - at);
        }
        at += piece.n;
    }
    return NULL;
}

/* The 'n' buffers from 'i' on hold nothing. */
static void
give_back(struct virtqueue *r, uint16_t i, unsigned int n)
{
    for (unsigned int k = 0; k < n; k++) {
        put_used(r, i + k, head_at(r, i + k), 0);
    }
}

/* Puts a frame into as many of the 'n_left' buffers from 'i' on as it takes; how many, 0 if there are too few.
 * '*is_whole': whether the machine got it. */
static unsigned int
give_pieces(struct virtqueue *r, uint16_t i, unsigned int n_left, const struct packet *p, bool *is_whole)
{
    struct pour pour = { .ring = r, .packet = p, .total = r->header_len + packet_size(p) };
    unsigned int n = 0, max = r->is_mergeable ? n_left : 1;

    put_header(r, pour.header, p, 1);
    *is_whole = false;
    while (pour.done < pour.total && n < max) {
        uint16_t head = head_at(r, i + n);
        ssize_t poured = pour_into_chain(&pour, head);

        put_used(r, i + n, head, MAX(poured, 0));
        n++;
        if (poured <= 0) {
            give_back(r, i, n);
            return n; /* Nothing sensible is to be had there: the buffers go back. */
        }
    }
    if (pour.done < pour.total) {
        if (r->is_mergeable && n_left < r->size) {
            return 0; /* The machine may give more. */
        }
        give_back(r, i, n);
        return n;
    }
    if (n > 1) {
        uint8_t *at = find_n_buffers(r, head_at(r, i));
        __virtio16 n_buffers = n;

        if (at) {
            memcpy(at, &n_buffers, sizeof n_buffers);
        }
    }
    *is_whole = true;
    return n;
}

unsigned int
virtqueue_give(struct virtqueue *r, struct packet *const *packets, unsigned int n, unsigned int *n_failed)
{
    unsigned int ready = r->size ? n_ready(r) : 0, n_ahead = MIN(MIN(n, ready), VIRTQUEUE_BURST), n_used = 0, done = 0;
    struct piece pieces[VIRTQUEUE_BURST];
    struct packet *given[VIRTQUEUE_BURST];
    uint16_t heads[VIRTQUEUE_BURST];
    unsigned int n_given = 0;

    n = MIN(n, VIRTQUEUE_BURST);
    for (unsigned int i = 0; i < n_ahead; i++) {
        heads[i] = head_at(r, r->next + i);
        __builtin_prefetch(&r->desc[heads[i] & (r->size - 1)]);
    }
    for (unsigned int i = 0; i < n_ahead; i++) {
        struct vring_desc d;

        pieces[i] = (struct piece) { 0 };
        if (LIKELY(desc_at(r, heads[i], &d) && (d.flags & VRING_DESC_F_WRITE)
                   && !(d.flags & (VRING_DESC_F_NEXT | VRING_DESC_F_INDIRECT)))) {
            pieces[i] = find_piece(r->memory, d.addr, d.len);
            if (LIKELY(pieces[i].at != NULL)) {
                PREFETCH_FOR_WRITE(pieces[i].at);
                PREFETCH_FOR_WRITE(pieces[i].at + CACHE_LINE);
            }
        }
    }
    for (; done < n && n_used < ready; done++) {
        const struct packet *p = packets[done];
        size_t size = packet_size(p), total = r->header_len + size;
        bool is_whole = true;

        if (LIKELY(n_used < n_ahead && total <= pieces[n_used].n)) {
            uint8_t *to = pieces[n_used].at;

            put_header(r, to, p, 1);
            copy(to + r->header_len, packet_at(p), size);
            put_used(r, r->next + n_used, heads[n_used], total);
            n_used++;
        } else {
            unsigned int n_buffers = give_pieces(r, r->next + n_used, ready - n_used, p, &is_whole);

            if (!n_buffers) {
                break;
            }
            n_used += n_buffers;
        }
        if (LIKELY(is_whole)) {
            given[n_given++] = packets[done];
        } else {
            ++*n_failed;
            tally_add(&r->counters->errors, 1);
        }
    }
    count(r->counters, given, n_given);
    publish(r, n_used);
    return done;
}
