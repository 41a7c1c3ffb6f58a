/* Fuzz target: the parser of frames, and what changes the headers that it found. */
#include <stdlib.h>

#include "flow/extract.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct flow_offsets o;
    struct flow flow;
    uint16_t lines;

    if (size > UINT16_MAX) {
        return 0;
    }
    lines = flow_extract_full(data, size, NULL, &flow, &o);
    if (flow_used_lines(&flow, FLOW_LINES_ALL) & ~lines || (o.l4 != FLOW_NO_OFFSET && o.l4 > size)
        || (o.l3 != FLOW_NO_OFFSET && o.l3 > size) || o.l3_pad > size) {
        abort();
    }
    return 0;
}
