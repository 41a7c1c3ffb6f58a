/* Physical switches and their ports, logical switches, logical routers: adding, deleting, listing. */
#include <stdlib.h>
#include <string.h>

#include "cmd/vtep-ctl/vtep.h"

/* What has a name and is added, deleted and listed by it. */
struct kind {
    const char *what;
    unsigned table, name_column;
};

static const struct kind physical_switches = { "physical switch", VTEP_PHYSICAL_SWITCH, VTEP_PHYSICAL_SWITCH_NAME };
static const struct kind logical_switches = { "logical switch", VTEP_LOGICAL_SWITCH, VTEP_LOGICAL_SWITCH_NAME };
static const struct kind logical_routers = { "logical router", VTEP_LOGICAL_ROUTER, VTEP_LOGICAL_ROUTER_NAME };

struct error *
vtepctl_prepare(struct dbctl_ctx *ctx)
{
    dbctl_add_column(ctx->ctl, VTEP_PHYSICAL_SWITCH, VTEP_PHYSICAL_SWITCH_NAME);
    dbctl_add_column(ctx->ctl, VTEP_PHYSICAL_SWITCH, VTEP_PHYSICAL_SWITCH_PORTS);
    dbctl_add_column(ctx->ctl, VTEP_PHYSICAL_PORT, VTEP_PHYSICAL_PORT_NAME);
    dbctl_add_column(ctx->ctl, VTEP_PHYSICAL_PORT, VTEP_PHYSICAL_PORT_VLAN_BINDINGS);
    dbctl_add_column(ctx->ctl, VTEP_LOGICAL_SWITCH, VTEP_LOGICAL_SWITCH_NAME);
    dbctl_add_column(ctx->ctl, VTEP_LOGICAL_SWITCH, VTEP_LOGICAL_SWITCH_REPLICATION_MODE);
    dbctl_add_column(ctx->ctl, VTEP_LOGICAL_ROUTER, VTEP_LOGICAL_ROUTER_NAME);
    return NULL;
}

/* ---- Rows by their names ---- */

static struct error *
find(struct dbctl_ctx *ctx, const struct kind *k, const char *name, bool must_exist, const struct idl_row **row)
{
    *row = NULL;
    IDL_FOR_EACH (r, ctx->ctl->idl, k->table) {
        if (!strcmp(idl_get_string(r, k->name_column), name)) {
            *row = r;
            return NULL;
        }
    }
    return must_exist ? error_new("no %s named %s", k->what, name) : NULL;
}

struct error *
vtepctl_find_ls(struct dbctl_ctx *ctx, const char *name, bool must_exist, const struct vtep_logical_switch **ls)
{
    const struct idl_row *row;
    struct error *e = find(ctx, &logical_switches, name, must_exist, &row);

    *ls = (const struct vtep_logical_switch *) row;
    return e;
}

static const struct vtep_physical_port *
port_of(const struct idl_row *ps, const char *name)
{
    for (size_t i = 0; i < idl_count(ps, VTEP_PHYSICAL_SWITCH_PORTS); i++) {
        const struct idl_row *port = idl_get_ref(ps, VTEP_PHYSICAL_SWITCH_PORTS, i, VTEP_PHYSICAL_PORT, false);

        if (port && !strcmp(idl_get_string(port, VTEP_PHYSICAL_PORT_NAME), name)) {
            return (const struct vtep_physical_port *) port;
        }
    }
    return NULL;
}

struct error *
vtepctl_find_port(struct dbctl_ctx *ctx, const char *ps_name, const char *name, bool must_exist,
                  const struct vtep_physical_port **port)
{
    const struct idl_row *ps;

    error_free(find(ctx, &physical_switches, ps_name, false, &ps));
    *port = ps ? port_of(ps, name) : NULL;
    return !*port && must_exist ? error_new("no port named %s", name) : NULL;
}

/* ---- Adding, deleting, listing ---- */

/* Sets '*row' to the new row of the name argv[1]; null if it exists and may. */
static struct error *
add(struct dbctl_ctx *ctx, const struct kind *k, const struct idl_row **row)
{
    const struct idl_row *old;

    *row = NULL;
    error_free(find(ctx, k, ctx->argv[1], false, &old));
    if (old) {
        return dbctl_has(ctx, "--may-exist") ? NULL
               : error_new("cannot create %s %s because it already exists", k->what, ctx->argv[1]);
    }
    *row = idl_insert(ctx->ctl->txn, k->table, NULL);
    idl_set_string(*row, k->name_column, ctx->argv[1]);
    return NULL;
}

static struct error *
delete(struct dbctl_ctx *ctx, const struct kind *k)
{
    const struct idl_row *row;
    struct error *e = find(ctx, k, ctx->argv[1], !dbctl_has(ctx, "--if-exists"), &row);

    if (row) {
        idl_delete(row);
    }
    return e;
}

static struct error *
list(struct dbctl_ctx *ctx, const struct kind *k)
{
    const char **names = xcalloc(idl_n_rows(ctx->ctl->idl, k->table) + 1, sizeof *names);
    size_t n = 0;

    IDL_FOR_EACH (row, ctx->ctl->idl, k->table) {
        names[n++] = idl_get_string(row, k->name_column);
    }
    dbctl_put_sorted(ctx, names, n);
    free(names);
    return NULL;
}

static struct error *
exists(struct dbctl_ctx *ctx, const struct kind *k)
{
    const struct idl_row *row;

    error_free(find(ctx, k, ctx->argv[1], false, &row));
    if (!row) {
        ctx->ctl->exit_status = 2;
    }
    return NULL;
}

static struct error *
add_ps(struct dbctl_ctx *ctx)
{
    const struct idl_row *row;
    struct error *e = add(ctx, &physical_switches, &row);

    if (row) {
        idl_put_ref(&vtepctl_of(ctx)->global->row, VTEP_GLOBAL_SWITCHES, row);
    }
    return e;
}

static struct error *
del_ps(struct dbctl_ctx *ctx)
{
    const struct idl_row *row;
    struct error *e = find(ctx, &physical_switches, ctx->argv[1], !dbctl_has(ctx, "--if-exists"), &row);

    if (row) { /* Its ports go with it, as nobody else refers to them. */
        idl_remove_ref(&vtepctl_of(ctx)->global->row, VTEP_GLOBAL_SWITCHES, row);
        idl_delete(row);
    }
    return e;
}

static struct error *list_ps(struct dbctl_ctx *ctx) { return list(ctx, &physical_switches); }
static struct error *ps_exists(struct dbctl_ctx *ctx) { return exists(ctx, &physical_switches); }

static struct error *
add_ls(struct dbctl_ctx *ctx)
{
    const struct idl_row *row;

    return add(ctx, &logical_switches, &row);
}

static struct error *del_ls(struct dbctl_ctx *ctx) { return delete(ctx, &logical_switches); }
static struct error *list_ls(struct dbctl_ctx *ctx) { return list(ctx, &logical_switches); }
static struct error *ls_exists(struct dbctl_ctx *ctx) { return exists(ctx, &logical_switches); }

static struct error *
add_lr(struct dbctl_ctx *ctx)
{
    const struct idl_row *row;

    return add(ctx, &logical_routers, &row);
}

static struct error *del_lr(struct dbctl_ctx *ctx) { return delete(ctx, &logical_routers); }
static struct error *list_lr(struct dbctl_ctx *ctx) { return list(ctx, &logical_routers); }
static struct error *lr_exists(struct dbctl_ctx *ctx) { return exists(ctx, &logical_routers); }

/* ---- Ports ---- */

static struct error *
list_ports(struct dbctl_ctx *ctx)
{
    const struct idl_row *ps;
    struct error *e = find(ctx, &physical_switches, ctx->argv[1], true, &ps);
    const char **names;
    size_t n = 0;

    if (e) {
        return e;
    }
    names = xcalloc(idl_count(ps, VTEP_PHYSICAL_SWITCH_PORTS) + 1, sizeof *names);
    for (size_t i = 0; i < idl_count(ps, VTEP_PHYSICAL_SWITCH_PORTS); i++) {
        const struct idl_row *port = idl_get_ref(ps, VTEP_PHYSICAL_SWITCH_PORTS, i, VTEP_PHYSICAL_PORT, false);

        if (port) {
            names[n++] = idl_get_string(port, VTEP_PHYSICAL_PORT_NAME);
        }
    }
    dbctl_put_sorted(ctx, names, n);
    free(names);
    return NULL;
}

static struct error *
add_port(struct dbctl_ctx *ctx)
{
    const char *name = ctx->argv[2];
    const struct idl_row *ps;
    struct error *e = find(ctx, &physical_switches, ctx->argv[1], true, &ps);
    struct vtep_physical_port *port;

    if (e) {
        return e;
    } else if (port_of(ps, name)) {
        return dbctl_has(ctx, "--may-exist") ? NULL
               : error_new("cannot create a port named %s on %s because a port with that name already exists", name,
                           ctx->argv[1]);
    }
    idl_verify(ps, VTEP_PHYSICAL_SWITCH_PORTS); /* No index keeps two of a name from being there. */
    port = vtep_physical_port_insert(ctx->ctl->txn);
    vtep_physical_port_name_set(port, name);
    idl_put_ref(ps, VTEP_PHYSICAL_SWITCH_PORTS, &port->row);
    return NULL;
}

static struct error *
del_port(struct dbctl_ctx *ctx)
{
    const struct vtep_physical_port *port;
    struct error *e = vtepctl_find_port(ctx, ctx->argv[1], ctx->argv[2], !dbctl_has(ctx, "--if-exists"), &port);

    if (port) {
        const struct idl_row *ps;

        error_free(find(ctx, &physical_switches, ctx->argv[1], false, &ps));
        idl_remove_ref(ps, VTEP_PHYSICAL_SWITCH_PORTS, &port->row);
        idl_delete(&port->row);
    }
    return e;
}

/* ---- Managers ---- */

static const struct dbctl_targets managers = {
    VTEP_GLOBAL_MANAGERS, VTEP_MANAGER, VTEP_MANAGER_TARGET, VTEP_MANAGER_INACTIVITY_PROBE,
};

static struct error *
manager_prepare(struct dbctl_ctx *ctx)
{
    dbctl_add_column(ctx->ctl, VTEP_GLOBAL, VTEP_GLOBAL_MANAGERS);
    dbctl_add_column(ctx->ctl, VTEP_MANAGER, VTEP_MANAGER_TARGET);
    return NULL;
}

static struct error *
get_manager(struct dbctl_ctx *ctx)
{
    dbctl_put_targets(ctx, &vtepctl_of(ctx)->global->row, &managers);
    return NULL;
}

static struct error *
del_manager(struct dbctl_ctx *ctx)
{
    const struct idl_row *global = &vtepctl_of(ctx)->global->row;

    idl_verify(global, VTEP_GLOBAL_MANAGERS);
    dbctl_delete_targets(global, &managers);
    return NULL;
}

static struct error *
set_manager(struct dbctl_ctx *ctx)
{
    const struct idl_row *global = &vtepctl_of(ctx)->global->row;

    idl_verify(global, VTEP_GLOBAL_MANAGERS);
    dbctl_set_targets(ctx, global, &managers, 1);
    return NULL;
}

const struct dbctl_command vtepctl_switch_commands[] = {
    { "show", 0, 0, "", "", false, dbctl_show_prepare, dbctl_show_run, NULL },
    { "get-manager", 0, 0, "", "", false, manager_prepare, get_manager, NULL },
    { "del-manager", 0, 0, "", "", true, manager_prepare, del_manager, NULL },
    { "set-manager", 1, INT_MAX, "MANAGER...", "--inactivity-probe=", true, manager_prepare, set_manager, NULL },
    { "add-ps", 1, 1, "PSWITCH", "--may-exist", true, vtepctl_prepare, add_ps, NULL },
    { "del-ps", 1, 1, "PSWITCH", "--if-exists", true, vtepctl_prepare, del_ps, NULL },
    { "list-ps", 0, 0, "", "", false, vtepctl_prepare, list_ps, NULL },
    { "ps-exists", 1, 1, "PSWITCH", "", false, vtepctl_prepare, ps_exists, NULL },
    { "list-ports", 1, 1, "PSWITCH", "", false, vtepctl_prepare, list_ports, NULL },
    { "add-port", 2, 2, "PSWITCH PORT", "--may-exist", true, vtepctl_prepare, add_port, NULL },
    { "del-port", 2, 2, "PSWITCH PORT", "--if-exists", true, vtepctl_prepare, del_port, NULL },
    { "add-ls", 1, 1, "LSWITCH", "--may-exist", true, vtepctl_prepare, add_ls, NULL },
    { "del-ls", 1, 1, "LSWITCH", "--if-exists", true, vtepctl_prepare, del_ls, NULL },
    { "list-ls", 0, 0, "", "", false, vtepctl_prepare, list_ls, NULL },
    { "ls-exists", 1, 1, "LSWITCH", "", false, vtepctl_prepare, ls_exists, NULL },
    { "add-lr", 1, 1, "LROUTER", "--may-exist", true, vtepctl_prepare, add_lr, NULL },
    { "del-lr", 1, 1, "LROUTER", "--if-exists", true, vtepctl_prepare, del_lr, NULL },
    { "list-lr", 0, 0, "", "", false, vtepctl_prepare, list_lr, NULL },
    { "lr-exists", 1, 1, "LROUTER", "", false, vtepctl_prepare, lr_exists, NULL },
};
const size_t vtepctl_n_switch_commands = ARRAY_SIZE(vtepctl_switch_commands);
