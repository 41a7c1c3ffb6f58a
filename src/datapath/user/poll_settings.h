/* Settings of the polling workers, from Open_vSwitch.other_config.  ovs-vswitchd.conf.db(5) says what they mean.
 *
 * Threads: main thread. */
#ifndef DATAPATH_USER_POLL_SETTINGS_H
#define DATAPATH_USER_POLL_SETTINGS_H 1

#include "base/util.h"
#include "datapath/user/assign.h"

enum { POLL_SLEEP_MAX_US = 10000 };

struct poll_settings {
    char *cpu_mask;           /* Hexadecimal; null: the default. */
    enum assign_how how;
    bool isolates;
    bool auto_lb;
    unsigned int auto_lb_minutes, auto_lb_load, auto_lb_improvement; /* Of the last two, per cent. */
    unsigned int sleep_us;    /* The longest sleep of workers that 'sleeps' does not name. */
    unsigned int tx_flush_us; /* tx-flush-interval. */
    bool measures;            /* pmd-perf-metrics. */
    size_t n_sleeps;
    struct poll_sleep { unsigned int core, us; } *sleeps;
};

void poll_settings_init(struct poll_settings *); /* The defaults. */
void poll_settings_uninit(struct poll_settings *);

/* Reads those of the 'n' keys that are the workers'; a value is null where the key is not set.  Says in the log what
 * has changed, and what is wrong.  Whether queues are to be dealt out anew. */
bool poll_settings_read(struct poll_settings *, const char *const *keys, const char *const *values, size_t n);

/* Whether the mask has the core. */
bool poll_mask_has(const char *mask, unsigned int core);

/* The longest sleep of the worker on 'core', microseconds. */
unsigned int poll_settings_sleep(const struct poll_settings *, unsigned int core);

#endif
