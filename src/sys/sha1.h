/* SHA-1 (RFC 3174), from OpenSSL: as a checksum of database records, not for security.  Any thread. */
#ifndef SYS_SHA1_H
#define SYS_SHA1_H 1

#include "base/util.h"

enum { SHA1_LEN = 20, SHA1_HEX_LEN = 40 };

/* Writes the lower-case hexadecimal digest of 'n' bytes and a null byte. */
void sha1_hex(const void *p, size_t n, char hex[SHA1_HEX_LEN + 1]);

/* The same of bytes that come in pieces.  sha1_finish() writes the digest and releases it; without 'hex' it just
 * releases it. */
struct sha1;
struct sha1 *sha1_begin(void) MUST_CHECK;
void sha1_add(struct sha1 *, const void *p, size_t n);
void sha1_finish(struct sha1 *, char hex[SHA1_HEX_LEN + 1]);

#endif
