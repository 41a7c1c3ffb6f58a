/* What the files of ovsdb-tool share. */
#ifndef CMD_OVSDB_TOOL_TOOL_H
#define CMD_OVSDB_TOOL_TOOL_H 1

#include "ovsdb/data/dberr.h"
#include "sys/cmdline.h"

extern unsigned int tool_more; /* How often --more was given. */

/* Ends the program with the error's text; returns if it is null. */
void tool_fatal(struct dberr *);

/* The argument 'i' (argv[0] is the command), or the default database file. */
const char *tool_db_arg(const struct cmdline_ctx *, int i);

void tool_show_log(struct cmdline_ctx *);

#endif
