/* A match: which packets a rule is for.
 *
 * 'struct match' is the working form: value and mask, both whole flows, with all value bits outside the mask zero.
 * Stored rules keep only the 8-byte words whose mask is not zero ('struct word_map' says which), so that a rule with a
 * typical match costs some tens of bytes; the mask is shared by all rules of one shape (classifier/).
 *
 * Text form (ovs-fields(7), ovs-ofctl(8) "Flow Syntax"): see flow/match_text.h.
 * Threads: plain values. */
#ifndef FLOW_MATCH_H
#define FLOW_MATCH_H 1

#include "flow/field.h"

struct match {
    struct flow flow;
    struct flow mask;
};

/* Matches everything. */
void match_init_catchall(struct match *m);

/* Adds "field = value" (exactly, or under 'mask'). */
void match_set(struct match *m, const struct field *, const union field_value *v);
void match_set_masked(struct match *m, const struct field *, const union field_value *v, const union field_value *mask);
void match_set_u64(struct match *m, enum field_id, uint64_t v);

/* A field that needs others is about packets that have an Ethernet header, unless the match says otherwise already. */
void match_imply_ethernet(struct match *m);

/* Clears value bits outside the mask. */
void match_normalize(struct match *m);

bool match_equal(const struct match *a, const struct match *b);
/* Whether every packet that matches 'm' matches 'outer' too. */
bool match_is_inside(const struct match *m, const struct match *outer);
/* Whether some packet could match both. */
bool match_overlaps(const struct match *a, const struct match *b);
bool match_covers_flow(const struct match *m, const struct flow *flow);

/* Number of 8-byte words in a flow: what sparse forms index. */
#define FLOW_N_WORDS (sizeof(struct flow) / 8)

/* Which words of a mask are not zero. */
struct word_map {
    uint64_t bits[2];
};

struct word_map word_map_of(const struct flow *mask);
static inline unsigned int
word_map_count(const struct word_map *m)
{
    return count_bits64(m->bits[0]) + count_bits64(m->bits[1]);
}
static inline bool
word_map_equal(const struct word_map *a, const struct word_map *b)
{
    return a->bits[0] == b->bits[0] && a->bits[1] == b->bits[1];
}

/* The lines of a mask, FLOW_LINE_*, that have any of the words. */
static inline uint16_t
word_map_lines(const struct word_map *m)
{
    uint16_t lines = 0;

    for (unsigned int i = 0; i < FLOW_N_LINES; i++) {
        lines |= (m->bits[i / 8] >> i % 8 * 8 & 0xff ? 1u : 0u) << i;
    }
    return lines;
}

/* A set of fields (enum field_id), but for the options of tunnels, which have no words. */
struct field_map {
    uint64_t bits[DIV_ROUND_UP(FIELD_N, 64)];
};

/* The fields of which some word is in the map of a mask: of no other field is any bit matched. */
struct field_map field_map_of(const struct word_map *);

static inline bool
field_map_has(const struct field_map *m, enum field_id id)
{
    return m->bits[id / 64] >> id % 64 & 1;
}

static inline void
field_map_add(struct field_map *m, enum field_id id)
{
    m->bits[id / 64] |= UINT64_C(1) << id % 64;
}

/* Runs I over the word numbers of MAP. */
#define WORD_MAP_FOR_EACH(I, MAP) \
    for (unsigned int I##_half = 0; I##_half < 2; I##_half++) \
        for (uint64_t I##_left = (MAP)->bits[I##_half], I; \
             I##_left && (I = I##_half * 64 + __builtin_ctzll(I##_left), true); I##_left &= I##_left - 1)

static inline uint64_t
flow_word(const struct flow *flow, unsigned int i)
{
    return flow->lines[i / 8].words[i % 8];
}

static inline uint64_t *
flow_word_ptr(struct flow *flow, unsigned int i)
{
    return &flow->lines[i / 8].words[i % 8];
}

#endif
