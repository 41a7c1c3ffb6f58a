/* Reconciling: what changed in the replica becomes what runs.  The order is in vswitchd.h. */
#include <stdlib.h>
#include <string.h>

#include "netdev/qos.h"
#include "sys/counter.h"
#include "sys/log.h"
#include "vswitchd/vswitchd.h"

LOG_MODULE(bridge)

/* Turns of the main loop after which something was left to be removed, or applied. */
COUNTER(reconcile_turns)

static const struct vs_bridge *
bridge_row(const struct bridge *br)
{
    return (const struct vs_bridge *) idl_row_get(br->o.sw->idl, VS_BRIDGE, &br->o.uuid);
}

static const struct vs_port *
port_row(const struct port *p)
{
    return (const struct vs_port *) idl_row_get(p->o.sw->idl, VS_PORT, &p->o.uuid);
}

static struct bridge *
find_bridge(const struct vswitchd *sw, const struct uuid *uuid)
{
    struct object *o = object_find(&sw->bridges, uuid);

    return o ? CONTAINER_OF(o, struct bridge, o) : NULL;
}

static struct port *
find_port(const struct vswitchd *sw, const struct uuid *uuid)
{
    struct object *o = object_find(&sw->ports, uuid);

    return o ? CONTAINER_OF(o, struct port, o) : NULL;
}

static struct iface *
find_iface(const struct vswitchd *sw, const struct uuid *uuid)
{
    struct object *o = object_find(&sw->ifaces, uuid);

    return o ? CONTAINER_OF(o, struct iface, o) : NULL;
}

/* 1. mark */

static void
mark_bridges(struct vswitchd *sw)
{
    HMAP_FOR_EACH (o, struct object, node, &sw->bridges) {
        object_dirty(o, &sw->dirty_bridges);
    }
}

/* Rows that hang off bridges without objects of their own: few, and rarely changed. */
static void
mark_dependents(struct vswitchd *sw)
{
    if (idl_first_change(sw->idl, VS_CONTROLLER) || idl_first_change(sw->idl, VS_FLOW_TABLE) ||
        idl_first_change(sw->idl, VS_MIRROR) || idl_first_change(sw->idl, VS_MANAGER) ||
        idl_first_change(sw->idl, VS_IPFIX) || idl_first_change(sw->idl, VS_FLOW_SAMPLE_COLLECTOR_SET)) {
        mark_bridges(sw);
    }
}

static void
mark_table(struct vswitchd *sw, unsigned table, const struct hmap *objects, struct list *dirty)
{
    IDL_FOR_EACH_CHANGE (row, sw->idl, table) {
        struct object *o = object_find(objects, &row->uuid);

        if (o) {
            object_dirty(o, dirty);
        }
    }
}

static void
mark(struct vswitchd *sw)
{
    mark_table(sw, VS_BRIDGE, &sw->bridges, &sw->dirty_bridges);
    mark_table(sw, VS_PORT, &sw->ports, &sw->dirty_ports);
    mark_table(sw, VS_INTERFACE, &sw->ifaces, &sw->dirty_ifaces);
    mark_dependents(sw);
    qos_mark_ports(sw);
}

/* 2. remove */

/* The object of a row, null if there is none.  A row that has taken the place of an object's own, which is gone, has
 * that object from now on. */

static struct iface *
iface_of(struct port *p, const struct vs_interface *row)
{
    struct iface *f = find_iface(p->o.sw, &row->row.uuid);

    if (f) {
        return f;
    }
    f = strmap_get(&p->o.sw->ifaces_by_name, vs_interface_name(row));
    if (!f || f->port != p || iface_row(f)) {
        return NULL;
    }
    object_take_row(&f->o, &p->o.sw->ifaces, &row->row.uuid);
    object_dirty(&f->o, &p->o.sw->dirty_ifaces);
    return f;
}

static struct port *
port_of(struct bridge *br, const struct vs_port *row)
{
    struct port *p = find_port(br->o.sw, &row->row.uuid);

    if (p) {
        return p;
    }
    p = strmap_get(&br->o.sw->ports_by_name, vs_port_name(row));
    if (!p || p->bridge != br || port_row(p)) {
        return NULL;
    }
    object_take_row(&p->o, &br->o.sw->ports, &row->row.uuid);
    object_dirty(&p->o, &br->o.sw->dirty_ports);
    return p;
}

static struct bridge *
bridge_of(struct vswitchd *sw, const struct vs_bridge *row)
{
    struct bridge *found = find_bridge(sw, &row->row.uuid);

    if (found) {
        return found;
    }
    HMAP_FOR_EACH (o, struct object, node, &sw->bridges) {
        struct bridge *br = CONTAINER_OF(o, struct bridge, o);

        if (!strcmp(o->name, vs_bridge_name(row)) && !bridge_row(br)) {
            object_take_row(o, &sw->bridges, &row->row.uuid);
            object_dirty(o, &sw->dirty_bridges);
            return br;
        }
    }
    return NULL;
}

static void
remove_ifaces(struct port *p, const struct vs_port *row, uint64_t generation)
{
    for (size_t i = 0; i < vs_port_interfaces_datum(row)->n; i++) {
        const struct vs_interface *child = vs_port_interfaces(row, i);
        struct iface *f = child ? iface_of(p, child) : NULL;

        if (f && f->port == p) {
            f->o.seen = generation;
        }
    }
    LIST_FOR_EACH_SAFE (f, struct iface, in_port, &p->ifaces) {
        if (f->o.seen != generation) {
            iface_destroy(f);
        }
    }
}

/* These return false if something is left to be removed in another turn of the loop, or may be: each removes something,
 * so that it ends.  A port takes long: a line in the log, maybe a device of the system. */

static bool
remove_ports(struct bridge *br, const struct vs_bridge *row, uint64_t generation, const struct loop_slice *slice)
{
    for (size_t i = 0; i < vs_bridge_ports_datum(row)->n; i++) {
        const struct vs_port *child = vs_bridge_ports(row, i);
        struct port *p = child ? port_of(br, child) : NULL;

        if (p && p->bridge == br) {
            p->o.seen = generation;
        }
    }
    LIST_FOR_EACH_SAFE (p, struct port, in_bridge, &br->ports) {
        if (p->o.seen != generation) {
            port_destroy(p);
            bridge_unsettle(br);
            if (loop_slice_has_ended(slice)) {
                return false;
            }
        }
    }
    return true;
}

static bool
remove_bridge(struct bridge *br, const struct loop_slice *slice)
{
    while (!list_is_empty(&br->ports)) {
        port_destroy(CONTAINER_OF(br->ports.next, struct port, in_bridge));
        if (loop_slice_has_ended(slice)) {
            return false;
        }
    }
    bridge_destroy(br, true);
    return true;
}

/* Bridges that no row names any more, or that must be made anew. */
static bool
remove_bridges(struct vswitchd *sw, const struct vs_open_vswitch *global, uint64_t generation,
               const struct loop_slice *slice)
{
    for (size_t i = 0; global && i < vs_open_vswitch_bridges_datum(global)->n; i++) {
        const struct vs_bridge *child = vs_open_vswitch_bridges(global, i);
        struct bridge *br = child ? bridge_of(sw, child) : NULL;

        if (br && !bridge_must_be_remade(br, child)) {
            br->o.seen = generation;
        }
    }
    HMAP_FOR_EACH_SAFE (o, struct object, node, &sw->bridges) {
        struct bridge *br = CONTAINER_OF(o, struct bridge, o);

        if (o->seen != generation && !remove_bridge(br, slice)) {
            return false;
        }
    }
    return true;
}

static void
drop_if_changed(struct iface *f)
{
    const struct vs_interface *row = iface_row(f);

    if (row) {
        iface_drop_if_changed(f, row);
    }
}

static bool
remove_gone(struct vswitchd *sw, const struct vs_open_vswitch *global, uint64_t generation,
            const struct loop_slice *slice)
{
    bool bridges_changed = idl_first_change(sw->idl, VS_OPEN_VSWITCH) || idl_first_change(sw->idl, VS_BRIDGE);

    if ((bridges_changed || !global) && !remove_bridges(sw, global, generation, slice)) {
        return false;
    }
    LIST_FOR_EACH_SAFE (o, struct object, dirty, &sw->dirty_bridges) {
        struct bridge *br = CONTAINER_OF(o, struct bridge, o);
        const struct vs_bridge *row = bridge_row(br);

        if (row && !remove_ports(br, row, generation, slice)) {
            return false;
        }
    }
    LIST_FOR_EACH_SAFE (o, struct object, dirty, &sw->dirty_ports) {
        struct port *p = CONTAINER_OF(o, struct port, o);
        const struct vs_port *row = port_row(p);

        if (row) {
            remove_ifaces(p, row, generation);
        }
    }
    LIST_FOR_EACH_SAFE (o, struct object, dirty, &sw->dirty_ifaces) {
        struct iface *f = CONTAINER_OF(o, struct iface, o);
        bool had_device = f->netdev != NULL;

        drop_if_changed(f);
        if (had_device && !f->netdev && loop_slice_has_ended(slice)) {
            return false;
        }
    }
    /* Like the reference, not at once when a port asks for another's number as it comes, but with the next change. */
    if (bridges_changed) {
        LIST_FOR_EACH_SAFE (f, struct iface, unsatisfied, &sw->unsatisfied) {
            drop_if_changed(f);
        }
    }
    return true;
}

/* 3. add */

static void
add_bridges(struct vswitchd *sw, const struct vs_open_vswitch *global)
{
    for (size_t i = 0; global && i < vs_open_vswitch_bridges_datum(global)->n; i++) {
        const struct vs_bridge *child = vs_open_vswitch_bridges(global, i);

        if (child && !find_bridge(sw, &child->row.uuid)) {
            bridge_create(sw, child);
        }
    }
}

/* Whether the row has come since the changes of this run were taken: then it is for the next one, before which what it
 * may take the place of goes. */
static bool
is_of_next_run(const struct idl_row *row)
{
    return row->changes & IDL_ROW_INSERTED;
}

/* These return false if something is left for another turn of the loop: to be called again. */

static bool
add_ports(struct bridge *br, const struct vs_bridge *row, struct loop_slice *slice)
{
    for (size_t i = 0; i < vs_bridge_ports_datum(row)->n; i++) {
        const struct vs_port *child = vs_bridge_ports(row, i);

        if (child && !is_of_next_run(&child->row) && !find_port(br->o.sw, &child->row.uuid)) {
            port_create(br, child);
            if (loop_slice_is_over(slice)) {
                return false;
            }
        }
    }
    return true;
}

/* An interface of that name that is still in use elsewhere keeps its device; this one waits with an error. */
static void
add_ifaces(struct port *p, const struct vs_port *row)
{
    for (size_t i = 0; i < vs_port_interfaces_datum(row)->n; i++) {
        const struct vs_interface *child = vs_port_interfaces(row, i);

        if (child && !is_of_next_run(&child->row) && !find_iface(p->o.sw, &child->row.uuid)) {
            if (strmap_get(&p->o.sw->ifaces_by_name, vs_interface_name(child))) {
                log_warn("interface %s is already in use; port %s does without it", vs_interface_name(child),
                         p->o.name);
            } else {
                iface_create(p, child);
            }
        }
    }
}

/* Those of dirty bridges: 'added' are the bridges that are through. */
static bool
add_all_ports(struct vswitchd *sw, struct loop_slice *slice)
{
    while (!list_is_empty(&sw->dirty_bridges)) {
        struct object *o = CONTAINER_OF(sw->dirty_bridges.next, struct object, dirty);
        struct bridge *br = CONTAINER_OF(o, struct bridge, o);
        const struct vs_bridge *row = bridge_row(br);

        if (row && !add_ports(br, row, slice)) {
            return false;
        }
        list_remove(&o->dirty);
        list_push_back(&sw->added, &o->dirty);
    }
    list_splice(&sw->dirty_bridges, &sw->added);
    return true;
}

/* Those of dirty ports, likewise. */
static bool
add_all_ifaces(struct vswitchd *sw, struct loop_slice *slice)
{
    while (!list_is_empty(&sw->dirty_ports)) {
        struct object *o = CONTAINER_OF(sw->dirty_ports.next, struct object, dirty);
        struct port *p = CONTAINER_OF(o, struct port, o);
        const struct vs_port *row = port_row(p);

        if (row) {
            add_ifaces(p, row);
        }
        list_remove(&o->dirty);
        list_push_back(&sw->added, &o->dirty);
        if (loop_slice_is_over(slice)) {
            return false;
        }
    }
    list_splice(&sw->dirty_ports, &sw->added);
    return true;
}

/* 4. apply */

static struct object *
take_first(struct list *dirty)
{
    struct object *o = CONTAINER_OF(dirty->next, struct object, dirty);

    list_remove(&o->dirty);
    return o;
}

static void
apply_iface(struct iface *f)
{
    const struct vs_interface *row = iface_row(f);

    if (row) {
        iface_configure(f, row);
    }
}

/* When it is the interface's turn to get a number: local ports, then what is asked for, what was before a restart. */
static int
turn_of(const struct iface *f)
{
    const struct vs_interface *row = iface_row(f);

    return iface_is_local(f) ? 0
           : row && vs_interface_ofport_request(row, 0) > 0 ? 1
           : row && vs_interface_ofport(row, 0) > 0 && !f->lost_number ? 2 : 3;
}

struct turn {
    int turn;
    struct iface *iface;
};

/* The names of a batch of new ports decide their numbers where nobody asked for any. */
static int
compare_turns(const void *a_, const void *b_)
{
    const struct turn *a = a_, *b = b_;

    return a->turn != b->turn ? a->turn - b->turn : strcmp(a->iface->o.name, b->iface->o.name);
}

static void
order_ifaces(struct vswitchd *sw)
{
    size_t n = list_size(&sw->dirty_ifaces), i = 0;
    struct turn *all = xcalloc(n + 1, sizeof *all);

    while (!list_is_empty(&sw->dirty_ifaces)) {
        struct iface *f = CONTAINER_OF(take_first(&sw->dirty_ifaces), struct iface, o);

        all[i++] = (struct turn) { turn_of(f), f };
    }
    qsort(all, n, sizeof *all, compare_turns);
    for (i = 0; i < n; i++) {
        list_push_back(&sw->applying, &all[i].iface->o.dirty);
    }
    free(all);
}

static void
apply_bridge(struct bridge *br)
{
    const struct vs_bridge *row = bridge_row(br);

    if (row) {
        bridge_configure(br, row);
    }
}

static void
apply_port(struct port *p)
{
    const struct vs_port *row = port_row(p);

    if (row && p->bridge->ofproto) {
        port_configure(p, row);
    }
}

/* These return false if something is left for another turn of the loop.  Each gets on, so that it ends. */

static bool
apply_bridges(struct vswitchd *sw, const struct loop_slice *slice)
{
    sw->is_preparing = false;
    while (!list_is_empty(&sw->dirty_bridges)) {
        sw->is_preparing = !bridge_is_prepared(CONTAINER_OF(sw->dirty_bridges.next, struct bridge, o.dirty));
        if (sw->is_preparing) {
            return false;
        }
        apply_bridge(CONTAINER_OF(take_first(&sw->dirty_bridges), struct bridge, o));
        if (loop_slice_has_ended(slice)) {
            return false;
        }
    }
    return true;
}

static bool
apply_ifaces(struct vswitchd *sw, const struct loop_slice *slice)
{
    while (!list_is_empty(&sw->applying)) {
        sw->is_preparing = !iface_is_prepared(CONTAINER_OF(sw->applying.next, struct iface, o.dirty));
        if (sw->is_preparing) {
            return false;
        }
        apply_iface(CONTAINER_OF(take_first(&sw->applying), struct iface, o));
        if (loop_slice_has_ended(slice)) {
            return false;
        }
    }
    return true;
}

static bool
apply_ports(struct vswitchd *sw, const struct loop_slice *slice)
{
    while (!list_is_empty(&sw->dirty_ports)) {
        apply_port(CONTAINER_OF(take_first(&sw->dirty_ports), struct port, o));
        if (loop_slice_has_ended(slice)) {
            return false;
        }
    }
    while (!list_is_empty(&sw->unsettled)) {
        bridge_settle(CONTAINER_OF(sw->unsettled.next, struct bridge, unsettled));
        if (loop_slice_has_ended(slice)) {
            return false;
        }
    }
    return true;
}

/* Adds what is new, and applies.  What must go before an interface is applied whose device changes meanwhile goes in
 * the next run: it does not come to those in 'applying'. */
static bool
apply(struct vswitchd *sw, struct loop_slice *slice)
{
    if (sw->phase == ADD_PORTS) {
        if (!add_all_ports(sw, slice)) {
            return false;
        }
        sw->phase = ADD_IFACES;
    }
    if (sw->phase == ADD_IFACES) {
        if (!add_all_ifaces(sw, slice)) {
            return false;
        }
        sw->phase = APPLY_BRIDGES;
    }
    if (sw->phase == APPLY_BRIDGES) {
        if (!apply_bridges(sw, slice)) {
            return false;
        }
        order_ifaces(sw);
        sw->phase = APPLY_IFACES;
    }
    if (sw->phase == APPLY_IFACES) {
        if (!apply_ifaces(sw, slice)) {
            return false;
        }
        sw->phase = APPLY_PORTS;
    }
    return apply_ports(sw, slice) && netdev_finish_qos(slice);
}

/* 1., 2., and new bridges; then what has changed is in our lists, and the replica can note the next changes. */
static bool
take_changes(struct vswitchd *sw, const struct loop_slice *slice)
{
    static uint64_t generation;
    const struct vs_open_vswitch *global = global_row(sw);

    generation++;
    mark(sw);
    if (global) {
        global_configure(sw, global);
    }
    if (!remove_gone(sw, global, generation, slice)) {
        return false; /* The replica's changes stay as they are until then. */
    }
    if (idl_first_change(sw->idl, VS_OPEN_VSWITCH) || idl_first_change(sw->idl, VS_BRIDGE)) {
        add_bridges(sw, global);
    }
    sw->zones_changed = zones_have_changes(sw);
    sw->cfg_applying = global ? vs_open_vswitch_next_cfg(global) : sw->cfg_seen;
    idl_clear_changes(sw->idl);
    sw->phase = ADD_PORTS;
    return true;
}

static void
finish_run(struct vswitchd *sw)
{
    const struct vs_open_vswitch *global = global_row(sw);

    sw->phase = APPLY_NOTHING;
    if (global && sw->zones_changed) {
        zones_configure(global);
    }
    if (sw->cfg_applying != sw->cfg_seen) {
        sw->cfg_seen = sw->cfg_applying;
        sw->global_stale = true;
    }
    if (!sw->started) {
        sw->started = true;
        status_mark_all(sw);
    }
    status_run(sw);
}

void
reconcile_run(struct vswitchd *sw)
{
    struct loop_slice slice = loop_slice_begin();
    bool goes_on = sw->phase != APPLY_NOTHING;

    if (!idl_was_filled(sw->idl)) {
        return;
    }
    if (!sw->started) {
        slice.until_us = INT64_MAX; /* Nobody is to see half a switch. */
    }
    if ((!goes_on && !take_changes(sw, &slice)) || !apply(sw, &slice)) {
        counter_inc(reconcile_turns);
        loop_task_cancel(&sw->reconcile); /* What has been told of may want it in this turn. */
        if (!sw->is_preparing) {
            loop_task_post_next_turn(&sw->reconcile);
        }
        return;
    }
    finish_run(sw);
    if (goes_on) {
        loop_task_post_next_turn(&sw->reconcile); /* For what has changed meanwhile. */
    }
}

void
reconcile_remove_all(struct vswitchd *sw, bool cleanup)
{
    HMAP_FOR_EACH_SAFE (o, struct object, node, &sw->bridges) {
        bridge_destroy(CONTAINER_OF(o, struct bridge, o), cleanup);
    }
}
