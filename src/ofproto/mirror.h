/* Mirrors: copies of a bridge's packets to a port (SPAN) or a VLAN (RSPAN).
 *
 * What it is
 * ----------
 * The configuration of a bridge's mirrors becomes one immutable 'struct xmirrors', which translation reads
 * (ofproto/xlate/mirror.c).  For each bundle that some mirror selects it says which mirrors do, as bits, so that a
 * packet costs one search a port it passes, and nothing in a bridge without mirrors.
 *
 * How it works
 * ------------
 * A packet is looked at when it enters the bridge, as it is then, and at each output to a port of the datapath, as it
 * is there.  Once copied to a destination, all mirrors to the same destination have had it.  Patch ports are, as in
 * the original, seen where packets are made up there (packet-out, trace), not on the way from bridge to bridge.
 *
 * Dependencies: a translation that looked for the mirrors of a bundle says so (CONSULTED_BUNDLE); a change of a mirror
 * concerns what looked at the bundles that it selected or selects now.  The first mirror of a bridge, and a port that
 * becomes reserved for mirroring or free again, concern everything softly: nobody had to ask about them.
 *
 * Counters belong to a mirror as long as it is configured, whatever changes of it; megaflows hold references.
 *
 * Threads: the main thread configures; translation reads in an RCU read section; credits come from any thread.
 * Documented in ovs-vswitchd.conf.db(5), table Mirror.
 * Limits: 32 mirrors a bridge. */
#ifndef OFPROTO_MIRROR_H
#define OFPROTO_MIRROR_H 1

#include "flow/match.h"
#include "ofproto/xbridge.h"

enum { MIRRORS_MAX = 32 };

struct ofproto;

/* What a mirror has sent. */
struct mirror_count {
    _Atomic uint32_t n_refs;
    _Atomic uint64_t n_packets, n_bytes;
};

/* Adds a reference (false if it is dying; RCU readers may try), drops one. */
bool mirror_count_try_ref_rcu(struct mirror_count *);
void mirror_count_unref(struct mirror_count *);

struct xmirror {
    struct mirror_count *count; /* Null: the number is free.  Not referenced: it outlives the snapshot. */
    const void *output;         /* Key of the bundle; null: to a VLAN. */
    uint16_t output_vlan;
    uint32_t snaplen;           /* 0: whole packets. */
    uint32_t same_output;       /* All mirrors with this destination, itself too. */
    uint64_t *vlans;            /* Bitmap of 4096 bits; null: all. */
    struct match *filter;       /* Null: every packet. */
};

struct xmirror_bundle {
    const void *key;
    uint32_t src, dst;          /* The mirrors that select what comes in, what goes out. */
};

/* Immutable.  Mirror number i is bit i wherever there are bits; it keeps its number as long as it is configured, since
 * packets carry such bits through recirculation. */
struct xmirrors {
    size_t n;                   /* Numbers in use are below this; some may be free. */
    struct xmirror mirrors[MIRRORS_MAX];
    uint32_t all;               /* Those that select every bundle. */
    size_t n_bundles;
    struct xmirror_bundle *bundles; /* Sorted by key. */
};

/* What the bundle is selected for, in an RCU read section. */
static inline uint32_t
xmirrors_find(const struct xmirrors *m, const void *key, bool is_input)
{
    size_t low = 0, high = m->n_bundles;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (m->bundles[middle].key == key) {
            return m->all | (is_input ? m->bundles[middle].src : m->bundles[middle].dst);
        } else if ((uintptr_t) m->bundles[middle].key < (uintptr_t) key) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return m->all;
}

/* Whether the bundle is some mirror's output port, which takes part in nothing else. */
static inline bool
xmirrors_reserve(const struct xmirrors *m, const void *key)
{
    for (size_t i = 0; key && m && i < m->n; i++) {
        if (m->mirrors[i].output == key) {
            return true;
        }
    }
    return false;
}

/* Main thread: whether a mirror to elsewhere selects the bundle. */
bool mirrors_select(const struct ofproto *, const void *key);

/* Main thread: an end to all mirrors of the bridge. */
void mirrors_destroy(struct ofproto *);

#endif
