/* Setting columns by kind. */
#include <stdlib.h>

#include "ovsdb/idl/idl_private.h"

static void
set_one(const struct idl_row *row, unsigned column, union atom a)
{
    struct datum d = datum_one_take(a);

    idl_set_take(row, column, &d);
}

void
idl_set_int(const struct idl_row *row, unsigned column, int64_t value)
{
    set_one(row, column, (union atom) { .integer = value });
}

void
idl_set_real(const struct idl_row *row, unsigned column, double value)
{
    set_one(row, column, (union atom) { .real = value });
}

void
idl_set_bool(const struct idl_row *row, unsigned column, bool value)
{
    set_one(row, column, (union atom) { .boolean = value });
}

void
idl_set_string(const struct idl_row *row, unsigned column, const char *value)
{
    if (value) {
        set_one(row, column, atom_string(value));
    } else {
        idl_set_empty(row, column);
    }
}

void
idl_set_empty(const struct idl_row *row, unsigned column)
{
    struct datum d = { .n = 0 };

    idl_set_take(row, column, &d);
}

void
idl_set_map(const struct idl_row *row, unsigned column, const struct strmap *map)
{
    const struct col_type *type = idl_type(row, column);
    struct datum d = { .n = 0 };

    STRMAP_FOR_EACH (e, map) {
        union atom value = atom_string(e->value);

        datum_append_take(&d, type, atom_string(e->key), &value);
    }
    datum_sort_unique(&d, type);
    idl_set_take(row, column, &d);
}

void
idl_set_ref(const struct idl_row *row, unsigned column, const struct idl_row *to)
{
    if (to) {
        set_one(row, column, (union atom) { .uuid = to->uuid });
    } else {
        idl_set_empty(row, column);
    }
}

void
idl_put_ref(const struct idl_row *row, unsigned column, const struct idl_row *to)
{
    idl_put_take(row, column, (union atom) { .uuid = to->uuid }, NULL);
}

void
idl_remove_ref(const struct idl_row *row, unsigned column, const struct idl_row *to)
{
    idl_remove_take(row, column, (union atom) { .uuid = to->uuid });
}

void
idl_put_key(const struct idl_row *row, unsigned column, const char *key, const char *value)
{
    union atom v = atom_string(value);

    idl_put_take(row, column, atom_string(key), &v);
}

void
idl_remove_key(const struct idl_row *row, unsigned column, const char *key)
{
    idl_remove_take(row, column, atom_string(key));
}
