#include "odp/member.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>

#include "flow/field_text.h"

/* Bits from the end of struct flow, as bits_copy() counts. */
static unsigned int
end_offset(const struct member *m)
{
    return sizeof(struct flow) * 8 - m->bit - m->n_bits;
}

static void
get_wide(const struct member *m, const struct flow *flow, uint8_t bits[16])
{
    memset(bits, 0, 16);
    bits_copy(flow, sizeof *flow, end_offset(m), bits, 16, 0, m->n_bits);
}

static void
set_wide(const struct member *m, struct flow *flow, const uint8_t bits[16])
{
    bits_copy(bits, 16, 0, flow, sizeof *flow, end_offset(m), m->n_bits);
}

uint64_t
member_get(const struct member *m, const struct flow *flow)
{
    uint8_t bits[16];

    get_wide(m, flow, bits);
    return get_be64(bits + 8);
}

void
member_set(const struct member *m, struct flow *flow, uint64_t v)
{
    uint8_t bits[16] = { 0 };

    put_be64(bits + 8, v);
    set_wide(m, flow, bits);
}

void
member_set_ones(const struct member *m, struct flow *mask)
{
    uint8_t ones[16];

    memset(ones, 0xff, sizeof ones);
    set_wide(m, mask, ones);
}

bool
member_is_any(const struct member *m, const struct flow *mask)
{
    uint8_t bits[16];

    get_wide(m, mask, bits);
    return !is_all_zeros(bits, sizeof bits);
}

bool
member_is_exact(const struct member *m, const struct flow *mask)
{
    uint8_t bits[16], ones[16];
    struct flow all;

    memset(&all, 0xff, sizeof all);
    get_wide(m, mask, bits);
    get_wide(m, &all, ones);
    return !memcmp(bits, ones, sizeof bits);
}

/* Formatting. */

static void
put_port(struct str *s, uint32_t port, const struct odp_names *names)
{
    const char *name = names ? names->name(names, ODP_PORT(port)) : NULL;

    if (name) {
        str_puts(s, name);
    } else {
        str_putf(s, "%"PRIu32, port);
    }
}

static void
put_ipv6(struct str *s, const uint8_t bits[16])
{
    struct ipv6_addr ip;

    memcpy(&ip, bits, sizeof ip);
    ipv6_put(s, &ip);
}

static void
put_value(struct str *s, const struct member *m, const uint8_t bits[16], const struct odp_names *names)
{
    uint64_t v = get_be64(bits + 8);

    switch ((enum member_kind) m->kind) {
    case MEMBER_DEC: case MEMBER_DEC_VLAN: case MEMBER_DEC_BIT: str_putf(s, "%"PRIu64, v); break;
    case MEMBER_HEX: case MEMBER_CT_STATE: str_putf(s, "%#"PRIx64, v); break;
    case MEMBER_HEX4: str_putf(s, "0x%04"PRIx64, v); break;
    case MEMBER_WIDE_HEX: bytes_format_hex(s, bits, 16); break;
    case MEMBER_ETH: str_putf(s, ETH_ADDR_FMT, ETH_ADDR_ARGS(eth_addr_from_u64(v))); break;
    case MEMBER_IPV4: str_putf(s, IP_FMT, IP_ARGS(cpu_to_be32(v))); break;
    case MEMBER_IPV6: put_ipv6(s, bits); break;
    case MEMBER_PORT: put_port(s, v, names); break;
    case MEMBER_FRAG: str_puts(s, !v ? "no" : v & FLOW_FRAG_LATER ? "later" : "first"); break;
    case MEMBER_TCP_FLAGS: case MEMBER_TUN_FLAGS: break; /* Put by put_flags(). */
    }
}

void
member_put_mask(struct str *s, const struct member *m, const struct flow *mask)
{
    uint8_t bits[16];
    uint64_t v;

    get_wide(m, mask, bits);
    v = get_be64(bits + 8);
    switch ((enum member_kind) m->kind) {
    case MEMBER_DEC: case MEMBER_PORT: str_putf(s, "/%#"PRIx64, v); break;
    case MEMBER_DEC_VLAN: str_putf(s, "/0x%"PRIx64, v); break;
    case MEMBER_DEC_BIT: str_putf(s, "/%"PRIx64, v); break;
    case MEMBER_FRAG: break; /* Always exact where it is shown. */
    default: str_putc(s, '/'); put_value(s, m, bits, NULL); break;
    }
}

static const char *const tunnel_flag_names[] = { "oam", "df", "csum", "key" };

/* Flags have no mask in text: "+syn-ack" if they are partly wildcarded, "syn|ack" if not.  Those of TCP are "0/0" if
 * they are wholly so. */
static bool
put_flags(struct str *s, const struct member *m, const struct flow *flow, const struct flow *mask)
{
    uint32_t all = (UINT64_C(1) << (m->n_bits & 31)) - 1, bits = mask ? member_get(m, mask) : all;

    if (m->kind == MEMBER_TCP_FLAGS && !bits) {
        str_puts(s, "0/0");
    } else if (m->kind == MEMBER_TCP_FLAGS) {
        flags_format(s, member_get(m, flow), bits, all, tcp_flag_names, ARRAY_SIZE(tcp_flag_names));
    } else if (m->kind == MEMBER_TUN_FLAGS) {
        flags_format(s, member_get(m, flow), bits, all, tunnel_flag_names, ARRAY_SIZE(tunnel_flag_names));
    } else {
        return false;
    }
    return true;
}

void
member_put(struct str *s, const struct member *m, const struct flow *flow, const struct flow *mask,
           const struct odp_names *names)
{
    uint8_t bits[16];

    if (put_flags(s, m, flow, mask)) {
        return;
    }
    get_wide(m, flow, bits);
    put_value(s, m, bits, names);
    if (mask && !member_is_exact(m, mask)) {
        member_put_mask(s, m, mask);
    }
}

/* Reading. */

void
scan_separators(const char **p)
{
    *p += strspn(*p, ", \t\r\n");
}

bool
scan_literal(const char **p, const char *literal)
{
    size_t n = strlen(literal);
    bool there = !strncmp(*p, literal, n);

    *p += there ? n : 0;
    return there;
}

bool
scan_number(const char **p, unsigned int n_bits, uint64_t *v)
{
    uint8_t bytes[8];
    const char *tail;

    if (!isdigit((unsigned char) **p) || field_parse_int(*p, bytes, sizeof bytes, &tail)) {
        return false;
    }
    *v = get_be64(bytes);
    *p = tail;
    return n_bits >= 64 || !(*v >> n_bits);
}

/* Takes characters of 'set' into 'word' of 'size' bytes. */
static bool
scan_word(const char **p, const char *set, char *word, size_t size)
{
    size_t n = strspn(*p, set);

    if (!n || n >= size) {
        return false;
    }
    memcpy(word, *p, n);
    word[n] = '\0';
    *p += n;
    return true;
}

static bool
scan_eth(const char **p, uint8_t bits[16])
{
    char word[32];
    struct eth_addr mac;

    if (!scan_word(p, "0123456789abcdefABCDEF:", word, sizeof word) || !eth_addr_parse(word, &mac)) {
        return false;
    }
    memcpy(bits + 10, &mac, 6);
    return true;
}

static bool
scan_ipv4(const char **p, uint8_t bits[16])
{
    char word[32];
    be32 ip;

    if (!scan_word(p, "0123456789.", word, sizeof word) || !ipv4_parse(word, &ip)) {
        return false;
    }
    memcpy(bits + 12, &ip, 4);
    return true;
}

static bool
scan_ipv6(const char **p, uint8_t bits[16])
{
    char word[64];
    struct ipv6_addr ip;

    if (!scan_word(p, "0123456789abcdefABCDEF:.", word, sizeof word) || !ipv6_parse(word, &ip)) {
        return false;
    }
    memcpy(bits, &ip, 16);
    return true;
}

static bool
scan_wide(const char **p, unsigned int n_bits, uint8_t bits[16])
{
    const char *tail;

    if (!isdigit((unsigned char) **p) || field_parse_int(*p, bits, n_bits / 8, &tail)) {
        return false;
    }
    memmove(bits + 16 - n_bits / 8, bits, n_bits / 8);
    *p = tail;
    return true;
}

static bool
scan_port(const char **p, const struct odp_names *names, uint64_t *v)
{
    size_t n = strcspn(*p, ",)/ ");
    char name[64];
    odp_port port;

    if (scan_number(p, 32, v)) {
        return true;
    }
    if (!names || !n || n >= sizeof name) {
        return false;
    }
    memcpy(name, *p, n);
    name[n] = '\0';
    if (!names->find(names, name, &port)) {
        return false;
    }
    *v = port.n;
    *p += n;
    return true;
}

static bool
scan_frag(const char **p, uint64_t *v)
{
    if (scan_literal(p, "no")) {
        *v = 0;
    } else if (scan_literal(p, "first")) {
        *v = FLOW_FRAG_ANY;
    } else if (scan_literal(p, "later")) {
        *v = FLOW_FRAG_ANY | FLOW_FRAG_LATER;
    } else {
        return false;
    }
    return true;
}

/* One name of a flag; its bit, or 0. */
static uint32_t
scan_flag(const char **p, const char *const *names, unsigned int n)
{
    size_t len = strspn(*p, "abcdefghijklmnopqrstuvwxyz");

    for (unsigned int i = 0; i < n; i++) {
        if (names[i] && strlen(names[i]) == len && !strncmp(names[i], *p, len)) {
            *p += len;
            return 1u << i;
        }
    }
    return 0;
}

/* "+a-b" (which fixes just those), "a|b" or nothing (all). */
static bool
scan_flag_names(const char **p, const char *const *names, unsigned int n, uint64_t *v, uint64_t *mask)
{
    bool partial = **p == '+' || **p == '-';

    *v = *mask = 0;
    while (**p && **p != ')' && **p != ',') {
        bool on = **p != '-';
        uint32_t bit;

        *p += partial ? **p == '+' || **p == '-' : **p == '|';
        bit = scan_flag(p, names, n);
        if (!bit || *mask & bit) {
            return false;
        }
        *mask |= bit;
        *v |= on ? bit : 0;
    }
    *mask = partial ? *mask : UINT64_MAX;
    return true;
}

/* The kinds whose text says value and mask at once. */
static bool
scan_flags(const char **p, const struct member *m, struct flow *flow, struct flow *mask)
{
    const char *const *names = m->kind == MEMBER_TCP_FLAGS ? tcp_flag_names
                               : m->kind == MEMBER_CT_STATE ? ct_state_names : tunnel_flag_names;
    unsigned int n = m->kind == MEMBER_TCP_FLAGS ? 12 : m->kind == MEMBER_CT_STATE ? 8 : 4;
    uint64_t v, bits;

    if ((**p == ')' && m->kind != MEMBER_TUN_FLAGS) || !scan_flag_names(p, names, n, &v, &bits)) {
        return false;
    }
    member_set(m, flow, v);
    if (mask) {
        member_set(m, mask, bits);
    }
    return true;
}

static bool
scan_value(const char **p, const struct member *m, const struct odp_names *names, uint8_t bits[16])
{
    uint64_t v = 0;
    bool ok;

    memset(bits, 0, 16);
    switch ((enum member_kind) m->kind) {
    case MEMBER_ETH: return scan_eth(p, bits);
    case MEMBER_IPV4: return scan_ipv4(p, bits);
    case MEMBER_IPV6: return scan_ipv6(p, bits);
    case MEMBER_WIDE_HEX: return scan_wide(p, m->n_bits, bits);
    case MEMBER_PORT: ok = scan_port(p, names, &v); break;
    case MEMBER_FRAG: ok = scan_frag(p, &v); break;
    default: ok = scan_number(p, m->n_bits, &v); break;
    }
    put_be64(bits + 8, v);
    return ok;
}

static bool
is_flags(const struct member *m)
{
    return m->kind == MEMBER_TCP_FLAGS || m->kind == MEMBER_TUN_FLAGS || m->kind == MEMBER_CT_STATE;
}

bool
member_scan(const char **p, const struct member *m, const struct odp_names *names, struct flow *flow,
            struct flow *mask)
{
    uint8_t bits[16];

    if (is_flags(m) && !isdigit((unsigned char) **p)) {
        return scan_flags(p, m, flow, mask);
    }
    if (!scan_value(p, m, names, bits)) {
        return false;
    }
    set_wide(m, flow, bits);
    if (mask) {
        member_set_ones(m, mask);
    }
    if (**p != '/') {
        return true;
    }
    ++*p;
    if ((!mask && !is_flags(m)) || !scan_value(p, m, NULL, bits)) {
        return false;
    }
    if (mask) {
        set_wide(m, mask, bits);
    }
    return true;
}
