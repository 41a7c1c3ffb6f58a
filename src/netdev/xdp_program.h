/* The program at a Linux device that hands its frames to AF_XDP sockets: those of a queue that has one; the others go
 * on to the host.
 *
 * Threads: main thread. */
#ifndef NETDEV_XDP_PROGRAM_H
#define NETDEV_XDP_PROGRAM_H 1

#include "base/util.h"

struct xdp_program;

/* Loads it for up to 'n_queues' queues and puts it at the device, in its driver ('native') or behind it.  It goes away
 * with the process.  Null with errno set: EBUSY where another program is, EOPNOTSUPP where the driver cannot. */
struct xdp_program *xdp_program_attach(int ifindex, unsigned int n_queues, bool native) MUST_CHECK;
void xdp_program_detach(struct xdp_program *); /* Null is allowed. */

/* From now on the queue's frames are the socket's; a negative errno value. */
int xdp_program_set_socket(struct xdp_program *, unsigned int queue, int fd) MUST_CHECK;

#endif
