#include "base/num.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>

/* A decimal number without leading zeros, as most are; false for anything else, also one that may be too large. */
static bool
parse_plain(const char *text, uint64_t *v)
{
    uint64_t x = 0;
    int n = 0;

    for (; text[n] >= '0' && text[n] <= '9' && n < 19; n++) {
        x = x * 10 + (text[n] - '0');
    }
    *v = x;
    return n && !text[n] && (text[0] != '0' || n == 1);
}

static bool
num_parse_max(const char *text, int base, uint64_t max, uint64_t *v)
{
    unsigned long long x;
    char *end;

    if ((base == 0 || base == 10) && parse_plain(text, v)) {
        if (*v <= max) {
            return true;
        }
        *v = 0;
        return false;
    }
    *v = 0;
    if (!isalnum((unsigned char) text[0])) {
        return false;
    }
    errno = 0;
    x = strtoull(text, &end, base);
    if (errno || end == text || *end || x > max) {
        return false;
    }
    *v = x;
    return true;
}

bool
num_parse_u64(const char *text, int base, uint64_t *v)
{
    return num_parse_max(text, base, UINT64_MAX, v);
}

bool
num_parse_s64(const char *text, int base, int64_t *v)
{
    long long x;
    char *end;

    *v = 0;
    if (!isalnum((unsigned char) text[text[0] == '-' || text[0] == '+'])) {
        return false;
    }
    errno = 0;
    x = strtoll(text, &end, base);
    if (errno || end == text || *end) {
        return false;
    }
    *v = x;
    return true;
}

bool
num_parse_u32(const char *text, int base, uint32_t *v)
{
    uint64_t x;
    bool ok = num_parse_max(text, base, UINT32_MAX, &x);

    *v = x;
    return ok;
}

bool
num_parse_u16(const char *text, int base, uint16_t *v)
{
    uint64_t x;
    bool ok = num_parse_max(text, base, UINT16_MAX, &x);

    *v = x;
    return ok;
}

bool
num_parse_u8(const char *text, int base, uint8_t *v)
{
    uint64_t x;
    bool ok = num_parse_max(text, base, UINT8_MAX, &x);

    *v = x;
    return ok;
}

bool
num_parse_int(const char *text, int base, int *v)
{
    int64_t x;
    bool ok = num_parse_s64(text, base, &x) && x >= INT_MIN && x <= INT_MAX;

    *v = ok ? x : 0;
    return ok;
}

bool
num_parse_double(const char *text, double *v)
{
    char *end;

    errno = 0;
    *v = strtod(text, &end);
    if (end == text || *end || isspace((unsigned char) text[0]) || !isfinite(*v)) {
        *v = 0;
        return false;
    }
    return true;
}
