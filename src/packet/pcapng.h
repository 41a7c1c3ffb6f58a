/* Blocks of capture files of the "PCAP Now Generic" format (IETF, draft-ietf-opsawg-pcapng): what Wireshark reads.
 *
 * A file is a section header, the description of each interface, packets, and at the end statistics of each interface.
 * Numbers are in the byte order of this machine, which the section header tells.  Times are nanoseconds since 1970.
 *
 * Each function appends one whole block.
 * Threads: pure functions. */
#ifndef PACKET_PCAPNG_H
#define PACKET_PCAPNG_H 1

#include "base/addr.h"
#include "base/bytes.h"

enum pcapng_type { PCAPNG_SECTION = 0x0a0d0d0a, PCAPNG_INTERFACE = 1, PCAPNG_STATISTICS = 5, PCAPNG_PACKET = 6 };

/* Bytes of a statistics block. */
enum { PCAPNG_STATISTICS_SIZE = 88 };

struct pcapng_interface {
    const char *name, *description;
    struct eth_addr mac; /* All zeros: not known. */
    uint32_t snaplen;    /* The most that is there of a frame; 0: all. */
};

struct pcapng_packet {
    uint64_t ns;
    const void *frame;
    uint32_t captured, length; /* Bytes at 'frame', and of the frame as it was. */
    bool is_out;               /* Sent, not received. */
    uint64_t id;
    uint32_t queue;            /* Of the interface. */
    uint64_t n_dropped;        /* Packets that are missing in front of it. */
    const char *comment;       /* Null: none. */
};

struct pcapng_statistics {
    uint64_t started_ns, ended_ns;
    uint64_t n_seen, n_dropped, n_written; /* Packets: all; of those, missing for want of room; in the file. */
};

/* 'os', 'program': texts about the machine and the program that writes the file. */
void pcapng_put_section(struct bytes *, const char *os, const char *program);
/* An Ethernet interface; the first has number 0. */
void pcapng_put_interface(struct bytes *, const struct pcapng_interface *);
void pcapng_put_packet(struct bytes *, uint32_t interface, const struct pcapng_packet *);
void pcapng_put_statistics(struct bytes *, uint32_t interface, const struct pcapng_statistics *);

/* The whole blocks among the first 'n' bytes at 'blocks', which begin with one. */
struct pcapng_blocks {
    size_t size;        /* All of them together. */
    size_t last_size;   /* Of the last one, if that is a packet; else 0. */
    uint64_t n_packets; /* Those that are packets. */
};
struct pcapng_blocks pcapng_whole_blocks(const void *blocks, size_t n);

#endif
