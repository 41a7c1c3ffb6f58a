/* show: an outline of the database, with --filter. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/dbctl/dbctl.h"
#include "ovsdb/data/text.h"

static const struct dbctl_show *
show_of(const struct dbctl_class *class, unsigned table)
{
    for (size_t i = 0; i < class->n_show; i++) {
        if (class->show[i].table == table) {
            return &class->show[i];
        }
    }
    return NULL;
}

struct error *
dbctl_show_prepare(struct dbctl_ctx *ctx)
{
    const struct dbctl_class *class = ctx->ctl->class;

    for (size_t i = 0; i < class->n_show; i++) {
        const struct dbctl_show *s = &class->show[i];

        dbctl_add_column(ctx->ctl, s->table, COL_UUID);
        if (s->name_column >= 0) {
            dbctl_add_column(ctx->ctl, s->table, s->name_column);
        }
        for (int j = 0; s->columns[j]; j++) {
            dbctl_add_column(ctx->ctl, s->table, s->columns[j]);
        }
    }
    return NULL;
}

/* ---- Filters: TABLE(WORD|WORD),... ---- */

struct rule {
    unsigned table;
    char **words;
    size_t n_words;
};

struct rules {
    struct rule *rules;
    size_t n;
};

static void
rules_uninit(struct rules *r)
{
    for (size_t i = 0; i < r->n; i++) {
        for (size_t j = 0; j < r->rules[i].n_words; j++) {
            free(r->rules[i].words[j]);
        }
        free(r->rules[i].words);
    }
    free(r->rules);
}

static void
rule_put_words(struct rule *rule, const char *words, size_t len)
{
    char *copy = xstrndup(words, len), *save = NULL;

    for (char *word = strtok_r(copy, "|", &save); word; word = strtok_r(NULL, "|", &save)) {
        rule->words = xreallocarray(rule->words, rule->n_words + 1, sizeof *rule->words);
        rule->words[rule->n_words++] = xstrdup(word);
    }
    free(copy);
}

static struct error *
rule_parse(struct dbctl *ctl, struct rule *rule, const char *text, size_t len)
{
    const char *open = memchr(text, '(', len);
    const struct table_schema *table;
    struct error *e;
    char *name;

    rule->table = ctl->class->show[0].table;
    if (!open) {
        rule_put_words(rule, text, len);
        return NULL;
    }
    if (text[len - 1] != ')') {
        return error_new("Malformed filter: missing closing ')'");
    }
    name = xstrndup(text, open - text);
    e = dbctl_find_table(ctl->schema, name, &table);
    free(name);
    if (!e) {
        rule->table = table->index;
        rule_put_words(rule, open + 1, text + len - 1 - (open + 1));
    }
    return e;
}

static struct error *
rules_parse(struct dbctl *ctl, struct rules *r, const char *text)
{
    struct error *e = NULL;

    r->rules = xcalloc(strlen(text) + 1, sizeof *r->rules);
    r->n = 0;
    while (*text && !e) {
        const size_t len = strcspn(text, ",");

        if (len) {
            e = rule_parse(ctl, &r->rules[r->n++], text, len);
        }
        text += len + (text[len] == ',');
    }
    return e;
}

static bool
contains_word(const char *text, const struct rule *rule)
{
    for (size_t i = 0; i < rule->n_words; i++) {
        if (strcasestr(text, rule->words[i])) {
            return true;
        }
    }
    return false;
}

static bool
rules_admit(const struct rules *r, unsigned table, const char *text)
{
    for (size_t i = 0; i < r->n; i++) {
        if (r->rules[i].table == table && !contains_word(text, &r->rules[i])) {
            return false;
        }
    }
    return true;
}

/* ---- Printing ---- */

struct printer {
    struct dbctl *ctl;
    struct rules rules;
    unsigned depth; /* A bound on recursion: schemas may refer in circles. */
};

static void put_row(struct printer *p, struct str *s, const struct idl_row *row, int level);

/* The rows that a column refers to, if they have a place in the outline. */
static bool
put_references(struct printer *p, struct str *s, const struct idl_row *row, unsigned column, int level)
{
    const struct base_type *key = &idl_type(row, column)->key;
    const struct table_schema *to = base_is_ref(key) ? schema_table(p->ctl->schema, key->uuid.ref_table) : NULL;

    if (!to || type_is_map(idl_type(row, column)) || !show_of(p->ctl->class, to->index)) {
        return false;
    }
    for (size_t i = 0; i < idl_count(row, column); i++) {
        const struct idl_row *target = idl_get_ref(row, column, i, to->index, false);

        if (target) {
            put_row(p, s, target, level + 1);
        }
    }
    return true;
}

/* A map whose values refer to rows that have a name in the outline. */
static bool
put_named_values(struct printer *p, struct str *s, const struct idl_row *row, unsigned column, int level)
{
    const struct col_type *type = idl_type(row, column);
    const struct table_schema *to = base_is_ref(&type->value) ? schema_table(p->ctl->schema, type->value.uuid.ref_table)
                                                              : NULL;
    const struct dbctl_show *show = to ? show_of(p->ctl->class, to->index) : NULL;
    const struct datum *d = idl_get(row, column);

    if (!show || show->name_column < 0) {
        return false;
    }
    if (d->n) {
        str_put_fill(s, ' ', 4 * (level + 1));
        str_putf(s, "%s:\n", row->table->schema->columns[column].name);
    }
    for (size_t i = 0; i < d->n; i++) {
        const struct idl_row *target = idl_get_ref(row, column, i, to->index, true);

        str_put_fill(s, ' ', 4 * (level + 2));
        atom_put_text(s, &datum_keys(d)[i], type->key.type);
        str_puts(s, "=");
        if (target) {
            datum_put_text(s, idl_get(target, show->name_column), idl_type(target, show->name_column));
        }
        str_putc(s, '\n');
    }
    return true;
}

static void
put_columns(struct printer *p, struct str *s, const struct idl_row *row, int level)
{
    const struct dbctl_show *show = show_of(p->ctl->class, row->table->schema->index);

    for (int i = 0; show->columns[i]; i++) {
        const unsigned c = show->columns[i];
        const struct datum *d = idl_get(row, c);

        if (!put_references(p, s, row, c, level) && !put_named_values(p, s, row, c, level)
            && !datum_is_default(d, idl_type(row, c))) {
            str_put_fill(s, ' ', 4 * (level + 1));
            str_putf(s, "%s: ", row->table->schema->columns[c].name);
            datum_put_text(s, d, idl_type(row, c));
            str_putc(s, '\n');
        }
    }
}

static void
put_row(struct printer *p, struct str *s, const struct idl_row *row, int level)
{
    const struct dbctl_show *show = show_of(p->ctl->class, row->table->schema->index);
    const unsigned name = show->name_column >= 0 ? (unsigned) show->name_column : COL_UUID;
    const size_t start = s->len;

    if (p->depth > 16) {
        return;
    }
    p->depth++;
    str_put_fill(s, ' ', 4 * level);
    if (show->name_column >= 0) {
        str_putf(s, "%s ", row->table->schema->name);
    }
    datum_put_text(s, idl_get(row, name), idl_type(row, name));
    str_putc(s, '\n');
    put_columns(p, s, row, level);
    p->depth--;
    if (!rules_admit(&p->rules, show->table, str_text(s) + start)) {
        str_truncate(s, start);
    }
}

struct error *
dbctl_show_run(struct dbctl_ctx *ctx)
{
    struct printer p = { .ctl = ctx->ctl };
    const char *filter = dbctl_option(ctx, "--filter");
    struct error *e = filter ? rules_parse(ctx->ctl, &p.rules, filter) : NULL;

    if (!e) {
        const struct idl_row **rows = dbctl_rows(ctx->ctl, ctx->ctl->class->show[0].table);

        for (size_t i = 0; rows[i]; i++) {
            put_row(&p, &ctx->output, rows[i], 0);
        }
        free(rows);
    }
    rules_uninit(&p.rules);
    return e;
}
