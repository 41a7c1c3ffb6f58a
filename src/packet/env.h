/* DPDK's environment: started by the first userspace bridge, without configuration.
 *
 * What it is
 * ----------
 * env_start() runs rte_eal_init() so that nothing around it notices: no huge pages are needed, no shared configuration
 * files, no telemetry thread, no PCI device is touched unless the settings say so; the caller's CPU affinity is
 * restored
 * (DPDK pins it to one CPU); what DPDK logs goes to our log under the module "dpdk".  Then it makes the common pool of
 * packets.
 *
 * That takes a tenth of a second: env_start_beside() has it done while the caller goes on.
 *
 * The settings are those of Open_vSwitch.other_config; they count only before the start.  Where they ask for huge pages
 * and the system has none that is free, ordinary memory takes their place.
 *
 * Threads: env_start(), env_start_beside() and env_configure() main thread; the thread calls the thread they are about.
 * Limits: an environment cannot be stopped and started again. */
#ifndef PACKET_ENV_H
#define PACKET_ENV_H 1

#include "base/error.h"

/* Texts as in the column, null where there is none. */
struct env_settings {
    const char *extra;        /* dpdk-extra: words of DPDK's command line, which win over all others. */
    const char *lcore_mask;   /* dpdk-lcore-mask, hexadecimal. */
    const char *alloc_mem;    /* dpdk-alloc-mem, MB; if there is no... */
    const char *socket_mem;   /* ...dpdk-socket-mem, MB for each socket, separated by commas. */
    const char *socket_limit; /* dpdk-socket-limit, likewise. */
    const char *hugepage_dir; /* dpdk-hugepage-dir */
    bool probes;              /* dpdk-probe-at-init: take all devices that DPDK has drivers for, not only those that
                               * are asked for later. */
};

/* What to start with; the texts are copied.  No effect once it has been tried. */
void env_configure(const struct env_settings *);

/* The command line that it would be started with, words separated by spaces; to be released with free(). */
char *env_command_line(bool has_huge_pages) MUST_CHECK;

/* Starts the environment if it has not been, or waits for who does; the second call returns what the first one did (a
 * copy of the error). */
struct error *env_start(void) MUST_CHECK;
/* Begins to start it beside the caller if nobody has begun; whether that has ended, so that env_start() says at once
 * what came of it.  The 'done' of the caller with whom it begins is called when it ends, by another thread, also if
 * this returns true. */
bool env_start_beside(void (*done)(void *aux), void *aux) MUST_CHECK;
bool env_is_started(void);
/* DPDK's version text, e.g. "DPDK 22.11.11". */
const char *env_version(void);

/* Makes this thread known to DPDK, so that it has caches of its own.  No harm if that fails or is done twice. */
void env_thread_register(void);
void env_thread_unregister(void);

#endif
