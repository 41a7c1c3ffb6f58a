#include "flow/field_text.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "base/num.h"

const char *const ct_state_names[8] = { "new", "est", "rel", "rpl", "inv", "trk", "snat", "dnat" };
const char *const tcp_flag_names[12] = { "fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr", "ns",
                                         "[200]", "[400]", "[800]" };
const char *const tun_flag_names[1] = { "oam" };

static const struct {
    uint8_t value, mask;
    const char *name;
} frag_names[] = {
    { 0, 3, "no" },
    { FLOW_FRAG_ANY, 1, "yes" },
    { FLOW_FRAG_ANY, 3, "first" },
    { FLOW_FRAG_ANY | FLOW_FRAG_LATER, 3, "later" },
    { 0, 2, "not_later" },
};

bool
field_mask_is_exact(const struct field *f, const union field_value *mask)
{
    union field_value ones;

    field_value_all_ones(f, &ones);
    for (int i = 0; i < f->wire_bytes; i++) {
        if ((mask->bytes[i] & ones.bytes[i]) != ones.bytes[i]) {
            return false;
        }
    }
    return true;
}

/* Integers. */

/* Puts hexadecimal digits from the end.  Digits that do not fit must be zero. */
static int
hex_to_bytes(const char *digits, size_t n_digits, uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n_digits; i++) {
        unsigned int x = num_hex_digit(digits[n_digits - 1 - i]);

        if (i / 2 < n) {
            bytes[n - 1 - i / 2] |= x << (i % 2 * 4);
        } else if (x) {
            return -ERANGE;
        }
    }
    return 0;
}

int
field_parse_int(const char *text, uint8_t *bytes, size_t n, const char **tail)
{
    unsigned long long x;
    char *end;

    memset(bytes, 0, n);
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        size_t n_digits = strspn(text + 2, "0123456789abcdefABCDEF");

        *tail = text + 2 + n_digits;
        return hex_to_bytes(text + 2, n_digits, bytes, n);
    }
    errno = 0;
    x = strtoull(text, &end, 0);
    *tail = end;
    if (end == text || errno) {
        return errno == ERANGE ? -ERANGE : -EINVAL;
    }
    for (size_t i = n; i-- > 0; x >>= 8) {
        bytes[i] = x;
    }
    return x ? -ERANGE : 0;
}

/* Part of 'text' that a message names: the value or the mask. */
static struct error *
int_error(const struct field *f, int error, const char *text, const char *what)
{
    return error == -ERANGE ? error_new("%s: %s too large for %u-byte field %s", text, what, f->wire_bytes, f->name)
                            : error_new("%s: bad syntax for %s %s", text, f->name, what);
}

static struct error *
parse_int(const struct field *f, const char *text, union field_value *v, union field_value *mask)
{
    const char *tail;
    int error;

    error = field_parse_int(text, v->bytes, f->wire_bytes, &tail);
    if (error || (*tail && *tail != '/')) {
        return int_error(f, error ? error : -EINVAL, text, "value");
    }
    if (!*tail) {
        memset(mask->bytes, 0xff, f->wire_bytes);
        return NULL;
    }
    error = field_parse_int(tail + 1, mask->bytes, f->wire_bytes, &tail);
    return error || *tail ? int_error(f, error ? error : -EINVAL, text, "mask") : NULL;
}

/* Addresses. */

/* One or two digits; what else strtoul() takes is left to it. */
static const char *
scan_hex_byte(const char *text, uint8_t *v)
{
    int high = num_hex_digit(text[0]), low = num_hex_digit(text[1]);
    char *end;

    if (low < 0 ? text[1] != 'x' && text[1] != 'X' : num_hex_digit(text[2]) < 0) {
        *v = low < 0 ? high : high << 4 | low;
        return text + (low < 0 ? 1 : 2);
    }
    *v = strtoul(text, &end, 16);
    return end;
}

/* Digits may be left out, as in 1:2:3:4:5:6; returns the first character behind. */
static const char *
scan_mac(const char *text, uint8_t *mac)
{
    for (int i = 0; i < 6; i++) {
        if (num_hex_digit(*text) < 0) {
            return NULL;
        }
        text = scan_hex_byte(text, &mac[i]);
        if (i < 5 && *text != ':') {
            return NULL;
        }
        text += i < 5;
    }
    return text;
}

static struct error *
parse_mac(const char *text, union field_value *v, union field_value *mask)
{
    const char *tail = scan_mac(text, v->bytes);

    memset(mask->bytes, 0xff, 6);
    if (tail && *tail == '/') {
        tail = scan_mac(tail + 1, mask->bytes);
    }
    return tail && !*tail ? NULL : error_new("%s: invalid Ethernet address", text);
}

/* Splits "ADDRESS/MASK"; false if the address is too long to be one. */
static bool
split_address(const char *text, char *address, size_t size, const char **mask)
{
    size_t n = strcspn(text, "/");

    *mask = text[n] ? text + n + 1 : NULL;
    if (n >= size) {
        return false;
    }
    memcpy(address, text, n);
    address[n] = '\0';
    return true;
}

static struct error *
parse_ipv4(const char *text, union field_value *v, union field_value *mask)
{
    const char *mask_text;
    char address[64];
    be32 ip, ip_mask = BE32_MAX;
    int prefix;

    if (!split_address(text, address, sizeof address, &mask_text) || !ipv4_parse(address, &ip)) {
        return error_new("%s: invalid IP address", text);
    }
    if (mask_text && num_parse_int(mask_text, 10, &prefix)) {
        if (prefix < 0 || prefix > 32) {
            return error_new("%s: IPv4 network prefix bits not between 0 and 32, inclusive", text);
        }
        ip_mask = ipv4_prefix_mask(prefix);
    } else if (mask_text && !ipv4_parse(mask_text, &ip_mask)) {
        return error_new("%s: invalid IP address", text);
    }
    memcpy(v->bytes, &ip, 4);
    memcpy(mask->bytes, &ip_mask, 4);
    return NULL;
}

static struct error *
parse_ipv6(const char *text, union field_value *v, union field_value *mask)
{
    struct ipv6_addr ip, ip_mask;
    const char *mask_text;
    char address[64];
    int prefix;

    memset(&ip_mask, 0xff, sizeof ip_mask);
    if (!split_address(text, address, sizeof address, &mask_text) || !ipv6_parse(address, &ip)) {
        return error_new("%s: invalid IPv6 address", text);
    }
    if (mask_text && num_parse_int(mask_text, 10, &prefix)) {
        if (prefix < 0 || prefix > 128) {
            return error_new("%s: IPv6 network prefix bits not between 0 and 128, inclusive", text);
        }
        ip_mask = ipv6_prefix_mask(prefix);
    } else if (mask_text && !ipv6_parse(mask_text, &ip_mask)) {
        return error_new("%s: invalid IPv6 address", text);
    }
    memcpy(v->bytes, &ip, 16);
    memcpy(mask->bytes, &ip_mask, 16);
    return NULL;
}

/* Ports, fragments, packet types. */

static struct error *
parse_port(const struct field *f, const char *text, const struct port_names *ports, union field_value *v,
           union field_value *mask)
{
    ofp_port p;

    if (!ofp_port_parse(text, ports, &p)) {
        return error_new("%s: invalid or unknown port for %s", text, f->name);
    }
    field_value_from_u64(f, ofp_to_u32(p), v);
    memset(mask->bytes, 0xff, f->wire_bytes);
    return NULL;
}

static struct error *
parse_frag(const char *text, union field_value *v, union field_value *mask)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(frag_names); i++) {
        if (!strcmp(text, frag_names[i].name)) {
            v->bytes[0] = frag_names[i].value;
            mask->bytes[0] = frag_names[i].mask;
            return NULL;
        }
    }
    return error_new("%s: unknown fragment type (valid types are \"no\", \"yes\", \"first\", \"later\", \"not_later\"",
                     text);
}

static struct error *
parse_packet_type(const char *text, union field_value *v, union field_value *mask)
{
    static const char *const parts[] = { "ns", "ns_type" };
    const char *tail = text;

    if (*tail != '(') {
        return error_new("%s: bad syntax for packet type missing '('", text);
    }
    tail++;
    for (int i = 0; i < 2; i++) {
        const char *start = tail;

        if (field_parse_int(start, v->bytes + 2 * i, 2, &tail)) {
            return error_new("%s: bad syntax for packet type %s", start, parts[i]);
        }
        if (*tail != ",)"[i]) {
            return error_new("%s: bad syntax for packet type missing '%c'", start, ",)"[i]);
        }
        tail++;
    }
    if (*tail) {
        return error_new("%s: bad syntax for packet type", text);
    }
    memset(mask->bytes, 0xff, 4);
    return NULL;
}

/* Flags. */

struct flag_set {
    const char *const *names;
    unsigned int n_names;
    const char *what;
};

static const struct flag_set ct_state_flags = { ct_state_names, ARRAY_SIZE(ct_state_names), "ct_state" };
static const struct flag_set tcp_flags_flags = { tcp_flag_names, ARRAY_SIZE(tcp_flag_names), "TCP" };
static const struct flag_set tun_flags_flags = { tun_flag_names, ARRAY_SIZE(tun_flag_names), "tunnel" };

static uint32_t
flag_bit(const struct flag_set *set, const char *name, size_t n)
{
    for (unsigned int i = 0; i < set->n_names; i++) {
        if (strlen(set->names[i]) == n && !memcmp(set->names[i], name, n)) {
            return UINT32_C(1) << i;
        }
    }
    return 0;
}

static struct error *
unknown_flags(const struct flag_set *set, const char *text)
{
    return error_new("%s: unknown %s flag(s)", text, set->what);
}

static struct error *
parse_numeric_flags(const struct flag_set *set, const char *text, uint32_t *flags, uint32_t *mask)
{
    uint32_t all = (UINT32_C(1) << set->n_names) - 1;
    unsigned long long value, m = all;
    char *tail;

    value = strtoull(text, &tail, 0);
    if (*tail == '/' && isdigit((unsigned char) tail[1])) {
        m = strtoull(tail + 1, &tail, 0);
    }
    if (*tail || value & ~(unsigned long long) all || m & ~(unsigned long long) all) {
        return unknown_flags(set, text);
    }
    *flags = value;
    *mask = m;
    return NULL;
}

/* "+a-b". */
static struct error *
parse_signed_flags(const struct flag_set *set, const char *text, uint32_t *flags, uint32_t *mask)
{
    *flags = *mask = 0;
    while (*text) {
        size_t n = strcspn(text + 1, "+-");
        uint32_t bit = flag_bit(set, text + 1, n);
        char *name;
        struct error *e;

        if (bit && !(*mask & bit)) {
            *mask |= bit;
            *flags |= *text == '+' ? bit : 0;
            text += n + 1;
            continue;
        }
        name = xstrndup(text + 1, n);
        e = bit ? error_new("%s: Each %s flag can be specified only once", name, set->what) : unknown_flags(set, name);
        free(name);
        return e;
    }
    return NULL;
}

/* "a|b": these and no others. */
static struct error *
parse_exact_flags(const struct flag_set *set, const char *text, uint32_t *flags, uint32_t *mask)
{
    const char *at = text;

    *flags = 0;
    *mask = (UINT32_C(1) << set->n_names) - 1;
    while (*at) {
        size_t n = strcspn(at, "|");
        uint32_t bit = flag_bit(set, at, n);

        if (!bit) {
            return unknown_flags(set, at);
        }
        *flags |= bit;
        at += n + (at[n] == '|');
    }
    return NULL;
}

static struct error *
parse_flags(const struct field *f, const struct flag_set *set, const char *text, union field_value *v,
            union field_value *mask)
{
    uint32_t flags, flags_mask;
    struct error *e;

    if (isdigit((unsigned char) *text)) {
        e = parse_numeric_flags(set, text, &flags, &flags_mask);
    } else if (*text == '+' || *text == '-') {
        e = parse_signed_flags(set, text, &flags, &flags_mask);
    } else {
        e = parse_exact_flags(set, text, &flags, &flags_mask);
    }
    if (!e) {
        field_value_from_u64(f, flags, v);
        field_value_from_u64(f, flags_mask, mask);
    }
    return e;
}

static struct error *
parse_by_format(const struct field *f, const char *text, const struct port_names *ports, union field_value *v,
                union field_value *mask)
{
    switch (f->format) {
    case FORMAT_DECIMAL:
    case FORMAT_HEX:
    case FORMAT_TOS: return parse_int(f, text, v, mask);
    case FORMAT_ETHERNET: return parse_mac(text, v, mask);
    case FORMAT_IPV4: return parse_ipv4(text, v, mask);
    case FORMAT_IPV6: return parse_ipv6(text, v, mask);
    case FORMAT_PORT10:
    case FORMAT_PORT: return parse_port(f, text, ports, v, mask);
    case FORMAT_FRAG: return parse_frag(text, v, mask);
    case FORMAT_CT_STATE: return parse_flags(f, &ct_state_flags, text, v, mask);
    case FORMAT_TCP_FLAGS: return parse_flags(f, &tcp_flags_flags, text, v, mask);
    case FORMAT_TUN_FLAGS: return parse_flags(f, &tun_flags_flags, text, v, mask);
    case FORMAT_PACKET_TYPE: return parse_packet_type(text, v, mask);
    }
    return error_new("%s: field %s has no text form", text, f->name);
}

struct error *
field_parse(const struct field *f, const char *text, const struct port_names *ports, union field_value *v,
            union field_value *mask)
{
    struct error *e;

    memset(v, 0, 16);
    memset(mask, 0, 16);
    if (UNLIKELY(f->wire_bytes > 16)) {
        memset(v, 0, f->wire_bytes);
        memset(mask, 0, f->wire_bytes);
    }
    if (!strcmp(text, "*")) {
        return NULL;
    }
    e = parse_by_format(f, text, ports, v, mask);
    if (!e && !f->maskable && !is_all_zeros(mask, f->wire_bytes) && !is_all_ones(mask, f->wire_bytes)) {
        e = error_new("%s: invalid mask for field %s", text, f->name);
    }
    return e;
}

/* Writing. */

void
bytes_format_hex(struct str *s, const uint8_t *bytes, size_t n)
{
    size_t i = 0;

    while (i < n && !bytes[i]) {
        i++;
    }
    if (i == n) {
        str_putc(s, '0');
        return;
    }
    str_puts(s, "0x");
    str_put_xint(s, bytes[i], 0);
    str_put_hex(s, bytes + i + 1, n - i - 1);
}

void
flags_format(struct str *s, uint32_t flags, uint32_t mask, uint32_t all, const char *const *names,
             unsigned int n_names)
{
    bool exact = (mask & all) == all, first = true;

    if (exact && !(flags & all)) {
        str_putc(s, '0');
        return;
    }
    for (unsigned int i = 0; i < n_names; i++) {
        uint32_t bit = UINT32_C(1) << i;

        if (!exact && mask & bit) {
            str_putf(s, "%c%s", flags & bit ? '+' : '-', names[i]);
        } else if (exact && flags & bit) {
            str_putf(s, "%s%s", first ? "" : "|", names[i]);
            first = false;
        }
    }
}

const char *
frag_name(uint8_t frag, uint8_t mask)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(frag_names); i++) {
        if (frag_names[i].mask == (mask & 3) && frag_names[i].value == (frag & mask & 3)) {
            return frag_names[i].name;
        }
    }
    return "<error>";
}

static void
format_int(struct str *s, const struct field *f, const union field_value *v, const union field_value *mask)
{
    if (f->format == FORMAT_HEX || f->wire_bytes > 8) {
        bytes_format_hex(s, v->bytes, f->wire_bytes);
    } else {
        str_put_uint(s, field_value_to_u64(f, v));
    }
    if (mask) {
        str_putc(s, '/');
        bytes_format_hex(s, mask->bytes, f->wire_bytes);
    }
}

static void
format_ipv4(struct str *s, const union field_value *v, const union field_value *mask)
{
    be32 ip, ip_mask;

    memcpy(&ip, v->bytes, 4);
    ipv4_put(s, ip);
    if (mask) {
        memcpy(&ip_mask, mask->bytes, 4);
        if (ipv4_mask_to_prefix(ip_mask) >= 0) {
            str_putf(s, "/%d", ipv4_mask_to_prefix(ip_mask));
        } else {
            str_putc(s, '/');
            ipv4_put(s, ip_mask);
        }
    }
}

static void
format_ipv6(struct str *s, const union field_value *v, const union field_value *mask)
{
    struct ipv6_addr ip, ip_mask;

    memcpy(&ip, v->bytes, 16);
    ipv6_put(s, &ip);
    if (mask) {
        memcpy(&ip_mask, mask->bytes, 16);
        if (ipv6_mask_to_prefix(&ip_mask) >= 0) {
            str_putf(s, "/%d", ipv6_mask_to_prefix(&ip_mask));
        } else {
            str_putc(s, '/');
            ipv6_put(s, &ip_mask);
        }
    }
}

static void
format_flags(struct str *s, const struct field *f, const struct flag_set *set, const union field_value *v,
             const union field_value *mask)
{
    uint32_t all = (UINT32_C(1) << set->n_names) - 1;

    flags_format(s, field_value_to_u64(f, v), mask ? field_value_to_u64(f, mask) : all, all, set->names, set->n_names);
}

void
field_format_packet_type(struct str *s, uint16_t ns, uint16_t type)
{
    if (ns || type) {
        str_putf(s, type < 10 ? "packet_type=(%u,%u)" : "packet_type=(%u,%#x)", ns, type);
    } else {
        str_puts(s, "eth");
    }
}

void
field_format(struct str *s, const struct field *f, const union field_value *v, const union field_value *mask,
             const struct port_names *ports)
{
    if (mask && field_mask_is_exact(f, mask)) {
        mask = NULL;
    }
    switch (f->format) {
    case FORMAT_DECIMAL:
    case FORMAT_HEX:
    case FORMAT_TOS: format_int(s, f, v, mask); break;
    case FORMAT_ETHERNET:
        eth_addr_put(s, v->bytes);
        if (mask) {
            str_putc(s, '/');
            eth_addr_put(s, mask->bytes);
        }
        break;
    case FORMAT_IPV4: format_ipv4(s, v, mask); break;
    case FORMAT_IPV6: format_ipv6(s, v, mask); break;
    case FORMAT_PORT10: ofp_port_put(s, ofp_port_from_u16(field_value_to_u64(f, v)), ports); break;
    case FORMAT_PORT: ofp_port_put(s, OFP_PORT(field_value_to_u64(f, v)), ports); break;
    case FORMAT_FRAG: str_puts(s, frag_name(v->bytes[0], mask ? mask->bytes[0] : 3)); break;
    case FORMAT_CT_STATE: format_flags(s, f, &ct_state_flags, v, mask); break;
    case FORMAT_TCP_FLAGS: format_flags(s, f, &tcp_flags_flags, v, mask); break;
    case FORMAT_TUN_FLAGS: format_flags(s, f, &tun_flags_flags, v, mask); break;
    case FORMAT_PACKET_TYPE: field_format_packet_type(s, get_be16(v->bytes), get_be16(v->bytes + 2)); break;
    }
}
