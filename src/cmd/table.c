#include "cmd/table.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sys/clock.h"

struct cell {
    char *text;                  /* One of these three, or none: empty. */
    struct json *json;
    const struct col_type *type; /* Of 'datum'; null if there is none. */
    struct datum datum;
};

struct table {
    char *caption;
    bool timestamp;
    char **headings;
    size_t n_columns, columns_capacity;
    struct cell *cells; /* Row by row. */
    size_t n_cells, n_rows, cells_capacity;
};

struct table *
table_create(void)
{
    return xzalloc(sizeof(struct table));
}

void
table_destroy(struct table *t)
{
    if (!t) {
        return;
    }
    for (size_t i = 0; i < t->n_cells; i++) {
        struct cell *c = &t->cells[i];

        free(c->text);
        js_unref(c->json);
        if (c->type) {
            datum_uninit(&c->datum, c->type);
        }
    }
    for (size_t i = 0; i < t->n_columns; i++) {
        free(t->headings[i]);
    }
    free(t->headings);
    free(t->cells);
    free(t->caption);
    free(t);
}

void
table_set_caption(struct table *t, const char *caption)
{
    free(t->caption);
    t->caption = xstrdup(caption);
}

void table_set_timestamp(struct table *t, bool timestamp) { t->timestamp = timestamp; }

void
table_add_column(struct table *t, const char *heading_format, ...)
{
    va_list args;

    if (t->n_columns >= t->columns_capacity) {
        t->headings = x2nrealloc(t->headings, &t->columns_capacity, sizeof *t->headings);
    }
    va_start(args, heading_format);
    t->headings[t->n_columns++] = xvasprintf(heading_format, args);
    va_end(args);
}

void table_add_row(struct table *t) { t->n_rows++; }

static struct cell *
add_cell(struct table *t)
{
    if (t->n_cells >= t->cells_capacity) {
        t->cells = x2nrealloc(t->cells, &t->cells_capacity, sizeof *t->cells);
    }
    memset(&t->cells[t->n_cells], 0, sizeof *t->cells);
    return &t->cells[t->n_cells++];
}

void table_add_text(struct table *t, const char *text) { add_cell(t)->text = xstrdup(text); }
void table_add_json_take(struct table *t, struct json *json) { add_cell(t)->json = json; }

void
table_add_datum(struct table *t, const struct datum *d, const struct col_type *type)
{
    struct cell *c = add_cell(t);

    c->type = type;
    datum_clone(&c->datum, d, type);
}

/* ---- Options ---- */

/* Leaves '*value' alone when it fails. */
static struct error *
parse_name(const char *what, const char *name, const char *const names[], size_t n, int *value)
{
    for (size_t i = 0; i < n; i++) {
        if (!strcmp(name, names[i])) {
            *value = i;
            return NULL;
        }
    }
    return error_new("unknown %s format \"%s\"", what, name);
}

static const char *const format_names[] = { "table", "list", "html", "csv", "json" };
static const char *const data_names[] = { "string", "bare", "json" };

void
table_put_formats(struct str *s)
{
    str_put_words(s, format_names, ARRAY_SIZE(format_names));
}

void
table_put_datas(struct str *s)
{
    str_put_words(s, data_names, ARRAY_SIZE(data_names));
}

struct error *
table_style_set(struct table_style *style, int id, const char *arg)
{
    struct error *e = NULL;
    int format = style->format, data = style->data;

    switch (id) {
    case TABLE_OPT_FORMAT:
        e = parse_name("output", arg, format_names, ARRAY_SIZE(format_names), &format);
        style->format = format;
        break;
    case TABLE_OPT_DATA:
        e = parse_name("data", arg, data_names, ARRAY_SIZE(data_names), &data);
        style->data = data;
        break;
    case TABLE_OPT_NO_HEADINGS:
        style->headings = false;
        break;
    case TABLE_OPT_PRETTY:
        style->pretty = true;
        break;
    case TABLE_OPT_BARE:
        style->format = TABLE_LIST;
        style->data = TABLE_BARE;
        style->headings = false;
        break;
    case TABLE_OPT_MAX_COLUMN_WIDTH:
        style->max_column_width = MAX(atoi(arg), 0); /* As the reference: what is no number means no limit. */
        break;
    }
    return e;
}

/* ---- Cells ---- */

static void
cell_put(const struct cell *c, enum table_data data, struct str *s)
{
    if (c->text) {
        str_puts(s, c->text);
    } else if (c->json) {
        js_put(s, c->json, JS_SORTED);
    } else if (c->type && data == TABLE_STRING) {
        datum_put_text(s, &c->datum, c->type);
    } else if (c->type && data == TABLE_BARE) {
        datum_put_bare(s, &c->datum, c->type);
    } else if (c->type) {
        datum_put_json(s, &c->datum, c->type);
    }
}

static char *
cell_text(const struct cell *c, enum table_data data)
{
    struct str s = STR_INIT;

    cell_put(c, data, &s);
    return str_steal(&s);
}

static const struct cell *
cell_at(const struct table *t, size_t row, size_t column)
{
    static const struct cell none;
    const size_t i = row * t->n_columns + column;

    return i < t->n_cells ? &t->cells[i] : &none;
}

/* The time of a table that is to show it; null for others. */
static char *
time_text(const struct table *t)
{
    const int64_t now = clock_wall_ms();
    const time_t seconds = now / 1000;
    char date[64];
    struct tm tm;

    if (!t->timestamp) {
        return NULL;
    }
    gmtime_r(&seconds, &tm);
    strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S", &tm);
    return xasprintf("%s.%03d", date, (int) (now % 1000));
}

static void
put_time_line(const struct table *t, struct str *s)
{
    char *time = time_text(t);

    if (time) {
        str_putf(s, "%s\n", time);
    }
    free(time);
}

static void
put_caption_line(const struct table *t, struct str *s)
{
    put_time_line(t, s);
    if (t->caption) {
        str_putf(s, "%s\n", t->caption);
    }
}

/* ---- "table" ---- */

/* Bytes, not characters: so the reference counts, and scripts cut its columns there. */
static int
text_width(const char *text)
{
    return strlen(text);
}

/* Appends at most 'width' bytes of 'text', after the '*pad' spaces due before it; what it leaves of its column is due
 * before the next text, so that no line ends in spaces. */
static void
put_cell(struct str *s, const char *text, int width, size_t *pad)
{
    const int n = MIN(text_width(text), width);

    if (n) {
        str_put_fill(s, ' ', *pad);
        str_putn(s, text, n);
        *pad = 0;
    }
    *pad += width - n + 1;
}

static void
format_table(const struct table *t, const struct table_style *style, struct str *s)
{
    char **texts = xcalloc(t->n_cells + 1, sizeof *texts);
    int *widths = xcalloc(t->n_columns + 1, sizeof *widths);
    size_t pad = 0;

    for (size_t i = 0; i < t->n_cells; i++) {
        texts[i] = cell_text(&t->cells[i], style->data);
        widths[i % t->n_columns] = MAX(widths[i % t->n_columns], text_width(texts[i]));
    }
    for (size_t i = 0; i < t->n_columns; i++) {
        if (style->max_column_width) {
            widths[i] = MIN(widths[i], style->max_column_width);
        }
        if (style->headings) {
            widths[i] = MAX(widths[i], text_width(t->headings[i]));
        }
    }
    put_caption_line(t, s);
    if (style->headings) {
        for (size_t i = 0; i < t->n_columns; i++) {
            put_cell(s, t->headings[i], widths[i], &pad);
        }
        str_putc(s, '\n');
        for (size_t i = 0; i < t->n_columns; i++) {
            str_puts(s, i ? " " : "");
            str_put_fill(s, '-', widths[i]);
        }
        str_putc(s, '\n');
    }
    for (size_t i = 0; i < t->n_cells; i++) {
        const size_t column = i % t->n_columns;

        pad = column ? pad : 0;
        put_cell(s, texts[i], widths[column], &pad);
        str_puts(s, column + 1 == t->n_columns ? "\n" : "");
        free(texts[i]);
    }
    free(texts);
    free(widths);
}

/* ---- "list" ---- */

static void
format_list(const struct table *t, const struct table_style *style, struct str *s)
{
    put_caption_line(t, s);
    for (size_t y = 0; y < t->n_rows; y++) {
        if (y) {
            str_putc(s, '\n');
        }
        for (size_t x = 0; x < t->n_columns; x++) {
            if (style->headings) {
                str_putf(s, "%-20s: ", t->headings[x]);
            }
            cell_put(cell_at(t, y, x), style->data, s);
            str_putc(s, '\n');
        }
    }
}

/* ---- HTML ---- */

static void
put_escaped(struct str *s, const char *text, size_t n)
{
    for (size_t i = 0; i < n && text[i]; i++) {
        switch (text[i]) {
        case '&': str_puts(s, "&amp;"); break;
        case '<': str_puts(s, "&lt;"); break;
        case '>': str_puts(s, "&gt;"); break;
        case '"': str_puts(s, "&quot;"); break;
        default: str_putc(s, text[i]);
        }
    }
}

/* Uuids become links to the cell of the column "_uuid" that shows them. */
static void
put_html_text(struct str *s, const char *text, bool is_name)
{
    if (is_name) {
        str_puts(s, "<a name=\"");
        put_escaped(s, text, SIZE_MAX);
        str_puts(s, "\">");
        put_escaped(s, text, 8);
        str_puts(s, "</a>");
        return;
    }
    while (*text) {
        struct uuid uuid;

        if (uuid_parse_prefix(&uuid, text)) {
            str_putf(s, "<a href=\"#%.*s\">%.*s</a>", UUID_LEN, text, 8, text);
            text += UUID_LEN;
        } else {
            put_escaped(s, text++, 1);
        }
    }
}

static void
format_html(const struct table *t, const struct table_style *style, struct str *s)
{
    put_time_line(t, s);
    str_puts(s, "<table border=1>\n");
    if (t->caption) {
        str_puts(s, "    <caption>");
        put_html_text(s, t->caption, false);
        str_puts(s, "</caption>\n");
    }
    if (style->headings) {
        str_puts(s, "  <tr>\n");
        for (size_t x = 0; x < t->n_columns; x++) {
            str_puts(s, "    <th>");
            put_html_text(s, t->headings[x], false);
            str_puts(s, "</th>\n");
        }
        str_puts(s, "  </tr>\n");
    }
    for (size_t y = 0; y < t->n_rows; y++) {
        str_puts(s, "  <tr>\n");
        for (size_t x = 0; x < t->n_columns; x++) {
            char *text = cell_text(cell_at(t, y, x), style->data);

            str_puts(s, "    <td>");
            put_html_text(s, text, !strcmp(t->headings[x], "_uuid"));
            str_puts(s, "</td>\n");
            free(text);
        }
        str_puts(s, "  </tr>\n");
    }
    str_puts(s, "</table>\n");
}

/* ---- CSV (RFC 4180) ---- */

static void
put_csv(struct str *s, const char *text)
{
    if (!strpbrk(text, "\n\",")) {
        str_puts(s, text);
        return;
    }
    str_putc(s, '"');
    for (; *text; text++) {
        str_puts(s, *text == '"' ? "\"" : "");
        str_putc(s, *text);
    }
    str_putc(s, '"');
}

static void
format_csv(const struct table *t, const struct table_style *style, struct str *s)
{
    put_caption_line(t, s);
    for (size_t x = 0; style->headings && x < t->n_columns; x++) {
        str_puts(s, x ? "," : "");
        put_csv(s, t->headings[x]);
        str_puts(s, x + 1 == t->n_columns ? "\n" : "");
    }
    for (size_t y = 0; y < t->n_rows; y++) {
        for (size_t x = 0; x < t->n_columns; x++) {
            char *text = cell_text(cell_at(t, y, x), style->data);

            str_puts(s, x ? "," : "");
            put_csv(s, text);
            free(text);
        }
        str_putc(s, '\n');
    }
}

/* ---- JSON ---- */

static struct json *
cell_json(const struct cell *c)
{
    return c->json ? js_ref(c->json) : c->type ? datum_to_json(&c->datum, c->type) : c->text ? js_str(c->text)
                                                                                            : js_null();
}

static void
format_json(const struct table *t, const struct table_style *style, struct str *s)
{
    struct json *object = js_object(), *headings = js_array(), *data = js_array();
    char *time = time_text(t);

    if (time) {
        js_set_take(object, "time", js_str(time));
        free(time);
    }
    if (t->caption) {
        js_set_take(object, "caption", js_str(t->caption));
    }
    for (size_t x = 0; x < t->n_columns; x++) {
        js_append_take(headings, js_str(t->headings[x]));
    }
    for (size_t y = 0; y < t->n_rows; y++) {
        struct json *row = js_array();

        for (size_t x = 0; x < t->n_columns; x++) {
            js_append_take(row, cell_json(cell_at(t, y, x)));
        }
        js_append_take(data, row);
    }
    js_set_take(object, "headings", headings);
    js_set_take(object, "data", data);
    js_put(s, object, JS_SORTED | (style->pretty ? JS_PRETTY : 0));
    str_putc(s, '\n');
    js_unref(object);
}

void
table_format(const struct table *t, const struct table_style *style, struct str *s, unsigned *n_printed)
{
    static void (*const formats[])(const struct table *, const struct table_style *, struct str *) = {
        [TABLE_TABLE] = format_table, [TABLE_LIST] = format_list, [TABLE_HTML] = format_html,
        [TABLE_CSV] = format_csv, [TABLE_JSON] = format_json,
    };

    if ((*n_printed)++ && style->format != TABLE_HTML && style->format != TABLE_JSON) {
        str_putc(s, '\n');
    }
    formats[style->format](t, style, s);
}

void
table_print(const struct table *t, const struct table_style *style)
{
    static unsigned n_printed;
    struct str s = STR_INIT;

    table_format(t, style, &s, &n_printed);
    fwrite(str_text(&s), 1, s.len, stdout);
    str_uninit(&s);
}
