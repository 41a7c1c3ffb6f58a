/* OpenFlow bundles: messages that a controller collects, and that are carried out together or not at all.
 *
 * Messages are checked as they arrive, kept as they came, flow-mods also as they were understood, with the rules that
 * they add made already (prepared.h), and carried out at the commit in one change of the tables (of_bundle_commit.h),
 * over several turns of the main loop if there are many.  Packet-outs and, in bundles that are not atomic, port-mods
 * take part: they are checked with the rest and done once the change is made.
 *
 * Limits: number of bundles and bytes of messages per connection; where what was made of them would not fit as well, it
 * is given up and made at the commit.  A bundle that nothing is done with for a while is dropped with OFPBFC_TIMEOUT.
 *
 * Threads: main thread.
 * Standards: OpenFlow 1.5 §6.9; ONF extension 230. */
#ifndef OFPROTO_OF_BUNDLE_H
#define OFPROTO_OF_BUNDLE_H 1

#include "ofproto/ofconn.h"

/* The connection ends. */
void of_bundles_destroy(struct ofconn *);
/* Drops bundles that have been idle for too long; appends the errors that say so. */
void of_bundles_expire(struct ofconn *, int64_t now, struct bytes *out);

#endif
