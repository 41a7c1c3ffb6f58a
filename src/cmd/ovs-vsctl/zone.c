/* Datapaths: conntrack zones with their timeout policies and limits, capabilities. */
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "cmd/ovs-vsctl/vsctl.h"

static struct error *
zone_prepare(struct dbctl_ctx *ctx)
{
    static const struct { unsigned table, column; } needed[] = {
        { VS_OPEN_VSWITCH, VS_OPEN_VSWITCH_DATAPATHS },
        { VS_DATAPATH, VS_DATAPATH_CT_ZONES }, { VS_DATAPATH, VS_DATAPATH_CT_ZONE_DEFAULT_LIMIT },
        { VS_DATAPATH, VS_DATAPATH_CAPABILITIES },
        { VS_CT_ZONE, VS_CT_ZONE_TIMEOUT_POLICY }, { VS_CT_ZONE, VS_CT_ZONE_LIMIT },
        { VS_CT_TIMEOUT_POLICY, VS_CT_TIMEOUT_POLICY_TIMEOUTS },
    };

    for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
        dbctl_add_column(ctx->ctl, needed[i].table, needed[i].column);
    }
    return NULL;
}

/* The datapath of type 'name'; null if there is none. */
static const struct vs_datapath *
find_datapath(struct dbctl_ctx *ctx, const char *name)
{
    const struct datum *d = vs_open_vswitch_datapaths_datum(vsctl_of(ctx)->root);

    for (size_t i = 0; i < d->n; i++) {
        if (!strcmp(atom_text(&datum_keys(d)[i]), name)) {
            return vs_open_vswitch_datapaths(vsctl_of(ctx)->root, i);
        }
    }
    return NULL;
}

static struct error *
need_datapath(struct dbctl_ctx *ctx, const struct vs_datapath **dp)
{
    *dp = find_datapath(ctx, ctx->argv[1]);
    return *dp ? NULL : error_new("datapath %s does not exist", ctx->argv[1]);
}

static const struct vs_ct_zone *
find_zone(const struct vs_datapath *dp, int64_t id)
{
    const struct datum *d = vs_datapath_ct_zones_datum(dp);
    const unsigned i = datum_find(d, &(union atom) { .integer = id }, ATOM_INTEGER);

    return i < d->n ? vs_datapath_ct_zones(dp, i) : NULL;
}

/* The zone's row, made if there is none. */
static const struct vs_ct_zone *
make_zone(struct dbctl_ctx *ctx, const struct vs_datapath *dp, int64_t id)
{
    const struct vs_ct_zone *zone = find_zone(dp, id);

    if (!zone) {
        struct vs_ct_zone *new = vs_ct_zone_insert(ctx->ctl->txn);

        idl_verify(&dp->row, VS_DATAPATH_DATAPATH_VERSION);
        idl_put_take(&dp->row, VS_DATAPATH_CT_ZONES, (union atom) { .integer = id },
                     &(union atom) { .uuid = new->row.uuid });
        zone = new;
    }
    return zone;
}

/* Removes a zone that has neither a policy nor a limit any more. */
static void
drop_empty_zone(const struct vs_datapath *dp, const struct vs_ct_zone *zone, int64_t id)
{
    if (!vs_ct_zone_timeout_policy(zone) && vs_ct_zone_limit(zone, -1) < 0) {
        idl_remove_take(&dp->row, VS_DATAPATH_CT_ZONES, (union atom) { .integer = id });
    }
}

/* ---- Timeout policies ---- */

static struct error *
parse_zone_argument(const char *text, int64_t *id)
{
    if (strncmp(text, "zone=", 5) || !num_parse_s64(text + 5, 10, id)) {
        return error_new("invalid zone argument, %s", text);
    }
    return NULL;
}

/* Reads KEY=SECONDS; of a key given twice the first counts. */
static struct error *
parse_timeout(const char *text, struct datum *timeouts, const struct col_type *type)
{
    const char *equals = strchr(text, '=');
    union atom key, value;
    char *name;

    if (!equals || !num_parse_s64(equals + 1, 10, &value.integer)) {
        return error_new("%s: a timeout is written as KEY=SECONDS", text);
    }
    name = xstrndup(text, equals - text);
    key = atom_string(name);
    free(name);
    if (datum_find(timeouts, &key, ATOM_STRING) == UINT32_MAX) {
        datum_put_take(timeouts, type, key, &value);
    } else {
        atom_destroy(&key, ATOM_STRING);
    }
    return NULL;
}

/* A policy with these timeouts, which are taken over: zones share what is equal. */
static const struct vs_ct_timeout_policy *
make_policy(struct dbctl_ctx *ctx, struct datum *timeouts, const struct col_type *type)
{
    struct vs_ct_timeout_policy *new;

    VS_CT_TIMEOUT_POLICY_FOR_EACH (policy, ctx->ctl->idl) {
        if (datum_equal(vs_ct_timeout_policy_timeouts_datum(policy), timeouts, type)) {
            datum_uninit(timeouts, type);
            return policy;
        }
    }
    new = vs_ct_timeout_policy_insert(ctx->ctl->txn);
    idl_set_take(&new->row, VS_CT_TIMEOUT_POLICY_TIMEOUTS, timeouts);
    return new;
}

static struct error *
set_policy(struct dbctl_ctx *ctx, const struct vs_ct_zone *zone)
{
    const struct col_type *type =
        &ctx->ctl->schema->tables[VS_CT_TIMEOUT_POLICY].columns[VS_CT_TIMEOUT_POLICY_TIMEOUTS].type;
    struct datum timeouts = { .n = 0 };
    struct error *e = NULL;

    for (int i = 3; i < ctx->argc && !e; i++) {
        e = parse_timeout(ctx->argv[i], &timeouts, type);
    }
    if (e) {
        datum_uninit(&timeouts, type);
    } else {
        idl_set_ref(&zone->row, VS_CT_ZONE_TIMEOUT_POLICY, &make_policy(ctx, &timeouts, type)->row);
    }
    return e;
}

static struct error *
add_zone_tp(struct dbctl_ctx *ctx)
{
    const struct vs_datapath *dp;
    const struct vs_ct_zone *zone;
    int64_t id;
    struct error *e = need_datapath(ctx, &dp);

    e = e ? e : parse_zone_argument(ctx->argv[2], &id);
    if (e) {
        return e;
    }
    zone = find_zone(dp, id);
    if (zone && vs_ct_zone_timeout_policy(zone) && !dbctl_has(ctx, "--may-exist")) {
        return error_new("zone id %lld already has a policy", (long long) id);
    }
    return set_policy(ctx, make_zone(ctx, dp, id));
}

static struct error *
del_zone_tp(struct dbctl_ctx *ctx)
{
    const struct vs_datapath *dp;
    const struct vs_ct_zone *zone;
    int64_t id;
    struct error *e = need_datapath(ctx, &dp);

    e = e ? e : parse_zone_argument(ctx->argv[2], &id);
    if (e) {
        return e;
    }
    zone = find_zone(dp, id);
    if (!zone || !vs_ct_zone_timeout_policy(zone)) {
        return dbctl_has(ctx, "--if-exists") ? NULL
                                             : error_new("zone id %lld does not have a policy", (long long) id);
    }
    idl_set_ref(&zone->row, VS_CT_ZONE_TIMEOUT_POLICY, NULL);
    drop_empty_zone(dp, zone, id);
    return NULL;
}

static void
put_policy(struct dbctl_ctx *ctx, int64_t id, const struct vs_ct_timeout_policy *policy)
{
    const struct datum *d = vs_ct_timeout_policy_timeouts_datum(policy);

    str_putf(&ctx->output, "Zone:%lld, Timeout Policies:", (long long) id);
    for (size_t i = 0; i < d->n; i++) {
        str_putf(&ctx->output, " %s=%lld", atom_text(&datum_keys(d)[i]), (long long) datum_values(d)[i].integer);
    }
    str_putc(&ctx->output, '\n');
}

static struct error *
list_zone_tp(struct dbctl_ctx *ctx)
{
    const struct vs_datapath *dp = find_datapath(ctx, ctx->argv[1]);
    const struct datum *d;

    if (!dp) {
        return error_new("datapath: %s record not found", ctx->argv[1]);
    }
    d = vs_datapath_ct_zones_datum(dp);
    for (size_t i = 0; i < d->n; i++) {
        const struct vs_ct_zone *zone = vs_datapath_ct_zones(dp, i);
        const struct vs_ct_timeout_policy *policy = zone ? vs_ct_zone_timeout_policy(zone) : NULL;

        if (policy) {
            put_policy(ctx, datum_keys(d)[i].integer, policy);
        } else {
            str_putf(&ctx->output, "Zone:%lld, Timeout Policies: system default\n",
                     (long long) datum_keys(d)[i].integer);
        }
    }
    return NULL;
}

/* ---- Limits ---- */

/* Reads ZONE or "default" (-1). */
static struct error *
parse_zone(const char *text, int64_t *id)
{
    if (!strcmp(text, "default")) {
        *id = -1;
        return NULL;
    }
    if (!num_parse_s64(text, 10, id)) {
        return error_new("invalid zone id, %s", text);
    }
    return *id < 0 || *id > UINT16_MAX ? error_new("zone_id (%lld) out of range", (long long) *id) : NULL;
}

static struct error *
set_zone_limit(struct dbctl_ctx *ctx)
{
    const struct vs_datapath *dp;
    int64_t id, limit;
    struct error *e = need_datapath(ctx, &dp);

    e = e ? e : parse_zone(ctx->argv[2], &id);
    if (!e && !num_parse_s64(ctx->argv[3], 10, &limit)) {
        e = error_new("invalid limit, %s", ctx->argv[3]);
    } else if (!e && (limit < 0 || limit > UINT32_MAX)) {
        e = error_new("limit (%lld) out of range", (long long) limit);
    }
    if (e) {
        return e;
    }
    if (id < 0) {
        vs_datapath_ct_zone_default_limit_set(dp, limit);
    } else {
        vs_ct_zone_limit_set(make_zone(ctx, dp, id), limit);
    }
    return NULL;
}

static struct error *
del_zone_limit(struct dbctl_ctx *ctx)
{
    const bool must_exist = !dbctl_has(ctx, "--if-exists");
    const struct vs_datapath *dp;
    const struct vs_ct_zone *zone;
    int64_t id;
    struct error *e = need_datapath(ctx, &dp);

    e = e ? e : parse_zone(ctx->argv[2], &id);
    if (e) {
        return e;
    }
    if (id < 0) {
        if (must_exist && vs_datapath_ct_zone_default_limit(dp, -1) < 0) {
            return error_new("datapath %s does not have a limit", ctx->argv[1]);
        }
        idl_set_empty(&dp->row, VS_DATAPATH_CT_ZONE_DEFAULT_LIMIT);
        return NULL;
    }
    zone = find_zone(dp, id);
    if (!zone || vs_ct_zone_limit(zone, -1) < 0) {
        return must_exist ? error_new("zone_id %lld does not have a limit", (long long) id) : NULL;
    }
    idl_set_empty(&zone->row, VS_CT_ZONE_LIMIT);
    drop_empty_zone(dp, zone, id);
    return NULL;
}

static struct error *
list_zone_limits(struct dbctl_ctx *ctx)
{
    const struct vs_datapath *dp;
    const struct datum *d;
    struct error *e = need_datapath(ctx, &dp);

    if (e) {
        return e;
    }
    if (vs_datapath_ct_zone_default_limit(dp, -1) >= 0) {
        str_putf(&ctx->output, "Default, Limit: %lld\n", (long long) vs_datapath_ct_zone_default_limit(dp, -1));
    }
    d = vs_datapath_ct_zones_datum(dp);
    for (size_t i = 0; i < d->n; i++) {
        const struct vs_ct_zone *zone = vs_datapath_ct_zones(dp, i);

        if (zone && vs_ct_zone_limit(zone, -1) >= 0) {
            str_putf(&ctx->output, "Zone: %lld, Limit: %lld\n", (long long) datum_keys(d)[i].integer,
                     (long long) vs_ct_zone_limit(zone, -1));
        }
    }
    return NULL;
}

/* ---- Capabilities ---- */

static struct error *
list_dp_cap(struct dbctl_ctx *ctx)
{
    const struct vs_datapath *dp = find_datapath(ctx, ctx->argv[1]);
    const struct datum *d;

    if (!dp) {
        return error_new("datapath \"%s\" record not found", ctx->argv[1]);
    }
    d = vs_datapath_capabilities_datum(dp);
    for (size_t i = 0; i < d->n; i++) {
        str_putf(&ctx->output, "%s%s=%s", i ? " " : "", atom_text(&datum_keys(d)[i]), atom_text(&datum_values(d)[i]));
    }
    str_putc(&ctx->output, '\n');
    return NULL;
}

const struct dbctl_command vsctl_zone_commands[] = {
    { "add-zone-tp", 3, 18, "!DATAPATH !ZONE +POLICY", "--may-exist", true, zone_prepare, add_zone_tp, NULL },
    { "del-zone-tp", 2, 2, "!DATAPATH !ZONE", "--if-exists", true, zone_prepare, del_zone_tp, NULL },
    { "list-zone-tp", 1, 1, "!DATAPATH", "", false, zone_prepare, list_zone_tp, NULL },
    { "set-zone-limit", 3, 3, "!DATAPATH !ZONE !LIMIT", "", true, zone_prepare, set_zone_limit, NULL },
    { "del-zone-limit", 2, 2, "!DATAPATH !ZONE", "--if-exists", true, zone_prepare, del_zone_limit, NULL },
    { "list-zone-limits", 1, 1, "!DATAPATH", "", false, zone_prepare, list_zone_limits, NULL },
    { "list-dp-cap", 1, 1, "!DATAPATH", "", false, zone_prepare, list_dp_cap, NULL },
};
const size_t vsctl_n_zone_commands = ARRAY_SIZE(vsctl_zone_commands);
