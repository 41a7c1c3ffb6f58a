/* Software segmentation and checksums, for ports that cannot take a frame with offloads. */
#ifndef DATAPATH_USER_SEGMENT_H
#define DATAPATH_USER_SEGMENT_H 1

#include "datapath/user/worker.h"

/* Sends 'n' packets (taken over) through 'port', each first cut into segments and its checksums completed. */
void segment_and_send(struct worker *, const struct port *port, struct packet **packets, unsigned int n);

/* What a frame may be cut into at most. */
enum { MAX_SEGMENTS = 1024 };

/* Makes the segments of 'p' (kept) into 'out', at most 'max'; the number, 0 if the frame is malformed, -ENOMEM. */
int segment_packet(const struct packet *p, struct packet **out, unsigned int max);

#endif
