#include <stdlib.h>

#include "ovsdb/store/log.h"
#include "ovsdb/store/private.h"
#include "ovsdb/store/record.h"

/* The commits of the database on their way into the file: the record of each, and how those are undone that do not get
 * there. */

#define TEXT_KEPT ((size_t) 1 << 20) /* Memory for the next record. */

uint64_t
commits_first_durable_wait(const struct store *s)
{
    LIST_FOR_EACH (w, struct store_wait, node, &s->waits) {
        if (w->level == STORE_DURABLE) {
            return w->seq;
        }
    }
    return UINT64_MAX;
}

void
commits_trim(struct store *s, uint64_t written)
{
    uint64_t keep_from = commits_first_durable_wait(s);

    while (!list_is_empty(&s->entries)) {
        struct store_entry *entry = CONTAINER_OF(s->entries.next, struct store_entry, node);

        if (entry->seq > written || entry->seq >= keep_from) {
            break;
        }
        list_remove(&entry->node);
        change_set_unref(entry->set);
        free(entry);
    }
}

static void
add_entry(struct store *s, struct change_set *set, bool recorded)
{
    struct store_entry *entry = xzalloc(sizeof *entry);

    entry->seq = s->seq;
    entry->recorded = recorded;
    entry->set = change_set_ref(set);
    list_push_back(&s->entries, &entry->node);
}

struct store_failure
commits_rewrite(struct store *s)
{
    char *tmp = compact_tmp_name(s->path);
    uint64_t size = 0;
    struct store_failure f;

    compact_cancel(s, "the file must be written anew");
    f = store_failed(compact_write_file(s->io, tmp, s->db, NULL, &size), "rewriting failed");
    pthread_mutex_lock(&s->mutex);
    if (!f.error) {
        f = writer_replace_now(s, tmp, size);
    }
    if (!f.error) {
        s->must_rewrite = false;
        s->last = store_failed(0, NULL);
        s->size = s->compacted_size = size;
        s->n_records = 0;
        s->written_seq = s->synced_seq = s->seq;
    }
    pthread_mutex_unlock(&s->mutex);
    free(tmp);
    return f;
}

void
commits_try_rewrite(struct store *s)
{
    struct store_failure f = commits_rewrite(s);

    if (f.error) {
        pthread_mutex_lock(&s->mutex);
        s->failure = f;
        pthread_mutex_unlock(&s->mutex);
        if (s->loop) {
            loop_wake_signal(&s->wake);
        }
    }
}

static void
store_record(struct store *s)
{
    struct bytes record = log_end_record(&s->text);

    s->size += record.len;
    s->n_records++;
    compact_note_record(s, &record);
    writer_add(s, &record);
}

void
commits_note(struct db_listener *l, struct change_set *set)
{
    struct store *s = CONTAINER_OF(l, struct store, listener);

    if (set->is_undo) {
        return;
    }
    compact_note_commit(s, set);
    commits_trim(s, s->written_seq); /* Those that were written at once, which nobody will be told of. */
    str_clear(&s->text);
    log_begin_record(&s->text);
    if (!record_put_changes(&s->text, set, !(s->flags & STORE_NO_DIFF))) {
        /* To undo the commits before, this one will have to be undone first. */
        if (!list_is_empty(&s->entries)) {
            add_entry(s, set, false);
        }
        return;
    }
    s->seq++;
    add_entry(s, set, true);
    if (s->must_rewrite) {
        commits_try_rewrite(s);
    } else {
        store_record(s);
    }
    if (s->text.capacity > TEXT_KEPT) {
        str_uninit(&s->text);
    }
}

void
commits_undo_after(struct store *s, uint64_t safe)
{
    size_t n = 0, n_records = 0, capacity = list_size(&s->entries);
    struct change_set **sets = xcalloc(capacity + 1, sizeof *sets);

    LIST_FOR_EACH_SAFE (entry, struct store_entry, node, &s->entries) {
        if (entry->seq > safe) {
            list_remove(&entry->node);
            sets[n++] = entry->set;
            n_records += entry->recorded;
            free(entry);
        }
    }
    db_undo(s->db, sets, n);
    for (size_t i = 0; i < n; i++) {
        change_set_unref(sets[i]);
    }
    s->n_records -= MIN(s->n_records, n_records);
    free(sets);
}
