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
cto_packet_tuple(const struct cto_packet *p)
{
    return (struct cto_tuple) { p->f[CTO_SRC], p->f[CTO_DST], p->f[CTO_SPORT], p->f[CTO_DPORT] };
}

static struct cto_tuple
reverse(const struct cto_tuple *t)
{
    return (struct cto_tuple) { t->dst, t->src, t->dport, t->sport };
}

static bool
same(const struct cto_tuple *a, const struct cto_tuple *b)
{
    return a->src == b->src && a->dst == b->dst && a->sport == b->sport && a->dport == b->dport;
}

/* The tracker. */

static struct cto_conn *
find(struct cto_tracker *t, uint16_t zone, const struct cto_tuple *tuple, bool *is_reply)
{
    for (int i = 0; i < t->n; i++) {
        struct cto_conn *c = &t->conns[i];

        *is_reply = !same(&c->orig, tuple);
        if (c->zone == zone && (!*is_reply || same(&c->reply, tuple))) {
            return c;
        }
    }
    return NULL;
}

static void
write_marks(struct cto_conn *c, const struct cto_action *a, const struct cto_packet *p)
{
    uint32_t mark = a->ct.mark_of_reg0 ? p->f[CTO_REG0] : a->ct.mark;

    c->mark = (c->mark & ~a->ct.mark_mask) | (mark & a->ct.mark_mask);
    c->label = (c->label & ~a->ct.label_mask) | a->ct.label;
}

/* What replies to a new connection look like. */
static void
choose_reply(struct cto_conn *c, const struct cto_action *a)
{
    c->reply = reverse(&c->orig);
    if (a->ct.nat == CTO_NAT_SRC) {
        c->reply.dst = a->ct.address;
        c->reply.dport = a->ct.port ? a->ct.port : c->orig.sport;
    } else if (a->ct.nat == CTO_NAT_DST) {
        c->reply.src = a->ct.address;
        c->reply.sport = a->ct.port ? a->ct.port : c->orig.dport;
    }
    c->is_snat = c->reply.dst != c->orig.src || c->reply.dport != c->orig.sport;
    c->is_dnat = c->reply.src != c->orig.dst || c->reply.sport != c->orig.dport;
}

/* A connection for the packet; null if its replies would be another's. */
static struct cto_conn *
commit(struct run *r, const struct cto_action *a, uint16_t zone, const struct cto_packet *p)
{
    struct cto_conn c = { .zone = zone, .orig = cto_packet_tuple(p) };
    struct cto_tuple back = reverse(&c.orig);
    bool is_reply;

    choose_reply(&c, a);
    if (find(r->tracker, zone, &c.reply, &is_reply)) {
        /* Without a port in the action another port is taken; which one is not said. */
        r->result->gave_up |= a->ct.nat >= CTO_NAT_SRC && !a->ct.port;
        return NULL;
    }
    if (r->tracker->n >= CTO_MAX_CONNS || same(&c.orig, &back)) {
        r->result->gave_up = true;
        return NULL;
    }
    r->tracker->conns[r->tracker->n] = c;
    return &r->tracker->conns[r->tracker->n++];
}

static void
forget(struct cto_tracker *t, struct cto_conn *c)
{
    t->n--;
    memmove(c, c + 1, (char *) &t->conns[t->n] - (char *) c);
}

/* ovs-actions(7), "nat": packets of a translated connection are, both ways, once an action says nat. */
static void
translate(const struct cto_conn *c, bool is_reply, struct cto_packet *p)
{
    struct cto_tuple to = reverse(is_reply ? &c->orig : &c->reply);

    p->f[CTO_SRC] = to.src;
    p->f[CTO_DST] = to.dst;
    p->f[CTO_SPORT] = to.sport;
    p->f[CTO_DPORT] = to.dport;
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
    p->f[CTO_ORIG_DPORT] = orig->dport;
}

/* A packet that this zone has translated before is still of its connection. */
static struct cto_conn *
find_of_packet(struct run *r, uint16_t zone, const struct cto_packet *p, bool *is_reply)
{
    struct cto_tuple t = cto_packet_tuple(p);
    struct cto_conn *c = find(r->tracker, zone, &t, is_reply);

    if (!c && p->f[CTO_STATE] & (CTO_SNAT | CTO_DNAT) && p->f[CTO_ZONE] == zone) {
        t = reverse(&t);
        c = find(r->tracker, zone, &t, is_reply);
        *is_reply = !*is_reply;
    }
    return c;
}

static void
track(struct run *r, const struct cto_action *a, uint16_t zone, struct cto_packet *p)
{
    struct cto_tuple t = cto_packet_tuple(p);
    bool is_reply;
    struct cto_conn *c = find_of_packet(r, zone, p, &is_reply);

    if (c && a->ct.force && is_reply) {
        forget(r->tracker, c);
        c = NULL;
    }
    if (c) {
        c->is_answered |= is_reply;
        if (a->ct.commit) {
            write_marks(c, a, &r->p);
        }
        show(p, CTO_TRK | (c->is_answered ? CTO_EST : CTO_NEW) | (is_reply ? CTO_RPL : 0), zone, c, &c->orig);
    } else if (a->ct.commit) {
        is_reply = false;
        c = commit(r, a, zone, p);
        if (c) {
            write_marks(c, a, &r->p);
        }
        show(p, CTO_TRK | (c ? CTO_NEW : CTO_INV), zone, c, c ? &c->orig : NULL);
    } else {
        show(p, CTO_TRK | CTO_NEW, zone, NULL, &t);
    }
    if (c && a->ct.nat && (c->is_snat || c->is_dnat)) {
        translate(c, is_reply, p);
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
    struct cto_tuple before = cto_packet_tuple(&r->p), after;

    /* Whether a tracker may remember that it has translated such a packet is not said. */
    if (r->is_translated || (r->state & (CTO_SNAT | CTO_DNAT) && r->zone == zone)) {
        r->result->gave_up = true;
        return;
    }
    track(r, a, zone, &fork.p);
    r->state = fork.p.f[CTO_STATE];
    r->zone = zone;
    fork.state = 0;
    after = cto_packet_tuple(&fork.p);
    if (a->ct.table >= 0) {
        run_table(&fork, a->ct.table);
        r->n_tables = fork.n_tables;
    }
    r->is_translated = !same(&before, &after);
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
    r->result->outputs[r->result->n++].tuple = cto_packet_tuple(&r->p);
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
