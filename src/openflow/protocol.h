/* The ways a controller can speak about flows: a version of OpenFlow, and in 1.0 the form of the match and whether
 * table ids travel in commands.
 *
 * Every way is one bit, so that "usable protocols" of a flow is a set: each field and action takes away those that
 * cannot express it.  Names are those of ovs-ofctl's --flow-format (ovs-ofctl(8)). */
#ifndef OPENFLOW_PROTOCOL_H
#define OPENFLOW_PROTOCOL_H 1

#include "base/str.h"
#include "openflow/version.h"

enum {
    PROTO_OF10 = 1 << 0,     /* OpenFlow10-table_id: fixed match. */
    PROTO_OF10_TID = 1 << 1, /* OpenFlow10+table_id. */
    PROTO_NXM = 1 << 2,      /* NXM-table_id: Nicira's flow messages over 1.0. */
    PROTO_NXM_TID = 1 << 3,  /* NXM+table_id. */
    PROTO_OF11 = 1 << 4,
    PROTO_OF12 = 1 << 5,
    PROTO_OF13 = 1 << 6,
    PROTO_OF14 = 1 << 7,
    PROTO_OF15 = 1 << 8,

    PROTO_OF10_STD_ANY = PROTO_OF10 | PROTO_OF10_TID,
    PROTO_OF10_NXM_ANY = PROTO_NXM | PROTO_NXM_TID,
    PROTO_OF10_ANY = PROTO_OF10_STD_ANY | PROTO_OF10_NXM_ANY,
    PROTO_OF15_UP = PROTO_OF15,
    PROTO_OF14_UP = PROTO_OF14 | PROTO_OF15_UP,
    PROTO_OF13_UP = PROTO_OF13 | PROTO_OF14_UP,
    PROTO_OF12_UP = PROTO_OF12 | PROTO_OF13_UP,
    PROTO_OF11_UP = PROTO_OF11 | PROTO_OF12_UP,
    PROTO_NXM_OXM_ANY = PROTO_OF10_NXM_ANY | PROTO_OF12_UP,
    PROTO_ANY_OXM = PROTO_OF12_UP,
    /* Those whose flow messages carry a table id. */
    PROTO_TID = PROTO_OF10_TID | PROTO_NXM_TID | PROTO_OF11_UP,
    PROTO_ANY = PROTO_OF10_ANY | PROTO_OF11_UP
};

/* The version that a single protocol, the protocols that a version has. */
enum of_version proto_version(unsigned int protocol);
unsigned int proto_of_version(enum of_version v);

/* Name of one protocol ("OXM-OpenFlow13"), null if it is not exactly one; appends the shortest description of a set
 * ("NXM,OXM"; "any"; "none" for the empty set). */
const char *proto_name(unsigned int protocol);
void proto_put_set(struct str *s, unsigned int protocols);

/* Reads a comma-separated list of names and groups (any, OpenFlow10, NXM, OXM, ...) ; 0 and '*bad' (the offending part,
 * to be freed) if one is unknown. */
unsigned int proto_parse_set(const char *text, char **bad);
/* Appends all those names, a blank behind each (sys/cmdline.h). */
void proto_put_choice(struct str *);

#endif
