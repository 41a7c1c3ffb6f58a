/* In-band control: rules that keep the way to controllers and managers open (ovs-vswitchd.conf.db(5), Controller
 * connection_mode).
 *
 * What travels over the bridge itself must pass whatever the flow tables say: DHCP and ARP of the local port, ARP of
 * the next hop to each remote and about each remote, TCP with each remote.  That is what rules of table 0 say NORMAL
 * for, with priorities that no controller can give, so that controllers neither see nor change them.
 *
 * What the rules should be is computed from the remotes, the local port's address and the neighbours of the kernel, and
 * compared with what is there; only a difference changes the tables.  Once a second, since neighbours come and go.
 *
 * Limits: IPv4.
 * Threads: main. */
#ifndef OFPROTO_IN_BAND_H
#define OFPROTO_IN_BAND_H 1

#include "ofproto/ofproto_private.h"

enum { IN_BAND_PRIORITY = 180000 };

/* Forgets all remotes; the rules will say "set_queue" too unless 'queue' is negative. */
void in_band_begin(struct ofproto *, int queue);
/* Adds the remote that 'target' ("tcp:IP[:PORT]" or "ssl:...") stands for; others are none. */
void in_band_add(struct ofproto *, const char *target, uint16_t default_port);

/* Brings the rules up to date. */
void in_band_run(struct ofproto *);

/* The bridge goes. */
void in_band_uninit(struct ofproto *);

#endif
