/* A queue of a Linux device through an AF_XDP socket (the kernel's Documentation/networking/af_xdp.rst): four rings and
 * an area of frames that are shared with the kernel.
 *
 * What it is
 * ----------
 * Half of the area's frames are the kernel's to receive into, the other half ours to send from.  A frame that comes is
 * copied into a packet, one that goes out of it: the area stays this queue's alone, so that nothing in it is shared
 * between threads but the sending half, which has a lock.
 *
 * Busy polling (the kernel's Documentation/networking/napi.rst): where it is asked for, a look at an empty ring first
 * runs the device's own polling, on the thread that looks.  Then frames come without an interrupt while there are any.
 *
 * Threads: one receives; any may send; made and freed while none does either. */
#ifndef NETDEV_XDP_QUEUE_H
#define NETDEV_XDP_QUEUE_H 1

#include <stdatomic.h>

#include "base/error.h"
#include "packet/packet.h"

struct xdp_queue;

/* Frames of up to this many bytes pass. */
enum { XDP_QUEUE_MAX_FRAME = 3840, XDP_QUEUE_BURST = 32 };

/* Opens queue 'queue' of the device, which must be up.  'zero_copy': without a copy in the kernel, which the device
 * must be able to do.  'busy_us': for how many microseconds the device is polled when there is nothing; 0: not at all.
 * Null with errno set. */
struct xdp_queue *xdp_queue_open(const char *device, unsigned int queue, bool zero_copy, unsigned int busy_us);
void xdp_queue_close(struct xdp_queue *); /* Null is allowed. */

/* The socket: readable while there are frames. */
int xdp_queue_fd(const struct xdp_queue *);

/* Receives up to 'max' packets; '*dropped' grows by those for which there was no memory. */
unsigned int xdp_queue_recv(struct xdp_queue *, struct packet **, unsigned int max, _Atomic uint64_t *dropped);

/* Copies packets out, which stay the caller's; how many found room. */
unsigned int xdp_queue_send(struct xdp_queue *, struct packet *const *, unsigned int n);

#endif
