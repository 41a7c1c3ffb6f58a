/* Interned strings.
 *
 * Each different text exists once in the process, counted; equal texts have equal addresses.  A text is valid UTF-8
 * without null bytes.
 *
 * The tables of all are open: hashes in one array, strings in another, so that growing one and passing by other strings
 * touches none of them (a million strings do not fit into a cache).
 *
 * Threads: one thread only (the one that owns the databases or the replica). */
#ifndef OVSDB_DATA_ISTR_H
#define OVSDB_DATA_ISTR_H 1

#include <string.h>

#include "base/util.h"

struct istr {
    uint32_t hash;         /* Of the text. */
    uint32_t refs;
    uint32_t len;          /* Bytes, without the terminator. */
    char text[];           /* Null-terminated. */
};

/* Returns a reference to the text of 'len' bytes. */
struct istr *istr_make(const char *text, size_t len) MUST_CHECK;
static inline struct istr *istr_from(const char *text) { return istr_make(text, strlen(text)); }

/* Asks for the memory where the text will be looked for, for one who has something else to do before that.  Until
 * istr_forget_prefetched() the text must stay where it is, unchanged: the hashes of the first few are kept for
 * istr_make(), if that gets them in the same order. */
void istr_prefetch(const char *text, size_t len);
void istr_forget_prefetched(void);

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

/* Releases a string without references: for istr_unref(). */
void istr_free(struct istr *s);

/* Drops a reference; null is allowed. */
static inline void
istr_unref(struct istr *s)
{
    if (s && !--s->refs) {
        istr_free(s);
    }
}

/* How many different strings exist, and the bytes that they take. */
size_t istr_count(size_t *n_bytes);

#endif
