/* Datapath flows and actions as text.
 *
 * What it is: the forms that ovs-dpctl(8) and ofproto/trace print and accept, for example
 *
 *     recirc_id(0),in_port(1),eth(src=..,dst=..),eth_type(0x0800),ipv4(src=10.0.0.1/255.0.0.0,proto=6,frag=no)
 *     set(ipv4(ttl=63)),push_vlan(vid=10,pcp=0),2
 *
 * How it works: members (odp/member.h) are ranges of bits of struct flow with a name and a format; attributes are
 * lists of members (text_attr.c); the rest is the few forms that nest (VLAN and encap, MPLS, tunnels, actions).
 *
 * Ports are numbers, or names where 'names' is given and knows them.  Reading never trusts the text: errors say
 * where.
 *
 * Limits: tnl_push, tnl_pop and set(tunnel(..)) are not served (docs/status.md).
 * Threads: pure.
 * Standards: ovs-dpctl(8), ovs-actions(7); Linux's openvswitch.h for the numbers. */
#ifndef ODP_TEXT_H
#define ODP_TEXT_H 1

#include "base/error.h"
#include "base/str.h"
#include "base/uuid.h"
#include "odp/action.h"

/* Where the names of a datapath's ports are known.  Both functions are called with the object itself. */
struct odp_names {
    const char *(*name)(const struct odp_names *, odp_port); /* Null if unknown. */
    bool (*find)(const struct odp_names *, const char *name, odp_port *);
};

/* Appends key and mask of a megaflow ('mask' null: every field that the key has, exactly).  Without 'verbose'
 * leaves out what is wildcarded; an empty eth() too, where the packet type is shown, as in what the switch installs. */
void odp_flow_format(struct str *s, const struct flow *key, const struct flow *mask, const struct odp_names *names,
                     bool verbose);

/* Reads that form into '*key' and '*mask' (null: masks are errors, but those of flags are passed over), zeroing them
 * first.  in_port and recirc_id are always exact. */
struct error *odp_flow_parse(const char *text, const struct odp_names *names, struct flow *key,
                             struct flow *mask) MUST_CHECK;

/* How the attributes of a key agree with the headers that they tell of. */
enum odp_fit {
    ODP_FIT_PERFECT,
    ODP_FIT_TOO_MUCH,   /* There are some of headers that the packet cannot have... */
    ODP_FIT_TOO_LITTLE, /* ...or none of some that it must have... */
    ODP_FIT_ERROR       /* ...or one twice, or a type that is a length. */
};

struct odp_echo {
    struct str text;        /* To be released with str_uninit(), also after an error. */
    enum odp_fit fit;
    const char *duplicate;  /* The attribute that is there twice; null: none. */
    uint32_t seen[3];       /* Of enum odp_key, by depth of encap(): private. */
};

/* Reads a key that has no masks, as odp_flow_parse(), and echoes the attributes in the order in which they were said,
 * each with all its members ("<empty>" if there are none). */
struct error *odp_flow_echo(const char *text, const struct odp_names *names, struct flow *key,
                            struct odp_echo *echo) MUST_CHECK;

/* Of an ODP_FIT_ERROR: what is wrong with the key. */
struct error *odp_echo_error(const struct odp_echo *, const struct flow *key) MUST_CHECK;

/* Reads a key as that of one packet, for ofproto/trace: masks and a ufid are read, and change nothing; a key without
 * eth() is that of a packet without an Ethernet header.  '*problem' becomes what is wrong with the key although its
 * text is right (null if nothing), to be released by the caller; it is set with a null result only. */
struct error *odp_flow_parse_packet(const char *text, const struct odp_names *names, struct flow *key,
                                    struct error **problem) MUST_CHECK;

/* "ufid:UUID": appends it; reads it from the start of '*text' and moves '*text' behind it and a following comma and
 * space.  False, and '*text' as it was, if there is none. */
void odp_ufid_format(struct str *s, const struct uuid *ufid);
bool odp_ufid_parse(const char **text, struct uuid *ufid);

/* Appends 'len' bytes of actions; "drop" if there are none. */
void odp_actions_format(struct str *s, const void *actions, size_t len, const struct odp_names *names);

/* Reads actions and appends them to 'actions', which is unspecified after an error. */
struct error *odp_actions_parse(const char *text, const struct odp_names *names, struct bytes *actions) MUST_CHECK;

#endif
