/* Control commands of protocols that the switch does not run yet (docs/status.md): LACP, BFD, CFM, STP, RSTP, multicast
 * snooping, auto-attach.  There are no such objects, and that is what these commands say, in the words that scripts
 * know.  A part that serves one of the protocols registers its own command instead. */
#include <string.h>

#include "ctl/ctl.h"
#include "vswitchd/vswitchd.h"

struct idle {
    const char *name, *usage;
    int max;
    const char *none;    /* What is said of the object that is asked for by name. */
    const char *all;     /* What is said of all. */
};

static const struct idle idles[] = {
    { "lacp/show", "[port]", 1, "no such lacp object", "" },
    { "lacp/show-stats", "[port]", 1, "no such lacp object", "" },
    { "bfd/show", "[interface]", 1, "no such bfd object", "" },
    { "cfm/show", "[interface]", 1, "no such CFM object", "" },
    { "stp/show", "[bridge]", 1, "no such stp object", "" },
    { "stp/tcn", "[bridge]", 1, "no such stp object", "OK" },
    { "rstp/show", "[bridge]", 1, "No such RSTP object", "" },
    { "rstp/tcn", "[bridge]", 1, "No such RSTP object", "OK" },
    { "ofproto/list-tunnels", "", 0, NULL, "" },
};

static void
cmd_idle(struct ctl_request *r, int argc, const char *argv[] UNUSED, void *idle_)
{
    const struct idle *idle = idle_;

    if (argc > 1) {
        ctl_reply_error(r, "%s", idle->none);
    } else {
        ctl_reply(r, idle->all);
    }
}

/* bfd/set-forwarding and cfm/set-fault: [interface] normal|false|true */
static void
cmd_force(struct ctl_request *r, int argc, const char *argv[], void *none)
{
    const char *value = argv[argc - 1];

    if (strcmp(value, "true") && strcmp(value, "false") && strcmp(value, "normal")) {
        ctl_reply_error(r, "unknown fault string");
    } else if (argc > 2) {
        ctl_reply_error(r, "%s", (const char *) none);
    } else {
        ctl_reply(r, "OK");
    }
}

static void
cmd_mdb(struct ctl_request *r, int argc, const char *argv[], void *aux UNUSED)
{
    if (argc < 2) {
        ctl_reply(r, "table successfully flushed");
    } else if (!ofproto_find(argv[1])) {
        ctl_reply_error(r, "no such bridge");
    } else {
        ctl_reply_error(r, "multicast snooping is disabled");
    }
}

void
idle_commands_register(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(idles); i++) {
        ctl_register(idles[i].name, idles[i].usage, 0, idles[i].max, cmd_idle, (void *) &idles[i]);
    }
    ctl_register("bfd/set-forwarding", "[interface] normal|false|true", 1, 2, cmd_force, (void *) "no such BFD object");
    ctl_register("cfm/set-fault", "[interface] normal|false|true", 1, 2, cmd_force, (void *) "no such CFM object");
    ctl_register("mdb/show", "bridge", 1, 1, cmd_mdb, NULL);
    ctl_register("mdb/flush", "[bridge]", 0, 1, cmd_mdb, NULL);
}
