#include "ofproto/xlate/ct_oracle.h"

#include <stdlib.h>

/* Text of a field: in a match, and its bits in actions. */
static const struct { const char *match, *nxm; unsigned int bits; } info[CTO_N_FIELDS] = {
    [CTO_IN_PORT] = { "in_port", "NXM_OF_IN_PORT", 16 },
    [CTO_SRC] = { "nw_src", "NXM_OF_IP_SRC", 32 },
    [CTO_DST] = { "nw_dst", "NXM_OF_IP_DST", 32 },
    [CTO_SPORT] = { "tp_src", "NXM_OF_UDP_SRC", 16 },
    [CTO_DPORT] = { "tp_dst", "NXM_OF_UDP_DST", 16 },
    [CTO_REG0] = { "reg0", "NXM_NX_REG0", 32 },
    [CTO_STATE] = { "ct_state", "NXM_NX_CT_STATE", 32 },
    [CTO_ZONE] = { "ct_zone", "NXM_NX_CT_ZONE", 16 },
    [CTO_MARK] = { "ct_mark", "NXM_NX_CT_MARK", 32 },
    [CTO_LABEL] = { "ct_label", "NXM_NX_CT_LABEL", 64 },
    [CTO_ORIG_SRC] = { "ct_nw_src", "NXM_NX_CT_NW_SRC", 32 },
    [CTO_ORIG_DST] = { "ct_nw_dst", "NXM_NX_CT_NW_DST", 32 },
    [CTO_ORIG_DPORT] = { "ct_tp_dst", "NXM_NX_CT_TP_DST", 16 },
};

/* Making.  Clients, servers and addresses of translation are apart, and few. */

enum { CLIENTS = 0x0a000001, SERVERS = 0x0a000101, SEEN = 0x0a000201 };

static uint64_t
random_value(struct random *r, enum cto_field f)
{
    switch (f) {
    case CTO_IN_PORT: return 1 + random_below(r, CTO_N_PORTS);
    case CTO_SRC: case CTO_ORIG_SRC: return CLIENTS + random_below(r, 3);
    case CTO_DST: case CTO_ORIG_DST: return SERVERS + random_below(r, 3);
    case CTO_SPORT: return 1000 + random_below(r, 2);
    case CTO_DPORT: case CTO_ORIG_DPORT: return 53 + random_below(r, 2);
    case CTO_STATE: return random_u64(r) & 0xff;
    default: return random_below(r, 3);
    }
}

void
cto_random_packet(struct random *r, struct cto_packet *p)
{
    memset(p, 0, sizeof *p);
    for (int f = CTO_IN_PORT; f <= CTO_DPORT; f++) {
        p->f[f] = random_value(r, f);
    }
    if (random_below(r, 2)) {
        uint64_t src = p->f[CTO_SRC], sport = p->f[CTO_SPORT];

        p->f[CTO_SRC] = p->f[CTO_DST];
        p->f[CTO_DST] = random_below(r, 3) ? src : SEEN + random_below(r, 2);
        p->f[CTO_SPORT] = p->f[CTO_DPORT];
        p->f[CTO_DPORT] = random_below(r, 4) ? sport : 2000;
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
    };
    size_t i = random_below(r, ARRAY_SIZE(states));

    add_condition(rule, CTO_STATE, states[i][0], states[i][1]);
}

static void
random_conditions(struct random *r, struct cto_rule *rule)
{
    if (random_below(r, 2)) {
        random_state_condition(r, rule);
    }
    for (int i = random_below(r, 3); i > 0 && rule->n_conditions < CTO_MAX_CONDITIONS; i--) {
        enum cto_field f = random_below(r, CTO_N_FIELDS);
        uint64_t mask = f == CTO_MARK || f == CTO_LABEL || f == CTO_REG0 ? 1 + random_below(r, 3) : UINT64_MAX;

        if (f == CTO_STATE) {
            random_state_condition(r, rule);
        } else if (f < CTO_ORIG_SRC) {
            add_condition(rule, f, random_value(r, f), mask);
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
random_action(struct random *r, struct cto_action *a, int table, int depth)
{
    static const enum cto_op ops[] = { CTO_OUTPUT, CTO_SET, CTO_MOVE, CTO_RESUBMIT, CTO_RESUBMIT, CTO_CLONE, CTO_CT,
                                       CTO_CT, CTO_CT, CTO_CT_CLEAR };
    static const enum cto_field readable[] = { CTO_IN_PORT, CTO_SRC, CTO_MARK, CTO_ZONE, CTO_STATE, CTO_LABEL };

    memset(a, 0, sizeof *a);
    a->op = ops[random_below(r, ARRAY_SIZE(ops))];
    switch (a->op) {
    case CTO_OUTPUT: a->value = 1 + random_below(r, CTO_N_PORTS); break;
    case CTO_SET:
        a->dst = random_below(r, 3) ? CTO_REG0 : CTO_SRC + random_below(r, 4);
        a->value = random_value(r, a->dst);
        break;
    case CTO_MOVE: a->src = readable[random_below(r, ARRAY_SIZE(readable))]; break;
    case CTO_RESUBMIT:
        a->value = table + 1;
        a->op = table + 1 < CTO_N_TABLES ? CTO_RESUBMIT : CTO_CT_CLEAR;
        break;
    case CTO_CLONE:
        if (depth) {
            a->op = CTO_CT_CLEAR;
            break;
        }
        a->n_nested = 1 + random_below(r, 2);
        a->nested = xcalloc(a->n_nested, sizeof *a->nested);
        for (int i = 0; i < a->n_nested; i++) {
            random_action(r, &a->nested[i], table, depth + 1);
        }
        break;
    case CTO_CT: random_ct(r, a, table); break;
    case CTO_CT_CLEAR: break;
    }
}

void
cto_random_pipeline(struct random *r, struct cto_pipeline *p)
{
    memset(p, 0, sizeof *p);
    p->n_rules = 6 + random_below(r, CTO_MAX_RULES - 6);
    for (int i = 0; i < p->n_rules; i++) {
        struct cto_rule *rule = &p->rules[i];

        /* Each table ends with a rule for the rest, and the first one begins with few. */
        rule->table = i < CTO_N_TABLES ? i : (int) random_below(r, CTO_N_TABLES);
        rule->priority = 100 + i;
        if (i >= CTO_N_TABLES) {
            random_conditions(r, rule);
        }
        rule->n_actions = 1 + random_below(r, CTO_MAX_ACTIONS);
        for (int k = 0; k < rule->n_actions; k++) {
            random_action(r, &rule->actions[k], rule->table, 0);
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
put_ip(struct str *s, uint32_t ip)
{
    str_putf(s, "%u.%u.%u.%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255);
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
        put_ip(s, a->ct.address);
        if (a->ct.port) {
            str_putf(s, ":%u", a->ct.port);
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

static void
put_action(struct str *s, const struct cto_action *a)
{
    switch (a->op) {
    case CTO_OUTPUT: str_putf(s, "output:%llu", (unsigned long long) a->value); break;
    case CTO_SET:
        str_putf(s, "load:%llu->%s[]", (unsigned long long) a->value, info[a->dst].nxm);
        break;
    case CTO_MOVE: {
        unsigned int bits = MIN(info[a->src].bits, 32u);

        str_putf(s, "move:%s[0..%u]->NXM_NX_REG0[0..%u]", info[a->src].nxm, bits - 1, bits - 1);
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
    str_putf(s, "table=%d,priority=%d,udp", rule->table, rule->priority);
    for (int i = 0; i < rule->n_conditions; i++) {
        const struct cto_condition *c = &rule->conditions[i];

        str_putf(s, ",%s=", info[c->field].match);
        if (is_address(c->field)) {
            put_ip(s, c->value);
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
