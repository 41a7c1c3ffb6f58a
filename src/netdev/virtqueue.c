#include "netdev/virtqueue.h"

#include <linux/virtio_net.h>
#include <string.h>
#include <unistd.h>

#include <rte_mempool.h>

#include "base/tally.h"
#include "netdev/vnet.h"
#include "packet/pool.h"

enum { COPY_STEP = 64, COPY_LIMIT = 256 };

/* The piece of 'n' bytes at the machine's address. */
static ALWAYS_INLINE struct virtqueue_piece
find_piece(const struct virtqueue_memory *m, uint64_t guest, uint32_t n)
{
    for (unsigned int i = 0; i < m->n; i++) {
        const struct virtqueue_region *r = &m->regions[i];
        uint64_t offset = guest - r->guest;

        if (LIKELY(offset < r->size)) {
            return (struct virtqueue_piece) { n <= r->size - offset ? r->host + offset : NULL,
                                              n <= r->size - offset ? n : 0 };
        }
    }
    return (struct virtqueue_piece) { 0 };
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

static ALWAYS_INLINE void
ask_line(const uint8_t *at, bool is_written)
{
    if (is_written) {
        PREFETCH_FOR_WRITE(at);
    } else {
        __builtin_prefetch(at);
    }
}

/* --- Looking ahead --- */

static ALWAYS_INLINE struct virtqueue_buffer *
buffer_at(struct virtqueue *r, uint16_t i)
{
    return &r->ahead[i % ARRAY_SIZE(r->ahead)];
}

/* Asks for the descriptors of the next 'n' buffers. */
static ALWAYS_INLINE void
ask_descs(struct virtqueue *r, unsigned int n)
{
    for (; r->n_asked < n; r->n_asked++) {
        __builtin_prefetch(&r->desc[head_at(r, r->next + r->n_asked) & (r->size - 1)]);
    }
}

/* Looks up the next 'n' buffers and asks for their lines: the machine is to write them, or has written them. */
static ALWAYS_INLINE void
look_up(struct virtqueue *r, unsigned int n, bool is_given)
{
    uint16_t unwanted = VRING_DESC_F_NEXT | VRING_DESC_F_INDIRECT | (is_given ? 0 : VRING_DESC_F_WRITE);
    uint16_t wanted = is_given ? VRING_DESC_F_WRITE : 0;

    for (; r->n_looked_up < n; r->n_looked_up++) {
        struct virtqueue_buffer *b = buffer_at(r, r->next + r->n_looked_up);
        struct vring_desc d;

        b->head = head_at(r, r->next + r->n_looked_up);
        b->piece = (struct virtqueue_piece) { 0 };
        if (UNLIKELY(!desc_at(r, b->head, &d) || (d.flags & (wanted | unwanted)) != wanted)) {
            continue;
        }
        b->piece = find_piece(r->memory, d.addr, d.len);
        if (LIKELY(b->piece.at != NULL)) {
            ask_line(b->piece.at, is_given && r->writes_headers);
            ask_line(b->piece.at + CACHE_LINE, is_given);
        }
    }
}

/* For the next burst, while others are carried: of the 'ready' buffers that are left after this one. */
static ALWAYS_INLINE void
look_ahead(struct virtqueue *r, unsigned int ready, bool is_given)
{
    look_up(r, MIN(ready, VIRTQUEUE_BURST), is_given);
    ask_descs(r, MIN(ready, 2 * VIRTQUEUE_BURST));
}

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

/* Writes 'n' bytes unless they are there already: a line that neither side writes stays in the caches of both.  Whether
 * they had to be written. */
static ALWAYS_INLINE bool
put_unless_equal(void *to, const void *from, size_t n)
{
    if (LIKELY(!memcmp(to, from, n))) {
        return false;
    }
    memcpy(to, from, n);
    return true;
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

/* Machines that use their buffers in turn have the same entry at the same place the next time around. */
static ALWAYS_INLINE void
put_used(struct virtqueue *r, uint16_t i, uint16_t head, uint32_t n)
{
    struct vring_used_elem e = { .id = head, .len = n };

    put_unless_equal(&r->used->ring[i & (r->size - 1)], &e, sizeof e);
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

void
virtqueue_call(int fd, struct virtqueue_counters *c)
{
    static const uint64_t one = 1;

    if (fd >= 0 && write(fd, &one, sizeof one) == sizeof one) {
        tally_add(&c->calls, 1);
    }
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
    r->n_asked -= MIN(n, r->n_asked);
    r->n_looked_up -= MIN(n, r->n_looked_up);
    __atomic_store_n(&r->used->idx, r->next, __ATOMIC_RELEASE);
    atomic_thread_fence(memory_order_seq_cst); /* The machine looks at the index after it has said what it wants. */
    if (UNLIKELY(wants_call(r, old))) {
        virtqueue_call(r->call_fd, r->counters);
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
next_piece(struct chain *c, bool is_written, struct virtqueue_piece *piece)
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
        struct virtqueue_piece table = find_piece(c->ring->memory, d.addr, d.len);

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
copy_from_chain(struct chain *c, struct virtqueue_piece *piece, uint8_t *to, size_t n)
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
    struct virtqueue_piece piece = { 0 };
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
    struct packet *fresh[VIRTQUEUE_BURST], *unused[VIRTQUEUE_BURST];
    unsigned int n_unused = 0;

    if (!n || rte_mempool_get_bulk(packet_pool(), (void **) fresh, n)) {
        return 0; /* Without packets the frames stay where they are. */
    }
    ask_descs(r, n);
    look_up(r, n, false);
    for (unsigned int i = 0; i < n; i++) {
        uint16_t head = buffer_at(r, r->next + i)->head;
        const struct virtqueue_piece *from = &buffer_at(r, r->next + i)->piece;
        struct packet *p = fresh[i];
        uint32_t size = from->n - r->header_len;

        put_used(r, r->next + i, head, 0);
        begin_packet(p);
        if (LIKELY(from->n > r->header_len && size <= PACKET_ROOM)) {
            copy(packet_at(p), from->at + r->header_len, size);
            packet_set_size(p, size);
            take_header(r, p, (const struct virtio_net_hdr *) from->at);
        } else {
            p = take_chain(r, head, p);
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
    look_ahead(r, ready - n, false);
    return n_taken;
}

/* --- Giving --- */

/* Whether something of it had to be written. */
static ALWAYS_INLINE bool
put_header(const struct virtqueue *r, uint8_t *at, const struct packet *p, uint16_t n_buffers)
{
    /* Not as a member: what is written in parts and read as a whole has to wait until all stores before it are done,
     * into the machine's memory. */
    uint32_t end[] = { (uint32_t) n_buffers << 16 };
    struct virtio_net_hdr_mrg_rxbuf h = { .num_buffers = n_buffers };

    if (LIKELY(!packet_has_offload(p) && r->header_len == sizeof h)) {
        static const uint8_t none[sizeof h - sizeof end];

        return put_unless_equal(at, none, sizeof none) | put_unless_equal(at + sizeof none, end, sizeof end);
    }
    if (packet_has_offload(p)) {
        vnet_put_offload(&h.hdr, p);
    }
    return put_unless_equal(at, &h, r->header_len);
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
    struct virtqueue_piece piece;
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
    struct virtqueue_piece piece;

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
    struct packet *given[VIRTQUEUE_BURST];
    unsigned int n_given = 0;
    bool has_written = false;

    n = MIN(n, VIRTQUEUE_BURST);
    ask_descs(r, n_ahead);
    look_up(r, n_ahead, true);
    for (; done < n && n_used < ready; done++) {
        const struct virtqueue_buffer *b = buffer_at(r, r->next + n_used);
        const struct packet *p = packets[done];
        size_t size = packet_size(p), total = r->header_len + size;
        bool is_whole = true;

        if (LIKELY(n_used < r->n_looked_up && total <= b->piece.n)) {
            uint8_t *to = b->piece.at;

            has_written |= put_header(r, to, p, 1);
            copy(to + r->header_len, packet_at(p), size);
            put_used(r, r->next + n_used, b->head, total);
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
    r->writes_headers = n_used ? has_written : r->writes_headers;
    count(r->counters, given, n_given);
    publish(r, n_used);
    look_ahead(r, ready - n_used, true);
    return done;
}
