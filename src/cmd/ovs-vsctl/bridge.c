/* Bridges, real and fake. */
#include <stdlib.h>
#include <string.h>

#include "cmd/ovs-vsctl/vsctl.h"

/* ---- add-br ---- */

static struct error *
check_existing_real(const struct vsctl_bridge *b)
{
    return b->parent ? error_new("\"--may-exist add-br %s\" but %s is a VLAN bridge for VLAN %d", b->name, b->name,
                                 b->vlan)
                     : NULL;
}

static struct error *
check_existing_fake(const struct vsctl_bridge *b, const char *parent, int vlan)
{
    char *what = xasprintf("\"--may-exist add-br %s %s %d\"", b->name, parent, vlan);
    struct error *e = NULL;

    if (!b->parent) {
        e = error_new("%s but %s is not a VLAN bridge", what, b->name);
    } else if (strcmp(b->parent->name, parent)) {
        e = error_new("%s but %s has the wrong parent %s", what, b->name, b->parent->name);
    } else if (b->vlan != vlan) {
        e = error_new("%s but %s is a VLAN bridge for the wrong VLAN %d", what, b->name, b->vlan);
    }
    free(what);
    return e;
}

/* The local port of a bridge that is being made. */
static struct vs_port *
insert_local_port(struct dbctl_ctx *ctx, const char *name)
{
    struct vs_interface *iface = vsctl_insert_iface(ctx, name);
    struct vs_port *port = vs_port_insert(ctx->ctl->txn);

    vs_interface_type_set(iface, "internal");
    vs_port_name_set(port, name);
    idl_put_ref(&port->row, VS_PORT_INTERFACES, &iface->row);
    return port;
}

static void
add_real_bridge(struct dbctl_ctx *ctx, const char *name)
{
    struct vs_port *port = insert_local_port(ctx, name);
    struct vs_bridge *row = vs_bridge_insert(ctx->ctl->txn);
    struct vsctl *v = vsctl_view(ctx);

    vs_bridge_name_set(row, name);
    idl_put_ref(&row->row, VS_BRIDGE_PORTS, &port->row);
    idl_put_ref(&v->root->row, VS_OPEN_VSWITCH_BRIDGES, &row->row);
    vsctl_view_add_bridge(v, row, NULL, NULL, 0);
}

static struct error *
add_fake_bridge(struct dbctl_ctx *ctx, const char *name, const char *parent_name, int vlan)
{
    struct vsctl *v = vsctl_view(ctx);
    struct vsctl_bridge *parent, *other;
    struct vs_port *port;
    struct error *e = vsctl_find_bridge(ctx, parent_name, false, &parent);

    if (!e && (!parent || parent->parent)) {
        return parent ? error_new("cannot create bridge with fake bridge as parent")
                      : error_new("parent bridge %s does not exist", parent_name);
    }
    other = e ? NULL : vsctl_find_vlan_bridge(v, parent, vlan);
    if (other) {
        return error_new("bridge %s already has a child VLAN bridge %s on VLAN %d", parent_name, other->name, vlan);
    }
    port = insert_local_port(ctx, name);
    vs_port_fake_bridge_set(port, true);
    vs_port_tag_set(port, vlan);
    idl_verify(&parent->row->row, VS_BRIDGE_NAME);
    idl_put_ref(&parent->row->row, VS_BRIDGE_PORTS, &port->row);
    vsctl_view_add_bridge(v, parent->row, port, parent, vlan);
    return e;
}

static struct error *
add_br_check_args(struct dbctl_ctx *ctx)
{
    if (ctx->argc == 3) {
        return error_new("'%s' command takes exactly 1 or 3 arguments", ctx->argv[0]);
    }
    vsctl_view_prepare_name(ctx, ctx->argv[1], ctx->argc > 2);
    return vsctl_view_prepare_bridges(ctx);
}

static struct error *
add_br(struct dbctl_ctx *ctx)
{
    const char *name = ctx->argv[1], *parent = ctx->argc == 4 ? ctx->argv[2] : NULL;
    const int vlan = parent ? atoi(ctx->argv[3]) : 0;
    struct vsctl_bridge *b;
    struct error *e;
    char *what;

    if (!*name) {
        return error_new("bridge name must not be empty string");
    }
    if (vlan < 0 || vlan > 4095) {
        return error_new("%s: vlan must be between 0 and 4095", ctx->argv[0]);
    }
    e = vsctl_find_bridge(ctx, name, false, &b);
    if (!e && b && dbctl_has(ctx, "--may-exist")) {
        return parent ? check_existing_fake(b, parent, vlan) : check_existing_real(b);
    }
    what = xasprintf("cannot create a bridge named %s", name);
    e = e ? e : vsctl_check_name(ctx, name, what);
    free(what);
    if (!e && parent) {
        e = add_fake_bridge(ctx, name, parent, vlan);
    } else if (!e) {
        add_real_bridge(ctx, name);
    }
    return e;
}

static struct error *
del_br(struct dbctl_ctx *ctx)
{
    struct vsctl_bridge *b;
    struct error *e = vsctl_find_bridge(ctx, ctx->argv[1], !dbctl_has(ctx, "--if-exists"), &b);

    if (!e && b) {
        vsctl_delete_bridge(vsctl_view(ctx), b);
    }
    return e;
}

/* ---- Questions ---- */

static struct error *
list_br(struct dbctl_ctx *ctx)
{
    const bool real = dbctl_has(ctx, "--real"), fake = dbctl_has(ctx, "--fake");
    struct vsctl *v = vsctl_view(ctx);
    const char **names = xcalloc(strmap_count(&v->bridges) + 1, sizeof *names);
    size_t n = 0;

    STRMAP_FOR_EACH (e, &v->bridges) {
        const struct vsctl_bridge *b = e->value;

        if (real == fake || (b->parent ? fake : real)) {
            names[n++] = b->name;
        }
    }
    dbctl_put_sorted(ctx, names, n);
    free(names);
    return NULL;
}

static struct error *
br_exists(struct dbctl_ctx *ctx)
{
    struct vsctl_bridge *b;
    struct error *e = vsctl_find_bridge(ctx, ctx->argv[1], false, &b);

    if (!e && !b) {
        ctx->ctl->exit_status = 2;
    }
    return e;
}

static struct error *
br_to_vlan(struct dbctl_ctx *ctx)
{
    struct vsctl_bridge *b;
    struct error *e = vsctl_find_bridge(ctx, ctx->argv[1], true, &b);

    if (!e) {
        str_putf(&ctx->output, "%d\n", b->vlan);
    }
    return e;
}

static struct error *
br_to_parent(struct dbctl_ctx *ctx)
{
    struct vsctl_bridge *b;
    struct error *e = vsctl_find_bridge(ctx, ctx->argv[1], true, &b);

    if (!e) {
        str_putf(&ctx->output, "%s\n", b->parent ? b->parent->name : b->name);
    }
    return e;
}

/* ---- External ids: of a fake bridge they are in its port, with a prefix ---- */

static const char fake_prefix[] = "fake-bridge-";

static struct error *
external_id_prepare(struct dbctl_ctx *ctx)
{
    dbctl_add_column(ctx->ctl, VS_BRIDGE, VS_BRIDGE_EXTERNAL_IDS);
    dbctl_add_column_only(ctx->ctl, VS_PORT, VS_PORT_EXTERNAL_IDS);
    return vsctl_view_prepare_bridges(ctx);
}

static struct error *
br_set_external_id(struct dbctl_ctx *ctx)
{
    struct vsctl_bridge *b;
    struct error *e = vsctl_find_bridge(ctx, ctx->argv[1], true, &b);
    const struct idl_row *row;
    unsigned column;
    char *key;

    if (e) {
        return e;
    }
    row = b->parent ? &b->port->row : &b->row->row;
    column = b->parent ? (unsigned) VS_PORT_EXTERNAL_IDS : (unsigned) VS_BRIDGE_EXTERNAL_IDS;
    key = xasprintf("%s%s", b->parent ? fake_prefix : "", ctx->argv[2]);
    if (ctx->argc > 3) {
        idl_put_key(row, column, key, ctx->argv[3]);
    } else if (idl_get_key(row, column, key)) {
        idl_remove_key(row, column, key);
    }
    free(key);
    return NULL;
}

static struct error *
br_get_external_id(struct dbctl_ctx *ctx)
{
    struct vsctl_bridge *b;
    struct error *e = vsctl_find_bridge(ctx, ctx->argv[1], true, &b);
    const char *wanted = ctx->argc > 2 ? ctx->argv[2] : NULL;
    const struct datum *ids;
    size_t skip;

    if (e) {
        return e;
    }
    ids = b->parent ? vs_port_external_ids_datum(b->port) : vs_bridge_external_ids_datum(b->row);
    skip = b->parent ? strlen(fake_prefix) : 0;
    for (size_t i = 0; i < ids->n; i++) {
        const char *key = atom_text(&datum_keys(ids)[i]), *value = atom_text(&datum_values(ids)[i]);

        if (strncmp(key, fake_prefix, skip)) {
            continue;
        }
        if (!wanted) {
            str_putf(&ctx->output, "%s=%s\n", key + skip, value);
        } else if (!strcmp(wanted, key + skip)) {
            str_putf(&ctx->output, "%s\n", value);
        }
    }
    return NULL;
}

const struct dbctl_command vsctl_bridge_commands[] = {
    { "add-br", 1, 3, "!NEW-BRIDGE ?PARENT ?NEW-VLAN", "--may-exist", true, add_br_check_args, add_br, NULL },
    { "del-br", 1, 1, "!BRIDGE", "--if-exists", true, vsctl_view_prepare, del_br, NULL },
    { "list-br", 0, 0, "", "--real,--fake", false, vsctl_view_prepare_bridges, list_br, NULL },
    { "br-exists", 1, 1, "!BRIDGE", "", false, vsctl_view_prepare_bridges, br_exists, NULL },
    { "br-to-vlan", 1, 1, "!BRIDGE", "", false, vsctl_view_prepare_bridges, br_to_vlan, NULL },
    { "br-to-parent", 1, 1, "!BRIDGE", "", false, vsctl_view_prepare_bridges, br_to_parent, NULL },
    { "br-set-external-id", 2, 3, "!BRIDGE !KEY ?VALUE", "", true, external_id_prepare, br_set_external_id, NULL },
    { "br-get-external-id", 1, 2, "!BRIDGE ?KEY", "", false, external_id_prepare, br_get_external_id, NULL },
};
const size_t vsctl_n_bridge_commands = ARRAY_SIZE(vsctl_bridge_commands);
