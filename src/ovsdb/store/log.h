/* Reading and framing the records of a database file (ovsdb(5)).
 *
 * A file is a sequence of records: a header line "OVSDB JSON LENGTH SHA1", then LENGTH bytes, a JSON object and a line
 * feed.  The reader gives the bodies one by one, checked against their hash.  At a record that is cut short or damaged
 * it fails; log_reader_good() is then the length of the sound part. */
#ifndef OVSDB_STORE_LOG_H
#define OVSDB_STORE_LOG_H 1

#include "base/bytes.h"
#include "ovsdb/data/dberr.h"
#include "ovsdb/store/io.h"

enum log_kind { LOG_STANDALONE, LOG_CLUSTERED };

struct log_reader;

/* Opens 'path' and finds out which kind of database it holds.  Sets '*r', null on error. */
struct dberr *log_reader_open(const struct store_io *io, const char *path, bool writable, struct log_reader **r,
                              enum log_kind *kind) MUST_CHECK;

/* Reads the next body (at the end of the file: null, and no error).  It is the caller's until the next call,
 * and a null byte follows it. */
struct dberr *log_reader_next(struct log_reader *r, char **body, size_t *len) MUST_CHECK;

/* The end of the last good record; the whole size; the offset of the last body. */
off_t log_reader_good(const struct log_reader *r);
off_t log_reader_size(const struct log_reader *r);
off_t log_reader_body_offset(const struct log_reader *r);

/* The descriptor goes over to the caller. */
int log_reader_take_fd(struct log_reader *r);
void log_reader_close(struct log_reader *r); /* Null is allowed. */

/* Appends a record with 'body' (without the final line feed) to 'out'. */
void log_put_record(struct bytes *out, const char *body, size_t len);

/* The same without a copy: room for the header in an empty 's', behind which the caller puts the body; then the record,
 * which lies somewhere in 's'. */
void log_begin_record(struct str *s);
struct bytes log_end_record(struct str *s);

/* Appends the header line of a record whose body, line feed included, has 'len' bytes and this hash.  It has
 * LOG_HEADER_LEN bytes and the digits of 'len'. */
enum { LOG_HEADER_LEN = 53 };
void log_put_header(struct bytes *out, uint64_t len, const char *sha1_hex);

/* "path: LEN bytes starting at offset N": how messages name the last body.  To be released with free(). */
char *log_reader_place(const struct log_reader *r) MUST_CHECK;

#endif
