/* Becoming a daemon: --detach, --monitor, --pidfile, --user.
 *
 * How it works
 * ------------
 * The options are read by sys/cmdline.h (CMDLINE_DAEMON).  The program calls daemon_start() before it makes its loop,
 * its threads or its sockets, and daemon_ready() when it can serve.  In between, errors still reach the terminal; an
 * exit before daemon_ready() becomes the exit status of the command that the user gave.
 *
 *   user's process --fork--> [monitor] --fork--> the daemon
 *   waits for "ready"        restarts it         locks and writes the pid file
 *
 * The monitor (only with --monitor) starts the daemon again when it was ended by a signal that means a defect, at most
 * once in 10 seconds after the first time.
 *
 * The pid file is written under FILE.tmp, locked with fcntl() as long as the daemon lives, renamed, and removed at the
 * end, also by a signal.  Another program learns from the lock whether the pid is still valid.
 *
 * Threads: main thread, before all others. */
#ifndef SYS_DAEMON_H
#define SYS_DAEMON_H 1

#include <sys/types.h>

#include "base/error.h"

/* What the options set.  Null 'pidfile' means the default name; see dirs_run(). */
void daemon_set_detach(bool);
void daemon_set_chdir(bool);
void daemon_set_monitor(bool);
void daemon_set_pidfile(const char *file);
void daemon_set_overwrite_pidfile(bool);
void daemon_set_user(const char *user_group);
bool daemon_is_detaching(void);

/* Leaves a standard file (STDOUT_FILENO, STDERR_FILENO) open in the daemon: the program writes its results there. */
void daemon_keep_open(int fd);

/* Asks for capabilities of a daemon that serves a datapath, where --user drops privileges. */
void daemon_want_net_admin(void);

/* Becomes the user and group of --user, if they are given, and keeps the capabilities that a daemon needs; exits with a
 * message on errors.  daemon_start() does it too: this is for a program that need not become a daemon. */
void daemon_become_user(void);

/* Forks as asked, becomes the user asked for, locks and writes the pid file.  Exits with a message on errors. */
void daemon_start(void);

/* Tells the waiting parent that all is well; leaves the terminal and goes to the root directory. */
void daemon_ready(void);

/* The pid in a pid file that a living process has locked; or a negative errno value, -ESRCH if nobody has. */
pid_t daemon_read_pidfile(const char *file) MUST_CHECK;

/* "RUNDIR/PROGRAM.pid", to be released with free(). */
char *daemon_default_pidfile(void) MUST_CHECK;

#endif
