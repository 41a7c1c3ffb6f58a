/* ovs-testcontroller(8): makes any number of switches learn, or be hubs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/num.h"
#include "cmd/ovs-testcontroller/switch.h"
#include "ctl/ctl.h"
#include "openflow/conn.h"
#include "openflow/flow_syntax.h"
#include "openflow/hello.h"
#include "openflow/print/print.h"
#include "sys/cmdline.h"
#include "sys/daemon.h"
#include "sys/dirs.h"
#include "sys/log.h"

LOG_MODULE(controller)

enum { OPT_HUB, OPT_NOFLOW, OPT_MAX_IDLE, OPT_NORMAL, OPT_WILDCARDS, OPT_MUTE, OPT_QUEUE, OPT_PORT_QUEUE,
       OPT_WITH_FLOWS, OPT_UNIXCTL, OPT_PROTOCOLS };
enum { DEFAULT_MAX_IDLE = 60, DEFAULT_WILDCARDS = 0x2820f0, MAX_BACKOFF_MS = 8000, PROBE_MS = 60000 };

static const struct cmdline_option options[] = {
    { "hub", 'H', CMDLINE_NO_ARG, OPT_HUB },
    { "noflow", 'n', CMDLINE_NO_ARG, OPT_NOFLOW },
    { "max-idle", 0, CMDLINE_ARG, OPT_MAX_IDLE },
    { "normal", 'N', CMDLINE_NO_ARG, OPT_NORMAL },
    { "wildcards", 'w', CMDLINE_OPTIONAL_ARG, OPT_WILDCARDS },
    { "mute", 0, CMDLINE_NO_ARG, OPT_MUTE },
    { "queue", 'q', CMDLINE_ARG, OPT_QUEUE },
    { "port-queue", 'Q', CMDLINE_ARG, OPT_PORT_QUEUE },
    { "with-flows", 0, CMDLINE_ARG, OPT_WITH_FLOWS },
    { "unixctl", 0, CMDLINE_ARG, OPT_UNIXCTL },
    { "protocols", 'O', CMDLINE_ARG, OPT_PROTOCOLS, of_versions_put_choice },
};

/* A connection that a listener has accepted, or a session that is kept up. */
struct peer {
    struct list node;
    struct controller *controller;
    struct of_conn *conn;       /* Accepted: owned. */
    struct of_session *session; /* Else. */
    struct test_switch *sw;     /* Null while not connected. */
};

struct listener {
    struct list node;
    struct stream_listener *listener;
};

struct controller {
    struct loop *loop;
    struct switch_options options;
    uint32_t versions;
    struct list peers, listeners;
    const char *unixctl;
};

static void
usage(void)
{
    printf("%s: OpenFlow controller\nusage: %s [OPTIONS] METHOD\nwhere METHOD is any OpenFlow connection method.\n",
           log_program(), log_program());
    cmdline_usage_targets("OpenFlow", true, true, CMDLINE_TLS);
    cmdline_usage_daemon();
    printf("\nOpenFlow version options:\n"
           "  -V, --version           display version information\n"
           "  -O, --protocols         set allowed OpenFlow versions\n"
           "                          (default: OpenFlow10, OpenFlow11, OpenFlow12, OpenFlow13, OpenFlow14,"
           " OpenFlow15)\n");
    cmdline_usage_log();
    printf("\nOther options:\n"
           "  -H, --hub               act as hub instead of learning switch\n"
           "  -n, --noflow            pass traffic, but don't add flows\n"
           "  --max-idle=SECS         max idle time for new flows\n"
           "  -N, --normal            use OFPP_NORMAL action\n"
           "  -w, --wildcards[=MASK]  wildcard (specified) bits in flows\n"
           "  -q, --queue=QUEUE-ID    OpenFlow queue ID to use for output\n"
           "  -Q PORT-NAME:QUEUE-ID   use QUEUE-ID for frames from PORT-NAME\n"
           "  --with-flows FILE       use the flows from FILE\n"
           "  --unixctl=SOCKET        override default control socket name\n"
           "  -h, --help              display this help message\n"
           "  -V, --version           display version information\n");
}

/* Options. */

static void
set_max_idle(struct switch_options *o, const char *text)
{
    uint16_t n;

    if (!strcmp(text, "permanent")) {
        o->max_idle = 0;
    } else if (num_parse_u16(text, 10, &n) && n) {
        o->max_idle = n;
    } else {
        cmdline_fatal(0, "--max-idle argument must be between 1 and 65535 or the word 'permanent'");
    }
}

static void
add_port_queue(struct switch_options *o, const char *text)
{
    const char *colon = strrchr(text, ':');
    uint32_t *queue = xmalloc(sizeof *queue);
    char *name;

    if (!colon || colon == text || !num_parse_u32(colon + 1, 10, queue)) {
        cmdline_fatal(0, "argument to -Q or --port-queue should take the form \"<port-name>:<queue-id>\"");
    }
    name = xasprintf("%.*s", (int) (colon - text), text);
    if (strmap_get(&o->port_queues, name)) {
        cmdline_fatal(0, "<port-name> arguments for -Q or --port-queue must be unique");
    }
    strmap_put(&o->port_queues, name, queue);
    free(name);
}

static void
add_flow_line(struct switch_options *o, const char *line, size_t *capacity)
{
    const struct act_text no_names = { NULL, NULL };
    unsigned int protocols = PROTO_ANY;

    if (o->n_flows == *capacity) {
        o->flows = x2nrealloc(o->flows, capacity, sizeof *o->flows);
    }
    cmdline_fatal_error(flow_mod_parse(&o->flows[o->n_flows], line, FM_ADD, &no_names, &protocols));
    o->n_flows++;
}

static void
read_flows(struct switch_options *o, const char *file)
{
    FILE *f = strcmp(file, "-") ? fopen(file, "r") : stdin;
    size_t size = 0, capacity = o->n_flows;
    char *line = NULL;

    if (!f) {
        cmdline_fatal(-errno, "%s: open failed", file);
    }
    while (getline(&line, &size, f) > 0) {
        line[strcspn(line, "#\n")] = '\0';
        if (line[strspn(line, " \t\r")]) {
            add_flow_line(o, line, &capacity);
        }
    }
    free(line);
    if (f != stdin) {
        fclose(f);
    }
}

static void
set_versions(struct controller *c, const char *text)
{
    char *bad;

    c->versions = of_versions_parse(text, &bad);
    if (bad) {
        cmdline_fatal(0, "Unknown OpenFlow version: \"%s\"", bad);
    }
}

static void
parse_options(struct controller *c, struct cmdline *cl)
{
    struct switch_options *o = &c->options;
    uint32_t queue;
    int id;

    while ((id = cmdline_next(cl)) != CMDLINE_END) {
        switch (id) {
        case OPT_HUB: o->hub = true; break;
        case OPT_NOFLOW: o->noflow = true; break;
        case OPT_MAX_IDLE: set_max_idle(o, cl->arg); break;
        case OPT_NORMAL: o->normal = true; break;
        case OPT_WILDCARDS: o->wildcards = cl->arg ? strtoul(cl->arg, NULL, 16) : DEFAULT_WILDCARDS; break;
        case OPT_MUTE: o->mute = true; break;
        case OPT_QUEUE:
            if (!num_parse_u32(cl->arg, 10, &queue)) {
                cmdline_fatal(0, "argument to -q or --queue must be a queue id");
            }
            o->queue = queue;
            break;
        case OPT_PORT_QUEUE: add_port_queue(o, cl->arg); break;
        case OPT_WITH_FLOWS: read_flows(o, cl->arg); break;
        case OPT_UNIXCTL: c->unixctl = cl->arg; break;
        case OPT_PROTOCOLS: set_versions(c, cl->arg); break;
        }
    }
    if (strmap_count(&o->port_queues) || o->queue >= 0) {
        if (o->hub || o->normal) {
            log_err("queue IDs are incompatible with -H or --hub and with -N or --normal, which are ignored");
        }
        o->hub = o->normal = false;
    }
}

/* Connections. */

static void
end_peer(struct peer *p)
{
    list_remove(&p->node);
    test_switch_destroy(p->sw);
    of_conn_close(p->conn);
    of_session_destroy(p->session);
    free(p);
}

static struct peer *
create_peer(struct controller *c)
{
    struct peer *p = xzalloc(sizeof *p);

    p->controller = c;
    list_push_back(&c->peers, &p->node);
    return p;
}

static void
accepted_open(struct of_conn *conn, void *p_)
{
    struct peer *p = p_;

    p->sw = test_switch_create(&p->controller->options, conn);
}

static void
accepted_message(struct of_conn *conn UNUSED, const uint8_t *data, size_t len, void *p)
{
    test_switch_message(((struct peer *) p)->sw, data, len);
}

static void
accepted_closed(struct of_conn *conn UNUSED, int error, void *p)
{
    log_info("%s: switch gone (%s)", of_conn_name(conn), error ? stream_strerror(error) : "closed");
    end_peer(p);
}

static const struct of_conn_ops accepted_ops = { accepted_open, accepted_message, accepted_closed, NULL };

static void
on_accept(struct stream_listener *l UNUSED, struct stream *stream, void *c_)
{
    struct controller *c = c_;
    struct peer *p = create_peer(c);

    p->conn = of_conn_accept(c->loop, stream, c->versions, 0, &accepted_ops, p);
}

static void
session_connected(struct of_session *session, void *p_)
{
    struct peer *p = p_;

    p->sw = test_switch_create(&p->controller->options, of_session_conn(session));
}

static void
session_message(struct of_session *session UNUSED, const uint8_t *data, size_t len, void *p)
{
    test_switch_message(((struct peer *) p)->sw, data, len);
}

static void
session_disconnected(struct of_session *session UNUSED, int error UNUSED, void *p_)
{
    struct peer *p = p_;

    test_switch_destroy(p->sw);
    p->sw = NULL;
}

static const struct of_session_ops session_ops = { session_connected, session_message, session_disconnected, NULL };

/* One that fails is told of; the others go on. */
static bool
open_method(struct controller *c, const char *target)
{
    struct listener *l;
    struct peer *p;
    int error;

    if (stream_target_is_active(target)) {
        p = create_peer(c);
        p->session = of_session_create(c->loop, target, target, c->versions, MAX_BACKOFF_MS, PROBE_MS, &session_ops, p);
        return true;
    }
    l = xzalloc(sizeof *l);
    error = stream_target_is_passive(target)
            ? stream_listen(c->loop, target, STREAM_PORT_OPENFLOW, on_accept, c, &l->listener) : -EAFNOSUPPORT;
    if (error) {
        log_err("%s: connect: %s", target, stream_strerror(error));
        free(l);
        return false;
    }
    list_push_back(&c->listeners, &l->node);
    return true;
}

static void
cmd_exit(struct ctl_request *r, int argc UNUSED, const char *argv[] UNUSED, void *c_)
{
    struct controller *c = c_;

    loop_stop(c->loop);
    ctl_reply(r, NULL);
}

static void
uninit(struct controller *c)
{
    LIST_FOR_EACH_SAFE (p, struct peer, node, &c->peers) {
        end_peer(p);
    }
    LIST_FOR_EACH_SAFE (l, struct listener, node, &c->listeners) {
        stream_listener_close(l->listener);
        list_remove(&l->node);
        free(l);
    }
    for (size_t i = 0; i < c->options.n_flows; i++) {
        flow_mod_uninit(&c->options.flows[i]);
    }
    free(c->options.flows);
    strmap_uninit_free(&c->options.port_queues);
}

static void
describe(const void *aux UNUSED)
{
    cmdline_describe_words("ARGUMENT", stream_put_methods);
}

int
main(int argc, char *argv[])
{
    struct controller c = { .options = { .max_idle = DEFAULT_MAX_IDLE, .queue = -1 }, .versions = OF_VERSIONS_ALL };
    struct ctl_server *ctl;
    struct cmdline cl;
    int n = 0;

    strmap_init(&c.options.port_queues);
    list_init(&c.peers);
    list_init(&c.listeners);
    cmdline_init(&cl, argc, argv, CMDLINE_DAEMON | CMDLINE_TLS | CMDLINE_TLS_PEER_CA, options, ARRAY_SIZE(options),
                 usage);
    cmdline_set_describe(describe, NULL);
    parse_options(&c, &cl);
    if (!cl.argc) {
        cmdline_fatal(0, "at least one vconn argument required; use --help for usage");
    }
    of_conn_log_messages(msg_describe);
    daemon_start();
    c.loop = loop_create();
    loop_use_rcu(c.loop);
    ctl = ctl_server_create_or_exit(c.loop, c.unixctl);
    ctl_register("exit", "", 0, 0, cmd_exit, &c);
    for (int i = 0; i < cl.argc; i++) {
        n += open_method(&c, cl.argv[i]);
    }
    if (!n) {
        cmdline_fatal(0, "no active or passive switch connections");
    }
    daemon_ready();
    loop_run(c.loop);
    uninit(&c);
    ctl_server_destroy(ctl);
    loop_destroy(c.loop);
    return EXIT_SUCCESS;
}
