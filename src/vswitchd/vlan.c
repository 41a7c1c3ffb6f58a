#include "vswitchd/vlan.h"

#include <string.h>

#include "ofproto/xbridge.h"

static const char *const modes[] = {
    [XVLAN_TRUNK] = "trunk",
    [XVLAN_ACCESS] = "access",
    [XVLAN_NATIVE_TAGGED] = "native-tagged",
    [XVLAN_NATIVE_UNTAGGED] = "native-untagged",
    [XVLAN_DOT1Q_TUNNEL] = "dot1q-tunnel",
};

void
vlan_bitmap_set(uint64_t bits[VLAN_BITMAP_WORDS], const int64_t *vlans, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (vlans[i] >= 0 && vlans[i] < 4096) {
            bits[vlans[i] / 64] |= UINT64_C(1) << vlans[i] % 64;
        }
    }
}

static int
mode_from_text(const char *mode, int64_t tag)
{
    for (size_t i = 0; mode && i < ARRAY_SIZE(modes); i++) {
        if (!strcmp(mode, modes[i])) {
            return i;
        }
    }
    return tag >= 0 ? XVLAN_ACCESS : XVLAN_TRUNK;
}

void
vlan_cfg_init(struct vlan_cfg *cfg, const char *mode, int64_t tag, const int64_t *trunks, size_t n_trunks,
              const int64_t *cvlans, size_t n_cvlans)
{
    *cfg = (struct vlan_cfg) { .mode = mode_from_text(mode, tag), .vlan = -1 };
    if (cfg->mode != XVLAN_TRUNK) {
        cfg->vlan = tag >= 0 && tag < 4096 ? tag : 0;
    }
    if (n_trunks && (cfg->mode == XVLAN_TRUNK || cfg->mode == XVLAN_NATIVE_TAGGED
                     || cfg->mode == XVLAN_NATIVE_UNTAGGED)) {
        vlan_bitmap_set(cfg->trunk_bits, trunks, n_trunks);
        if (cfg->vlan > 0) { /* The native VLAN is always carried, but for VLAN 0. */
            vlan_bitmap_set(cfg->trunk_bits, (int64_t[]) { cfg->vlan }, 1);
        }
        cfg->trunks = cfg->trunk_bits;
    }
    if (n_cvlans && cfg->mode == XVLAN_DOT1Q_TUNNEL) {
        vlan_bitmap_set(cfg->cvlan_bits, cvlans, n_cvlans);
        cfg->cvlans = cfg->cvlan_bits;
    }
}
