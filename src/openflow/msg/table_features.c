#include <string.h>

#include "openflow/msg/prop.h"
#include "openflow/msg/table.h"
#include "openflow/oxm/oxm.h"

#define HEADER 64
#define CAP_EVICTION 4
#define CAP_VACANCY 8
#define EXPERIMENTER 0xffff

/* Properties; an odd number is the same for the table-miss flow. */
enum {
    PROP_INSTRUCTIONS = 0, PROP_NEXT_TABLES = 2, PROP_WRITE_ACTIONS = 4, PROP_APPLY_ACTIONS = 6, PROP_MATCH = 8,
    PROP_WILDCARDS = 10, PROP_WRITE_SETFIELD = 12, PROP_APPLY_SETFIELD = 14
};
#define REQUIRED 0x5555u

static enum ofperr
take_instructions(struct cursor c, uint32_t *bits)
{
    *bits = 0;
    while (c.left) {
        uint16_t type, len;

        if (!cursor_take_be16(&c, &type) || !cursor_take_be16(&c, &len) || len < 4 || !cursor_take(&c, len - 4)) {
            return OFPERR_OFPBPC_BAD_LEN;
        }
        if (type >= 1 && type <= 6) {
            *bits |= 1u << type;
        }
    }
    return OFPERR_NONE;
}

static enum ofperr
take_actions(struct cursor c, enum of_version v, uint32_t *bits)
{
    *bits = 0;
    while (c.left) {
        uint16_t type, len;
        enum table_action a;

        if (!cursor_take_be16(&c, &type) || !cursor_take_be16(&c, &len) || len < 4 || !cursor_take(&c, len - 4)) {
            return OFPERR_OFPBPC_BAD_LEN;
        }
        a = table_action_from_wire(type, v);
        if (a < TABLE_ACTION_N) {
            *bits |= 1u << a;
        }
    }
    return OFPERR_NONE;
}

static void
take_next_tables(struct cursor c, uint64_t next[4])
{
    memset(next, 0, 4 * sizeof *next);
    for (size_t i = 0; i < c.left; i++) {
        next[c.at[i] / 64] |= UINT64_C(1) << c.at[i] % 64;
    }
}

/* Headers of entries; 'masks' (null allowed) receives those with the mask flag too. */
static enum ofperr
take_fields(struct cursor c, struct field_set *set, struct field_set *masks)
{
    memset(set, 0, sizeof *set);
    while (c.left) {
        uint8_t header[8];
        size_t n = c.left >= 4 && get_be16(c.at) == EXPERIMENTER ? 8 : 4;
        const uint8_t *p = cursor_take(&c, n);
        struct cursor one = cursor_make(header, n);
        const struct field *f;
        bool has_mask;

        if (!p) {
            return OFPERR_OFPBPC_BAD_LEN;
        }
        memcpy(header, p, n);
        has_mask = header[2] & 1;
        if (has_mask) {
            size_t extra = n - 4;

            header[2] &= ~1;
            header[3] = (header[3] - extra) / 2 + extra;
        }
        if (oxm_take_field(&one, &f)) {
            continue; /* Not one of ours. */
        }
        field_set_add(set, f->id);
        if (has_mask && masks) {
            field_set_add(masks, f->id);
        }
    }
    return OFPERR_NONE;
}

static enum ofperr
take_prop(const struct prop *p, enum of_version v, struct table_features *f)
{
    struct table_instruction_features *t = p->type & 1 ? &f->miss_table : &f->nonmiss;

    switch (p->type & ~1) {
    case PROP_INSTRUCTIONS: return take_instructions(p->body, &t->instructions);
    case PROP_NEXT_TABLES: take_next_tables(p->body, t->next); return OFPERR_NONE;
    case PROP_WRITE_ACTIONS: return take_actions(p->body, v, &t->write.actions);
    case PROP_APPLY_ACTIONS: return take_actions(p->body, v, &t->apply.actions);
    case PROP_MATCH: return take_fields(p->body, &f->match, &f->mask);
    case PROP_WILDCARDS: return take_fields(p->body, &f->wildcard, NULL);
    case PROP_WRITE_SETFIELD: return take_fields(p->body, &t->write.set_fields, NULL);
    case PROP_APPLY_SETFIELD: return take_fields(p->body, &t->apply.set_fields, NULL);
    }
    return OFPERR_NONE;
}

/* What is not said of table-miss flows is as for the others. */
static void
copy_to_miss(struct table_features *f, uint32_t seen)
{
    if (!(seen & 2u << PROP_INSTRUCTIONS)) {
        f->miss_table.instructions = f->nonmiss.instructions;
    }
    if (!(seen & 2u << PROP_NEXT_TABLES)) {
        memcpy(f->miss_table.next, f->nonmiss.next, sizeof f->nonmiss.next);
    }
    if (!(seen & 2u << PROP_WRITE_ACTIONS)) {
        f->miss_table.write.actions = f->nonmiss.write.actions;
    }
    if (!(seen & 2u << PROP_APPLY_ACTIONS)) {
        f->miss_table.apply.actions = f->nonmiss.apply.actions;
    }
    if (!(seen & 2u << PROP_WRITE_SETFIELD)) {
        f->miss_table.write.set_fields = f->nonmiss.write.set_fields;
    }
    if (!(seen & 2u << PROP_APPLY_SETFIELD)) {
        f->miss_table.apply.set_fields = f->nonmiss.apply.set_fields;
    }
}

static enum ofperr
check_required(enum of_version v, uint32_t seen, bool any, char **why)
{
    uint32_t missing = REQUIRED & ~seen;

    if (!missing || (!any && v >= OF15)) {
        return OFPERR_NONE;
    }
    if (why) {
        *why = xasprintf("table features message missing %d required properties, including property %d",
                         __builtin_popcount(missing), __builtin_ctz(missing));
    }
    return OFPERR_OFPTFFC_BAD_FEATURES;
}

static enum ofperr
take_props(struct cursor c, enum of_version v, bool loose, struct table_features *f, char **why)
{
    uint32_t seen = 0;
    bool any = c.left != 0;

    while (c.left) {
        struct prop p;
        enum ofperr error = prop_take(&c, &p);

        if (!error && p.type < 16) {
            if (seen & 1u << p.type) {
                return OFPERR_OFPTFFC_BAD_FEATURES;
            }
            seen |= 1u << p.type;
            error = take_prop(&p, v, f);
        } else if (!error && !loose && v < OF14) {
            error = prop_unknown(&p);
        }
        if (error) {
            return error;
        }
    }
    f->any_properties = any;
    copy_to_miss(f, seen);
    return check_required(v, seen, any, why);
}

enum ofperr
table_features_take(struct cursor *c, enum of_version v, bool loose, struct table_features *f, char **why)
{
    const uint8_t *p = c->at;
    struct cursor e;
    uint32_t caps;

    memset(f, 0, sizeof *f);
    f->eviction = f->vacancy = -1;
    if (c->left < HEADER || get_be16(p) < HEADER || !cursor_take_sub(c, get_be16(p), &e) ||
        !cursor_take(&e, HEADER)) {
        return OFPERR_OFPBPC_BAD_LEN;
    }
    f->table_id = p[2];
    f->has_command = v >= OF15;
    f->command = v >= OF15 ? p[3] : TABLE_FEATURES_REPLACE;
    if (f->command > TABLE_FEATURES_DISABLE) {
        return OFPERR_OFPTFFC_BAD_COMMAND;
    }
    if (f->table_id == 255) {
        return OFPERR_OFPTFFC_BAD_TABLE;
    }
    memcpy(f->name, p + 8, sizeof f->name);
    f->name[sizeof f->name - 1] = '\0';
    f->metadata_match = get_be64(p + 40);
    f->metadata_write = get_be64(p + 48);
    caps = get_be32(p + 56);
    if (v >= OF14) {
        f->eviction = (caps & CAP_EVICTION) != 0;
        f->vacancy = (caps & CAP_VACANCY) != 0;
    }
    f->max_entries = get_be32(p + 60);
    return take_props(e, v, loose, f, why);
}

/* Writing. */

static void
put_instructions(struct bytes *b, uint16_t type, uint32_t bits)
{
    size_t start = prop_start(b, type);

    for (int i = 1; i <= 6; i++) {
        if (bits & 1u << i) {
            bytes_put_be16(b, i);
            bytes_put_be16(b, 4);
        }
    }
    prop_end(b, start);
}

static void
put_next_tables(struct bytes *b, uint16_t type, const uint64_t next[4])
{
    size_t start = prop_start(b, type);

    for (int i = 0; i < 255; i++) {
        if (next[i / 64] >> i % 64 & 1) {
            bytes_put_u8(b, i);
        }
    }
    prop_end(b, start);
}

static void
put_actions(struct bytes *b, uint16_t type, enum of_version v, uint32_t actions)
{
    uint32_t bits = table_actions_to_wire(actions, v);
    size_t start = prop_start(b, type);

    for (int i = 0; i < 32; i++) {
        if (bits & 1u << i) {
            bytes_put_be16(b, i);
            bytes_put_be16(b, 4);
        }
    }
    prop_end(b, start);
}

static void
put_fields(struct bytes *b, uint16_t type, enum of_version v, const struct field_set *set,
           const struct field_set *masks)
{
    size_t start = prop_start(b, type);

    for (int id = 0; id < FIELD_N; id++) {
        const struct field *f = field_of(id);
        size_t at = b->len, n = oxm_header_size(f, v);

        if (!field_set_has(set, id) || !n) {
            continue;
        }
        oxm_put_field(b, f, v);
        if (masks && field_set_has(masks, id)) {
            b->data[at + 2] |= 1;
            b->data[at + 3] += f->wire_bytes;
        }
    }
    prop_end(b, start);
}

static void
put_instruction_features(struct bytes *b, enum of_version v, const struct table_instruction_features *t, int miss)
{
    put_instructions(b, PROP_INSTRUCTIONS + miss, t->instructions);
    put_next_tables(b, PROP_NEXT_TABLES + miss, t->next);
    put_actions(b, PROP_WRITE_ACTIONS + miss, v, t->write.actions);
    put_fields(b, PROP_WRITE_SETFIELD + miss, v, &t->write.set_fields, NULL);
    put_actions(b, PROP_APPLY_ACTIONS + miss, v, t->apply.actions);
    put_fields(b, PROP_APPLY_SETFIELD + miss, v, &t->apply.set_fields, NULL);
}

void
table_features_put(struct bytes *b, enum of_version v, const struct table_features *f)
{
    size_t start = b->len;

    bytes_put_be16(b, 0);
    bytes_put_u8(b, f->table_id);
    bytes_put_u8(b, v >= OF15 ? f->command : 0);
    bytes_put_zeros(b, 4);
    str_copy_cut(bytes_put_zeros(b, sizeof f->name), f->name, sizeof f->name);
    bytes_put_be64(b, f->metadata_match);
    bytes_put_be64(b, f->metadata_write);
    bytes_put_be32(b, v < OF14 ? 0 : (f->eviction > 0 ? CAP_EVICTION : 0) | (f->vacancy > 0 ? CAP_VACANCY : 0));
    bytes_put_be32(b, f->max_entries);
    if (f->any_properties) {
        put_instruction_features(b, v, &f->nonmiss, 0);
        put_instruction_features(b, v, &f->miss_table, 1);
        put_fields(b, PROP_MATCH, v, &f->match, &f->mask);
        put_fields(b, PROP_WILDCARDS, v, &f->wildcard, NULL);
    }
    put_be16(b->data + start, b->len - start);
}
