#include "ovsdb/data/symtab.h"

#include <ctype.h>
#include <stdlib.h>

void
symtab_init(struct symtab *t, struct random *random)
{
    strmap_init(&t->map);
    t->random = random;
}

void
symtab_uninit(struct symtab *t)
{
    strmap_uninit_free(&t->map);
}

struct symbol *
symtab_find(const struct symtab *t, const char *name)
{
    return strmap_get(&t->map, name);
}

static struct symbol *
add(struct symtab *t, const char *name)
{
    struct symbol *s = xzalloc(sizeof *s);

    strmap_put(&t->map, name, s);
    s->name = strmap_find(&t->map, name)->key;
    return s;
}

struct symbol *
symtab_get(struct symtab *t, const char *name)
{
    struct symbol *s = symtab_find(t, name);

    if (!s) {
        s = add(t, name);
        uuid_generate(&s->uuid, t->random);
    }
    return s;
}

bool
symtab_add(struct symtab *t, const char *name, const struct uuid *uuid)
{
    if (symtab_find(t, name)) {
        return false;
    }
    add(t, name)->uuid = *uuid;
    return true;
}

bool
symtab_is_id(const char *text)
{
    if (!isalpha((unsigned char) *text) && *text != '_') {
        return false;
    }
    while (*++text) {
        if (!isalnum((unsigned char) *text) && *text != '_') {
            return false;
        }
    }
    return true;
}
