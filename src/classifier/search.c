/* Searches: the readers' side of the classifier. */
#include <limits.h>

#include "classifier/order.h"

/* How many subtables ahead memory is asked for. */
enum { AHEAD = 4 };

/* How many subtables may wait for their ports to be noted. */
enum { MAX_PENDING = 32, PORTS_AT_ONCE = 4 };

/* A search under way: what the tries said, each asked at most once; the subtables that come next. */
struct search {
    const struct cls_order *order;
    const struct flow *flow;
    struct cls_mask *wc;     /* Null: nobody wants to know. */
    unsigned int asked;      /* Bit N: results[N] is there. */
    unsigned int heads;      /* Bit N: what masks with head N have up to layer 2 has been noted. */
    bool knows_more;         /* Than when subtables were last looked for that may be passed over. */
    struct trie_result results[CLS_MAX_PREFIXES];
    uint8_t noted[CLS_MAX_PREFIXES]; /* How many bits of each tracked field. */
    unsigned int n_next, at; /* Of 'next' those from 'at' on are to come. */
    size_t next[AHEAD];      /* Numbers of entries. */
    unsigned int hashed;     /* Bit N: hashes[N] are there, those of next[N]. */
    uint64_t hashes[AHEAD][N_STAGES]; /* Of the packet's values up to each stage. */
    uint64_t passed_over[CLS_MAX_SET_WORDS]; /* Entries that need not be looked at. */
    size_t likely;           /* The number of the entry that is expected to have the rule. */
    uint64_t joined;         /* Bit N: members[N] is there, */
    uint32_t members[CLS_N_JOINTS]; /* those of joint N that have the packet's addresses (joint.h). */
    unsigned int n_pending;  /* Subtables that only some bits of ports are still to be noted of. */
    const struct cls_subtable *pending[MAX_PENDING];
};

/* 'results', 'passed_over' and 'members' are nobody's yet. */
static ALWAYS_INLINE void
begin(struct search *s, const struct cls_order *order, const struct flow *flow, struct cls_mask *wc)
{
    s->order = order;
    s->flow = flow;
    s->wc = wc;
    s->asked = 0;
    s->heads = 0;
    s->knows_more = false;
    s->at = 0;
    s->n_next = 1;
    s->next[0] = 0;
    s->hashed = 0;
    s->likely = SIZE_MAX;
    s->joined = 0;
    s->n_pending = 0;
}

static ALWAYS_INLINE void
note_words(struct cls_mask *wc, const struct cls_subtable *st, unsigned int n)
{
    for (unsigned int i = 0; wc && i < n; i++) {
        cls_mask_add(wc, st->words[i].index, st->words[i].mask);
    }
}

/* The first 'n' bits of a 32-bit word in network order that is at byte 'offset' of struct flow. */
static void
note_prefix32(struct cls_mask *wc, unsigned int offset, unsigned int n)
{
    be32 mask = cpu_to_be32(n >= 32 ? UINT32_MAX : ~(UINT32_MAX >> n));
    uint64_t word = 0;

    memcpy((char *) &word + offset % 8, &mask, sizeof mask);
    cls_mask_add(wc, offset / 8, word);
}

/* The first 'n' bits of tracked field 'i'. */
static void
note_prefix(struct search *s, unsigned int i, unsigned int n)
{
    if (!s->wc || n <= s->noted[i]) {
        return;
    }
    for (unsigned int word = 0; word * 32 < n; word++) {
        note_prefix32(s->wc, s->order->tracked[i].offset + 4 * word, n - word * 32);
    }
    s->noted[i] = n;
    s->knows_more = true;
}

static ALWAYS_INLINE bool
applies(const struct search *s, const struct cls_tracked *t)
{
    return !t->eth_type || t->eth_type == s->flow->eth_type;
}

/* Asks the tries of the fields that the packet has, once a search: all of them side by side, since where one is of use
 * the others mostly are. */
static NOINLINE void
ask(struct search *s)
{
    struct trie_walk walks[CLS_MAX_PREFIXES];
    unsigned int which[CLS_MAX_PREFIXES], n = 0;

    for (unsigned int i = 0; i < s->order->n_tracked; i++) {
        const struct cls_tracked *t = &s->order->tracked[i];

        if (!applies(s, t)) {
            continue;
        }
        s->asked |= 1 << i;
        s->noted[i] = 0;
        if (rcu_get(&t->trie->root)) {
            walks[n].trie = t->trie;
            cls_tracked_key(t, s->flow, &walks[n].key);
            which[n++] = i;
        } else {
            s->results[i] = (struct trie_result) { .n_bits = 0 };
        }
    }
    s->knows_more = true;
    if (n == 1) {
        trie_lookup_rcu(walks[0].trie, &walks[0].key, &s->results[which[0]]);
        return;
    }
    trie_lookup_all_rcu(walks, n);
    for (unsigned int k = 0; k < n; k++) {
        s->results[which[k]] = walks[k].result;
    }
}

/* Whether some rule has the packet's prefix of this length; if not, notes the bits that tell. */
static bool
prefix_passes(struct search *s, unsigned int i, unsigned int length)
{
    const struct cls_tracked *t = &s->order->tracked[i];
    const struct trie_result *r = &s->results[i];

    if (!applies(s, t)) {
        return true;
    }
    if (!s->asked) {
        ask(s);
    }
    if (trie_result_has(r, length)) {
        return true;
    }
    note_prefix(s, i, MIN(length, r->n_bits));
    return false;
}

/* Both ports, in the words of struct flow that have them. */
enum { SRC_WORD = offsetof(struct flow, tp_src) / 8, DST_WORD = offsetof(struct flow, tp_dst) / 8 };

static void
put_ports(struct flow *flow, uint32_t ports)
{
    flow->tp_src = cpu_to_be16(ports >> 16);
    flow->tp_dst = cpu_to_be16(ports);
}

static void
note_ports(struct cls_mask *wc, uint32_t ports)
{
    struct flow flow;

    *flow_word_ptr(&flow, SRC_WORD) = *flow_word_ptr(&flow, DST_WORD) = 0;
    put_ports(&flow, ports);
    cls_mask_add(wc, SRC_WORD, flow_word(&flow, SRC_WORD));
    cls_mask_add(wc, DST_WORD, flow_word(&flow, DST_WORD));
}

/* Those bits of both ports that have been noted. */
static uint32_t
noted_ports(const struct cls_mask *wc)
{
    struct flow flow;

    *flow_word_ptr(&flow, SRC_WORD) = cls_mask_word(wc, SRC_WORD);
    *flow_word_ptr(&flow, DST_WORD) = cls_mask_word(wc, DST_WORD);
    return (uint32_t) be16_to_cpu(flow.tp_src) << 16 | be16_to_cpu(flow.tp_dst);
}

/* Looks at the ports of some subtables, and notes as many bits as tell. */
static void
note_walks(struct search *s, const struct cls_subtable *const *subtables, struct trie_walk *walks, unsigned int n)
{
    trie_lookup_all_rcu(walks, n);
    for (unsigned int i = 0; i < n; i++) {
        unsigned int n_bits = walks[i].result.n_bits;

        note_ports(s->wc, (n_bits >= 32 ? UINT32_MAX : ~(UINT32_MAX >> n_bits)) & subtables[i]->ports_mask);
    }
}

/* Notes the ports of the subtables that wait for it: as many bits as tell.  That is left to the end, since most of
 * them have been noted by then and need not be looked for. */
static void
note_pending(struct search *s)
{
    const struct cls_subtable *asked[PORTS_AT_ONCE];
    struct trie_walk walks[PORTS_AT_ONCE];
    unsigned int n = 0;

    for (unsigned int i = 0; i < s->n_pending; i++) {
        const struct cls_subtable *st = s->pending[i];

        if (st->ports_mask & ~noted_ports(s->wc)) {
            walks[n].trie = &st->ports;
            walks[n].key = cls_ports_key(s->flow->tp_src, s->flow->tp_dst, st->ports_mask);
            asked[n++] = st;
        }
        if (n == PORTS_AT_ONCE) {
            note_walks(s, asked, walks, n);
            n = 0;
        }
    }
    note_walks(s, asked, walks, n);
    s->n_pending = 0;
}

/* Nothing in the subtable matches: notes all of its bits, but of the ports only those that tell. */
static NOINLINE void
note_mismatch(struct search *s, const struct cls_subtable *st)
{
    struct flow ports = { 0 };

    if (!st->ports_mask) {
        note_words(s->wc, st, st->n_words);
        return;
    }
    put_ports(&ports, UINT32_MAX);
    for (unsigned int i = 0; i < st->n_words; i++) {
        cls_mask_add(s->wc, st->words[i].index, st->words[i].mask & ~flow_word(&ports, st->words[i].index));
    }
    if (s->n_pending == MAX_PENDING) {
        note_pending(s);
    }
    s->pending[s->n_pending++] = st;
}

static ALWAYS_INLINE bool
has_prefix_in(const struct search *s, const struct cls_order_entry *e, unsigned int stage, unsigned int i)
{
    return e->lengths[i] && s->order->tracked[i].stage == stage;
}

/* Whether the prefixes of a stage may be those of some rule. */
static bool
prefixes_pass(struct search *s, const struct cls_order_entry *e, unsigned int stage)
{
    for (unsigned int i = 0; i < s->order->n_tracked; i++) {
        if (has_prefix_in(s, e, stage, i) && !prefix_passes(s, i, e->lengths[i])) {
            return false;
        }
    }
    return true;
}

/* The same, as far as the tries that have been asked already say. */
static ALWAYS_INLINE bool
may_pass(const struct search *s, const struct cls_order_entry *e, unsigned int stage)
{
    for (unsigned int asked = s->asked; asked; asked &= asked - 1) {
        unsigned int i = __builtin_ctz(asked);

        if (has_prefix_in(s, e, stage, i) && !trie_result_has(&s->results[i], e->lengths[i])) {
            return false;
        }
    }
    return true;
}

/* All that the mask has up to layer 2, at least, has been noted. */
static ALWAYS_INLINE void
note_head(struct search *s, const struct cls_order_entry *e)
{
    unsigned int bit = 1u << e->head;

    s->knows_more |= !(s->heads & bit);
    s->heads |= bit;
}

/* No rule of the subtable has the packet's values of the stages up to 'last': notes what tells. */
static NOINLINE void
note_failure(struct search *s, const struct cls_order_entry *e, unsigned int last, bool has_prefixes)
{
    const struct cls_subtable *st = e->subtable;

    if (!s->wc) {
        return;
    }
    for (unsigned int stage = 0; has_prefixes && stage <= last; stage++) {
        if (!prefixes_pass(s, e, stage)) {
            note_words(s->wc, st, stage ? st->ends[stage - 1] : 0);
            if (stage > STAGE_L2) {
                note_head(s, e);
            }
            return;
        }
    }
    if (st->ends[last] < st->n_words) {
        note_words(s->wc, st, st->ends[last]);
    } else {
        note_mismatch(s, st);
    }
    if (last >= STAGE_L2) {
        note_head(s, e);
    }
}

/* Whether the tries that have been asked already exclude the subtable. */
static bool
is_excluded(const struct search *s, const struct cls_order_entry *e)
{
    for (unsigned int asked = s->asked; asked; asked &= asked - 1) {
        unsigned int i = __builtin_ctz(asked);

        if (e->lengths[i] && !trie_result_has(&s->results[i], e->lengths[i])) {
            return true;
        }
    }
    return false;
}

/* Whether it is known of the subtable, by its joint, that it has no rule with the packet's addresses.  What tells that
 * was noted when the joint was asked. */
static ALWAYS_INLINE bool
is_left_out(const struct search *s, const struct cls_order_entry *e)
{
    return e->joint != CLS_OTHER_JOINT && s->joined >> e->joint & 1 && !(s->members[e->joint] & e->member);
}

/* Whether some node of the subtable may have this state of the hash after 'stage'. */
static ALWAYS_INLINE bool
stage_has(struct search *s, const struct cls_order_entry *e, enum cls_stage stage, uint64_t hash)
{
    if (stage < STAGE_L3) {
        return cls_stage_set_get_rcu(&e->subtable->stages[stage], hash);
    }
    if (e->joint == CLS_OTHER_JOINT) {
        return cls_joint_get_rcu(rcu_get(&e->subtable->joint), hash) & e->member;
    }
    if (!(s->joined >> e->joint & 1)) {
        s->members[e->joint] = cls_joint_get_rcu(rcu_get(&e->subtable->joint), hash);
        s->joined |= UINT64_C(1) << e->joint;
    }
    return s->members[e->joint] & e->member;
}

/* Finds anew which subtables can be passed over: those that lack a rule with the packet's prefix of their length, if
 * whatever tells that has been noted.  A subtable that lacks one in several fields tells so by the first. */
static NOINLINE void
find_passed_over(struct search *s)
{
    struct cls_sets *sets = s->order->sets;
    const struct cls_length *at = sets->lengths, *end = at + sets->n;
    const uint64_t *set = cls_sets_length(sets, 0);
    const size_t n_words = sets->n_words;
    uint64_t undecided[CLS_MAX_SET_WORDS];

    for (size_t w = 0; w < n_words; w++) {
        s->passed_over[w] = 0;
        undecided[w] = UINT64_MAX;
    }
    while (at < end) {
        unsigned int i = at->field;
        const struct trie_result *r = s->asked >> i & 1 ? &s->results[i] : NULL;
        bool has_field = applies(s, &s->order->tracked[i]);

        for (; at < end && at->field == i; at++, set += n_words) {
            bool decides = has_field && (!r || !trie_result_has(r, at->length));
            bool passes = decides && r && (!s->wc || MIN(at->length, r->n_bits) <= s->noted[i]);

            for (size_t w = 0; decides && w < n_words; w++) {
                s->passed_over[w] |= passes ? undecided[w] & set[w] : 0;
                undecided[w] &= ~set[w];
            }
        }
    }
    for (size_t w = 0; s->wc && w < n_words; w++) {
        uint64_t noted = 0;

        for (unsigned int heads = s->heads & ((1u << CLS_N_HEADS) - 1); heads; heads &= heads - 1) {
            noted |= cls_sets_head(sets, __builtin_ctz(heads))[w];
        }
        s->passed_over[w] &= noted;
    }
    s->knows_more = false;
}

/* The number of the first entry from 'i' on that is not passed over. */
static size_t
skip(const struct search *s, size_t i)
{
    const struct cls_sets *sets = s->order->sets;

    for (size_t w = i / 64; s->asked && sets && w < sets->n_words; w++, i = w * 64) {
        uint64_t left = ~s->passed_over[w] >> i % 64;

        if (left) {
            return i + __builtin_ctzll(left);
        }
    }
    return i;
}

/* Finds the next subtables to be searched, of those with rules of a higher priority than 'above', and asks for the
 * memory that it takes: where there are many, that is what a search waits for.  What comes behind the likely one is
 * left for later, as the search mostly ends there. */
static NOINLINE void
look_ahead(struct search *s, int above)
{
    size_t i = s->next[s->n_next - 1] + 1, likely = i <= s->likely ? s->likely : SIZE_MAX;

    if (s->knows_more && s->order->sets) {
        find_passed_over(s);
    }
    s->at = s->n_next = s->hashed = 0;
    while (s->n_next < AHEAD && (i = skip(s, i)) < s->order->n && s->order->entries[i].max_priority > above &&
           (!s->n_next || i <= likely)) {
        const struct cls_order_entry *e = &s->order->entries[i];

        if (is_left_out(s, e)) {
            i++;
            continue;
        }
        if (!is_excluded(s, e)) {
            cls_hash_stages(e->subtable, s->flow, s->hashes[s->n_next]);
            cls_subtable_prefetch_rcu(e->subtable, s->hashes[s->n_next]);
            s->hashed |= 1 << s->n_next;
        }
        s->next[s->n_next++] = i++;
    }
}

/* Notes all bits of the entry's subtable, in which the node has the packet's values. */
static ALWAYS_INLINE struct cls_rule *
note_found(struct search *s, const struct cls_order_entry *e, struct cls_node *node)
{
    struct cls_rule *rule = rcu_get(&node->first);

    cls_rule_prefetch(rule);
    note_words(s->wc, e->subtable, e->subtable->n_words);
    note_head(s, e);
    return rule;
}

/* The first rule with the packet's values in an entry's subtable, visible or not; null if there is none.  'ready' are
 * its hashes; null: not there.  A trie that was not asked yet is asked only where nothing matches: it then says what
 * tells, and keeps searches of later subtables short. */
static struct cls_rule *
search_subtable(struct search *s, const struct cls_order_entry *e, const uint64_t *ready)
{
    const struct cls_subtable *st = e->subtable;
    unsigned int done = 0, last = 0;
    uint32_t has_prefixes;
    struct cls_node *node;
    uint64_t hash = 0;

    if (is_left_out(s, e)) {
        return NULL;
    }
    memcpy(&has_prefixes, e->lengths, sizeof has_prefixes);
    for (unsigned int stage = 0; stage < N_STAGES; stage++) {
        unsigned int end = st->ends[stage];

        if (end == done) {
            continue;
        }
        if (has_prefixes && s->asked && !may_pass(s, e, stage)) {
            note_failure(s, e, stage, true);
            return NULL;
        }
        hash = ready ? ready[stage] : cls_hash(st, s->flow, done, end, hash);
        done = end;
        last = stage;
        if ((stage == STAGE_L3 ? e->member : end < st->n_words) && !stage_has(s, e, stage, hash)) {
            note_failure(s, e, stage, has_prefixes);
            return NULL;
        }
    }
    node = cls_subtable_find_rcu(st, s->flow, hash);
    if (!node) {
        note_failure(s, e, last, has_prefixes);
        return NULL;
    }
    return note_found(s, e, node);
}

/* The same where a rule is expected: if it is there, stages and tries need not be asked, for they would have let the
 * search pass, and nothing would have been noted. */
static struct cls_rule *
search_expected(struct search *s, const struct cls_order_entry *e, const uint64_t *ready)
{
    const struct cls_subtable *st = e->subtable;
    uint64_t hash = ready ? ready[N_STAGES - 1] : cls_hash(st, s->flow, 0, st->n_words, 0);
    struct cls_node *node = cls_subtable_find_rcu(st, s->flow, hash);

    return node ? note_found(s, e, node) : search_subtable(s, e, ready);
}

/* The next entry with rules of a higher priority than 'above', and its hashes if they are there; null: the search has
 * seen all. */
static ALWAYS_INLINE const struct cls_order_entry *
next_entry(struct search *s, int above, const uint64_t **ready)
{
    const struct cls_order_entry *e;

    if (s->at == s->n_next) {
        size_t next = s->next[s->n_next - 1] + 1;

        if (next >= s->order->n || s->order->entries[next].max_priority <= above) {
            return NULL;
        }
        look_ahead(s, above);
        if (!s->n_next) {
            s->n_next = s->at = 1;
            s->next[0] = s->order->n;
            return NULL;
        }
    }
    *ready = s->hashed >> s->at & 1 ? s->hashes[s->at] : NULL;
    e = &s->order->entries[s->next[s->at++]];
    return e->max_priority > above ? e : NULL;
}
_Static_assert(CLS_MAX_PREFIXES == sizeof(uint32_t), "all lengths are looked at at once");

struct cls_rule *
classifier_lookup_place_rcu(const struct classifier *cls, uint64_t version, const struct flow *flow,
                            struct cls_mask *wc, unsigned int *place)
{
    const struct cls_order *order = rcu_get(&((struct classifier *) cls)->order);
    const struct cls_order_entry *e;
    struct cls_rule *best = NULL;
    const struct cls_order_entry *expected;
    int above = INT_MIN;
    const uint64_t *ready;
    struct search s;

    if (!order || !order->n) {
        *place = 0;
        return NULL;
    }
    begin(&s, order, flow, wc);
    s.likely = *place;
    expected = *place < order->n ? &order->entries[*place] : NULL;
    *place = 0;
    while ((e = next_entry(&s, above, &ready)) != NULL) {
        struct cls_rule *rule = e == expected ? search_expected(&s, e, ready) : search_subtable(&s, e, ready);

        while (rule && !cls_rule_visible(rule, version)) {
            rule = rcu_get(&rule->next);
        }
        if (rule && (!best || rule->priority > best->priority)) {
            best = rule;
            above = best->priority;
            *place = e - order->entries;
        }
    }
    note_pending(&s);
    return best;
}

struct cls_rule *
classifier_lookup_rcu(const struct classifier *cls, uint64_t version, const struct flow *flow, struct cls_mask *wc)
{
    unsigned int place = CLS_NO_PLACE;

    return classifier_lookup_place_rcu(cls, version, flow, wc, &place);
}

void
classifier_for_each_match_rcu(const struct classifier *cls, uint64_t version, const struct flow *flow,
                              struct cls_mask *wc, int (*cb)(void *aux, struct cls_rule *), void *aux)
{
    const struct cls_order *order = rcu_get(&((struct classifier *) cls)->order);
    const struct cls_order_entry *e;
    const uint64_t *ready;
    int above = INT_MIN;
    struct search s;

    if (!order || !order->n) {
        return;
    }
    begin(&s, order, flow, wc);
    while ((e = next_entry(&s, above, &ready))) {
        for (struct cls_rule *rule = search_subtable(&s, e, ready); rule; rule = rcu_get(&rule->next)) {
            if (cls_rule_visible(rule, version)) {
                int uninteresting = cb(aux, rule);

                above = MAX(above, uninteresting);
            }
        }
    }
    note_pending(&s);
}
