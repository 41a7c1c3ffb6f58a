/* Random pipelines with connection tracking: packets, one after the other, through the translation's megaflows and the
 * real tracker leave as the interpreter (ct_oracle.h) says.
 *
 * The datapath here is a list of megaflows: a packet is translated only if none matches, so that each packet that a
 * megaflow takes is checked against the interpreter too.  Frames are real, and so are their checksums, those of packets
 * inside of ICMP errors too.
 *
 * Arguments, for longer runs: the number behind the last pipeline, the number of the first one. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <limits.h>
#include <stdlib.h>

#include "conntrack/conntrack.h"
#include "conntrack/info.h"
#include "odp/text.h"
#include "ofproto/xlate/ct_oracle_frame.h"
#include "ofproto/xlate/run_sim.h"
#include "ofproto/xlate/sim.h"
#include "packet/env.h"
#include "packet/headers.h"
#include "packet/mbuf.h"
#include "sys/rcu_cmocka.h"

enum { L2 = ETH_HEADER_LEN, MAX_SIZE = 160, MAX_MEGAFLOWS = 1200, NOW = 1000000 };

static unsigned int n_pipelines = 300, first_pipeline;

struct megaflow {
    struct flow key;
    struct xlate_out out;
};

struct fake_datapath {
    struct xbridge *bridge;
    struct conntrack *ct;
    struct megaflow *megaflows;
    int n, n_hits;
    struct cto_result *result;
};

/* A packet in the datapath: its bytes, and what the tracker has said. */
struct packet_state {
    uint8_t frame[MAX_SIZE];
    size_t size;
    struct flow key;
};

/* Packets. */

static void
extract(struct packet_state *s)
{
    struct flow md = s->key;
    struct flow_offsets offsets;

    flow_extract_full(s->frame, s->size, &md, &s->key, &offsets);
}

static void
make_packet(const struct cto_packet *p, struct packet_state *s)
{
    static const uint8_t eth[L2 - 2] = { 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1 };

    memset(s, 0, sizeof *s);
    memcpy(s->frame, eth, sizeof eth);
    put_be16(s->frame + 12, p->is_v6 ? ETH_TYPE_IPV6 : ETH_TYPE_IP);
    s->size = cto_put_packet(s->frame + L2, p) - s->frame;
    assert_true(s->size <= MAX_SIZE);
    s->key.in_port = cpu_to_be32(p->f[CTO_IN_PORT]);
    extract(s);
}

/* The datapath's actions: plain code of its own. */

static void
read_nat(const struct odp_attr *nat, struct ct_nat *n)
{
    ODP_FOR_EACH (a, odp_attr_data(nat), odp_attr_size(nat)) {
        const void *v = odp_attr_data(a);

        switch (a->type) {
        case ODP_NAT_SRC: n->flags |= CT_NAT_SRC; break;
        case ODP_NAT_DST: n->flags |= CT_NAT_DST; break;
        case ODP_NAT_IP_MIN: {
            n->has_address = true;
            n->is_v6 = odp_attr_size(a) == 16;
            n->min = (struct ipv6_addr) { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff } };
            memcpy(n->min.s6 + 16 - odp_attr_size(a), v, odp_attr_size(a));
            n->max = n->min;
            break;
        }
        case ODP_NAT_PROTO_MIN:
            memcpy(&n->port_min, v, 2);
            n->port_max = n->port_min;
            break;
        default: fail_msg("nat attribute %u", a->type);
        }
    }
}

static struct ct_action
read_ct(const struct odp_attr *ct)
{
    struct ct_action c = { 0 };

    ODP_FOR_EACH (a, odp_attr_data(ct), odp_attr_size(ct)) {
        const uint8_t *v = odp_attr_data(a);

        switch (a->type) {
        case ODP_CT_FORCE_COMMIT: c.commit = c.force = true; break;
        case ODP_CT_COMMIT: c.commit = true; break;
        case ODP_CT_ZONE: memcpy(&c.zone, v, 2); break;
        case ODP_CT_MARK:
            memcpy(&c.mark, v, 4);
            memcpy(&c.mark_mask, v + 4, 4);
            break;
        case ODP_CT_LABELS:
            memcpy(c.label, v, 16);
            memcpy(c.label_mask, v + 16, 16);
            break;
        case ODP_CT_NAT:
            c.has_nat = true;
            read_nat(a, &c.nat);
            break;
        default: fail_msg("ct attribute %u", a->type);
        }
    }
    return c;
}

static void
apply_ct(struct fake_datapath *d, const struct odp_attr *ct, struct packet_state *s)
{
    struct ct_action a = read_ct(ct);
    struct packet *packet = packet_new(s->frame, s->size);
    uint16_t lines = UINT16_MAX;
    struct flow_offsets offsets;
    struct flow md = s->key;
    struct ct_packet k = { packet, &s->key, &lines, &offsets };

    flow_extract_full(s->frame, s->size, &md, &s->key, &offsets);
    conntrack_run_rcu(d->ct, &a, &k, 1, NOW);
    assert_non_null(k.packet);
    assert_int_equal(packet_size(k.packet), s->size);
    memcpy(s->frame, packet_at(k.packet), s->size);
    packet_free(k.packet);
}

static void
merge(uint8_t *to, const uint8_t *value, const uint8_t *mask, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        to[i] = (to[i] & ~mask[i]) | (value[i] & mask[i]);
    }
}

static void
apply_set(const struct odp_attr *set, struct packet_state *s)
{
    const struct odp_attr *a = odp_attr_data(set);
    const uint8_t *v = odp_attr_data(a), *m = v + odp_attr_size(a) / 2;

    assert_int_equal(set->type, ODP_SET_MASKED);
    assert_true(cto_csums_are_right(s->frame + L2));
    switch (a->type) {
    case ODP_KEY_IPV4: merge(s->frame + L2 + 12, v, m, 8); break;
    case ODP_KEY_IPV6: merge(s->frame + L2 + 8, v, m, 32); break;
    case ODP_KEY_UDP: case ODP_KEY_TCP: merge(cto_l4(s->frame + L2), v, m, 4); break;
    default: fail_msg("set of key %u", a->type);
    }
    cto_write_csums(s->frame + L2);
}

static void process(struct fake_datapath *, const struct packet_state *, int depth);

static void
carry_out(struct fake_datapath *d, const void *actions, size_t len, const struct packet_state *packet, int depth)
{
    struct packet_state s = *packet, again;

    ODP_FOR_EACH (a, actions, len) {
        switch (a->type) {
        case ODP_OUTPUT:
            if (d->result->n >= CTO_MAX_OUTPUTS) {
                d->result->gave_up = true;
                return;
            }
            assert_true(cto_csums_are_right(s.frame + L2));
            d->result->outputs[d->result->n].port = *(const uint32_t *) odp_attr_data(a);
            d->result->outputs[d->result->n++].packet = cto_read_packet(s.frame + L2);
            break;
        case ODP_CT: apply_ct(d, a, &s); break;
        case ODP_CT_CLEAR: flow_clear_conntrack(&s.key, UINT16_MAX); break;
        case ODP_CLONE: carry_out(d, odp_attr_data(a), odp_attr_size(a), &s, depth); break;
        case ODP_RECIRC:
            again = s;
            again.key.recirc_id = cpu_to_be32(*(const uint32_t *) odp_attr_data(a));
            extract(&again);
            process(d, &again, depth + 1);
            break;
        default: apply_set(a, &s); break;
        }
    }
}

static bool
megaflow_matches(const struct megaflow *m, const struct flow *key)
{
    const uint8_t *a = (const uint8_t *) &m->key, *b = (const uint8_t *) key, *mask = (const uint8_t *) &m->out.wc;

    for (size_t i = 0; i < sizeof *key; i++) {
        if ((a[i] ^ b[i]) & mask[i]) {
            return false;
        }
    }
    return m->key.recirc_id == key->recirc_id && m->key.in_port == key->in_port;
}

/* By the first megaflow that takes it, or a new one. */
static void
process(struct fake_datapath *d, const struct packet_state *s, int depth)
{
    struct xlate_in in = { .bridge = d->bridge, .flow = &s->key, .tables_version = d->bridge->tables_version };
    struct megaflow *m = NULL;

    for (int i = 0; i < d->n && !m; i++) {
        m = megaflow_matches(&d->megaflows[i], &s->key) ? &d->megaflows[i] : NULL;
    }
    d->n_hits += m != NULL;
    if (!m) {
        if (d->n >= MAX_MEGAFLOWS || depth > 20) {
            d->result->gave_up = true;
            return;
        }
        m = &d->megaflows[d->n++];
        m->key = s->key;
        xlate_out_init(&m->out);
        sim_xlate(&in, xlate_runs_mine(), &m->out);
        assert_int_equal(m->out.slow, 0);
    }
    if (m->out.error) {
        d->result->gave_up = true;
        return;
    }
    carry_out(d, m->out.actions.data, m->out.actions.len, s, depth);
}

/* Comparison. */

static void
put_tuple(struct str *s, const struct cto_tuple *t)
{
    static const char *const kinds[] = { "udp", "tcp", "request", "reply" };

    str_putf(s, "%s%s %x:%u > %x:%u", kinds[t->kind], t->is_v6 ? "6" : "", t->src, t->sport, t->dst, t->dport);
}

static void
put_result(struct str *s, const struct cto_result *r)
{
    for (int i = 0; i < r->n; i++) {
        const struct cto_packet *p = &r->outputs[i].packet;
        struct cto_tuple t = cto_tuple_of(p);

        str_putf(s, "  %u: ", r->outputs[i].port);
        put_tuple(s, &t);
        str_putf(s, " seq %u ack %u flags %llu", p->seq, p->ack, (unsigned long long) p->f[CTO_TCP_FLAGS]);
        if (p->is_error) {
            str_puts(s, " error about ");
            put_tuple(s, &p->inner);
        }
        str_putc(s, '\n');
    }
}

static bool
same_result(const struct cto_result *a, const struct cto_result *b)
{
    for (int i = 0; i < a->n && i < b->n; i++) {
        if (a->outputs[i].port != b->outputs[i].port
            || !cto_same_packet(&a->outputs[i].packet, &b->outputs[i].packet)) {
            return false;
        }
    }
    return a->n == b->n;
}

static void
put_conn(void *s, const struct ct_entry *e)
{
    const struct ct_tuple *o = &e->tuple[0], *r = &e->tuple[1];

    str_putf(s, "  zone %u " IP_FMT ":%u > " IP_FMT ":%u, " IP_FMT ":%u > " IP_FMT ":%u mark %u\n", o->zone,
             IP_ARGS(ct_address_ipv4(&o->src)), be16_to_cpu(o->src_port), IP_ARGS(ct_address_ipv4(&o->dst)),
             be16_to_cpu(o->dst_port), IP_ARGS(ct_address_ipv4(&r->src)), be16_to_cpu(r->src_port),
             IP_ARGS(ct_address_ipv4(&r->dst)), be16_to_cpu(r->dst_port), e->mark);
}

static void
put_tracker(struct str *s, const struct cto_tracker *t)
{
    for (int i = 0; i < t->n; i++) {
        const struct cto_conn *c = &t->conns[i];

        str_putf(s, "  zone %u ", c->zone);
        put_tuple(s, &c->orig);
        str_puts(s, ", ");
        put_tuple(s, &c->reply);
        str_putf(s, " mark %u, ends at %u, %u%s\n", c->mark, c->ends[0].next, c->ends[1].next,
                 c->is_reset ? ", reset" : "");
    }
}

static void
fail_with(const struct fake_datapath *d, const struct cto_pipeline *p, const struct packet_state *s,
          const struct cto_packet *packet, const struct cto_result *expected, const struct cto_tracker *t,
          unsigned int seed)
{
    struct str text = STR_INIT;
    struct ct_walk walk = { 0 };
    bool all;

    for (int i = 0; i < p->n_rules; i++) {
        cto_rule_text(&p->rules[i], &text);
        str_putc(&text, '\n');
    }
    for (int i = 0; i < d->n; i++) {
        odp_flow_format(&text, &d->megaflows[i].key, &d->megaflows[i].out.wc, NULL, false);
        str_puts(&text, " actions:");
        odp_actions_format(&text, d->megaflows[i].out.actions.data, d->megaflows[i].out.actions.len, NULL);
        str_putc(&text, '\n');
    }
    str_puts(&text, "packet: ");
    odp_flow_format(&text, &s->key, NULL, NULL, false);
    str_putf(&text, " seq %u ack %u", packet->seq, packet->ack);
    str_puts(&text, "\ninterpreter:\n");
    put_result(&text, expected);
    put_tracker(&text, t);
    str_puts(&text, "datapath:\n");
    put_result(&text, d->result);
    all = conntrack_walk_rcu(d->ct, &walk, UINT_MAX, NULL, NOW, put_conn, &text);
    assert_true(all);
    fprintf(stderr, "pipeline %u\n%s", seed, str_text(&text));
    str_uninit(&text);
    fail_msg("what the datapath does differs from the interpreter");
}

static void
forget_connections(struct fake_datapath *d, struct cto_tracker *t)
{
    conntrack_flush_rcu(d->ct, &(struct ct_filter) { .has_zone = false }, NOW);
    t->n = 0;
}

static void
add_pipeline(struct xbridge *b, const struct cto_pipeline *p)
{
    for (int i = 0; i < p->n_rules; i++) {
        struct str s = STR_INIT;
        char *e;

        cto_rule_text(&p->rules[i], &s);
        e = sim_add_flow_directly(b, str_text(&s));
        if (e) {
            fail_msg("%s: %s", str_text(&s), e);
        }
        str_uninit(&s);
    }
}

static unsigned int
try_pipeline(struct fake_datapath *d, unsigned int seed)
{
    static struct cto_result expected, got;
    struct cto_tracker tracker = { .n = 0 };
    unsigned int n_compared = 0;
    struct cto_pipeline p;
    struct random r;

    random_seed(&r, seed);
    cto_random_pipeline(&r, &p);
    sim_delete_flows(d->bridge);
    add_pipeline(d->bridge, &p);
    d->result = &got;
    for (int i = 0; i < 100; i++) {
        struct cto_packet packet;
        struct packet_state s;

        cto_random_packet(&r, &p, &tracker, &packet);
        make_packet(&packet, &s);
        got.n = 0;
        got.gave_up = false;
        cto_run(&p, &tracker, &packet, &expected);
        process(d, &s, 0);
        if (expected.gave_up || got.gave_up) {
            forget_connections(d, &tracker);
        } else if (!same_result(&expected, &got) || conntrack_n_conns(d->ct) != (uint32_t) tracker.n) {
            fail_with(d, &p, &s, &packet, &expected, &tracker, seed);
        } else {
            n_compared++;
        }
        rcu_quiescent();
    }
    forget_connections(d, &tracker);
    cto_pipeline_uninit(&p);
    while (d->n) {
        xlate_out_uninit(&d->megaflows[--d->n].out);
    }
    return n_compared;
}

static void
connections_are_what_the_specification_says(void **state UNUSED)
{
    struct fake_datapath d = { .ct = conntrack_create(), .megaflows = xcalloc(MAX_MEGAFLOWS, sizeof *d.megaflows) };
    unsigned int n_compared = 0;
    struct sim sim;

    sim_init(&sim);
    d.bridge = sim_add_bridge(&sim, "br0");
    for (int i = 1; i <= CTO_N_PORTS; i++) {
        char name[8];

        snprintf(name, sizeof name, "p%d", i);
        sim_add_port(&sim, d.bridge, name, i, NULL);
    }
    sim_remove_local(d.bridge);
    for (unsigned int i = first_pipeline; i < n_pipelines; i++) {
        n_compared += try_pipeline(&d, i);
    }
    print_message("%u packets compared, %d passes by megaflows that were there\n", n_compared, d.n_hits);
    assert_true(n_compared > (n_pipelines - first_pipeline) * 60);
    free(d.megaflows);
    sim_uninit(&sim);
    rcu_barrier_all();
    conntrack_destroy(d.ct);
}

static int
group_setup(void **state)
{
    struct error *e = env_start();

    assert_null(e);
    return rcu_group_setup(state);
}

int
main(int argc, char *argv[])
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_are_what_the_specification_says),
    };

    n_pipelines = argc > 1 ? strtoul(argv[1], NULL, 10) : n_pipelines;
    first_pipeline = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
    return cmocka_run_group_tests(tests, group_setup, rcu_group_teardown);
}
