#include <stdlib.h>

#include "ovsdb/server/monitor_spec.h"

/* How changes are written: <table-updates> of RFC 7047 section 4.1.5 and <table-updates2> of ovsdb-server(7). */

void
update_writer_init(struct update_writer *w, const struct monitor_spec *spec)
{
    *w = (struct update_writer) { .spec = spec, .text = STR_INIT };
    str_putc(&w->text, '{');
}

static void
put_name(struct str *s, const char *name)
{
    str_putc(s, '"');
    str_puts(s, name);
    str_putn(s, "\":", 2);
}

/* Begins the object of the table and the member of the row. */
static void
begin_row(struct update_writer *w, const struct monitor_table *mt, const struct uuid *uuid)
{
    char text[UUID_LEN + 1];

    if (w->open != mt) {
        str_puts(&w->text, w->open ? "}," : "");
        put_name(&w->text, mt->table->schema->name);
        str_putc(&w->text, '{');
        w->open = mt;
    } else {
        str_putc(&w->text, ',');
    }
    uuid_format(uuid, text);
    put_name(&w->text, text);
}

static void
put_column_name(struct str *s, const struct column *c, bool *first)
{
    if (!*first) {
        str_putc(s, ',');
    }
    str_putn(s, c->member, c->member_len);
    *first = false;
}

/* The columns of 'tuple' shown for 'kind', without those that have their default if 'sparse'. */
static void
put_columns(struct str *s, const struct monitor_table *mt, const struct tuple *tuple, unsigned kind, bool sparse)
{
    bool first = true;

    str_putc(s, '{');
    for (size_t i = 0; i < mt->n_columns; i++) {
        const struct column *c = mt->columns[i].column;
        const struct datum *d = &tuple->fields[c->index];

        if (mt->columns[i].select & kind && !(sparse && datum_is_default(d, &c->type))) {
            put_column_name(s, c, &first);
            datum_put_json(s, d, &c->type);
        }
    }
    str_putc(s, '}');
}

static bool
differs(const struct row_change *rc, const struct column *c)
{
    if (rc->change) {
        return change_has_column(rc->change, c->index);
    }
    return !datum_equal(&rc->old->fields[c->index], &rc->new->fields[c->index], &c->type);
}

static bool
any_differs(const struct monitor_table *mt, const struct row_change *rc, unsigned kinds)
{
    for (size_t i = 0; i < mt->n_columns; i++) {
        if (mt->columns[i].select & kinds && differs(rc, mt->columns[i].column)) {
            return true;
        }
    }
    return false;
}

/* The columns that differ: their old values, or the differences. */
static void
put_differences(struct str *s, const struct monitor_table *mt, const struct row_change *rc, bool old_values)
{
    bool first = true;

    str_putc(s, '{');
    for (size_t i = 0; i < mt->n_columns; i++) {
        const struct column *c = mt->columns[i].column;
        const struct datum *old = &rc->old->fields[c->index];
        struct datum diff;

        if (!(mt->columns[i].select & SELECT_MODIFY) || !differs(rc, c)) {
            continue;
        }
        put_column_name(s, c, &first);
        if (old_values) {
            datum_put_json(s, old, &c->type);
        } else {
            datum_diff(&diff, old, &rc->new->fields[c->index], &c->type);
            datum_put_json(s, &diff, &c->type);
            datum_uninit(&diff, &c->type);
        }
    }
    str_putc(s, '}');
}

static void
put_old_style(struct update_writer *w, const struct monitor_table *mt, const struct row_change *rc, unsigned kind)
{
    /* A change of any monitored column shows the row, though only columns that ask for it are in it. */
    if (kind == SELECT_MODIFY && !any_differs(mt, rc, SELECT_ALL)) {
        return;
    }
    begin_row(w, mt, rc->uuid);
    str_putc(&w->text, '{');
    if (rc->old) {
        str_puts(&w->text, "\"old\":");
        if (rc->new) {
            put_differences(&w->text, mt, rc, true);
        } else {
            put_columns(&w->text, mt, rc->old, kind, false);
        }
    }
    if (rc->new) {
        str_puts(&w->text, rc->old ? ",\"new\":" : "\"new\":");
        put_columns(&w->text, mt, rc->new, kind, false);
    }
    str_putc(&w->text, '}');
}

static void
put_new_style(struct update_writer *w, const struct monitor_table *mt, const struct row_change *rc, unsigned kind)
{
    if (kind == SELECT_MODIFY && !any_differs(mt, rc, SELECT_MODIFY)) {
        return;
    }
    begin_row(w, mt, rc->uuid);
    if (kind == SELECT_DELETE) {
        str_puts(&w->text, "{\"delete\":null");
    } else if (kind == SELECT_MODIFY) {
        str_puts(&w->text, "{\"modify\":");
        put_differences(&w->text, mt, rc, false);
    } else {
        str_puts(&w->text, kind == SELECT_INITIAL ? "{\"initial\":" : "{\"insert\":");
        put_columns(&w->text, mt, rc->new, kind, true);
    }
    str_putc(&w->text, '}');
}

static void
put_kind(struct update_writer *w, const struct monitor_table *mt, const struct row_change *rc, unsigned kind)
{
    if (mt->select & kind) {
        if (w->spec->old_style) {
            put_old_style(w, mt, rc, kind);
        } else {
            put_new_style(w, mt, rc, kind);
        }
    }
}

static bool
shows(const struct monitor_table *mt, const struct tuple *tuple)
{
    return tuple && condition_any(&mt->where, tuple->fields);
}

void
update_writer_put(struct update_writer *w, const struct monitor_table *mt, const struct row_change *rc)
{
    bool was = shows(mt, rc->old), is = shows(mt, rc->new);

    if (was && is) {
        put_kind(w, mt, rc, SELECT_MODIFY);
    } else if (is) {
        put_kind(w, mt, rc, SELECT_INSERT);
    } else if (was) {
        put_kind(w, mt, rc, SELECT_DELETE);
    }
}

void
update_writer_put_initial(struct update_writer *w, const struct monitor_table *mt, const struct uuid *uuid,
                          const struct tuple *tuple)
{
    struct row_change rc = { .uuid = uuid, .new = tuple };

    if (shows(mt, tuple)) {
        put_kind(w, mt, &rc, SELECT_INITIAL);
    }
}

void
update_writer_put_condition(struct update_writer *w, const struct monitor_table *before, const struct monitor_table *mt,
                            const struct row *row)
{
    bool was = shows(before, row->tuple), is = shows(mt, row->tuple);
    struct row_change rc = { .uuid = &row->uuid };

    if (is && !was) {
        rc.new = row->tuple;
        put_kind(w, mt, &rc, SELECT_INSERT);
    } else if (was && !is) {
        rc.old = row->tuple;
        put_kind(w, mt, &rc, SELECT_DELETE);
    }
}

void
update_writer_close(struct update_writer *w)
{
    str_puts(&w->text, w->open ? "}}" : "}");
}

struct shared_text *
update_writer_finish(struct update_writer *w)
{
    struct shared_text *text = NULL;

    if (w->open) {
        update_writer_close(w);
        text = shared_text_take(&w->text);
    }
    str_uninit(&w->text);
    return text;
}
