#include "sys/sha1.h"

#include <openssl/sha.h>

void
sha1_hex(const void *p, size_t n, char hex[SHA1_HEX_LEN + 1])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t digest[SHA1_LEN];

    SHA1(p, n, digest);
    for (int i = 0; i < SHA1_LEN; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    hex[SHA1_HEX_LEN] = '\0';
}
