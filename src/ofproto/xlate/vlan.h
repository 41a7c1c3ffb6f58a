/* Tags as the NORMAL action sees them: what a port's VLAN mode makes of a packet that comes in, and of one that goes
 * out.  Private to this directory.
 *
 * Between input and output a packet is in a VLAN of the bridge: tag[0].vid, 0 for none.  Standards: IEEE 802.1Q;
 * ovs-vswitchd.conf.db(5), Port.vlan_mode. */
#ifndef OFPROTO_XLATE_VLAN_H
#define OFPROTO_XLATE_VLAN_H 1

#include "ofproto/xlate/ctx.h"

struct vlan_tag {
    bool present;
    be16 tpid;
    uint16_t vid;
    uint8_t pcp;
};

struct vlan_stack {
    struct vlan_tag tag[2];
    bool is_shifted; /* tag[1] is the outer one that the packet came with, tag[0] that of the tunnel port. */
};

/* Whether a bitmap of 4096 bits (null: all) has the VLAN. */
static inline bool
vlan_bitmap_has(const uint64_t *bitmap, uint16_t vid)
{
    return !bitmap || bitmap[vid / 64] >> vid % 64 & 1;
}

/* Reads the packet's tags; notes the id of the outer one. */
struct vlan_stack vlan_of_packet(struct xlate_ctx *);

/* The same; the id is noted where the megaflow is installed, but traces do not show it (the reference has the id in all
 * megaflows that are installed, and does not show it for what only mirrors looked at). */
struct vlan_stack vlan_of_packet_unshown(struct xlate_ctx *);

/* Whether a bundle accepts a packet with these tags; reports why not if 'in_port' (may be null) is given. */
bool vlan_is_valid_input(struct xlate_ctx *, const struct xbundle *, const struct vlan_stack *packet,
                         const struct xport *in_port);

/* The tags inside the bridge of a packet that came in with 'packet'. */
struct vlan_stack vlan_input(const struct xbundle *, const struct vlan_stack *packet);

/* Whether the bundle is in the packet's VLAN. */
bool vlan_bundle_carries(struct xlate_ctx *, const struct xbundle *, const struct vlan_stack *inside);

/* Puts the tags with which the packet leaves through the bundle into the flow. */
void vlan_put_output(struct xlate_ctx *, const struct xbundle *, const struct vlan_stack *inside);

/* normal.c: sends a packet that came in through 'in' out through the bundle, with its tags; the flow stays as it is. */
void vlan_send_to_bundle(struct xlate_ctx *, const struct xbundle *in, const struct xbundle *,
                         const struct vlan_stack *inside, uint32_t max_len /* 0: whole */);

#endif
