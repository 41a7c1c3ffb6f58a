/* Making random pipelines and packets, and the text of rules. */
#include "ofproto/xlate/ct_oracle.h"

#include <stdlib.h>

/* Text of a field: in a match, and in actions (of IPv4; in IPv6; of TCP), and its bits there. */
static const struct { const char *match, *match6, *nxm, *nxm6, *nxm_tcp; unsigned int bits; } info[CTO_N_FIELDS] = {
    [CTO_IN_PORT] = { "in_port", "in_port", "NXM_OF_IN_PORT", "NXM_OF_IN_PORT", NULL, 16 },
    [CTO_SRC] = { "nw_src", "ipv6_src", "NXM_OF_IP_SRC", "NXM_NX_IPV6_SRC", NULL, 32 },
    [CTO_DST] = { "nw_dst", "ipv6_dst", "NXM_OF_IP_DST", "NXM_NX_IPV6_DST", NULL, 32 },
    [CTO_SPORT] = { "tp_src", "tp_src", "NXM_OF_UDP_SRC", "NXM_OF_UDP_SRC", "NXM_OF_TCP_SRC", 16 },
    [CTO_DPORT] = { "tp_dst", "tp_dst", "NXM_OF_UDP_DST", "NXM_OF_UDP_DST", "NXM_OF_TCP_DST", 16 },
    [CTO_TCP_FLAGS] = { "tcp_flags", "tcp_flags", NULL, NULL, NULL, 12 },
    [CTO_REG0] = { "reg0", "reg0", "NXM_NX_REG0", "NXM_NX_REG0", NULL, 32 },
    [CTO_STATE] = { "ct_state", "ct_state", "NXM_NX_CT_STATE", "NXM_NX_CT_STATE", NULL, 32 },
    [CTO_ZONE] = { "ct_zone", "ct_zone", "NXM_NX_CT_ZONE", "NXM_NX_CT_ZONE", NULL, 16 },
    [CTO_MARK] = { "ct_mark", "ct_mark", "NXM_NX_CT_MARK", "NXM_NX_CT_MARK", NULL, 32 },
    [CTO_LABEL] = { "ct_label", "ct_label", "NXM_NX_CT_LABEL", "NXM_NX_CT_LABEL", NULL, 64 },
    [CTO_ORIG_SRC] = { "ct_nw_src", "ct_ipv6_src", NULL, NULL, NULL, 32 },
    [CTO_ORIG_DST] = { "ct_nw_dst", "ct_ipv6_dst", NULL, NULL, NULL, 32 },
    [CTO_ORIG_DPORT] = { "ct_tp_dst", "ct_tp_dst", NULL, NULL, NULL, 16 },
};

/* Making.  Clients, servers and addresses of translation are apart, and few. */

enum { CLIENTS = 0x0a000001, SERVERS = 0x0a000101, SEEN = 0x0a000201, ROUTERS = 0x0a000301, FAR = 0x40000000 };

uint8_t
cto_icmp_type(bool is_v6, int which)
{
    static const uint8_t types[][2] = { { 8, 128 }, { 0, 129 }, { 3, 1 } };

    return types[which][is_v6];
}

static uint8_t
random_flags(struct random *r)
{
    static const uint8_t flags[] = { CTO_SYN, CTO_SYN, CTO_SYN | CTO_ACK, CTO_SYN | CTO_ACK, CTO_ACK, CTO_ACK,
                                     CTO_PSH | CTO_ACK, CTO_FIN | CTO_ACK, CTO_FIN | CTO_ACK, CTO_RST,
                                     CTO_RST | CTO_ACK, CTO_SYN | CTO_FIN, CTO_SYN | CTO_RST, CTO_FIN, 0 };

    return flags[random_below(r, ARRAY_SIZE(flags))];
}

static uint64_t
random_value(struct random *r, enum cto_field f)
{
    switch (f) {
    case CTO_IN_PORT: return 1 + random_below(r, CTO_N_PORTS);
    case CTO_SRC: case CTO_ORIG_SRC: return CLIENTS + random_below(r, 3);
    case CTO_DST: case CTO_ORIG_DST: return SERVERS + random_below(r, 3);
    case CTO_SPORT: return 1000 + random_below(r, 2);
    case CTO_DPORT: case CTO_ORIG_DPORT: return 53 + random_below(r, 2);
    case CTO_TCP_FLAGS: return random_flags(r);
    case CTO_STATE: return random_u64(r) & 0xff;
    default: return random_below(r, 3);
    }
}

/* As the field's value is in a rule of that protocol. */
static uint64_t
random_value_for(struct random *r, enum cto_field f, enum cto_proto proto, bool is_v6)
{
    if (proto == CTO_ICMP && (f == CTO_SPORT || f == CTO_DPORT)) {
        return f == CTO_SPORT ? cto_icmp_type(is_v6, random_below(r, 3)) : random_below(r, 2);
    }
    return random_value(r, f);
}

/* Any tuple, one way or the other. */
static struct cto_tuple
random_tuple(struct random *r, bool is_v6, enum cto_kind kind)
{
    struct cto_tuple t = { is_v6, kind, random_value(r, CTO_SRC), random_value(r, CTO_DST), random_value(r, CTO_SPORT),
                           random_value(r, CTO_DPORT) };

    if (kind >= CTO_IS_REQUEST) {
        t.sport = t.dport = 7 + random_below(r, 2);
    }
    if (random_below(r, 2)) {
        t = cto_reverse(&t);
        t.dst = random_below(r, 3) ? t.dst : SEEN + random_below(r, 2);
        if (kind < CTO_IS_REQUEST) {
            t.dport = random_below(r, 4) ? t.dport : 2000;
        }
    }
    return t;
}

/* The way of a connection that packets of the tuple take; null if there is none. */
static const struct cto_conn *
connection_of(const struct cto_tracker *t, const struct cto_tuple *tuple, bool *is_reply)
{
    for (const struct cto_conn *c = t->conns; c < t->conns + t->n; c++) {
        *is_reply = !cto_same_tuple(&c->orig, tuple);
        if (!*is_reply || cto_same_tuple(&c->reply, tuple)) {
            return c;
        }
    }
    return NULL;
}

/* What the sender is likely to send next. */
static uint8_t
next_flags(struct random *r, const struct cto_conn *c, bool is_reply)
{
    static const uint8_t flags[] = { CTO_ACK, CTO_ACK, CTO_ACK, CTO_PSH | CTO_ACK, CTO_PSH | CTO_ACK,
                                     CTO_FIN | CTO_ACK, CTO_FIN | CTO_ACK, CTO_RST };
    bool is_over = c->is_reset || (c->ends[0].finish_is_acked && c->ends[1].finish_is_acked);

    if (!c->ends[!is_reply].has_sent || is_over) {
        return CTO_SYN;
    }
    return c->ends[is_reply].has_sent ? flags[random_below(r, ARRAY_SIZE(flags))] : CTO_SYN | CTO_ACK;
}

/* Numbers as the sender would choose them, and now and then not. */
static void
random_segment(struct random *r, const struct cto_tracker *t, const struct cto_tuple *tuple, struct cto_packet *p)
{
    bool is_reply, is_client = tuple->sport >= 1000;
    const struct cto_conn *c = connection_of(t, tuple, &is_reply);
    uint64_t flags = c && random_below(r, 3) ? next_flags(r, c, is_reply) : random_flags(r);

    p->seq = is_client ? 1000000 : 5000000;
    p->ack = is_client ? 5000001 : 1000001;
    if (c && c->ends[is_reply].has_sent) {
        p->seq = c->ends[is_reply].next;
    }
    if (c && c->ends[!is_reply].has_sent) {
        p->ack = c->ends[!is_reply].next;
    }
    p->ack = flags & CTO_ACK ? p->ack : 0;
    p->n_data = flags & CTO_PSH ? 4 : 0;
    p->f[CTO_TCP_FLAGS] = flags;
    if (flags & CTO_RST && !random_below(r, 3)) {
        p->seq += 100;
    } else if (!random_below(r, 8)) {
        if (flags & CTO_ACK && random_below(r, 2)) {
            p->ack += FAR;
        } else {
            p->seq += FAR;
        }
    }
}

/* Told by the one that the packet was for, or by somebody on the way. */
static void
random_error(struct random *r, const struct cto_tuple *about, struct cto_packet *p)
{
    p->is_error = true;
    p->inner = *about;
    p->f[CTO_SRC] = random_below(r, 2) ? about->dst : ROUTERS;
    p->f[CTO_DST] = random_below(r, 8) ? about->src : SERVERS;
    p->f[CTO_SPORT] = cto_icmp_type(about->is_v6, CTO_UNREACHABLE);
    p->f[CTO_DPORT] = random_below(r, 2);
}

/* Often the same TCP connection, so that it gets through its states. */
static const struct cto_conn *
random_connection(struct random *r, const struct cto_tracker *t)
{
    for (const struct cto_conn *c = t->conns; c < t->conns + t->n && random_below(r, 2); c++) {
        if (c->orig.kind == CTO_IS_TCP) {
            return c;
        }
    }
    return &t->conns[random_below(r, t->n)];
}

void
cto_random_packet(struct random *r, const struct cto_pipeline *pipeline, const struct cto_tracker *t,
                  struct cto_packet *p)
{
    bool is_v6 = random_below(r, 2) ? pipeline->families[true] : !pipeline->families[false];
    struct cto_tuple tuple = random_tuple(r, is_v6, random_below(r, 4));

    if (t->n && random_below(r, 4)) {
        const struct cto_conn *c = random_connection(r, t);

        tuple = random_below(r, 2) ? c->orig : c->reply;
    }
    memset(p, 0, sizeof *p);
    p->f[CTO_IN_PORT] = random_value(r, CTO_IN_PORT);
    p->is_v6 = tuple.is_v6;
    if (!random_below(r, 6)) {
        struct cto_tuple about = cto_reverse(&tuple);

        p->proto = CTO_ICMP;
        random_error(r, &about, p);
        return;
    }
    p->f[CTO_SRC] = tuple.src;
    p->f[CTO_DST] = tuple.dst;
    p->f[CTO_SPORT] = tuple.sport;
    p->f[CTO_DPORT] = tuple.dport;
    switch (tuple.kind) {
    case CTO_IS_UDP: p->proto = CTO_UDP; break;
    case CTO_IS_TCP:
        p->proto = CTO_TCP;
        random_segment(r, t, &tuple, p);
        break;
    case CTO_IS_REQUEST: case CTO_IS_REPLY:
        p->proto = CTO_ICMP;
        p->id = tuple.sport;
        p->f[CTO_SPORT] = cto_icmp_type(p->is_v6, tuple.kind == CTO_IS_REQUEST ? CTO_ECHO : CTO_ECHO_REPLY);
        p->f[CTO_DPORT] = 0;
        break;
    }
}

static void
add_condition(struct cto_rule *rule, enum cto_field f, uint64_t value, uint64_t mask)
{
    for (int i = 0; i < rule->n_conditions; i++) {
        if (rule->conditions[i].field == f) {
            return;
        }
    }
    rule->conditions[rule->n_conditions++] = (struct cto_condition) { f, value & mask, mask };
}

static void
random_state_condition(struct random *r, struct cto_rule *rule)
{
    static const uint8_t states[][2] = {
        { CTO_TRK, CTO_TRK }, { 0, CTO_TRK }, { CTO_TRK | CTO_NEW, CTO_TRK | CTO_NEW }, { CTO_EST, CTO_EST },
        { CTO_EST | CTO_RPL, CTO_EST | CTO_RPL }, { CTO_TRK, CTO_TRK | CTO_RPL }, { CTO_INV, CTO_INV },
        { CTO_SNAT, CTO_SNAT }, { CTO_DNAT, CTO_DNAT }, { CTO_TRK, CTO_TRK | CTO_NEW | CTO_INV },
        { CTO_REL, CTO_REL }, { CTO_TRK | CTO_REL | CTO_RPL, CTO_TRK | CTO_REL | CTO_RPL },
    };
    size_t i = random_below(r, ARRAY_SIZE(states));

    add_condition(rule, CTO_STATE, states[i][0], states[i][1]);
}

/* Whether rules of that protocol may have the field. */
static bool
has_field(enum cto_proto proto, enum cto_field f)
{
    switch (f) {
    case CTO_SPORT: case CTO_DPORT: return proto != CTO_ANY;
    case CTO_TCP_FLAGS: return proto == CTO_TCP;
    case CTO_ORIG_DPORT: return proto == CTO_UDP || proto == CTO_TCP;
    default: return true;
    }
}

static void
random_conditions(struct random *r, struct cto_rule *rule)
{
    if (random_below(r, 2)) {
        random_state_condition(r, rule);
    }
    for (int i = random_below(r, 3); i > 0 && rule->n_conditions < CTO_MAX_CONDITIONS; i--) {
        enum cto_field f = random_below(r, CTO_N_FIELDS);
        uint64_t mask = f == CTO_MARK || f == CTO_LABEL || f == CTO_REG0 ? 1 + random_below(r, 3)
                        : f == CTO_TCP_FLAGS                             ? CTO_SYN | CTO_ACK | CTO_FIN
                                                                         : UINT64_MAX;

        if (!has_field(rule->proto, f)) {
            continue;
        }
        if (f == CTO_STATE) {
            random_state_condition(r, rule);
        } else if (f < CTO_ORIG_SRC) {
            add_condition(rule, f, random_value_for(r, f, rule->proto, rule->is_v6), mask);
        } else if (!rule->n_conditions) { /* They need a valid state. */
            add_condition(rule, CTO_STATE, CTO_TRK, CTO_TRK | CTO_INV);
            add_condition(rule, f, random_value(r, f), mask);
        }
    }
}

static void
random_ct(struct random *r, struct cto_action *a, int table)
{
    a->ct.commit = random_below(r, 2);
    a->ct.force = a->ct.commit && !random_below(r, 4);
    a->ct.zone_of_reg0 = !random_below(r, 4);
    a->ct.zone = random_below(r, 3);
    a->ct.table = -1;
    if (random_below(r, 4) && table + 1 < CTO_N_TABLES) {
        a->ct.table = table + 1 + (int) random_below(r, CTO_N_TABLES - table - 1);
    }
    a->ct.nat = random_below(r, 2) ? CTO_NAT_NONE : CTO_NAT_PLAIN;
    if (a->ct.commit && !random_below(r, 3)) {
        a->ct.nat = random_below(r, 2) ? CTO_NAT_SRC : CTO_NAT_DST;
        a->ct.address = (a->ct.nat == CTO_NAT_SRC ? SEEN : SERVERS) + random_below(r, 2);
        a->ct.port = random_below(r, 2) ? 2000 : 0;
    }
    if (a->ct.commit && random_below(r, 2)) {
        a->ct.mark_of_reg0 = !random_below(r, 3);
        a->ct.mark_mask = a->ct.mark_of_reg0 ? UINT32_MAX : 1 + random_below(r, 3);
        a->ct.mark = random_below(r, 4) & a->ct.mark_mask;
    }
    if (a->ct.commit && random_below(r, 2)) {
        a->ct.label_mask = 1 + random_below(r, 3);
        a->ct.label = random_below(r, 4) & a->ct.label_mask;
    }
}

static void
random_action(struct random *r, struct cto_action *a, const struct cto_rule *rule, int depth)
{
    static const enum cto_op ops[] = { CTO_OUTPUT, CTO_SET, CTO_MOVE, CTO_RESUBMIT, CTO_RESUBMIT, CTO_CLONE, CTO_CT,
                                       CTO_CT, CTO_CT, CTO_CT_CLEAR };
    static const enum cto_field readable[] = { CTO_IN_PORT, CTO_SRC, CTO_MARK, CTO_ZONE, CTO_STATE, CTO_LABEL };

    memset(a, 0, sizeof *a);
    a->proto = rule->proto;
    a->is_v6 = rule->is_v6;
    a->op = ops[random_below(r, ARRAY_SIZE(ops))];
    switch (a->op) {
    case CTO_OUTPUT: a->value = 1 + random_below(r, CTO_N_PORTS); break;
    case CTO_SET:
        a->dst = random_below(r, 3) ? CTO_REG0 : CTO_SRC + random_below(r, 4);
        if ((a->dst == CTO_SPORT || a->dst == CTO_DPORT) && (rule->proto == CTO_ANY || rule->proto == CTO_ICMP)) {
            a->dst = CTO_REG0;
        }
        a->value = random_value(r, a->dst);
        break;
    case CTO_MOVE: a->src = readable[random_below(r, ARRAY_SIZE(readable))]; break;
    case CTO_RESUBMIT:
        a->value = rule->table + 1;
        a->op = rule->table + 1 < CTO_N_TABLES ? CTO_RESUBMIT : CTO_CT_CLEAR;
        break;
    case CTO_CLONE:
        if (depth) {
            a->op = CTO_CT_CLEAR;
            break;
        }
        a->n_nested = 1 + random_below(r, 2);
        a->nested = xcalloc(a->n_nested, sizeof *a->nested);
        for (int i = 0; i < a->n_nested; i++) {
            random_action(r, &a->nested[i], rule, depth + 1);
        }
        break;
    case CTO_CT: random_ct(r, a, rule->table); break;
    case CTO_CT_CLEAR: break;
    }
}

void
cto_random_pipeline(struct random *r, struct cto_pipeline *p)
{
    int families = 1 + random_below(r, 3), n_last;

    memset(p, 0, sizeof *p);
    p->families[false] = families & 1;
    p->families[true] = families & 2;
    n_last = CTO_N_TABLES * (p->families[false] + p->families[true]);
    p->n_rules = n_last + 1 + random_below(r, CTO_MAX_RULES - n_last - 1);
    for (int i = 0; i < p->n_rules; i++) {
        struct cto_rule *rule = &p->rules[i];

        /* Each table ends with a rule for the rest of each family. */
        rule->table = i < n_last ? i % CTO_N_TABLES : (int) random_below(r, CTO_N_TABLES);
        rule->is_v6 = !p->families[false]
                      || (p->families[true] && (i < n_last ? i >= CTO_N_TABLES : random_below(r, 2)));
        rule->priority = 100 + i;
        if (i >= n_last) {
            rule->proto = random_below(r, 2) ? CTO_ANY : CTO_UDP + random_below(r, 3);
            random_conditions(r, rule);
        }
        rule->n_actions = 1 + random_below(r, CTO_MAX_ACTIONS);
        if (!rule->table && i < n_last && random_below(r, 2)) { /* A plain one, which tracks all that comes. */
            rule->n_actions = 1;
            rule->actions[0] = (struct cto_action) { .op = CTO_CT, .proto = CTO_ANY, .is_v6 = rule->is_v6,
                                                     .ct = { .commit = true, .nat = CTO_NAT_PLAIN, .table = 1 } };
            continue;
        }
        for (int k = 0; k < rule->n_actions; k++) {
            random_action(r, &rule->actions[k], rule, 0);
        }
    }
}

void
cto_pipeline_uninit(struct cto_pipeline *p)
{
    for (int i = 0; i < p->n_rules; i++) {
        for (int k = 0; k < p->rules[i].n_actions; k++) {
            free(p->rules[i].actions[k].nested);
        }
    }
}

/* Text. */

static void
put_ip(struct str *s, bool is_v6, uint32_t ip)
{
    if (is_v6) {
        str_putf(s, "fd00::%x:%x", ip >> 16, ip & 0xffff);
    } else {
        str_putf(s, "%u.%u.%u.%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255);
    }
}

static bool
is_address(enum cto_field f)
{
    return f == CTO_SRC || f == CTO_DST || f == CTO_ORIG_SRC || f == CTO_ORIG_DST;
}

static void
put_ct(struct str *s, const struct cto_action *a)
{
    str_puts(s, a->ct.commit ? "ct(commit," : "ct(");
    str_puts(s, a->ct.force ? "force," : "");
    if (a->ct.zone_of_reg0) {
        str_puts(s, "zone=NXM_NX_REG0[0..15],");
    } else {
        str_putf(s, "zone=%u,", a->ct.zone);
    }
    if (a->ct.table >= 0) {
        str_putf(s, "table=%d,", a->ct.table);
    }
    if (a->ct.nat == CTO_NAT_PLAIN) {
        str_puts(s, "nat,");
    } else if (a->ct.nat) {
        str_puts(s, a->ct.nat == CTO_NAT_SRC ? "nat(src=" : "nat(dst=");
        str_puts(s, a->is_v6 && a->ct.port ? "[" : "");
        put_ip(s, a->is_v6, a->ct.address);
        if (a->ct.port) {
            str_putf(s, "%s:%u", a->is_v6 ? "]" : "", a->ct.port);
        }
        str_puts(s, "),");
    }
    if (a->ct.mark_mask || a->ct.label_mask) {
        str_puts(s, "exec(");
        if (a->ct.mark_of_reg0) {
            str_puts(s, "move:NXM_NX_REG0[]->NXM_NX_CT_MARK[],");
        } else if (a->ct.mark_mask) {
            str_putf(s, "set_field:%u/%u->ct_mark,", a->ct.mark, a->ct.mark_mask);
        }
        if (a->ct.label_mask) {
            str_putf(s, "set_field:%llu/%llu->ct_label,", (unsigned long long) a->ct.label,
                     (unsigned long long) a->ct.label_mask);
        }
        str_chomp(s, ',');
        str_puts(s, ")");
    }
    str_chomp(s, ',');
    str_putc(s, ')');
}

static const char *
name_in_actions(const struct cto_action *a, enum cto_field f)
{
    return a->proto == CTO_TCP && info[f].nxm_tcp ? info[f].nxm_tcp : a->is_v6 ? info[f].nxm6 : info[f].nxm;
}

static void
put_action(struct str *s, const struct cto_action *a)
{
    switch (a->op) {
    case CTO_OUTPUT: str_putf(s, "output:%llu", (unsigned long long) a->value); break;
    case CTO_SET:
        str_putf(s, "load:%llu->%s[0..%u]", (unsigned long long) a->value, name_in_actions(a, a->dst),
                 info[a->dst].bits - 1);
        break;
    case CTO_MOVE: {
        unsigned int bits = MIN(info[a->src].bits, 32u);

        str_putf(s, "move:%s[0..%u]->NXM_NX_REG0[0..%u]", name_in_actions(a, a->src), bits - 1,
                 bits - 1);
        break;
    }
    case CTO_RESUBMIT: str_putf(s, "resubmit(,%llu)", (unsigned long long) a->value); break;
    case CTO_CLONE:
        str_puts(s, "clone(");
        for (int i = 0; i < a->n_nested; i++) {
            put_action(s, &a->nested[i]);
            str_puts(s, i + 1 < a->n_nested ? "," : ")");
        }
        break;
    case CTO_CT: put_ct(s, a); break;
    case CTO_CT_CLEAR: str_puts(s, "ct_clear"); break;
    }
}

void
cto_rule_text(const struct cto_rule *rule, struct str *s)
{
    static const char *const protos[][2] = { [CTO_ANY] = { "ip", "ipv6" }, [CTO_UDP] = { "udp", "udp6" },
                                             [CTO_TCP] = { "tcp", "tcp6" }, [CTO_ICMP] = { "icmp", "icmp6" } };

    str_putf(s, "table=%d,priority=%d,%s", rule->table, rule->priority, protos[rule->proto][rule->is_v6]);
    for (int i = 0; i < rule->n_conditions; i++) {
        const struct cto_condition *c = &rule->conditions[i];

        if (rule->proto == CTO_ICMP && (c->field == CTO_SPORT || c->field == CTO_DPORT)) {
            str_puts(s, rule->is_v6 ? ",icmpv6" : ",icmp");
            str_puts(s, c->field == CTO_SPORT ? "_type=" : "_code=");
        } else {
            str_putf(s, ",%s=", rule->is_v6 ? info[c->field].match6 : info[c->field].match);
        }
        if (is_address(c->field)) {
            put_ip(s, rule->is_v6, c->value);
        } else if (c->mask != UINT64_MAX) {
            str_putf(s, "0x%llx/0x%llx", (unsigned long long) c->value, (unsigned long long) c->mask);
        } else {
            str_putf(s, "%llu", (unsigned long long) c->value);
        }
    }
    str_puts(s, ",actions=");
    for (int i = 0; i < rule->n_actions; i++) {
        put_action(s, &rule->actions[i]);
        str_puts(s, i + 1 < rule->n_actions ? "," : "");
    }
}
