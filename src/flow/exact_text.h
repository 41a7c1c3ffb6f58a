/* Flows without wildcards as text: what a packet is, in the words of matches.
 *
 * Threads: pure functions.
 * Standards: ovs-fields(7). */
#ifndef FLOW_EXACT_TEXT_H
#define FLOW_EXACT_TEXT_H 1

#include "flow/match_text.h"

struct tun_map; /* That of the bridge in whose pipeline the flow is (flow/tun_metadata.h); null: no tunnel options. */

/* Appends all that a packet of the flow has: "tcp,in_port=1,vlan_tci=0x0000,dl_src=...". */
void exact_flow_put(struct str *s, const struct flow *, const struct tun_map *options, const struct port_names *names);

/* Reads "tcp,in_port=1,nw_src=1.2.3.4": fields need what they require before them, and have no masks. */
struct error *exact_flow_parse(const char *text, const struct port_names *names, const struct tun_map *options,
                               struct flow *) MUST_CHECK;
/* The same with a mask of what the text names; its tunnel options are loose. */
struct error *exact_match_parse(const char *text, const struct port_names *names, struct match *) MUST_CHECK;

#endif
