/* ovs-vswitchd(8): the switch daemon. */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "ctl/ctl.h"
#include "datapath/user/user.h"
#include "netdev/dpdk.h"
#include "openflow/action/action.h"
#include "openflow/conn.h"
#include "openflow/print/print.h"
#include "sys/cmdline.h"
#include "sys/daemon.h"
#include "sys/dirs.h"
#include "sys/log.h"
#include "sys/numa.h"
#include "sys/signals.h"
#include "sys/stream.h"
#include "vswitchd/vswitchd.h"

LOG_MODULE(vswitchd_main)

enum { OPT_UNIXCTL, OPT_MLOCKALL, OPT_ENABLE_DUMMY, OPT_DISABLE_SYSTEM, OPT_DISABLE_SYSTEM_ROUTE, OPT_DPDK,
       OPT_DUMMY_NUMA };

static const struct cmdline_option options[] = {
    { "unixctl", 0, CMDLINE_ARG, OPT_UNIXCTL },
    { "mlockall", 0, CMDLINE_NO_ARG, OPT_MLOCKALL },
    { "enable-dummy", 0, CMDLINE_OPTIONAL_ARG, OPT_ENABLE_DUMMY },
    { "disable-system", 0, CMDLINE_NO_ARG, OPT_DISABLE_SYSTEM },
    { "disable-system-route", 0, CMDLINE_NO_ARG, OPT_DISABLE_SYSTEM_ROUTE },
    { "dpdk", 0, CMDLINE_OPTIONAL_ARG, OPT_DPDK },
    { "dummy-numa", 0, CMDLINE_ARG, OPT_DUMMY_NUMA },
};

struct program {
    struct loop *loop;
    struct signal_watch sigterm, sigint;
    bool cleanup;
    const char *unixctl;
    const char *dummy;      /* Null: none; else how (netdev_enable_dummy()). */
    bool disable_system;
    bool mlockall;
    const char *remote;     /* The database. */
    char *default_remote;
};

static void
usage(void)
{
    char *remote = dirs_db_remote();

    printf("%s: Open vSwitch daemon\nusage: %s [OPTIONS] [DATABASE]\n"
           "where DATABASE is a socket on which ovsdb-server is listening\n      (default: \"%s\").\n",
           log_program(), log_program(), remote);
    free(remote);
    cmdline_usage_targets("DATABASE", true, false, CMDLINE_TLS | CMDLINE_TLS_PEER_CA | CMDLINE_TLS_BOOTSTRAP);
    cmdline_usage_daemon();
    cmdline_usage_log();
    printf("\nOther options:\n"
           "  --unixctl=SOCKET          override default control socket name\n"
           "  -h, --help                display this help message\n"
           "  -V, --version             display version information\n");
}

static void
parse_options(struct cmdline *cl, struct program *p)
{
    int id;

    while ((id = cmdline_next(cl)) != CMDLINE_END) {
        switch (id) {
        case OPT_UNIXCTL:
            p->unixctl = cl->arg;
            break;
        case OPT_MLOCKALL:
            p->mlockall = true;
            break;
        case OPT_ENABLE_DUMMY:
            p->dummy = cl->arg ? cl->arg : "";
            break;
        case OPT_DISABLE_SYSTEM:
            p->disable_system = true;
            break;
        case OPT_DISABLE_SYSTEM_ROUTE:
            break; /* Routes of the system are not looked at yet. */
        case OPT_DUMMY_NUMA:
            if (!numa_make_up(cl->arg)) {
                cmdline_fatal(0, "--dummy-numa: '%s' is no list of the NUMA nodes of cores", cl->arg);
            }
            break;
        case OPT_DPDK:
            cmdline_fatal(0, "Using --dpdk to configure DPDK is not supported.");
        }
    }
    if (cl->argc > 1) {
        cmdline_fatal(0, "at most one non-option argument accepted; use --help for usage");
    }
    p->remote = cl->argc ? cl->argv[0] : (p->default_remote = dirs_db_remote());
    if (!stream_target_is_active(p->remote)) {
        cmdline_fatal(0, "%s: not an active connection method", p->remote);
    }
}

static void
on_quit(void *p_, bool cleanup)
{
    struct program *p = p_;

    p->cleanup = cleanup;
    loop_stop(p->loop);
}

static void
on_signal(struct signal_watch *w)
{
    on_quit(w->aux, false);
}

static void
on_ready(void *p UNUSED)
{
    daemon_ready();
}

static void
enable_dummies(struct program *p)
{
    p->disable_system &= strcmp(p->dummy, "override") && strcmp(p->dummy, "system"); /* Then it is a dummy too. */
    dp_user_register_dummy(p->dummy);
    netdev_enable_dummy(p->dummy);
    act_allow_debug();
}

/* Waits for signals and "exit"; the order of taking down is the reverse of making. */
static void
serve(struct program *p)
{
    struct ctl_server *ctl = ctl_server_create_or_exit(p->loop, p->unixctl);
    struct schema *schema = vs_schema();
    struct idl *idl = idl_create(p->loop, schema, p->remote, true);
    struct vswitchd *sw;

    schema_unref(schema);
    netdev_init(p->loop);
    dp_user_register();
    dp_user_commands_register();
    netdev_dpdk_commands_register();
    if (p->dummy) {
        enable_dummies(p);
        commands_register_time(p->loop);
    }
    ofproto_init(p->loop);
    sw = vswitchd_create(p->loop, idl, p->disable_system, on_ready, p);
    commands_register(sw, on_quit, p);
    vswitchd_choose_columns(idl);
    idl_start(idl);
    loop_run(p->loop);
    vswitchd_destroy(sw, p->cleanup);
    dp_user_end_captures();
    ofproto_uninit();
    netdev_uninit();
    idl_destroy(idl);
    commands_finish_exit();
    loop_run_once(p->loop, false);
    ctl_server_destroy(ctl);
}

int
main(int argc, char *argv[])
{
    struct program p = { NULL };
    struct cmdline cl;

    cmdline_init(&cl, argc, argv, CMDLINE_DAEMON | CMDLINE_TLS | CMDLINE_TLS_PEER_CA | CMDLINE_TLS_BOOTSTRAP, options,
                 ARRAY_SIZE(options), usage);
    parse_options(&cl, &p);
    of_conn_log_messages(msg_describe);
    /* Small pieces are merged as they are freed: what is saved up is merged all at once, which after a large change of
     * flows keeps whoever allocates next waiting for many milliseconds. */
    mallopt(M_MXFAST, 0);
    daemon_want_net_admin();
    daemon_start();
    if (p.mlockall && mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) {
        log_err("mlockall failed: %s", strerror(errno));
    }
    numa_log();
    p.loop = loop_create();
    loop_use_rcu(p.loop);
    signal_watch_start(p.loop, &p.sigterm, SIGTERM, on_signal, &p);
    signal_watch_start(p.loop, &p.sigint, SIGINT, on_signal, &p);
    serve(&p);
    signal_watch_stop(&p.sigterm);
    signal_watch_stop(&p.sigint);
    loop_run_once(p.loop, false);
    loop_destroy(p.loop);
    free(p.default_remote);
    return EXIT_SUCCESS;
}
