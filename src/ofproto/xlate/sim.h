/* A switch without a datapath, for tests of translation: bridges, ports and flows made from text, straight into the
 * snapshot's structures. */
#ifndef OFPROTO_XLATE_SIM_H
#define OFPROTO_XLATE_SIM_H 1

#include "ofproto/xlate/trace.h"

struct sim {
    struct xdp xdp;
    struct trace_host host; /* For the trace commands. */
    uint32_t next_odp_port;
};

/* Begin without bridges; release everything, once no reader is left. */
void sim_init(struct sim *);
void sim_uninit(struct sim *);

/* A bridge with its local port; the one of that name, null if there is none. */
struct xbridge *sim_add_bridge(struct sim *, const char *name);
struct xbridge *sim_find_bridge(struct sim *, const char *name);

/* 'settings' as in ovs-vsctl, separated by spaces: tag=10 trunks=1,2 vlan_mode=... cvlans=... protected=true
 * other-config:priority-tags=... other-config:qinq-ethtype=802.1q.  Null: a trunk. */
struct xport *sim_add_port(struct sim *, struct xbridge *, const char *name, uint32_t number, const char *settings);
void sim_connect(struct xport *a, struct xport *b); /* As patch ports. */

/* Adds the flow of the syntax of ovs-ofctl; the error's text (to be freed) or null. */
char *sim_add_flow(struct xbridge *, const char *text);
/* The same without going through a version's wire form. */
char *sim_add_flow_directly(struct xbridge *, const char *text);
/* Adds the group of the syntax of ovs-ofctl, or puts it in the place of the one with that number. */
char *sim_add_group(struct xbridge *, const char *text);
/* The rule that was added last. */
extern struct rule *sim_newest;
/* Takes the rule out and releases it. */
void sim_delete_flow(struct xbridge *, struct rule *);
void sim_remove_local(struct xbridge *); /* The local port. */
void sim_delete_flows(struct xbridge *);

/* Carries out one line of a case file: "bridge NAME", "port BRIDGE NAME NUMBER [SETTINGS]", "patch BRIDGE NAME NUMBER
 * BRIDGE NAME NUMBER", "flow BRIDGE TEXT", "flow13 BRIDGE TEXT" (in OpenFlow 1.3 or
 * later), "group BRIDGE TEXT", "meter BRIDGE NUMBER",
 * "samples BRIDGE", "fdb BRIDGE PORT VLAN MAC", "mod-port BRIDGE PORT WORD".  False if it is none of these or fails. */
bool sim_run_line(struct sim *, const char *line);

#endif
