/* learn (ovs-actions(7)): rules that are made of packets. */
#include "ofproto/xlate/oracle_private.h"

/* Making. */

static void
add_spec(struct oracle_learn *l, enum oracle_spec_kind kind, struct oracle_range dst, struct oracle_range src,
         uint64_t value)
{
    if (l->n < ORACLE_MAX_SPECS) {
        l->specs[l->n++] = (struct oracle_spec) { kind, dst, src, value };
    }
}

static void
match_value(struct oracle_learn *l, enum oracle_field f, uint64_t value)
{
    add_spec(l, SPEC_MATCH_VALUE, (struct oracle_range) { f, 0, oracle_fields[f].bits }, (struct oracle_range) { 0 },
             value);
}

static bool
is_matched(const struct oracle_learn *l, enum oracle_field f)
{
    for (int i = 0; i < l->n; i++) {
        if (l->specs[i].kind <= SPEC_MATCH && l->specs[i].dst.field == f) {
            return true;
        }
    }
    return false;
}

/* What a rule may match some bits of, whatever they are. */
static bool
is_maskable(enum oracle_field f)
{
    switch (f) {
    case F_ETH_SRC: case F_ETH_DST: case F_IP_SRC: case F_IP_DST: case F_IP6_SRC: case F_IP6_DST: case F_IP6_LABEL:
    case F_ND_TARGET: case F_ARP_SPA: case F_ARP_TPA: case F_ARP_SHA: case F_ARP_THA: case F_REG0: case F_REG1:
    case F_REG2: case F_METADATA: case F_TUN_ID: case F_GBP_ID: case F_OPT0: case F_OPT1: case F_OPT2: return true;
    default: return false;
    }
}

/* NSH's fields learn does not know. */
static struct oracle_range
random_source(struct random *r, const struct oracle_kind *from, unsigned int max)
{
    struct oracle_range src;

    do {
        src = oracle_random_range(r, from, false, 0);
    } while (src.field >= F_NSH_FLAGS && src.field < F_REG0);
    src.n = MIN(src.n, max);
    return src;
}

/* A field of the new rule, with the same bits of a field of the packet. */
static void
random_match(struct random *r, struct oracle_learn *l, const struct oracle_kind *to, const struct oracle_kind *from)
{
    struct oracle_range src = random_source(r, from, 48), dst;
    enum oracle_field f = random_below(r, F_N);

    dst = (struct oracle_range) { f, 0, src.n };
    if (!oracle_kind_has_field(to, f) || is_matched(l, f) || oracle_is_upper_half(f)) {
        return;
    }
    if (is_maskable(f)) {
        unsigned int bits = oracle_upper_half(f) == F_N ? oracle_fields[f].bits : 128;

        if (src.n <= bits) {
            dst.ofs = random_below(r, 2) ? 0 : random_below(r, bits - src.n + 1);
            add_spec(l, SPEC_MATCH, dst, src, 0);
        }
    } else if (f == F_IN_PORT || f == F_TCI || f == F_TTL || f == F_UDP_DST || f == F_TCP_SRC || f == F_SCTP_DST) {
        dst.n = oracle_fields[f].bits; /* The whole field, of the packet. */
        if (f == F_IN_PORT || f == F_TCI || oracle_kind_has_field(from, f)) {
            add_spec(l, SPEC_MATCH, dst, dst, 0);
        }
    }
}

static void
match_kind(struct oracle_learn *l, const struct oracle_kind *k)
{
    if (k->type) {
        match_value(l, F_ETH_TYPE, k->type);
    }
    if (k->proto) {
        match_value(l, F_PROTO, k->proto);
    }
    if (k->nd) {
        match_value(l, F_ICMP6_TYPE, k->nd);
        match_value(l, F_ICMP6_CODE, 0);
    }
}

/* Mostly a bit of a header, which others see. */
static struct oracle_range
random_result(struct random *r, const struct oracle_kind *from)
{
    struct oracle_range dst = oracle_random_range(r, from, true, 1);

    for (int i = 0; i < 8 && dst.field >= F_REG0; i++) {
        dst = oracle_random_range(r, from, true, 1);
    }
    return dst;
}

void
oracle_random_learn(struct random *r, struct oracle_action *a, const struct oracle_kind *from)
{
    struct oracle_learn *l = &a->learn;
    struct oracle_kind to = { .type = 0 };

    l->table = random_below(r, ORACLE_N_TABLES);
    l->priority = random_below(r, 2) ? 1000 + random_below(r, 60000) : 1 + random_below(r, 98);
    l->cookie = random_below(r, 3);
    l->limit = random_below(r, 3);
    if (random_below(r, 4)) {
        l->result = random_result(r, from);
    }
    if (from->no_ethernet || from->type == ORACLE_TYPE_NSH || random_below(r, 2)) {
        oracle_random_kind(r, &to);
    } else {
        to = *from;
    }
    match_kind(l, &to);
    for (int i = random_below(r, 4); i > 0; i--) {
        random_match(r, l, &to, from);
    }
    if (random_below(r, 2)) {
        struct oracle_range src = random_source(r, from, 32);

        add_spec(l, SPEC_LOAD, oracle_random_range(r, &to, true, src.n), src, 0);
    }
    if (random_below(r, 2)) {
        struct oracle_range dst = oracle_random_range(r, &to, true, 0);

        add_spec(l, SPEC_LOAD_VALUE, dst, dst, oracle_random_value(r, dst.field) & oracle_ones(dst.n));
    }
    add_spec(l, SPEC_OUTPUT, (struct oracle_range) { 0 },
             random_below(r, 2) ? (struct oracle_range) { F_IN_PORT, 0, 16 }
                                : (struct oracle_range) { F_REG0 + random_below(r, 3), 0, 16 }, 0);
}

/* Text. */

static void
put_spec(struct str *s, const struct oracle_spec *spec)
{
    unsigned long long value = spec->value;

    switch (spec->kind) {
    case SPEC_MATCH_VALUE: str_putf(s, "%s=%llu", oracle_fields[spec->dst.field].match, value); break;
    case SPEC_MATCH:
        oracle_put_range(s, &spec->dst);
        str_putc(s, '=');
        oracle_put_range(s, &spec->src);
        break;
    case SPEC_LOAD_VALUE:
        str_putf(s, "load:0x%llx->", value);
        oracle_put_range(s, &spec->dst);
        break;
    case SPEC_LOAD:
        str_puts(s, "load:");
        oracle_put_range(s, &spec->src);
        str_puts(s, "->");
        oracle_put_range(s, &spec->dst);
        break;
    case SPEC_OUTPUT:
        str_puts(s, "output:");
        oracle_put_range(s, &spec->src);
        break;
    }
}

void
oracle_put_learn(struct str *s, const struct oracle_action *a)
{
    const struct oracle_learn *l = &a->learn;

    str_putf(s, "learn(table=%d,priority=%d,cookie=%llu", l->table, l->priority, (unsigned long long) l->cookie);
    if (l->limit) {
        str_putf(s, ",limit=%u", l->limit);
    }
    if (l->result.n) {
        str_puts(s, ",result_dst=");
        oracle_put_range(s, &l->result);
    }
    for (int i = 0; i < a->learn.n; i++) {
        str_putc(s, ',');
        put_spec(s, &a->learn.specs[i]);
    }
    str_putc(s, ')');
}

/* Running. */

static void
put_condition(struct oracle_rule *rule, enum oracle_field f, uint64_t value, uint64_t mask)
{
    if (mask) {
        rule->conditions[rule->n_conditions++] = (struct oracle_condition) { f, value, mask };
    }
}

static void
add_match(struct oracle_rule *rule, const struct oracle_range *dst, uint64_t value)
{
    unsigned __int128 v = (unsigned __int128) value << dst->ofs;
    unsigned __int128 m = (unsigned __int128) oracle_ones(dst->n) << dst->ofs;

    put_condition(rule, dst->field, v, m);
    if (oracle_upper_half(dst->field) != F_N) {
        put_condition(rule, oracle_upper_half(dst->field), v >> 64, m >> 64);
    }
    if (dst->field >= F_ETH_SRC && dst->field < F_REG0) { /* ovs-fields(7), packet_type. */
        rule->packet_type = 0;
    }
}

static void
add_action(struct oracle_rule *rule, enum oracle_op op, struct oracle_range dst, uint64_t value)
{
    rule->actions[rule->n_actions++] = (struct oracle_action) { .op = op, .dst = dst, .value = value };
}

/* A rule that is there already may always be learned anew. */
static bool
has_room(const struct oracle_pipeline *p, const struct oracle_rule *rule, unsigned int limit)
{
    unsigned int n = 0;

    for (int i = 0; i < p->n_rules; i++) {
        n += p->rules[i].table == rule->table && p->rules[i].cookie == rule->cookie;
    }
    return !limit || n < limit || oracle_find_same(p, rule);
}

void
oracle_run_learn(struct oracle_run *r, const struct oracle_action *a)
{
    struct oracle_rule rule = {
        .bridge = r->pipeline->bridge, .table = a->learn.table, .priority = a->learn.priority,
        .cookie = a->learn.cookie, .packet_type = ORACLE_ANY_TYPE,
    };
    bool ok;

    for (int i = 0; i < a->learn.n; i++) {
        const struct oracle_spec *spec = &a->learn.specs[i];
        bool has_src = spec->kind == SPEC_MATCH || spec->kind == SPEC_LOAD || spec->kind == SPEC_OUTPUT;
        uint64_t value = has_src ? oracle_get(r, &spec->src) : spec->value;

        r->result->gave_up |= has_src && !oracle_has_field(&r->p, spec->src.field);
        switch (spec->kind) {
        case SPEC_MATCH_VALUE: case SPEC_MATCH: add_match(&rule, &spec->dst, value); break;
        case SPEC_LOAD_VALUE: case SPEC_LOAD: add_action(&rule, OP_LOAD, spec->dst, value); break;
        case SPEC_OUTPUT:
            r->result->gave_up |= !value || value >= 0xff00; /* No port, or one that stands for others. */
            add_action(&rule, OP_OUTPUT, spec->dst, value);
            break;
        }
    }
    ok = has_room(r->pipeline, &rule, a->learn.limit);
    if (a->learn.result.n) {
        oracle_set(r, &a->learn.result, ok);
    }
    if (r->result->n_learned >= ORACLE_MAX_LEARNED) {
        r->result->gave_up = true;
    } else if (ok) {
        r->result->learned[r->result->n_learned++] = rule;
    }
}

bool
oracle_add_learned(struct oracle_pipeline *p, const struct oracle_rule *rule)
{
    struct oracle_rule *old = oracle_find_same(p, rule);

    if (old) {
        oracle_free_actions(old->actions, old->n_actions);
        *old = *rule;
    } else if (p->n_rules < ORACLE_MAX_RULES) {
        p->rules[p->n_rules++] = *rule;
    } else {
        return false;
    }
    return true;
}
