#include "ofproto/depend_private.h"

void
change_of_rule(struct change *c, const struct xbridge *bridge, uint8_t table_id, const struct cls_rule *rule)
{
    struct match m;
    size_t n = 0;

    *c = (struct change) { .kind = CHANGED_RULE, .asked = CONSULTED_TABLE, .bridge = bridge, .table_id = table_id };
    cls_rule_get_match(rule, &m);
    m.mask.conj_id = 0; /* Never part of a question. */
    m.flow.conj_id = 0;
    c->map = word_map_of(&m.mask);
    c->words = xcalloc(2 * word_map_count(&c->map), sizeof *c->words);
    WORD_MAP_FOR_EACH (i, &c->map) {
        c->words[n++] = flow_word(&m.mask, i);
    }
    WORD_MAP_FOR_EACH (i, &c->map) {
        c->words[n++] = flow_word(&m.flow, i);
    }
}

/* Where word 'i' of the map is in what is stored. */
static unsigned int
word_at(const struct word_map *map, unsigned int i)
{
    uint64_t below = (UINT64_C(1) << i % 64) - 1;

    return i < 64 ? __builtin_popcountll(map->bits[0] & below)
                  : __builtin_popcountll(map->bits[0]) + __builtin_popcountll(map->bits[1] & below);
}

bool
change_covers(const struct change *c, const struct shape *s, uint64_t *values)
{
    const uint64_t *masks = c->words, *rule_values = masks + word_map_count(&c->map);
    unsigned int at = 0;

    if (s->map.bits[0] & ~c->map.bits[0] || s->map.bits[1] & ~c->map.bits[1]) {
        return false;
    }
    WORD_MAP_FOR_EACH (i, &s->map) {
        unsigned int k = word_at(&c->map, i);

        if (s->masks[at] & ~masks[k]) {
            return false;
        }
        values[at] = rule_values[k] & s->masks[at];
        at++;
    }
    return true;
}

unsigned int
change_common(const struct change *c, const struct word_map *map, const uint64_t *masks, struct common *words)
{
    const uint64_t *rule_masks = c->words, *rule_values = rule_masks + word_map_count(&c->map);
    struct word_map both = { { c->map.bits[0] & map->bits[0], c->map.bits[1] & map->bits[1] } };
    unsigned int n = 0;

    WORD_MAP_FOR_EACH (i, &both) {
        unsigned int at = word_at(map, i), k = word_at(&c->map, i);
        uint64_t bits = masks[at] & rule_masks[k];

        if (bits) {
            words[n++] = (struct common) { at, bits, rule_values[k] & bits };
        }
    }
    return n;
}

bool
change_agrees(const uint64_t *values, unsigned int n, const struct common *words)
{
    for (unsigned int i = 0; i < n; i++) {
        if ((values[words[i].index] & words[i].bits) != words[i].values) {
            return false;
        }
    }
    return true;
}

bool
change_concerns(const struct change *c, const struct xlate_consulted *asked, const uint64_t *words)
{
    struct common common[FLOW_N_WORDS];
    unsigned int n;

    if (c->kind == CHANGED_ALL) {
        return true;
    }
    if (c->bridge != asked->bridge || c->asked != asked->kind) {
        return false;
    }
    switch (c->kind) {
    case CHANGED_ALL: case CHANGED_KIND: return true;
    case CHANGED_KEY: return c->key == asked->key;
    case CHANGED_TABLE: return c->table_id == asked->table.id;
    case CHANGED_RULE: break;
    }
    if (c->table_id != asked->table.id) {
        return false;
    }
    n = change_common(c, &asked->table.map, words, common);
    return change_agrees(words + word_map_count(&asked->table.map), n, common);
}
