#include "flow/match.h"

void
match_init_catchall(struct match *m)
{
    memset(m, 0, sizeof *m);
}

void
match_set(struct match *m, const struct field *f, const union field_value *v)
{
    field_set(f, &m->flow, v);
    field_set_ones(f, &m->mask);
}

void
match_set_masked(struct match *m, const struct field *f, const union field_value *v, const union field_value *mask)
{
    field_set_match(f, &m->flow, &m->mask, v, mask);
}

void
match_set_u64(struct match *m, enum field_id id, uint64_t v)
{
    field_set_u64(field_of(id), &m->flow, v);
    field_set_ones(field_of(id), &m->mask);
}

void
match_imply_ethernet(struct match *m)
{
    if (!m->mask.packet_ns) {
        m->flow.packet_ns = 0;
        m->mask.packet_ns = UINT8_MAX;
    }
}

void
match_normalize(struct match *m)
{
    flow_mask(&m->flow, &m->flow, &m->mask);
}

bool
match_equal(const struct match *a, const struct match *b)
{
    return !memcmp(&a->mask, &b->mask, sizeof a->mask) && flow_equal_masked(&a->flow, &b->flow, &a->mask);
}

bool
match_is_inside(const struct match *m, const struct match *outer)
{
    return flow_mask_is_subset(&outer->mask, &m->mask) && flow_equal_masked(&m->flow, &outer->flow, &outer->mask);
}

bool
match_overlaps(const struct match *a, const struct match *b)
{
    struct flow both;

    flow_mask(&both, &a->mask, &b->mask);
    return flow_equal_masked(&a->flow, &b->flow, &both);
}

bool
match_covers_flow(const struct match *m, const struct flow *flow)
{
    return flow_equal_masked(flow, &m->flow, &m->mask);
}

struct word_map
word_map_of(const struct flow *mask)
{
    struct word_map map = { { 0, 0 } };

    FLOW_FOR_EACH_LINE (line, flow_used_lines(mask, FLOW_LINES_ALL)) {
        uint64_t used = 0;

        for (int k = 0; k < 8; k++) {
            used |= (uint64_t) (mask->lines[line].words[k] != 0) << k;
        }
        map.bits[line / 8] |= used << line % 8 * 8;
    }
    return map;
}

/* The fields that have bits in each word; filled before main(). */
static struct field_map fields_of_word[FLOW_N_WORDS];

__attribute__((constructor)) static void
index_words(void)
{
    for (const struct field *f = fields; f < fields + FIELD_N; f++) {
        for (unsigned int i = f->offset / 64; !field_is_option(f) && i <= (f->offset + f->n_bits - 1u) / 64; i++) {
            field_map_add(&fields_of_word[i], f->id);
        }
    }
}

struct field_map
field_map_of(const struct word_map *words)
{
    struct field_map map = { { 0 } };

    WORD_MAP_FOR_EACH (i, words) {
        for (unsigned int k = 0; k < ARRAY_SIZE(map.bits); k++) {
            map.bits[k] |= fields_of_word[i].bits[k];
        }
    }
    return map;
}
