#include "flow/exact_text.h"

#include <stdlib.h>
#include <string.h>

#include "flow/match_text.h"
#include "flow/tun_metadata.h"
#include "packet/headers.h"

/* Writing. */

/* Fields that are shown only where they are not zero. */
static void
add_nonzero(struct match *m)
{
    for (enum field_id id = 0; id < FIELD_N; id++) {
        const struct field *f = field_of(id);

        if (f->prereq == PREREQ_NONE && !field_is_option(f) && f->id != FIELD_PACKET_TYPE &&
            f->id != FIELD_ACTSET_OUTPUT && !(f->id >= FIELD_XREG0 && f->id <= FIELD_XXREG7) &&
            field_is_any(f, &m->flow)) {
            field_set_ones(f, &m->mask);
        }
    }
}

/* The original tuple, where there is one. */
static void
add_ct_tuple(struct match *m)
{
    const struct flow *f = &m->flow;

    if (!f->ct_nw_proto || !flow_is_ip(f) || (f->ct_state & (CT_TRK | CT_INV)) != CT_TRK) {
        return;
    }
    if (f->eth_type == BE16(0x0800)) {
        m->mask.ct_nw_src = m->mask.ct_nw_dst = BE32_MAX;
    } else {
        memset(&m->mask.ct_ipv6_src, 0xff, sizeof m->mask.ct_ipv6_src);
        memset(&m->mask.ct_ipv6_dst, 0xff, sizeof m->mask.ct_ipv6_dst);
    }
    m->mask.ct_nw_proto = UINT8_MAX;
    m->mask.ct_tp_src = m->mask.ct_tp_dst = BE16_MAX;
}

/* A tunnel's fields are shown all together, and none but its id where it has no end. */
static void
add_tunnel(struct match *m, const struct tun_map *options)
{
    m->mask.tun_metadata_present = BE64(0);
    if (m->flow.tun_dst || !is_all_zeros(&m->flow.tun_ipv6_dst, 16)) {
        static const enum field_id ids[] = {
            FIELD_TUN_SRC, FIELD_TUN_DST, FIELD_TUN_IPV6_SRC, FIELD_TUN_IPV6_DST, FIELD_TUN_GBP_ID, FIELD_TUN_GBP_FLAGS,
            FIELD_TUN_TOS, FIELD_TUN_TTL, FIELD_TUN_ERSPAN_VER, FIELD_TUN_GTPU_FLAGS, FIELD_TUN_GTPU_MSGTYPE,
        };

        for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
            field_set_ones(field_of(ids[i]), &m->mask);
        }
        m->mask.tun_flags = BE16(TUN_OAM | TUN_DF | TUN_CSUM | TUN_KEY);
        if (!(m->flow.tun_flags & BE16(TUN_KEY))) {
            m->mask.tun_id = BE64(0); /* It came without one. */
        }
        tun_match_add_present(options, m);
        tun_match_unbind(options, m);
    } else {
        for (enum field_id id = FIELD_TUN_SRC; id <= FIELD_TUN_GTPU_MSGTYPE; id++) {
            field_set_zeros(field_of(id), &m->mask);
        }
    }
}

static void
add_transport(struct match *m)
{
    const struct flow *f = &m->flow;
    bool is_icmp = f->nw_proto == (f->eth_type == BE16(0x0800) ? 1 : 58);

    if (f->nw_frag & FLOW_FRAG_LATER) {
        return;
    }
    switch (f->nw_proto) {
    case 1: case 2: case 6: case 17: case 58: case 132: /* Also of the other version of IP, as in the reference. */
        m->mask.tp_src = m->mask.tp_dst = BE16_MAX;
        break;
    default: break;
    }
    if (f->nw_proto == 6) {
        m->mask.tcp_flags = BE16(0xfff);
    }
    if (f->nw_proto == 2 && f->eth_type == BE16(0x0800)) {
        m->mask.igmp_group = BE32_MAX;
    }
    if (is_icmp && f->eth_type == BE16(0x86dd) && !f->tp_dst && (f->tp_src == BE16(135) || f->tp_src == BE16(136))) {
        memset(&m->mask.nd_target, 0xff, sizeof m->mask.nd_target);
        memset(&m->mask.arp_sha, 0xff, sizeof m->mask.arp_sha);
        memset(&m->mask.arp_tha, 0xff, sizeof m->mask.arp_tha);
    }
}

static void
add_nsh(struct match *m)
{
    m->mask.nsh_flags = m->mask.nsh_ttl = m->mask.nsh_mdtype = m->mask.nsh_np = UINT8_MAX;
    m->mask.nsh_path = BE32_MAX;
    if (m->flow.nsh_mdtype == NSH_M_TYPE1) {
        memset(m->mask.nsh_context, 0xff, sizeof m->mask.nsh_context);
    }
}

static void
add_network(struct match *m)
{
    const struct flow *f = &m->flow;

    if (flow_is_ip(f)) {
        if (f->eth_type == BE16(0x0800)) {
            m->mask.nw_src = m->mask.nw_dst = BE32_MAX;
        } else {
            memset(&m->mask.ipv6_src, 0xff, sizeof m->mask.ipv6_src);
            memset(&m->mask.ipv6_dst, 0xff, sizeof m->mask.ipv6_dst);
            m->mask.ipv6_label = BE32(0xfffff);
        }
        m->mask.nw_proto = m->mask.nw_tos = m->mask.nw_ttl = UINT8_MAX;
        m->mask.nw_frag = 3;
        add_transport(m);
    } else if (f->eth_type == BE16(0x0806) || f->eth_type == BE16(0x8035)) {
        m->mask.nw_src = m->mask.nw_dst = BE32_MAX;
        m->mask.nw_proto = UINT8_MAX;
        memset(&m->mask.arp_sha, 0xff, sizeof m->mask.arp_sha);
        memset(&m->mask.arp_tha, 0xff, sizeof m->mask.arp_tha);
    } else if (flow_count_mpls(f)) {
        m->mask.mpls_lse[0] = BE32_MAX;
    } else if (f->eth_type == BE16(ETH_TYPE_NSH)) {
        add_nsh(m);
    }
}

/* Labels below the first. */
static void
put_more_labels(struct str *s, const struct flow *f)
{
    for (int i = 1; i < flow_count_mpls(f); i++) {
        str_putf(s, ",mpls_lse%d=%u", i, be32_to_cpu(f->mpls_lse[i]));
    }
}

void
exact_flow_put(struct str *s, const struct flow *flow, const struct tun_map *options, const struct port_names *names)
{
    struct match m;

    match_init_catchall(&m);
    m.flow = *flow;
    add_nonzero(&m);
    add_ct_tuple(&m);
    add_tunnel(&m, options);
    if (!flow->packet_ns) {
        memset(&m.mask.eth_src, 0xff, sizeof m.mask.eth_src);
        memset(&m.mask.eth_dst, 0xff, sizeof m.mask.eth_dst);
        m.mask.vlan_tci = BE16_MAX;
        m.mask.vlan2_tci = flow_has_vlan(flow) ? BE16_MAX : 0;
    } else {
        m.mask.packet_ns = UINT8_MAX;
    }
    m.mask.eth_type = BE16_MAX;
    if (flow->recirc_id) {
        m.mask.packet_ns = UINT8_MAX;
    }
    add_network(&m);
    match_normalize(&m);
    match_format(s, &m, names, MATCH_DEFAULT_PRIORITY);
    if (flow->eth_type == BE16(ETH_TYPE_NSH)) {
        str_puts(s, ",nw_proto=0,nw_tos=0,nw_ecn=0,nw_ttl=0,nw_frag=no"); /* As the reference has it. */
    }
    put_more_labels(s, flow);
}

/* Reading. */

/* Whether the field has a value already, by whatever other field. */
static bool
is_set(const struct match *m, const struct field *f)
{
    union field_value v = { 0 }, mask;

    match_get_field(m, f, &v, &mask);
    return !is_all_zeros(&v, sizeof v);
}

static struct error *
parse_field(struct match *m, const char *name, const char *value, const struct port_names *names)
{
    const struct field *f = field_by_name(name);
    union field_value mask;
    struct error *e;

    if (!f) {
        return error_new("unknown field %s", name);
    }
    if (is_set(m, f)) {
        return error_new("field %s set multiple times", name);
    }
    if (!field_prereqs_met(f, &m->flow)) {
        return error_new("prerequisites not met for setting %s", name);
    }
    e = match_parse_field(m, f, value, names, &mask);
    if (e) {
        char *text = error_take_text(e);

        e = error_new("bad value for %s (%s)", name, text);
        free(text);
        return e;
    }
    if (strchr(value, '/') || *value == '+' || *value == '-') { /* Flags are masked without a slash. */
        return error_new("bad value for %s (%s: wildcards not allowed here)", name, value);
    }
    return NULL;
}

/* Takes "name=value", "name:value", "name(value)" or "name" off the text, null at the end.  Commas and spaces inside
 * parentheses belong to the value. */
static char *
next_word(char **text)
{
    char *word = *text + strspn(*text, ", \t\r\n"), *p = word;
    int depth = 0;

    if (!*word) {
        return NULL;
    }
    for (; *p && (depth || !strchr(", \t\r\n", *p)); p++) {
        depth += *p == '(' ? 1 : *p == ')' ? -1 : 0;
    }
    *text = p + (*p != '\0');
    *p = '\0';
    return word;
}

static struct error *
parse_word(struct match *m, char *word, const struct port_names *names)
{
    char *value = word + strcspn(word, "=:(");
    be16 old_type = m->flow.eth_type;

    if (!*value) {
        struct match before = *m;

        if (!match_parse_shorthand(m, word)) {
            return parse_field(m, word, "", names);
        }
        return before.mask.eth_type && old_type ? error_new("Ethernet type set multiple times") : NULL;
    }
    if (*value == '(' && value[strlen(value) - 1] == ')') {
        value[strlen(value) - 1] = '\0';
    }
    *value++ = '\0';
    return parse_field(m, word, value, names);
}

/* "vlan_tci" of a tag without its CFI bit is no tag. */
static void
settle(struct flow *f)
{
    if (flow_has_vlan(f)) {
        f->vlan_tpid = f->vlan_tpid ? f->vlan_tpid : BE16(0x8100);
    } else {
        f->vlan_tci = 0;
    }
}

struct error *
exact_match_parse(const char *text, const struct port_names *names, struct match *m)
{
    char *copy = xstrdup(text), *at = copy, *word;
    struct error *e = NULL;

    match_init_catchall(m);
    while (!e && (word = next_word(&at)) != NULL) {
        e = parse_word(m, word, names);
    }
    free(copy);
    return e;
}

struct error *
exact_flow_parse(const char *text, const struct port_names *names, const struct tun_map *options, struct flow *flow)
{
    struct match m;
    struct error *e = exact_match_parse(text, names, &m);

    (void) !tun_match_bind(options, &m, true); /* Cannot fail if it may cut. */
    *flow = m.flow;
    settle(flow);
    return e;
}
