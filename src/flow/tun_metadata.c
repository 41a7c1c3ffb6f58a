#include "flow/tun_metadata.h"

#include "base/bytes.h"

enum { RAW_HEADER = 4, RAW_LEN_MASK = 31, N_WORDS = FLOW_TUN_METADATA / 4 };

static uint64_t
present(const struct flow *flow)
{
    return be64_to_cpu(flow->tun_metadata_present);
}

#define FOR_EACH_OPTION(I, SET) \
    for (uint64_t I##_left = (SET), I; I##_left && (I = __builtin_ctzll(I##_left), true); I##_left &= I##_left - 1)

/* Maps. */

/* Whether ones from bit 0 on are all there is. */
static bool
is_one_run(uint64_t words)
{
    return !(words & (words + 1));
}

/* The 32-bit words of 'tun_metadata' that options are in. */
static uint64_t
used_words(const struct tun_map *map)
{
    uint64_t used = 0;

    FOR_EACH_OPTION (i, map->bound) {
        used |= map->options[i].words;
    }
    return used;
}

/* The first 'n' words one behind the other that are free, or else the first 'n'; 0 if there are not as many. */
static uint64_t
find_room(uint64_t used, unsigned int n)
{
    uint64_t found = 0;

    for (unsigned int i = 0; i + n <= N_WORDS; i++) {
        uint64_t piece = ((UINT64_C(1) << n) - 1) << i;

        if (!(used & piece)) {
            return piece;
        }
    }
    for (unsigned int i = 0; i < N_WORDS && n; i++) {
        if (!(used >> i & 1)) {
            found |= UINT64_C(1) << i;
            n--;
        }
    }
    return n ? 0 : found;
}

bool
tun_map_add(struct tun_map *map, unsigned int index, uint16_t class, uint8_t type, uint8_t len)
{
    struct tun_option *o = &map->options[index];
    uint64_t words = find_room(used_words(map), len / 4);
    unsigned int first = words ? __builtin_ctzll(words) : 0;

    if (len && !words) {
        return false;
    }
    o->field = *field_of(FIELD_TUN_METADATA0 + index);
    o->field.offset = 8 * (offsetof(struct flow, tun_metadata) + 4 * first);
    o->field.n_bits = 8 * len;
    o->field.wire_bytes = len;
    o->field.words = is_one_run(words >> first) ? 0 : words;
    o->words = words;
    o->class = class;
    o->type = type;
    o->len = len;
    map->bound |= UINT64_C(1) << index;
    return true;
}

void
tun_map_remove(struct tun_map *map, unsigned int index)
{
    map->bound &= ~(UINT64_C(1) << index);
}

static const struct tun_option *
option_of_type(const struct tun_map *map, uint16_t class, uint8_t type)
{
    FOR_EACH_OPTION (i, map ? map->bound : 0) {
        if (map->options[i].class == class && map->options[i].type == type) {
            return &map->options[i];
        }
    }
    return NULL;
}

/* Bound flows. */

static be64
bit_of(const struct field *f)
{
    return cpu_to_be64(UINT64_C(1) << field_option_index(f));
}

bool
tun_option_is_present(const struct flow *flow, const struct field *f)
{
    return (flow->tun_metadata_present & bit_of(f)) != BE64(0);
}

void
tun_option_set_present(struct flow *flow, const struct field *f)
{
    flow->tun_metadata_present |= bit_of(f);
}

void
tun_option_delete(struct flow *flow, const struct field *mapped)
{
    flow->tun_metadata_present &= ~bit_of(mapped);
    field_set_zeros(mapped, flow);
}

/* Raw forms. */

/* The next option of 'c': its header, null at the end or where the bytes are cut off. */
static const uint8_t *
take_raw(struct cursor *c, size_t *len)
{
    const uint8_t *head = cursor_take(c, RAW_HEADER);

    *len = head ? (head[3] & RAW_LEN_MASK) * 4 : 0;
    return head && cursor_take(c, *len) ? head : NULL;
}

/* The option that the map has for a raw one; null if it has none of that length. */
static const struct tun_option *
option_of_raw(const struct tun_map *map, const uint8_t *head, size_t len)
{
    const struct tun_option *o = option_of_type(map, get_be16(head), head[2]);

    return o && o->len == len ? o : NULL;
}

void
tun_flow_from_raw(const struct tun_map *map, struct flow *flow)
{
    uint8_t raw[FLOW_TUN_METADATA];
    struct cursor c;
    const uint8_t *head;
    size_t len;

    if (LIKELY(!flow->tun_opt_len)) {
        return;
    }
    memcpy(raw, flow->tun_metadata, sizeof raw);
    c = cursor_make(raw, flow->tun_opt_len);
    memset(flow->tun_metadata, 0, sizeof flow->tun_metadata);
    flow->tun_opt_len = 0;
    flow->tun_metadata_present = BE64(0);
    while ((head = take_raw(&c, &len)) != NULL) {
        const struct tun_option *o = option_of_raw(map, head, len);

        if (o) {
            field_set(&o->field, flow, (const union field_value *) (head + RAW_HEADER));
            tun_option_set_present(flow, &o->field);
        }
    }
}

void
tun_mask_to_raw(const struct tun_map *map, const struct flow *key, struct flow *mask)
{
    struct cursor c = cursor_make(key->tun_metadata, key->tun_opt_len);
    const uint8_t *head;
    struct flow bound;
    size_t len;

    if (LIKELY(!mask->tun_metadata_present)) {
        return; /* No option was looked at. */
    }
    bound = *mask;
    memset(mask->tun_metadata, 0, sizeof mask->tun_metadata);
    mask->tun_metadata_present = BE64(0);
    mask->tun_opt_len = UINT8_MAX;
    while ((head = take_raw(&c, &len)) != NULL) {
        const struct tun_option *o = option_of_raw(map, head, len);
        uint8_t *at = mask->tun_metadata + (head - key->tun_metadata);

        memset(at, 0xff, RAW_HEADER);
        if (o) {
            field_get(&o->field, &bound, (union field_value *) (at + RAW_HEADER));
        }
    }
}

/* Loose matches. */

/* Lengths of the options that a match has, 0 for those that it has not. */
static void
get_lengths(const struct match *m, uint8_t lens[TUN_N_OPTIONS])
{
    size_t at = 0;

    memset(lens, 0, TUN_N_OPTIONS);
    FOR_EACH_OPTION (i, present(&m->mask)) {
        while (at < FLOW_TUN_METADATA && lens[i] < TUN_OPTION_MAX) {
            bool is_last = m->flow.tun_loose_ends[at / 8] >> at % 8 & 1;

            lens[i]++;
            at++;
            if (is_last) {
                break;
            }
        }
    }
}

static size_t
offset_of(const uint8_t lens[TUN_N_OPTIONS], unsigned int index)
{
    size_t ofs = 0;

    for (unsigned int i = 0; i < index; i++) {
        ofs += lens[i];
    }
    return ofs;
}

static void
put_lengths(struct match *m, const uint8_t lens[TUN_N_OPTIONS])
{
    uint64_t set = 0;
    size_t at = 0;

    memset(m->flow.tun_loose_ends, 0, sizeof m->flow.tun_loose_ends);
    for (unsigned int i = 0; i < TUN_N_OPTIONS; i++) {
        if (lens[i]) {
            at += lens[i];
            m->flow.tun_loose_ends[(at - 1) / 8] |= 1u << (at - 1) % 8;
            set |= UINT64_C(1) << i;
        }
    }
    m->flow.tun_metadata_present = m->mask.tun_metadata_present = cpu_to_be64(set);
    m->flow.tun_loose_exact &= cpu_to_be64(set);
    memset(m->mask.tun_loose_ends, set ? 0xff : 0, sizeof m->mask.tun_loose_ends);
    m->mask.tun_loose_exact = set ? BE64_MAX : BE64(0);
}

/* Makes room of 'len' bytes, in the place of what there was for the option.  Null if there is none. */
static bool
resize(struct match *m, unsigned int index, size_t len, size_t *ofs)
{
    uint8_t lens[TUN_N_OPTIONS];
    size_t old, end;

    get_lengths(m, lens);
    *ofs = offset_of(lens, index);
    end = offset_of(lens, TUN_N_OPTIONS);
    old = lens[index];
    if (end - old + len > FLOW_TUN_METADATA) {
        return false;
    }
    for (int i = 0; i < 2; i++) {
        uint8_t *bytes = (i ? &m->mask : &m->flow)->tun_metadata;

        memmove(bytes + *ofs + len, bytes + *ofs + old, end - *ofs - old);
        if (old > len) {
            memset(bytes + end - old + len, 0, old - len);
        }
    }
    lens[index] = len;
    put_lengths(m, lens);
    return true;
}

static size_t
significant_bytes(const union field_value *v)
{
    size_t n = TUN_OPTION_MAX;

    while (n && !v->bytes[TUN_OPTION_MAX - n]) {
        n--;
    }
    return n;
}

/* At least one. */
static size_t
bytes_needed(const union field_value *v, const union field_value *mask)
{
    size_t n = significant_bytes(is_all_ones(mask->bytes, TUN_OPTION_MAX) ? v : mask);

    return MAX(n, (size_t) 1);
}

size_t
tun_match_space(const struct match *m, const union field_value *v, const union field_value *mask)
{
    uint8_t lens[TUN_N_OPTIONS];

    get_lengths(m, lens);
    return offset_of(lens, TUN_N_OPTIONS) + bytes_needed(v, mask);
}

bool
tun_match_set_loose(struct match *m, const struct field *f, const union field_value *v,
                    const union field_value *mask, size_t len)
{
    bool exact = is_all_ones(mask->bytes, TUN_OPTION_MAX);
    size_t ofs;

    len = len ? len : bytes_needed(v, mask);
    if (!resize(m, field_option_index(f), len, &ofs)) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        uint8_t bits = mask->bytes[TUN_OPTION_MAX - len + i];

        m->mask.tun_metadata[ofs + i] = bits;
        m->flow.tun_metadata[ofs + i] = v->bytes[TUN_OPTION_MAX - len + i] & bits;
    }
    m->flow.tun_loose_exact &= ~bit_of(f);
    m->flow.tun_loose_exact |= exact ? bit_of(f) : BE64(0);
    return true;
}

size_t
tun_match_get_loose(const struct match *m, const struct field *f, union field_value *v, union field_value *mask)
{
    uint8_t lens[TUN_N_OPTIONS];
    size_t ofs, len;

    memset(v->bytes, 0, TUN_OPTION_MAX);
    memset(mask->bytes, 0, TUN_OPTION_MAX);
    if (!tun_match_has(m, f)) {
        return 0;
    }
    get_lengths(m, lens);
    ofs = offset_of(lens, field_option_index(f));
    len = lens[field_option_index(f)];
    memcpy(v->bytes + TUN_OPTION_MAX - len, m->flow.tun_metadata + ofs, len);
    memcpy(mask->bytes + TUN_OPTION_MAX - len, m->mask.tun_metadata + ofs, len);
    if (m->flow.tun_loose_exact & bit_of(f)) {
        memset(mask->bytes, 0xff, TUN_OPTION_MAX);
    }
    return len;
}

/* Between loose and bound. */

bool
tun_value_fits(const struct field *mapped, const uint8_t *v, uint8_t *mask)
{
    size_t beyond = TUN_OPTION_MAX - mapped->wire_bytes;
    bool exact = is_all_ones(mask, TUN_OPTION_MAX);
    /* One without a value is there or not, whatever is said of its value. */
    bool fits = !mapped->wire_bytes || (is_all_zeros(v, beyond) && (exact || is_all_zeros(mask, beyond)));

    if (is_all_ones(mask + beyond, mapped->wire_bytes)) {
        memset(mask, 0xff, beyond);
    }
    return fits;
}

/* Takes all that concerns options away. */
static void
clear(struct match *m)
{
    for (int i = 0; i < 2; i++) {
        struct flow *flow = i ? &m->mask : &m->flow;

        memset(flow->tun_metadata, 0, sizeof flow->tun_metadata);
        memset(flow->tun_loose_ends, 0, sizeof flow->tun_loose_ends);
        flow->tun_metadata_present = flow->tun_loose_exact = BE64(0);
    }
}

/* Puts the last bytes of a value of 124 at the option's place. */
static void
put_bound(struct flow *flow, const struct field *mapped, const union field_value *v)
{
    field_set(mapped, flow, (const union field_value *) (v->bytes + TUN_OPTION_MAX - mapped->wire_bytes));
    tun_option_set_present(flow, mapped);
}

enum tun_bind
tun_match_bind(const struct tun_map *map, struct match *m, bool cut)
{
    struct match loose;

    if (LIKELY(!tun_match_has_any(m))) {
        return TUN_BOUND;
    }
    loose = *m;
    clear(m);
    FOR_EACH_OPTION (i, present(&loose.mask)) {
        const struct field *f = field_of(FIELD_TUN_METADATA0 + i), *mapped = tun_map_field(map, f);
        union field_value v, mask;

        if (!mapped && !cut) {
            return TUN_NOT_IN_MAP;
        }
        if (mapped) {
            tun_match_get_loose(&loose, f, &v, &mask);
            if (!tun_value_fits(mapped, v.bytes, mask.bytes) && !cut) {
                return TUN_TOO_LONG;
            }
            put_bound(&m->flow, mapped, &v);
            put_bound(&m->mask, mapped, &mask);
        }
    }
    return TUN_BOUND;
}

void
tun_match_unbind(const struct tun_map *map, struct match *m)
{
    struct match bound;

    if (LIKELY(!tun_match_has_any(m))) {
        return;
    }
    bound = *m;
    clear(m);
    FOR_EACH_OPTION (i, present(&bound.mask)) {
        const struct field *f = field_of(FIELD_TUN_METADATA0 + i), *mapped = tun_map_field(map, f);
        union field_value v = { { 0 } }, mask = { { 0 } };

        if (mapped) {
            size_t n = mapped->wire_bytes;

            field_get(mapped, &bound.flow, (union field_value *) (v.bytes + TUN_OPTION_MAX - n));
            field_get(mapped, &bound.mask, (union field_value *) (mask.bytes + TUN_OPTION_MAX - n));
            if (n && is_all_ones(mask.bytes + TUN_OPTION_MAX - n, n)) {
                memset(mask.bytes, 0xff, TUN_OPTION_MAX);
            }
            (void) !tun_match_set_loose(m, f, &v, &mask, n); /* What the map has room for, a match has. */
        }
    }
    m->flow.tun_metadata_present &= bound.flow.tun_metadata_present; /* A megaflow may ask that one be absent. */
}

void
tun_match_add_present(const struct tun_map *map, struct match *m)
{
    FOR_EACH_OPTION (i, map ? present(&m->flow) & map->bound : 0) {
        const struct field *mapped = &map->options[i].field;

        field_set_ones(mapped, &m->mask);
        tun_option_set_present(&m->mask, mapped);
    }
}
