/* Datapath flows as text: the attributes in their order, with what nests. */
#include "odp/member.h"

/* Which attributes belong to a packet, from its own headers. */

static bool
has_l4(const struct flow *key, const struct flow *mask)
{
    return flow_is_ip(key) && !(key->nw_frag & FLOW_FRAG_LATER) && (!mask || mask->nw_proto == UINT8_MAX);
}

static const char *
l3_name(const struct flow *key)
{
    switch (be16_to_cpu(key->eth_type)) {
    case 0x0800: return "ipv4";
    case 0x86dd: return "ipv6";
    case 0x0806: case 0x8035: return "arp";
    default: return NULL;
    }
}

static const char *
l4_name(const struct flow *key)
{
    bool is_ipv4 = key->eth_type == BE16(0x0800);

    switch (key->nw_proto) {
    case 1: return is_ipv4 ? "icmp" : NULL;
    case 6: return "tcp";
    case 17: return "udp";
    case 58: return is_ipv4 ? NULL : "icmpv6";
    case 132: return "sctp";
    default: return NULL;
    }
}

static bool
has_nd(const struct flow *key, const struct flow *mask)
{
    unsigned int type = be16_to_cpu(key->tp_src);

    return has_l4(key, mask) && key->eth_type == BE16(0x86dd) && key->nw_proto == 58 && !key->tp_dst &&
           (type == 135 || type == 136) && (!mask || (mask->tp_src & BE16(0xff) && mask->tp_dst & BE16(0xff)));
}

/* Formatting. */

struct out {
    struct str *s;
    const struct flow *key, *mask; /* 'mask' null: all exact. */
    const struct odp_names *names;
    bool verbose;
};

static void
put(const struct out *o, const char *name)
{
    const struct attr_text *a = attr_by_name(name, strlen(name));

    if (o->verbose || !o->mask || attr_is_any(a, o->mask)) {
        attr_put(o->s, a, o->key, o->mask, o->verbose, o->names);
    }
}

/* ct_state is a number where everything is shown. */
static void
put_ct_state(const struct out *o)
{
    if (o->verbose || !o->mask) {
        str_putf(o->s, "ct_state(%#x", o->key->ct_state);
        if (o->mask) {
            str_putf(o->s, "/%#x", o->mask->ct_state);
        }
        str_puts(o->s, "),");
    } else if (o->mask->ct_state) {
        static const char *const names[] = { "new", "est", "rel", "rpl", "inv", "trk", "snat", "dnat" };

        str_puts(o->s, "ct_state(");
        for (int i = 0; i < 8; i++) {
            if (o->mask->ct_state >> i & 1) {
                str_putf(o->s, "%c%s", o->key->ct_state >> i & 1 ? '+' : '-', names[i]);
            }
        }
        str_puts(o->s, "),");
    }
}

static void
put_ct_tuple(const struct out *o)
{
    static const char *const tuples[] = { "ct_tuple4", "ct_tuple6" };

    for (int i = 0; i < 2; i++) {
        const struct attr_text *a = attr_by_name(tuples[i], strlen(tuples[i]));

        if (attr_is_any(a, o->mask ? o->mask : o->key)) {
            attr_put(o->s, a, o->key, o->mask, false, NULL);
        }
    }
}

static void
put_packet_type(const struct out *o)
{
    bool exact = !o->mask || o->mask->packet_ns;

    if (exact) {
        str_putf(o->s, "packet_type(ns=%u,id=", o->key->packet_ns);
        str_putf(o->s, "%#x),", o->key->packet_ns ? be16_to_cpu(o->key->eth_type) : 0);
    } else if (o->verbose) {
        str_puts(o->s, "packet_type(ns=0/0,id=0/0),");
    }
}

static void
put_metadata(const struct out *o)
{
    put(o, "skb_priority");
    if (tunnel_is_present(o->key)) {
        tunnel_put(o->s, o->key, o->mask, o->verbose);
    }
    put(o, "skb_mark");
    put_ct_state(o);
    put(o, "ct_zone");
    put(o, "ct_mark");
    put(o, "ct_label");
    put_ct_tuple(o);
    put(o, "recirc_id");
    put(o, "dp_hash");
    put(o, "in_port");
    put_packet_type(o);
}

/* Opens a tag and what it holds; the caller closes with ")". */
static bool
put_tag(const struct out *o, be16 tpid, be16 tci, const char *name)
{
    size_t start;

    if (!(tci & BE16(VLAN_PRESENT))) {
        return false;
    }
    str_putf(o->s, "eth_type(0x%04x),", tpid ? be16_to_cpu(tpid) : 0x8100);
    start = o->s->len;
    attr_put(o->s, attr_by_name(name, strlen(name)), o->key, o->mask, o->verbose, NULL);
    /* Both tags print as "vlan". */
    if (name[4] == '2') {
        memmove(o->s->text + start + 4, o->s->text + start + 5, o->s->len - start - 4);
        str_truncate(o->s, o->s->len - 1);
    }
    str_puts(o->s, "encap(");
    return true;
}

static void
put_l4(const struct out *o)
{
    const char *l4 = has_l4(o->key, o->mask) ? l4_name(o->key) : NULL;

    if (l4) {
        put(o, l4);
        if (o->key->nw_proto == 6 && (!o->mask || o->mask->tcp_flags)) {
            put(o, "tcp_flags");
        }
    }
    if (has_nd(o->key, o->mask)) {
        put(o, "nd");
        if (o->mask && attr_is_any(attr_by_name("nd_ext", 6), o->mask)) {
            put(o, "nd_ext");
        }
    }
}

static void
put_payload(const struct out *o)
{
    bool shown = !o->mask || o->mask->eth_type;
    const char *l3 = l3_name(o->key);

    if ((shown || o->verbose) && o->key->eth_type != BE16(0x05ff)) {
        put(o, "eth_type");
    }
    if (!shown && !o->verbose) {
        return;
    }
    if (o->key->eth_type == BE16(0x894f)) {
        nsh_put(o->s, o->key, o->mask);
    } else if (l3) {
        put(o, l3);
        put_l4(o);
    } else if (o->key->eth_type == BE16(0x8847) || o->key->eth_type == BE16(0x8848)) {
        if (!o->mask || o->verbose || o->mask->mpls_lse[0]) {
            mpls_put(o->s, o->key, o->mask);
        }
    }
}

void
odp_flow_format(struct str *s, const struct flow *key, const struct flow *mask, const struct odp_names *names,
                bool verbose)
{
    struct out o = { s, key, mask, names, verbose };
    int depth = 0;

    put_metadata(&o);
    if (!key->packet_ns) {
        if (verbose || !mask || !mask->packet_ns || !eth_addr_is_zero(mask->eth_src) ||
            !eth_addr_is_zero(mask->eth_dst)) {
            attr_put(s, attr_by_name("eth", 3), key, mask, verbose, NULL);
        }
        depth += put_tag(&o, key->vlan_tpid, key->vlan_tci, "vlan");
        depth += depth && put_tag(&o, key->vlan2_tpid, key->vlan2_tci, "vlan2");
    }
    put_payload(&o);
    str_chomp(s, ',');
    str_put_fill(s, ')', depth);
}

/* Reading. */

struct in {
    const char *p;
    const struct odp_names *names;
    struct flow *key, *mask; /* 'mask' null: none wanted. */
    bool has_eth, has_eth_type;
    int depth;               /* Of encap(). */
};

static bool scan_attrs(struct in *in, bool nested);

static bool
scan_packet_type(struct in *in)
{
    static const struct member ns = MEMBER("ns", packet_ns, 0, 8, DEC);
    static const struct member id = MEMBER("id", eth_type, 0, 16, HEX);
    struct flow other = { .eth_type = 0 }, other_mask = other;

    if (!scan_literal(&in->p, "ns=") || !member_scan(&in->p, &ns, NULL, in->key, in->mask)) {
        return false;
    }
    scan_separators(&in->p);
    if (!scan_literal(&in->p, "id=") || !member_scan(&in->p, &id, NULL, &other, &other_mask) ||
        !scan_literal(&in->p, ")")) {
        return false;
    }
    if (in->key->packet_ns) {
        in->key->eth_type = other.eth_type;
        in->has_eth_type = true;
        if (in->mask) {
            in->mask->eth_type = other_mask.eth_type;
        }
    }
    return in->key->packet_ns <= 1 && (in->key->packet_ns || !other.eth_type);
}

/* The tag read last is outside of all that follows: its type becomes the TPID. */
static bool
scan_encap(struct in *in)
{
    struct flow *k = in->key, *m = in->mask;
    be16 *tpid = in->depth ? &k->vlan2_tpid : &k->vlan_tpid;
    bool ok;

    if (in->depth >= 2) {
        return false;
    }
    *tpid = k->eth_type;
    k->eth_type = 0;
    if (m) {
        *(in->depth ? &m->vlan2_tpid : &m->vlan_tpid) = m->eth_type;
        m->eth_type = 0;
    }
    in->depth++;
    in->has_eth_type = false;
    ok = scan_attrs(in, true);
    in->depth--;
    return ok;
}

static bool
scan_vlan(struct in *in)
{
    const char *name = in->depth ? "vlan2" : "vlan";
    struct flow *k = in->key, *m = in->mask;

    *(in->depth ? &k->vlan2_tci : &k->vlan_tci) = BE16(VLAN_PRESENT);
    if (m) {
        *(in->depth ? &m->vlan2_tci : &m->vlan_tci) = BE16(VLAN_PRESENT);
    }
    if (in->depth >= 2 || !attr_scan(&in->p, attr_by_name(name, strlen(name)), NULL, k, m)) {
        return false;
    }
    /* A tag without the bit could not be told from no tag. */
    return (in->depth ? k->vlan2_tci : k->vlan_tci) & BE16(VLAN_PRESENT);
}

static bool
scan_attr(struct in *in)
{
    size_t n = strcspn(in->p, "(");
    const char *name = in->p;
    const struct attr_text *a;

    if (in->p[n] != '(') {
        return false;
    }
    in->p += n + 1;
    if (n == 4 && !strncmp(name, "vlan", n)) {
        return scan_vlan(in);
    } else if (n == 5 && !strncmp(name, "encap", n)) {
        return scan_encap(in);
    } else if (n == 4 && !strncmp(name, "mpls", n)) {
        return mpls_scan(&in->p, in->key, in->mask);
    } else if (n == 6 && !strncmp(name, "tunnel", n)) {
        return tunnel_scan(&in->p, in->key, in->mask);
    } else if (n == 11 && !strncmp(name, "packet_type", n)) {
        return scan_packet_type(in);
    }
    a = attr_by_name(name, n);
    if (!a || !strcmp(a->name, "vlan2")) {
        return false;
    }
    in->has_eth |= !strcmp(a->name, "eth");
    in->has_eth_type |= !strcmp(a->name, "eth_type");
    return attr_scan(&in->p, a, in->names, in->key, in->mask);
}

/* Leaves 'in->p' at the attribute that is wrong. */
static bool
scan_attrs(struct in *in, bool nested)
{
    for (;;) {
        const char *start;

        scan_separators(&in->p);
        if (nested && scan_literal(&in->p, ")")) {
            return true;
        }
        if (!*in->p) {
            return !nested;
        }
        start = in->p;
        if (!scan_attr(in)) {
            in->p = start;
            return false;
        }
    }
}

/* What the absence of an attribute says. */
static void
add_implied(struct in *in)
{
    if (!in->has_eth_type && in->has_eth && !(in->key->vlan_tci && !in->key->vlan_tpid)) {
        in->key->eth_type = BE16(0x05ff);
    }
    if (in->key->vlan_tci && !in->key->vlan_tpid) {
        in->key->vlan_tpid = BE16(0x8100);
    }
    if (in->mask) {
        in->mask->in_port = BE32_MAX;
        in->mask->recirc_id = BE32_MAX;
        if (in->has_eth && !in->key->vlan_tci) {
            in->mask->vlan_tci = BE16_MAX;
        }
    }
}

struct error *
odp_flow_parse(const char *text, const struct odp_names *names, struct flow *key, struct flow *mask)
{
    struct in in = { .p = text, .names = names, .key = key, .mask = mask };

    memset(key, 0, sizeof *key);
    if (mask) {
        memset(mask, 0, sizeof *mask);
    }
    if (!scan_attrs(&in, false)) {
        return error_new("syntax error at %s", in.p);
    }
    add_implied(&in);
    return NULL;
}

void
odp_ufid_format(struct str *s, const struct uuid *ufid)
{
    char text[UUID_LEN + 1];

    uuid_format(ufid, text);
    str_putf(s, "ufid:%s", text);
}

bool
odp_ufid_parse(const char **text, struct uuid *ufid)
{
    const char *p = *text;

    if (!scan_literal(&p, "ufid:") || !uuid_parse_prefix(ufid, p)) {
        return false;
    }
    p += UUID_LEN;
    scan_separators(&p);
    *text = p;
    return true;
}
