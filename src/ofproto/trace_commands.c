/* ofproto/trace and ofproto/trace-packet-out as control commands. */
#include <limits.h>

#include "ctl/ctl.h"
#include "ofproto/ofproto_private.h"
#include "ofproto/xlate/trace.h"

static struct xbridge *
find_bridge(void *aux UNUSED, const char *name)
{
    struct ofproto *p = ofproto_find(name);

    return p ? &p->xb : NULL;
}

static struct xdp *
find_datapath(void *aux UNUSED, const char *name)
{
    struct backer *found = NULL;

    for (struct backer *b = backer_first(); b; b = backer_next(b)) {
        if (!name || !strcmp(b->xdp.name, name)) {
            if (found) {
                return NULL; /* Which one is meant? */
            }
            found = b;
        }
    }
    return found ? &found->xdp : NULL;
}

static void
apply_effects(void *aux UNUSED, struct xlate_out *out)
{
    xlate_apply_effects(out);
}

static const struct trace_host host = { find_bridge, find_datapath, apply_effects, NULL };

static void
reply(struct ctl_request *r, struct error *e, struct str *text)
{
    if (e) {
        ctl_reply_error(r, "%s", error_text(e));
        error_free(e);
    } else {
        ctl_reply(r, str_text(text));
    }
    str_uninit(text);
}

static void
cmd_trace(struct ctl_request *r, int argc, const char *argv[], void *aux UNUSED)
{
    struct str text = STR_INIT;
    struct error *e = trace_command(argc, argv, &host, &text);

    reply(r, e, &text);
}

static void
cmd_trace_packet_out(struct ctl_request *r, int argc, const char *argv[], void *aux UNUSED)
{
    struct str text = STR_INIT;
    struct error *e = trace_packet_out_command(argc, argv, &host, &text);

    reply(r, e, &text);
}

void
trace_commands_register(void)
{
    ctl_register("ofproto/trace", "{[dp_name] odp_flow | bridge br_flow} [OPTIONS...] [-generate|packet]", 1, INT_MAX,
                 cmd_trace, NULL);
    ctl_register("ofproto/trace-packet-out", "[-consistent] {[dp_name] odp_flow | bridge br_flow} [OPTIONS...] "
                 "[-generate|packet] actions", 2, INT_MAX, cmd_trace_packet_out, NULL);
}
