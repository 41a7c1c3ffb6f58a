/* Fuzz target: the parser of frames, and what changes the headers that it found. */
#include <stdlib.h>

#include "flow/extract.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Packet type 'ns' and 'type' (ovs-fields(7) "packet_type"). */
static void
extract(const uint8_t *data, size_t size, uint8_t ns, uint16_t type)
{
    struct flow md, flow;
    struct flow_offsets o;
    uint16_t lines;

    memset(&md, 0, sizeof md);
    md.packet_ns = ns;
    md.eth_type = cpu_to_be16(type);
    lines = flow_extract_full(data, size, &md, &flow, &o);
    if (flow_used_lines(&flow, FLOW_LINES_ALL) & ~lines || (o.l4 != FLOW_NO_OFFSET && o.l4 > size)
        || (o.l3 != FLOW_NO_OFFSET && o.l3 > size) || o.l3_pad > size) {
        abort();
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint16_t types[] = { 0x0800, 0x0806, 0x86dd, 0x8847, 0x894f };

    if (size > UINT16_MAX) {
        return 0;
    }
    extract(data, size, 0, 0);
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        extract(data, size, 1, types[i]);
    }
    return 0;
}
