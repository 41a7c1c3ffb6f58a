/* Names for rows that do not exist yet: "named-uuid" in JSON, "@name" on command lines.
 *
 * A name gets a random UUID when it is first seen, before or after the row that bears it. */
#ifndef OVSDB_DATA_SYMTAB_H
#define OVSDB_DATA_SYMTAB_H 1

#include "base/random.h"
#include "base/strmap.h"
#include "base/uuid.h"

struct symbol {
    const char *name;
    struct uuid uuid;
    bool created;    /* A row of this name was made (set by whoever makes it). */
    bool strong_ref; /* Seen where a strong reference goes ... */
    bool weak_ref;   /* ... a weak one. */
};

struct symtab {
    struct strmap map; /* Name to struct symbol. */
    struct random *random;
};

/* Makes an empty table; UUIDs come from 'random', which must outlive it. */
void symtab_init(struct symtab *t, struct random *random);
void symtab_uninit(struct symtab *t);

/* The symbol, made if it is new (symtab_find() never makes one and may return null). */
struct symbol *symtab_get(struct symtab *t, const char *name);
struct symbol *symtab_find(const struct symtab *t, const char *name);

/* Adds 'name' with a given UUID; false if the name exists. */
bool symtab_add(struct symtab *t, const char *name, const struct uuid *uuid);

/* Whether 'text' is an <id> of RFC 7047: [a-zA-Z_][a-zA-Z0-9_]*. */
bool symtab_is_id(const char *text);

#endif
