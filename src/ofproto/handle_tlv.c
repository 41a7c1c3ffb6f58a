/* Tunnel options as fields: the bridge's map, which controllers change, and who uses what of it.
 *
 * An option that a flow uses cannot be taken out of the map: the reference refuses that, too (NXTTMFC_INVALID_TLV_DEL),
 * and it keeps what rules and megaflows say true.  What is used is counted as rules come and go; few have options.
 *
 * A match is bound to the place that its options have; actions are not (flow/tun_metadata.h).  So an option stays where
 * it is, and a new one for which the free space has no single place is put there in pieces. */
#include <stdlib.h>

#include "base/hash.h"
#include "flow/tun_metadata.h"
#include "ofproto/ofconn.h"
#include "openflow/msg/tlv.h"

enum ofperr
options_bind_match(const struct ofproto *p, struct match *m)
{
    switch (tun_match_bind(xbridge_options_rcu(&p->xb), m, false)) {
    case TUN_BOUND: return OFPERR_NONE;
    case TUN_NOT_IN_MAP: return OFPERR_NXFMFC_INVALID_TLV_FIELD;
    case TUN_TOO_LONG: return OFPERR_OFPBMC_BAD_VALUE;
    }
    return OFPERR_NONE;
}

enum ofperr
options_check(const struct ofproto *p, const struct match *m, struct act_buf *acts)
{
    struct match bound = *m, none;
    struct act_check check = {
        .match = &none, .protocols = PROTO_ANY, .max_ports = OFPP_MAX,
        .check_options = true, .options = xbridge_options_rcu(&p->xb),
    };
    enum ofperr error = options_bind_match(p, &bound);

    if (!error && check.options) { /* Without a map it is found when the message is carried out. */
        none = bound;
        error = act_check(acts, &check);
    }
    return error == OFPERR_NXFMFC_INVALID_TLV_FIELD ? error : OFPERR_NONE; /* All else is looked at later. */
}

/* Users. */

struct option_user {
    struct hmap_node node;
    const struct rule *rule;
    uint64_t used; /* In its match or its actions. */
};

static void
count_user(struct ofproto *p, const struct option_user *u, int by)
{
    for (uint64_t options = u->used; options; options &= options - 1) {
        p->n_option_users[__builtin_ctzll(options)] += by;
    }
}

void
options_note_added(struct rule *rule, uint64_t used)
{
    struct option_user *u;

    if (LIKELY(!used)) {
        return;
    }
    u = xmalloc(sizeof *u);
    u->rule = rule;
    u->used = used;
    hmap_insert(&rule->ofproto->option_users, &u->node, hash_u64((uintptr_t) rule, 0));
    count_user(rule->ofproto, u, 1);
    rule->uses_options = true;
}

void
options_note_removed(struct rule *rule)
{
    struct ofproto *p = rule->ofproto;

    if (LIKELY(!rule->uses_options)) {
        return;
    }
    HMAP_FOR_EACH_WITH_HASH (u, struct option_user, node, hash_u64((uintptr_t) rule, 0), &p->option_users) {
        if (u->rule == rule) {
            hmap_remove(&p->option_users, &u->node);
            count_user(p, u, -1);
            free(u);
            return;
        }
    }
}

/* The map. */

static enum ofperr
add(struct tun_map *map, const struct tlv_map *m)
{
    if (map->bound >> m->index & 1) {
        return OFPERR_NXTTMFC_ALREADY_MAPPED;
    }
    for (unsigned int i = 0; i < TUN_N_OPTIONS; i++) {
        const struct tun_option *o = &map->options[i];

        if (map->bound >> i & 1 && o->class == m->option_class && o->type == m->option_type) {
            return OFPERR_NXTTMFC_DUP_ENTRY;
        }
    }
    return tun_map_add(map, m->index, m->option_class, m->option_type, m->option_len) ? OFPERR_NONE
                                                                                    : OFPERR_NXTTMFC_TABLE_FULL;
}

/* By the field's number alone; one that is not there is no error. */
static enum ofperr
delete(const struct ofproto *p, struct tun_map *map, unsigned int index)
{
    if (p->n_option_users[index]) {
        return OFPERR_NXTTMFC_INVALID_TLV_DEL;
    }
    tun_map_remove(map, index);
    return OFPERR_NONE;
}

static enum ofperr
delete_all(const struct ofproto *p, struct tun_map *map)
{
    enum ofperr error = OFPERR_NONE;

    for (unsigned int i = 0; i < TUN_N_OPTIONS && !error; i++) {
        error = delete(p, map, i);
    }
    return error;
}

/* Makes the map as it shall be from what it is. */
static enum ofperr
change(const struct ofproto *p, const struct msg *m, struct tun_map *map)
{
    enum tlv_command command;
    struct cursor maps;
    enum ofperr error = tlv_mod_decode(m, &command, &maps, NULL);

    if (!error && command == TLV_CLEAR) {
        error = delete_all(p, map);
    }
    while (!error && maps.left) {
        struct tlv_map one;

        error = tlv_map_take(&maps, &one, NULL);
        if (!error && command == TLV_ADD) {
            error = add(map, &one);
        } else if (!error && command == TLV_DELETE) {
            error = delete(p, map, one.index);
        }
    }
    return error;
}

enum ofperr
handle_tlv_mod(struct ofconn *c, const struct msg *m, struct bytes *out UNUSED)
{
    struct ofproto *p = c->ofproto;
    struct tun_map *old = rcu_get_protected(&p->xb.options), *new = xzalloc(sizeof *new);
    enum ofperr error;

    if (old) {
        *new = *old;
    }
    pthread_mutex_lock(&p->tables_mutex);
    error = change(p, m, new);
    if (!error) {
        rcu_set(&p->xb.options, new);
    }
    pthread_mutex_unlock(&p->tables_mutex);
    if (error) {
        free(new);
        return error;
    }
    if (old) {
        rcu_defer(free, old);
    }
    backer_changed(p->backer);
    return OFPERR_NONE;
}

enum ofperr
handle_tlv_request(struct ofconn *c, const struct msg *m, struct bytes *out)
{
    const struct tlv_reply r = { .max_option_space = FLOW_TUN_METADATA, .max_fields = TUN_N_OPTIONS };
    const struct tun_map *map = xbridge_options_rcu(&c->ofproto->xb);
    struct tlv_map maps[TUN_N_OPTIONS];
    size_t n = 0;

    for (unsigned int i = 0; i < TUN_N_OPTIONS; i++) {
        if (map && map->bound >> i & 1) {
            const struct tun_option *o = &map->options[i];

            maps[n++] = (struct tlv_map) { o->class, o->type, o->len, i };
        }
    }
    tlv_reply_encode(out, m, &r, maps, n);
    return OFPERR_NONE;
}
