/* The commit of a bundle (of_bundle.h): its messages, carried out in one change of the tables, or not at all.
 *
 * Threads: main thread.
 * Standards: OpenFlow 1.5 §6.9.3. */
#ifndef OFPROTO_OF_BUNDLE_COMMIT_H
#define OFPROTO_OF_BUNDLE_COMMIT_H 1

#include "ofproto/ofconn.h"
#include "ofproto/prepared.h"

/* Carries out 'messages', bundle-adds one after the other, of which 'prepared' has what is known already; takes both.
 * 'm' asks for it.  An error goes back for the caller to send; what else there is to say is in 'out'.  If it takes
 * longer the connection is told when it is done (change_request.h), and 'out' stays as it is. */
enum ofperr of_bundle_commit(struct ofconn *, bool is_atomic, struct bytes messages, struct prepared_flows prepared,
                             const struct msg *m, struct bytes *out);

#endif
