/* Upcalls of a port, counted: what the datapath asked about its packets, and what it got no answer to.
 *
 * Threads: workers add, any may read. */
#ifndef OFPROTO_UPCALL_COUNTS_H
#define OFPROTO_UPCALL_COUNTS_H 1

#include <stdatomic.h>
#include <stdint.h>

/* In the order of enum dp_upcall_type. */
enum upcall_kind {
#define UPCALL_KIND(ENUM, NAME) UPCALL_##ENUM,
#include "ofproto/upcalls.def"
    UPCALL_N_KINDS
};

enum upcall_refusal {
#define UPCALL_REFUSAL(ENUM, TEXT) UPCALL_REFUSED_##ENUM,
#include "ofproto/upcalls.def"
    UPCALL_N_REFUSALS /* And: none. */
};

struct upcall_counts {
    _Atomic uint64_t asked[UPCALL_N_KINDS], refused[UPCALL_N_REFUSALS];
};

#endif
