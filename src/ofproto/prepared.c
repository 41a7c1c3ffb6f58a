#include "ofproto/prepared.h"

#include "sys/rcu.h"
#include "sys/slab.h"

/* Its match follows, a mask and a value for each of the words; then its actions. */
struct prepared {
    struct prepared *next;
    size_t at;
    struct word_map words;
    size_t size, acts_len; /* Bytes of all of it; of its actions. */
    uint64_t head[DIV_ROUND_UP(offsetof(struct flow_mod, match), 8)]; /* What a flow-mod has in front of its match. */
    uint64_t body[];
};

enum { HEAD = offsetof(struct flow_mod, match) };

static void
drop_first(struct prepared_flows *p)
{
    struct prepared *e = p->first;

    p->first = e->next;
    p->n_bytes -= e->size;
    slab_free(e, e->size);
}

static void
free_all(void *first)
{
    for (struct prepared *e = first, *next; e; e = next) {
        next = e->next;
        slab_free(e, e->size);
    }
}

/* Of a million that takes longer than a turn of the main loop may: RCU's thread has the time. */
void
prepared_flows_uninit(struct prepared_flows *p)
{
    if (p->first) {
        rcu_defer(free_all, p->first);
    }
    *p = (struct prepared_flows) { .first = NULL };
}

static struct prepared *
append(struct prepared_flows *p, size_t size)
{
    struct prepared *e = slab_alloc(size);

    e->next = NULL;
    e->size = size;
    if (p->first) {
        p->last->next = e;
    } else {
        p->first = e;
    }
    p->last = e;
    p->n_bytes += size;
    return e;
}

void
prepared_flows_put(struct prepared_flows *p, size_t at, const struct flow_mod *fm)
{
    struct word_map words = word_map_of(&fm->match.mask);
    size_t n_body = word_map_count(&words) * 2;
    struct prepared *e = append(p, sizeof *e + n_body * sizeof e->body[0] + fm->actions.len);
    uint64_t *word = e->body;

    e->at = at;
    e->words = words;
    e->acts_len = fm->actions.len;
    memcpy(e->head, fm, HEAD);
    WORD_MAP_FOR_EACH (i, &words) {
        *word++ = flow_word(&fm->match.mask, i);
        *word++ = flow_word(&fm->match.flow, i);
    }
    if (fm->actions.len) {
        memcpy(word, fm->actions.first, fm->actions.len);
    }
}

static void
read_one(const struct prepared *e, struct prepared_flow *f)
{
    const uint64_t *word = e->body;

    __builtin_prefetch(e->next);
    memcpy(&f->fm, e->head, HEAD);
    WORD_MAP_FOR_EACH (i, &f->words) {
        *flow_word_ptr(&f->fm.match.mask, i) = *flow_word_ptr(&f->fm.match.flow, i) = 0;
    }
    f->words = e->words;
    WORD_MAP_FOR_EACH (i, &f->words) {
        *flow_word_ptr(&f->fm.match.mask, i) = *word++;
        *flow_word_ptr(&f->fm.match.flow, i) = *word++;
    }
    f->fm.actions = (struct act_span) { e->acts_len ? (const struct act *) word : NULL, e->acts_len };
}

const struct flow_mod *
prepared_flows_take(struct prepared_flows *p, size_t at, struct prepared_reader *r)
{
    while (p->first && p->first->at < at) {
        drop_first(p);
    }
    if (!p->first || p->first->at != at) {
        return NULL;
    }
    r->now = !r->now;
    if (p->first != r->next) {
        read_one(p->first, &r->flows[r->now]);
    }
    r->next = p->first->next;
    if (r->next) {
        read_one(r->next, &r->flows[!r->now]);
    }
    return &r->flows[r->now].fm;
}
