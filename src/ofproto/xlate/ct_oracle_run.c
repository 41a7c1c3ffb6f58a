/* The interpreter: tables and actions, and what a connection tracker is said to do. */
#include "ofproto/xlate/ct_oracle.h"

struct run {
    const struct cto_pipeline *pipeline;
    struct cto_tracker *tracker;
    struct cto_result *result;
    struct cto_packet p;
    bool is_translated; /* The packet is not any more as the pipeline sees it... */
    uint64_t state;     /* ...or bears what ct has found of it, though the pipeline takes it for untracked... */
    uint16_t zone;      /* ...in this zone. */
    int n_tables;
};

struct cto_tuple
cto_reverse(const struct cto_tuple *t)
{
    enum cto_kind kind = t->kind == CTO_IS_REQUEST ? CTO_IS_REPLY : t->kind == CTO_IS_REPLY ? CTO_IS_REQUEST : t->kind;

    return (struct cto_tuple) { t->is_v6, kind, t->dst, t->src, t->dport, t->sport };
}

bool
cto_same_tuple(const struct cto_tuple *a, const struct cto_tuple *b)
{
    return a->is_v6 == b->is_v6 && a->kind == b->kind && a->src == b->src && a->dst == b->dst && a->sport == b->sport
           && a->dport == b->dport;
}

bool
cto_same_packet(const struct cto_packet *a, const struct cto_packet *b)
{
    for (int f = CTO_SRC; f <= CTO_TCP_FLAGS; f++) {
        if (a->f[f] != b->f[f]) {
            return false;
        }
    }
    return a->is_v6 == b->is_v6 && a->proto == b->proto && a->seq == b->seq && a->ack == b->ack
           && a->n_data == b->n_data && a->id == b->id && a->is_error == b->is_error
           && cto_same_tuple(&a->inner, &b->inner);
}

struct cto_tuple
cto_tuple_of(const struct cto_packet *p)
{
    struct cto_tuple t = { p->is_v6, CTO_IS_UDP, p->f[CTO_SRC], p->f[CTO_DST], p->f[CTO_SPORT], p->f[CTO_DPORT] };

    switch (p->proto) {
    case CTO_TCP: t.kind = CTO_IS_TCP; break;
    case CTO_ICMP:
        t.kind = p->f[CTO_SPORT] == cto_icmp_type(p->is_v6, CTO_ECHO) ? CTO_IS_REQUEST : CTO_IS_REPLY;
        t.sport = t.dport = p->id;
        break;
    default: break;
    }
    return t;
}

/* The tracker. */

static struct cto_conn *
find(struct cto_tracker *t, uint16_t zone, const struct cto_tuple *tuple, bool *is_reply)
{
    for (int i = 0; i < t->n; i++) {
        struct cto_conn *c = &t->conns[i];

        *is_reply = !cto_same_tuple(&c->orig, tuple);
        if (c->zone == zone && (!*is_reply || (!c->is_one_way && cto_same_tuple(&c->reply, tuple)))) {
            return c;
        }
    }
    return NULL;
}

/* A packet that was translated, as it is now: what it would open is there already. */
static bool
is_like_another(struct cto_tracker *t, const struct cto_conn *c, const struct cto_packet *p)
{
    struct cto_tuple tuple = cto_tuple_of(p);
    bool is_reply;
    const struct cto_conn *other = find(t, c->zone, &tuple, &is_reply);

    return other && other != c;
}

static void
write_marks(struct cto_conn *c, const struct cto_action *a, const struct cto_packet *p)
{
    uint32_t mark = a->ct.mark_of_reg0 ? p->f[CTO_REG0] : a->ct.mark;

    c->mark = (c->mark & ~a->ct.mark_mask) | (mark & a->ct.mark_mask);
    c->label = (c->label & ~a->ct.label_mask) | a->ct.label;
}

/* The port that the action wants; 0: none.  An identifier is no port. */
static uint16_t
wanted_port(const struct cto_conn *c, const struct cto_action *a)
{
    return c->orig.kind == CTO_IS_REQUEST ? 0 : a->ct.port;
}

/* What replies to a new connection look like. */
static void
choose_reply(struct cto_conn *c, const struct cto_action *a)
{
    uint16_t port = wanted_port(c, a);

    c->reply = cto_reverse(&c->orig);
    if (a->ct.nat == CTO_NAT_SRC) {
        c->reply.dst = a->ct.address;
        c->reply.dport = port ? port : c->orig.sport;
    } else if (a->ct.nat == CTO_NAT_DST) {
        c->reply.src = a->ct.address;
        c->reply.sport = port ? port : c->orig.dport;
    }
    c->is_snat = a->ct.nat == CTO_NAT_SRC; /* Also where all stays as it was. */
    c->is_dnat = a->ct.nat == CTO_NAT_DST;
}

static void begin_tcp(struct cto_conn *, const struct cto_packet *);

/* A connection for the packet; null if its replies would be another's. */
static struct cto_conn *
commit(struct run *r, const struct cto_action *a, uint16_t zone, const struct cto_packet *p)
{
    struct cto_conn c = { .zone = zone, .orig = cto_tuple_of(p) };
    struct cto_tuple back = cto_reverse(&c.orig);
    bool is_reply, is_taken;

    choose_reply(&c, a);
    is_taken = find(r->tracker, zone, &c.reply, &is_reply) != NULL;
    c.is_one_way = is_taken && a->ct.nat != CTO_NAT_SRC && a->ct.nat != CTO_NAT_DST; /* The other keeps it. */
    if (is_taken && !c.is_one_way) {
        /* Without a source port in the action another one is taken; which one is not said. */
        r->result->gave_up |= a->ct.nat == CTO_NAT_DST || (a->ct.nat == CTO_NAT_SRC && !wanted_port(&c, a));
        return NULL;
    }
    if (r->tracker->n >= CTO_MAX_CONNS || cto_same_tuple(&c.orig, &back)) {
        r->result->gave_up = true;
        return NULL;
    }
    begin_tcp(&c, p);
    r->tracker->conns[r->tracker->n] = c;
    return &r->tracker->conns[r->tracker->n++];
}

static void
forget(struct cto_tracker *t, struct cto_conn *c)
{
    t->n--;
    memmove(c, c + 1, (char *) &t->conns[t->n] - (char *) c);
}

/* An error goes to the one who sent the packet inside, which becomes as it was sent (RFC 5508 §4.2).  Its own source
 * is what the source of any packet that way becomes, if that is translated, whoever tells it. */
static void
translate_error(const struct cto_conn *c, bool is_reply, struct cto_packet *p)
{
    const struct cto_tuple *sent = is_reply ? &c->orig : &c->reply;
    struct cto_tuple seen = p->inner;

    p->inner = *sent;
    p->f[CTO_SRC] = sent->dst != seen.dst ? sent->dst : p->f[CTO_SRC];
    p->f[CTO_DST] = sent->src;
}

/* ovs-actions(7), "nat": packets of a translated connection are, both ways, once an action says nat. */
static void
translate(const struct cto_conn *c, bool is_reply, struct cto_packet *p)
{
    struct cto_tuple to = cto_reverse(is_reply ? &c->orig : &c->reply);

    if (p->is_error) {
        translate_error(c, is_reply, p);
    } else {
        p->f[CTO_SRC] = to.src;
        p->f[CTO_DST] = to.dst;
        if (p->proto == CTO_ICMP) {
            p->id = to.sport;
        } else {
            p->f[CTO_SPORT] = to.sport;
            p->f[CTO_DPORT] = to.dport;
        }
    }
    if (c->is_snat) {
        p->f[CTO_STATE] |= is_reply ? CTO_DNAT : CTO_SNAT;
    }
    if (c->is_dnat) {
        p->f[CTO_STATE] |= is_reply ? CTO_SNAT : CTO_DNAT;
    }
}

static void
show(struct cto_packet *p, uint64_t state, uint16_t zone, const struct cto_conn *c, const struct cto_tuple *orig)
{
    static const struct cto_tuple none;

    orig = orig ? orig : &none;
    p->f[CTO_STATE] = state;
    p->f[CTO_ZONE] = zone;
    p->f[CTO_MARK] = c ? c->mark : 0;
    p->f[CTO_LABEL] = c ? c->label : 0;
    p->f[CTO_ORIG_SRC] = orig->src;
    p->f[CTO_ORIG_DST] = orig->dst;
    p->f[CTO_ORIG_DPORT] = orig->kind < CTO_IS_REQUEST ? orig->dport : 0;
}

/* A packet that this zone has translated before is still of its connection, also if it has been changed since, unless
 * it is to be translated anew. */
static struct cto_conn *
find_of_packet(struct run *r, uint16_t zone, bool is_anew, const struct cto_packet *p, bool *is_reply)
{
    struct cto_tuple t = cto_tuple_of(p);
    struct cto_tuple back;
    struct cto_conn *c;

    if (p->is_error) { /* It is of the connection of the packet inside, which went the other way. */
        t = cto_reverse(&p->inner);
    }
    if (!(p->f[CTO_STATE] & (CTO_SNAT | CTO_DNAT)) || p->f[CTO_ZONE] != zone) {
        return find(r->tracker, zone, &t, is_reply);
    }
    back = cto_reverse(&t);
    c = find(r->tracker, zone, &back, is_reply);
    if (c && (c->is_snat || c->is_dnat)) {
        *is_reply = !*is_reply;
        return c;
    }
    c = find(r->tracker, zone, &t, is_reply);
    if (!c && !is_anew && !p->is_error && !(p->f[CTO_STATE] & (CTO_INV | CTO_REL))) {
        c = find(r->tracker, zone, &p->orig, is_reply);
        *is_reply = p->is_reply;
    }
    return c;
}

/* TCP. */

/* Combinations of flags that no sender makes (RFC 9293 §3.10.7). */
static bool
flags_are_sane(uint64_t flags)
{
    switch (flags & (CTO_SYN | CTO_ACK | CTO_RST | CTO_FIN | CTO_PSH)) {
    case CTO_SYN: case CTO_SYN | CTO_ACK: case CTO_RST: return true;
    default: return flags & CTO_ACK && !(flags & CTO_SYN);
    }
}

static uint32_t
segment_end(const struct cto_packet *p)
{
    return p->seq + p->n_data + !!(p->f[CTO_TCP_FLAGS] & CTO_SYN) + !!(p->f[CTO_TCP_FLAGS] & CTO_FIN);
}

/* What the first segment says of an end that it closes or resets does not count. */
static void
begin_tcp(struct cto_conn *c, const struct cto_packet *p)
{
    c->ends[0].has_sent = true;
    c->ends[0].next = segment_end(p);
    c->ends[0].edge = p->seq;
    c->ends[0].allowed = c->ends[0].next;
    c->is_loose = !(p->f[CTO_TCP_FLAGS] & CTO_SYN);
}

/* Generated numbers are right or far off; a window is some thousand bytes. */
static bool
is_near(uint32_t a, uint32_t b)
{
    return a - b + 4000 < 8000;
}

static bool
tcp_is_over(const struct cto_conn *c)
{
    return c->is_reset || (c->ends[0].finish_is_acked && c->ends[1].finish_is_acked);
}

static bool
has_length(const struct cto_packet *p)
{
    return segment_end(p) != p->seq;
}

/* What has no length may have any number: keep-alives have.  What has one may be as far ahead as the other end has
 * acknowledged. */
static bool
is_within(const struct cto_end *from, const struct cto_packet *p)
{
    return !has_length(p) || is_near(p->seq, from->next)
           || ((int32_t) (p->seq - from->next) > 0 && (int32_t) (segment_end(p) - from->allowed) < 4000);
}

/* An acknowledgement may be as old as a window (and a packet) is large: 2^14 times what it looks like at most where the
 * beginning was not seen (RFC 7323 §2.3), though not that of a SYN. */
static bool
acknowledges_what_is_known(const struct cto_conn *c, const struct cto_end *to, const struct cto_packet *p)
{
    return is_near(p->ack, to->next)
           || (c->is_loose && !(p->f[CTO_TCP_FLAGS] & CTO_SYN) && to->next - p->ack <= 67035u << 14);
}

/* Whether the segment's numbers fit a connection of which both ends are known. */
static bool
numbers_fit(struct run *r, const struct cto_conn *c, const struct cto_end *from, const struct cto_end *to,
            const struct cto_packet *p)
{
    uint64_t flags = p->f[CTO_TCP_FLAGS];

    r->result->gave_up |= c->is_loose && flags & CTO_RST; /* What it has to match is not said. */
    if (flags & CTO_ACK && !acknowledges_what_is_known(c, to, p)) {
        return false;
    }
    if (flags & CTO_RST) { /* RFC 5961 §3.2; the numbers on either side do, too. */
        return p->seq - from->edge + 1 <= 2;
    }
    if (has_length(p) && !from->is_acked && !c->is_loose && !tcp_is_over(c)) {
        r->result->gave_up = true; /* How much it may send is not known yet. */
    }
    return is_within(from, p);
}

/* Where an end has got all that the other one sends, segments may come late, but no others of a connection like it. */
static bool
may_be_late(const struct cto_conn *c, const struct cto_end *from, const struct cto_end *to, const struct cto_packet *p)
{
    return (from->finish_is_acked || to->finish_is_acked || c->is_reset) && is_within(from, p);
}

/* The other end has acknowledged, before this one said anything, what is half of all numbers off: neither ahead of its
 * first segment nor behind (RFC 1982 §3.2; what comes of it: tests/conform/cases/conntrack/tcp-windows.case). */
static bool
begins_opposite(const struct cto_end *from, const struct cto_packet *p)
{
    return !from->has_sent && from->allowed - segment_end(p) - (3u << 29) <= 1u << 30;
}

/* Nothing has come of it yet. */
static bool
is_beginning(const struct cto_end *e)
{
    return !e->is_acked && !e->has_finished;
}

enum verdict { INVALID, IS_NEW, IS_ESTABLISHED, IS_ANOTHER };

/* What a segment does to its connection. */
static enum verdict
follow_tcp(struct run *r, struct cto_conn *c, bool is_reply, const struct cto_packet *p)
{
    struct cto_end *from = &c->ends[is_reply], *to = &c->ends[!is_reply];
    uint64_t flags = p->f[CTO_TCP_FLAGS];
    bool is_syn = flags & CTO_SYN && !(flags & CTO_ACK);
    bool begins_again = is_syn && !to->has_sent && !from->has_finished, fits = true;
    bool is_late = !from->has_sent && c->is_reset; /* It did not get to say where its numbers begin: at 0 then. */

    if (!flags_are_sane(flags)) {
        return INVALID;
    }
    if (tcp_is_over(c) && is_syn) {
        return IS_ANOTHER;
    }
    if (is_syn && from->has_sent && to->has_sent && is_beginning(from) && !c->is_reset) {
        return IS_NEW; /* It tries again: nothing of it is looked at. */
    }
    if (is_late && c->is_loose && has_length(p)) {
        r->result->gave_up = true; /* From 0 on, a window of which the scale is not known may reach that far, or not. */
    }
    if ((from->has_sent && to->has_sent) || is_late) {
        fits = numbers_fit(r, c, from, to, p);
        if (!fits && !may_be_late(c, from, to, p)) {
            return INVALID;
        }
    }
    if (!to->has_sent && !begins_again && !is_within(from, p)) {
        return INVALID;
    }
    if (!from->has_sent && !is_late && flags & CTO_ACK && !is_near(p->ack, to->next)) {
        r->result->gave_up = true; /* How far off it may be, and which numbers may come then, is not said. */
    }
    r->result->gave_up |= begins_opposite(from, p);
    if (c->is_loose && flags & CTO_RST && from->has_sent && to->has_sent) {
        r->result->gave_up = true; /* Nor what a reset has to match where the beginning was not seen. */
    }
    if ((!from->has_sent && !is_late) || begins_again
        || (has_length(p) && (int32_t) (segment_end(p) - from->edge) > 0)) {
        from->next = segment_end(p);
        from->edge = begins_again ? p->seq : from->next;
        if (begins_again || !from->allowed || (int32_t) (from->next - from->allowed) > 0) {
            from->allowed = from->next;
        }
    }
    from->has_sent = true;
    from->has_finished |= flags & CTO_FIN;
    if (flags & CTO_ACK && to->has_sent && fits) {
        to->finish_is_acked |= to->has_finished;
        to->is_acked = true;
    }
    if (flags & CTO_ACK && (int32_t) (p->ack - to->allowed) > 0) {
        to->allowed = p->ack;
    }
    c->is_reset |= flags & CTO_RST;
    return is_syn && is_beginning(from) ? IS_NEW : IS_ESTABLISHED;
}

/* Whether the packet may open a connection. */
static bool
is_opening(const struct cto_packet *p)
{
    uint64_t flags = p->f[CTO_TCP_FLAGS];

    switch (p->proto) {
    case CTO_TCP: return flags_are_sane(flags) && (flags & (CTO_SYN | CTO_ACK)) != (CTO_SYN | CTO_ACK);
    case CTO_ICMP: return !p->is_error && p->f[CTO_SPORT] == cto_icmp_type(p->is_v6, CTO_ECHO);
    default: return true;
    }
}

static enum verdict
follow(struct run *r, struct cto_conn *c, bool is_reply, const struct cto_packet *p)
{
    if (p->proto == CTO_TCP) {
        return follow_tcp(r, c, is_reply, p);
    }
    c->is_answered |= is_reply;
    return c->is_answered ? IS_ESTABLISHED : IS_NEW;
}

/* No connection: the packet may open one. */
static struct cto_conn *
track_new(struct run *r, const struct cto_action *a, uint16_t zone, struct cto_packet *p)
{
    struct cto_tuple t = cto_tuple_of(p);
    struct cto_conn *c = NULL;

    if (!is_opening(p)) {
        show(p, CTO_TRK | CTO_INV, zone, NULL, NULL);
    } else if (!a->ct.commit) {
        show(p, CTO_TRK | CTO_NEW, zone, NULL, &t);
    } else {
        c = commit(r, a, zone, p);
        if (c) {
            write_marks(c, a, &r->p);
        }
        show(p, CTO_TRK | (c ? CTO_NEW : CTO_INV), zone, c, c ? &c->orig : NULL);
    }
    return c;
}

/* An ICMP error is for the one who sent the packet inside. */
static bool
is_misdirected(const struct cto_packet *p)
{
    return p->is_error && p->f[CTO_DST] != p->inner.src;
}

static void
track(struct run *r, const struct cto_action *a, uint16_t zone, struct cto_packet *p)
{
    bool is_reply;
    uint64_t earlier = p->f[CTO_ZONE] == zone ? p->f[CTO_STATE] & (CTO_SNAT | CTO_DNAT) : 0;
    struct cto_conn *c = find_of_packet(r, zone, a->ct.nat != CTO_NAT_NONE, p, &is_reply);
    enum verdict v = INVALID;

    if (is_misdirected(p)) {
        show(p, CTO_TRK | CTO_INV, zone, NULL, NULL);
        return;
    }
    if (c && p->is_error) {
        show(p, CTO_TRK | CTO_REL | (is_reply ? CTO_RPL : 0), zone, c, &c->orig);
    } else {
        v = !c || (a->ct.force && is_reply && !is_like_another(r->tracker, c, p)) ? IS_ANOTHER
                                                                                  : follow(r, c, is_reply, p);
        if (v == IS_ANOTHER) {
            if (c) {
                forget(r->tracker, c);
            }
            is_reply = false;
            c = track_new(r, a, zone, p);
        } else {
            if (a->ct.commit) {
                write_marks(c, a, &r->p);
            }
            show(p, CTO_TRK | (v == INVALID ? CTO_INV : v == IS_NEW ? CTO_NEW : CTO_EST | (is_reply ? CTO_RPL : 0)),
                 zone, c, &c->orig);
        }
    }
    if (c) {
        p->orig = c->orig;
        p->is_reply = is_reply;
    }
    if (c && (c->is_snat || c->is_dnat)) {
        if (a->ct.nat) {
            translate(c, is_reply, p);
        } else {
            p->f[CTO_STATE] |= earlier; /* It still is: tests/conform/cases/conntrack/changed-headers.case. */
        }
    }
}

/* The pipeline. */

static void run_table(struct run *, int table);

/* A copy of the packet is tracked and goes on in the table; this one goes on untracked. */
static void
run_ct(struct run *r, const struct cto_action *a)
{
    uint16_t zone = a->ct.zone_of_reg0 ? r->p.f[CTO_REG0] : a->ct.zone;
    struct run fork = *r;
    struct cto_packet before = r->p, after;

    /* Whether a tracker may remember that it has translated such a packet is not said. */
    if (r->is_translated || (r->state & (CTO_SNAT | CTO_DNAT) && r->zone == zone)) {
        r->result->gave_up = true;
        return;
    }
    track(r, a, zone, &fork.p);
    r->state = fork.p.f[CTO_STATE];
    r->zone = zone;
    fork.state = 0;
    after = fork.p;
    if (a->ct.table >= 0) {
        run_table(&fork, a->ct.table);
        r->n_tables = fork.n_tables;
    }
    r->is_translated = !cto_same_packet(&before, &after);
    show(&r->p, 0, 0, NULL, NULL);
}

static void
output(struct run *r, uint32_t port)
{
    if (port == r->p.f[CTO_IN_PORT]) {
        return;
    }
    if (r->result->n >= CTO_MAX_OUTPUTS || r->is_translated) {
        r->result->gave_up = true;
        return;
    }
    r->result->outputs[r->result->n].port = port;
    r->result->outputs[r->result->n++].packet = r->p;
}

static void
run_actions(struct run *r, const struct cto_action *actions, int n)
{
    for (const struct cto_action *a = actions; a < actions + n && !r->result->gave_up; a++) {
        struct run inner = *r;

        switch (a->op) {
        case CTO_OUTPUT: output(r, a->value); break;
        case CTO_SET: r->p.f[a->dst] = a->value; break;
        case CTO_MOVE: {
            uint64_t mask = a->src == CTO_IN_PORT || a->src == CTO_ZONE ? 0xffff : 0xffffffff;

            r->p.f[CTO_REG0] = (r->p.f[CTO_REG0] & ~mask) | (r->p.f[a->src] & mask);
            break;
        }
        case CTO_RESUBMIT: run_table(r, a->value); break;
        case CTO_CLONE:
            run_actions(&inner, a->nested, a->n_nested);
            r->n_tables = inner.n_tables;
            break;
        case CTO_CT: run_ct(r, a); break;
        case CTO_CT_CLEAR: show(&r->p, 0, 0, NULL, NULL); break;
        }
    }
}

static bool
rule_matches(const struct cto_rule *rule, const struct cto_packet *p)
{
    if (rule->is_v6 != p->is_v6 || (rule->proto && rule->proto != p->proto)) {
        return false;
    }
    for (int i = 0; i < rule->n_conditions; i++) {
        const struct cto_condition *c = &rule->conditions[i];

        if ((p->f[c->field] & c->mask) != c->value) {
            return false;
        }
    }
    return true;
}

static void
run_table(struct run *r, int table)
{
    const struct cto_rule *best = NULL;

    if (++r->n_tables > 200) {
        r->result->gave_up = true;
        return;
    }
    for (int i = 0; i < r->pipeline->n_rules; i++) {
        const struct cto_rule *rule = &r->pipeline->rules[i];

        if (rule->table == table && rule_matches(rule, &r->p) && (!best || rule->priority > best->priority)) {
            best = rule;
        }
    }
    if (best) {
        run_actions(r, best->actions, best->n_actions);
    }
}

void
cto_run(const struct cto_pipeline *pipeline, struct cto_tracker *tracker, const struct cto_packet *p,
        struct cto_result *result)
{
    struct run r = { .pipeline = pipeline, .tracker = tracker, .result = result, .p = *p };

    result->n = 0;
    result->gave_up = false;
    run_table(&r, 0);
}
