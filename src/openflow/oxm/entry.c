/* Single entries: header, value, mask. */

#include "flow/field_text.h"
#include "flow/tun_metadata.h"
#include "openflow/oxm/registry.h"
#include "sys/log.h"

LOG_MODULE(nx_match)

bool
oxm_take_header(struct cursor *c, struct oxm_header *h)
{
    struct cursor save = *c;
    uint32_t header;

    if (!cursor_take_be32(c, &header)) {
        return false;
    }
    h->class = header >> 16;
    h->number = header >> 9 & 127;
    h->has_mask = header & 256;
    h->length = header;
    h->experimenter = 0;
    if (h->class == OXM_EXPERIMENTER && (h->length < 4 || !cursor_take_be32(c, &h->experimenter))) {
        *c = save;
        return false;
    }
    return true;
}

void
oxm_warn_wildcards(const struct oxm_header *h)
{
    static struct log_limit limit = LOG_LIMIT_INIT(60, 5);

    log_warn_rl(&limit, "Rejecting NXM/OXM entry %u:%u:%u:%d:%u with 1-bits in value for bits wildcarded by the mask.",
                h->experimenter, h->class, h->number, h->has_mask, h->length);
}

/* Bytes of value and mask. */
static size_t
body_length(const struct oxm_header *h)
{
    return h->length - (h->class == OXM_EXPERIMENTER ? 4 : 0);
}

/* The field with that header, whose length must be right. */
static enum ofperr
field_of_header(const struct oxm_header *h, const struct field **f)
{
    const struct oxm_row *row = oxm_row_by_number(h->class, h->number, h->experimenter);

    if (!row) {
        return OFPERR_OFPBMC_BAD_FIELD;
    }
    *f = field_of(row->field);
    if (UNLIKELY(field_is_option(*f))) {
        return body_length(h) % (1u + h->has_mask) ? OFPERR_OFPBMC_BAD_LEN : OFPERR_NONE; /* As long as it says. */
    }
    return body_length(h) == (size_t) (*f)->wire_bytes << h->has_mask ? OFPERR_NONE : OFPERR_OFPBMC_BAD_LEN;
}

enum ofperr
oxm_take_field(struct cursor *c, const struct field **f)
{
    struct oxm_header h;

    if (!oxm_take_header(c, &h)) {
        return OFPERR_OFPBMC_BAD_LEN;
    }
    return h.has_mask ? OFPERR_OFPBMC_BAD_MASK : field_of_header(&h, f);
}

static enum ofperr
check_mask(const struct field *f, const union field_value *v, const union field_value *mask)
{
    for (int i = 0; i < f->wire_bytes; i++) {
        if (v->bytes[i] & ~mask->bytes[i]) {
            return OFPERR_OFPBMC_BAD_WILDCARDS;
        }
    }
    return OFPERR_NONE;
}

/* A value as long as the wire has it, right-aligned.  What is there beyond the longest that an option has is not cut
 * off silently. */
static enum ofperr
take_option(const struct oxm_header *h, const uint8_t *body, union field_value *v, union field_value *mask)
{
    size_t n = body_length(h) >> h->has_mask, max = field_of(FIELD_TUN_METADATA0)->wire_bytes;

    if (n > max) {
        return OFPERR_OFPBMC_BAD_LEN;
    }
    memcpy(v->bytes + max - n, body, n);
    memset(mask->bytes, h->has_mask ? 0 : 0xff, max);
    if (h->has_mask) {
        memcpy(mask->bytes + max - n, body + n, n);
    }
    return OFPERR_NONE;
}

enum ofperr
oxm_take_body(struct cursor *c, const struct oxm_header *h, const struct field **f, union field_value *v,
              union field_value *mask)
{
    const void *body = cursor_take(c, body_length(h));
    enum ofperr error;

    if (!body) {
        return OFPERR_OFPBMC_BAD_LEN; /* Whatever field it is. */
    }
    error = field_of_header(h, f);
    if (error) {
        return error;
    }
    memset(v, 0, 16);
    memset(mask, 0, 16);
    if (UNLIKELY(field_is_option(*f))) {
        memset(v, 0, sizeof *v);
        error = take_option(h, body, v, mask);
    } else {
        static const uint8_t ones[16] = {
            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff
        };
        size_t n = (*f)->wire_bytes; /* At most 16. */

        field_copy_bytes(v, body, n);
        field_copy_bytes(mask, h->has_mask ? (const uint8_t *) body + n : ones, n);
    }
    if (!error && h->has_mask) {
        error = check_mask(*f, v, mask);
    }
    if (error == OFPERR_OFPBMC_BAD_WILDCARDS) {
        oxm_warn_wildcards(h);
    }
    return error;
}

enum ofperr
oxm_take_entry(struct cursor *c, const struct field **f, union field_value *v, union field_value *mask, bool *has_mask)
{
    struct oxm_header h;

    if (!oxm_take_header(c, &h)) {
        return OFPERR_OFPBMC_BAD_LEN;
    }
    *has_mask = h.has_mask;
    return oxm_take_body(c, &h, f, v, mask);
}

bool
oxm_length_is_right(struct cursor c)
{
    const struct field *f;
    struct oxm_header h;

    return oxm_take_header(&c, &h) && !field_of_header(&h, &f);
}

size_t
oxm_header_size(const struct field *f, enum of_version version)
{
    const struct oxm_row *row = oxm_row_for_version(f, version);

    return !row ? 0 : row->class == OXM_EXPERIMENTER ? 8 : 4;
}

void
oxm_put_header(struct bytes *b, const struct oxm_row *row, size_t n, bool has_mask)
{
    bool experimenter = row->class == OXM_EXPERIMENTER;

    uint8_t *p = bytes_put_uninit(b, experimenter ? 8 : 4);

    put_be16(p, row->class);
    p[2] = row->number << 1 | has_mask;
    p[3] = (n << has_mask) + (experimenter ? 4 : 0);
    if (experimenter) {
        put_be32(p + 4, row->experimenter);
    }
}

void
oxm_put_field(struct bytes *b, const struct field *f, enum of_version version)
{
    const struct oxm_row *row = oxm_row_for_version(f, version);

    if (row) {
        oxm_put_header(b, row, f->wire_bytes, false);
    }
}

/* Only bits that the field has; where actions may name more, those too. */
static void
masked_to_width(const struct field *f, const union field_value *mask, union field_value *out)
{
    if (field_width(f) > f->n_bits) {
        memcpy(out, mask, f->wire_bytes);
        return;
    }
    field_value_all_ones(f, out);
    for (int i = 0; i < f->wire_bytes; i++) {
        out->bytes[i] &= mask->bytes[i];
    }
}

/* In 'n' bytes, or as few as it needs if that is 0. */
static void
put_option(struct bytes *b, const struct oxm_row *row, const union field_value *v, const union field_value *mask,
           size_t n)
{
    size_t max = field_of(FIELD_TUN_METADATA0)->wire_bytes, need = n ? n : max;
    bool has_mask = mask && !is_all_ones(mask->bytes, max);

    while (!n && need && !v->bytes[max - need] && (!has_mask || !mask->bytes[max - need])) {
        need--;
    }
    oxm_put_header(b, row, need, has_mask);
    bytes_put(b, v->bytes + max - need, need);
    if (has_mask) {
        bytes_put(b, mask->bytes + max - need, need);
    }
}

void
oxm_put_option(struct bytes *b, const struct match *m, const struct field *f, enum of_version version)
{
    union field_value v, mask;
    size_t n = tun_match_get_loose(m, f, &v, &mask);

    if (n) {
        /* One byte is the least that a match keeps: of nothing, it is none. */
        put_option(b, oxm_row_for_version(f, version), &v, &mask, n > 1 ? n : 0);
    }
}

void
oxm_put_entry(struct bytes *b, const struct field *f, enum of_version version, const union field_value *v,
              const union field_value *mask)
{
    const struct oxm_row *row = oxm_row_for_version(f, version);
    union field_value narrow;
    bool has_mask;

    if (!row) {
        return;
    }
    if (UNLIKELY(field_is_option(f))) {
        put_option(b, row, v, mask, 0);
        return;
    }
    /* Most masks are all ones, which is quickly seen. */
    has_mask = mask && !is_all_ones(mask->bytes, f->wire_bytes) && !field_mask_is_exact(f, mask);
    oxm_put_header(b, row, f->wire_bytes, has_mask);
    field_copy_bytes(bytes_put_uninit(b, f->wire_bytes), v, f->wire_bytes);
    if (has_mask) {
        masked_to_width(f, mask, &narrow);
        bytes_put(b, &narrow, f->wire_bytes);
    }
}

uint32_t
oxm_header32(const struct field *f, enum of_version version)
{
    const struct oxm_row *row = oxm_row_for_version(f, version);

    if (!row || row->class == OXM_EXPERIMENTER) {
        return 0;
    }
    return (uint32_t) row->class << 16 | row->number << 9 | f->wire_bytes;
}

enum ofperr
oxm_field_of_header32(uint32_t header, const struct field **f)
{
    uint8_t wire[4];
    struct cursor c = cursor_make(wire, sizeof wire);

    put_be32(wire, header);
    return oxm_take_field(&c, f);
}
