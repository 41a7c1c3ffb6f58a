/* The map of tunnel options: which option of Geneve is which tun_metadata field.
 *
 * It is kept and reported; tun_metadata fields can be neither matched nor set yet (docs/status.md). */
#include <stdlib.h>

#include "ofproto/ofconn.h"
#include "openflow/msg/tlv.h"

enum { MAX_FIELDS = 64, MAX_SPACE = FLOW_TUN_METADATA };

/* The map as it would be. */
struct draft {
    struct tlv_map maps[MAX_FIELDS]; /* In order of their fields. */
    size_t n;
};

static struct tlv_map *
find(struct draft *d, uint16_t index)
{
    for (size_t i = 0; i < d->n; i++) {
        if (d->maps[i].index == index) {
            return &d->maps[i];
        }
    }
    return NULL;
}

static size_t
space(const struct draft *d)
{
    size_t n = 0;

    for (size_t i = 0; i < d->n; i++) {
        n += d->maps[i].option_len;
    }
    return n;
}

static enum ofperr
add(struct draft *d, const struct tlv_map *map)
{
    size_t at = 0;

    if (find(d, map->index)) {
        return OFPERR_NXTTMFC_ALREADY_MAPPED;
    }
    for (size_t i = 0; i < d->n; i++) {
        if (d->maps[i].option_class == map->option_class && d->maps[i].option_type == map->option_type) {
            return OFPERR_NXTTMFC_DUP_ENTRY;
        }
        at += d->maps[i].index < map->index;
    }
    if (space(d) + map->option_len > MAX_SPACE) {
        return OFPERR_NXTTMFC_TABLE_FULL;
    }
    memmove(&d->maps[at + 1], &d->maps[at], (d->n - at) * sizeof d->maps[0]);
    d->maps[at] = *map;
    d->n++;
    return OFPERR_NONE;
}

/* By the field's number alone; one that is not there is no error. */
static void
delete(struct draft *d, uint16_t index)
{
    struct tlv_map *map = find(d, index);

    if (map) {
        d->n--;
        memmove(map, map + 1, (d->maps + d->n - map) * sizeof *map);
    }
}

enum ofperr
handle_tlv_mod(struct ofconn *c, const struct msg *m, struct bytes *out UNUSED)
{
    struct ofproto *p = c->ofproto;
    enum tlv_command command;
    struct draft d = { .n = 0 };
    struct cursor maps;
    enum ofperr error = tlv_mod_decode(m, &command, &maps, NULL);

    if (!error && command != TLV_CLEAR) {
        d.n = p->n_tlv_maps;
        memcpy(d.maps, p->tlv_maps ? p->tlv_maps : d.maps, d.n * sizeof d.maps[0]);
    }
    while (!error && maps.left) {
        struct tlv_map map;

        error = tlv_map_take(&maps, &map, NULL);
        if (!error && command == TLV_ADD) {
            error = add(&d, &map);
        } else if (!error && command == TLV_DELETE) {
            delete(&d, map.index);
        }
    }
    if (!error) {
        p->tlv_maps = xrealloc(p->tlv_maps, sizeof d.maps);
        memcpy(p->tlv_maps, d.maps, d.n * sizeof d.maps[0]);
        p->n_tlv_maps = d.n;
    }
    return error;
}

enum ofperr
handle_tlv_request(struct ofconn *c, const struct msg *m, struct bytes *out)
{
    const struct tlv_reply r = { .max_option_space = MAX_SPACE, .max_fields = MAX_FIELDS };

    tlv_reply_encode(out, m, &r, c->ofproto->tlv_maps, c->ofproto->n_tlv_maps);
    return OFPERR_NONE;
}
