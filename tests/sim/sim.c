#include "sim.h"

#include <stdlib.h>
#include <unistd.h>

#include "datapath/user/user.h"
#include "flow/compose.h"
#include "flow/extract.h"
#include "netdev/dummy.h"
#include "netdev/netdev.h"
#include "openflow/flow_mod.h"
#include "openflow/flow_syntax.h"
#include "sys/ending.h"

static void
on_sent(void *sim_, struct netdev *netdev, const void *frame, size_t len)
{
    struct sim *sim = sim_;
    struct flow flow;

    flow_extract_full(frame, len, NULL, &flow, NULL);
    str_putf(&sim->out, "%s%s", sim->out.len ? " " : "", netdev->name);
    if (flow_has_vlan(&flow)) {
        str_putf(&sim->out, ":%u", be16_to_cpu(flow.vlan_tci) & VLAN_VID_MASK);
    }
}

void
sim_start(struct sim *sim)
{
    char template[] = "/tmp/weft-sim-XXXXXX";

    memset(sim, 0, sizeof *sim);
    process_goes_on();
    if (!mkdtemp(template)) {
        abort();
    }
    sim->dir = xstrdup(template);
    setenv("OVS_RUNDIR", template, 1);
    sim->loop = loop_create();
    loop_use_rcu(sim->loop);
    if (!clock_is_stopped()) {
        clock_stop();
    }
    netdev_init(sim->loop);
    netdev_enable_dummy("");
    dp_user_register_dummy("");
    ofproto_init(sim->loop);
    if (ofproto_create("br0", "dummy", &sim->bridge)) {
        abort();
    }
    ofproto_set_fail_mode(sim->bridge, true);
    ofproto_set_controllers(sim->bridge, NULL, 0);
}

void
sim_stop(struct sim *sim)
{
    ofproto_stop();
    ofproto_destroy(sim->bridge, true);
    ofproto_uninit();
    netdev_uninit();
    loop_run_once(sim->loop, false);
    rcu_offline();
    rcu_barrier_all();
    rcu_online();
    loop_destroy(sim->loop);
    rmdir(sim->dir);
    free(sim->dir);
    str_uninit(&sim->out);
}

void
sim_add_port(struct sim *sim, const char *name, int vlan)
{
    struct ofproto_bundle_config bundle = {
        .name = name, .n_ports = 1, .vlan = vlan, .vlan_mode = vlan < 0 ? XVLAN_TRUNK : XVLAN_ACCESS,
    };
    struct netdev *netdev;
    unsigned int flags;
    ofp_port port;

    if (netdev_open(name, "dummy", &netdev)) {
        abort();
    }
    netdev->class->set_flags(netdev, 0, NETDEV_UP, &flags);
    netdev_dummy_set_tx_hook(netdev, on_sent, sim);
    if (ofproto_port_add(sim->bridge, netdev, OFPP_NONE, NULL, &port)) {
        abort();
    }
    bundle.ports = &port;
    ofproto_bundle_set(sim->bridge, netdev, &bundle);
    netdev_close(netdev);
}

/* Every megaflow has been looked at since all that was done so far. */
static void
settle(struct backer *b)
{
    rcu_synchronize();
    backer_changed(b);
    revalidator_wait(b->revalidator);
}

/* Reads a flow; ends the test with its error if it is wrong. */
static void
parse(const char *text, enum flow_mod_command command, struct flow_mod *fm)
{
    struct act_text names = { NULL, NULL };
    unsigned int protocols;
    struct error *error = flow_mod_parse(fm, text, command, &names, &protocols);

    if (error) {
        fprintf(stderr, "%s: %s\n", text, error_text(error));
        abort();
    }
}

void
sim_flow(struct sim *sim, enum flow_mod_command command, const char *text)
{
    struct flow_mod fm;
    enum ofperr error;

    parse(text, command, &fm);
    error = ofproto_flow_mod(sim->bridge, &fm, NULL);
    flow_mod_uninit(&fm);
    if (error) {
        fprintf(stderr, "%s: %s\n", text, ofperr_name(error));
        abort();
    }
    settle(sim->bridge->backer);
}

const char *
sim_send(struct sim *sim, const char *port, const char *text)
{
    struct netdev *netdev = netdev_find(port);
    struct bytes frame = BYTES_INIT;
    struct flow_mod fm;

    str_clear(&sim->out);
    parse(text, FM_DELETE, &fm);
    flow_compose_default(&fm.match.flow, &frame);
    netdev_dummy_receive(netdev, 0, frame.data, frame.len);
    loop_run_once(sim->loop, false);
    settle(sim->bridge->backer);
    bytes_uninit(&frame);
    flow_mod_uninit(&fm);
    netdev_close(netdev);
    return sim->out.len ? sim->out.text : "-";
}

static void
sum_packets(void *n, struct cls_rule *cr)
{
    *(uint64_t *) n += atomic_load(&rule_from_cls(cr)->n_packets);
}

uint64_t
sim_flow_packets(struct sim *sim, const char *text)
{
    struct ofproto *p = sim->bridge;
    struct flow_mod fm;
    uint64_t n = 0;

    revalidator_wait(p->backer->revalidator);
    parse(text, FM_DELETE, &fm);
    for (int i = 0; i < 254; i++) {
        if (fm.table_id == FM_TABLE_ANY || fm.table_id == i) {
            classifier_for_each(&p->xb.tables[i], &fm.match, atomic_load(&p->xb.tables_version), sum_packets, &n);
        }
    }
    flow_mod_uninit(&fm);
    return n;
}

void
sim_warp(struct sim *sim, int64_t ms)
{
    clock_warp(ms);
    /* A rule that seems idle waits for the sweep that credits its last packets, and goes then. */
    for (int i = 0; i < 2; i++) {
        loop_run_once(sim->loop, false);
        settle(sim->bridge->backer);
    }
}
