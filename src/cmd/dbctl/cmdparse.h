/* The command line of dbctl programs: global options, then commands with options of their own, separated by "--". */
#ifndef CMD_DBCTL_CMDPARSE_H
#define CMD_DBCTL_CMDPARSE_H 1

#include "cmd/dbctl/dbctl.h"

/* Reads everything into 'ctl' (options, commands); prints and exits for --help and the like, and on errors. */
void dbctl_parse(struct dbctl *ctl, int argc, char *argv[]);

/* Frees the commands. */
void dbctl_commands_free(struct dbctl *ctl);

/* The words as a shell might want them, for logs; to be released with free(). */
char *dbctl_escape_args(int argc, char *const argv[]) MUST_CHECK;

/* All commands of the class: its own, then the generic ones.  Null at the end. */
const struct dbctl_command *dbctl_command_at(const struct dbctl_class *class, size_t i);

#endif
