#include "openflow/hello.h"

#include <stdlib.h>
#include <string.h>

#define ELEMENT_BITMAP 1

int
of_versions_highest(uint32_t versions)
{
    return versions ? 31 - __builtin_clz(versions) : 0;
}

uint32_t
of_versions_parse(const char *text, char **bad)
{
    uint32_t set = 0;

    *bad = NULL;
    for (const char *p = text + strspn(text, ", "); *p; p += strspn(p, ", ")) {
        char *word = xstrndup(p, strcspn(p, ", "));
        enum of_version v;

        if (!of_version_parse(word, &v)) {
            *bad = word;
            return 0;
        }
        set |= 1u << v;
        p += strlen(word);
        free(word);
    }
    return set;
}

void
of_versions_put_choice(struct str *s)
{
    for (int v = OF_FIRST; v <= OF_LAST; v++) {
        str_putf(s, "%s ", of_version_name(v));
    }
}

void
of_versions_put(struct str *s, uint32_t versions)
{
    const char *separator = "";

    for (int v = 0; v < 32; v++) {
        if (versions & 1u << v) {
            str_putf(s, "%s0x%02x", separator, v);
            separator = ", ";
        }
    }
}

void
of_versions_put_names(struct str *s, uint32_t versions)
{
    const char *separator = "";

    for (int v = OF_FIRST; v <= OF_LAST; v++) {
        if (versions & 1u << v) {
            str_putf(s, "%s%s", separator, of_version_name(v));
            separator = ", ";
        }
    }
}

/* Versions 1 to 'v'. */
static uint32_t
versions_up_to(unsigned int v)
{
    return v >= 31 ? UINT32_MAX - 1 : (2u << v) - 2;
}

void
of_versions_put_words(struct str *s, uint32_t versions)
{
    unsigned int highest = of_versions_highest(versions);
    bool is_one = versions == 1u << highest;

    str_puts(s, is_one || versions == versions_up_to(highest) ? "version " : "versions ");
    if (!is_one && versions == versions_up_to(highest)) {
        str_putf(s, "0x%02x and earlier", highest);
    } else {
        of_versions_put(s, versions);
    }
}

static bool
decode_bitmap(struct cursor element, uint32_t *versions)
{
    if (element.left % 4 || !element.left) {
        return false;
    }
    /* Only the first 32 versions concern anyone. */
    return cursor_take_be32(&element, versions) && (*versions &= ~1u);
}

uint32_t
hello_decode(const struct msg *hello, bool *clean)
{
    struct cursor c = hello->body;
    uint32_t versions = versions_up_to(hello->data[0]);

    *clean = true;
    while (c.left) {
        uint16_t type, len;
        struct cursor element;

        if (!cursor_take_be16(&c, &type) || !cursor_take_be16(&c, &len) || len < 4 ||
            !cursor_take_sub(&c, len - 4, &element)) {
            *clean = false;
            break;
        }
        (void) cursor_take(&c, MIN(c.left, (8u - len % 8) % 8));
        if (type == ELEMENT_BITMAP) {
            uint32_t stated;

            if (decode_bitmap(element, &stated)) {
                versions = stated;
            } else {
                *clean = false;
            }
        } else {
            *clean = false;
        }
    }
    return versions;
}

void
hello_encode(struct bytes *b, uint32_t versions, uint32_t xid)
{
    int highest = of_versions_highest(versions);
    size_t start = b->len;

    bytes_put_u8(b, highest);
    bytes_put_u8(b, 0);
    bytes_put_be16(b, 0);
    bytes_put_be32(b, xid);
    if ((versions & ~1u) != versions_up_to(highest)) {
        bytes_put_be16(b, ELEMENT_BITMAP);
        bytes_put_be16(b, 8);
        bytes_put_be32(b, versions);
    }
    msg_finish(b, start);
}

int
hello_negotiate(uint32_t ours, uint32_t theirs)
{
    return of_versions_highest(ours & theirs);
}
