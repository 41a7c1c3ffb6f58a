/* Random pipelines and random packets: what translation's actions do to a packet is what the interpreter (oracle.h)
 * says; and every packet that agrees with the translated one in all bits of the wildcards is translated alike.
 *
 * Arguments, for longer runs: the number behind the last pipeline, the number of the first one. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

#include "flow/tun_metadata.h"
#include "ofproto/xlate/oracle_flow.h"
#include "ofproto/xlate/run_sim.h"
#include "ofproto/xlate/sim.h"
#include "odp/nsh.h"
#include "odp/text.h"
#include "sys/log.h"
#include "sys/rcu_cmocka.h"

static unsigned int n_pipelines = 400, first_pipeline, seed;
static struct tun_map options;
static struct str passes; /* What became of the packet that was tried last each time that it came back. */

/* What the datapath does: plain code of its own. */

static uint64_t
merge(uint64_t old, uint64_t value, uint64_t mask)
{
    return (old & ~mask) | (value & mask);
}

static void
write_nsh(const struct odp_key_nsh *n, const struct odp_key_nsh *m, struct oracle_packet *p)
{
    uint32_t path = be32_to_cpu(n->path), path_mask = be32_to_cpu(m->path);

    assert_int_equal(p->f[F_ETH_TYPE], ORACLE_TYPE_NSH);
    p->f[F_NSH_FLAGS] = merge(p->f[F_NSH_FLAGS], n->flags, m->flags);
    p->f[F_NSH_TTL] = merge(p->f[F_NSH_TTL], n->ttl, m->ttl);
    p->f[F_NSH_MDTYPE] = merge(p->f[F_NSH_MDTYPE], n->mdtype, m->mdtype);
    p->f[F_NSH_NP] = merge(p->f[F_NSH_NP], n->np, m->np);
    p->f[F_NSH_SPI] = merge(p->f[F_NSH_SPI], path >> 8, path_mask >> 8);
    p->f[F_NSH_SI] = merge(p->f[F_NSH_SI], path & 255, path_mask & 255);
    if (p->f[F_NSH_MDTYPE] == 1) { /* Others have none. */
        p->f[F_NSH_C1] = merge(p->f[F_NSH_C1], be32_to_cpu(n->context[0]), be32_to_cpu(m->context[0]));
        p->f[F_NSH_C2] = merge(p->f[F_NSH_C2], be32_to_cpu(n->context[1]), be32_to_cpu(m->context[1]));
    }
}

static void
set_nsh(const struct odp_attr *set, struct oracle_packet *p)
{
    struct odp_key_nsh value, mask;

    assert_true(odp_nsh_get_key(odp_attr_data(set), odp_attr_size(set), true, &value, &mask));
    assert_true(!mask.mdtype && !mask.np); /* They cannot be set. */
    write_nsh(&value, &mask, p);
}

static void
push_nsh(const struct odp_attr *push, struct oracle_packet *p)
{
    const uint8_t *metadata;
    struct odp_key_nsh n, all;
    size_t len;

    memset(&all, 0xff, sizeof all);
    assert_true(odp_push_nsh_get(push, &n, &metadata, &len));
    assert_true(oracle_push_nsh(p));
    write_nsh(&n, &all, p);
    assert_true(len <= sizeof p->metadata.bytes);
    p->metadata.len = len;
    if (len) {
        memcpy(p->metadata.bytes, metadata, len);
    }
}

static void
push_ethernet(const struct odp_push_eth *push, struct oracle_packet *p)
{
    assert_true(p->no_ethernet);
    oracle_push_ethernet(p);
    p->f[F_ETH_SRC] = get_be64((const uint8_t *) push) >> 16;
    p->f[F_ETH_DST] = get_be64((const uint8_t *) push + 4) & 0xffffffffffff;
}

static void
set_ports(const uint8_t *v, const uint8_t *m, struct oracle_packet *p, uint8_t proto, enum oracle_field src)
{
    assert_int_equal(p->f[F_PROTO], proto);
    p->f[src] = merge(p->f[src], get_be16(v), get_be16(m));
    p->f[src + 1] = merge(p->f[src + 1], get_be16(v + 2), get_be16(m + 2));
}

static void
set_ipv6_address(const uint8_t *v, const uint8_t *m, uint64_t *low, uint64_t *high)
{
    *high = merge(*high, get_be64(v), get_be64(m));
    *low = merge(*low, get_be64(v + 8), get_be64(m + 8));
}

static void
set_ipv6(const uint8_t *v, const uint8_t *m, struct oracle_packet *p)
{
    assert_int_equal(p->f[F_ETH_TYPE], ORACLE_TYPE_IPV6);
    set_ipv6_address(v, m, &p->f[F_IP6_SRC], &p->f[F_IP6_SRC_HIGH]);
    set_ipv6_address(v + 16, m + 16, &p->f[F_IP6_DST], &p->f[F_IP6_DST_HIGH]);
    p->f[F_IP6_LABEL] = merge(p->f[F_IP6_LABEL], get_be32(v + 32), get_be32(m + 32));
    assert_int_equal(m[36], 0);
    p->f[F_DSCP] = merge(p->f[F_DSCP], v[37] >> 2, m[37] >> 2);
    p->f[F_ECN] = merge(p->f[F_ECN], v[37] & 3, m[37] & 3);
    p->f[F_TTL] = merge(p->f[F_TTL], v[38], m[38]);
}

static void
set_arp(const struct odp_key_arp *v, struct oracle_packet *p)
{
    const struct odp_key_arp *m = v + 1;

    assert_int_equal(p->f[F_ETH_TYPE], ORACLE_TYPE_ARP);
    p->f[F_ARP_OP] = merge(p->f[F_ARP_OP], be16_to_cpu(v->op), be16_to_cpu(m->op));
    p->f[F_ARP_SPA] = merge(p->f[F_ARP_SPA], be32_to_cpu(v->sip), be32_to_cpu(m->sip));
    p->f[F_ARP_TPA] = merge(p->f[F_ARP_TPA], be32_to_cpu(v->tip), be32_to_cpu(m->tip));
    p->f[F_ARP_SHA] = merge(p->f[F_ARP_SHA], eth_addr_to_u64(v->sha), eth_addr_to_u64(m->sha));
    p->f[F_ARP_THA] = merge(p->f[F_ARP_THA], eth_addr_to_u64(v->tha), eth_addr_to_u64(m->tha));
}

static void
set_nd(const struct odp_key_nd *v, struct oracle_packet *p)
{
    const struct odp_key_nd *m = v + 1;

    assert_true(oracle_has_field(p, F_ND_TARGET));
    set_ipv6_address(v->target.s6, m->target.s6, &p->f[F_ND_TARGET], &p->f[F_ND_TARGET_HIGH]);
    if (oracle_has_field(p, F_ND_SLL)) {
        p->f[F_ND_SLL] = merge(p->f[F_ND_SLL], eth_addr_to_u64(v->sll), eth_addr_to_u64(m->sll));
    } else {
        p->f[F_ND_TLL] = merge(p->f[F_ND_TLL], eth_addr_to_u64(v->tll), eth_addr_to_u64(m->tll));
    }
}

static void
apply_set(const struct odp_attr *set, struct oracle_packet *p)
{
    const struct odp_attr *a = odp_attr_data(set);
    const uint8_t *v = odp_attr_data(a), *m = v + odp_attr_size(a) / 2;
    uint32_t mark, mark_mask;

    assert_int_equal(set->type, ODP_SET_MASKED);
    switch (a->type) {
    case ODP_KEY_ETHERNET:
        p->f[F_ETH_SRC] = merge(p->f[F_ETH_SRC], get_be64(v) >> 16, get_be64(m) >> 16);
        p->f[F_ETH_DST] = merge(p->f[F_ETH_DST], get_be64(v + 4) & 0xffffffffffff, get_be64(m + 4) & 0xffffffffffff);
        break;
    case ODP_KEY_IPV4:
        assert_int_equal(p->f[F_ETH_TYPE], ORACLE_TYPE_IPV4);
        p->f[F_IP_SRC] = merge(p->f[F_IP_SRC], get_be32(v), get_be32(m));
        p->f[F_IP_DST] = merge(p->f[F_IP_DST], get_be32(v + 4), get_be32(m + 4));
        assert_int_equal(m[8], 0);
        p->f[F_DSCP] = merge(p->f[F_DSCP], v[9] >> 2, m[9] >> 2);
        p->f[F_ECN] = merge(p->f[F_ECN], v[9] & 3, m[9] & 3);
        p->f[F_TTL] = merge(p->f[F_TTL], v[10], m[10]);
        break;
    case ODP_KEY_IPV6: set_ipv6(v, m, p); break;
    case ODP_KEY_ARP: set_arp(odp_attr_data(a), p); break;
    case ODP_KEY_ND: set_nd(odp_attr_data(a), p); break;
    case ODP_KEY_UDP: set_ports(v, m, p, ORACLE_UDP, F_UDP_SRC); break;
    case ODP_KEY_TCP: set_ports(v, m, p, ORACLE_TCP, F_TCP_SRC); break;
    case ODP_KEY_SCTP: set_ports(v, m, p, ORACLE_SCTP, F_SCTP_SRC); break;
    case ODP_KEY_ICMP:
        assert_int_equal(p->f[F_PROTO], ORACLE_ICMP);
        p->f[F_ICMP_TYPE] = merge(p->f[F_ICMP_TYPE], v[0], m[0]);
        p->f[F_ICMP_CODE] = merge(p->f[F_ICMP_CODE], v[1], m[1]);
        break;
    case ODP_KEY_SKB_MARK:
        memcpy(&mark, v, 4);
        memcpy(&mark_mask, m, 4);
        p->f[F_MARK] = merge(p->f[F_MARK], mark, mark_mask);
        break;
    case ODP_KEY_NSH: set_nsh(a, p); break;
    case ODP_KEY_MPLS:
        assert_true(oracle_is_mpls(p));
        oracle_set_label(p, merge(oracle_get_label(p), get_be32(v), get_be32(m)));
        break;
    default: fail_msg("set of key %u", a->type);
    }
}

static void
translate(struct xbridge *b, const struct flow *flow, struct xlate_out *out)
{
    struct flow bound = *flow;
    struct xlate_in in = { .bridge = b, .flow = &bound, .tables_version = b->tables_version };

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
    translate(b, &flow, &out);
    str_puts(&passes, "back: ");
    odp_actions_format(&passes, out.actions.data, out.actions.len, NULL);
    str_putf(&passes, " (%s)\n", xlate_error_text(out.error));
    if (out.error) {
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
        case ODP_PUSH_ETH: push_ethernet(odp_attr_data(a), &p); break;
        case ODP_POP_ETH:
            assert_true(!p.no_ethernet && !p.f[F_TCI]);
            oracle_pop_ethernet(&p);
            break;
        case ODP_PUSH_NSH:
            if (p.n_below >= (int) ARRAY_SIZE(p.below)) {
                r->gave_up = true;
                return;
            }
            push_nsh(a, &p);
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
        default: apply_set(a, &p); break;
        }
    }
}

static void
apply_actions(struct xbridge *b, const struct bytes *actions, const struct oracle_packet *packet,
              struct oracle_result *r)
{
    r->n = r->n_ttl = 0;
    r->gave_up = r->took_for_another = false;
    str_clear(&passes);
    carry_out(b, actions->data, actions->len, packet, r, 0);
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

static bool
same_result(const struct oracle_result *a, const struct oracle_result *b)
{
    if (a->n != b->n || a->n_ttl != b->n_ttl || b->took_for_another) {
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
describe(const struct oracle_pipeline *p, const struct xlate_out *out, const struct flow *flow, struct str *s)
{
    struct flow mask = out->wc;

    for (int i = 0; i < p->n_rules; i++) {
        oracle_rule_text(&p->rules[i], s);
        str_putc(s, '\n');
    }
    for (int id = 1; id <= ORACLE_N_GROUPS; id++) {
        oracle_group_text(&p->groups[id - 1], id, s);
        str_putc(s, '\n');
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

        q->raw[at + 2] = merge(random_below(r, 4), p->raw[at + 2], wc->tun_metadata[at + 2]);
        for (size_t i = at + 4; i < at + 4 + len; i++) {
            q->raw[i] = merge(random_below(r, 4), p->raw[i], wc->tun_metadata[i]);
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
        q->f[f] = merge(q->f[f], p->f[f], masks[f]);
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
            label = merge(label, be32_to_cpu(x.mpls_lse[i]), be32_to_cpu(wc->mpls_lse[i]));
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
            q->f[f] = oracle_has_field(q, f) ? merge(q->f[f], p->f[f], masks[f]) : 0;
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

        q->f[F_TCI] = p->f[F_TCI] ? merge(tci | 0x1000, p->f[F_TCI], be16_to_cpu(wc->vlan_tci)) : 0;
        q->tpid = p->tpid; /* Always part of the megaflow of a packet with a tag. */
        if (inner_matters || !p->f[F_TCI]) {
            q->inner_tci = p->inner_tci;
            q->inner_tpid = p->inner_tpid;
        }
    } else if (q->f[F_TCI] && p->f[F_TCI]) {
        q->tpid = p->tpid;
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
try_packet(struct random *r, struct xbridge *b, const struct oracle_pipeline *p, struct xlate_out *out,
           unsigned int *n_compared)
{
    static struct oracle_result expected, got;
    struct oracle_packet packet, other;
    struct xlate_out again;
    struct flow flow, other_flow;
    bool right;

    oracle_random_packet(r, &packet);
    oracle_packet_to_flow(&packet, &flow);
    translate(b, &flow, out);
    if (out->error) {
        return;
    }
    apply_actions(b, &out->actions, &packet, &got);
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
    tun_mask_to_raw(&options, &flow, &out->wc);
    xlate_out_init(&again);
    for (int i = 0; i < 10; i++) {
        another_packet(r, &packet, &out->wc, &other);
        oracle_packet_to_flow(&other, &other_flow);
        translate(b, &other_flow, &again);
        if (again.error == XLATE_TOO_MANY_VLAN_TAGS) {
            continue; /* It had more of them to begin with; the megaflow is right, and has no limit. */
        }
        if (other.f[F_NSH_MDTYPE] == packet.f[F_NSH_MDTYPE] && !same_actions(out, &again)) {
            struct str s = STR_INIT;

            odp_flow_format(&s, &other_flow, NULL, NULL, false);
            str_puts(&s, " -> ");
            odp_actions_format(&s, again.actions.data, again.actions.len, NULL);
            fprintf(stderr, "%s (%s)\n", str_text(&s), xlate_error_text(again.error));
            str_uninit(&s);
            apply_actions(b, &again.actions, &other, &got);
            is_right(p, &other, &got, &expected);
            fail_with(p, out, &flow, &expected, &got, "a packet of the megaflow is translated differently");
        }
        apply_actions(b, &out->actions, &other, &got);
        if (!got.gave_up && !is_right(p, &other, &got, &expected)) {
            fail_with(p, out, &flow, &expected, &got, "the megaflow is too wide");
        }
    }
    xlate_out_uninit(&again);
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

static void
translation_does_what_the_specification_says(void **state UNUSED)
{
    unsigned int n_compared = 0;
    struct oracle_pipeline p;
    struct xlate_out out;
    struct random r;
    struct xbridge *b;
    struct sim sim;

    sim_init(&sim);
    b = sim_add_bridge(&sim, "br0");
    for (int i = 1; i <= ORACLE_N_PORTS; i++) {
        char name[8];

        snprintf(name, sizeof name, "p%d", i);
        atomic_store(&sim_add_port(&sim, b, name, i, NULL)->state, i == ORACLE_DOWN_PORT);
    }
    for (int i = 1; i <= ORACLE_N_METERS; i++) {
        char line[32];

        snprintf(line, sizeof line, "meter br0 %d", i);
        assert_true(sim_run_line(&sim, line));
    }
    for (int i = 0; i < ORACLE_N_OPTIONS; i++) {
        const struct oracle_option *o = &oracle_options[i];

        assert_true(tun_map_add(&options, i, ORACLE_OPTION_CLASS, o->type, o->len));
    }
    rcu_set(&b->options, &options);
    sim_remove_local(b);
    xlate_out_init(&out);
    for (unsigned int i = first_pipeline; i < n_pipelines; i++) {
        seed = i;
        random_seed(&r, i);
        oracle_random_pipeline(&r, &p);
        sim_delete_flows(b);
        add_groups(b, &p);
        add_pipeline(b, &p);
        for (int k = 0; k < 40; k++) {
            try_packet(&r, b, &p, &out, &n_compared);
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
