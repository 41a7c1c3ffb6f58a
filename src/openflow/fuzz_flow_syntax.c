/* Fuzz target: text to a flow.  The first byte chooses the command. */
#include <stdlib.h>
#include <string.h>

#include "flow/match_text.h"
#include "openflow/flow_syntax.h"
#include "openflow/oxm/oxm.h"
#include "sys/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
use(const struct flow_mod *fm)
{
    struct bytes b = BYTES_INIT;
    struct str s = STR_INIT;

    match_format(&s, &fm->match, NULL, fm->priority);
    act_format(&s, fm->actions, NULL);
    for (enum of_version v = OF10; v <= OF15; v++) {
        oxm_encode_match(&fm->match, v, NULL, &b);
        act_encode_instructions(fm->actions, v, &b);
    }
    str_uninit(&s);
    bytes_uninit(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool quiet;
    struct flow_mod fm;
    unsigned int protocols;
    struct error *e;
    char *text;

    if (!quiet) {
        error_free(log_configure("off"));
        quiet = true;
    }
    if (!size) {
        return 0;
    }
    text = xstrndup((const char *) data + 1, size - 1);
    e = flow_mod_parse(&fm, text, data[0] % 6 - 1, NULL, &protocols);
    if (!e) {
        use(&fm);
        flow_mod_uninit(&fm);
    }
    error_free(e);
    free(text);
    return 0;
}
