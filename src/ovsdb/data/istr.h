/* Interned strings.
 *
 * Each different text exists once in the process, counted; equal texts have equal addresses.  A text is valid UTF-8
 * without null bytes.
 *
 * Threads: one thread only (the one that owns the databases or the replica). */
#ifndef OVSDB_DATA_ISTR_H
#define OVSDB_DATA_ISTR_H 1

#include <string.h>

#include "base/hmap.h"

struct istr {
    struct hmap_node node; /* In the table of all; its hash is that of the text. */
    uint32_t refs;
    uint32_t len;          /* Bytes, without the terminator. */
    char text[];           /* Null-terminated. */
};

/* Returns a reference to the text of 'len' bytes. */
struct istr *istr_make(const char *text, size_t len) MUST_CHECK;
static inline struct istr *istr_from(const char *text) { return istr_make(text, strlen(text)); }

/* The string if it exists, without a reference; null otherwise.  Nothing equal to the text is stored anywhere then. */
const struct istr *istr_find(const char *text, size_t len);

/* The empty string, without a reference; it always exists. */
struct istr *istr_empty(void);

static inline struct istr *
istr_ref(struct istr *s)
{
    s->refs++;
    return s;
}

/* Drops a reference. */
void istr_unref(struct istr *s);

/* How many different strings exist, and the bytes that they take. */
size_t istr_count(size_t *n_bytes);

#endif
