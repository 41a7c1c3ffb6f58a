#include "openflow/msg/prop.h"

#define TYPE_EXPERIMENTER 0xffff

/* Those that have properties in some message. */
static bool
vendor_is_known(uint32_t vendor)
{
    return vendor == OF_VENDOR_NX || vendor == OF_VENDOR_ONF || vendor == OF_VENDOR_NTR ||
           vendor == OF_VENDOR_NTR_COMPAT;
}

enum ofperr
prop_take_aligned(struct cursor *c, size_t align, struct prop *p)
{
    size_t padded;

    *p = (struct prop) { .data = c->at };
    if (c->left < 4) {
        return OFPERR_OFPBPC_BAD_LEN;
    }
    p->type = get_be16(c->at);
    p->len = get_be16(c->at + 2);
    padded = ROUND_UP(p->len, align);
    if (p->len < 4 || padded > c->left) {
        return OFPERR_OFPBPC_BAD_LEN;
    }
    p->body = cursor_make(c->at + 4, p->len - 4);
    (void) cursor_take(c, padded);
    if (p->type == TYPE_EXPERIMENTER &&
        (!cursor_take_be32(&p->body, &p->vendor) || !cursor_take_be32(&p->body, &p->subtype))) {
        return OFPERR_OFPBPC_BAD_LEN;
    }
    return OFPERR_NONE;
}

enum ofperr
prop_take(struct cursor *c, struct prop *p)
{
    return prop_take_aligned(c, 8, p);
}

enum ofperr
prop_unknown(const struct prop *p)
{
    if (p->type != TYPE_EXPERIMENTER) {
        return OFPERR_OFPBPC_BAD_TYPE;
    }
    return vendor_is_known(p->vendor) ? OFPERR_OFPBPC_BAD_EXP_TYPE : OFPERR_OFPBPC_BAD_EXPERIMENTER;
}

enum ofperr
prop_u8(const struct prop *p, uint8_t *v)
{
    struct cursor c = p->body;

    return cursor_take_u8(&c, v) ? OFPERR_NONE : OFPERR_OFPBPC_BAD_LEN;
}

enum ofperr
prop_be16(const struct prop *p, uint16_t *v)
{
    struct cursor c = p->body;

    /* The padding counts in the form that the reference sends. */
    return cursor_take_be16(&c, v) && (!c.left || c.left == 2) ? OFPERR_NONE : OFPERR_OFPBPC_BAD_LEN;
}

enum ofperr
prop_be32(const struct prop *p, uint32_t *v)
{
    struct cursor c = p->body;

    return cursor_take_be32(&c, v) && !c.left ? OFPERR_NONE : OFPERR_OFPBPC_BAD_LEN;
}

enum ofperr
prop_be64(const struct prop *p, uint64_t *v)
{
    struct cursor c = p->body;

    return cursor_take(&c, 4) && cursor_take_be64(&c, v) && !c.left ? OFPERR_NONE : OFPERR_OFPBPC_BAD_LEN;
}

size_t
prop_start(struct bytes *b, uint16_t type)
{
    size_t start = b->len;

    bytes_put_be16(b, type);
    bytes_put_be16(b, 0);
    return start;
}

size_t
prop_start_vendor(struct bytes *b, uint32_t vendor, uint32_t subtype)
{
    size_t start = prop_start(b, TYPE_EXPERIMENTER);

    bytes_put_be32(b, vendor);
    bytes_put_be32(b, subtype);
    return start;
}

void
prop_end(struct bytes *b, size_t start)
{
    put_be16(b->data + start + 2, b->len - start);
    bytes_pad_from(b, start, 8);
}

void
prop_put(struct bytes *b, uint16_t type, const void *body, size_t n)
{
    size_t start = prop_start(b, type);

    bytes_put(b, body, n);
    prop_end(b, start);
}

void
prop_put_flag(struct bytes *b, uint16_t type)
{
    prop_end(b, prop_start(b, type));
}

void
prop_put_u8(struct bytes *b, uint16_t type, uint8_t v)
{
    prop_put(b, type, &v, sizeof v);
}

void
prop_put_be16(struct bytes *b, uint16_t type, uint16_t v)
{
    be16 x[2] = { cpu_to_be16(v), 0 };

    prop_put(b, type, x, sizeof x);
}

void
prop_put_be32(struct bytes *b, uint16_t type, uint32_t v)
{
    be32 x = cpu_to_be32(v);

    prop_put(b, type, &x, sizeof x);
}

void
prop_put_be64(struct bytes *b, uint16_t type, uint64_t v)
{
    size_t start = prop_start(b, type);

    bytes_put_be32(b, 0);
    bytes_put_be64(b, v);
    prop_end(b, start);
}
