#include "base/uuid.h"

#include <endian.h>
#include <string.h>

#include "base/hash.h"
#include "base/num.h"

/* Sets the bytes, the first in the lowest bits of 'high'.  In two pieces: whoever copies the whole soon would have to
 * wait for single bytes. */
static inline void
put_words(struct uuid *uuid, uint64_t high, uint64_t low)
{
    uint64_t words[2] = { htole64(high), htole64(low) };

    memcpy(uuid->bytes, words, sizeof words);
}

void
uuid_generate(struct uuid *uuid, struct random *r)
{
    uint64_t high = le64toh(random_u64(r)), low = le64toh(random_u64(r));

    high = (high & ~(UINT64_C(0xf0) << 48)) | UINT64_C(0x40) << 48; /* Byte 6: the version. */
    low = (low & ~UINT64_C(0xc0)) | 0x80;                           /* Byte 8: the variant. */
    put_words(uuid, high, low);
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

/* The 8 hexadecimal digits of 4 bytes; the first is in the lowest bits. */
static inline uint64_t
hex_digits(uint64_t x)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);

    x = (x | x << 16) & UINT64_C(0x0000ffff0000ffff);
    x = (x | x << 8) & UINT64_C(0x00ff00ff00ff00ff);
    x = (x >> 4 | x << 8) & ones * 15;
    return x + ones * '0' + ((x + ones * 6) >> 4 & ones) * ('a' - '9' - 1);
}

void
uuid_format(const struct uuid *uuid, char text[UUID_LEN + 1])
{
    uint64_t digits[4];
    const char *p = (const char *) digits;

    for (int i = 0; i < 4; i++) {
        uint32_t word;

        memcpy(&word, &uuid->bytes[4 * i], sizeof word);
        digits[i] = htole64(hex_digits(le32toh(word)));
    }
    memcpy(text, p, 8);
    text[8] = '-';
    memcpy(text + 9, p + 8, 4);
    text[13] = '-';
    memcpy(text + 14, p + 12, 4);
    text[18] = '-';
    memcpy(text + 19, p + 16, 4);
    text[23] = '-';
    memcpy(text + 24, p + 20, 4);
    memcpy(text + 28, p + 24, 8);
    text[UUID_LEN] = '\0';
}

/* Reads 8 hexadecimal digits: 4 at 'first' and 4 at 'second'.  Sets '*bytes' to what they say, the first in the lowest
 * bits. */
static bool
read_digits(const char *first, const char *second, uint64_t *bytes)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t text, x;
    uint32_t half;

    memcpy(&half, second, sizeof half);
    text = (uint64_t) le32toh(half) << 32;
    memcpy(&half, first, sizeof half);
    text |= le32toh(half);
    x = (text + (text >> 6 & ones) * 9) & ones * 15; /* Letters follow a '@' or a '`'. */
    x = (x << 4 | x >> 8) & UINT64_C(0x00ff00ff00ff00ff);
    x = (x | x >> 8) & UINT64_C(0x0000ffff0000ffff);
    *bytes = (x | x >> 16) & UINT32_MAX;
    return hex_digits(*bytes) == (text | (text >> 1 & ones * 0x20)); /* Of digits that bit is set already. */
}

bool
uuid_parse_prefix(struct uuid *uuid, const char *text)
{
    uint64_t bytes[4] = { 0, 0, 0, 0 };
    bool ok = strnlen(text, UUID_LEN) == UUID_LEN && text[8] == '-' && text[13] == '-' && text[18] == '-'
              && text[23] == '-' && read_digits(text, text + 4, &bytes[0])
              && read_digits(text + 9, text + 14, &bytes[1]) && read_digits(text + 19, text + 24, &bytes[2])
              && read_digits(text + 28, text + 32, &bytes[3]);

    if (ok) {
        put_words(uuid, bytes[0] | bytes[1] << 32, bytes[2] | bytes[3] << 32);
    } else {
        put_words(uuid, 0, 0);
    }
    return ok;
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
