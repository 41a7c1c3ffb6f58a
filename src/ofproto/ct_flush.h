/* Flushing tracked connections: from what a message or a command says to what the tracker does. */
#ifndef OFPROTO_CT_FLUSH_H
#define OFPROTO_CT_FLUSH_H 1

#include "base/util.h"

struct conntrack;
struct ct_flush;

/* Removes the connections that fit; returns how many. */
size_t ct_flush_run_rcu(struct conntrack *, const struct ct_flush *);

/* Whether it names one connection by all of its original tuple: then there not being one is an error. */
bool ct_flush_is_full(const struct ct_flush *);

#endif
