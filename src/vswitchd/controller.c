/* Controllers of a bridge: rows to configuration, status to rows. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "sys/dirs.h"
#include "sys/log.h"
#include "sys/stream.h"
#include "vswitchd/vswitchd.h"

LOG_MODULE(bridge)

enum { DEFAULT_DSCP = 48 };

static bool
text_is(const char *text, const char *value)
{
    return text && !strcmp(text, value);
}

/* By default who is waited for is a service. */
static bool
is_service(const struct vs_controller *c)
{
    const char *type = vs_controller_type(c);

    return type ? !strcmp(type, "service") : stream_target_is_passive(vs_controller_target(c));
}

static struct ofproto_controller_config
read_row(const struct vs_controller *c, const struct controllers_cfg *cfg)
{
    const char *text = vs_controller_other_config(c, "dscp");
    uint8_t dscp = DEFAULT_DSCP;

    if (text && (!num_parse_u8(text, 10, &dscp) || dscp > 63)) {
        dscp = DEFAULT_DSCP;
    }
    return (struct ofproto_controller_config) {
        .target = vs_controller_target(c),
        .is_service = is_service(c),
        .in_band = !cfg->disable_in_band && !text_is(vs_controller_connection_mode(c), "out-of-band"),
        .queue_size = vs_controller_controller_queue_size(c, cfg->queue_size),
        .max_backoff_ms = vs_controller_max_backoff(c, 0),
        .probe_ms = vs_controller_inactivity_probe(c, stream_target_needs_probes(vs_controller_target(c)) ? 5000 : 0),
        .rate_limit = vs_controller_controller_rate_limit(c, 0),
        .burst_limit = vs_controller_controller_burst_limit(c, 0),
        .enable_async = vs_controller_enable_async_messages(c, true),
        .dscp = dscp,
    };
}

/* Whether 'path' is a file right in the run directory; a name without a directory is one. */
static bool
is_in_run_directory(const char *path, const char **name)
{
    const char *slash = strrchr(path, '/'), *run = dirs_run();
    size_t n = slash ? (size_t) (slash - path) : 0;

    *name = slash ? slash + 1 : path;
    while (n && path[n - 1] == '/') {
        n--;
    }
    return !slash || (n == strlen(run) && !memcmp(path, run, n));
}

/* Who may write to the database shall not make us overwrite files, or talk to sockets of others. */
static bool
is_permitted(const struct bridge *br, const char *target)
{
    static struct log_limit limit = LOG_LIMIT_INIT(5, 5);
    const char *path = strchr(target, ':') ? strchr(target, ':') + 1 : "", *name;
    size_t n = strlen(br->o.name);

    if (!strncmp(target, "punix:", 6)) {
        if (strchr(path, '/') && is_in_run_directory(path, &name) && !strncmp(name, br->o.name, n) && name[n] == '.') {
            return true;
        }
        log_err_rl(&limit, "bridge %s: Not adding Unix domain socket controller \"%s\" due to possibility of "
                   "overwriting local files. Instead, specify path in permitted format \"punix:%s/%s.*\" or connect to "
                   "\"unix:%s/%s.mgmt\" (which is always available without special configuration).", br->o.name, target,
                   dirs_run(), br->o.name, dirs_run(), br->o.name);
        return false;
    }
    if (!strncmp(target, "unix:", 5) && !is_in_run_directory(path, &name)) {
        log_err_rl(&limit, "bridge %s: Not connecting to socket controller \"%s\" due to possibility for remote "
                   "exploit.  Instead, specify socket in permitted directory \"unix:%s/\" or connect to "
                   "\"unix:%s/%s.mgmt\" (which is always available without special configuration).", br->o.name, target,
                   dirs_run(), dirs_run(), br->o.name);
        return false;
    }
    return true;
}

void
controller_forget(struct bridge *br)
{
    for (size_t i = 0; i < br->n_controllers; i++) {
        free(br->targets[i]);
    }
    free(br->targets);
    free(br->controllers);
    br->targets = NULL;
    br->controllers = NULL;
    br->n_controllers = 0;
}

static be32
parse_ip(const char *text)
{
    struct in_addr a;
    be32 ip;

    if (!text || inet_pton(AF_INET, text, &a) != 1) {
        return 0;
    }
    memcpy(&ip, &a, sizeof ip);
    return ip;
}

/* By the class of the address (RFC 791 §2.3). */
static be32
default_netmask(be32 ip)
{
    uint32_t v = be32_to_cpu(ip);

    return cpu_to_be32(v >> 31 == 0 ? 0xff000000 : v >> 30 == 2 ? 0xffff0000 : v >> 29 == 6 ? 0xffffff00 : 0);
}

static void
read_local_ip(struct bridge *br, const struct vs_controller *c)
{
    struct local_ip l = { .ip = parse_ip(vs_controller_local_ip(c)) };

    if (l.ip) {
        l.netmask = parse_ip(vs_controller_local_netmask(c));
        l.netmask = l.netmask ? l.netmask : default_netmask(l.ip);
        l.gateway = parse_ip(vs_controller_local_gateway(c));
        br->local_ip = l;
    }
}

/* Managers that are reached through bridges. */
static void
set_in_band(const struct bridge *br, const struct controllers_cfg *cfg)
{
    const char **targets = NULL;
    size_t n = 0, capacity = 0;

    VS_MANAGER_FOR_EACH (m, br->o.sw->idl) {
        if (!cfg->disable_in_band && !text_is(vs_manager_connection_mode(m), "out-of-band")) {
            if (n == capacity) {
                targets = x2nrealloc(targets, &capacity, sizeof *targets);
            }
            targets[n++] = vs_manager_target(m);
        }
    }
    ofproto_set_in_band(br->ofproto, targets, n, cfg->in_band_queue);
    free(targets);
}

void
controller_configure(struct bridge *br, const struct vs_bridge *row, const struct controllers_cfg *cfg)
{
    size_t n = vs_bridge_controller_datum(row)->n;
    struct ofproto_controller_config *configs = xcalloc(n + 1, sizeof *configs);

    controller_forget(br);
    br->local_ip = (struct local_ip) { 0 };
    br->controllers = xcalloc(n + 1, sizeof *br->controllers);
    br->targets = xcalloc(n + 1, sizeof *br->targets);
    for (size_t i = 0; i < n; i++) {
        const struct vs_controller *c = vs_bridge_controller(row, i);

        if (c && is_permitted(br, vs_controller_target(c))) {
            configs[br->n_controllers] = read_row(c, cfg);
            if (configs[br->n_controllers].in_band) {
                read_local_ip(br, c);
            }
            br->controllers[br->n_controllers] = c->row.uuid;
            br->targets[br->n_controllers++] = xstrdup(vs_controller_target(c));
        }
    }
    set_in_band(br, cfg);
    if (!br->o.sw->cfg.flow_restore_wait || !br->n_controllers) { /* None is called while flows are being restored. */
        ofproto_set_controllers(br->ofproto, configs, br->n_controllers);
    }
    free(configs);
    br->o.sw->controllers_stale = true;
}

static void
write_one(void *br_, const struct ofproto_controller_status *s)
{
    struct bridge *br = br_;

    for (size_t i = 0; i < br->n_controllers; i++) {
        const struct vs_controller *c;

        if (strcmp(br->targets[i], s->target)) {
            continue;
        }
        c = (const struct vs_controller *) idl_row_get(br->o.sw->idl, VS_CONTROLLER, &br->controllers[i]);
        if (c) {
            vs_controller_is_connected_set(c, s->is_connected);
            vs_controller_role_set(c, s->role);
            vs_controller_status_set(c, &s->pairs);
        }
    }
}

void
controller_write(struct bridge *br)
{
    if (br->ofproto && br->n_controllers) {
        ofproto_get_controller_status(br->ofproto, write_one, br);
    }
}
