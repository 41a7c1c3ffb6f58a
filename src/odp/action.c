#include "odp/action.h"

#include "odp/nsh.h"

const struct odp_attr *
odp_attr_next(struct cursor *c)
{
    struct odp_attr a;

    if (c->left < sizeof a) {
        return NULL;
    }
    memcpy(&a, c->at, sizeof a);
    if (a.len < sizeof a || a.len > c->left) {
        return NULL;
    }
    return cursor_take(c, MIN(ROUND_UP((size_t) a.len, 4), c->left));
}

void
odp_put(struct bytes *actions, uint16_t type, const void *payload, size_t n)
{
    struct odp_attr a = { .len = sizeof a + n, .type = type };

    bytes_put(actions, &a, sizeof a);
    bytes_put(actions, payload, n);
    bytes_put_zeros(actions, ROUND_UP(n, 4) - n);
}

void
odp_put_flag(struct bytes *actions, uint16_t type)
{
    odp_put(actions, type, NULL, 0);
}

void
odp_put_u32(struct bytes *actions, uint16_t type, uint32_t v)
{
    odp_put(actions, type, &v, sizeof v);
}

size_t
odp_begin(struct bytes *actions, uint16_t type)
{
    size_t at = actions->len;

    odp_put_flag(actions, type);
    return at;
}

void
odp_end(struct bytes *actions, size_t begun)
{
    uint16_t len = actions->len - begun;

    memcpy(bytes_at(actions, begun), &len, sizeof len);
}

void
odp_put_set_masked(struct bytes *actions, enum odp_key key, const void *value, const void *mask, size_t size)
{
    size_t set = odp_begin(actions, ODP_SET_MASKED), inner = odp_begin(actions, key);

    if (key == ODP_KEY_NSH) {
        struct odp_key_nsh v, m;

        memcpy(&v, value, sizeof v);
        memcpy(&m, mask, sizeof m);
        odp_nsh_put_key(actions, &v, &m);
    } else {
        bytes_put(actions, value, size);
        bytes_put(actions, mask, size);
    }
    odp_end(actions, inner);
    bytes_pad_from(actions, inner, 4);
    odp_end(actions, set);
}

void
odp_put_output(struct bytes *actions, odp_port port)
{
    odp_put_u32(actions, ODP_OUTPUT, port.n);
}

void
odp_put_push_vlan(struct bytes *actions, be16 tpid, be16 tci)
{
    struct odp_push_vlan vlan = { tpid, tci };

    odp_put(actions, ODP_PUSH_VLAN, &vlan, sizeof vlan);
}
