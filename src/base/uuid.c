#include "base/uuid.h"

#include <string.h>

#include "base/hash.h"
#include "base/num.h"

void
uuid_generate(struct uuid *uuid, struct random *r)
{
    uint64_t words[2] = { random_u64(r), random_u64(r) };

    memcpy(uuid->bytes, words, sizeof words);
    uuid->bytes[6] = (uuid->bytes[6] & 0x0f) | 0x40;
    uuid->bytes[8] = (uuid->bytes[8] & 0x3f) | 0x80;
}

bool
uuid_is_zero(const struct uuid *uuid)
{
    return is_all_zeros(uuid, sizeof *uuid);
}

bool
uuid_equal(const struct uuid *a, const struct uuid *b)
{
    return !memcmp(a, b, sizeof *a);
}

int
uuid_compare(const struct uuid *a, const struct uuid *b)
{
    return memcmp(a, b, sizeof *a);
}

uint32_t
uuid_hash(const struct uuid *uuid)
{
    return hash_bytes(uuid, sizeof *uuid, 0);
}

static bool
hyphen_follows(int byte)
{
    return byte == 3 || byte == 5 || byte == 7 || byte == 9;
}

void
uuid_format(const struct uuid *uuid, char text[UUID_LEN + 1])
{
    static const char digits[] = "0123456789abcdef";

    for (int i = 0; i < 16; i++) {
        *text++ = digits[uuid->bytes[i] >> 4];
        *text++ = digits[uuid->bytes[i] & 15];
        if (hyphen_follows(i)) {
            *text++ = '-';
        }
    }
    *text = '\0';
}

bool
uuid_parse_prefix(struct uuid *uuid, const char *text)
{
    struct uuid parsed;

    memset(uuid, 0, sizeof *uuid);
    for (int i = 0; i < 16; i++) {
        int high = num_hex_digit(text[0]), low = high >= 0 ? num_hex_digit(text[1]) : -1;

        if (low < 0) {
            return false;
        }
        parsed.bytes[i] = high << 4 | low;
        text += 2;
        if (hyphen_follows(i) && *text++ != '-') {
            return false;
        }
    }
    *uuid = parsed;
    return true;
}

bool
uuid_parse(struct uuid *uuid, const char *text)
{
    if (strlen(text) != UUID_LEN) {
        memset(uuid, 0, sizeof *uuid);
        return false;
    }
    return uuid_parse_prefix(uuid, text);
}

int
uuid_abbreviation_len(const char *text)
{
    int n = 0;

    for (int at = 0; text[at]; at++) {
        bool hyphen = at == 8 || at == 13 || at == 18 || at == 23;

        if (at >= UUID_LEN || (hyphen ? text[at] != '-' : num_hex_digit(text[at]) < 0)) {
            return 0;
        }
        n += !hyphen;
    }
    return n;
}
