#include "ofproto/xlate/oracle.h"

#include <stdlib.h>

static const struct {
    const char *match, *nxm;
    unsigned int bits;
    bool is_ip, is_l4;
} field_info[F_N] = {
    [F_IN_PORT] = { "in_port", "NXM_OF_IN_PORT", 16, false, false },
    [F_ETH_SRC] = { "dl_src", "NXM_OF_ETH_SRC", 48, false, false },
    [F_ETH_DST] = { "dl_dst", "NXM_OF_ETH_DST", 48, false, false },
    [F_ETH_TYPE] = { "dl_type", "NXM_OF_ETH_TYPE", 16, false, false },
    [F_IP_SRC] = { "nw_src", "NXM_OF_IP_SRC", 32, true, false },
    [F_IP_DST] = { "nw_dst", "NXM_OF_IP_DST", 32, true, false },
    [F_PROTO] = { "nw_proto", "NXM_OF_IP_PROTO", 8, true, false },
    [F_DSCP] = { "ip_dscp", "OXM_OF_IP_DSCP", 6, true, false },
    [F_ECN] = { "nw_ecn", "NXM_NX_IP_ECN", 2, true, false },
    [F_TTL] = { "nw_ttl", "NXM_NX_IP_TTL", 8, true, false },
    [F_TP_SRC] = { "tp_src", "NXM_OF_UDP_SRC", 16, true, true },
    [F_TP_DST] = { "tp_dst", "NXM_OF_UDP_DST", 16, true, true },
    [F_TCI] = { "vlan_tci", "NXM_OF_VLAN_TCI", 16, false, false },
    [F_REG0] = { "reg0", "NXM_NX_REG0", 32, false, false },
    [F_REG1] = { "reg1", "NXM_NX_REG1", 32, false, false },
    [F_REG2] = { "reg2", "NXM_NX_REG2", 32, false, false },
    [F_METADATA] = { "metadata", "OXM_OF_METADATA", 64, false, false },
    [F_MARK] = { "pkt_mark", "NXM_NX_PKT_MARK", 32, false, false },
};

/* Making. */

static uint64_t
ones(unsigned int n)
{
    return n >= 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1;
}

/* Values are few, so that rules and packets meet. */
static uint64_t
random_value(struct random *r, enum oracle_field f)
{
    switch (f) {
    case F_IN_PORT: return 1 + random_below(r, ORACLE_N_PORTS);
    case F_ETH_TYPE: return random_below(r, 4) ? 0x0800 : 0x1234;
    case F_PROTO: return random_below(r, 3) ? 17 : 1;
    case F_TTL: return random_below(r, 5);
    case F_TCI: return random_below(r, 2) ? 0 : 0x1000 | random_below(r, 3) | random_below(r, 2) << 13;
    case F_IP_SRC: case F_IP_DST: return 0x0a000000 | random_below(r, 3) << 8 | random_below(r, 4);
    default: return random_below(r, 4) & ones(field_info[f].bits);
    }
}

void
oracle_random_packet(struct random *r, struct oracle_packet *p)
{
    memset(p, 0, sizeof *p);
    for (int f = 0; f < F_REG0; f++) {
        p->f[f] = random_value(r, f);
    }
    p->f[F_MARK] = random_value(r, F_MARK);
    if (p->f[F_TCI]) {
        p->tpid = random_below(r, 4) ? 0x8100 : 0x88a8;
        if (!random_below(r, 3)) {
            p->inner_tci = 0x1000 | random_below(r, 3);
            p->inner_tpid = 0x8100;
        }
    }
    if (p->f[F_ETH_TYPE] != 0x0800) {
        for (int f = 0; f < F_N; f++) {
            p->f[f] = field_info[f].is_ip ? 0 : p->f[f];
        }
    } else if (p->f[F_PROTO] != 17) {
        p->f[F_TP_SRC] = p->f[F_TP_DST] = 0;
    }
}

static void
add_condition(struct oracle_rule *rule, enum oracle_field f, uint64_t value, uint64_t mask)
{
    for (int i = 0; i < rule->n_conditions; i++) {
        if (rule->conditions[i].field == f) {
            return;
        }
    }
    if (rule->n_conditions < ORACLE_MAX_CONDITIONS) {
        rule->conditions[rule->n_conditions++] = (struct oracle_condition) { f, value & mask, mask };
    }
}

static uint64_t
random_mask(struct random *r, enum oracle_field f)
{
    switch (f) {
    case F_IP_SRC: case F_IP_DST: return random_below(r, 2) ? 0xffffffff : random_below(r, 2) ? 0xffffff00 : 0x000000ff;
    case F_ETH_SRC: case F_ETH_DST: return random_below(r, 2) ? ones(48) : 1;
    case F_REG0: case F_REG1: case F_REG2: case F_METADATA:
        return random_below(r, 2) ? ones(field_info[f].bits) : 1 + random_below(r, 3);
    case F_TCI: return random_below(r, 3) ? 0xffff : 0x1000;
    default: return ones(field_info[f].bits);
    }
}

static bool
is_conditional(enum oracle_field f)
{
    return f != F_DSCP && f != F_ECN && f != F_MARK;
}

static void
random_conditions(struct random *r, struct oracle_rule *rule, bool *is_ip, bool *is_udp)
{
    *is_ip = random_below(r, 4);
    *is_udp = *is_ip && random_below(r, 2);
    if (*is_ip) {
        add_condition(rule, F_ETH_TYPE, 0x0800, 0xffff);
    }
    if (*is_udp) {
        add_condition(rule, F_PROTO, 17, 0xff);
    }
    for (int i = random_below(r, 3); i > 0; i--) {
        enum oracle_field f = random_below(r, F_N);

        if (is_conditional(f) && (*is_ip || !field_info[f].is_ip) && (*is_udp || !field_info[f].is_l4) &&
            f != F_ETH_TYPE && f != F_PROTO) {
            add_condition(rule, f, random_value(r, f), random_mask(r, f));
        }
    }
}

static bool
is_writable(enum oracle_field f, bool is_ip, bool is_udp)
{
    return f != F_ETH_TYPE && f != F_PROTO && f != F_TCI && (is_ip || !field_info[f].is_ip) &&
           (is_udp || !field_info[f].is_l4);
}

static struct oracle_range
random_range(struct random *r, bool is_ip, bool is_udp, bool to_write, unsigned int n)
{
    for (;;) {
        enum oracle_field f = random_below(r, F_N);
        unsigned int bits = field_info[f].bits;

        if (f == F_IN_PORT && (n || to_write)) {
            continue;
        }
        if ((to_write ? is_writable(f, is_ip, is_udp)
                      : (is_ip || !field_info[f].is_ip) && (is_udp || !field_info[f].is_l4) && f != F_TCI) &&
            bits >= n) {
            unsigned int width = n ? n : 1 + random_below(r, random_below(r, 2) ? 2 : bits);

            width = n ? n : random_below(r, 2) ? bits : width;
            return (struct oracle_range) { f, width == bits ? 0 : random_below(r, MIN(bits - width + 1, 4)), width };
        }
    }
}

static void random_actions(struct random *, struct oracle_action *, int n, int table, bool is_ip, bool is_udp,
                           int depth, enum oracle_op last);

static void
random_operands(struct random *r, struct oracle_action *a, int table, bool is_ip, bool is_udp, int depth)
{
    switch (a->op) {
    case OP_OUTPUT: a->value = 1 + random_below(r, ORACLE_N_PORTS + 1); break;
    case OP_OUTPUT_REG: a->src = (struct oracle_range) { F_REG0 + random_below(r, 3), 0, 16 }; break;
    case OP_LOAD:
        a->dst = random_range(r, is_ip, is_udp, true, 0);
        a->value = random_value(r, a->dst.field) & ones(a->dst.n);
        break;
    case OP_MOVE:
        a->src = random_range(r, is_ip, is_udp, false, 0);
        a->dst = random_range(r, is_ip, is_udp, true, a->src.n > 48 ? (a->src.n = 32) : a->src.n);
        break;
    case OP_PUSH: a->src = random_range(r, is_ip, is_udp, false, 0); break;
    case OP_POP: a->dst = random_range(r, is_ip, is_udp, true, 0); break;
    case OP_PUSH_VLAN: a->value = random_below(r, 2) ? 0x8100 : 0x88a8; break;
    case OP_MOD_VID: a->value = random_below(r, 3); break;
    case OP_MOD_PCP: a->value = random_below(r, 3); break;
    case OP_RESUBMIT: a->value = random_below(r, ORACLE_N_TABLES);
        if (random_below(r, 8)) {
            a->value = MIN(table + 1, ORACLE_N_TABLES - 1);
        }
        break;
    case OP_GOTO: a->value = table + 1 + random_below(r, ORACLE_N_TABLES - table - 1); break;
    case OP_METADATA: a->value = random_below(r, 4); a->mask = 1 + random_below(r, 3); a->value &= a->mask; break;
    case OP_CLONE: case OP_WRITE:
        a->n_nested = 1 + random_below(r, 2);
        a->nested = calloc(a->n_nested, sizeof *a->nested);
        random_actions(r, a->nested, a->n_nested, table, is_ip, is_udp, depth + 1, OP_NOTE);
        break;
    default: break;
    }
}

/* What may stand in write_actions. */
static bool
may_be_written(enum oracle_op op)
{
    return op == OP_OUTPUT || op == OP_LOAD || op == OP_PUSH_VLAN || op == OP_STRIP_VLAN || op == OP_DEC_TTL;
}

static void
random_actions(struct random *r, struct oracle_action *actions, int n, int table, bool is_ip, bool is_udp, int depth,
               enum oracle_op last)
{
    for (int i = 0; i < n; i++) {
        struct oracle_action *a = &actions[i];

        memset(a, 0, sizeof *a);
        do {
            a->op = random_below(r, 3) ? random_below(r, last + 1) : random_below(r, 2) ? OP_OUTPUT : OP_RESUBMIT;
        } while ((a->op == OP_CLONE && depth > 1) || (a->op == OP_EXIT && random_below(r, 4)) ||
                 (a->op == OP_DEC_TTL && !is_ip));
        random_operands(r, a, table, is_ip, is_udp, depth);
    }
}

/* Instructions stand in their order, each once. */
static void
random_instructions(struct random *r, struct oracle_rule *rule, bool is_ip, bool is_udp)
{
    for (int op = OP_CLEAR; op <= OP_GOTO; op++) {
        struct oracle_action *a = &rule->actions[rule->n_actions];

        if (rule->n_actions >= ORACLE_MAX_ACTIONS || random_below(r, 4) ||
            (op == OP_GOTO && rule->table == ORACLE_N_TABLES - 1)) {
            continue;
        }
        memset(a, 0, sizeof *a);
        a->op = op;
        random_operands(r, a, rule->table, is_ip, is_udp, 2);
        for (int i = 0; i < a->n_nested; i++) {
            if (!may_be_written(a->nested[i].op) || (a->nested[i].op == OP_DEC_TTL && !is_ip)) {
                free(a->nested[i].nested);
                memset(&a->nested[i], 0, sizeof a->nested[i]);
                a->nested[i].op = OP_OUTPUT;
                a->nested[i].value = 1 + random_below(r, ORACLE_N_PORTS);
            }
        }
        rule->n_actions++;
    }
}

void
oracle_random_pipeline(struct random *r, struct oracle_pipeline *p)
{
    memset(p, 0, sizeof *p);
    p->n_rules = 4 + random_below(r, ORACLE_MAX_RULES - 4);
    for (int i = 0; i < p->n_rules; i++) {
        struct oracle_rule *rule = &p->rules[i];
        bool is_ip, is_udp;

        rule->table = random_below(r, 3) ? random_below(r, ORACLE_N_TABLES) : 0;
        rule->priority = 100 + i; /* All different, so that there is one best. */
        random_conditions(r, rule, &is_ip, &is_udp);
        rule->n_actions = random_below(r, ORACLE_MAX_ACTIONS);
        random_actions(r, rule->actions, rule->n_actions, rule->table, is_ip, is_udp, 0, OP_NOTE);
        random_instructions(r, rule, is_ip, is_udp);
    }
}

static void
free_actions(struct oracle_action *actions, int n)
{
    for (int i = 0; i < n; i++) {
        free_actions(actions[i].nested, actions[i].n_nested);
        free(actions[i].nested);
    }
}

void
oracle_pipeline_uninit(struct oracle_pipeline *p)
{
    for (int i = 0; i < p->n_rules; i++) {
        free_actions(p->rules[i].actions, p->rules[i].n_actions);
    }
}

void
oracle_remove_rule(struct oracle_pipeline *p, int i)
{
    free_actions(p->rules[i].actions, p->rules[i].n_actions);
    p->n_rules--;
    memmove(&p->rules[i], &p->rules[i + 1], (p->n_rules - i) * sizeof p->rules[0]);
}

/* Text. */

static void
put_range(struct str *s, const struct oracle_range *g)
{
    str_putf(s, "%s[%u..%u]", field_info[g->field].nxm, g->ofs, g->ofs + g->n - 1);
}

static void put_actions(struct str *s, const struct oracle_action *actions, int n);

static void
put_action(struct str *s, const struct oracle_action *a)
{
    switch (a->op) {
    case OP_OUTPUT: str_putf(s, "output:%llu", (unsigned long long) a->value); break;
    case OP_OUTPUT_IN_PORT: str_puts(s, "in_port"); break;
    case OP_OUTPUT_REG: str_puts(s, "output:"); put_range(s, &a->src); break;
    case OP_FLOOD: str_puts(s, "flood"); break;
    case OP_LOAD: str_putf(s, "load:0x%llx->", (unsigned long long) a->value); put_range(s, &a->dst); break;
    case OP_MOVE: str_puts(s, "move:"); put_range(s, &a->src); str_puts(s, "->"); put_range(s, &a->dst); break;
    case OP_PUSH: str_puts(s, "push:"); put_range(s, &a->src); break;
    case OP_POP: str_puts(s, "pop:"); put_range(s, &a->dst); break;
    case OP_PUSH_VLAN: str_putf(s, "push_vlan:0x%llx", (unsigned long long) a->value); break;
    case OP_STRIP_VLAN: str_puts(s, "strip_vlan"); break;
    case OP_MOD_VID: str_putf(s, "mod_vlan_vid:%llu", (unsigned long long) a->value); break;
    case OP_MOD_PCP: str_putf(s, "mod_vlan_pcp:%llu", (unsigned long long) a->value); break;
    case OP_DEC_TTL: str_puts(s, "dec_ttl"); break;
    case OP_RESUBMIT: str_putf(s, "resubmit(,%llu)", (unsigned long long) a->value); break;
    case OP_CLONE: str_puts(s, "clone("); put_actions(s, a->nested, a->n_nested); str_putc(s, ')'); break;
    case OP_EXIT: str_puts(s, "exit"); break;
    case OP_RECIRC: str_puts(s, "debug_recirc"); break;
    case OP_NOTE: str_puts(s, "note:01.02"); break;
    case OP_CLEAR: str_puts(s, "clear_actions"); break;
    case OP_WRITE: str_puts(s, "write_actions("); put_actions(s, a->nested, a->n_nested); str_putc(s, ')'); break;
    case OP_METADATA:
        str_putf(s, "write_metadata:0x%llx/0x%llx", (unsigned long long) a->value, (unsigned long long) a->mask);
        break;
    case OP_GOTO: str_putf(s, "goto_table:%llu", (unsigned long long) a->value); break;
    }
}

static void
put_actions(struct str *s, const struct oracle_action *actions, int n)
{
    for (int i = 0; i < n; i++) {
        put_action(s, &actions[i]);
        str_putc(s, ',');
    }
    str_chomp(s, ',');
}

static void
put_condition(struct str *s, const struct oracle_condition *c)
{
    unsigned long long v = c->value, m = c->mask;

    str_putf(s, "%s=", field_info[c->field].match);
    switch (c->field) {
    case F_IP_SRC: case F_IP_DST:
        str_putf(s, "%llu.%llu.%llu.%llu/%llu.%llu.%llu.%llu", v >> 24, v >> 16 & 255, v >> 8 & 255, v & 255, m >> 24,
                 m >> 16 & 255, m >> 8 & 255, m & 255);
        break;
    case F_ETH_SRC: case F_ETH_DST:
        str_putf(s, "00:00:00:00:00:%02llx", v);
        str_puts(s, m == 1 ? "/00:00:00:00:00:01" : "");
        break;
    case F_REG0: case F_REG1: case F_REG2: case F_METADATA: case F_TCI: str_putf(s, "0x%llx/0x%llx", v, m); break;
    default: str_putf(s, "%llu", v); break;
    }
    str_putc(s, ',');
}

void
oracle_rule_text(const struct oracle_rule *rule, struct str *s)
{
    str_putf(s, "table=%d,priority=%d,", rule->table, rule->priority);
    for (int i = 0; i < rule->n_conditions; i++) {
        put_condition(s, &rule->conditions[i]);
    }
    str_puts(s, "actions=");
    if (!rule->n_actions) {
        str_puts(s, "drop");
    }
    put_actions(s, rule->actions, rule->n_actions);
}

/* Running. */

struct run {
    const struct oracle_pipeline *pipeline;
    struct oracle_result *result;
    struct oracle_packet p;
    uint64_t stack[64];
    int n_stack;
    const struct oracle_action *set[64]; /* Written actions, in order. */
    int n_set;
    int depth, n_tables;
    bool exited;
};

static void
emit(struct run *r, uint32_t port)
{
    if (r->result->n >= ORACLE_MAX_OUTPUTS) {
        r->result->gave_up = true;
        return;
    }
    r->result->outputs[r->result->n++] = (struct oracle_output) { port, r->p };
}

static bool
port_exists(uint64_t port)
{
    return port >= 1 && port <= ORACLE_N_PORTS;
}

static void
output(struct run *r, uint64_t port)
{
    if (port_exists(port) && port != r->p.f[F_IN_PORT]) {
        emit(r, port);
    }
}

static void
output_reserved(struct run *r, uint64_t port)
{
    if (port == 0xfff8) {
        if (port_exists(r->p.f[F_IN_PORT])) {
            emit(r, r->p.f[F_IN_PORT]);
        }
    } else {
        output(r, port);
    }
}

static void
flood(struct run *r)
{
    for (uint64_t port = 1; port <= ORACLE_N_PORTS; port++) {
        output(r, port);
    }
}

static uint64_t
get(const struct run *r, const struct oracle_range *g)
{
    return r->p.f[g->field] >> g->ofs & ones(g->n);
}

static bool
has_field(const struct run *r, enum oracle_field f)
{
    return (!field_info[f].is_ip || r->p.f[F_ETH_TYPE] == 0x0800) && (!field_info[f].is_l4 || r->p.f[F_PROTO] == 17);
}

static void
set(struct run *r, const struct oracle_range *g, uint64_t v)
{
    if (has_field(r, g->field)) {
        r->p.f[g->field] &= ~(ones(g->n) << g->ofs);
        r->p.f[g->field] |= (v & ones(g->n)) << g->ofs;
    }
}

bool
oracle_push_tag(struct oracle_packet *p, uint16_t tpid, uint16_t tci)
{
    if (p->inner_tci) {
        if (p->deeper[ARRAY_SIZE(p->deeper) - 1]) {
            return false;
        }
        memmove(&p->deeper[1], &p->deeper[0], sizeof p->deeper - sizeof p->deeper[0]);
        p->deeper[0] = (uint32_t) p->inner_tpid << 16 | (uint32_t) p->inner_tci;
    }
    p->inner_tci = p->f[F_TCI];
    p->inner_tpid = p->tpid;
    p->f[F_TCI] = tci;
    p->tpid = tpid;
    return true;
}

void
oracle_pop_tag(struct oracle_packet *p)
{
    p->f[F_TCI] = p->inner_tci;
    p->tpid = p->inner_tpid;
    p->inner_tci = p->deeper[0] & 0xffff;
    p->inner_tpid = p->deeper[0] >> 16;
    memmove(&p->deeper[0], &p->deeper[1], sizeof p->deeper - sizeof p->deeper[0]);
    p->deeper[ARRAY_SIZE(p->deeper) - 1] = 0;
}

static void
push_tag(struct run *r, uint16_t tpid)
{
    r->result->gave_up |= !oracle_push_tag(&r->p, tpid, 0x1000);
}

static void
strip_tag(struct run *r)
{
    oracle_pop_tag(&r->p);
}

static void
mod_tag(struct run *r, uint64_t value, uint64_t mask)
{
    if (!r->p.f[F_TCI]) {
        push_tag(r, 0x8100);
    }
    r->p.f[F_TCI] = (r->p.f[F_TCI] & ~mask) | value;
}

static void run_table(struct run *r, int table);
static bool run_actions(struct run *r, const struct oracle_action *actions, int n);

static void
run_clone(struct run *r, const struct oracle_action *a)
{
    struct run copy = *r;

    run_actions(&copy, a->nested, a->n_nested);
    r->n_tables = copy.n_tables;
}

static void
write_set(struct run *r, const struct oracle_action *a)
{
    for (int i = 0; i < a->n_nested; i++) {
        if (r->n_set >= 64) {
            r->result->gave_up = true;
            return;
        }
        r->set[r->n_set++] = &a->nested[i];
    }
}

/* False if the rest of the list is not to be carried out. */
static bool
run_action(struct run *r, const struct oracle_action *a)
{
    switch (a->op) {
    case OP_OUTPUT: output(r, a->value); break;
    case OP_OUTPUT_IN_PORT: output_reserved(r, 0xfff8); break;
    case OP_OUTPUT_REG: output_reserved(r, get(r, &a->src)); break;
    case OP_FLOOD: flood(r); break;
    case OP_LOAD: set(r, &a->dst, a->value); break;
    case OP_MOVE:
        if (has_field(r, a->src.field)) {
            set(r, &a->dst, get(r, &a->src));
        }
        break;
    case OP_PUSH:
        if (r->n_stack >= 64) {
            r->result->gave_up = true;
            break;
        }
        r->stack[r->n_stack++] = has_field(r, a->src.field) ? get(r, &a->src) : 0;
        break;
    case OP_POP:
        if (r->n_stack) {
            set(r, &a->dst, r->stack[--r->n_stack]);
        }
        break;
    case OP_PUSH_VLAN: push_tag(r, a->value); break;
    case OP_STRIP_VLAN: strip_tag(r); break;
    case OP_MOD_VID: mod_tag(r, a->value, 0xfff); break;
    case OP_MOD_PCP: mod_tag(r, a->value << 13, 0xe000); break;
    case OP_DEC_TTL:
        if (r->p.f[F_ETH_TYPE] == 0x0800) {
            if (r->p.f[F_TTL] <= 1) {
                r->result->n_ttl++;
                return false;
            }
            r->p.f[F_TTL]--;
        }
        break;
    case OP_RESUBMIT: run_table(r, a->value); break;
    case OP_CLONE: run_clone(r, a); break;
    case OP_EXIT: r->exited = true; break;
    case OP_RECIRC: break; /* A detour through the datapath. */
    case OP_NOTE: break;
    case OP_CLEAR: r->n_set = 0; break;
    case OP_WRITE: write_set(r, a); break;
    case OP_METADATA: r->p.f[F_METADATA] = (r->p.f[F_METADATA] & ~a->mask) | a->value; break;
    case OP_GOTO: r->depth--; run_table(r, a->value); r->depth++; break;
    }
    return true;
}

static bool
run_actions(struct run *r, const struct oracle_action *actions, int n)
{
    for (int i = 0; i < n && !r->exited && !r->result->gave_up; i++) {
        if (!run_action(r, &actions[i])) {
            return false;
        }
    }
    return true;
}

static bool
rule_matches(const struct oracle_rule *rule, const struct oracle_packet *p)
{
    for (int i = 0; i < rule->n_conditions; i++) {
        const struct oracle_condition *c = &rule->conditions[i];

        if ((p->f[c->field] & c->mask) != c->value) {
            return false;
        }
    }
    return true;
}

static void
run_table(struct run *r, int table)
{
    const struct oracle_rule *best = NULL;

    if (r->depth > 40 || ++r->n_tables > 400) {
        r->result->gave_up = true;
        return;
    }
    for (int i = 0; i < r->pipeline->n_rules; i++) {
        const struct oracle_rule *rule = &r->pipeline->rules[i];

        if (rule->table == table && rule_matches(rule, &r->p) && (!best || rule->priority > best->priority)) {
            best = rule;
        }
    }
    if (best) {
        r->depth++;
        run_actions(r, best->actions, best->n_actions);
        r->depth--;
    }
}

/* OpenFlow 1.3 §5.10: strip, push, decrement, set in the order of writing, output; of each but set the last one. */
static void
run_set(struct run *r)
{
    static const enum oracle_op order[] = { OP_STRIP_VLAN, OP_PUSH_VLAN, OP_DEC_TTL, OP_LOAD, OP_OUTPUT };
    struct oracle_action ordered[64 + 8];
    int n = 0;

    for (size_t k = 0; k < ARRAY_SIZE(order); k++) {
        const struct oracle_action *last = NULL;

        for (int i = 0; i < r->n_set; i++) {
            if (r->set[i]->op == order[k]) {
                if (order[k] == OP_LOAD) {
                    ordered[n++] = *r->set[i];
                }
                last = r->set[i];
            }
        }
        if (last && order[k] != OP_LOAD) {
            ordered[n++] = *last;
        }
    }
    if (!n || ordered[n - 1].op != OP_OUTPUT) {
        return; /* "If no output action ... the packet is dropped." */
    }
    r->exited = false;
    run_actions(r, ordered, n);
}

void
oracle_run(const struct oracle_pipeline *pipeline, const struct oracle_packet *p, struct oracle_result *result)
{
    struct run r = { .pipeline = pipeline, .result = result, .p = *p };

    result->n = 0;
    result->gave_up = false;
    result->n_ttl = 0;
    run_table(&r, 0);
    run_set(&r);
}
