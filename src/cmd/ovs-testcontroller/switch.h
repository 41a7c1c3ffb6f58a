/* One switch under ovs-testcontroller(8): a hub, or a switch that learns MAC addresses.
 *
 * Each packet-in is learned from and sent on; unless flows are unwanted, a packet whose destination is known (in a hub:
 * every packet) leaves a flow for those like it.  From OpenFlow 1.3 on a flow of priority 0 makes the switch send what
 * no flow matches.
 *
 * Threads: main. */
#ifndef CMD_OVS_TESTCONTROLLER_SWITCH_H
#define CMD_OVS_TESTCONTROLLER_SWITCH_H 1

#include "base/strmap.h"
#include "openflow/conn.h"
#include "openflow/flow_mod.h"

struct switch_options {
    bool hub, noflow, normal, mute;
    int max_idle;           /* Seconds; 0: for ever. */
    uint32_t wildcards;     /* Fields that flows leave out, as bits of OpenFlow 1.0. */
    int64_t queue;          /* -1: none. */
    struct strmap port_queues; /* Port name -> const uint32_t *. */
    struct flow_mod *flows; /* Sent to each switch that connects. */
    size_t n_flows;
};

struct test_switch;

/* Takes care of a connection whose hello is done; the transport stays the caller's. */
struct test_switch *test_switch_create(const struct switch_options *, struct of_conn *);
void test_switch_destroy(struct test_switch *); /* Null is allowed. */
void test_switch_message(struct test_switch *, const uint8_t *data, size_t len);

#endif
