/* Which logical switch a VLAN of a port belongs to; how a logical switch replicates. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "cmd/vtep-ctl/vtep.h"

/* Any number: the database knows the range. */
static bool
parse_vlan(const char *text, union atom *vlan)
{
    int n;

    if (!num_parse_int(text, 10, &n)) {
        return false;
    }
    vlan->integer = n;
    return true;
}

static bool
is_bound(const struct vtep_physical_port *port, const union atom *vlan)
{
    return datum_find(vtep_physical_port_vlan_bindings_datum(port), vlan, ATOM_INTEGER) != UINT_MAX;
}

static struct error *
bind_ls(struct dbctl_ctx *ctx)
{
    const struct vtep_physical_port *port;
    const struct vtep_logical_switch *ls = NULL;
    struct error *e = vtepctl_find_port(ctx, ctx->argv[1], ctx->argv[2], true, &port);
    union atom vlan, to;

    e = e ? e : vtepctl_find_ls(ctx, ctx->argv[4], true, &ls);
    if (e) {
        return e;
    } else if (!parse_vlan(ctx->argv[3], &vlan)) {
        return error_new("%s is not a VLAN", ctx->argv[3]);
    } else if (is_bound(port, &vlan)) {
        return error_new("multiple bindings for vlan %s", ctx->argv[3]);
    }
    idl_verify(&port->row, VTEP_PHYSICAL_PORT_VLAN_BINDINGS);
    to = (union atom) { .uuid = ls->row.uuid };
    idl_put_take(&port->row, VTEP_PHYSICAL_PORT_VLAN_BINDINGS, vlan, &to);
    return NULL;
}

static struct error *
unbind_ls(struct dbctl_ctx *ctx)
{
    const struct vtep_physical_port *port;
    struct error *e = vtepctl_find_port(ctx, ctx->argv[1], ctx->argv[2], true, &port);
    union atom vlan;

    if (e) {
        return e;
    } else if (!parse_vlan(ctx->argv[3], &vlan) || !is_bound(port, &vlan)) {
        return error_new("no binding for vlan %s", ctx->argv[3]);
    }
    idl_verify(&port->row, VTEP_PHYSICAL_PORT_VLAN_BINDINGS);
    idl_remove_take(&port->row, VTEP_PHYSICAL_PORT_VLAN_BINDINGS, vlan);
    return NULL;
}

static struct error *
list_bindings(struct dbctl_ctx *ctx)
{
    const struct vtep_physical_port *port;
    struct error *e = vtepctl_find_port(ctx, ctx->argv[1], ctx->argv[2], true, &port);
    const struct datum *d = e ? NULL : vtep_physical_port_vlan_bindings_datum(port);

    for (size_t i = 0; d && i < d->n; i++) {
        const struct idl_row *ls = idl_get_ref(&port->row, VTEP_PHYSICAL_PORT_VLAN_BINDINGS, i, VTEP_LOGICAL_SWITCH,
                                               true);

        str_putf(&ctx->output, "%04" PRId64 " %s\n", datum_keys(d)[i].integer,
                 ls ? idl_get_string(ls, VTEP_LOGICAL_SWITCH_NAME) : "");
    }
    return e;
}

static const char *const replication_modes[] = { "service_node", "source_node" };

void
vtepctl_put_replication_modes(struct str *s)
{
    str_put_words(s, replication_modes, ARRAY_SIZE(replication_modes));
}

static struct error *
set_replication_mode(struct dbctl_ctx *ctx)
{
    const char *mode = ctx->argv[2];
    const struct vtep_logical_switch *ls;
    struct error *e;

    if (strcmp(mode, replication_modes[0]) && strcmp(mode, replication_modes[1])) {
        return error_new("Replication mode must be '%s' or '%s'", replication_modes[0], replication_modes[1]);
    }
    e = vtepctl_find_ls(ctx, ctx->argv[1], true, &ls);
    if (!e) {
        vtep_logical_switch_replication_mode_set(ls, mode);
    }
    return e;
}

static struct error *
get_replication_mode(struct dbctl_ctx *ctx)
{
    const struct vtep_logical_switch *ls;
    struct error *e = vtepctl_find_ls(ctx, ctx->argv[1], true, &ls);

    if (!e) {
        const char *mode = vtep_logical_switch_replication_mode(ls);

        str_putf(&ctx->output, "%s\n", mode ? mode : "(null)");
    }
    return e;
}

const struct dbctl_command vtepctl_binding_commands[] = {
    { "bind-ls", 4, 4, "PSWITCH PORT VLAN LSWITCH", "", true, vtepctl_prepare, bind_ls, NULL },
    { "unbind-ls", 3, 3, "PSWITCH PORT VLAN", "", true, vtepctl_prepare, unbind_ls, NULL },
    { "list-bindings", 2, 2, "PSWITCH PORT", "", false, vtepctl_prepare, list_bindings, NULL },
    { "set-replication-mode", 2, 2, "LSWITCH MODE", "", true, vtepctl_prepare, set_replication_mode, NULL },
    { "get-replication-mode", 1, 1, "LSWITCH", "", false, vtepctl_prepare, get_replication_mode, NULL },
};
const size_t vtepctl_n_binding_commands = ARRAY_SIZE(vtepctl_binding_commands);
