/* What the files of the dpctl commands share.
 *
 * What it is: commands that look at datapaths below OpenFlow, and change them by hand.  Each row of odp/dpctl.def has
 * its function here; dpctl.c takes options and numbers of arguments off first.
 *
 *   dpctl.c       the table of commands, options, which datapath is meant
 *   dpctl_dp.c    datapaths and ports: those of the switch, and those that were made by hand
 *   dpctl_flow.c  megaflows
 *   dpctl_normalize.c   actions told apart by the tags and labels that the packet has by then
 *   dpctl_ct.c, dpctl_ct_set.c   connection tracking: what is seen, what is changed (in slices: ct_job.h)
 *
 * A datapath that the switch uses is its own: its ports are changed through the database alone, and a command that
 * would do it fails.
 *
 * Threads: main thread.
 * Standards: ovs-dpctl(8), ovs-vswitchd(8). */
#ifndef OFPROTO_DPCTL_H
#define OFPROTO_DPCTL_H 1

#include "base/str.h"
#include "ctl/ctl.h"
#include "ctl/job.h"
#include "odp/text.h"
#include "ofproto/ofproto_private.h"

/* Ports by name: with "-m", always, never. */
enum dpctl_names { DPCTL_NAMES_IF_MORE, DPCTL_NAMES, DPCTL_NO_NAMES };

/* One command's arguments after its options. */
struct dpctl {
    int argc;
    const char **argv;      /* argv[0] is the first argument, the command's name left out. */
    bool more, statistics, may_create, clear;
    enum dpctl_names names;
    struct datapath *dp;    /* Once dpctl_find_dp() has found it... */
    const char *type;       /* ...and the type that it serves. */
    struct str out;         /* The answer... */
    bool failed;            /* ...which is an error. */
    bool goes_on;           /* The command answers later, by dpctl_end(); without argv, which is gone by then. */
    struct ctl_job *job;    /* It is answered by this, which has taken it over, likewise. */
    struct ctl_request *request;
};

typedef void dpctl_run(struct dpctl *);

/* A datapath under its name: borrowed. */
struct dpctl_dp {
    const char *type, *name;
    struct datapath *dp;
    struct hand_dp *hand;   /* Null: the switch's. */
};

/* Names of a datapath's ports. */
struct dp_names {
    struct odp_names names;
    struct datapath *dp;
    const char *find_name;
    odp_port found;
};
struct dp_names dp_names_of(struct datapath *);

/* Appends "ovs-vswitchd: TEXT (why)" to the answer and makes it an error.  'error' is negative; 0: TEXT alone. */
void dpctl_fail(struct dpctl *, int error, const char *format, ...) PRINTF_FORMAT(3, 4);

/* Answers and releases it: for a command that went on; releases it: for a job. */
void dpctl_end(struct dpctl *);
void dpctl_free(struct dpctl *);

/* Whether ports go by name. */
static inline bool
dpctl_shows_names(const struct dpctl *d)
{
    return d->names == DPCTL_NAMES || (d->names == DPCTL_NAMES_IF_MORE && d->more);
}

/* Finds the datapath: the first argument if there are more than 'n' of them (and takes it off), else the only one.
 * False, with the error said, if there is none. */
bool dpctl_find_dp(struct dpctl *, int n);

/* All datapaths in order of type and name, to be released with free(); and the one called "[TYPE@]NAME". */
struct dpctl_dp *dpctl_dps(size_t *n);
bool dpctl_dp_by_name(const char *name, struct dpctl_dp *);

/* The type of a port's device as people know it: an internal port of type "netdev" is a "tap". */
const char *dpctl_port_type(const char *dp_type, const struct netdev *);

/* The megaflows of one bridge; as a command's function. */
void dpctl_dump_bridge(struct dpctl *, const struct ofproto *);

/* The datapaths of a type that were made by hand make room for the switch's own; null: all of them. */
void dpctl_forget_dps(const char *type);

/* The commands. */
dpctl_run dpctl_run_add_dp, dpctl_run_del_dp, dpctl_run_add_if, dpctl_run_del_if, dpctl_run_set_if,
    dpctl_run_dump_dps, dpctl_run_show, dpctl_run_dump_flows, dpctl_run_add_flow, dpctl_run_mod_flow,
    dpctl_run_get_flow, dpctl_run_del_flow, dpctl_run_add_flows, dpctl_run_mod_flows, dpctl_run_del_flows,
    dpctl_run_offload_stats, dpctl_run_cache_get, dpctl_run_cache_set,
    dpctl_run_list_commands, dpctl_run_parse_actions;

/* dpctl_normalize.c */
dpctl_run dpctl_run_normalize_actions;

/* dpctl_ct.c, dpctl_ct_set.c */
/* As dpctl_find_dp(): its tracker, null with the error said. */
struct conntrack *dpctl_find_ct(struct dpctl *, int n);
dpctl_run dpctl_run_dump_conntrack, dpctl_run_dump_conntrack_exp, dpctl_run_flush_conntrack,
    dpctl_run_ct_stats_show, dpctl_run_ct_bkts, dpctl_run_ct_set_maxconns, dpctl_run_ct_get_maxconns,
    dpctl_run_ct_get_nconns, dpctl_run_ct_enable_tcp_seq_chk, dpctl_run_ct_disable_tcp_seq_chk,
    dpctl_run_ct_get_tcp_seq_chk, dpctl_run_ct_set_limits, dpctl_run_ct_del_limits, dpctl_run_ct_get_limits,
    dpctl_run_ct_get_sweep_interval, dpctl_run_ct_set_sweep_interval, dpctl_run_ipf_set_enabled,
    dpctl_run_ipf_set_disabled, dpctl_run_ipf_set_min_frag, dpctl_run_ipf_set_max_nfrags,
    dpctl_run_ipf_get_status;

#endif
