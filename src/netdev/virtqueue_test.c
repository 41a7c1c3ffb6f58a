#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/random.h"
#include "netdev/virtqueue.h"
#include "packet/env.h"
#include "packet/mbuf.h"
#include "packet/pool.h"

/* The machine: two regions of memory with a hole between them, each in a block of its own, so that the sanitizer sees
 * every access beside it; and a ring.  Buffer 'i' is at AT(i). */
enum { RING = 16, LONG_RING = 128, REGION = 1 << 18, BUFFER = 4096, HEADER = sizeof(struct virtio_net_hdr_mrg_rxbuf) };
static const uint64_t bases[] = { 0x100000, 0x900000 };
#define AT(I) (bases[0] + (I) * BUFFER)

struct machine {
    uint8_t *memory[2];
    struct vring_desc *desc;
    struct vring_avail *avail;
    struct vring_used *used;
    struct virtqueue_memory table;
    struct virtqueue_counters counters;
    struct virtqueue queue;
    uint16_t n_desc, begin;
};

static void *
host(struct machine *m, uint64_t guest)
{
    for (int i = 0; i < 2; i++) {
        if (guest - bases[i] < REGION) {
            return m->memory[i] + (guest - bases[i]);
        }
    }
    fail();
    return NULL;
}

static void
machine_init_ring(struct machine *m, uint16_t begin, uint16_t size)
{
    *m = (struct machine) { .table.n = 2, .begin = begin };
    for (int i = 0; i < 2; i++) {
        m->memory[i] = calloc(1, REGION);
        m->table.regions[i] = (struct virtqueue_region) { .guest = bases[i], .size = REGION, .host = m->memory[i] };
    }
    m->desc = calloc(size, sizeof *m->desc);
    m->avail = calloc(1, sizeof *m->avail + (size + 1) * sizeof m->avail->ring[0]);
    m->used = calloc(1, sizeof *m->used + size * sizeof m->used->ring[0] + sizeof(uint16_t));
    m->avail->idx = m->used->idx = begin;
    m->queue = (struct virtqueue) { .desc = m->desc, .avail = m->avail, .used = m->used, .memory = &m->table,
                                    .counters = &m->counters, .size = size, .next = begin, .header_len = HEADER,
                                    .is_mergeable = true, .has_indirect = true, .call_fd = -1 };
}

static void
machine_init(struct machine *m, uint16_t begin)
{
    machine_init_ring(m, begin, RING);
}

static void
machine_uninit(struct machine *m)
{
    free(m->memory[0]);
    free(m->memory[1]);
    free(m->desc);
    free(m->avail);
    free(m->used);
}

static uint16_t
add_desc(struct machine *m, uint64_t addr, uint32_t n, uint16_t flags)
{
    uint16_t i = m->n_desc++ % m->queue.size;

    m->desc[i] = (struct vring_desc) { .addr = addr, .len = n, .flags = flags, .next = m->n_desc % m->queue.size };
    return i;
}

static void
offer(struct machine *m, uint16_t head)
{
    m->avail->ring[m->avail->idx % m->queue.size] = head;
    m->avail->idx++;
}

/* Bytes 'n' of the frame that counts from 'first'. */
static void
fill(uint8_t *at, size_t n, uint8_t first)
{
    for (size_t i = 0; i < n; i++) {
        at[i] = first + i * 3;
    }
}

static void
assert_frame(const void *at_, size_t n, uint8_t first)
{
    const uint8_t *at = at_;

    for (size_t i = 0; i < n; i++) {
        assert_int_equal(at[i], (uint8_t) (first + i * 3));
    }
}

static void
assert_taken(struct machine *m, size_t n, uint8_t first)
{
    struct packet *p;

    assert_int_equal(virtqueue_take(&m->queue, &p, 1), 1);
    assert_int_equal(packet_size(p), n);
    assert_frame(packet_at(p), n, first);
    packet_free(p);
}

static const struct vring_used_elem *
last_used(const struct machine *m)
{
    return &m->used->ring[(uint16_t) (m->used->idx - 1) % m->queue.size];
}

/* One descriptor with header and frame. */
static void
send_frame(struct machine *m, unsigned int buffer, size_t n, uint8_t first)
{
    fill((uint8_t *) host(m, AT(buffer)) + HEADER, n, first);
    offer(m, add_desc(m, AT(buffer), HEADER + n, 0));
}

static void
what_is_ready_is_no_more_than_the_ring_has(void **state UNUSED)
{
    struct machine m;

    machine_init(&m, UINT16_MAX - 1);
    assert_int_equal(virtqueue_n_ready(&m.queue), 0);
    for (int i = 0; i < 4; i++) {
        send_frame(&m, i, 60, i);
    }
    assert_int_equal(virtqueue_n_ready(&m.queue), 4);
    assert_taken(&m, 60, 0);
    assert_int_equal(virtqueue_n_ready(&m.queue), 3);
    m.avail->idx += 30000; /* A lie. */
    assert_int_equal(virtqueue_n_ready(&m.queue), RING);
    m.queue.size = 0; /* Not set up. */
    assert_int_equal(virtqueue_n_ready(&m.queue), 0);
    machine_uninit(&m);
}

static void
frames_are_taken_in_order(void **state UNUSED)
{
    static const size_t sizes[] = { 14, 60, 63, 64, 65, 127, 128, 255, 256, 257, 1518, 1519, PACKET_ROOM };
    struct packet *packets[RING];
    struct machine m;

    machine_init(&m, 65530); /* The index wraps on the way. */
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        send_frame(&m, i, sizes[i], i * 2);
    }
    assert_int_equal(virtqueue_take(&m.queue, packets, 5), 5);
    assert_int_equal(virtqueue_take(&m.queue, packets + 5, RING), ARRAY_SIZE(sizes) - 5);
    assert_int_equal(virtqueue_take(&m.queue, packets, RING), 0);
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        assert_int_equal(packet_size(packets[i]), sizes[i]);
        assert_frame(packet_at(packets[i]), sizes[i], i * 2);
        assert_null(packet_offload(packets[i]));
        assert_int_equal(m.used->ring[(uint16_t) (65530 + i) % RING].id, i);
        assert_int_equal(m.used->ring[(uint16_t) (65530 + i) % RING].len, 0);
        packet_free(packets[i]);
    }
    assert_int_equal(m.used->idx, m.avail->idx);
    assert_int_equal(m.counters.packets, ARRAY_SIZE(sizes));
    assert_int_equal(m.counters.bytes,
                     14 + 60 + 63 + 64 + 65 + 127 + 128 + 255 + 256 + 257 + 1518 + 1519 + PACKET_ROOM);
    assert_int_equal(m.counters.sizes[0], 3);
    assert_int_equal(m.counters.sizes[1], 1);
    assert_int_equal(m.counters.sizes[2], 2);
    assert_int_equal(m.counters.sizes[3], 2);
    assert_int_equal(m.counters.sizes[4], 2);
    assert_int_equal(m.counters.sizes[5], 0);
    assert_int_equal(m.counters.sizes[6], 1);
    assert_int_equal(m.counters.sizes[7], 2);
    assert_int_equal(m.counters.errors, 0);
    machine_uninit(&m);
}

static void
frames_to_many_are_counted(void **state UNUSED)
{
    struct machine m;
    struct packet *p;

    machine_init(&m, 0);
    send_frame(&m, 0, 60, 1); /* Odd: to a group. */
    send_frame(&m, 1, 60, 0);
    memset((uint8_t *) host(&m, AT(1)) + HEADER, 0xff, 6);
    assert_taken(&m, 60, 1);
    assert_int_equal(virtqueue_take(&m.queue, &p, 1), 1);
    packet_free(p);
    assert_int_equal(m.counters.multicast, 1);
    assert_int_equal(m.counters.broadcast, 1);
    machine_uninit(&m);
}

static void
chains_are_put_together(void **state UNUSED)
{
    struct vring_desc *table;
    struct machine m;
    uint8_t *bytes;

    machine_init(&m, 0);
    /* The header by itself; in the middle of the header; an empty piece; the last byte of a region. */
    fill(host(&m, AT(1)), 500, 9);
    offer(&m, add_desc(&m, AT(0), HEADER, VRING_DESC_F_NEXT));
    add_desc(&m, AT(1), 300, VRING_DESC_F_NEXT);
    add_desc(&m, 0, 0, VRING_DESC_F_NEXT);
    add_desc(&m, AT(1) + 300, 200, 0);
    assert_taken(&m, 500, 9);
    fill((uint8_t *) host(&m, AT(2)) + HEADER - 4, 100, 40);
    offer(&m, add_desc(&m, AT(0), 4, VRING_DESC_F_NEXT));
    add_desc(&m, AT(2), HEADER - 4 + 100, 0);
    assert_taken(&m, 100, 40);
    fill((uint8_t *) host(&m, bases[1] + REGION - 20), 20, 3);
    offer(&m, add_desc(&m, AT(0), HEADER, VRING_DESC_F_NEXT));
    add_desc(&m, bases[1] + REGION - 20, 20, 0);
    assert_taken(&m, 20, 3);
    /* A table of its own. */
    table = host(&m, AT(5));
    bytes = host(&m, AT(6));
    fill(bytes, 200, 77);
    table[0] = (struct vring_desc) { .addr = AT(0), .len = HEADER, .flags = VRING_DESC_F_NEXT, .next = 2 };
    table[2] = (struct vring_desc) { .addr = AT(6), .len = 200 };
    offer(&m, add_desc(&m, AT(5), 3 * sizeof *table, VRING_DESC_F_INDIRECT));
    assert_taken(&m, 200, 77);
    assert_int_equal(m.counters.errors, 0);
    machine_uninit(&m);
}

static void
long_frames_come_in_one_piece(void **state UNUSED)
{
    const size_t most = PACKET_MAX - PACKET_HEADROOM;
    static const size_t sizes[] = { PACKET_ROOM + 1, 9000, PACKET_MAX - PACKET_HEADROOM };
    struct packet *p;
    struct machine m;

    machine_init(&m, 0);
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        send_frame(&m, 0, sizes[i], i);
        assert_taken(&m, sizes[i], i);
    }
    send_frame(&m, 0, most + 1, 0);
    assert_int_equal(virtqueue_take(&m.queue, &p, 1), 0);
    fill((uint8_t *) host(&m, AT(0)) + HEADER, most, 0);
    offer(&m, add_desc(&m, AT(0), HEADER + most, VRING_DESC_F_NEXT));
    add_desc(&m, AT(1), 1, 0);
    assert_int_equal(virtqueue_take(&m.queue, &p, 1), 0);
    assert_int_equal(m.counters.errors, 2);
    machine_uninit(&m);
}

static void
nonsense_is_given_back(void **state UNUSED)
{
    struct vring_desc *table;
    struct machine m;

    machine_init(&m, 0);
    table = host(&m, AT(9));
    table[0] = (struct vring_desc) { .addr = AT(9), .len = sizeof *table, .flags = VRING_DESC_F_INDIRECT };
    for (int i = 0; i < 13; i++) {
        struct packet *p;
        uint16_t head = m.n_desc % RING;

        switch (i) {
        case 0: add_desc(&m, bases[0] - 1, 100, 0); break;               /* Before all memory. */
        case 1: add_desc(&m, bases[0] + REGION - 99, 100, 0); break;     /* Out of a region. */
        case 2: add_desc(&m, UINT64_MAX - 50, 100, 0); break;
        case 3: add_desc(&m, AT(0), UINT32_MAX, 0); break;
        case 4: add_desc(&m, AT(0), 100, VRING_DESC_F_WRITE); break;
        case 5: add_desc(&m, AT(0), HEADER, 0); break;                   /* No frame. */
        case 6: add_desc(&m, AT(0), HEADER - 1, 0); break;
        case 7: add_desc(&m, AT(0), 0, 0); break;
        case 8: m.desc[add_desc(&m, AT(0), 1, VRING_DESC_F_NEXT)].next = head; break; /* A circle. */
        case 9: m.desc[add_desc(&m, AT(0), 20, VRING_DESC_F_NEXT)].next = RING; break;
        case 10: add_desc(&m, AT(9), sizeof *table, VRING_DESC_F_INDIRECT); break;    /* A table in a table. */
        case 11: add_desc(&m, AT(9) + 1, sizeof *table, VRING_DESC_F_INDIRECT); break;
        case 12: head = RING + 3; break;
        }
        offer(&m, head);
        send_frame(&m, 3, 60, i);
        assert_int_equal(virtqueue_take(&m.queue, &p, 1), 0);
        assert_taken(&m, 60, i);
        assert_int_equal(m.counters.errors, i + 1);
        assert_int_equal(m.used->idx, m.avail->idx);
        assert_int_equal(m.used->ring[(uint16_t) (m.used->idx - 2) % RING].id, head);
        assert_int_equal(last_used(&m)->len, 0);
    }
    m.avail->idx += 1000; /* No more than the ring has, each time. */
    for (int i = 0; i < 100; i++) {
        struct packet *packets[VIRTQUEUE_BURST];
        unsigned int n = virtqueue_take(&m.queue, packets, VIRTQUEUE_BURST);

        while (n) {
            packet_free(packets[--n]);
        }
    }
    machine_uninit(&m);
}

static void
headers_ask_for_checksums_and_segments(void **state UNUSED)
{
    struct virtio_net_hdr h = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
                                .hdr_len = 54, .gso_size = 1000, .csum_start = 34, .csum_offset = 16 };
    struct machine m;

    machine_init(&m, 0);
    for (int i = 0; i < 6; i++) {
        const struct packet_offload *o;
        struct packet *p;

        m.queue.may_segment = i == 1 || i > 3;
        h.gso_size = i == 4 ? 0 : 1000;
        h.csum_start = i == 2 ? 1983 : 34;
        h.flags = i == 3 ? 0 : VIRTIO_NET_HDR_F_NEEDS_CSUM;
        h.gso_type = i == 5 ? VIRTIO_NET_HDR_GSO_UDP : VIRTIO_NET_HDR_GSO_TCPV4;
        send_frame(&m, 0, 2000, 0);
        memcpy(host(&m, AT(0)), &h, sizeof h);
        assert_int_equal(virtqueue_take(&m.queue, &p, 1), 1);
        o = packet_offload(p);
        if (i == 2 || i == 3) {
            assert_null(o); /* It would be outside of the frame; it is not asked for. */
        } else {
            assert_int_equal(o->flags, PACKET_CSUM_PARTIAL);
            assert_int_equal(o->csum_start, 34);
            assert_int_equal(o->csum_offset, 16);
            assert_int_equal(o->gso_type, i == 1 ? PACKET_GSO_TCPV4 : PACKET_GSO_NONE);
            assert_int_equal(o->gso_size, i == 1 ? 1000 : 0);
        }
        packet_free(p);
    }
    machine_uninit(&m);
}

/* --- Giving --- */

static struct packet *
frame_of(size_t n, uint8_t first)
{
    struct packet *p = packet_new_uninit(n);

    assert_non_null(p);
    fill(packet_at(p), n, first);
    return p;
}

/* Gives one frame; how many were done with, and failed. */
static unsigned int
give(struct machine *m, size_t n, uint8_t first, unsigned int *n_failed)
{
    struct packet *p = frame_of(n, first);
    unsigned int done;

    *n_failed = 0;
    done = virtqueue_give(&m->queue, &p, 1, n_failed);
    packet_free(p);
    return done;
}

static void
frames_are_given_and_not_a_byte_more(void **state UNUSED)
{
    static const size_t sizes[] = { 14, 60, 64, 65, 127, 128, 200, 256, 257, 1518, 4000 };
    struct packet *packets[ARRAY_SIZE(sizes)];
    unsigned int n_failed = 0;
    struct machine m;

    machine_init(&m, 65530);
    memset(m.memory[0], 0xaa, REGION);
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        offer(&m, add_desc(&m, AT(i), BUFFER, VRING_DESC_F_WRITE));
        packets[i] = frame_of(sizes[i], i * 5);
    }
    assert_int_equal(virtqueue_give(&m.queue, packets, ARRAY_SIZE(sizes), &n_failed), ARRAY_SIZE(sizes));
    assert_int_equal(n_failed, 0);
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        const uint8_t *at = host(&m, AT(i));
        const struct virtio_net_hdr_mrg_rxbuf wanted = { .num_buffers = 1 };

        assert_memory_equal(at, &wanted, HEADER);
        assert_frame(at + HEADER, sizes[i], i * 5);
        assert_int_equal(at[HEADER + sizes[i]], 0xaa);
        assert_int_equal(m.used->ring[(uint16_t) (65530 + i) % RING].id, i);
        assert_int_equal(m.used->ring[(uint16_t) (65530 + i) % RING].len, HEADER + sizes[i]);
        packet_free(packets[i]);
    }
    assert_int_equal(m.used->idx, m.avail->idx);
    assert_int_equal(m.counters.packets, ARRAY_SIZE(sizes));
    assert_int_equal(give(&m, 60, 0, &n_failed), 0); /* No buffer is left. */
    machine_uninit(&m);
}

static void
whether_headers_are_written_is_learned_from_bursts_that_have_some(void **state UNUSED)
{
    unsigned int n_failed;
    struct machine m;

    machine_init(&m, 0);
    memset(host(&m, AT(0)), 0xaa, HEADER);
    offer(&m, add_desc(&m, AT(0), BUFFER, VRING_DESC_F_WRITE));
    assert_int_equal(give(&m, 60, 0, &n_failed), 1);
    assert_true(m.queue.writes_headers);
    assert_int_equal(give(&m, 60, 0, &n_failed), 0);
    assert_true(m.queue.writes_headers);
    offer(&m, add_desc(&m, AT(0), BUFFER, VRING_DESC_F_WRITE));
    assert_int_equal(virtqueue_give(&m.queue, NULL, 0, &n_failed), 0);
    assert_true(m.queue.writes_headers);
    assert_int_equal(give(&m, 60, 0, &n_failed), 1); /* It has the header of before. */
    assert_false(m.queue.writes_headers);
    machine_uninit(&m);
}

static void
long_frames_fill_several_buffers(void **state UNUSED)
{
    unsigned int n_failed;
    struct machine m;

    machine_init(&m, 0);
    /* 1,000 bytes, of which the header has 12: three are needed. */
    for (int i = 0; i < 2; i++) {
        offer(&m, add_desc(&m, AT(i), 400, VRING_DESC_F_WRITE));
    }
    assert_int_equal(give(&m, 1000, 7, &n_failed), 0);
    assert_int_equal(m.used->idx, 0);
    offer(&m, add_desc(&m, AT(2), 5, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT));
    add_desc(&m, AT(3), 395, VRING_DESC_F_WRITE);
    assert_int_equal(give(&m, 1000, 7, &n_failed), 1);
    assert_int_equal(n_failed, 0);
    assert_int_equal(m.used->idx, 3);
    assert_int_equal(((struct virtio_net_hdr_mrg_rxbuf *) host(&m, AT(0)))->num_buffers, 3);
    assert_frame((uint8_t *) host(&m, AT(0)) + HEADER, 388, 7);
    assert_frame(host(&m, AT(1)), 400, (uint8_t) (7 + 388 * 3));
    assert_frame(host(&m, AT(2)), 5, (uint8_t) (7 + 788 * 3));
    assert_frame(host(&m, AT(3)), 207, (uint8_t) (7 + 793 * 3));
    assert_int_equal(m.used->ring[0].len, 400);
    assert_int_equal(m.used->ring[1].len, 400);
    assert_int_equal(m.used->ring[2].len, 212);
    /* Not where the machine does not take that: the frame is lost, the buffer goes back. */
    m.queue.is_mergeable = false;
    offer(&m, add_desc(&m, AT(4), 400, VRING_DESC_F_WRITE));
    assert_int_equal(give(&m, 1000, 7, &n_failed), 1);
    assert_int_equal(n_failed, 1);
    assert_int_equal(m.used->idx, 4);
    assert_int_equal(m.used->ring[3].len, 0);
    machine_uninit(&m);
}

static void
nonsense_takes_no_frame(void **state UNUSED)
{
    unsigned int n_failed;
    struct machine m;

    machine_init(&m, 0);
    for (int i = 0; i < 6; i++) {
        uint16_t head = m.n_desc % RING;

        switch (i) {
        case 0: add_desc(&m, AT(0), 2000, 0); break;
        case 1: add_desc(&m, bases[1] + REGION - 100, 101, VRING_DESC_F_WRITE); break;
        case 2: add_desc(&m, AT(0), 0, VRING_DESC_F_WRITE); break;
        case 3: m.desc[add_desc(&m, AT(0), 1, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT)].next = head; break;
        case 4: head = 999; break;
        case 5: m.desc[add_desc(&m, AT(0), 8, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT)].next = RING; break;
        }
        offer(&m, head);
        offer(&m, add_desc(&m, AT(1), 2000, VRING_DESC_F_WRITE));
        assert_int_equal(give(&m, 100, i, &n_failed), 1);
        assert_int_equal(n_failed, 1);
        assert_int_equal(last_used(&m)->id, head);
        assert_int_equal(last_used(&m)->len, 0);
        assert_int_equal(give(&m, 100, i, &n_failed), 1);
        assert_int_equal(n_failed, 0);
        assert_frame((uint8_t *) host(&m, AT(1)) + HEADER, 100, i);
    }
    machine_uninit(&m);
}

static void
the_machine_is_called_when_it_wants(void **state UNUSED)
{
    struct machine m;
    uint64_t n;

    machine_init(&m, 65534);
    m.queue.call_fd = eventfd(0, EFD_NONBLOCK);
    send_frame(&m, 0, 60, 0);
    assert_taken(&m, 60, 0);
    assert_int_equal(read(m.queue.call_fd, &n, sizeof n), sizeof n);
    m.avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
    send_frame(&m, 0, 60, 0);
    assert_taken(&m, 60, 0);
    assert_int_equal(read(m.queue.call_fd, &n, sizeof n), -1);
    /* At the third from now on. */
    m.queue.has_event_idx = true;
    m.avail->ring[RING] = 2;
    for (int i = 0; i < 5; i++) {
        send_frame(&m, 0, 60, 0);
        assert_taken(&m, 60, 0);
        assert_int_equal(read(m.queue.call_fd, &n, sizeof n), i == 2 ? (int) sizeof n : -1);
    }
    assert_int_equal(m.counters.calls, 2);
    close(m.queue.call_fd);
    machine_uninit(&m);
}

/* --- A machine that writes anything into its rings --- */

static void
scribble(struct machine *m, struct random *r)
{
    for (int i = 0; i < RING; i++) {
        static const uint64_t places[] = { 0x100000, 0x100000 + REGION - 40, 0x900000, 0x900000 + REGION - 8, 0, 1 };
        static const uint32_t lengths[] = { 0, 1, 8, HEADER, 40, 76, 1500, BUFFER, 70000, UINT32_MAX };

        m->desc[i] = (struct vring_desc) {
            .addr = places[random_below(r, ARRAY_SIZE(places))] + random_below(r, 64) * 16,
            .len = lengths[random_below(r, ARRAY_SIZE(lengths))],
            .flags = random_below(r, 8), .next = random_below(r, RING + 2) };
        m->avail->ring[i] = random_below(r, RING + 2);
    }
    for (int i = 0; i < 64; i++) { /* What stands where tables may be. */
        ((struct vring_desc *) host(m, bases[0]))[i] = m->desc[random_below(r, RING)];
    }
    m->avail->idx += random_below(r, 40);
}

static void
whatever_the_rings_hold_nothing_else_is_touched(void **state UNUSED)
{
    unsigned int in_use = packet_pool_in_use(packet_pool());
    struct random r;
    struct machine m;

    random_seed(&r, 1);
    machine_init(&m, 0);
    for (int round = 0; round < 20000; round++) {
        struct packet *packets[8];
        unsigned int n, n_failed = 0;

        scribble(&m, &r);
        m.queue.is_mergeable = random_below(&r, 2);
        m.queue.may_segment = random_below(&r, 2);
        m.queue.has_indirect = random_below(&r, 2);
        n = virtqueue_take(&m.queue, packets, 8);
        for (unsigned int i = 0; i < n; i++) {
            assert_in_range(packet_size(packets[i]), 1, PACKET_MAX - PACKET_HEADROOM);
        }
        assert_true(virtqueue_give(&m.queue, packets, n, &n_failed) <= n);
        assert_true(n_failed <= n);
        for (unsigned int i = 0; i < n; i++) {
            packet_free(packets[i]);
        }
        assert_int_equal(m.used->idx, m.queue.next);
    }
    assert_true(m.counters.packets > 1000 && m.counters.errors > 1000);
    assert_int_equal(packet_pool_in_use(packet_pool()), in_use);
    machine_uninit(&m);
}

/* --- Around and around --- */

/* What a machine has offered of a long ring, each descriptor leading to 2048 bytes of its own. */
struct offered {
    uint16_t n_free;              /* Descriptors. */
    uint16_t n_descs[LONG_RING];  /* Of the buffers, in the order in which they were offered. */
};

static uint64_t
place_of(unsigned int desc)
{
    return bases[0] + desc % LONG_RING * 2048;
}

/* A buffer of this many bytes, and 'second' more behind another descriptor if that is not 0. */
static void
offer_buffer(struct machine *m, struct offered *o, uint32_t first, uint32_t second, uint16_t flags)
{
    uint16_t head = m->n_desc % LONG_RING, n = second ? 2 : 1;

    o->n_descs[m->avail->idx % LONG_RING] = n;
    o->n_free -= n;
    add_desc(m, place_of(head), first, flags | (second ? VRING_DESC_F_NEXT : 0));
    if (second) {
        add_desc(m, place_of(head + 1), second, flags);
    }
    offer(m, head);
}

/* Bursts of all lengths over a ring with more buffers than are looked up ahead, many times around: whole frames, pieces
 * and frames over several buffers, in order and with their own bytes. */
static void
bursts_go_around_to_the_machine(void **state UNUSED)
{
    struct random r;
    uint16_t seen = 60000;
    struct offered offered = { .n_free = LONG_RING };
    uint8_t next_given = 0, next_seen = 0;
    uint16_t sizes[256];
    struct machine m;

    random_seed(&r, 7);
    machine_init_ring(&m, seen, LONG_RING);
    for (int round = 0; round < 5000; round++) {
        struct packet *packets[VIRTQUEUE_BURST];
        unsigned int n = random_below(&r, VIRTQUEUE_BURST + 1), n_failed = 0, done;

        for (unsigned int i = random_below(&r, 2 * VIRTQUEUE_BURST); i && offered.n_free >= 2; i--) {
            bool is_chain = !random_below(&r, 10);

            offer_buffer(&m, &offered, is_chain ? 30 : random_below(&r, 8) ? 2048 : 100, is_chain ? 2048 : 0,
                         VRING_DESC_F_WRITE);
        }
        for (unsigned int i = 0; i < n; i++) {
            uint8_t number = next_given + i;

            sizes[number] = random_below(&r, 5) ? 60 : 60 + random_below(&r, 1000);
            packets[i] = frame_of(sizes[number], number);
        }
        done = virtqueue_give(&m.queue, packets, n, &n_failed);
        assert_in_range(done, 0, n);
        assert_int_equal(n_failed, 0);
        next_given += done;
        for (unsigned int i = 0; i < n; i++) {
            packet_free(packets[i]);
        }
        for (; seen != m.used->idx; next_seen++) {
            struct virtio_net_hdr_mrg_rxbuf header;
            uint8_t frame[HEADER + 1100];
            size_t n_bytes = 0;
            unsigned int n_buffers = 0;

            do {
                const struct vring_used_elem *e = &m.used->ring[seen % LONG_RING];
                uint16_t n_descs = offered.n_descs[seen % LONG_RING];
                size_t left = e->len;

                assert_int_equal(e->id, m.avail->ring[seen % LONG_RING]);
                for (uint16_t k = 0; k < n_descs; k++) {
                    const struct vring_desc *d = &m.desc[(e->id + k) % LONG_RING];
                    size_t now = MIN(left, d->len);

                    assert_in_range(n_bytes + now, 0, sizeof frame);
                    memcpy(frame + n_bytes, host(&m, d->addr), now);
                    memset(host(&m, d->addr), random_below(&r, 256), random_below(&r, 3) ? 0 : d->len);
                    n_bytes += now;
                    left -= now;
                }
                assert_int_equal(left, 0);
                offered.n_free += n_descs;
                n_buffers++;
                seen++;
                memcpy(&header, frame, sizeof header);
            } while (n_buffers < header.num_buffers);
            assert_memory_equal(&header.hdr, &(struct virtio_net_hdr) { 0 }, sizeof header.hdr);
            assert_int_equal(header.num_buffers, n_buffers);
            assert_int_equal(n_bytes, HEADER + sizes[next_seen]);
            assert_frame(frame + HEADER, sizes[next_seen], next_seen);
        }
        assert_int_equal(next_seen, next_given);
    }
    assert_true(m.counters.packets > 20000);
    machine_uninit(&m);
}

static void
bursts_go_around_from_the_machine(void **state UNUSED)
{
    struct random r;
    uint16_t seen = 65000;
    uint8_t next_sent = 0, next_taken = 0;
    struct offered offered = { .n_free = LONG_RING };
    uint16_t sizes[256];
    struct machine m;

    random_seed(&r, 8);
    machine_init_ring(&m, seen, LONG_RING);
    for (int round = 0; round < 5000; round++) {
        struct packet *packets[VIRTQUEUE_BURST];
        unsigned int n;

        for (unsigned int i = random_below(&r, 2 * VIRTQUEUE_BURST); i && offered.n_free >= 2; i--) {
            bool is_chain = !random_below(&r, 10);
            uint8_t *at = host(&m, place_of(m.n_desc));
            size_t size = sizes[next_sent] = random_below(&r, 5) ? 60 : 60 + random_below(&r, 1000);

            memset(at, 0, HEADER);
            fill(at + HEADER, size, next_sent++);
            if (is_chain) {
                memcpy(host(&m, place_of(m.n_desc + 1)), at + HEADER + 20, size - 20);
                memset(at + HEADER + 20, 0xee, size - 20);
            }
            offer_buffer(&m, &offered, HEADER + (is_chain ? 20 : size), is_chain ? size - 20 : 0, 0);
        }
        n = virtqueue_take(&m.queue, packets, random_below(&r, VIRTQUEUE_BURST + 1));
        for (unsigned int i = 0; i < n; i++, next_taken++) {
            assert_int_equal(packet_size(packets[i]), sizes[next_taken]);
            assert_frame(packet_at(packets[i]), sizes[next_taken], next_taken);
            packet_free(packets[i]);
        }
        assert_int_equal((uint16_t) (m.used->idx - seen), n);
        for (; seen != m.used->idx; seen++) {
            const struct vring_used_elem *e = &m.used->ring[seen % LONG_RING];

            assert_int_equal(e->id, m.avail->ring[seen % LONG_RING]);
            assert_int_equal(e->len, 0);
            offered.n_free += offered.n_descs[seen % LONG_RING];
        }
    }
    assert_true(m.counters.packets > 20000);
    assert_int_equal(m.counters.errors, 0);
    machine_uninit(&m);
}

static int
start(void **state UNUSED)
{
    return env_start() ? -1 : 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_ready_is_no_more_than_the_ring_has),
        cmocka_unit_test(frames_are_taken_in_order),
        cmocka_unit_test(frames_to_many_are_counted),
        cmocka_unit_test(chains_are_put_together),
        cmocka_unit_test(long_frames_come_in_one_piece),
        cmocka_unit_test(nonsense_is_given_back),
        cmocka_unit_test(headers_ask_for_checksums_and_segments),
        cmocka_unit_test(frames_are_given_and_not_a_byte_more),
        cmocka_unit_test(whether_headers_are_written_is_learned_from_bursts_that_have_some),
        cmocka_unit_test(long_frames_fill_several_buffers),
        cmocka_unit_test(nonsense_takes_no_frame),
        cmocka_unit_test(the_machine_is_called_when_it_wants),
        cmocka_unit_test(bursts_go_around_to_the_machine),
        cmocka_unit_test(bursts_go_around_from_the_machine),
        cmocka_unit_test(whatever_the_rings_hold_nothing_else_is_touched),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
