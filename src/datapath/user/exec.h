/* Carrying out compiled actions on one packet. */
#ifndef DATAPATH_USER_EXEC_H
#define DATAPATH_USER_EXEC_H 1

#include "datapath/user/op.h"
#include "datapath/user/worker.h"

/* A packet and what is known of it while actions run.  'key' and 'lines' give the metadata; the headers in them may be
 * out of date after the packet was changed. */
struct exec {
    struct packet *packet;       /* Null once given away. */
    struct flow *key;
    uint16_t *lines;
    struct flow_offsets offsets;
    uint32_t cut;                /* "trunc" for the next output; UINT32_MAX: none. */
    unsigned int depth;          /* Of recirculation. */
    bool is_parsed;              /* 'key' and 'offsets' are those of the packet's present headers. */
};

/* Carries out the program and takes over the packet.  The worker flushes afterwards. */
void exec_program_rcu(struct worker *, const struct program *, struct packet *, struct flow *key, uint16_t *lines,
                      const struct flow_offsets *, unsigned int depth);

/* The same, for the packets index[0..n-1] of a burst. */
void exec_burst_rcu(struct worker *, const struct program *, struct burst *, const uint8_t *index, unsigned int n,
                    unsigned int depth);

/* Carries out the steps from 'op' on and gives the packet away. */
void exec_rest_rcu(struct worker *, struct exec *, const struct program *, const struct op *op, const struct op *end);

/* set.c: changes a header field; false if the packet does not have that header. */
bool set_field(struct packet *, const struct flow *key, const struct flow_offsets *, enum odp_key field,
               const void *value, const void *mask);

/* The hash that the "hash" action gives. */
uint32_t exec_hash(const struct flow *key, const struct odp_hash *);

/* Whole headers.  False: the packet must be dropped for 'reason'. */
bool exec_push_vlan(struct exec *, const struct odp_push_vlan *);
void exec_pop_vlan(struct exec *);
bool exec_push_mpls(struct exec *, const struct odp_push_mpls *);
void exec_pop_mpls(struct exec *, be16 ethertype);
bool exec_push_eth(struct exec *, const struct odp_push_eth *);
void exec_pop_eth(struct exec *);
bool exec_add_mpls(struct exec *, const struct odp_add_mpls *);
/* Puts the 'n' bytes of an NSH header in front; false also without memory, then x->packet is null.  Takes one away, if
 * that is what the packet begins with. */
bool exec_push_nsh(struct exec *, const void *header, size_t n);
void exec_pop_nsh(struct exec *);

#endif
