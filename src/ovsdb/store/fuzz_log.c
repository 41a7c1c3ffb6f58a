/* Fuzz target: bytes to a database.  Input that begins with 'O' is a whole file; any other is the body of one record,
 * which gets a right hash and comes behind a schema.  What can be read must be the same after it was written and read
 * again. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ovsdb/store/log.h"
#include "ovsdb/store/contents.h"
#include "ovsdb/store/store.h"
#include "sys/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char schema[] =
    "{\"name\":\"T\",\"version\":\"1.0.0\",\"tables\":{"
    "\"R\":{\"isRoot\":true,\"indexes\":[[\"name\"]],\"columns\":{\"name\":{\"type\":\"string\"},"
    "\"i\":{\"type\":{\"key\":{\"type\":\"integer\",\"maxInteger\":9},\"min\":0}},\"r\":{\"type\":\"real\"},"
    "\"e\":{\"type\":\"integer\",\"ephemeral\":true},\"b\":{\"type\":\"boolean\"},"
    "\"s\":{\"type\":{\"key\":\"string\",\"min\":0,\"max\":\"unlimited\"}},"
    "\"m\":{\"type\":{\"key\":\"string\",\"value\":\"integer\",\"min\":0,\"max\":4}},"
    "\"kids\":{\"type\":{\"key\":{\"type\":\"uuid\",\"refTable\":\"C\"},\"min\":0,\"max\":\"unlimited\"}},"
    "\"weak\":{\"type\":{\"key\":{\"type\":\"uuid\",\"refTable\":\"C\",\"refType\":\"weak\"},\"min\":0}}}},"
    "\"C\":{\"columns\":{\"n\":{\"type\":\"real\"}}}}}";

static int contents = -1; /* The file. */

static int
open_contents(const char *path UNUSED, int flags UNUSED, mode_t mode UNUSED)
{
    return dup(contents);
}

/* Opens a file with 'text' in it; null if it is refused. */
static struct store *
open_text(const struct bytes *text)
{
    struct store_io io = store_io_system;
    struct store *store;
    struct dberr *error;

    io.open = open_contents;
    contents = memfd_create("fuzz", MFD_CLOEXEC);
    if (contents < 0 || store_io_write_all(&io, contents, text->data, text->len, 0)) {
        abort();
    }
    error = store_open_with(&io, "file", STORE_READ_ONLY | STORE_RECOVER, &store);
    dberr_free(error);
    close(contents);
    return error ? NULL : store;
}

static void
put_schema(struct bytes *file, const struct db *db)
{
    struct json *json = schema_to_json(db->schema);
    char *text = js_to_string(json, JS_COMPACT);

    log_put_record(file, text, strlen(text));
    free(text);
    js_unref(json);
}

/* Writes the contents into a file of their own and reads that. */
static void
go_round(const struct db *db)
{
    struct bytes file = BYTES_INIT;
    struct contents *walk = contents_begin(db, "comment");
    struct str record = STR_INIT;
    struct store *again;

    put_schema(&file, db);
    while (!contents_step(walk, &record, 0, INT64_MAX)) {
        continue;
    }
    contents_end(walk);
    log_put_record(&file, str_text(&record), record.len);
    again = open_text(&file);
    if (!again || db_n_rows(store_db(again)) != db_n_rows(db)) {
        abort();
    }
    dberr_free(store_close(again));
    bytes_uninit(&file);
    str_uninit(&record);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes file = BYTES_INIT;
    struct store *store;

    error_free(log_configure("ANY:ANY:off"));
    if (size && data[0] == 'O') {
        bytes_put(&file, data, size);
    } else {
        log_put_record(&file, schema, strlen(schema));
        log_put_record(&file, (const char *) data, size);
    }
    store = open_text(&file);
    if (store) {
        go_round(store_db(store));
        dberr_free(store_close(store));
    }
    bytes_uninit(&file);
    return 0;
}
