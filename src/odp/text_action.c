/* Datapath actions as text. */
#include "odp/action_text.h"

#include <inttypes.h>
#include <math.h>

#include "odp/key.h"

uint16_t
attr_u16(const struct odp_attr *a)
{
    uint16_t v = 0;

    if (odp_attr_size(a) == sizeof v) {
        memcpy(&v, odp_attr_data(a), sizeof v);
    }
    return v;
}

uint32_t
attr_u32(const struct odp_attr *a)
{
    uint32_t v = 0;

    if (odp_attr_size(a) == sizeof v) {
        memcpy(&v, odp_attr_data(a), sizeof v);
    }
    return v;
}

static const struct member port_member = { "", 0, 32, MEMBER_PORT };

void
port_put(struct str *s, uint32_t port, const struct odp_names *names)
{
    struct flow flow = { .in_port = cpu_to_be32(port) };

    member_put(s, &port_member, &flow, NULL, names);
}

bool
port_scan(const char **p, const struct odp_names *names, uint32_t *port)
{
    struct flow flow;
    bool ok = member_scan(p, &port_member, names, &flow, NULL);

    *port = be32_to_cpu(flow.in_port);
    return ok;
}

/* Formatting. */

static void
put_push_vlan(struct str *s, const struct odp_attr *a)
{
    struct odp_push_vlan v = { 0, 0 };
    unsigned int tci;

    memcpy(&v, odp_attr_data(a), MIN(odp_attr_size(a), sizeof v));
    tci = be16_to_cpu(v.tci);
    str_puts(s, "push_vlan(");
    if (v.tpid != BE16(0x8100)) {
        str_putf(s, "tpid=0x%04x,", be16_to_cpu(v.tpid));
    }
    str_putf(s, "vid=%u,pcp=%u", tci & VLAN_VID_MASK, tci >> VLAN_PCP_SHIFT);
    str_puts(s, tci & VLAN_PRESENT ? ")" : ",cfi=0)");
}

static void
put_label(struct str *s, const char *name, const struct odp_attr *a)
{
    struct odp_push_mpls m = { 0, 0, 0 };
    uint32_t lse;

    memcpy(&m, odp_attr_data(a), MIN(odp_attr_size(a), sizeof m));
    lse = be32_to_cpu(m.lse);
    str_putf(s, "%s(label=%"PRIu32",tc=%"PRIu32",ttl=%"PRIu32",bos=%"PRIu32",eth_type=0x%x)", name, lse >> 12,
             lse >> 9 & 7, lse & 255, lse >> 8 & 1, be16_to_cpu(m.ethertype));
}
_Static_assert(offsetof(struct odp_add_mpls, ethertype) == offsetof(struct odp_push_mpls, ethertype), "read alike");

static void
put_push_eth(struct str *s, const struct odp_attr *a)
{
    struct odp_push_eth e;

    memset(&e, 0, sizeof e);
    memcpy(&e, odp_attr_data(a), MIN(odp_attr_size(a), sizeof e));
    str_putf(s, "push_eth(src="ETH_ADDR_FMT",dst="ETH_ADDR_FMT")", ETH_ADDR_ARGS(e.addresses.src),
             ETH_ADDR_ARGS(e.addresses.dst));
}

static void
put_set(struct str *s, const struct odp_attr *a, const struct odp_names *names)
{
    const struct attr_text *text;
    struct flow flow, mask;
    enum odp_key key;

    str_puts(s, "set(");
    if (!odp_set_to_flow(a, &key, &flow, &mask)) {
        str_puts(s, "unknown)");
        return;
    }
    text = attr_by_key(key);
    if (key == ODP_KEY_NSH) {
        nsh_put(s, &flow, &mask);
    } else if (key == ODP_KEY_MPLS) {
        flow.mpls_lse[1] = flow.mpls_lse[2] = mask.mpls_lse[1] = mask.mpls_lse[2] = 0;
        mpls_put(s, &flow, &mask);
    } else if (text) {
        attr_put(s, text, &flow, &mask, false, names);
    }
    str_chomp(s, ',');
    str_putc(s, ')');
}

/* A probability of 2^32 is one; Debian's form has one digit. */
static void
put_sample(struct str *s, const struct odp_attr *a, const struct odp_names *names, unsigned int depth)
{
    uint32_t probability = 0;
    const struct odp_attr *actions = NULL;

    ODP_FOR_EACH (i, odp_attr_data(a), odp_attr_size(a)) {
        if (i->type == ODP_SAMPLE_PROBABILITY) {
            probability = attr_u32(i);
        } else if (i->type == ODP_SAMPLE_ACTIONS) {
            actions = i;
        }
    }
    str_putf(s, "sample(sample=%.1f%%,actions(", 100.0 * probability / UINT32_MAX);
    actions_put(s, actions ? odp_attr_data(actions) : NULL, actions ? odp_attr_size(actions) : 0, names, depth + 1);
    str_puts(s, "))");
}

static void
put_check_pkt_len(struct str *s, const struct odp_attr *a, const struct odp_names *names, unsigned int depth)
{
    str_puts(s, "check_pkt_len(");
    ODP_FOR_EACH (i, odp_attr_data(a), odp_attr_size(a)) {
        switch (i->type) {
        case ODP_CHECK_PKT_LEN_SIZE: str_putf(s, "size=%u,", attr_u16(i)); break;
        case ODP_CHECK_PKT_LEN_GREATER: case ODP_CHECK_PKT_LEN_LESS_EQUAL:
            str_puts(s, i->type == ODP_CHECK_PKT_LEN_GREATER ? "gt(" : "le(");
            actions_put(s, odp_attr_data(i), odp_attr_size(i), names, depth + 1);
            str_puts(s, "),");
            break;
        }
    }
    str_chomp(s, ',');
    str_putc(s, ')');
}

static void
put_hash(struct str *s, const struct odp_attr *a)
{
    struct odp_hash h = { 0, 0 };

    memcpy(&h, odp_attr_data(a), MIN(odp_attr_size(a), sizeof h));
    str_putf(s, "hash(%s(%"PRIu32"))", h.algorithm == ODP_HASH_L4 ? "l4"
             : h.algorithm == ODP_HASH_SYM_L4 ? "sym_l4" : "unknown", h.basis);
}

static void
put_nested(struct str *s, const char *name, const struct odp_attr *a, const struct odp_names *names,
           unsigned int depth)
{
    str_putf(s, "%s(", name);
    actions_put(s, odp_attr_data(a), odp_attr_size(a), names, depth + 1);
    str_putc(s, ')');
}

static void
put_action(struct str *s, const struct odp_attr *a, const struct odp_names *names, unsigned int depth)
{
    switch ((enum odp_action) a->type) {
    case ODP_OUTPUT: port_put(s, attr_u32(a), names); break;
    case ODP_USERSPACE: userspace_put(s, a, names); break;
    case ODP_SET: case ODP_SET_MASKED: put_set(s, a, names); break;
    case ODP_PUSH_VLAN: put_push_vlan(s, a); break;
    case ODP_POP_VLAN: str_puts(s, "pop_vlan"); break;
    case ODP_SAMPLE: put_sample(s, a, names, depth); break;
    case ODP_RECIRC: str_putf(s, "recirc(%#"PRIx32")", attr_u32(a)); break;
    case ODP_HASH: put_hash(s, a); break;
    case ODP_PUSH_MPLS: put_label(s, "push_mpls", a); break;
    case ODP_ADD_MPLS: put_label(s, "add_mpls", a); break;
    case ODP_POP_MPLS: str_putf(s, "pop_mpls(eth_type=0x%x)", be16_to_cpu(attr_u16(a))); break;
    case ODP_CT: ct_put(s, a); break;
    case ODP_TRUNC: str_putf(s, "trunc(%"PRIu32")", attr_u32(a)); break;
    case ODP_PUSH_ETH: put_push_eth(s, a); break;
    case ODP_POP_ETH: str_puts(s, "pop_eth"); break;
    case ODP_CT_CLEAR: str_puts(s, "ct_clear"); break;
    case ODP_PUSH_NSH: push_nsh_put(s, a); break;
    case ODP_POP_NSH: str_puts(s, "pop_nsh()"); break;
    case ODP_METER: str_putf(s, "meter(%"PRIu32")", attr_u32(a)); break;
    case ODP_CLONE: put_nested(s, "clone", a, names, depth); break;
    case ODP_CHECK_PKT_LEN: put_check_pkt_len(s, a, names, depth); break;
    case ODP_DROP: str_puts(s, "drop"); break;
    case ODP_LB_OUTPUT: str_putf(s, "lb_output(%"PRIu32")", attr_u32(a)); break;
    default: str_putf(s, "action%u", a->type); break;
    }
}

void
actions_put(struct str *s, const void *actions, size_t len, const struct odp_names *names, unsigned int depth)
{
    if (!len) {
        str_puts(s, "drop");
        return;
    }
    if (depth > ODP_MAX_NESTING) {
        str_puts(s, "<nested too deep>");
        return;
    }
    ODP_FOR_EACH (a, actions, len) {
        put_action(s, a, names, depth);
        str_putc(s, ',');
    }
    str_chomp(s, ',');
}

void
odp_actions_format(struct str *s, const void *actions, size_t len, const struct odp_names *names)
{
    actions_put(s, actions, len, names, 0);
}

/* Reading. */

/* Reads "name=NUMBER" and the comma before it, if any. */
static bool
scan_named(const char **p, const char *name, unsigned int n_bits, uint64_t *v)
{
    scan_separators(p);
    return scan_literal(p, name) && scan_literal(p, "=") && scan_number(p, n_bits, v);
}

static bool
scan_push_vlan(const char **p, struct bytes *out)
{
    uint64_t tpid = 0x8100, vid, pcp, cfi = 1;

    if (!strncmp(*p, "tpid", 4) && !scan_named(p, "tpid", 16, &tpid)) {
        return false;
    }
    if (!scan_named(p, "vid", 12, &vid) || !scan_named(p, "pcp", 3, &pcp) ||
        (**p == ',' && !scan_named(p, "cfi", 1, &cfi))) {
        return false;
    }
    odp_put_push_vlan(out, cpu_to_be16(tpid), cpu_to_be16(vid | pcp << VLAN_PCP_SHIFT | (cfi ? VLAN_PRESENT : 0)));
    return scan_literal(p, ")");
}

/* push_mpls, add_mpls: a label behind what there is of Ethernet, or in front of it. */
static bool
scan_label(const char **p, enum odp_action type, struct bytes *out)
{
    uint64_t label, tc, ttl, bos, ethertype;
    struct odp_push_mpls m = { .pad = 0 };

    if (!scan_named(p, "label", 20, &label) || !scan_named(p, "tc", 3, &tc) || !scan_named(p, "ttl", 8, &ttl) ||
        !scan_named(p, "bos", 1, &bos) || !scan_named(p, "eth_type", 16, &ethertype)) {
        return false;
    }
    m.lse = cpu_to_be32(label << 12 | tc << 9 | bos << 8 | ttl);
    m.ethertype = cpu_to_be16(ethertype);
    odp_put(out, type, &m, sizeof m);
    return scan_literal(p, ")");
}

static bool
scan_pop_mpls(const char **p, struct bytes *out)
{
    uint64_t type;
    be16 be;

    if (!scan_named(p, "eth_type", 16, &type)) {
        return false;
    }
    be = cpu_to_be16(type);
    odp_put(out, ODP_POP_MPLS, &be, sizeof be);
    return scan_literal(p, ")");
}

static bool
scan_push_eth(const char **p, struct bytes *out)
{
    struct flow flow, mask;
    struct odp_push_eth e;

    memset(&flow, 0, sizeof flow);
    memset(&mask, 0, sizeof mask);
    if (!attr_scan(p, attr_by_name("eth", 3), NULL, &flow, &mask)) {
        return false;
    }
    e.addresses = (struct odp_key_ethernet) { flow.eth_src, flow.eth_dst };
    odp_put(out, ODP_PUSH_ETH, &e, sizeof e);
    return true;
}

static bool
scan_set(const char **p, const struct odp_names *names, struct bytes *out)
{
    size_t n = strcspn(*p, "(");
    const struct attr_text *a = attr_by_name(*p, n);
    bool is_mpls = n == 4 && !strncmp(*p, "mpls", 4);
    enum odp_key key = is_mpls ? ODP_KEY_MPLS : a ? a->key : 0;
    uint8_t value[ODP_KEY_MAX_SIZE], bits[ODP_KEY_MAX_SIZE];
    struct flow flow, mask;

    memset(&flow, 0, sizeof flow);
    memset(&mask, 0, sizeof mask);
    if (!key || !odp_key_size(key) || (*p)[n] != '(') {
        return false;
    }
    *p += n + 1;
    if (is_mpls ? !mpls_scan(p, &flow, &mask) : !attr_scan(p, a, names, &flow, &mask)) {
        return false;
    }
    if (key == ODP_KEY_VLAN && !(mask.vlan_tci & BE16(VLAN_PRESENT))) { /* It is a tag, if not said otherwise. */
        flow.vlan_tci |= BE16(VLAN_PRESENT);
        mask.vlan_tci |= BE16(VLAN_PRESENT);
    }
    flow_mask(&flow, &flow, &mask);
    odp_key_from_flow(key, &flow, value);
    odp_key_from_flow(key, &mask, bits);
    odp_put_set_masked(out, key, value, bits, odp_key_size(key));
    return scan_literal(p, ")");
}

/* "actions(..)" and the like: a nested list as an attribute of 'type', with its closing parenthesis. */
static bool
scan_nested(const char **p, uint16_t type, const struct odp_names *names, struct bytes *out, unsigned int depth)
{
    size_t begun = odp_begin(out, type);
    bool ok = depth < ODP_MAX_NESTING && actions_scan(p, names, out, depth + 1) && scan_literal(p, ")") &&
              out->len - begun <= UINT16_MAX;

    odp_end(out, begun);
    return ok;
}

static bool
scan_percentage(const char **p, uint32_t *probability)
{
    double percent = 0, digit = 1;

    if (!strspn(*p, "0123456789")) {
        return false;
    }
    for (bool fraction = false; strspn(*p, "0123456789.") && percent <= 100; ++*p) {
        if (**p == '.') {
            fraction = true;
        } else if (fraction) {
            percent += (**p - '0') * (digit /= 10);
        } else {
            percent = percent * 10 + **p - '0';
        }
    }
    if (percent > 100 || !scan_literal(p, "%")) {
        return false;
    }
    *probability = (uint32_t) floor(UINT32_MAX * (percent / 100.0) + .5);
    return true;
}

static bool
scan_sample(const char **p, const struct odp_names *names, struct bytes *out, unsigned int depth)
{
    size_t begun = odp_begin(out, ODP_SAMPLE);
    uint32_t probability;

    if (!scan_literal(p, "sample=") || !scan_percentage(p, &probability)) {
        return false;
    }
    odp_put_u32(out, ODP_SAMPLE_PROBABILITY, probability);
    scan_separators(p);
    if (!scan_literal(p, "actions(") || !scan_nested(p, ODP_SAMPLE_ACTIONS, names, out, depth)) {
        return false;
    }
    odp_end(out, begun);
    return out->len - begun <= UINT16_MAX && scan_literal(p, ")");
}

static bool
scan_check_pkt_len(const char **p, const struct odp_names *names, struct bytes *out, unsigned int depth)
{
    size_t begun = odp_begin(out, ODP_CHECK_PKT_LEN);
    uint64_t size;
    uint16_t v;

    if (!scan_named(p, "size", 16, &size)) {
        return false;
    }
    v = size;
    odp_put(out, ODP_CHECK_PKT_LEN_SIZE, &v, sizeof v);
    if (!scan_literal(p, ",gt(") || !scan_nested(p, ODP_CHECK_PKT_LEN_GREATER, names, out, depth) ||
        !scan_literal(p, ",le(") || !scan_nested(p, ODP_CHECK_PKT_LEN_LESS_EQUAL, names, out, depth)) {
        return false;
    }
    odp_end(out, begun);
    return out->len - begun <= UINT16_MAX && scan_literal(p, ")");
}

static bool
scan_hash(const char **p, struct bytes *out)
{
    struct odp_hash h = { 0, 0 };
    uint64_t basis;

    if (scan_literal(p, "hash_sym_l4(") || scan_literal(p, "sym_l4(")) {
        h.algorithm = ODP_HASH_SYM_L4;
    } else if (!scan_literal(p, "hash_l4(") && !scan_literal(p, "l4(")) {
        return false;
    }
    if (!scan_number(p, 32, &basis)) {
        return false;
    }
    h.basis = basis;
    odp_put(out, ODP_HASH, &h, sizeof h);
    return scan_literal(p, "))");
}

static bool
scan_u32(const char **p, uint16_t type, struct bytes *out)
{
    uint64_t v;

    if (!scan_number(p, 32, &v)) {
        return false;
    }
    odp_put_u32(out, type, v);
    return scan_literal(p, ")");
}

/* What begins with a name and a parenthesis. */
static bool
scan_function(const char **p, const struct odp_names *names, struct bytes *out, unsigned int depth)
{
    if (scan_literal(p, "userspace(")) {
        return userspace_scan(p, names, out);
    } else if (scan_literal(p, "set(")) {
        return scan_set(p, names, out);
    } else if (scan_literal(p, "push_vlan(")) {
        return scan_push_vlan(p, out);
    } else if (scan_literal(p, "push_mpls(")) {
        return scan_label(p, ODP_PUSH_MPLS, out);
    } else if (scan_literal(p, "add_mpls(")) {
        return scan_label(p, ODP_ADD_MPLS, out);
    } else if (scan_literal(p, "push_nsh(")) {
        return push_nsh_scan(p, out);
    } else if (scan_literal(p, "pop_mpls(")) {
        return scan_pop_mpls(p, out);
    } else if (scan_literal(p, "push_eth(")) {
        return scan_push_eth(p, out);
    } else if (scan_literal(p, "sample(")) {
        return scan_sample(p, names, out, depth);
    } else if (scan_literal(p, "check_pkt_len(")) {
        return scan_check_pkt_len(p, names, out, depth);
    } else if (scan_literal(p, "clone(")) {
        return scan_nested(p, ODP_CLONE, names, out, depth);
    } else if (scan_literal(p, "recirc(")) {
        return scan_u32(p, ODP_RECIRC, out);
    } else if (scan_literal(p, "trunc(")) {
        return scan_u32(p, ODP_TRUNC, out);
    } else if (scan_literal(p, "meter(")) {
        return scan_u32(p, ODP_METER, out);
    } else if (scan_literal(p, "lb_output(")) {
        return scan_u32(p, ODP_LB_OUTPUT, out);
    } else if (scan_literal(p, "hash(")) {
        return scan_hash(p, out);
    } else if (scan_literal(p, "ct(")) {
        return ct_scan(p, out);
    }
    return false;
}

static const struct {
    const char *name;
    uint16_t type; /* 0: nothing. */
} words[] = {
    { "drop", 0 }, { "pop_vlan", ODP_POP_VLAN }, { "pop_eth", ODP_POP_ETH }, { "pop_nsh()", ODP_POP_NSH },
    { "ct_clear", ODP_CT_CLEAR }, { "ct", ODP_CT },
};

static bool
is_end(char c)
{
    return !c || strchr(", \t\r\n)", c);
}

static bool
scan_word_action(const char **p, struct bytes *out)
{
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        size_t n = strlen(words[i].name);

        if (!strncmp(*p, words[i].name, n) && is_end((*p)[n])) {
            *p += n;
            if (words[i].type) {
                odp_put_flag(out, words[i].type);
            }
            return true;
        }
    }
    return false;
}

static bool
scan_action(const char **p, const struct odp_names *names, struct bytes *out, unsigned int depth)
{
    uint32_t port;

    if (scan_word_action(p, out)) {
        return true;
    }
    if ((*p)[strcspn(*p, "(), \t\r\n")] == '(') {
        return scan_function(p, names, out, depth);
    }
    if (!port_scan(p, names, &port) || !is_end(**p)) {
        return false;
    }
    odp_put_output(out, ODP_PORT(port));
    return true;
}

bool
actions_scan(const char **p, const struct odp_names *names, struct bytes *out, unsigned int depth)
{
    for (;;) {
        const char *start;

        scan_separators(p);
        if (!**p || **p == ')') {
            return true;
        }
        start = *p;
        if (!scan_action(p, names, out, depth)) {
            *p = start;
            return false;
        }
    }
}

struct error *
odp_actions_parse(const char *text, const struct odp_names *names, struct bytes *actions)
{
    const char *p = text;

    if (!actions_scan(&p, names, actions, 0) || *p) {
        return error_new("syntax error at %s", p);
    }
    return NULL;
}
