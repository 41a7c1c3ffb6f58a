/* The flow syntax of ovs-ofctl: "table=1,priority=5,tcp,tp_dst=80,actions=output:2" to and from 'struct flow_mod'.
 *
 * Keywords are separated by commas or white space.  Which ones are allowed depends on the command: a new flow has
 * timeouts and actions, a deletion has filters.  Each keyword takes away the protocols that cannot express it from the
 * set of usable ones.  Match fields whose prerequisites the text does not give are dropped, and the log says so, as
 * the original does ("normalization").
 *
 * Threads: pure, but for the log.
 * Standards: ovs-ofctl(8) "Flow Syntax", ovs-fields(7), ovs-actions(7). */
#ifndef OPENFLOW_FLOW_SYNTAX_H
#define OPENFLOW_FLOW_SYNTAX_H 1

#include "openflow/flow_mod.h"
#include "openflow/table_names.h"

/* The command is the first word of the text ("add", "modify", "modify_strict", "delete", "delete_strict"; "add" if it
 * is none of them): files of --bundle. */
enum { FLOW_COMMAND_FROM_TEXT = -1 };

/* Reads 'text' into '*fm' (initialised here; empty after an error).  'command' is one of enum flow_mod_command or
 * FLOW_COMMAND_FROM_TEXT.  A request for flows is read as FM_DELETE.  '*protocols' gets the usable ones (PROTO_*). */
struct error *flow_mod_parse(struct flow_mod *fm, const char *text, int command, const struct act_text *names,
                             unsigned int *protocols) MUST_CHECK;

/* The same, and cuts the text up, which saves a copy. */
struct error *flow_mod_parse_in_place(struct flow_mod *fm, char *text, int command, const struct act_text *names,
                                      unsigned int *protocols) MUST_CHECK;

/* Drops the conditions whose prerequisites the match does not have; returns whether there were any.  'log' tells
 * people, under the module's name that they know. */
bool match_normalize_prereqs(struct match *m, bool log);

#endif
