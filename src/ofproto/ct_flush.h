/* Flushing tracked connections: from what a message or a command says to what the tracker does. */
#ifndef OFPROTO_CT_FLUSH_H
#define OFPROTO_CT_FLUSH_H 1

#include "base/util.h"

struct conntrack;
struct ct_flush;

/* Removes the connections that fit, as a job (ct_job.h): calls 'done' at the end, also from here, with how many they
 * were. */
void ct_flush_start(struct conntrack *, const struct ct_flush *, void (*done)(void *aux, size_t n_removed), void *aux);

/* Whether it names one connection by all of its original tuple: then there not being one is an error. */
bool ct_flush_is_full(const struct ct_flush *);

#endif
