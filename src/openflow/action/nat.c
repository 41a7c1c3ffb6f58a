/* nat, inside ct: translate source or destination, to a range of addresses and ports, or back. */

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "openflow/action/ops.h"

/* Which values follow, in the order of the bits. */
enum {
    RANGE_IPV4_MIN = 1, RANGE_IPV4_MAX = 2, RANGE_IPV6_MIN = 4, RANGE_IPV6_MAX = 8, RANGE_PORT_MIN = 16,
    RANGE_PORT_MAX = 32, RANGE_ALL = 63
};

enum { NAT_ALL = NAT_SRC | NAT_DST | NAT_PERSISTENT | NAT_HASH | NAT_RANDOM };

static bool
flags_are_valid(unsigned int flags)
{
    return !(flags & ~NAT_ALL) && (flags & (NAT_SRC | NAT_DST)) != (NAT_SRC | NAT_DST) &&
           (flags & (NAT_HASH | NAT_RANDOM)) != (NAT_HASH | NAT_RANDOM);
}

/* A maximum needs its minimum, and addresses are of one family. */
static bool
range_is_valid(unsigned int range, unsigned int flags)
{
    bool v4 = range & (RANGE_IPV4_MIN | RANGE_IPV4_MAX), v6 = range & (RANGE_IPV6_MIN | RANGE_IPV6_MAX);

    return !(range & ~RANGE_ALL) && !(v4 && v6) && (!range || flags & (NAT_SRC | NAT_DST)) &&
           (!(range & RANGE_IPV4_MAX) || range & RANGE_IPV4_MIN) &&
           (!(range & RANGE_IPV6_MAX) || range & RANGE_IPV6_MIN) &&
           (!(range & RANGE_PORT_MAX) || range & RANGE_PORT_MIN);
}

static bool
take(struct cursor *c, unsigned int range, unsigned int bit, void *p, size_t n)
{
    const void *from = range & bit ? cursor_take(c, n) : NULL;

    if (from) {
        memcpy(p, from, n);
    }
    return from || !(range & bit);
}

static bool
take_range(struct cursor *c, unsigned int range, struct act_nat *a)
{
    be16 min = BE16(0), max = BE16(0);
    bool ok;

    a->family = range & RANGE_IPV4_MIN ? NAT_IPV4 : range & RANGE_IPV6_MIN ? NAT_IPV6 : NAT_NO_ADDRESS;
    ok = take(c, range, RANGE_IPV4_MIN, &a->ipv4.min, 4) && take(c, range, RANGE_IPV4_MAX, &a->ipv4.max, 4) &&
         take(c, range, RANGE_IPV6_MIN, &a->ipv6.min, 16) && take(c, range, RANGE_IPV6_MAX, &a->ipv6.max, 16) &&
         take(c, range, RANGE_PORT_MIN, &min, 2) && take(c, range, RANGE_PORT_MAX, &max, 2);
    a->port_min = be16_to_cpu(min);
    a->port_max = be16_to_cpu(max);
    return ok;
}

/* Whether each maximum that is there is at least its minimum. */
static bool
is_ascending(const struct act_nat *a, unsigned int range)
{
    return (!(range & RANGE_IPV4_MAX) || be32_to_cpu(a->ipv4.min) <= be32_to_cpu(a->ipv4.max)) &&
           (!(range & RANGE_IPV6_MAX) || memcmp(&a->ipv6.min, &a->ipv6.max, 16) <= 0) &&
           (!(range & RANGE_PORT_MAX) || a->port_min <= a->port_max);
}

static enum ofperr
nat_decode(const struct act_wire *w, struct act_buf *out)
{
    struct act_nat *a = act_put(out, ACT_NAT, sizeof *a);
    unsigned int range = act_be16(w, 14);
    struct cursor c = act_cursor(w, 16);

    a->flags = act_be16(w, 12);
    if (!flags_are_valid(a->flags) || !range_is_valid(range, a->flags)) {
        return OFPERR_OFPBAC_BAD_ARGUMENT;
    }
    if (!take_range(&c, range, a)) {
        return OFPERR_OFPBAC_BAD_LEN;
    }
    if (c.left >= 8) {
        return OFPERR_OFPBAC_BAD_LEN;
    }
    return is_ascending(a, range) ? OFPERR_NONE : OFPERR_OFPBAC_BAD_ARGUMENT;
}

static unsigned int
range_of(const struct act_nat *a)
{
    bool v4 = a->family == NAT_IPV4, v6 = a->family == NAT_IPV6;
    unsigned int range = 0;

    range |= v4 ? RANGE_IPV4_MIN : 0;
    range |= v4 && a->ipv4.max ? RANGE_IPV4_MAX : 0;
    range |= v6 ? RANGE_IPV6_MIN : 0;
    range |= v6 && !is_all_zeros(&a->ipv6.max, 16) ? RANGE_IPV6_MAX : 0;
    range |= a->port_min ? RANGE_PORT_MIN : 0;
    range |= a->port_min && a->port_max ? RANGE_PORT_MAX : 0;
    return range;
}

static void
put(struct bytes *b, bool present, const void *p, size_t n)
{
    if (present) {
        bytes_put(b, p, n);
    }
}

static void
nat_encode(const struct act *act, enum of_version v UNUSED, struct bytes *b)
{
    const struct act_nat *a = (const struct act_nat *) act;
    unsigned int range = range_of(a);
    be16 min = cpu_to_be16(a->port_min), max = cpu_to_be16(a->port_max);
    size_t start = act_begin(b, ACT_FORM_NX_NAT);

    bytes_put_be16(b, 0);
    bytes_put_be16(b, a->flags);
    bytes_put_be16(b, range);
    put(b, range & RANGE_IPV4_MIN, &a->ipv4.min, 4);
    put(b, range & RANGE_IPV4_MAX, &a->ipv4.max, 4);
    put(b, range & RANGE_IPV6_MIN, &a->ipv6.min, 16);
    put(b, range & RANGE_IPV6_MAX, &a->ipv6.max, 16);
    put(b, range & RANGE_PORT_MIN, &min, 2);
    put(b, range & RANGE_PORT_MAX, &max, 2);
    act_end(b, start);
}

static void
format_ipv6(struct str *s, const struct ipv6_addr *ip, bool brackets)
{
    str_puts(s, brackets ? "[" : "");
    ipv6_put(s, ip);
    str_puts(s, brackets ? "]" : "");
}

/* A maximum that is the minimum says nothing. */
static void
format_range(struct str *s, const struct act_nat *a)
{
    unsigned int range = range_of(a);
    bool port = range & RANGE_PORT_MIN;

    str_putc(s, '=');
    if (range & RANGE_IPV4_MIN) {
        str_putf(s, IP_FMT, IP_ARGS(a->ipv4.min));
    }
    if (range & RANGE_IPV4_MAX && a->ipv4.max != a->ipv4.min) {
        str_putf(s, "-" IP_FMT, IP_ARGS(a->ipv4.max));
    }
    if (range & RANGE_IPV6_MIN) {
        format_ipv6(s, &a->ipv6.min, port);
    }
    if (range & RANGE_IPV6_MAX && memcmp(&a->ipv6.max, &a->ipv6.min, 16)) {
        str_putc(s, '-');
        format_ipv6(s, &a->ipv6.max, port);
    }
    if (port) {
        str_putf(s, ":%u", a->port_min);
    }
    if (range & RANGE_PORT_MAX && a->port_max != a->port_min) {
        str_putf(s, "-%u", a->port_max);
    }
}

static void
nat_format(struct act_writer *w, const struct act *act)
{
    const struct act_nat *a = (const struct act_nat *) act;

    str_puts(w->s, "nat");
    if (!(a->flags & (NAT_SRC | NAT_DST))) {
        return;
    }
    str_puts(w->s, a->flags & NAT_SRC ? "(src" : "(dst");
    if (a->family != NAT_NO_ADDRESS) {
        format_range(w->s, a);
        str_puts(w->s, a->flags & NAT_PERSISTENT ? ",persistent" : "");
        str_puts(w->s, a->flags & NAT_HASH ? ",hash" : "");
        str_puts(w->s, a->flags & NAT_RANDOM ? ",random" : "");
    }
    str_putc(w->s, ')');
}

/* Parsing. */

/* The dotted number at 'text'; the character behind it, null if there is none. */
static const char *
scan_ipv4(const char *text, be32 *ip)
{
    size_t n = strspn(text, "0123456789.");
    char copy[16];

    if (n >= sizeof copy) {
        return NULL;
    }
    memcpy(copy, text, n);
    copy[n] = '\0';
    return ipv4_parse(copy, ip) ? text + n : NULL;
}

/* In brackets or bare. */
static const char *
scan_ipv6(const char *text, struct ipv6_addr *ip)
{
    bool brackets = *text == '[';
    const char *start = text + brackets;
    size_t n = strspn(start, "0123456789abcdefABCDEF:.");
    char copy[48];

    if (n >= sizeof copy || (brackets && start[n] != ']')) {
        return NULL;
    }
    memcpy(copy, start, n);
    copy[n] = '\0';
    return ipv6_parse(copy, ip) ? start + n + brackets : NULL;
}

static struct error *
bad_range(const char *text)
{
    return error_new("invalid nat range \"%s\"", text);
}

static const char *
scan_ipv4_range(const char *at, struct act_nat *a)
{
    a->family = NAT_IPV4;
    if (*at == '-') {
        at = scan_ipv4(at + 1, &a->ipv4.max);
        if (!at || be32_to_cpu(a->ipv4.max) < be32_to_cpu(a->ipv4.min)) {
            return NULL;
        }
    }
    return at;
}

static const char *
scan_ipv6_range(const char *at, struct act_nat *a)
{
    a->family = NAT_IPV6;
    if (*at == '-') {
        at = scan_ipv6(at + 1, &a->ipv6.max);
        if (!at || memcmp(&a->ipv6.max, &a->ipv6.min, 16) < 0) {
            return NULL;
        }
    }
    return at;
}

static const char *
scan_port(const char *at, uint16_t *port)
{
    size_t n = strspn(at, "0123456789");
    char copy[8];

    if (!n || n >= sizeof copy) {
        return NULL;
    }
    memcpy(copy, at, n);
    copy[n] = '\0';
    return num_parse_u16(copy, 10, port) ? at + n : NULL;
}

static const char *
scan_ports(const char *at, struct act_nat *a)
{
    if (*at != ':') {
        return at;
    }
    at = scan_port(at + 1, &a->port_min);
    if (at && *at == '-') {
        at = scan_port(at + 1, &a->port_max);
        if (a->port_max < a->port_min) {
            return NULL;
        }
    }
    return at;
}

static void
forget_range(struct act_nat *a)
{
    a->family = NAT_NO_ADDRESS;
    memset(&a->ipv6, 0, sizeof a->ipv6);
    a->port_min = a->port_max = 0;
}

/* Zero is no address: a range from it is none. */
static void
drop_zero_address(struct act_nat *a)
{
    if (is_all_zeros(&a->ipv6.min, a->family == NAT_IPV4 ? 4 : 16)) {
        forget_range(a);
    }
}

static struct error *
parse_range(const char *text, struct act_nat *a)
{
    const char *at;

    forget_range(a);
    if (!*text) {
        return NULL;
    }
    at = scan_ipv4(text, &a->ipv4.min);
    if (at) {
        at = scan_ipv4_range(at, a);
    } else {
        at = scan_ipv6(text, &a->ipv6.min);
        if (!at) {
            size_t n = *text == '[' ? 0 : strspn(text, "0123456789abcdefABCDEF:.");

            return error_new("garbage (%s) after nat range \"%s\" (pos: %zu)", text + n, text, n);
        }
        at = scan_ipv6_range(at, a);
    }
    at = at ? scan_ports(at, a) : NULL;
    if (!at) {
        return bad_range(text);
    }
    if (*at) {
        return error_new("garbage (%s) after nat range \"%s\" (pos: %td)", at, text, at - text);
    }
    drop_zero_address(a);
    return NULL;
}

static struct error *
parse_key(struct act_nat *a, const char *key, const char *value)
{
    static const struct {
        const char *key;
        uint16_t flag;
    } flags[] = { { "persistent", NAT_PERSISTENT }, { "hash", NAT_HASH }, { "random", NAT_RANDOM } };

    if (!strcmp(key, "src") || !strcmp(key, "dst")) {
        a->flags |= *key == 's' ? NAT_SRC : NAT_DST;
        return parse_range(value, a);
    }
    for (unsigned int i = 0; i < ARRAY_SIZE(flags); i++) {
        if (!strcmp(flags[i].key, key)) {
            a->flags |= flags[i].flag;
            return NULL;
        }
    }
    return error_new("invalid key \"%s\" in \"nat\" argument", key);
}

static struct error *
check_flags(const struct act_nat *a)
{
    if ((a->flags & (NAT_SRC | NAT_DST)) == (NAT_SRC | NAT_DST)) {
        return error_new("May only specify one of \"src\" or \"dst\".");
    }
    if (a->flags && !(a->flags & (NAT_SRC | NAT_DST))) {
        return error_new("Flags allowed only with \"src\" or \"dst\".");
    }
    return flags_are_valid(a->flags) ? NULL : error_new("Both \"hash\" and \"random\" are not allowed.");
}

static struct error *
nat_parse(struct act_parser *p, const char *keyword UNUSED, char *arg)
{
    struct act_nat *a = act_put(p->out, ACT_NAT, sizeof *a);
    struct error *e = NULL;
    char *key, *value;

    while (!e && act_take_key_value(&arg, &key, &value)) {
        e = parse_key(a, key, value);
    }
    return e ? e : check_flags(a);
}

static enum ofperr
nat_check(struct act *act, struct act_check *c)
{
    const struct act_nat *a = (const struct act_nat *) act;
    uint16_t type = act_eth_type(c);
    bool ok = a->family == NAT_IPV4 ? type == 0x0800 : a->family == NAT_IPV6 ? type == 0x86dd : act_is_ip(c);

    return ok ? OFPERR_NONE : OFPERR_OFPBAC_MATCH_INCONSISTENT;
}

const struct act_ops act_nat_ops = {
    .decode = nat_decode, .encode = nat_encode, .format = nat_format, .parse = nat_parse, .check = nat_check,
};
