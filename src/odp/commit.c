#include "odp/commit.h"

#include "odp/key.h"

void
odp_base_init(struct odp_base *base, const struct flow *flow)
{
    base->flow = *flow;
    memset(&base->below, 0, sizeof base->below);
    base->pending.kind = ODP_PENDING_NONE;
    base->pending.metadata_len = 0;
    base->lost_labels = false;
}

/* Members of one key attribute: one masked set of those that differ. */
static void
commit_key(enum odp_key key, const struct flow *flow, struct flow *base, struct flow *wc, struct bytes *actions)
{
    uint8_t now[ODP_KEY_MAX_SIZE], was[ODP_KEY_MAX_SIZE], mask[ODP_KEY_MAX_SIZE];
    size_t size = odp_key_size(key);
    struct flow bits;

    odp_key_from_flow(key, flow, now);
    odp_key_from_flow(key, base, was);
    if (!memcmp(now, was, size)) {
        return; /* Mostly. */
    }
    odp_key_from_flow(key, wc, mask);
    if (!odp_key_mask_changed(key, now, was, mask)) {
        return;
    }
    odp_key_to_flow(key, now, base);
    memset(&bits, 0, sizeof bits);
    odp_key_to_flow(key, mask, &bits);
    flow_or(wc, &bits);
    for (size_t i = 0; i < size; i++) {
        now[i] &= mask[i];
    }
    odp_put_set_masked(actions, key, now, mask, size);
}

/* Type and code are set together, and the megaflow matches both, like the reference's. */
static void
commit_icmp(enum odp_key key, const struct flow *flow, struct flow *base, struct flow *wc, struct bytes *actions)
{
    uint8_t value[ODP_KEY_MAX_SIZE], mask[ODP_KEY_MAX_SIZE];
    size_t size = odp_key_size(key);

    if (flow->tp_src == base->tp_src && flow->tp_dst == base->tp_dst) {
        return;
    }
    wc->tp_src = wc->tp_dst = BE16_MAX;
    base->tp_src = flow->tp_src;
    base->tp_dst = flow->tp_dst;
    odp_key_from_flow(key, flow, value);
    memset(mask, 0xff, size);
    odp_put_set_masked(actions, key, value, mask, size);
}

static void
commit_l4(const struct flow *flow, struct flow *base, struct flow *wc, struct bytes *actions)
{
    bool is_ipv6 = flow->eth_type == BE16(0x86dd);

    if (!flow_is_ip(flow) || base->nw_frag & FLOW_FRAG_LATER) {
        return;
    }
    switch (base->nw_proto) {
    case 6: commit_key(ODP_KEY_TCP, flow, base, wc, actions); break;
    case 17: commit_key(ODP_KEY_UDP, flow, base, wc, actions); break;
    case 132: commit_key(ODP_KEY_SCTP, flow, base, wc, actions); break;
    case 1:
        if (!is_ipv6) {
            commit_icmp(ODP_KEY_ICMP, flow, base, wc, actions);
        }
        break;
    case 58:
        if (is_ipv6) {
            commit_icmp(ODP_KEY_ICMPV6, flow, base, wc, actions);
            if (!flow->tp_dst && (flow->tp_src == BE16(135) || flow->tp_src == BE16(136))) {
                commit_key(ODP_KEY_ND, flow, base, wc, actions);
                commit_key(ODP_KEY_ND_EXTENSIONS, flow, base, wc, actions);
            }
        }
        break;
    }
}

/* All that the megaflow matches is set with what changed, as the reference has it; type and next protocol never. */
static void
commit_nsh(const struct flow *flow, struct flow *base, struct flow *wc, struct bytes *actions)
{
    struct odp_key_nsh now = odp_key_nsh(flow), was = odp_key_nsh(base), mask = odp_key_nsh(wc);
    uint8_t *n = (uint8_t *) &now, *m = (uint8_t *) &mask;
    const uint8_t *w = (const uint8_t *) &was;
    struct flow bits;

    if (!memcmp(&now, &was, sizeof now)) {
        return;
    }
    odp_key_to_flow(ODP_KEY_NSH, &now, base);
    mask.mdtype = mask.np = 0;
    for (size_t i = 0; i < sizeof now; i++) {
        m[i] |= n[i] ^ w[i];
    }
    memset(&bits, 0, sizeof bits);
    odp_key_to_flow(ODP_KEY_NSH, &mask, &bits);
    flow_or(wc, &bits);
    for (size_t i = 0; i < sizeof now; i++) {
        n[i] &= m[i];
    }
    odp_put_set_masked(actions, ODP_KEY_NSH, &now, &mask, sizeof now);
}

/* A packet whose IP header makes no sense has no protocol, and its header stays as it is, as in the reference (so does
 * that of IPv4 packets of protocol 0).  Where the megaflow is for other packets, too, the datapath sees to it. */
static void
commit_ip(enum odp_key key, const struct flow *flow, struct flow *base, struct flow *wc, struct bytes *actions)
{
    if (flow->nw_proto || !wc->nw_proto) {
        commit_key(key, flow, base, wc, actions);
    }
}

static void
commit_headers(const struct flow *flow, struct flow *base, struct flow *wc, struct bytes *actions)
{
    if (flow->eth_type != base->eth_type) {
        return; /* Under labels that were pushed or popped; the pusher has committed. */
    }
    switch (be16_to_cpu(flow->eth_type)) {
    case 0x0800: commit_ip(ODP_KEY_IPV4, flow, base, wc, actions); break;
    case 0x86dd: commit_ip(ODP_KEY_IPV6, flow, base, wc, actions); break;
    case 0x0806: case 0x8035: commit_key(ODP_KEY_ARP, flow, base, wc, actions); break;
    case 0x894f: commit_nsh(flow, base, wc, actions); break;
    }
    commit_l4(flow, base, wc, actions);
}

int
odp_mpls_depth(const struct flow *flow, const struct odp_below *below)
{
    int n = flow_count_mpls(flow);

    return n ? MAX(MIN(n, FLOW_MPLS_LABELS - below->n_blank), 0) : 0;
}

/* How many labels at the bottom two stacks have in common. */
static int
common_labels(const struct flow *a, int n_a, const struct flow *b, int n_b)
{
    int n = 0;

    while (n < n_a && n < n_b && a->mpls_lse[n_a - 1 - n] == b->mpls_lse[n_b - 1 - n]) {
        n++;
    }
    return n;
}

static void
put_pop_mpls(struct bytes *actions, be16 type)
{
    odp_put(actions, ODP_POP_MPLS, &type, sizeof type);
}

/* 'n', 'n_base': how many labels they show.  'lost_labels': those that are pushed may be the packet's own. */
static void
commit_mpls(const struct flow *flow, int n, struct flow *base, int n_base, bool lost_labels, struct flow *wc,
            struct bytes *actions)
{
    bool is_retyped = n && n == n_base && flow->eth_type != base->eth_type;
    int common = common_labels(flow, n, base, n_base);

    if (is_retyped) {
        common = MIN(common, n - 1); /* Only a label that is pushed brings a type (or one that is popped). */
    } else if (n == n_base && common == n) {
        return;
    } else if (n == n_base && common == n - 1) {
        commit_key(ODP_KEY_MPLS, flow, base, wc, actions);
        return;
    }
    for (int i = n_base; i > common; i--) {
        bool is_last = i - 1 == common && n == common; /* What comes into sight then has the flow's type. */

        put_pop_mpls(actions, is_last ? flow->eth_type : i > 1 ? base->eth_type : BE16(0x0800));
    }
    for (int i = n - common - 1; i >= 0; i--) {
        struct odp_push_mpls push = { .lse = flow->mpls_lse[i], .ethertype = flow->eth_type };

        odp_put(actions, ODP_PUSH_MPLS, &push, sizeof push);
    }
    for (int i = 0; i < FLOW_MPLS_LABELS; i++) {
        wc->mpls_lse[i] |= lost_labels ? BE32_MAX : i < n_base ? BE32(0x100) : 0;
    }
    memcpy(base->mpls_lse, flow->mpls_lse, sizeof base->mpls_lse);
    base->eth_type = flow->eth_type;
}

/* VLAN tags. */

bool
odp_tags_push(struct flow *f, struct odp_below *below, be16 tpid, be16 tci)
{
    if (f->vlan2_tci) {
        if (below->n >= ODP_MAX_TAGS) {
            return false;
        }
        memmove(&below->tags[1], &below->tags[0], below->n * sizeof below->tags[0]);
        below->tags[0].tpid = f->vlan2_tpid;
        below->tags[0].tci = f->vlan2_tci;
        below->n++;
    }
    f->vlan2_tpid = f->vlan_tpid;
    f->vlan2_tci = f->vlan_tci;
    f->vlan_tpid = tpid;
    f->vlan_tci = tci;
    return true;
}

void
odp_tags_pop(struct flow *f, struct odp_below *below)
{
    f->vlan_tpid = f->vlan2_tpid;
    f->vlan_tci = f->vlan2_tci;
    f->vlan2_tpid = f->vlan2_tci = 0;
    if (below->n) {
        f->vlan2_tpid = below->tags[0].tpid;
        f->vlan2_tci = below->tags[0].tci;
        below->n--;
        memmove(&below->tags[0], &below->tags[1], below->n * sizeof below->tags[0]);
    }
}

/* All of a packet's tags, outermost first. */
struct stack {
    int n;
    be16 tpid[ODP_MAX_TAGS + 2], tci[ODP_MAX_TAGS + 2];
};

static void
add_tag(struct stack *s, be16 tpid, be16 tci)
{
    if (tci & BE16(VLAN_PRESENT)) {
        s->tpid[s->n] = tpid;
        s->tci[s->n++] = tci;
    }
}

static struct stack
get_stack(const struct flow *f, const struct odp_below *below)
{
    struct stack s = { .n = 0 };

    add_tag(&s, f->vlan_tpid, f->vlan_tci);
    add_tag(&s, f->vlan2_tpid, f->vlan2_tci);
    for (int i = 0; below && i < below->n; i++) {
        add_tag(&s, below->tags[i].tpid, below->tags[i].tci);
    }
    return s;
}

/* How many of the inner tags agree. */
static int
common_tags(const struct stack *a, const struct stack *b)
{
    int n = 0;

    while (n < a->n && n < b->n && a->tpid[a->n - 1 - n] == b->tpid[b->n - 1 - n] &&
           a->tci[a->n - 1 - n] == b->tci[b->n - 1 - n]) {
        n++;
    }
    return n;
}

/* What is put in the place of tags holds for packets with these tags. */
static void
note_replaced(const struct flow *base, int n, struct flow *wc)
{
    wc->vlan_tci = BE16_MAX;
    wc->vlan_tpid = BE16_MAX;
    if (n > 1 && base->vlan2_tci) {
        wc->vlan2_tci = BE16_MAX;
        wc->vlan2_tpid = BE16_MAX;
    }
}

static void
commit_tags(const struct flow *flow, const struct odp_below *below, struct odp_base *base, struct flow *wc,
            struct bytes *actions)
{
    struct stack now = get_stack(flow, below), was = get_stack(&base->flow, &base->below);
    int common = common_tags(&now, &was);

    if (was.n > common) {
        note_replaced(&base->flow, was.n - common, wc);
    }
    for (int i = common; i < was.n; i++) {
        odp_put_flag(actions, ODP_POP_VLAN);
    }
    for (int i = now.n - common - 1; i >= 0; i--) {
        odp_put_push_vlan(actions, now.tpid[i], now.tci[i]);
    }
    base->flow.vlan_tpid = flow->vlan_tpid;
    base->flow.vlan_tci = flow->vlan_tci;
    base->flow.vlan2_tpid = flow->vlan2_tpid;
    base->flow.vlan2_tci = flow->vlan2_tci;
    base->below = *below;
}

/* Whole headers. */

/* A fresh Ethernet header has no tags; a packet that has lost its own neither. */
static void
clear_ethernet(struct odp_base *base)
{
    struct flow *f = &base->flow;
    int n_blank = base->below.n_blank;

    f->vlan_tpid = f->vlan_tci = f->vlan2_tpid = f->vlan2_tci = 0;
    memset(&base->below, 0, sizeof base->below);
    base->below.n_blank = n_blank;
}

static void
commit_push_eth(const struct flow *flow, struct odp_base *base, struct bytes *actions)
{
    struct odp_push_eth push = { .addresses = { flow->eth_src, flow->eth_dst } };

    odp_put(actions, ODP_PUSH_ETH, &push, sizeof push);
    clear_ethernet(base);
    base->flow.packet_ns = 0;
    base->flow.eth_src = flow->eth_src;
    base->flow.eth_dst = flow->eth_dst;
}

static void
commit_pending(const struct flow *flow, struct odp_base *base, struct bytes *actions)
{
    struct odp_add_mpls add = { .lse = flow->mpls_lse[0], .ethertype = flow->eth_type };
    struct odp_key_nsh nsh = odp_key_nsh(flow);

    switch (base->pending.kind) {
    case ODP_PENDING_NONE: return;
    case ODP_PENDING_PUSH_ETH: commit_push_eth(flow, base, actions); break;
    case ODP_PENDING_PUSH_NSH:
        odp_put_push_nsh(actions, &nsh, base->pending.metadata, base->pending.metadata_len);
        flow_copy_headers(&base->flow, flow);
        clear_ethernet(base);
        break;
    case ODP_PENDING_ADD_MPLS:
        odp_put(actions, ODP_ADD_MPLS, &add, sizeof add);
        flow_copy_headers(&base->flow, flow);
        clear_ethernet(base);
        break;
    case ODP_PENDING_POP_ETH:
        odp_put_flag(actions, ODP_POP_ETH);
        clear_ethernet(base);
        base->flow.packet_ns = 1;
        base->flow.eth_src = flow->eth_src;
        base->flow.eth_dst = flow->eth_dst;
        break;
    }
    base->pending.kind = ODP_PENDING_NONE;
}

/* Whether they agree in all that a datapath's packet has but for VLAN tags. */
static bool
agree_but_for_tags(const struct flow *a, const struct flow *b)
{
    enum { TAG = offsetof(struct flow, vlan_tpid), TYPE = offsetof(struct flow, eth_type),
           TAG2 = offsetof(struct flow, vlan2_tpid), NSH = offsetof(struct flow, nsh_flags),
           END = offsetof(struct flow, regs) };
    const char *x = (const char *) a, *y = (const char *) b;

    _Static_assert(TYPE - TAG == 4 && NSH - TAG2 == 4, "there is nothing between");
    return !memcmp(x, y, TAG) && !memcmp(x + TYPE, y + TYPE, TAG2 - TYPE) && !memcmp(x + NSH, y + NSH, END - NSH);
}

void
odp_commit(const struct flow *flow, const struct odp_below *below, struct odp_base *base, struct flow *wc,
           struct bytes *actions)
{
    struct flow *was = &base->flow;
    bool is_covered;

    /* Most often there is nothing to do. */
    if (!memcmp(flow, was, offsetof(struct flow, regs)) && !memcmp(below, &base->below, sizeof *below) &&
        base->pending.kind == ODP_PENDING_NONE) {
        return;
    }
    if (base->pending.kind == ODP_PENDING_NONE && below->n_blank == base->below.n_blank &&
        agree_but_for_tags(flow, was)) {
        base->lost_labels = false;
        commit_tags(flow, below, base, wc, actions);
        return;
    }
    commit_pending(flow, base, actions);
    if (!was->packet_ns) {
        commit_key(ODP_KEY_ETHERNET, flow, was, wc, actions);
    }
    is_covered = flow->eth_type != was->eth_type;
    commit_headers(flow, was, wc, actions);
    commit_mpls(flow, odp_mpls_depth(flow, below), was, odp_mpls_depth(was, &base->below), base->lost_labels, wc,
                actions);
    if (is_covered) {
        commit_headers(flow, was, wc, actions); /* What was changed before the labels came that are gone now. */
    }
    base->lost_labels = false;
    commit_tags(flow, below, base, wc, actions);
    commit_key(ODP_KEY_PRIORITY, flow, was, wc, actions);
    commit_key(ODP_KEY_SKB_MARK, flow, was, wc, actions);
}
