/* Writing a database file from the beginning: the schema, then one record of any length in pieces.
 *
 * A record's header, with the length and hash of what follows, comes before it.  So the record goes where it will be,
 * and the schema and the header are written in front of it at last; spaces after the schema fill what the header does
 * not need.  A record that comes in one piece needs no spaces.
 *
 * Threads: one at a time; any. */
#ifndef OVSDB_STORE_NEW_FILE_H
#define OVSDB_STORE_NEW_FILE_H 1

#include "ovsdb/store/io.h"

struct new_file;

/* Creates the file, or empties it.  'schema' is JSON text.  Returns 0 and sets '*f', or a negative errno value. */
int new_file_create(const struct store_io *, const char *path, const char *schema, struct new_file **f) MUST_CHECK;
/* Adds to the record; 'last' with its last piece.  0 or a negative errno value. */
int new_file_put(struct new_file *, const char *text, size_t len, bool last) MUST_CHECK;
/* Completes the file, without a second record if there was no last piece, and brings it to the disk; sets '*size'.  0
 * or a negative errno value. */
int new_file_finish(struct new_file *, uint64_t *size) MUST_CHECK;
/* Adds 'n' bytes, whole records, to a file that is complete, and brings them to the disk.  0 or a negative errno
 * value. */
int new_file_append(struct new_file *, const void *p, size_t n) MUST_CHECK;
void new_file_close(struct new_file *); /* Null is allowed.  The file stays. */

#endif
