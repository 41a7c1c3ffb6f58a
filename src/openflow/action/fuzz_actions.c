/* Fuzz target: bytes to actions (or instructions) and back.  The first byte chooses the version (1 to 6) and, with bit
 * 3, instructions.  What was decoded must be encodable, and that decodable to the same bytes again. */
#include <stdlib.h>

#include "openflow/action/action.h"
#include "sys/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum ofperr
decode(const void *p, size_t n, enum of_version v, bool instructions, struct act_buf *out)
{
    return instructions ? act_decode_instructions(p, n, v, out) : act_decode_actions(p, n, v, out);
}

static void
encode(struct act_span s, enum of_version v, bool instructions, struct bytes *b)
{
    if (instructions) {
        act_encode_instructions(s, v, b);
    } else {
        act_encode_actions(s, v, b);
    }
}

static void
check(struct act_buf *acts)
{
    struct match m;
    struct act_check c = { .match = &m, .protocols = PROTO_ANY, .max_ports = OFPP_MAX, .table = 3 };

    match_init_catchall(&m);
    match_set_u64(&m, FIELD_ETH_TYPE, 0x0800);
    match_set_u64(&m, FIELD_NW_PROTO, 6);
    if (act_check(acts, &c)) {
        return; /* Inconsistent with this match, which is all right. */
    }
}

/* An action may be said in several ways: from the encoder's way on, nothing may change. */
static void
check_round_trip(struct act_span s, enum of_version v, bool instructions)
{
    struct bytes first = BYTES_INIT, second = BYTES_INIT;
    struct act_buf again = ACT_BUF_INIT;

    encode(s, v, instructions, &first);
    if (first.len < 60000 && !decode(first.data, first.len, v, instructions, &again)) {
        encode(act_buf_span(&again), v, instructions, &second);
        if (second.len != first.len || (first.len && memcmp(first.data, second.data, first.len))) {
            abort();
        }
    }
    act_buf_uninit(&again);
    bytes_uninit(&first);
    bytes_uninit(&second);
}

static void
use(struct act_buf *acts, enum of_version v, bool instructions)
{
    struct str s = STR_INIT;

    act_format(&s, act_buf_span(acts), NULL);
    str_uninit(&s);
    check(acts);
    check_round_trip(act_buf_span(acts), v, instructions);
    for (enum of_version other = OF10; other <= OF15; other++) {
        struct bytes b = BYTES_INIT;

        act_encode_instructions(act_buf_span(acts), other, &b);
        bytes_uninit(&b);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool quiet;
    struct act_buf acts = ACT_BUF_INIT;
    enum of_version v;
    bool instructions;

    if (!quiet) {
        error_free(log_configure("off"));
        quiet = true;
    }
    if (!size) {
        return 0;
    }
    v = OF10 + (data[0] & 7) % 6;
    instructions = data[0] & 8;
    if (!decode(data + 1, size - 1, v, instructions, &acts)) {
        use(&acts, v, instructions);
    }
    act_buf_uninit(&acts);
    return 0;
}
