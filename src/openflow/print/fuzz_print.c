/* Fuzz target: an OpenFlow message of any version is read and printed.  The length in the header is made right, so that
 * what follows is looked at. */
#include <stdlib.h>

#include "openflow/print/print.h"
#include "sys/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool quiet;
    struct str s = STR_INIT;
    uint8_t *copy;
    char *why = NULL;

    if (!quiet) {
        log_set_levels(-1, LOG_LEVEL_OFF);
        quiet = true;
    }
    if (size < MSG_HEADER || size > MSG_MAX) {
        return 0;
    }
    copy = xmemdup(data, size);
    put_be16(copy + 2, size);
    msg_print(&s, copy, size, NULL, 3, &why);
    str_uninit(&s);
    free(why);
    free(copy);
    return 0;
}
