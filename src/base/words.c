#include "base/words.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct word {
    const char *text; /* Null: empty. */
    size_t len;
    int number;
};

/* Of the length and four characters, in which most words differ.  Letters count the same in both cases, so that one
 * table serves both ways of looking. */
static size_t
hash_word(const char *text, size_t n)
{
    size_t h = n;

    if (n) {
        h = h * 31 + ((unsigned char) text[0] | 0x20);
        h = h * 31 + ((unsigned char) text[n / 2] | 0x20);
        h = h * 31 + ((unsigned char) text[n > 1 ? n - 2 : 0] | 0x20);
        h = h * 31 + ((unsigned char) text[n - 1] | 0x20);
    }
    return h ^ h >> 7;
}

/* Behind a slot that is taken by another word, the next one is tried. */
static void
insert(struct words *w, const struct word *word)
{
    size_t i = hash_word(word->text, word->len) & (w->n_slots - 1);

    while (w->slots[i].text) {
        i = (i + 1) & (w->n_slots - 1);
    }
    w->slots[i] = *word;
}

static void
grow(struct words *w)
{
    struct words old = *w;

    w->n_slots = old.n_slots ? old.n_slots * 2 : 64;
    w->slots = xcalloc(w->n_slots, sizeof *w->slots);
    for (size_t i = 0; i < old.n_slots; i++) {
        if (old.slots[i].text) {
            insert(w, &old.slots[i]);
        }
    }
    free(old.slots);
}

void
words_add(struct words *w, const char *text, int number)
{
    struct word word = { text, strlen(text), number };

    if (words_find(w, text, word.len) >= 0) {
        return;
    }
    if ((w->n + 1) * 2 > w->n_slots) {
        grow(w);
    }
    insert(w, &word);
    w->n++;
}

static int
find(const struct words *w, const char *text, size_t n, int (*differ)(const char *, const char *, size_t))
{
    if (!w->n_slots) {
        return -1;
    }
    for (size_t i = hash_word(text, n) & (w->n_slots - 1); w->slots[i].text; i = (i + 1) & (w->n_slots - 1)) {
        if (w->slots[i].len == n && !differ(w->slots[i].text, text, n)) {
            return w->slots[i].number;
        }
    }
    return -1;
}

static int
bytes_differ(const char *a, const char *b, size_t n)
{
    return memcmp(a, b, n);
}

int
words_find(const struct words *w, const char *text, size_t n)
{
    return find(w, text, n, bytes_differ);
}

int
words_find_any_case(const struct words *w, const char *text, size_t n)
{
    return find(w, text, n, strncasecmp);
}
