/* The same data under another schema, as "convert" and ovsdb-tool(1) do it: tables and columns that are gone are
 * dropped, new columns get their defaults, and everything is checked again. */
#ifndef OVSDB_ENGINE_CONVERT_H
#define OVSDB_ENGINE_CONVERT_H 1

#include "ovsdb/engine/db.h"

/* Sets '*to' to a new database with the rows of 'from' under 'schema'; null on error. */
struct dberr *db_convert(const struct db *from, struct schema *schema, struct db **to) MUST_CHECK;

#endif
