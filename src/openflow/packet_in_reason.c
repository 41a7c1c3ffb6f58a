#include "openflow/packet_in_reason.h"

#include <strings.h>

static const char *const names[OFPR_N] = { "no_match", "action", "invalid_ttl", "action_set", "group", "packet_out" };

const char *
packet_in_reason_name(unsigned int reason)
{
    return reason < OFPR_N ? names[reason] : NULL;
}

bool
packet_in_reason_parse(const char *text, uint8_t *reason)
{
    for (unsigned int i = 0; i < OFPR_N; i++) {
        if (!strcasecmp(text, names[i])) {
            *reason = i;
            return true;
        }
    }
    return false;
}
