/* Ethernet and IPv6 addresses as values. */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H 1

#include "base/be.h"
#include "base/str.h"

struct eth_addr {
    uint8_t ea[6];
};

struct ipv6_addr {
    uint8_t s6[16];
};

#define ETH_ADDR_FMT "%02x:%02x:%02x:%02x:%02x:%02x"
#define ETH_ADDR_ARGS(E) (E).ea[0], (E).ea[1], (E).ea[2], (E).ea[3], (E).ea[4], (E).ea[5]
#define IP_FMT "%u.%u.%u.%u"
#define IP_ARGS(IP) \
    be32_to_cpu(IP) >> 24, be32_to_cpu(IP) >> 16 & 255, be32_to_cpu(IP) >> 8 & 255, be32_to_cpu(IP) & 255

static inline bool eth_addr_is_multicast(struct eth_addr a) { return a.ea[0] & 1; }
static inline bool eth_addr_equal(struct eth_addr a, struct eth_addr b) { return !memcmp(&a, &b, sizeof a); }
static inline bool eth_addr_is_zero(struct eth_addr a) { return is_all_zeros(&a, sizeof a); }
static inline bool eth_addr_is_broadcast(struct eth_addr a) { return is_all_ones(&a, sizeof a); }

static inline uint64_t
eth_addr_to_u64(struct eth_addr a)
{
    return (uint64_t) get_be16(a.ea) << 32 | get_be32(a.ea + 2);
}

static inline struct eth_addr
eth_addr_from_u64(uint64_t x)
{
    struct eth_addr a;

    put_be16(a.ea, x >> 32);
    put_be32(a.ea + 2, x);
    return a;
}

/* Read a whole text; false if it is anything else.  An Ethernet address is six pairs of digits with colons. */
bool eth_addr_parse(const char *text, struct eth_addr *addr);
bool ipv4_parse(const char *text, be32 *ip);
bool ipv6_parse(const char *text, struct ipv6_addr *ip);

/* Append the usual text form. */
void eth_addr_put(struct str *s, const uint8_t mac[6]);
void ipv4_put(struct str *s, be32 ip);
void ipv6_put(struct str *s, const struct ipv6_addr *ip);

/* Mask of the first 'n' bits. */
be32 ipv4_prefix_mask(int n);
struct ipv6_addr ipv6_prefix_mask(int n);
/* Number of leading ones if that is all that 'mask' is, else -1. */
int ipv4_mask_to_prefix(be32 mask);
int ipv6_mask_to_prefix(const struct ipv6_addr *mask);

#endif
