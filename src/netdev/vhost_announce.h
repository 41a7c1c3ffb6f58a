/* What a switch says for a virtual machine that has moved here and does not say it by itself: a frame that seems to
 * come from it, so that others learn where it is now (vhost-user, VHOST_USER_SEND_RARP).
 *
 * DPDK's vhost library makes the frame where it takes frames out of the machine's queues; where we do that, it is ours
 * to make.
 *
 * Threads: one notes, one takes. */
#ifndef NETDEV_VHOST_ANNOUNCE_H
#define NETDEV_VHOST_ANNOUNCE_H 1

#include <stdatomic.h>
#include <stdint.h>

#include "base/util.h"

struct packet;

struct vhost_announce {
    _Atomic uint64_t mac; /* As in the message, and a bit beyond it; 0: nothing is to be said. */
};

/* The library's thread, of each message of the machine's monitor (the library's form of it begins like the one on the
 * wire): notes what it asks for, if that is it. */
void vhost_announce_note(struct vhost_announce *, const void *message);

/* Another machine comes. */
static inline void
vhost_announce_forget(struct vhost_announce *a)
{
    atomic_store(&a->mac, 0);
}

static ALWAYS_INLINE bool
vhost_announce_is_wanted(const struct vhost_announce *a)
{
    return atomic_load_explicit(&a->mac, memory_order_relaxed);
}

/* The frame, the caller's; null if none is wanted any more, or there is no packet (the monitor asks several times). */
struct packet *vhost_announce_take(struct vhost_announce *);

#endif
