/* The thread that writes the file of a capture. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "config.h"
#include "datapath/user/capture_private.h"
#include "datapath/user/dp.h"
#include "packet/csum.h"
#include "packet/pcapng.h"
#include "sys/clock.h"
#include "sys/loop.h"

enum { FLUSH_AT = 256 << 10, SHORT_SLEEP_US = 1000, LONG_SLEEP_US = 5000, BLOCK_EXTRA = 192 };

uint64_t
capture_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec * UINT64_C(1000000000) + t.tv_nsec;
}

uint64_t
capture_n_dropped(const struct capture *c)
{
    uint64_t n = 0;

    for (unsigned int i = 0; i < CAPTURE_N_RINGS; i++) {
        n += tally_get(&c->rings[i].n_dropped);
    }
    return n;
}

static uint64_t
n_seen(const struct capture *c)
{
    uint64_t n = 0;

    for (unsigned int i = 0; i < CAPTURE_N_RINGS; i++) {
        n += tally_get(&c->rings[i].n_put) + tally_get(&c->rings[i].n_dropped);
    }
    return n;
}

static uint64_t
n_written(const struct capture *c)
{
    return tally_get(&c->n_in) + tally_get(&c->n_out) - tally_get(&c->n_lost);
}

/* --- Blocks --- */

void
capture_put_head(struct capture *c, const struct port *port)
{
    struct netdev *n = port->netdev;
    struct pcapng_interface f = { .name = n->name, .snaplen = c->options.snaplen };
    struct utsname os;
    char *text, *description;

    text = uname(&os) ? xstrdup("") : xasprintf("%s %s %s", os.sysname, os.release, os.machine);
    pcapng_put_section(&c->file.buffer, text, "ovs-vswitchd (Weft " WEFT_VERSION ")");
    free(text);
    description = xasprintf("%s, port %u of %s@%s", n->class->type, port->number.n, port->dp->up.class->type,
                            port->dp->up.name);
    f.description = description;
    if (netdev_get_etheraddr(n, &f.mac)) {
        f.mac = (struct eth_addr) { { 0 } };
    }
    pcapng_put_interface(&c->file.buffer, &f);
    free(description);
}

static void
put_statistics(struct capture *c)
{
    struct pcapng_statistics s = { .started_ns = c->started_ns, .ended_ns = capture_now_ns(), .n_seen = n_seen(c),
                                   .n_dropped = capture_n_dropped(c), .n_written = n_written(c) };

    pcapng_put_statistics(&c->file.buffer, 0, &s);
}

/* Computes the checksum in the copy 'frame'; false if not all of the frame is there, or the request makes no sense. */
static bool
finish_csum(const struct capture_record *r, uint8_t *frame)
{
    size_t start = r->offload.csum_start, at = start + r->offload.csum_offset;
    be16 csum;

    if (r->captured < r->length || start > r->captured || at + sizeof csum > r->captured) {
        return false;
    }
    csum = csum_bytes(frame + start, r->captured - start);
    csum = csum ? csum : BE16_MAX; /* As packet_finish_csum(). */
    memcpy(frame + at, &csum, sizeof csum);
    return true;
}

static const char *
gso_name(uint8_t type)
{
    switch (type & ~PACKET_GSO_ECN) {
    case PACKET_GSO_TCPV4: return "TCPv4";
    case PACKET_GSO_TCPV6: return "TCPv6";
    default: return "UDP";
    }
}

/* What is to be done with the frame still, done or said in '*comment'. */
static const void *
look_at_offload(const struct capture_record *r, uint8_t *copy, char *comment, size_t size)
{
    const struct packet_offload *o = &r->offload;
    bool is_finished = false;
    int n = 0;

    comment[0] = '\0';
    if (o->flags & PACKET_CSUM_PARTIAL) {
        memcpy(copy, r->frame, r->captured);
        is_finished = finish_csum(r, copy);
    }
    if (o->gso_type) {
        n = snprintf(comment, size, "to be segmented: %s, %u bytes each", gso_name(o->gso_type), o->gso_size);
    }
    if (o->flags & PACKET_CSUM_PARTIAL && !is_finished) {
        snprintf(comment + n, size - n, "%schecksum to be computed", n ? "; " : "");
    }
    return is_finished ? copy : r->frame;
}

static void
put_packet(struct capture *c, const struct capture_record *r)
{
    char comment[80];
    struct pcapng_packet p = { .ns = r->ns, .captured = r->captured, .length = r->length, .is_out = r->is_out,
                               .id = ++c->next_id, .queue = r->queue, .n_dropped = r->n_dropped };

    p.frame = look_at_offload(r, c->copy, comment, sizeof comment);
    p.comment = comment[0] ? comment : NULL;
    pcapng_put_packet(&c->file.buffer, 0, &p);
    tally_add(r->is_out ? &c->n_out : &c->n_in, 1);
}

/* --- Writing --- */

/* What it ends by first is said. */
static void
end_because(struct capture *c, char *why)
{
    if (c->why) {
        free(why);
    } else {
        c->why = why;
    }
}

/* The same for an error. */
static void
fail(struct capture *c, const char *what, int error)
{
    c->has_failed |= !c->why;
    end_because(c, xasprintf("%s: %s", what, strerror(-error)));
}

static bool
flush(struct capture *c)
{
    uint64_t n_lost;
    int error = capture_file_flush(&c->file, &n_lost);

    if (error) {
        tally_add(&c->n_lost, n_lost);
        if (error == -EPIPE || error == -ETIMEDOUT) {
            end_because(c, xstrdup(error == -EPIPE ? "nobody reads the FIFO any more"
                                                   : "the reader of the FIFO takes nothing"));
        } else {
            fail(c, "writing failed", error);
        }
    }
    return !error;
}

static bool
has_room_for(const struct capture *c, const struct capture_record *r)
{
    const struct capture_options *o = &c->options;
    uint64_t n = tally_get(&c->file.n_bytes) + c->file.buffer.len + r->captured + BLOCK_EXTRA + PCAPNG_STATISTICS_SIZE;

    return !o->max_bytes || n <= o->max_bytes;
}

static bool
has_all_packets(const struct capture *c)
{
    return c->options.max_packets && c->next_id >= c->options.max_packets;
}

/* The ring with the oldest record of those in front of 'ends'; null if there is none. */
static struct capture_ring *
oldest(struct capture *c, const uint64_t ends[CAPTURE_N_RINGS], const struct capture_record **record)
{
    struct capture_ring *best = NULL;

    *record = NULL;
    for (unsigned int i = 0; i < CAPTURE_N_RINGS; i++) {
        const struct capture_record *r = ends[i] ? capture_ring_first(&c->rings[i], ends[i]) : NULL;

        if (r && (!*record || r->ns < (*record)->ns)) {
            best = &c->rings[i];
            *record = r;
        }
    }
    return best;
}

/* Writes what the rings have now; the number of packets, -1 if the capture is to end. */
static int
write_once(struct capture *c)
{
    const struct capture_record *r;
    uint64_t ends[CAPTURE_N_RINGS];
    struct capture_ring *ring;
    int n = 0;

    for (unsigned int i = 0; i < CAPTURE_N_RINGS; i++) {
        ends[i] = capture_ring_end(&c->rings[i]);
    }
    while ((ring = oldest(c, ends, &r)) != NULL) {
        if (!has_room_for(c, r)) {
            end_because(c, xasprintf("its limit of %llu bytes", (unsigned long long) c->options.max_bytes));
            return -1;
        }
        put_packet(c, r);
        capture_ring_take(ring, r);
        n++;
        if (has_all_packets(c)) {
            end_because(c, xasprintf("its limit of %llu packets", (unsigned long long) c->options.max_packets));
            return -1;
        }
        if (c->file.buffer.len >= FLUSH_AT && !flush(c)) {
            return -1;
        }
    }
    return flush(c) ? n : -1;
}

/* Whether its time is over; says so then. */
static bool
is_late(struct capture *c)
{
    uint64_t max = c->options.max_seconds;

    if (!max || (uint64_t) (clock_real_us() - c->began_us) / 1000000 < max) {
        return false;
    }
    end_because(c, xasprintf("its limit of %llu seconds", (unsigned long long) max));
    return true;
}

/* Until somebody reads the FIFO; false if that does not happen. */
static bool
wait_for_reader(struct capture *c)
{
    while (c->file.fd < 0) {
        int error = capture_file_open_fifo(&c->file);

        if (error && error != -EAGAIN) {
            fail(c, "opening failed", error);
            return false;
        }
        if (error && (atomic_load(&c->is_left) || is_late(c))) {
            return false;
        }
        if (error) {
            usleep(LONG_SLEEP_US);
        }
    }
    return true;
}

static void
write_until_end(struct capture *c)
{
    for (;;) {
        bool is_left = atomic_load(&c->is_left); /* What is in the rings after that is all. */
        int n = write_once(c);

        if (n < 0 || is_left || is_late(c)) {
            return;
        }
        usleep(n ? SHORT_SLEEP_US : LONG_SLEEP_US);
    }
}

static void
finish_file(struct capture *c)
{
    int error;

    if (c->file.fd >= 0) {
        put_statistics(c);
        (void) flush(c);
    }
    error = capture_file_close(&c->file);
    if (error) {
        fail(c, "closing failed", error);
    }
}

void *
capture_write(void *c_)
{
    struct capture *c = c_;
    struct loop_wake *wake = c->wake;

    pthread_setname_np(pthread_self(), "capture");
    if (wait_for_reader(c)) {
        atomic_store(&c->is_on, true);
        write_until_end(c);
    }
    atomic_store(&c->is_on, false);
    finish_file(c);
    atomic_store(&c->is_over, true);
    loop_wake_signal(wake);
    while (!atomic_load(&c->is_left)) {
        usleep(LONG_SLEEP_US);
    }
    atomic_store(&c->is_finished, true);
    loop_wake_signal(wake);
    return NULL;
}
