#include "ofproto/prepared.h"

#include <stdlib.h>

#include "sys/rcu.h"
#include "sys/slab.h"

enum { IN_CHUNK = 100 };

struct chunk {
    struct chunk *next;
    unsigned int n;
    struct prepared_flow flows[IN_CHUNK];
};

struct prepared_store {
    struct cls_shapes shapes;   /* Masks of what is made ready. */
    struct chunk *first, *last; /* Null: none.  All but the last are full. */
    unsigned int at;            /* Of the first chunk: which has not gone yet. */
};

/* Its match follows, a mask and a value for each of the words; then its actions. */
struct packed_flow_mod {
    struct word_map words;
    size_t size, acts_len; /* Bytes of all of it; of its actions. */
    uint64_t head[DIV_ROUND_UP(offsetof(struct flow_mod, match), 8)]; /* What a flow-mod has in front of its match. */
    uint64_t body[];
};

enum { HEAD = offsetof(struct flow_mod, match) };

/* Releasing. */

static void
release(struct prepared_flow *f)
{
    if (f->rule) {
        rule_discard(f->rule);
        cls_ready_uninit(&f->match);
        f->rule = NULL;
    } else if (f->packed) {
        slab_free(f->packed, f->packed->size);
        f->packed = NULL;
    }
}

static void
free_first_chunk(struct prepared_store *s)
{
    struct chunk *chunk = s->first;

    s->first = chunk->next;
    s->at = 0;
    free(chunk);
}

static void
free_store(void *store_)
{
    struct prepared_store *s = store_;

    while (s->first) {
        for (; s->at < s->first->n; s->at++) {
            release(&s->first->flows[s->at]);
        }
        free_first_chunk(s);
    }
    cls_shapes_uninit(&s->shapes);
    free(s);
}

void
prepared_flows_uninit(struct prepared_flows *p)
{
    if (p->store) {
        rcu_defer(free_store, p->store);
    }
    *p = (struct prepared_flows) { .store = NULL };
}

/* Putting. */

static struct prepared_store *
get_store(struct prepared_flows *p)
{
    if (!p->store) {
        p->store = xzalloc(sizeof *p->store);
        p->n_bytes = sizeof *p->store;
        cls_shapes_init(&p->store->shapes);
    }
    return p->store;
}

static struct prepared_flow *
append(struct prepared_flows *p)
{
    struct prepared_store *s = get_store(p);

    if (!s->first || s->last->n == IN_CHUNK) {
        struct chunk *chunk = xmalloc(sizeof *chunk);

        chunk->next = NULL;
        chunk->n = 0;
        if (s->first) {
            s->last->next = chunk;
        } else {
            s->first = chunk;
        }
        s->last = chunk;
        p->n_bytes += sizeof *chunk;
    }
    return &s->last->flows[s->last->n++];
}

static struct packed_flow_mod *
pack(const struct flow_mod *fm)
{
    struct word_map words = word_map_of(&fm->match.mask);
    size_t size = sizeof(struct packed_flow_mod) + word_map_count(&words) * 2 * sizeof(uint64_t) + fm->actions.len;
    struct packed_flow_mod *packed = slab_alloc(size);
    uint64_t *word = packed->body;

    packed->words = words;
    packed->size = size;
    packed->acts_len = fm->actions.len;
    memcpy(packed->head, fm, HEAD);
    WORD_MAP_FOR_EACH (i, &words) {
        *word++ = flow_word(&fm->match.mask, i);
        *word++ = flow_word(&fm->match.flow, i);
    }
    if (fm->actions.len) {
        memcpy(word, fm->actions.first, fm->actions.len);
    }
    return packed;
}

static void
make(struct prepared_flows *p, struct prepared_flow *f, const struct flow_mod *fm)
{
    struct cls_shapes *shapes = &p->store->shapes;
    size_t before = shapes->n_bytes;

    f->rule = rule_make(fm);
    cls_ready_init(&f->match, shapes, &fm->match);
    p->n_bytes += rule_memory(f->rule) + cls_ready_size(&f->match) + shapes->n_bytes - before;
}

void
prepared_flows_put(struct prepared_flows *p, size_t at, size_t len, const struct flow_mod *fm)
{
    struct prepared_flow *f = append(p);

    f->at = at;
    f->len = len;
    if (fm->command == FM_ADD && !(fm->flags & FM_CHECK_OVERLAP)) {
        make(p, f, fm);
    } else {
        f->rule = NULL;
        f->packed = pack(fm);
        p->n_bytes += f->packed->size;
    }
}

/* Taking. */

struct prepared_flow *
prepared_flows_take(struct prepared_flows *p, size_t at)
{
    struct prepared_store *s = p->store;

    while (s && s->first) {
        for (; s->at < s->first->n; s->at++) {
            struct prepared_flow *f = &s->first->flows[s->at];

            if (f->at >= at) {
                return f->at == at && (f->rule || f->packed) ? f : NULL;
            }
            release(f);
        }
        free_first_chunk(s);
    }
    return NULL;
}

void
prepared_flow_unpack(const struct prepared_flow *f, struct flow_mod *fm)
{
    const struct packed_flow_mod *packed = f->packed;
    const uint64_t *word = packed->body;

    memcpy(fm, packed->head, HEAD);
    match_init_catchall(&fm->match);
    WORD_MAP_FOR_EACH (i, &packed->words) {
        *flow_word_ptr(&fm->match.mask, i) = *word++;
        *flow_word_ptr(&fm->match.flow, i) = *word++;
    }
    fm->actions = (struct act_span) { packed->acts_len ? (const struct act *) word : NULL, packed->acts_len };
}

const struct prepared_flow *
prepared_flows_ahead(const struct prepared_flows *p, unsigned int n)
{
    const struct prepared_store *s = p->store;
    const struct chunk *chunk = s ? s->first : NULL;
    unsigned int i = chunk ? s->at + n : 0;

    if (chunk && i >= chunk->n) {
        i -= chunk->n;
        chunk = chunk->next;
    }
    return chunk && i < chunk->n ? &chunk->flows[i] : NULL;
}
