/* Cuts a stream of bytes into JSON values.
 *
 * Messages follow each other with nothing or white space between.  The parser keeps the bytes of the value that is not
 * complete yet; it finds its end by brackets and quotes alone, then hands the whole to json/.  Only a short value that
 * is there in full is read at once.  Bytes may come in pieces of any size.  After an error the parser stays in it.
 *
 * With 'long_from' set, the text of a value of so many bytes or more is not read but left for
 * jsonrpc_parser_take_long(), to be taken apart without ever being a tree of values.
 *
 * Limits: JSONRPC_MAX_DEPTH levels; 'max_bytes' for one value.
 *
 * Threads: one at a time. */
#ifndef JSONRPC_PARSER_H
#define JSONRPC_PARSER_H 1

#include "json/json.h"

enum { JSONRPC_MAX_DEPTH = 1000 };

struct jsonrpc_parser {
    struct str text;   /* Of the value that is not complete. */
    size_t max_bytes;
    size_t long_from;  /* SIZE_MAX: no value is that long. */
    struct str long_text; /* A long value that is complete and not taken yet. */
    int depth;
    bool in_string, escaped;
    bool failed;
    bool expects_short; /* The last value was: the next may be. */
};

/* Starts an empty parser; releases what one holds. */
void jsonrpc_parser_init(struct jsonrpc_parser *, size_t max_bytes);
void jsonrpc_parser_uninit(struct jsonrpc_parser *);

/* Reads from the 'n' bytes at 'p' up to the end of one value.  Returns the number of bytes used.  Sets '*json' to the
 * value, to null if it is not complete (then all bytes were used); sets '*error' if the input is no JSON or beyond the
 * limits. */
size_t jsonrpc_parser_feed(struct jsonrpc_parser *, const char *p, size_t n, struct json **json, struct error **error);

/* The text of a long value, '*len' bytes, if what jsonrpc_parser_feed() has just reached the end of is one; else null.
 * To be released with free().  Until it is taken no more may be fed. */
char *jsonrpc_parser_take_long(struct jsonrpc_parser *, size_t *len) MUST_CHECK;

/* Bytes held for the incomplete value. */
size_t jsonrpc_parser_held(const struct jsonrpc_parser *);

#endif
