/* A schema from the text that tools/idl-generate has put into the program. */
#ifndef OVSDB_IDL_SCHEMA_TEXT_H
#define OVSDB_IDL_SCHEMA_TEXT_H 1

#include "ovsdb/data/schema.h"

/* Returns a reference for the caller; aborts where the text is no schema: it was checked when the program was built. */
struct schema *idl_schema_from_text(const char *text) MUST_CHECK;

#endif
