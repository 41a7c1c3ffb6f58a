/* Ports, bonds, interfaces. */
#include <stdlib.h>
#include <string.h>

#include "cmd/dbctl/cmdparse.h"
#include "cmd/ovs-vsctl/vsctl.h"

/* ---- add-port, add-bond ---- */

/* For the names in arguments 2 up to 'first'. */
static struct error *
prepare_names(struct dbctl_ctx *ctx, int first)
{
    struct error *e = vsctl_view_prepare_bridges(ctx);

    for (int i = 2; i < first; i++) {
        vsctl_view_prepare_name(ctx, ctx->argv[i], dbctl_has(ctx, "--may-exist"));
    }
    return e; /* The settings are for a new row, which needs nothing of the replica. */
}

static int
compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}

/* Whether the port has exactly the interfaces 'names' of 'n'. */
static bool
has_ifaces(const struct vsctl_port *p, char *const names[], size_t n)
{
    char **want = xmemdup(names, (n + !n) * sizeof *names);
    const char **have = xcalloc(list_size(&p->ifaces) + 1, sizeof *have);
    size_t n_have = 0;
    bool equal;

    LIST_FOR_EACH (i, struct vsctl_iface, node, &p->ifaces) {
        have[n_have++] = i->name;
    }
    qsort(want, n, sizeof *want, compare_names);
    qsort(have, n_have, sizeof *have, compare_names);
    equal = n == n_have;
    for (size_t i = 0; i < n && equal; i++) {
        equal = !strcmp(want[i], have[i]);
    }
    free(want);
    free(have);
    return equal;
}

static char *
names_text(const struct vsctl_port *p)
{
    const char **names = xcalloc(list_size(&p->ifaces) + 1, sizeof *names);
    struct str s = STR_INIT;
    size_t n = 0;

    LIST_FOR_EACH (i, struct vsctl_iface, node, &p->ifaces) {
        names[n++] = i->name;
    }
    qsort(names, n, sizeof *names, compare_names);
    for (size_t i = 0; i < n; i++) {
        str_putf(&s, "%s%s", i ? ", " : "", names[i]);
    }
    free(names);
    return str_steal(&s);
}

/* With --may-exist: whether the port that exists is the one asked for. */
static struct error *
check_existing_port(struct dbctl_ctx *ctx, const char *bridge, const struct vsctl_port *p, char *const names[],
                    size_t n)
{
    struct str command = STR_INIT;
    struct error *e = NULL;
    char *have, *args;

    args = dbctl_escape_args(ctx->argc, ctx->argv);
    str_putf(&command, "--may-exist %s%s", dbctl_has(ctx, "--fake-iface") ? "--fake-iface " : "", args);
    free(args);
    if (strcmp(p->bridge->name, bridge)) {
        e = error_new("\"%s\" but %s is actually attached to bridge %s", str_text(&command), p->name, p->bridge->name);
    } else if (!has_ifaces(p, names, n)) {
        have = names_text(p);
        e = error_new("\"%s\" but %s actually has interface(s) %s", str_text(&command), p->name, have);
        free(have);
    }
    str_uninit(&command);
    return e;
}

static struct error *
check_new_names(struct dbctl_ctx *ctx, const char *port, char *const ifaces[], size_t n)
{
    char *what = xasprintf("cannot create a port named %s", port);
    struct error *e = vsctl_check_name(ctx, port, what);

    free(what);
    for (size_t i = 0; i < n && !e; i++) {
        what = xasprintf("cannot create an interface named %s", ifaces[i]);
        e = vsctl_check_name(ctx, ifaces[i], what);
        free(what);
    }
    return e;
}

/* Makes a port of the interfaces 'ifaces' of 'n'; the arguments from 'settings' on set its columns. */
static struct error *
add_port(struct dbctl_ctx *ctx, const char *bridge, const char *name, char *const ifaces[], size_t n, int settings,
         bool fake_iface)
{
    struct vsctl *v = vsctl_view(ctx);
    struct vsctl_bridge *b;
    struct vsctl_port *p;
    struct vs_port *row;
    struct error *e;

    p = strmap_get(&v->ports, name);
    if (p && dbctl_has(ctx, "--may-exist")) {
        return check_existing_port(ctx, bridge, p, ifaces, n);
    }
    e = check_new_names(ctx, name, ifaces, n);
    e = e ? e : vsctl_find_bridge(ctx, bridge, true, &b);
    if (e) {
        return e;
    }
    row = vs_port_insert(ctx->ctl->txn);
    vs_port_name_set(row, name);
    vs_port_bond_fake_iface_set(row, fake_iface);
    if (b->parent) {
        vs_port_tag_set(row, b->vlan);
    }
    p = vsctl_view_add_port(v, b, row);
    for (size_t i = 0; i < n; i++) {
        const struct vs_interface *iface = vsctl_insert_iface(ctx, ifaces[i]);

        idl_put_ref(&row->row, VS_PORT_INTERFACES, &iface->row);
        vsctl_view_add_iface(v, p, iface);
    }
    for (int i = settings; i < ctx->argc && !e; i++) {
        e = dbctl_set(ctx->ctl, &row->row, ctx->argv[i]);
    }
    idl_verify(&b->row->row, VS_BRIDGE_NAME); /* It still exists. */
    idl_put_ref(&b->row->row, VS_BRIDGE_PORTS, &row->row);
    return e;
}

static struct error *
add_port_prepare(struct dbctl_ctx *ctx)
{
    return prepare_names(ctx, 3);
}

static struct error *
add_port_run(struct dbctl_ctx *ctx)
{
    return add_port(ctx, ctx->argv[1], ctx->argv[2], &ctx->argv[2], 1, 3, false);
}

/* The first of the settings behind the interfaces. */
static int
first_setting(const struct dbctl_ctx *ctx)
{
    int i = ctx->argc;

    while (i > 3 && strchr(ctx->argv[i - 1], '=')) {
        i--;
    }
    return i;
}

static struct error *
add_bond_prepare(struct dbctl_ctx *ctx)
{
    return prepare_names(ctx, first_setting(ctx));
}

static struct error *
add_bond_run(struct dbctl_ctx *ctx)
{
    const int settings = first_setting(ctx), n = settings - 3;

    if (n < 2) {
        return error_new("add-bond requires at least 2 interfaces, but only %d were specified", n);
    }
    return add_port(ctx, ctx->argv[1], ctx->argv[2], &ctx->argv[3], n, settings, dbctl_has(ctx, "--fake-iface"));
}

/* ---- del-port ---- */

static struct error *
no_such_port(struct dbctl_ctx *ctx, const char *name, bool with_iface)
{
    struct vsctl_bridge *b;
    struct error *e = vsctl_find_bridge(ctx, name, false, &b);

    if (!e && b) {
        return error_new("cannot delete port %s because it is the local port for bridge %s (deleting this port "
                         "requires deleting the entire bridge)", name, name);
    }
    return e ? e : error_new("no port%s named %s", with_iface ? " or interface" : "", name);
}

static struct error *
check_port_is_on(struct dbctl_ctx *ctx, const struct vsctl_port *p, const char *bridge)
{
    struct vsctl_bridge *b;
    struct error *e = vsctl_find_bridge(ctx, bridge, true, &b);

    if (e || p->bridge == b) {
        return e;
    }
    if (p->bridge->parent == b) {
        return error_new("bridge %s does not have a port %s (although its child bridge %s does)", b->name,
                         ctx->argv[2], p->bridge->name);
    }
    return error_new("bridge %s does not have a port %s", b->name, ctx->argv[2]);
}

static struct error *
del_port_prepare(struct dbctl_ctx *ctx)
{
    if (dbctl_has(ctx, "--with-iface")) {
        return vsctl_view_prepare(ctx);
    }
    vsctl_view_prepare_name(ctx, ctx->argv[ctx->argc - 1], true);
    return vsctl_view_prepare_bridges(ctx);
}

static struct error *
del_port(struct dbctl_ctx *ctx)
{
    const char *name = ctx->argv[ctx->argc - 1];
    const bool with_iface = dbctl_has(ctx, "--with-iface");
    struct vsctl *v = vsctl_view(ctx);
    struct vsctl_port *p = strmap_get(&v->ports, name);
    struct error *e;

    if (!p && with_iface) {
        const struct vsctl_iface *i = strmap_get(&v->ifaces, name);

        p = i ? i->port : NULL;
    }
    if (!p) {
        return dbctl_has(ctx, "--if-exists") ? NULL : no_such_port(ctx, name, with_iface);
    }
    e = ctx->argc == 3 ? check_port_is_on(ctx, p, ctx->argv[1]) : NULL;
    if (!e) {
        vsctl_delete_port(v, p);
    }
    return e;
}

/* ---- Interfaces of bonds ---- */

static struct error *
add_bond_iface(struct dbctl_ctx *ctx)
{
    struct vsctl_port *p;
    struct vsctl_iface *i;
    const struct vs_interface *row;
    struct error *e = vsctl_find_port(ctx, ctx->argv[1], true, &p);
    char *what;

    if (e) {
        return e;
    }
    i = strmap_get(&vsctl_of(ctx)->ifaces, ctx->argv[2]);
    if (i && dbctl_has(ctx, "--may-exist")) {
        return i->port == p ? NULL
                            : error_new("\"--may-exist add-bond-iface %s %s\" but %s is actually attached to port %s",
                                        p->name, i->name, i->name, i->port->name);
    }
    what = xasprintf("cannot create an interface named %s", ctx->argv[2]);
    e = vsctl_check_name(ctx, ctx->argv[2], what);
    free(what);
    if (!e) {
        row = vsctl_insert_iface(ctx, ctx->argv[2]);
        idl_verify(&p->row->row, VS_PORT_NAME);
        idl_put_ref(&p->row->row, VS_PORT_INTERFACES, &row->row);
        vsctl_view_add_iface(vsctl_of(ctx), p, row);
    }
    return e;
}

static struct error *
del_bond_iface(struct dbctl_ctx *ctx)
{
    const char *name = ctx->argv[ctx->argc - 1];
    struct vsctl_port *p = NULL;
    struct vsctl_iface *i;
    struct error *e = vsctl_find_iface(ctx, name, !dbctl_has(ctx, "--if-exists"), &i);

    if (e || !i) {
        return e;
    }
    e = ctx->argc == 3 ? vsctl_find_port(ctx, ctx->argv[1], true, &p) : NULL;
    if (e) {
        return e;
    }
    if (p && i->port != p) {
        return error_new("port %s does not have an interface %s", p->name, name);
    }
    p = i->port;
    if (list_size(&p->ifaces) == 1) {
        return error_new("cannot delete last interface from port %s", p->name);
    }
    idl_verify(&p->row->row, VS_PORT_INTERFACES);
    vsctl_delete_iface(vsctl_of(ctx), i);
    return NULL;
}

/* ---- Questions ---- */

static struct error *
list_ports(struct dbctl_ctx *ctx)
{
    struct vsctl_bridge *b;
    struct error *e = vsctl_find_bridge(ctx, ctx->argv[1], true, &b);
    const char **names;
    size_t n = 0;

    if (e) {
        return e;
    }
    names = xcalloc(list_size(&b->ports) + 1, sizeof *names);
    LIST_FOR_EACH (p, struct vsctl_port, node, &b->ports) {
        names[n++] = p->name;
    }
    dbctl_put_sorted(ctx, names, n);
    free(names);
    return NULL;
}

static struct error *
list_ifaces(struct dbctl_ctx *ctx)
{
    struct vsctl *v = vsctl_view(ctx);
    struct vsctl_bridge *b;
    struct error *e = vsctl_find_bridge(ctx, ctx->argv[1], true, &b);
    const char **names;
    size_t n = 0;

    if (e) {
        return e;
    }
    names = xcalloc(strmap_count(&v->ifaces) + 1, sizeof *names);
    LIST_FOR_EACH (p, struct vsctl_port, node, &b->ports) {
        LIST_FOR_EACH (i, struct vsctl_iface, node, &p->ifaces) {
            names[n++] = i->name;
        }
    }
    dbctl_put_sorted(ctx, names, n);
    free(names);
    return NULL;
}

static struct error *
port_to_br_prepare(struct dbctl_ctx *ctx)
{
    vsctl_view_prepare_name(ctx, ctx->argv[1], true);
    return vsctl_view_prepare_bridges(ctx);
}

static struct error *
port_to_br(struct dbctl_ctx *ctx)
{
    struct vsctl_port *p;
    struct error *e = vsctl_find_port(ctx, ctx->argv[1], true, &p);

    if (!e) {
        str_putf(&ctx->output, "%s\n", p->bridge->name);
    }
    return e;
}

static struct error *
iface_to_br(struct dbctl_ctx *ctx)
{
    struct vsctl_iface *i;
    struct error *e = vsctl_find_iface(ctx, ctx->argv[1], true, &i);

    if (!e) {
        str_putf(&ctx->output, "%s\n", i->port->bridge->name);
    }
    return e;
}

const struct dbctl_command vsctl_port_commands[] = {
    { "list-ports", 1, 1, "!BRIDGE", "", false, vsctl_view_prepare, list_ports, NULL },
    { "add-port", 2, INT_MAX, "!BRIDGE !NEW-PORT *COLUMN?:KEY=VALUE", "--may-exist", true, add_port_prepare,
      add_port_run, NULL },
    { "del-port", 1, 2, "?BRIDGE !PORT|IFACE", "--if-exists,--with-iface", true, del_port_prepare, del_port, NULL },
    { "add-bond", 4, INT_MAX, "!BRIDGE !BOND +IFACE *COLUMN?:KEY=VALUE", "--may-exist,--fake-iface", true,
      add_bond_prepare, add_bond_run, NULL },
    { "add-bond-iface", 2, 2, "!BOND !IFACE", "--may-exist", true, vsctl_view_prepare, add_bond_iface, NULL },
    { "del-bond-iface", 1, 2, "?BOND !IFACE", "--if-exists", true, vsctl_view_prepare, del_bond_iface, NULL },
    { "port-to-br", 1, 1, "!PORT", "", false, port_to_br_prepare, port_to_br, NULL },
    { "list-ifaces", 1, 1, "!BRIDGE", "", false, vsctl_view_prepare, list_ifaces, NULL },
    { "iface-to-br", 1, 1, "!IFACE", "", false, vsctl_view_prepare, iface_to_br, NULL },
};
const size_t vsctl_n_port_commands = ARRAY_SIZE(vsctl_port_commands);
