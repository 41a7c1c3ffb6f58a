/* What ps(1) shows of a process that becomes a daemon. */
#ifndef SYS_DAEMON_PRIVATE_H
#define SYS_DAEMON_PRIVATE_H 1

#include "base/util.h"

/* Remembers where the arguments are; before anything changes 'argv'. */
void daemon_title_init(int argc, char *argv[]);
/* Has ps(1) show "PROGRAM: " and this text, as far as it fits where the arguments are, which it overwrites. */
void daemon_title_set(const char *format, ...) PRINTF_FORMAT(1, 2);
/* Brings the arguments back: in the child of a process that had a title. */
void daemon_title_restore(void);

#endif
