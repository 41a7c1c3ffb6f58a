#include "base/addr.h"

#include <arpa/inet.h>
#include <ctype.h>

#include "base/bytes.h"

bool
eth_addr_parse(const char *text, struct eth_addr *addr)
{
    struct eth_addr a;

    for (int i = 0; i < 6; i++) {
        unsigned int byte = 0;
        int n = 0;

        for (; isxdigit((unsigned char) *text) && n < 2; n++, text++) {
            byte =
                byte * 16 + (isdigit((unsigned char) *text) ? *text - '0' : tolower((unsigned char) *text) - 'a' + 10);
        }
        if (!n || *text != (i < 5 ? ':' : '\0')) {
            return false;
        }
        text += i < 5;
        a.ea[i] = byte;
    }
    *addr = a;
    return true;
}

bool
ipv4_parse(const char *text, be32 *ip)
{
    struct in_addr in;

    if (inet_pton(AF_INET, text, &in) != 1) {
        return false;
    }
    *ip = (FORCE be32) in.s_addr;
    return true;
}

bool
ipv6_parse(const char *text, struct ipv6_addr *ip)
{
    return inet_pton(AF_INET6, text, ip) == 1;
}

/* A byte in decimal; returns the place behind it. */
static char *
put_decimal_byte(char *at, uint8_t v)
{
    if (v >= 100) {
        *at++ = '0' + v / 100;
    }
    if (v >= 10) {
        *at++ = '0' + v / 10 % 10;
    }
    *at++ = '0' + v % 10;
    return at;
}

static char *
put_ipv4_bytes(char *at, const uint8_t *bytes)
{
    for (int i = 0; i < 4; i++) {
        at = put_decimal_byte(at, bytes[i]);
        *at++ = '.';
    }
    return at - 1;
}

void
ipv4_put(struct str *s, be32 ip)
{
    char text[INET_ADDRSTRLEN], *end = put_ipv4_bytes(text, (const uint8_t *) &ip);

    str_putn(s, text, end - text);
}

void
eth_addr_put(struct str *s, const uint8_t mac[6])
{
    static const char digits[] = "0123456789abcdef";
    char text[18], *at = text;

    for (int i = 0; i < 6; i++) {
        *at++ = digits[mac[i] >> 4];
        *at++ = digits[mac[i] & 15];
        *at++ = ':';
    }
    str_putn(s, text, sizeof text - 1);
}

/* Up to four hexadecimal digits. */
static char *
put_group(char *at, unsigned int v)
{
    for (int shift = v > 0xfff ? 12 : v > 0xff ? 8 : v > 0xf ? 4 : 0; shift >= 0; shift -= 4) {
        *at++ = "0123456789abcdef"[v >> shift & 15];
    }
    return at;
}

/* The first of the longest runs of two or more groups that are zero: what "::" stands for. */
static void
find_zeros(const unsigned int groups[8], int *first, int *n)
{
    *first = *n = 0;
    for (int i = 0, start = 0; i < 8; i++) {
        start = groups[i] ? i + 1 : start;
        if (i + 1 - start >= 2 && i + 1 - start > *n) {
            *first = start;
            *n = i + 1 - start;
        }
    }
}

/* As inet_ntop() writes it: IPv4 addresses inside (::1.2.3.4 and ::ffff:1.2.3.4) in their own form. */
void
ipv6_put(struct str *s, const struct ipv6_addr *ip)
{
    char text[INET6_ADDRSTRLEN], *at = text;
    unsigned int groups[8];
    int first, n;

    for (int i = 0; i < 8; i++) {
        groups[i] = get_be16(ip->s6 + 2 * i);
    }
    find_zeros(groups, &first, &n);
    for (int i = 0; i < 8; i++) {
        if (n && i == first) {
            *at++ = ':';
            if (first + n == 8) {
                *at++ = ':';
            }
            i += n - 1;
            continue;
        }
        if (i) {
            *at++ = ':';
        }
        if (i == 6 && !first && (n == 6 || (n == 5 && groups[5] == 0xffff))) {
            at = put_ipv4_bytes(at, ip->s6 + 12);
            break;
        }
        at = put_group(at, groups[i]);
    }
    str_putn(s, text, at - text);
}

be32
ipv4_prefix_mask(int n)
{
    return cpu_to_be32(n > 0 ? UINT32_MAX << (32 - n) : 0);
}

struct ipv6_addr
ipv6_prefix_mask(int n)
{
    struct ipv6_addr mask;

    for (int i = 0; i < 16; i++, n -= 8) {
        mask.s6[i] = n >= 8 ? 0xff : n > 0 ? 0xff << (8 - n) : 0;
    }
    return mask;
}

static int
mask_to_prefix(const uint8_t *mask, int n_bytes)
{
    int i = 0, n;

    while (i < n_bytes && mask[i] == 0xff) {
        i++;
    }
    n = i * 8;
    if (i < n_bytes) {
        int ones = __builtin_clz((uint32_t) ~mask[i] << 24);

        if ((uint8_t) (mask[i] << ones) || !is_all_zeros(mask + i + 1, n_bytes - i - 1)) {
            return -1;
        }
        n += ones;
    }
    return n;
}

int
ipv4_mask_to_prefix(be32 mask)
{
    return mask_to_prefix((const uint8_t *) &mask, 4);
}

int
ipv6_mask_to_prefix(const struct ipv6_addr *mask)
{
    return mask_to_prefix(mask->s6, 16);
}
