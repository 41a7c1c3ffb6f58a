/* What a bridge does without controllers (ovs-vswitchd.conf.db(5), Bridge.fail_mode).
 *
 * One that has none configured is a learning switch in mode "standalone", by a rule of priority 0 that is seen like
 * others.  When the mode changes, or the first controller comes or the last one goes, all flows, groups and meters go,
 * and that rule comes, as one change over as many turns of the main loop as it takes (change_request.h).
 *
 * One that has controllers and has lost them all:
 * In mode "standalone" a hidden rule of a priority that no controller can give makes the bridge a learning switch, once
 * no controller was connected for three times the inactivity probe's interval; it goes when one is connected again.
 * In mode "secure" nothing happens.
 *
 * Threads: main. */
#ifndef OFPROTO_FAIL_OPEN_H
#define OFPROTO_FAIL_OPEN_H 1

#include "ofproto/ofproto_private.h"

enum { FAIL_OPEN_PRIORITY = 0xf0f0f0 };

/* The mode and the controllers are as configured: what held for others goes, and the rule is put in. */
void fail_mode_apply(struct ofproto *);

/* Once a second, and after a change of controllers or mode. */
void fail_open_run(struct ofproto *);

/* A controller is connected, or the bridge goes: takes the rule out. */
void fail_open_end(struct ofproto *);

#endif
