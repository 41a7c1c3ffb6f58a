/* UUIDs (RFC 9562), as OVSDB uses them: random, version 4. */
#ifndef BASE_UUID_H
#define BASE_UUID_H 1

#include "base/random.h"
#include "base/util.h"

#define UUID_LEN 36 /* Characters of the text form. */

struct uuid {
    uint8_t bytes[16]; /* In the order of the text form. */
};

/* Makes a version 4 UUID. */
void uuid_generate(struct uuid *uuid, struct random *r);
bool uuid_is_zero(const struct uuid *uuid);
bool uuid_equal(const struct uuid *a, const struct uuid *b);
/* Order of the text forms: negative, zero or positive. */
int uuid_compare(const struct uuid *a, const struct uuid *b);
uint32_t uuid_hash(const struct uuid *uuid);

/* Writes the text form and a null byte. */
void uuid_format(const struct uuid *uuid, char text[UUID_LEN + 1]);

/* Reads the whole of 'text'; false, and a zero UUID, if it is anything else.  uuid_parse_prefix() allows more to
 * follow the UUID. */
bool uuid_parse(struct uuid *uuid, const char *text);
bool uuid_parse_prefix(struct uuid *uuid, const char *text);

/* How many digits of a UUID 'text' holds, if it is nothing but the beginning of one (hyphens not counted); 0 if it is
 * something else. */
int uuid_abbreviation_len(const char *text);

#endif
