/* Translation in tests, with runs and without them: what comes out must be the same. */
#ifndef OFPROTO_XLATE_RUN_SIM_H
#define OFPROTO_XLATE_RUN_SIM_H 1

#include "ofproto/xlate/run.h"

/* xlate() with the memory 'runs', checked against one without; 'in' names none.  Ends the program where they differ.
 * Whether the masks, and what was consulted, are the same too: a run's are those of the packet that made it, which tell
 * as much but may be others (run.h); that they are right is for the caller to show. */
bool sim_xlate(const struct xlate_in *in, struct xlate_runs *runs, struct xlate_out *out);

#endif
