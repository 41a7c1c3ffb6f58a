/* Fuzz target: an OpenFlow message of any type and version is read, written, read again and written again.
 *
 * A message may say a thing in several ways: from our encoder's way on, nothing may change. */
#include <stdio.h>
#include <stdlib.h>

#include "openflow/print/again.h"
#include "openflow/print/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
show(const char *what, const void *data, size_t n)
{
    struct str s = STR_INIT;

    str_put_hex(&s, data, n);
    fprintf(stderr, "%s: %s\n", what, str_text(&s));
    str_uninit(&s);
}

static void
check(const uint8_t *data, size_t size, const struct bytes *first)
{
    struct bytes second = BYTES_INIT;
    bool ok = msg_write_again(first->data, first->len, &second);

    if (!ok || second.len != first->len || memcmp(second.data, first->data, first->len)) {
        show("read", data, size);
        show("written", first->data, first->len);
        show(ok ? "written then" : "not read again", second.data, second.len);
        abort();
    }
    bytes_uninit(&second);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes first = BYTES_INIT;
    uint8_t *copy = fuzz_message(data, size);

    /* An encoder that finds its message too long leaves nothing; statistics that grew may be several messages. */
    if (copy && msg_write_again(copy, size, &first) && first.len && msg_stated_length(first.data) == first.len) {
        check(copy, size, &first);
    }
    bytes_uninit(&first);
    free(copy);
    return 0;
}
