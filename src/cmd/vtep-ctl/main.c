/* vtep-ctl(8). */

#include "cmd/vtep-ctl/vtep.h"
#include "sys/stream.h"

LOG_MODULE(vtep_ctl)

static const struct dbctl_name names[] = {
    { VTEP_GLOBAL, DBCTL_ONLY_ROW, 0, 0, 0 },
    { VTEP_LOGICAL_ROUTER, DBCTL_BY_COLUMN, VTEP_LOGICAL_ROUTER, VTEP_LOGICAL_ROUTER_NAME, 0 },
    { VTEP_LOGICAL_SWITCH, DBCTL_BY_COLUMN, VTEP_LOGICAL_SWITCH, VTEP_LOGICAL_SWITCH_NAME, 0 },
    { VTEP_MANAGER, DBCTL_BY_COLUMN, VTEP_MANAGER, VTEP_MANAGER_TARGET, 0 },
    { VTEP_PHYSICAL_PORT, DBCTL_BY_COLUMN, VTEP_PHYSICAL_PORT, VTEP_PHYSICAL_PORT_NAME, 0 },
    { VTEP_PHYSICAL_SWITCH, DBCTL_BY_COLUMN, VTEP_PHYSICAL_SWITCH, VTEP_PHYSICAL_SWITCH_NAME, 0 },
};

static const struct dbctl_show show[] = {
    { VTEP_GLOBAL, -1, { VTEP_GLOBAL_MANAGERS, VTEP_GLOBAL_SWITCHES } },
    { VTEP_MANAGER, VTEP_MANAGER_TARGET, { VTEP_MANAGER_IS_CONNECTED } },
    { VTEP_PHYSICAL_SWITCH, VTEP_PHYSICAL_SWITCH_NAME,
      { VTEP_PHYSICAL_SWITCH_MANAGEMENT_IPS, VTEP_PHYSICAL_SWITCH_TUNNEL_IPS, VTEP_PHYSICAL_SWITCH_PORTS } },
    { VTEP_PHYSICAL_PORT, VTEP_PHYSICAL_PORT_NAME, { VTEP_PHYSICAL_PORT_VLAN_BINDINGS } },
    { VTEP_LOGICAL_SWITCH, VTEP_LOGICAL_SWITCH_NAME, { 0 } },
};

static struct vtepctl vtepctl;

static void
prepare(struct dbctl *ctl)
{
    ctl->aux = &vtepctl;
    dbctl_add_column(ctl, VTEP_GLOBAL, COL_UUID);
    dbctl_add_column(ctl, VTEP_GLOBAL, VTEP_GLOBAL_SWITCHES);
}

/* Makes the one row of Global where the database is empty. */
static struct error *
begin(struct dbctl *ctl)
{
    vtepctl.global = vtep_global_first(ctl->idl);
    if (!vtepctl.global) {
        idl_verify_empty(ctl->txn, VTEP_GLOBAL);
        vtepctl.global = vtep_global_insert(ctl->txn);
    }
    return NULL;
}

static const struct dbctl_words words[] = {
    { "MANAGER", stream_put_methods },
    { "MODE", vtepctl_put_replication_modes },
    { NULL, NULL },
};

int
main(int argc, char *argv[])
{
    const struct dbctl_part parts[] = {
        { vtepctl_switch_commands, vtepctl_n_switch_commands },
        { vtepctl_binding_commands, vtepctl_n_binding_commands },
        { vtepctl_mac_commands, vtepctl_n_mac_commands },
    };
    const struct dbctl_class class = {
        .parts = parts, .n_parts = ARRAY_SIZE(parts),
        .schema = vtep_schema,
        .names = names, .n_names = ARRAY_SIZE(names),
        .show = show, .n_show = ARRAY_SIZE(show),
        .words = words,
        .is_plain = true,
        .log = &log_this,
        .usage = vtepctl_usage,
        .prepare = prepare, .begin = begin,
    };

    return dbctl_main(&class, argc, argv);
}
