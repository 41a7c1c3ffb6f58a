/* Whether a stale megaflow is worth a translation (ovs-vswitchd.conf.db(5), min-revalidate-pps).
 *
 * Where sweeps take more than half of max-revalidator, a stale megaflow that carries little goes instead: its next
 * packet, if there is one, makes it anew.  One that a device carries out alone is kept while it is younger than
 * offloaded-stats-delay, since what the device has carried is known a while later only.
 *
 * Pure: no clock, no datapath.  Threads: any. */
#ifndef OFPROTO_WORTH_H
#define OFPROTO_WORTH_H 1

#include "base/util.h"

/* How long sweeps may take, and what counts then; Open_vSwitch.other_config of like names. */
struct worth_settings {
    unsigned int max_revalidator_ms;
    unsigned int min_revalidate_pps;       /* 0: all are worth it. */
    unsigned int offloaded_stats_delay_ms;
};

/* A stale megaflow as a sweep meets it.  Times are ms on clock_now_ms(). */
struct worth {
    int64_t now, before;  /* When this sweep began, and the last one. */
    int64_t took_ms;      /* The last one. */
    int64_t created;      /* May be after 'now'. */
    uint64_t n_packets;   /* Since the last sweep. */
    bool is_offloaded;    /* A device carries it out alone. */
};

bool worth_renewing(const struct worth *, const struct worth_settings *);

#endif
