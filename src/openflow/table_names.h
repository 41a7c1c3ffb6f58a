/* Where the names of a switch's tables are known.  Both functions are called with the object itself. */
#ifndef OPENFLOW_TABLE_NAMES_H
#define OPENFLOW_TABLE_NAMES_H 1

#include "base/str.h"

struct table_names {
    /* The table's name, null if unknown.  Owned by the object. */
    const char *(*name)(const struct table_names *, uint8_t table);
    /* The table called 'name'; false if there is none. */
    bool (*find)(const struct table_names *, const char *name, uint8_t *table);
};

/* Reads a number from 0 to 255 or, if 'names' is not null, a name.  False if it is neither. */
bool of_table_parse(const char *text, const struct table_names *names, uint8_t *table);

/* Appends the name (quoted where the text would not be read back otherwise), or the number. */
void of_table_put(struct str *s, uint8_t table, const struct table_names *names);

#endif
