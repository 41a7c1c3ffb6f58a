#include "odp/effect.h"

#include <string.h>

#include "odp/key.h"

/* One list on its way, and what is known of the packet there. */
struct walk {
    struct cursor at;
    struct flow now, known;
    bool ended_badly;
};

static void
walk_begin(struct walk *w, const void *actions, size_t len, const struct flow *key, const struct flow *mask)
{
    w->at = cursor_make(actions, len);
    w->now = *key;
    w->known = *mask;
    w->ended_badly = false;
}

/* The member bits in 'mask' become those of 'value'. */
static void
apply(struct walk *w, const struct flow *value, const struct flow *mask)
{
    uint8_t *now = (uint8_t *) &w->now, *known = (uint8_t *) &w->known;
    const uint8_t *v = (const uint8_t *) value, *m = (const uint8_t *) mask;

    for (size_t i = 0; i < sizeof *mask; i++) {
        now[i] = (now[i] & ~m[i]) | (v[i] & m[i]);
        known[i] |= m[i];
    }
}

/* Takes the sets that come next; the action after them, null at the end. */
static const struct odp_attr *
take_sets(struct walk *w)
{
    const struct odp_attr *a;

    while ((a = odp_attr_next(&w->at)) != NULL && (a->type == ODP_SET || a->type == ODP_SET_MASKED)) {
        struct flow value, mask;
        enum odp_key key;

        if (!odp_set_to_flow(a, &key, &value, &mask)) {
            return a; /* A tunnel's: compared byte by byte. */
        }
        apply(w, &value, &mask);
    }
    w->ended_badly = !a && w->at.left;
    return a;
}

/* Whether both have made the same of the packet.  Before the sets the same was known of both: a bit that only one list
 * has set is one that it need not have left as it was. */
static bool
same_sets(const struct walk *x, const struct walk *y)
{
    const uint8_t *x_now = (const uint8_t *) &x->now, *x_known = (const uint8_t *) &x->known;
    const uint8_t *y_now = (const uint8_t *) &y->now, *y_known = (const uint8_t *) &y->known;

    for (size_t i = 0; i < sizeof x->now; i++) {
        if (x_known[i] != y_known[i] || (x_now[i] ^ y_now[i]) & x_known[i]) {
            return false;
        }
    }
    return true;
}

/* Whether the packet is afterwards as it was. */
static bool
leaves_packet(uint16_t type)
{
    switch (type) {
    case ODP_OUTPUT: case ODP_USERSPACE: case ODP_SAMPLE: case ODP_RECIRC: case ODP_TRUNC: case ODP_METER:
    case ODP_CLONE: case ODP_CHECK_PKT_LEN: case ODP_DROP: case ODP_PSAMPLE: case ODP_LB_OUTPUT:
        return true;
    default:
        return false;
    }
}

/* Forgets what an action may have changed. */
static void
forget(struct walk *w, uint16_t type)
{
    if (type == ODP_PUSH_VLAN || type == ODP_POP_VLAN) {
        w->known.vlan_tpid = w->known.vlan_tci = w->known.vlan2_tpid = w->known.vlan2_tci = 0;
    } else if (!leaves_packet(type)) {
        memset(&w->known, 0, sizeof w->known);
    }
}

static bool
same_action(const struct odp_attr *a, const struct odp_attr *b)
{
    return a->len == b->len && a->type == b->type && !memcmp(odp_attr_data(a), odp_attr_data(b), odp_attr_size(a));
}

bool
odp_same_effect(const void *a, size_t a_len, const void *b, size_t b_len, const struct flow *key,
                const struct flow *mask)
{
    struct walk x, y;

    walk_begin(&x, a, a_len, key, mask);
    walk_begin(&y, b, b_len, key, mask);
    for (;;) {
        const struct odp_attr *next_x = take_sets(&x), *next_y = take_sets(&y);

        if (x.ended_badly || y.ended_badly || !same_sets(&x, &y) || !next_x != !next_y) {
            return false;
        }
        if (!next_x) {
            return true;
        }
        if (!same_action(next_x, next_y)) {
            return false;
        }
        forget(&x, next_x->type);
        forget(&y, next_x->type);
    }
}
