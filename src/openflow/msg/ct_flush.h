/* Flushing tracked connections (NXT_CT_FLUSH, NXT_CT_FLUSH_ZONE).  See ovs-ofctl(8), "ct-flush". */
#ifndef OPENFLOW_MSG_CT_FLUSH_H
#define OPENFLOW_MSG_CT_FLUSH_H 1

#include "base/addr.h"
#include "base/error.h"
#include "openflow/msg.h"

/* What is not given is zero. */
struct ct_flush_tuple {
    struct ipv6_addr src, dst; /* IPv4 as ::ffff:a.b.c.d. */
    uint16_t src_port, dst_port, icmp_id;
    uint8_t icmp_type, icmp_code;
};

struct ct_flush {
    uint8_t ip_proto; /* 0: any. */
    bool has_zone;
    uint16_t zone;
    uint32_t mark, mark_mask;
    uint8_t labels[16], labels_mask[16];
    struct ct_flush_tuple orig, reply;
};

enum ofperr ct_flush_decode(const struct msg *, struct ct_flush *) MUST_CHECK;
void ct_flush_encode(struct bytes *, enum of_version, uint32_t xid, const struct ct_flush *);

enum ofperr ct_flush_zone_decode(const struct msg *, uint16_t *zone) MUST_CHECK;
void ct_flush_zone_encode(struct bytes *, enum of_version, uint32_t xid, uint16_t zone);

/* What an error is about: the tools word that differently. */
enum ct_flush_part { CT_FLUSH_ZONE, CT_FLUSH_MARKS, CT_FLUSH_TUPLE };

/* Reads [zone=N] [mark=X[/M]] [labels=Y[/N]] [ORIG-TUPLE [REPLY-TUPLE]].  On error '*where' says in which part. */
struct error *ct_flush_parse(int argc, const char *const *argv, struct ct_flush *, enum ct_flush_part *where)
    MUST_CHECK;

/* Appends "zone=5 'ct_nw_src=...' 'ct_nw_src=...'". */
void ct_flush_put(struct str *, const struct ct_flush *);

#endif
