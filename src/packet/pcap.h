/* Capture files in the classic libpcap format (Ethernet, microseconds).
 *
 * Threads: a file belongs to one thread at a time.
 * Errors: negative errno values. */
#ifndef PACKET_PCAP_H
#define PACKET_PCAP_H 1

#include "base/bytes.h"

struct pcap_file;

/* Opens 'path' for reading (mode "r"), writing from the start ("w") or at the end ("a"). */
int pcap_open(const char *path, const char *mode, struct pcap_file **) MUST_CHECK;
void pcap_close(struct pcap_file *); /* Null is allowed. */

/* Appends a frame and hands it to the system at once. */
int pcap_write(struct pcap_file *, const void *frame, size_t n);

/* Reads the next frame into 'frame' (cleared first).  1, 0 at the end of the file, -EPROTO if it is malformed. */
int pcap_read(struct pcap_file *, struct bytes *frame);
/* The same; '*when_us': when it was captured, in microseconds since 1970. */
int pcap_read_at(struct pcap_file *, struct bytes *frame, int64_t *when_us);

#endif
