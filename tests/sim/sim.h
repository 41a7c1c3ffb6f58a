/* A switch in one process: bridges on the dummy datapath, dummy ports, a virtual clock; frames go in as text and what
 * comes out is collected as text.  No database, no threads but the revalidator's. */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H 1

#include "ofproto/ofproto_private.h"
#include "openflow/flow_mod.h"

struct sim {
    struct loop *loop;
    struct ofproto *bridge;
    struct str out;       /* "p2 vlan=10 ...": a line for each frame sent, in order. */
    char *dir;            /* Run directory, removed at the end. */
};

void sim_start(struct sim *);
void sim_stop(struct sim *);

/* Adds a dummy port to the bridge; its OpenFlow number is the order of adding, from 1.  'vlan' -1: a trunk. */
void sim_add_port(struct sim *, const char *name, int vlan);

/* Adds (or, with another command word, changes) a flow in the syntax of ovs-ofctl. */
void sim_flow(struct sim *, enum flow_mod_command, const char *flow);

/* Sends a frame into 'port': a flow in the syntax of ovs-ofctl, of which a packet is made, and waits until megaflows
 * agree
 * with what the packet has changed.  Returns what came out: names of ports with the tag, if any ("p2 p3", "p2:10"),
 * "-" for nothing; valid until the next call. */
const char *sim_send(struct sim *, const char *port, const char *flow);

/* Packets that the only flow matching the text has counted, statistics being pushed first. */
uint64_t sim_flow_packets(struct sim *, const char *flow);

/* Moves the clock and runs what is due. */
void sim_warp(struct sim *, int64_t ms);

#endif
