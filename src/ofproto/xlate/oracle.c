#include "base/be.h"
#include "ofproto/xlate/oracle_private.h"

static void enter_peer(struct oracle_run *);

static void
emit(struct oracle_run *r, uint32_t port)
{
    if (port == ORACLE_PATCH_PORT) {
        enter_peer(r);
        return;
    }
    if (r->p.no_ethernet) {
        return; /* The ports are for Ethernet. */
    }
    if (r->result->n >= ORACLE_MAX_OUTPUTS) {
        r->result->gave_up = true;
        return;
    }
    r->result->outputs[r->result->n++] = (struct oracle_output) {
        port + r->pipeline->bridge * ORACLE_N_PORTS, r->p,
    };
}

bool
oracle_port_exists(const struct oracle_pipeline *p, uint64_t port)
{
    return (port >= 1 && port <= ORACLE_N_PORTS) || (port == ORACLE_PATCH_PORT && p->peer);
}

static void
output(struct oracle_run *r, uint64_t port)
{
    if (oracle_port_exists(r->pipeline, port) && port != r->p.f[F_IN_PORT]) {
        emit(r, port);
    }
}

static void
output_reserved(struct oracle_run *r, uint64_t port)
{
    if (port == 0xfff8) {
        if (oracle_port_exists(r->pipeline, r->p.f[F_IN_PORT])) {
            emit(r, r->p.f[F_IN_PORT]);
        }
    } else {
        output(r, port);
    }
}

static void
flood(struct oracle_run *r)
{
    for (uint64_t port = 1; port <= ORACLE_PATCH_PORT; port++) {
        output(r, port);
    }
}

/* A field as a whole; none has more bits than an address of IPv6. */
static unsigned __int128
get_wide(const struct oracle_packet *p, enum oracle_field f)
{
    enum oracle_field upper = oracle_upper_half(f);

    return upper == F_N ? p->f[f] : (unsigned __int128) p->f[upper] << 64 | p->f[f];
}

static void
put_wide(struct oracle_packet *p, enum oracle_field f, unsigned __int128 v)
{
    enum oracle_field upper = oracle_upper_half(f);

    p->f[f] = v;
    if (upper != F_N) {
        p->f[upper] = v >> 64;
    }
}

uint64_t
oracle_get(const struct oracle_run *r, const struct oracle_range *g)
{
    r->result->gave_up |= r->p.lost_context && oracle_lacks_context(&r->p, g->field);
    return get_wide(&r->p, g->field) >> g->ofs & oracle_ones(g->n);
}

static bool
is_option(enum oracle_field f)
{
    return f >= F_OPT0;
}

void
oracle_set(struct oracle_run *r, const struct oracle_range *g, uint64_t v)
{
    if (oracle_lacks_context(&r->p, g->field)) {
        r->p.lost_context = true;
    } else if (oracle_has_field(&r->p, g->field)) {
        unsigned __int128 ones = (unsigned __int128) oracle_ones(g->n) << g->ofs;
        unsigned __int128 value = (unsigned __int128) (v & oracle_ones(g->n)) << g->ofs;

        put_wide(&r->p, g->field, (get_wide(&r->p, g->field) & ~ones) | value);
        if (is_option(g->field)) { /* ovs-fields(7): one that is not there counts as zeros, and is there once set. */
            r->p.options |= 1u << (g->field - F_OPT0);
        }
    }
}

/* Padded to words of 4 bytes. */
static void
put_metadata(struct oracle_metadata *m, const struct oracle_tlv *t)
{
    put_be16(m->bytes + m->len, t->class);
    m->bytes[m->len + 2] = t->type;
    m->bytes[m->len + 3] = t->len;
    memcpy(m->bytes + m->len + 4, t->data, t->len);
    m->len += 4 + (t->len + 3) / 4 * 4;
}

static void
encap_nsh(struct oracle_run *r, const struct oracle_action *a)
{
    uint64_t np = !r->p.no_ethernet                       ? ORACLE_NP_ETHERNET
                  : r->p.f[F_ETH_TYPE] == ORACLE_TYPE_IPV4 ? ORACLE_NP_IPV4
                  : r->p.f[F_ETH_TYPE] == ORACLE_TYPE_IPV6 ? ORACLE_NP_IPV6
                  : r->p.f[F_ETH_TYPE] == ORACLE_TYPE_NSH  ? ORACLE_NP_NSH
                                                           : 0;

    if (!np || !oracle_push_nsh(&r->p)) {
        r->result->gave_up = true; /* There is no such thing: the packet is dropped. */
        return;
    }
    r->p.f[F_NSH_TTL] = 63; /* RFC 8300 §2.2, §2.3. */
    r->p.f[F_NSH_SI] = 255;
    r->p.f[F_NSH_MDTYPE] = a->value ? a->value : 1;
    for (int i = 0; i < ORACLE_N_TLVS && a->value == 2; i++) {
        if (a->tlvs[i].len) {
            put_metadata(&r->p.metadata, &a->tlvs[i]);
        }
    }
    r->p.f[F_NSH_NP] = np;
}

/* ovs-actions(7), push_mpls: like the label below it, or else from IP. */
static void
push_label(struct oracle_run *r, uint64_t type)
{
    const uint64_t *f = r->p.f;
    uint32_t label = 0x100 | 64;

    if (oracle_type_is_mpls(f[F_ETH_TYPE])) {
        label = oracle_get_label(&r->p) & ~0x100u;
    } else if (oracle_type_is_ip(f[F_ETH_TYPE])) {
        label = (f[F_ETH_TYPE] == ORACLE_TYPE_IPV6 ? 2 : 0) << 12 | (f[F_DSCP] & 7) << 9 | 0x100 | f[F_TTL];
        r->result->gave_up |= !f[F_TTL]; /* Nobody says. */
    }
    r->result->gave_up |= !oracle_push_label(&r->p, type, label);
}

/* What comes into sight is looked at anew.  Labels that say what they are not are garbage. */
static void
pop_label(struct oracle_run *r, uint64_t type)
{
    if (oracle_type_is_mpls(r->p.f[F_ETH_TYPE])) {
        r->result->gave_up |= !oracle_pop_label(&r->p, type);
        r->detoured = true;
    }
}

/* Like the label below it, or the null label of the version of IP (RFC 3032 §2.1), also of what is in a frame. */
static void
encap_mpls(struct oracle_run *r, uint64_t type)
{
    uint32_t label = (r->p.f[F_ETH_TYPE] == ORACLE_TYPE_IPV6 ? 2 : 0) << 12 | 0x100 | 64;

    if (r->p.no_ethernet && oracle_type_is_mpls(r->p.f[F_ETH_TYPE])) {
        label = oracle_get_label(&r->p) & ~0x100u;
    }
    r->result->gave_up |= !oracle_add_label(&r->p, type, label);
}

/* The outermost header goes; below NSH and labels the packet is looked at anew.  Below labels it has the 'type' that is
 * said. */
static void
decap(struct oracle_run *r, uint64_t type)
{
    if (!r->p.no_ethernet && !r->p.f[F_TCI]) {
        oracle_pop_ethernet(&r->p);
    } else if (r->p.f[F_NSH_NP] != ORACLE_NP_MPLS && oracle_pop_nsh(&r->p)) {
        r->detoured = true;
    } else if (r->p.no_ethernet && oracle_type_is_mpls(r->p.f[F_ETH_TYPE]) && type) {
        pop_label(r, type);
    } else {
        r->result->gave_up = true; /* The packet is dropped. */
    }
}

static void
push_tag(struct oracle_run *r, uint16_t tpid)
{
    r->result->gave_up |= r->p.no_ethernet; /* A tag needs an Ethernet header. */
    r->result->gave_up |= !oracle_push_tag(&r->p, tpid, 0x1000);
}

static void
strip_tag(struct oracle_run *r)
{
    oracle_pop_tag(&r->p);
}

static void
mod_tag(struct oracle_run *r, uint64_t value, uint64_t mask)
{
    if (!r->p.f[F_TCI]) {
        push_tag(r, 0x8100);
    }
    r->p.f[F_TCI] = (r->p.f[F_TCI] & ~mask) | value;
}

static void run_table(struct oracle_run *r, int table);
static bool run_actions(struct oracle_run *r, const struct oracle_action *actions, int n);

void
oracle_give_up_after_detour(struct oracle_run *r)
{
    r->result->gave_up |= (r->in_part || r->in_set) && r->detoured;
}

/* What is written while the set is carried out has no effect, unless the packet has been through the datapath. */
static void
run_own_set(struct oracle_run *r)
{
    const struct oracle_action *set[ARRAY_SIZE(r->set)];
    bool exited = r->exited, detoured = r->detoured;
    int n = r->n_set;

    memcpy(set, r->set, sizeof set);
    r->n_set = 0;
    r->detoured = false;
    oracle_run_set(r, set, n);
    r->result->gave_up |= r->detoured && r->n_set; /* Then it is not known any more that this is part of a set. */
    r->detoured |= detoured;
    r->exited = exited;
}

static bool
list_has(const struct oracle_action *actions, int n, enum oracle_op op)
{
    for (int i = 0; i < n; i++) {
        if (actions[i].op == op || list_has(actions[i].nested, actions[i].n_nested, op)) {
            return true;
        }
    }
    return false;
}

static bool
bridge_has(const struct oracle_pipeline *p, enum oracle_op op)
{
    for (int i = 0; i < p->n_rules; i++) {
        if (list_has(p->rules[i].actions, p->rules[i].n_actions, op)) {
            return true;
        }
    }
    return false;
}

bool
oracle_pipeline_has(const struct oracle_pipeline *p, enum oracle_op op)
{
    return bridge_has(p, op) || (p->peer && bridge_has(p->peer, op));
}

/* A packet that has just come in there, with nothing of what is this pipeline's own. */
static void
enter_peer(struct oracle_run *r)
{
    struct oracle_run copy = *r;

    copy.pipeline = r->pipeline->peer;
    memset(&copy.p.f[F_REG0], 0, (F_MARK - F_REG0) * sizeof copy.p.f[0]);
    memset(&copy.p.f[F_TUN_ID], 0, (F_N - F_TUN_ID) * sizeof copy.p.f[0]);
    copy.p.options = 0;
    copy.p.f[F_IN_PORT] = ORACLE_PATCH_PORT;
    copy.n_stack = copy.n_set = 0;
    copy.in_set = copy.in_part = copy.detoured = copy.exited = copy.dropped = false;
    copy.depth++;
    run_table(&copy, 0);
    if (!copy.dropped) {
        run_own_set(&copy);
    }
    r->n_tables = copy.n_tables;
}

static void
run_clone(struct oracle_run *r, const struct oracle_action *a)
{
    struct oracle_run copy = *r;

    copy.in_part = true;
    copy.detoured = copy.in_set = false;
    run_actions(&copy, a->nested, a->n_nested);
    if (!copy.dropped) {
        run_own_set(&copy);
    }
    /* An exit behind a meter ends the pipeline before it is known what that meter drops. */
    r->result->gave_up |= copy.dropped && oracle_pipeline_has(r->pipeline, OP_EXIT);
    r->n_tables = copy.n_tables;
    r->exited = copy.exited;
    if (copy.exited) {
        oracle_give_up_after_detour(r);
    }
}

static void
write_set(struct oracle_run *r, const struct oracle_action *a)
{
    oracle_give_up_after_detour(r);
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
run_action(struct oracle_run *r, const struct oracle_action *a)
{
    switch (a->op) {
    case OP_OUTPUT: output(r, a->value); break;
    case OP_OUTPUT_IN_PORT: output_reserved(r, 0xfff8); break;
    case OP_OUTPUT_REG: output_reserved(r, oracle_get(r, &a->src)); break;
    case OP_FLOOD: flood(r); break;
    case OP_LOAD: oracle_set(r, &a->dst, a->value); break;
    case OP_MOVE:
        r->result->gave_up |= r->p.no_ethernet && a->src.field == F_ETH_TYPE; /* It has one, or it has not. */
        if (oracle_has_field(&r->p, a->src.field)) {
            oracle_set(r, &a->dst, oracle_get(r, &a->src));
        }
        break;
    case OP_PUSH:
        if (r->n_stack >= 64) {
            r->result->gave_up = true;
            break;
        }
        r->result->gave_up |= r->p.no_ethernet && a->src.field == F_ETH_TYPE;
        r->stack[r->n_stack++] = oracle_has_field(&r->p, a->src.field) ? oracle_get(r, &a->src) : 0;
        break;
    case OP_POP:
        if (r->n_stack) {
            oracle_set(r, &a->dst, r->stack[--r->n_stack]);
        }
        break;
    case OP_PUSH_VLAN: push_tag(r, a->value); break;
    case OP_STRIP_VLAN: strip_tag(r); break;
    case OP_MOD_VID: mod_tag(r, a->value, 0xfff); break;
    case OP_MOD_PCP: mod_tag(r, a->value << 13, 0xe000); break;
    case OP_DEC_TTL:
        if (oracle_type_is_ip(r->p.f[F_ETH_TYPE])) {
            if (r->p.f[F_TTL] <= 1) {
                r->result->n_ttl++;
                return false;
            }
            r->p.f[F_TTL]--;
        }
        break;
    case OP_RESUBMIT: run_table(r, a->value); break;
    case OP_CLONE: run_clone(r, a); break;
    case OP_EXIT:
        oracle_give_up_after_detour(r);
        r->exited = true;
        break;
    case OP_RECIRC: r->detoured = true; break;
    case OP_GROUP: oracle_run_group(r, a->value); break;
    case OP_METER:
        r->dropped = oracle_meter_drops(a->value, r->datapath_port);
        /* What is learned behind it is learned before it is known what the meter drops. */
        r->result->gave_up |= r->dropped && oracle_pipeline_has(r->pipeline, OP_LEARN);
        break;
    case OP_CHECK_LEN:
        /* The list goes on in two branches; what lists around it do behind them is said nowhere. */
        r->result->gave_up |= r->depth != 1 || r->in_set;
        oracle_set(r, &a->dst, r->p.len > a->value);
        break;
    case OP_MULTIPATH: case OP_BUNDLE_LOAD: oracle_set(r, &a->dst, oracle_run_hashing(r, a)); break;
    case OP_BUNDLE: output(r, oracle_run_hashing(r, a)); break;
    case OP_DELETE_OPTION:
        r->p.f[a->dst.field] = 0;
        r->p.options &= ~(1u << (a->dst.field - F_OPT0));
        break;
    case OP_ENCAP_ETHERNET:
        r->result->gave_up |= !r->p.no_ethernet; /* The packet is dropped. */
        oracle_push_ethernet(&r->p);
        break;
    case OP_ENCAP_NSH: encap_nsh(r, a); break;
    case OP_LEARN: oracle_run_learn(r, a); break;
    case OP_ENCAP_MPLS: encap_mpls(r, a->value); break;
    case OP_DECAP: decap(r, a->value); break;
    case OP_DEC_NSH_TTL:
        if (r->p.f[F_ETH_TYPE] == ORACLE_TYPE_NSH) {
            if (r->p.f[F_NSH_TTL] <= 1) {
                r->result->n_ttl++;
                return false;
            }
            r->p.f[F_NSH_TTL]--;
        }
        break;
    case OP_PUSH_MPLS: push_label(r, a->value); break;
    case OP_POP_MPLS: pop_label(r, a->value); break;
    case OP_DEC_MPLS_TTL:
        if (!oracle_type_is_mpls(r->p.f[F_ETH_TYPE]) || r->p.f[F_MPLS_TTL] <= 1) {
            r->result->n_ttl += oracle_type_is_mpls(r->p.f[F_ETH_TYPE]);
            return false;
        }
        r->p.f[F_MPLS_TTL]--;
        break;
    case OP_NOTE: case OP_CONJUNCTION: break;
    case OP_CLEAR:
        oracle_give_up_after_detour(r);
        r->n_set = 0;
        break;
    case OP_WRITE: write_set(r, a); break;
    case OP_METADATA: r->p.f[F_METADATA] = (r->p.f[F_METADATA] & ~a->mask) | a->value; break;
    case OP_GOTO: r->depth--; run_table(r, a->value); r->depth++; break;
    }
    return true;
}

static bool
run_actions(struct oracle_run *r, const struct oracle_action *actions, int n)
{
    for (int i = 0; i < n && !r->exited && !r->dropped && !r->result->gave_up; i++) {
        if (!run_action(r, &actions[i])) {
            return false;
        }
    }
    return true;
}

bool
oracle_rule_matches(const struct oracle_rule *rule, const struct oracle_packet *p, uint32_t conj_id)
{
    if (rule->conj_id && rule->conj_id != conj_id) {
        return false;
    }
    if (rule->packet_type != ORACLE_ANY_TYPE
        && (rule->packet_type ? !p->no_ethernet || p->f[F_ETH_TYPE] != (uint64_t) rule->packet_type : p->no_ethernet)) {
        return false;
    }
    for (int i = 0; i < rule->n_conditions; i++) {
        const struct oracle_condition *c = &rule->conditions[i];

        if ((p->f[c->field] & c->mask) != c->value
            || (is_option(c->field) && !(p->options >> (c->field - F_OPT0) & 1))) {
            return false;
        }
    }
    return true;
}

static void
note_asked_for_context(struct oracle_run *r, int table)
{
    for (int i = 0; i < r->pipeline->n_rules; i++) {
        const struct oracle_rule *rule = &r->pipeline->rules[i];

        for (int k = 0; k < rule->n_conditions && rule->table == table; k++) {
            r->result->gave_up |= oracle_lacks_context(&r->p, rule->conditions[k].field);
        }
    }
}

static void
run_table(struct oracle_run *r, int table)
{
    const struct oracle_rule *best;

    if (r->depth > 40 || ++r->n_tables > 400) {
        r->result->gave_up = true;
        return;
    }
    if (r->p.lost_context) {
        note_asked_for_context(r, table);
    }
    best = oracle_find_rule(r, table);
    if (best) {
        r->depth++;
        run_actions(r, best->actions, best->n_actions);
        r->depth--;
    }
}

/* Where the action stands in a set (ovs-actions(7), "Action Sets"): of those of one place the last one written counts,
 * of those that change fields all, in their order; of those that say where the packet goes the first there is. */
enum { PLACE_FIELDS = 9, PLACE_GROUP, PLACE_OUTPUT, PLACE_RESUBMIT, PLACE_N };

static int
place_in_set(enum oracle_op op)
{
    switch (op) {
    case OP_STRIP_VLAN: return 0;
    case OP_POP_MPLS: return 1;
    case OP_DECAP: return 2;
    case OP_ENCAP_ETHERNET: case OP_ENCAP_NSH: case OP_ENCAP_MPLS: return 3;
    case OP_PUSH_MPLS: return 4;
    case OP_PUSH_VLAN: return 5;
    case OP_DEC_TTL: return 6;
    case OP_DEC_MPLS_TTL: return 7;
    case OP_DEC_NSH_TTL: return 8;
    case OP_LOAD: case OP_MOVE: case OP_MOD_VID: case OP_MOD_PCP: return PLACE_FIELDS;
    case OP_GROUP: return PLACE_GROUP;
    case OP_OUTPUT: return PLACE_OUTPUT;
    case OP_RESUBMIT: return PLACE_RESUBMIT;
    default: return -1;
    }
}

bool
oracle_may_be_written(enum oracle_op op)
{
    return place_in_set(op) >= 0;
}

/* Without one that says where it goes the packet is dropped. */
void
oracle_run_set(struct oracle_run *r, const struct oracle_action *const *set, int n_set)
{
    struct oracle_action ordered[64 + PLACE_N];
    bool has_end = false;
    int n = 0;

    for (int place = 0; place < PLACE_N && !has_end; place++) {
        const struct oracle_action *last = NULL;

        for (int i = 0; i < n_set; i++) {
            if (place_in_set(set[i]->op) == place) {
                if (place == PLACE_FIELDS) {
                    ordered[n++] = *set[i];
                }
                last = set[i];
            }
        }
        if (last && place != PLACE_FIELDS) {
            ordered[n++] = *last;
        }
        has_end = last && place > PLACE_FIELDS;
    }
    if (has_end) {
        bool in_set = r->in_set;

        r->exited = false;
        r->in_set = true;
        run_actions(r, ordered, n);
        r->in_set = in_set;
    }
}

void
oracle_run(const struct oracle_pipeline *pipeline, const struct oracle_packet *p, struct oracle_choices *choices,
           struct oracle_result *result)
{
    struct oracle_run r = { .pipeline = pipeline, .result = result, .choices = choices, .p = *p,
                            .datapath_port = p->f[F_IN_PORT] };

    result->n = 0;
    choices->n = 0;
    result->gave_up = false;
    result->n_ttl = 0;
    result->n_learned = 0;
    run_table(&r, 0);
    run_own_set(&r);
}
