/* backup and restore: not served yet (docs/status.md). */
#include "cmd/ovsdb-client/client.h"

void
cmd_backup(struct client *c)
{
    cmdline_fatal(0, "backup of %s: not supported yet; copy the database file instead", c->database);
}

void
cmd_restore(struct client *c)
{
    cmdline_fatal(0, "restore of %s: not supported yet; use ovsdb-tool instead", c->database);
}
