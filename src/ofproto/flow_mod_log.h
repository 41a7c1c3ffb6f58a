/* What the log says of the flow-mods of a connection: how many were carried out, of which kind and when.  The first is
 * told of after ten seconds, together with what came in the meantime, what follows once a minute, and the rest when the
 * connection ends.  Threads: main thread. */
#ifndef OFPROTO_FLOW_MOD_LOG_H
#define OFPROTO_FLOW_MOD_LOG_H 1

#include <stdint.h>

#include "openflow/flow_mod.h"
#include "sys/loop.h"

struct ofconn;

struct flow_mod_counts {
    uint64_t n_adds, n_deletes, n_modifications;
};

void flow_mod_counts_add(struct flow_mod_counts *, enum flow_mod_command);

/* In a struct ofconn; all zeros is a valid start. */
struct flow_mod_log {
    struct flow_mod_counts counts; /* Not told of yet. */
    int64_t first, last;           /* When the first and the last of them came; ms. */
    int64_t told;                  /* When the log was written last; 0: never. */
    struct loop_timer timer;       /* For the next time. */
};

/* These were carried out for the connection. */
void flow_mod_log_add(struct ofconn *, const struct flow_mod_counts *);
void flow_mod_log_add_one(struct ofconn *, enum flow_mod_command);
void flow_mod_log_init(struct ofconn *);
/* Tells of the rest. */
void flow_mod_log_end(struct ofconn *);

#endif
