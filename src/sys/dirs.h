/* Where things are: run, log, database, configuration and shared-data directories.
 *
 * Each is fixed at build time by the prefix and can be moved by its environment variable (OVS_RUNDIR, OVS_LOGDIR,
 * OVS_DBDIR, OVS_SYSCONFDIR, OVS_PKGDATADIR, OVS_BINDIR), as ovs-vswitchd(8) documents. */
#ifndef SYS_DIRS_H
#define SYS_DIRS_H 1

#include "base/util.h"

/* Valid for the life of the process. */
const char *dirs_run(void);
const char *dirs_log(void);
const char *dirs_db(void);
const char *dirs_sysconf(void);
const char *dirs_pkgdata(void);
const char *dirs_bin(void);

/* 'name' if it is absolute, else 'dir'/name; to be released with free(). */
char *dirs_resolve(const char *dir, const char *name) MUST_CHECK;

/* 'name' made absolute by the present working directory, so that it stays good after a daemon has left that; to be
 * released with free(). */
char *dirs_absolute(const char *name) MUST_CHECK;

/* The default database socket ("unix:RUNDIR/db.sock") and database file; to be released with free(). */
char *dirs_db_remote(void) MUST_CHECK;
char *dirs_db_file(void) MUST_CHECK;

#endif
