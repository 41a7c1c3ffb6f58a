/* Numbers from text, whole or nothing: no trailing characters, no overflow, no silent sign.
 *
 * 'base' is as strtoull() has it: 0 takes 0x and leading-zero octal as well. */
#ifndef BASE_NUM_H
#define BASE_NUM_H 1

#include "base/util.h"

/* Read all of 'text' into '*v'; false (and 0) unless it is one number in the range of the type. */
bool num_parse_u64(const char *text, int base, uint64_t *v);
bool num_parse_s64(const char *text, int base, int64_t *v);
bool num_parse_u32(const char *text, int base, uint32_t *v);
bool num_parse_u16(const char *text, int base, uint16_t *v);
bool num_parse_u8(const char *text, int base, uint8_t *v);
bool num_parse_int(const char *text, int base, int *v);
bool num_parse_double(const char *text, double *v);

/* The value of a hexadecimal digit, in either case; -1 for other characters. */
static inline int
num_hex_digit(char c)
{
    /* One more than the value; 0: no digit. */
    static const int8_t values[256] = {
        ['0'] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, ['a'] = 11, 12, 13, 14, 15, 16, ['A'] = 11, 12, 13, 14, 15, 16,
    };

    return values[(unsigned char) c] - 1;
}

#endif
