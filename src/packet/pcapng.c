#include "packet/pcapng.h"

#include <string.h>

enum { BYTE_ORDER_MAGIC = 0x1a2b3c4d, LINKTYPE_ETHERNET = 1 };

/* Numbers of options: of any block (§3.5), of a section (§4.1), an interface (§4.2), a packet (§4.3), and of statistics
 * (§4.6). */
enum { OPT_END = 0, OPT_COMMENT = 1 };
enum { SHB_OS = 3, SHB_USERAPPL = 4 };
enum { IF_NAME = 2, IF_DESCRIPTION = 3, IF_MACADDR = 6, IF_TSRESOL = 9 };
enum { EPB_FLAGS = 2, EPB_DROPCOUNT = 4, EPB_PACKETID = 5, EPB_QUEUE = 6 };
enum { ISB_STARTTIME = 2, ISB_ENDTIME = 3, ISB_IFRECV = 4, ISB_IFDROP = 5, ISB_USRDELIV = 8 };

enum { FLAG_INBOUND = 1, FLAG_OUTBOUND = 2 };

static void
put16(struct bytes *b, uint16_t x)
{
    bytes_put(b, &x, sizeof x);
}

static void
put32(struct bytes *b, uint32_t x)
{
    bytes_put(b, &x, sizeof x);
}

/* Times have the upper half first, whatever the byte order (§4.3). */
static void
put_time(struct bytes *b, uint64_t ns)
{
    put32(b, ns >> 32);
    put32(b, ns);
}

/* Blocks: type, length, body, and the length again (§3.1). */
static size_t
begin_block(struct bytes *b, uint32_t type)
{
    size_t start = b->len;

    put32(b, type);
    put32(b, 0);
    return start;
}

static void
end_block(struct bytes *b, size_t start)
{
    uint32_t n = b->len - start + sizeof n;

    put32(b, n);
    memcpy(b->data + start + sizeof(uint32_t), &n, sizeof n);
}

static void
put_option(struct bytes *b, uint16_t code, const void *value, size_t n)
{
    size_t start;

    n = MIN(n, UINT16_MAX & ~3u);
    put16(b, code);
    put16(b, n);
    start = b->len;
    bytes_put(b, value, n);
    bytes_pad_from(b, start, 4);
}

static void
put_text_option(struct bytes *b, uint16_t code, const char *text)
{
    put_option(b, code, text, strlen(text));
}

static void
put_u32_option(struct bytes *b, uint16_t code, uint32_t x)
{
    put_option(b, code, &x, sizeof x);
}

static void
put_u64_option(struct bytes *b, uint16_t code, uint64_t x)
{
    put_option(b, code, &x, sizeof x);
}

static void
put_time_option(struct bytes *b, uint16_t code, uint64_t ns)
{
    put16(b, code);
    put16(b, sizeof ns);
    put_time(b, ns);
}

static void
end_options(struct bytes *b)
{
    put16(b, OPT_END);
    put16(b, 0);
}

void
pcapng_put_section(struct bytes *b, const char *os, const char *program)
{
    static const uint64_t length_not_known = UINT64_MAX;
    size_t start = begin_block(b, PCAPNG_SECTION);

    put32(b, BYTE_ORDER_MAGIC);
    put16(b, 1);
    put16(b, 0);
    bytes_put(b, &length_not_known, sizeof length_not_known);
    put_text_option(b, SHB_OS, os);
    put_text_option(b, SHB_USERAPPL, program);
    end_options(b);
    end_block(b, start);
}

void
pcapng_put_interface(struct bytes *b, const struct pcapng_interface *f)
{
    static const uint8_t nanoseconds = 9; /* Negative powers of 10. */
    static const struct eth_addr none;
    size_t start = begin_block(b, PCAPNG_INTERFACE);

    put16(b, LINKTYPE_ETHERNET);
    put16(b, 0);
    put32(b, f->snaplen);
    put_text_option(b, IF_NAME, f->name);
    put_text_option(b, IF_DESCRIPTION, f->description);
    if (memcmp(&f->mac, &none, sizeof none)) {
        put_option(b, IF_MACADDR, &f->mac, sizeof f->mac);
    }
    put_option(b, IF_TSRESOL, &nanoseconds, sizeof nanoseconds);
    end_options(b);
    end_block(b, start);
}

void
pcapng_put_packet(struct bytes *b, uint32_t interface, const struct pcapng_packet *p)
{
    size_t start = begin_block(b, PCAPNG_PACKET), frame;

    put32(b, interface);
    put_time(b, p->ns);
    put32(b, p->captured);
    put32(b, p->length);
    frame = b->len;
    bytes_put(b, p->frame, p->captured);
    bytes_pad_from(b, frame, 4);
    if (p->comment) {
        put_text_option(b, OPT_COMMENT, p->comment);
    }
    put_u32_option(b, EPB_FLAGS, p->is_out ? FLAG_OUTBOUND : FLAG_INBOUND);
    if (p->n_dropped) {
        put_u64_option(b, EPB_DROPCOUNT, p->n_dropped);
    }
    put_u64_option(b, EPB_PACKETID, p->id);
    put_u32_option(b, EPB_QUEUE, p->queue);
    end_options(b);
    end_block(b, start);
}

void
pcapng_put_statistics(struct bytes *b, uint32_t interface, const struct pcapng_statistics *s)
{
    size_t start = begin_block(b, PCAPNG_STATISTICS);

    put32(b, interface);
    put_time(b, s->ended_ns);
    put_time_option(b, ISB_STARTTIME, s->started_ns);
    put_time_option(b, ISB_ENDTIME, s->ended_ns);
    put_u64_option(b, ISB_IFRECV, s->n_seen);
    put_u64_option(b, ISB_IFDROP, s->n_dropped);
    put_u64_option(b, ISB_USRDELIV, s->n_written);
    end_options(b);
    end_block(b, start);
}

struct pcapng_blocks
pcapng_whole_blocks(const void *blocks, size_t n)
{
    struct pcapng_blocks w = { .size = 0 };
    uint32_t head[2]; /* Type, length. */

    while (n - w.size >= sizeof head) {
        memcpy(head, (const char *) blocks + w.size, sizeof head);
        if (head[1] > n - w.size || head[1] < sizeof head) {
            break;
        }
        w.n_packets += head[0] == PCAPNG_PACKET;
        w.last_size = head[0] == PCAPNG_PACKET ? head[1] : 0;
        w.size += head[1];
    }
    return w;
}
