/* show-log: the records of a database file, at three levels of detail. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/strmap.h"
#include "base/uuid.h"
#include "cmd/ovsdb-tool/tool.h"
#include "ovsdb/data/schema.h"
#include "ovsdb/data/text.h"
#include "ovsdb/store/log.h"

struct show {
    struct schema *schema;
    struct strmap names;  /* UUID to a row's name, as far as known; owned texts, "" if it has none. */
};

static struct json *
read_json(const struct log_reader *r, const char *body, size_t len)
{
    struct json *json;
    struct error *error = js_parse(body, len, &json);

    if (error) {
        char *place = log_reader_place(r);

        cmdline_fatal(0, "%s: %s", place, error_text(error));
    }
    return json;
}

/* Date and comment of a transaction. */
static void
show_head(const struct json *json)
{
    const struct json *date = js_get(json, "_date");
    const char *comment = js_get_str(json, "_comment");

    if (js_is(date, JS_INTEGER)) {
        int64_t ms = js_int_value(date);
        time_t t = (ms < INT64_C(1) << 32 ? ms * 1000 : ms) / 1000;
        char text[64];
        struct tm tm;

        gmtime_r(&t, &tm);
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm);
        printf(" %s.%03d", text, (int) ((ms < INT64_C(1) << 32 ? 0 : ms) % 1000));
    }
    if (comment) {
        printf(" \"%s\"", comment);
    }
    putchar('\n');
}

/* The value of the column by which people know a row. */
static const char *
name_in(const struct json *row)
{
    return js_is(row, JS_OBJECT) ? js_get_str(row, "name") : NULL;
}

static void
show_columns(const struct table_schema *table, const struct json *row)
{
    for (void *it = js_iter(row); it; it = js_iter_next(row, it)) {
        const struct column *column = table ? table_schema_column(table, js_iter_name(it)) : NULL;
        struct str text = STR_INIT;
        struct datum d;
        struct dberr *error = column ? datum_from_json_loose(&d, &column->type, js_iter_value(it), NULL) : NULL;

        if (column && !error) {
            datum_put_text(&text, &d, &column->type);
            datum_uninit(&d, &column->type);
        } else {
            js_put(&text, js_iter_value(it), JS_COMPACT);
            dberr_free(error);
        }
        printf("    %s=%s\n", js_iter_name(it), str_text(&text));
        str_uninit(&text);
    }
}

static void
print_quoted(const char *text)
{
    struct str s = STR_INIT;

    js_put_quoted(&s, text);
    printf("%s", str_text(&s));
    str_uninit(&s);
}

/* 'diff' is what is said of columns that hold differences. */
static void
show_row(struct show *s, const char *table_name, const char *uuid, const struct json *row, const char *diff)
{
    const struct table_schema *table = s->schema ? schema_table(s->schema, table_name) : NULL;
    const char *old_name = strmap_get(&s->names, uuid), *name = name_in(row);

    printf("  table %s", table_name);
    if (old_name && old_name[0]) {
        printf(" row ");
        print_quoted(old_name);
        printf(" (%.8s)%s:\n", uuid, diff);
    } else if (old_name) {
        printf(" row %.8s (%.8s)%s:\n", uuid, uuid, diff);
    } else if (name && name[0]) {
        printf(" insert row ");
        print_quoted(name);
        printf(" (%.8s):\n", uuid);
    } else {
        printf(" insert row %.8s:\n", uuid);
    }
    if (js_is(row, JS_NULL)) {
        printf("    delete row\n");
    } else if (tool_more > 1 && js_is(row, JS_OBJECT)) {
        show_columns(table, row);
    }
    if (js_is(row, JS_NULL)) {
        free(strmap_remove(&s->names, uuid));
    } else if (name || !old_name) {
        strmap_put_free(&s->names, uuid, xstrdup(name ? name : ""));
    }
}

static void
show_tables(struct show *s, const struct json *json)
{
    const char *diff = js_is(js_get(json, "_is_diff"), JS_TRUE) ? " diff" : "";

    for (void *it = js_iter(json); it; it = js_iter_next(json, it)) {
        const struct json *rows = js_iter_value(it);

        if (js_iter_name(it)[0] == '_' || !js_is(rows, JS_OBJECT)) {
            continue;
        }
        for (void *row = js_iter(rows); row; row = js_iter_next(rows, row)) {
            show_row(s, js_iter_name(it), js_iter_name(row), js_iter_value(row), diff);
        }
    }
}

static void
show_schema(struct show *s, const struct json *json)
{
    tool_fatal(schema_from_json(&s->schema, json));
    printf(" \"%s\" schema, version=\"%s\", cksum=\"%s\"\n", s->schema->name, s->schema->version, s->schema->cksum);
}

void
tool_show_log(struct cmdline_ctx *ctx)
{
    struct show s = { .names = STRMAP_INIT(&s.names) };
    struct dberr *error;
    struct log_reader *r;
    enum log_kind kind;
    char *body;
    size_t len;

    tool_fatal(log_reader_open(&store_io_system, tool_db_arg(ctx, 1), false, &r, &kind));
    if (kind == LOG_CLUSTERED) {
        cmdline_fatal(0, "%s: clustered databases are not supported yet", tool_db_arg(ctx, 1));
    }
    for (unsigned int i = 0; !(error = log_reader_next(r, &body, &len)) && body; i++) {
        struct json *json = read_json(r, body, len);

        printf("record %u:", i);
        if (i) {
            show_head(json);
            if (tool_more) {
                show_tables(&s, json);
            }
        } else {
            show_schema(&s, json);
        }
        if (!i || tool_more) {
            putchar('\n');
        }
        js_unref(json);
    }
    log_reader_close(r);
    strmap_uninit_free(&s.names);
    if (s.schema) {
        schema_unref(s.schema);
    }
    tool_fatal(error);
}
