/* Captures: copies of the packets of a port, in a file that Wireshark reads (packet/pcapng.h).
 *
 * What it is
 * ----------
 * A capture is of one port; a port may have several.  It has the packets that the device gave and those that were
 * handed to it, as they were then: those that it did not take, too.  What ends it is the command, its limits, an error
 * of the file, or the end of the port; then the file has its last block, with the number of packets that are missing.
 *
 * Checksums that are still to be computed are computed in the copy, if all of the frame is there.  A frame that is to
 * be segmented has a comment that says so.
 *
 * How it works
 * ------------
 * Whoever carries packets copies them into a ring of its own (capture_ring.h), and leaves them out where there is no
 * room.  A thread of the capture's takes them from all rings in the order of their times, and writes the file
 * (capture_file.h).  It asks the rings every few milliseconds, so that nobody needs to wake it.
 *
 * A port without a capture pays a look at a pointer that is null, once a burst.
 *
 * Threads: main thread, but for capture_burst_rcu().
 * Limits: CAPTURE_MAX at a time. */
#ifndef DATAPATH_USER_CAPTURE_H
#define DATAPATH_USER_CAPTURE_H 1

#include "base/error.h"
#include "datapath/user/port.h"

enum { CAPTURE_MAX = 32, CAPTURE_MAX_ENDED = 16 };

struct capture_options {
    uint32_t snaplen;          /* Bytes of a frame. */
    uint64_t max_packets, max_bytes /* of the file */, max_seconds; /* 0: no limit. */
    bool wants_in, wants_out;  /* What the port receives; sends. */
    bool overwrites;           /* Takes a file that exists. */
};
#define CAPTURE_OPTIONS_DEFAULT { .snaplen = UINT16_MAX, .max_bytes = UINT64_C(1) << 30, .wants_in = true, \
                                  .wants_out = true }

/* Begins a capture of the port of that name; its number. */
struct error *capture_start(const char *port, const char *path, const struct capture_options *,
                            unsigned int *id) MUST_CHECK;

/* What is to be known of one. */
struct capture_figures {
    unsigned int id;
    const char *port, *path;   /* The capture's. */
    const char *ended;         /* Why; null: it goes on. */
    const struct capture_options *options;
    bool is_waiting;           /* For somebody who reads the FIFO. */
    double seconds;
    uint64_t n_in, n_out;      /* Packets that were taken for the file... */
    uint64_t n_lost;           /* ...and are not in it, since it could not take them. */
    uint64_t n_dropped;        /* That are missing for want of room in the rings. */
    uint64_t n_bytes;          /* Of the file. */
};

/* Calls 'cb' for those that go on, and the last CAPTURE_MAX_ENDED that ended, in order of their numbers. */
void capture_for_each(void (*cb)(void *aux, const struct capture_figures *), void *aux);

/* Ends that with the number, or that port ("": any), and calls 'cb' for each when its file is complete, at last with
 * null; how many there are: nothing is called if there is none. */
typedef void capture_ended_cb(void *aux, const struct capture_figures *);
unsigned int capture_stop(unsigned int id, const char *port, capture_ended_cb *cb, void *aux);

/* The port is going: no worker is in its functions any more. */
void capture_port_gone(struct port *);

/* Copies a burst that came in by 'queue', or goes out by it, for the captures of the port, which has some.  'worker' is
 * the number of the caller's. */
void capture_burst_rcu(const struct port *, unsigned int worker, bool is_out, unsigned int queue,
                       struct packet *const *, unsigned int n);

/* Registers the control commands. */
void capture_commands_register(void);

#endif
