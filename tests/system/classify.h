/* How a device takes a pattern of rte_flow items: which frames it covers.  For tests of rules, independent of how the
 * switch makes them. */
#ifndef TESTS_SYSTEM_CLASSIFY_H
#define TESTS_SYSTEM_CLASSIFY_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <rte_flow.h>

enum { MAX_ITEMS = 8, SPEC_SIZE = 64 };

/* A kind of item: its header on the wire, which its spec begins with, and names of the fields for the log. */
struct item_field {
    const char *name;
    uint8_t at, size;
};
struct kind {
    enum rte_flow_item_type type;
    const char *name;
    size_t wire, spec;
    struct item_field fields[16];
};

static const struct kind kinds[] = {
    { RTE_FLOW_ITEM_TYPE_ETH, "eth", 14, sizeof(struct rte_flow_item_eth),
      { { "dst", 0, 6 }, { "src", 6, 6 }, { "type", 12, 2 }, { "flags", 16, 4 } } },
    { RTE_FLOW_ITEM_TYPE_VLAN, "vlan", 4, sizeof(struct rte_flow_item_vlan),
      { { "tci", 0, 2 }, { "inner_type", 2, 2 }, { "flags", 4, 4 } } },
    { RTE_FLOW_ITEM_TYPE_IPV4, "ipv4", 20, sizeof(struct rte_flow_item_ipv4),
      { { "version_ihl", 0, 1 }, { "tos", 1, 1 }, { "length", 2, 2 }, { "id", 4, 2 }, { "fragment_offset", 6, 2 },
        { "ttl", 8, 1 }, { "proto", 9, 1 }, { "csum", 10, 2 }, { "src", 12, 4 }, { "dst", 16, 4 } } },
    { RTE_FLOW_ITEM_TYPE_IPV6, "ipv6", 40, sizeof(struct rte_flow_item_ipv6),
      { { "vtc_flow", 0, 4 }, { "length", 4, 2 }, { "proto", 6, 1 }, { "hop", 7, 1 }, { "src", 8, 16 },
        { "dst", 24, 16 }, { "flags", 40, 4 } } },
    { RTE_FLOW_ITEM_TYPE_TCP, "tcp", 20, sizeof(struct rte_flow_item_tcp),
      { { "src", 0, 2 }, { "dst", 2, 2 }, { "seq", 4, 8 }, { "data_off", 12, 1 }, { "flags", 13, 1 },
        { "rest", 14, 6 } } },
    { RTE_FLOW_ITEM_TYPE_UDP, "udp", 8, sizeof(struct rte_flow_item_udp),
      { { "src", 0, 2 }, { "dst", 2, 2 }, { "rest", 4, 4 } } },
    { RTE_FLOW_ITEM_TYPE_SCTP, "sctp", 12, sizeof(struct rte_flow_item_sctp),
      { { "src", 0, 2 }, { "dst", 2, 2 }, { "rest", 4, 8 } } },
    { RTE_FLOW_ITEM_TYPE_ICMP, "icmp", 8, sizeof(struct rte_flow_item_icmp),
      { { "type", 0, 1 }, { "code", 1, 1 }, { "rest", 2, 6 } } },
    { RTE_FLOW_ITEM_TYPE_ICMP6, "icmp6", 4, sizeof(struct rte_flow_item_icmp6),
      { { "type", 0, 1 }, { "code", 1, 1 }, { "checksum", 2, 2 } } },
};

struct item {
    const struct kind *kind;
    bool has_spec;
    uint8_t spec[SPEC_SIZE], mask[SPEC_SIZE];
};

struct pattern {
    unsigned int n;
    struct item items[MAX_ITEMS];
};

/* --- What a frame has --- */

struct header {
    enum rte_flow_item_type type;
    const uint8_t *at;
    bool more; /* Of an Ethernet header or tag: a tag follows. */
};

static bool
is_tag(const uint8_t *type)
{
    return (type[0] == 0x81 && type[1] == 0x00) || (type[0] == 0x88 && type[1] == 0xa8);
}

static enum rte_flow_item_type
transport(uint8_t proto)
{
    switch (proto) {
    case 1: return RTE_FLOW_ITEM_TYPE_ICMP;
    case 6: return RTE_FLOW_ITEM_TYPE_TCP;
    case 17: return RTE_FLOW_ITEM_TYPE_UDP;
    case 58: return RTE_FLOW_ITEM_TYPE_ICMP6;
    case 132: return RTE_FLOW_ITEM_TYPE_SCTP;
    default: return RTE_FLOW_ITEM_TYPE_END;
    }
}

static size_t
wire_size(enum rte_flow_item_type type)
{
    for (size_t i = 0; i < RTE_DIM(kinds); i++) {
        if (kinds[i].type == type) {
            return kinds[i].wire;
        }
    }
    return SIZE_MAX / 2;
}

static unsigned int
frame_headers(const uint8_t *p, size_t n, struct header h[MAX_ITEMS])
{
    const uint8_t *end = p + n, *type = p + 12;
    unsigned int k = 0;
    enum rte_flow_item_type next = RTE_FLOW_ITEM_TYPE_END;

    if (n < 14) {
        return 0;
    }
    h[k++] = (struct header) { RTE_FLOW_ITEM_TYPE_ETH, p, is_tag(type) };
    p += 14;
    while (is_tag(type) && k < 4 && end - p >= 4) {
        type = p + 2;
        h[k++] = (struct header) { RTE_FLOW_ITEM_TYPE_VLAN, p, is_tag(type) };
        p += 4;
    }
    if (type[0] == 0x08 && type[1] == 0x00 && end - p >= 20) {
        h[k++] = (struct header) { RTE_FLOW_ITEM_TYPE_IPV4, p, false };
        next = (p[6] & 0x1f) || p[7] ? RTE_FLOW_ITEM_TYPE_END : transport(p[9]);
        p += (p[0] & 15) * 4;
    } else if (type[0] == 0x86 && type[1] == 0xdd && end - p >= 40) {
        h[k++] = (struct header) { RTE_FLOW_ITEM_TYPE_IPV6, p, false };
        next = transport(p[6]);
        p += 40;
    }
    if (next != RTE_FLOW_ITEM_TYPE_END && p <= end && (size_t) (end - p) >= wire_size(next)) {
        h[k++] = (struct header) { next, p, false };
    }
    return k;
}

static bool
item_matches(const struct item *it, const struct header *h)
{
    if (it->kind->type != h->type) {
        return false;
    }
    for (size_t i = 0; it->has_spec && i < it->kind->wire; i++) {
        if ((it->spec[i] ^ h->at[i]) & it->mask[i]) {
            return false;
        }
    }
    if (it->has_spec && it->kind->type == RTE_FLOW_ITEM_TYPE_ETH && it->mask[16] & 1) {
        return (it->spec[16] & 1) == h->more;
    }
    if (it->has_spec && it->kind->type == RTE_FLOW_ITEM_TYPE_VLAN && it->mask[4] & 1) {
        return (it->spec[4] & 1) == h->more;
    }
    if (it->has_spec && it->kind->type == RTE_FLOW_ITEM_TYPE_IPV6 && it->mask[40] & 4) {
        return !!(it->spec[40] & 4) == (h->at[6] == 44);
    }
    return true;
}

static bool
pattern_covers(const struct pattern *p, const struct header *h, unsigned int n)
{
    if (p->n > n) {
        return false;
    }
    for (unsigned int i = p->n; i-- > 0;) { /* Most rules differ in the last one. */
        if (!item_matches(&p->items[i], &h[i])) {
            return false;
        }
    }
    return true;
}

static const struct kind *
kind_of(enum rte_flow_item_type type)
{
    for (size_t i = 0; i < RTE_DIM(kinds); i++) {
        if (kinds[i].type == type) {
            return &kinds[i];
        }
    }
    return NULL;
}

/* Null, or what a device does not take. */
static const char *
pattern_read(struct pattern *p, const struct rte_flow_item *from)
{
    for (p->n = 0; from->type != RTE_FLOW_ITEM_TYPE_END; from++) {
        struct item *it = &p->items[p->n];

        if (from->type == RTE_FLOW_ITEM_TYPE_VOID) {
            continue;
        }
        if (p->n == MAX_ITEMS || !kind_of(from->type) || from->last) {
            return "item not supported";
        }
        it->kind = kind_of(from->type);
        it->has_spec = from->spec != NULL;
        if (it->has_spec) {
            memcpy(it->spec, from->spec, it->kind->spec);
            memset(it->mask, 0xff, sizeof it->mask);
            if (from->mask) {
                memcpy(it->mask, from->mask, it->kind->spec);
            }
        }
        p->n++;
    }
    return NULL;
}

#endif
