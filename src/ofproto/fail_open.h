/* What a bridge with controllers does when it has lost them all (ovs-vswitchd.conf.db(5), Bridge.fail_mode).
 *
 * In mode "standalone" a hidden rule of a priority that no controller can give makes the bridge a learning switch, once
 * no controller was connected for three times the inactivity probe's interval; it goes when one is connected again.
 * In mode "secure" nothing happens.
 *
 * Threads: main. */
#ifndef OFPROTO_FAIL_OPEN_H
#define OFPROTO_FAIL_OPEN_H 1

#include "ofproto/ofproto_private.h"

enum { FAIL_OPEN_PRIORITY = 0xf0f0f0 };

/* Once a second, and after a change of controllers or mode. */
void fail_open_run(struct ofproto *);

/* A controller is connected, or the bridge goes: takes the rule out. */
void fail_open_end(struct ofproto *);

#endif
