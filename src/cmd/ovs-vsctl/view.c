#include <stdlib.h>
#include <string.h>

#include "cmd/ovs-vsctl/vsctl.h"

LOG_MODULE(vsctl_view)

struct error *
vsctl_view_prepare_bridges(struct dbctl_ctx *ctx)
{
    static const unsigned port_columns[] = { VS_PORT_NAME, VS_PORT_FAKE_BRIDGE, VS_PORT_TAG, VS_PORT_INTERFACES };

    dbctl_add_column(ctx->ctl, VS_OPEN_VSWITCH, VS_OPEN_VSWITCH_BRIDGES);
    dbctl_add_column(ctx->ctl, VS_BRIDGE, VS_BRIDGE_NAME);
    for (size_t i = 0; i < ARRAY_SIZE(port_columns); i++) {
        dbctl_add_column_only(ctx->ctl, VS_PORT, port_columns[i]);
    }
    dbctl_add_rows_take(ctx->ctl, VS_PORT, VS_PORT_FAKE_BRIDGE, js_bool(true));
    dbctl_add_column_only(ctx->ctl, VS_INTERFACE, VS_INTERFACE_NAME);
    if (ctx->ctl->level > 0) {
        dbctl_add_column(ctx->ctl, VS_BRIDGE, VS_BRIDGE_PORTS);
    }
    if (ctx->ctl->level >= DBCTL_LEVEL_ALL) {
        dbctl_add_column(ctx->ctl, VS_PORT, COL_UUID);
        dbctl_add_column(ctx->ctl, VS_INTERFACE, COL_UUID);
    }
    return NULL;
}

struct error *
vsctl_view_prepare(struct dbctl_ctx *ctx)
{
    dbctl_add_column(ctx->ctl, VS_BRIDGE, VS_BRIDGE_PORTS);
    dbctl_add_column(ctx->ctl, VS_PORT, COL_UUID);
    dbctl_add_column(ctx->ctl, VS_INTERFACE, COL_UUID);
    return vsctl_view_prepare_bridges(ctx);
}

void
vsctl_view_prepare_name(struct dbctl_ctx *ctx, const char *name, bool owners)
{
    dbctl_add_rows_take(ctx->ctl, VS_PORT, VS_PORT_NAME, js_str(name));
    dbctl_add_rows_take(ctx->ctl, VS_INTERFACE, VS_INTERFACE_NAME, js_str(name));
    if (owners) {
        dbctl_add_column(ctx->ctl, VS_BRIDGE, VS_BRIDGE_PORTS);
    }
}

/* ---- Making the tables ---- */

struct vsctl_bridge *
vsctl_view_add_bridge(struct vsctl *v, const struct vs_bridge *row, const struct vs_port *fake_port,
                      struct vsctl_bridge *parent, int vlan)
{
    struct vsctl_bridge *b = xzalloc(sizeof *b);

    b->row = row;
    b->port = fake_port;
    b->name = fake_port ? vs_port_name(fake_port) : vs_bridge_name(row);
    b->parent = parent;
    b->vlan = vlan;
    list_init(&b->ports);
    strmap_put(&v->bridges, b->name, b);
    return b;
}

struct vsctl_port *
vsctl_view_add_port(struct vsctl *v, struct vsctl_bridge *b, const struct vs_port *row)
{
    struct vsctl_port *p = xzalloc(sizeof *p);

    p->row = row;
    p->name = vs_port_name(row);
    p->bridge = b;
    list_init(&p->ifaces);
    list_push_back(&b->ports, &p->node);
    strmap_put(&v->ports, p->name, p);
    return p;
}

struct vsctl_iface *
vsctl_view_add_iface(struct vsctl *v, struct vsctl_port *p, const struct vs_interface *row)
{
    struct vsctl_iface *i = xzalloc(sizeof *i), *old;

    i->row = row;
    i->name = vs_interface_name(row);
    i->port = p;
    list_push_back(&p->ifaces, &i->node);
    old = strmap_put(&v->ifaces, i->name, i);
    if (old) { /* Twice in one bond: the server will refuse it. */
        list_remove(&old->node);
        free(old);
    }
    return i;
}

static bool
is_fake_bridge(const struct vs_port *port)
{
    const int64_t tag = vs_port_tag(port, -1);

    return vs_port_fake_bridge(port) && tag >= 0 && tag <= 4095;
}

static void
add_bridges(struct vsctl *v, const struct vs_bridge *row)
{
    struct vsctl_bridge *b, *fake;

    if (strmap_find(&v->bridges, vs_bridge_name(row))) {
        log_warn("%s: database contains duplicate bridge name", vs_bridge_name(row));
        return;
    }
    b = vsctl_view_add_bridge(v, row, NULL, NULL, 0);
    for (size_t i = 0; i < idl_count(&row->row, VS_BRIDGE_PORTS); i++) {
        const struct vs_port *port = vs_bridge_ports(row, i);

        if (!port || !is_fake_bridge(port) || !strcmp(vs_port_name(port), b->name)) {
            continue;
        }
        fake = strmap_get(&v->bridges, vs_port_name(port));
        if (fake) {
            log_warn("%s: database contains duplicate bridge name", fake->name);
        } else {
            vsctl_view_add_bridge(v, row, port, b, vs_port_tag(port, 0));
        }
    }
}

struct vsctl_bridge *
vsctl_find_vlan_bridge(struct vsctl *v, const struct vsctl_bridge *parent, int vlan)
{
    STRMAP_FOR_EACH (e, &v->bridges) {
        struct vsctl_bridge *b = e->value;

        if (b->parent == parent && b->vlan == vlan) {
            return b;
        }
    }
    return NULL;
}

static void
add_port(struct vsctl *v, struct vsctl_bridge *b, const struct vs_port *row, bool has_fakes)
{
    const int64_t tag = vs_port_tag(row, -1);
    struct vsctl_bridge *fake = has_fakes && tag >= 0 ? vsctl_find_vlan_bridge(v, b, tag) : NULL;
    struct vsctl_port *p = strmap_get(&v->ports, vs_port_name(row));

    if (p) {
        if (p->row == row) {
            log_warn("%s: port is in multiple bridges (%s and %s)", p->name, p->bridge->name, b->name);
        } else {
            log_warn("%s: database contains duplicate port name", p->name);
        }
        return;
    }
    if (strmap_find(&v->bridges, vs_port_name(row))) {
        return; /* A local port. */
    }
    p = vsctl_view_add_port(v, fake ? fake : b, row);
    for (size_t i = 0; i < idl_count(&row->row, VS_PORT_INTERFACES); i++) {
        const struct vs_interface *iface = vs_port_interfaces(row, i);

        if (!iface) {
            continue;
        }
        if (strmap_find(&v->ifaces, vs_interface_name(iface))) {
            log_warn("%s: database contains duplicate interface name", vs_interface_name(iface));
        } else {
            vsctl_view_add_iface(v, p, iface);
        }
    }
}

static void
make(struct vsctl *v)
{
    struct strmap_entry **bridges;
    size_t n;

    strmap_init(&v->bridges);
    strmap_init(&v->ports);
    strmap_init(&v->ifaces);
    v->is_made = true;
    for (size_t i = 0; i < idl_count(&v->root->row, VS_OPEN_VSWITCH_BRIDGES); i++) {
        const struct vs_bridge *row = vs_open_vswitch_bridges(v->root, i);

        if (row) {
            add_bridges(v, row);
        }
    }
    n = strmap_count(&v->bridges);
    bridges = strmap_sorted(&v->bridges);
    for (size_t i = 0; i < n; i++) {
        struct vsctl_bridge *b = bridges[i]->value;
        bool has_fakes = false;

        if (b->parent) {
            continue;
        }
        for (size_t j = 0; j < n; j++) {
            has_fakes |= ((struct vsctl_bridge *) bridges[j]->value)->parent == b;
        }
        for (size_t j = 0; j < idl_count(&b->row->row, VS_BRIDGE_PORTS); j++) {
            const struct vs_port *port = vs_bridge_ports(b->row, j);

            if (port) {
                add_port(v, b, port, has_fakes);
            }
        }
    }
    free(bridges);
}

static bool
lacks_ifaces(const struct vsctl_port *p)
{
    return list_size(&p->ifaces) != idl_count(&p->row->row, VS_PORT_INTERFACES);
}

/* Whether some row that was fetched has no place in the tables since what it belongs to was not: then there is no
 * saying what it is.  Local ports and new rows need no place. */
static bool
is_incomplete(const struct vsctl *v, const struct idl *idl)
{
    VS_PORT_FOR_EACH (port, idl) {
        const struct vsctl_port *p = strmap_get(&v->ports, vs_port_name(port));
        const struct vsctl_bridge *b = strmap_get(&v->bridges, vs_port_name(port));

        if (idl_row_is_new(&port->row)) {
            continue;
        }
        if (vs_port_fake_bridge(port) ? !b : !b && (!p || lacks_ifaces(p))) {
            return true;
        }
    }
    VS_INTERFACE_FOR_EACH (iface, idl) {
        const char *name = vs_interface_name(iface);

        if (!idl_row_is_new(&iface->row) && !strmap_find(&v->ifaces, name) && !strmap_find(&v->bridges, name)) {
            return true;
        }
    }
    return false;
}

struct vsctl *
vsctl_view(struct dbctl_ctx *ctx)
{
    struct vsctl *v = vsctl_of(ctx);

    if (!v->is_made) {
        make(v);
        if (ctx->ctl->level < DBCTL_LEVEL_ALL && is_incomplete(v, ctx->ctl->idl)) {
            dbctl_need_more(ctx->ctl);
        }
    }
    return v;
}

void
vsctl_view_drop(struct vsctl *v)
{
    if (v->is_made) {
        strmap_uninit_free(&v->bridges);
        strmap_uninit_free(&v->ports);
        strmap_uninit_free(&v->ifaces);
        v->is_made = false;
    }
}

/* ---- Finding ---- */

struct error *
vsctl_find_bridge(struct dbctl_ctx *ctx, const char *name, bool must_exist, struct vsctl_bridge **b)
{
    *b = strmap_get(&vsctl_view(ctx)->bridges, name);
    if (!*b && must_exist) {
        return error_new("no bridge named %s", name);
    }
    return NULL;
}

struct error *
vsctl_find_real_bridge(struct dbctl_ctx *ctx, const char *name, struct vsctl_bridge **b)
{
    struct error *e = vsctl_find_bridge(ctx, name, true, b);

    return !e && (*b)->parent ? error_new("%s is a fake bridge", name) : e;
}

struct error *
vsctl_find_port(struct dbctl_ctx *ctx, const char *name, bool must_exist, struct vsctl_port **p)
{
    *p = strmap_get(&vsctl_view(ctx)->ports, name);
    return !*p && must_exist ? error_new("no port named %s", name) : NULL;
}

struct error *
vsctl_find_iface(struct dbctl_ctx *ctx, const char *name, bool must_exist, struct vsctl_iface **i)
{
    *i = strmap_get(&vsctl_view(ctx)->ifaces, name);
    return !*i && must_exist ? error_new("no interface named %s", name) : NULL;
}

struct error *
vsctl_check_name(struct dbctl_ctx *ctx, const char *name, const char *what)
{
    struct vsctl *v = vsctl_view(ctx);
    const struct vsctl_port *p = strmap_get(&v->ports, name);
    const struct vsctl_iface *i = strmap_get(&v->ifaces, name);

    if (strmap_find(&v->bridges, name)) {
        return error_new("%s because a bridge named %s already exists", what, name);
    }
    if (p) {
        return error_new("%s because a port named %s already exists on bridge %s", what, name, p->bridge->name);
    }
    if (i) {
        return error_new("%s because an interface named %s already exists on bridge %s", what, name,
                         i->port->bridge->name);
    }
    return NULL;
}

/* ---- Changing ---- */

/* Rows go away by themselves when nothing refers to them; deleting them as well hides them from later commands. */

static void
forget_iface(struct vsctl *v, struct vsctl_iface *i)
{
    strmap_remove(&v->ifaces, i->name);
    list_remove(&i->node);
    idl_delete(&i->row->row);
    free(i);
}

static void
forget_port(struct vsctl *v, struct vsctl_port *p)
{
    LIST_FOR_EACH_SAFE (i, struct vsctl_iface, node, &p->ifaces) {
        forget_iface(v, i);
    }
    strmap_remove(&v->ports, p->name);
    list_remove(&p->node);
    idl_delete(&p->row->row);
    free(p);
}

void
vsctl_delete_iface(struct vsctl *v, struct vsctl_iface *i)
{
    idl_remove_ref(&i->port->row->row, VS_PORT_INTERFACES, &i->row->row);
    forget_iface(v, i);
}

void
vsctl_delete_port(struct vsctl *v, struct vsctl_port *p)
{
    idl_remove_ref(&p->bridge->row->row, VS_BRIDGE_PORTS, &p->row->row);
    forget_port(v, p);
}

static void
delete_local_port(const struct vs_port *port)
{
    for (size_t i = 0; i < idl_count(&port->row, VS_PORT_INTERFACES); i++) {
        const struct vs_interface *iface = vs_port_interfaces(port, i);

        if (iface) {
            idl_delete(&iface->row);
        }
    }
    idl_delete(&port->row);
}

static void
delete_fake_bridge(struct vsctl *v, struct vsctl_bridge *b)
{
    LIST_FOR_EACH_SAFE (p, struct vsctl_port, node, &b->ports) {
        vsctl_delete_port(v, p);
    }
    idl_remove_ref(&b->row->row, VS_BRIDGE_PORTS, &b->port->row);
    strmap_remove(&v->bridges, b->name);
    delete_local_port(b->port);
    free(b);
}

void
vsctl_delete_bridge(struct vsctl *v, struct vsctl_bridge *b)
{
    struct strmap_entry **all;
    size_t n;

    if (b->parent) {
        delete_fake_bridge(v, b);
        return;
    }
    all = strmap_sorted(&v->bridges);
    n = strmap_count(&v->bridges);
    for (size_t i = 0; i < n; i++) {
        struct vsctl_bridge *child = all[i]->value;

        if (child->parent == b) {
            delete_fake_bridge(v, child);
        }
    }
    free(all);
    LIST_FOR_EACH_SAFE (p, struct vsctl_port, node, &b->ports) {
        forget_port(v, p);
    }
    for (size_t i = 0; i < idl_count(&b->row->row, VS_BRIDGE_PORTS); i++) {
        const struct vs_port *port = vs_bridge_ports(b->row, i);

        if (port) {
            delete_local_port(port);
        }
    }
    idl_remove_ref(&v->root->row, VS_OPEN_VSWITCH_BRIDGES, &b->row->row);
    strmap_remove(&v->bridges, b->name);
    idl_delete(&b->row->row);
    free(b);
}

struct vs_interface *
vsctl_insert_iface(struct dbctl_ctx *ctx, const char *name)
{
    struct vs_interface *row = vs_interface_insert(ctx->ctl->txn);
    struct vsctl *v = vsctl_of(ctx);

    vs_interface_name_set(row, name);
    v->new_ifaces = xreallocarray(v->new_ifaces, v->n_new_ifaces + 1, sizeof *v->new_ifaces);
    v->new_ifaces[v->n_new_ifaces++] = xstrdup(name);
    return row;
}
