/* SHA-1 (RFC 3174), from OpenSSL: as a checksum of database records, not for security.  Any thread. */
#ifndef SYS_SHA1_H
#define SYS_SHA1_H 1

#include "base/util.h"

enum { SHA1_LEN = 20, SHA1_HEX_LEN = 40 };

/* Writes the lower-case hexadecimal digest of 'n' bytes and a null byte. */
void sha1_hex(const void *p, size_t n, char hex[SHA1_HEX_LEN + 1]);

#endif
