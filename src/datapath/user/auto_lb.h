/* Whether dealing out receive queues anew would help (pmd-auto-lb).
 *
 * What it is
 * ----------
 * Polling workers are looked at now and then.  Where one has more to do than a threshold says, the queues are dealt out
 * on paper (assign.h), by what they have cost in the last minute.  It helps if the loads of the cores of some NUMA node
 * would vary less than now, by so many per cent of the variance that there is.
 *
 * Threads: pure. */
#ifndef DATAPATH_USER_AUTO_LB_H
#define DATAPATH_USER_AUTO_LB_H 1

#include "datapath/user/assign.h"

enum auto_lb_verdict {
    AUTO_LB_NO_CHOICE,   /* Less than two cores that are not isolated, or none of them with two queues. */
    AUTO_LB_NOT_LOADED,  /* No core has as much to do as the threshold says. */
    AUTO_LB_NO_GAIN,     /* It would not help enough. */
    AUTO_LB_GAIN
};

struct auto_lb {
    enum assign_how how;
    bool isolates;
    unsigned int load, improvement; /* Thresholds, per cent. */
    uint64_t full;                  /* Cycles that a core had in the time that the queues' cost is of. */
};

/* The queues' 'core' is where they are now, and the cores' 'is_isolated' what they are.  '*gain': how much less the
 * loads would vary, in per cent, of the node where that is most (0 unless that has been looked at). */
enum auto_lb_verdict auto_lb_judge(const struct auto_lb *, const struct assign_queue *, size_t n_queues,
                                   const struct assign_core *, size_t n_cores, unsigned int *gain);

#endif
