/* An error for a human: what was wrong, and where.
 *
 * A function that parses or configures returns 'struct error *': null for success, otherwise a text that the caller
 * owns and must report, wrap or free.  Errors of the system are plain ints (0 or a negative errno); errors that go
 * to a controller are 'enum ofperr'.  The three are never mixed (docs/architecture.md).
 *
 * Context is added from the inside out: error_wrap(error_new("bad port"), "line %d", 3) reads "line 3: bad port". */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H 1

#include "base/util.h"

struct error;

/* Returns a new error with the given text. */
struct error *error_new(const char *format, ...) PRINTF_FORMAT(1, 2) MUST_CHECK;

/* The same, from a negative errno value: "text: strerror". */
struct error *error_from_errno(int error, const char *format, ...) PRINTF_FORMAT(2, 3) MUST_CHECK;

/* Puts "context: " in front.  Takes and returns ownership; null stays null. */
struct error *error_wrap(struct error *e, const char *format, ...) PRINTF_FORMAT(2, 3) MUST_CHECK;

/* The text, valid while 'e' lives. */
const char *error_text(const struct error *e);

/* Turns 'e' into its text, to be released with free(); null for null. */
char *error_take_text(struct error *e) MUST_CHECK;

/* Releases 'e'; null is allowed. */
void error_free(struct error *e);

#endif
