/* Fuzz target: an OpenFlow message of any version is read and printed. */
#include <stdlib.h>

#include "openflow/print/fuzz.h"
#include "openflow/print/print.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str s = STR_INIT;
    uint8_t *copy = fuzz_message(data, size);
    char *why = NULL;

    if (copy) {
        msg_print(&s, copy, size, NULL, 3, &why);
    }
    str_uninit(&s);
    free(why);
    free(copy);
    return 0;
}
