/* Datapath flows as text: the attributes in their order, with what nests. */
#include "flow/field_text.h"
#include "odp/key.h"
#include "odp/member.h"
#include "packet/headers.h"

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
        str_puts(o->s, "ct_state(");
        for (int i = 0; i < 8; i++) {
            if (o->mask->ct_state >> i & 1) {
                str_putf(o->s, "%c%s", o->key->ct_state >> i & 1 ? '+' : '-', ct_state_names[i]);
            }
        }
        str_puts(o->s, "),");
    }
}

/* Both have the same protocol and ports: these alone are shown in that of the packet's own family. */
static void
put_ct_tuple(const struct out *o)
{
    const struct attr_text *a = attr_by_name(o->key->eth_type == BE16(0x86dd) ? "ct_tuple6" : "ct_tuple4", 9);

    bool is_whole = o->verbose && attr_is_any(a, o->key);

    if (is_whole || attr_is_any(a, o->mask ? o->mask : o->key)) {
        attr_put(o->s, a, o->key, o->mask, is_whole, NULL);
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

/* Both tags print as "vlan". */
static void
put_vlan(struct str *s, const struct flow *key, const struct flow *mask, bool all, const char *name)
{
    size_t start = s->len;

    attr_put(s, attr_by_name(name, strlen(name)), key, mask, all, NULL);
    if (name[4] == '2') {
        memmove(s->text + start + 4, s->text + start + 5, s->len - start - 4);
        str_truncate(s, s->len - 1);
    }
}

/* A tag that the frame ends in has a type, but no more: it reads as one without bits.  Where it is matched that there
 * is none, so are its bits. */
static bool
put_cut_off_tag(const struct out *o)
{
    struct flow mask = { .vlan_tci = 0 };

    if (!eth_type_is_vlan(o->key->eth_type) || (o->mask && !o->mask->eth_type)) {
        return false;
    }
    if (o->mask) {
        mask.vlan_tci = o->mask->vlan_tci | (o->mask->vlan_tci & BE16(VLAN_PRESENT) ? BE16(VLAN_VID_MASK) : 0);
    }
    put(o, "eth_type");
    put_vlan(o->s, o->key, o->mask ? &mask : NULL, o->verbose, "vlan");
    str_puts(o->s, "encap()");
    return true;
}

/* Opens a tag and what it holds; the caller closes with ")".  An inner one of which nothing matters is not shown. */
static bool
put_tag(const struct out *o, be16 tpid, be16 tci, bool is_inner)
{
    if (!(tci & BE16(VLAN_PRESENT))) {
        return false;
    }
    str_putf(o->s, "eth_type(0x%04x),", tpid ? be16_to_cpu(tpid) : 0x8100);
    if (!is_inner || o->verbose || !o->mask || o->mask->vlan2_tci) {
        put_vlan(o->s, o->key, o->mask, o->verbose, is_inner ? "vlan2" : "vlan");
    }
    str_puts(o->s, "encap(");
    return true;
}

/* Where everything is shown, so is what the packet had and the mask leaves out. */
static void
put_l4(const struct out *o)
{
    const struct flow *mask = o->verbose ? NULL : o->mask;
    const char *l4 = has_l4(o->key, mask) ? l4_name(o->key) : NULL;

    if (l4) {
        put(o, l4);
        if (o->key->nw_proto == 6 && (!o->mask || o->mask->tcp_flags || o->key->tcp_flags)) {
            put(o, "tcp_flags"); /* A packet has some; a flow that was put in by hand may not speak of them. */
        }
    }
    if (has_nd(o->key, mask)) {
        put(o, "nd");
        if (o->mask && attr_is_any(attr_by_name("nd_ext", 6), o->mask)) {
            put(o, "nd_ext");
        }
    }
}

/* A frame with a length has no type, which a mask shows (but not behind a tag). */
static void
put_no_type(const struct out *o)
{
    if (o->mask && o->mask->eth_type && !o->key->vlan_tci) {
        str_putf(o->s, "eth_type(0/0x%04x),", be16_to_cpu(o->mask->eth_type));
    }
}

static void
put_payload(const struct out *o)
{
    bool shown = !o->mask || o->mask->eth_type;
    const char *l3 = l3_name(o->key);

    if (o->key->eth_type == BE16(0x05ff)) {
        put_no_type(o);
    } else if (shown || o->verbose) {
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
        depth += put_tag(&o, key->vlan_tpid, key->vlan_tci, false);
        depth += depth && put_tag(&o, key->vlan2_tpid, key->vlan2_tci, true);
    }
    if (depth || key->packet_ns || !put_cut_off_tag(&o)) {
        put_payload(&o);
    }
    str_chomp(s, ',');
    str_put_fill(s, ')', depth);
}

/* Reading. */

struct in {
    const char *p;
    const struct odp_names *names;
    struct flow *key, *mask; /* 'mask' null: none wanted. */
    bool has_in_port, has_eth, has_eth_type;
    int depth;               /* Of encap(). */
    struct odp_echo *echo;   /* What was read, attribute by attribute; null: not wanted. */
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
    if (in->echo) {
        str_puts(&in->echo->text, "encap(");
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

/* Attributes that are no plain lists of members. */
static const struct nesting {
    const char *name;
    enum odp_key key;
} nestings[] = {
    { "vlan", ODP_KEY_VLAN }, { "encap", ODP_KEY_ENCAP }, { "mpls", ODP_KEY_MPLS }, { "tunnel", ODP_KEY_TUNNEL },
    { "packet_type", ODP_KEY_PACKET_TYPE },
};

static const struct nesting *
nesting_by_name(const char *name, size_t n)
{
    for (const struct nesting *i = nestings; i < nestings + ARRAY_SIZE(nestings); i++) {
        if (strlen(i->name) == n && !memcmp(i->name, name, n)) {
            return i;
        }
    }
    return NULL;
}

static const char *
nesting_name(enum odp_key key)
{
    const struct nesting *i = nestings;

    while (i->key != key) {
        i++;
    }
    return i->name;
}

/* The names of the bits, as a key says them that has no mask. */
static void
echo_ct_state(struct str *s, unsigned int state)
{
    str_puts(s, "ct_state(");
    for (int i = 0; i < 8; i++) {
        if (state >> i & 1) {
            str_putf(s, "%s|", ct_state_names[i]);
        }
    }
    str_chomp(s, '|');
    str_puts(s, "),");
}

static bool
is_seen(const struct odp_echo *e, int depth, enum odp_key key)
{
    return e->seen[depth] >> key & 1;
}

/* 'a' is null for those that nest. */
static void
echo_attr(struct in *in, enum odp_key key, const struct attr_text *a)
{
    struct odp_echo *e = in->echo;
    struct out o = { .s = &e->text, .key = in->key };

    if (key && is_seen(e, in->depth, key) && !e->duplicate) {
        e->duplicate = a ? a->name : nesting_name(key);
    }
    e->seen[in->depth] |= key ? UINT32_C(1) << key : 0;
    switch ((int) key) {
    case ODP_KEY_VLAN: put_vlan(o.s, in->key, NULL, true, in->depth ? "vlan2" : "vlan"); break;
    case ODP_KEY_ENCAP:
        str_chomp(o.s, ',');
        str_puts(o.s, "),");
        break;
    case ODP_KEY_MPLS: mpls_put(o.s, in->key, NULL); break;
    case ODP_KEY_TUNNEL: tunnel_put(o.s, in->key, NULL, true); break;
    case ODP_KEY_PACKET_TYPE: put_packet_type(&o); break;
    case ODP_KEY_NSH: nsh_put(o.s, in->key, NULL); break;
    case ODP_KEY_CT_STATE: echo_ct_state(o.s, in->key->ct_state); break;
    default: attr_put(o.s, a, in->key, NULL, true, NULL);
    }
}

static bool
scan_plain(struct in *in, const struct attr_text *a)
{
    in->has_in_port |= !strcmp(a->name, "in_port");
    in->has_eth |= !strcmp(a->name, "eth");
    in->has_eth_type |= !strcmp(a->name, "eth_type");
    return attr_scan(&in->p, a, in->names, in->key, in->mask);
}

static bool
scan_nesting(struct in *in, enum odp_key key)
{
    switch ((int) key) {
    case ODP_KEY_VLAN: return scan_vlan(in);
    case ODP_KEY_ENCAP: return scan_encap(in);
    case ODP_KEY_MPLS: return mpls_scan(&in->p, in->key, in->mask);
    case ODP_KEY_TUNNEL: return tunnel_scan(&in->p, in->key, in->mask);
    default: return scan_packet_type(in);
    }
}

static bool
scan_attr(struct in *in)
{
    size_t n = strcspn(in->p, "(");
    const struct nesting *nesting = nesting_by_name(in->p, n);
    const struct attr_text *a = attr_by_name(in->p, n);
    static const uint8_t nothing[ODP_KEY_MAX_SIZE];
    bool ok;

    if (in->p[n] != '(' || (!nesting && (!a || !strcmp(a->name, "vlan2")))) {
        return false;
    }
    in->p += n + 1;
    if (a && a->key && in->echo && is_seen(in->echo, in->depth, a->key)) {
        odp_key_to_flow(a->key, nothing, in->key); /* One that comes twice is shown twice as it was said. */
    }
    ok = nesting ? scan_nesting(in, nesting->key) : scan_plain(in, a);
    if (ok && in->echo) {
        echo_attr(in, nesting ? nesting->key : a->key, nesting ? NULL : a);
    }
    return ok;
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
    if (!in->has_in_port) {
        in->key->in_port = cpu_to_be32(ODP_PORT_NONE.n);
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

/* The attributes of headers that a key with these values has, as bits of enum odp_key. */
static uint32_t
headers_of(const struct flow *key)
{
    const char *l3 = l3_name(key), *l4 = has_l4(key, NULL) ? l4_name(key) : NULL;
    uint32_t found = 0;

    if (key->eth_type == BE16(0x8847) || key->eth_type == BE16(0x8848)) {
        found |= UINT32_C(1) << ODP_KEY_MPLS;
    } else if (key->eth_type == BE16(0x894f)) {
        found |= UINT32_C(1) << ODP_KEY_NSH;
    }
    found |= l3 ? UINT32_C(1) << attr_by_name(l3, strlen(l3))->key : 0;
    found |= l4 ? UINT32_C(1) << attr_by_name(l4, strlen(l4))->key : 0;
    return found | (has_nd(key, NULL) ? UINT32_C(1) << ODP_KEY_ND : 0);
}

/* Types below 0x600 are lengths. */
static bool
is_impossible(const struct in *in)
{
    return in->echo->duplicate || (in->has_eth_type && be16_to_cpu(in->key->eth_type) < 0x600);
}

/* A key without eth_type() says nothing of headers, and what else it has is not held against it. */
static enum odp_fit
fit_of(const struct in *in)
{
    static const enum odp_key headers[] = { ODP_KEY_IPV4, ODP_KEY_IPV6, ODP_KEY_ARP, ODP_KEY_TCP, ODP_KEY_UDP,
                                            ODP_KEY_SCTP, ODP_KEY_ICMP, ODP_KEY_ICMPV6, ODP_KEY_ND, ODP_KEY_MPLS,
                                            ODP_KEY_NSH };
    const struct odp_echo *e = in->echo;
    const struct flow *key = in->key;
    uint32_t seen = e->seen[0], wanted = headers_of(key);
    int depth = 0;

    while (depth < 2 && seen >> ODP_KEY_ENCAP & 1) {
        if (!(seen >> ODP_KEY_VLAN & 1)) {
            return ODP_FIT_TOO_LITTLE;
        }
        seen = e->seen[++depth];
    }
    if (is_impossible(in)) {
        return ODP_FIT_ERROR;
    } else if (!(seen >> ODP_KEY_ETHERTYPE & 1)) {
        return ODP_FIT_PERFECT;
    } else if (key->eth_type == BE16(0x8100) || key->eth_type == BE16(0x88a8)) {
        return ODP_FIT_TOO_LITTLE;
    }
    for (size_t i = 0; i < ARRAY_SIZE(headers); i++) {
        if ((seen & ~wanted) >> headers[i] & 1) {
            return ODP_FIT_TOO_MUCH;
        }
    }
    return wanted & ~seen ? ODP_FIT_TOO_LITTLE : ODP_FIT_PERFECT;
}

struct error *
odp_flow_echo(const char *text, const struct odp_names *names, struct flow *key, struct odp_echo *echo)
{
    struct in in = { .p = text, .names = names, .key = key, .echo = echo };

    *echo = (struct odp_echo) { .text = STR_INIT };
    memset(key, 0, sizeof *key);
    if (!scan_attrs(&in, false)) {
        return error_new("syntax error at %s", in.p);
    }
    str_chomp(&echo->text, ',');
    if (!echo->text.len) {
        str_puts(&echo->text, "<empty>");
    }
    echo->fit = fit_of(&in);
    add_implied(&in);
    return NULL;
}

static void
clear_tags(struct flow *key)
{
    key->vlan_tci = key->vlan_tpid = key->vlan2_tci = key->vlan2_tpid = BE16(0);
}

/* The type of an untagged packet of which the key does not say it. */
static be16
type_of_headers(const struct odp_echo *e)
{
    return is_seen(e, 0, ODP_KEY_IPV4)   ? BE16(0x0800)
           : is_seen(e, 0, ODP_KEY_IPV6) ? BE16(0x86dd)
           : is_seen(e, 0, ODP_KEY_MPLS) ? BE16(0x8847)
                                         : BE16(0x05ff);
}

/* What the absence of an attribute says of a packet. */
static void
add_packet_implied(struct in *in)
{
    const struct odp_echo *e = in->echo;
    bool has_type = is_seen(e, 0, ODP_KEY_ETHERTYPE), has_encap = is_seen(e, 0, ODP_KEY_ENCAP);
    struct flow *key = in->key;
    be16 outer = has_encap ? key->vlan_tpid : key->eth_type;
    bool is_vlan = outer == BE16(0x8100) || outer == BE16(0x88a8);

    add_implied(in);
    if (has_type && !is_seen(e, 0, ODP_KEY_ETHERNET)) {
        key->packet_ns = 1;
        key->eth_type = outer;
        clear_tags(key);
    } else if (!has_type && (!key->packet_ns || is_seen(e, 0, ODP_KEY_ETHERNET))) {
        key->packet_ns = 0;
        key->eth_type = type_of_headers(e);
        clear_tags(key);
    } else if (has_type) {
        key->packet_ns = 0;
        if (is_vlan && !is_seen(e, 0, ODP_KEY_VLAN)) {
            key->eth_type = BE16(0);
            clear_tags(key);
        } else if (is_vlan && !has_encap) {
            key->vlan_tpid = outer;
            key->eth_type = BE16(0);
        }
    }
}

struct error *
odp_echo_error(const struct odp_echo *e, const struct flow *key)
{
    const char *whole = str_text(&e->text);

    if (e->duplicate) {
        return error_new("duplicate %s attribute in flow key; the flow key in error is: %s", e->duplicate, whole);
    }
    return error_new("invalid Ethertype %u in flow key; the flow key in error is: %s", be16_to_cpu(key->eth_type),
                     whole);
}

/* What no packet's key can be. */
static struct error *
problem_of(const struct in *in)
{
    const struct odp_echo *e = in->echo;

    if (!e->duplicate && is_seen(e, 0, ODP_KEY_TUNNEL) && !in->key->tun_ttl) {
        return error_new("tunnel options missing TTL; the flow key in error is: %s", str_text(&e->text));
    }
    return is_impossible(in) ? odp_echo_error(e, in->key) : NULL;
}

struct error *
odp_flow_parse_packet(const char *text, const struct odp_names *names, struct flow *key, struct error **problem)
{
    struct odp_echo echo = { .text = STR_INIT };
    struct flow ignored = { .in_port = BE32(0) };
    struct in in = { .p = text, .names = names, .key = key, .mask = &ignored, .echo = &echo };
    struct error *error = NULL;
    struct uuid ufid;

    memset(key, 0, sizeof *key);
    odp_ufid_parse(&in.p, &ufid); /* As it is shown in front of keys. */
    if (scan_attrs(&in, false)) {
        str_chomp(&echo.text, ',');
        *problem = problem_of(&in);
        add_packet_implied(&in);
    } else {
        error = error_new("syntax error at %s", in.p);
    }
    str_uninit(&echo.text);
    return error;
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
