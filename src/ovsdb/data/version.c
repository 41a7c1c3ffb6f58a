#include <ctype.h>
#include <stdlib.h>

#include "ovsdb/data/schema.h"

/* Takes a decimal number from '*s', as the reference does: blanks and a sign before it are passed over, and numbers are
 * what is left of them in 32 bits. */
static bool
take_number(const char **s, uint32_t *v)
{
    const char *p = *s, *digits;
    bool negative;

    while (isspace((unsigned char) *p)) {
        p++;
    }
    negative = *p == '-';
    p += negative || *p == '+';
    digits = p;
    for (*v = 0; isdigit((unsigned char) *p); p++) {
        *v = *v * 10 + (*p - '0');
    }
    *v = negative ? -*v : *v;
    *s = p;
    return p > digits;
}

static bool
take_version(const char *s, uint32_t v[3])
{
    for (int i = 0; i < 3; i++) {
        if ((i && *s++ != '.') || !take_number(&s, &v[i])) {
            return false;
        }
    }
    return !*s;
}

bool
schema_is_version(const char *text)
{
    uint32_t v[3];

    return take_version(text, v);
}

int
schema_compare_versions(const char *a, const char *b)
{
    uint32_t va[3] = { 0 }, vb[3] = { 0 };

    if (take_version(a, va) && take_version(b, vb)) {
        for (int i = 0; i < 3; i++) {
            if (va[i] != vb[i]) {
                return va[i] < vb[i] ? -1 : 1;
            }
        }
    }
    return 0;
}
