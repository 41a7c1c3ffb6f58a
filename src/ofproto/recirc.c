#include "ofproto/recirc.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "sys/rcu.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* Guards all below but readers of 'by_id'. */
static struct rcu_map by_id = RCU_MAP_INIT;               /* struct frozen_state by hash_u32(id, 0). */
static struct hmap by_contents = HMAP_INIT(&by_contents);
static uint32_t last_id;

static size_t
data_len(const struct frozen *f)
{
    return (size_t) f->steps_len + f->acts_len + f->action_set_len + f->stack_len + f->userdata_len;
}

static struct frozen_state *
find_equal(const struct frozen *f, const void *data, uint32_t hash)
{
    HMAP_FOR_EACH_WITH_HASH (s, struct frozen_state, node, hash, &by_contents) {
        if (!memcmp(&s->frozen, f, sizeof *f) && !memcmp(s->data, data, data_len(f))) {
            return s;
        }
    }
    return NULL;
}

static uint32_t
choose_id(void)
{
    do {
        last_id++;
    } while (!last_id || recirc_find_rcu(last_id));
    return last_id;
}

static struct frozen_state *
make(const struct frozen *f, const void *data, uint32_t hash)
{
    struct frozen_state *s = xzalloc(sizeof *s + ROUND_UP(data_len(f), 8));

    s->frozen = *f;
    memcpy(s->data, data, data_len(f));
    s->hash = hash;
    s->id = choose_id();
    hmap_insert(&by_contents, &s->node, hash);
    rcu_map_insert(&by_id, s, hash_u32(s->id, 0));
    return s;
}

struct frozen_state *
recirc_freeze(const struct frozen *f, const void *data)
{
    static const char nothing;
    uint32_t hash;
    struct frozen_state *s;

    data = data ? data : &nothing;
    hash = hash_bytes(data, data_len(f), hash_bytes(f, sizeof *f, 0));
    pthread_mutex_lock(&mutex);
    s = find_equal(f, data, hash);
    if (!s) {
        s = make(f, data, hash);
    }
    s->n_refs++;
    pthread_mutex_unlock(&mutex);
    return s;
}

struct frozen_state *
recirc_find_rcu(uint32_t id)
{
    RCU_MAP_FOR_EACH_WITH_HASH (s, struct frozen_state, hash_u32(id, 0), &by_id) {
        if (s->id == id) {
            return s;
        }
    }
    return NULL;
}

/* One found after it has left the tables only lives to the end of the reader's section: counting it does no harm. */
struct frozen_state *
recirc_ref(struct frozen_state *s)
{
    pthread_mutex_lock(&mutex);
    s->n_refs++;
    pthread_mutex_unlock(&mutex);
    return s;
}

/* A grace period after the last reference was dropped: if there was another since, and it is gone too, once more. */
static void
end(void *s_)
{
    struct frozen_state *s = s_;
    bool again = false;

    pthread_mutex_lock(&mutex);
    s->is_ending = false;
    if (!s->n_refs) {
        again = s->was_used;
        s->was_used = false;
        s->is_ending = again;
        if (!again) {
            hmap_remove(&by_contents, &s->node);
            rcu_map_remove(&by_id, s, hash_u32(s->id, 0));
        }
    } else {
        s = NULL;
    }
    pthread_mutex_unlock(&mutex);
    if (s) {
        rcu_defer(again ? end : free, s);
    }
}

void
recirc_unref(struct frozen_state *s)
{
    bool ends;

    pthread_mutex_lock(&mutex);
    ends = !--s->n_refs && !s->is_ending;
    s->was_used = !s->n_refs && s->is_ending;
    s->is_ending |= ends;
    pthread_mutex_unlock(&mutex);
    if (ends) {
        rcu_defer(end, s);
    }
}

void
frozen_restore_flow(const struct frozen_state *s, struct flow *flow)
{
    int n = 0;

    flow->in_port = s->frozen.in_port;
    FLOW_FOR_EACH_LINE (i, FROZEN_LINES) {
        memcpy(&flow->lines[i], &s->frozen.lines[n++], sizeof flow->lines[i]);
    }
    if (!s->frozen.conntracked) {
        flow_clear_conntrack(flow, FLOW_LINES_ALL);
    }
}
