/* Matches as text: what stands in front of "actions=" in a flow, in the order and wording of ovs-ofctl dump-flows.
 *
 * Reading is one keyword at a time (match_parse_field(), match_parse_shorthand()), because a flow mixes match fields
 * with other keywords (openflow/flow_syntax.h).
 *
 * Standards: ovs-fields(7), ovs-ofctl(8) "Flow Syntax". */
#ifndef FLOW_MATCH_TEXT_H
#define FLOW_MATCH_TEXT_H 1

#include "flow/field_text.h"
#include "flow/match.h"

/* The priority that is not shown. */
#define MATCH_DEFAULT_PRIORITY 32768

/* Adds "field=value" to 'm'.  Keeps in '*mask' which bits were asked for (the caller's bookkeeping); ports by name need
 * 'ports'. */
struct error *match_parse_field(struct match *m, const struct field *f, const char *value,
                                const struct port_names *ports, union field_value *mask) MUST_CHECK;

/* Adds what a word such as "tcp" stands for; false if it is no such word. */
bool match_parse_shorthand(struct match *m, const char *word);

/* Adds "field = value under mask" with what the field implies: a VLAN id implies a tag; an Ethernet field a packet with
 * an Ethernet header; packet_type sets namespace and type.  False if the value cannot be matched (packet_type of an
 * unknown namespace; a tunnel option that has no room, see flow/tun_metadata.h). */
bool match_set_field(struct match *m, const struct field *f, const union field_value *v,
                     const union field_value *mask);

/* The bits of 'mask' of a packet_type; false if no packet can have this one.  A type of 0 without a namespace is taken
 * for that of packets with an Ethernet header. */
bool match_set_packet_type(struct match *m, uint32_t value, uint32_t mask);

/* Adds "subfield = value", which is right-aligned as those of subfields are; false for a packet type that cannot be. */
bool match_set_subfield(struct match *m, const struct subfield *sf, const union field_value *v);

/* Whether the packet type is known as a whole. */
bool match_has_packet_type(const struct match *m);

/* Removes the conditions on fields whose prerequisites the match does not fix (those of connection tracking stay);
 * returns whether there were any: then the match as it was goes into '*before', if that is not null. */
bool match_drop_unmet(struct match *m, struct match *before);

/* What the match says about the field: zeros in '*mask' where nothing, in 16 bytes or as many as the field has. */
void match_get_field(const struct match *m, const struct field *f, union field_value *v, union field_value *mask);

/* Appends the text, "priority=N," first unless it is 'MATCH_DEFAULT_PRIORITY'; nothing for a match that matches all. */
void match_format(struct str *s, const struct match *m, const struct port_names *ports, int priority);

/* The same for a megaflow's mask, as traces show it. */
void match_format_megaflow(struct str *s, const struct match *m, const struct port_names *ports);

#endif
