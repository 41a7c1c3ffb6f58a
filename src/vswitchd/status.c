/* Status on its way to the database: what is stale is written, one transaction at a time. */
#include <stdlib.h>
#include <string.h>

#include "sys/log.h"
#include "vswitchd/vswitchd.h"

LOG_MODULE(bridge)

static void
bridge_write(struct bridge *br, const struct vs_bridge *row)
{
    struct strmap status = STRMAP_INIT(&status);
    char dpid[17];

    if (!br->ofproto) {
        idl_set_empty(&row->row, VS_BRIDGE_DATAPATH_ID);
        return;
    }
    snprintf(dpid, sizeof dpid, "%016llx", (unsigned long long) br->dpid_in_use);
    idl_set_string(&row->row, VS_BRIDGE_DATAPATH_ID, dpid);
    idl_set_string(&row->row, VS_BRIDGE_DATAPATH_VERSION, ofproto_datapath_version(br->ofproto));
    if (ofproto_served_by(br->ofproto)) {
        (void) strmap_put(&status, "datapath", xstrdup("userspace (the kernel has no openvswitch module)"));
    }
    idl_set_map(&row->row, VS_BRIDGE_STATUS, &status);
    strmap_uninit_free(&status);
}

static void
write_bridges(struct vswitchd *sw, struct loop_slice *slice)
{
    while (!list_is_empty(&sw->stale_bridges) && !loop_slice_is_over(slice)) {
        struct object *o = CONTAINER_OF(list_pop_front(&sw->stale_bridges), struct object, stale);
        const struct idl_row *row = idl_row_get(sw->idl, VS_BRIDGE, &o->uuid);

        list_push_back(&sw->in_flight, &o->stale);
        if (row) {
            bridge_write(CONTAINER_OF(o, struct bridge, o), (const struct vs_bridge *) row);
        }
    }
}

static void
write_ports(struct vswitchd *sw, struct loop_slice *slice)
{
    while (!list_is_empty(&sw->stale_ports) && !loop_slice_is_over(slice)) {
        struct object *o = CONTAINER_OF(list_pop_front(&sw->stale_ports), struct object, stale);
        const struct idl_row *row = idl_row_get(sw->idl, VS_PORT, &o->uuid);

        list_push_back(&sw->in_flight, &o->stale);
        if (row) {
            port_write(CONTAINER_OF(o, struct port, o), (const struct vs_port *) row);
        }
    }
}

static void
write_ifaces(struct vswitchd *sw, struct loop_slice *slice)
{
    while (!list_is_empty(&sw->stale_ifaces) && !loop_slice_is_over(slice)) {
        struct object *o = CONTAINER_OF(list_pop_front(&sw->stale_ifaces), struct object, stale);
        const struct idl_row *row = idl_row_get(sw->idl, VS_INTERFACE, &o->uuid);

        list_push_back(&sw->in_flight, &o->stale);
        if (row) {
            iface_write(CONTAINER_OF(o, struct iface, o), (const struct vs_interface *) row);
        }
    }
}

static void
write_controllers(struct vswitchd *sw)
{
    HMAP_FOR_EACH (o, struct object, node, &sw->bridges) {
        struct bridge *br = CONTAINER_OF(o, struct bridge, o);

        if (br->ofproto && br->n_controllers) {
            controller_write(br);
        }
    }
}

static void
write_mirrors(struct vswitchd *sw)
{
    HMAP_FOR_EACH (o, struct object, node, &sw->bridges) {
        struct bridge *br = CONTAINER_OF(o, struct bridge, o);

        if (br->ofproto && br->has_mirrors) {
            mirror_write(br);
        }
    }
}

static void
tell_ready(struct vswitchd *sw)
{
    if (sw->ready) {
        void (*ready)(void *) = sw->ready;

        sw->ready = NULL;
        ready(sw->ready_aux);
    }
}

/* What was in flight is written, or goes back to be written again. */
static void
settle(struct vswitchd *sw, bool written)
{
    while (!list_is_empty(&sw->in_flight)) {
        struct object *o = CONTAINER_OF(list_pop_front(&sw->in_flight), struct object, stale);

        if (!written) {
            list_push_back(o->stale_in, &o->stale);
        }
    }
    if (!written && sw->global_in_flight) {
        sw->global_stale = true;
        sw->constants_written = false;
    }
    sw->global_in_flight = false;
}

static void
finish(struct vswitchd *sw, enum idl_status status)
{
    static struct log_limit limit = LOG_LIMIT_INIT(5, 5);
    bool written = status == IDL_SUCCESS || status == IDL_UNCHANGED;

    if (status == IDL_ERROR) {
        /* It would fail again: what is wrong is said once, and the next change tries anew. */
        log_warn_rl(&limit, "cannot write status to the database: %s", idl_txn_error(sw->txn));
        written = true;
    }
    settle(sw, written);
    idl_txn_destroy(sw->txn);
    sw->txn = NULL;
    if (written) {
        tell_ready(sw);
    }
}

static void
on_answer(struct idl_txn *txn, void *sw_)
{
    struct vswitchd *sw = sw_;

    finish(sw, idl_txn_status(txn));
    loop_task_post(&sw->reconcile); /* More may have become stale meanwhile. */
}

static bool
any_object_is_stale(const struct vswitchd *sw)
{
    return !list_is_empty(&sw->stale_bridges) || !list_is_empty(&sw->stale_ports) || !list_is_empty(&sw->stale_ifaces);
}

/* True once all of them have been written: then cur_cfg may follow. */
static bool
write_objects(struct vswitchd *sw)
{
    struct loop_slice slice = loop_slice_begin();

    if (sw->ready) {
        slice.until_us = INT64_MAX; /* Who starts the daemon finds all of it when that has detached. */
    }
    write_bridges(sw, &slice);
    write_ports(sw, &slice);
    write_ifaces(sw, &slice);
    return !any_object_is_stale(sw);
}

void
status_run(struct vswitchd *sw)
{
    const struct vs_open_vswitch *global = global_row(sw);
    enum idl_status status;
    bool all;

    if (sw->txn || !sw->started || !idl_is_filled(sw->idl) ||
        (!any_object_is_stale(sw) && !sw->global_stale && !sw->controllers_stale && !sw->mirrors_stale)) {
        return;
    }
    sw->txn = idl_txn_create(sw->idl);
    all = write_objects(sw);
    if (sw->global_stale && global && all) {
        sw->global_in_flight = true;
        sw->global_stale = false;
        global_write(sw, global);
    }
    if (sw->controllers_stale) {
        sw->controllers_stale = false;
        write_controllers(sw);
    }
    if (sw->mirrors_stale) {
        sw->mirrors_stale = false;
        write_mirrors(sw);
    }
    status = idl_txn_commit(sw->txn, on_answer, sw);
    if (status != IDL_INCOMPLETE) {
        finish(sw, status);
        if (!all && status == IDL_UNCHANGED) { /* No answer comes for it, after which it would go on. */
            loop_task_post_next_turn(&sw->reconcile);
        }
    }
}

void
status_mark_all(struct vswitchd *sw)
{
    HMAP_FOR_EACH (o, struct object, node, &sw->bridges) {
        object_stale(o, &sw->stale_bridges);
    }
    HMAP_FOR_EACH (o, struct object, node, &sw->ifaces) {
        object_stale(o, &sw->stale_ifaces);
    }
    sw->global_stale = true;
}

void
status_mark_stats(struct vswitchd *sw)
{
    HMAP_FOR_EACH (o, struct object, node, &sw->ifaces) {
        CONTAINER_OF(o, struct iface, o)->stats_wanted = true;
        object_stale(o, &sw->stale_ifaces);
    }
    sw->controllers_stale = true;
    sw->mirrors_stale = true;
    sw->global_stale |= sw->cfg.enable_statistics;
    status_run(sw);
}
