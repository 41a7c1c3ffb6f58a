/* The group syntax of ovs-ofctl(8): "group_id=1,type=select,bucket=weight:3,output:1" to 'struct group_mod'. */
#ifndef OPENFLOW_MSG_GROUP_SYNTAX_H
#define OPENFLOW_MSG_GROUP_SYNTAX_H 1

#include "base/error.h"
#include "openflow/msg/group.h"

/* The command is the first word ("add", "modify", "add_or_mod", "delete", "insert_bucket", "remove_bucket"; "add" if
 * it is none
 * of them): files. */
enum { GROUP_COMMAND_FROM_TEXT = -1 };

/* Reads 'text' into '*gm' (empty after an error).  'command' is one of enum group_command or GROUP_COMMAND_FROM_TEXT.
 * '*protocols' gets those that can express it. */
struct error *group_mod_parse(struct group_mod *gm, const char *text, int command, const struct act_text *names,
                              unsigned int *protocols) MUST_CHECK;

/* Reads a number, "all" or "any"; false if it is none of them. */
bool group_id_parse(const char *text, uint32_t *id);

#endif
