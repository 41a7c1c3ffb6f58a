#include "openflow/msg/ipfix.h"

#define N_COUNTERS 10

enum ofperr
ipfix_stats_take(struct cursor *c, struct ipfix_stats *s)
{
    const uint8_t *p = cursor_take(c, 88);
    uint64_t *counters = &s->total_flows;

    if (!p) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    for (int i = 0; i < N_COUNTERS; i++) {
        counters[i] = get_be64(p + 8 * i);
    }
    s->collector_set_id = get_be32(p + 80);
    return OFPERR_NONE;
}

void
ipfix_stats_put(struct bytes *b, const struct ipfix_stats *s)
{
    const uint64_t *counters = &s->total_flows;

    for (int i = 0; i < N_COUNTERS; i++) {
        bytes_put_be64(b, counters[i]);
    }
    bytes_put_be32(b, s->collector_set_id);
    bytes_put_zeros(b, 4);
}
