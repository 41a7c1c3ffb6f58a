/* Fuzz target: datapath flows and actions from text.  The first byte chooses: 'f' a flow, else actions; what was read
 * must print, be read again, and print the same.  Actions are also applied to a frame. */
#include <stdlib.h>

#include "odp/frame.h"
#include "odp/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool ok)
{
    if (!ok) {
        abort();
    }
}

static void
try_flow(const char *text)
{
    struct flow key, mask, key2, mask2;
    struct str s = STR_INIT, again = STR_INIT;
    struct error *e = odp_flow_parse(text, NULL, &key, &mask);

    if (!e) {
        odp_flow_format(&s, &key, &mask, NULL, true);
        e = odp_flow_parse(str_text(&s), NULL, &key2, &mask2);
        if (!e) {
            odp_flow_format(&again, &key2, &mask2, NULL, true);
            must(!strcmp(str_text(&s), str_text(&again)));
        }
    }
    error_free(e);
    str_uninit(&s);
    str_uninit(&again);
}

/* What is echoed is read again to the same echo. */
static void
try_echo(const char *text)
{
    struct odp_echo echo, again;
    struct flow key;
    struct error *e = odp_flow_echo(text, NULL, &key, &echo);

    if (!e && echo.fit == ODP_FIT_PERFECT && strcmp(str_text(&echo.text), "<empty>")) {
        e = odp_flow_echo(str_text(&echo.text), NULL, &key, &again);
        if (!e) {
            must(!strcmp(str_text(&echo.text), str_text(&again.text)));
        }
        str_uninit(&again.text);
    }
    error_free(e);
    str_uninit(&echo.text);
}

static void
try_actions(const char *text)
{
    struct bytes actions = BYTES_INIT, actions2 = BYTES_INIT, frame = BYTES_INIT;
    struct str s = STR_INIT, again = STR_INIT;
    struct error *e = odp_actions_parse(text, NULL, &actions);

    if (!e) {
        odp_actions_format(&s, actions.data, actions.len, NULL);
        e = odp_actions_parse(str_text(&s), NULL, &actions2);
        must(!e);
        odp_actions_format(&again, actions2.data, actions2.len, NULL);
        must(!strcmp(str_text(&s), str_text(&again)));
        bytes_put_zeros(&frame, 60);
        put_be16(frame.data + 12, 0x0800);
        frame.data[14] = 0x45;
        odp_apply_to_frame(&frame, actions.data, actions.len);
    }
    error_free(e);
    str_uninit(&s);
    str_uninit(&again);
    bytes_uninit(&actions);
    bytes_uninit(&actions2);
    bytes_uninit(&frame);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text;

    if (!size || size > 5000) {
        return 0;
    }
    text = xmalloc(size);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    if (data[0] == 'f') {
        try_flow(text);
        try_echo(text);
    } else {
        try_actions(text);
    }
    free(text);
    return 0;
}
