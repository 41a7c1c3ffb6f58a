/* The numbers of fields: oxm.def as a table, found by number, by field and by name. */

#include "openflow/oxm/registry.h"

#include <string.h>

#include "flow/field_text.h"
#include "openflow/protocol.h"

const struct oxm_row oxm_rows[] = {
#define OXM(FIELD, NAME, CLASS, NUMBER, EXPERIMENTER, FIRST) \
    { FIELD_##FIELD, #NAME, CLASS, NUMBER, EXPERIMENTER, FIRST },
#define FIXED(FIELD, OF10, OF11)
#include "openflow/oxm/oxm.def"
};

enum { N_ROWS = ARRAY_SIZE(oxm_rows) };

enum fixed_kind { FIXED_NONE, FIXED_EXACT, FIXED_CIDR, FIXED_BITS };

static const struct {
    uint8_t of10, of11;
} fixed[FIELD_N] = {
#define OXM(FIELD, NAME, CLASS, NUMBER, EXPERIMENTER, FIRST)
#define FIXED(FIELD, OF10, OF11) [FIELD_##FIELD] = { FIXED_##OF10, FIXED_##OF11 },
#include "openflow/oxm/oxm.def"
};

/* Rows by class and number, and the first row of each field; numbers are the row's plus 1.  Filled before main(). */
static uint16_t by_number[5][128];
static uint16_t by_field[FIELD_N], by_version[FIELD_N][OF_LAST + 1];
_Static_assert(N_ROWS < UINT16_MAX, "row numbers fit");

static int
class_index(uint16_t class)
{
    switch (class) {
    case 0x0000: return 0;
    case 0x0001: return 1;
    case 0x1000: return 2;
    case 0x8000: return 3;
    case 0x8001: return 4;
    default: return -1;
    }
}

/* The rows of a field stand together.  Before the first version of any, the earliest must do: extensions of old
 * versions send those numbers too. */
static unsigned int
row_for_version(enum field_id id, enum of_version version)
{
    const struct oxm_row *first = &oxm_rows[by_field[id] - 1], *best = first;

    for (const struct oxm_row *row = first; row < oxm_rows + N_ROWS && row->field == id; row++) {
        if (row->first <= version ? row->first > best->first || best->first > version : row->first < best->first) {
            best = row;
        }
    }
    return best - oxm_rows;
}

__attribute__((constructor)) static void
index_rows(void)
{
    for (unsigned int i = N_ROWS; i-- > 0;) {
        int class = class_index(oxm_rows[i].class);

        if (class >= 0) {
            by_number[class][oxm_rows[i].number] = i + 1;
        }
        by_field[oxm_rows[i].field] = i + 1;
    }
    for (unsigned int id = 0; id < FIELD_N; id++) {
        for (unsigned int version = 0; version <= OF_LAST && by_field[id]; version++) {
            by_version[id][version] = row_for_version(id, version) + 1;
        }
    }
}

const struct oxm_row *
oxm_row_by_number(uint16_t class, uint8_t number, uint32_t experimenter)
{
    int index = class_index(class);

    if (index >= 0) {
        return number < 128 && by_number[index][number] ? &oxm_rows[by_number[index][number] - 1] : NULL;
    }
    for (unsigned int i = 0; i < N_ROWS && class == OXM_EXPERIMENTER; i++) {
        const struct oxm_row *row = &oxm_rows[i];

        if (row->class == class && row->number == number && row->experimenter == experimenter) {
            return row;
        }
    }
    return NULL;
}

const struct oxm_row *
oxm_row_first(const struct field *f)
{
    return by_field[f->id] ? &oxm_rows[by_field[f->id] - 1] : NULL;
}

const struct oxm_row *
oxm_row_for_version(const struct field *f, enum of_version version)
{
    uint16_t row = by_version[f->id][MIN(version, OF_LAST)];

    return row ? &oxm_rows[row - 1] : NULL;
}

const struct oxm_row *
oxm_row_by_name(const char *name, size_t n)
{
    for (unsigned int i = 0; i < N_ROWS; i++) {
        if (strlen(oxm_rows[i].name) == n && !memcmp(oxm_rows[i].name, name, n)) {
            return &oxm_rows[i];
        }
    }
    return NULL;
}

const struct field *
oxm_field_by_name(const char *name, size_t n)
{
    const struct oxm_row *row = oxm_row_by_name(name, n);

    return row ? field_of(row->field) : field_by_name_len(name, n);
}

const char *
oxm_name(const struct field *f, enum of_version version)
{
    const struct oxm_row *row = oxm_row_for_version(f, version);

    return row ? row->name : NULL;
}

const char *
oxm_text_name(const struct field *f)
{
    const struct oxm_row *row = oxm_row_first(f);

    return row ? row->name : f->name;
}

/* Whether the fixed match of one kind can say this. */
static bool
fixed_can_express(enum fixed_kind kind, const struct field *f, const union field_value *mask, bool exact)
{
    be32 mask32;

    if (is_all_zeros(mask, f->wire_bytes)) {
        return true;
    }
    switch (kind) {
    case FIXED_NONE: return false;
    case FIXED_EXACT: return exact;
    case FIXED_CIDR: memcpy(&mask32, mask->bytes, 4); return ipv4_mask_to_prefix(mask32) >= 0;
    case FIXED_BITS: return true;
    }
    return false;
}

unsigned int
oxm_match_protocols(const struct field *f, const union field_value *mask)
{
    bool exact = is_all_ones(mask, f->wire_bytes) || field_mask_is_exact(f, mask);
    unsigned int set = PROTO_NXM_OXM_ANY;

    if (is_all_zeros(mask, f->wire_bytes) && !field_is_option(f)) {
        return PROTO_ANY;
    }
    if (!oxm_row_first(f) && fixed[f->id].of10 == FIXED_NONE) {
        return 0;
    }
    if (field_is_option(f)) {
        return set; /* That it be there is a condition, too. */
    }
    set |= fixed_can_express(fixed[f->id].of10, f, mask, exact) ? PROTO_OF10_STD_ANY : 0;
    set |= fixed_can_express(fixed[f->id].of11, f, mask, exact) ? PROTO_OF11 : 0;
    return set;
}
