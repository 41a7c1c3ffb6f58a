#include <stdlib.h>

#include "ovsdb/store/log.h"
#include "ovsdb/store/private.h"
#include "ovsdb/store/record.h"
#include "sys/log.h"

/* Reading a file: its schema, then its records into a database. */

LOG_MODULE(ovsdb_file)

static struct dberr *
parse_schema(struct log_reader *r, struct schema **schema)
{
    struct json *json;
    struct error *error;
    struct dberr *e;
    char *body;
    size_t len;

    *schema = NULL;
    e = log_reader_next(r, &body, &len);
    if (e) {
        return e;
    }
    error = body ? js_parse(body, len, &json) : error_new("no schema");
    if (error) {
        char *place = log_reader_place(r);

        e = dberr_syntax(NULL, "%s are not valid JSON (%s)", place, error_text(error));
        free(place);
        error_free(error);
        return e;
    }
    e = schema_from_json(schema, json);
    js_unref(json);
    return e;
}

static struct dberr *
clustered_error(const char *name)
{
    return dberr_new("not supported", "%s: clustered databases are not supported yet", name);
}

struct dberr *
store_read_schema(const char *path, struct schema **schema)
{
    struct log_reader *r;
    enum log_kind kind;
    struct dberr *e = log_reader_open(&store_io_system, path, false, &r, &kind);

    *schema = NULL;
    if (!e && kind == LOG_CLUSTERED) {
        e = clustered_error(path);
    }
    e = e ? e : parse_schema(r, schema);
    log_reader_close(r);
    return e;
}

/* Leaves a record out, with a message instead of the error, which is released. */
static void
leave_out(struct dberr *e)
{
    char *text = dberr_to_string(e);

    log_warn("record left out: %s", text);
    free(text);
    dberr_free(e);
}

/* Applies a record.  Of one that breaks a constraint the others do not have to suffer: a defect somewhere, or a schema
 * that was changed by hand, has let it into the file.  It is left out, and so are deletions of what then is not there;
 * '*any_left_out' tells.  In the file they stay until it is written anew. */
static struct dberr *
apply_record(struct store *s, struct log_reader *r, char *body, size_t len, bool *any_left_out)
{
    enum record_fault fault;
    struct dberr *e = record_apply_last(s->db, body, len, &fault);
    char *place;

    if (!e) {
        return NULL;
    }
    place = log_reader_place(r);
    e = dberr_wrap(e, "%s", place);
    free(place);
    if (fault == RECORD_BREAKS_CONSTRAINT || (fault == RECORD_DELETES_UNKNOWN && *any_left_out)) {
        leave_out(e);
        e = NULL;
        *any_left_out = true;
    }
    return e;
}

/* Reads all records.  Sets '*damage' to what ended the good part, if that was not the end of the file. */
static struct dberr *
read_records(struct store *s, struct log_reader *r, struct dberr **damage)
{
    bool any_left_out = false;
    char *body;
    size_t len;

    *damage = NULL;
    for (;;) {
        struct dberr *e;

        *damage = log_reader_next(r, &body, &len);
        if (*damage || !body) {
            return NULL;
        }
        e = apply_record(s, r, body, len, &any_left_out);
        if (e) {
            return e;
        }
        /* The first record is what a compaction left, or near enough. */
        s->compacted_size = s->n_records ? s->compacted_size : log_reader_good(r);
        s->n_records++;
    }
}

/* Decides what to do about a damaged end: an error, or a message. */
static struct dberr *
judge_damage(struct store *s, const struct log_reader *r, struct dberr *damage)
{
    char *text;

    if (!damage || !(s->flags & STORE_RECOVER)) {
        return damage;
    }
    text = dberr_to_string(damage);
    log_err("%s", text);
    log_warn("%s: keeping the %zu records before that, cutting off %jd bytes", s->name, s->n_records + 1,
             (intmax_t) (log_reader_size(r) - log_reader_good(r)));
    free(text);
    dberr_free(damage);
    s->dirty_tail = true;
    return NULL;
}

struct dberr *
load_file(struct store *s)
{
    bool writable = !(s->flags & STORE_READ_ONLY);
    struct dberr *damage = NULL, *e;
    struct schema *schema = NULL;
    struct log_reader *r;
    enum log_kind kind;

    e = log_reader_open(s->io, s->name, writable, &r, &kind);
    if (!e && kind == LOG_CLUSTERED) {
        e = clustered_error(s->name);
    }
    e = e ? e : parse_schema(r, &schema);
    if (!e) {
        s->db = db_create(schema);
        schema_unref(schema);
        s->compacted_size = log_reader_good(r);
        e = read_records(s, r, &damage);
        e = e ? e : judge_damage(s, r, damage);
    }
    if (!e) {
        s->end = s->size = log_reader_good(r);
        s->fd = log_reader_take_fd(r);
    }
    log_reader_close(r);
    return e;
}
