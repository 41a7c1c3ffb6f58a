/* ovs-vsctl(8). */
#include <stdlib.h>

#include "cmd/ovs-vsctl/vsctl.h"
#include "sys/stream.h"

LOG_MODULE(vsctl)

static const struct dbctl_name names[] = {
    { VS_AUTOATTACH, DBCTL_BY_REFERENCE, VS_BRIDGE, VS_BRIDGE_NAME, VS_BRIDGE_AUTO_ATTACH },
    { VS_BRIDGE, DBCTL_BY_COLUMN, VS_BRIDGE, VS_BRIDGE_NAME, 0 },
    { VS_CONTROLLER, DBCTL_BY_REFERENCE, VS_BRIDGE, VS_BRIDGE_NAME, VS_BRIDGE_CONTROLLER },
    { VS_FLOW_SAMPLE_COLLECTOR_SET, DBCTL_BY_COLUMN, VS_FLOW_SAMPLE_COLLECTOR_SET, VS_FLOW_SAMPLE_COLLECTOR_SET_ID, 0 },
    { VS_FLOW_TABLE, DBCTL_BY_COLUMN, VS_FLOW_TABLE, VS_FLOW_TABLE_NAME, 0 },
    { VS_IPFIX, DBCTL_BY_REFERENCE, VS_BRIDGE, VS_BRIDGE_NAME, VS_BRIDGE_IPFIX },
    { VS_INTERFACE, DBCTL_BY_COLUMN, VS_INTERFACE, VS_INTERFACE_NAME, 0 },
    { VS_MANAGER, DBCTL_BY_COLUMN, VS_MANAGER, VS_MANAGER_TARGET, 0 },
    { VS_MIRROR, DBCTL_BY_COLUMN, VS_MIRROR, VS_MIRROR_NAME, 0 },
    { VS_NETFLOW, DBCTL_BY_REFERENCE, VS_BRIDGE, VS_BRIDGE_NAME, VS_BRIDGE_NETFLOW },
    { VS_OPEN_VSWITCH, DBCTL_ONLY_ROW, 0, 0, 0 },
    { VS_PORT, DBCTL_BY_COLUMN, VS_PORT, VS_PORT_NAME, 0 },
    { VS_QOS, DBCTL_BY_REFERENCE, VS_PORT, VS_PORT_NAME, VS_PORT_QOS },
    { VS_SSL, DBCTL_ONLY_ROW, 0, 0, 0 },
    { VS_SFLOW, DBCTL_BY_REFERENCE, VS_BRIDGE, VS_BRIDGE_NAME, VS_BRIDGE_SFLOW },
};

static const struct dbctl_show show[] = {
    { VS_OPEN_VSWITCH, -1,
      { VS_OPEN_VSWITCH_MANAGER_OPTIONS, VS_OPEN_VSWITCH_BRIDGES, VS_OPEN_VSWITCH_OVS_VERSION } },
    { VS_BRIDGE, VS_BRIDGE_NAME,
      { VS_BRIDGE_CONTROLLER, VS_BRIDGE_FAIL_MODE, VS_BRIDGE_DATAPATH_TYPE, VS_BRIDGE_PORTS } },
    { VS_PORT, VS_PORT_NAME, { VS_PORT_TAG, VS_PORT_TRUNKS, VS_PORT_INTERFACES } },
    { VS_INTERFACE, VS_INTERFACE_NAME, { VS_INTERFACE_TYPE, VS_INTERFACE_OPTIONS, VS_INTERFACE_ERROR } },
    { VS_CONTROLLER, VS_CONTROLLER_TARGET, { VS_CONTROLLER_IS_CONNECTED } },
    { VS_MANAGER, VS_MANAGER_TARGET, { VS_MANAGER_IS_CONNECTED } },
};

static struct vsctl vsctl;

static void
prepare(struct dbctl *ctl)
{
    ctl->aux = &vsctl;
    dbctl_add_column(ctl, VS_OPEN_VSWITCH, COL_UUID);
    if (ctl->wait) {
        dbctl_add_column(ctl, VS_OPEN_VSWITCH, VS_OPEN_VSWITCH_CUR_CFG);
    }
}

static void
forget_new_ifaces(void)
{
    for (size_t i = 0; i < vsctl.n_new_ifaces; i++) {
        free(vsctl.new_ifaces[i]);
    }
    free(vsctl.new_ifaces);
    vsctl.new_ifaces = NULL;
    vsctl.n_new_ifaces = 0;
}

/* Makes the one row of Open_vSwitch where the database is empty. */
static struct error *
begin(struct dbctl *ctl)
{
    forget_new_ifaces();
    vsctl.root = vs_open_vswitch_first(ctl->idl);
    if (!vsctl.root) {
        idl_verify_empty(ctl->txn, VS_OPEN_VSWITCH);
        vsctl.root = vs_open_vswitch_insert(ctl->txn);
    }
    return NULL;
}

static void
before_commit(struct dbctl *ctl)
{
    const struct vs_open_vswitch *root = vs_open_vswitch_first(ctl->idl);

    if (ctl->wait && root) {
        idl_increment(&root->row, VS_OPEN_VSWITCH_NEXT_CFG);
    }
}

static void
end(struct dbctl *ctl UNUSED)
{
    vsctl_view_drop(&vsctl);
}

static const struct dbctl_words words[] = {
    { "TARGET", stream_put_methods },
    { "MODE", vsctl_put_fail_modes },
    { NULL, NULL },
};

int
main(int argc, char *argv[])
{
    const struct dbctl_part parts[] = {
        { vsctl_control_commands, vsctl_n_control_commands }, { vsctl_bridge_commands, vsctl_n_bridge_commands },
        { vsctl_port_commands, vsctl_n_port_commands }, { vsctl_zone_commands, vsctl_n_zone_commands },
    };
    const struct dbctl_class class = {
        .parts = parts, .n_parts = ARRAY_SIZE(parts),
        .schema = vs_schema,
        .names = names, .n_names = ARRAY_SIZE(names),
        .show = show, .n_show = ARRAY_SIZE(show),
        .words = words,
        .log = &log_this,
        .usage = vsctl_usage,
        .prepare = prepare, .begin = begin, .end = end, .before_commit = before_commit,
        .committed = vsctl_wait_for_daemon,
    };
    int status = dbctl_main(&class, argc, argv);

    forget_new_ifaces();
    return status;
}
