#include "sys/dirs.h"

#include <stdlib.h>
#include <unistd.h>

#include "config.h"

static const char *
from_environment(const char *variable, const char *otherwise)
{
    const char *value = getenv(variable);

    return value && value[0] ? value : otherwise;
}

const char *
dirs_run(void)
{
    return from_environment("OVS_RUNDIR", WEFT_RUNDIR);
}

const char *
dirs_log(void)
{
    return from_environment("OVS_LOGDIR", WEFT_LOGDIR);
}

const char *
dirs_sysconf(void)
{
    return from_environment("OVS_SYSCONFDIR", WEFT_SYSCONFDIR);
}

const char *
dirs_db(void)
{
    static char *db;

    /* An OVS_SYSCONFDIR without an OVS_DBDIR moves the database too. */
    if (!db) {
        db = getenv("OVS_DBDIR") || !getenv("OVS_SYSCONFDIR") ? xstrdup(from_environment("OVS_DBDIR", WEFT_DBDIR))
                                                              : xasprintf("%s/openvswitch", dirs_sysconf());
    }
    return db;
}

const char *
dirs_pkgdata(void)
{
    return from_environment("OVS_PKGDATADIR", WEFT_PKGDATADIR);
}

const char *
dirs_bin(void)
{
    return from_environment("OVS_BINDIR", WEFT_BINDIR);
}

char *
dirs_resolve(const char *dir, const char *name)
{
    return name[0] == '/' ? xstrdup(name) : xasprintf("%s/%s", dir, name);
}

char *
dirs_absolute(const char *name)
{
    char *here = name[0] == '/' ? NULL : getcwd(NULL, 0);
    char *path = here ? xasprintf("%s/%s", here, name) : xstrdup(name);

    free(here);
    return path;
}

char *
dirs_db_remote(void)
{
    return xasprintf("unix:%s/db.sock", dirs_run());
}

char *
dirs_db_file(void)
{
    return xasprintf("%s/conf.db", dirs_db());
}
