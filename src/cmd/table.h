/* Tables of text, as ovs-vsctl(8) and ovsdb-client(1) print them: "Table Formatting Options".
 *
 * A table has headings, rows and perhaps a caption.  A cell is text, JSON, or a datum, printed as the style says.
 * Tables printed one after the other are separated by an empty line, but for HTML and JSON.
 *
 * Threads: main thread. */
#ifndef CMD_TABLE_H
#define CMD_TABLE_H 1

#include "base/error.h"
#include "ovsdb/data/text.h"

enum table_format { TABLE_TABLE, TABLE_LIST, TABLE_HTML, TABLE_CSV, TABLE_JSON };
enum table_data { TABLE_STRING, TABLE_BARE, TABLE_DATA_JSON };

struct table_style {
    enum table_format format;
    enum table_data data;
    bool headings;
    bool pretty;          /* JSON tables over several lines. */
    int max_column_width; /* TABLE_TABLE only; 0: no limit. */
};

/* What the programs start with ('format' differs: a list for ovs-vsctl, a table for ovsdb-client). */
#define TABLE_STYLE_INIT(FORMAT) { (FORMAT), TABLE_STRING, true, false, 0 }

/* Rows for a program's table of options (sys/cmdline.h), and their ids from TABLE_OPT_FIRST on. */
enum {
    TABLE_OPT_FIRST = 5000,
    TABLE_OPT_FORMAT = TABLE_OPT_FIRST, TABLE_OPT_DATA, TABLE_OPT_NO_HEADINGS, TABLE_OPT_PRETTY, TABLE_OPT_BARE,
    TABLE_OPT_MAX_COLUMN_WIDTH, TABLE_OPT_LAST
};
#define TABLE_OPTIONS \
    { "format", 'f', CMDLINE_ARG, TABLE_OPT_FORMAT, table_put_formats }, \
    { "data", 'd', CMDLINE_ARG, TABLE_OPT_DATA, table_put_datas }, \
    { "no-headings", 0, CMDLINE_NO_ARG, TABLE_OPT_NO_HEADINGS }, \
    { "pretty", 0, CMDLINE_NO_ARG, TABLE_OPT_PRETTY }, \
    { "bare", 0, CMDLINE_NO_ARG, TABLE_OPT_BARE }, \
    { "max-column-width", 0, CMDLINE_ARG, TABLE_OPT_MAX_COLUMN_WIDTH }

/* The words that --format and --data take (sys/cmdline.h). */
void table_put_formats(struct str *);
void table_put_datas(struct str *);

/* Applies the option 'id' of the range above. */
struct error *table_style_set(struct table_style *style, int id, const char *arg) MUST_CHECK;

struct table;

struct table *table_create(void) MUST_CHECK;
void table_destroy(struct table *t); /* Null is allowed. */
/* Replaces the caption; null for none. */
void table_set_caption(struct table *t, const char *caption);
/* Shows the time when printed (the wall clock's, UTC): on a line above, in JSON as the member "time". */
void table_set_timestamp(struct table *t, bool timestamp);
/* Columns come before rows. */
void table_add_column(struct table *t, const char *heading_format, ...) PRINTF_FORMAT(2, 3);
void table_add_row(struct table *t);

/* Fill the next cell of the last row: with text (copied), with JSON (a reference is taken over), with a copy of a
 * datum, whose type must live as long as the table. */
void table_add_text(struct table *t, const char *text);
void table_add_json_take(struct table *t, struct json *json);
void table_add_datum(struct table *t, const struct datum *d, const struct col_type *type);

/* Appends the table to 's' and forgets nothing.  '*n_printed' counts the tables printed so far. */
void table_format(const struct table *t, const struct table_style *style, struct str *s, unsigned *n_printed);
/* The same to stdout, with a count for the process. */
void table_print(const struct table *t, const struct table_style *style);

#endif
