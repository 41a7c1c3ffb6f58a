/* Tables, columns and records by the names that people give them (ovs-vsctl(8), "Identifying Tables, Records, and
 * Columns"). */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/dbctl/dbctl.h"
#include "ovsdb/data/text.h"

static char
fold(char c)
{
    return c == '-' ? '_' : tolower((unsigned char) c);
}

/* 2: the same; 1: 'abbreviation' begins 'name'; 0: neither. */
static int
match(const char *name, const char *abbreviation)
{
    size_t i;

    for (i = 0; abbreviation[i]; i++) {
        if (fold(abbreviation[i]) != fold(name[i])) {
            return 0;
        }
    }
    return name[i] ? 1 : 2;
}

/* Counts matches among 'n' names: sets '*found' to the place of the only one (an exact one wins) and returns 1; else
 * returns how many and puts them into 'list'. */
static size_t
find_name(const char *(*name)(const void *aux, size_t i), const void *aux, size_t n, const char *wanted, size_t *found,
          struct str *list)
{
    size_t n_found = 0;

    for (size_t i = 0; i < n; i++) {
        const int m = *wanted ? match(name(aux, i), wanted) : 0;

        if (m == 2) {
            *found = i;
            return 1;
        }
        if (m) {
            str_putf(list, "%s%s", n_found++ ? ", " : "", name(aux, i));
            *found = i;
        }
    }
    return n_found;
}

static const char *
name_of_table(const void *schema, size_t i)
{
    return ((const struct schema *) schema)->tables[i].name;
}

static const char *
name_of_column(const void *table, size_t i)
{
    return i == COL_VERSION ? "\t" : ((const struct table_schema *) table)->columns[i].name; /* Never shown. */
}

struct error *
dbctl_find_table(const struct schema *schema, const char *name, const struct table_schema **table)
{
    struct str list = STR_INIT;
    struct error *e = NULL;
    size_t i, n;

    n = find_name(name_of_table, schema, schema->n_tables, name, &i, &list);
    *table = n == 1 ? &schema->tables[i] : NULL;
    if (!n) {
        e = error_new("unknown table \"%s\"", name);
    } else if (n > 1) {
        e = error_new("\"%s\" matches multiple table names: %s", name, str_text(&list));
    }
    str_uninit(&list);
    return e;
}

struct error *
dbctl_find_column(const struct table_schema *table, const char *name, const struct column **column)
{
    struct str list = STR_INIT;
    struct error *e = NULL;
    size_t i, n;

    n = find_name(name_of_column, table, table->n_columns, name, &i, &list);
    *column = n == 1 ? &table->columns[i] : NULL;
    if (!n) {
        e = error_new("%s does not contain a column whose name matches \"%s\"", table->name, name);
    } else if (n > 1) {
        e = error_new("%s contains more than one column whose name matches \"%s\": %s", table->name, name,
                      str_text(&list));
    }
    str_uninit(&list);
    return e;
}

/* ---- Records ---- */

/* The rows of one table where 'column' is 'record'. */
static void
add_rows_by_name(struct dbctl *ctl, unsigned table, unsigned column, const char *record)
{
    if (ctl->schema->tables[table].columns[column].type.key.type == ATOM_STRING) {
        dbctl_add_column_only(ctl, table, column);
        dbctl_add_rows_take(ctl, table, column, js_str(record));
    } else {
        dbctl_add_column(ctl, table, column);
    }
}

static void
add_rows_by_uuid(struct dbctl *ctl, unsigned table, const char *record)
{
    struct uuid uuid;

    if (uuid_parse(&uuid, record)) {
        struct json *value = js_array();
        char text[UUID_LEN + 1];

        uuid_format(&uuid, text);
        js_append_take(value, js_str("uuid"));
        js_append_take(value, js_str(text));
        dbctl_add_column_only(ctl, table, COL_UUID);
        dbctl_add_rows_take(ctl, table, COL_UUID, value);
    } else if (uuid_abbreviation_len(record) >= 4 || !strcmp(record, ".")) {
        dbctl_add_column(ctl, table, COL_UUID);
    } else {
        dbctl_add_column_only(ctl, table, COL_UUID);
    }
}

void
dbctl_add_record(struct dbctl *ctl, const struct table_schema *table, const char *record)
{
    add_rows_by_uuid(ctl, table->index, record);
    for (size_t i = 0; i < ctl->class->n_names; i++) {
        const struct dbctl_name *n = &ctl->class->names[i];

        if (n->table != table->index) {
            continue;
        }
        if (n->kind == DBCTL_BY_COLUMN) {
            add_rows_by_name(ctl, n->table, n->name_column, record);
            continue;
        }
        dbctl_add_column(ctl, n->table, COL_UUID);
        if (n->kind == DBCTL_BY_REFERENCE) {
            add_rows_by_name(ctl, n->name_table, n->name_column, record);
            dbctl_add_column_only(ctl, n->name_table, n->uuid_column);
        }
    }
}

/* The only row whose 'column' is 'record', compared as people write it: a string as it is, anything else in its text
 * form. */
static struct error *
row_by_column(struct dbctl *ctl, unsigned table, unsigned column, const char *record, const struct idl_row **found)
{
    *found = NULL;
    IDL_FOR_EACH (row, ctl->idl, table) {
        const struct datum *d = idl_get(row, column);
        const struct col_type *type = idl_type(row, column);
        struct str s = STR_INIT;
        bool equal;

        if (d->n != 1) {
            continue;
        }
        if (type->key.type == ATOM_STRING) {
            equal = !strcmp(atom_text(datum_keys(d)), record);
        } else {
            datum_put_bare(&s, d, type);
            equal = !strcmp(str_text(&s), record);
            str_uninit(&s);
        }
        if (equal && *found) {
            return error_new("multiple rows in %s match \"%s\"", ctl->schema->tables[table].name, record);
        }
        *found = equal ? row : *found;
    }
    return NULL;
}

/* "." names the row of a table that has but one. */
static const struct idl_row *
only_row(const struct dbctl *ctl, unsigned table, const char *record)
{
    const struct idl_row *first = strcmp(record, ".") ? NULL : idl_first(ctl->idl, table);

    return first && !idl_next(first) ? first : NULL;
}

static struct error *
row_by_name(struct dbctl *ctl, const struct dbctl_name *n, const char *record, const struct idl_row **row)
{
    const struct idl_row *named;
    struct error *e;

    *row = NULL;
    switch (n->kind) {
    case DBCTL_ONLY_ROW:
        return NULL; /* As in every table: see only_row(). */
    case DBCTL_BY_COLUMN:
        return row_by_column(ctl, n->table, n->name_column, record, row);
    case DBCTL_BY_REFERENCE:
        e = row_by_column(ctl, n->name_table, n->name_column, record, &named);
        if (!e && named && idl_count(named, n->uuid_column) == 1) {
            *row = idl_get_ref(named, n->uuid_column, 0, n->table, false);
        }
        return e;
    }
    return NULL;
}

static struct error *
row_by_abbreviation(struct dbctl *ctl, const struct table_schema *table, const char *record,
                    const struct idl_row **found)
{
    const size_t len = strlen(record);
    const struct idl_row **rows;
    struct error *e = NULL;

    *found = NULL;
    if (uuid_abbreviation_len(record) < 4) {
        return NULL;
    }
    rows = dbctl_rows(ctl, table->index);
    for (size_t i = 0; rows[i] && !e; i++) {
        char text[UUID_LEN + 1], other[UUID_LEN + 1];

        uuid_format(&rows[i]->uuid, text);
        if (!strncasecmp(text, record, len) && *found) {
            uuid_format(&(*found)->uuid, other);
            e = error_new("%s contains 2 or more rows whose UUIDs begin with %s: at least %s and %s", table->name,
                          record, other, text);
        } else if (!strncasecmp(text, record, len)) {
            *found = rows[i];
        }
    }
    free(rows);
    return e;
}

struct error *
dbctl_find_row(struct dbctl *ctl, const struct table_schema *table, const char *record, bool must_exist,
               const struct idl_row **row)
{
    struct error *e = NULL;
    struct uuid uuid;

    *row = uuid_parse(&uuid, record) ? idl_row_get(ctl->idl, table->index, &uuid)
                                     : only_row(ctl, table->index, record);
    for (size_t i = 0; !*row && !e && i < ctl->class->n_names; i++) {
        if (ctl->class->names[i].table == table->index) {
            e = row_by_name(ctl, &ctl->class->names[i], record, row);
        }
    }
    if (!*row && !e) {
        e = row_by_abbreviation(ctl, table, record, row);
    }
    if (!*row && !e && must_exist) {
        e = error_new("no row \"%s\" in table %s", record, table->name);
    }
    return e;
}

static int
compare_rows(const void *a, const void *b)
{
    return uuid_compare(&(*(const struct idl_row *const *) a)->uuid, &(*(const struct idl_row *const *) b)->uuid);
}

const struct idl_row **
dbctl_rows(struct dbctl *ctl, unsigned table)
{
    const struct idl_row **rows = xcalloc(idl_n_rows(ctl->idl, table) + 1, sizeof *rows);
    size_t n = 0;

    IDL_FOR_EACH (row, ctl->idl, table) {
        rows[n++] = row;
    }
    qsort(rows, n, sizeof *rows, compare_rows);
    return rows;
}
