/* The database that the fuzz targets of the engine begin with, and how it looks afterwards.
 *
 * All that is random comes from the generator of sys_random(): one that starts in the same state makes the same
 * database, and the same transaction in it the same rows. */
#ifndef OVSDB_ENGINE_FUZZ_DB_H
#define OVSDB_ENGINE_FUZZ_DB_H 1

#include "ovsdb/engine/db.h"

/* A value from text; null if it is no JSON. */
struct json *fuzz_parse(const char *text, size_t n) MUST_CHECK;

/* Two tables, "R" and "C", with all kinds of columns and references, and three rows; db_destroy() releases it. */
struct db *fuzz_db_create(void) MUST_CHECK;

/* All rows with all columns as text, to be released with free(); the tables are checked while they are walked. */
char *fuzz_db_dump(const struct db *db) MUST_CHECK;

#endif
