/* An error of the database protocol: what RFC 7047 section 3.1 calls <error>.
 *
 * It has a tag that programs test ("constraint violation"), details for humans, and sometimes the JSON text that was at
 * fault.  It travels to clients as an object; in the messages of programs it reads
 * "syntax \"TEXT\": TAG: DETAILS" (dberr_to_string()).  A function that may fail returns null or an error that the
 * caller owns. */
#ifndef OVSDB_DATA_DBERR_H
#define OVSDB_DATA_DBERR_H 1

#include "json/json.h"

struct dberr {
    char *tag;     /* Never null. */
    char *details; /* Null if there are none. */
    char *syntax;  /* JSON text with sorted keys; null if none. */
    int err;       /* For "I/O error": the errno value, else 0. */
};

/* The tags used in more than one place. */
#define DBERR_SYNTAX "syntax error"
#define DBERR_CONSTRAINT "constraint violation"
#define DBERR_REFERENCE "referential integrity violation"
#define DBERR_IO "I/O error"
#define DBERR_UNKNOWN_COLUMN "unknown column"

/* Errors are rare: what leads to one is kept apart from the code that is run each time. */
#define DBERR_MAKER __attribute__((cold)) MUST_CHECK

/* Returns a new error; 'format' null gives one without details. */
struct dberr *dberr_new(const char *tag, const char *format, ...) PRINTF_FORMAT(2, 3) DBERR_MAKER;
struct dberr *dberr_newv(const char *tag, const char *format, va_list args) PRINTF_FORMAT(2, 0) DBERR_MAKER;

/* The same with the JSON at fault ('json' null: none).  dberr_syntax() is for the tag "syntax error". */
struct dberr *dberr_at(const struct json *json, const char *tag, const char *format, ...)
    PRINTF_FORMAT(3, 4) DBERR_MAKER;
struct dberr *dberr_syntax(const struct json *json, const char *format, ...) PRINTF_FORMAT(2, 3) DBERR_MAKER;

/* "I/O error" from a positive errno value: its text is the member "io-error" and, in brackets, the end of the text. */
struct dberr *dberr_io(int err, const char *format, ...) PRINTF_FORMAT(2, 3) DBERR_MAKER;

/* Puts "context: " before the details.  Takes and returns ownership; null stays null. */
struct dberr *dberr_wrap(struct dberr *e, const char *format, ...) PRINTF_FORMAT(2, 3) MUST_CHECK;

/* The object {"error", "details"?, "syntax"?, "io-error"?}; a new reference. */
struct json *dberr_to_json(const struct dberr *e) MUST_CHECK;

/* The text for humans, to be released with free(). */
char *dberr_to_string(const struct dberr *e) MUST_CHECK;

/* Turns 'e' into the same text as an error of the other kind; null for null. */
struct error *dberr_to_error(struct dberr *e) MUST_CHECK;

/* Releases 'e'; null is allowed. */
void dberr_free(struct dberr *e);

#endif
