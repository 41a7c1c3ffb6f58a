/* ofproto/detrace: the OpenFlow flows and groups behind a megaflow, by the credits that its translation has given out;
 * and dpif/offload/...: which devices are given megaflows. */
#include "ctl/ctl.h"
#include "netdev/netdev.h"
#include "odp/text.h"
#include "ofproto/credits.h"
#include "ofproto/megaflow.h"
#include "ofproto/ofproto_private.h"
#include "ofproto/xgroup.h"
#include "openflow/print/print.h"

/* The name of a bridge, in front of the first of its flows that follow one another. */
static void
put_credit(struct str *s, const struct xlate_credit *c, const struct ofproto **bridge)
{
    if (c->kind == CREDIT_RULE) {
        if (*bridge != c->rule->ofproto) {
            *bridge = c->rule->ofproto;
            str_putf(s, "%s:\n", (*bridge)->xb.name);
        }
        str_puts(s, "    ");
        rule_put_dump(s, c->rule);
    } else if (c->kind == CREDIT_GROUP && c->group.bucket == SIZE_MAX) {
        str_puts(s, "    ");
        print_group_desc(s, &c->group.group->desc, NULL);
        str_putc(s, '\n');
    }
}

static void
put_megaflow(struct str *s, const struct backer *b, struct dp_flow *f)
{
    struct megaflow *m = b->xdp.dp->class->flow_owner(f);
    const struct ofproto *bridge = NULL;
    const struct xlate_credit *piece;
    size_t n;

    if (!m) {
        str_putf(s, "Cache was not found for %s@%s\n", b->xdp.type, b->xdp.name); /* Put in by hand. */
        return;
    }
    credits_settle();
    megaflow_lock(m);
    for (size_t i = 0; (piece = credits_piece(m->credits, i, &n)) != NULL; i++) {
        for (size_t k = 0; k < n; k++) {
            put_credit(s, &piece[k], &bridge);
        }
    }
    megaflow_unlock(m);
}

/* "UFID [pmd=PMD-ID]": the workers share all megaflows. */
static void
cmd_detrace(struct ctl_request *r, int argc, const char *argv[], void *aux UNUSED)
{
    const char *text = argv[1];
    struct str s = STR_INIT;
    struct uuid ufid;

    if (!odp_ufid_parse(&text, &ufid) || *text) {
        ctl_reply_error(r, "failed to parse ufid");
        return;
    }
    if (argc > 2 && strncmp(argv[2], "pmd=", 4)) {
        ctl_reply_error(r, "Invalid pmd argument '%s'", argv[2]);
        return;
    }
    for (const struct backer *b = backer_first(); b; b = backer_next(b)) {
        struct dp_flow *f = b->xdp.dp->class->flow_find_ufid(b->xdp.dp, &ufid);

        if (f) {
            put_megaflow(&s, b, f);
        } else {
            str_putf(&s, "UFID was not found for %s@%s\n", b->xdp.type, b->xdp.name);
        }
    }
    ctl_reply(r, str_text(&s));
    str_uninit(&s);
}

static bool
is_offloading(const struct backer *b)
{
    const struct datapath_class *class = b->xdp.dp->class;

    return class->n_offload_threads && class->n_offload_threads(b->xdp.dp) > 0;
}

/* Ports in order of their numbers, below the kind of their devices; there is one kind. */
struct offload_ports {
    struct str *s;
    const struct datapath *dp;
    const char *provider;
};

static void
put_offload_port(void *ports_, odp_port number, struct netdev *netdev)
{
    struct offload_ports *ports = ports_;
    const char *provider = ports->dp->class->port_offload(ports->dp, number);

    if (provider && !ports->provider) {
        ports->provider = provider;
        str_putf(ports->s, "  %s\n", provider);
    }
    if (provider) {
        str_putf(ports->s, "  - %s: port_no: %u\n", netdev->name, number.n);
    }
}

static void
cmd_offload_show(struct ctl_request *r, int argc UNUSED, const char *argv[] UNUSED, void *aux UNUSED)
{
    struct str s = STR_INIT;
    bool any = false;

    for (const struct backer *b = backer_first(); b; b = backer_next(b)) {
        any |= is_offloading(b);
    }
    str_putf(&s, "Globally enabled: %s\nDatapaths:\n", any ? "true" : "false");
    for (const struct backer *b = backer_first(); b; b = backer_next(b)) {
        struct offload_ports ports = { &s, b->xdp.dp, NULL };

        str_putf(&s, "%s@%s:\n", b->xdp.type, b->xdp.name);
        if (is_offloading(b)) {
            b->xdp.dp->class->port_for_each(b->xdp.dp, put_offload_port, &ports);
        }
    }
    ctl_reply(r, str_text(&s));
    str_uninit(&s);
}

static void
cmd_offload_classes(struct ctl_request *r, int argc UNUSED, const char *argv[] UNUSED, void *aux UNUSED)
{
    ctl_reply(r, "Offload Class     Supported dpif class(es)\ndpdk              netdev\n");
}

void
detrace_commands_register(void)
{
    ctl_register("ofproto/detrace", "UFID [pmd=PMD-ID]", 1, 2, cmd_detrace, NULL);
    ctl_register("dpif/offload/show", "", 0, 0, cmd_offload_show, NULL);
    ctl_register("dpif/offload/classes", NULL, 0, 0, cmd_offload_classes, NULL);
}
