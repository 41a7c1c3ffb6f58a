/* Rules as text. */
#include "ofproto/xlate/oracle_private.h"

void
oracle_put_range(struct str *s, const struct oracle_range *g)
{
    str_putf(s, "%s[%u..%u]", oracle_fields[g->field].nxm, g->ofs, g->ofs + g->n - 1);
}

static void
put_encap_nsh(struct str *s, const struct oracle_action *a)
{
    str_puts(s, "encap(nsh");
    if (a->value) {
        str_putf(s, "(md_type=%llu", (unsigned long long) a->value);
        for (int i = 0; i < ORACLE_N_TLVS; i++) {
            if (a->tlvs[i].len) {
                str_putf(s, ",tlv(0x%x,%u,0x", a->tlvs[i].class, a->tlvs[i].type);
                for (int k = 0; k < a->tlvs[i].len; k++) {
                    str_putf(s, "%02x", a->tlvs[i].data[k]);
                }
                str_putc(s, ')');
            }
        }
        str_putc(s, ')');
    }
    str_putc(s, ')');
}

static void
put_decap(struct str *s, const struct oracle_action *a)
{
    if (!a->value) {
        str_puts(s, "decap()");
    } else if (a->value == ORACLE_TYPE_FRAME) {
        str_puts(s, "decap(packet_type(ns=0,type=0))");
    } else {
        str_putf(s, "decap(packet_type(ns=1,type=0x%llx))", (unsigned long long) a->value);
    }
}

static void
put_action(struct str *s, const struct oracle_action *a)
{
    switch (a->op) {
    case OP_OUTPUT: str_putf(s, "output:%llu", (unsigned long long) a->value); break;
    case OP_OUTPUT_IN_PORT: str_puts(s, "in_port"); break;
    case OP_OUTPUT_REG: str_puts(s, "output:"); oracle_put_range(s, &a->src); break;
    case OP_FLOOD: str_puts(s, "flood"); break;
    case OP_LOAD: str_putf(s, "load:0x%llx->", (unsigned long long) a->value); oracle_put_range(s, &a->dst); break;
    case OP_MOVE:
        str_puts(s, "move:");
        oracle_put_range(s, &a->src);
        str_puts(s, "->");
        oracle_put_range(s, &a->dst);
        break;
    case OP_PUSH: str_puts(s, "push:"); oracle_put_range(s, &a->src); break;
    case OP_POP: str_puts(s, "pop:"); oracle_put_range(s, &a->dst); break;
    case OP_PUSH_VLAN: str_putf(s, "push_vlan:0x%llx", (unsigned long long) a->value); break;
    case OP_PUSH_MPLS: str_putf(s, "push_mpls:0x%llx", (unsigned long long) a->value); break;
    case OP_POP_MPLS: str_putf(s, "pop_mpls:0x%llx", (unsigned long long) a->value); break;
    case OP_DEC_MPLS_TTL: str_puts(s, "dec_mpls_ttl"); break;
    case OP_STRIP_VLAN: str_puts(s, "strip_vlan"); break;
    case OP_MOD_VID: str_putf(s, "mod_vlan_vid:%llu", (unsigned long long) a->value); break;
    case OP_MOD_PCP: str_putf(s, "mod_vlan_pcp:%llu", (unsigned long long) a->value); break;
    case OP_DEC_TTL: str_puts(s, "dec_ttl"); break;
    case OP_RESUBMIT: str_putf(s, "resubmit(,%llu)", (unsigned long long) a->value); break;
    case OP_CLONE: str_puts(s, "clone("); oracle_put_actions(s, a->nested, a->n_nested); str_putc(s, ')'); break;
    case OP_EXIT: str_puts(s, "exit"); break;
    case OP_RECIRC: str_puts(s, "debug_recirc"); break;
    case OP_CHECK_LEN:
        str_putf(s, "check_pkt_larger(%llu)->%s[%u]", (unsigned long long) a->value, oracle_fields[a->dst.field].nxm,
                 a->dst.ofs);
        break;
    case OP_GROUP: str_putf(s, "group:%llu", (unsigned long long) a->value); break;
    case OP_METER: str_putf(s, "meter:%llu", (unsigned long long) a->value); break;
    case OP_MULTIPATH: case OP_BUNDLE: case OP_BUNDLE_LOAD: oracle_put_hashing(s, a); break;
    case OP_CONJUNCTION:
        str_putf(s, "conjunction(%llu,%u/%u)", (unsigned long long) a->value, a->dst.ofs, a->dst.n);
        break;
    case OP_DELETE_OPTION: str_putf(s, "delete_field:%s", oracle_fields[a->dst.field].match); break;
    case OP_ENCAP_ETHERNET: str_puts(s, "encap(ethernet)"); break;
    case OP_ENCAP_NSH: put_encap_nsh(s, a); break;
    case OP_ENCAP_MPLS: str_puts(s, a->value == ORACLE_TYPE_MPLS ? "encap(mpls)" : "encap(mpls_mc)"); break;
    case OP_LEARN: oracle_put_learn(s, a); break;
    case OP_DECAP: put_decap(s, a); break;
    case OP_DEC_NSH_TTL: str_puts(s, "dec_nsh_ttl"); break;
    case OP_NOTE: str_puts(s, "note:01.02"); break;
    case OP_CLEAR: str_puts(s, "clear_actions"); break;
    case OP_WRITE:
        str_puts(s, "write_actions(");
        oracle_put_actions(s, a->nested, a->n_nested);
        str_putc(s, ')');
        break;
    case OP_METADATA:
        str_putf(s, "write_metadata:0x%llx/0x%llx", (unsigned long long) a->value, (unsigned long long) a->mask);
        break;
    case OP_GOTO: str_putf(s, "goto_table:%llu", (unsigned long long) a->value); break;
    }
}

void
oracle_put_actions(struct str *s, const struct oracle_action *actions, int n)
{
    for (int i = 0; i < n; i++) {
        put_action(s, &actions[i]);
        str_putc(s, ',');
    }
    str_chomp(s, ',');
}

static void
put_mac(struct str *s, uint64_t v)
{
    for (int i = 5; i >= 0; i--) {
        str_putf(s, "%02llx%s", (unsigned long long) (v >> 8 * i & 255), i ? ":" : "");
    }
}

static void
put_ipv6(struct str *s, uint64_t high, uint64_t low)
{
    for (int i = 3; i >= 0; i--) {
        str_putf(s, "%llx:", (unsigned long long) (high >> 16 * i & 0xffff));
    }
    for (int i = 3; i >= 0; i--) {
        str_putf(s, "%llx%s", (unsigned long long) (low >> 16 * i & 0xffff), i ? ":" : "");
    }
}

static const struct oracle_condition *
find_condition(const struct oracle_rule *rule, enum oracle_field f)
{
    for (int i = 0; i < rule->n_conditions; i++) {
        if (rule->conditions[i].field == f) {
            return &rule->conditions[i];
        }
    }
    return NULL;
}

/* Both halves of an address at once. */
static void
put_address_condition(struct str *s, const struct oracle_rule *rule, enum oracle_field f)
{
    static const struct oracle_condition none;
    const struct oracle_condition *low = find_condition(rule, f), *high = find_condition(rule, oracle_upper_half(f));

    if (!low && !high) {
        return;
    }
    low = low ? low : &none;
    high = high ? high : &none;
    str_putf(s, "%s=", oracle_fields[f].match);
    put_ipv6(s, high->value, low->value);
    if (low->mask != UINT64_MAX || high->mask != UINT64_MAX) {
        str_putc(s, '/');
        put_ipv6(s, high->mask, low->mask);
    }
    str_putc(s, ',');
}

static void
put_condition(struct str *s, const struct oracle_condition *c)
{
    unsigned long long v = c->value, m = c->mask;

    if (oracle_is_upper_half(c->field) || oracle_upper_half(c->field) != F_N) {
        return; /* Behind all others, which are their prerequisites. */
    }
    str_putf(s, "%s=", oracle_fields[c->field].match);
    switch (c->field) {
    case F_IP_SRC: case F_IP_DST: case F_TUN_SRC: case F_TUN_DST: case F_ARP_SPA: case F_ARP_TPA:
        str_putf(s, "%llu.%llu.%llu.%llu/%llu.%llu.%llu.%llu", v >> 24, v >> 16 & 255, v >> 8 & 255, v & 255, m >> 24,
                 m >> 16 & 255, m >> 8 & 255, m & 255);
        break;
    case F_ETH_SRC: case F_ETH_DST: case F_ARP_SHA: case F_ARP_THA: case F_ND_SLL: case F_ND_TLL:
        put_mac(s, v);
        if (m != oracle_ones(48)) {
            str_putc(s, '/');
            put_mac(s, m);
        }
        break;
    case F_REG0: case F_REG1: case F_REG2: case F_METADATA: case F_TUN_ID: case F_TCI:
    case F_GBP_ID: case F_GBP_FLAGS: case F_OPT0: case F_OPT1: case F_OPT2: case F_NSH_FLAGS:
    case F_IP6_LABEL: case F_TCP_FLAGS: case F_NSH_C1: case F_NSH_C2:
        str_putf(s, "0x%llx/0x%llx", v, m); break;
    default: str_putf(s, "%llu", v); break;
    }
    str_putc(s, ',');
}

void
oracle_rule_text(const struct oracle_rule *rule, struct str *s)
{
    str_putf(s, "table=%d,priority=%d,cookie=%llu,", rule->table, rule->priority, (unsigned long long) rule->cookie);
    if (rule->conj_id) {
        str_putf(s, "conj_id=%u,", rule->conj_id);
    }
    if (rule->packet_type > 0) {
        str_putf(s, "packet_type=(1,0x%x),", rule->packet_type);
    }
    for (int i = 0; i < rule->n_conditions; i++) {
        put_condition(s, &rule->conditions[i]);
    }
    put_address_condition(s, rule, F_IP6_SRC);
    put_address_condition(s, rule, F_IP6_DST);
    put_address_condition(s, rule, F_ND_TARGET);
    str_puts(s, "actions=");
    if (!rule->n_actions) {
        str_puts(s, "drop");
    }
    oracle_put_actions(s, rule->actions, rule->n_actions);
}
