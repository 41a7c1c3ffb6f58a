/* Fields, ranges of fields and entries as text. */

#include <ctype.h>
#include <stdlib.h>

#include "flow/field_text.h"
#include "flow/tun_metadata.h"
#include "openflow/oxm/registry.h"
#include "openflow/protocol.h"

/* Reads the bits behind the field's name: "[]", "[N]", "[N..M]".  False for bad syntax. */
static bool
parse_bits(const char *at, unsigned int n_bits, unsigned int *first, unsigned int *last, const char **tail)
{
    int used = -1;

    if (!strncmp(at, "[]", 2)) {
        *first = 0;
        *last = n_bits - 1;
        *tail = at + 2;
        return true;
    }
    if (sscanf(at, "[%u..%u]%n", first, last, &used) == 2 && used > 0) {
        *tail = at + used;
        return true;
    }
    used = -1;
    if (sscanf(at, "[%u]%n", first, &used) == 1 && used > 0) {
        *last = *first;
        *tail = at + used;
        return true;
    }
    return false;
}

struct error *
oxm_parse_subfield(const char *text, struct subfield *sf, const char **tail)
{
    size_t n = strcspn(text, "[-");
    unsigned int first = 0, last;

    sf->field = oxm_field_by_name(text, n);
    if (!sf->field) {
        return error_new("%s: unknown field `%.*s'", text, (int) n, text);
    }
    last = field_width(sf->field) - 1;
    *tail = text + n;
    if (text[n] == '[' && !parse_bits(text + n, field_width(sf->field), &first, &last, tail)) {
        return error_new("%s: syntax error expecting [] or [<bit>] or [<start>..<end>]", text);
    }
    if (first > last) {
        return error_new("%s: starting bit %u is after ending bit %u", text, first, last);
    }
    if (first >= field_width(sf->field)) {
        return error_new("%s: starting bit %u is not valid because field is only %u bits wide", text, first,
                         field_width(sf->field));
    }
    if (last >= field_width(sf->field)) {
        return error_new("%s: ending bit %u is not valid because field is only %u bits wide", text, last,
                         field_width(sf->field));
    }
    sf->ofs = first;
    sf->n_bits = last - first + 1;
    return NULL;
}

void
oxm_format_subfield(struct str *s, const struct subfield *sf, const struct tun_map *options)
{
    const struct field *mapped;

    if (!sf->field) {
        str_puts(s, "<unknown>");
        return;
    }
    str_puts(s, oxm_text_name(sf->field));
    mapped = tun_map_field(options, sf->field);
    if (sf->ofs == 0 && sf->n_bits == field_width(mapped ? mapped : sf->field)) {
        str_puts(s, "[]");
    } else if (sf->n_bits == 1) {
        str_putf(s, "[%u]", sf->ofs);
    } else {
        str_putf(s, "[%u..%u]", sf->ofs, sf->ofs + sf->n_bits - 1);
    }
}

/* Whole matches. */

/* A header as a number of eight hexadecimal digits. */
static bool
is_header_number(const char *name, size_t n, uint32_t *header)
{
    unsigned int x;
    int used;

    if (n != 8 || sscanf(name, "%8x%n", &x, &used) != 1 || used != 8) {
        return false;
    }
    *header = x;
    return true;
}

/* A row by its name, with "_W" for a mask. */
static const struct oxm_row *
row_of_text(const char *name, size_t n, bool *has_mask)
{
    const struct oxm_row *row = oxm_row_by_name(name, n);

    *has_mask = false;
    if (!row && n > 2 && !memcmp(name + n - 2, "_W", 2)) {
        row = oxm_row_by_name(name, n - 2);
        *has_mask = true;
        row = row && field_of(row->field)->maskable ? row : NULL;
    }
    return row;
}

static struct error *
take_hex(const char **at, size_t n, struct bytes *b)
{
    size_t start = b->len;

    *at = bytes_put_from_hex(b, *at);
    if (b->len - start != n) {
        return error_new("expected to read %zu bytes but got %zu", n, b->len - start);
    }
    return NULL;
}

/* "NXM_NX_COOKIE" is no field. */
static bool
is_cookie_name(const char *name, size_t n, bool *has_mask)
{
    *has_mask = n == 15;
    return (n == 13 && !memcmp(name, "NXM_NX_COOKIE", n)) || (n == 15 && !memcmp(name, "NXM_NX_COOKIE_W", n));
}

/* Bytes that the digits at 'text' make, as many as a length can say. */
static size_t
n_hex_bytes(const char *text)
{
    size_t n = 0;

    while (isxdigit((unsigned char) text[2 * n]) && isxdigit((unsigned char) text[2 * n + 1]) && n < UINT8_MAX / 2) {
        n++;
    }
    return n;
}

/* Puts the header of the field called so.  '*width': bytes of its value. */
static struct error *
put_named_header(const char *text, size_t n, struct bytes *b, size_t *width, bool *has_mask)
{
    static const struct oxm_row cookie = { .name = "NXM_NX_COOKIE", .class = 1, .number = 30 };
    const struct oxm_row *row = row_of_text(text, n, has_mask);
    uint32_t header;

    if (!row && is_header_number(text, n, &header)) {
        *has_mask = header >> 8 & 1;
        *width = (header & 0xff) >> *has_mask;
        bytes_put_be32(b, header);
        return NULL;
    }
    if (!row && is_cookie_name(text, n, has_mask)) {
        row = &cookie;
    }
    if (!row) {
        return error_new("%s: unknown field `%.*s'", text, (int) n, text);
    }
    *width = row == &cookie                      ? 8
             : field_is_option(field_of(row->field)) ? n_hex_bytes(text + n + 1)
                                                     : field_of(row->field)->wire_bytes;
    oxm_put_header(b, row, *width, *has_mask);
    return NULL;
}

static struct error *
take_mask(const char **at, size_t n, struct bytes *b)
{
    size_t start = b->len;

    *at = bytes_put_from_hex(b, *at);
    return b->len - start < n ? error_new("%s: hex digits expected", *at) : NULL;
}

static struct error *
parse_entry(const char *whole, const char **text, struct bytes *b)
{
    const char *start = *text, *at;
    size_t n = strcspn(start, "("), width;
    struct error *e;
    bool has_mask;

    if (!start[n]) {
        return error_new("%s: missing ( at end of nx_match", whole);
    }
    e = put_named_header(start, n, b, &width, &has_mask);
    if (e) {
        return e;
    }
    at = start + n + 1;
    e = take_hex(&at, width, b);
    if (!e && has_mask && *at != '/') {
        e = error_new("%s: missing / in masked field %.*s", whole, (int) n, start);
    } else if (!e && has_mask) {
        at++;
        e = take_mask(&at, width, b);
    }
    if (!e && *at != ')') {
        e = error_new("%s: missing ) following field %.*s", whole, (int) n, start);
    }
    *text = at + 1;
    return e;
}

struct error *
oxm_parse_text(const char *text, struct bytes *b)
{
    const char *whole = text;

    if (!strcmp(text, "<any>")) {
        return NULL;
    }
    for (;;) {
        struct error *e;

        text += strspn(text, ", ");
        if (!*text) {
            return NULL;
        }
        e = parse_entry(whole, &text, b);
        if (e) {
            return e;
        }
    }
}

static void
format_name(struct str *s, const struct oxm_header *h)
{
    const struct oxm_row *row = oxm_row_by_number(h->class, h->number, h->experimenter);

    if (h->class == 1 && h->number == 30 && h->length == 8 << h->has_mask) {
        str_puts(s, "NXM_NX_COOKIE");
    } else if (row) {
        str_puts(s, row->name);
    } else if (h->class == OXM_EXPERIMENTER) {
        str_putf(s, "0x%x:0x%x:%u:%u:%u", h->experimenter, h->class, h->number, h->has_mask, h->length);
        return;
    } else {
        str_putf(s, "%u:%u", h->class, h->number);
    }
    if (h->has_mask) {
        str_puts(s, "_W");
    }
}

void
oxm_format_bytes(struct str *s, const void *p, size_t n)
{
    struct cursor c = cursor_make(p, n);
    bool first = true;

    if (!n) {
        str_puts(s, "<any>");
    }
    while (c.left) {
        const uint8_t *body;
        struct oxm_header h;
        size_t len;

        body = oxm_take_header(&c, &h) ? cursor_take(&c, h.length - (h.class == OXM_EXPERIMENTER ? 4 : 0)) : NULL;
        str_puts(s, first ? "" : ", ");
        first = false;
        if (!body) {
            str_puts(s, "<bad entry>");
            return;
        }
        len = h.length - (h.class == OXM_EXPERIMENTER ? 4 : 0);
        format_name(s, &h);
        str_putc(s, '(');
        str_put_hex(s, body, h.has_mask ? len / 2 : len);
        if (h.has_mask) {
            str_putc(s, '/');
            str_put_hex(s, body + len / 2, len - len / 2);
        }
        str_putc(s, ')');
    }
}
