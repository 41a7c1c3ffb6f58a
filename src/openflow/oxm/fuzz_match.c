/* Fuzz target: bytes to a match and back.  The first byte chooses strict or loose reading and the version to write. */
#include <stdlib.h>

#include "flow/match_text.h"
#include "openflow/oxm/oxm.h"
#include "openflow/version.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a match says in full must be read back as the same match. */
static void
check_round_trip(const struct match *m, enum of_version v)
{
    struct bytes b = BYTES_INIT;
    struct match again, third;
    struct bytes twice = BYTES_INIT;

    oxm_encode_match(m, v, NULL, &b);
    if (!oxm_decode_match(b.data, b.len, OXM_LOOSE, &again, NULL)) {
        oxm_encode_match(&again, v, NULL, &twice);
        if (oxm_decode_match(twice.data, twice.len, OXM_LOOSE, &third, NULL) || !match_equal(&again, &third)) {
            abort();
        }
    } else {
        abort();
    }
    bytes_uninit(&b);
    bytes_uninit(&twice);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct oxm_cookie cookie;
    struct str s = STR_INIT;
    struct match m;

    if (!size) {
        return 0;
    }
    if (!oxm_decode_match(data + 1, size - 1, data[0] & 1 ? OXM_LOOSE : OXM_STRICT, &m, data[0] & 2 ? &cookie : NULL)) {
        match_format(&s, &m, NULL, MATCH_DEFAULT_PRIORITY);
        check_round_trip(&m, OF10 + (data[0] >> 2 & 7) % 6);
    }
    str_clear(&s);
    oxm_format_bytes(&s, data + 1, size - 1);
    str_uninit(&s);
    return 0;
}
