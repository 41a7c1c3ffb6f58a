/* Controllers, fail mode, managers, SSL/TLS, auto-attach, emer-reset, init. */
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "cmd/ovs-vsctl/vsctl.h"
#include "sys/stream.h"

LOG_MODULE(vsctl)

static const struct dbctl_targets controllers = {
    VS_BRIDGE_CONTROLLER, VS_CONTROLLER, VS_CONTROLLER_TARGET, VS_CONTROLLER_INACTIVITY_PROBE,
};
static const struct dbctl_targets managers = {
    VS_OPEN_VSWITCH_MANAGER_OPTIONS, VS_MANAGER, VS_MANAGER_TARGET, VS_MANAGER_INACTIVITY_PROBE,
};

/* ---- Controllers and managers ---- */

static struct error *
controller_prepare(struct dbctl_ctx *ctx)
{
    dbctl_add_column(ctx->ctl, VS_BRIDGE, VS_BRIDGE_CONTROLLER);
    dbctl_add_column(ctx->ctl, VS_CONTROLLER, VS_CONTROLLER_TARGET);
    return vsctl_view_prepare_bridges(ctx);
}

static struct error *
get_controller(struct dbctl_ctx *ctx)
{
    struct vsctl_bridge *b;
    struct error *e = vsctl_find_bridge(ctx, ctx->argv[1], true, &b);

    if (!e) {
        dbctl_put_targets(ctx, &b->row->row, &controllers);
    }
    return e;
}

static struct error *
del_controller(struct dbctl_ctx *ctx)
{
    struct vsctl_bridge *b;
    struct error *e = vsctl_find_real_bridge(ctx, ctx->argv[1], &b);

    if (!e) {
        idl_verify(&b->row->row, VS_BRIDGE_CONTROLLER);
        dbctl_delete_targets(&b->row->row, &controllers);
    }
    return e;
}

static struct error *
set_controller(struct dbctl_ctx *ctx)
{
    struct vsctl_bridge *b;
    struct error *e = vsctl_find_real_bridge(ctx, ctx->argv[1], &b);

    if (!e) {
        idl_verify(&b->row->row, VS_BRIDGE_CONTROLLER);
        dbctl_set_targets(ctx, &b->row->row, &controllers, 2);
    }
    return e;
}

static struct error *
manager_prepare(struct dbctl_ctx *ctx)
{
    dbctl_add_column(ctx->ctl, VS_OPEN_VSWITCH, VS_OPEN_VSWITCH_MANAGER_OPTIONS);
    dbctl_add_column(ctx->ctl, VS_MANAGER, VS_MANAGER_TARGET);
    return NULL;
}

static struct error *
get_manager(struct dbctl_ctx *ctx)
{
    dbctl_put_targets(ctx, &vsctl_of(ctx)->root->row, &managers);
    return NULL;
}

static struct error *
del_manager(struct dbctl_ctx *ctx)
{
    const struct idl_row *root = &vsctl_of(ctx)->root->row;

    idl_verify(root, VS_OPEN_VSWITCH_MANAGER_OPTIONS);
    dbctl_delete_targets(root, &managers);
    return NULL;
}

static struct error *
set_manager(struct dbctl_ctx *ctx)
{
    const struct idl_row *root = &vsctl_of(ctx)->root->row;

    idl_verify(root, VS_OPEN_VSWITCH_MANAGER_OPTIONS);
    dbctl_set_targets(ctx, root, &managers, 1);
    return NULL;
}

/* ---- Fail mode ---- */

static struct error *
fail_mode_prepare(struct dbctl_ctx *ctx)
{
    dbctl_add_column(ctx->ctl, VS_BRIDGE, VS_BRIDGE_FAIL_MODE);
    return vsctl_view_prepare_bridges(ctx);
}

static struct error *
get_fail_mode(struct dbctl_ctx *ctx)
{
    struct vsctl_bridge *b;
    struct error *e = vsctl_find_bridge(ctx, ctx->argv[1], true, &b);

    if (!e && vs_bridge_fail_mode(b->row)) {
        str_putf(&ctx->output, "%s\n", vs_bridge_fail_mode(b->row));
    }
    return e;
}

static struct error *
del_fail_mode(struct dbctl_ctx *ctx)
{
    struct vsctl_bridge *b;
    struct error *e = vsctl_find_real_bridge(ctx, ctx->argv[1], &b);

    if (!e) {
        vs_bridge_fail_mode_set(b->row, NULL);
    }
    return e;
}

static const char *const fail_modes[] = { "standalone", "secure" };

void
vsctl_put_fail_modes(struct str *s)
{
    str_put_words(s, fail_modes, ARRAY_SIZE(fail_modes));
}

static struct error *
set_fail_mode(struct dbctl_ctx *ctx)
{
    const char *mode = ctx->argv[2];
    struct vsctl_bridge *b;
    struct error *e = vsctl_find_real_bridge(ctx, ctx->argv[1], &b);

    if (!e && strcmp(mode, fail_modes[0]) && strcmp(mode, fail_modes[1])) {
        return error_new("fail-mode must be \"%s\" or \"%s\"", fail_modes[0], fail_modes[1]);
    }
    if (!e) {
        vs_bridge_fail_mode_set(b->row, mode);
    }
    return e;
}

/* ---- SSL/TLS ---- */

static struct error *
ssl_prepare(struct dbctl_ctx *ctx)
{
    dbctl_add_column(ctx->ctl, VS_OPEN_VSWITCH, VS_OPEN_VSWITCH_SSL);
    idl_add_table(ctx->ctl->idl, VS_SSL, IDL_ALERT);
    dbctl_add_column(ctx->ctl, VS_SSL, COL_UUID);
    return NULL;
}

static struct error *
get_ssl(struct dbctl_ctx *ctx)
{
    const struct vs_ssl *ssl = vs_open_vswitch_ssl(vsctl_of(ctx)->root);

    if (ssl) {
        str_putf(&ctx->output, "Private key: %s\nCertificate: %s\nCA Certificate: %s\nBootstrap: %s\n",
                 vs_ssl_private_key(ssl), vs_ssl_certificate(ssl), vs_ssl_ca_cert(ssl),
                 vs_ssl_bootstrap_ca_cert(ssl) ? "true" : "false");
    }
    return NULL;
}

static struct error *
del_ssl(struct dbctl_ctx *ctx)
{
    const struct vs_open_vswitch *root = vsctl_of(ctx)->root;
    const struct vs_ssl *ssl = vs_open_vswitch_ssl(root);

    if (ssl) {
        idl_verify(&root->row, VS_OPEN_VSWITCH_SSL);
        idl_delete(&ssl->row);
        idl_set_ref(&root->row, VS_OPEN_VSWITCH_SSL, NULL);
    }
    return NULL;
}

static struct error *
set_ssl(struct dbctl_ctx *ctx)
{
    const struct vs_open_vswitch *root = vsctl_of(ctx)->root;
    struct error *e = del_ssl(ctx);
    struct vs_ssl *ssl;

    if (!e) {
        idl_verify(&root->row, VS_OPEN_VSWITCH_SSL);
        ssl = vs_ssl_insert(ctx->ctl->txn);
        vs_ssl_private_key_set(ssl, ctx->argv[1]);
        vs_ssl_certificate_set(ssl, ctx->argv[2]);
        vs_ssl_ca_cert_set(ssl, ctx->argv[3]);
        vs_ssl_bootstrap_ca_cert_set(ssl, dbctl_has(ctx, "--bootstrap"));
        idl_set_ref(&root->row, VS_OPEN_VSWITCH_SSL, &ssl->row);
    }
    return e;
}

/* ---- Auto-attach ---- */

static struct error *
aa_prepare(struct dbctl_ctx *ctx)
{
    dbctl_add_column(ctx->ctl, VS_BRIDGE, VS_BRIDGE_AUTO_ATTACH);
    dbctl_add_column(ctx->ctl, VS_AUTOATTACH, VS_AUTOATTACH_MAPPINGS);
    return vsctl_view_prepare_bridges(ctx);
}

static struct error *
parse_mapping(struct dbctl_ctx *ctx, union atom *isid, union atom *vlan)
{
    if (!num_parse_s64(ctx->argv[2], 10, &isid->integer)) {
        return error_new("Invalid argument %s", ctx->argv[2]);
    }
    return num_parse_s64(ctx->argv[3], 10, &vlan->integer) ? NULL : error_new("Invalid argument %s", ctx->argv[3]);
}

static struct error *
add_aa_mapping(struct dbctl_ctx *ctx)
{
    union atom isid, vlan;
    struct vsctl_bridge *b;
    const struct vs_autoattach *aa;
    struct vs_autoattach *new;
    struct error *e = parse_mapping(ctx, &isid, &vlan);

    e = e ? e : vsctl_find_real_bridge(ctx, ctx->argv[1], &b);
    if (e) {
        return e;
    }
    aa = vs_bridge_auto_attach(b->row);
    if (!aa) {
        aa = new = vs_autoattach_insert(ctx->ctl->txn);
        idl_verify(&b->row->row, VS_BRIDGE_AUTO_ATTACH);
        idl_set_ref(&b->row->row, VS_BRIDGE_AUTO_ATTACH, &new->row);
    }
    /* A mapping that exists stays as it is. */
    if (datum_find(vs_autoattach_mappings_datum(aa), &isid, ATOM_INTEGER) == UINT32_MAX) {
        idl_put_take(&aa->row, VS_AUTOATTACH_MAPPINGS, isid, &vlan);
    }
    return NULL;
}

static struct error *
del_aa_mapping(struct dbctl_ctx *ctx)
{
    union atom isid, vlan;
    struct vsctl_bridge *b;
    const struct vs_autoattach *aa;
    struct error *e = parse_mapping(ctx, &isid, &vlan);

    e = e ? e : vsctl_find_real_bridge(ctx, ctx->argv[1], &b);
    aa = e ? NULL : vs_bridge_auto_attach(b->row);
    if (aa) {
        const struct datum *d = vs_autoattach_mappings_datum(aa);
        const unsigned i = datum_find(d, &isid, ATOM_INTEGER);

        if (i < d->n && datum_values(d)[i].integer == vlan.integer) {
            idl_remove_take(&aa->row, VS_AUTOATTACH_MAPPINGS, isid);
        }
    }
    return e;
}

static struct error *
get_aa_mapping(struct dbctl_ctx *ctx)
{
    struct vsctl_bridge *b;
    const struct vs_autoattach *aa;
    struct error *e = vsctl_find_bridge(ctx, ctx->argv[1], true, &b);

    aa = e || b->parent ? NULL : vs_bridge_auto_attach(b->row);
    if (aa) {
        const struct datum *d = vs_autoattach_mappings_datum(aa);

        for (size_t i = 0; i < d->n; i++) {
            str_putf(&ctx->output, "%lld %lld\n", (long long) datum_keys(d)[i].integer,
                     (long long) datum_values(d)[i].integer);
        }
    }
    return e;
}

/* ---- emer-reset ---- */

/* What it empties or sets to its default; Bridge.other_config keeps its "hwaddr". */
static const struct { unsigned table, column; } reset_columns[] = {
    { VS_OPEN_VSWITCH, VS_OPEN_VSWITCH_MANAGER_OPTIONS }, { VS_OPEN_VSWITCH, VS_OPEN_VSWITCH_SSL },
    { VS_BRIDGE, VS_BRIDGE_CONTROLLER }, { VS_BRIDGE, VS_BRIDGE_FAIL_MODE }, { VS_BRIDGE, VS_BRIDGE_MIRRORS },
    { VS_BRIDGE, VS_BRIDGE_NETFLOW }, { VS_BRIDGE, VS_BRIDGE_SFLOW }, { VS_BRIDGE, VS_BRIDGE_IPFIX },
    { VS_PORT, VS_PORT_OTHER_CONFIG },
    { VS_INTERFACE, VS_INTERFACE_INGRESS_POLICING_RATE }, { VS_INTERFACE, VS_INTERFACE_INGRESS_POLICING_BURST },
};

static struct error *
emer_reset_prepare(struct dbctl_ctx *ctx)
{
    for (size_t i = 0; i < ARRAY_SIZE(reset_columns); i++) {
        dbctl_add_column(ctx->ctl, reset_columns[i].table, reset_columns[i].column);
    }
    dbctl_add_column(ctx->ctl, VS_BRIDGE, VS_BRIDGE_OTHER_CONFIG);
    return NULL;
}

static void
reset_bridge_other_config(const struct vs_bridge *b)
{
    const char *hwaddr = vs_bridge_other_config(b, "hwaddr");
    struct strmap keep;

    strmap_init(&keep);
    if (hwaddr) {
        strmap_put(&keep, "hwaddr", xstrdup(hwaddr));
    }
    vs_bridge_other_config_set(b, &keep);
    strmap_uninit_free(&keep);
}

static struct error *
emer_reset(struct dbctl_ctx *ctx)
{
    VS_BRIDGE_FOR_EACH (b, ctx->ctl->idl) {
        reset_bridge_other_config(b);
    }
    for (size_t i = 0; i < ARRAY_SIZE(reset_columns); i++) {
        IDL_FOR_EACH (row, ctx->ctl->idl, reset_columns[i].table) {
            const unsigned column = reset_columns[i].column;
            struct datum value;

            datum_init_default(&value, idl_type(row, column));
            idl_set_take(row, column, &value);
        }
    }
    return NULL;
}

static struct error *
init(struct dbctl_ctx *ctx UNUSED)
{
    return NULL; /* Every run makes the first row where there is none. */
}

const struct dbctl_command vsctl_control_commands[] = {
    { "init", 0, 0, "", "", true, NULL, init, NULL },
    { "show", 0, 0, "", "--filter=", false, dbctl_show_prepare, dbctl_show_run, NULL },
    { "emer-reset", 0, 0, "", "", true, emer_reset_prepare, emer_reset, NULL },
    { "get-controller", 1, 1, "!BRIDGE", "", false, controller_prepare, get_controller, NULL },
    { "del-controller", 1, 1, "!BRIDGE", "", true, controller_prepare, del_controller, NULL },
    { "set-controller", 1, INT_MAX, "!BRIDGE +TARGET", "--inactivity-probe=", true, controller_prepare, set_controller,
      NULL },
    { "get-fail-mode", 1, 1, "!BRIDGE", "", false, fail_mode_prepare, get_fail_mode, NULL },
    { "del-fail-mode", 1, 1, "!BRIDGE", "", true, fail_mode_prepare, del_fail_mode, NULL },
    { "set-fail-mode", 2, 2, "!BRIDGE !MODE", "", true, fail_mode_prepare, set_fail_mode, NULL },
    { "get-manager", 0, 0, "", "", false, manager_prepare, get_manager, NULL },
    { "del-manager", 0, 0, "", "", true, manager_prepare, del_manager, NULL },
    { "set-manager", 1, INT_MAX, "+TARGET", "--inactivity-probe=", true, manager_prepare, set_manager, NULL },
    { "get-ssl", 0, 0, "", "", false, ssl_prepare, get_ssl, NULL },
    { "del-ssl", 0, 0, "", "", true, ssl_prepare, del_ssl, NULL },
    { "set-ssl", 3, 3, "!PRIVATE-KEY !CERTIFICATE !CA-CERT", "--bootstrap", true, ssl_prepare, set_ssl, NULL },
    { "add-aa-mapping", 3, 3, "!BRIDGE !ARG !ARG", "", true, aa_prepare, add_aa_mapping, NULL },
    { "del-aa-mapping", 3, 3, "!BRIDGE !ARG !ARG", "", true, aa_prepare, del_aa_mapping, NULL },
    { "get-aa-mapping", 1, 1, "!BRIDGE", "", false, aa_prepare, get_aa_mapping, NULL },
};
const size_t vsctl_n_control_commands = ARRAY_SIZE(vsctl_control_commands);
