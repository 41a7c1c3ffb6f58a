/* Controllers of a bridge: rows to configuration, status to rows. */
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "sys/log.h"
#include "vswitchd/vswitchd.h"

LOG_MODULE(bridge)

enum { DEFAULT_DSCP = 48 };

static bool
text_is(const char *text, const char *value)
{
    return text && !strcmp(text, value);
}

static struct ofproto_controller_config
read_row(const struct vs_controller *c)
{
    const char *text = vs_controller_other_config(c, "dscp");
    uint8_t dscp = DEFAULT_DSCP;

    if (text && (!num_parse_u8(text, 10, &dscp) || dscp > 63)) {
        dscp = DEFAULT_DSCP;
    }
    return (struct ofproto_controller_config) {
        .target = vs_controller_target(c),
        .in_band = text_is(vs_controller_connection_mode(c), "in-band"),
        .max_backoff_ms = vs_controller_max_backoff(c, 0),
        .probe_ms = vs_controller_inactivity_probe(c, 5000),
        .rate_limit = vs_controller_controller_rate_limit(c, 0),
        .burst_limit = vs_controller_controller_burst_limit(c, 0),
        .enable_async = vs_controller_enable_async_messages(c, true),
        .dscp = dscp,
    };
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

void
controller_configure(struct bridge *br, const struct vs_bridge *row)
{
    size_t n = vs_bridge_controller_datum(row)->n;
    struct ofproto_controller_config *configs = xcalloc(n + 1, sizeof *configs);

    controller_forget(br);
    br->controllers = xcalloc(n + 1, sizeof *br->controllers);
    br->targets = xcalloc(n + 1, sizeof *br->targets);
    for (size_t i = 0; i < n; i++) {
        const struct vs_controller *c = vs_bridge_controller(row, i);

        if (c) {
            configs[br->n_controllers] = read_row(c);
            br->controllers[br->n_controllers] = c->row.uuid;
            br->targets[br->n_controllers++] = xstrdup(vs_controller_target(c));
        }
    }
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
