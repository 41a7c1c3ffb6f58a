/* A port's VLAN behaviour, from the columns vlan_mode, tag and trunks of its row.
 *
 * Without a mode, a port with a tag is an access port, another one is a trunk (ovs-vswitchd.conf.db(5), Port,
 * vlan_mode).
 *
 * Threads: pure. */
#ifndef VSWITCHD_VLAN_H
#define VSWITCHD_VLAN_H 1

#include "base/util.h"

#define VLAN_BITMAP_WORDS (4096 / 64)

struct vlan_cfg {
    int mode;          /* enum xvlan_mode of the bridge. */
    int vlan;          /* Access, native or tunnel VLAN; -1: none. */
    const uint64_t *trunks;  /* null: all VLANs; else 'bitmap'. */
    const uint64_t *cvlans;
    uint64_t trunk_bits[VLAN_BITMAP_WORDS], cvlan_bits[VLAN_BITMAP_WORDS];
};

/* Fills '*cfg'.  'mode' null: none given; 'tag' -1: none; 'n_trunks' 0: all VLANs. */
void vlan_cfg_init(struct vlan_cfg *cfg, const char *mode, int64_t tag, const int64_t *trunks, size_t n_trunks,
                   const int64_t *cvlans, size_t n_cvlans);

/* Sets the bits of those of 'n' VLANs that are in range. */
void vlan_bitmap_set(uint64_t bits[VLAN_BITMAP_WORDS], const int64_t *vlans, size_t n);

#endif
