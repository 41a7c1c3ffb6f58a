#include "datapath/user/megaflow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "datapath/user/offload.h"
#include "datapath/user/op.h"
#include "sys/area.h"

void
megaflow_table_init(struct megaflow_table *t)
{
    memset(t, 0, sizeof *t);
    pthread_mutex_init(&t->mutex, NULL);
    rcu_map_init(&t->dictionaries);
    t->epoch = MEGAFLOW_FIRST_EPOCH;
    list_init(&t->tuples);
    hmap_init(&t->names);
    hmap_init(&t->flows_by_name);
    t->limit = MEGAFLOW_LIMIT;
}

/* Memory. */

static size_t
flow_size(unsigned int n_lines)
{
    return sizeof(struct dp_flow) + n_lines * sizeof(struct flow_line);
}

/* How many megaflows are in a block, which is a piece of an area. */
static size_t
flows_in_block(unsigned int n_lines)
{
    return AREA_PIECE_SIZE / flow_size(n_lines);
}

static void
allocate_block(struct megaflow_table *t, unsigned int n_lines)
{
    size_t size = flow_size(n_lines);
    char *block = memset(area_take(), 0, AREA_PIECE_SIZE);

    if (t->n_blocks == t->blocks_capacity) {
        t->blocks = x2nrealloc(t->blocks, &t->blocks_capacity, sizeof *t->blocks);
    }
    t->blocks[t->n_blocks++] = block;
    for (size_t i = 0; i < flows_in_block(n_lines); i++) {
        struct dp_flow *f = (struct dp_flow *) (block + i * size);

        f->n_lines = n_lines;
        list_init(&f->exact_node);
        f->next_free = t->free[n_lines];
        t->free[n_lines] = f;
    }
}

static struct dp_flow *
allocate_flow(struct megaflow_table *t, unsigned int n_lines)
{
    struct dp_flow *f;

    if (!t->free[n_lines]) {
        allocate_block(t, n_lines);
    }
    f = t->free[n_lines];
    t->free[n_lines] = f->next_free;
    for (size_t i = 0; t->free[n_lines] && i < flow_size(n_lines); i += CACHE_LINE) {
        __builtin_prefetch((const char *) t->free[n_lines] + i, 1); /* For the next megaflow. */
    }
    return f;
}

bool
megaflow_claim_stats(struct dp_flow *f, unsigned int worker)
{
    uint8_t none = 0;

    return worker < MEGAFLOW_MAX_COUNTERS && atomic_compare_exchange_strong(&f->counter, &none, worker + 1);
}

void
megaflow_get_stats(const struct dp_flow *f, struct dp_flow_stats *stats)
{
    *stats = (struct dp_flow_stats) { 0 };
    for (int i = 0; i < MEGAFLOW_STATS; i++) {
        const struct megaflow_stats *s = &f->stats[i];

        stats->n_packets += tally_get(&s->n_packets);
        stats->n_bytes += tally_get(&s->n_bytes);
    }
    stats->used = atomic_load_explicit(&f->used, memory_order_relaxed);
    stats->tcp_flags = atomic_load_explicit(&f->tcp_flags, memory_order_relaxed);
}

/* After the grace period: the owner's turn, and the memory is free. */
static void
release_flow(void *flow)
{
    struct dp_flow *f = flow;
    struct megaflow_table *t = f->tuple->all;
    struct dp_flow_stats stats;

    megaflow_get_stats(f, &stats);
    if (f->owner && t->owner_free) {
        t->owner_free(t->aux, f->owner, &stats);
    }
    program_destroy(rcu_get_protected(&f->program));
    pthread_mutex_lock(&t->mutex);
    f->next_free = t->free[f->n_lines];
    t->free[f->n_lines] = f;
    pthread_mutex_unlock(&t->mutex);
}

/* Names. */

/* Few megaflows are given one. */
struct megaflow_name {
    struct hmap_node node;     /* In megaflow_table.names, by hash_pointer(flow, 0). */
    struct hmap_node by_ufid;  /* In megaflow_table.flows_by_name, by uuid_hash(). */
    struct dp_flow *flow;
    struct uuid ufid;
};

static struct megaflow_name *
find_name(const struct dp_flow *f)
{
    HMAP_FOR_EACH_WITH_HASH (n, struct megaflow_name, node, hash_pointer(f, 0), &f->tuple->all->names) {
        if (n->flow == f) {
            return n;
        }
    }
    return NULL;
}

void
megaflow_set_ufid(struct megaflow_table *t, struct dp_flow *f, const struct uuid *ufid)
{
    struct megaflow_name *n;

    pthread_mutex_lock(&t->mutex);
    n = find_name(f);
    if (n) {
        hmap_remove(&t->flows_by_name, &n->by_ufid);
    } else if (atomic_load(&f->state)) {
        n = xzalloc(sizeof *n);
        n->flow = f;
        hmap_insert(&t->names, &n->node, hash_pointer(f, 0));
        f->has_name = true;
    }
    if (n) {
        n->ufid = *ufid;
        hmap_insert(&t->flows_by_name, &n->by_ufid, uuid_hash(ufid));
    }
    pthread_mutex_unlock(&t->mutex);
}

static void
forget_ufid(struct megaflow_table *t, struct dp_flow *f)
{
    if (f->has_name) {
        struct megaflow_name *n = find_name(f);

        hmap_remove(&t->names, &n->node);
        hmap_remove(&t->flows_by_name, &n->by_ufid);
        free(n);
        f->has_name = false;
    }
}

static void
make_ufid(const struct dp_flow *f, struct uuid *ufid)
{
    const struct flow *mask = &f->tuple->mask;
    struct flow key;
    uint64_t h[2];

    megaflow_get_key(f, &key);
    flow_mask(&key, &key, mask);
    h[0] = f->hash;
    h[1] = hash_bytes(&key, sizeof key, hash_bytes(mask, sizeof *mask, 1));

    _Static_assert(sizeof h == sizeof *ufid, "a ufid has 128 bits");
    memcpy(ufid, h, sizeof h);
}

void
megaflow_get_ufid(const struct dp_flow *f, struct uuid *ufid)
{
    const struct megaflow_name *name;

    pthread_mutex_lock(&f->tuple->all->mutex);
    name = f->has_name ? find_name(f) : NULL;
    if (name) {
        *ufid = name->ufid;
    }
    pthread_mutex_unlock(&f->tuple->all->mutex);
    if (!name) {
        make_ufid(f, ufid);
    }
}

/* Of those that were given no name. */
static struct dp_flow *
tuple_find_ufid(struct tuple *t, const struct uuid *ufid)
{
    const struct slot_array *table = rcu_get_protected(&t->table.now);
    uint64_t slot;
    uint64_t hash;

    memcpy(&hash, ufid, sizeof hash);
    for (size_t i = hash & table->mask; (slot = slot_at(table, i)) != 0; i = (i + 1) & table->mask) {
        struct dp_flow *f = tuple_slot_flow(slot);
        struct uuid own;

        if (slot != TUPLE_REMOVED && f->hash == hash && !f->has_name) {
            make_ufid(f, &own);
            if (uuid_equal(&own, ufid)) {
                return f;
            }
        }
    }
    return NULL;
}

struct dp_flow *
megaflow_find_ufid_rcu(struct megaflow_table *t, const struct uuid *ufid)
{
    struct dp_flow *found = NULL;

    pthread_mutex_lock(&t->mutex);
    HMAP_FOR_EACH_WITH_HASH (n, struct megaflow_name, by_ufid, uuid_hash(ufid), &t->flows_by_name) {
        found = uuid_equal(&n->ufid, ufid) ? n->flow : found;
    }
    LIST_FOR_EACH (tuple, struct tuple, node, &t->tuples) {
        found = found ? found : tuple_find_ufid(tuple, ufid);
    }
    pthread_mutex_unlock(&t->mutex);
    return found;
}

/* Tuples. */

static uint64_t
slot_make(const struct dp_flow *f)
{
    return (uintptr_t) f | (f->hash >> TUPLE_SIG_SHIFT << TUPLE_SIG_SHIFT);
}

/* A slot of what was removed serves again; '*n_used' grows by those that nothing was in.  Returns the slot. */
static size_t
slots_put(struct slot_array *slots, const struct dp_flow *f, uint32_t *n_used)
{
    size_t i = f->hash & slots->mask;

    while (slot_at(slots, i) > TUPLE_REMOVED) {
        i = (i + 1) & slots->mask;
    }
    *n_used += !slot_at(slots, i);
    atomic_store_explicit(&slots->slots[i], slot_make(f), memory_order_release);
    return i;
}

static size_t
slots_remove(struct slot_array *slots, const struct dp_flow *f)
{
    size_t i = f->hash & slots->mask;

    while (slot_at(slots, i) != slot_make(f)) {
        i = (i + 1) & slots->mask;
    }
    atomic_store_explicit(&slots->slots[i], TUPLE_REMOVED, memory_order_release);
    return i;
}

/* Asks for what the next step needs: where its megaflows go, which for each slot are as many places as the new table
 * is bigger; and for the megaflows of the one after it, which know their hashes. */
static void
prefetch_moves(const struct slot_table *t, const struct slot_array *now, size_t end)
{
    size_t n = now->mask + 1;

    for (size_t i = end + SLOT_TABLE_MOVES; i < MIN(end + 2 * SLOT_TABLE_MOVES, n); i++) {
        __builtin_prefetch(tuple_slot_flow(slot_at(now, i)));
    }
    for (size_t i = end & t->next->mask; i <= t->next->mask; i += n) {
        __builtin_prefetch(&t->next->slots[i], 1);
    }
}

static void
move_slots(struct slot_table *t)
{
    const struct slot_array *now = rcu_get_protected(&t->now);
    size_t end = slot_table_end_of_step(t);

    prefetch_moves(t, now, end);
    for (size_t i = t->n_moved; i < end; i++) {
        uint64_t slot = slot_at(now, i);

        if (slot > TUPLE_REMOVED) {
            slots_put(t->next, tuple_slot_flow(slot), &t->n_next_used);
        }
    }
    slot_table_have_moved(t, end);
}

/* Large tables are out of every cache anyway: their size counts. */
enum { LARGE_TABLE = 1 << 18 };

static void
tuple_insert(struct slot_table *t, const struct dp_flow *f)
{
    static const struct slot_growth small = { .part = 3, .whole = 8, .each = 4 }, large = { 1, 2, 2 };
    size_t at;

    if (slot_table_make_room(t, t->n_live < LARGE_TABLE ? small : large)) {
        move_slots(t);
    }
    at = slots_put(rcu_get_protected(&t->now), f, &t->n_used);
    if (slot_table_has_moved(t, at)) {
        slots_put(t->next, f, &t->n_next_used);
    }
    t->n_live++;
}

/* Asks for where that will go. */
static void
prefetch_place(const struct slot_table *t, const struct dp_flow *f)
{
    const struct slot_array *slots = rcu_get_protected(&((struct slot_table *) t)->now);

    if (slots) {
        __builtin_prefetch(&slots->slots[f->hash & slots->mask], 1);
    }
}

static void
tuple_remove(struct slot_table *t, const struct dp_flow *f)
{
    size_t at = slots_remove(rcu_get_protected(&t->now), f);

    if (slot_table_has_moved(t, at)) {
        slots_remove(t->next, f);
    }
    t->n_live--;
}

static bool
mask_is_exact(const struct flow *mask, uint16_t map)
{
    FLOW_FOR_EACH_LINE (i, map) {
        if (!is_all_ones(&mask->lines[i], FLOW_LINE)) {
            return false;
        }
    }
    return true;
}

static struct tuple *
tuple_get(struct megaflow_table *t, const struct flow *mask)
{
    struct tuple *tuple;

    LIST_FOR_EACH (i, struct tuple, node, &t->tuples) {
        if (!memcmp(&i->mask, mask, sizeof *mask)) {
            return i;
        }
    }
    tuple = xzalloc_cacheline(sizeof *tuple);
    tuple->all = t;
    tuple->mask = *mask;
    tuple->map = flow_used_lines(mask, FLOW_LINES_PACKET);
    tuple->is_exact = mask_is_exact(mask, tuple->map);
    list_push_back(&t->tuples, &tuple->node);
    t->n_tuples++;
    return tuple;
}

/* Dictionaries. */

struct dictionary *
megaflow_dictionary_rcu(const struct megaflow_table *t, be32 in_port, be32 recirc_id)
{
    uint32_t hash = dictionary_hash(in_port, recirc_id);

    for (struct rcu_map_link *l = rcu_map_first_rcu(&t->dictionaries, hash); l;
         l = rcu_map_chain_rcu(rcu_get(&l->next), hash)) {
        struct dictionary *d = l->element;

        if (d->in_port == in_port && d->recirc_id == recirc_id) {
            return d;
        }
    }
    return NULL;
}

static struct dictionary *
dictionary_get(struct megaflow_table *t, be32 in_port, be32 recirc_id)
{
    struct dictionary *d = megaflow_dictionary_rcu(t, in_port, recirc_id);

    if (!d) {
        d = xzalloc(sizeof *d);
        d->in_port = in_port;
        d->recirc_id = recirc_id;
        list_init(&d->exact);
        rcu_set(&d->list, xzalloc(sizeof(struct dictionary_list)));
        rcu_map_insert(&t->dictionaries, d, dictionary_hash(in_port, recirc_id));
    }
    return d;
}

static int
dictionary_find(const struct dictionary *d, const struct tuple *tuple)
{
    const struct dictionary_list *l = rcu_get_protected(&((struct dictionary *) d)->list);

    for (unsigned int i = 0; i < l->n; i++) {
        if (l->tuples[i] == tuple) {
            return i;
        }
    }
    return -1;
}

static void
dictionary_set_list(struct dictionary *d, const struct dictionary_list *from, unsigned int n, struct tuple *added)
{
    struct dictionary_list *new = xzalloc(sizeof *new + (n + !!added) * sizeof new->tuples[0]);
    struct dictionary_list *old = rcu_get_protected(&d->list);

    memcpy(new->tuples, from->tuples, n * sizeof new->tuples[0]);
    new->n = n;
    if (added) {
        new->tuples[new->n++] = added;
    }
    rcu_set(&d->list, new);
    rcu_defer(free, old);
}

static void
dictionary_add_flow(struct dictionary *d, struct dp_flow *f)
{
    int i = dictionary_find(d, f->tuple);

    if (i < 0) {
        const struct dictionary_list *l = rcu_get_protected(&d->list);

        i = l->n;
        d->n_flows[i] = 0;
        dictionary_set_list(d, l, l->n, f->tuple);
    }
    d->n_flows[i]++;
    if (f->tuple->is_exact) {
        list_push_back(&d->exact, &f->exact_node);
        d->n_exact++;
    }
}

static void
dictionary_remove_flow(struct megaflow_table *t, struct dictionary *d, struct dp_flow *f)
{
    struct dictionary_list *l = rcu_get_protected(&d->list);
    int i = dictionary_find(d, f->tuple);

    if (f->tuple->is_exact) {
        list_remove(&f->exact_node);
        d->n_exact--;
    }
    if (!--d->n_flows[i]) {
        struct dictionary_list *rest = xmemdup(l, sizeof *l + l->n * sizeof l->tuples[0]);

        memmove(&rest->tuples[i], &rest->tuples[i + 1], (l->n - i - 1) * sizeof l->tuples[0]);
        memmove(&d->n_flows[i], &d->n_flows[i + 1], (l->n - i - 1) * sizeof d->n_flows[0]);
        dictionary_set_list(d, rest, l->n - 1, NULL);
        free(rest);
        if (!rcu_get_protected(&d->list)->n) {
            rcu_map_remove(&t->dictionaries, d, dictionary_hash(d->in_port, d->recirc_id));
            rcu_defer(free, rcu_get_protected(&d->list));
            rcu_defer(free, d);
        }
    }
}

/* All bits of the lines that the key or the mask has. */
static void
exact_mask(const struct flow *key, const struct flow *wanted, struct flow *mask)
{
    uint16_t lines = flow_used_lines(key, FLOW_LINES_PACKET) | flow_used_lines(wanted, FLOW_LINES_PACKET);

    memset(mask, 0, sizeof *mask);
    FLOW_FOR_EACH_LINE (i, lines | FLOW_LINE_BASE) {
        memset(&mask->lines[i], 0xff, FLOW_LINE);
    }
}

/* A mask as it is compared with those of tuples: only in the lines that it has.  Most differ in the first. */
struct wanted {
    const struct flow *mask;
    uint16_t lines;           /* Those that are not zero. */
};

static struct wanted
want(const struct flow *mask)
{
    return (struct wanted) { mask, flow_used_lines(mask, FLOW_LINES_PACKET) };
}

static ALWAYS_INLINE bool
has_same_mask(const struct tuple *t, const struct wanted *w)
{
    uint64_t differ = 0;

    FLOW_FOR_EACH_LINE (i, t->map == w->lines ? w->lines : 0) {
        for (unsigned int k = 0; k < 8; k++) {
            differ |= t->mask.lines[i].words[k] ^ w->mask->lines[i].words[k];
        }
        if (differ) {
            return false;
        }
    }
    return t->map == w->lines;
}

/* Whether its mask has all bits that are wanted. */
static ALWAYS_INLINE bool
covers(const struct tuple *t, const struct wanted *w)
{
    uint64_t outside = 0;

    FLOW_FOR_EACH_LINE (i, w->lines & ~t->map ? 0 : w->lines) {
        for (unsigned int k = 0; k < 8; k++) {
            outside |= w->mask->lines[i].words[k] & ~t->mask.lines[i].words[k];
        }
        if (outside) {
            return false;
        }
    }
    return !(w->lines & ~t->map);
}

static struct tuple *
find_tuple(const struct dictionary_list *l, const struct wanted *w)
{
    for (unsigned int i = 0; i < l->n; i++) {
        if (has_same_mask(l->tuples[i], w)) {
            return l->tuples[i];
        }
    }
    return NULL;
}

/* The mask under which a megaflow that needs 'wanted' is installed (see the header's essay); null if there is room for
 * no other. */
static struct tuple *
choose_tuple(struct megaflow_table *t, struct dictionary *d, const struct flow *key, const struct flow *wanted)
{
    const struct dictionary_list *l = rcu_get_protected(&d->list);
    struct wanted w = want(wanted);
    struct tuple *cover = NULL, *same = find_tuple(l, &w);
    unsigned int n_masks = 0;
    struct flow all;

    if (same) {
        return same;
    }
    for (unsigned int i = 0; i < l->n; i++) {
        if (!l->tuples[i]->is_exact) {
            n_masks++;
            cover = !cover && covers(l->tuples[i], &w) ? l->tuples[i] : cover;
        }
    }
    if (n_masks >= MEGAFLOW_MASKS && cover) {
        return cover;
    }
    if (n_masks >= MEGAFLOW_MASKS) {
        exact_mask(key, wanted, &all);
        wanted = &all;
        w = want(wanted);
        same = find_tuple(l, &w);
        if (same) {
            return same;
        }
    }
    return l->n < MEGAFLOW_TUPLES ? tuple_get(t, wanted) : NULL;
}

/* Of how many tuples memory is asked for before the first of them is searched. */
enum { TOGETHER = 8 };

/* The packet's megaflow in tuples 'begin' to 'end' - 1, at most TOGETHER, of the list; '*n_masks' grows by those that
 * were searched. */
static struct dp_flow *
lookup_together_rcu(const struct dictionary_list *l, unsigned int begin, unsigned int end, struct flow *key,
                    uint16_t *lines, uint64_t *n_masks, uint64_t at_least, uint64_t since)
{
    uint64_t hashes[TOGETHER];
    struct tuple *tuples[TOGETHER];
    unsigned int n = 0;

    for (unsigned int i = begin; i < end; i++) {
        struct tuple *t = l->tuples[i];
        const struct slot_array *table;

        if (atomic_load_explicit(&t->newest, memory_order_acquire) <= since) {
            continue;
        }
        table = slot_table_get_rcu(&t->table);
        key_need_lines(key, lines, t->map);
        hashes[n] = tuple_hash(t, key);
        __builtin_prefetch(&table->slots[hashes[n] & table->mask]);
        tuples[n++] = t;
    }
    for (unsigned int i = 0; i < n; i++) {
        struct dp_flow *f = tuple_lookup_hashed_rcu(tuples[i], hashes[i], key, lines, at_least);

        ++*n_masks;
        if (f) {
            return f;
        }
    }
    return NULL;
}

/* The first tuple alone, then more and more together: a packet that is found early must not pay for what comes later,
 * and one that is found nowhere waits for memory few times. */
struct dp_flow *
megaflow_lookup_rcu(const struct dictionary *d, struct flow *key, uint16_t *lines, uint64_t *n_masks,
                    uint64_t at_least, uint64_t since)
{
    const struct dictionary_list *l = rcu_get(&((struct dictionary *) d)->list);
    struct dp_flow *f = NULL;
    unsigned int end;

    for (unsigned int i = 0, n = 1; !f && i < l->n; i = end, n = MIN(2 * n, (unsigned int) TOGETHER)) {
        end = MIN(i + n, l->n);
        f = lookup_together_rcu(l, i, end, key, lines, n_masks, at_least, since);
    }
    return f;
}

void
megaflow_prefetch_rcu(const struct dictionary *d, struct flow *key, uint16_t *lines, struct megaflow_ahead *ahead)
{
    const struct dictionary_list *l = rcu_get(&((struct dictionary *) d)->list);

    ahead->list = l->n > 1 ? l : NULL;
    for (unsigned int i = 0; l->n > 1 && i < l->n; i++) {
        const struct tuple *t = l->tuples[i];
        const struct slot_array *table = slot_table_get_rcu(&t->table);

        key_need_lines(key, lines, t->map);
        ahead->hashes[i] = tuple_hash(t, key);
        __builtin_prefetch(&table->slots[ahead->hashes[i] & table->mask]);
    }
}

struct dp_flow *
megaflow_lookup_ahead_rcu(const struct dictionary *d, struct flow *key, uint16_t *lines, uint64_t *n_masks,
                          uint64_t at_least, const struct megaflow_ahead *ahead)
{
    const struct dictionary_list *l = rcu_get(&((struct dictionary *) d)->list);
    struct dp_flow *f = NULL;

    if (l != ahead->list) {
        return megaflow_lookup_rcu(d, key, lines, n_masks, at_least, 0);
    }
    for (unsigned int i = 0; !f && i < l->n; i++) {
        f = tuple_lookup_hashed_rcu(l->tuples[i], ahead->hashes[i], key, lines, at_least);
        ++*n_masks;
    }
    return f;
}

/* Megaflows. */

const struct flow_line megaflow_no_line;

static void
set_program(struct dp_flow *f, struct program *program)
{
    rcu_set(&f->program, program);
    atomic_store_explicit(&f->sole_output, program_sole_output(program), memory_order_relaxed);
}

static void
set_key(struct dp_flow *f, const struct flow *key)
{
    struct flow_line *line = f->key;

    FLOW_FOR_EACH_LINE (i, f->lines) {
        *line++ = key->lines[i];
    }
    FLOW_FOR_EACH_LINE (i, f->seen) {
        *line++ = key->lines[i];
    }
}

void
megaflow_get_key(const struct dp_flow *f, struct flow *key)
{
    const struct flow_line *line = f->key;

    memset(key, 0, sizeof *key);
    FLOW_FOR_EACH_LINE (i, f->lines) {
        key->lines[i] = *line++;
    }
    FLOW_FOR_EACH_LINE (i, f->seen) {
        key->lines[i] = *line++;
    }
}

/* After a megaflow can be found. */
static void
note_put(struct megaflow_table *t, struct tuple *tuple)
{
    uint64_t n = atomic_load_explicit(&t->n_put, memory_order_relaxed) + 1;

    atomic_store_explicit(&tuple->newest, n, memory_order_release);
    atomic_store_explicit(&t->n_put, n, memory_order_release);
}

static struct dp_flow *
create_flow(struct megaflow_table *t, struct tuple *tuple, struct dictionary *d, const struct flow *key,
            struct program *program, void *owner)
{
    uint16_t lines = flow_used_lines(key, FLOW_LINES_PACKET) | FLOW_LINE_BASE;
    struct dp_flow *f = allocate_flow(t, __builtin_popcount(lines));

    f->tuple = tuple;
    f->dictionary = d;
    f->owner = owner;
    f->hash = tuple_hash(tuple, key);
    prefetch_place(&tuple->table, f);
    memset(f->stats, 0, sizeof f->stats);
    f->used = 0;
    f->tcp_flags = 0;
    atomic_store_explicit(&f->counter, 0, memory_order_relaxed);
    atomic_store_explicit(&f->offload, NULL, memory_order_relaxed);
    f->lines = lines & tuple->map;
    f->seen = lines & ~tuple->map;
    set_key(f, key);
    set_program(f, program);
    atomic_store_explicit(&f->state, owner && t->owners_begin_stale ? MEGAFLOW_STALE : megaflow_epoch(t),
                          memory_order_release);
    t->n_flows++;
    tuple_insert(&tuple->table, f);
    dictionary_add_flow(d, f);
    note_put(t, tuple);
    if (UNLIKELY(t->offload != NULL)) {
        offload_flow_put(t->offload, f);
    }
    return f;
}

static int
del_locked(struct megaflow_table *t, struct dp_flow *f, struct dp_flow_stats *stats)
{
    if (!atomic_load_explicit(&f->state, memory_order_relaxed)) {
        return -ENOENT;
    }
    atomic_store_explicit(&f->state, MEGAFLOW_GONE, memory_order_relaxed);
    if (UNLIKELY(atomic_load_explicit(&f->offload, memory_order_relaxed) != NULL)) {
        offload_flow_gone(f);
    }
    forget_ufid(t, f);
    t->n_flows--;
    tuple_remove(&f->tuple->table, f);
    dictionary_remove_flow(t, f->dictionary, f);
    if (stats) {
        megaflow_get_stats(f, stats);
    }
    rcu_defer(release_flow, f);
    return 0;
}

struct released_owner {
    struct megaflow_table *table;
    void *owner;
    struct dp_flow_stats final;
};

static void
release_owner(void *released)
{
    struct released_owner *r = released;

    if (r->table->owner_free) {
        r->table->owner_free(r->table->aux, r->owner, &r->final);
    }
    free(r);
}

/* What the megaflow has counted so far is the old owner's, what follows the new one's. */
static void
change_owner(struct megaflow_table *t, struct dp_flow *f, void *owner, const struct dp_flow_stats *before)
{
    void *old = f->owner;

    if (old == owner) {
        return;
    }
    if (old) {
        struct released_owner *r = xmalloc(sizeof *r);

        *r = (struct released_owner) { t, old, *before };
        rcu_defer(release_owner, r);
    }
    f->owner = owner;
}

static bool
is_live(const struct dp_flow *f)
{
    return atomic_load(&((struct dp_flow *) f)->state) == megaflow_epoch(f->tuple->all);
}

static void
set_state(struct dp_flow *f, uint64_t new)
{
    uint64_t old = atomic_load(&f->state);

    while (old != MEGAFLOW_GONE && old != new && !atomic_compare_exchange_weak(&f->state, &old, new)) {
    }
}

void
megaflow_set_stale(struct dp_flow *f)
{
    set_state(f, MEGAFLOW_STALE);
}

static void
modify_flow(struct megaflow_table *t, struct dp_flow *f, struct program *program, void *owner,
            struct dp_flow_stats *before)
{
    struct program *old = rcu_get_protected(&f->program);

    megaflow_get_stats(f, before);
    if (!is_live(f)) {
        megaflow_set_stale(f); /* It may have been in doubt, whose end is not ours. */
    }
    set_program(f, program);
    if (UNLIKELY(atomic_load_explicit(&f->offload, memory_order_relaxed) != NULL)) {
        offload_flow_changed(f);
    }
    rcu_defer(program_destroy, old);
    if (owner) {
        change_owner(t, f, owner, before);
    }
    if (!owner || !t->owners_begin_stale) {
        set_state(f, megaflow_epoch(t));
    }
}

/* The megaflow that the packet of 'key' belongs to and that may be, or is to be, given another program; null if there
 * is none.  'since' as in megaflow_lookup_rcu(). */
static struct dp_flow *
find_to_modify(struct megaflow_table *t, const struct flow *key, const struct flow *mask, bool modify, uint64_t since)
{
    uint16_t lines = FLOW_LINES_ALL; /* So it is not written to. */
    struct dictionary *d;
    uint64_t unused = 0;
    struct dp_flow *f;

    while (megaflow_n_put(t) != since &&
           (d = megaflow_dictionary_rcu(t, key->in_port, key->recirc_id)) != NULL &&
           (f = megaflow_lookup_rcu(d, (struct flow *) key, &lines, &unused, MEGAFLOW_STALE, since)) != NULL) {
        if (modify || is_live(f) ||
            flow_mask_is_subset(mask, &f->tuple->mask)) {
            return f;
        }
        del_locked(t, f, NULL); /* Stale or in doubt, and too wide. */
    }
    return NULL;
}

static int
put_locked(struct megaflow_table *t, const struct flow *key, const struct flow *mask, struct program *program,
           void *owner, bool create, bool modify, uint64_t since, struct dp_flow **flowp, struct dp_flow_stats *before)
{
    struct dictionary *d;
    struct tuple *tuple;

    *flowp = find_to_modify(t, key, mask, modify, since);
    if (*flowp) {
        if (!modify && is_live(*flowp)) {
            return -EEXIST;
        }
        modify_flow(t, *flowp, program, owner, before);
        return MEGAFLOW_TAKEN_OVER;
    }
    if (!create) {
        return -ENOENT;
    }
    if (t->n_flows >= t->limit) {
        return -ENOSPC;
    }
    d = dictionary_get(t, key->in_port, key->recirc_id);
    tuple = choose_tuple(t, d, key, mask);
    if (!tuple) {
        return -ENOSPC;
    }
    if (tuple->is_exact && d->n_exact >= MEGAFLOW_EXACT_QUOTA) {
        del_locked(t, CONTAINER_OF(d->exact.next, struct dp_flow, exact_node), NULL);
    }
    *flowp = create_flow(t, tuple, d, key, program, owner);
    return 0;
}

void
megaflow_set_live(struct dp_flow *f, const void *owner)
{
    pthread_mutex_lock(&f->tuple->all->mutex);
    if (f->owner == owner) {
        set_state(f, megaflow_epoch(f->tuple->all));
    }
    pthread_mutex_unlock(&f->tuple->all->mutex);
}

void
megaflow_begin_epoch(struct megaflow_table *t)
{
    atomic_fetch_add(&t->epoch, 1);
}

int
megaflow_put(struct megaflow_table *t, const struct flow *key, const struct flow *mask, struct program *program,
             void *owner, bool create, bool modify, struct dp_flow **flowp, struct dp_flow_stats *before)
{
    struct flow k = { 0 }, m = { 0 };
    int error;

    FLOW_FOR_EACH_LINE (i, FLOW_LINES_PACKET) {
        k.lines[i] = key->lines[i];
        m.lines[i] = mask->lines[i];
    }
    m.in_port = m.recirc_id = BE32_MAX;
    *before = (struct dp_flow_stats) { 0 };
    pthread_mutex_lock(&t->mutex);
    error = put_locked(t, &k, &m, program, owner, create, modify, 0, flowp, before);
    pthread_mutex_unlock(&t->mutex);
    return error;
}

int
megaflow_put_missed(struct megaflow_table *t, const struct flow *key, const struct flow *mask, struct program *program,
                    void *owner, uint64_t since, struct dp_flow **flowp, struct dp_flow_stats *before)
{
    int error;

    *before = (struct dp_flow_stats) { 0 };
    pthread_mutex_lock(&t->mutex);
    error = put_locked(t, key, mask, program, owner, true, false, since, flowp, before);
    pthread_mutex_unlock(&t->mutex);
    return error;
}

int
megaflow_del(struct megaflow_table *t, struct dp_flow *f, struct dp_flow_stats *stats)
{
    int error;

    pthread_mutex_lock(&t->mutex);
    error = del_locked(t, f, stats);
    pthread_mutex_unlock(&t->mutex);
    return error;
}

/* The block with number 'i', null behind the last. */
static char *
get_block(struct megaflow_table *t, size_t i)
{
    char *block;

    pthread_mutex_lock(&t->mutex);
    block = i < t->n_blocks ? t->blocks[i] : NULL;
    pthread_mutex_unlock(&t->mutex);
    return block;
}

void
megaflow_for_each_rcu(struct megaflow_table *t, bool (*cb)(void *aux, struct dp_flow *), void *aux)
{
    char *block;

    for (size_t i = 0; (block = get_block(t, i)) != NULL; i++) {
        unsigned int n_lines = ((struct dp_flow *) block)->n_lines;
        size_t size = flow_size(n_lines), n = flows_in_block(n_lines);

        for (size_t k = 0; k < n; k++) {
            struct dp_flow *f = (struct dp_flow *) (block + k * size);

            if (atomic_load_explicit(&f->state, memory_order_acquire) && !cb(aux, f)) {
                return;
            }
        }
    }
}

bool
megaflow_walk_rcu(struct megaflow_table *t, struct dp_flow_position *at, unsigned int n,
                  void (*cb)(void *aux, struct dp_flow *), void *aux)
{
    char *block;

    for (; (block = get_block(t, at->block)) != NULL; at->block++, at->place = 0) {
        unsigned int n_lines = ((struct dp_flow *) block)->n_lines;
        size_t size = flow_size(n_lines), n_flows = flows_in_block(n_lines);

        for (; at->place < n_flows; at->place++) {
            struct dp_flow *f = (struct dp_flow *) (block + at->place * size);

            if (!n--) {
                return false;
            }
            if (atomic_load_explicit(&f->state, memory_order_acquire)) {
                cb(aux, f);
            }
        }
    }
    return true;
}

static bool
flush_one(void *t, struct dp_flow *f)
{
    (void) !megaflow_del(t, f, NULL); /* It may be gone already. */
    return true;
}

/* Those that come meanwhile may be left. */
void
megaflow_flush(struct megaflow_table *t)
{
    megaflow_for_each_rcu(t, flush_one, t);
}

void
megaflow_table_uninit(struct megaflow_table *t)
{
    megaflow_flush(t);
    rcu_barrier_all();
    while (!list_is_empty(&t->tuples)) {
        struct tuple *tuple = CONTAINER_OF(list_pop_front(&t->tuples), struct tuple, node);

        slot_table_uninit(&tuple->table);
        free(tuple);
    }
    rcu_map_uninit(&t->dictionaries);
    hmap_uninit(&t->names);
    hmap_uninit(&t->flows_by_name);
    for (size_t i = 0; i < t->n_blocks; i++) {
        area_give_back(t->blocks[i]);
    }
    free(t->blocks);
    pthread_mutex_destroy(&t->mutex);
}
