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

void
ipv6_put(struct str *s, const struct ipv6_addr *ip)
{
    char text[INET6_ADDRSTRLEN];

    str_puts(s, inet_ntop(AF_INET6, ip, text, sizeof text));
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
    int n = 0;

    while (n < n_bytes * 8 && mask[n / 8] & 0x80 >> n % 8) {
        n++;
    }
    for (int i = n; i < n_bytes * 8; i++) {
        if (mask[i / 8] & 0x80 >> i % 8) {
            return -1;
        }
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
