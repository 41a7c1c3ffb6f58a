#include "sys/sha1.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdlib.h>

struct sha1 {
    EVP_MD_CTX *context;
};

static void
put_hex(const uint8_t digest[SHA1_LEN], char hex[SHA1_HEX_LEN + 1])
{
    static const char digits[] = "0123456789abcdef";

    for (int i = 0; i < SHA1_LEN; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    hex[SHA1_HEX_LEN] = '\0';
}

void
sha1_hex(const void *p, size_t n, char hex[SHA1_HEX_LEN + 1])
{
    uint8_t digest[SHA1_LEN];

    SHA1(p, n, digest);
    put_hex(digest, hex);
}

struct sha1 *
sha1_begin(void)
{
    struct sha1 *s = xmalloc(sizeof *s);

    s->context = EVP_MD_CTX_new();
    if (!s->context || !EVP_DigestInit_ex(s->context, EVP_sha1(), NULL)) {
        out_of_memory();
    }
    return s;
}

void
sha1_add(struct sha1 *s, const void *p, size_t n)
{
    if (!EVP_DigestUpdate(s->context, p, n)) {
        out_of_memory();
    }
}

void
sha1_finish(struct sha1 *s, char hex[SHA1_HEX_LEN + 1])
{
    uint8_t digest[SHA1_LEN];

    if (hex) {
        if (!EVP_DigestFinal_ex(s->context, digest, NULL)) {
            out_of_memory();
        }
        put_hex(digest, hex);
    }
    EVP_MD_CTX_free(s->context);
    free(s);
}
