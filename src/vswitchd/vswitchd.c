#include "vswitchd/vswitchd.h"

#include <stdlib.h>

#include "sys/log.h"
#include "sys/work.h"

LOG_MODULE(vswitchd)

enum { CONTROLLER_INTERVAL_MS = 1000 };

/* Columns that we write and do not read: our own writes are no news. */
static const struct { unsigned int table, column; } quiet[] = {
    { VS_OPEN_VSWITCH, VS_OPEN_VSWITCH_CUR_CFG }, { VS_OPEN_VSWITCH, VS_OPEN_VSWITCH_DATAPATH_TYPES },
    { VS_OPEN_VSWITCH, VS_OPEN_VSWITCH_IFACE_TYPES }, { VS_OPEN_VSWITCH, VS_OPEN_VSWITCH_DPDK_INITIALIZED },
    { VS_OPEN_VSWITCH, VS_OPEN_VSWITCH_DPDK_VERSION }, { VS_OPEN_VSWITCH, VS_OPEN_VSWITCH_STATISTICS },
    { VS_BRIDGE, VS_BRIDGE_DATAPATH_ID }, { VS_BRIDGE, VS_BRIDGE_DATAPATH_VERSION }, { VS_BRIDGE, VS_BRIDGE_STATUS },
    { VS_INTERFACE, VS_INTERFACE_ADMIN_STATE }, { VS_INTERFACE, VS_INTERFACE_DUPLEX },
    { VS_INTERFACE, VS_INTERFACE_ERROR }, { VS_INTERFACE, VS_INTERFACE_IFINDEX },
    { VS_INTERFACE, VS_INTERFACE_LINK_RESETS }, { VS_INTERFACE, VS_INTERFACE_LINK_SPEED },
    { VS_INTERFACE, VS_INTERFACE_LINK_STATE }, { VS_INTERFACE, VS_INTERFACE_MAC_IN_USE },
    { VS_INTERFACE, VS_INTERFACE_MTU }, { VS_INTERFACE, VS_INTERFACE_OFPORT },
    { VS_INTERFACE, VS_INTERFACE_STATISTICS }, { VS_INTERFACE, VS_INTERFACE_STATUS },
    { VS_CONTROLLER, VS_CONTROLLER_IS_CONNECTED }, { VS_CONTROLLER, VS_CONTROLLER_ROLE },
    { VS_CONTROLLER, VS_CONTROLLER_STATUS }, { VS_DATAPATH, VS_DATAPATH_CAPABILITIES },
    { VS_MIRROR, VS_MIRROR_STATISTICS },
    { VS_PORT, VS_PORT_BOND_ACTIVE_SLAVE },
};

/* Columns whose changes concern us. */
static const struct { unsigned int table, column; } heeded[] = {
    { VS_OPEN_VSWITCH, VS_OPEN_VSWITCH_BRIDGES }, { VS_OPEN_VSWITCH, VS_OPEN_VSWITCH_NEXT_CFG },
    { VS_OPEN_VSWITCH, VS_OPEN_VSWITCH_OTHER_CONFIG }, { VS_OPEN_VSWITCH, VS_OPEN_VSWITCH_SSL },
    { VS_SSL, VS_SSL_BOOTSTRAP_CA_CERT }, { VS_SSL, VS_SSL_CA_CERT }, { VS_SSL, VS_SSL_CERTIFICATE },
    { VS_SSL, VS_SSL_PRIVATE_KEY }, { VS_OPEN_VSWITCH, VS_OPEN_VSWITCH_DATAPATHS },
    { VS_BRIDGE, VS_BRIDGE_AUTO_ATTACH }, { VS_BRIDGE, VS_BRIDGE_CONTROLLER }, { VS_BRIDGE, VS_BRIDGE_DATAPATH_TYPE },
    { VS_BRIDGE, VS_BRIDGE_FAIL_MODE }, { VS_BRIDGE, VS_BRIDGE_FLOOD_VLANS }, { VS_BRIDGE, VS_BRIDGE_FLOW_TABLES },
    { VS_BRIDGE, VS_BRIDGE_IPFIX }, { VS_BRIDGE, VS_BRIDGE_MCAST_SNOOPING_ENABLE }, { VS_BRIDGE, VS_BRIDGE_MIRRORS },
    { VS_BRIDGE, VS_BRIDGE_NAME }, { VS_BRIDGE, VS_BRIDGE_NETFLOW }, { VS_BRIDGE, VS_BRIDGE_OTHER_CONFIG },
    { VS_BRIDGE, VS_BRIDGE_PORTS }, { VS_BRIDGE, VS_BRIDGE_PROTOCOLS }, { VS_BRIDGE, VS_BRIDGE_RSTP_ENABLE },
    { VS_BRIDGE, VS_BRIDGE_SFLOW }, { VS_BRIDGE, VS_BRIDGE_STP_ENABLE },
    { VS_PORT, VS_PORT_QOS }, { VS_QOS, VS_QOS_OTHER_CONFIG }, { VS_QOS, VS_QOS_QUEUES }, { VS_QOS, VS_QOS_TYPE },
    { VS_QUEUE, VS_QUEUE_DSCP }, { VS_QUEUE, VS_QUEUE_OTHER_CONFIG },
    { VS_PORT, VS_PORT_CVLANS }, { VS_PORT, VS_PORT_INTERFACES }, { VS_PORT, VS_PORT_MAC }, { VS_PORT, VS_PORT_NAME },
    { VS_PORT, VS_PORT_OTHER_CONFIG }, { VS_PORT, VS_PORT_PROTECTED }, { VS_PORT, VS_PORT_TAG },
    { VS_PORT, VS_PORT_TRUNKS }, { VS_PORT, VS_PORT_VLAN_MODE }, { VS_PORT, VS_PORT_BOND_DOWNDELAY },
    { VS_PORT, VS_PORT_BOND_FAKE_IFACE },
    { VS_PORT, VS_PORT_BOND_MODE }, { VS_PORT, VS_PORT_BOND_UPDELAY }, { VS_PORT, VS_PORT_LACP },
    { VS_INTERFACE, VS_INTERFACE_INGRESS_POLICING_BURST }, { VS_INTERFACE, VS_INTERFACE_INGRESS_POLICING_KPKTS_BURST },
    { VS_INTERFACE, VS_INTERFACE_INGRESS_POLICING_KPKTS_RATE }, { VS_INTERFACE, VS_INTERFACE_INGRESS_POLICING_RATE },
    { VS_INTERFACE, VS_INTERFACE_MAC }, { VS_INTERFACE, VS_INTERFACE_MTU_REQUEST }, { VS_INTERFACE, VS_INTERFACE_NAME },
    { VS_INTERFACE, VS_INTERFACE_OFPORT_REQUEST }, { VS_INTERFACE, VS_INTERFACE_OPTIONS },
    { VS_INTERFACE, VS_INTERFACE_OTHER_CONFIG }, { VS_INTERFACE, VS_INTERFACE_TYPE },
    { VS_CONTROLLER, VS_CONTROLLER_CONNECTION_MODE }, { VS_CONTROLLER, VS_CONTROLLER_CONTROLLER_BURST_LIMIT },
    { VS_CONTROLLER, VS_CONTROLLER_CONTROLLER_RATE_LIMIT }, { VS_CONTROLLER, VS_CONTROLLER_ENABLE_ASYNC_MESSAGES },
    { VS_CONTROLLER, VS_CONTROLLER_INACTIVITY_PROBE }, { VS_CONTROLLER, VS_CONTROLLER_MAX_BACKOFF },
    { VS_CONTROLLER, VS_CONTROLLER_OTHER_CONFIG }, { VS_CONTROLLER, VS_CONTROLLER_TARGET },
    { VS_CONTROLLER, VS_CONTROLLER_CONTROLLER_QUEUE_SIZE }, { VS_CONTROLLER, VS_CONTROLLER_TYPE },
    { VS_MIRROR, VS_MIRROR_FILTER }, { VS_MIRROR, VS_MIRROR_NAME }, { VS_MIRROR, VS_MIRROR_OUTPUT_PORT },
    { VS_MIRROR, VS_MIRROR_OUTPUT_VLAN }, { VS_MIRROR, VS_MIRROR_SELECT_ALL }, { VS_MIRROR, VS_MIRROR_SELECT_DST_PORT },
    { VS_MIRROR, VS_MIRROR_SELECT_SRC_PORT }, { VS_MIRROR, VS_MIRROR_SELECT_VLAN }, { VS_MIRROR, VS_MIRROR_SNAPLEN },
    { VS_CONTROLLER, VS_CONTROLLER_LOCAL_GATEWAY }, { VS_CONTROLLER, VS_CONTROLLER_LOCAL_IP },
    { VS_CONTROLLER, VS_CONTROLLER_LOCAL_NETMASK },
    { VS_MANAGER, VS_MANAGER_CONNECTION_MODE }, { VS_MANAGER, VS_MANAGER_TARGET },
    { VS_DATAPATH, VS_DATAPATH_CT_ZONES }, { VS_DATAPATH, VS_DATAPATH_CT_ZONE_DEFAULT_LIMIT },
    { VS_CT_ZONE, VS_CT_ZONE_LIMIT }, { VS_CT_ZONE, VS_CT_ZONE_TIMEOUT_POLICY },
    { VS_CT_TIMEOUT_POLICY, VS_CT_TIMEOUT_POLICY_TIMEOUTS },
    { VS_FLOW_SAMPLE_COLLECTOR_SET, VS_FLOW_SAMPLE_COLLECTOR_SET_BRIDGE },
    { VS_FLOW_SAMPLE_COLLECTOR_SET, VS_FLOW_SAMPLE_COLLECTOR_SET_ID },
    { VS_FLOW_SAMPLE_COLLECTOR_SET, VS_FLOW_SAMPLE_COLLECTOR_SET_IPFIX },
    { VS_FLOW_SAMPLE_COLLECTOR_SET, VS_FLOW_SAMPLE_COLLECTOR_SET_LOCAL_GROUP_ID },
    { VS_IPFIX, VS_IPFIX_CACHE_ACTIVE_TIMEOUT }, { VS_IPFIX, VS_IPFIX_CACHE_MAX_FLOWS },
    { VS_IPFIX, VS_IPFIX_OBS_DOMAIN_ID }, { VS_IPFIX, VS_IPFIX_OBS_POINT_ID }, { VS_IPFIX, VS_IPFIX_OTHER_CONFIG },
    { VS_IPFIX, VS_IPFIX_SAMPLING }, { VS_IPFIX, VS_IPFIX_STATS_INTERVAL }, { VS_IPFIX, VS_IPFIX_TARGETS },
    { VS_IPFIX, VS_IPFIX_TEMPLATE_INTERVAL },
    { VS_FLOW_TABLE, VS_FLOW_TABLE_FLOW_LIMIT }, { VS_FLOW_TABLE, VS_FLOW_TABLE_NAME },
    { VS_FLOW_TABLE, VS_FLOW_TABLE_OVERFLOW_POLICY }, { VS_FLOW_TABLE, VS_FLOW_TABLE_GROUPS },
    { VS_FLOW_TABLE, VS_FLOW_TABLE_PREFIXES },
};

void
vswitchd_choose_columns(struct idl *idl)
{
    for (size_t i = 0; i < ARRAY_SIZE(quiet); i++) {
        idl_add_column(idl, quiet[i].table, quiet[i].column, IDL_QUIET);
    }
    for (size_t i = 0; i < ARRAY_SIZE(heeded); i++) {
        idl_add_column(idl, heeded[i].table, heeded[i].column, IDL_ALERT);
    }
    idl_set_lock(idl, "ovs_vswitchd");
}

static void
on_replica(struct idl *idl, void *sw_)
{
    static struct log_limit limit = LOG_LIMIT_INIT(1, 1);
    struct vswitchd *sw = sw_;

    if (idl_is_lock_contended(idl)) {
        log_err_rl(&limit, "another ovs-vswitchd process is running, disabling this process until it goes away");
    } else if (idl_has_lock(idl)) {
        loop_task_post_next_turn(&sw->reconcile); /* To take over many rows may have taken all of this one. */
    }
}

static void
on_reconcile(struct loop_task *t)
{
    reconcile_run(t->aux);
}

void
vswitchd_signal_prepared(void *wake)
{
    loop_wake_signal(wake);
}

static void
on_prepared(struct loop_wake *w)
{
    struct vswitchd *sw = w->aux;

    loop_task_post(&sw->reconcile);
}

static void
on_stats(struct loop_timer *t)
{
    struct vswitchd *sw = t->aux;

    if (sw->started) {
        status_mark_stats(sw);
    }
    loop_timer_set(t, clock_now_ms() + MAX(sw->cfg.stats_interval_ms, 5000));
}

/* Controllers' status changes without the database's doing. */
static void
on_controllers(struct loop_timer *t)
{
    struct vswitchd *sw = t->aux;

    HMAP_FOR_EACH (o, struct object, node, &sw->bridges) {
        sw->controllers_stale |= CONTAINER_OF(o, struct bridge, o)->n_controllers > 0;
    }
    status_run(sw);
    loop_timer_set(t, clock_now_ms() + CONTROLLER_INTERVAL_MS);
}

static void
on_device(struct netdev_watch *w, const char *name)
{
    iface_device_changed(w->aux, name);
}

/* 'port': the key of its bundle. */
static void
on_bond(void *sw_, const void *port)
{
    struct vswitchd *sw = sw_;

    object_stale(&((struct port *) port)->o, &sw->stale_ports);
    loop_task_post(&sw->reconcile);
}

struct vswitchd *
vswitchd_create(struct loop *loop, struct idl *idl, bool system_disabled, void (*ready)(void *aux), void *aux)
{
    struct vswitchd *sw = xzalloc(sizeof *sw);

    sw->loop = loop;
    sw->idl = idl;
    sw->system_disabled = system_disabled;
    sw->ready = ready;
    sw->ready_aux = aux;
    hmap_init(&sw->bridges);
    hmap_init(&sw->ports);
    hmap_init(&sw->ifaces);
    strmap_init(&sw->ports_by_name);
    strmap_init(&sw->ifaces_by_name);
    list_init(&sw->dirty_bridges);
    list_init(&sw->dirty_ports);
    list_init(&sw->dirty_ifaces);
    list_init(&sw->unsettled);
    hmap_init(&sw->qos_users);
    list_init(&sw->added);
    list_init(&sw->applying);
    list_init(&sw->unsatisfied);
    list_init(&sw->stale_bridges);
    list_init(&sw->stale_ports);
    list_init(&sw->stale_ifaces);
    list_init(&sw->in_flight);
    loop_task_init(loop, &sw->reconcile, on_reconcile, sw);
    loop_wake_init(loop, &sw->prepared, on_prepared, sw);
    loop_timer_init(loop, &sw->stats_timer, on_stats, sw);
    loop_timer_set(&sw->stats_timer, clock_now_ms() + 5000);
    loop_timer_init(loop, &sw->controller_timer, on_controllers, sw);
    loop_timer_set(&sw->controller_timer, clock_now_ms() + CONTROLLER_INTERVAL_MS);
    netdev_watch(&sw->watch, on_device, sw);
    ofproto_set_bond_listener(on_bond, sw);
    idl_set_callback(idl, on_replica, sw);
    return sw;
}

void
vswitchd_destroy(struct vswitchd *sw, bool cleanup)
{
    idl_set_callback(sw->idl, NULL, NULL);
    idl_txn_destroy(sw->txn);
    netdev_unwatch(&sw->watch);
    ofproto_set_bond_listener(NULL, NULL);
    loop_task_cancel(&sw->reconcile);
    work_wait_all(); /* A datapath may be on its way, also one that no bridge waits for any more. */
    loop_wake_uninit(&sw->prepared);
    loop_timer_cancel(&sw->stats_timer);
    loop_timer_cancel(&sw->controller_timer);
    ofproto_stop();
    reconcile_remove_all(sw, cleanup);
    hmap_uninit(&sw->qos_users);
    hmap_uninit(&sw->bridges);
    hmap_uninit(&sw->ports);
    hmap_uninit(&sw->ifaces);
    strmap_uninit(&sw->ports_by_name);
    strmap_uninit(&sw->ifaces_by_name);
    free(sw);
}
