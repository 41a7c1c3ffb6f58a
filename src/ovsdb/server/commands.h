/* Commands for ovs-appctl that are not in commands.c; 'aux' is the server. */
#ifndef OVSDB_SERVER_COMMANDS_H
#define OVSDB_SERVER_COMMANDS_H 1

#include "ctl/ctl.h"

/* replication.c */
ctl_cb command_sync_status, command_get_active, command_set_active, command_connect_active,
    command_disconnect_active, command_set_active_probe, command_set_relay_probe, command_get_excluded,
    command_set_excluded;

/* config_file.c */
ctl_cb command_reload;

#endif
