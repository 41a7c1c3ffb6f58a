/* ct(..) and the nat(..) in it. */
#include "odp/action_text.h"

#include <inttypes.h>

#include "flow/field_text.h"

static const struct member mark = MEMBER("mark", ct_mark, 0, 32, HEX);
static const struct member label = MEMBER("label", ct_label, 0, 128, WIDE_HEX);

/* Formatting. */

static void
put_ip(struct str *s, const struct odp_attr *a, bool brackets)
{
    struct ipv6_addr ip6;
    be32 ip;

    if (odp_attr_size(a) == sizeof ip) {
        memcpy(&ip, odp_attr_data(a), sizeof ip);
        str_putf(s, IP_FMT, IP_ARGS(ip));
    } else if (odp_attr_size(a) == sizeof ip6) {
        memcpy(&ip6, odp_attr_data(a), sizeof ip6);
        str_puts(s, brackets ? "[" : "");
        ipv6_put(s, &ip6);
        str_puts(s, brackets ? "]" : "");
    }
}

static void
put_nat(struct str *s, const struct odp_attr *a)
{
    const struct odp_attr *attrs[ODP_NAT_PROTO_RANDOM + 1] = { NULL }, *min, *max;
    unsigned int port_min, port_max;

    ODP_FOR_EACH (i, odp_attr_data(a), odp_attr_size(a)) {
        if (i->type <= ODP_NAT_PROTO_RANDOM) {
            attrs[i->type] = i;
        }
    }
    str_puts(s, "nat");
    if (!attrs[ODP_NAT_SRC] && !attrs[ODP_NAT_DST]) {
        return;
    }
    min = attrs[ODP_NAT_IP_MIN];
    max = attrs[ODP_NAT_IP_MAX];
    port_min = attrs[ODP_NAT_PROTO_MIN] ? attr_u16(attrs[ODP_NAT_PROTO_MIN]) : 0;
    port_max = attrs[ODP_NAT_PROTO_MAX] ? attr_u16(attrs[ODP_NAT_PROTO_MAX]) : 0;
    str_puts(s, attrs[ODP_NAT_SRC] ? "(src" : "(dst");
    if (min) {
        str_putc(s, '=');
        put_ip(s, min, port_min);
        if (max && memcmp(odp_attr_data(max), odp_attr_data(min), MIN(odp_attr_size(max), odp_attr_size(min)))) {
            str_putc(s, '-');
            put_ip(s, max, port_min);
        }
    }
    if (port_min) {
        str_putf(s, min ? ":%u" : "=:%u", port_min);
        if (port_max && port_max != port_min) {
            str_putf(s, "-%u", port_max);
        }
    }
    str_puts(s, attrs[ODP_NAT_PERSISTENT] ? ",persistent" : "");
    str_puts(s, attrs[ODP_NAT_PROTO_HASH] ? ",hash" : "");
    str_puts(s, attrs[ODP_NAT_PROTO_RANDOM] ? ",random" : "");
    str_putc(s, ')');
}

/* A value and a mask of a member, as the kernel has them: marks in host order. */
static void
put_masked(struct str *s, const struct member *m, const struct odp_attr *a)
{
    struct flow flow = { .in_port = 0 }, mask = flow;
    uint32_t words[2];

    if (m == &mark && odp_attr_size(a) == 8) {
        memcpy(words, odp_attr_data(a), 8);
        flow.ct_mark = cpu_to_be32(words[0]);
        mask.ct_mark = cpu_to_be32(words[1]);
    } else if (odp_attr_size(a) == 32) {
        memcpy(flow.ct_label, odp_attr_data(a), 16);
        memcpy(mask.ct_label, (const uint8_t *) odp_attr_data(a) + 16, 16);
    }
    str_putf(s, "%s=", m->name);
    member_put(s, m, &flow, NULL, NULL);
    if (m != &label || !member_is_exact(m, &mask)) {
        member_put_mask(s, m, &mask);
    }
    str_putc(s, ',');
}

static void
put_string(struct str *s, const char *name, const struct odp_attr *a)
{
    str_putf(s, "%s=", name);
    str_putn(s, odp_attr_data(a), strnlen(odp_attr_data(a), odp_attr_size(a)));
    str_putc(s, ',');
}

void
ct_put(struct str *s, const struct odp_attr *a)
{
    const struct odp_attr *attrs[ODP_CT_TIMEOUT + 1] = { NULL };

    ODP_FOR_EACH (i, odp_attr_data(a), odp_attr_size(a)) {
        if (i->type <= ODP_CT_TIMEOUT) {
            attrs[i->type] = i;
        }
    }
    str_puts(s, "ct(");
    str_puts(s, attrs[ODP_CT_COMMIT] ? "commit," : "");
    str_puts(s, attrs[ODP_CT_FORCE_COMMIT] ? "force_commit," : "");
    if (attrs[ODP_CT_ZONE] && attr_u16(attrs[ODP_CT_ZONE])) {
        str_putf(s, "zone=%u,", attr_u16(attrs[ODP_CT_ZONE]));
    }
    if (attrs[ODP_CT_MARK]) {
        put_masked(s, &mark, attrs[ODP_CT_MARK]);
    }
    if (attrs[ODP_CT_LABELS]) {
        put_masked(s, &label, attrs[ODP_CT_LABELS]);
    }
    if (attrs[ODP_CT_HELPER]) {
        put_string(s, "helper", attrs[ODP_CT_HELPER]);
    }
    if (attrs[ODP_CT_TIMEOUT]) {
        put_string(s, "timeout", attrs[ODP_CT_TIMEOUT]);
    }
    if (attrs[ODP_CT_NAT]) {
        put_nat(s, attrs[ODP_CT_NAT]);
    }
    str_chomp(s, ',');
    if (!str_chomp(s, '(')) {
        str_putc(s, ')');
    }
}

/* Reading. */

struct nat_address {
    uint8_t bytes[16];
    size_t n; /* 4 or 16. */
};

/* An address up to one of the characters that may follow it. */
static bool
scan_nat_address(const char **p, struct nat_address *a)
{
    bool brackets = scan_literal(p, "[");
    size_t n = strspn(*p, "0123456789abcdefABCDEF:.");
    char word[64];
    struct ipv6_addr ip6;
    be32 ip;

    /* Outside brackets a colon after an IPv4 address begins the port. */
    if (!brackets && memchr(*p, '.', n) && strcspn(*p, ":") > strcspn(*p, ".")) {
        n = strspn(*p, "0123456789.");
    }
    if (!n || n >= sizeof word) {
        return false;
    }
    memcpy(word, *p, n);
    word[n] = '\0';
    *p += n;
    if (!brackets && ipv4_parse(word, &ip)) {
        a->n = sizeof ip;
        memcpy(a->bytes, &ip, a->n);
        return true;
    }
    a->n = sizeof ip6;
    if (!ipv6_parse(word, &ip6)) {
        return false;
    }
    memcpy(a->bytes, &ip6, a->n);
    return !brackets || scan_literal(p, "]");
}

static bool
scan_port_range(const char **p, struct bytes *out)
{
    uint64_t min, max;
    uint16_t v;

    if (!scan_number(p, 16, &min)) {
        return false;
    }
    v = min;
    odp_put(out, ODP_NAT_PROTO_MIN, &v, sizeof v);
    if (scan_literal(p, "-")) {
        if (!scan_number(p, 16, &max) || max < min) {
            return false;
        }
        v = max;
        odp_put(out, ODP_NAT_PROTO_MAX, &v, sizeof v);
    }
    return true;
}

static bool
scan_nat_range(const char **p, struct bytes *out)
{
    struct nat_address min, max;

    if (**p != ':' || (*p)[1] == ':') {
        if (!scan_nat_address(p, &min)) {
            return false;
        }
        odp_put(out, ODP_NAT_IP_MIN, min.bytes, min.n);
        if (scan_literal(p, "-")) {
            if (!scan_nat_address(p, &max) || max.n != min.n || memcmp(max.bytes, min.bytes, min.n) < 0) {
                return false;
            }
            odp_put(out, ODP_NAT_IP_MAX, max.bytes, max.n);
        }
    }
    return !scan_literal(p, ":") || scan_port_range(p, out);
}

static bool
scan_nat_item(const char **p, struct bytes *out, bool *src, bool *dst)
{
    if (scan_literal(p, "src")) {
        *src = true;
        odp_put_flag(out, ODP_NAT_SRC);
        return !scan_literal(p, "=") || scan_nat_range(p, out);
    } else if (scan_literal(p, "dst")) {
        *dst = true;
        odp_put_flag(out, ODP_NAT_DST);
        return !scan_literal(p, "=") || scan_nat_range(p, out);
    } else if (scan_literal(p, "persistent")) {
        odp_put_flag(out, ODP_NAT_PERSISTENT);
    } else if (scan_literal(p, "hash")) {
        odp_put_flag(out, ODP_NAT_PROTO_HASH);
    } else if (scan_literal(p, "random")) {
        odp_put_flag(out, ODP_NAT_PROTO_RANDOM);
    } else {
        return false;
    }
    return true;
}

static bool
scan_nat(const char **p, struct bytes *out)
{
    size_t begun = odp_begin(out, ODP_CT_NAT);
    bool src = false, dst = false;

    if (scan_literal(p, "(")) {
        for (scan_separators(p); !scan_literal(p, ")"); scan_separators(p)) {
            if (!scan_nat_item(p, out, &src, &dst)) {
                return false;
            }
        }
    }
    odp_end(out, begun);
    return !(src && dst);
}

static bool
scan_masked(const char **p, const struct member *m, uint16_t type, struct bytes *out)
{
    struct flow flow = { .in_port = 0 }, mask = flow;
    uint32_t words[2];
    uint8_t labels[32];

    if (!member_scan(p, m, NULL, &flow, &mask)) {
        return false;
    }
    if (m == &mark) {
        words[0] = be32_to_cpu(flow.ct_mark);
        words[1] = be32_to_cpu(mask.ct_mark);
        odp_put(out, type, words, sizeof words);
    } else {
        memcpy(labels, flow.ct_label, 16);
        memcpy(labels + 16, mask.ct_label, 16);
        odp_put(out, type, labels, sizeof labels);
    }
    return true;
}

static bool
scan_string(const char **p, uint16_t type, struct bytes *out)
{
    char word[32];
    size_t n = strcspn(*p, ",) \t\r\n");

    if (!n || n >= sizeof word) {
        return false;
    }
    memcpy(word, *p, n);
    word[n] = '\0';
    *p += n;
    odp_put(out, type, word, n + 1);
    return true;
}

static bool
scan_item(const char **p, struct bytes *out)
{
    uint64_t zone;
    uint16_t v;

    if (scan_literal(p, "commit")) {
        odp_put_flag(out, ODP_CT_COMMIT);
    } else if (scan_literal(p, "force_commit")) {
        odp_put_flag(out, ODP_CT_FORCE_COMMIT);
    } else if (scan_literal(p, "zone=")) {
        if (!scan_number(p, 16, &zone)) {
            return false;
        }
        v = zone;
        odp_put(out, ODP_CT_ZONE, &v, sizeof v);
    } else if (scan_literal(p, "mark=")) {
        return scan_masked(p, &mark, ODP_CT_MARK, out);
    } else if (scan_literal(p, "label=")) {
        return scan_masked(p, &label, ODP_CT_LABELS, out);
    } else if (scan_literal(p, "helper=")) {
        return scan_string(p, ODP_CT_HELPER, out);
    } else if (scan_literal(p, "timeout=")) {
        return scan_string(p, ODP_CT_TIMEOUT, out);
    } else {
        return scan_literal(p, "nat") && scan_nat(p, out);
    }
    return true;
}

bool
ct_scan(const char **p, struct bytes *out)
{
    size_t begun = odp_begin(out, ODP_CT);

    for (scan_separators(p); !scan_literal(p, ")"); scan_separators(p)) {
        if (!scan_item(p, out)) {
            return false;
        }
    }
    odp_end(out, begun);
    return true;
}
