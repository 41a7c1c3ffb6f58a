/* Making random rules and packets. */
#include "ofproto/xlate/oracle_private.h"

#include <stdlib.h>

#include "base/be.h"

const struct oracle_field_info oracle_fields[F_N] = {
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
    [F_TUN_ID] = { "tun_id", "NXM_NX_TUN_ID", 64, false, false },
    [F_TUN_SRC] = { "tun_src", "NXM_NX_TUN_IPV4_SRC", 32, false, false },
    [F_TUN_DST] = { "tun_dst", "NXM_NX_TUN_IPV4_DST", 32, false, false },
    [F_GBP_ID] = { "tun_gbp_id", "NXM_NX_TUN_GBP_ID", 16, false, false },
    [F_GBP_FLAGS] = { "tun_gbp_flags", "NXM_NX_TUN_GBP_FLAGS", 8, false, false },
    [F_OPT0] = { "tun_metadata0", "NXM_NX_TUN_METADATA0", 32, false, false },
    [F_OPT1] = { "tun_metadata1", "NXM_NX_TUN_METADATA1", 64, false, false },
    [F_OPT2] = { "tun_metadata2", "NXM_NX_TUN_METADATA2", 32, false, false },
};

const struct oracle_option oracle_options[ORACLE_N_OPTIONS] = { { 1, 4 }, { 2, 8 }, { 3, 4 } };

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
    case F_TUN_SRC: case F_TUN_DST: return 0xac100000 | (1 + random_below(r, 2));
    case F_IP_SRC: case F_IP_DST: return 0x0a000000 | random_below(r, 3) << 8 | random_below(r, 4);
    default: return random_below(r, 4) & oracle_ones(oracle_fields[f].bits);
    }
}

void
oracle_read_options(struct oracle_packet *p)
{
    p->options = 0;
    memset(&p->f[F_OPT0], 0, ORACLE_N_OPTIONS * sizeof p->f[0]);
    for (size_t at = 0; at < p->raw_len; at += 4 + 4 * (p->raw[at + 3] & 31)) {
        const uint8_t *o = p->raw + at;

        for (int i = 0; i < ORACLE_N_OPTIONS; i++) {
            if (o[0] == ORACLE_OPTION_CLASS >> 8 && o[1] == (ORACLE_OPTION_CLASS & 255)
                && o[2] == oracle_options[i].type && 4 * (o[3] & 31) == oracle_options[i].len) {
                p->options |= 1u << i;
                p->f[F_OPT0 + i] = 0;
                for (int k = 0; k < oracle_options[i].len; k++) {
                    p->f[F_OPT0 + i] = p->f[F_OPT0 + i] << 8 | o[4 + k];
                }
            }
        }
    }
}

static void
put_option(struct oracle_packet *p, uint8_t type, uint8_t len, uint64_t value)
{
    uint8_t *o = p->raw + p->raw_len;

    put_be16(o, ORACLE_OPTION_CLASS);
    o[2] = type;
    o[3] = len / 4;
    for (int k = len - 1; k >= 0; k--) {
        o[4 + k] = value;
        value >>= 8;
    }
    p->raw_len += 4 + len;
}

/* Any of the options, in any order, one that nobody knows and one of an unusual length between them. */
static void
random_tunnel(struct random *r, struct oracle_packet *p)
{
    int first = random_below(r, ORACLE_N_OPTIONS);

    for (int f = F_TUN_ID; f <= F_GBP_FLAGS; f++) {
        p->f[f] = random_value(r, f);
    }
    for (int k = 0; k < ORACLE_N_OPTIONS; k++) {
        int i = (first + k) % ORACLE_N_OPTIONS;

        if (random_below(r, 2)) {
            put_option(p, oracle_options[i].type, oracle_options[i].len, random_value(r, F_OPT0 + i));
        } else if (!random_below(r, 6)) {
            put_option(p, random_below(r, 2) ? 99 : oracle_options[i].type, 12 - oracle_options[i].len,
                       random_value(r, F_OPT0 + i));
        }
    }
    oracle_read_options(p);
}

void
oracle_random_packet(struct random *r, struct oracle_packet *p)
{
    memset(p, 0, sizeof *p);
    for (int f = 0; f < F_REG0; f++) {
        p->f[f] = random_value(r, f);
    }
    p->f[F_MARK] = random_value(r, F_MARK);
    if (random_below(r, 2)) {
        random_tunnel(r, p);
    }
    p->len = random_below(r, 2) ? 60 : 1500;
    if (p->f[F_TCI]) {
        p->tpid = random_below(r, 4) ? 0x8100 : 0x88a8;
        if (!random_below(r, 3)) {
            p->inner_tci = 0x1000 | random_below(r, 3);
            p->inner_tpid = 0x8100;
        }
    }
    if (p->f[F_ETH_TYPE] != 0x0800) {
        for (int f = 0; f < F_N; f++) {
            p->f[f] = oracle_fields[f].is_ip ? 0 : p->f[f];
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
    case F_ETH_SRC: case F_ETH_DST: return random_below(r, 2) ? oracle_ones(48) : 1;
    case F_OPT0: case F_OPT1: case F_OPT2:
        if (!random_below(r, 3)) {
            return 0; /* It is there. */
        }
        return random_below(r, 2) ? oracle_ones(oracle_fields[f].bits) : 1 + random_below(r, 3);
    case F_REG0: case F_REG1: case F_REG2: case F_METADATA: case F_TUN_ID: case F_GBP_ID: case F_GBP_FLAGS:
        return random_below(r, 2) ? oracle_ones(oracle_fields[f].bits) : 1 + random_below(r, 3);
    case F_TCI: return random_below(r, 3) ? 0xffff : 0x1000;
    default: return oracle_ones(oracle_fields[f].bits);
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

        if (is_conditional(f) && (*is_ip || !oracle_fields[f].is_ip) && (*is_udp || !oracle_fields[f].is_l4) &&
            f != F_ETH_TYPE && f != F_PROTO) {
            add_condition(rule, f, random_value(r, f), random_mask(r, f));
        }
    }
}

static bool
is_writable(enum oracle_field f, bool is_ip, bool is_udp)
{
    return f != F_ETH_TYPE && f != F_PROTO && f != F_TCI && (is_ip || !oracle_fields[f].is_ip) &&
           (is_udp || !oracle_fields[f].is_l4);
}

static struct oracle_range
random_range(struct random *r, bool is_ip, bool is_udp, bool to_write, unsigned int n)
{
    for (;;) {
        enum oracle_field f = random_below(r, F_N);
        unsigned int bits = oracle_fields[f].bits;

        if (f == F_IN_PORT && (n || to_write)) {
            continue;
        }
        if ((to_write ? is_writable(f, is_ip, is_udp)
                      : (is_ip || !oracle_fields[f].is_ip) && (is_udp || !oracle_fields[f].is_l4) && f != F_TCI) &&
            bits >= n) {
            unsigned int width = n ? n : 1 + random_below(r, random_below(r, 2) ? 2 : bits);

            width = n ? n : random_below(r, 2) ? bits : width;
            return (struct oracle_range) { f, width == bits ? 0 : random_below(r, MIN(bits - width + 1, 4)), width };
        }
    }
}

static void
random_operands(struct random *r, struct oracle_action *a, int table, bool is_ip, bool is_udp, int depth)
{
    switch (a->op) {
    case OP_OUTPUT: a->value = 1 + random_below(r, ORACLE_N_PORTS + 1); break;
    case OP_OUTPUT_REG: a->src = (struct oracle_range) { F_REG0 + random_below(r, 3), 0, 16 }; break;
    case OP_LOAD:
        a->dst = random_range(r, is_ip, is_udp, true, 0);
        a->value = random_value(r, a->dst.field) & oracle_ones(a->dst.n);
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
    case OP_CHECK_LEN:
        a->value = 200 + random_below(r, 1000);
        a->dst = (struct oracle_range) { F_REG0 + random_below(r, 3), random_below(r, 3), 1 };
        break;
    case OP_DELETE_OPTION: a->dst.field = F_OPT0 + random_below(r, ORACLE_N_OPTIONS); break;
    case OP_GROUP: a->value = 1 + random_below(r, ORACLE_N_GROUPS); break;
    case OP_GOTO: a->value = table + 1 + random_below(r, ORACLE_N_TABLES - table - 1); break;
    case OP_METADATA: a->value = random_below(r, 4); a->mask = 1 + random_below(r, 3); a->value &= a->mask; break;
    case OP_CLONE: case OP_WRITE:
        a->n_nested = 1 + random_below(r, 2);
        a->nested = calloc(a->n_nested, sizeof *a->nested);
        oracle_random_actions(r, a->nested, a->n_nested, table, is_ip, is_udp, depth + 1, OP_NOTE);
        break;
    default: break;
    }
}

/* What may stand in write_actions. */
static bool
may_be_written(enum oracle_op op)
{
    return op == OP_OUTPUT || op == OP_LOAD || op == OP_PUSH_VLAN || op == OP_STRIP_VLAN || op == OP_DEC_TTL ||
           op == OP_GROUP || op == OP_RESUBMIT;
}

void
oracle_make_writable(struct random *r, struct oracle_action *a, bool is_ip)
{
    if (!may_be_written(a->op) || (a->op == OP_DEC_TTL && !is_ip)) {
        oracle_free_actions(a, 1);
        memset(a, 0, sizeof *a);
        a->op = OP_OUTPUT;
        a->value = 1 + random_below(r, ORACLE_N_PORTS);
    }
}

void
oracle_random_actions(struct random *r, struct oracle_action *actions, int n, int table, bool is_ip, bool is_udp,
                      int depth, enum oracle_op last)
{
    for (int i = 0; i < n; i++) {
        struct oracle_action *a = &actions[i];

        memset(a, 0, sizeof *a);
        do {
            a->op = random_below(r, 3) ? random_below(r, last + 1) : random_below(r, 2) ? OP_OUTPUT : OP_RESUBMIT;
        } while ((a->op == OP_CLONE && depth > 1) || (a->op == OP_CHECK_LEN && depth) ||
                 (a->op == OP_EXIT && random_below(r, 4)) || (a->op == OP_DEC_TTL && !is_ip));
        random_operands(r, a, table, is_ip, is_udp, depth);
    }
}

/* Instructions stand in their order, each once: meter, actions, others. */
static void
random_instructions(struct random *r, struct oracle_rule *rule, bool is_ip, bool is_udp)
{
    if (rule->n_actions && !random_below(r, 5)) {
        oracle_free_actions(rule->actions, 1);
        rule->actions[0] = (struct oracle_action) { .op = OP_METER, .value = 1 + random_below(r, ORACLE_N_METERS + 1) };
    }
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
            oracle_make_writable(r, &a->nested[i], is_ip);
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
        oracle_random_actions(r, rule->actions, rule->n_actions, rule->table, is_ip, is_udp, 0, OP_NOTE);
        random_instructions(r, rule, is_ip, is_udp);
    }
    oracle_random_groups(r, p);
}

void
oracle_free_actions(struct oracle_action *actions, int n)
{
    for (int i = 0; i < n; i++) {
        oracle_free_actions(actions[i].nested, actions[i].n_nested);
        free(actions[i].nested);
    }
}

void
oracle_pipeline_uninit(struct oracle_pipeline *p)
{
    for (int i = 0; i < p->n_rules; i++) {
        oracle_free_actions(p->rules[i].actions, p->rules[i].n_actions);
    }
    oracle_groups_uninit(p);
}

void
oracle_remove_rule(struct oracle_pipeline *p, int i)
{
    oracle_free_actions(p->rules[i].actions, p->rules[i].n_actions);
    p->n_rules--;
    memmove(&p->rules[i], &p->rules[i + 1], (p->n_rules - i) * sizeof p->rules[0]);
}
