/* OpenSSL 3 would have a digest found by its name, and a context made, for each text, which takes it longer than a
 * short text does: 630 to 860 ns for 480 bytes, against 280 to 350. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "sys/sha1.h"

#include <openssl/sha.h>
#include <stdlib.h>

struct sha1 {
    SHA_CTX context;
};

static void
finish(SHA_CTX *context, char hex[SHA1_HEX_LEN + 1])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t digest[SHA1_LEN];

    SHA1_Final(digest, context); /* None of these fail. */
    for (int i = 0; i < SHA1_LEN; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    hex[SHA1_HEX_LEN] = '\0';
}

void
sha1_hex(const void *p, size_t n, char hex[SHA1_HEX_LEN + 1])
{
    SHA_CTX context;

    SHA1_Init(&context);
    SHA1_Update(&context, p, n);
    finish(&context, hex);
}

struct sha1 *
sha1_begin(void)
{
    struct sha1 *s = xmalloc(sizeof *s);

    SHA1_Init(&s->context);
    return s;
}

void
sha1_add(struct sha1 *s, const void *p, size_t n)
{
    SHA1_Update(&s->context, p, n);
}

void
sha1_finish(struct sha1 *s, char hex[SHA1_HEX_LEN + 1])
{
    if (hex) {
        finish(&s->context, hex);
    }
    free(s);
}
