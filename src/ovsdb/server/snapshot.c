#include "ovsdb/server/snapshot.h"

#include <stdlib.h>

enum {
    STEP_MS = 2,           /* A step, about. */
    ROWS_BETWEEN = 128,    /* Looks at the clock. */
    PIECE_SIZE = 250000,   /* Of text, about: each a mapping of its own, see set_up_memory() of the daemon. */
};

void
snapshot_text_unref(struct snapshot_text *t)
{
    if (t && !--t->refs) {
        for (size_t i = 0; i < t->n; i++) {
            shared_text_unref(t->pieces[i]);
        }
        free(t->pieces);
        free(t);
    }
}

/* Adds what the writer has as a piece. */
static void
add_piece(struct snapshot_text *t, struct str *s)
{
    if (t->n == t->capacity) {
        t->pieces = x2nrealloc(t->pieces, &t->capacity, sizeof *t->pieces);
    }
    t->len += s->len;
    t->pieces[t->n++] = shared_text_take(s);
    str_reserve(s, PIECE_SIZE + PIECE_SIZE / 16);
}

/* --- The walk --- */

static const struct monitor_table *
current_table(const struct snapshot *s)
{
    const struct monitor_table *mt = &s->spec->tables[s->table];

    return mt->table && mt->select & SELECT_INITIAL ? mt : NULL;
}

static void
put_row(struct snapshot *s, const struct monitor_table *mt, const struct uuid *uuid, const struct tuple *tuple)
{
    update_writer_put_initial(&s->writer, mt, uuid, tuple);
    if (s->writer.text.len > PIECE_SIZE) {
        add_piece(s->text, &s->writer.text);
    }
}

/* Rows that changed before the walk came to them, as they were. */
static void
put_late_rows(struct snapshot *s, const struct monitor_table *mt)
{
    HMAP_FOR_EACH (row, struct kept_row, node, &s->kept->tables[s->table]) {
        if (row->is_late && row->old) {
            put_row(s, mt, &row->uuid, row->old);
        }
    }
}

/* Writes some rows; false at the end of the table. */
static bool
put_rows(struct snapshot *s, const struct monitor_table *mt)
{
    for (int i = 0; i < ROWS_BETWEEN; i++) {
        const struct row *row = table_row_from_slot(mt->table, s->slot);

        if (!row) {
            return false;
        }
        s->slot = row->slot + 1;
        if (!kept_find(s->kept, s->table, &row->uuid)) {
            put_row(s, mt, &row->uuid, row->tuple);
        }
    }
    return true;
}

static size_t
n_tables(const struct snapshot *s)
{
    return s->spec->db->db->schema->n_tables;
}

bool
snapshot_is_complete(const struct snapshot *s)
{
    return s->table == n_tables(s);
}

/* Goes on until the time is up or everything is written. */
static void
step(struct snapshot *s, int64_t until_ms)
{
    while (!snapshot_is_complete(s)) {
        const struct monitor_table *mt = current_table(s);

        if (mt && put_rows(s, mt)) {
            if (clock_now_ms() >= until_ms) {
                return;
            }
            continue;
        }
        if (mt) {
            put_late_rows(s, mt);
        }
        s->table++;
        s->slot = 0;
    }
    update_writer_close(&s->writer);
    add_piece(s->text, &s->writer.text);
    str_uninit(&s->writer.text);
}

/* --- Under way --- */

struct snapshot *
snapshot_create(struct monitor_spec *spec)
{
    struct snapshot *s = xzalloc(sizeof *s);

    s->server = spec->db->server;
    s->spec = monitor_spec_ref(spec);
    list_init(&s->node);
    list_init(&s->monitors);
    update_writer_init(&s->writer, spec);
    s->at = spec->db->db->n_commits;
    s->last_txn = spec->db->last_txn;
    s->text = xzalloc(sizeof *s->text);
    s->text->refs = 1;
    s->kept = kept_create(spec->db->db->schema);
    step(s, clock_now_ms() + STEP_MS);
    if (!snapshot_is_complete(s)) {
        list_push_back(&s->server->snapshots, &s->node);
        loop_wake_signal(&s->server->snapshot_wake);
    }
    return s;
}

void
snapshot_destroy(struct snapshot *s)
{
    list_remove(&s->node);
    str_uninit(&s->writer.text);
    snapshot_text_unref(s->text);
    kept_destroy(s->kept);
    monitor_spec_unref(s->spec);
    free(s);
}

void
snapshot_finish(struct snapshot *s)
{
    step(s, INT64_MAX);
    list_remove(&s->node);
}

/* Whether the walk has passed the row's slot. */
static bool
is_behind(const struct snapshot *s, const struct change *c)
{
    size_t table = c->table->schema->index;

    return table < s->table || (table == s->table && c->slot < s->slot);
}

void
snapshot_commit(struct served_db *db, const struct change_set *set)
{
    LIST_FOR_EACH (s, struct snapshot, node, &db->server->snapshots) {
        if (s->spec->db != db) {
            continue;
        }
        LIST_FOR_EACH (c, struct change, node, &set->changes) {
            if (s->spec->tables[c->table->schema->index].table) {
                kept_add(s->kept, c, !is_behind(s, c));
            }
        }
    }
}

/* One step of the next one, in turn. */
static void
on_wake(struct loop_wake *w)
{
    struct ovsdb_server *server = w->aux;
    struct snapshot *s;

    if (list_is_empty(&server->snapshots)) {
        return;
    }
    s = CONTAINER_OF(list_pop_front(&server->snapshots), struct snapshot, node);
    step(s, clock_now_ms() + STEP_MS);
    if (snapshot_is_complete(s)) {
        monitor_finish_snapshot(s);
    } else {
        list_push_back(&server->snapshots, &s->node);
    }
    if (!list_is_empty(&server->snapshots)) {
        loop_wake_signal(&server->snapshot_wake);
    }
}

void
snapshots_init(struct ovsdb_server *server)
{
    list_init(&server->snapshots);
    loop_wake_init(server->loop, &server->snapshot_wake, on_wake, server);
}

void
snapshots_uninit(struct ovsdb_server *server)
{
    loop_wake_uninit(&server->snapshot_wake);
}
