/* Fixed words found by a hash: the names of fields, keywords of a syntax.
 *
 * 'struct words' starts as WORDS_INIT and is filled before main() by a constructor (with a priority of 101 where others
 * look words up before main() as well); its memory lives as long as the program.  Afterwards it does not change, and
 * any thread may look words up. */
#ifndef BASE_WORDS_H
#define BASE_WORDS_H 1

#include "base/util.h"

struct words {
    struct word *slots; /* Owned; 'n_slots' of them, a power of two, at least a half of which are empty. */
    size_t n_slots, n;
};

#define WORDS_INIT { NULL, 0, 0 }

/* Adds a word, which must live on, with its number, which must not be negative.  Of equal words the first one is
 * found. */
void words_add(struct words *, const char *word, int number);

/* The number of the word of 'n' bytes at 'text', -1 if it is none of them; words_find_any_case() also where upper and
 * lower case differ. */
int words_find(const struct words *, const char *text, size_t n);
int words_find_any_case(const struct words *, const char *text, size_t n);

#endif
