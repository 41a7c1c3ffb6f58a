/* What the fuzz targets of OpenFlow messages have in common. */
#ifndef OPENFLOW_PRINT_FUZZ_H
#define OPENFLOW_PRINT_FUZZ_H 1

#include "openflow/msg.h"
#include "sys/log.h"

/* The input as a message whose header has its right length, so that what follows is looked at; to be released with
 * free().  Null if no message is so long.  From then on nothing is logged. */
static inline uint8_t *
fuzz_message(const uint8_t *data, size_t size)
{
    static bool quiet;
    uint8_t *message;

    if (!quiet) {
        log_set_levels(-1, LOG_LEVEL_OFF);
        quiet = true;
    }
    if (size < MSG_HEADER || size > MSG_MAX) {
        return NULL;
    }
    message = xmemdup(data, size);
    put_be16(message + 2, size);
    return message;
}

#endif
