#include "openflow/action/hash_fields.h"

static const char *const names[HASH_N_FIELDS] = {
    [HASH_ETH_SRC] = "eth_src",
    [HASH_SYMMETRIC_L4] = "symmetric_l4",
    [HASH_SYMMETRIC_L3L4] = "symmetric_l3l4",
    [HASH_SYMMETRIC_L3L4_UDP] = "symmetric_l3l4+udp",
    [HASH_NW_SRC] = "nw_src",
    [HASH_NW_DST] = "nw_dst",
    [HASH_SYMMETRIC_L3] = "symmetric_l3",
};

const char *
hash_fields_name(unsigned int value)
{
    return value < HASH_N_FIELDS ? names[value] : "<unknown>";
}

int
hash_fields_parse(const char *text)
{
    for (int i = 0; i < HASH_N_FIELDS; i++) {
        if (!strcmp(text, names[i])) {
            return i;
        }
    }
    return -1;
}
