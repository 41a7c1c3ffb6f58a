/* Control commands about upcalls and the megaflows that they make (ovs-vswitchd(8)). */
#include <inttypes.h>
#include <stdlib.h>

#include "ctl/ctl.h"
#include "ofproto/ofproto_private.h"

static bool ufid_enabled = true;

static void
cmd_upcall_show(struct ctl_request *r, int argc UNUSED, const char *argv[] UNUSED, void *aux UNUSED)
{
    struct str s = STR_INIT;

    for (struct backer *b = backer_first(); b; b = backer_next(b)) {
        struct revalidator_figures f;
        struct dp_stats stats;

        b->xdp.dp->class->get_stats(b->xdp.dp, &stats);
        revalidator_get_figures(b->revalidator, &f);
        str_putf(&s, "%s@%s:\n", b->xdp.type, b->xdp.name);
        str_putf(&s, "  flows         : (current %llu) (avg %llu) (max %llu) (limit %llu)\n",
                 (unsigned long long) stats.n_flows, (unsigned long long) f.avg_flows,
                 (unsigned long long) f.max_flows, (unsigned long long) f.limit);
        str_putf(&s, "  dump duration : %lldms\n", (long long) f.dump_ms);
        str_putf(&s, "  ufid enabled : %s\n\n", ufid_enabled ? "true" : "false");
        str_putf(&s, "  1: (keys %u)\n", f.n_keys);
    }
    ctl_reply(r, str_text(&s));
    str_uninit(&s);
}

static void
cmd_flow_limit(struct ctl_request *r, int argc UNUSED, const char *argv[], void *aux UNUSED)
{
    struct ofproto_settings s = ofproto_settings;

    s.flow_limit = strtoul(argv[1], NULL, 10);
    ofproto_set_settings(&s);
    ctl_replyf(r, "set flow_limit to %u\n", s.flow_limit);
}

static void
cmd_megaflows(struct ctl_request *r, int argc UNUSED, const char *argv[], void *aux UNUSED)
{
    bool disable = !strcmp(argv[0], "upcall/disable-megaflows");

    atomic_store(&upcall_megaflows_disabled, disable);
    for (struct backer *b = backer_first(); b; b = backer_next(b)) {
        b->xdp.dp->class->flow_flush(b->xdp.dp);
    }
    ctl_reply(r, disable ? "megaflows disabled" : "megaflows enabled");
}

static void
cmd_ufid(struct ctl_request *r, int argc UNUSED, const char *argv[], void *aux UNUSED)
{
    ufid_enabled = strcmp(argv[0], "upcall/disable-ufid");
    ctl_reply(r, !ufid_enabled
                     ? "Datapath dumping tersely using UFID disabled"
                     : "Datapath dumping tersely using UFID enabled for supported datapaths");
}

/* Of each port. */

static const char *const kinds[] = {
#define UPCALL_KIND(ENUM, NAME) [UPCALL_##ENUM] = NAME,
#include "ofproto/upcalls.def"
};

static const char *const refusals[] = {
#define UPCALL_REFUSAL(ENUM, TEXT) [UPCALL_REFUSED_##ENUM] = TEXT,
#include "ofproto/upcalls.def"
};

static void
put_counts(struct str *s, const struct upcall_counts *c)
{
    str_puts(s, "    upcalls     :");
    for (int i = 0; i < UPCALL_N_KINDS; i++) {
        str_putf(s, " (%s %" PRIu64 ")", kinds[i], atomic_load(&c->asked[i]));
    }
    str_putc(s, '\n');
    for (int i = 0; i < UPCALL_N_REFUSALS; i++) {
        uint64_t n = atomic_load(&c->refused[i]);

        if (n) {
            str_putf(s, "    refused     : %" PRIu64 ", %s\n", n, refusals[i]);
        }
    }
}

/* What the datapath lost of one port's packets around upcalls. */
struct lost {
    struct str *s;
    be32 in_port;
};

static void
put_lost(void *l_, const struct dp_dropped *d)
{
    struct lost *l = l_;

    if (d->is_upcall && d->key.in_port == l->in_port) {
        str_putf(l->s, "    lost        : %" PRIu64 ", %s\n", d->n_packets, d->why);
    }
}

static void
put_port(struct str *s, const struct backer *b, const struct xport *p)
{
    struct datapath *dp = b->xdp.dp;
    struct lost lost = { s, cpu_to_be32(p->odp_port.n) };

    str_putf(s, "  port %" PRIu32 ": %s (%s)\n", p->odp_port.n, p->name, p->bridge->name);
    put_counts(s, &p->upcalls);
    if (dp->class->dropped_for_each) {
        dp->class->dropped_for_each(dp, put_lost, &lost);
    }
}

static int
compare_ports(const void *a_, const void *b_)
{
    const struct xport *const *a = a_, *const *b = b_;

    return ((*a)->odp_port.n > (*b)->odp_port.n) - ((*a)->odp_port.n < (*b)->odp_port.n);
}

static void
put_ports(struct str *s, const struct backer *b)
{
    struct xport **ports = xcalloc(b->xdp.ports.n, sizeof *ports);
    size_t n = 0;

    RCU_MAP_FOR_EACH (p, struct xport, &b->xdp.ports) {
        ports[n++] = p;
    }
    if (n) {
        qsort(ports, n, sizeof *ports, compare_ports);
    }
    for (size_t i = 0; i < n; i++) {
        put_port(s, b, ports[i]);
    }
    free(ports);
}

static void
cmd_upcall_ports(struct ctl_request *r, int argc UNUSED, const char *argv[] UNUSED, void *aux UNUSED)
{
    struct str s = STR_INIT;

    for (struct backer *b = backer_first(); b; b = backer_next(b)) {
        str_putf(&s, "%s@%s:\n", b->xdp.type, b->xdp.name);
        put_ports(&s, b);
        str_puts(&s, "  no port of a bridge:\n");
        put_counts(&s, &b->upcalls);
    }
    ctl_reply(r, str_text(&s));
    str_uninit(&s);
}

void
upcall_commands_register(void)
{
    ctl_register("upcall/show", "", 0, 0, cmd_upcall_show, NULL);
    ctl_register("upcall/set-flow-limit", "flow-limit-number", 1, 1, cmd_flow_limit, NULL);
    ctl_register("upcall/disable-megaflows", "", 0, 0, cmd_megaflows, NULL);
    ctl_register("upcall/enable-megaflows", "", 0, 0, cmd_megaflows, NULL);
    ctl_register("upcall/disable-ufid", "", 0, 0, cmd_ufid, NULL);
    ctl_register("upcall/enable-ufid", "", 0, 0, cmd_ufid, NULL);
    ctl_register("upcall/show-ports", "", 0, 0, cmd_upcall_ports, NULL);
}
