/* Random pipelines and random packets: what translation's actions do to a packet is what the interpreter (oracle.h)
 * says; and every packet that agrees with the translated one in all bits of the wildcards is translated alike.  Some
 * bridges have another one, with a pipeline of its own, behind a patch port.
 *
 * Arguments, for longer runs: the number behind the last pipeline, the number of the first one. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

#include "flow/match_text.h"
#include "flow/tun_metadata.h"
#include "ofproto/xlate/oracle_flow.h"
#include "ofproto/xlate/property_packet.h"
#include "ofproto/xlate/run_sim.h"
#include "ofproto/xlate/sim.h"
#include "odp/text.h"
#include "openflow/flow_mod.h"
#include "openflow/flow_syntax.h"
#include "sys/log.h"
#include "sys/rcu_cmocka.h"

static unsigned int n_pipelines = 400, first_pipeline, seed;
static struct tun_map options;
enum { N_BRIDGES = 3 };
static struct xbridge *bridges[N_BRIDGES]; /* As in oracle_pipeline.bridge. */
static struct str passes; /* What became of the packet that was tried last each time that it came back. */

/* What was learned from a packet, each as a flow's text. */
struct learned {
    int n;
    bool too_many;
    char texts[2 * ORACLE_MAX_LEARNED][512];
};
static struct learned learned; /* From the packet that was tried last. */

static void
put_learned(struct learned *l, const char *bridge, const struct flow_mod *fm)
{
    struct str s = STR_INIT;

    if (l->n >= (int) ARRAY_SIZE(l->texts)) {
        l->too_many = true;
        return;
    }
    str_putf(&s, "%s: table=%u,cookie=%llu,", bridge, fm->table_id, (unsigned long long) fm->new_cookie);
    match_format(&s, &fm->match, NULL, fm->priority);
    str_puts(&s, " actions=");
    act_format(&s, fm->actions, &(struct act_text) { NULL, NULL, &options });
    assert_true(s.len < sizeof l->texts[0]);
    strcpy(l->texts[l->n++], str_text(&s));
    str_uninit(&s);
}

/* As the bridge does it: rules with the cookie are counted. */

struct cookie_count {
    be64 cookie;
    unsigned int n;
};

static void
count_cookie(void *count_, struct cls_rule *cr)
{
    struct cookie_count *count = count_;

    count->n += rule_from_cls(cr)->cookie == count->cookie;
}

static bool
may_learn(const struct xbridge *b, const struct flow_mod *fm, uint32_t limit)
{
    struct classifier *table = &b->tables[fm->table_id];
    struct cookie_count count = { cpu_to_be64(fm->new_cookie), 0 };

    classifier_for_each(table, NULL, b->tables_version, count_cookie, &count);
    return !limit || count.n < limit || classifier_find(table, &fm->match, fm->priority, b->tables_version);
}

/* Those for which there is no room are asked for, and do not come. */
static void
add_learned(struct learned *l, const struct xlate_out *out)
{
    for (size_t i = 0; i < out->n_effects; i++) {
        const struct xlate_effect *e = &out->effects[i];

        if (e->kind == EFFECT_FLOW_MOD && may_learn(e->flow_mod.bridge, e->flow_mod.fm, e->flow_mod.limit)) {
            struct flow_mod fm = *e->flow_mod.fm;

            tun_match_unbind(&options, &fm.match);
            put_learned(l, e->flow_mod.bridge->name, &fm);
        }
    }
}

static void
parse_learned(struct learned *l, const struct oracle_rule *rule)
{
    unsigned int protocols = PROTO_ANY;
    struct str s = STR_INIT;
    struct flow_mod fm;
    struct error *e;

    oracle_rule_text(rule, &s);
    e = flow_mod_parse(&fm, str_text(&s), FM_ADD, &(struct act_text) { NULL, NULL, &options }, &protocols);
    if (e) {
        fail_msg("%s: %s", str_text(&s), error_text(e));
    }
    assert_int_equal(tun_match_bind(&options, &fm.match, false), TUN_BOUND); /* An option gets its width. */
    tun_match_unbind(&options, &fm.match);
    put_learned(l, bridges[rule->bridge]->name, &fm);
    flow_mod_uninit(&fm);
    str_uninit(&s);
}

static int
compare_texts(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* In any order: translation learns before what is translated again when the packet comes back. */
static bool
learned_the_same(const struct oracle_result *expected)
{
    static struct learned wanted;

    if (expected->n_learned != learned.n) {
        return false;
    }
    wanted.n = 0;
    for (int i = 0; i < expected->n_learned; i++) {
        parse_learned(&wanted, &expected->learned[i]);
    }
    qsort(wanted.texts, wanted.n, sizeof wanted.texts[0], compare_texts);
    qsort(learned.texts, learned.n, sizeof learned.texts[0], compare_texts);
    for (int i = 0; i < wanted.n; i++) {
        if (strcmp(wanted.texts[i], learned.texts[i])) {
            return false;
        }
    }
    return true;
}

static void
translate(struct xbridge *b, const struct flow *flow, uint16_t packet_len, struct xlate_out *out)
{
    struct flow bound = *flow;
    struct xlate_in in = { .bridge = b, .flow = &bound, .tables_version = b->tables_version, .want_effects = true,
                           .packet_len = packet_len };

    tun_flow_from_raw(&options, &bound);
    xlate_out_clear(out);
    sim_xlate(&in, xlate_runs_mine(), out);
}

static void carry_out(struct xbridge *b, const void *actions, size_t len, const struct oracle_packet *packet,
                      struct oracle_result *r, int depth);

/* The packet comes back: it is parsed anew, without the tags below the two that a flow shows. */
static void
recirculate(struct xbridge *b, uint32_t id, const struct oracle_packet *p, struct oracle_result *r, int depth)
{
    struct xlate_out out;
    struct flow flow;

    if (p->deeper[0] || depth > 8) {
        r->gave_up = true;
        return;
    }
    oracle_packet_to_flow(p, &flow);
    flow.recirc_id = cpu_to_be32(id);
    flow.dp_hash = cpu_to_be32((uint32_t) p->f[F_IP_SRC] * 2654435761u + (uint32_t) p->f[F_UDP_SRC]);
    for (int i = 0; i < 3; i++) {
        flow.regs[i] = 0; /* What the pipeline knew is in the state. */
    }
    flow.metadata = 0;
    xlate_out_init(&out);
    translate(b, &flow, p->len, &out);
    add_learned(&learned, &out);
    str_puts(&passes, "back: ");
    odp_actions_format(&passes, out.actions.data, out.actions.len, NULL);
    str_putf(&passes, " (%s)\n", xlate_error_text(out.error));
    if (out.error || out.peer_error) {
        r->gave_up = true;
    } else {
        carry_out(b, out.actions.data, out.actions.len, p, r, depth + 1);
    }
    xlate_out_uninit(&out);
}

static void
check_length(struct xbridge *b, const struct odp_attr *check, const struct oracle_packet *p, struct oracle_result *r,
             int depth)
{
    uint16_t size = 0;

    ODP_FOR_EACH (a, odp_attr_data(check), odp_attr_size(check)) {
        if (a->type == ODP_CHECK_PKT_LEN_SIZE) {
            memcpy(&size, odp_attr_data(a), sizeof size);
        } else if ((a->type == ODP_CHECK_PKT_LEN_GREATER) == (p->len > size)) {
            carry_out(b, odp_attr_data(a), odp_attr_size(a), p, r, depth);
        }
    }
    assert_int_not_equal(size, 0);
}

static void
carry_out(struct xbridge *b, const void *actions, size_t len, const struct oracle_packet *packet,
          struct oracle_result *r, int depth)
{
    struct oracle_packet p = *packet;
    const struct odp_push_vlan *push;
    const struct odp_push_mpls *mpls;
    const struct odp_add_mpls *add;
    bool is_garbage = false;

    ODP_FOR_EACH (a, actions, len) {
        if (is_garbage) {
            r->took_for_another |= a->type == ODP_RECIRC; /* and it will be taken for what it is not. */
            return;
        }
        switch (a->type) {
        case ODP_PUSH_ETH: property_push_ethernet(odp_attr_data(a), &p); break;
        case ODP_POP_ETH:
            assert_true(!p.no_ethernet && !p.f[F_TCI]);
            oracle_pop_ethernet(&p);
            break;
        case ODP_PUSH_NSH:
            if (p.n_below >= (int) ARRAY_SIZE(p.below)) {
                r->gave_up = true;
                return;
            }
            property_push_nsh(a, &p);
            break;
        case ODP_POP_NSH: assert_true(oracle_pop_nsh(&p)); break;
        case ODP_OUTPUT:
            assert_false(p.no_ethernet);
            if (r->n >= ORACLE_MAX_OUTPUTS) {
                r->gave_up = true;
                return;
            }
            r->outputs[r->n].port = *(const uint32_t *) odp_attr_data(a);
            r->outputs[r->n++].packet = p;
            break;
        case ODP_USERSPACE: r->n_ttl++; break;
        case ODP_CLONE: carry_out(b, odp_attr_data(a), odp_attr_size(a), &p, r, depth); break;
        case ODP_METER:
            if (oracle_meter_drops(1 + *(const uint32_t *) odp_attr_data(a), p.f[F_IN_PORT])) {
                return;
            }
            break;
        case ODP_CHECK_PKT_LEN: check_length(b, a, &p, r, depth); break;
        case ODP_DROP: break;
        case ODP_HASH: break; /* Each recirculation makes up a hash. */
        case ODP_RECIRC: recirculate(b, *(const uint32_t *) odp_attr_data(a), &p, r, depth); break;
        case ODP_PUSH_MPLS:
            mpls = odp_attr_data(a);
            r->gave_up |= !oracle_push_label(&p, be16_to_cpu(mpls->ethertype), be32_to_cpu(mpls->lse));
            break;
        case ODP_ADD_MPLS:
            add = odp_attr_data(a);
            assert_int_equal(add->flags, 0);
            r->gave_up |= !oracle_add_label(&p, be16_to_cpu(add->ethertype), be32_to_cpu(add->lse));
            break;
        case ODP_POP_MPLS:
            assert_true(oracle_is_mpls(&p));
            is_garbage = !oracle_pop_label(&p, get_be16(odp_attr_data(a)));
            r->gave_up |= is_garbage; /* Nobody knows what that packet is, */
            break;
        case ODP_PUSH_VLAN:
            push = odp_attr_data(a);
            r->gave_up |= !oracle_push_tag(&p, be16_to_cpu(push->tpid), be16_to_cpu(push->tci));
            break;
        case ODP_POP_VLAN:
            assert_int_not_equal(p.f[F_TCI], 0);
            oracle_pop_tag(&p);
            break;
        default: property_set(a, &p); break;
        }
    }
}

/* 'out': what was translated, from this packet or from another one of the megaflow. */
static void
apply_actions(struct xbridge *b, const struct xlate_out *out, const struct oracle_packet *packet,
              struct oracle_result *r)
{
    learned.n = 0;
    learned.too_many = false;
    add_learned(&learned, out);
    r->n = r->n_ttl = 0;
    r->gave_up = r->took_for_another = false;
    str_clear(&passes);
    carry_out(b, out->actions.data, out->actions.len, packet, r, 0);
    r->gave_up |= learned.too_many;
}

/* Comparison. */

static bool
same_packet(const struct oracle_packet *a, const struct oracle_packet *b)
{
    for (int f = 0; f < F_N; f++) {
        /* Registers and the port are not in the packet. */
        if (f != F_IN_PORT && (f < F_REG0 || f == F_MARK) && a->f[f] != b->f[f]) {
            return false;
        }
    }
    return a->no_ethernet == b->no_ethernet && oracle_same_below(a, b)
           && !memcmp(&a->metadata, &b->metadata, sizeof a->metadata) && a->inner_tci == b->inner_tci &&
           a->tpid == b->tpid && a->inner_tpid == b->inner_tpid && !memcmp(a->deeper, b->deeper, sizeof a->deeper);
}

/* 'a' is the interpreter's, 'b' of the packet that was tried last. */
static bool
same_result(const struct oracle_result *a, const struct oracle_result *b)
{
    if (a->n != b->n || a->n_ttl != b->n_ttl || b->took_for_another ||
        !learned_the_same(a)) {
        return false;
    }
    for (int i = 0; i < a->n; i++) {
        if (a->outputs[i].port != b->outputs[i].port || !same_packet(&a->outputs[i].packet, &b->outputs[i].packet)) {
            return false;
        }
    }
    return true;
}

static void
put_result(struct str *s, const struct oracle_result *r)
{
    str_putf(s, "%d outputs, %d to controllers:\n", r->n, r->n_ttl);
    for (int i = 0; i < r->n; i++) {
        str_putf(s, "  %u:", r->outputs[i].port);
        for (int f = 0; f < F_N; f++) {
            str_putf(s, " %llx", (unsigned long long) r->outputs[i].packet.f[f]);
        }
        str_putf(s, " / %llx / metadata ", (unsigned long long) r->outputs[i].packet.inner_tci);
        for (int k = 0; k < r->outputs[i].packet.metadata.len; k++) {
            str_putf(s, "%02x", r->outputs[i].packet.metadata.bytes[k]);
        }
        str_putc(s, '\n');
    }
}

static void
describe_pipeline(const struct oracle_pipeline *p, struct str *s)
{
    str_putf(s, "bridge %d\n", p->bridge);
    for (int i = 0; i < p->n_rules; i++) {
        oracle_rule_text(&p->rules[i], s);
        str_putc(s, '\n');
    }
    for (int id = 1; id <= ORACLE_N_GROUPS; id++) {
        oracle_group_text(&p->groups[id - 1], id, s);
        str_putc(s, '\n');
    }
}

static void
describe(const struct oracle_pipeline *p, const struct xlate_out *out, const struct flow *flow, struct str *s)
{
    struct flow mask = out->wc;

    describe_pipeline(p, s);
    if (p->peer) {
        describe_pipeline(p->peer, s);
    }
    str_puts(s, "megaflow: ");
    odp_flow_format(s, flow, &mask, NULL, false);
    str_puts(s, "\nactions: ");
    odp_actions_format(s, out->actions.data, out->actions.len, NULL);
    str_putf(s, "\nerror: %s\n", xlate_error_text(out->error));
}

static void
fail_with(const struct oracle_pipeline *p, const struct xlate_out *out, const struct flow *flow,
          const struct oracle_result *expected, const struct oracle_result *got, const char *what)
{
    struct str s = STR_INIT;

    describe(p, out, flow, &s);
    str_puts(&s, "interpreter: ");
    put_result(&s, expected);
    str_puts(&s, "translation: ");
    put_result(&s, got);
    for (int i = 0; i < expected->n_learned; i++) {
        str_puts(&s, "interpreter learns: ");
        oracle_rule_text(&expected->learned[i], &s);
        str_putc(&s, '\n');
    }
    for (int i = 0; i < learned.n; i++) {
        str_putf(&s, "translation learns: %s\n", learned.texts[i]);
    }
    fprintf(stderr, "pipeline %u: %s\n%s%s", seed, what, str_text(&s), str_text(&passes));
    str_uninit(&s);
    fail_msg("%s", what);
}

/* Whether the interpreter may come to that result; 'expected' is its last one.  It may also have given up. */
static bool
is_right(const struct oracle_pipeline *p, const struct oracle_packet *packet, const struct oracle_result *got,
         struct oracle_result *expected)
{
    struct oracle_choices choices = { .n = 0 };

    do {
        oracle_run(p, packet, &choices, expected);
        if (expected->gave_up || same_result(expected, got)) {
            return true;
        }
    } while (oracle_next_choices(&choices));
    return false;
}

/* Other values in the options of 'p', as far as the raw mask lets them have. */
static void
another_options(struct random *r, const struct oracle_packet *p, const struct flow *wc, struct oracle_packet *q)
{
    q->raw_len = p->raw_len;
    memcpy(q->raw, p->raw, sizeof q->raw);
    for (size_t at = 0; at < p->raw_len; ) {
        size_t len = 4 * (p->raw[at + 3] & 31);

        q->raw[at + 2] = property_merge(random_below(r, 4), p->raw[at + 2], wc->tun_metadata[at + 2]);
        for (size_t i = at + 4; i < at + 4 + len; i++) {
            q->raw[i] = property_merge(random_below(r, 4), p->raw[i], wc->tun_metadata[i]);
        }
        at += 4 + len;
    }
    oracle_read_options(q);
}

/* Whether it came through a tunnel is told by the port. */
static void
another_tunnel(struct random *r, const struct oracle_packet *p, const uint64_t *masks, const struct flow *wc,
               struct oracle_packet *q)
{
    bool has_tunnel = p->f[F_TUN_DST];

    if (has_tunnel != (q->f[F_TUN_DST] != 0)) {
        memcpy(&q->f[F_TUN_ID], &p->f[F_TUN_ID], (F_N - F_TUN_ID) * sizeof q->f[0]);
        q->options = p->options;
        q->raw_len = p->raw_len;
        memcpy(q->raw, p->raw, sizeof q->raw);
    }
    for (int f = F_TUN_ID; f <= F_GBP_FLAGS && has_tunnel; f++) {
        q->f[f] = property_merge(q->f[f], p->f[f], masks[f]);
    }
    if (has_tunnel && wc->tun_opt_len) {
        another_options(r, p, wc, q);
    }
}

/* What is below the outermost label: labels that have in those bits of 'wc' that a flow shows what 'p' has, be they as
 * many or not, and another payload.  False if there are none. */
static bool
another_stack(struct random *r, const struct oracle_packet *p, const struct flow *wc, struct oracle_packet *q)
{
    bool is_last = q->f[F_MPLS_BOS];
    struct oracle_stack *s = &q->stack;
    struct flow x, y;

    oracle_packet_to_flow(p, &x);
    memset(s->deeper, 0, sizeof s->deeper);
    for (s->n_deeper = 0; !is_last; s->n_deeper++) {
        int i = s->n_deeper + 1; /* Of the label, from the top. */
        uint32_t label = random_below(r, 4) << 12 | random_below(r, 4) | random_below(r, 2) << 8;

        label |= i == ARRAY_SIZE(s->deeper) ? 0x100 : 0;
        if (i < FLOW_MPLS_LABELS) {
            label = property_merge(label, be32_to_cpu(x.mpls_lse[i]), be32_to_cpu(wc->mpls_lse[i]));
        }
        s->deeper[i - 1] = label;
        is_last = label & 0x100;
    }
    oracle_packet_to_flow(q, &y);
    for (int i = 0; i < FLOW_MPLS_LABELS; i++) {
        if ((x.mpls_lse[i] ^ y.mpls_lse[i]) & wc->mpls_lse[i]) {
            return false;
        }
    }
    oracle_random_payload(r, q, true);
    return true;
}

/* Whether two packets have the same in those bits of each place. */
static bool
agree(const struct oracle_packet *p, const struct oracle_packet *q, const uint64_t *masks)
{
    struct flow x, y;
    uint64_t in_x[F_N], in_y[F_N];

    oracle_packet_to_flow(p, &x);
    oracle_packet_to_flow(q, &y);
    oracle_fields_of_flow(&x, in_x);
    oracle_fields_of_flow(&y, in_y);
    for (int f = F_IP_SRC; f < F_TCI; f++) {
        if ((in_x[f] ^ in_y[f]) & masks[f]) {
            return false;
        }
    }
    return true;
}

/* Another packet that agrees with 'p' in all bits of 'wc'. */
static void
another_packet(struct random *r, const struct oracle_packet *p, const struct flow *wc, struct oracle_packet *q)
{
    uint64_t masks[F_N];
    bool tags_matter = wc->vlan_tci & BE16(VLAN_PRESENT);

    oracle_fields_of_flow(wc, masks);
    masks[F_IN_PORT] = masks[F_ETH_TYPE] = UINT64_MAX;
    do { /* All else follows from the type and the protocol: a packet of that kind. */
        oracle_random_packet(r, q);
    } while (p->f[F_ETH_TYPE] != q->f[F_ETH_TYPE] || (p->f[F_PROTO] ^ q->f[F_PROTO]) & masks[F_PROTO]);
    for (int f = 0; f < F_N; f++) {
        if (f != F_TCI && (f < F_REG0 || f == F_MARK)) {
            q->f[f] = oracle_has_field(q, f) ? property_merge(q->f[f], p->f[f], masks[f]) : 0;
        }
    }
    if (!agree(p, q, masks)) {
        *q = *p; /* The bits of another protocol's fields. */
        return;
    }
    if (q->f[F_ETH_TYPE] == ORACLE_TYPE_NSH) {
        if (q->f[F_NSH_MDTYPE] != 1 && (p->f[F_NSH_C1] & masks[F_NSH_C1] || p->f[F_NSH_C2] & masks[F_NSH_C2])) {
            *q = *p;
            return;
        }
        oracle_random_metadata(r, q);
        oracle_random_inner(r, q); /* Nobody has looked at that. */
    }
    if (oracle_is_mpls(q) && !another_stack(r, p, wc, q)) {
        *q = *p;
        return;
    }
    another_tunnel(r, p, masks, wc, q);
    if (tags_matter) {
        bool inner_matters = wc->vlan2_tci & BE16(VLAN_PRESENT);
        uint64_t tci = q->f[F_TCI];

        q->f[F_TCI] = p->f[F_TCI] ? property_merge(tci | 0x1000, p->f[F_TCI], be16_to_cpu(wc->vlan_tci)) : 0;
        q->tpid = p->tpid; /* Always part of the megaflow of a packet with a tag. */
        if (inner_matters || !p->f[F_TCI]) {
            q->inner_tci = p->inner_tci;
            q->inner_tpid = p->inner_tpid;
        }
    } else if (q->f[F_TCI] && p->f[F_TCI]) {
        q->tpid = p->tpid;
    }
}

/* What is there by then decides what becomes of the next packets. */
static void
learn(struct oracle_pipeline *p, const struct oracle_rule *rule)
{
    struct str s = STR_INIT;
    char *e;

    if (oracle_add_learned(rule->bridge == p->bridge ? p : p->peer, rule)) {
        oracle_rule_text(rule, &s);
        e = sim_add_flow_directly(bridges[rule->bridge], str_text(&s));
        if (e) {
            fail_msg("%s: %s", str_text(&s), e);
        }
        str_uninit(&s);
    }
}

static bool
same_actions(const struct xlate_out *a, const struct xlate_out *b)
{
    return a->actions.len == b->actions.len &&
           (!a->actions.len || !memcmp(a->actions.data, b->actions.data, a->actions.len));
}

/* The actions are compared byte by byte where the type of NSH's metadata is the same: a set says more or less of
 * context that is not there, or is zero. */
static void
try_packet(struct random *r, struct xbridge *b, struct oracle_pipeline *p, struct xlate_out *out,
           unsigned int *n_compared)
{
    static struct oracle_result expected, got;
    static struct oracle_rule rules[ORACLE_MAX_LEARNED];
    struct oracle_packet packet, other;
    int n_learned;
    struct xlate_out again;
    struct flow flow, other_flow;
    bool right;

    oracle_random_packet(r, &packet);
    oracle_packet_to_flow(&packet, &flow);
    translate(b, &flow, packet.len, out);
    if (out->error || out->peer_error) {
        return;
    }
    apply_actions(b, out, &packet, &got);
    if (got.gave_up && !got.took_for_another) {
        return;
    }
    right = is_right(p, &packet, &got, &expected);
    if (expected.gave_up) {
        return;
    }
    ++*n_compared;
    if (!right) {
        fail_with(p, out, &flow, &expected, &got, "translation differs from the interpreter");
    }
    n_learned = expected.n_learned;
    memcpy(rules, expected.learned, n_learned * sizeof rules[0]);
    tun_mask_to_raw(&options, &flow, &out->wc);
    xlate_out_init(&again);
    for (int i = 0; i < 10; i++) {
        another_packet(r, &packet, &out->wc, &other);
        if (oracle_pipeline_has(p, OP_LEARN)) {
            other.len = packet.len; /* What is learned depends on the length of the packet that was translated. */
        }
        oracle_packet_to_flow(&other, &other_flow);
        translate(b, &other_flow, other.len, &again);
        if (again.error == XLATE_TOO_MANY_VLAN_TAGS || again.peer_error == XLATE_TOO_MANY_VLAN_TAGS) {
            continue; /* It had more of them to begin with; the megaflow is right, and has no limit. */
        }
        if (other.f[F_NSH_MDTYPE] == packet.f[F_NSH_MDTYPE] && !same_actions(out, &again)) {
            struct str s = STR_INIT;

            odp_flow_format(&s, &other_flow, NULL, NULL, false);
            str_puts(&s, " -> ");
            odp_actions_format(&s, again.actions.data, again.actions.len, NULL);
            fprintf(stderr, "%s (%s)\n", str_text(&s), xlate_error_text(again.error));
            str_uninit(&s);
            apply_actions(b, &again, &other, &got);
            is_right(p, &other, &got, &expected);
            fail_with(p, out, &flow, &expected, &got, "a packet of the megaflow is translated differently");
        }
        apply_actions(b, out, &other, &got);
        if (!got.gave_up && !is_right(p, &other, &got, &expected)) {
            fail_with(p, out, &flow, &expected, &got, "the megaflow is too wide");
        }
    }
    xlate_out_uninit(&again);
    for (int i = 0; i < n_learned; i++) {
        learn(p, &rules[i]);
    }
}

static void
add_groups(struct xbridge *b, const struct oracle_pipeline *p)
{
    for (int id = 1; id <= ORACLE_N_GROUPS; id++) {
        struct str s = STR_INIT;
        char *e;

        oracle_group_text(&p->groups[id - 1], id, &s);
        e = s.len ? sim_add_group(b, str_text(&s)) : NULL;
        if (e) {
            fail_msg("%s: %s", str_text(&s), e);
        }
        str_uninit(&s);
    }
}

/* Rules that make no sense (a tag stripped that may not be there) are refused; they leave the pipeline. */
static void
add_pipeline(struct xbridge *b, struct oracle_pipeline *p)
{
    for (int i = 0; i < p->n_rules; ) {
        struct str s = STR_INIT;
        char *e;

        oracle_rule_text(&p->rules[i], &s);
        e = sim_add_flow_directly(b, str_text(&s));
        if (!e) {
            i++;
        } else if (strstr(e, "OFPBAC_MATCH_INCONSISTENT") || strstr(e, "OFPBAC_BAD_TAG")) {
            oracle_remove_rule(p, i);
        } else {
            fail_msg("%s: %s", str_text(&s), e);
        }
        free(e);
        str_uninit(&s);
    }
}

static struct xbridge *
add_bridge(struct sim *sim, int number)
{
    char name[8], line[32];
    struct xbridge *b;

    snprintf(name, sizeof name, "br%d", number);
    b = sim_add_bridge(sim, name);
    for (int i = 1; i <= ORACLE_N_PORTS; i++) {
        snprintf(name, sizeof name, "p%d.%d", number, i);
        atomic_store(&sim_add_port(sim, b, name, i, NULL)->state, i == ORACLE_DOWN_PORT);
    }
    for (int i = 1; i <= ORACLE_N_METERS; i++) {
        snprintf(line, sizeof line, "meter br%d %d", number, i);
        assert_true(sim_run_line(sim, line));
    }
    rcu_set(&b->options, &options);
    b->may_learn = may_learn;
    sim_remove_local(b);
    return b;
}

static void
set_up(struct sim *sim)
{
    struct xport *here, *there;

    sim_init(sim);
    for (int i = 0; i < ORACLE_N_OPTIONS; i++) {
        const struct oracle_option *o = &oracle_options[i];

        assert_true(tun_map_add(&options, i, ORACLE_OPTION_CLASS, o->type, o->len));
    }
    for (int i = 0; i < N_BRIDGES; i++) {
        bridges[i] = add_bridge(sim, i);
    }
    here = sim_add_port(sim, bridges[1], "here", ORACLE_PATCH_PORT, NULL);
    there = sim_add_port(sim, bridges[2], "there", ORACLE_PATCH_PORT, NULL);
    sim_connect(here, there);
}

static void
put_in_place(struct oracle_pipeline *p)
{
    struct xbridge *b = bridges[p->bridge];

    sim_delete_flows(b);
    add_groups(b, p);
    add_pipeline(b, p);
}

static void
translation_does_what_the_specification_says(void **state UNUSED)
{
    unsigned int n_compared = 0;
    struct oracle_pipeline p;
    struct xlate_out out;
    struct random r;
    struct sim sim;

    set_up(&sim);
    xlate_out_init(&out);
    for (unsigned int i = first_pipeline; i < n_pipelines; i++) {
        seed = i;
        random_seed(&r, i);
        oracle_random_pipeline(&r, &p);
        put_in_place(&p);
        if (p.peer) {
            put_in_place(p.peer);
        }
        for (int k = 0; k < 40; k++) {
            try_packet(&r, bridges[p.bridge], &p, &out, &n_compared);
        }
        oracle_pipeline_uninit(&p);
        rcu_quiescent();
    }
    print_message("%u packets compared\n", n_compared);
    str_uninit(&passes);
    assert_true(n_compared > (n_pipelines - first_pipeline) * 20);
    xlate_out_uninit(&out);
    sim_uninit(&sim);
}

int
main(int argc, char *argv[])
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(translation_does_what_the_specification_says),
    };

    log_set_levels(-1, LOG_LEVEL_OFF); /* It warns of actions on fields that packets may lack. */
    n_pipelines = argc > 1 ? strtoul(argv[1], NULL, 10) : n_pipelines;
    first_pipeline = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
    return cmocka_run_group_tests(tests, rcu_group_setup, rcu_group_teardown);
}
