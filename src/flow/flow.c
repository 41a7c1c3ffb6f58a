#include "flow/flow.h"

#include "base/hash.h"

#define N_WORDS (sizeof(struct flow) / sizeof(uint64_t))

static const uint64_t *
words(const struct flow *flow)
{
    return flow->lines[0].words;
}

uint16_t
flow_used_lines(const struct flow *flow, uint16_t among)
{
    uint16_t used = 0;

    FLOW_FOR_EACH_LINE (i, among) {
        uint64_t any = 0;

        for (int k = 0; k < 8; k++) {
            any |= flow->lines[i].words[k];
        }
        used |= (any != 0) << i;
    }
    return used;
}

bool
flow_equal_masked(const struct flow *a, const struct flow *b, const struct flow *mask)
{
    uint64_t difference = 0;

    for (size_t i = 0; i < N_WORDS; i++) {
        difference |= (words(a)[i] ^ words(b)[i]) & words(mask)[i];
    }
    return !difference;
}

uint32_t
flow_hash_masked(const struct flow *flow, const struct flow *mask, uint32_t basis)
{
    struct flow masked;

    flow_mask(&masked, flow, mask);
    return hash_bytes(&masked, sizeof masked, basis);
}

void
flow_mask(struct flow *dst, const struct flow *flow, const struct flow *mask)
{
    for (size_t i = 0; i < N_WORDS; i++) {
        dst->lines[i / 8].words[i % 8] = words(flow)[i] & words(mask)[i];
    }
}

void
flow_or(struct flow *dst, const struct flow *src)
{
    for (size_t i = 0; i < N_WORDS; i++) {
        dst->lines[i / 8].words[i % 8] |= words(src)[i];
    }
}

bool
flow_mask_is_subset(const struct flow *inner, const struct flow *outer)
{
    uint64_t outside = 0;

    for (size_t i = 0; i < N_WORDS; i++) {
        outside |= words(inner)[i] & ~words(outer)[i];
    }
    return !outside;
}

void
flow_copy_headers(struct flow *dst, const struct flow *src)
{
    enum { FIRST = offsetof(struct flow, eth_dst), END = offsetof(struct flow, packet_ns) + 1 };
    static const struct flow none;

    src = src ? src : &none;
    memcpy((char *) dst + FIRST, (const char *) src + FIRST, END - FIRST);
    FLOW_FOR_EACH_LINE (i, FLOW_LINE_IPV6 | FLOW_LINE_MISC) {
        dst->lines[i] = src->lines[i];
    }
}

int
flow_count_mpls(const struct flow *f)
{
    int n = 0;

    if (flow_is_mpls(f)) {
        while (n < FLOW_MPLS_LABELS && !(be32_to_cpu(f->mpls_lse[n++]) & 0x100)) {
        }
    }
    return n;
}
