/* Writing records. */
#include "ovsdb/store/record.h"

#include <inttypes.h>

#include "sys/clock.h"

/* Appends a ',' unless 's' ends in an opening brace. */
static void
put_comma(struct str *s)
{
    if (s->text[s->len - 1] != '{') {
        str_putc(s, ',');
    }
}

/* Appends a member's name. */
static void
put_name(struct str *s, const char *name)
{
    put_comma(s);
    str_putc(s, '"');
    str_puts(s, name);
    str_putn(s, "\":", 2);
}

static void
put_column_name(struct str *s, const struct column *c)
{
    put_comma(s);
    str_putn(s, c->member, c->member_len);
}

static void
put_uuid_name(struct str *s, const struct uuid *uuid)
{
    char text[UUID_LEN + 1];

    uuid_format(uuid, text);
    put_name(s, text);
}

/* A new row: columns with their default values are left out. */
static void
put_new_row(struct str *s, const struct change *change)
{
    const struct table_schema *schema = change->table->schema;

    str_putc(s, '{');
    for (size_t i = COL_N_STD; i < schema->n_columns; i++) {
        if (schema->columns[i].is_persistent && change_has_column(change, i)) {
            put_column_name(s, &schema->columns[i]);
            datum_put_json(s, &change->new->fields[i], &schema->columns[i].type);
        }
    }
    str_putc(s, '}');
}

/* The same of a row that may be old. */
static void
put_row(struct str *s, const struct tuple *t, const struct table_schema *schema)
{
    str_putc(s, '{');
    for (size_t i = COL_N_STD; i < schema->n_columns; i++) {
        const struct column *c = &schema->columns[i];

        if (c->is_persistent && !datum_is_default(&t->fields[i], &c->type)) {
            put_column_name(s, c);
            datum_put_json_exact(s, &t->fields[i], &c->type);
        }
    }
    str_putc(s, '}');
}

static void
put_changed_column(struct str *s, const struct change *change, const struct column *c, bool as_diff)
{
    const struct datum *new = &change->new->fields[c->index];

    put_column_name(s, c);
    if (as_diff && c->type.n_max != 1) {
        struct datum diff;

        datum_diff(&diff, &change->old->fields[c->index], new, &c->type);
        datum_put_json_exact(s, &diff, &c->type);
        datum_uninit(&diff, &c->type);
    } else {
        datum_put_json_exact(s, new, &c->type);
    }
}

static bool
changes_persistent(const struct change *change)
{
    const struct table_schema *schema = change->table->schema;

    for (size_t i = COL_N_STD; i < schema->n_columns; i++) {
        if (schema->columns[i].is_persistent && change_has_column(change, i)) {
            return true;
        }
    }
    return false;
}

/* Appends the row's member; false if it has nothing to store. */
static bool
put_change(struct str *s, const struct change *change, bool as_diff)
{
    const struct table_schema *schema = change->table->schema;

    if (!change->old || !change->new) {
        put_uuid_name(s, &change->uuid);
        if (change->new) {
            put_new_row(s, change);
        } else {
            str_puts(s, "null");
        }
        return true;
    }
    if (!changes_persistent(change)) {
        return false;
    }
    put_uuid_name(s, &change->uuid);
    str_putc(s, '{');
    for (size_t i = COL_N_STD; i < schema->n_columns; i++) {
        if (schema->columns[i].is_persistent && change_has_column(change, i)) {
            put_changed_column(s, change, &schema->columns[i], as_diff);
        }
    }
    str_putc(s, '}');
    return true;
}

static void
put_comment(struct str *s, const char *comment)
{
    if (comment) {
        put_name(s, "_comment");
        js_put_quoted(s, comment);
    }
}

/* Opens the member of a table when its first row comes, and closes the one before. */
static void
enter_table(struct str *s, const struct table **open, const struct table *t)
{
    if (*open != t) {
        if (*open) {
            str_putc(s, '}');
        }
        put_name(s, t->schema->name);
        str_putc(s, '{');
        *open = t;
    }
}

bool
record_put_changes(struct str *s, const struct change_set *set, bool as_diff)
{
    const struct table *open = NULL;
    size_t start = s->len;

    str_puts(s, "{\"_date\":");
    str_put_int(s, set->date);
    LIST_FOR_EACH (c, struct change, node, &set->changes) {
        /* Whether there is anything to store shows before the table's member is opened. */
        if (!c->old || !c->new || changes_persistent(c)) {
            enter_table(s, &open, c->table);
            put_change(s, c, as_diff);
        }
    }
    if (!open) {
        str_truncate(s, start);
        return false;
    }
    str_putc(s, '}');
    put_comment(s, set->comment);
    str_puts(s, as_diff ? ",\"_is_diff\":true}" : "}");
    return true;
}

void
record_put_snapshot_begin(struct str *s)
{
    str_putf(s, "{\"_date\":%" PRId64, clock_wall_ms());
}

void
record_put_snapshot_row(struct str *s, const struct table_schema **open, const struct table_schema *schema,
                        const struct tuple *tuple)
{
    char uuid[UUID_LEN + 1];

    if (*open != schema) {
        str_puts(s, *open ? "},\"" : ",\"");
        str_puts(s, schema->name);
        str_puts(s, "\":{\"");
        *open = schema;
    } else {
        str_puts(s, ",\"");
    }
    uuid_format(&tuple->fields[COL_UUID].one.uuid, uuid);
    str_puts(s, uuid);
    str_puts(s, "\":");
    put_row(s, tuple, schema);
}

void
record_put_snapshot_end(struct str *s, const struct table_schema *open, const char *comment)
{
    str_puts(s, open ? "}" : "");
    if (comment) {
        str_puts(s, ",\"_comment\":");
        js_put_quoted(s, comment);
    }
    str_puts(s, ",\"_is_diff\":true}");
}
