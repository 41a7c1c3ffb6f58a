/* Cuts a stream of bytes into JSON values.
 *
 * Messages follow each other with nothing or white space between.  The parser keeps the bytes of the value that is not
 * complete yet; it finds its end by brackets and quotes alone, then hands the whole to json/.  Only a short value that
 * is there in full is read at once.  Bytes may come in pieces of any size.  After an error the parser stays in it.
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

/* Bytes held for the incomplete value. */
size_t jsonrpc_parser_held(const struct jsonrpc_parser *);

#endif
