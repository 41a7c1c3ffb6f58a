/* Actions from the wire: finds the form of each, checks version and length, calls the family. */

#include <stdlib.h>

#include "openflow/action/verify.h"
#include "openflow/oxm/oxm.h"
#include "sys/log.h"

LOG_MODULE(ofp_actions)

static struct log_limit rl = LOG_LIMIT_INIT(60, 5);

void
act_warn(const char *format, ...)
{
    va_list args;
    char *text;

    va_start(args, format);
    text = xvasprintf(format, args);
    va_end(args);
    log_warn_rl(&rl, "%s", text);
    free(text);
}

enum wire_kind { KIND_OF, KIND_NX, KIND_ONF };
enum wire_tail { TAIL_FIXED, TAIL_VARIABLE, TAIL_OLD };

struct wire_row {
    uint8_t kind, tail;
    uint8_t first, last;
    uint16_t number, length;
    enum act_type action;
    const char *form;
};

static const struct wire_row wire_rows[ACT_N_FORMS] = {
#define WIRE(FORM, KIND, NUMBER, FIRST, LAST, LENGTH, TAIL, ACTION) \
    [ACT_FORM_##FORM] = { KIND_##KIND, TAIL_##TAIL, FIRST, LAST, NUMBER, LENGTH, ACT_##ACTION, #FORM },
#include "openflow/action/wire.def"
};

enum { HEADER_LEN = 4, VENDOR_HEADER_LEN = 10, TYPE_VENDOR = 0xffff };

static const struct act_ops *const ops[ACT_N] = {
#define ACTION(ENUM, NAME, KIND) [ACT_##ENUM] = &act_##NAME##_ops,
#include "openflow/action/actions.def"
};

const struct act_ops *
act_ops_of(const struct act *a)
{
    return ops[a->type];
}

/* The forms with the same number modulo N_NUMBERS, in their order: the first, and behind each the next; ACT_FORM_NONE
 * ends them.  Filled before main(). */
enum { N_NUMBERS = 64 };
static enum act_form first_form[N_NUMBERS], next_form[ACT_N_FORMS];

__attribute__((constructor)) static void
index_forms(void)
{
    for (unsigned int i = ACT_N_FORMS - 1; i > ACT_FORM_NONE; i--) {
        next_form[i] = first_form[wire_rows[i].number % N_NUMBERS];
        first_form[wire_rows[i].number % N_NUMBERS] = i;
    }
}

/* The form of a kind and number in a version. */
static enum act_form
find_form(enum wire_kind kind, unsigned int number, enum of_version v)
{
    for (enum act_form i = first_form[number % N_NUMBERS]; i != ACT_FORM_NONE; i = next_form[i]) {
        const struct wire_row *row = &wire_rows[i];

        if (row->number == number && row->kind == kind && v >= row->first && v <= row->last) {
            return i;
        }
    }
    return ACT_FORM_NONE;
}

static enum ofperr
find_vendor_form(const uint8_t *p, size_t len, enum of_version v, enum act_form *form)
{
    uint32_t vendor = get_be32(p + 4);
    unsigned int subtype;

    if (vendor != OF_VENDOR_NX && vendor != OF_VENDOR_ONF) {
        return OFPERR_OFPBAC_BAD_VENDOR;
    }
    if (len < VENDOR_HEADER_LEN) {
        return OFPERR_OFPBAC_BAD_LEN;
    }
    subtype = get_be16(p + 8);
    *form = find_form(vendor == OF_VENDOR_NX ? KIND_NX : KIND_ONF, subtype, v);
    if (!*form) {
        log_warn_rl(&rl, "unknown %s action for vendor %#x and type %u", of_version_name(v), vendor, subtype);
        return OFPERR_OFPBAC_BAD_VENDOR_TYPE;
    }
    return OFPERR_NONE;
}

/* Finds the form of the action at 'p', of which 'left' bytes are there. */
static enum ofperr
find_any_form(const uint8_t *p, size_t left, enum of_version v, enum act_form *form)
{
    unsigned int type = get_be16(p);

    if (type == TYPE_VENDOR) {
        return left < 8 ? OFPERR_OFPBAC_BAD_LEN : find_vendor_form(p, left, v, form);
    }
    *form = find_form(KIND_OF, type, v);
    if (!*form) {
        log_warn_rl(&rl, "unknown %s action for vendor 0 and type %u", of_version_name(v), type);
        return OFPERR_OFPBAC_BAD_TYPE;
    }
    return OFPERR_NONE;
}

/* The form's name in the log, from that of the row: "OF11_SET_NW_SRC" is OFPAT_SET_NW_SRC. */
static const char *
log_prefix(const struct wire_row *row)
{
    return row->kind == KIND_NX ? "NXAST_" : "OFPAT_";
}

static const char *
log_name(const struct wire_row *row)
{
    return strchr(row->form, '_') + 1;
}

static enum ofperr
check_length(const struct wire_row *row, unsigned int len, size_t left)
{
    unsigned int max = row->tail == TAIL_VARIABLE ? UINT16_MAX - 7 : row->length;

    if (len % 8 == 0 && len <= left && len >= row->length && len <= max) {
        return OFPERR_NONE;
    }
    log_warn_rl(&rl, "OpenFlow action %s%s length %u not in valid range [%u,%u]", log_prefix(row), log_name(row), len,
                row->length, max);
    return OFPERR_OFPBAC_BAD_LEN;
}

/* 'left' is at least HEADER_LEN. */
static enum ofperr
decode_one(const uint8_t *p, size_t left, enum of_version v, unsigned int depth, struct act_buf *out)
{
    struct act_wire w = { ACT_FORM_NONE, v, p, get_be16(p + 2), depth };
    const struct wire_row *row;
    enum ofperr error;

    error = find_any_form(p, left, v, &w.form);
    if (error) {
        return error;
    }
    row = &wire_rows[w.form];
    if (row->tail == TAIL_OLD && v >= OF12) {
        log_info_rl(&rl, "%s%s is deprecated in %s (use Set-Field)", log_prefix(row), log_name(row),
                    of_version_name(v));
    }
    error = check_length(row, w.len, left);
    return error ? error : ops[row->action]->decode(&w, out);
}

/* Debugging aid in the words of the original. */
static void
log_bad_action(const uint8_t *p, size_t n, size_t ofs, enum ofperr error)
{
    struct str s = STR_INIT;

    for (size_t i = 0; i < MIN(n, 256); i += 16) {
        str_putf(&s, "%08zx  ", i);
        for (size_t k = i; k < MIN(n, i + 16); k++) {
            str_putf(&s, "%02x%s", p[k], k == i + 7 ? "-" : k + 1 < MIN(n, i + 16) ? " " : "");
        }
        str_putc(&s, '\n');
    }
    str_chomp(&s, '\n');
    log_warn_rl(&rl, "bad action at offset %zu (%s):\n%s", ofs, ofperr_name(error), str_text(&s));
    str_uninit(&s);
}

static enum ofperr
decode_list(const uint8_t *p, size_t n, enum of_version v, unsigned int depth, struct act_buf *out)
{
    size_t ofs = 0;

    if (depth > ACT_MAX_DEPTH) {
        return OFPERR_OFPBAC_TOO_MANY;
    }
    while (ofs < n) {
        enum ofperr error = n - ofs < HEADER_LEN ? OFPERR_OFPBAC_BAD_LEN : decode_one(p + ofs, n - ofs, v, depth, out);

        if (error) {
            log_bad_action(p, n, ofs, error);
            return error;
        }
        ofs += get_be16(p + ofs + 2);
    }
    return OFPERR_NONE;
}

enum ofperr
act_decode_nested(const struct act_wire *w, size_t ofs, struct act_buf *out)
{
    return decode_list(w->data + ofs, w->len - ofs, w->version, w->depth + 1, out);
}

/* Says what is wrong with the order, for which the wire has only a number. */
enum ofperr
act_verify_decoded(struct act_span s)
{
    enum ofperr code = OFPERR_NONE;
    struct error *e = act_verify(s, ACT_N, &code);

    if (e) {
        log_warn_rl(&rl, "%s", error_text(e));
        error_free(e);
    }
    return code;
}

enum ofperr
act_decode_list(const void *wire, size_t n, enum of_version v, struct act_buf *out)
{
    return decode_list(wire, n, v, 0, out);
}

enum ofperr
act_decode_actions(const void *wire, size_t n, enum of_version v, struct act_buf *out)
{
    size_t start = out->bytes.len;
    struct act_span added;
    enum ofperr error;

    if (n % 8) {
        log_warn_rl(&rl, "OpenFlow message actions length %zu is not a multiple of 8", n);
        return OFPERR_OFPBRC_BAD_LEN;
    }
    error = act_decode_list(wire, n, v, out);
    if (!error && out->bytes.len > start) {
        added = (struct act_span) { act_at(out, start), out->bytes.len - start };
        error = act_verify_decoded(added);
    }
    if (error) {
        bytes_truncate(&out->bytes, start);
    }
    return error;
}

/* Helpers of the families. */

enum ofperr
act_zero(const struct act_wire *w, size_t ofs, size_t n)
{
    return is_all_zeros(w->data + ofs, n) ? OFPERR_NONE : OFPERR_NXBRC_MUST_BE_ZERO;
}

enum ofperr
act_zero_from(const struct act_wire *w, size_t ofs)
{
    return act_zero(w, ofs, w->len - ofs);
}

/* Bytes of the header at the cursor. */
static size_t
header_size(const struct cursor *c)
{
    return c->left >= 2 && get_be16(c->at) == 0xffff ? 8 : 4;
}

enum ofperr
act_take_field(struct cursor *c, const struct field **f)
{
    if (c->left < header_size(c)) {
        return OFPERR_OFPBMC_BAD_LEN;
    }
    return oxm_take_field(c, f) ? OFPERR_OFPBMC_BAD_FIELD : OFPERR_NONE;
}

enum ofperr
act_field32(uint32_t header, const struct field **f)
{
    return oxm_field_of_header32(header, f) ? OFPERR_OFPBAC_BAD_SET_TYPE : OFPERR_NONE;
}

enum ofperr
act_check_range(const struct subfield *sf)
{
    bool inside = sf->n_bits && sf->ofs < field_width(sf->field) && sf->n_bits <= field_width(sf->field) - sf->ofs;

    return inside ? OFPERR_NONE : OFPERR_OFPBAC_BAD_SET_LEN;
}

enum ofperr
act_set_ofs_nbits(struct subfield *sf, uint16_t ofs_nbits)
{
    sf->ofs = ofs_nbits >> 6;
    sf->n_bits = (ofs_nbits & 63) + 1;
    return act_check_range(sf);
}

uint16_t
act_ofs_nbits(const struct subfield *sf)
{
    return sf->ofs << 6 | (sf->n_bits - 1);
}

/* Encoding. */

size_t
act_begin(struct bytes *b, enum act_form form)
{
    const struct wire_row *row = &wire_rows[form];
    size_t start = b->len;

    bytes_put_be16(b, row->kind == KIND_OF ? row->number : TYPE_VENDOR);
    bytes_put_be16(b, 0);
    if (row->kind != KIND_OF) {
        bytes_put_be32(b, row->kind == KIND_NX ? OF_VENDOR_NX : OF_VENDOR_ONF);
        bytes_put_be16(b, row->number);
    }
    return start;
}

void
act_end(struct bytes *b, size_t start)
{
    bytes_pad_from(b, start, 8);
    put_be16(bytes_at(b, start + 2), b->len - start);
}

void
act_encode_actions(struct act_span s, enum of_version v, struct bytes *out)
{
    ACT_FOR_EACH (a, s) {
        act_ops_of(a)->encode(a, v, out);
    }
}

/* The argument of vendor actions stands at its natural alignment behind the subtype. */
static void
put_plain(struct bytes *b, enum act_form form, const void *arg, size_t n)
{
    size_t start = act_begin(b, form);

    bytes_pad_from(b, start, n < 2 ? 1 : n);
    bytes_put(b, arg, n);
    act_end(b, start);
}

void
act_put_plain(struct bytes *b, enum act_form form)
{
    put_plain(b, form, NULL, 0);
}

void
act_put_u8(struct bytes *b, enum act_form form, uint8_t v)
{
    put_plain(b, form, &v, 1);
}

void
act_put_be16(struct bytes *b, enum act_form form, uint16_t v)
{
    be16 x = cpu_to_be16(v);

    put_plain(b, form, &x, 2);
}

void
act_put_be32(struct bytes *b, enum act_form form, uint32_t v)
{
    be32 x = cpu_to_be32(v);

    put_plain(b, form, &x, 4);
}

void
act_put_set_field(struct bytes *b, enum of_version v, enum field_id id, const void *value)
{
    size_t start = act_begin(b, v >= OF15 ? ACT_FORM_OF15_SET_FIELD : ACT_FORM_OF12_SET_FIELD);

    oxm_put_entry(b, field_of(id), v, value, NULL);
    act_end(b, start);
}

void
act_put_set_field_u64(struct bytes *b, enum of_version v, enum field_id id, uint64_t value)
{
    union field_value x;

    field_value_from_u64(field_of(id), value, &x);
    act_put_set_field(b, v, id, &x);
}

void
act_put_reg_load(struct bytes *b, enum field_id id, uint64_t value)
{
    const struct subfield whole = { field_of(id), 0, field_of(id)->n_bits };
    size_t start = act_begin(b, ACT_FORM_NX_REG_LOAD);

    bytes_put_be16(b, act_ofs_nbits(&whole));
    bytes_put_be32(b, oxm_header32(whole.field, ACT_NX_NUMBERS));
    bytes_put_be64(b, value);
    act_end(b, start);
}
