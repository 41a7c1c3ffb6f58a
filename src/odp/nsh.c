#include "odp/nsh.h"

#define BASE_SIZE offsetof(struct odp_key_nsh, context)
#define MD1_SIZE (sizeof(struct odp_key_nsh) - BASE_SIZE)
_Static_assert(BASE_SIZE == NSH_BASE_LEN && MD1_SIZE == NSH_M_TYPE1_LEN - NSH_BASE_LEN, "without gaps");

struct odp_key_nsh
odp_key_nsh(const struct flow *f)
{
    struct odp_key_nsh k = { f->nsh_flags, f->nsh_ttl, f->nsh_mdtype, f->nsh_np, f->nsh_path, { 0 } };

    memcpy(k.context, f->nsh_context, sizeof k.context);
    return k;
}

static void
put_part(struct bytes *b, enum odp_nsh_attr type, const void *value, const void *mask, size_t n)
{
    size_t begun = odp_begin(b, type);

    bytes_put(b, value, n);
    if (mask) {
        bytes_put(b, mask, n);
    }
    odp_end(b, begun);
}

void
odp_nsh_put_key(struct bytes *b, const struct odp_key_nsh *value, const struct odp_key_nsh *mask)
{
    const struct odp_key_nsh *of_interest = mask ? mask : value;

    put_part(b, ODP_NSH_BASE, value, mask, BASE_SIZE);
    if (!is_all_zeros(of_interest->context, MD1_SIZE)) {
        put_part(b, ODP_NSH_MD1, value->context, mask ? mask->context : NULL, MD1_SIZE);
    }
}

/* Takes 'n' bytes of value, and of mask, from the attribute. */
static bool
get_part(const struct odp_attr *a, bool is_masked, void *value, void *mask, size_t n)
{
    const uint8_t *p = odp_attr_data(a);

    if (odp_attr_size(a) != n * (is_masked ? 2 : 1)) {
        return false;
    }
    memcpy(value, p, n);
    if (is_masked) {
        memcpy(mask, p + n, n);
    } else {
        memset(mask, 0xff, n);
    }
    return true;
}

bool
odp_nsh_get_key(const void *attrs, size_t n, bool is_masked, struct odp_key_nsh *value, struct odp_key_nsh *mask)
{
    struct cursor c = cursor_make(attrs, n);
    const struct odp_attr *a;
    bool has_base = false;

    memset(value, 0, sizeof *value);
    memset(mask, 0, sizeof *mask);
    while ((a = odp_attr_next(&c)) != NULL) {
        if (a->type == ODP_NSH_BASE && get_part(a, is_masked, value, mask, BASE_SIZE)) {
            has_base = true;
        } else if (a->type != ODP_NSH_MD1 || !get_part(a, is_masked, value->context, mask->context, MD1_SIZE)) {
            return false;
        }
    }
    return has_base && !c.left;
}

void
odp_put_push_nsh(struct bytes *actions, const struct odp_key_nsh *nsh, const void *metadata, size_t metadata_len)
{
    size_t begun = odp_begin(actions, ODP_PUSH_NSH);

    odp_put(actions, ODP_NSH_BASE, nsh, BASE_SIZE);
    if (nsh->mdtype == NSH_M_TYPE1) {
        odp_put(actions, ODP_NSH_MD1, nsh->context, MD1_SIZE);
    } else if (nsh->mdtype == NSH_M_TYPE2) {
        odp_put(actions, ODP_NSH_MD2, metadata, metadata_len);
    }
    odp_end(actions, begun);
}

bool
odp_push_nsh_get(const struct odp_attr *push, struct odp_key_nsh *nsh, const uint8_t **metadata, size_t *metadata_len)
{
    struct cursor c = cursor_make(odp_attr_data(push), odp_attr_size(push));
    const struct odp_attr *base = odp_attr_next(&c), *md = odp_attr_next(&c);

    memset(nsh, 0, sizeof *nsh);
    *metadata = NULL;
    *metadata_len = 0;
    if (!base || base->type != ODP_NSH_BASE || odp_attr_size(base) != BASE_SIZE || !md || c.left) {
        return false;
    }
    memcpy(nsh, odp_attr_data(base), BASE_SIZE);
    if (nsh->mdtype == NSH_M_TYPE1 && md->type == ODP_NSH_MD1 && odp_attr_size(md) == MD1_SIZE) {
        memcpy(nsh->context, odp_attr_data(md), MD1_SIZE);
        return true;
    }
    *metadata = odp_attr_data(md);
    *metadata_len = odp_attr_size(md);
    return nsh->mdtype == NSH_M_TYPE2 && md->type == ODP_NSH_MD2 && !(*metadata_len & 3) &&
           *metadata_len <= ODP_NSH_MAX_METADATA;
}
