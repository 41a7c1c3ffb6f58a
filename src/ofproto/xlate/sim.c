#include "ofproto/xlate/sim.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/num.h"
#include "flow/tun_metadata.h"
#include "ofproto/mac_table.h"
#include "ofproto/xgroup.h"
#include "openflow/flow_syntax.h"
#include "openflow/msg/group_syntax.h"

static struct xbridge *
find_bridge(void *sim, const char *name)
{
    return sim_find_bridge(sim, name);
}

static struct xdp *
find_datapath(void *sim_, const char *name)
{
    struct sim *sim = sim_;

    return !name || !strcmp(name, sim->xdp.name) ? &sim->xdp : NULL;
}

void
sim_init(struct sim *sim)
{
    memset(sim, 0, sizeof *sim);
    sim->xdp.type = (char *) "dummy";
    sim->xdp.name = (char *) "ovs-dummy";
    rcu_map_init(&sim->xdp.ports);
    list_init(&sim->xdp.bridges);
    sim->host = (struct trace_host) { find_bridge, find_datapath, NULL, sim };
    sim->next_odp_port = 1;
}

struct xbridge *
sim_find_bridge(struct sim *sim, const char *name)
{
    LIST_FOR_EACH (b, struct xbridge, node, &sim->xdp.bridges) {
        if (!strcmp(b->name, name)) {
            return b;
        }
    }
    return NULL;
}

/* Every port is a bundle of its own, and the key of that. */
static void
add_bundle(struct xport *p, const char *settings)
{
    struct xbundle *x = xzalloc(sizeof *x + sizeof x->ports[0]);
    char *copy = xstrdup(settings ? settings : ""), *save = NULL;
    bool has_tag = false, has_mode = false;

    x->key = p;
    x->name = xstrdup(p->name);
    x->qinq_ethtype = BE16(0x88a8);
    x->n_ports = 1;
    x->ports[0] = p;
    for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
        static const char *const modes[] = { "trunk", "access", "native-tagged", "native-untagged", "dot1q-tunnel" };
        static const char *const tags[] = { "never", "if-nonzero", "always" };
        char *value = strchr(w, '=');

        *value++ = '\0';
        if (!strcmp(w, "tag")) {
            x->vlan = strtoul(value, NULL, 10);
            has_tag = true;
        } else if (!strcmp(w, "trunks") || !strcmp(w, "cvlans")) {
            uint64_t *map = xcalloc(64, sizeof *map);

            for (char *v = value; *v; v += strcspn(v, ",") + (v[strcspn(v, ",")] == ',')) {
                unsigned long vid = strtoul(v, NULL, 10) & 4095;

                map[vid / 64] |= UINT64_C(1) << vid % 64;
            }
            *(w[0] == 't' ? &x->trunks : &x->cvlans) = map;
        } else if (!strcmp(w, "vlan_mode")) {
            for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
                x->vlan_mode = strcmp(value, modes[i]) ? x->vlan_mode : i;
            }
            has_mode = true;
        } else if (!strcmp(w, "other-config:priority-tags")) {
            for (size_t i = 0; i < ARRAY_SIZE(tags); i++) {
                x->priority_tags = strcmp(value, tags[i]) ? x->priority_tags : i;
            }
        } else if (!strcmp(w, "protected")) {
            x->is_protected = !strcmp(value, "true");
        }
    }
    if (!has_mode && has_tag) {
        x->vlan_mode = XVLAN_ACCESS;
    }
    free(copy);
    xbridge_set_bundle(p->bridge, p, x);
}

struct xport *
sim_add_port(struct sim *sim, struct xbridge *b, const char *name, uint32_t number, const char *settings)
{
    struct xport *p = xzalloc(sizeof *p);

    p->ofp_port = OFP_PORT(number);
    p->is_local = p->ofp_port == OFPP_LOCAL;
    p->odp_port = ODP_PORT(p->is_local ? 100 + (uint32_t) list_size(&sim->xdp.bridges) - 1 : sim->next_odp_port++);
    p->name = xstrdup(name);
    p->mtu = 1500;
    xbridge_add_port(b, p);
    add_bundle(p, settings);
    return p;
}

struct xbridge *
sim_add_bridge(struct sim *sim, const char *name)
{
    struct xbridge *b = xzalloc(sizeof *b);

    b->xdp = &sim->xdp;
    b->name = xstrdup(name);
    rcu_map_init(&b->ports);
    rcu_map_init(&b->bundles);
    rcu_map_init(&b->groups);
    rcu_map_init(&b->meters);
    b->mac_table = mac_table_create();
    b->tables = xcalloc(OFPROTO_N_TABLES, sizeof *b->tables);
    for (int i = 0; i < OFPROTO_N_TABLES; i++) {
        classifier_init(&b->tables[i]);
    }
    b->tables_version = 1;
    b->serial = xbridge_new_serial();
    list_push_back(&sim->xdp.bridges, &b->node);
    sim_add_port(sim, b, name, ofp_to_u32(OFPP_LOCAL), NULL);
    return b;
}

/* A patch port has no port in the datapath. */
static void
make_patch(struct xport *p)
{
    struct xdp *xdp = p->bridge->xdp;

    if (!p->is_patch) {
        rcu_map_remove(&xdp->ports, p, hash_u32(p->odp_port.n, 0));
        p->odp_port = ODP_PORT_NONE;
        p->is_patch = true;
    }
}

void
sim_connect(struct xport *a, struct xport *b)
{
    make_patch(a);
    make_patch(b);
    rcu_set(&a->peer, b);
    rcu_set(&b->peer, a);
}

static struct rule *
make_rule(const struct flow_mod *fm)
{
    struct rule *r = rule_create(fm->actions);

    r->cookie = cpu_to_be64(fm->new_cookie);
    r->table_id = fm->table_id;
    return r;
}

static const char *
no_name(const struct port_names *names UNUSED, ofp_port port UNUSED)
{
    return NULL;
}

static bool
no_port(const struct port_names *names UNUSED, const char *name UNUSED, ofp_port *port UNUSED)
{
    return false;
}

/* Flows reach a switch in the form of some version: the first that can express them. */
static void
go_over_the_wire(struct flow_mod *fm, unsigned int protocols)
{
    enum of_version v = protocols & PROTO_OF10_ANY ? OF10 : protocols & PROTO_OF13 ? OF13 : OF15;
    struct bytes wire = BYTES_INIT;
    struct act_buf acts;

    act_buf_init(&acts);
    act_encode_instructions(fm->actions, v, &wire);
    if (!act_decode_instructions(wire.data, wire.len, v, &acts)) {
        free((void *) fm->actions.first);
        fm->actions = act_span_clone(act_buf_span(&acts));
    }
    act_buf_uninit(&acts);
    bytes_uninit(&wire);
}

/* For a change of the table. */
static uint64_t
next_version(struct xbridge *b, uint8_t table_id)
{
    xbridge_note_change(b, table_id, b->tables_version + 1);
    return ++b->tables_version;
}

struct rule *sim_newest;

static char *
add_flow(struct xbridge *b, const char *text, unsigned int allowed, bool over_the_wire)
{
    static const struct port_names none = { no_name, no_port };
    static const struct act_text names = { &none, NULL, NULL };
    unsigned int protocols = PROTO_ANY;
    struct flow_mod fm;
    struct error *e = flow_mod_parse(&fm, text, FM_ADD, &names, &protocols);
    struct cls_rule *old;
    struct rule *r;

    if (e) {
        return error_take_text(e);
    }
    if (over_the_wire) {
        go_over_the_wire(&fm, protocols & allowed);
    }
    if (tun_match_bind(xbridge_options_rcu(b), &fm.match, false) != TUN_BOUND) {
        flow_mod_uninit(&fm);
        return xstrdup("a tunnel option that the bridge does not know so");
    }
    fm.table_id = fm.table_id == 255 ? 0 : fm.table_id;
    old = classifier_find(&b->tables[fm.table_id], &fm.match, fm.priority, b->tables_version);
    if (old) {
        classifier_remove(&b->tables[fm.table_id], old);
        rule_unref(rule_from_cls(old));
    }
    sim_newest = r = make_rule(&fm);
    classifier_insert(&b->tables[fm.table_id], &r->cr, &fm.match, fm.priority, next_version(b, fm.table_id));
    flow_mod_uninit(&fm);
    return NULL;
}

char *
sim_add_flow(struct xbridge *b, const char *text)
{
    return add_flow(b, text, PROTO_ANY, true);
}

char *
sim_add_flow_directly(struct xbridge *b, const char *text)
{
    return add_flow(b, text, PROTO_ANY, false);
}

void
sim_remove_local(struct xbridge *b)
{
    struct xport *p = xbridge_port_rcu(b, OFPP_LOCAL);

    xbridge_set_bundle(b, p, NULL);
    xbridge_remove_port(b, p);
    xport_free(p);
}

void
sim_delete_flow(struct xbridge *b, struct rule *r)
{
    next_version(b, r->table_id);
    classifier_remove(&b->tables[r->table_id], &r->cr);
    rule_unref(r);
}

static void
delete_rule(void *classifier, struct cls_rule *cr)
{
    classifier_remove(classifier, cr);
    rule_unref(rule_from_cls(cr));
}

char *
sim_add_group(struct xbridge *b, const char *text)
{
    static const struct port_names none = { no_name, no_port };
    static const struct act_text names = { &none, NULL, NULL };
    unsigned int protocols = PROTO_ANY;
    struct group_mod gm;
    struct error *e = group_mod_parse(&gm, text, GROUP_ADD, &names, &protocols);
    struct group *old;

    if (e) {
        return error_take_text(e);
    }
    for (size_t i = 0; i < gm.n_buckets; i++) {
        gm.buckets[i].bucket_id = gm.buckets[i].bucket_id == BUCKET_ALL ? i : gm.buckets[i].bucket_id;
    }
    old = xbridge_group_rcu(b, gm.group_id, b->tables_version);
    if (old) {
        xbridge_remove_group(b, old);
        group_unref(old);
    }
    xbridge_add_group(b, group_create(&gm, 0), b->tables_version);
    return NULL;
}

static void
add_meter(struct xbridge *b, uint32_t id)
{
    struct xmeter *m = xzalloc(sizeof *m);

    *m = (struct xmeter) { id, b->meters.n };
    rcu_map_insert(&b->meters, m, hash_u32(id, 0));
}

void
sim_delete_flows(struct xbridge *b)
{
    RCU_MAP_FOR_EACH (g, struct group, &b->groups) {
        xbridge_remove_group(b, g);
        group_unref(g);
    }
    for (int i = 0; i < OFPROTO_N_TABLES; i++) {
        xbridge_note_change(b, i, b->tables_version + 1);
        classifier_for_each(&b->tables[i], NULL, b->tables_version, delete_rule, &b->tables[i]);
    }
    b->tables_version++;
}

static void
destroy_bridge(struct xbridge *b)
{
    sim_delete_flows(b);
    RCU_MAP_FOR_EACH (m, struct xmeter, &b->meters) {
        rcu_map_remove(&b->meters, m, hash_u32(m->id, 0));
        rcu_defer(free, m);
    }
    for (int i = 0; i < OFPROTO_N_TABLES; i++) {
        classifier_uninit(&b->tables[i]);
    }
    free(b->tables);
    mac_table_destroy(b->mac_table);
    RCU_MAP_FOR_EACH (p, struct xport, &b->ports) {
        xbridge_set_bundle(b, p, NULL);
        xbridge_remove_port(b, p);
        xport_free(p);
    }
    rcu_map_uninit(&b->ports);
    rcu_map_uninit(&b->bundles);
    rcu_map_uninit(&b->groups);
    rcu_map_uninit(&b->meters);
    list_remove(&b->node);
    free(b->name);
    free(b);
}

void
sim_uninit(struct sim *sim)
{
    LIST_FOR_EACH_SAFE (b, struct xbridge, node, &sim->xdp.bridges) {
        destroy_bridge(b);
    }
    rcu_map_uninit(&sim->xdp.ports);
}

/* Lines of a case file. */

static struct xport *
port_by_name(const struct xbridge *b, const char *name)
{
    RCU_MAP_FOR_EACH (p, struct xport, &b->ports) {
        if (!strcmp(p->name, name)) {
            return p;
        }
    }
    return NULL;
}

static bool
mod_port(struct xport *p, const char *word)
{
    static const struct {
        const char *name;
        uint32_t bit;
    } bits[] = {
        { "forward", XPORT_NO_FWD }, { "flood", XPORT_NO_FLOOD }, { "receive", XPORT_NO_RECV },
        { "packet-in", XPORT_NO_PACKET_IN },
    };
    bool set = !strncmp(word, "no-", 3);

    if (!strcmp(word, "down") || !strcmp(word, "up")) {
        p->config = word[0] == 'd' ? p->config | XPORT_DOWN : p->config & ~XPORT_DOWN;
        p->state = word[0] == 'd';
        return true;
    }
    for (size_t i = 0; i < ARRAY_SIZE(bits); i++) {
        if (!strcmp(word + (set ? 3 : 0), bits[i].name)) {
            p->config = set ? p->config | bits[i].bit : p->config & ~bits[i].bit;
            return true;
        }
    }
    return false;
}

static bool
run_patch(struct sim *sim, const char *line)
{
    char b1[32], n1[32], b2[32], n2[32];
    unsigned int i1, i2;
    struct xport *p1, *p2;

    if (sscanf(line, "patch %31s %31s %u %31s %31s %u", b1, n1, &i1, b2, n2, &i2) != 6) {
        return false;
    }
    p1 = sim_add_port(sim, sim_find_bridge(sim, b1), n1, i1, NULL);
    p2 = sim_add_port(sim, sim_find_bridge(sim, b2), n2, i2, NULL);
    sim_connect(p1, p2);
    sim->next_odp_port -= 2;
    return true;
}

static bool
run_fdb(struct sim *sim, const char *line)
{
    char b[32], port[32], mac[32];
    unsigned int vlan;
    struct eth_addr ea;
    struct xport *p;

    if (sscanf(line, "fdb %31s %31s %u %31s", b, port, &vlan, mac) != 4 || !eth_addr_parse(mac, &ea)) {
        return false;
    }
    p = port_by_name(sim_find_bridge(sim, b), port);
    return mac_table_add_static(p->bridge->mac_table, ea, vlan, p, p->ofp_port);
}

bool
sim_run_line(struct sim *sim, const char *line)
{
    char a[32], b[32], word[32];
    unsigned int number;
    int rest = 0;

    if (sscanf(line, "bridge %31s", a) == 1) {
        return sim_add_bridge(sim, a) != NULL;
    } else if (sscanf(line, "port %31s %31s %u%n", a, b, &number, &rest) == 3) {
        return sim_add_port(sim, sim_find_bridge(sim, a), b, number, line + rest) != NULL;
    } else if (!strncmp(line, "patch ", 6)) {
        return run_patch(sim, line);
    } else if (sscanf(line, "flow13 %31s %n", a, &rest) == 1 || sscanf(line, "flow %31s %n", a, &rest) == 1) {
        unsigned int protocols = line[4] == '1' ? PROTO_ANY & ~PROTO_OF10_ANY : PROTO_ANY;
        char *e = add_flow(sim_find_bridge(sim, a), line + rest, protocols, true);

        if (e) {
            fprintf(stderr, "%s: %s\n", line, e);
            free(e);
        }
        return !e;
    } else if (sscanf(line, "samples %31s", a) == 1) {
        atomic_store(&sim_find_bridge(sim, a)->samples_flows, true);
        return true;
    } else if (sscanf(line, "meter %31s %u", a, &number) == 2) {
        add_meter(sim_find_bridge(sim, a), number);
        return true;
    } else if (sscanf(line, "group %31s %n", a, &rest) == 1) {
        char *e = sim_add_group(sim_find_bridge(sim, a), line + rest);

        if (e) {
            fprintf(stderr, "%s: %s\n", line, e);
            free(e);
        }
        return !e;
    } else if (!strncmp(line, "fdb ", 4)) {
        return run_fdb(sim, line);
    } else if (sscanf(line, "mod-port %31s %31s %31s", a, b, word) == 3) {
        return mod_port(port_by_name(sim_find_bridge(sim, a), b), word);
    }
    return false;
}
